// Codes and refresh tokens: a grant's ID and a MAC over what they stand for. Whoever has the keys can say them again, nobody can guess
// one, and none is ever written down.
import type { DerivedKeys } from '../runtime/keys.js'

const ID = '[A-Za-z0-9_-]{24}'
const MAC = '[A-Za-z0-9_-]{43}'
const CODE = new RegExp(`^(${ID})\\.(${MAC})$`)
const REFRESH = new RegExp(`^(${ID})\\.([1-9]\\d{0,8})\\.(${MAC})$`)
const TOKEN_ID = new RegExp(`^(${ID})\\.(0|[1-9]\\d{0,8})\\.${ID}$`)

/** The one code of a grant (RFC 6749 4.1.2). */
export function codeOf(keys: DerivedKeys, grantId: string): string {
  return `${grantId}.${keys.mac('code', grantId)}`
}

/** The grant that a code is of; undefined for what is no code of ours. */
export function readCode(keys: DerivedKeys, code: string): string | undefined {
  const [, grantId, mac] = CODE.exec(code) ?? []
  if (grantId === undefined || mac === undefined) return undefined
  return keys.isMac('code', grantId, mac) ? grantId : undefined
}

/** One refresh token of a grant (RFC 6749 1.5). */
export function refreshTokenOf(keys: DerivedKeys, grantId: string, generation: number): string {
  const stands = `${grantId}.${generation}`
  return `${stands}.${keys.mac('refresh', stands)}`
}

/** What a refresh token stands for. */
export interface GrantGeneration {
  readonly grantId: string
  readonly generation: number
}

/** Reads a refresh token; undefined for what is none of ours. */
export function readRefreshToken(keys: DerivedKeys, token: string): GrantGeneration | undefined {
  const [, grantId, generation, mac] = REFRESH.exec(token) ?? []
  if (grantId === undefined || generation === undefined || mac === undefined) return undefined
  if (!keys.isMac('refresh', `${grantId}.${generation}`, mac)) return undefined
  return { grantId, generation: Number(generation) }
}

/** Reads the `jti` of an access token. The signature of the token vouches for it. */
export function readTokenId(jti: unknown): GrantGeneration | undefined {
  const [, grantId, generation] = typeof jti === 'string' ? (TOKEN_ID.exec(jti) ?? []) : []
  if (grantId === undefined || generation === undefined) return undefined
  return { grantId, generation: Number(generation) }
}

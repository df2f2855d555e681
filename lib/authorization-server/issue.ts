// RFC 9068 2: access tokens are JWTs, signed with the key that the JWK set publishes.
import { type KeyObject, sign } from 'node:crypto'
import type { Deps } from '../runtime/deps.js'
import type { DerivedKeys } from '../runtime/keys.js'
import type { GrantRecord } from './records.js'

/** The answer of the token endpoint, RFC 6749 5.1. */
export interface TokenAnswer {
  readonly access_token: string
  readonly token_type: 'Bearer'
  readonly expires_in: number
  /** Absent where nothing was granted beyond access itself. */
  readonly scope?: string
  readonly refresh_token?: string
}

/** Signs the access tokens of one server. */
export class AccessTokenIssuer {
  readonly #settings: {
    readonly issuer: string
    readonly resource: string
    readonly accessTokenSeconds: number
  }
  readonly #key: KeyObject
  readonly #header: string
  readonly #deps: Pick<Deps, 'now' | 'randomId'>

  constructor(
    settings: { readonly issuer: string; readonly resource: string; readonly accessTokenSeconds: number },
    keys: DerivedKeys,
    deps: Pick<Deps, 'now' | 'randomId'>,
  ) {
    this.#settings = settings
    this.#key = keys.signing.key
    this.#header = encode({ alg: 'ES256', typ: 'at+jwt', kid: keys.signing.kid })
    this.#deps = deps
  }

  /** How long an access token lives that is issued now, in seconds: no longer than its grant can. */
  lifetimeOf({ endsAt = Infinity }: GrantRecord): number {
    const left = Math.floor((endsAt - this.#deps.now()) / 1000)
    return Math.max(1, Math.min(this.#settings.accessTokenSeconds, left))
  }

  /** An access token of a grant, named so that the grant and the generation can be found by it. */
  issue(grantId: string, grant: GrantRecord, scopes: readonly string[]): string {
    const { issuer, resource } = this.#settings
    const now = Math.floor(this.#deps.now() / 1000)
    const payload = encode({
      // First, so that nothing of it can replace what the server says.
      ...grant.claims,
      iss: issuer,
      aud: resource,
      sub: grant.subject,
      client_id: grant.clientId,
      scope: scopes.join(' '),
      iat: now,
      exp: now + this.lifetimeOf(grant),
      jti: `${grantId}.${grant.generation}.${this.#deps.randomId()}`,
    })
    const signed = `${this.#header}.${payload}`
    // Thirty microseconds: a trip to the thread pool would cost more.
    const signature = sign('sha256', Buffer.from(signed, 'latin1'), {
      key: this.#key,
      dsaEncoding: 'ieee-p1363',
    })
    return `${signed}.${signature.toString('base64url')}`
  }
}

/** Claims that the server itself says, which a user's own must not be called. */
export const RESERVED_CLAIMS: ReadonlySet<string> = new Set([
  'iss', 'aud', 'sub', 'client_id', 'scope', 'iat', 'exp', 'nbf', 'jti', 'cnf', 'scp', 'permissions', 'token_use', 'typ',
  'azp', 'act', 'may_act', 'at_hash', 'c_hash', 's_hash',
]) // prettier-ignore

function encode(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

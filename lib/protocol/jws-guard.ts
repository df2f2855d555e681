// RFC 7515 7.1 and RFC 8725: the strict form of a compact JWS, checked before a cryptographic library sees it.
import { isUtf8 } from 'node:buffer'
import { parseStrictObject } from './strict-json.js'

/** The JOSE header members that verification looks at. */
export interface JoseHeader {
  readonly alg: string
  readonly kid?: string
  readonly typ?: string
}

/** A token in strict form. Nothing in it is trusted yet. */
export interface ParsedJws {
  readonly header: JoseHeader
  readonly payload: Readonly<Record<string, unknown>>
}

/**
 * Takes a token apart. Cheap refusals come first; none of them accepts anything.
 *
 * @returns the parts, or a few words on what was wrong
 */
export function parseJws(token: string): ParsedJws | string {
  const parts = token.split('.')
  if (parts.length !== 3) return `${parts.length} parts instead of 3`
  // One byte string has exactly one encoding here, else a revoked token could come back in another spelling.
  if (!parts.every(isCanonicalBase64Url)) return 'not canonical base64url'
  const [encodedHeader, encodedPayload] = parts as [string, string, string]
  const header = readHeader(encodedHeader)
  if (typeof header === 'string') return header
  const payload = decodeObject(encodedPayload)
  if (payload === undefined) return 'the payload is not a JSON object with unique members'
  return { header, payload }
}

let lastEncoded: string | undefined
let lastHeader: JoseHeader | string = ''

/** The header, or what is wrong with it. Tokens of one key all have the same, so the last one is remembered. */
function readHeader(encoded: string): JoseHeader | string {
  if (encoded !== lastEncoded) {
    lastHeader = decodeHeader(encoded)
    // A copy: a part of a token would keep the whole token in memory.
    lastEncoded = Buffer.from(encoded, 'latin1').toString('latin1')
  }
  return lastHeader
}

function decodeHeader(encoded: string): JoseHeader | string {
  const header = decodeObject(encoded)
  if (header === undefined) return 'the header is not a JSON object with unique members'
  // "crit" demands extensions that we do not implement, and "b64" changes what was signed (RFC 7797).
  if ('crit' in header || 'b64' in header) return 'critical header extensions are not supported'
  if ('zip' in header || 'enc' in header || 'p2c' in header) return 'encrypted tokens are not supported'
  const { alg, kid, typ } = header
  if (typeof alg !== 'string') return 'no algorithm in the header'
  if (kid !== undefined && typeof kid !== 'string') return 'the key ID is not a string'
  if (typ !== undefined && typeof typ !== 'string') return 'the type is not a string'
  return Object.freeze({ alg, ...(kid !== undefined && { kid }), ...(typ !== undefined && { typ }) })
}

function decodeObject(encoded: string): Record<string, unknown> | undefined {
  const bytes = Buffer.from(encoded, 'base64url')
  return isUtf8(bytes) ? parseStrictObject(bytes.toString('utf8')) : undefined
}

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'

/** RFC 4648 3.5 and 5: no padding, no stray letters, and the bits that encode nothing are zero. */
function isCanonicalBase64Url(part: string): boolean {
  if (!/^[A-Za-z0-9_-]+$/.test(part)) return false
  const remainder = part.length % 4
  if (remainder === 0) return true
  if (remainder === 1) return false
  const last = ALPHABET.indexOf(part.charAt(part.length - 1))
  return remainder === 2 ? (last & 0b1111) === 0 : (last & 0b11) === 0
}

/**
 * What a token looks like from outside: enough to choose who is asked about it. Never a reason to trust it.
 */
export type TokenForm =
  { readonly kind: 'jwt'; readonly issuer: string | undefined } | { readonly kind: 'opaque' }

/** Tells a JWT, with the issuer it claims, from an opaque token. */
export function tokenForm(token: string): TokenForm {
  const jws = parseJws(token)
  if (typeof jws === 'string') return { kind: 'opaque' }
  const { iss } = jws.payload
  return { kind: 'jwt', issuer: typeof iss === 'string' ? iss : undefined }
}

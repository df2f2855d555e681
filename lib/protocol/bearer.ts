// RFC 6750 2.1: the Authorization request header. The only place a token is taken from.
import type { AuthRequest } from './message.js'

/** No legitimate access token comes near this; what is longer is refused before anything looks at it. In characters. */
export const MAX_TOKEN_LENGTH = 8192

/** Why there is no token to check. `none` calls for a bare challenge, `malformed` for 401, `ambiguous` for 400. */
export interface NoToken {
  readonly kind: 'none' | 'malformed' | 'ambiguous'
  readonly got: string
}

const NONE: NoToken = { kind: 'none', got: 'no credentials' }
const OTHER_SCHEME: NoToken = { kind: 'none', got: 'another scheme than Bearer' }
const TOO_LONG: NoToken = { kind: 'malformed', got: `more than ${MAX_TOKEN_LENGTH} characters` }
const EMPTY: NoToken = { kind: 'malformed', got: 'Bearer without a token' }
const REPEATED: NoToken = { kind: 'ambiguous', got: 'more than one Authorization or Host header' }
const TWO_PLACES: NoToken = { kind: 'ambiguous', got: 'a token in the header and another in the query' }

/**
 * The token of a request, its alphabet not yet checked (see {@link isToken68}): a token that was verified before needs
 * no second look at its letters.
 */
export function readBearer(request: AuthRequest): string | NoToken {
  // Node keeps the first of two Authorization headers and drops the other in silence; a proxy may keep the last.
  if (hasRepeats(request.rawHeaders)) return REPEATED
  const header = request.headers['authorization']
  if (typeof header !== 'string' || header === '') return NONE
  if (!/^bearer(?:[ \t]|$)/i.test(header)) return OTHER_SCHEME
  const url = request.url
  if (url !== undefined && url.includes('?') && hasQueryToken(url)) return TWO_PLACES
  let start = 6
  while (header.charCodeAt(start) === 0x20) start++
  if (start === header.length) return EMPTY
  if (header.length - start > MAX_TOKEN_LENGTH) return TOO_LONG
  return header.slice(start)
}

/** RFC 6750 2.1: `b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" ) *"="`. */
export function isToken68(token: string): boolean {
  return /^[A-Za-z0-9\-._~+/]+=*$/.test(token)
}

/** Whether Authorization or Host came more than once: which of the two counts would be anyone's guess. */
export function hasRepeats(rawHeaders: readonly string[] = []): boolean {
  let authorization = 0
  let host = 0
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] as string
    if (name.length === 4 && name.toLowerCase() === 'host') host++
    else if (name.length === 13 && name.toLowerCase() === 'authorization') authorization++
  }
  return authorization > 1 || host > 1
}

function hasQueryToken(url: string): boolean {
  return new URLSearchParams(url.slice(url.indexOf('?') + 1)).has('access_token')
}

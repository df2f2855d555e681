// Whose upstream tokens are, from what a verifier and an ID token say: a subject, a name for pages, and claims for tools.
import type { UpstreamUser } from '../../authorization-server/upstream.js'
import { type Reason, identifierOf, shown } from '../../protocol/claims.js'
import { cleanText } from '../../protocol/display.js'
import type { UpstreamDescription } from './description.js'

type Claims = Readonly<Record<string, unknown>>

/** What was verified. */
export interface Assertions {
  /** As the verifier of the access token calls the user. */
  readonly subject?: string | undefined
  /** Of the access token. Absent: the ID token alone says who it is. */
  readonly claims?: Claims | undefined
  /** What the verifier says that it allows: nothing, where that is said; undefined, where it does not know. */
  readonly scopes?: readonly string[] | undefined
  /** Claims of the ID token, where there is one. */
  readonly idToken?: Claims | undefined
}

/** Claims that are about a token, not about a user. */
const PROTOCOL_CLAIMS: ReadonlySet<string> = new Set([
  'iss', 'aud', 'exp', 'nbf', 'iat', 'jti', 'nonce', 'azp', 'at_hash', 'c_hash', 's_hash', 'auth_time', 'sid', 'token_use', 'typ',
]) // prettier-ignore

/** What Azure AD B2C writes as `sub` of everybody where a user flow is set to "Subject claim: Not supported". */
const NOBODYS_NAME = 'not supported currently. use oid claim.'

/** What names one user for good: neither empty nor the same text for all. */
function subjectOf(value: unknown): string | undefined {
  const named = identifierOf(value)
  return named?.trim().toLowerCase() === NOBODYS_NAME ? undefined : named
}

/** In this order: what people call themselves, then what others do. */
const NAMES = ['name', 'preferred_username', 'nickname', 'global_name', 'login', 'username', 'email'] as const
const MAX_NAME = 100

/** Reads a user, or why there is none. */
export function readUser(
  { subject: asserted, claims, scopes, idToken = {} }: Assertions,
  { subjectClaim = 'sub', claims: wanted }: Pick<UpstreamDescription, 'subjectClaim' | 'claims'>,
): UpstreamUser | Reason {
  const named = new Map(Object.entries(claims ?? idToken)).get(subjectClaim)
  const told = (subjectClaim === 'sub' && asserted) || named
  const subject = subjectOf(told)
  if (subject === undefined) {
    const got =
      told === undefined || typeof told === 'string' ? shown(told) : `a value of type ${typeof told}`
    return { stage: 'upstream', expected: `a "${subjectClaim}" that names the user`, got }
  }
  const signedIn = subjectOf(idToken[subjectClaim])
  if (signedIn !== undefined && signedIn !== subject)
    return {
      stage: 'upstream',
      expected: `the user of the ID token, ${shown(signedIn)}`,
      got: shown(subject),
    }
  const profile = Object.entries(idToken).filter(([name]) => !PROTOCOL_CLAIMS.has(name))
  const all = { ...Object.fromEntries(profile), ...claims }
  const shownClaims =
    wanted === undefined
      ? all
      : Object.fromEntries(Object.entries(all).filter(([name]) => wanted.includes(name)))
  const name = NAMES.map((claim) => cleanText(all[claim], MAX_NAME)).find((text) => text !== undefined)
  return Object.freeze({
    subject,
    ...(name !== undefined && { name }),
    claims: Object.freeze({ ...shownClaims, sub: subject }),
    ...(scopes !== undefined && { scopes }),
  })
}

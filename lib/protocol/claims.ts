// RFC 9068 2.2, RFC 7662 2.2 and RFC 7519 4.1: what claims say about an access token, whoever asserted them.
import { LATEST_TIME, type VerifiedToken, sealParsed } from './access-token.js'
import { audienceMatches } from './resource.js'
import { parseScopes } from './scopes.js'

/** Why a token was refused: for events and logs, never with a token in it. */
export interface Reason {
  /** Which check refused. */
  readonly stage: string
  readonly expected?: string
  readonly got?: string
}

/** What the claims are held against. */
export interface ClaimRules {
  /** Accepted `iss`. Where one of them has `{tid}`, that is the tenant which the token names itself: see {@link meansIssuer}. */
  readonly issuers: readonly string[] | undefined
  readonly audiences: readonly string[] | undefined
  /** Other claims, and the values of which each has to hold one. */
  readonly required?: ReadonlyMap<string, readonly string[]> | undefined
  /** Whether `exp` has to be there. */
  readonly requireExpiry: boolean
  /** How far in the future `nbf` and `iat` may lie. `exp` is not stretched: an expired token is not served. */
  readonly toleranceSeconds: number
}

/** The client of a token that names none. */
export const UNKNOWN_CLIENT = 'unknown'

/** Checks the registered claims; `nowSeconds` is the time of the check. Returns the reason of a refusal. */
export function refuseClaims(
  claims: Readonly<Record<string, unknown>>,
  rules: ClaimRules,
  nowSeconds: number,
): Reason | undefined {
  const { iss, aud, exp, nbf, iat, sub, client_id: clientId } = claims
  if (rules.issuers !== undefined && !rules.issuers.some((issuer) => meansIssuer(iss, issuer, claims))) {
    return { stage: 'issuer', expected: rules.issuers.join(' or '), got: shown(iss) }
  }
  if (rules.audiences !== undefined && !audienceMatches(aud, rules.audiences)) {
    return { stage: 'audience', expected: rules.audiences.join(' or '), got: shown(aud) }
  }
  for (const [name, values] of rules.required ?? []) {
    if (!audienceMatches(claims[name], values))
      return { stage: 'claims', expected: `${name} ${values.join(' or ')}`, got: shown(claims[name]) }
  }
  if (exp !== undefined || rules.requireExpiry) {
    if (!isTime(exp)) return { stage: 'expiry', expected: 'whole seconds since the epoch', got: shown(exp) }
    if (exp <= nowSeconds)
      return { stage: 'expiry', expected: `after ${Math.floor(nowSeconds)}`, got: shown(exp) }
  }
  return (
    refuseTime('nbf', nbf, rules, nowSeconds) ??
    refuseTime('iat', iat, rules, nowSeconds) ??
    refuseText('sub', sub) ??
    refuseText('client_id', clientId) ??
    refuseScopes('scope', claims['scope']) ??
    refuseScopes('scp', claims['scp']) ??
    refuseScopes('permissions', claims['permissions'])
  )
}

/**
 * Whether `iss` is an accepted issuer, byte for byte. Entra issues for many tenants with the same keys, each under an issuer of its own: in
 * `https://login.microsoftonline.com/{tid}/v2.0` any one tenant may stand, and it has to be the one that the claim `tid` names.
 *
 * @param claims those of the token; without them, only the form is compared
 */
export function meansIssuer(
  iss: unknown,
  accepted: string,
  claims?: Readonly<Record<string, unknown>>,
): boolean {
  const [before, after] = accepted.split('{tid}') as [string, string?]
  if (after === undefined) return iss === accepted
  if (typeof iss !== 'string' || !iss.startsWith(before) || !iss.endsWith(after)) return false
  const tenant = iss.slice(before.length, iss.length - after.length)
  return /^[\w-]+$/.test(tenant) && (claims === undefined || claims['tid'] === tenant)
}

function refuseTime(name: string, time: unknown, rules: ClaimRules, nowSeconds: number): Reason | undefined {
  if (time === undefined) return undefined
  if (typeof time !== 'number' || !(time >= 0) || time > LATEST_TIME) {
    return { stage: 'claims', expected: `${name} in seconds since the epoch`, got: shown(time) }
  }
  if (time <= nowSeconds + rules.toleranceSeconds) return undefined
  return { stage: 'not_before', expected: `${name} by ${Math.floor(nowSeconds)}`, got: shown(time) }
}

function refuseText(name: string, text: unknown): Reason | undefined {
  if (text === undefined || typeof text === 'string') return undefined
  return { stage: 'claims', expected: `${name} as a string`, got: shown(text) }
}

function refuseScopes(name: string, scopes: unknown): Reason | undefined {
  if (isScopeClaim(scopes)) return undefined
  return { stage: 'claims', expected: `${name} as text or a list of text`, got: shown(scopes) }
}

/** How Keycloak marks what is not an access token. */
const OTHER_KINDS: ReadonlySet<unknown> = new Set(['ID', 'Refresh', 'Offline', 'Logout'])

/** Hashes that only an ID token has (OpenID Connect Core 3.1.3.6, 3.3.2.11). */
const ID_TOKEN_CLAIMS = ['at_hash', 'c_hash', 's_hash'] as const

/** Refuses claims of something else than a bearer access token (RFC 9068 4, RFC 9449 7.2). */
export function refuseKind(claims: Readonly<Record<string, unknown>>): Reason | undefined {
  const { token_use: use, typ, cnf } = claims
  const expected = 'an access token'
  if (use !== undefined && use !== 'access' && use !== 'access_token') {
    return { stage: 'type', expected, got: `token_use ${shown(use)}` }
  }
  if (OTHER_KINDS.has(typ)) return { stage: 'type', expected, got: `typ ${shown(typ)}` }
  const idTokenClaim = ID_TOKEN_CLAIMS.find((name) => name in claims)
  if (idTokenClaim !== undefined) return { stage: 'type', expected, got: `an ID token (${idTokenClaim})` }
  // A token that is bound to a key is not a bearer token.
  if (cnf !== undefined)
    return { stage: 'type', expected: 'a bearer token', got: 'a token that is bound to a key (cnf)' }
  return undefined
}

/** Reads claims that {@link refuseClaims} let pass. `claims` must belong to nobody else: it is frozen. */
export function readAccessToken(claims: Readonly<Record<string, unknown>>, token: string): VerifiedToken {
  const { sub, iss, exp } = claims
  const verified: VerifiedToken = {
    token,
    tokenType: 'Bearer',
    clientId: firstText(claims, CLIENT_CLAIMS) ?? UNKNOWN_CLIENT,
    scopes: readScopes(claims),
    expiresAt: typeof exp === 'number' ? exp : undefined,
    subject: typeof sub === 'string' ? sub : undefined,
    issuer: typeof iss === 'string' ? iss : undefined,
    claims,
  }
  return sealParsed(
    verified,
    SCOPE_CLAIMS.some((name) => (claims[name] ?? undefined) !== undefined),
  )
}

const SCOPE_CLAIMS = ['scope', 'scp', 'permissions'] as const

// RFC 9068 says client_id; azp is OpenID Connect's, cid Okta's, appid that of Entra's first token version.
const CLIENT_CLAIMS = ['client_id', 'azp', 'cid', 'appid', 'sub'] as const

function firstText(claims: Readonly<Record<string, unknown>>, names: readonly string[]): string | undefined {
  for (const name of names) {
    const value = claims[name]
    if (typeof value === 'string' && value !== '') return value
  }
  return undefined
}

/** `scope` wins over `scp` even when it is empty; `permissions`, where Auth0 puts what a role grants, is added. */
function readScopes(claims: Readonly<Record<string, unknown>>): string[] {
  return [...new Set([...listOf(claims['scope'] ?? claims['scp']), ...listOf(claims['permissions'])])]
}

function listOf(claim: unknown): string[] {
  if (typeof claim === 'string') return parseScopes(claim)
  return Array.isArray(claim) ? (claim as string[]) : []
}

function isScopeClaim(claim: unknown): boolean {
  if (claim === undefined || claim === null || typeof claim === 'string') return true
  return Array.isArray(claim) && claim.every((entry) => typeof entry === 'string')
}

function isTime(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0 && (value as number) <= LATEST_TIME
}

/** What names a user or an app for good. Some count theirs. */
export function identifierOf(value: unknown): string | undefined {
  if (typeof value === 'string' && value !== '') return value
  return Number.isSafeInteger(value) ? String(value) : undefined
}

/** A claim for an event: short, and one line whatever it holds. */
export function shown(value: unknown): string {
  const text = value === undefined ? 'nothing' : JSON.stringify(value)
  return text.length > 200 ? `${text.slice(0, 200)}…` : text
}

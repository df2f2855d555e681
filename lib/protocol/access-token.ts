// What a verified access token says, as plain data. A superset of `AuthInfo` of both MCP SDKs.

/** What is behind a token at an identity provider, for tools that call its services in the user's name. */
export interface UpstreamAccess {
  /** An access token of the identity provider that is good now; renewed where it is about to end. Rejects where there is none any more. */
  getToken(): Promise<string>
  /** What it allows, as the identity provider calls it; undefined where that is not known. */
  readonly scopes: readonly string[] | undefined
}

/** The facts of a token, as a verifier reports them. */
export interface AccessTokenFields {
  /** The token itself. Default: the one that was presented. */
  readonly token?: string
  /** `Bearer` unless another scheme carried it. */
  readonly tokenType?: string
  /** OAuth client that the token was issued to. */
  readonly clientId: string
  /** Scopes granted. Absent is none. */
  readonly scopes?: readonly string[]
  /** Seconds since the epoch. Absent: it does not expire by itself. */
  readonly expiresAt?: number | undefined
  /** The user or workload that the token speaks for. */
  readonly subject?: string | undefined
  /** Who issued it, byte for byte. */
  readonly issuer?: string | undefined
  /** Everything else that was asserted. */
  readonly claims?: Readonly<Record<string, unknown>>
  /** What an SDK verifier put beside the standard fields; joined to `claims`. */
  readonly extra?: Readonly<Record<string, unknown>> | undefined
  /** What is behind it at an identity provider. Never written anywhere. */
  readonly upstream?: UpstreamAccess | undefined
}

/** The same, checked and complete: what is kept and shared between requests, frozen all the way down. */
export interface VerifiedToken {
  readonly token: string
  readonly tokenType: string
  readonly clientId: string
  readonly scopes: readonly string[]
  readonly expiresAt: number | undefined
  readonly subject: string | undefined
  readonly issuer: string | undefined
  readonly claims: Readonly<Record<string, unknown>>
  readonly upstream?: UpstreamAccess | undefined
}

/** The last second of the year 9999. Beyond it a time is in milliseconds, or an attempt to live forever. */
export const LATEST_TIME = 253_402_300_799

const complete = new WeakSet()
/** Of which nobody said what they allow: they have no scopes for want of a word, not of a right. */
const untold = new WeakSet()

/** What a token allows; undefined where whoever verified it does not know. */
export function toldScopes(token: VerifiedToken): readonly string[] | undefined {
  return untold.has(token) ? undefined : token.scopes
}

/**
 * Checks what a verifier returned and completes it. A wrong type here is the verifier's mistake, not the caller's,
 * so it throws and the guard answers that it could not decide.
 *
 * @param fields what the verifier returned
 * @param presented the credential that was checked
 */
export function parseAccessToken(fields: unknown, presented: string): VerifiedToken {
  if (typeof fields === 'object' && fields !== null && complete.has(fields)) return fields as VerifiedToken
  if (typeof fields !== 'object' || fields === null) throw malformed('must be an object or null')
  const given = fields as { readonly [Name in keyof AccessTokenFields]?: unknown }
  const { token = presented, tokenType = 'Bearer', clientId, scopes = [], subject, issuer } = given
  const expiresAt = given.expiresAt ?? undefined
  if (typeof token !== 'string') throw malformed('"token" must be a string')
  if (typeof tokenType !== 'string') throw malformed('"tokenType" must be a string')
  if (typeof clientId !== 'string') throw malformed('"clientId" must be a string')
  if (!isStringList(scopes)) throw malformed('"scopes" must be an array of strings')
  if (expiresAt !== undefined && !(typeof expiresAt === 'number' && expiresAt <= LATEST_TIME)) {
    throw malformed('"expiresAt" must be seconds since the epoch, not milliseconds')
  }
  if (subject !== undefined && typeof subject !== 'string') throw malformed('"subject" must be a string')
  if (issuer !== undefined && typeof issuer !== 'string') throw malformed('"issuer" must be a string')
  const claims = { ...record(given.extra, 'extra'), ...record(given.claims, 'claims') }
  const upstream = given.upstream as UpstreamAccess | undefined
  const sealed = seal({
    token,
    tokenType,
    clientId,
    scopes: [...scopes],
    expiresAt,
    subject,
    issuer,
    claims,
    ...(upstream !== undefined && { upstream }),
  })
  if (given.scopes === undefined) untold.add(sealed)
  return sealed
}

/** Freezes facts that were just parsed from JSON and belong to nobody else. @param tellsScopes whether they say what the token allows */
export function sealParsed(token: VerifiedToken, tellsScopes: boolean): VerifiedToken {
  deepFreeze(token)
  complete.add(token)
  if (!tellsScopes) untold.add(token)
  return token
}

function deepFreeze(value: object): void {
  for (const name in value) {
    const member: unknown = (value as Readonly<Record<string, unknown>>)[name]
    if (typeof member === 'object' && member !== null) deepFreeze(member)
  }
  Object.freeze(value)
}

/** Copies facts and freezes the copy, so that what one request does to them is not seen by another. */
export function seal(token: VerifiedToken): VerifiedToken {
  const sealed = frozenCopy(token, new Map()) as VerifiedToken
  complete.add(sealed)
  return sealed
}

/** Plain objects and lists are copied; what a verifier put there of its own kind, e.g. a user with methods, stays itself. */
function frozenCopy(value: unknown, copies: Map<object, object>): unknown {
  if (typeof value !== 'object' || value === null || !isPlain(value)) return value
  const known = copies.get(value)
  if (known !== undefined) return known
  const copy: object = Array.isArray(value) ? [] : {}
  copies.set(value, copy)
  for (const [name, member] of Object.entries(value)) {
    // Defined, not assigned: a member may be called __proto__.
    Object.defineProperty(copy, name, { value: frozenCopy(member, copies), enumerable: true })
  }
  return Object.freeze(copy)
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  return prototype === Object.prototype || prototype === null || Array.isArray(value)
}

function record(value: unknown, name: string): object {
  if (value === undefined) return {}
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw malformed(`"${name}" must be an object`)
  return value
}

function isStringList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'string')
}

function malformed(what: string): TypeError {
  return new TypeError(`verifyToken returned a malformed access token: ${what}`)
}

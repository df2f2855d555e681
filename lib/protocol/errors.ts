// The two families of errors: OAuthError is for the wire (RFC 6749 5.2, RFC 6750 3.1), ConfigError for the developer.

/** Error codes that a guard or an authorization server may answer with (RFC 6749, 6750, 7591, 8707, OpenID Connect Core 3.1.2.6). */
export type OAuthErrorCode =
  | 'invalid_request'
  | 'invalid_token'
  | 'insufficient_scope'
  | 'invalid_client'
  | 'invalid_grant'
  | 'unauthorized_client'
  | 'unsupported_grant_type'
  | 'unsupported_response_type'
  | 'invalid_scope'
  | 'invalid_target'
  | 'access_denied'
  | 'request_not_supported'
  | 'request_uri_not_supported'
  | 'login_required'
  | 'consent_required'
  | 'invalid_redirect_uri'
  | 'invalid_client_metadata'
  | 'server_error'
  | 'temporarily_unavailable'

const STATUS: Readonly<Record<OAuthErrorCode, number>> = {
  invalid_request: 400,
  invalid_token: 401,
  insufficient_scope: 403,
  invalid_client: 401,
  invalid_grant: 400,
  unauthorized_client: 400,
  unsupported_grant_type: 400,
  unsupported_response_type: 400,
  invalid_scope: 400,
  invalid_target: 400,
  access_denied: 403,
  request_not_supported: 400,
  request_uri_not_supported: 400,
  login_required: 400,
  consent_required: 400,
  invalid_redirect_uri: 400,
  invalid_client_metadata: 400,
  server_error: 500,
  temporarily_unavailable: 503,
}

/** The words for every token that is not good here: which check failed is for events, not for the wire. */
export const INVALID_TOKEN = 'The access token is malformed, expired, revoked or not meant for this resource'

/** The words for "we could not decide". */
export const UNAVAILABLE = 'The access token could not be checked right now, try again shortly'

const WORDS: Readonly<Record<OAuthErrorCode, string>> = {
  invalid_request: 'The request is malformed',
  invalid_token: INVALID_TOKEN,
  insufficient_scope: 'The access token lacks a scope',
  // One sentence whatever was wrong with a client, or an outsider could tell clients that exist from others.
  invalid_client: 'The client is unknown, or did not authenticate as it was registered to',
  invalid_grant: 'The grant is invalid, expired, used, revoked, or was issued to another client',
  unauthorized_client: 'The client may not use this grant type',
  unsupported_grant_type: 'This grant type is not supported',
  unsupported_response_type: 'Only the response type "code" is supported',
  invalid_scope: 'A requested scope is unknown or exceeds what the client may have',
  invalid_target: 'The requested resource is not served here',
  access_denied: 'The request was denied',
  request_not_supported: 'The "request" parameter is not supported',
  request_uri_not_supported: 'The "request_uri" parameter is not supported',
  login_required: 'Nobody is signed in, and no page may be shown',
  consent_required: 'Consent is needed, and no page may be shown',
  invalid_redirect_uri: 'A redirect URI cannot be registered',
  invalid_client_metadata: 'The client metadata cannot be registered',
  server_error: UNAVAILABLE,
  temporarily_unavailable: UNAVAILABLE,
}

/** What an {@link OAuthError} may carry beside its code and description. */
export interface OAuthErrorOptions {
  /** For the operator's eyes: goes to events, never on the wire. */
  readonly detail?: string | undefined
  /** Scopes that the operation needs, for `insufficient_scope`. */
  readonly scopes?: readonly string[]
  /** Seconds after which trying again makes sense, for `temporarily_unavailable`. */
  readonly retryAfterSeconds?: number | undefined
  /** HTTP status, where it is not the one that goes with the code, e.g. 413. */
  readonly status?: number
  readonly cause?: unknown
}

/**
 * An answer that OAuth has a word for. Throw one from your own `verifyToken` or `authenticate` to choose the answer;
 * `description` is sent to the caller, `detail` and `cause` never are.
 *
 * @example throw new OAuthError('invalid_token', 'The API key was revoked')
 */
export class OAuthError extends Error {
  override readonly name: string = 'OAuthError'
  readonly code: OAuthErrorCode
  readonly description: string
  readonly status: number
  readonly detail: string | undefined
  readonly scopes: readonly string[]
  readonly retryAfterSeconds: number | undefined

  /** @throws TypeError for a code that no guard answers with */
  constructor(code: OAuthErrorCode, description?: string, options: OAuthErrorOptions = {}) {
    if (!Object.hasOwn(STATUS, code))
      throw new TypeError(`OAuthError has no code ${JSON.stringify(code)}: ${Object.keys(STATUS).join(', ')}`)
    // Whoever writes no types may pass anything; the words on the wire are text.
    const words = typeof description === 'string' ? description : WORDS[code]
    super(words, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.description = words
    this.status = options.status ?? STATUS[code]
    this.detail = options.detail === undefined ? undefined : String(options.detail)
    this.scopes = scopesOf(options)
    this.retryAfterSeconds = options.retryAfterSeconds
  }
}

/** Stable codes of {@link ConfigError}. */
export type ConfigErrorCode =
  | 'ERR_MCP_AUTH_UNKNOWN_OPTION'
  | 'ERR_MCP_AUTH_MISSING_OPTION'
  | 'ERR_MCP_AUTH_INVALID_OPTION'
  | 'ERR_MCP_AUTH_INSECURE_URL'
  | 'ERR_MCP_AUTH_WEAK_KEY'
  | 'ERR_MCP_AUTH_INVALID_PROVIDER'
  | 'ERR_MCP_AUTH_NOT_CALLED'
  | 'ERR_MCP_AUTH_MOUNT'
  | 'ERR_MCP_AUTH_BODY'
  | 'ERR_MCP_AUTH_ENVIRONMENT'

/** A developer's mistake: the message says what was wrong and what to write instead. Thrown while things are built. */
export class ConfigError extends Error {
  override readonly name: string = 'ConfigError'
  readonly code: ConfigErrorCode

  constructor(code: ConfigErrorCode, message: string) {
    super(message)
    this.code = code
  }
}

const OUTAGE_CODES = new Set(['temporarily_unavailable', 'server_error', 'too_many_requests', 'slow_down'])

// jose names its errors by code. These speak of the token; every other one (ERR_JWKS_TIMEOUT, ERR_JWKS_INVALID,
// ERR_JOSE_GENERIC, which is how a failed key-set request arrives) speaks of our side.
const JOSE_TOKEN_CODES = new Set([
  'ERR_JWT_EXPIRED',
  'ERR_JWT_CLAIM_VALIDATION_FAILED',
  'ERR_JWT_INVALID',
  'ERR_JWS_INVALID',
  'ERR_JWS_SIGNATURE_VERIFICATION_FAILED',
  'ERR_JWE_INVALID',
  'ERR_JWE_DECRYPTION_FAILED',
  'ERR_JOSE_ALG_NOT_ALLOWED',
  'ERR_JOSE_NOT_SUPPORTED',
  'ERR_JWKS_NO_MATCHING_KEY',
  'ERR_JWKS_MULTIPLE_MATCHING_KEYS',
])

const JSONWEBTOKEN_NAMES = new Set(['TokenExpiredError', 'JsonWebTokenError', 'NotBeforeError'])

/**
 * What a thrown value says about the caller's token, judged by shape so that it works across copies of a package:
 * our own errors, both MCP SDKs' (`errorCode` in v1, `code` in v2), jose's and jsonwebtoken's.
 *
 * @returns an OAuthError to answer with, or undefined where the value is no such error and nothing could be decided
 */
export function recognizeError(thrown: unknown): OAuthError | undefined {
  if (thrown instanceof OAuthError) return thrown
  if (typeof thrown !== 'object' || thrown === null) return undefined
  const shape = thrown as { code?: unknown; errorCode?: unknown; name?: unknown; message?: unknown }
  const code = typeof shape.errorCode === 'string' ? shape.errorCode : shape.code
  const message = typeof shape.message === 'string' ? shape.message : ''
  if (code === 'invalid_token' || code === 'insufficient_scope' || code === 'invalid_request') {
    return new OAuthError(code, message || undefined, { scopes: scopesOf(thrown), cause: thrown })
  }
  if (typeof code === 'string' && OUTAGE_CODES.has(code)) {
    return new OAuthError('temporarily_unavailable', UNAVAILABLE, { detail: message, cause: thrown })
  }
  const aboutToken =
    (typeof code === 'string' && JOSE_TOKEN_CODES.has(code)) ||
    (typeof shape.name === 'string' && JSONWEBTOKEN_NAMES.has(shape.name) && !isAboutKeys(message))
  return aboutToken
    ? new OAuthError('invalid_token', INVALID_TOKEN, { detail: message, cause: thrown })
    : undefined
}

/** jsonwebtoken reports keys that cannot be fetched by the same error as a bad token; an unknown key ID is the token's fault. */
function isAboutKeys(message: string): boolean {
  return /secret or public key|secretOrPublicKey/i.test(message) && !/signing key that matches/i.test(message)
}

function scopesOf(thrown: object): readonly string[] {
  const { scopes, requiredScopes } = thrown as { scopes?: unknown; requiredScopes?: unknown }
  const list = Array.isArray(scopes) ? scopes : requiredScopes
  return Array.isArray(list) ? list.filter((scope) => typeof scope === 'string') : []
}

// The one place where a verdict becomes status, headers and body (RFC 6750 3, RFC 9110 10.2.3).
import { buildChallenge, plainText } from '../protocol/challenge.js'
import type { OAuthError } from '../protocol/errors.js'
import type { AuthResponse } from '../protocol/message.js'

/** What every challenge of one guard names. */
export interface ChallengeContext {
  readonly scopes: readonly string[]
  readonly resourceMetadataUrl: string | undefined
}

const NOT_STORED = { 'Cache-Control': 'no-store', Vary: 'Authorization' }

/** A JSON answer. */
export function json(
  status: number,
  value: unknown,
  headers: Readonly<Record<string, string>>,
): AuthResponse {
  return { status, headers: { 'Content-Type': 'application/json', ...headers }, body: JSON.stringify(value) }
}

/** 401 for a request without credentials: RFC 6750 3.1 wants no error code then. */
export function bareChallenge(context: ChallengeContext): AuthResponse {
  const body = {
    error_description: 'Authentication is required: send "Authorization: Bearer <access token>"',
  }
  return json(401, body, { ...NOT_STORED, 'WWW-Authenticate': buildChallenge(context) })
}

/** The answer for an OAuth error. An outage carries no challenge, since a new token would not help. */
export function errorResponse(error: OAuthError, context: ChallengeContext): AuthResponse {
  const { code, description, status } = error
  const body = { error: code, error_description: plainText(description) }
  if (status >= 500) return json(status, body, { ...NOT_STORED, 'Retry-After': retryAfter(error) })
  const challenge = buildChallenge({ ...context, error: code, description })
  return json(status, body, { ...NOT_STORED, 'WWW-Authenticate': challenge })
}

/** The answer of an OAuth endpoint (RFC 6749 5.2). A 500 would say that a client need not come back; an outage says when. */
export function oauthError(error: OAuthError): AuthResponse {
  const { code, description } = error
  const status = error.status === 500 ? 503 : error.status
  const body = { error: code, error_description: plainText(description) }
  return json(status, body, {
    ...NEVER_STORED,
    ...((status >= 500 || status === 429) && { 'Retry-After': retryAfter(error) }),
    ...(status === 413 && CLOSE),
  })
}

/** For answers of OAuth endpoints: RFC 6749 5.1 wants both. */
export const NEVER_STORED: Readonly<Record<string, string>> = {
  'Cache-Control': 'no-store',
  Pragma: 'no-cache',
}

/** What is too large is not read to its end, and the connection is of no more use. */
const CLOSE = { Connection: 'close' }

const DEFAULT_RETRY_SECONDS = 5

/** Seconds after which trying again makes sense (RFC 9110 10.2.3). */
export function retryAfter({
  retryAfterSeconds = 0,
}: Partial<Pick<OAuthError, 'retryAfterSeconds'>>): string {
  const usable = Number.isSafeInteger(retryAfterSeconds) && retryAfterSeconds > 0
  return String(usable ? retryAfterSeconds : DEFAULT_RETRY_SECONDS)
}

/** A request that is refused for another reason than its credentials, so that a challenge would mislead. */
export function plainRefusal(status: number, description: string): AuthResponse {
  const headers = status === 413 ? { ...NOT_STORED, ...CLOSE } : NOT_STORED
  return json(status, { error: 'invalid_request', error_description: plainText(description) }, headers)
}

/** What an MCP server says of a session that it does not have. */
export function sessionNotFound(): AuthResponse {
  const error = { code: -32001, message: 'Session not found' }
  return json(404, { jsonrpc: '2.0', error, id: null }, NOT_STORED)
}

export function notFound(): AuthResponse {
  return json(404, { error: 'not_found', error_description: 'There is no such metadata here' }, {})
}

/** 405 with the methods there are (RFC 9110 15.5.6). */
export function methodNotAllowed(methods: readonly string[]): AuthResponse {
  return json(
    405,
    { error: 'invalid_request', error_description: 'This method is not answered here' },
    { Allow: methods.join(', '), 'Cache-Control': 'no-store' },
  )
}

// How one guard says yes and no: each verdict with its answer for the caller and its event for the operator.
import type { Reason } from '../protocol/claims.js'
import { shown } from '../protocol/claims.js'
import { INVALID_TOKEN, OAuthError, UNAVAILABLE, recognizeError } from '../protocol/errors.js'
import type { AuthRequest, AuthResponse } from '../protocol/message.js'
import { publicScopes } from '../protocol/scopes.js'
import { originOf } from '../protocol/well-known.js'
import type { AccessToken } from '../runtime/access-token.js'
import type { Reporter } from '../runtime/events.js'
import {
  type ChallengeContext,
  bareChallenge,
  errorResponse,
  plainRefusal,
  sessionNotFound,
} from './respond.js'

/** The outcome: the caller may pass, or gets an answer. */
export type Verdict = Allowed | Refused

/** `token` is undefined for an anonymous request under `optional`. */
export interface Allowed {
  readonly token: AccessToken | undefined
}

export interface Refused {
  readonly response: AuthResponse
}

/** What a guard may say of a token (RFC 6750 3.1). A verifier that fails with another code speaks of its own affairs. */
const BEARER_CODES: ReadonlySet<string> = new Set(['invalid_request', 'invalid_token', 'insufficient_scope'])

/** The verdicts of one guard. */
export class Verdicts {
  readonly #challenge: ChallengeContext
  readonly #reporter: Reporter
  /** The two answers that floods get: always the same, so written once. */
  readonly #unauthenticated: AuthResponse
  readonly #invalidToken: AuthResponse

  constructor(challenge: ChallengeContext, reporter: Reporter) {
    this.#challenge = challenge
    this.#reporter = reporter
    this.#unauthenticated = bareChallenge(challenge)
    this.#invalidToken = errorResponse(new OAuthError('invalid_token', INVALID_TOKEN), challenge)
  }

  allow(request: AuthRequest, token: AccessToken | undefined, cached: boolean): Allowed {
    if (this.#reporter.listening) {
      this.#reporter.report({
        type: 'request.allowed',
        ...describe(request),
        ...describeToken(token),
        cached,
      })
    }
    return { token }
  }

  /** No credentials; `needed` are scopes beyond those of every request. */
  challenge(request: AuthRequest, got: string, needed: readonly string[] = []): Refused {
    const scopes = this.#withRequired(needed)
    const answer = needed.length === 0 ? this.#unauthenticated : bareChallenge({ ...this.#challenge, scopes })
    return this.#refuse(request, answer, {
      stage: 'credentials',
      expected: 'a Bearer token',
      got,
    })
  }

  /** Credentials more than once. */
  ambiguous(request: AuthRequest, got: string): Refused {
    const error = new OAuthError('invalid_request', 'The request must carry its credentials exactly once')
    return this.#answer(request, error, { stage: 'credentials', expected: 'one', got })
  }

  /** A token that is not good here. The caller gets the same words whatever the reason is. */
  badToken(request: AuthRequest, reason: Reason, token?: string): Refused {
    return this.#refuse(request, this.#invalidToken, () => withoutToken(reason, token), 'invalid_token')
  }

  /** Too few scopes. One challenge names everything that the request needs, so that a client asks once. */
  tooFewScopes(request: AuthRequest, token: AccessToken | undefined, needed: readonly string[]): Refused {
    const scopes = this.#withRequired(needed)
    const description = scopes.length === 0 ? undefined : `This needs the scope ${scopes.join(' ')}`
    const error = new OAuthError('insufficient_scope', description)
    const reason: Reason = { stage: 'scope', expected: scopes.join(' '), got: token?.scopes.join(' ') ?? '' }
    return this.#refuse(
      request,
      errorResponse(error, { ...this.#challenge, scopes }),
      reason,
      error.code,
      token,
    )
  }

  /** A thrown value speaks of the token where its shape says so; anything else means that nothing could be decided. */
  thrown(request: AuthRequest, thrown: unknown, token: string | undefined, noted?: Reason): Refused {
    const error = recognize(thrown)
    if (error?.code === 'insufficient_scope') return this.tooFewScopes(request, undefined, error.scopes)
    if (error === undefined || error.status >= 500 || !BEARER_CODES.has(error.code)) {
      const got = redact(error?.detail ?? describeThrown(thrown), token)
      const retry = { retryAfterSeconds: error?.retryAfterSeconds }
      const outage = new OAuthError('temporarily_unavailable', UNAVAILABLE, retry)
      return this.#answer(
        request,
        outage,
        noted === undefined ? { stage: 'unavailable', got } : withoutToken(noted, token),
      )
    }
    const reason = withoutToken(noted ?? { stage: 'verifier', got: error.detail ?? error.description }, token)
    return this.#answer(request, new OAuthError(error.code, redact(error.description, token)), reason)
  }

  /** A request that cannot be judged, whatever its credentials are. */
  badRequest(request: AuthRequest, status: number, description: string): Refused {
    return this.#refuse(
      request,
      plainRefusal(status, description),
      { stage: 'body', got: description },
      'invalid_request',
    )
  }

  /** A session of somebody else: as if it did not exist. */
  foreignSession(request: AuthRequest, token: AccessToken | undefined): Refused {
    const reason: Reason = { stage: 'session', expected: 'the principal that opened it', got: 'another one' }
    return this.#refuse(request, sessionNotFound(), reason, undefined, token)
  }

  /** A page on another origin than those allowed. */
  foreignOrigin(request: AuthRequest): Refused {
    const reason: Reason = {
      stage: 'origin',
      expected: 'an allowed origin',
      got: shown(request.headers['origin']),
    }
    return this.#refuse(
      request,
      plainRefusal(403, 'This origin may not call this server'),
      reason,
      'invalid_request',
    )
  }

  #withRequired(needed: readonly string[]): readonly string[] {
    return needed.length === 0 ? this.#challenge.scopes : publicScopes([...this.#challenge.scopes, ...needed])
  }

  #answer(request: AuthRequest, error: OAuthError, reason: Reason): Refused {
    return this.#refuse(request, errorResponse(error, this.#challenge), reason, error.code)
  }

  #refuse(
    request: AuthRequest,
    response: AuthResponse,
    reason: Reason | (() => Reason),
    error?: string,
    token?: AccessToken,
  ): Refused {
    if (this.#reporter.listening) {
      const why = typeof reason === 'function' ? reason() : reason
      const what = { status: response.status, ...(error !== undefined && { error }), reason: why }
      this.#reporter.report({
        type: 'request.refused',
        ...describe(request),
        ...what,
        ...describeToken(token),
      })
    }
    return { response }
  }
}

function describeToken(token: AccessToken | undefined): {
  clientId?: string
  subject?: string
  issuer?: string
} {
  if (token === undefined) return {}
  const { clientId, subject, issuer } = token
  return { clientId, ...(subject !== undefined && { subject }), ...(issuer !== undefined && { issuer }) }
}

/** A value from somebody else's code may throw even while it is looked at. */
export function recognize(thrown: unknown): OAuthError | undefined {
  try {
    return recognizeError(thrown)
  } catch {
    return undefined
  }
}

/** For operators. */
export function describeThrown(thrown: unknown): string {
  try {
    return thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : `a thrown ${typeof thrown}`
  } catch {
    return 'something thrown that cannot be described'
  }
}

function withoutToken({ stage, expected, got }: Reason, token: string | undefined): Reason {
  return {
    stage,
    ...(expected !== undefined && { expected: redact(expected, token) }),
    ...(got !== undefined && { got: redact(got, token) }),
  }
}

/** What is shorter is a word, or will be guessed anyway. */
const SHORTEST_SECRET = 8

/** What somebody else's words say may quote the token, plainly or as a part of a URL. */
export function redact(text: string, token: string | undefined): string {
  if (token === undefined || token.length < SHORTEST_SECRET) return text
  return text.replaceAll(token, '[token]').replaceAll(encodeURIComponent(token), '[token]')
}

function describe(request: AuthRequest): { method: string; path: string } {
  return { method: request.method ?? 'GET', path: eventPath(request) }
}

/** Without the query, which may hold what somebody should not have put there. */
export function eventPath({ url = '/' }: AuthRequest): string {
  const target = /^[a-z]+:\/\//i.test(url) ? url.slice(originOf(url).length) : url
  return target.split(/[?#]/, 1)[0] as string
}

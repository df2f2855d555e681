// Tokens that only a service can tell good from bad: asked once for many requests, and left alone while it is down.
import { LRUCache } from 'lru-cache'
import type { VerifiedToken } from '../protocol/access-token.js'
import { OAuthError, UNAVAILABLE } from '../protocol/errors.js'
import type { Deps } from '../runtime/deps.js'
import { digest } from '../runtime/digest.js'
import { type JsonAnswer, type JsonRequest, fetchJson, withoutQuery } from '../runtime/fetch-json.js'
import { SingleFlight } from '../runtime/single-flight.js'
import { type CacheBounds, VerifiedTokenCache } from './cached.js'
import type { VerifyContext } from './verifier.js'

/** The service and how to read its answers. */
export interface TokenService {
  readonly url: string
  /** The request that asks about a token. */
  request(token: string): JsonRequest
  /** What an answer says: the token's facts, or null for "not valid". Throws where it says neither. It may ask on about a good token. */
  read(
    answer: JsonAnswer,
    token: string,
    context: VerifyContext,
  ): VerifiedToken | null | Promise<VerifiedToken | null>
  /** Statuses that speak of the token alone: whoever presents one can bring them about. */
  readonly aboutToken?: readonly number[] | undefined
  /** How long a good token is not asked about again, in seconds. 0: asked each time. */
  readonly cacheTtlSeconds: number
  readonly cache: CacheBounds | false
}

/** A token that was refused may become valid, e.g. when a grant is restored; so that is not remembered for long. */
const REFUSAL_SECONDS = 5
const MAX_REFUSALS = 10_000
/** Requests under way at once; more would only queue at a service that is slow already. */
const MAX_IN_FLIGHT = 100
/** After so many failures in a row the service is left alone but for one request a second. */
const BREAK_AFTER = 5
const PROBE_MILLISECONDS = 1000

/** Asks a {@link TokenService}, and remembers. */
export class OpaqueTokens {
  readonly #service: TokenService
  readonly #deps: Deps
  readonly #accepted: VerifiedTokenCache | undefined
  readonly #refused = new LRUCache<string, number>({ max: MAX_REFUSALS })
  readonly #flight = new SingleFlight<VerifiedToken | null>()
  #failures = 0
  /** Milliseconds since the epoch. */
  #nextProbe = 0

  constructor(service: TokenService, deps: Deps) {
    this.#service = service
    this.#deps = deps
    const { cache, cacheTtlSeconds } = service
    this.#accepted =
      cache === false || cacheTtlSeconds === 0
        ? undefined
        : new VerifiedTokenCache(cache, deps.now, { weigh: weighClaims })
  }

  recall(token: string): VerifiedToken | undefined {
    return this.#accepted?.get(token)
  }

  async verify(token: string, context: VerifyContext): Promise<VerifiedToken | null> {
    const known = this.recall(token)
    if (known !== undefined) return known
    const key = digest(token)
    if ((this.#refused.get(key) ?? 0) > this.#deps.now()) {
      return context.refuse({ stage: 'service', got: 'a token that was refused a moment ago' })
    }
    return this.#flight.run(key, () => this.#ask(token, key, context))
  }

  async #ask(token: string, key: string, context: VerifyContext): Promise<VerifiedToken | null> {
    this.#admit()
    let up = false
    try {
      const answer = await fetchJson(this.#service.request(token), this.#deps)
      // A caller can make a service refuse a question; that is no sign of its being down.
      up = isRefusedQuestion(answer, this.#service.aboutToken)
      const verified = await this.#service.read(answer, token, context)
      this.#failures = 0
      this.#remember(verified, key)
      return verified
    } catch (error) {
      if (!up) this.#failures++
      if (!up) this.#nextProbe = this.#deps.now() + PROBE_MILLISECONDS
      const message = (error as Error).message
      context.report({ type: 'service.failed', url: withoutQuery(this.#service.url), message })
      throw unavailable(message, error)
    }
  }

  #remember(verified: VerifiedToken | null, key: string): void {
    const now = this.#deps.now()
    if (verified === null) this.#refused.set(key, now + REFUSAL_SECONDS * 1000)
    else this.#accepted?.set(verified, now + this.#service.cacheTtlSeconds * 1000)
  }

  /** Keeps requests back that would most likely fail. */
  #admit(): void {
    if (this.#flight.size >= MAX_IN_FLIGHT) throw unavailable('too many tokens are being asked about at once')
    if (this.#failures < BREAK_AFTER) return
    if (this.#deps.now() < this.#nextProbe) throw unavailable('the service failed several times in a row')
    this.#nextProbe = this.#deps.now() + PROBE_MILLISECONDS
  }
}

/** Claims of an opaque token are as many as the service likes. */
function weighClaims({ claims }: VerifiedToken): number {
  return JSON.stringify(claims).length
}

/** 4xx about what was asked, not about who asks or how often. A firewall may dislike a token as well, by 403. */
function isRefusedQuestion(answer: JsonAnswer, aboutToken: readonly number[] = []): boolean {
  const { status } = answer
  if (isThrottled(answer)) return false
  return aboutToken.includes(status) || (status >= 400 && status < 500 && ![401, 407, 408].includes(status))
}

/** Some say 403 where others say 429: https://docs.github.com/en/rest/using-the-rest-api/rate-limits-for-the-rest-api */
export function isThrottled({ status, headers, json }: JsonAnswer): boolean {
  if (status === 429) return true
  if (status !== 403) return false
  const { message } = Object(json) as { message?: unknown }
  const inWords = typeof message === 'string' && /rate limit/i.test(message)
  return inWords || headers.has('retry-after') || headers.get('x-ratelimit-remaining') === '0'
}

function unavailable(detail: string, cause?: unknown): OAuthError {
  return new OAuthError('temporarily_unavailable', UNAVAILABLE, { detail, retryAfterSeconds: 1, cause })
}

// A JSON document elsewhere that is fetched when it is needed, kept fresh, and served stale while it cannot be had.
import { maxAgeOf } from './max-age.js'
import { OAuthError } from '../protocol/errors.js'
import type { Deps } from './deps.js'
import type { AuthEvent } from './events.js'
import { fetchJson, withoutQuery } from './fetch-json.js'
import { SingleFlight } from './single-flight.js'

/** Which document, and how it is read. */
export interface DocumentSource<Value> {
  /** Where it may lie: the first that has it gives it. */
  readonly urls: readonly string[]
  /** Reads what came. Throws an Error that says, for operators, why this is not the document. */
  read(json: unknown): Value
  /** What a caller is told where there is no document. */
  readonly unavailable: string
}

/** A document as it is known, and for how long it may be taken for that. */
export interface KnownDocument<Value> {
  readonly value: Value
  /** At least 1. */
  readonly freshSeconds: number
}

const TIMEOUT_SECONDS = 5
const MAX_BYTES = 128 * 1024
const DEFAULT_FRESH_SECONDS = 3600
const LEAST_FRESH_SECONDS = 60
const MOST_FRESH_SECONDS = 24 * 3600
/** How long it is served beyond that while it cannot be fetched. */
const STALE_SECONDS = 24 * 3600
/** After a failure nobody is asked for so long. */
const PAUSE_SECONDS = 30

/** One document. However many ask for it, it is fetched once. */
export class CachedDocument<Value> {
  readonly #source: DocumentSource<Value>
  readonly #deps: Pick<Deps, 'now' | 'fetch' | 'after'>
  readonly #flight = new SingleFlight<void>()
  #known: { readonly value: Value } | undefined
  /** Milliseconds since the epoch, all three. */
  #freshUntil = 0
  #staleUntil = 0
  #nextAttempt = 0
  #failure = ''

  constructor(source: DocumentSource<Value>, deps: Pick<Deps, 'now' | 'fetch' | 'after'>) {
    this.#source = source
    this.#deps = deps
  }

  /**
   * @param report is told where it cannot be fetched
   * @throws OAuthError `temporarily_unavailable` where nothing is known
   */
  async get(report: (event: AuthEvent) => void): Promise<KnownDocument<Value>> {
    if (this.#deps.now() >= this.#freshUntil) await this.#refresh(report)
    const now = this.#deps.now()
    if (this.#known === undefined || now >= this.#staleUntil) throw this.#unavailable()
    // A stale one is worth asking for again as soon as we ask again ourselves.
    const until = Math.max(this.#freshUntil, this.#nextAttempt)
    return { value: this.#known.value, freshSeconds: Math.max(1, Math.floor((until - now) / 1000)) }
  }

  /** Settles when the request under way is answered; does nothing in the pause after a failure. Never rejects. */
  #refresh(report: (event: AuthEvent) => void): Promise<void> {
    if (this.#deps.now() < this.#nextAttempt) return Promise.resolve()
    return this.#flight.run('', () => this.#fetch(report))
  }

  async #fetch(report: (event: AuthEvent) => void): Promise<void> {
    const failures: string[] = []
    for (const url of this.#source.urls) {
      try {
        await this.#fetchFrom(url)
        return
      } catch (error) {
        failures.push(`${withoutQuery(url)}: ${(error as Error).message}`)
      }
    }
    this.#failure = failures.join('; ')
    this.#nextAttempt = this.#deps.now() + PAUSE_SECONDS * 1000
    report({
      type: 'service.failed',
      url: withoutQuery(this.#source.urls[0] as string),
      message: this.#failure,
    })
  }

  async #fetchFrom(url: string): Promise<void> {
    const request = { url, timeoutSeconds: TIMEOUT_SECONDS, maxBytes: MAX_BYTES }
    const { status, headers, json } = await fetchJson(request, this.#deps)
    if (status !== 200) throw new Error(`status ${status}`)
    this.#known = { value: this.#source.read(json) }
    const seconds = maxAgeOf(headers) ?? DEFAULT_FRESH_SECONDS
    const fresh = Math.min(Math.max(seconds, LEAST_FRESH_SECONDS), MOST_FRESH_SECONDS)
    this.#freshUntil = this.#deps.now() + fresh * 1000
    this.#staleUntil = this.#freshUntil + STALE_SECONDS * 1000
  }

  #unavailable(): OAuthError {
    return new OAuthError('temporarily_unavailable', this.#source.unavailable, {
      detail: this.#failure,
      retryAfterSeconds: Math.max(1, Math.ceil((this.#nextAttempt - this.#deps.now()) / 1000)),
    })
  }
}

// Where public keys come from: a document at a URL (RFC 7517 5), kept fresh, or keys that were configured.
import { OAuthError, UNAVAILABLE } from '../protocol/errors.js'
import type { Deps } from '../runtime/deps.js'
import { fetchJson, withoutQuery } from '../runtime/fetch-json.js'
import { maxAgeOf } from '../runtime/max-age.js'
import { SingleFlight } from '../runtime/single-flight.js'
import { type KeySet, type VerificationKey, parseKeySet, selectKeys } from './key-set.js'
import type { VerifyContext } from './verifier.js'

/** Gives the keys that may have signed a token. */
export interface KeySource {
  /** Empty where no such key is published. Throws where that cannot be known right now. */
  find(
    algorithm: string,
    kid: string | undefined,
    context: VerifyContext,
  ): Promise<readonly VerificationKey[]>
  /** The same, where it can be said at once; undefined where somebody has to be asked. */
  known(
    algorithm: string,
    kid: string | undefined,
    context: VerifyContext,
  ): readonly VerificationKey[] | undefined
  /** Whether the key that verified a token before, by its identity, is still published. */
  publishes(identity: string): boolean
  /** Called on the hot path: starts a refresh in the background where one is due. */
  freshen(context: VerifyContext): void
}

/** Keys that never change. */
export function fixedKeys(set: KeySet): KeySource {
  const select = (algorithm: string, kid: string | undefined): readonly VerificationKey[] => {
    const found = selectKeys(set, algorithm, kid)
    // A single configured key serves whatever the issuer calls it.
    return set.keys.length === 1 && found.length === 0 ? selectKeys(set, algorithm, undefined) : found
  }
  return {
    known: select,
    find: (algorithm, kid) => Promise.resolve(select(algorithm, kid)),
    publishes: () => true,
    freshen: () => undefined,
  }
}

/** How a remote set is kept. */
export interface RemoteKeysOptions {
  readonly url: string
  /** Overrides what the response says of its lifetime. */
  readonly cacheSeconds: number | undefined
  /** At most one request in this time, whatever key IDs arrive. Default: 30, so that strangers cause two a minute. */
  readonly cooldownSeconds?: number
}

const TIMEOUT_SECONDS = 5
const DEFAULT_CACHE_SECONDS = 600
const LONGEST_CACHE_SECONDS = 24 * 3600
const COOLDOWN_SECONDS = 30
/** How long keys are trusted beyond their lifetime while the provider cannot be reached. */
const STALE_SECONDS = 24 * 3600

/** The key set at a URL. One object holds its whole state, so that no two phases can disagree. */
export class RemoteKeys implements KeySource {
  readonly #options: RemoteKeysOptions
  readonly #deps: Deps
  readonly #flight = new SingleFlight<void>()
  #set: KeySet | undefined
  #identities: ReadonlySet<string> = new Set()
  /** Milliseconds since the epoch, all four. */
  #freshUntil = 0
  #staleUntil = 0
  #nextAttempt = 0
  #failures = 0

  constructor(options: RemoteKeysOptions, deps: Deps) {
    this.#options = options
    this.#deps = deps
  }

  async find(
    algorithm: string,
    kid: string | undefined,
    context: VerifyContext,
  ): Promise<readonly VerificationKey[]> {
    if (this.#usable() === undefined) await this.#refresh(context)
    else this.freshen(context)
    const found = this.#select(algorithm, kid)
    if (found.length > 0) return found
    // An unknown key ID may be a key published since; within the cooldown it has to wait like everybody else.
    await this.#refresh(context)
    const published = this.#select(algorithm, kid)
    if (published.length === 0 && this.#failures > 0)
      throw this.#unavailable('the key is unknown and the key set cannot be fetched')
    return published
  }

  known(
    algorithm: string,
    kid: string | undefined,
    context: VerifyContext,
  ): readonly VerificationKey[] | undefined {
    const set = this.#usable()
    const found = set === undefined ? [] : selectKeys(set, algorithm, kid)
    if (found.length === 0) return this.#mayAsk() ? undefined : found
    this.freshen(context)
    return found
  }

  /** False within the cooldown of a request that went well: what it brought is all there is to know. */
  #mayAsk(): boolean {
    return this.#failures > 0 || this.#flight.size > 0 || this.#deps.now() >= this.#nextAttempt
  }

  publishes(identity: string): boolean {
    return this.#usable() !== undefined && this.#identities.has(identity)
  }

  freshen(context: VerifyContext): void {
    const now = this.#deps.now()
    if (now < this.#freshUntil || now < this.#nextAttempt) return
    void this.#refresh(context)
  }

  /** Fetches the set ahead of the first request. Resolves also where that failed: the events say so. */
  warmUp(context: VerifyContext): Promise<void> {
    return this.#refresh(context)
  }

  #usable(): KeySet | undefined {
    return this.#set !== undefined && this.#deps.now() < this.#staleUntil ? this.#set : undefined
  }

  #select(algorithm: string, kid: string | undefined): readonly VerificationKey[] {
    const set = this.#usable()
    if (set === undefined) throw this.#unavailable('the key set cannot be fetched')
    return selectKeys(set, algorithm, kid)
  }

  /** Settles when the request under way is answered; does nothing within the cooldown. Never rejects. */
  #refresh(context: VerifyContext): Promise<void> {
    if (this.#flight.size === 0 && this.#deps.now() < this.#nextAttempt) return Promise.resolve()
    return this.#flight.run('', () => this.#fetch(context))
  }

  async #fetch(context: VerifyContext): Promise<void> {
    const { url, cooldownSeconds = COOLDOWN_SECONDS } = this.#options
    this.#nextAttempt = this.#deps.now() + cooldownSeconds * 1000
    try {
      const answer = await fetchJson({ url, timeoutSeconds: TIMEOUT_SECONDS }, this.#deps)
      if (answer.status !== 200) throw new Error(`status ${answer.status}`)
      const set = parseKeySet(answer.json)
      if (set.keys.length === 0)
        throw new Error(`no usable key (${set.skipped.join('; ') || 'the set is empty'})`)
      this.#adopt(set, answer.headers)
      context.report({
        type: 'keys.fetched',
        url: withoutQuery(url),
        keys: set.keys.length,
        skipped: set.skipped,
      })
    } catch (error) {
      this.#failures++
      // With nothing to serve, waiting out the whole cooldown would keep everybody locked out: 1, 2, 4 … 30 seconds.
      const serving = this.#usable() === undefined ? 'nothing' : 'stale'
      const pause =
        serving === 'nothing' ? Math.min(2 ** (this.#failures - 1), COOLDOWN_SECONDS) : COOLDOWN_SECONDS
      this.#nextAttempt = this.#deps.now() + pause * 1000
      context.report({
        type: 'keys.failed',
        url: withoutQuery(url),
        message: (error as Error).message,
        serving,
      })
    }
  }

  #adopt(set: KeySet, headers: Headers): void {
    const now = this.#deps.now()
    this.#set = set
    this.#identities = new Set(set.keys.map((key) => key.identity))
    this.#failures = 0
    const seconds = this.#options.cacheSeconds ?? lifetimeOf(headers)
    this.#freshUntil = now + Math.max(seconds, COOLDOWN_SECONDS) * 1000
    this.#staleUntil = this.#freshUntil + STALE_SECONDS * 1000
  }

  #unavailable(detail: string): OAuthError {
    const wait = Math.ceil((this.#nextAttempt - this.#deps.now()) / 1000)
    return new OAuthError('temporarily_unavailable', UNAVAILABLE, {
      detail,
      retryAfterSeconds: Math.max(1, wait),
    })
  }
}

/** RFC 9111 5.2.2.1: the response's own max-age, within bounds that keep a mistake there from hurting. */
function lifetimeOf(headers: Headers): number {
  return Math.min(maxAgeOf(headers) ?? DEFAULT_CACHE_SECONDS, LONGEST_CACHE_SECONDS)
}

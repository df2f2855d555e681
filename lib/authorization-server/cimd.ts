// Clients whose ID is the URL of a document (draft-ietf-oauth-client-id-metadata-document), and the keys that clients
// publish: fetched from where strangers say, so guarded, bounded, and the same answer whatever went wrong.
import { LRUCache } from 'lru-cache'
import { refuseClientIdUrl } from '../protocol/client-id-url.js'
import { type ClientMetadata, parseClientDocument } from '../protocol/client-metadata.js'
import { OAuthError } from '../protocol/errors.js'
import type { Deps } from '../runtime/deps.js'
import { FetchError, type JsonAnswer, withoutQuery } from '../runtime/fetch-json.js'
import { maxAgeOf } from '../runtime/max-age.js'
import { BadDocumentError, StatusError, fetchPublicJson } from '../runtime/public-fetch.js'
import { SingleFlight } from '../runtime/single-flight.js'
import { type KeySet, parseKeySet } from '../verifiers/key-set.js'
import type { KeptDocuments } from './kept-documents.js'
import type { DocumentRecord } from './records.js'
import type { Report } from './settings.js'

export interface ClientDocumentsSettings {
  /** Documents on this machine too, by http: while the server itself runs on it. */
  readonly allowLoopback: boolean
  /** Which clients may come. Default: all. */
  readonly isAllowed?: ((url: string) => boolean) | undefined
}

/** Requests under way at a time, for all clients together. Whoever comes beyond them has to come again. */
const MAX_CONCURRENT = 10
/** So that a slow host does not take every place. */
const MAX_AT_ONE_HOST = 2
const MAX_DOCUMENTS = 500
const MAX_REFUSED = 2000
const MAX_KEY_BYTES = 64 * 1024

const DEFAULT_CACHE_SECONDS = 3600
const SHORTEST_CACHE_SECONDS = 60
const LONGEST_CACHE_SECONDS = 24 * 3600
/** How long a document serves beyond its lifetime while its host cannot be reached. */
const STALE_SECONDS = 24 * 3600
/** How long a URL is left alone after a failure. */
const PAUSE_SECONDS = 30
const KEYS_CACHE_SECONDS = 600
/** An unknown key ID may be a new key, but asks again at most twice a minute. */
const KEYS_COOLDOWN_SECONDS = 30

const NO_KEYS: KeySet = { keys: [], skipped: [] }

/** Times in milliseconds since the epoch. */
interface Known extends DocumentRecord {
  readonly freshUntil: number
  readonly staleUntil: number
}

interface KnownKeys {
  readonly set: KeySet
  readonly freshUntil: number
  readonly nextAttempt: number
}

/** Finds clients by their documents. */
export class ClientDocuments {
  readonly #settings: ClientDocumentsSettings
  readonly #kept: KeptDocuments
  readonly #deps: Deps
  readonly #documents = new LRUCache<string, Known>({ max: MAX_DOCUMENTS })
  readonly #keys = new LRUCache<string, KnownKeys>({ max: MAX_DOCUMENTS })
  /** Until when a URL is not asked again. */
  readonly #paused = new LRUCache<string, number>({ max: MAX_REFUSED })
  readonly #flight = new SingleFlight<ClientMetadata | undefined>()
  readonly #keyFlight = new SingleFlight<KeySet>()
  readonly #atHosts = new Map<string, number>()

  constructor(settings: ClientDocumentsSettings, kept: KeptDocuments, deps: Deps) {
    this.#settings = settings
    this.#kept = kept
    this.#deps = deps
  }

  /**
   * The client at a URL; undefined whatever stands against it. Why is told by an event.
   *
   * @throws OAuthError `temporarily_unavailable` where too many others are being asked for
   */
  async find(url: string, report: Report): Promise<ClientMetadata | undefined> {
    const { allowLoopback, isAllowed } = this.#settings
    const why =
      refuseClientIdUrl(url, allowLoopback) ??
      (isAllowed?.(url) === false ? 'not among the allowed clients' : undefined)
    if (why !== undefined) {
      report({ type: 'client_document.refused', url: shown(url), reason: why })
      return undefined
    }
    const now = this.#deps.now()
    const known = this.#documents.get(url)
    if (known !== undefined && now < known.freshUntil) return known.metadata
    if (now < (this.#paused.get(url) ?? 0)) return this.#stale(url)
    return this.#flight.run(url, () => this.#fetch(url, report))
  }

  /**
   * The keys at a `jwks_uri`; none where they cannot be had, so that nobody learns why.
   *
   * @param kid the key that is looked for: where it is not among those we know, they may have changed
   * @throws OAuthError `temporarily_unavailable` where too many others are being asked for
   */
  async keys(url: string, kid: string | undefined, report: Report): Promise<KeySet> {
    const now = this.#deps.now()
    const known = this.#keys.get(url)
    if (known !== undefined) {
      const holds = kid === undefined || known.set.keys.some((key) => key.kid === kid)
      if (now < known.nextAttempt || (holds && now < known.freshUntil)) return known.set
    }
    return this.#keyFlight.run(url, () => this.#fetchKeys(url, report))
  }

  /** Somebody signs in with a client, or still is: its document outlives this process. */
  async keep(url: string): Promise<void> {
    const known = this.#documents.get(url)
    if (known !== undefined) await this.#kept.keep(url, known)
  }

  async #fetch(url: string, report: Report): Promise<ClientMetadata | undefined> {
    try {
      const { json, headers } = await this.#get(url)
      const metadata = parseClientDocument(json, url)
      const fetchedAt = this.#deps.now()
      const freshUntil = fetchedAt + lifetimeOf(headers) * 1000
      const staleUntil = freshUntil + STALE_SECONDS * 1000
      this.#documents.set(url, { metadata, fetchedAt, freshUntil, staleUntil })
      return metadata
    } catch (error) {
      if (!(error instanceof OAuthError || error instanceof FetchError)) throw error
      report({ type: 'client_document.refused', url: shown(url), reason: error.message })
      if (error instanceof Busy) return this.#stale(url) ?? refuseForNow(error)
      this.#paused.set(url, this.#deps.now() + PAUSE_SECONDS * 1000)
      if (isFinal(error)) await this.#forget(url)
      else if (isOutage(error)) await this.#recall(url)
      return this.#stale(url)
    }
  }

  /** The host said so itself: the client is gone, or is another one now. */
  async #forget(url: string): Promise<void> {
    this.#documents.delete(url)
    await this.#kept.forget(url)
  }

  /** Another process, or this one before it was restarted, may have seen the document. */
  async #recall(url: string): Promise<void> {
    if (this.#stale(url) !== undefined) return
    const kept = await this.#kept.find(url)
    if (kept === undefined) return
    this.#documents.set(url, { ...kept.document, freshUntil: 0, staleUntil: kept.until })
  }

  async #fetchKeys(url: string, report: Report): Promise<KeySet> {
    const known = this.#keys.get(url)
    const nextAttempt = this.#deps.now() + KEYS_COOLDOWN_SECONDS * 1000
    try {
      const { json } = await this.#get(url, MAX_KEY_BYTES)
      const set = parseKeySet(json)
      if (set.keys.length === 0)
        throw new FetchError(`no usable key (${set.skipped.join('; ') || 'the set is empty'})`)
      this.#keys.set(url, { set, freshUntil: this.#deps.now() + KEYS_CACHE_SECONDS * 1000, nextAttempt })
      report({ type: 'keys.fetched', url: shown(url), keys: set.keys.length, skipped: set.skipped })
      return set
    } catch (error) {
      if (!(error instanceof FetchError)) throw error
      // Past its lifetime a key may have been withdrawn, and whoever holds back the answer may have stolen it.
      const usable = known !== undefined && this.#deps.now() < known.freshUntil ? known : undefined
      const { set, freshUntil } = usable ?? { set: NO_KEYS, freshUntil: 0 }
      if (!(error instanceof Busy)) this.#keys.set(url, { set, freshUntil, nextAttempt })
      const serving = usable === undefined ? 'nothing' : 'stale'
      report({ type: 'keys.failed', url: shown(url), message: error.message, serving })
      if (error instanceof Busy && usable === undefined) refuseForNow(error)
      return set
    }
  }

  async #get(url: string, maxBytes?: number): Promise<JsonAnswer> {
    const { hostname } = new URL(url)
    const atHost = this.#atHosts.get(hostname) ?? 0
    if (this.#flight.size + this.#keyFlight.size >= MAX_CONCURRENT || atHost >= MAX_AT_ONE_HOST)
      throw new Busy('too many requests for documents under way')
    this.#atHosts.set(hostname, atHost + 1)
    const { allowLoopback } = this.#settings
    try {
      return await fetchPublicJson(
        { url, allowLoopback, ...(maxBytes !== undefined && { maxBytes }) },
        this.#deps,
      )
    } finally {
      this.#leave(hostname)
    }
  }

  #leave(hostname: string): void {
    const others = (this.#atHosts.get(hostname) as number) - 1
    if (others === 0) this.#atHosts.delete(hostname)
    else this.#atHosts.set(hostname, others)
  }

  #stale(url: string): ClientMetadata | undefined {
    const known = this.#documents.get(url)
    return known !== undefined && this.#deps.now() < known.staleUntil ? known.metadata : undefined
  }
}

class Busy extends FetchError {
  override readonly name: string = 'Busy'
}

/** Having no room is our state, not the document's: to say that there is no such client would log its users out. */
function refuseForNow({ message }: Busy): never {
  throw new OAuthError('temporarily_unavailable', undefined, { detail: message })
}

/** Whether the host said that there is no such document, or gave one that is none. */
function isFinal(error: OAuthError | FetchError): boolean {
  if (error instanceof StatusError) return error.status === 404 || error.status === 410
  return error instanceof OAuthError || error instanceof BadDocumentError
}

/** Whether the host said nothing at all, or that it cannot say now. */
function isOutage(error: OAuthError | FetchError): boolean {
  return !(error instanceof StatusError) || error.status >= 500
}

/** A URL from outside, for an event. */
function shown(url: string): string {
  return withoutQuery(url).slice(0, 200)
}

/** RFC 9111 5.2.2, within bounds: a mistake there neither floods the host nor keeps a change away for long. */
function lifetimeOf(headers: Headers): number {
  const seconds = maxAgeOf(headers) ?? DEFAULT_CACHE_SECONDS
  return Math.min(Math.max(seconds, SHORTEST_CACHE_SECONDS), LONGEST_CACHE_SECONDS)
}

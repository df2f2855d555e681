// The last good documents of clients that somebody signed in with: while their host is down, a process that has just started knows
// them too, and logs nobody out.
import { LRUCache } from 'lru-cache'
import type { Deps } from '../runtime/deps.js'
import { digest } from '../runtime/digest.js'
import type { Collection } from '../stores/collection.js'
import type { DocumentRecord } from './records.js'

/** How long a document may be used after it was fetched. */
const USABLE_SECONDS = 24 * 3600
/** Not each use of a grant has to be a write. */
const REWRITTEN_SECONDS = USABLE_SECONDS / 2
const MAX_REMEMBERED = 500

/** A document, and until when it may be used, in milliseconds since the epoch. */
export interface KeptDocument {
  readonly document: DocumentRecord
  readonly until: number
}

/** Keeps documents in the store. Only a client that people use is written, so strangers cannot fill it. */
export class KeptDocuments {
  readonly #records: Collection<DocumentRecord>
  readonly #deps: Pick<Deps, 'now'>
  /** What stands in the store, as far as this process knows. */
  readonly #written = new LRUCache<string, DocumentRecord>({ max: MAX_REMEMBERED })

  constructor(records: Collection<DocumentRecord>, deps: Pick<Deps, 'now'>) {
    this.#records = records
    this.#deps = deps
  }

  /** The document of a client, where it was good a day ago or later. */
  async find(url: string): Promise<KeptDocument | undefined> {
    const stored = await this.#records.get(digest(url))
    if (stored === undefined) return undefined
    this.#written.set(url, stored.data)
    return { document: stored.data, until: usableUntil(stored.data) }
  }

  /** Writes a document, where it changed or was fetched a good while after the one that is kept. */
  async keep(url: string, { metadata, fetchedAt }: DocumentRecord): Promise<void> {
    const record: DocumentRecord = { metadata, fetchedAt }
    const until = usableUntil(record)
    if (until <= this.#deps.now() || this.#isWritten(url, record)) return
    await this.#records.put(digest(url), record, until)
    this.#written.set(url, record)
  }

  /** The host itself took the document back. */
  async forget(url: string): Promise<void> {
    this.#written.delete(url)
    const key = digest(url)
    // Read first: a stranger's URL must not be a write.
    if ((await this.#records.get(key)) !== undefined) await this.#records.remove(key)
  }

  #isWritten(url: string, { metadata, fetchedAt }: DocumentRecord): boolean {
    const written = this.#written.get(url)
    return (
      written !== undefined &&
      fetchedAt - written.fetchedAt < REWRITTEN_SECONDS * 1000 &&
      JSON.stringify(metadata) === JSON.stringify(written.metadata)
    )
  }
}

function usableUntil({ fetchedAt }: DocumentRecord): number {
  return fetchedAt + USABLE_SECONDS * 1000
}

// A store that lets a test do something before each step: fail, as a database does that is away, or be somebody who is faster.
import type { Store, StoreEntry } from '../../lib/stores/store.js'

/** What a store is asked for. */
export interface StoreStep {
  readonly method: 'get' | 'put' | 'putIfAbsent' | 'compareAndSwap' | 'delete'
  readonly collection: string
  readonly key: string
}

export class HookedStore implements Store {
  readonly #store: Store
  /** Called before each step. What it throws is what the step rejects with. */
  before: ((step: StoreStep) => unknown) | undefined

  constructor(store: Store) {
    this.#store = store
  }

  async get(collection: string, key: string): Promise<StoreEntry | undefined> {
    await this.before?.({ method: 'get', collection, key })
    return this.#store.get(collection, key)
  }

  async put(collection: string, key: string, entry: StoreEntry): Promise<void> {
    await this.before?.({ method: 'put', collection, key })
    return this.#store.put(collection, key, entry)
  }

  async putIfAbsent(collection: string, key: string, entry: StoreEntry): Promise<boolean> {
    await this.before?.({ method: 'putIfAbsent', collection, key })
    return this.#store.putIfAbsent(collection, key, entry)
  }

  async compareAndSwap(
    collection: string,
    key: string,
    version: string,
    entry: StoreEntry,
  ): Promise<boolean> {
    await this.before?.({ method: 'compareAndSwap', collection, key })
    return this.#store.compareAndSwap(collection, key, version, entry)
  }

  async delete(collection: string, key: string, version?: string): Promise<boolean> {
    await this.before?.({ method: 'delete', collection, key })
    return this.#store.delete(collection, key, version)
  }
}

/** A step that fails as a database does that is away. */
export function unreachable(): never {
  throw new Error('connect ECONNREFUSED 10.0.0.5:6379')
}

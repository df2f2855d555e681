// Typed records over a store: JSON in, JSON out, each state of a record with a version of its own.
import type { Deps } from '../runtime/deps.js'
import type { Store } from './store.js'

/** A record as it was read, with what it takes to change it. */
export interface Stored<Data> {
  readonly data: Data
  readonly version: string
  /** Milliseconds since the epoch. */
  readonly expiresAt: number
}

/** The records of one kind. Keys from outside are digested by whoever asks. */
export class Collection<Data> {
  readonly #store: Store
  readonly #name: string
  readonly #deps: Pick<Deps, 'now' | 'randomId'>

  constructor(store: Store, name: string, deps: Pick<Deps, 'now' | 'randomId'>) {
    this.#store = store
    this.#name = name
    this.#deps = deps
  }

  async get(key: string): Promise<Stored<Data> | undefined> {
    const entry = await this.#store.get(this.#name, key)
    // The clock that wrote the expiry decides, not that of a database.
    if (entry === undefined || entry.expiresAt <= this.#deps.now()) return undefined
    const data = parse(entry.value)
    return data === undefined
      ? undefined
      : { data: data as Data, version: entry.version, expiresAt: entry.expiresAt }
  }

  /** Writes a record, whatever was there. */
  async put(key: string, data: Data, expiresAt: number): Promise<void> {
    await this.#store.put(this.#name, key, this.#entry(data, expiresAt))
  }

  /** Writes a record where none is. What was written, for the one caller that did. */
  async create(key: string, data: Data, expiresAt: number): Promise<Stored<Data> | undefined> {
    const entry = this.#entry(data, expiresAt)
    const done = await this.#store.putIfAbsent(this.#name, key, entry)
    return done ? { data, version: entry.version, expiresAt: entry.expiresAt } : undefined
  }

  /** Changes a record that nobody changed since it was read. What was written, for the one caller that did. */
  async replace(
    key: string,
    read: Stored<Data>,
    data: Data,
    expiresAt: number = read.expiresAt,
  ): Promise<Stored<Data> | undefined> {
    const entry = this.#entry(data, expiresAt)
    const done = await this.#store.compareAndSwap(this.#name, key, read.version, entry)
    return done ? { data, version: entry.version, expiresAt: entry.expiresAt } : undefined
  }

  /** Removes a record, only as it was read if that is given. True for the one caller that did. */
  remove(key: string, read?: Stored<Data>): Promise<boolean> {
    return this.#store.delete(this.#name, key, read?.version)
  }

  #entry(data: Data, expiresAt: number): { value: string; version: string; expiresAt: number } {
    return { value: JSON.stringify(data), version: this.#deps.randomId(), expiresAt: Math.ceil(expiresAt) }
  }
}

/** A damaged record is as good as none: whatever rested on it is refused, and the rest goes on. */
function parse(value: string): unknown {
  try {
    return JSON.parse(value)
  } catch {
    return undefined
  }
}

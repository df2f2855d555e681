// Entries in the memory of one process: bounded, and lost when it ends.
import { OptionReader } from '../protocol/options.js'
import { type Deps, createDeps } from '../runtime/deps.js'
import { checkNames, checkWrite } from './checks.js'
import { type Expiring, ExpiryQueue } from './expiry-queue.js'
import type { Store, StoreEntry } from './store.js'
import { StoreError } from './store-error.js'
import { Turn } from './turn.js'

export interface MemoryStoreOptions {
  /** Most entries kept. Default: 100,000. */
  readonly maxEntries?: number
  /** Most memory taken, by estimate. Default: 48 MiB. */
  readonly maxBytes?: number
  readonly deps?: Partial<Deps>
}

interface Held extends StoreEntry, Expiring {
  readonly key: string
  readonly size: number
}

interface Shelf {
  readonly entries: Map<string, Held>
  readonly queue: ExpiryQueue<Held>
  bytes: number
}

/** What an entry takes beside its texts: an object, a place in a map and one in a queue. */
const ENTRY_BYTES = 256

/**
 * For development and tests, and for servers of one process that may forget every client and grant at a restart.
 *
 * At its bounds it forgets what has expired, then what expires soonest in the fullest collection: a flood of one kind of
 * record pushes out its own kind, and none of another that takes less room.
 *
 * @example new OAuthProvider({ …, store: new MemoryStore() })
 */
export class MemoryStore implements Store {
  readonly #shelves = new Map<string, Shelf>()
  readonly #maxEntries: number
  readonly #maxBytes: number
  readonly #now: () => number
  readonly #turn = new Turn()
  #size = 0
  #bytes = 0

  constructor(options: MemoryStoreOptions = {}) {
    const read = new OptionReader('MemoryStore', options, ['maxEntries', 'maxBytes', 'deps'])
    this.#maxEntries = bound(read, 'maxEntries', 100_000)
    this.#maxBytes = bound(read, 'maxBytes', 48 * 1024 * 1024)
    this.#now = createDeps(options.deps).now
  }

  /** How many entries are held, expired ones that were not yet forgotten among them. */
  get size(): number {
    return this.#size
  }

  // The work is done at once; that its outcome is told later is what makes it fast where many ask.

  get(collection: string, key: string): Promise<StoreEntry | undefined> {
    return this.#turn.run(() => {
      checkNames(collection, key)
      const held = this.#living(collection, key)
      return held && { value: held.value, version: held.version, expiresAt: held.expiresAt }
    })
  }

  put(collection: string, key: string, entry: StoreEntry): Promise<void> {
    return this.#turn.run(() => {
      checkWrite(collection, key, entry)
      this.#write(collection, key, entry)
    })
  }

  putIfAbsent(collection: string, key: string, entry: StoreEntry): Promise<boolean> {
    return this.#turn.run(() => {
      checkWrite(collection, key, entry)
      if (this.#living(collection, key) !== undefined) return false
      this.#write(collection, key, entry)
      return true
    })
  }

  compareAndSwap(collection: string, key: string, version: string, entry: StoreEntry): Promise<boolean> {
    return this.#turn.run(() => {
      checkWrite(collection, key, entry)
      if (this.#living(collection, key)?.version !== version) return false
      this.#write(collection, key, entry)
      return true
    })
  }

  delete(collection: string, key: string, version?: string): Promise<boolean> {
    return this.#turn.run(() => {
      checkNames(collection, key)
      const held = this.#living(collection, key)
      if (held === undefined || (version !== undefined && held.version !== version)) return false
      this.#drop(this.#shelves.get(collection) as Shelf, held)
      return true
    })
  }

  sweep(): Promise<number> {
    const before = this.#size
    for (const shelf of this.#shelves.values()) this.#forgetExpired(shelf, Infinity)
    return Promise.resolve(before - this.#size)
  }

  #living(collection: string, key: string): Held | undefined {
    const held = this.#shelves.get(collection)?.entries.get(key)
    return held !== undefined && held.expiresAt > this.#now() ? held : undefined
  }

  #write(collection: string, key: string, { value, version, expiresAt }: StoreEntry): void {
    // A letter takes two bytes as soon as one beyond Latin-1 is among them.
    const size = ENTRY_BYTES + 2 * (key.length + value.length + version.length)
    if (size > this.#maxBytes) throw new StoreError('MemoryStore: an entry is larger than "maxBytes"')
    let shelf = this.#shelves.get(collection)
    if (shelf === undefined) {
      shelf = { entries: new Map(), queue: new ExpiryQueue(), bytes: 0 }
      this.#shelves.set(collection, shelf)
    }
    const replaced = shelf.entries.get(key)
    if (replaced !== undefined) this.#drop(shelf, replaced)
    // Each write clears away more than it brings, so what has expired never piles up.
    this.#forgetExpired(shelf, 2)
    this.#makeRoom(size)
    const held: Held = { key, value, version, expiresAt, size, place: 0 }
    shelf.entries.set(key, held)
    shelf.queue.add(held)
    shelf.bytes += size
    this.#bytes += size
    this.#size++
  }

  #makeRoom(size: number): void {
    if (this.#size < this.#maxEntries && this.#bytes + size <= this.#maxBytes) return
    for (const shelf of this.#shelves.values()) this.#forgetExpired(shelf, 1000)
    while (this.#size >= this.#maxEntries) this.#forgetFirst((shelf) => shelf.queue.size)
    while (this.#bytes + size > this.#maxBytes) this.#forgetFirst((shelf) => shelf.bytes)
  }

  /** In the fullest collection, by whatever there is too much of. */
  #forgetFirst(fill: (shelf: Shelf) => number): void {
    let fullest: Shelf | undefined
    for (const shelf of this.#shelves.values()) {
      if (fullest === undefined || fill(shelf) > fill(fullest)) fullest = shelf
    }
    // Something is held, or there would be room.
    const shelf = fullest as Shelf
    this.#drop(shelf, shelf.queue.first as Held)
  }

  #forgetExpired(shelf: Shelf, most: number): void {
    const now = this.#now()
    for (let n = 0; n < most; n++) {
      const { first } = shelf.queue
      if (first === undefined || first.expiresAt > now) return
      this.#drop(shelf, first)
    }
  }

  #drop(shelf: Shelf, held: Held): void {
    shelf.entries.delete(held.key)
    shelf.queue.remove(held)
    shelf.bytes -= held.size
    this.#bytes -= held.size
    this.#size--
  }
}

function bound(read: OptionReader, name: string, fallback: number): number {
  const value = read.raw(name) ?? fallback
  if (!Number.isSafeInteger(value) || (value as number) < 1)
    throw read.invalid(name, 'a whole number above 0')
  return value as number
}

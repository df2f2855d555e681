// Values that only holders of a key can read or make: AES-256-GCM (NIST SP 800-38D) around any store.
import { ConfigError } from '../protocol/errors.js'
import { OptionReader } from '../protocol/options.js'
import { Sealer } from '../runtime/sealing.js'
import type { Store, StoreEntry } from './store.js'

export interface EncryptedStoreOptions {
  readonly store: Store
  /** Secrets of at least 32 bytes, the newest first. The first encrypts, all of them decrypt. */
  readonly keys: readonly (string | Uint8Array)[]
  /** Told of each entry that was refused: damaged, moved, written by others, or of a key that is no longer in `keys`. */
  readonly onRefused?: (collection: string, key: string) => void
}

const KEY_BYTES = 32

/**
 * Encrypts values before another store sees them. An entry is bound to its place, version and expiry: moved, changed or kept
 * alive by somebody with access to the database, it is refused as if it were not there.
 *
 * @example new EncryptedStore({ store: new RedisStore({ client }), keys: [newSecret, oldSecret] })
 */
export class EncryptedStore implements Store {
  readonly #store: Store
  readonly #sealer: Sealer
  readonly #onRefused: ((collection: string, key: string) => void) | undefined

  readonly sweep?: () => Promise<number>
  readonly close?: () => Promise<void>

  constructor(options: EncryptedStoreOptions) {
    const read = new OptionReader('EncryptedStore', options, ['store', 'keys', 'onRefused'])
    const store = read.raw('store') as Partial<Store> | undefined | null
    if (typeof store?.compareAndSwap !== 'function') {
      throw read.invalid('store', 'a store, such as new RedisStore({ client })')
    }
    this.#sealer = new Sealer(parseKeys(read), 'store AES-256-GCM')
    this.#store = store as Store
    this.#onRefused = read.callback('onRefused')
    if (store.sweep !== undefined) this.sweep = () => (store as Required<Store>).sweep()
    if (store.close !== undefined) this.close = () => (store as Required<Store>).close()
  }

  async get(collection: string, key: string): Promise<StoreEntry | undefined> {
    const entry = await this.#store.get(collection, key)
    if (entry === undefined) return undefined
    const value = this.#sealer.open(placeOf(collection, key, entry), entry.value)
    if (value !== undefined) return { value, version: entry.version, expiresAt: entry.expiresAt }
    this.#onRefused?.(collection, key)
    return undefined
  }

  async put(collection: string, key: string, entry: StoreEntry): Promise<void> {
    await this.#store.put(collection, key, this.#seal(collection, key, entry))
  }

  // What cannot be read still stands in the way of what would be written in its place: better no grant than a second one.
  async putIfAbsent(collection: string, key: string, entry: StoreEntry): Promise<boolean> {
    return this.#store.putIfAbsent(collection, key, this.#seal(collection, key, entry))
  }

  async compareAndSwap(
    collection: string,
    key: string,
    version: string,
    entry: StoreEntry,
  ): Promise<boolean> {
    return this.#store.compareAndSwap(collection, key, version, this.#seal(collection, key, entry))
  }

  async delete(collection: string, key: string, version?: string): Promise<boolean> {
    return this.#store.delete(collection, key, version)
  }

  #seal(collection: string, key: string, entry: StoreEntry): StoreEntry {
    const value = this.#sealer.seal(placeOf(collection, key, entry), entry.value)
    return { value, version: entry.version, expiresAt: entry.expiresAt }
  }
}

/** What is not secret, but may not change. None of the parts can hold the separator. */
function placeOf(collection: string, key: string, { version, expiresAt }: StoreEntry): string {
  return `${collection}\n${key}\n${version}\n${expiresAt}`
}

function parseKeys(read: OptionReader): [Uint8Array, ...Uint8Array[]] {
  const advice = 'a list of secrets, the newest first; make one with: openssl rand -base64 32'
  if (!read.has('keys')) throw read.missing('keys', advice)
  const given = read.raw('keys')
  if (!Array.isArray(given) || given.length === 0) throw read.invalid('keys', advice)
  const keys = (given as unknown[]).map((secret) => {
    if (typeof secret !== 'string' && !(secret instanceof Uint8Array)) throw read.invalid('keys', advice)
    const bytes = typeof secret === 'string' ? Buffer.from(secret) : secret
    if (bytes.length >= KEY_BYTES) return bytes
    throw new ConfigError(
      'ERR_MCP_AUTH_WEAK_KEY',
      `${read.name('keys')} must be secrets of at least ${KEY_BYTES} bytes; make one with: openssl rand -base64 32`,
    )
  })
  return keys as [Uint8Array, ...Uint8Array[]]
}

// Values that only holders of a key can read or make: AES-256-GCM (NIST SP 800-38D) around any store.
import { createCipheriv, createDecipheriv, hkdfSync, hash, randomFillSync } from 'node:crypto'
import { ConfigError } from '../protocol/errors.js'
import { OptionReader } from '../protocol/options.js'
import type { Store, StoreEntry } from './store.js'

export interface EncryptedStoreOptions {
  readonly store: Store
  /** Secrets of at least 32 bytes, the newest first. The first encrypts, all of them decrypt. */
  readonly keys: readonly (string | Uint8Array)[]
  /** Told of each entry that was refused: damaged, moved, written by others, or of a key that is no longer in `keys`. */
  readonly onRefused?: (collection: string, key: string) => void
}

interface Key {
  /** Stands before what it encrypted. */
  readonly id: string
  readonly secret: Uint8Array
}

const KEY_BYTES = 32
const NONCE_BYTES = 12
const TAG_BYTES = 16

/**
 * Encrypts values before another store sees them. An entry is bound to its place, version and expiry: moved, changed or kept
 * alive by somebody with access to the database, it is refused as if it were not there.
 *
 * @example new EncryptedStore({ store: new RedisStore({ client }), keys: [newSecret, oldSecret] })
 */
export class EncryptedStore implements Store {
  readonly #store: Store
  readonly #current: Key
  readonly #keys: ReadonlyMap<string, Key>
  readonly #onRefused: ((collection: string, key: string) => void) | undefined

  readonly sweep?: () => Promise<number>
  readonly close?: () => Promise<void>

  constructor(options: EncryptedStoreOptions) {
    const read = new OptionReader('EncryptedStore', options, ['store', 'keys', 'onRefused'])
    const store = read.raw('store') as Partial<Store> | undefined | null
    if (typeof store?.compareAndSwap !== 'function') {
      throw read.invalid('store', 'a store, such as new RedisStore({ client })')
    }
    const keys = parseKeys(read)
    this.#store = store as Store
    this.#current = keys[0] as Key
    this.#keys = new Map(keys.map((key) => [key.id, key]))
    this.#onRefused = read.callback('onRefused')
    if (store.sweep !== undefined) this.sweep = () => (store as Required<Store>).sweep()
    if (store.close !== undefined) this.close = () => (store as Required<Store>).close()
  }

  async get(collection: string, key: string): Promise<StoreEntry | undefined> {
    const entry = await this.#store.get(collection, key)
    if (entry === undefined) return undefined
    const value = this.#open(collection, key, entry)
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
    const { id, secret } = this.#current
    const nonce = randomFillSync(Buffer.allocUnsafe(NONCE_BYTES))
    const cipher = createCipheriv('aes-256-gcm', secret, nonce)
    cipher.setAAD(placeOf(collection, key, entry))
    const sealed = Buffer.concat([
      nonce,
      cipher.update(entry.value, 'utf8'),
      cipher.final(),
      cipher.getAuthTag(),
    ])
    return {
      value: `${id}.${sealed.toString('base64url')}`,
      version: entry.version,
      expiresAt: entry.expiresAt,
    }
  }

  /** Undefined for whatever was not sealed for this place with one of our keys. */
  #open(collection: string, key: string, entry: StoreEntry): string | undefined {
    const dot = entry.value.indexOf('.')
    const secret = this.#keys.get(entry.value.slice(0, dot))?.secret
    const sealed = Buffer.from(entry.value.slice(dot + 1), 'base64url')
    const end = sealed.length - TAG_BYTES
    if (secret === undefined || end < NONCE_BYTES) return undefined
    const cipher = createDecipheriv('aes-256-gcm', secret, sealed.subarray(0, NONCE_BYTES), {
      authTagLength: TAG_BYTES,
    })
    cipher.setAAD(placeOf(collection, key, entry))
    cipher.setAuthTag(sealed.subarray(end))
    try {
      return Buffer.concat([cipher.update(sealed.subarray(NONCE_BYTES, end)), cipher.final()]).toString(
        'utf8',
      )
    } catch {
      return undefined
    }
  }
}

/** What is not secret, but may not change. None of the parts can hold the separator. */
function placeOf(collection: string, key: string, { version, expiresAt }: StoreEntry): Buffer {
  return Buffer.from(`${collection}\n${key}\n${version}\n${expiresAt}`)
}

function parseKeys(read: OptionReader): Key[] {
  const advice = 'a list of secrets, the newest first; make one with: openssl rand -base64 32'
  if (!read.has('keys')) throw read.missing('keys', advice)
  const given = read.raw('keys')
  if (!Array.isArray(given) || given.length === 0) throw read.invalid('keys', advice)
  return (given as unknown[]).map((secret) => {
    if (typeof secret !== 'string' && !(secret instanceof Uint8Array)) throw read.invalid('keys', advice)
    const bytes = typeof secret === 'string' ? Buffer.from(secret) : secret
    if (bytes.length < KEY_BYTES) {
      throw new ConfigError(
        'ERR_MCP_AUTH_WEAK_KEY',
        `${read.name('keys')} must be secrets of at least ${KEY_BYTES} bytes; make one with: openssl rand -base64 32`,
      )
    }
    const derived = new Uint8Array(
      hkdfSync('sha256', bytes, 'express-mcp-auth', 'store AES-256-GCM', KEY_BYTES),
    )
    return { id: hash('sha256', derived, 'base64url').slice(0, 8), secret: derived }
  })
}

// The `store` option: where an authorization server keeps everything.
import type { OptionReader } from '../protocol/options.js'
import type { DerivedKeys } from '../runtime/keys.js'
import { defaultStore } from '../stores/default-store.js'
import { EncryptedStore } from '../stores/encrypted.js'
import type { Store } from '../stores/store.js'

const METHODS = ['get', 'put', 'putIfAbsent', 'compareAndSwap', 'delete'] as const

/** A store, and how to let go of it. */
export interface ParsedStore {
  readonly store: Store
  readonly close: () => Promise<void>
  /** Whether an entry was met that this secret cannot read. */
  readonly metUnreadable?: () => boolean
}

/** Reads `store`. One that was passed in is closed by whoever made it. @throws ConfigError */
export function parseStore(read: OptionReader, keys: DerivedKeys): ParsedStore {
  const store = read.raw('store')
  if (store === undefined) return encryptedDefault(keys)
  const shape = Object(store) as Partial<Record<(typeof METHODS)[number], unknown>>
  const absent = METHODS.find((method) => typeof shape[method] !== 'function')
  if (absent === undefined) return { store: store as Store, close: () => Promise.resolve() }
  throw read.invalid('store', `a store, e.g. new MemoryStore(): this value has no method "${absent}"`)
}

/** What is kept by default lies beside the code, and so is encrypted. */
function encryptedDefault(keys: DerivedKeys): ParsedStore {
  const file = defaultStore()
  let met = false
  const onRefused = (): void => {
    met = true
  }
  const store = new EncryptedStore({ store: file, keys: keys.storageKeys(), onRefused })
  return { store, close: () => file.close(), metUnreadable: () => met }
}

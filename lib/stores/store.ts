// The contract of a store: bytes with an absolute expiry, and the atomic steps that decide who was first.

/** What is kept under one key. */
export interface StoreEntry {
  /** Text of any length, opaque to the store. */
  readonly value: string
  /** Names this state of the entry; the writer makes a new one at each write, and never uses one twice. */
  readonly version: string
  /** Milliseconds since the epoch. From then on the entry does not exist, whether it was removed or not. */
  readonly expiresAt: number
}

/**
 * Where everything durable is kept. Every method is one atomic step, seen by all processes that share the store. A method that
 * could not do its work rejects; it never pretends. Collections and keys are made of `A-Z a-z 0-9 _ - .` and at most 128 characters long.
 *
 * A store of your own has to pass `storeContract` of `express-mcp-auth/testing`.
 */
export interface Store {
  /** The living entry of a key. */
  get(collection: string, key: string): Promise<StoreEntry | undefined>
  /** Writes, whatever was there. */
  put(collection: string, key: string, entry: StoreEntry): Promise<void>
  /** Writes where no living entry is; false where one is. */
  putIfAbsent(collection: string, key: string, entry: StoreEntry): Promise<boolean>
  /** Writes where the living entry still has that version; false otherwise. */
  compareAndSwap(collection: string, key: string, version: string, entry: StoreEntry): Promise<boolean>
  /** Removes the living entry, only where it has that version if one is given. True for the one caller that removed it. */
  delete(collection: string, key: string, version?: string): Promise<boolean>
  /** Forgets expired entries, where the store does not do so by itself. Resolves to how many. */
  sweep?(): Promise<number>
  /** Lets go of what the store itself opened. */
  close?(): Promise<void>
}

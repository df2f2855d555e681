// What every store refuses, so that what works with one of them works with all.
import type { StoreEntry } from './store.js'
import { StoreError } from './store-error.js'

const NAME = /^[\w.-]{1,128}$/

/** Collections and keys are digests and words of ours; anything else is a caller that forgot to digest. */
export function checkNames(collection: string, key: string): void {
  if (!NAME.test(collection)) throw new StoreError('a collection is named by 1 to 128 of A-Z a-z 0-9 _ - .')
  if (!NAME.test(key)) throw new StoreError('a key is 1 to 128 of A-Z a-z 0-9 _ - .')
}

export function checkWrite(collection: string, key: string, entry: StoreEntry): void {
  checkNames(collection, key)
  if (!NAME.test(entry.version)) throw new StoreError('a version is 1 to 128 of A-Z a-z 0-9 _ - .')
  if (!Number.isSafeInteger(entry.expiresAt)) {
    throw new StoreError('an entry expires at a whole number of milliseconds')
  }
}

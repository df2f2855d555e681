// Tokens that were verified a moment ago: bounded in number and size, kept by digest, never past their expiry.
import { LRUCache } from 'lru-cache'
import type { VerifiedToken } from '../protocol/access-token.js'
import type { OptionReader } from '../protocol/options.js'
import { digest } from '../runtime/digest.js'

/** Bounds of one verifier's cache. `false` switches it off. */
export interface CacheBounds {
  /** Most tokens kept. Default: 10,000. */
  readonly maxEntries?: number
  /** Most memory taken, by estimate: a token is kept with its claims. Default: 32 MiB. */
  readonly maxBytes?: number
}

interface Entry {
  readonly verified: VerifiedToken
  /** Milliseconds since the epoch. */
  readonly until: number
  /** What else has to hold, e.g. that the signing key is still published. */
  readonly holds: () => boolean
}

/** One verifier's cache. A verifier has its own, so that what one accepted never speaks for another. */
export class VerifiedTokenCache {
  readonly #entries: LRUCache<string, Entry>
  readonly #now: () => number
  #lastToken: string | undefined
  #lastKey = ''

  /**
   * @param weigh estimates what a token's claims take, in bytes. Default: as much again as the token, which holds them
   */
  constructor(
    bounds: CacheBounds,
    now: () => number,
    weigh: (verified: VerifiedToken) => number = ({ token }) => token.length,
  ) {
    const { maxEntries = 10_000, maxBytes = 32 * 1024 * 1024 } = bounds
    this.#entries = new LRUCache({
      max: maxEntries,
      maxSize: maxBytes,
      // The token, its claims as objects, and the entry itself.
      sizeCalculation: ({ verified }) => 512 + 2 * verified.token.length + 2 * weigh(verified),
    })
    this.#now = now
  }

  get(token: string): VerifiedToken | undefined {
    const key = this.#keyOf(token)
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    if (entry.until > this.#now() && entry.holds()) return entry.verified
    this.#entries.delete(key)
    return undefined
  }

  /** Keeps a token until the earlier of `until` (milliseconds) and its own expiry. */
  set(verified: VerifiedToken, until: number, holds: () => boolean = always): void {
    const expiry = verified.expiresAt === undefined ? Infinity : verified.expiresAt * 1000
    this.#entries.set(this.#keyOf(verified.token), { verified, until: Math.min(until, expiry), holds })
  }

  /** A token that is not known is looked up more than once on its way; its digest costs more than all the rest. */
  #keyOf(token: string): string {
    if (token !== this.#lastToken) {
      this.#lastToken = token
      this.#lastKey = digest(token)
    }
    return this.#lastKey
  }

  get size(): number {
    return this.#entries.size
  }
}

const always = (): boolean => true

/** Reads a `cache` option. */
export function parseCacheBounds(read: OptionReader, name: string): CacheBounds | false {
  const value = read.raw(name)
  if (value === undefined || value === true) return {}
  if (value === false) return false
  const expected = '{ maxEntries?, maxBytes? } with whole numbers above 0, or false'
  if (typeof value !== 'object' || value === null) throw read.invalid(name, expected)
  for (const [key, bound] of Object.entries(value)) {
    const known = key === 'maxEntries' || key === 'maxBytes'
    if (!known || !Number.isSafeInteger(bound) || (bound as number) < 1) throw read.invalid(name, expected)
  }
  return { ...(value as CacheBounds) }
}

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
  /** Undefined until it is needed, where it can be read from the token again. */
  verified: VerifiedToken | undefined
  /** Milliseconds since the epoch. */
  readonly until: number
  /** What else has to hold, e.g. that the signing key is still published. */
  readonly holds: () => boolean
  /** In bytes, by estimate. */
  readonly size: number
}

/** What a verifier knows of its tokens. */
export interface VerifiedTokenTraits {
  /** Estimates what a token's claims take, in bytes. Default: as much again as the token, which holds them. */
  readonly weigh?: (verified: VerifiedToken) => number
  /** Reads a token that was verified once more. With it, one that never comes back costs next to nothing to keep. */
  readonly reread?: (token: string) => VerifiedToken
}

/** One verifier's cache. A verifier has its own, so that what one accepted never speaks for another. */
export class VerifiedTokenCache {
  readonly #entries: LRUCache<string, Entry>
  readonly #now: () => number
  readonly #weigh: (verified: VerifiedToken) => number
  readonly #reread: ((token: string) => VerifiedToken) | undefined
  #lastToken: string | undefined
  #lastKey = ''

  constructor(bounds: CacheBounds, now: () => number, traits: VerifiedTokenTraits = {}) {
    const { maxEntries = 10_000, maxBytes = 32 * 1024 * 1024 } = bounds
    const { weigh = ({ token }) => token.length, reread } = traits
    this.#entries = new LRUCache({ max: maxEntries, maxSize: maxBytes, sizeCalculation: ({ size }) => size })
    this.#now = now
    this.#weigh = weigh
    this.#reread = reread
  }

  get(token: string): VerifiedToken | undefined {
    const key = this.#keyOf(token)
    const entry = this.#entries.get(key)
    if (entry === undefined) return undefined
    if (entry.until > this.#now() && entry.holds()) return (entry.verified ??= this.#reread?.(token))
    this.#entries.delete(key)
    return undefined
  }

  /** Keeps a token until the earlier of `until` (milliseconds) and its own expiry. */
  set(verified: VerifiedToken, until: number, holds: () => boolean = always): void {
    const { token, expiresAt } = verified
    const expiry = expiresAt === undefined ? Infinity : expiresAt * 1000
    this.#entries.set(this.#keyOf(token), {
      verified: this.#reread === undefined ? verified : undefined,
      until: Math.min(until, expiry),
      holds,
      // The token, its claims as objects, and the entry itself: as if all were kept from the start.
      size: 512 + 2 * token.length + 2 * this.#weigh(verified),
    })
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

import { describe, expect, it } from '@jest/globals'
import { testClock } from 'express-mcp-auth/testing'
import { type VerifiedToken, parseAccessToken } from '../../lib/protocol/access-token.js'
import { OptionReader } from '../../lib/protocol/options.js'
import { VerifiedTokenCache, parseCacheBounds } from '../../lib/verifiers/cached.js'
import { configErrorOf } from '../support/config-error.js'

const START = 1_700_000_000_000
const verified = (token: string, expiresAt?: number): VerifiedToken =>
  parseAccessToken({ clientId: 'c', expiresAt }, token)

describe('VerifiedTokenCache', () => {
  it('gives back what was kept for exactly this token', () => {
    const cache = new VerifiedTokenCache({}, testClock().now)
    const kept = verified('token')
    cache.set(kept, Infinity)
    expect([cache.get('token'), cache.get('tokem'), cache.get('constructor'), cache.size]).toEqual([
      kept,
      undefined,
      undefined,
      1,
    ])
    expect(cache.get('token')).toBe(kept)
  })

  it('keeps a token until the given time, not at it, and forgets it then', () => {
    const clock = testClock(START)
    const cache = new VerifiedTokenCache({}, clock.now)
    cache.set(verified('token'), START + 60_000)
    clock.advance(59.999)
    expect(cache.get('token')).toBeDefined()
    clock.advance(0.001)
    expect([cache.get('token'), cache.size]).toEqual([undefined, 0])
  })

  it('keeps no token past its own expiry', () => {
    const clock = testClock(START)
    const cache = new VerifiedTokenCache({}, clock.now)
    cache.set(verified('token', START / 1000 + 10), START + 60_000)
    clock.advance(9)
    expect(cache.get('token')).toBeDefined()
    clock.advance(1)
    expect(cache.get('token')).toBeUndefined()
  })

  it('keeps it only while what it depends on holds, and forgets it then for good', () => {
    const cache = new VerifiedTokenCache({}, testClock().now)
    let holds = true
    cache.set(verified('token'), Infinity, () => holds)
    expect(cache.get('token')).toBeDefined()
    holds = false
    expect(cache.get('token')).toBeUndefined()
    holds = true
    expect(cache.get('token')).toBeUndefined()
  })

  it('keeps no more entries than it may, and drops the least recently used', () => {
    const cache = new VerifiedTokenCache({ maxEntries: 2 }, testClock().now)
    cache.set(verified('a'), Infinity)
    cache.set(verified('b'), Infinity)
    cache.get('a')
    cache.set(verified('c'), Infinity)
    expect(['a', 'b', 'c'].filter((token) => cache.get(token) !== undefined)).toEqual(['a', 'c'])
  })

  it('keeps no more than its memory allows, whatever the number of entries is', () => {
    const cache = new VerifiedTokenCache({ maxBytes: 10_000 }, testClock().now)
    for (let index = 0; index < 100; index++) cache.set(verified(`${index}`.padEnd(1000, 'x')), Infinity)
    expect(cache.size).toBeGreaterThan(0)
    expect(cache.size).toBeLessThan(10)
    cache.set(verified('y'.repeat(5000)), Infinity)
    expect(cache.get('y'.repeat(5000))).toBeUndefined()
  })

  it('reads a token again when it comes back, once, where it can be read', () => {
    let reads = 0
    const reread = (token: string): VerifiedToken => {
      reads++
      return verified(token)
    }
    const cache = new VerifiedTokenCache({}, testClock().now, { reread })
    cache.set(verified('token'), Infinity)
    expect(reads).toBe(0)
    const first = cache.get('token')
    expect(first).toEqual(verified('token'))
    expect(cache.get('token')).toBe(first)
    expect(reads).toBe(1)
  })

  it('counts the claims of a token by a weight that it is given', () => {
    const cache = new VerifiedTokenCache({ maxBytes: 10_000 }, testClock().now, {
      weigh: ({ claims }) => JSON.stringify(claims).length,
    })
    const token = parseAccessToken({ clientId: 'c', claims: { long: 'x'.repeat(10_000) } }, 'short')
    cache.set(token, Infinity)
    expect(cache.size).toBe(0)
    cache.set(verified('short'), Infinity)
    expect(cache.size).toBe(1)
  })

  it('looks up what was looked up a moment ago', () => {
    const cache = new VerifiedTokenCache({}, testClock().now)
    cache.set(verified('a'), Infinity)
    cache.set(verified('b'), Infinity)
    expect(['a', 'a', 'b', '', 'b', 'a'].map((token) => cache.get(token)?.token)).toEqual([
      'a',
      'a',
      'b',
      undefined,
      'b',
      'a',
    ])
  })

  it('holds 10,000 tokens unless told otherwise', () => {
    const cache = new VerifiedTokenCache({}, testClock().now)
    for (let index = 0; index < 10_001; index++) cache.set(verified(`token-${index}`), Infinity)
    expect(cache.size).toBe(10_000)
  })
})

describe('parseCacheBounds', () => {
  const parse = (cache: unknown): ReturnType<typeof parseCacheBounds> =>
    parseCacheBounds(new OptionReader('Thing', { cache }, ['cache']), 'cache')

  it.each<[value: unknown, bounds: unknown]>([
    [undefined, {}],
    [true, {}],
    [false, false],
    [{}, {}],
    [
      { maxEntries: 1, maxBytes: 2 },
      { maxEntries: 1, maxBytes: 2 },
    ],
  ])('reads %j', (value, bounds) => {
    expect(parse(value)).toEqual(bounds)
  })

  it.each([
    [{ maxEntries: 0 }],
    [{ maxEntries: 1.5 }],
    [{ maxEntries: '10' }],
    [{ maxBytes: -1 }],
    [{ maxBytes: Infinity }],
    [{ maxSize: 10 }],
    [7],
    ['on'],
    [null],
    [() => undefined],
  ])('refuses %p', (value) => {
    expect(configErrorOf(() => parse(value))).toEqual({
      code: 'ERR_MCP_AUTH_INVALID_OPTION',
      message: 'Thing: "cache" must be { maxEntries?, maxBytes? } with whole numbers above 0, or false',
    })
  })
})

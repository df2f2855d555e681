import { describe, expect, it } from '@jest/globals'
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import { testClock } from 'express-mcp-auth/testing'
import { configErrorOf } from '../support/config-error.js'
import { storeCases } from '../support/store-contract.js'

describe('MemoryStore', () => {
  it.each(storeCases((deps) => new MemoryStore({ deps })))('%s', (_, run) => run())

  const clock = testClock(0)
  const entry = (seconds: number, value = 'value') => ({
    value,
    version: 'v',
    expiresAt: clock.now() + seconds * 1000,
  })

  it('holds no more entries than it may', async () => {
    const store = new MemoryStore({ maxEntries: 10, deps: clock })
    for (let n = 0; n < 100; n++) await store.put('c', `k${n}`, entry(60 + n))
    expect(store.size).toBe(10)
    expect(await store.get('c', 'k89')).toBeUndefined()
    expect(await store.get('c', 'k90')).toBeDefined()
  })

  it('holds no more bytes than it may', async () => {
    const store = new MemoryStore({ maxBytes: 100_000, deps: clock })
    for (let n = 0; n < 100; n++) await store.put('c', `k${n}`, entry(60 + n, 'x'.repeat(10_000)))
    expect(store.size).toBe(4)
  })

  it('refuses an entry that alone is too large, and keeps the others', async () => {
    const store = new MemoryStore({ maxBytes: 1000, deps: clock })
    await store.put('c', 'small', entry(60))
    await expect(store.put('c', 'large', entry(60, 'x'.repeat(1000)))).rejects.toThrow(
      'larger than "maxBytes"',
    )
    expect(await store.get('c', 'small')).toBeDefined()
  })

  it('forgets what has expired before anything that lives', async () => {
    const store = new MemoryStore({ maxEntries: 4, deps: clock })
    await store.put('old', 'a', entry(1))
    await store.put('old', 'b', entry(1))
    await store.put('living', 'a', entry(60))
    await store.put('living', 'b', entry(60))
    clock.advance(1)
    await store.put('living', 'c', entry(60))
    const living = await Promise.all(['a', 'b', 'c'].map((key) => store.get('living', key)))
    expect(living).not.toContain(undefined)
    expect(store.size).toBe(3)
  })

  it('forgets what expires soonest, whatever the order of writing, and however often it changed', async () => {
    const store = new MemoryStore({ maxEntries: 50, deps: clock })
    const lives = Array.from({ length: 200 }, (_, n) => 10 + ((n * 73) % 200))
    for (const [n, seconds] of lives.entries()) {
      await store.put('c', `k${seconds}`, entry(1000))
      await store.put('c', `k${seconds}`, entry(seconds))
      if (n % 3 === 0) await store.delete('c', `k${seconds}`)
    }
    const kept: number[] = []
    for (const seconds of lives) if ((await store.get('c', `k${seconds}`)) !== undefined) kept.push(seconds)
    const longest = lives
      .filter((_, n) => n % 3 !== 0)
      .toSorted((one, other) => other - one)
      .slice(0, 45)
    expect(kept).toEqual(expect.arrayContaining(longest))
    expect(store.size).toBeLessThanOrEqual(50)
  })

  it('F15 a flood of one kind of record pushes out its own kind, whichever lives longer', async () => {
    for (const bounds of [{ maxEntries: 1000 }, { maxBytes: 300_000 }]) {
      const store = new MemoryStore({ ...bounds, deps: clock })
      for (let n = 0; n < 100; n++) {
        await store.put('grants', `g${n}`, entry(86_400))
        await store.put('transactions', `t${n}`, entry(600))
      }
      for (let n = 0; n < 5000; n++) await store.put('transactions', `flood${n}`, entry(601 + n))
      for (let n = 0; n < 5000; n++) await store.put('clients', `flood${n}`, entry(90 * 86_400 + n))
      let grants = 0
      for (let n = 0; n < 100; n++) if ((await store.get('grants', `g${n}`)) !== undefined) grants++
      expect(grants).toBe(100)
      expect(await store.get('transactions', 'flood4999')).toBeDefined()
      expect(await store.get('clients', 'flood4999')).toBeDefined()
    }
  })

  it('clears away what has expired while it is written to', async () => {
    const store = new MemoryStore({ deps: clock })
    for (let n = 0; n < 100; n++) await store.put('c', `short${n}`, entry(1))
    clock.advance(1)
    for (let n = 0; n < 50; n++) await store.put('c', `long${n}`, entry(60))
    expect(store.size).toBe(50)
  })

  it('sweeps everything that has expired', async () => {
    const store = new MemoryStore({ deps: clock })
    for (let n = 0; n < 100; n++) await store.put(`c${n % 3}`, `k${n}`, entry(n % 2 === 0 ? 1 : 60))
    clock.advance(1)
    expect(await store.sweep()).toBe(50)
    expect(store.size).toBe(50)
  })

  it.each([
    ['maxEntries', { maxEntries: 0 }],
    ['maxBytes', { maxBytes: 1.5 }],
  ])('refuses a bound that is none: %s', (name, options) => {
    expect(configErrorOf(() => new MemoryStore(options))).toEqual({
      code: 'ERR_MCP_AUTH_INVALID_OPTION',
      message: `MemoryStore: "${name}" must be a whole number above 0`,
    })
  })

  it('refuses a version or an expiry that another store could not keep', async () => {
    const store = new MemoryStore()
    await expect(store.put('c', 'k', { value: '', version: '', expiresAt: 1 })).rejects.toThrow('a version')
    await expect(store.put('c', 'k', { value: '', version: 'v', expiresAt: 1.5 })).rejects.toThrow(
      'whole number',
    )
  })
})

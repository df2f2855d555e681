import { describe, expect, it } from '@jest/globals'
import { EncryptedStore } from 'express-mcp-auth/stores/encrypted'
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import { configErrorOf } from '../support/config-error.js'
import { storeCases } from '../support/store-contract.js'

const OLD = 'o'.repeat(32)
const NEW = new Uint8Array(32).fill(7)
const entry = (value: string, version = 'v') => ({ value, version, expiresAt: 9_000_000_000_000 })

function stand(keys: readonly (string | Uint8Array)[] = [OLD]) {
  const inner = new MemoryStore()
  const refused: string[] = []
  const onRefused = (collection: string, key: string): void => void refused.push(`${collection}/${key}`)
  return { inner, refused, store: new EncryptedStore({ store: inner, keys, onRefused }) }
}

describe('EncryptedStore', () => {
  it.each(storeCases((deps) => new EncryptedStore({ store: new MemoryStore({ deps }), keys: [OLD] })))(
    '%s',
    (_, run) => run(),
  )

  it('G1 lets the store see no value, and the same value twice as two', async () => {
    const { inner, store } = stand()
    await store.put('c', 'a', entry('a secret'))
    await store.putIfAbsent('c', 'b', entry('a secret'))
    await store.compareAndSwap('c', 'b', 'v', entry('a secret'))
    const values = await Promise.all(['a', 'b'].map(async (key) => (await inner.get('c', key))!.value))
    expect(values[0]).toMatch(/^[\w-]{8}\.[\w-]+$/)
    expect(values[0]).not.toBe(values[1])
    for (const value of values)
      expect(Buffer.from(value, 'base64url').toString('latin1')).not.toContain('secret')
  })

  it.each([
    ['another key', 'c', 'b', entry('')],
    ['another collection', 'd', 'a', entry('')],
    ['another version', 'c', 'a', entry('', 'w')],
    ['a later expiry', 'c', 'a', { ...entry(''), expiresAt: 9_000_000_000_001 }],
  ])('G2 a value moved to %s is refused, and somebody is told', async (_, collection, key, place) => {
    const { inner, store, refused } = stand()
    await store.put('c', 'a', entry('a secret'))
    const { value } = (await inner.get('c', 'a'))!
    await inner.put(collection, key, { ...place, value })
    expect(await store.get(collection, key)).toBeUndefined()
    expect(refused).toEqual([`${collection}/${key}`])
  })

  it('G3 an old key still decrypts, the first one encrypts', async () => {
    const { inner, store } = stand()
    await store.put('c', 'a', entry('a secret'))
    const rotated = new EncryptedStore({ store: inner, keys: [NEW, OLD] })
    expect((await rotated.get('c', 'a'))?.value).toBe('a secret')
    await rotated.put('c', 'b', entry('another'))
    expect(await store.get('c', 'b')).toBeUndefined()
    expect((await new EncryptedStore({ store: inner, keys: [NEW] }).get('c', 'b'))?.value).toBe('another')
  })

  it('F19 what a dropped key encrypted is refused, and still stands in the way', async () => {
    const { inner, store } = stand()
    await store.put('c', 'a', entry('a secret'))
    const dropped = new EncryptedStore({ store: inner, keys: [NEW] })
    expect(await dropped.get('c', 'a')).toBeUndefined()
    expect(await dropped.putIfAbsent('c', 'a', entry('another'))).toBe(false)
    await dropped.put('c', 'a', entry('another'))
    expect((await dropped.get('c', 'a'))?.value).toBe('another')
  })

  it('F12 a value that was damaged or is no ciphertext is refused, and others are read', async () => {
    const { inner, store, refused } = stand()
    await store.put('c', 'good', entry('good'))
    await store.put('c', 'bad', entry('a secret'))
    const { value } = (await inner.get('c', 'bad'))!
    const [id, sealed] = value.split('.') as [string, string]
    const flipped = Buffer.from(sealed, 'base64url')
    const damaged = [
      '',
      '.',
      `${id}.`,
      id,
      sealed,
      value.slice(0, -2),
      value.slice(0, 30),
      'a secret',
      `${id}.a secret`,
    ]
    for (let n = 0; n < flipped.length; n++) {
      flipped[n]! ^= 1
      damaged.push(`${id}.${flipped.toString('base64url')}`)
      flipped[n]! ^= 1
    }
    for (const each of damaged) {
      await inner.put('c', 'bad', entry(each))
      expect(await store.get('c', 'bad')).toBeUndefined()
    }
    expect(refused).toEqual(damaged.map(() => 'c/bad'))
    expect((await store.get('c', 'good'))?.value).toBe('good')
  })

  it('sweeps and closes what it stands on, where that can be', async () => {
    const { store } = stand()
    expect(await store.sweep?.()).toBe(0)
    expect(store.close).toBeUndefined()
    let closed = false
    const closing = Object.assign(new MemoryStore(), {
      sweep: undefined,
      close: () => {
        closed = true
        return Promise.resolve()
      },
    })
    const other = new EncryptedStore({ store: closing, keys: [OLD] })
    expect(other.sweep).toBeUndefined()
    await other.close?.()
    expect(closed).toBe(true)
  })

  it.each([
    [{ keys: [OLD] }, 'ERR_MCP_AUTH_INVALID_OPTION', '"store" must be a store'],
    [{ store: {}, keys: [OLD] }, 'ERR_MCP_AUTH_INVALID_OPTION', '"store" must be a store'],
    [{ store: null, keys: [OLD] }, 'ERR_MCP_AUTH_INVALID_OPTION', '"store" must be a store'],
    [{ store: new MemoryStore() }, 'ERR_MCP_AUTH_MISSING_OPTION', '"keys" is missing: a list of secrets'],
    [
      { store: new MemoryStore(), keys: [] },
      'ERR_MCP_AUTH_INVALID_OPTION',
      '"keys" must be a list of secrets',
    ],
    [
      { store: new MemoryStore(), keys: OLD },
      'ERR_MCP_AUTH_INVALID_OPTION',
      '"keys" must be a list of secrets',
    ],
    [
      { store: new MemoryStore(), keys: [7] },
      'ERR_MCP_AUTH_INVALID_OPTION',
      '"keys" must be a list of secrets',
    ],
    [{ store: new MemoryStore(), keys: [OLD, 'short'] }, 'ERR_MCP_AUTH_WEAK_KEY', 'at least 32 bytes'],
    [{ store: new MemoryStore(), key: OLD }, 'ERR_MCP_AUTH_UNKNOWN_OPTION', 'Did you mean "keys"?'],
  ])('F19 refuses %j', (options, code, message) => {
    expect(configErrorOf(() => new EncryptedStore(options as never))).toEqual({
      code,
      message: expect.stringContaining(message),
    })
  })
})

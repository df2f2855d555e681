import { beforeEach, describe, expect, it } from '@jest/globals'
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import { testClock } from 'express-mcp-auth/testing'
import { createDeps } from '../../lib/runtime/deps.js'
import { Collection } from '../../lib/stores/collection.js'

interface Thing {
  readonly name: string
}

describe('Collection', () => {
  const clock = testClock(0)
  const deps = createDeps(clock)
  let store: MemoryStore
  let things: Collection<Thing>

  beforeEach(() => {
    store = new MemoryStore({ deps })
    things = new Collection(store, 'things', deps)
  })

  const soon = (): number => clock.now() + 1000

  it('reads a record as it was written, with a version and its expiry', async () => {
    await things.put('a', { name: 'one' }, soon())
    const read = await things.get('a')
    expect(read).toEqual({
      data: { name: 'one' },
      version: expect.stringMatching(/^[\w-]{24}$/),
      expiresAt: soon(),
    })
    expect(await things.get('b')).toBeUndefined()
  })

  it('gives every write a version of its own', async () => {
    await things.put('a', { name: 'one' }, soon())
    const first = await things.get('a')
    await things.put('a', { name: 'one' }, soon())
    expect((await things.get('a'))?.version).not.toBe(first?.version)
  })

  it('creates a record once', async () => {
    const created = await things.create('a', { name: 'one' }, soon())
    expect(await things.create('a', { name: 'two' }, soon())).toBeUndefined()
    expect(await things.get('a')).toEqual(created)
    expect(created?.data).toEqual({ name: 'one' })
  })

  it('replaces a record as it was read, once, and keeps its expiry unless told another', async () => {
    await things.put('a', { name: 'one' }, soon())
    const read = (await things.get('a'))!
    const replaced = await things.replace('a', read, { name: 'two' })
    expect(await things.replace('a', read, { name: 'three' })).toBeUndefined()
    const second = (await things.get('a'))!
    expect(second).toEqual(replaced)
    expect(second).toMatchObject({ data: { name: 'two' }, expiresAt: read.expiresAt })
    expect(await things.replace('a', second, { name: 'four' }, soon() + 5.5)).toBeDefined()
    expect((await things.get('a'))?.expiresAt).toBe(soon() + 6)
  })

  it('removes a record once, and only as it was read', async () => {
    await things.put('a', { name: 'one' }, soon())
    const read = (await things.get('a'))!
    await things.replace('a', read, { name: 'two' })
    expect(await things.remove('a', read)).toBe(false)
    expect(await things.remove('a')).toBe(true)
    expect(await things.remove('a')).toBe(false)
  })

  it('G4 reads no record that has expired, even where the store still returns it', async () => {
    const expired = { value: '{"name":"one"}', version: 'v', expiresAt: clock.now() }
    const lazy = Object.assign(new MemoryStore(), { get: () => Promise.resolve(expired) })
    expect(await new Collection<Thing>(lazy, 'things', deps).get('a')).toBeUndefined()
  })

  it('F12 a record that is no JSON any more is not there, and others are', async () => {
    await things.put('b', { name: 'one' }, soon())
    await store.put('things', 'a', { value: '{"name":"on', version: 'v', expiresAt: soon() })
    expect(await things.get('a')).toBeUndefined()
    expect((await things.get('b'))?.data).toEqual({ name: 'one' })
  })

  it('keeps kinds of records apart', async () => {
    await things.put('a', { name: 'one' }, soon())
    expect(await new Collection(store, 'others', deps).get('a')).toBeUndefined()
  })
})

import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { Redis } from 'ioredis'
import { createClient } from 'redis'
import { RedisStore } from 'express-mcp-auth/stores/redis'
import { testClock } from 'express-mcp-auth/testing'
import { configErrorOf } from '../support/config-error.js'
import { type Service, describeWithRedis, startRedis } from '../support/services.js'
import { storeCases } from '../support/store-contract.js'

const node = (service: Service) => createClient({ url: service.url }).on('error', () => undefined)
const entry = (value = 'value', seconds = 60) => ({
  value,
  version: 'v',
  expiresAt: Date.now() + seconds * 1000,
})

describeWithRedis('RedisStore', () => {
  let service: Service
  let nodeRedis: ReturnType<typeof node>
  let ioredis: Redis

  beforeAll(async () => {
    service = await startRedis()
    nodeRedis = node(service)
    await nodeRedis.connect()
    ioredis = new Redis(service.url)
  })
  afterAll(async () => {
    await nodeRedis.close()
    await ioredis.quit()
    await service.stop()
  })

  describe('with the package redis', () => {
    it.each(storeCases((deps) => new RedisStore({ client: nodeRedis, deps })))('%s', (_, run) => run())
  })

  describe('with the package ioredis', () => {
    it.each(storeCases((deps) => new RedisStore({ client: ioredis, deps })))('%s', (_, run) => run())
  })

  it('keeps an entry under prefix, collection and key, and lets Redis clear it away', async () => {
    const store = new RedisStore({ client: nodeRedis, prefix: '{app}:auth' })
    await store.put('codes', 'k', entry('value', 60))
    await store.putIfAbsent('codes', 'k2', entry('value', 60))
    for (const key of ['k', 'k2']) {
      const milliseconds = await ioredis.pttl(`{app}:auth:codes:${key}`)
      expect(milliseconds).toBeGreaterThan(50_000)
      expect(milliseconds).toBeLessThanOrEqual(60_000)
    }
  })

  it('two prefixes share nothing', async () => {
    const [one, other] = ['one', 'other'].map((prefix) => new RedisStore({ client: ioredis, prefix }))
    await one?.put('c', 'k', entry())
    expect(await other?.get('c', 'k')).toBeUndefined()
  })

  it('each step is one round trip', async () => {
    const store = new RedisStore({ client: nodeRedis })
    await store.put('trips', 'k', entry())
    await store.compareAndSwap('trips', 'k', 'v', entry())
    await store.putIfAbsent('trips', 'k', entry())
    await store.delete('trips', 'k', 'other')
    const calls = async (): Promise<number> => {
      const [, processed] = /total_commands_processed:(\d+)/.exec(await ioredis.info('stats')) ?? []
      // What a script does counts too, as far as it comes.
      return Number(processed)
    }
    const scripts = async (): Promise<number> =>
      Number(/cmdstat_evalsha:calls=(\d+)/.exec(await ioredis.info('commandstats'))?.[1])
    const [callsBefore, scriptsBefore] = [await calls(), await scripts()]
    await store.compareAndSwap('trips', 'k', 'v', entry())
    await store.putIfAbsent('trips', 'k', entry())
    await store.delete('trips', 'k', 'v')
    expect((await scripts()) - scriptsBefore).toBe(3)
    // Three scripts, what the scripts did (GET SET, GET, GET DEL), and the questions themselves.
    expect((await calls()) - callsBefore).toBeLessThanOrEqual(3 + 5 + 3)
  })

  it('goes on after the server has forgotten the scripts', async () => {
    for (const client of [nodeRedis, ioredis]) {
      const store = new RedisStore({ client })
      await ioredis.script('FLUSH')
      expect(await store.putIfAbsent('forgot', 'k', entry())).toBe(true)
      expect(await store.delete('forgot', 'k')).toBe(true)
    }
  })

  it('G7 rejects where a key of ours holds what is not ours', async () => {
    const store = new RedisStore({ client: nodeRedis })
    for (const odd of ['', 'text', '\nv\nvalue', '12\nv', 'x\nv\nvalue']) {
      await ioredis.set('mcp-auth:odd:k', odd)
      await expect(store.get('odd', 'k')).rejects.toMatchObject({ name: 'StoreError' })
    }
    await ioredis.del('mcp-auth:odd:k')
    await ioredis.lpush('mcp-auth:odd:k', 'a list')
    await expect(store.get('odd', 'k')).rejects.toMatchObject({
      name: 'StoreError',
      message: expect.stringContaining('WRONGTYPE'),
    })
    await expect(store.putIfAbsent('odd', 'k', entry())).rejects.toMatchObject({ name: 'StoreError' })
  })

  it('F6 rejects while Redis is away, and has what was written when it is back', async () => {
    const own = await startRedis(['--appendfsync', 'always'])
    const client = createClient({
      url: own.url,
      disableOfflineQueue: true,
      socket: { reconnectStrategy: 20 },
    })
    client.on('error', () => undefined)
    await client.connect()
    const store = new RedisStore({ client })
    const written = entry('kept')
    await store.put('c', 'k', written)
    await own.kill()
    await expect(store.get('c', 'k')).rejects.toMatchObject({ name: 'StoreError' })
    await expect(store.putIfAbsent('c', 'k2', written)).rejects.toMatchObject({ name: 'StoreError' })
    const ready = new Promise((resolve) => client.once('ready', resolve))
    await own.restart()
    await ready
    expect(await store.get('c', 'k')).toEqual(written)
    client.destroy()
    await own.stop()
  })
})

describe('RedisStore, without a server', () => {
  it.each([
    [{}, 'ERR_MCP_AUTH_MISSING_OPTION', '"client" is missing: a client of "redis" or "ioredis"'],
    [{ client: 'redis://localhost' }, 'ERR_MCP_AUTH_INVALID_OPTION', '"client" must be a client of "redis"'],
    [{ client: null }, 'ERR_MCP_AUTH_INVALID_OPTION', '"client" must be a client of "redis"'],
    [{ client: { get: () => 1 } }, 'ERR_MCP_AUTH_INVALID_OPTION', '"client" must be a client of "redis"'],
    [{ client: createClient(), prefix: 'a b' }, 'ERR_MCP_AUTH_INVALID_OPTION', '"prefix" must be 1 to 64'],
    [{ client: createClient(), url: 'a' }, 'ERR_MCP_AUTH_UNKNOWN_OPTION', 'has no option "url"'],
  ])('refuses %j', (options, code, message) => {
    expect(configErrorOf(() => new RedisStore(options as never))).toEqual({
      code,
      message: expect.stringContaining(message),
    })
  })

  it('F7 gives up after two seconds, and lets no queue grow', async () => {
    const clock = testClock()
    const answers: (() => void)[] = []
    const silent = () => new Promise<null>((resolve) => answers.push(() => resolve(null)))
    const client = { get: silent, pSetEx: silent, evalSha: silent, eval: silent }
    const store = new RedisStore({ client, deps: clock })
    const calls = Array.from({ length: 1000 }, () => store.get('c', 'k'))
    const given = Promise.allSettled(calls)
    await expect(store.get('c', 'k')).rejects.toThrow('RedisStore: too many calls wait for an answer')
    clock.advance(2)
    for (const outcome of await given) {
      expect(outcome).toMatchObject({
        status: 'rejected',
        reason: { name: 'StoreError', message: 'RedisStore: no answer within 2 seconds' },
      })
    }
    // They are still queued in the client, so they still count.
    await expect(store.get('c', 'k')).rejects.toThrow('too many calls')
    for (const answer of answers.splice(0)) answer()
    await new Promise((resolve) => setImmediate(resolve))
    const next = store.get('c', 'k')
    await Promise.resolve()
    answers[0]?.()
    expect(await next).toBeUndefined()
  })
})

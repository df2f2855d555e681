// Storage that is slow, full, damaged or gone: writes fail loudly, reads go on, and nothing is half done.
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { Redis } from 'ioredis'
import Database from 'libsql'
import { createClient } from 'redis'
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import { RedisStore } from 'express-mcp-auth/stores/redis'
import { SqliteStore } from 'express-mcp-auth/stores/sqlite'
import { testClock } from 'express-mcp-auth/testing'
import { createDeps } from '../../lib/runtime/deps.js'
import { Collection } from '../../lib/stores/collection.js'
import { freePort } from '../support/process.js'
import { type Service, describeWithRedis, startRedis } from '../support/services.js'
import { startSlowProxy } from '../support/slow-proxy.js'

const entry = (value = 'value', version = 'v') => ({ value, version, expiresAt: Date.now() + 3600_000 })
const refusal = (message: string) => ({ name: 'StoreError', message: expect.stringContaining(message) })
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

describeWithRedis('Redis', () => {
  let service: Service
  let admin: Redis

  beforeAll(async () => {
    service = await startRedis()
    admin = new Redis(service.url)
  })
  afterAll(async () => {
    await admin.quit()
    await service.stop()
  })

  it('F7 that answers too late is given up on after two seconds, and used again when it answers', async () => {
    const proxy = await startSlowProxy(service.port)
    const client = createClient({ url: `redis://127.0.0.1:${proxy.port}` }).on('error', () => undefined)
    await client.connect()
    const clock = testClock()
    const store = new RedisStore({ client, deps: clock })
    await store.put('slow', 'k', entry())
    proxy.hold()
    const calls = [
      store.get('slow', 'k'),
      store.put('slow', 'k', entry()),
      store.putIfAbsent('slow', 'k', entry()),
      store.compareAndSwap('slow', 'k', 'v', entry()),
      store.delete('slow', 'k', 'other'),
    ]
    const outcomes = Promise.allSettled(calls)
    clock.advance(1.999)
    await turn()
    clock.advance(0.001)
    for (const outcome of await outcomes) {
      expect(outcome).toMatchObject({ status: 'rejected', reason: refusal('no answer within 2 seconds') })
    }
    proxy.release()
    expect((await store.get('slow', 'k'))?.value).toBe('value')
    client.destroy()
    await proxy.close()
  })

  it('F7 that is gone fills no queue, and is used again when it is back', async () => {
    const own = await startRedis()
    const client = createClient({ url: own.url, socket: { reconnectStrategy: 20 } }).on(
      'error',
      () => undefined,
    )
    await client.connect()
    const clock = testClock()
    const store = new RedisStore({ client, deps: clock })
    await store.put('gone', 'k', entry())
    const lost = new Promise((resolve) => client.once('reconnecting', resolve))
    await own.kill()
    await lost
    const outcomes = Promise.allSettled(Array.from({ length: 3000 }, () => store.get('gone', 'k')))
    await turn()
    clock.advance(2)
    const reasons = (await outcomes).map((outcome) =>
      outcome.status === 'rejected' ? (outcome.reason as Error).message : 'an answer',
    )
    const count = (message: string): number => reasons.filter((reason) => reason.includes(message)).length
    expect(count('no answer within 2 seconds')).toBe(1000)
    expect(count('too many calls')).toBe(2000)
    const ready = new Promise((resolve) => client.once('ready', resolve))
    await own.restart()
    await ready
    await client.ping()
    await expect(store.put('gone', 'k', entry('again'))).resolves.toBeUndefined()
    client.destroy()
    await own.stop()
  })

  it('F7 that became a replica refuses to write, and still reads', async () => {
    const own = await startRedis()
    const client = new Redis(own.url)
    const store = new RedisStore({ client })
    await store.put('replica', 'k', entry())
    await client.replicaof('127.0.0.1', await freePort())
    await expect(store.put('replica', 'k', entry())).rejects.toMatchObject(refusal('READONLY'))
    await expect(store.putIfAbsent('replica', 'k2', entry())).rejects.toMatchObject(refusal('READONLY'))
    await expect(store.compareAndSwap('replica', 'k', 'v', entry())).rejects.toMatchObject(
      refusal('READONLY'),
    )
    await expect(store.delete('replica', 'k', 'v')).rejects.toMatchObject(refusal('READONLY'))
    expect((await store.get('replica', 'k'))?.value).toBe('value')
    await client.quit()
    await own.stop()
  })

  it('F11 that is full refuses to write, and still reads and forgets', async () => {
    const store = new RedisStore({ client: admin })
    await store.put('full', 'k', entry())
    // What is refused for the lack of memory is refused before anything is done.
    await admin.config('SET', 'maxmemory-policy', 'noeviction')
    await admin.config('SET', 'maxmemory', '1')
    await expect(store.put('full', 'k', entry('more'))).rejects.toMatchObject(refusal('OOM'))
    await expect(store.putIfAbsent('full', 'k2', entry())).rejects.toMatchObject(refusal('OOM'))
    await expect(store.compareAndSwap('full', 'k', 'v', entry('more'))).rejects.toMatchObject(refusal('OOM'))
    expect((await store.get('full', 'k'))?.value).toBe('value')
    expect(await store.delete('full', 'k', 'v')).toBe(true)
    await admin.config('SET', 'maxmemory', '0')
    expect(await store.putIfAbsent('full', 'k2', entry())).toBe(true)
  })
})

describe('SQLite', () => {
  let directory: string
  let path: string

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'mcp-auth-faults-'))
    path = join(directory, 'store.sqlite')
  })
  afterEach(() => {
    rmSync(directory, { recursive: true })
  })

  it('F11 that is full refuses to write, still reads and forgets, and writes again when there is room', async () => {
    const database = new Database(path)
    const store = new SqliteStore({ database })
    await store.put('full', 'k', entry('kept'))
    const { page_count: pages } = database.prepare('PRAGMA page_count').get() as { page_count: number }
    database.prepare(`PRAGMA max_page_count = ${pages}`).get()
    const large = entry('x'.repeat(100_000), 'w')
    await expect(store.put('full', 'a', large)).rejects.toMatchObject(refusal('full'))
    const outcomes = await Promise.allSettled([
      store.putIfAbsent('full', 'b', large),
      store.compareAndSwap('full', 'k', 'v', large),
      store.put('full', 'small', entry()),
    ])
    expect(outcomes).toMatchObject([
      { status: 'rejected', reason: refusal('full') },
      { status: 'rejected', reason: refusal('full') },
      { status: 'fulfilled' },
    ])
    expect((await store.get('full', 'k'))?.value).toBe('kept')
    expect(await store.get('full', 'b')).toBeUndefined()
    expect(await store.delete('full', 'small')).toBe(true)
    database.prepare(`PRAGMA max_page_count = ${pages + 1000}`).get()
    expect(await store.compareAndSwap('full', 'k', 'v', large)).toBe(true)
    database.close()
  })

  async function written(count: number): Promise<void> {
    const store = new SqliteStore({ path })
    const things = new Collection<string>(store, 'things', createDeps())
    const writes = Array.from({ length: count }, (_, n) =>
      things.put(`k${n}`, `thing ${n}: ${'x'.repeat(3000)}`, Date.now() + 3600_000),
    )
    await Promise.all(writes)
    await store.close()
    const database = new Database(path)
    database.prepare('PRAGMA wal_checkpoint(TRUNCATE)').get()
    database.close()
  }

  /** Changes the file where one record lies. */
  function damage(record: number, change: (file: Buffer, at: number) => void): void {
    const file = readFileSync(path)
    const at = file.indexOf(`"thing ${record}: `)
    expect(at).toBeGreaterThan(0)
    change(file, at)
    writeFileSync(path, file)
  }

  it('F12 refuses a record with a flipped bit, and reads all others', async () => {
    await written(50)
    damage(20, (file, at) => file.writeUInt8((file[at] as number) ^ 1, at))
    const store = new SqliteStore({ path })
    const things = new Collection<string>(store, 'things', createDeps())
    expect(await things.get('k20')).toBeUndefined()
    for (const n of [0, 19, 21, 49]) expect((await things.get(`k${n}`))?.data).toContain(`thing ${n}:`)
    await store.close()
  })

  it('F12 refuses a record whose page is lost, starts none the less, and reads others', async () => {
    await written(50)
    damage(20, (file, at) => file.fill(0xff, at - (at % 4096), at - (at % 4096) + 4096))
    const store = new SqliteStore({ path })
    const things = new Collection<string>(store, 'things', createDeps())
    await expect(things.get('k20')).rejects.toMatchObject(refusal('malformed'))
    for (const n of [0, 10, 30, 49]) expect((await things.get(`k${n}`))?.data).toContain(`thing ${n}:`)
    await things.put('new', 'another', Date.now() + 60_000)
    expect((await things.get('new'))?.data).toBe('another')
    await store.close()
  })

  it('F12 a file that is no database is refused, and left as it is', async () => {
    writeFileSync(path, 'a diary, and not a database. '.repeat(200))
    const store = new SqliteStore({ path })
    await expect(store.put('c', 'k', entry())).rejects.toMatchObject(refusal('not a database'))
    expect(readFileSync(path, 'utf8')).toBe('a diary, and not a database. '.repeat(200))
    await store.close()
  })

  it('F8 has every write that was accepted, after the process that wrote was killed', async () => {
    const child = fork(new URL('../support/writer.ts', import.meta.url).pathname, [path], {
      cwd: new URL('../../', import.meta.url),
      execArgv: ['--import', 'tsx', '--no-warnings'],
    })
    const accepted: string[] = []
    const ended = once(child, 'close')
    child.on('message', (key) => {
      accepted.push(key as string)
      if (accepted.length === 500) child.kill('SIGKILL')
    })
    await ended
    expect(accepted.length).toBeGreaterThanOrEqual(500)
    const store = new SqliteStore({ path })
    const values = await Promise.all(accepted.map(async (key) => (await store.get('writer', key))?.value))
    expect(values.filter((value) => value !== 'second')).toEqual([])
    await store.close()
  })
})

describe('memory', () => {
  it('F15 stays within its bounds under a million entries', async () => {
    setFlagsFromString('--expose-gc')
    const collect = runInNewContext('gc') as () => void
    const store = new MemoryStore()
    const value = (n: number): string => JSON.stringify({ n, state: 'x'.repeat(300 + (n % 10)) })
    const flood = async (from: number, to: number): Promise<void> => {
      for (let n = from; n < to; n++) {
        const written = store.putIfAbsent('transactions', `${'0'.repeat(56)}${n}`, entry(value(n)))
        if (n % 1000 === 0) await written
      }
    }
    await flood(0, 1000)
    collect()
    const before = process.memoryUsage().heapUsed
    await flood(1000, 1_000_000)
    collect()
    const growth = process.memoryUsage().heapUsed - before
    expect(store.size).toBeLessThanOrEqual(100_000)
    expect(growth).toBeLessThan(64 * 1024 * 1024)
    expect(await store.get('transactions', `${'0'.repeat(56)}999999`)).toBeDefined()
  }, 60_000)
})

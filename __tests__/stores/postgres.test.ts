import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import pg from 'pg'
import { PostgresStore } from 'express-mcp-auth/stores/postgres'
import { testClock } from 'express-mcp-auth/testing'
import { configErrorOf } from '../support/config-error.js'
import { type Service, describeWithPostgres, startPostgres } from '../support/services.js'
import { storeCases } from '../support/store-contract.js'

const entry = (value = 'value', expiresAt = Date.now() + 60_000) => ({ value, version: 'v', expiresAt })

describeWithPostgres('PostgresStore', () => {
  let service: Service
  let pool: pg.Pool

  beforeAll(async () => {
    service = await startPostgres()
    pool = new pg.Pool({ connectionString: service.url })
    pool.on('error', () => undefined)
  })
  afterAll(async () => {
    await pool.end()
    await service.stop()
  })

  describe('keeps the contract:', () => {
    it.each(storeCases((deps) => new PostgresStore({ pool, deps })))('%s', (_, run) => run())
  })

  it('asks nothing of the database before it is used', async () => {
    const store = new PostgresStore({ pool, table: 'unused' })
    const { rows } = await pool.query("SELECT to_regclass('unused') AS made")
    expect(rows).toEqual([{ made: null }])
    await store.get('c', 'k')
    expect((await pool.query("SELECT to_regclass('unused') AS made")).rows).toEqual([{ made: 'unused' }])
  })

  it('makes its table once, however many make it at the same moment', async () => {
    for (let round = 0; round < 5; round++) {
      const stores = Array.from({ length: 8 }, () => new PostgresStore({ pool, table: `made_${round}` }))
      const done = await Promise.all(stores.map((store) => store.putIfAbsent('c', 'k', entry())))
      expect(done.filter(Boolean).length).toBe(1)
    }
  })

  it('uses a table of another schema', async () => {
    await pool.query('CREATE SCHEMA auth')
    const store = new PostgresStore({ pool, table: 'auth.entries' })
    await store.put('c', 'k', entry())
    expect((await pool.query('SELECT key FROM auth.entries')).rows).toEqual([{ key: 'k' }])
  })

  it('needs no right to make tables where one was made for it', async () => {
    await new PostgresStore({ pool, table: 'granted' }).put('c', 'k', entry('kept'))
    await pool.query('CREATE ROLE app LOGIN; GRANT SELECT, INSERT, UPDATE, DELETE ON granted TO app')
    const limited = new pg.Pool({ connectionString: service.url.replace('postgres@', 'app@') })
    const store = new PostgresStore({ pool: limited, table: 'granted' })
    expect((await store.get('c', 'k'))?.value).toBe('kept')
    const none = new PostgresStore({ pool: limited, table: 'not_granted' })
    await expect(none.get('c', 'k')).rejects.toMatchObject({
      name: 'StoreError',
      message: expect.stringContaining('permission denied'),
    })
    await limited.end()
  })

  it('sweeps expired rows now and then while it is written to, many at a time, until it is closed', async () => {
    const clock = testClock()
    const store = new PostgresStore({ pool, table: 'swept', deps: { now: clock.now, after: clock.after } })
    const fill = async (count: number): Promise<void> => {
      await store.put('c', 'first', entry('', clock.now() + 1000))
      await pool.query(
        `INSERT INTO swept SELECT 'c', 'k' || n, '', 'v', $1 FROM generate_series(2, $2) AS n`,
        [clock.now() + 1000, count],
      )
    }
    await fill(1200)
    await store.put('c', 'kept', entry('', clock.now() + 3600_000))
    clock.advance(1)
    expect(await store.sweep()).toBe(1200)
    expect((await pool.query('SELECT key FROM swept')).rows).toEqual([{ key: 'kept' }])
    await fill(10)
    await store.close()
    clock.advance(1000)
    expect((await pool.query('SELECT count(*)::int AS rows FROM swept')).rows).toEqual([{ rows: 11 }])
  })

  it('rejects while PostgreSQL is away, and has what was written when it is back', async () => {
    const store = new PostgresStore({ pool })
    const written = entry('kept')
    await store.put('away', 'k', written)
    await service.kill()
    await expect(store.get('away', 'k')).rejects.toMatchObject({ name: 'StoreError' })
    await expect(new PostgresStore({ pool }).put('away', 'k', written)).rejects.toMatchObject({
      name: 'StoreError',
    })
    await service.restart()
    expect(await store.get('away', 'k')).toEqual(written)
  })
})

describe('PostgresStore, without a server', () => {
  it.each([
    [{}, '"pool" is missing: a Pool of the package "pg"'],
    [{ pool: {} }, '"pool" must be a Pool of the package "pg"'],
    [{ pool: null }, '"pool" must be a Pool of the package "pg"'],
    [{ pool: { query: () => 1 }, table: 'a; DROP TABLE b' }, '"table" must be a name'],
    [{ pool: { query: () => 1 }, table: 'A"B' }, '"table" must be a name'],
    [{ pool: { query: () => 1 }, tables: 'a' }, 'Did you mean "table"?'],
  ])('refuses %j', (options, message) => {
    expect(configErrorOf(() => new PostgresStore(options as never)).message).toContain(message)
  })

  it('takes a table that another made meanwhile', async () => {
    const asked: string[] = []
    const pool = {
      query: (text: string) => {
        asked.push(text.trim().split(' ')[0] as string)
        if (text.includes('CREATE'))
          return Promise.reject(Object.assign(new Error('made'), { code: '23505' }))
        const rows = text.includes('to_regclass') ? [{ made: null }] : []
        return Promise.resolve({ rows, rowCount: 0 })
      },
    }
    const store = new PostgresStore({ pool })
    expect(await store.get('c', 'k')).toBeUndefined()
    expect(await store.get('c', 'k')).toBeUndefined()
    expect(asked).toEqual(['SELECT', 'CREATE', 'SELECT', 'SELECT'])
  })
})

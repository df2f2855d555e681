import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { ConfigError } from 'express-mcp-auth'
import Database from 'libsql'
import { SqliteStore } from 'express-mcp-auth/stores/sqlite'
import { testClock } from 'express-mcp-auth/testing'
import { isBusy, libsqlDriver, openSqlite, requireDriver } from '../../lib/stores/sqlite-database.js'
import { configErrorOf } from '../support/config-error.js'
import { startProgram } from '../support/process.js'
import { storeCases } from '../support/store-contract.js'

describe('SqliteStore', () => {
  let directory: string
  let files = 0
  const newPath = (): string => join(directory, `store${files++}.sqlite`)
  const entry = (value = 'value', expiresAt = Date.now() + 60_000) => ({ value, version: 'v', expiresAt })

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'mcp-auth-'))
  })
  afterAll(() => {
    rmSync(directory, { recursive: true })
  })

  describe('with a path', () => {
    it.each(storeCases((deps) => new SqliteStore({ path: newPath(), deps })))('%s', (_, run) => run())
  })

  describe('with a database', () => {
    it.each(storeCases((deps) => new SqliteStore({ database: new Database(newPath()), deps })))(
      '%s',
      (_, run) => run(),
    )
  })

  it('touches no file before it is used', async () => {
    const path = newPath()
    const store = new SqliteStore({ path })
    expect(existsSync(path)).toBe(false)
    await store.get('c', 'k')
    expect(existsSync(path)).toBe(true)
    await store.close()
  })

  it('G1 makes the file and its directory for the owner alone, out of sight of git', async () => {
    const path = join(directory, 'made', 'here', 'store.sqlite')
    const store = new SqliteStore({ path })
    await store.put('c', 'k', entry())
    const mode = (of: string): number => statSync(of).mode & 0o777
    expect(mode(join(directory, 'made'))).toBe(0o700)
    expect(mode(join(directory, 'made', 'here'))).toBe(0o700)
    for (const suffix of ['', '-wal', '-shm']) expect(mode(path + suffix)).toBe(0o600)
    expect(readFileSync(join(directory, 'made', 'here', '.gitignore'), 'utf8')).toBe('*\n')
    await store.close()
  })

  it('puts nothing beside its file in a directory that was there', async () => {
    const store = new SqliteStore({ path: newPath() })
    await store.put('c', 'k', entry())
    expect(existsSync(join(directory, '.gitignore'))).toBe(false)
    await store.close()
  })

  it('remembers across a restart', async () => {
    const path = newPath()
    const written = entry('kept')
    const before = new SqliteStore({ path })
    await before.put('c', 'k', written)
    await before.close()
    const after = new SqliteStore({ path })
    expect(await after.get('c', 'k')).toEqual(written)
    await after.close()
  })

  it('closes after the writes under way, opens nothing afterwards, and may be closed twice', async () => {
    const path = newPath()
    const store = new SqliteStore({ path })
    const writes = [store.put('c', 'a', entry()), store.put('c', 'b', entry())]
    await store.close()
    await Promise.all(writes)
    await store.close()
    await expect(store.get('c', 'a')).rejects.toThrow('SqliteStore: it is closed')
    const reader = new SqliteStore({ path })
    expect(await reader.get('c', 'b')).toBeDefined()
    await reader.close()
  })

  it('closes what was never used, and what could not be opened', async () => {
    await new SqliteStore({ path: newPath() }).close()
    const store = new SqliteStore({ path: join(directory, 'a\0b') })
    const failing = store.get('c', 'k')
    await Promise.all([expect(failing).rejects.toMatchObject({ name: 'StoreError' }), store.close()])
  })

  it('leaves a database that was passed in open', async () => {
    const database = new Database(newPath())
    const store = new SqliteStore({ database })
    await store.put('c', 'k', entry())
    await store.close()
    expect(database.prepare('SELECT count(*) AS rows FROM mcp_auth_entries').get()).toMatchObject({ rows: 1 })
    database.close()
  })

  it('passes a mistake of the developer on as it is', async () => {
    const mistake = new ConfigError('ERR_MCP_AUTH_MISSING_OPTION', 'install something')
    const database = {
      exec: () => undefined,
      prepare: () => {
        throw mistake
      },
    }
    await expect(new SqliteStore({ database }).get('c', 'k')).rejects.toBe(mistake)
  })

  it('takes null for no row, as some drivers say', async () => {
    const database = new Database(newPath())
    const nulls = {
      exec: (sql: string) => database.exec(sql),
      prepare: (sql: string) => {
        const statement = database.prepare(sql)
        return {
          get: (...values: unknown[]) => statement.get(values) ?? null,
          run: (...values: unknown[]) => statement.run(values),
        }
      },
    }
    expect(await new SqliteStore({ database: nulls }).get('c', 'k')).toBeUndefined()
    database.close()
  })

  it('G7 rejects with the reason of the driver, whatever it throws', async () => {
    const database = new Database(newPath())
    const store = new SqliteStore({ database })
    await store.get('c', 'k')
    database.exec('DROP TABLE mcp_auth_entries')
    const failure = {
      name: 'StoreError',
      message: expect.stringContaining('no such table'),
      cause: expect.anything(),
    }
    await expect(store.get('c', 'k')).rejects.toMatchObject(failure)
    await expect(store.put('c', 'k', entry())).rejects.toMatchObject(failure)
    database.close()
    const odd = {
      exec: () => undefined,
      prepare: () => {
        // oxlint-disable-next-line typescript/only-throw-error -- a driver may
        throw 'a text'
      },
    }
    await expect(new SqliteStore({ database: odd }).get('c', 'k')).rejects.toThrow('SqliteStore: a text')
  })

  it('settles every write of a turn by its own outcome, when one of them fails', async () => {
    const database = new Database(newPath())
    const store = new SqliteStore({ database })
    await store.get('c', 'k')
    database.exec(
      `CREATE TRIGGER refuse BEFORE INSERT ON mcp_auth_entries WHEN NEW.key = 'bad' BEGIN SELECT RAISE(ABORT, 'no'); END`,
    )
    const outcomes = await Promise.allSettled([
      store.putIfAbsent('c', 'good', entry()),
      store.put('c', 'bad', entry()),
      store.putIfAbsent('c', 'good', entry()),
      store.put('c', 'fine', entry()),
    ])
    expect(outcomes).toMatchObject([
      { status: 'fulfilled', value: true },
      { status: 'rejected', reason: { name: 'StoreError' } },
      { status: 'fulfilled', value: false },
      { status: 'fulfilled' },
    ])
    expect(await store.get('c', 'fine')).toBeDefined()
    expect(await store.get('c', 'bad')).toBeUndefined()
    database.close()
  })

  describe('while another has the database locked', () => {
    async function lockedStore() {
      const path = newPath()
      const clock = testClock()
      const store = new SqliteStore({ path, deps: clock })
      await store.put('c', 'k', entry('before'))
      // By the same driver: two copies of SQLite in one process see no lock of each other.
      const other = await openSqlite(path)
      other.exec('BEGIN IMMEDIATE')
      return { clock, store, other }
    }
    const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

    it.each([1, 3])('writes wait, %i at once, and reads do not', async (count) => {
      const { clock, store, other } = await lockedStore()
      const writes = Array.from({ length: count }, (_, n) => store.put('c', `k${n}`, entry('after')))
      await turn()
      clock.advance(0.1)
      expect((await store.get('c', 'k'))?.value).toBe('before')
      other.exec('COMMIT')
      clock.advance(0.1)
      await Promise.all(writes)
      expect((await store.get('c', 'k0'))?.value).toBe('after')
      other.close()
      await store.close()
    })

    it.each([1, 3])(
      'writes are refused after two seconds, %i at once, and work again afterwards',
      async (count) => {
        const { clock, store, other } = await lockedStore()
        const writes = Array.from({ length: count }, (_, n) => store.put('c', `k${n}`, entry()))
        const refused = Promise.allSettled(writes)
        await turn()
        clock.advance(2)
        for (const outcome of await refused) {
          expect(outcome).toMatchObject({
            status: 'rejected',
            reason: { name: 'StoreError', message: /locked/ },
          })
        }
        other.exec('COMMIT')
        other.close()
        await store.put('c', 'k', entry('again'))
        await store.close()
      },
    )

    it('no more writes wait than may', async () => {
      const { clock, store, other } = await lockedStore()
      const writes = Array.from({ length: 10_050 }, () => store.put('c', 'k', entry()))
      const outcomes = Promise.allSettled(writes)
      await turn()
      other.exec('COMMIT')
      clock.advance(1)
      const refused = (await outcomes).filter(({ status }) => status === 'rejected')
      expect(refused.length).toBe(50)
      expect(refused[0]).toMatchObject({
        reason: { message: 'SqliteStore: too many writes wait for the database' },
      })
      other.close()
      await store.close()
    })
  })

  it('waits for a database that another is just opening', async () => {
    const path = newPath()
    const other = await openSqlite(path)
    other.exec('BEGIN EXCLUSIVE')
    const clock = testClock()
    const store = new SqliteStore({ path, deps: clock })
    const written = store.put('c', 'k', entry())
    await new Promise((resolve) => setImmediate(resolve))
    other.exec('COMMIT')
    other.close()
    const ticking = setInterval(() => clock.advance(0.1), 5)
    await written
    clearInterval(ticking)
    expect(await store.get('c', 'k')).toBeDefined()
    await store.close()
  })

  it('rejects where the file cannot be opened, and tries again at the next use', async () => {
    const path = join(newPath(), 'store.sqlite')
    execFileSync('touch', [join(path, '..')])
    const store = new SqliteStore({ path })
    await expect(store.get('c', 'k')).rejects.toMatchObject({
      name: 'StoreError',
      cause: { code: 'EEXIST' },
    })
    rmSync(join(path, '..'))
    await store.put('c', 'k', entry())
    expect(await store.get('c', 'k')).toBeDefined()
    await store.close()
  })

  it('sweeps expired rows now and then while it is written to, many at a time', async () => {
    const clock = testClock()
    const database = new Database(newPath())
    const store = new SqliteStore({ database, deps: clock })
    const rows = (): unknown => database.prepare('SELECT count(*) AS rows FROM mcp_auth_entries').get()
    const writes = Array.from({ length: 1200 }, (_, n) =>
      store.put('c', `k${n}`, entry('', clock.now() + 1000)),
    )
    await Promise.all(writes)
    await store.put('c', 'kept', entry('', clock.now() + 3600_000))
    clock.advance(2)
    expect(rows()).toMatchObject({ rows: 1201 })
    clock.advance(400)
    for (let n = 0; n < 20; n++) await new Promise((resolve) => setImmediate(resolve))
    expect(rows()).toMatchObject({ rows: 1 })
    await store.close()
    database.close()
  })

  it('says nothing of a sweep that fails, and sweeps again later', async () => {
    const clock = testClock()
    const database = new Database(newPath())
    const store = new SqliteStore({ database, deps: clock })
    await store.put('c', 'k', entry('', clock.now() + 1000))
    database.exec(
      `CREATE TRIGGER keep BEFORE DELETE ON mcp_auth_entries BEGIN SELECT RAISE(ABORT, 'no'); END`,
    )
    clock.advance(400)
    await new Promise((resolve) => setImmediate(resolve))
    database.exec('DROP TRIGGER keep')
    expect(await store.sweep()).toBe(1)
    await store.close()
    database.close()
  })

  it.each([
    [{}, '"path" is missing'],
    [{ path: 'a', database: new Database(':memory:') }, '"path" is missing'],
    [{ path: ':memory:' }, '"path" must be a file; in memory there is MemoryStore'],
    [{ path: '' }, '"path" must be a string that is not blank'],
    [{ database: {} }, '"database" must be a connection of better-sqlite3, libsql or node:sqlite'],
    [
      { database: { exec: () => 1 } },
      '"database" must be a connection of better-sqlite3, libsql or node:sqlite',
    ],
    [{ database: null }, '"database" must be a connection of better-sqlite3, libsql or node:sqlite'],
    [{ path: 'a', prefix: 'b' }, 'SqliteStore has no option "prefix"'],
  ])('refuses options that name no database: %j', (options, message) => {
    expect(configErrorOf(() => new SqliteStore(options as never)).message).toContain(message)
  })
})

describe('openSqlite', () => {
  it('says what to install where there is no driver', async () => {
    const opened = openSqlite('never-made.sqlite', [() => Promise.resolve(undefined)])
    await expect(opened).rejects.toMatchObject({
      name: 'ConfigError',
      message: expect.stringContaining('npm install libsql'),
    })
    expect(existsSync('never-made.sqlite')).toBe(false)
  })
})

describe('requireDriver', () => {
  it('looks for either driver', () => {
    expect(() => requireDriver((name) => name === 'libsql')).not.toThrow()
    expect(() => requireDriver((name) => name === 'node:sqlite')).not.toThrow()
    expect(configErrorOf(() => requireDriver(() => false))).toEqual({
      code: 'ERR_MCP_AUTH_MISSING_OPTION',
      message: expect.stringContaining('npm install libsql'),
    })
  })

  it('is asked where a store is made, not at the first request', async () => {
    const program = startProgram('__tests__/support/without-drivers.ts', ['never-made.sqlite'], {})
    const [line] = await program.printed(/^.+$/m)
    await program.ended
    expect(JSON.parse(line)).toEqual({
      name: 'ConfigError',
      code: 'ERR_MCP_AUTH_MISSING_OPTION',
      message: expect.stringContaining('SqliteStore: this Node has no node:sqlite. Run "npm install libsql"'),
    })
    expect(existsSync('never-made.sqlite')).toBe(false)
  })
})

describe('libsqlDriver', () => {
  const failing = (code: string) => () => Promise.reject(Object.assign(new Error(code), { code }))

  it('is the installed one', async () => {
    expect(await libsqlDriver()()).toBe(Database)
  })

  it('tells one that is not installed from one that is broken', async () => {
    expect(await libsqlDriver(failing('ERR_MODULE_NOT_FOUND'))()).toBeUndefined()
    expect(await libsqlDriver(failing('MODULE_NOT_FOUND'))()).toBeUndefined()
    await expect(libsqlDriver(failing('ERR_DLOPEN_FAILED'))()).rejects.toThrow('ERR_DLOPEN_FAILED')
  })
})

describe('isBusy', () => {
  it.each([
    [{ code: 'SQLITE_BUSY' }, true],
    [{ code: 'SQLITE_BUSY_SNAPSHOT' }, true],
    [{ code: 'SQLITE_LOCKED' }, true],
    [{ code: 'ERR_SQLITE_ERROR', errcode: 5 }, true],
    [{ code: 'ERR_SQLITE_ERROR', errcode: 517 }, true],
    [{ code: 'ERR_SQLITE_ERROR', errcode: 6 }, true],
    [{ code: 'ERR_SQLITE_ERROR', errcode: 13 }, false],
    [{ code: 'SQLITE_FULL' }, false],
    [{}, false],
  ])('knows the lock of another from other errors: %j is %s', (error, busy) => {
    expect(isBusy(error)).toBe(busy)
  })
})

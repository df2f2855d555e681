// Entries in a SQLite file: durable, shared by the processes of one machine, nothing else to run.
import { resolve } from 'node:path'
import { ConfigError } from '../protocol/errors.js'
import { OptionReader } from '../protocol/options.js'
import { type Deps, createDeps } from '../runtime/deps.js'
import { checkNames, checkWrite } from './checks.js'
import { GroupCommit } from './group-commit.js'
import {
  type OpenedDatabase,
  type SqliteDatabase,
  type SqliteStatement,
  isBusy,
  openSqlite,
  requireDriver,
} from './sqlite-database.js'
import type { Store, StoreEntry } from './store.js'
import { StoreError } from './store-error.js'
import { SWEEP_BATCH, Sweeper } from './sweeper.js'
import { Turn } from './turn.js'

export type { SqliteDatabase, SqliteStatement } from './sqlite-database.js'

export type SqliteStoreOptions = (
  | {
      /** The file. It is made for the owner's eyes alone, with its directory, where it is missing. */
      readonly path: string
      readonly database?: never
    }
  | {
      /** A connection of `better-sqlite3`, `libsql` or `node:sqlite`, for this store alone. It stays yours to set up and close. */
      readonly database: SqliteDatabase
      readonly path?: never
    }
) & { readonly deps?: Partial<Deps> }

const SCHEMA = `
CREATE TABLE IF NOT EXISTS mcp_auth_entries (
  collection TEXT NOT NULL,
  key TEXT NOT NULL,
  value TEXT NOT NULL,
  version TEXT NOT NULL,
  expires_at INTEGER NOT NULL,
  PRIMARY KEY (collection, key)
);
CREATE INDEX IF NOT EXISTS mcp_auth_entries_expires_at ON mcp_auth_entries (expires_at);`

const UPSERT = `
INSERT INTO mcp_auth_entries (collection, key, value, version, expires_at) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (collection, key) DO UPDATE
SET value = excluded.value, version = excluded.version, expires_at = excluded.expires_at`

// Each step is one statement, so that it is atomic among processes too.
const STATEMENTS = {
  get: `SELECT value, version, expires_at FROM mcp_auth_entries
    WHERE collection = ? AND key = ? AND expires_at > ?`,
  put: UPSERT,
  putIfAbsent: `${UPSERT} WHERE mcp_auth_entries.expires_at <= ?`,
  compareAndSwap: `UPDATE mcp_auth_entries SET value = ?, version = ?, expires_at = ?
    WHERE collection = ? AND key = ? AND version = ? AND expires_at > ?`,
  delete: 'DELETE FROM mcp_auth_entries WHERE collection = ? AND key = ? AND expires_at > ?',
  deleteVersion:
    'DELETE FROM mcp_auth_entries WHERE collection = ? AND key = ? AND expires_at > ? AND version = ?',
  sweep: `DELETE FROM mcp_auth_entries WHERE rowid IN
    (SELECT rowid FROM mcp_auth_entries WHERE expires_at <= ? ORDER BY expires_at LIMIT ${SWEEP_BATCH})`,
} as const

type Statements = Readonly<Record<keyof typeof STATEMENTS, SqliteStatement>>

/** A database that is ready to be used. */
class Connection {
  readonly commits: GroupCommit
  readonly #database: SqliteDatabase
  #statements: Statements

  constructor(database: SqliteDatabase, deps: Deps) {
    database.exec(SCHEMA)
    this.commits = new GroupCommit(database, deps)
    this.#database = database
    this.#statements = prepareAll(database)
  }

  run<Result>(work: (statements: Statements) => Result): Result {
    try {
      return work(this.#statements)
    } catch (error) {
      // libsql leaves a statement that met a damaged page where it stopped: it would fail for every other entry too.
      this.#statements = prepareAll(this.#database)
      throw error
    }
  }
}

/** Another process may be opening the file at the same moment. */
const OPEN_RETRIES = 40
const OPEN_RETRY_MILLISECONDS = 50

/**
 * Survives restarts and crashes of the process. With `path` it uses `node:sqlite`, or `libsql` if that is installed.
 *
 * @example new OAuthProvider({ …, store: new SqliteStore({ path: '/var/lib/my-server/auth.sqlite' }) })
 */
export class SqliteStore implements Store {
  readonly #open: () => Promise<SqliteDatabase>
  readonly #deps: Deps
  readonly #sweeper: Sweeper
  readonly #turn = new Turn()
  #opened: OpenedDatabase | undefined
  #connection: Connection | undefined
  #connecting: Promise<Connection> | undefined
  #closed = false

  constructor(options: SqliteStoreOptions) {
    const read = new OptionReader('SqliteStore', options, ['path', 'database', 'deps'])
    this.#open = parseOpen(read, (opened) => (this.#opened = opened))
    this.#deps = createDeps(options.deps)
    this.#sweeper = new Sweeper(this.#deps, () =>
      this.#write(({ sweep }) => Number(sweep.run(this.#deps.now()).changes)),
    )
  }

  async get(collection: string, key: string): Promise<StoreEntry | undefined> {
    checkNames(collection, key)
    const connection = this.#connection ?? (await this.#connect())
    let row: unknown
    try {
      row = await this.#turn.run(() =>
        connection.run((statements) => statements.get.get(collection, key, this.#deps.now())),
      )
    } catch (error) {
      throw StoreError.of('SqliteStore', error)
    }
    // Drivers differ in what they say where there is no row.
    if (row === undefined || row === null) return undefined
    const { value, version, expires_at } = row as { value: string; version: string; expires_at: number }
    return { value, version, expiresAt: Number(expires_at) }
  }

  async put(collection: string, key: string, entry: StoreEntry): Promise<void> {
    checkWrite(collection, key, entry)
    await this.#write(({ put }) => put.run(collection, key, entry.value, entry.version, entry.expiresAt))
    this.#sweeper.wake()
  }

  async putIfAbsent(collection: string, key: string, entry: StoreEntry): Promise<boolean> {
    checkWrite(collection, key, entry)
    const { value, version, expiresAt } = entry
    const done = await this.#write(({ putIfAbsent }) =>
      isDone(putIfAbsent.run(collection, key, value, version, expiresAt, this.#deps.now())),
    )
    this.#sweeper.wake()
    return done
  }

  async compareAndSwap(
    collection: string,
    key: string,
    version: string,
    entry: StoreEntry,
  ): Promise<boolean> {
    checkWrite(collection, key, entry)
    const { value, version: next, expiresAt } = entry
    return this.#write(({ compareAndSwap }) =>
      isDone(compareAndSwap.run(value, next, expiresAt, collection, key, version, this.#deps.now())),
    )
  }

  async delete(collection: string, key: string, version?: string): Promise<boolean> {
    checkNames(collection, key)
    return this.#write((statements) =>
      isDone(
        version === undefined
          ? statements.delete.run(collection, key, this.#deps.now())
          : statements.deleteVersion.run(collection, key, this.#deps.now(), version),
      ),
    )
  }

  sweep(): Promise<number> {
    return this.#sweeper.sweep()
  }

  /** Closes the file that was opened for `path`, after the writes under way. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#sweeper.stop()
    await this.#connecting?.catch(() => undefined)
    // Writes are run in the order they were asked for.
    if (this.#connection !== undefined) await this.#write(() => undefined)
    this.#closed = true
    this.#connection = undefined
    this.#opened?.close()
  }

  async #write<Result>(work: (statements: Statements) => Result): Promise<Result> {
    const connection = this.#connection ?? (await this.#connect())
    return connection.commits.run(() => connection.run(work))
  }

  /** Once, however many ask at the same time; again after it failed. */
  #connect(): Promise<Connection> {
    if (this.#closed) return Promise.reject(new StoreError('SqliteStore: it is closed'))
    this.#connecting ??= this.#tryToConnect().finally(() => {
      this.#connecting = undefined
    })
    return this.#connecting
  }

  async #tryToConnect(): Promise<Connection> {
    for (let retries = 0; ; retries++) {
      try {
        this.#connection = new Connection(await this.#open(), this.#deps)
        return this.#connection
      } catch (error) {
        this.#opened?.close()
        this.#opened = undefined
        if (error instanceof ConfigError) throw error
        if (!isBusy(error) || retries === OPEN_RETRIES) throw StoreError.of('SqliteStore', error)
        await new Promise<void>((done) => {
          this.#deps.after(OPEN_RETRY_MILLISECONDS, done)
        })
      }
    }
  }
}

function prepareAll(database: SqliteDatabase): Statements {
  const prepared = Object.entries(STATEMENTS).map(([name, sql]) => [name, database.prepare(sql)])
  return Object.fromEntries(prepared) as Statements
}

function isDone({ changes }: { readonly changes: number | bigint }): boolean {
  return Number(changes) > 0
}

function parseOpen(
  read: OptionReader,
  onOpened: (opened: OpenedDatabase) => void,
): () => Promise<SqliteDatabase> {
  const given = read.text('path')
  const database = read.raw('database') as SqliteDatabase | undefined
  if ((given === undefined) === (database === undefined)) {
    throw read.missing('path', 'a file such as "/var/lib/my-server/auth.sqlite", or else "database"')
  }
  if (given === undefined) {
    const shape = database as Partial<SqliteDatabase> | null
    if (typeof shape?.exec !== 'function' || typeof shape.prepare !== 'function') {
      throw read.invalid('database', 'a connection of better-sqlite3, libsql or node:sqlite')
    }
    return () => Promise.resolve(database as SqliteDatabase)
  }
  if (given.startsWith(':memory:')) throw read.invalid('path', 'a file; in memory there is MemoryStore')
  requireDriver()
  const path = resolve(given)
  return async () => {
    const opened = await openSqlite(path)
    onOpened(opened)
    return opened
  }
}

// Entries in a PostgreSQL table: durable, shared by any number of processes and machines.
import { OptionReader } from '../protocol/options.js'
import { type Deps, createDeps } from '../runtime/deps.js'
import { checkNames, checkWrite } from './checks.js'
import { Deadline } from './deadline.js'
import type { Store, StoreEntry } from './store.js'
import { SWEEP_BATCH, Sweeper } from './sweeper.js'

/** What we need of a `Pool` of the package `pg`. */
export interface PostgresPool {
  query(
    text: string,
    values?: (string | number)[],
  ): Promise<{ readonly rows: readonly unknown[]; readonly rowCount: number | null }>
}

export interface PostgresStoreOptions {
  /** A `Pool` of the package `pg`. It stays yours to end. */
  readonly pool: PostgresPool
  /** Made at the first use where it is missing. Default: `mcp_auth_entries`. */
  readonly table?: string
  readonly deps?: Partial<Deps>
}

/** Words that need no quotes, with a schema or without; it goes into statements as it stands. */
const TABLE = /^(?:[a-z_][a-z0-9_]{0,47}\.)?[a-z_][a-z0-9_]{0,47}$/

/** Two that make the same table at the same moment: one of them is told so by one of these. */
const MADE_BY_ANOTHER = new Set(['23505', '42P07', '42710'])

/**
 * For servers of several machines that have a PostgreSQL already. Each step is one statement, and is refused after two
 * seconds without an answer.
 *
 * @example new OAuthProvider({ …, store: new PostgresStore({ pool: new Pool({ connectionString }) }) })
 */
export class PostgresStore implements Store {
  readonly #pool: PostgresPool
  readonly #sql: ReturnType<typeof statements>
  readonly #now: () => number
  readonly #deadline: Deadline
  readonly #sweeper: Sweeper
  #ready = false
  #creating: Promise<void> | undefined

  constructor(options: PostgresStoreOptions) {
    const read = new OptionReader('PostgresStore', options, ['pool', 'table', 'deps'])
    if (!read.has('pool')) throw read.missing('pool', 'a Pool of the package "pg"')
    const pool = read.raw('pool') as Partial<PostgresPool> | null
    if (typeof pool?.query !== 'function') throw read.invalid('pool', 'a Pool of the package "pg"')
    const table = read.text('table') ?? 'mcp_auth_entries'
    if (!TABLE.test(table)) throw read.invalid('table', 'a name such as "mcp_auth_entries" or "auth.entries"')
    this.#pool = pool as PostgresPool
    this.#sql = statements(table)
    const deps = createDeps(options.deps)
    this.#now = deps.now
    this.#deadline = new Deadline('PostgresStore', deps)
    this.#sweeper = new Sweeper(deps, () => this.#change(this.#sql.sweep, [this.#now()]))
  }

  async get(collection: string, key: string): Promise<StoreEntry | undefined> {
    checkNames(collection, key)
    const { rows } = await this.#query(this.#sql.get, [collection, key, this.#now()])
    const row = rows[0] as { value: string; version: string; expires_at: unknown } | undefined
    // A bigint arrives as text.
    return row && { value: row.value, version: row.version, expiresAt: Number(row.expires_at) }
  }

  async put(collection: string, key: string, entry: StoreEntry): Promise<void> {
    checkWrite(collection, key, entry)
    const { value, version, expiresAt } = entry
    await this.#change(this.#sql.put, [collection, key, value, version, expiresAt])
    this.#sweeper.wake()
  }

  async putIfAbsent(collection: string, key: string, entry: StoreEntry): Promise<boolean> {
    checkWrite(collection, key, entry)
    const { value, version, expiresAt } = entry
    const values = [collection, key, value, version, expiresAt, this.#now()]
    const changed = await this.#change(this.#sql.putIfAbsent, values)
    this.#sweeper.wake()
    return changed === 1
  }

  async compareAndSwap(
    collection: string,
    key: string,
    version: string,
    entry: StoreEntry,
  ): Promise<boolean> {
    checkWrite(collection, key, entry)
    const values = [collection, key, version, this.#now(), entry.value, entry.version, entry.expiresAt]
    return (await this.#change(this.#sql.compareAndSwap, values)) === 1
  }

  async delete(collection: string, key: string, version?: string): Promise<boolean> {
    checkNames(collection, key)
    const named = [collection, key, this.#now()]
    const changed =
      version === undefined
        ? await this.#change(this.#sql.delete, named)
        : await this.#change(this.#sql.deleteVersion, [...named, version])
    return changed === 1
  }

  sweep(): Promise<number> {
    return this.#sweeper.sweep()
  }

  /** Stops sweeping. The pool is yours to end. */
  close(): Promise<void> {
    this.#sweeper.stop()
    return Promise.resolve()
  }

  async #change(text: string, values: (string | number)[]): Promise<number> {
    return Number((await this.#query(text, values)).rowCount)
  }

  #query(text: string, values: (string | number)[]): ReturnType<PostgresPool['query']> {
    return this.#deadline.run(async () => {
      if (!this.#ready) await this.#create()
      return this.#pool.query(text, values)
    })
  }

  /** Once, however many ask at the same time; again after it failed. */
  #create(): Promise<void> {
    this.#creating ??= this.#tryToCreate().finally(() => {
      this.#creating = undefined
    })
    return this.#creating
  }

  async #tryToCreate(): Promise<void> {
    // A role that may not create tables finds one that was made for it.
    const { rows } = await this.#pool.query('SELECT to_regclass($1) AS made', [this.#sql.table])
    if ((rows[0] as { made: unknown }).made === null) await this.#createTable()
    this.#ready = true
  }

  async #createTable(): Promise<void> {
    try {
      await this.#pool.query(this.#sql.create)
    } catch (error) {
      if (!MADE_BY_ANOTHER.has(String((error as { code?: unknown }).code))) throw error
    }
  }
}

/** All of them single statements: atomic without a transaction, and each other's changes are seen. */
function statements(table: string) {
  const upsert = `
    INSERT INTO ${table} AS held (collection, key, value, version, expires_at) VALUES ($1, $2, $3, $4, $5)
    ON CONFLICT (collection, key) DO UPDATE
    SET value = excluded.value, version = excluded.version, expires_at = excluded.expires_at`
  return {
    table,
    // Several statements in one query are one transaction.
    create: `
      CREATE TABLE IF NOT EXISTS ${table} (
        collection text NOT NULL, key text NOT NULL, value text NOT NULL, version text NOT NULL,
        expires_at bigint NOT NULL, PRIMARY KEY (collection, key));
      CREATE INDEX IF NOT EXISTS ${table.split('.').at(-1) as string}_expires_at ON ${table} (expires_at)`,
    get: `SELECT value, version, expires_at FROM ${table} WHERE collection = $1 AND key = $2 AND expires_at > $3`,
    put: upsert,
    putIfAbsent: `${upsert} WHERE held.expires_at <= $6`,
    compareAndSwap: `UPDATE ${table} SET value = $5, version = $6, expires_at = $7
      WHERE collection = $1 AND key = $2 AND version = $3 AND expires_at > $4`,
    delete: `DELETE FROM ${table} WHERE collection = $1 AND key = $2 AND expires_at > $3`,
    deleteVersion: `DELETE FROM ${table} WHERE collection = $1 AND key = $2 AND expires_at > $3 AND version = $4`,
    sweep: `DELETE FROM ${table} WHERE (collection, key) IN
      (SELECT collection, key FROM ${table} WHERE expires_at <= $1 ORDER BY expires_at LIMIT ${SWEEP_BATCH})
      AND expires_at <= $1`,
  }
}

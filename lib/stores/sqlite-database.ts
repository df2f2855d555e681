// Opens a SQLite file with what is there: node:sqlite, or libsql where Node has none.
import { closeSync, existsSync, openSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname } from 'node:path'
import { ConfigError } from '../protocol/errors.js'
import { makePrivateDirectory } from '../runtime/project.js'

/** What `better-sqlite3`, `libsql` and `node:sqlite` have in common. */
export interface SqliteDatabase {
  exec(sql: string): unknown
  prepare(sql: string): SqliteStatement
}

export interface SqliteStatement {
  get(...values: (string | number)[]): unknown
  run(...values: (string | number)[]): { readonly changes: number | bigint }
}

/** One that we opened, and close. */
export interface OpenedDatabase extends SqliteDatabase {
  close(): unknown
}

/** Loads a driver; undefined where it is not there. */
export type SqliteDriver = () => Promise<(new (path: string) => OpenedDatabase) | undefined>

/** Waiting blocks the event loop, so the driver waits no longer than others take to commit. */
const BUSY_MILLISECONDS = 20

const nodeSqlite: SqliteDriver = () => {
  const builtIn = process.getBuiltinModule('node:sqlite' as 'node:fs') as unknown as
    { readonly DatabaseSync: new (path: string) => OpenedDatabase } | undefined
  return Promise.resolve(builtIn?.DatabaseSync)
}

/** An optional peer, so it may be missing. */
export function libsqlDriver(
  load: () => Promise<{ readonly default: new (path: string) => OpenedDatabase }> = () => import('libsql'),
): SqliteDriver {
  return async () => {
    try {
      return (await load()).default
    } catch (error) {
      if ((error as { code?: unknown }).code === 'ERR_MODULE_NOT_FOUND') return undefined
      throw error
    }
  }
}

/** Opens a file, and makes it and its directory for the owner's eyes alone where they are missing. */
export async function openSqlite(
  path: string,
  drivers: readonly SqliteDriver[] = [nodeSqlite, libsqlDriver()],
): Promise<OpenedDatabase> {
  const Database = await firstOf(drivers)
  createFile(path)
  const database = new Database(path)
  try {
    database.exec(`PRAGMA busy_timeout = ${BUSY_MILLISECONDS}`)
    // What was committed survives the end of the process; the last moments before a power cut may not.
    database.exec('PRAGMA journal_mode = WAL')
    database.exec('PRAGMA synchronous = NORMAL')
  } catch (error) {
    database.close()
    throw error
  }
  return database
}

async function firstOf(drivers: readonly SqliteDriver[]): Promise<new (path: string) => OpenedDatabase> {
  for (const driver of drivers) {
    const Database = await driver()
    if (Database !== undefined) return Database
  }
  throw noDriver()
}

/** SQLite gives the files beside it the same permissions. */
function createFile(path: string): void {
  makePrivateDirectory(dirname(path))
  if (!existsSync(path)) closeSync(openSync(path, 'a', 0o600))
}

/**
 * Looks for a driver without loading one, so that whoever has none is told where the store is made, and not at the first request.
 *
 * @throws ConfigError
 */
export function requireDriver(isThere: (name: string) => boolean = isInstalled): void {
  if (!['node:sqlite', 'libsql'].some(isThere)) throw noDriver()
}

function isInstalled(name: string): boolean {
  const require = createRequire(import.meta.url)
  try {
    require.resolve(name)
    return true
  } catch {
    return false
  }
}

function noDriver(): ConfigError {
  return new ConfigError(
    'ERR_MCP_AUTH_MISSING_OPTION',
    'SqliteStore: this Node has no node:sqlite. Run "npm install libsql", use Node 22.13 or later, or pass "database"',
  )
}

/** Another connection has the database at this moment. */
export function isBusy(error: unknown): boolean {
  const { code, errcode } = error as { code?: unknown; errcode?: unknown }
  // The lowest byte tells SQLITE_BUSY (5) and SQLITE_LOCKED (6), the others why.
  if (typeof errcode === 'number') return (errcode & 0xff) === 5 || (errcode & 0xff) === 6
  return typeof code === 'string' && /^SQLITE_(?:BUSY|LOCKED)/.test(code)
}

// Opens a SQLite file with what is there: node:sqlite, or libsql where Node has none.
import { closeSync, existsSync, openSync } from 'node:fs'
import { createRequire, isBuiltin } from 'node:module'
import { dirname, join } from 'node:path'
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

/** As modules say it, and as a bundle does that made them CommonJS. */
const NOT_THERE: ReadonlySet<unknown> = new Set(['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND'])

/** An optional peer, so it may be missing. */
export function libsqlDriver(
  load: () => Promise<{ readonly default: new (path: string) => OpenedDatabase }> = () => import('libsql'),
): SqliteDriver {
  return async () => {
    try {
      return (await load()).default
    } catch (error) {
      if (NOT_THERE.has((error as { code?: unknown }).code)) return undefined
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
  // In a bundle this module has no URL, or that of another machine: then what is beside the program counts.
  return isBuiltin(name) || [import.meta.url, join(process.cwd(), 'package.json')].some(resolves(name))
}

function resolves(name: string): (from: string) => boolean {
  return (from) => {
    try {
      createRequire(from).resolve(name)
      return true
    } catch {
      return false
    }
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

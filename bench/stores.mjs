// What a store costs a record of 400 bytes that is put and taken: ours over SQLite against its bare driver, and memory.
import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { shuffle, summary } from './stats.mjs'
import { number, range, table } from './table.mjs'
import { runWorkload } from './workload.mjs'

const BUILT = new URL('../dist/stores/', import.meta.url)
const VALUE = 'x'.repeat(400)
const AT_ONCE = 16

const SCHEMA = `PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL;
  CREATE TABLE entries (key TEXT PRIMARY KEY, value TEXT NOT NULL, version TEXT NOT NULL, expires_at INTEGER NOT NULL);
  CREATE INDEX entries_expires_at ON entries (expires_at);`

/** What somebody writes who needs no store: two statements on a table of their own, each a transaction. */
function bareDriver(path) {
  const Database = createRequire(import.meta.url)('libsql')
  const database = new Database(path)
  database.exec(SCHEMA)
  const put = database.prepare('INSERT INTO entries VALUES (?, ?, ?, ?)')
  const take = database.prepare('DELETE FROM entries WHERE key = ? AND version = ? AND expires_at > ?')
  return {
    put: async (key, { value, version, expiresAt }) => put.run(key, value, version, expiresAt),
    take: async (key, version) => take.run(key, version, Date.now()).changes === 1,
    close: async () => database.close(),
  }
}

function ours(store) {
  return {
    put: (key, entry) => store.put('codes', key, entry),
    take: (key, version) => store.delete('codes', key, version),
    close: async () => store.close?.(),
  }
}

export async function measure({ quick }) {
  if (!existsSync(BUILT)) throw new Error('there is no build: npm run build')
  const { MemoryStore } = await import(new URL('memory.js', BUILT).href)
  const { SqliteStore } = await import(new URL('sqlite.js', BUILT).href)
  const Database = createRequire(import.meta.url)('libsql')
  const directory = mkdtempSync(join(tmpdir(), 'mcp-auth-bench-'))
  const file = (name) => join(directory, `${name}.sqlite`)
  // Both stand on the same driver, whatever this Node has of its own.
  const database = new Database(file('ours'))
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL')
  const stores = {
    memory: ours(new MemoryStore()),
    sqlite: ours(new SqliteStore({ database })),
    bare: bareDriver(file('bare')),
  }
  const rounds = quick ? 7 : 15
  const records = quick ? 400 : 1600
  const times = Object.fromEntries(Object.keys(stores).map((id) => [id, { alone: [], together: [] }]))
  for (let n = -2; n < rounds; n++) {
    for (const id of shuffle(Object.keys(stores))) {
      const alone = await round(stores[id], records, 1)
      const together = await round(stores[id], records, AT_ONCE)
      if (n < 0) continue
      times[id].alone.push(alone)
      times[id].together.push(together)
    }
  }
  for (const store of Object.values(stores)) await store.close()
  rmSync(directory, { recursive: true })
  // The round against the bare driver of the same turn, so that a slow moment of the machine cancels out.
  const ratio = (kind) => summary(times.sqlite[kind].map((time, n) => time / times.bare[kind][n]))
  return {
    rounds,
    records,
    times: Object.fromEntries(
      Object.entries(times).map(([id, { alone, together }]) => [
        id,
        { alone: summary(alone), together: summary(together) },
      ]),
    ),
    ratio: { alone: ratio('alone'), together: ratio('together') },
  }
}

/** Microseconds for one record to be put and taken. A turn of the event loop lies between, as between two requests. */
async function round(store, records, atOnce) {
  const start = process.hrtime.bigint()
  const worker = async () => {
    for (let n = 0; n < records / atOnce; n++) {
      const key = randomBytes(18).toString('hex')
      const version = key.slice(0, 24)
      await store.put(key, { value: VALUE, version, expiresAt: Date.now() + 60_000 })
      await new Promise((resolve) => setImmediate(resolve))
      if ((await store.take(key, version)) !== true) throw new Error('a record was lost')
    }
  }
  await Promise.all(Array.from({ length: atOnce }, worker))
  return Number(process.hrtime.bigint() - start) / 1000 / records
}

const LABELS = {
  memory: 'MemoryStore',
  sqlite: 'SqliteStore on libsql',
  bare: 'libsql, bare statements',
}

export function tables({ rounds, records, times, ratio }) {
  const rows = Object.entries(times).map(([id, { alone, together }]) => [
    LABELS[id],
    range(alone),
    range(together),
  ])
  return [
    `### Stores: a record put and taken (${rounds} rounds of ${records})`,
    table(['', 'µs, one at a time', `µs, ${AT_ONCE} at once`], rows),
    `SqliteStore against the bare driver: ${number(ratio.alone.median)} one at a time, ${number(ratio.together.median)} with ${AT_ONCE} at once.`,
  ].join('\n\n')
}

await runWorkload(import.meta, measure, tables)

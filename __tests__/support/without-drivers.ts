// A process in which no driver for SQLite can be found: it prints what becomes of a store that is made there.
import Module from 'node:module'
import { SqliteStore } from '../../lib/stores/sqlite.js'

const internal = Module as unknown as { _resolveFilename: (name: string, ...rest: unknown[]) => string }
const resolve = internal._resolveFilename
internal._resolveFilename = (name, ...rest) => {
  if (name === 'node:sqlite' || name === 'libsql') throw new Error(`Cannot find module '${name}'`)
  return resolve.call(Module, name, ...rest)
}

try {
  new SqliteStore({ path: process.argv[2] ?? '' })
  console.log('made')
} catch (error) {
  const { name, code, message } = error as { name: string; code?: string; message: string }
  console.log(JSON.stringify({ name, code, message }))
}

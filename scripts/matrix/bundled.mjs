// What bundlers are given: the checks without a framework, which run with nothing installed beside them.
import { SqliteStore } from 'express-mcp-auth/stores/sqlite'
import { bare, checkGuard, checkProxy, checkServer, checkServerInMemory } from './checks.mjs'

const hasSqlite = process.getBuiltinModule('node:sqlite') !== undefined

async function main() {
  checkProxy()
  await checkGuard(bare)
  await checkServerInMemory(bare)
  if (hasSqlite) {
    const store = new SqliteStore({ path: 'bundled.sqlite' })
    await checkServer(bare, store)
    await store.close()
  }
  console.log('bundled')
}

main().catch((error) => {
  console.error(error)
  process.exitCode = 1
})

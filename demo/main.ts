// npm start: an MCP server on this machine that is its own authorization server. Nothing else is needed, not even a network.
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { toNodeHandler } from '@modelcontextprotocol/node'
import express from 'express'
import { OAuthProvider, consoleEvents, mcpAuth } from 'express-mcp-auth'
import { SqliteStore } from 'express-mcp-auth/stores/sqlite'
import { howToConnect } from './connect.js'
import { notes, scopes, toolScopes } from './notes.js'
import { takeTour } from './tour.js'

/** Whoever may sign in. A real app looks into its database; examples/oauth-provider.ts shows how passwords are kept there. */
const people = new Map([
  ['alice', { password: 'wonderland', name: 'Alice' }],
  ['bob', { password: 'builder', name: 'Bob' }],
])

// What survives a restart: who is connected, and the secret that all keys are made from. Other users of this machine see neither.
const directory = process.env['MCP_AUTH_DIRECTORY'] ?? '.mcp-auth'
const store = new SqliteStore({ path: join(directory, 'demo.sqlite') })
const secret = keptSecret(join(directory, 'demo.secret'))

const app = express()
const server = app.listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1')
server.on('error', ({ message }) => {
  console.error(`${message}. On another port: PORT=3001 npm start`)
  process.exit(1)
})
await once(server, 'listening')
const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`

const provider = new OAuthProvider({
  baseUrl,
  secret,
  store,
  signIn: {
    verifyCredentials(username, password) {
      const person = people.get(username)
      return person?.password === password ? { subject: username, name: person.name } : null
    },
  },
  requiredScopes: ['notes:use'],
  scopesSupported: Object.keys(scopes),
  scopeDescriptions: scopes,
  resourceName: 'Notes',
})
app.use(mcpAuth(provider, { toolScopes, onEvent: consoleEvents() }))
app.all('/mcp', toNodeHandler(notes))

console.log(howToConnect(baseUrl))

if (process.argv.includes('--try')) {
  try {
    await takeTour(baseUrl)
    console.log('\nAll as expected.')
  } catch (error) {
    console.error('\nNot as expected:', error)
    process.exitCode = 1
  }
  await stop()
} else {
  process.once('SIGINT', () => void stop()).once('SIGTERM', () => void stop())
}

/** What is under way is answered first. Streams that stay open are cut after a moment. */
async function stop(): Promise<void> {
  server.close()
  server.closeIdleConnections()
  setTimeout(() => server.closeAllConnections(), 1000).unref()
  await once(server, 'close')
  await store.close()
}

/** The same secret at each start. A real app gets it from a secret store or the environment. */
function keptSecret(file: string): string {
  mkdirSync(directory, { recursive: true, mode: 0o700 })
  try {
    writeFileSync(file, randomBytes(32).toString('base64url'), { flag: 'wx', mode: 0o600 })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  return readFileSync(file, 'utf8')
}

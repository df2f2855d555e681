// The whole of it in one app: people sign in to your MCP server with the accounts that you keep, on pages that are there already.
import { randomBytes, scrypt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { toNodeHandler } from '@modelcontextprotocol/node'
import { McpServer, createMcpHandler } from '@modelcontextprotocol/server'
import express from 'express'
import { OAuthProvider, type User, getAccessToken, mcpAuth } from 'express-mcp-auth'
import { SqliteStore } from 'express-mcp-auth/stores/sqlite'

const { PORT = '3000', BASE_URL = `http://127.0.0.1:${PORT}` } = process.env
// In production from a secret store, the same on every replica. This one signs everybody out when the process ends.
const { SECRET = randomBytes(32).toString('base64url'), STORE = '.mcp-auth/example.sqlite' } = process.env

const stretch = promisify<string, Buffer, number, Buffer>(scrypt)

async function protect(password: string): Promise<{ salt: Buffer; hash: Buffer }> {
  const salt = randomBytes(16)
  return { salt, hash: await stretch(password, salt, 64) }
}

const accounts = new Map([
  ['ada', { subject: 'user-1', name: 'Ada Lovelace', password: await protect('analytical') }],
])
// Somebody who does not exist takes as long as somebody who mistyped, so that nobody learns who exists.
const nobody = await protect(randomBytes(16).toString('hex'))

async function verifyCredentials(username: string, password: string): Promise<User | null> {
  const account = accounts.get(username)
  const { salt, hash } = account?.password ?? nobody
  const fits = timingSafeEqual(await stretch(password, salt, 64), hash)
  return fits && account !== undefined ? { subject: account.subject, name: account.name } : null
}

const handler = createMcpHandler(() => {
  const mcp = new McpServer({ name: 'oauth-provider', version: '1.0.0' })
  mcp.registerTool('whoami', { description: 'Tells who calls' }, () => ({
    content: [{ type: 'text', text: getAccessToken()?.subject ?? 'nobody' }],
  }))
  return mcp
})

const store = new SqliteStore({ path: STORE })
const provider = new OAuthProvider({
  baseUrl: BASE_URL,
  secret: SECRET,
  store,
  signIn: { verifyCredentials },
  requiredScopes: ['mcp:use'],
  scopeDescriptions: { 'mcp:use': 'Use your account' },
})
const app = express()
app.use(mcpAuth(provider))
app.all('/mcp', toNodeHandler(handler))

export const server = app.listen(Number(PORT), '127.0.0.1')
server.on('listening', () => console.log(`${BASE_URL}/mcp takes clients of "ada", password "analytical"`))
server.on('close', () => void store.close())

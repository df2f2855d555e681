// Several replicas of one authorization server, with the PostgreSQL between them that the app has anyway. The table is made at first use.
import { toNodeHandler } from '@modelcontextprotocol/node'
import { McpServer, createMcpHandler } from '@modelcontextprotocol/server'
import express from 'express'
import { OAuthProvider, getAccessToken, mcpAuth } from 'express-mcp-auth'
import { PostgresStore } from 'express-mcp-auth/stores/postgres'
import { Pool } from 'pg'

const { PORT = '3000', BASE_URL = `http://127.0.0.1:${PORT}`, SECRET, DATABASE_URL } = process.env
if (!SECRET || !DATABASE_URL) throw new Error('Set SECRET and DATABASE_URL')

const pool = new Pool({ connectionString: DATABASE_URL })
pool.on('error', console.error) // without it, a connection that is lost while idle ends the process
const store = new PostgresStore({ pool })

const handler = createMcpHandler(() => {
  const mcp = new McpServer({ name: 'oauth-postgres', version: '1.0.0' })
  mcp.registerTool('whoami', { description: 'Tells who calls' }, () => ({
    content: [{ type: 'text', text: getAccessToken()?.subject ?? 'nobody' }],
  }))
  return mcp
})

const provider = new OAuthProvider({
  baseUrl: BASE_URL,
  secret: SECRET,
  store,
  signIn: {
    // Yours: see oauth-provider.ts for how passwords are kept.
    verifyCredentials: (username, password) =>
      username === 'ada' && password === 'analytical' ? { subject: 'user-1', name: 'Ada Lovelace' } : null,
  },
})
const app = express()
app.use(mcpAuth(provider))
app.all('/mcp', toNodeHandler(handler))

export const server = app.listen(Number(PORT), '127.0.0.1')
server.on('listening', () => console.log(`${BASE_URL}/mcp takes clients of "ada", password "analytical"`))
server.on('close', () => void store.close().then(() => pool.end()))

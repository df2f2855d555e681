// Several replicas of one authorization server, with Redis between them: what one has granted all of them know, and what one has
// revoked all of them refuse. Redis keeps what it is set up to keep: "appendonly yes" survives its restart.
import { toNodeHandler } from '@modelcontextprotocol/node'
import { McpServer, createMcpHandler } from '@modelcontextprotocol/server'
import express from 'express'
import { OAuthProvider, getAccessToken, mcpAuth } from 'express-mcp-auth'
import { EncryptedStore } from 'express-mcp-auth/stores/encrypted'
import { RedisStore } from 'express-mcp-auth/stores/redis'
import { createClient } from 'redis'

const { PORT = '3000', BASE_URL = `http://127.0.0.1:${PORT}`, SECRET, STORE_KEY, REDIS_URL } = process.env
if (!SECRET || !STORE_KEY || !REDIS_URL) throw new Error('Set SECRET, STORE_KEY and REDIS_URL')

const client = createClient({ url: REDIS_URL })
client.on('error', console.error) // without it, a lost connection ends the process
await client.connect()

const handler = createMcpHandler(() => {
  const mcp = new McpServer({ name: 'oauth-redis', version: '1.0.0' })
  mcp.registerTool('whoami', { description: 'Tells who calls' }, () => ({
    content: [{ type: 'text', text: getAccessToken()?.subject ?? 'nobody' }],
  }))
  return mcp
})

const provider = new OAuthProvider({
  baseUrl: BASE_URL,
  secret: SECRET,
  store: new EncryptedStore({ store: new RedisStore({ client }), keys: [STORE_KEY] }),
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
server.on('close', () => void client.close())

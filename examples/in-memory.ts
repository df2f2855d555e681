// For tests and development: an authorization server that lets everybody in, asks nobody anything, and forgets all when it ends.
// It starts on loopback addresses alone.
import { toNodeHandler } from '@modelcontextprotocol/node'
import { McpServer, createMcpHandler } from '@modelcontextprotocol/server'
import express from 'express'
import { InMemoryOAuthProvider, getAccessToken, mcpAuth } from 'express-mcp-auth'

const { PORT = '3000', BASE_URL = `http://127.0.0.1:${PORT}` } = process.env

const handler = createMcpHandler(() => {
  const mcp = new McpServer({ name: 'in-memory', version: '1.0.0' })
  mcp.registerTool('whoami', { description: 'Tells who calls' }, () => ({
    content: [{ type: 'text', text: getAccessToken()?.subject ?? 'nobody' }],
  }))
  return mcp
})

const provider = new InMemoryOAuthProvider({
  baseUrl: BASE_URL,
  requiredScopes: ['mcp:use'],
  user: { subject: 'user-1', name: 'Ada Lovelace' }, // who everybody is
})
const app = express()
app.use(mcpAuth(provider))
app.all('/mcp', toNodeHandler(handler))

export const server = app.listen(Number(PORT), '127.0.0.1')
server.on('listening', () => console.log(`${BASE_URL}/mcp takes clients of anybody`))

// Express 4. In your app it is called "express"; here it is installed beside Express 5 under a name of its own.
import { toNodeHandler } from '@modelcontextprotocol/node'
import { McpServer, createMcpHandler } from '@modelcontextprotocol/server'
import express from 'express4'
import { StaticTokenVerifier, mcpAuth } from 'express-mcp-auth'

const { PORT = '3000' } = process.env

const handler = createMcpHandler(() => {
  const mcp = new McpServer({ name: 'express-4', version: '1.0.0' })
  mcp.registerTool('whoami', { description: 'Tells who calls' }, (ctx) => ({
    content: [{ type: 'text', text: ctx.http?.authInfo?.clientId ?? 'nobody' }],
  }))
  return mcp
})

const app = express()
// For development. In production, a RemoteAuthProvider or a verifier for the tokens of your identity provider.
app.use(mcpAuth(new StaticTokenVerifier({ tokens: { 'dev-token': { clientId: 'dev' } } })))
app.all('/mcp', toNodeHandler(handler))

export const server = app.listen(Number(PORT), '127.0.0.1')
server.on('listening', () => {
  console.log(`http://127.0.0.1:${PORT}/mcp takes "Authorization: Bearer dev-token"`)
})

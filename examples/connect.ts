// connect instead of Express: the same guard, the same handler.
import { type RequestListener, createServer } from 'node:http'
import { toNodeHandler } from '@modelcontextprotocol/node'
import { McpServer, createMcpHandler } from '@modelcontextprotocol/server'
import connect from 'connect'
import { StaticTokenVerifier, mcpAuth } from 'express-mcp-auth'

const { PORT = '3000' } = process.env

const handler = createMcpHandler(() => {
  const mcp = new McpServer({ name: 'connect', version: '1.0.0' })
  mcp.registerTool('whoami', { description: 'Tells who calls' }, (ctx) => ({
    content: [{ type: 'text', text: ctx.http?.authInfo?.clientId ?? 'nobody' }],
  }))
  return mcp
})

const app = connect()
// For development. In production, a RemoteAuthProvider or a verifier for the tokens of your identity provider.
app.use(mcpAuth(new StaticTokenVerifier({ tokens: { 'dev-token': { clientId: 'dev' } } })))
// The SDK's type of a request is a little narrower than node's.
app.use('/mcp', toNodeHandler(handler) as RequestListener)

export const server = createServer(app)
server.listen(Number(PORT), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${PORT}/mcp takes "Authorization: Bearer dev-token"`)
})

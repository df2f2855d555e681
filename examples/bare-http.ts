// No framework: the guard is called with node's own request and response, and with what comes next.
import { type RequestListener, createServer } from 'node:http'
import { toNodeHandler } from '@modelcontextprotocol/node'
import { McpServer, createMcpHandler } from '@modelcontextprotocol/server'
import { StaticTokenVerifier, mcpAuth } from 'express-mcp-auth'

const { PORT = '3000' } = process.env

const handler = createMcpHandler(() => {
  const mcp = new McpServer({ name: 'bare-http', version: '1.0.0' })
  mcp.registerTool('whoami', { description: 'Tells who calls' }, (ctx) => ({
    content: [{ type: 'text', text: ctx.http?.authInfo?.clientId ?? 'nobody' }],
  }))
  return mcp
})

// For development. In production, a RemoteAuthProvider or a verifier for the tokens of your identity provider.
const guard = mcpAuth(new StaticTokenVerifier({ tokens: { 'dev-token': { clientId: 'dev' } } }))

// The SDK's type of a request is a little narrower than node's.
const handle = toNodeHandler(handler) as RequestListener

export const server = createServer((req, res) => {
  guard(req, res, (error) => {
    if (error === undefined) return handle(req, res)
    console.error(error)
    res.writeHead(500).end()
  })
})

server.listen(Number(PORT), '127.0.0.1', () => {
  console.log(`http://127.0.0.1:${PORT}/mcp takes "Authorization: Bearer dev-token"`)
})

// Everything from the environment, so that one image serves every deployment:
//
//   MCP_AUTH_PROVIDER=jwt
//   MCP_AUTH_BASE_URL=https://api.example.com
//   MCP_AUTH_JWKS_URI=https://login.example.com/jwks
//   MCP_AUTH_ISSUER=https://login.example.com
//   MCP_AUTH_AUDIENCE=https://api.example.com/mcp
//   MCP_AUTH_REQUIRED_SCOPES=mcp:use
import { toNodeHandler } from '@modelcontextprotocol/node'
import { McpServer, createMcpHandler } from '@modelcontextprotocol/server'
import express from 'express'
import { mcpAuth, providerFromEnv } from 'express-mcp-auth'

const { PORT = '3000' } = process.env

const handler = createMcpHandler(() => {
  const mcp = new McpServer({ name: 'from-env', version: '1.0.0' })
  mcp.registerTool('whoami', { description: 'Tells who calls' }, (ctx) => ({
    content: [{ type: 'text', text: ctx.http?.authInfo?.clientId ?? 'nobody' }],
  }))
  return mcp
})

const app = express()
app.use(mcpAuth(providerFromEnv()))
app.all('/mcp', toNodeHandler(handler))

export const server = app.listen(Number(PORT))
server.on('listening', () => {
  console.log(`http://localhost:${PORT}/mcp takes access tokens: "Authorization: Bearer …"`)
})

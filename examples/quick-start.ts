// The shortest protected MCP server. Your authorization server issues the tokens, as JWTs.
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import express from 'express'
import { RemoteAuthProvider, getAccessToken, mcpAuth } from 'express-mcp-auth'

const { PORT = '3000', BASE_URL = `http://localhost:${PORT}` } = process.env
const { ISSUER = 'https://login.example.com', JWKS_URI = `${ISSUER}/jwks` } = process.env

const provider = new RemoteAuthProvider({
  baseUrl: BASE_URL,
  authorizationServers: [ISSUER],
  jwksUri: JWKS_URI,
  requiredScopes: ['mcp:use'],
})

function createMcpServer(): McpServer {
  const mcp = new McpServer({ name: 'quick-start', version: '1.0.0' })
  mcp.registerTool('whoami', { description: 'Tells who calls' }, () => ({
    content: [{ type: 'text', text: getAccessToken()?.subject ?? 'nobody' }],
  }))
  return mcp
}

const app = express()
app.use(mcpAuth(provider)) // publishes where to sign in, and guards everything below

app.post('/mcp', async (req, res) => {
  const mcp = createMcpServer()
  const transport = new StreamableHTTPServerTransport()
  res.on('close', () => void mcp.close())
  await mcp.connect(transport)
  await transport.handleRequest(req, res)
})
app.all('/mcp', (_req, res) => void res.status(405).set('Allow', 'POST').end())

export const server = app.listen(Number(PORT))
server.on('listening', () => {
  console.log(`${BASE_URL}/mcp takes access tokens of ${ISSUER}: "Authorization: Bearer …"`)
})

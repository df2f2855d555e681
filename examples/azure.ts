// People sign in at Microsoft Entra ID. Register an app with the redirect URI http://localhost:3000/auth/callback of the platform "Web", and a
// scope "mcp.use" under "Expose an API": docs/providers.md.
import { toNodeHandler } from '@modelcontextprotocol/node'
import { McpServer, createMcpHandler } from '@modelcontextprotocol/server'
import express from 'express'
import { getAccessToken, mcpAuth } from 'express-mcp-auth'
import { AzureProvider } from 'express-mcp-auth/providers/azure'
import { SqliteStore } from 'express-mcp-auth/stores/sqlite'

const { PORT = '3000', BASE_URL = `http://localhost:${PORT}`, STORE = '.mcp-auth/azure.sqlite' } = process.env
const { AZURE_TENANT_ID: tenantId, AZURE_CLIENT_ID: clientId } = process.env
const { AZURE_CLIENT_SECRET: clientSecret, SECRET } = process.env
if (!tenantId || !clientId || !clientSecret || !SECRET) {
  throw new Error('Set AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET and SECRET')
}

const handler = createMcpHandler(() => {
  const mcp = new McpServer({ name: 'azure', version: '1.0.0' })
  mcp.registerTool('whoami', { description: 'Tells who calls' }, () => {
    const { name = 'Somebody', roles = [] } = getAccessToken()?.claims ?? {}
    return { content: [{ type: 'text', text: `${String(name)}, ${JSON.stringify(roles)}` }] }
  })
  return mcp
})

const store = new SqliteStore({ path: STORE })
const provider = new AzureProvider({
  tenantId,
  clientId,
  clientSecret,
  baseUrl: BASE_URL,
  secret: SECRET,
  store,
  requiredScopes: ['mcp.use'],
  scopeDescriptions: { 'mcp.use': 'Use your account' },
})
const app = express()
app.use(mcpAuth(provider))
app.all('/mcp', toNodeHandler(handler))

export const server = app.listen(Number(PORT))
server.on('listening', () => console.log(`${BASE_URL}/mcp takes whoever signs in at the tenant ${tenantId}`))
server.on('close', () => void store.close())

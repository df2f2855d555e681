// A tool acts for the user at another API: their token of this app is exchanged for one of Microsoft Graph. Beside what azure.ts needs, add the
// delegated permission User.Read under "API permissions" of the app registration.
import { toNodeHandler } from '@modelcontextprotocol/node'
import { McpServer, createMcpHandler } from '@modelcontextprotocol/server'
import express from 'express'
import { exchangeToken, getAccessToken, mcpAuth } from 'express-mcp-auth'
import { AzureProvider } from 'express-mcp-auth/providers/azure'
import { SqliteStore } from 'express-mcp-auth/stores/sqlite'

const {
  PORT = '3000',
  BASE_URL = `http://localhost:${PORT}`,
  STORE = '.mcp-auth/on-behalf-of.sqlite',
} = process.env
const { AZURE_TENANT_ID: tenantId, AZURE_CLIENT_ID: clientId } = process.env
const { AZURE_CLIENT_SECRET: clientSecret, SECRET } = process.env
if (!tenantId || !clientId || !clientSecret || !SECRET) {
  throw new Error('Set AZURE_TENANT_ID, AZURE_CLIENT_ID, AZURE_CLIENT_SECRET and SECRET')
}

const GRAPH = 'https://graph.microsoft.com'
const READ = `${GRAPH}/User.Read`

/** The same user asks for the same token until shortly before its end: it is kept. */
async function jobTitle(): Promise<string> {
  const upstream = getAccessToken()?.upstream
  if (upstream === undefined) throw new Error('Nobody signed in')
  const tokenUrl = `https://login.microsoftonline.com/${tenantId}/oauth2/v2.0/token`
  const app = { kind: 'on_behalf_of', tokenUrl, clientId: clientId!, clientSecret } as const
  const { accessToken } = await exchangeToken({ ...app, subjectToken: upstream, scopes: [READ] })
  const answer = await fetch(`${GRAPH}/v1.0/me`, { headers: { authorization: `Bearer ${accessToken}` } })
  if (!answer.ok) throw new Error(`Graph answered ${answer.status}`)
  const { jobTitle: title } = (await answer.json()) as { readonly jobTitle: string | null }
  return title ?? 'none'
}

const handler = createMcpHandler(() => {
  const mcp = new McpServer({ name: 'on-behalf-of', version: '1.0.0' })
  mcp.registerTool('job_title', { description: 'Tells what they do' }, async () => ({
    content: [{ type: 'text', text: await jobTitle() }],
  }))
  return mcp
})

const store = new SqliteStore({ path: STORE })
const common = { tenantId, clientId, clientSecret, baseUrl: BASE_URL, secret: SECRET, store }
// People agree to both when they sign in.
const scopes = { requiredScopes: ['mcp.use'], additionalAuthorizeScopes: [READ] }
const app = express()
app.use(mcpAuth(new AzureProvider({ ...common, ...scopes })))
app.all('/mcp', toNodeHandler(handler))

export const server = app.listen(Number(PORT))
server.on('listening', () => console.log(`${BASE_URL}/mcp takes whoever signs in at the tenant ${tenantId}`))
server.on('close', () => void store.close())

// People sign in at any identity provider that speaks OpenID Connect. Register an app there with the redirect URI
// http://127.0.0.1:3000/auth/callback, the authorization code grant, and refresh tokens if it has them.
import { toNodeHandler } from '@modelcontextprotocol/node'
import { McpServer, createMcpHandler } from '@modelcontextprotocol/server'
import express from 'express'
import { OIDCProxy, getAccessToken, mcpAuth } from 'express-mcp-auth'
import { SqliteStore } from 'express-mcp-auth/stores/sqlite'

const { PORT = '3000', BASE_URL = `http://127.0.0.1:${PORT}`, STORE = '.mcp-auth/oidc.sqlite' } = process.env
const { CONFIG_URL: configUrl, CLIENT_ID: clientId, CLIENT_SECRET: clientSecret, SECRET } = process.env
if (!configUrl || !clientId || !clientSecret || !SECRET) {
  throw new Error('Set CONFIG_URL, CLIENT_ID, CLIENT_SECRET and SECRET')
}

const handler = createMcpHandler(() => {
  const mcp = new McpServer({ name: 'oidc', version: '1.0.0' })
  mcp.registerTool('whoami', { description: 'Tells who calls' }, () => {
    const { subject, claims } = getAccessToken() ?? {}
    return { content: [{ type: 'text', text: `${subject}, ${String(claims?.['name'])}` }] }
  })
  return mcp
})

const store = new SqliteStore({ path: STORE })
const provider = new OIDCProxy({
  configUrl, // ends in /.well-known/openid-configuration, and is fetched when somebody signs in
  clientId,
  clientSecret,
  baseUrl: BASE_URL,
  secret: SECRET,
  store,
  requiredScopes: ['openid', 'profile'],
  verifyIdToken: true, // who signed in stands in the ID token; leave it out where access tokens are JWTs, and name their "audience"
})
const app = express()
app.use(mcpAuth(provider))
app.all('/mcp', toNodeHandler(handler))

export const server = app.listen(Number(PORT), '127.0.0.1')
server.on('listening', () => console.log(`${BASE_URL}/mcp takes whoever signs in by ${configUrl}`))
server.on('close', () => void store.close())

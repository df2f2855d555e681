// People sign in at Google, and only those of one company may call. Make an OAuth client of the type "Web application" with the authorized
// redirect URI http://127.0.0.1:3000/auth/callback: docs/providers.md.
import { toNodeHandler } from '@modelcontextprotocol/node'
import { McpServer, createMcpHandler } from '@modelcontextprotocol/server'
import express from 'express'
import { getAccessToken, mcpAuth } from 'express-mcp-auth'
import { GoogleProvider } from 'express-mcp-auth/providers/google'
import { SqliteStore } from 'express-mcp-auth/stores/sqlite'

const {
  PORT = '3000',
  BASE_URL = `http://127.0.0.1:${PORT}`,
  STORE = '.mcp-auth/google.sqlite',
} = process.env
const { GOOGLE_CLIENT_ID: clientId, GOOGLE_CLIENT_SECRET: clientSecret, SECRET } = process.env
if (!clientId || !clientSecret || !SECRET) {
  throw new Error('Set GOOGLE_CLIENT_ID, GOOGLE_CLIENT_SECRET and SECRET')
}
const { DOMAIN = 'example.com' } = process.env

const handler = createMcpHandler(() => {
  const mcp = new McpServer({ name: 'google', version: '1.0.0' })
  mcp.registerTool('whoami', { description: 'Tells who calls' }, () => {
    const { email = 'nobody' } = getAccessToken()?.claims ?? {}
    return { content: [{ type: 'text', text: String(email) }] }
  })
  return mcp
})

const store = new SqliteStore({ path: STORE })
const provider = new GoogleProvider({
  clientId,
  clientSecret,
  baseUrl: BASE_URL,
  secret: SECRET,
  store,
  requiredScopes: ['openid', 'email'],
  extraAuthorizeParams: { hd: DOMAIN }, // offers accounts of the company first
})
const app = express()
app.use(mcpAuth(provider))
app.use('/mcp', (req, res, next) => {
  // The parameter above is a wish. What Google says of the account is a fact.
  if (getAccessToken(req)?.claims['hd'] === DOMAIN) next()
  else res.status(403).json({ error: 'access_denied', error_description: `This is for ${DOMAIN} alone` })
})
app.all('/mcp', toNodeHandler(handler))

export const server = app.listen(Number(PORT), '127.0.0.1')
server.on('listening', () =>
  console.log(`${BASE_URL}/mcp takes whoever signs in at Google with an account of ${DOMAIN}`),
)
server.on('close', () => void store.close())

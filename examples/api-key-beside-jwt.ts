// People come with JWTs, machines with an API key in a header of their own. A provider is a plain object: write what you need.
import { hash } from 'node:crypto'
import { toNodeHandler } from '@modelcontextprotocol/node'
import { McpServer, createMcpHandler } from '@modelcontextprotocol/server'
import express from 'express'
import { type AuthProvider, JWTVerifier, OAuthError, mcpAuth } from 'express-mcp-auth'

const { PORT = '3000', BASE_URL = `http://localhost:${PORT}` } = process.env
const { ISSUER = 'https://login.example.com', JWKS_URI = `${ISSUER}/jwks` } = process.env

const jwt = new JWTVerifier({ jwksUri: JWKS_URI, issuer: ISSUER, audience: `${BASE_URL}/mcp` })

// Digests instead of keys: nobody can read a key from here, and a near miss takes no longer than a far one.
const clients = new Map([
  [hash('sha256', 'dev-key-of-reports'), { clientId: 'reports', scopes: ['mcp:use'] }],
])

const provider: AuthProvider = {
  baseUrl: BASE_URL,
  authorizationServers: [ISSUER],
  requiredScopes: ['mcp:use'],
  verifyToken: (token, context) => jwt.verifyToken(token, context),
  recall: (token, context) => jwt.recall(token, context),
  authenticate({ headers }) {
    const key = headers['x-api-key']
    if (typeof key !== 'string') return null // no key: the caller is told where to sign in
    const client = clients.get(hash('sha256', key))
    if (client === undefined) throw new OAuthError('invalid_token', 'This API key is not known')
    return { ...client, tokenType: 'ApiKey' }
  },
}

const handler = createMcpHandler(() => {
  const mcp = new McpServer({ name: 'reports', version: '1.0.0' })
  mcp.registerTool('whoami', { description: 'Tells who calls' }, (ctx) => ({
    content: [{ type: 'text', text: ctx.http?.authInfo?.clientId ?? 'nobody' }],
  }))
  return mcp
})

const app = express()
app.use(mcpAuth(provider))
app.all('/mcp', toNodeHandler(handler))

export const server = app.listen(Number(PORT), '127.0.0.1')
server.on('listening', () => {
  console.log(`${BASE_URL}/mcp takes access tokens of ${ISSUER}, and "X-API-Key: dev-key-of-reports"`)
})

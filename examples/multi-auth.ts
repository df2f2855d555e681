// Several sources of tokens at one endpoint. Each token goes to the verifier that it belongs to, and no other gets to see it.
import { toNodeHandler } from '@modelcontextprotocol/node'
import { McpServer, createMcpHandler } from '@modelcontextprotocol/server'
import express from 'express'
import { MultiAuth, RemoteAuthProvider, StaticTokenVerifier, mcpAuth } from 'express-mcp-auth'

const { PORT = '3000', BASE_URL = `http://localhost:${PORT}` } = process.env
const { ISSUER = 'https://login.example.com', JWKS_URI = `${ISSUER}/jwks` } = process.env

// People sign in at the authorization server, where clients that come without a token are sent.
const people = new RemoteAuthProvider({
  baseUrl: BASE_URL,
  authorizationServers: [ISSUER],
  jwksUri: JWKS_URI,
})

// Machines have tokens that begin with "sk_".
const machines = new StaticTokenVerifier({
  tokenPrefix: 'sk_',
  tokens: { 'sk_dev-token-of-backup': { clientId: 'backup', scopes: ['mcp:use'] } },
})

const provider = new MultiAuth({ server: people, verifiers: [machines], requiredScopes: ['mcp:use'] })

const handler = createMcpHandler(() => {
  const mcp = new McpServer({ name: 'multi-auth', version: '1.0.0' })
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
  console.log(`${BASE_URL}/mcp takes access tokens of ${ISSUER}, and "sk_dev-token-of-backup"`)
})

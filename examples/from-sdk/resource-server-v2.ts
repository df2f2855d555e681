// The same with SDK v2: requireBearerAuth and mcpAuthMetadataRouter of @modelcontextprotocol/express become mcpAuth.
import { toNodeHandler } from '@modelcontextprotocol/node'
import { McpServer, createMcpHandler } from '@modelcontextprotocol/server'
import express from 'express'
import { RemoteAuthProvider, mcpAuth } from 'express-mcp-auth'

const { ISSUER = 'https://login.example.com', JWKS_URI = `${ISSUER}/jwks` } = process.env

const handler = createMcpHandler(() => {
  const mcp = new McpServer({ name: 'notes', version: '1.0.0' })
  mcp.registerTool('whoami', {}, (ctx) => ({
    content: [{ type: 'text', text: `${ctx.http?.authInfo?.clientId}` }],
  }))
  return mcp
})

const auth = new RemoteAuthProvider({
  baseUrl: 'https://api.example.com', // resourceServerUrl is baseUrl + /mcp
  authorizationServers: [ISSUER], // oauthMetadata.issuer
  jwksUri: JWKS_URI,
  requiredScopes: ['mcp:use'],
})

export const app = express() // or createMcpExpressApp()
app.use(mcpAuth(auth))
app.all('/mcp', toNodeHandler(handler))

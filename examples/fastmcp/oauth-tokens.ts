// Access tokens of an OAuth server elsewhere, which is asked about each.
import { IntrospectionTokenVerifier, RemoteAuthProvider } from 'express-mcp-auth'
import { z } from 'zod'
import { createApp, result } from './server.js'

const { ISSUER = 'https://auth.example.com', BASE_URL = 'https://api.example.com' } = process.env

const auth = new RemoteAuthProvider({
  baseUrl: BASE_URL, // the MCP endpoint is baseUrl + /mcp
  authorizationServers: [ISSUER], // clients find the token URL there
  requiredScopes: ['mcp:access'],
  tokenVerifier: new IntrospectionTokenVerifier({
    introspectionUrl: `${ISSUER}/introspect`,
    clientId: 'your-oauth-client-id',
    clientSecret: 'your-oauth-client-secret',
    audience: `${BASE_URL}/mcp`,
  }),
})

export const app = createApp('OAuth Protected Server', auth, (mcp) => {
  mcp.registerTool('oauth_protected_tool', { inputSchema: z.object({ query: z.string() }) }, ({ query }) =>
    result(`Query result: ${query}`),
  )
})

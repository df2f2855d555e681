// People who sign in elsewhere, and keys that begin with sk_.
import { MultiAuth, RemoteAuthProvider, StaticTokenVerifier, getAccessToken } from 'express-mcp-auth'
import { createApp, result } from './server.js'

const { ISSUER = 'https://login.example.com', JWKS_URI = `${ISSUER}/jwks` } = process.env

const auth = new MultiAuth({
  server: new RemoteAuthProvider({
    baseUrl: 'https://api.example.com',
    authorizationServers: [ISSUER],
    jwksUri: JWKS_URI,
    requiredScopes: ['mcp:use'],
  }),
  verifiers: [new StaticTokenVerifier({ tokens: { sk_backup: { clientId: 'backup' } }, tokenPrefix: 'sk_' })],
})

export const app = createApp('Several Sources', auth, (mcp) => {
  mcp.registerTool('whoami', {}, () => result(getAccessToken()?.clientId))
})

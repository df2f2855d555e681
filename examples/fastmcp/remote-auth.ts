// The same, and clients are told where to sign in.
import { RemoteAuthProvider, getAccessToken } from 'express-mcp-auth'
import { createApp, result } from './server.js'

const { ISSUER = 'https://auth.example.com', JWKS_URI = `${ISSUER}/.well-known/jwks.json` } = process.env

const auth = new RemoteAuthProvider({
  baseUrl: 'https://api.example.com',
  authorizationServers: [ISSUER],
  jwksUri: JWKS_URI, // or tokenVerifier, any of them
  scopesSupported: ['read', 'write'],
  resourceName: 'Company API',
})

export const app = createApp('Company API', auth, (mcp) => {
  mcp.registerTool('whoami', {}, () => result(getAccessToken()?.subject))
})

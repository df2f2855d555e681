// People sign in at a service where each app is registered by hand.
import { JWTVerifier, OAuthProxy, getAccessToken } from 'express-mcp-auth'
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import { createApp, result } from './server.js'

const { UPSTREAM = 'https://idp.example.com', BASE_URL = 'http://127.0.0.1:8080' } = process.env

const auth = new OAuthProxy({
  upstreamAuthorizationEndpoint: `${UPSTREAM}/authorize`,
  upstreamTokenEndpoint: `${UPSTREAM}/token`,
  upstreamClientId: 'app',
  upstreamClientSecret: 'a secret of the app',
  tokenVerifier: new JWTVerifier({ jwksUri: `${UPSTREAM}/jwks`, issuer: UPSTREAM, audience: 'notes' }),
  baseUrl: BASE_URL, // registered there: baseUrl + /auth/callback
  store: new MemoryStore(),
  scopesSupported: ['email'],
})

export const app = createApp('Proxied Server', auth, (mcp) => {
  mcp.registerTool('whoami', {}, async () => {
    const token = getAccessToken()
    return result({ user: token?.subject, upstream: typeof (await token?.upstream?.getToken()) })
  })
})

// ProxyOAuthServerProvider becomes OAuthProxy: clients get tokens of ours, and no upstream token leaves the server.
import express from 'express'
import { JWTVerifier, OAuthProxy, mcpAuth } from 'express-mcp-auth'
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import { handleMcp } from './mcp.js'

const { UPSTREAM = 'https://idp.example.com', BASE_URL = 'http://127.0.0.1:3000' } = process.env

const auth = new OAuthProxy({
  upstreamAuthorizationEndpoint: `${UPSTREAM}/authorize`, // endpoints.authorizationUrl
  upstreamTokenEndpoint: `${UPSTREAM}/token`, // endpoints.tokenUrl
  upstreamRevocationEndpoint: `${UPSTREAM}/revoke`, // endpoints.revocationUrl
  upstreamClientId: 'app', // registrationUrl and getClient: one app there, and clients register here
  upstreamClientSecret: 'a secret of the app',
  // verifyAccessToken
  tokenVerifier: new JWTVerifier({ jwksUri: `${UPSTREAM}/jwks`, issuer: UPSTREAM, audience: 'notes' }),
  baseUrl: BASE_URL, // to be registered there: baseUrl + /auth/callback
  store: new MemoryStore(),
  scopesSupported: ['email'],
})

export const app = express()
app.use(mcpAuth(auth))
app.post('/mcp', express.json(), handleMcp)

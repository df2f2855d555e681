// The same with a verifier of this package: nothing of it is left to write.
import express from 'express'
import { RemoteAuthProvider, mcpAuth } from 'express-mcp-auth'
import { handleMcp } from './mcp.js'

const { ISSUER = 'https://login.example.com', JWKS_URI = `${ISSUER}/jwks` } = process.env

const auth = new RemoteAuthProvider({
  baseUrl: 'https://api.example.com',
  authorizationServers: [ISSUER], // oauthMetadata.issuer
  jwksUri: JWKS_URI,
  requiredScopes: ['mcp:use'],
})

export const app = express()
app.use(mcpAuth(auth))
app.post('/mcp', express.json(), handleMcp)

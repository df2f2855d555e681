// An OAuthTokenVerifier that you wrote, behind this guard.
import { InvalidTokenError } from '@modelcontextprotocol/sdk/server/auth/errors.js'
import type { OAuthTokenVerifier } from '@modelcontextprotocol/sdk/server/auth/provider.js'
import express from 'express'
import { RemoteAuthProvider, mcpAuth } from 'express-mcp-auth'
import { handleMcp } from './mcp.js'

const verifier: OAuthTokenVerifier = {
  async verifyAccessToken(token) {
    if (token !== 'opaque-token') throw new InvalidTokenError('No such token')
    return { token, clientId: 'desktop', scopes: ['mcp:use'] } // an end is not required any more
  },
}

const auth = new RemoteAuthProvider({
  baseUrl: 'https://api.example.com', // resourceServerUrl is baseUrl + /mcp
  authorizationServers: ['https://login.example.com'],
  tokenVerifier: verifier,
  requiredScopes: ['mcp:use'],
})

export const app = express()
app.use(mcpAuth(auth))
app.post('/mcp', express.json(), handleMcp)

// mcpAuthRouter with an OAuthServerProvider of your own becomes options: what is yours is who your users are.
import express from 'express'
import { OAuthProvider, mcpAuth } from 'express-mcp-auth'
import { SqliteStore } from 'express-mcp-auth/stores/sqlite'
import { handleMcp } from './mcp.js'

const { BASE_URL = 'http://127.0.0.1:3000', STORE = 'auth.sqlite' } = process.env
const { AUTH_SECRET = 'at least 32 bytes, from a secret store' } = process.env

export const auth = new OAuthProvider({
  baseUrl: BASE_URL, // issuerUrl and baseUrl: no slash is added to it
  secret: AUTH_SECRET,
  store: new SqliteStore({ path: STORE }), // clientsStore, and what your provider kept in Maps
  scopesSupported: ['mcp:use', 'notes:write'],
  requiredScopes: ['mcp:use'], // of requireBearerAuth
  resourceName: 'Notes',
  accessTokenSeconds: 3600,
  // What clientsStore.getClient() knew beforehand; whoever registers is kept in the store.
  clients: [{ clientId: 'desktop', redirectUris: ['http://127.0.0.1/callback'] }],
  signIn: {
    // provider.authorize(): the page is there; you say whose name and password they are
    verifyCredentials: (username, password) =>
      password === `${username}!` ? { subject: `id-${username}`, name: username } : null,
  },
})

export const app = express()
app.use(mcpAuth(auth)) // mcpAuthRouter and requireBearerAuth in one
app.post('/mcp', express.json(), handleMcp)

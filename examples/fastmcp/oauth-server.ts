// A whole authorization server over the users that you have.
import { OAuthProvider, getAccessToken } from 'express-mcp-auth'
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import { createApp, result } from './server.js'

const { BASE_URL = 'http://127.0.0.1:8080' } = process.env

const auth = new OAuthProvider({
  baseUrl: BASE_URL,
  store: new MemoryStore(), // until it ends; without this line, a file that outlives it
  signIn: {
    verifyCredentials: (username, password) =>
      password === `${username}!` ? { subject: `id-${username}`, name: username } : null,
  },
  requiredScopes: ['mcp:access'],
})

export const app = createApp('OAuth Server', auth, (mcp) => {
  mcp.registerTool('whoami', {}, () => result(getAccessToken()?.subject))
})

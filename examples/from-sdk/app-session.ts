// provider.authorize() that sent people to a login of the app's own: they stay with it.
import express from 'express'
import { OAuthProvider, mcpAuth } from 'express-mcp-auth'
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import { handleMcp } from './mcp.js'

const { BASE_URL = 'http://127.0.0.1:3000' } = process.env

const auth = new OAuthProvider({
  baseUrl: BASE_URL,
  store: new MemoryStore(),
  requiredScopes: ['mcp:use'],
  signIn: {
    currentUser: (req: express.Request) => {
      const user = /(?:^|; )user=(\w+)/.exec(req.headers.cookie ?? '')?.[1] // your session
      return user === undefined ? null : { subject: user }
    },
    loginUrl: (returnTo) => `/login?returnTo=${encodeURIComponent(returnTo)}`,
  },
})

export const app = express()
app.get('/login', (req, res) => {
  const { returnTo } = req.query
  const target = new URL(typeof returnTo === 'string' ? returnTo : '/', BASE_URL)
  res.cookie('user', 'ada').redirect(target.origin === BASE_URL ? target.href : '/')
})
app.use(mcpAuth(auth))
app.post('/mcp', express.json(), handleMcp)

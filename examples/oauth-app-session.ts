// An app with a sign-in of its own: whoever is signed in to the app need not sign in again, and is only asked what a client may do.
import { randomBytes, randomUUID } from 'node:crypto'
import { toNodeHandler } from '@modelcontextprotocol/node'
import { McpServer, createMcpHandler } from '@modelcontextprotocol/server'
import express, { type Request } from 'express'
import { OAuthProvider, type User, getAccessToken, mcpAuth } from 'express-mcp-auth'
import { SqliteStore } from 'express-mcp-auth/stores/sqlite'

const { PORT = '3000', BASE_URL = `http://127.0.0.1:${PORT}` } = process.env
const { SECRET = randomBytes(32).toString('base64url'), STORE = '.mcp-auth/example.sqlite' } = process.env

const app = express()

// What your app has already: sessions, and a page to sign in.
const sessions = new Map<string, User>()
const userOf = ({ headers }: Request): User | undefined =>
  sessions.get(/(?:^|; )session=([^;]+)/.exec(headers.cookie ?? '')?.[1] ?? '')

app.get('/login', (_req, res) => {
  const fields = '<input name="username"><input name="password" type="password"><button>Sign in</button>'
  res.send(`<!doctype html><title>My app</title><form method="post"><h1>My app</h1>${fields}</form>`)
})
app.post('/login', express.urlencoded({ extended: false }), (req, res) => {
  const { username, password } = req.body as Record<string, unknown>
  if (username !== 'ada' || password !== 'analytical') return res.redirect(303, req.originalUrl)
  const id = randomUUID()
  sessions.set(id, { subject: 'user-1', name: 'Ada Lovelace' })
  res.cookie('session', id, { httpOnly: true, sameSite: 'lax', secure: BASE_URL.startsWith('https:') })
  // Anybody can write a link with a "returnTo": it leads nowhere but to this app.
  const { returnTo } = req.query
  const isOurs = typeof returnTo === 'string' && returnTo.startsWith(`${BASE_URL}/`)
  res.redirect(303, isOurs ? returnTo : '/')
})

const handler = createMcpHandler(() => {
  const mcp = new McpServer({ name: 'oauth-app-session', version: '1.0.0' })
  mcp.registerTool('whoami', { description: 'Tells who calls' }, () => ({
    content: [{ type: 'text', text: getAccessToken()?.subject ?? 'nobody' }],
  }))
  return mcp
})

const store = new SqliteStore({ path: STORE })
const provider = new OAuthProvider({
  baseUrl: BASE_URL,
  secret: SECRET,
  store,
  signIn: {
    currentUser: userOf,
    loginUrl: (returnTo) => `${BASE_URL}/login?returnTo=${encodeURIComponent(returnTo)}`,
  },
})
app.use(mcpAuth(provider))
app.all('/mcp', toNodeHandler(handler))

export const server = app.listen(Number(PORT), '127.0.0.1')
server.on('listening', () => console.log(`${BASE_URL}/mcp takes clients of "ada", password "analytical"`))
server.on('close', () => void store.close())

// The whole way of a client, through your own pages and those of an identity provider, without a browser.
/* oxlint-disable typescript/no-floating-promises -- the runner waits for its tests */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import express from 'express'
import { type AuthProvider, OAuthProvider, OIDCProxy, getAccessToken, mcpAuth } from 'express-mcp-auth'
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import { signIn, startIdentityProvider } from 'express-mcp-auth/testing'

const baseUrl = 'https://api.example.com'
const secret = 'a secret of thirty-two bytes or more'

function createApp(provider: AuthProvider): express.Express {
  const app = express()
  app.use(mcpAuth(provider, { rateLimit: false }))
  app.post('/mcp', (_req, res) => void res.json({ user: getAccessToken()?.subject }))
  return app
}

test('people with a password sign in', async () => {
  const app = createApp(
    new OAuthProvider({
      baseUrl,
      secret,
      store: new MemoryStore(),
      signIn: {
        verifyCredentials: (name, password) => (password === 'analytical' ? { subject: name } : null),
      },
    }),
  )
  const ada = await signIn(app, { username: 'ada', password: 'analytical' })
  const response = await ada.request('/mcp', { method: 'POST' })
  assert.deepEqual(await response.json(), { user: 'ada' })
  await assert.rejects(signIn(app, { username: 'ada', password: 'guessed' }), /did not take the answer/)
})

test('people with an account elsewhere sign in there', async () => {
  const idp = await startIdentityProvider({ redirectUris: [`${baseUrl}/auth/callback`] })
  const { configUrl, clientId, clientSecret } = idp
  const app = createApp(
    new OIDCProxy({ configUrl, clientId, clientSecret, baseUrl, secret, store: new MemoryStore() }),
  )
  idp.user = { subject: 'grace', claims: { email: 'grace@example.com' } }
  const grace = await signIn(app)
  const response = await grace.request('/mcp', { method: 'POST' })
  assert.deepEqual(await response.json(), { user: 'grace' })

  idp.user = undefined // says no
  await assert.rejects(signIn(app), /access_denied/)
})

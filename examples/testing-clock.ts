// Time passes when the test says so: tokens expire, and clients renew them.
/* oxlint-disable typescript/no-floating-promises -- the runner waits for its tests */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import express from 'express'
import { InMemoryOAuthProvider, mcpAuth } from 'express-mcp-auth'
import { signIn, testClock } from 'express-mcp-auth/testing'

const clock = testClock()
const auth = new InMemoryOAuthProvider({
  user: { subject: 'ada', name: 'Ada', claims: { roles: ['admin'] } },
  requiredScopes: ['mcp:use'],
  deps: clock,
})

const app = express()
app.use(mcpAuth(auth, { rateLimit: false, deps: clock }))
app.post('/mcp', (_req, res) => void res.json('done'))

test('a token lives for an hour, and is renewed', async () => {
  const ada = await signIn(app)
  clock.advance(3599)
  assert.equal((await ada.request('/mcp', { method: 'POST' })).status, 200)
  clock.advance(1)
  assert.equal((await ada.request('/mcp', { method: 'POST' })).status, 401)

  const renewed = await ada.refresh()
  assert.equal((await renewed.request('/mcp', { method: 'POST' })).status, 200)
})

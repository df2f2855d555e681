// An identity provider on this machine, and what identity providers do to those who depend on them.
/* oxlint-disable typescript/no-floating-promises -- the runner waits for its tests */
import { test } from 'node:test'
import express from 'express'
import { RemoteAuthProvider, getAccessToken, mcpAuth } from 'express-mcp-auth'
import { startIdentityProvider, testClock } from 'express-mcp-auth/testing'
import request from 'supertest'

const clock = testClock()
const idp = await startIdentityProvider({ deps: clock })

const provider = new RemoteAuthProvider({
  baseUrl: 'https://api.example.com',
  authorizationServers: [idp.issuer],
  jwksUri: idp.jwksUri,
  requiredScopes: ['mcp:use'],
  deps: clock,
})
const app = express()
app.use(mcpAuth(provider, { deps: clock }))
app.post('/mcp', (_req, res) => void res.json({ user: getAccessToken()?.subject }))

const post = (token: string): request.Test => request(app).post('/mcp').auth(token, { type: 'bearer' })
const tokenOf = (subject: string): string =>
  idp.issueToken({ subject, scopes: ['mcp:use'], audience: 'https://api.example.com/mcp' })

test('an outage is no reason to throw a good token away', async () => {
  idp.failWith('jwks', 500)
  await post(tokenOf('ada')).expect(503).expect('retry-after', /\d/)
  idp.failWith('jwks') // it answers again
  clock.advance(60)
  await post(tokenOf('ada')).expect(200, { user: 'ada' })
})

test('a new key is found, and the old one is still good', async () => {
  const before = tokenOf('ada')
  clock.advance(60) // keys that nobody knows are asked for twice a minute
  await idp.rotateKeys()
  await post(tokenOf('grace')).expect(200, { user: 'grace' })
  await post(before).expect(200, { user: 'ada' })
})

// Tokens that are written down: the shortest test of what tools do for whom.
/* oxlint-disable typescript/no-floating-promises -- the runner waits for its tests */
import { test } from 'node:test'
import express from 'express'
import { StaticTokenVerifier, getAccessToken, mcpAuth } from 'express-mcp-auth'
import request from 'supertest'

const people = new StaticTokenVerifier({
  tokens: {
    ada: { clientId: 'test', subject: 'ada', scopes: ['mcp:use'], claims: { roles: ['admin'] } },
    eve: { clientId: 'test', subject: 'eve', scopes: ['mcp:use'] },
  },
})

const app = express()
app.use(mcpAuth(people))
app.post('/mcp', (_req, res) => void res.json(getAccessToken()?.claims))

test('tells roles from no roles', async () => {
  await request(app)
    .post('/mcp')
    .auth('ada', { type: 'bearer' })
    .expect(200, { roles: ['admin'] })
  await request(app).post('/mcp').auth('eve', { type: 'bearer' }).expect(200, {})
})

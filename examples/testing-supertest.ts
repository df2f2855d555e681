// A minted token, and no authorization server at all: the verifier knows the public key.
/* oxlint-disable typescript/no-floating-promises -- the runner waits for its tests */
import { test } from 'node:test'
import express from 'express'
import { JWTVerifier, getAccessToken, mcpAuth } from 'express-mcp-auth'
import { RSAKeyPair } from 'express-mcp-auth/testing'
import request from 'supertest'

const issuer = 'https://login.example.com'
const audience = 'https://api.example.com/mcp'
const keys = await RSAKeyPair.generate()

const app = express()
app.use(
  mcpAuth(new JWTVerifier({ publicKey: keys.publicKey, issuer, audience, requiredScopes: ['mcp:use'] })),
)
app.post('/mcp', (_req, res) => void res.json({ user: getAccessToken()?.subject }))

const tokenOf = (subject: string, scopes = ['mcp:use']): string =>
  keys.createToken({ subject, scopes, issuer, audience })

test('answers whoever has a token', async () => {
  await request(app).post('/mcp').auth(tokenOf('ada'), { type: 'bearer' }).expect(200, { user: 'ada' })
})

test('refuses others: without a token, with too few scopes, with one that has expired', async () => {
  await request(app).post('/mcp').expect(401).expect('www-authenticate', 'Bearer scope="mcp:use"')
  await request(app).post('/mcp').auth(tokenOf('ada', []), { type: 'bearer' }).expect(403)
  const expired = keys.createToken({ scopes: ['mcp:use'], issuer, audience, expiresInSeconds: -1 })
  await request(app).post('/mcp').auth(expired, { type: 'bearer' }).expect(401)
})

// The test suite of a server in one file, by node:test. For jest or vitest, import `test` from there: nothing else changes.
/* oxlint-disable typescript/no-floating-promises -- the runner waits for its tests */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { signIn, startIdentityProvider } from 'express-mcp-auth/testing'

const idp = await startIdentityProvider()
process.env['ISSUER'] = idp.issuer
process.env['JWKS_URI'] = idp.jwksUri
process.env['BASE_URL'] = 'https://api.example.com'
process.env['PORT'] = '0'
const { server } = await import('./quick-start.js') // your server
server.close() // signIn starts it where it needs it, and nothing keeps the process alive

const whoami = {
  method: 'POST',
  headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
  body: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"whoami"}}',
}

test('whoever signs in is known to the tools', async () => {
  idp.user = { subject: 'ada' }
  const ada = await signIn(server)
  assert.match(await (await ada.request('/mcp', whoami)).text(), /"text":"ada"/)
})

test('whoever asked for too little is told what is missing', async () => {
  const ada = await signIn(server, { scopes: ['other'] })
  const response = await ada.request('/mcp', whoami)
  assert.equal(response.status, 403)
  assert.match(response.headers.get('www-authenticate') ?? '', /insufficient_scope.*scope="mcp:use"/)
})

test('a token for another server is refused', async () => {
  const ada = await signIn(server)
  const token = idp.issueToken({ audience: 'https://other.example.com/mcp', scopes: ['mcp:use'] })
  const response = await ada.request('/mcp', { ...whoami, headers: { authorization: `Bearer ${token}` } })
  assert.equal(response.status, 401)
})

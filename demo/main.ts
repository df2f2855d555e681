// npm start: a protected MCP server on this machine, and a token to call it with. Nothing else is needed, not even a network.
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { toNodeHandler } from '@modelcontextprotocol/node'
import express from 'express'
import { JWTVerifier, RemoteAuthProvider, consoleEvents, mcpAuth } from 'express-mcp-auth'
import { RSAKeyPair } from 'express-mcp-auth/testing'
import { notes, toolScopes } from './notes.js'
import { takeTour } from './tour.js'

// Where tokens would come from. Nobody is there: this program makes its own, with a key that lives as long as it runs.
const issuer = 'http://localhost:4000'
const keys = await RSAKeyPair.generate()

const app = express()
const server = app.listen(Number(process.env['PORT'] ?? 3000), '127.0.0.1')
server.on('error', ({ message }) => {
  console.error(`${message}. On another port: PORT=3001 npm start`)
  process.exit(1)
})
await once(server, 'listening')
const baseUrl = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
const endpoint = `${baseUrl}/mcp`

const provider = new RemoteAuthProvider({
  baseUrl,
  authorizationServers: [issuer],
  tokenVerifier: new JWTVerifier({ publicKey: keys.publicKey, issuer, audience: endpoint }),
  requiredScopes: ['notes:use'],
  resourceName: 'Notes',
})
app.use(mcpAuth(provider, { toolScopes, onEvent: consoleEvents() }))
app.all('/mcp', toNodeHandler(notes))

const createToken = (...scopes: string[]): string =>
  keys.createToken({
    issuer,
    audience: endpoint,
    subject: 'alice',
    scopes,
    expiresInSeconds: 8 * 3600,
    additionalClaims: { client_id: 'demo' },
  })
const token = createToken('notes:use')

const call = `curl -i ${endpoint} \\
    -H 'Content-Type: application/json' -H 'Accept: application/json, text/event-stream' \\
    -d '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"whoami"}}'`

console.log(`A protected MCP server is running.

  Endpoint   ${endpoint}
  Metadata   ${baseUrl}/.well-known/oauth-protected-resource/mcp
  Tools      whoami, add_note, list_notes, and delete_note, which needs one scope more

Call it without a token, and it is refused:

  ${call}

Call it with a token, which is good for eight hours or until this program ends:

  TOKEN=${token}

  ${call} \\
    -H "Authorization: Bearer $TOKEN"

Add it to an MCP client, with the token in a header:

  { "mcpServers": { "notes": {
      "type": "http",
      "url": "${endpoint}",
      "headers": { "Authorization": "Bearer <the token>" } } } }

Signing in with the browser takes an authorization server. The metadata names ${issuer}, where there is none:
put yours there, and clients find it by themselves.
`)

if (process.argv.includes('--try')) {
  try {
    await takeTour(endpoint, { everyday: token, extended: createToken('notes:use', 'notes:delete') })
    console.log('\nAll as expected.')
  } catch (error) {
    console.error('\nNot as expected:', error)
    process.exitCode = 1
  }
  server.close()
  server.closeAllConnections()
}

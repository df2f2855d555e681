// npm start and npm start -- --try, as a newcomer runs them.
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { auth } from '@modelcontextprotocol/client'
import { afterEach, beforeEach, expect, test } from '@jest/globals'
import { Credentials, REDIRECT_URI } from '../../demo/credentials.js'
import { Person } from '../../demo/person.js'
import { type Program, freePort, startProgram } from '../support/process.js'

const opened: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
})

let directory: string
beforeEach(() => {
  directory = join(mkdtempSync(join(tmpdir(), 'mcp-auth-demo-')), 'kept')
  opened.push(async () => rmSync(join(directory, '..'), { recursive: true }))
})

function startDemo(args: readonly string[], port = 0): Program {
  const program = startProgram('demo/main.ts', args, { PORT: String(port), MCP_AUTH_DIRECTORY: directory })
  opened.push(program.stop)
  return program
}

test('--try shows the refusal, a sign-in, a tool, the call for more scope and the end of it all, and ends well', async () => {
  const demo = startDemo(['--try'])

  expect(await demo.ended).toBe(0)

  const { stdout, stderr } = demo.output
  const [, baseUrl] = /Endpoint +(\S+)\/mcp/.exec(stdout)!
  const [, clientId] = /lets (\S{24}) do/.exec(stdout)!
  const metadata = `${baseUrl}/.well-known/oauth-protected-resource/mcp`
  const tour = stdout.slice(stdout.indexOf('1. Without a token'))
  expect(tour).toBe(`1. Without a token
   HTTP 401
   WWW-Authenticate: Bearer scope="notes:use", resource_metadata="${metadata}"

2. So the client finds out where to sign in, registers, and opens a browser
   /sign-in "Sign in": alice types name and password
   /consent "Tour asks for access", to Read your notes and add new ones: alice allows it

3. With the token that it got
   connected by MCP 2026-07-28
   the token says: alice lets ${clientId} do "notes:use" at ${baseUrl}/mcp for 3600 s, by ${baseUrl}
   whoami → You are alice, by the client ${clientId}, with the scopes notes:use.
   add_note → Added note 1.
   list_notes → 1. Buy milk

4. A tool that needs more: refused before it runs, asked for, allowed
   HTTP 403
   WWW-Authenticate: Bearer error="insufficient_scope", error_description="This needs the scope notes:use notes:delete", scope="notes:use notes:delete", resource_metadata="${metadata}"
   /consent "Tour asks for access", to Read your notes and add new ones; Delete your notes: alice allows it
   delete_note → Deleted note 1.

5. Alice changes her mind
   Connected apps: alice disconnects 1
   HTTP 401
   WWW-Authenticate: Bearer error="invalid_token", error_description="The access token is malformed, expired, revoked or not meant for this resource", scope="notes:use", resource_metadata="${metadata}"

All as expected.
`)
  const events = stderr.match(/(?<=^\[mcp-auth\] )\S+/gm)
  expect(events).toEqual(['request.refused', 'request.refused', 'token.refused'])
})

test('what it prints is true: it is refused without signing in, and tells where to', async () => {
  const demo = startDemo([])
  const [, endpoint] = await demo.printed(/curl -i -X POST (\S+)/)
  const baseUrl = endpoint!.replace('/mcp', '')
  const metadata = `${baseUrl}/.well-known/oauth-protected-resource/mcp`
  const [, json] = await demo.printed(/\.cursor\/mcp\.json:\s+(\{.*\})/)
  const [, added] = await demo.printed(/code --add-mcp '(.*)'/)

  const refused = await fetch(endpoint!, { method: 'POST' })

  expect(refused.status).toBe(401)
  expect(refused.headers.get('www-authenticate')).toBe(
    `Bearer scope="notes:use", resource_metadata="${metadata}"`,
  )
  expect(await (await fetch(metadata)).json()).toEqual({
    resource: endpoint,
    authorization_servers: [baseUrl],
    scopes_supported: ['notes:use'],
    bearer_methods_supported: ['header'],
    resource_name: 'Notes',
  })
  expect(JSON.parse(json!)).toEqual({ mcpServers: { notes: { url: endpoint } } })
  expect(JSON.parse(added!)).toEqual({ name: 'notes', type: 'http', url: endpoint })
  expect(demo.output.stdout).toContain(`claude mcp add --transport http notes ${endpoint}\n`)
  expect(demo.output.stdout).toContain(`inspector --transport http --server-url ${endpoint}\n`)
})

test('whoever is connected stays connected when it is ended and started again', async () => {
  const port = await freePort()
  const first = startDemo([], port)
  await first.printed(/curl/)
  const { client, call } = await signIn(`http://127.0.0.1:${port}`)
  expect(await call()).toBe(200)
  await first.stop()

  const second = startDemo([], port)
  await second.printed(/curl/)

  expect(await call()).toBe(200)
  expect(client.tokens()?.refresh_token).toBeDefined()
})

test('what it keeps is for the eyes of its owner alone', async () => {
  await startDemo(['--try']).ended

  const modes = ['', 'demo.secret', 'demo.sqlite'].map((name) => statSync(join(directory, name)).mode & 0o777)
  expect(modes).toEqual([0o700, 0o600, 0o600])
})

/** The demo's own person and client. */
async function signIn(
  baseUrl: string,
): Promise<{ readonly client: Credentials; readonly call: () => Promise<number> }> {
  const alice = new Person('alice', 'wonderland', () => undefined)
  const client = new Credentials((address) => alice.follow(address, REDIRECT_URI))
  const serverUrl = `${baseUrl}/mcp`
  await auth(client, { serverUrl, scope: 'notes:use' })
  const back = await client.back()
  await auth(client, { serverUrl, authorizationCode: back.get('code')!, iss: back.get('iss')! })
  const call = async (): Promise<number> => {
    const response = await fetch(serverUrl, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${client.tokens()?.access_token}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
      },
      body: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"whoami"}}',
    })
    await response.text()
    return response.status
  }
  return { client, call }
}

test('a port that is taken is said to be, with how to choose another', async () => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  opened.push(async () => other.close())
  const { port } = other.address() as AddressInfo

  const demo = startDemo([], port)

  expect(await demo.ended).toBe(1)
  expect(demo.output.stderr).toBe(
    `listen EADDRINUSE: address already in use 127.0.0.1:${port}. On another port: PORT=3001 npm start\n`,
  )
})

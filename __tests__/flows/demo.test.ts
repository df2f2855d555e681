// npm start and npm start -- --try, as a newcomer runs them.
import { createServer } from 'node:http'
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, test } from '@jest/globals'
import { type Program, startProgram } from '../support/process.js'

const opened: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
})

function startDemo(args: readonly string[], port = 0): Program {
  const program = startProgram('demo/main.ts', args, { PORT: String(port) })
  opened.push(program.stop)
  return program
}

test('--try shows the refusal, the answer of a tool and the call for more scope, and ends well', async () => {
  const demo = startDemo(['--try'])

  expect(await demo.ended).toBe(0)

  const { stdout, stderr } = demo.output
  const [, endpoint] = /Endpoint +(\S+)/.exec(stdout)!
  const metadata = endpoint!.replace('/mcp', '/.well-known/oauth-protected-resource/mcp')
  const tour = stdout.slice(stdout.indexOf('1. Without a token'))
  expect(tour).toBe(`1. Without a token
   HTTP 401
   WWW-Authenticate: Bearer scope="notes:use", resource_metadata="${metadata}"

2. With the token
   connected by MCP 2026-07-28
   tools: whoami, add_note, list_notes, delete_note
   whoami → You are alice, by the client demo, with the scopes notes:use.
   add_note → Added note 1.
   list_notes → 1. Buy milk

3. A tool that needs more ([mcp-auth] is what the operator of the server sees)
   HTTP 403
   WWW-Authenticate: Bearer error="insufficient_scope", error_description="This needs the scope notes:use notes:delete", scope="notes:use notes:delete", resource_metadata="${metadata}"

4. With a token that holds the scope
   delete_note → Deleted note 1.

All as expected.
`)
  expect(stderr).toMatch(
    /^\[mcp-auth\] request\.refused \{.*"status":403,"error":"insufficient_scope".*\}\n$/,
  )
})

test('what it prints is true: the metadata is there, the calls do what they say, and it goes on until it is ended', async () => {
  const demo = startDemo([])
  const [, endpoint] = await demo.printed(/Endpoint +(\S+)/)
  const [, metadata] = await demo.printed(/Metadata +(\S+)/)
  const [, token] = await demo.printed(/TOKEN=(\S+)/)
  const [, issuer] = await demo.printed(/The metadata names (\S+),/)
  const [, body] = await demo.printed(/-d '([^']+)'/)
  const call = (headers: Record<string, string>): Promise<Response> =>
    fetch(endpoint!, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        ...headers,
      },
      body: body!,
    })

  expect(await (await fetch(metadata!)).json()).toEqual({
    resource: endpoint,
    authorization_servers: [issuer],
    scopes_supported: ['notes:use'],
    bearer_methods_supported: ['header'],
    resource_name: 'Notes',
  })
  const refused = await call({})
  expect(refused.status).toBe(401)
  expect(refused.headers.get('www-authenticate')).toBe(
    `Bearer scope="notes:use", resource_metadata="${metadata}"`,
  )
  const answered = await call({ authorization: `Bearer ${token}` })
  expect(answered.status).toBe(200)
  expect(await answered.text()).toContain('You are alice')
  expect(demo.output.stderr).toBe('')
})

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

// Every step of docs/from-sdk.md runs: apps of both SDKs that moved here, and clients that notice nothing.
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client as ClientV2, StreamableHTTPClientTransport as HttpV2 } from '@modelcontextprotocol/client'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as HttpV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { afterEach, beforeEach, describe, expect, it, jest, test } from '@jest/globals'
import type { Express } from 'express'
import type { OAuthProvider } from 'express-mcp-auth'
import { clientsOf, reservePort } from '../support/authorization-server.js'
import { startIdentityProvider } from '../support/identity-provider.js'
import { ISSUER, RESOURCE, createKey, createToken, startKeySet } from '../support/issuer.js'
import { connectV1, connectV2Auto } from '../support/mcp-clients.js'
import { HeadlessOAuthClient } from '../support/oauth-client.js'
import { startServer } from '../support/site.js'

const METADATA = 'https://api.example.com/.well-known/oauth-protected-resource/mcp'

const environment = { ...process.env }
const opened: (() => unknown)[] = []
beforeEach(() => {
  jest.spyOn(process, 'emitWarning').mockReturnValue()
  jest.spyOn(console, 'warn').mockReturnValue()
})
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
  jest.restoreAllMocks()
  process.env = { ...environment }
})

interface Step {
  readonly app: Express
  readonly auth?: OAuthProvider
  readonly answer?: (request: Request) => Promise<Response>
}

function load(name: string, env: Record<string, string> = {}): Promise<Step> {
  Object.assign(process.env, env)
  return import(`../../examples/from-sdk/${name}.js`) as Promise<Step>
}

async function serve(name: string, env: Record<string, string> = {}, port = 0): Promise<string> {
  const { app } = await load(name, env)
  const server = await startServer(app, port)
  opened.push(server.close)
  return `${server.url}/mcp`
}

/** What clients of both SDKs get from the tool with a token. */
async function callWith(url: string, token: string): Promise<string[]> {
  const answers: string[] = []
  for (const connect of [connectV1, connectV2Auto]) {
    const client = await connect(url, token)
    opened.push(client.close)
    answers.push(await client.call('whoami'))
  }
  return answers
}

async function refused(url: string, token?: string): Promise<[status: number, challenge: string | null]> {
  const headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
  const response = await fetch(url, { method: 'POST', headers })
  await response.arrayBuffer()
  return [response.status, response.headers.get('www-authenticate')]
}

test('own-verifier: an OAuthTokenVerifier goes on as it is, and its errors are understood', async () => {
  const url = await serve('own-verifier')
  expect(await callWith(url, 'opaque-token')).toEqual(['desktop: mcp:use', 'desktop: mcp:use'])
  expect(await refused(url, 'guessed')).toEqual([
    401,
    `Bearer error="invalid_token", error_description="No such token", scope="mcp:use", resource_metadata="${METADATA}"`,
  ])
  expect(await refused(url)).toEqual([401, `Bearer scope="mcp:use", resource_metadata="${METADATA}"`])
  const metadata = await fetch(new URL('/.well-known/oauth-protected-resource/mcp', url))
  expect(await metadata.json()).toMatchObject({
    resource: RESOURCE,
    authorization_servers: ['https://login.example.com'],
  })
})

describe('with keys that are published', () => {
  const key = createKey()
  const good = createToken(key, { client_id: 'desktop', scope: 'mcp:use' })
  const expired = createToken(key, { client_id: 'desktop', scope: 'mcp:use', exp: 1_000_000_000 })
  const scopeless = createToken(key, { client_id: 'desktop' })
  let env: Record<string, string>

  beforeEach(async () => {
    const keys = await startKeySet(key)
    opened.push(keys.close)
    env = { ISSUER, JWKS_URI: `${keys.url}/jwks` }
  })

  it.each(['resource-server', 'resource-server-v2'])('%s: what was written by hand is here', async (name) => {
    const url = await serve(name, env)
    expect(await callWith(url, good)).toEqual(
      name === 'resource-server' ? ['desktop: mcp:use', 'desktop: mcp:use'] : ['desktop', 'desktop'],
    )
    expect(await refused(url, expired)).toEqual([401, expect.stringContaining('error="invalid_token"')])
    expect(await refused(url, scopeless)).toEqual([
      403,
      expect.stringMatching(/error="insufficient_scope".*scope="mcp:use"/),
    ])
    expect(await refused(url)).toEqual([401, `Bearer scope="mcp:use", resource_metadata="${METADATA}"`])
  })

  it('gate-v1: the gate of the SDK goes by our verifier', async () => {
    const url = await serve('gate-v1', env)
    expect(await callWith(url, good)).toEqual(['desktop: mcp:use', 'desktop: mcp:use'])
    expect(await refused(url, expired)).toEqual([401, expect.stringContaining('error="invalid_token"')])
    expect(await refused(url, scopeless)).toEqual([
      403,
      expect.stringMatching(/error="insufficient_scope".*scope="mcp:use"/),
    ])
  })

  it('gate-v2: so does that of the other', async () => {
    const { answer } = await load('gate-v2', env)
    const ask = (token: string): Promise<Response> =>
      answer!(new Request('http://localhost/mcp', { headers: { authorization: `Bearer ${token}` } }))
    expect(await (await ask(good)).json()).toEqual({ clientId: 'desktop', scopes: ['mcp:use'] })
    expect((await ask(expired)).status).toBe(401)
    expect((await ask(scopeless)).status).toBe(403)
  })
})

/** A client, by either SDK, that knows nothing but the URL. */
const CLIENTS: readonly (readonly [
  sdk: string,
  journey: (url: string, oauth: HeadlessOAuthClient) => Promise<string>,
])[] = [
  [
    'v1',
    async (url, oauth) => {
      const client = new ClientV1({ name: 'v1', version: '1.0.0' })
      opened.push(() => client.close())
      const transport = new HttpV1(new URL(url), { authProvider: oauth })
      await expect(client.connect(transport)).rejects.toThrow('Unauthorized')
      await transport.finishAuth(oauth.callback.get('code') ?? '')
      await client.connect(new HttpV1(new URL(url), { authProvider: oauth }))
      return textOf(await client.callTool({ name: 'whoami' }))
    },
  ],
  [
    'v2',
    async (url, oauth) => {
      const client = new ClientV2({ name: 'v2', version: '1.0.0' })
      opened.push(() => client.close())
      const transport = new HttpV2(new URL(url), { authProvider: oauth })
      await expect(client.connect(transport)).rejects.toThrow('Unauthorized')
      await transport.finishAuth(oauth.callback)
      await client.connect(new HttpV2(new URL(url), { authProvider: oauth }))
      return textOf(await client.callTool({ name: 'whoami' }))
    },
  ],
]

const textOf = (result: unknown): string => (result as { content: { text: string }[] }).content[0]?.text ?? ''

/** An address to listen at, known beforehand. */
async function reserve(): Promise<{ readonly port: number; readonly BASE_URL: string }> {
  const port = await reservePort()
  return { port, BASE_URL: `http://127.0.0.1:${port}` }
}

describe.each(CLIENTS)('a client of SDK %s', (_sdk, journey) => {
  // Modules are loaded once, and each knows one address.
  beforeEach(() => {
    jest.resetModules()
  })

  it('authorization-server: registers, signs somebody in, and calls', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'from-sdk-'))
    opened.push(() => rmSync(directory, { recursive: true }))
    const { port, BASE_URL } = await reserve()
    const env = { BASE_URL, STORE: join(directory, 'auth.sqlite') }
    const { auth } = await load('authorization-server', env)
    opened.push(() => auth!.close())
    const url = await serve('authorization-server', env, port)
    expect(await journey(url, new HeadlessOAuthClient())).toMatch(/^[\w-]+: mcp:use/)
    // One that was known beforehand goes on as it did.
    const tokens = await clientsOf(BASE_URL).signIn(
      { client_id: 'desktop' },
      { redirect_uri: 'http://127.0.0.1:9/callback' },
    )
    expect(await callWith(url, tokens.access_token)).toEqual(
      Array.from({ length: 2 }, () => expect.stringMatching(/^desktop: /)),
    )
  })

  it('app-session: goes through the login of the app', async () => {
    const { port, BASE_URL } = await reserve()
    const url = await serve('app-session', { BASE_URL }, port)
    expect(await journey(url, new HeadlessOAuthClient())).toMatch(/: mcp:use(?: offline_access)?$/)
    const login = await fetch(`${BASE_URL}/login?returnTo=https://evil.example/`, { redirect: 'manual' })
    expect(login.headers.get('location')).toBe('/')
  })

  it('proxy: goes through the sign-in upstream', async () => {
    const { port, BASE_URL } = await reserve()
    const idp = await startIdentityProvider({
      redirectUri: `${BASE_URL}/auth/callback`,
      clientId: 'app',
      clientSecret: 'a secret of the app',
      accessTokens: 'jwt',
      defaultAudience: 'notes',
      resources: 'refuse',
    })
    opened.push(idp.close)
    const url = await serve('proxy', { UPSTREAM: idp.issuer, BASE_URL }, port)
    expect(await journey(url, new HeadlessOAuthClient())).toMatch(/: email(?: offline_access)?$/)
  })
})

test('each of the steps is taken here', () => {
  const source = readFileSync(new URL(import.meta.url), 'utf8')
  const names = readdirSync(new URL('../../examples/from-sdk/', import.meta.url)).map((file) =>
    file.slice(0, -3),
  )
  expect(names.filter((name) => name !== 'mcp' && !source.includes(`'${name}'`))).toEqual([])
})

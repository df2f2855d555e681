// An app in front of an identity provider that knows it and not its clients: the SDKs' own clients register here, people sign in there, tools act
// as them there, and whatever ends at one side ends at the other. One thing despite its length: the whole way, on every host.
import type { IncomingMessage, ServerResponse } from 'node:http'
import {
  Client as ClientV2,
  type ClientOptions,
  StreamableHTTPClientTransport as HttpV2,
} from '@modelcontextprotocol/client'
import { toNodeHandler } from '@modelcontextprotocol/node'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as HttpV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { McpServer as ServerV1 } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import { McpServer as ServerV2, createMcpHandler } from '@modelcontextprotocol/server'
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals'
import {
  type AuthEvent,
  type AuthHandler,
  OIDCProxy,
  type OIDCProxyOptions,
  getAccessToken,
  mcpAuth,
} from 'express-mcp-auth'
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import { type TestClock, testClock } from 'express-mcp-auth/testing'
import {
  REDIRECT_URI,
  type Registered,
  SECRET,
  authorizationUrl,
  clientsOf,
  pkce,
} from '../support/authorization-server.js'
import { Browser, formOf } from '../support/browser-session.js'
import { HOSTS, type HostName, startHost } from '../support/hosts.js'
import {
  type IdentityProviderOptions,
  type TestIdentityProvider,
  signInAt,
  startIdentityProvider,
} from '../support/identity-provider.js'
import type { McpListener, McpRequest } from '../support/mcp-servers.js'
import { HeadlessOAuthClient } from '../support/oauth-client.js'
import { type StrangeHost, documentAnswer, startStrangeHost } from '../support/strange-host.js'

const opened: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
})

// SDK v2 says aloud that its tokens are refused, which some tests want to happen.
beforeAll(() => {
  jest.spyOn(console, 'warn').mockReturnValue()
})
afterAll(() => {
  jest.restoreAllMocks()
})

/** What a server's tools do: `whoami` reads the user, `profile` asks the identity provider about them, as them. */
interface Tools {
  whoami(): string
  profile(): Promise<string>
}

const textResult = (text: string): { content: { type: 'text'; text: string }[] } => ({
  content: [{ type: 'text', text }],
})

/** An MCP server of SDK v1. */
function serverV1({ whoami, profile }: Tools): McpListener {
  return async (request, response) => {
    if (request.method !== 'POST') {
      response.writeHead(405, { Allow: 'POST' }).end()
      return
    }
    const mcp = new ServerV1({ name: 'v1', version: '1.0.0' })
    mcp.registerTool('whoami', {}, () => textResult(whoami()))
    mcp.registerTool('profile', {}, async () => textResult(await profile()))
    const transport = new StreamableHTTPServerTransport()
    response.on('close', () => void mcp.close())
    await mcp.connect(transport)
    await transport.handleRequest(request, response)
  }
}

/** And of SDK v2. */
function serverV2({ whoami, profile }: Tools): McpListener {
  const handler = createMcpHandler(() => {
    const mcp = new ServerV2({ name: 'v2', version: '1.0.0' })
    mcp.registerTool('whoami', {}, () => textResult(whoami()))
    mcp.registerTool('profile', {}, async () => textResult(await profile()))
    return mcp
  })
  return toNodeHandler(handler) as McpListener
}

function toolsAt(userinfo: () => string): Tools {
  return {
    whoami() {
      const { subject, claims, clientId, scopes } = getAccessToken() ?? {}
      return JSON.stringify({ subject, claims, clientId, scopes })
    },
    async profile() {
      const token = await getAccessToken()?.upstream?.getToken()
      const answer = await fetch(userinfo(), { headers: { authorization: `Bearer ${token}` } })
      return JSON.stringify({ status: answer.status, ...((await answer.json()) as object) })
    },
  }
}

interface App {
  readonly base: string
  readonly idp: TestIdentityProvider
  readonly clock: TestClock
  readonly provider: OIDCProxy
  readonly events: AuthEvent[]
  /** What was asked of an endpoint of the identity provider: its forms. */
  asked(path: string): readonly Readonly<Record<string, string>>[]
}

interface AppOptions extends Partial<OIDCProxyOptions> {
  readonly host?: HostName
  readonly mcp?: (tools: Tools) => McpListener
  readonly company?: Partial<IdentityProviderOptions>
}

async function serve(options: AppOptions = {}): Promise<App> {
  const { host = 'Express 5', mcp = serverV2, company, ...proxy } = options
  const clock = testClock()
  const behind: { guard?: AuthHandler; idp?: TestIdentityProvider } = {}
  const answer = mcp(toolsAt(() => behind.idp?.userinfoEndpoint ?? ''))
  const guard: AuthHandler = (request, response, next) => behind.guard?.(request, response, next)
  const last = (request: IncomingMessage, response: ServerResponse): void => {
    answer(request as McpRequest, response).catch(() => response.destroy())
  }
  const running = await startHost(host, [guard], last)
  opened.push(running.close)
  const idp = await startIdentityProvider({ redirectUri: `${running.url}/auth/callback`, ...company })
  opened.push(idp.close)
  const provider = new OIDCProxy({
    configUrl: idp.configUrl,
    clientId: idp.clientId,
    clientSecret: idp.clientSecret,
    verifyIdToken: true,
    baseUrl: running.url,
    secret: SECRET,
    store: new MemoryStore({ deps: clock }),
    requiredScopes: ['openid', 'profile'],
    accessTokenSeconds: 600,
    deps: clock,
    ...proxy,
  })
  const events: AuthEvent[] = []
  const onEvent = (event: AuthEvent): void => void events.push(event)
  behind.guard = mcpAuth(provider, { deps: clock, rateLimit: false, onEvent })
  behind.idp = idp
  return {
    base: running.url,
    idp,
    clock,
    provider,
    events,
    asked: (path) => idp.requests.filter((each) => each.path === path).map(({ form = {} }) => form),
  }
}

/** An SDK's client at an app. */
interface Journey {
  readonly oauth: HeadlessOAuthClient
  connect(): Promise<void>
  /** Brings the client what the browser came back with. */
  finish(): Promise<void>
  call(tool: string): Promise<Record<string, unknown>>
}
type Start = (app: App, oauth?: HeadlessOAuthClient) => Journey

const read = (result: unknown): Record<string, unknown> =>
  JSON.parse((result as { content: { text: string }[] }).content[0]?.text ?? '') as Record<string, unknown>

const startV2 =
  (options: ClientOptions = {}): Start =>
  ({ base }, oauth = new HeadlessOAuthClient()) => {
    const client = new ClientV2({ name: 'v2', version: '1.0.0' }, options)
    let transport: HttpV2
    opened.push(() => client.close())
    return {
      oauth,
      connect: () => {
        transport = new HttpV2(new URL(`${base}/mcp`), { authProvider: oauth })
        return client.connect(transport)
      },
      finish: () => transport.finishAuth(oauth.callback),
      call: async (name) => read(await client.callTool({ name })),
    }
  }

const startV1: Start = ({ base }, oauth = new HeadlessOAuthClient()) => {
  const client = new ClientV1({ name: 'v1', version: '1.0.0' })
  let transport: HttpV1
  opened.push(() => client.close())
  return {
    oauth,
    connect: () => {
      transport = new HttpV1(new URL(`${base}/mcp`), { authProvider: oauth })
      return client.connect(transport)
    },
    finish: () => transport.finishAuth(oauth.callback.get('code') ?? ''),
    call: async (name) => read(await client.callTool({ name })),
  }
}

const CLIENTS: Readonly<Record<string, Start>> = {
  'SDK v1 client': startV1,
  'SDK v2 client': startV2(),
  'SDK v2 client of 2026-07-28': startV2({ versionNegotiation: { mode: 'auto' } }),
}

/** Refused, agreed to here, signed in there, connected. */
async function arrive(app: App, start: Start = startV2(), oauth?: HeadlessOAuthClient): Promise<Journey> {
  const journey = start(app, oauth)
  await expect(journey.connect()).rejects.toThrow('Unauthorized')
  await journey.finish()
  await journey.connect()
  return journey
}

/** What the user does on the page of connections, which sends them to the identity provider first. */
async function disconnect({ base }: App, { oauth }: Journey): Promise<void> {
  const person = new Browser()
  const connections = `${base}/connections`
  const back = await signInAt(person, connections, 'ada', { destination: connections })
  const page = await person.go(back, 'nowhere:')
  expect(page.html).toContain(oauth.clientMetadata.client_name)
  const { csrf = '' } = formOf(page).fields
  const client = oauth.clientInformation()?.client_id ?? ''
  const done = await person.go(connections, 'nowhere:', { csrf, client })
  expect({ status: done.status, page: done.html }).toEqual({
    status: 200,
    page: expect.stringContaining('is disconnected'),
  })
}

const ADA = { subject: 'idp|ada', claims: { sub: 'idp|ada', name: 'Ada Lovelace' } }

describe.each(Object.entries(CLIENTS))('%s', (_, start) => {
  test.each([
    ['an SDK v1 server', serverV1],
    ['an SDK v2 server', serverV2],
  ])('at %s: signs in from the 401 alone; tools see the user, and act as them', async (_server, mcp) => {
    const app = await serve({ mcp })
    const journey = await arrive(app, start)
    const { oauth } = journey
    expect(await journey.call('whoami')).toMatchObject({
      ...ADA,
      clientId: oauth.clientInformation()?.client_id,
      scopes: expect.arrayContaining(['openid', 'profile']),
    })
    expect(await journey.call('profile')).toEqual({ status: 200, sub: 'idp|ada', name: 'Ada Lovelace' })
    expect(oauth.callback.get('iss')).toBe(app.base)
    expect(oauth.authorizationRequests).toHaveLength(1)
    // The client is known here alone, and the identity provider knows this app alone.
    expect(oauth.clientInformation()?.client_id).not.toBe(app.idp.clientId)
    const asked = app.idp.requests.find(({ path }) => path === '/authorize')
    expect(asked?.query).toMatchObject({
      client_id: app.idp.clientId,
      redirect_uri: `${app.base}/auth/callback`,
      code_challenge_method: 'S256',
    })
  })

  test('meets an upstream token that ended: it is renewed at the next request, and nobody is asked', async () => {
    const app = await serve()
    app.idp.accessTokenSeconds = 60
    const journey = await arrive(app, start)
    await journey.call('whoami')
    expect(app.asked('/token')).toHaveLength(1)
    app.clock.advance(61)
    expect(await journey.call('profile')).toMatchObject({ status: 200, sub: 'idp|ada' })
    expect(app.asked('/token')).toHaveLength(2)
    expect(app.asked('/token')[1]).toMatchObject({ grant_type: 'refresh_token' })
    expect(app.events.filter(({ type }) => type === 'upstream.renewed')).toHaveLength(1)
    expect(journey.oauth.authorizationRequests).toHaveLength(1)
  })

  test('refreshes by itself when our token has expired, and the identity provider is asked before', async () => {
    const app = await serve()
    const journey = await arrive(app, start)
    const first = journey.oauth.tokens()?.access_token
    app.clock.advance(700)
    expect(await journey.call('whoami')).toMatchObject(ADA)
    expect(journey.oauth.tokens()?.access_token).not.toBe(first)
    expect(app.asked('/token').map(({ grant_type: type }) => type)).toEqual([
      'authorization_code',
      'refresh_token',
    ])
    expect(journey.oauth.authorizationRequests).toHaveLength(1)
  })

  test('signs in again when the user disconnected it on a page that signs them in there by itself', async () => {
    const app = await serve()
    const journey = await arrive(app, start)
    await disconnect(app, journey)
    // What the app held of the user is given back.
    expect(app.asked('/revoke').map(({ token_type_hint: hint }) => hint)).toEqual([
      'refresh_token',
      'access_token',
    ])
    await expect(journey.call('whoami')).rejects.toThrow('Unauthorized')
    await journey.finish()
    expect(await journey.call('whoami')).toMatchObject(ADA)
    expect(journey.oauth.authorizationRequests).toHaveLength(2)
  })
})

describe('a client', () => {
  test('that gives up its refresh token gives up the tokens of the identity provider behind it', async () => {
    const app = await serve()
    const { register, signIn, post, call } = clientsOf(app.base)
    const client = await register()
    const tokens = await signIn(client, { scope: 'openid profile' })
    const form = {
      grant_type: 'refresh_token',
      refresh_token: tokens.refresh_token,
      client_id: client.client_id,
    }
    const renewed = (await post('/token', form)).body as typeof tokens
    const { refresh_token: upstream } = app.asked('/token')[1] ?? {}
    const revoked = await post('/revoke', { token: renewed.refresh_token, client_id: client.client_id })
    expect(revoked).toMatchObject({ status: 200 })
    const given = app.asked('/revoke')
    expect(given).toMatchObject([
      { token: upstream, token_type_hint: 'refresh_token' },
      { token_type_hint: 'access_token' },
    ])
    // Ours mean nothing there.
    const ours = [tokens, renewed].flatMap((each) => [each.access_token, each.refresh_token])
    for (const { token } of given) expect(ours).not.toContain(token)
    const refused = await call(renewed.access_token)
    expect({ status: refused.status, challenge: refused.headers.get('www-authenticate') }).toEqual({
      status: 401,
      challenge: expect.stringContaining('error="invalid_token"'),
    })
    expect(await post('/token', { ...form, refresh_token: renewed.refresh_token })).toMatchObject({
      status: 400,
      body: { error: 'invalid_grant' },
    })
    expect(app.events).toContainEqual(expect.objectContaining({ type: 'grant.revoked', why: 'client' }))
  })

  test('of one person is no client of another', async () => {
    const app = await serve()
    const grace = new HeadlessOAuthClient()
    grace.username = 'grace'
    const journeys = [await arrive(app), await arrive(app, startV1, grace)]
    const callers = await Promise.all(journeys.map((journey) => journey.call('whoami')))
    expect(callers.map(({ subject }) => subject)).toEqual(['idp|ada', 'idp|grace'])
    const people = await Promise.all(journeys.map((journey) => journey.call('profile')))
    expect(people.map(({ name }) => name)).toEqual(['Ada Lovelace', 'Grace Hopper'])
  })

  test('whose user is closed out by the app is refused from the next request on', async () => {
    const app = await serve()
    const journey = await arrive(app)
    await app.provider.revokeUser('idp|ada')
    await expect(journey.call('whoami')).rejects.toThrow('Unauthorized')
    expect(app.asked('/revoke')).toHaveLength(2)
  })
})

describe('a client that is described by a document', () => {
  const DOCUMENT = 'https://editor.example.com/oauth/client.json'
  let web: StrangeHost
  beforeAll(async () => {
    web = await startStrangeHost()
    web.answer = documentAnswer({
      ...new HeadlessOAuthClient().clientMetadata,
      client_id: DOCUMENT,
      client_name: 'Editor by document',
    })
  })
  afterAll(() => web.close())

  test.each(Object.entries(CLIENTS))('%s never registers, and signs in', async (_, start) => {
    const clock = testClock()
    const app = await serve({ deps: { ...clock, network: web.network } })
    const oauth = Object.assign(new HeadlessOAuthClient(), { clientMetadataUrl: DOCUMENT })
    const journey = await arrive(app, start, oauth)
    expect(await journey.call('whoami')).toMatchObject({ ...ADA, clientId: DOCUMENT })
    expect(app.events.filter(({ type }) => type === 'client.registered')).toEqual([])
  })
})

describe('whether people are asked here', () => {
  /** Where a browser gets to that a client sends, and where it is when the person has signed in. */
  async function arriveAt(app: App, client: Registered, person = new Browser()): Promise<'here' | 'there'> {
    // As a browser says that an app on this device has opened.
    person.headers = { 'sec-fetch-site': 'same-origin' }
    const { challenge } = pkce()
    const url = authorizationUrl(app.base, client.client_id, challenge, { scope: 'openid profile' })
    const { origin } = (await person.go(url, REDIRECT_URI)).url
    const code = (await person.grant(url, REDIRECT_URI, 'ada')).searchParams.get('code')
    expect(code).not.toBeNull()
    return origin === app.base ? 'here' : 'there'
  }

  test.each([
    ['always', 'here', 'here'],
    ['remember', 'here', 'there'],
    ['external', 'there', 'there'],
    // On loopback nobody is asked then.
    [false, 'there', 'there'],
  ] as const)('consent %s: first %s, then %s', async (consent, first, then) => {
    const app = await serve({ consent })
    const client = await clientsOf(app.base).register()
    const person = new Browser()
    expect(await arriveAt(app, client, person)).toBe(first)
    const again = authorizationUrl(app.base, client.client_id, pkce().challenge, { scope: 'openid profile' })
    // The identity provider remembers them too, so that whoever is sent there comes back at once.
    const shown = await person.go(again, REDIRECT_URI)
    expect(shown.url.href.startsWith(then === 'here' ? app.base : REDIRECT_URI)).toBe(true)
    // Another browser may be another person's.
    expect(await arriveAt(app, client)).toBe(first)
  })
})

describe.each(HOSTS)('on %s', (host) => {
  test('a client signs in, acts as the user there, refreshes, and is disconnected', async () => {
    const app = await serve({ host })
    const journey = await arrive(app)
    expect(await journey.call('whoami')).toMatchObject(ADA)
    expect(await journey.call('profile')).toMatchObject({ status: 200, sub: 'idp|ada' })
    app.clock.advance(700)
    expect(await journey.call('whoami')).toMatchObject(ADA)
    await disconnect(app, journey)
    await expect(journey.call('whoami')).rejects.toThrow('Unauthorized')
    await journey.finish()
    expect(await journey.call('whoami')).toMatchObject(ADA)
  })
})

// An app that is its own authorization server, in front of a real MCP server, on every host: clients come, sign in, call tools, and come again.
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import {
  Client as ClientV2,
  type ClientOptions,
  StreamableHTTPClientTransport as HttpV2,
} from '@modelcontextprotocol/client'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as HttpV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { afterAll, afterEach, beforeAll, describe, expect, jest, test } from '@jest/globals'
import connect from 'connect'
import express from 'express'
import {
  type AuthHandler,
  type AuthProvider,
  type McpAuthOptions,
  MultiAuth,
  OAuthProvider,
  type OAuthProviderOptions,
  StaticTokenVerifier,
  mcpAuth,
} from 'express-mcp-auth'
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import { type TestClock, testClock } from 'express-mcp-auth/testing'
import express4 from 'express4'
import { SECRET, answerOf, clientsOf, signIn } from '../support/authorization-server.js'
import { formOf } from '../support/browser-session.js'
import {
  type Caller,
  type McpListener,
  type McpRequest,
  statelessV1,
  statelessV2,
} from '../support/mcp-servers.js'
import { HeadlessOAuthClient } from '../support/oauth-client.js'
import { startServer } from '../support/site.js'

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

type Framework = (guard: AuthHandler, mcp: McpListener) => RequestListener

/** @param parsers whether the app reads bodies before the guard, as many do */
const onExpress =
  (create: typeof express, parsers = false): Framework =>
  (guard, mcp) => {
    const app = create()
    if (parsers) app.use(create.json(), create.urlencoded({ extended: true }))
    app.use(guard)
    app.use((request: McpRequest, response: ServerResponse, next: (error: unknown) => void) => {
      mcp(request, response).catch(next)
    })
    return app
  }

const FRAMEWORKS: Readonly<Record<string, Framework>> = {
  'Express 5': onExpress(express),
  'Express 5 with parsers before the guard': onExpress(express, true),
  'Express 4': onExpress(express4),
  'Express 4 with parsers before the guard': onExpress(express4, true),
  connect: (guard, mcp) => {
    const app = connect()
    app.use(guard)
    app.use((request, response, next) => {
      mcp(request as McpRequest, response).catch(next)
    })
    return app
  },
  'node:http': (guard, mcp) => (request, response) => {
    guard(request, response, () => void mcp(request, response))
  },
}

interface App {
  readonly base: string
  readonly resource: string
  readonly clock: TestClock
  readonly provider: OAuthProvider
  /** Methods and paths that were asked for, with the status they were answered with. */
  readonly log: string[]
}

interface AppOptions extends Partial<OAuthProviderOptions> {
  readonly framework?: Framework | undefined
  readonly mcp?: () => McpListener
  readonly path?: string
  readonly slashedIssuer?: boolean
  readonly guard?: McpAuthOptions
  readonly wrap?: (provider: OAuthProvider) => AuthProvider
}

async function serve(options: AppOptions = {}): Promise<App> {
  const {
    framework = onExpress(express),
    mcp = statelessV2,
    path = '',
    slashedIssuer = false,
    guard,
    wrap,
    ...rest
  } = options
  const behind: { listener?: RequestListener } = {}
  const log: string[] = []
  const server = await startServer((request: IncomingMessage, response: ServerResponse) => {
    const asked = `${request.method} ${(request.url ?? '').replace(/\?.*/, '')}`
    response.on('finish', () => log.push(`${asked} ${response.statusCode}`))
    behind.listener?.(request, response)
  })
  opened.push(server.close)
  const clock = testClock()
  const base = server.url + path
  const provider = new OAuthProvider({
    baseUrl: base,
    ...(slashedIssuer && { issuer: `${base}/` }),
    secret: SECRET,
    signIn,
    requiredScopes: ['mcp:use'],
    scopesSupported: ['notes:write'],
    store: new MemoryStore({ deps: clock }),
    deps: clock,
    ...rest,
  })
  const handler = mcpAuth(wrap?.(provider) ?? provider, {
    deps: clock,
    rateLimit: false,
    onEvent: () => undefined,
    ...guard,
  })
  behind.listener = framework(handler, mcp())
  return { base, resource: `${base}/mcp`, clock, provider, log }
}

/** An SDK's client at an app. */
interface Journey {
  readonly oauth: HeadlessOAuthClient
  connect(): Promise<void>
  /** Brings the client what the browser came back with. */
  finish(): Promise<void>
  call(tool: string): Promise<string>
}
type Start = (app: App, oauth?: HeadlessOAuthClient) => Journey

const textOf = (result: unknown): string => (result as { content: { text: string }[] }).content[0]?.text ?? ''

const startV2 =
  (options: ClientOptions = {}): Start =>
  ({ resource }, oauth = new HeadlessOAuthClient()) => {
    const client = new ClientV2({ name: 'v2', version: '1.0.0' }, options)
    let transport: HttpV2
    opened.push(() => client.close())
    return {
      oauth,
      connect: () => {
        transport = new HttpV2(new URL(resource), { authProvider: oauth })
        return client.connect(transport)
      },
      finish: () => transport.finishAuth(oauth.callback),
      call: async (name) => textOf(await client.callTool({ name })),
    }
  }

const startV1: Start = ({ resource }, oauth = new HeadlessOAuthClient()) => {
  const client = new ClientV1({ name: 'v1', version: '1.0.0' })
  let transport: HttpV1
  opened.push(() => client.close())
  return {
    oauth,
    connect: () => {
      transport = new HttpV1(new URL(resource), { authProvider: oauth })
      return client.connect(transport)
    },
    finish: () => transport.finishAuth(oauth.callback.get('code') ?? ''),
    call: async (name) => textOf(await client.callTool({ name })),
  }
}

const CLIENTS: Readonly<Record<string, Start>> = {
  'SDK v1 client': startV1,
  'SDK v2 client': startV2(),
  'SDK v2 client of 2026-07-28': startV2({ versionNegotiation: { mode: 'auto' } }),
}

/** Refused, signed in, connected. */
async function arrive(app: App, start: Start = startV2(), oauth?: HeadlessOAuthClient): Promise<Journey> {
  const journey = start(app, oauth)
  await expect(journey.connect()).rejects.toThrow('Unauthorized')
  await journey.finish()
  await journey.connect()
  return journey
}

async function whoami(journey: Journey): Promise<Caller['authInfo']> {
  return (JSON.parse(await journey.call('whoami')) as Caller).authInfo
}

describe.each(Object.entries(CLIENTS))('%s', (_, start) => {
  test.each([
    ['an SDK v1 server', statelessV1],
    ['an SDK v2 server', statelessV2],
  ])('at %s: signs in from the 401 alone, and tools see who calls', async (_server, mcp) => {
    const app = await serve({ mcp })
    const journey = await arrive(app, start)
    expect(await whoami(journey)).toMatchObject({
      clientId: journey.oauth.clientInformation()?.client_id,
      scopes: expect.arrayContaining(['mcp:use']),
      resource: app.resource,
      subject: 'id-ada',
    })
    expect(journey.oauth.callback.get('iss')).toBe(app.base)
    expect(journey.oauth.authorizationRequests).toHaveLength(1)
    expect(app.log.filter((line) => / (?:401|403|5\d\d)$/.test(line))).toEqual(['POST /mcp 401'])
  })

  test('refreshes by itself when the token has expired, and nobody is asked', async () => {
    const app = await serve()
    const journey = await arrive(app, start)
    const first = journey.oauth.tokens()?.access_token
    app.clock.advance(3700)
    expect(await whoami(journey)).toMatchObject({ subject: 'id-ada' })
    expect(journey.oauth.tokens()?.access_token).not.toBe(first)
    expect(journey.oauth.authorizationRequests).toHaveLength(1)
  })

  test('signs in again when the user disconnected it', async () => {
    const app = await serve()
    const journey = await arrive(app, start)
    await disconnect(app, journey)
    await expect(journey.call('whoami')).rejects.toThrow('Unauthorized')
    await journey.finish()
    expect(await whoami(journey)).toMatchObject({ subject: 'id-ada' })
    expect(journey.oauth.authorizationRequests).toHaveLength(2)
  })

  test('asks for more when a tool needs more, and keeps what it had', async () => {
    const app = await serve({ guard: { toolScopes: { tools: { delete_note: ['notes:write'] } } } })
    const oauth = new HeadlessOAuthClient()
    // With a refresh token, SDK v1 would refresh and then give up.
    if (start === startV1) oauth.clientMetadata.grant_types = ['authorization_code']
    const journey = await arrive(app, start, oauth)
    await expect(journey.call('delete_note')).rejects.toThrow('Unauthorized')
    await journey.finish()
    expect(await journey.call('delete_note')).toBe('done')
    expect(oauth.authorizationRequests[1]?.get('scope')?.split(' ')).toEqual(
      expect.arrayContaining(['mcp:use', 'notes:write']),
    )
    expect((await whoami(journey))?.['scopes']).toEqual(expect.arrayContaining(['mcp:use', 'notes:write']))
  })
})

/** What the user does on the page of connections. */
async function disconnect({ base, resource }: App, { oauth }: Journey): Promise<void> {
  const { browser } = clientsOf(new URL(resource).origin, base)
  const person = browser()
  const nowhere = 'nowhere:'
  const page = formOf(await person.go(`${base}/connections`, nowhere))
  const typed = { ...page.fields, username: 'ada', password: 'ada!' }
  const shown = await person.go(page.action, nowhere, typed)
  const client = oauth.clientInformation()?.client_id ?? ''
  const { csrf = '' } = formOf(shown).fields
  const done = await person.go(`${base}/connections`, nowhere, { csrf, client })
  expect(done.html).toContain('is disconnected')
}

describe.each(Object.entries(FRAMEWORKS))('on %s', (_, framework) => {
  test('a client signs in, calls a tool, refreshes, and is disconnected', async () => {
    const app = await serve({ framework })
    const journey = await arrive(app)
    expect(await whoami(journey)).toMatchObject({ subject: 'id-ada' })
    app.clock.advance(3700)
    expect(await whoami(journey)).toMatchObject({ subject: 'id-ada' })
    await disconnect(app, journey)
    await expect(journey.call('whoami')).rejects.toThrow('Unauthorized')
  })

  test('a confidential client does so too', async () => {
    const app = await serve({ framework })
    const { register, signIn: signInAs } = clientsOf(app.base)
    for (const method of ['client_secret_basic', 'client_secret_post']) {
      const client = await register({ token_endpoint_auth_method: method })
      const tokens = await signInAs(client, { scope: 'mcp:use' })
      expect(tokens).toMatchObject({ scope: 'mcp:use', expires_in: 3600 })
    }
  })
})

describe('where the base URL has a path', () => {
  test.each([
    ['the issuer has it too', { path: '/api/v1' }, ''],
    ['the issuer has a slash more', { path: '/api/v1', slashedIssuer: true }, '/'],
    ['the issuer is the origin with a slash', { slashedIssuer: true }, '/'],
  ])('and %s, every client finds its way', async (_, options, suffix) => {
    for (const start of Object.values(CLIENTS)) {
      const app = await serve(options)
      const journey = await arrive(app, start)
      expect(await whoami(journey)).toMatchObject({ subject: 'id-ada', resource: app.resource })
      expect(journey.oauth.callback.get('iss')).toBe(app.base + suffix)
      app.clock.advance(3700)
      expect(await whoami(journey)).toMatchObject({ subject: 'id-ada' })
    }
  })

  test('everything is below it, and nothing is beside it', async () => {
    const app = await serve({ path: '/api' })
    const { origin } = new URL(app.base)
    const statuses = async (start: string): Promise<number[]> =>
      Promise.all(
        ['/authorize', '/sign-in', '/consent', '/.well-known/jwks.json'].map(
          async (path) => (await fetch(start + path, { redirect: 'manual' })).status,
        ),
      )
    expect(await statuses(app.base)).toEqual([400, 200, 400, 200])
    expect(await statuses(origin)).toEqual([401, 401, 401, 401])
  })
})

describe('MultiAuth with an OAuthProvider as its server', () => {
  const tokens = { sk_robot: { clientId: 'robot', subject: 'robot', scopes: ['mcp:use'] } }
  const wrap = (provider: OAuthProvider): AuthProvider =>
    new MultiAuth({ server: provider, verifiers: [new StaticTokenVerifier({ tokens })] })

  test.each(Object.entries(CLIENTS))('%s signs in as it would without', async (_, start) => {
    const app = await serve({ wrap })
    const journey = await arrive(app, start)
    expect(await whoami(journey)).toMatchObject({ subject: 'id-ada' })
    app.clock.advance(3700)
    expect(await whoami(journey)).toMatchObject({ subject: 'id-ada' })
  })

  test('API keys are good beside it, and others are not', async () => {
    const app = await serve({ wrap })
    const list = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
    const call = async (token: string) =>
      answerOf(
        await fetch(app.resource, {
          method: 'POST',
          headers: {
            authorization: `Bearer ${token}`,
            'content-type': 'application/json',
            accept: 'application/json, text/event-stream',
          },
          body: JSON.stringify(list),
        }),
      )
    expect((await call('sk_robot')).status).toBe(200)
    const refused = await call('sk_other')
    expect(refused.status).toBe(401)
    expect(refused.headers.get('www-authenticate')).toContain(
      `resource_metadata="${app.base}/.well-known/oauth-protected-resource/mcp"`,
    )
  })
})

test('two people at one app are two people to its tools', async () => {
  const app = await serve()
  const bob = new HeadlessOAuthClient()
  bob.username = 'bob'
  const journeys = [await arrive(app), await arrive(app, startV1, bob)]
  const callers = await Promise.all(journeys.map(whoami))
  expect(callers.map((caller) => caller?.['subject'])).toEqual(['id-ada', 'id-bob'])
})

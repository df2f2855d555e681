// A real authorization server, the guard in front of a real MCP server, and the SDKs' real clients, which sign in by themselves.
import { EventEmitter, once } from 'node:events'
import {
  Client as ClientV2,
  type ClientOptions,
  StreamableHTTPClientTransport as HttpV2,
  SdkHttpError,
  UnauthorizedError as UnauthorizedV2,
  auth,
} from '@modelcontextprotocol/client'
import { UnauthorizedError as UnauthorizedV1 } from '@modelcontextprotocol/sdk/client/auth.js'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as HttpV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals'
import express from 'express'
import { RemoteAuthProvider, mcpAuth } from 'express-mcp-auth'
import { type TestClock, testClock } from 'express-mcp-auth/testing'
import { type Caller, type McpRequest, statelessV2 } from '../support/mcp-servers.js'
import { HeadlessOAuthClient } from '../support/oauth-client.js'
import { type AuthorizationServer, startAuthorizationServer } from '../support/oidc-provider.js'
import { refusalOf, startServer } from '../support/site.js'

interface Exchange {
  readonly request: string
  readonly status: number
  readonly challenge: string | undefined
}

let resource: string
let metadata: string
let authorizationServer: AuthorizationServer
/** The guard's clock. The authorization server and the clients go by the system's. */
let clock: TestClock
/** What the clients asked the guarded server, and how it answered. */
let exchanges: Exchange[]
const answered = new EventEmitter()
const opened: (() => Promise<void>)[] = []

beforeEach(async () => {
  exchanges = []
  clock = testClock()
  const app = express()
  const server = await startServer(app)
  opened.push(server.close)
  resource = `${server.url}/mcp`
  metadata = `${server.url}/.well-known/oauth-protected-resource/mcp`
  authorizationServer = await startAuthorizationServer({ url: resource, scopes: ['mcp:use', 'notes:write'] })
  opened.push(authorizationServer.close)
  const provider = new RemoteAuthProvider({
    baseUrl: server.url,
    authorizationServers: [authorizationServer.issuer],
    jwksUri: authorizationServer.jwksUri,
    requiredScopes: ['mcp:use'],
    deps: clock,
  })
  const mcp = statelessV2()
  app.use((request, response, next) => {
    response.on('finish', () => {
      const exchange = {
        request: `${request.method} ${request.url}`,
        status: response.statusCode,
        challenge: response.get('www-authenticate'),
      }
      exchanges.push(exchange)
      answered.emit(exchange.request)
    })
    next()
  })
  app.use(mcpAuth(provider, { toolScopes: { tools: { delete_note: ['notes:write'] } }, deps: clock }))
  app.use((request, response, next) => {
    mcp(request as unknown as McpRequest, response).catch(next)
  })
})

afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
})

/** One client with its credentials. `call` gives the text of a tool's answer. */
interface Journey {
  readonly oauth: HeadlessOAuthClient
  readonly wantsStream: boolean
  connect(): Promise<void>
  /** Brings the client what the browser came back with. */
  finish(): Promise<void>
  call(tool: string): Promise<string>
}

function journeyV2(options: ClientOptions = {}): Journey {
  const oauth = new HeadlessOAuthClient()
  const client = new ClientV2({ name: 'v2', version: '1.0.0' }, options)
  opened.push(() => client.close())
  let transport: HttpV2
  return {
    oauth,
    wantsStream: options.versionNegotiation === undefined,
    connect: () => {
      transport = new HttpV2(new URL(resource), { authProvider: oauth })
      return client.connect(transport)
    },
    finish: () => transport.finishAuth(oauth.callback),
    call: async (name) => textOf(await client.callTool({ name })),
  }
}

function journeyV1(oauth: HeadlessOAuthClient = new HeadlessOAuthClient()): Journey {
  const client = new ClientV1({ name: 'v1', version: '1.0.0' })
  opened.push(() => client.close())
  let transport: HttpV1
  return {
    oauth,
    wantsStream: true,
    connect: () => {
      transport = new HttpV1(new URL(resource), { authProvider: oauth })
      return client.connect(transport)
    },
    finish: () => transport.finishAuth(oauth.callback.get('code') ?? ''),
    call: async (name) => textOf(await client.callTool({ name })),
  }
}

/** Refused, signed in, connected, and nothing under way. */
async function signIn(journey: Journey): Promise<Journey> {
  await expect(journey.connect()).rejects.toThrow('Unauthorized')
  await journey.finish()
  // A client of 2025 asks for a stream when it is connected, and goes on without waiting for the answer.
  const stream = journey.wantsStream ? once(answered, 'GET /mcp') : undefined
  await journey.connect()
  await stream
  return journey
}

function textOf(result: unknown): string {
  return (result as { content: { text: string }[] }).content[0]!.text
}

async function whoami(journey: Journey): Promise<Caller['authInfo']> {
  return (JSON.parse(await journey.call('whoami')) as Caller).authInfo
}

/** The signing key of a token. */
function kidOf(token: string): unknown {
  return (JSON.parse(Buffer.from(token.split('.')[0]!, 'base64url').toString()) as { kid: string }).kid
}

/** What the authorization server was asked, with what differs from run to run left out. */
function askedOf({ requests }: AuthorizationServer): string[] {
  return requests.filter((request) => !request.includes('interaction') && !/^GET \/auth\/./.test(request))
}

describe.each<[string, ClientOptions]>([
  ['SDK v2 client', {}],
  ['SDK v2 client of 2026-07-28', { versionNegotiation: { mode: 'auto' } }],
])('%s', (_name, options) => {
  test('finds out from the 401 alone where to sign in, and calls a tool with the token it got', async () => {
    const journey = journeyV2(options)

    await expect(journey.connect()).rejects.toBeInstanceOf(UnauthorizedV2)
    expect(exchanges).toEqual([
      {
        request: 'POST /mcp',
        status: 401,
        challenge: `Bearer scope="mcp:use", resource_metadata="${metadata}"`,
      },
      { request: 'GET /.well-known/oauth-protected-resource/mcp', status: 200, challenge: undefined },
    ])
    await journey.finish()
    await journey.connect()
    const caller = await whoami(journey)

    expect(askedOf(authorizationServer)).toEqual([
      'GET /.well-known/oauth-authorization-server',
      'POST /reg',
      'GET /auth',
      'POST /token',
      'GET /jwks',
    ])
    const [request] = journey.oauth.authorizationRequests
    expect(Object.fromEntries(request!)).toMatchObject({
      scope: expect.stringMatching(/^mcp:use\b/) as unknown,
      resource,
      code_challenge_method: 'S256',
    })
    expect(caller).toMatchObject({
      subject: 'alice',
      clientId: journey.oauth.clientInformation()!.client_id,
      issuer: authorizationServer.issuer,
      scopes: ['mcp:use'],
      resource,
      resourceMetadataUrl: metadata,
      claims: { aud: resource },
    })
  })

  test('learns every scope of a call from one 403, asks its user once more, and the call succeeds', async () => {
    const journey = await signIn(journeyV2(options))
    exchanges.length = 0

    await expect(journey.call('delete_note')).rejects.toBeInstanceOf(UnauthorizedV2)
    expect(exchanges.filter(({ status }) => status !== 200)).toEqual([
      {
        request: 'POST /mcp',
        status: 403,
        challenge:
          'Bearer error="insufficient_scope", error_description="This needs the scope mcp:use notes:write", ' +
          `scope="mcp:use notes:write", resource_metadata="${metadata}"`,
      },
    ])
    await journey.finish()

    expect(await journey.call('delete_note')).toBe('done')
    expect(journey.oauth.authorizationRequests).toHaveLength(2)
    expect(journey.oauth.authorizationRequests[1]!.get('scope')).toMatch(/^mcp:use notes:write\b/)
    expect(await whoami(journey)).toMatchObject({ scopes: ['mcp:use', 'notes:write'] })
  })
})

describe('SDK v1 client', () => {
  test('finds out from the 401 alone where to sign in, and calls a tool with the token it got', async () => {
    const journey = journeyV1()

    await expect(journey.connect()).rejects.toBeInstanceOf(UnauthorizedV1)
    await journey.finish()
    await journey.connect()

    expect(await whoami(journey)).toMatchObject({
      subject: 'alice',
      clientId: journey.oauth.clientInformation()!.client_id,
      scopes: ['mcp:use'],
    })
    expect(Object.fromEntries(journey.oauth.authorizationRequests[0]!)).toMatchObject({
      scope: expect.stringMatching(/^mcp:use\b/) as unknown,
      resource,
      code_challenge_method: 'S256',
    })
  })

  test('steps up where it holds no refresh token, which it would try first', async () => {
    const oauth = new HeadlessOAuthClient()
    oauth.clientMetadata.grant_types = ['authorization_code']
    const journey = await signIn(journeyV1(oauth))

    await expect(journey.call('delete_note')).rejects.toBeInstanceOf(UnauthorizedV1)
    await journey.finish()

    expect(await journey.call('delete_note')).toBe('done')
    expect(oauth.authorizationRequests[1]!.get('scope')).toMatch(/^mcp:use notes:write\b/)
    expect(await whoami(journey)).toMatchObject({ scopes: ['mcp:use', 'notes:write'] })
  })
})

describe.each<[string, () => Journey]>([
  ['SDK v1 client', journeyV1],
  ['SDK v2 client', journeyV2],
])('%s', (_name, begin) => {
  test('refreshes an expired token by itself, without its user', async () => {
    authorizationServer.accessTokenSeconds = 60
    const journey = await signIn(begin())
    const first = journey.oauth.tokens()!.access_token
    authorizationServer.accessTokenSeconds = 3600
    exchanges.length = 0
    clock.advance(61)

    const caller = await whoami(journey)

    expect(exchanges[0]).toEqual({
      request: 'POST /mcp',
      status: 401,
      challenge:
        'Bearer error="invalid_token", error_description="The access token is malformed, expired, revoked or not meant ' +
        `for this resource", scope="mcp:use", resource_metadata="${metadata}"`,
    })
    expect(exchanges.at(-1)).toMatchObject({ request: 'POST /mcp', status: 200 })
    expect(journey.oauth.authorizationRequests).toHaveLength(1)
    expect(journey.oauth.tokens()!.access_token).not.toBe(first)
    expect(caller).toMatchObject({ subject: 'alice', token: journey.oauth.tokens()!.access_token })
  })

  test('does not notice that the provider changed its key, and nobody else is put out', async () => {
    const other = await signIn(begin())
    authorizationServer.accessTokenSeconds = 60
    const journey = await signIn(begin())
    authorizationServer.accessTokenSeconds = 3600
    authorizationServer.rotateKeys()
    clock.advance(61)

    expect(await whoami(journey)).toMatchObject({ subject: 'alice' })

    expect(kidOf(journey.oauth.tokens()!.access_token)).toBe('key-2')
    expect(kidOf(other.oauth.tokens()!.access_token)).toBe('key-1')
    expect(await whoami(other)).toMatchObject({ subject: 'alice' })
    expect(authorizationServer.requests.filter((request) => request === 'GET /jwks')).toHaveLength(2)
  })
})

describe('while the provider is down', () => {
  /** Signs a client in without showing its token to the guard. */
  async function obtainToken(oauth: HeadlessOAuthClient): Promise<string> {
    expect(await auth(oauth, { serverUrl: resource })).toBe('REDIRECT')
    const authorizationCode = oauth.callback.get('code') ?? ''
    const iss = oauth.callback.get('iss') ?? ''
    expect(await auth(oauth, { serverUrl: resource, authorizationCode, iss })).toBe('AUTHORIZED')
    return oauth.tokens()!.access_token
  }

  const ping = (token: string): Promise<Response> =>
    fetch(resource, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        accept: 'application/json, text/event-stream',
        'content-type': 'application/json',
      },
      body: '{"jsonrpc":"2.0","id":1,"method":"ping"}',
    })

  test('tokens of a known key go on working, seen before or not, and those of a new key get 503', async () => {
    const known = await signIn(journeyV2())
    const unseen = await obtainToken(new HeadlessOAuthClient())
    authorizationServer.rotateKeys()
    const ofNewKey = await obtainToken(new HeadlessOAuthClient())
    await authorizationServer.close()
    clock.advance(31)

    const refused = await ping(ofNewKey)

    expect(refused.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
    expect(await refusalOf(refused)).toEqual({
      status: 503,
      challenge: null,
      body: {
        error: 'temporarily_unavailable',
        error_description: 'The access token could not be checked right now, try again shortly',
      },
      cache: 'no-store',
      vary: 'Authorization',
    })
    expect((await ping(unseen)).status).toBe(200)
    expect(await whoami(known)).toMatchObject({ subject: 'alice' })
  })

  test('a client is told to wait: it keeps its token and does not send its user to sign in', async () => {
    const journey = journeyV2()
    const token = await obtainToken(journey.oauth)
    await authorizationServer.close()

    const error: unknown = await journey.connect().catch((thrown: unknown) => thrown)

    expect(error).toBeInstanceOf(SdkHttpError)
    expect(error).toMatchObject({ status: 503 })
    expect(journey.oauth.tokens()!.access_token).toBe(token)
    expect(journey.oauth.authorizationRequests).toHaveLength(1)
  })
})

// The SDKs' own clients against the SDKs' own servers, behind the guard, over real HTTP.
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import { InsufficientScopeError, SdkHttpError, SseError as SseErrorV2 } from '@modelcontextprotocol/client'
import { SseError as SseErrorV1 } from '@modelcontextprotocol/sdk/client/sse.js'
import { StreamableHTTPError } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { afterEach, describe, expect, test } from '@jest/globals'
import connect from 'connect'
import express from 'express'
import express4 from 'express4'
import {
  type AuthHandler,
  JWTVerifier,
  type McpAuthOptions,
  RemoteAuthProvider,
  mcpAuth,
} from 'express-mcp-auth'
import { ISSUER, RESOURCE, createKey, createToken } from '../support/issuer.js'
import { type Connect, type McpClient, connectV1, connectV2, connectV2Auto } from '../support/mcp-clients.js'
import {
  type Caller,
  type McpListener,
  type McpRequest,
  sseV1,
  statefulV1,
  statefulV2,
  statelessV1,
  statelessV2,
} from '../support/mcp-servers.js'
import { startServer } from '../support/site.js'

const key = createKey()
const alice = createToken(key, { sub: 'alice', client_id: 'desktop', scope: 'mcp:use notes:write' })
const bob = createToken(key, { sub: 'bob', client_id: 'desktop', scope: 'mcp:use' })

const METADATA = 'https://api.example.com/.well-known/oauth-protected-resource/mcp'

const opened: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
})

type Parser = 'before the guard' | 'behind the guard' | 'nowhere'
type Framework = (guard: AuthHandler, mcp: McpListener, parser?: Parser) => RequestListener

const onExpress =
  (create: typeof express): Framework =>
  (guard, mcp, parser = 'nowhere') => {
    const app = create()
    if (parser === 'before the guard') app.use(create.json())
    app.use(guard)
    if (parser === 'behind the guard') app.use(create.json())
    app.use((request: McpRequest, response: ServerResponse, next: (error: unknown) => void) => {
      mcp(request, response).catch(next)
    })
    return app
  }

const onExpress5 = onExpress(express)
const frameworks: Record<string, Framework> = {
  'Express 4': onExpress(express4),
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

interface Running {
  readonly url: string
  /** Every request that came, in order, with the status that it was answered with. */
  log(): { method: string | undefined; status: number }[]
}

async function serve(
  mcp: McpListener,
  {
    framework = onExpress5,
    parser = 'nowhere',
    ...options
  }: { framework?: Framework; parser?: Parser } & McpAuthOptions = {},
): Promise<Running> {
  const provider = new RemoteAuthProvider({
    baseUrl: 'https://api.example.com',
    authorizationServers: [ISSUER],
    tokenVerifier: new JWTVerifier({ publicKey: key.jwk, issuer: ISSUER, audience: RESOURCE }),
    requiredScopes: ['mcp:use'],
  })
  const listener = framework(mcpAuth(provider, { onEvent: () => undefined, ...options }), mcp, parser)
  const exchanges: { method: string | undefined; response: ServerResponse }[] = []
  const server = await startServer((request: IncomingMessage, response: ServerResponse) => {
    exchanges.push({ method: request.method, response })
    listener(request, response)
  })
  opened.push(server.close)
  return {
    url: server.url,
    log: () => exchanges.map(({ method, response }) => ({ method, status: response.statusCode })),
  }
}

async function open(connectClient: Connect, url: string, token?: string): Promise<McpClient> {
  const client = await connectClient(url, token)
  opened.push(client.close)
  return client
}

const clients: Record<string, Connect> = {
  'SDK v1 client': connectV1,
  'SDK v2 client': connectV2,
  'SDK v2 client that negotiates': connectV2Auto,
}
const servers: Record<string, { create: () => McpListener; path: string }> = {
  'SDK v1 server without sessions': { create: statelessV1, path: '/mcp' },
  'SDK v1 server with sessions': { create: statefulV1, path: '/mcp' },
  'SDK v2 server without sessions': { create: statelessV2, path: '/mcp' },
  'SDK v2 server with sessions': { create: statefulV2, path: '/mcp' },
  'SDK v1 server with the old SSE transport': { create: sseV1, path: '/sse' },
}

const pairs = Object.entries(servers).flatMap(([server, { create, path }]) =>
  Object.entries(clients).map(([client, connectClient]) => ({ server, client, create, path, connectClient })),
)

describe.each(pairs)('$client at an $server', ({ client, create, path, connectClient }) => {
  test('is refused without a token, learns so from the status, and does not insist', async () => {
    const { url, log } = await serve(create())

    const error: unknown = await open(connectClient, url + path).catch((thrown: unknown) => thrown)

    if (path === '/sse') {
      expect(error).toBeInstanceOf(client === 'SDK v1 client' ? SseErrorV1 : SseErrorV2)
      expect(error).toMatchObject({ code: 401 })
    } else if (client === 'SDK v1 client') {
      expect(error).toBeInstanceOf(StreamableHTTPError)
      expect(error).toMatchObject({ code: 401 })
    } else {
      expect(error).toBeInstanceOf(SdkHttpError)
      expect(error).toMatchObject({ status: 401 })
    }
    expect(log()).toEqual([{ method: path === '/sse' ? 'GET' : 'POST', status: 401 }])
  })

  test('calls tools with a token, and they see who calls, as authInfo and from getAccessToken()', async () => {
    const { url } = await serve(create())

    const caller = callerIn(await (await open(connectClient, url + path, alice)).call('whoami'))

    const claims = JSON.parse(Buffer.from(alice.split('.')[1]!, 'base64url').toString()) as { exp: number }
    expect(caller).toEqual({
      authInfo: {
        token: alice,
        tokenType: 'Bearer',
        clientId: 'desktop',
        scopes: ['mcp:use', 'notes:write'],
        expiresAt: claims.exp,
        resource: RESOURCE,
        resourceMetadataUrl: METADATA,
        subject: 'alice',
        issuer: ISSUER,
        claims,
        extra: claims,
      },
      resourceIsUrl: true,
      sameInContext: true,
    })
  })
})

test('a client that negotiates speaks 2026-07-28 with createMcpHandler, and 2025-11-25 with all others', async () => {
  const modern = await open(connectV2Auto, `${(await serve(statelessV2())).url}/mcp`, alice)
  const legacy = await open(connectV2Auto, `${(await serve(statefulV2())).url}/mcp`, alice)

  expect([modern.protocolVersion, legacy.protocolVersion]).toEqual(['2026-07-28', '2025-11-25'])
})

describe.each(Object.keys(frameworks))('on %s', (name) => {
  const framework = frameworks[name]!

  test.each([
    { server: 'SDK v1 server with sessions', create: statefulV1, connectClient: connectV1 },
    { server: 'SDK v2 server without sessions', create: statelessV2, connectClient: connectV2Auto },
  ])('an $server is guarded and answers just the same', async ({ create, connectClient }) => {
    const { url } = await serve(create(), {
      framework,
      toolScopes: { tools: { delete_note: ['notes:write'] } },
    })
    const endpoint = `${url}/mcp`

    await expect(open(connectClient, endpoint)).rejects.toThrow(/401|Authentication is required/)
    const ofAlice = await open(connectClient, endpoint, alice)
    const ofBob = await open(connectClient, endpoint, bob)

    expect(callerIn(await ofAlice.call('whoami'))).toMatchObject({
      authInfo: { subject: 'alice', scopes: ['mcp:use', 'notes:write'] },
      sameInContext: true,
    })
    expect(await ofAlice.call('delete_note')).toBe('done')
    await expect(ofBob.call('delete_note')).rejects.toThrow('mcp:use notes:write')
    expect(callerIn(await ofBob.call('whoami'))).toMatchObject({ authInfo: { subject: 'bob' } })
  })
})

describe.each([
  { server: 'SDK v1 server', create: statefulV1 },
  { server: 'SDK v2 server', create: statefulV2 },
])('a session of an $server', ({ create }) => {
  const ask = (url: string, method: string, session: string, token?: string): Promise<Response> =>
    fetch(`${url}/mcp`, {
      method,
      headers: {
        accept: 'application/json, text/event-stream',
        'content-type': 'application/json',
        'mcp-session-id': session,
        'mcp-protocol-version': '2025-11-25',
        ...(token !== undefined && { authorization: `Bearer ${token}` }),
      },
      ...(method === 'POST' && { body: '{"jsonrpc":"2.0","id":1,"method":"tools/list"}' }),
    })

  test.each([
    ['another user', bob],
    [
      'the same user by another client',
      createToken(key, { sub: 'alice', client_id: 'phone', scope: 'mcp:use' }),
    ],
  ])('is not there for %s, by POST, GET and DELETE, while its owner goes on', async (_who, token) => {
    const { url } = await serve(create())
    const owner = await open(connectV1, `${url}/mcp`, alice)

    for (const method of ['POST', 'GET', 'DELETE']) {
      const response = await ask(url, method, owner.sessionId!, token)

      expect(response.status).toBe(404)
      expect(response.headers.get('www-authenticate')).toBeNull()
      expect(response.headers.get('cache-control')).toBe('no-store')
      expect(response.headers.get('vary')).toBe('Authorization')
      expect(await response.json()).toEqual({
        jsonrpc: '2.0',
        error: { code: -32001, message: 'Session not found' },
        id: null,
      })
    }
    expect(callerIn(await owner.call('whoami'))).toMatchObject({ authInfo: { subject: 'alice' } })
  })

  test('opens nothing by itself: without a token it is a 401 like any other request', async () => {
    const { url } = await serve(create())
    const owner = await open(connectV1, `${url}/mcp`, alice)

    for (const method of ['POST', 'GET', 'DELETE']) {
      const response = await ask(url, method, owner.sessionId!)
      expect(response.status).toBe(401)
      expect(response.headers.get('www-authenticate')).toBe(
        `Bearer scope="mcp:use", resource_metadata="${METADATA}"`,
      )
    }
  })

  test('goes on with a renewed token, and its tools see the new one', async () => {
    const { url } = await serve(create())
    const owner = await open(connectV1, `${url}/mcp`, alice)
    const renewed = createToken(key, { sub: 'alice', client_id: 'desktop', scope: 'mcp:use', jti: 'renewed' })
    const body = '{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"whoami"}}'

    const response = await fetch(`${url}/mcp`, {
      method: 'POST',
      headers: {
        accept: 'application/json, text/event-stream',
        'content-type': 'application/json',
        'mcp-session-id': owner.sessionId!,
        authorization: `Bearer ${renewed}`,
      },
      body,
    })

    expect(response.status).toBe(200)
    const [, data] = /^data: (\{.*)$/m.exec(await response.text())!
    const { result } = JSON.parse(data!) as { result: { content: { text: string }[] } }
    expect(callerIn(result.content[0]!.text)).toMatchObject({
      authInfo: { token: renewed, scopes: ['mcp:use'] },
      sameInContext: true,
    })
  })

  test.each([
    ['SDK v1 client', connectV1],
    ['SDK v2 client', connectV2],
  ])('tells its %s of changes over the GET stream', async (_name, connectClient) => {
    const { url } = await serve(create())
    const client = await open(connectClient, `${url}/mcp`, alice)
    expect((await client.stream).headers.get('content-type')).toBe('text/event-stream')

    const told = client.notified('notifications/tools/list_changed')
    await client.call('announce')

    await told
  })
})

test('a subscription of 2026-07-28 hears of changes through the guard', async () => {
  const { url } = await serve(statelessV2())
  const client = await open(connectV2Auto, `${url}/mcp`, alice)
  const told = client.notified('notifications/tools/list_changed')
  await client.subscribe()

  await client.call('announce')

  await told
})

test.each([
  ['without', statelessV2],
  ['with', statefulV2],
])(
  'a tool that an SDK v2 server %s sessions challenges for itself sends clients to our metadata',
  async (_kind, create) => {
    const { url } = await serve(create())
    const client = await open(connectV2Auto, `${url}/mcp`, alice)

    const refused: unknown = await client.call('purge').catch((thrown: unknown) => thrown)

    expect(refused).toBeInstanceOf(InsufficientScopeError)
    expect(refused).toMatchObject({ requiredScope: 'notes:purge', resourceMetadataUrl: new URL(METADATA) })
  },
)

describe.each<Parser>(['before the guard', 'behind the guard', 'nowhere'])('express.json() %s', (parser) => {
  const toolScopes = { tools: { delete_note: ['notes:write'] } }

  test.each([
    { server: 'SDK v1 server', create: statelessV1 },
    { server: 'SDK v2 server', create: statelessV2 },
  ])('leaves an $server its body, and the guard judges the call in it', async ({ create }) => {
    const { url } = await serve(create(), { parser, toolScopes })
    const [first, second] = [
      await open(connectV1, `${url}/mcp`, bob),
      await open(connectV2Auto, `${url}/mcp`, bob),
    ]

    expect(callerIn(await first.call('whoami'))).toMatchObject({ authInfo: { subject: 'bob' } })
    expect(callerIn(await second.call('whoami'))).toMatchObject({ authInfo: { subject: 'bob' } })
    const refusedV1: unknown = await first.call('delete_note').catch((thrown: unknown) => thrown)
    const refusedV2: unknown = await second.call('delete_note').catch((thrown: unknown) => thrown)

    expect(refusedV1).toBeInstanceOf(StreamableHTTPError)
    expect(refusedV1).toMatchObject({ code: 403 })
    expect(refusedV2).toBeInstanceOf(InsufficientScopeError)
    expect(refusedV2).toMatchObject({
      requiredScope: 'mcp:use notes:write',
      resourceMetadataUrl: new URL(METADATA),
    })
    expect(await (await open(connectV2, `${url}/mcp`, alice)).call('delete_note')).toBe('done')
  })
})

function callerIn(text: string): Caller {
  return JSON.parse(text) as Caller
}

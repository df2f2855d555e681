// Ways around a guard that differ from parser to parser and from router to router, and ways to end the process behind it.
import { describe, expect, jest, test } from '@jest/globals'
import connect from 'connect'
import express, { type Express } from 'express'
import {
  type AccessToken,
  type AuthProvider,
  ConfigError,
  IntrospectionTokenVerifier,
  MultiAuth,
  OAuthError,
  RemoteAuthProvider,
  StaticTokenVerifier,
  type ToolScopes,
  getAccessToken,
  mcpAuth,
  requireToolScopes,
} from 'express-mcp-auth'
import { testClock } from 'express-mcp-auth/testing'
import express4 from 'express4'
import {
  ISSUER,
  RESOURCE,
  claimsOf,
  createKey,
  jsonAnswer,
  signParts,
  startKeySet,
  startStub,
} from '../support/issuer.js'
import { startServer } from '../support/site.js'
import {
  attempt,
  closing,
  invalidToken,
  pipeline,
  refusedBody,
  resourceServer,
  startTarget,
  unavailable,
} from './attempt.js'

const TOKENS = new StaticTokenVerifier({
  tokens: {
    none: { clientId: 'cli', subject: 'ada' },
    bob: { clientId: 'cli', subject: 'bob' },
    base: { clientId: 'cli', subject: 'ada', scopes: ['base'] },
  },
})
const QUIET = { onEvent: () => undefined }

function call(method: string, params: unknown): string {
  return JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })
}

/** What an Express app behind toolScopes parsed, or the status that refused. */
async function toolSite(
  toolScopes: ToolScopes,
  make: () => Express = express,
): Promise<(init: RequestInit) => Promise<unknown>> {
  const app = make()
  app.use(mcpAuth(TOKENS, { ...QUIET, toolScopes }))
  app.use(express.json())
  app.post('/mcp', (request, response) => void response.json({ ran: request.body as unknown }))
  const { url } = closing(await startServer(app))
  return async (init) => {
    const headers = {
      authorization: 'Bearer none',
      'content-type': 'application/json',
      ...(init.headers as object),
    }
    const response = await fetch(`${url}/mcp`, { method: 'POST', ...init, headers })
    return response.status === 200 ? response.json() : response.status
  }
}

const DELETE = { tools: { delete_note: ['notes:write'] } }

describe('a body means to the guard what it means to the parser behind it', () => {
  const utf7 = call('tools/call', { name: '+AGQ-elete_note' })
  const makers = [
    ['Express 5', express],
    ['Express 4', express4 as unknown as () => Express],
  ] as const

  describe.each(makers)('%s', (_name, make) => {
    test.each([
      'application/json; charset=utf-7',
      'application/json; x="; charset=utf-8"; charset=utf-7',
      'application/json; charset=utf-8; charset=utf-7',
      'application/json; charset=utf-7; charset=utf-8',
      'application/json; charset="utf-7"',
      'application/json; CHARSET = utf-16le',
      "application/json; charset*=utf-8''utf-7",
    ])('refuses %s', async (type) => {
      const send = await toolSite(DELETE, make)
      expect(await send({ body: utf7, headers: { 'content-type': type } })).toBe(415)
    })
  })

  test.each(['application/json', 'application/json; charset=utf-8', 'application/json;charset="UTF-8"'])(
    'takes %s',
    async (type) => {
      const send = await toolSite(DELETE)
      const body = call('tools/call', { name: 'list_notes' })
      expect(await send({ body, headers: { 'content-type': type } })).toEqual({
        ran: JSON.parse(body) as unknown,
      })
    },
  )

  test('refuses brotli, whose first letters can be JSON', async () => {
    const send = await toolSite(DELETE)
    expect(await send({ body: call('ping', {}), headers: { 'content-encoding': 'br' } })).toBe(415)
  })

  test.each([
    ['read', 'file:///etc/secret'],
    ['another case of the scheme', 'FILE:///etc/secret'],
    ['an encoded letter', 'file:///etc/%73ecret'],
    ['a query', 'file:///etc/secret?x'],
    ['a fragment', 'file:///etc/secret#x'],
    ['dot segments', 'file:///etc/a/../secret'],
    ['encoded dot segments', 'file:///etc/a/%2e%2e/secret'],
  ])('a resource rule holds for its URI with %s', async (_case, uri) => {
    const send = await toolSite({ resources: { 'file:///etc/secret': ['secret'] } })
    expect(await send({ body: call('resources/read', { uri }) })).toBe(403)
  })

  test('a resource rule may be written in any spelling itself', async () => {
    const send = await toolSite({ resources: { 'https://Example.com/secret': ['secret'] } })
    expect(await send({ body: call('resources/read', { uri: 'https://example.com/secret' }) })).toBe(403)
  })

  test.each([
    ['resources/subscribe', { uri: 'file:///etc/secret' }],
    [
      'subscriptions/listen',
      { notifications: { resourceSubscriptions: ['file:///ok', 'file:///etc/secret'] } },
    ],
    ['completion/complete', { ref: { type: 'ref/resource', uri: 'file:///etc/secret' } }],
  ])('a resource rule holds for %s', async (method, params) => {
    const send = await toolSite({ resources: { 'file:///etc/secret': ['secret'] } })
    expect(await send({ body: call(method, params) })).toBe(403)
  })

  test('refuses a subscription to something that is no text', async () => {
    const send = await toolSite({ resources: { 'file:///etc/secret': ['secret'] } })
    expect(
      await send({ body: call('subscriptions/listen', { notifications: { resourceSubscriptions: [{}] } }) }),
    ).toBe(400)
  })

  test('a misspelt constant does not open a tool that a pattern closes', () => {
    const tools = { '*': ['base'], del: undefined as unknown as string[] }
    expect(() => mcpAuth(TOKENS, { ...QUIET, toolScopes: { tools } })).toThrow(ConfigError)
  })

  test('requireToolScopes lets nobody through without a guard, whatever is called', async () => {
    const app = express()
    app.post('/mcp', requireToolScopes(DELETE), (_request, response) => void response.json('ran'))
    const { url } = closing(await startServer(app))
    const response = await fetch(`${url}/mcp`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: call('tools/call', { name: 'list_notes' }),
    })
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toBe('Bearer')
  })
})

describe('protect', () => {
  test.each(['/mcp.', '/mcp.x', '/MCP.x'])(
    'covers %s under connect, which takes a dot for the end of a segment',
    async (path) => {
      const app = connect()
      app.use(mcpAuth(TOKENS, { ...QUIET, protect: '/mcp' }))
      app.use('/mcp', (_request: unknown, response: { end(text: string): void }) => {
        response.end('ran')
      })
      const { url } = closing(await startServer(app))
      expect((await fetch(url + path, { method: 'POST' })).status).toBe(401)
    },
  )

  test.each(['//evil/mcp', '/\\evil/mcp'])(
    'covers %s where a handler parses the target as a URL',
    async (target) => {
      const guard = mcpAuth(TOKENS, { ...QUIET, protect: '/mcp' })
      const { url } = closing(
        await startServer((request, response) => {
          guard(request, response, () => {
            response.end(new URL(request.url ?? '', 'http://host').pathname === '/mcp' ? 'ran' : 'elsewhere')
          })
        }),
      )
      const [answer] = await pipeline(url, [
        `POST ${target} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`,
      ])
      expect(answer?.status).toBe(401)
    },
  )

  test.each(['/mcp/*', '/mcp*', '/:tenant/mcp', '/mcp/{*rest}', '/(mcp)', '/mcp?'])(
    'refuses the pattern %s, which would protect nothing',
    (protect) => {
      expect(() => mcpAuth(TOKENS, { ...QUIET, protect })).toThrow(/plain paths/)
    },
  )
})

describe('nothing that somebody throws ends the process or hangs a request', () => {
  test('a verdict that comes after the app has answered is dropped', async () => {
    let decide: (value: null) => void = () => undefined
    const verifyToken = (): Promise<null> =>
      new Promise((resolve) => {
        decide = resolve
      })
    const app = express()
    app.use((_request, response, next) => {
      next()
      if (!response.headersSent) response.status(503).end('too late')
    })
    app.use(mcpAuth({ verifyToken }, QUIET))
    const { url } = closing(await startServer(app))
    const response = await fetch(`${url}/mcp`, { headers: { authorization: 'Bearer x' } })
    expect(await response.text()).toBe('too late')
    decide(null)
    // Whatever came of it came before the next request is answered.
    expect((await fetch(`${url}/mcp`)).status).toBe(401)
  })

  const odd: [string, () => unknown, ReturnType<typeof unavailable>][] = [
    [
      'an OAuthError without a description',
      () => new (OAuthError as new (code: string) => Error)('invalid_token'),
      invalidToken('verifier'),
    ],
    [
      'an OAuthError of an unknown code',
      () => new (OAuthError as new (code: string, text: string) => Error)('access_denied', 'no'),
      unavailable(),
    ],
    [
      'an odd retryAfterSeconds',
      () =>
        new OAuthError('temporarily_unavailable', 'x', {
          retryAfterSeconds: '1\r\nX: y' as unknown as number,
        }),
      unavailable(),
    ],
    [
      'a getter that throws',
      () =>
        Object.defineProperty({}, 'code', {
          get: () => {
            throw new Error('trap')
          },
        }),
      unavailable(),
    ],
    [
      'a message that is a symbol',
      () => Object.assign(new Error('x'), { message: Symbol('x') }),
      unavailable(),
    ],
    ['undefined', () => undefined, unavailable()],
    [
      'jsonwebtoken that cannot fetch keys',
      () =>
        Object.assign(new Error('error in secret or public key callback: connect ECONNREFUSED'), {
          name: 'JsonWebTokenError',
        }),
      unavailable(),
    ],
    [
      'jsonwebtoken without keys',
      () => Object.assign(new Error('secret or public key must be provided'), { name: 'JsonWebTokenError' }),
      unavailable(),
    ],
    [
      'jsonwebtoken for an unknown key',
      () =>
        Object.assign(
          new Error("error in secret or public key callback: Unable to find a signing key that matches 'a'"),
          { name: 'JsonWebTokenError' },
        ),
      invalidToken('verifier'),
    ],
    [
      'jsonwebtoken for a bad signature',
      () => Object.assign(new Error('invalid signature'), { name: 'JsonWebTokenError' }),
      invalidToken('verifier'),
    ],
  ]
  test.each(odd)('a verifier that throws %s', async (_case, make, expected) => {
    const verifyToken = (): never => {
      throw make()
    }
    const site = await startTarget(resourceServer({ verifyToken }))
    expect(await attempt(site, 'any')).toEqual(expected)
  })

  test('a provider route that answers nothing is an outage, and no error of the app', async () => {
    const provider: AuthProvider = {
      verifyToken: () => null,
      routes: [{ path: '/broken', methods: ['GET'], handle: () => undefined as never }],
    }
    const app = express()
    app.use(mcpAuth(provider, QUIET))
    app.use(
      (_error: unknown, _request: unknown, response: express.Response, _next: unknown) =>
        void response.status(500).end('handled'),
    )
    const { url } = closing(await startServer(app))
    const response = await fetch(`${url}/broken`)
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5'])
    expect(await response.json()).toMatchObject({ error: 'temporarily_unavailable' })
  })

  test('a listener that rejects is told of once, as a warning', async () => {
    const warned = new Promise<unknown>((resolve) => {
      jest.spyOn(process, 'emitWarning').mockImplementation(resolve)
    })
    const site = await startTarget(TOKENS, { onEvent: () => Promise.reject(new Error('no disk')) })
    expect((await fetch(site.url)).status).toBe(401)
    expect(await warned).toContain('no disk')
    jest.restoreAllMocks()
  })

  test.each([
    ['baseUrl', { baseUrl: 'api.example.com' }],
    ['resourceUrl with a quote', { resourceUrl: 'https://a.example/"x' }],
    ['resourceUrl beyond Latin-1', { resourceUrl: 'https://a.example/日本' }],
    ['requiredScopes', { requiredScopes: ['a b'] }],
    ['challengeScopes', { challengeScopes: ['"'] }],
    ['http', { baseUrl: 'http://api.example.com' }],
  ])('a literal provider is checked: %s', (_case, fields) => {
    expect(() => mcpAuth({ verifyToken: () => null, ...fields }, QUIET)).toThrow(ConfigError)
  })

  test('too large a body is answered though the rest still comes, and the connection ends', async () => {
    const site = await startTarget(TOKENS, { toolScopes: DELETE })
    const body = 'x'.repeat(6 * 1024 * 1024)
    for (const headers of [{}, { 'content-type': 'application/json' }]) {
      const outcome = await attempt(site, 'none', { method: 'POST', body, headers })
      expect(outcome).toEqual(refusedBody(413, `The body is larger than ${4 * 1024 * 1024} bytes`))
    }
  })

  test('an empty chunked body reaches the parser behind the guard', async () => {
    const app = (express4 as unknown as () => Express)()
    app.use(mcpAuth(TOKENS, { ...QUIET, toolScopes: DELETE }))
    app.use(express.json())
    app.post('/mcp', (_request, response) => void response.json('ran'))
    const { url } = closing(await startServer(app))
    const [answer] = await pipeline(url, [
      'POST /mcp HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer none\r\nContent-Type: application/json\r\n' +
        'Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ])
    expect(answer?.status).toBe(200)
  })
})

describe('a session', () => {
  /** A server that opens a session for who names none that it knows. */
  async function sessionSite(header: (id: string) => string | string[] = (id) => id): Promise<string> {
    const app = express()
    app.use(mcpAuth(TOKENS, QUIET))
    app.post('/mcp', (request, response) => {
      const known = request.headers['mcp-session-id'] === 'fresh'
      if (!known) response.setHeader('Mcp-Session-Id', header('fresh'))
      response.json({ caller: getAccessToken()?.subject })
    })
    return closing(await startServer(app)).url
  }
  const post = (url: string, token: string, session?: string): Promise<Response> =>
    fetch(`${url}/mcp`, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${token}`,
        ...(session !== undefined && { 'mcp-session-id': session }),
      },
    })

  test('belongs to who opened it, also when the request named a stale one', async () => {
    const url = await sessionSite()
    expect((await post(url, 'none', 'stale')).headers.get('mcp-session-id')).toBe('fresh')
    expect((await post(url, 'bob', 'fresh')).status).toBe(404)
    expect((await post(url, 'none', 'fresh')).status).toBe(200)
  })

  test('is seen in a header that was set as a list', async () => {
    const url = await sessionSite((id) => [id])
    await post(url, 'none')
    expect((await post(url, 'bob', 'fresh')).status).toBe(404)
  })

  test("of one listed token is not another listed token's", async () => {
    const app = express()
    app.use(mcpAuth(new StaticTokenVerifier({ tokens: ['k1', 'k2'] }), QUIET))
    app.post('/mcp', (_request, response) => void response.setHeader('Mcp-Session-Id', 's').end())
    const { url } = closing(await startServer(app))
    await post(url, 'k1')
    expect((await post(url, 'k2', 's')).status).toBe(404)
  })

  test("of a nameless token is not another nameless token's", async () => {
    const app = express()
    app.use(mcpAuth({ verifyToken: () => ({ clientId: 'unknown' }) }, QUIET))
    app.post('/mcp', (_request, response) => void response.setHeader('Mcp-Session-Id', 's').end())
    const { url } = closing(await startServer(app))
    await post(url, 't1')
    expect((await post(url, 't2', 's')).status).toBe(404)
    expect((await post(url, 't1', 's')).status).toBe(200)
  })
})

describe('verifiers', () => {
  test('callers cannot make a working introspection endpoint look down', async () => {
    const stub = closing(
      await startStub((_request, response, body) => {
        const good = body.includes('token=good')
        jsonAnswer(
          good ? { active: true, client_id: 'c' } : { error: 'invalid_request' },
          {},
          good ? 200 : 400,
        )(_request, response, body)
      }),
    )
    const site = await startTarget(
      new IntrospectionTokenVerifier({
        introspectionUrl: stub.url,
        clientId: 'rs',
        clientSecret: 'secret',
        deps: testClock(),
      }),
    )
    for (let index = 0; index < 12; index++)
      expect((await attempt(site, `garbage-${index}`)).status).toBe(503)
    expect((await attempt(site, 'good')).status).toBe(200)
  })

  test("a JWT goes to its issuer's verifier alone, however its header is spelled", async () => {
    const key = createKey()
    const keys = closing(await startKeySet(key))
    const shown: string[] = []
    const provider = new MultiAuth({
      server: new RemoteAuthProvider({
        baseUrl: 'https://api.example.com',
        authorizationServers: [ISSUER],
        jwksUri: keys.url,
      }),
      verifiers: [
        {
          verifyToken: (token) => {
            shown.push(token)
            return null
          },
        },
      ],
    })
    const token = signParts(
      JSON.stringify({ alg: 'RS256', kid: key.kid }, undefined, 2),
      claimsOf({ aud: RESOURCE }),
      key,
    )
    expect(token.startsWith('ey')).toBe(false)
    expect((await attempt(await startTarget(provider), token)).status).toBe(200)
    expect(shown).toEqual([])
  })

  test('RemoteAuthProvider does not give up the scopes that its verifier asks for', async () => {
    const tokenVerifier = new StaticTokenVerifier({
      tokens: { t: { clientId: 'c', scopes: ['mcp:use'] } },
      requiredScopes: ['admin'],
    })
    const site = await startTarget(resourceServer(tokenVerifier, { requiredScopes: ['mcp:use'] }))
    expect((await attempt(site, 't')).status).toBe(403)
  })

  test('scopes include one another for other credentials inside MultiAuth too', async () => {
    const source: AuthProvider = {
      requiredScopes: ['read'],
      verifyToken: () => null,
      authenticate: () => ({ clientId: 'c', scopes: ['admin'] }),
    }
    const options = { scopeImplies: (held: string) => held === 'admin' }
    expect((await attempt(await startTarget(source, options), undefined)).status).toBe(200)
    expect(
      (await attempt(await startTarget(new MultiAuth({ verifiers: [source] }), options), undefined)).status,
    ).toBe(200)
  })

  test("an expiry in milliseconds is the verifier's mistake, not a token for ever", async () => {
    const site = await startTarget(
      resourceServer({ verifyToken: () => ({ clientId: 'c', expiresAt: Date.now() - 3_600_000 }) }),
    )
    expect(await attempt(site, 'any')).toEqual(unavailable())
    expect(
      () => new StaticTokenVerifier({ tokens: { t: { clientId: 'c', expiresAt: Date.now() } } }),
    ).toThrow(/seconds/)
  })

  test('a verifier may hand on objects of its own', async () => {
    const user = new (class User {
      greet(): string {
        return 'hello'
      }
    })()
    const loop: Record<string, unknown> = { user, list: [1] }
    loop['self'] = loop
    const app = express()
    app.use(
      mcpAuth(
        { verifyToken: () => ({ clientId: 'c', extra: loop, expiresAt: null as unknown as undefined }) },
        QUIET,
      ),
    )
    app.get('/', (_request, response) => {
      const { user: given, self } = (getAccessToken() as AccessToken).extra as {
        user: typeof user
        self: unknown
      }
      response.json([given.greet(), typeof self])
    })
    const { url } = closing(await startServer(app))
    expect(await (await fetch(url, { headers: { authorization: 'Bearer x' } })).json()).toEqual([
      'hello',
      'object',
    ])
  })

  test('an app that allows an origin itself still lets pages read the challenge', async () => {
    const app = express()
    app.use((_request, response, next) => {
      response.setHeader('Access-Control-Allow-Origin', 'https://app.example.com')
      next()
    })
    app.use(mcpAuth(TOKENS, QUIET))
    const { headers } = await fetch(closing(await startServer(app)).url, {
      headers: { origin: 'https://app.example.com' },
    })
    expect(headers.get('access-control-allow-origin')).toBe('https://app.example.com')
    expect(headers.get('access-control-expose-headers')).toContain('WWW-Authenticate')
  })

  test("events name no token, however somebody else's words quote it", async () => {
    const token = 'sec+ret/tok=='
    const verifyToken = (
      _token: string,
      context?: { refuse(reason: { stage: string; got: string }): null },
    ): null => context?.refuse({ stage: 'mine', got: `${token} ${encodeURIComponent(token)}` }) ?? null
    const site = await startTarget({ verifyToken })
    await attempt(site, token)
    expect(JSON.stringify(site.events)).not.toMatch(/sec(?:\+|%2B)ret/)
    expect(site.events.at(-1)).toMatchObject({ reason: { stage: 'mine', got: '[token] [token]' } })
  })
})

import { IncomingMessage, ServerResponse } from 'node:http'
import { Socket, connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { inspect } from 'node:util'
import { afterEach, describe, expect, it, jest } from '@jest/globals'
import {
  AccessToken,
  type AuthEvent,
  type AuthProvider,
  DebugTokenVerifier,
  JWTVerifier,
  MultiAuth,
  type ProviderLike,
  type Route,
  StaticTokenVerifier,
  getAccessToken,
  mcpAuth,
} from 'express-mcp-auth'
import { testClock } from 'express-mcp-auth/testing'
import { ISSUER, RESOURCE, createKey, createToken } from '../support/issuer.js'
import { refusalOf } from '../support/site.js'
import { BEARER, METADATA, POINTER, TOKEN, host, known, remote, silent, site } from './stand.js'

afterEach(() => {
  jest.restoreAllMocks()
})

/** The answers, exactly: the table of the public surface. */
describe('mcpAuth answers', () => {
  const BARE = {
    status: 401,
    challenge: `Bearer scope="mcp:use", ${POINTER}`,
    body: { error_description: 'Authentication is required: send "Authorization: Bearer <access token>"' },
  }
  const description = 'The access token is malformed, expired, revoked or not meant for this resource'
  const INVALID = {
    status: 401,
    challenge: `Bearer error="invalid_token", error_description="${description}", scope="mcp:use", ${POINTER}`,
    body: { error: 'invalid_token', error_description: description },
  }
  const provider = (): AuthProvider => remote(known(), ['mcp:use'])

  it.each<[rule: string, headers: Record<string, string>, path: string, refusal: object]>([
    ['no credentials', {}, '/mcp', BARE],
    ['a scheme that is not ours', { authorization: 'Basic dXNlcjpwYXNz' }, '/mcp', BARE],
    ['a token in the query', {}, `/mcp?access_token=${TOKEN}`, BARE],
    ['a malformed token', { authorization: 'Bearer a b' }, '/mcp', INVALID],
    ['an unknown token', { authorization: 'Bearer other' }, '/mcp', INVALID],
    [
      'a header and a token in the query',
      BEARER,
      '/mcp?access_token=b',
      {
        status: 400,
        challenge: `Bearer error="invalid_request", error_description="The request must carry its credentials exactly once", scope="mcp:use", ${POINTER}`,
        body: {
          error: 'invalid_request',
          error_description: 'The request must carry its credentials exactly once',
        },
      },
    ],
    [
      'too few scopes',
      BEARER,
      '/mcp',
      {
        status: 403,
        challenge: `Bearer error="insufficient_scope", error_description="This needs the scope mcp:use", scope="mcp:use", ${POINTER}`,
        body: { error: 'insufficient_scope', error_description: 'This needs the scope mcp:use' },
      },
    ],
  ])('%s', async (_rule, headers, path, refusal) => {
    const { url, handled } = await site(provider())
    expect(await refusalOf(await fetch(url + path, { headers }))).toEqual({
      ...refusal,
      cache: 'no-store',
      vary: 'Authorization',
    })
    expect(handled()).toBe(0)
  })

  it('an outage with 503, Retry-After and no challenge', async () => {
    const { url, handled } = await site(remote({ verifyToken: () => Promise.reject(new Error('down')) }))
    const response = await fetch(`${url}/mcp`, { headers: BEARER })
    expect(response.headers.get('retry-after')).toBe('5')
    expect(await refusalOf(response)).toEqual({
      status: 503,
      challenge: null,
      body: {
        error: 'temporarily_unavailable',
        error_description: 'The access token could not be checked right now, try again shortly',
      },
      cache: 'no-store',
      vary: 'Authorization',
    })
    expect(handled()).toBe(0)
  })

  it('two Authorization headers with 400, whichever comes first', async () => {
    const { raw, handled } = await site(provider())
    for (const [one, other] of [
      [TOKEN, 'bad'],
      ['bad', TOKEN],
    ]) {
      const answer = await raw(
        `GET /mcp HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer ${one}\r\nAuthorization: Bearer ${other}\r\n\r\n`,
      )
      expect(answer).toMatch(/^HTTP\/1.1 400 /)
      expect(answer).toContain('"error":"invalid_request"')
    }
    expect(handled()).toBe(0)
  })

  it('a target that is no URL with 400, where nothing before has refused it', async () => {
    const handler = mcpAuth(known(), silent)
    const { url, handled } = await host('node:http', [handler])
    const { port } = new URL(url)
    const socket = connect(Number(port), '127.0.0.1')
    socket.end(
      `GET http://[/mcp HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer ${TOKEN}\r\n\r\n`,
    )
    const answer = await text(socket)
    expect(answer).toMatch(/^HTTP\/1.1 400 /)
    expect(answer).toContain('"error_description":"The request target is not a URL"')
    expect(handled()).toBe(0)
  })

  it('HEAD like GET, without a body', async () => {
    const { url } = await site(provider())
    const response = await fetch(`${url}/mcp`, { method: 'HEAD' })
    expect(response.status).toBe(401)
    expect(response.headers.get('www-authenticate')).toBe(BARE.challenge)
    expect(await response.text()).toBe('')
  })

  it('no two requests with the same path differently because of Host', async () => {
    const { raw } = await site(provider())
    const answer = await raw(
      'GET /mcp HTTP/1.1\r\nHost: evil.example\r\nX-Forwarded-Host: evil.example\r\nConnection: close\r\n\r\n',
    )
    expect(answer).toContain(`WWW-Authenticate: ${BARE.challenge}`)
    expect(answer).not.toContain('evil')
  })
})

describe('mcpAuth lets pass', () => {
  it('a good token, and sets req.auth', async () => {
    const { url } = await site(known(['a']))
    const response = await fetch(`${url}/anything`, { headers: BEARER })
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({ subject: 'user-1', clientId: 'c', scopes: ['a'] })
  })

  it('a token of each kind of verifier', async () => {
    const key = createKey('ES256')
    const jwt = new JWTVerifier({ publicKey: key.jwk, issuer: ISSUER, audience: RESOURCE })
    const sdk = {
      verifyAccessToken: (token: string) => Promise.resolve({ token, clientId: 'sdk', scopes: [] }),
    }
    const plain = { requiredScopes: [], verifyToken: () => Promise.resolve({ clientId: 'plain' }) }
    const cases: [ProviderLike, string, string][] = [
      [jwt, createToken(key), 'client-1'],
      [sdk, 'any', 'sdk'],
      [plain, 'any', 'plain'],
      [new DebugTokenVerifier(), 'any', 'debug-client'],
      [new MultiAuth({ server: remote(jwt), verifiers: [known()] }), TOKEN, 'c'],
    ]
    for (const [provider, token, clientId] of cases) {
      const { url } = await site(provider)
      const response = await fetch(`${url}/mcp`, { headers: { authorization: `Bearer ${token}` } })
      expect(await response.json()).toMatchObject({ clientId })
    }
  })

  it('credentials that authenticate knows', async () => {
    const provider: AuthProvider = {
      verifyToken: () => null,
      authenticate: ({ headers }) =>
        headers['x-api-key'] === 'k' ? { clientId: 'key', tokenType: 'ApiKey', token: 'k' } : null,
    }
    const { url } = await site(provider)
    expect(await (await fetch(url, { headers: { 'x-api-key': 'k' } })).json()).toMatchObject({
      clientId: 'key',
    })
    expect((await fetch(url, { headers: { 'x-api-key': 'l' } })).status).toBe(401)
    expect((await fetch(url)).headers.get('www-authenticate')).toBe('Bearer')
  })

  it('anonymous requests where credentials are optional, and no bad ones', async () => {
    const { url, events } = await site(known(), { optional: true })
    const response = await fetch(`${url}/mcp`)
    expect(response.status).toBe(200)
    expect(await response.json()).toEqual({})
    expect((await fetch(`${url}/mcp`, { headers: { authorization: 'Bearer bad' } })).status).toBe(401)
    expect(events).toMatchObject([
      { type: 'hint' },
      { type: 'request.allowed', cached: false },
      { type: 'request.refused' },
    ])
  })

  it('a path that is requested twice with the same token as the same caller', async () => {
    const { url } = await site(known())
    for (const _time of [1, 2]) {
      expect(await (await fetch(`${url}/mcp`, { headers: BEARER })).json()).toMatchObject({
        subject: 'user-1',
      })
    }
  })
})

describe('req.auth', () => {
  it('is an AccessToken of own enumerable properties, survives a spread, and shows no credential', async () => {
    let auth: unknown
    let spread: object = {}
    const provider = remote(
      new StaticTokenVerifier({
        tokens: {
          [TOKEN]: {
            clientId: 'c',
            scopes: ['a'],
            subject: 's',
            expiresAt: 253_402_300_799,
            claims: { tenant: 't' },
          },
        },
      }),
    )
    const { url } = await site(provider, {}, (app) => {
      app.use((request, _response, next) => {
        const { auth: given } = request as unknown as { auth?: AccessToken }
        auth = given
        // oxlint-disable-next-line typescript/no-misused-spread -- this is what the SDKs do
        spread = { ...given }
        next()
      })
    })
    await fetch(`${url}/mcp`, { headers: BEARER })
    expect(auth).toBeInstanceOf(AccessToken)
    expect(spread).toMatchObject({
      token: TOKEN,
      tokenType: 'Bearer',
      clientId: 'c',
      scopes: ['a'],
      expiresAt: 253_402_300_799,
      resource: new URL(RESOURCE),
      resourceMetadataUrl: METADATA,
      subject: 's',
      claims: { tenant: 't' },
      extra: { tenant: 't' },
    })
    expect(inspect(auth)).not.toContain(TOKEN)
    expect((auth as AccessToken).hasScope('a')).toBe(true)
  })

  it('knows of scopes that include one another, and of the clock', async () => {
    const clock = testClock(1_700_000_000_000)
    const expiresAt = 1_700_000_060
    const verifier = new StaticTokenVerifier({
      tokens: { [TOKEN]: { clientId: 'c', scopes: ['notes'], expiresAt } },
      deps: clock,
    })
    const seen: unknown[] = []
    const scopeImplies = (held: string, needed: string): boolean => needed.startsWith(`${held}:`)
    const { url } = await site(verifier, { scopeImplies, deps: clock }, (app) => {
      app.use((request, _response, next) => {
        const token = getAccessToken(request)
        seen.push(token?.hasScope('notes:read'), token?.isExpired())
        clock.advance(60)
        seen.push(token?.isExpired())
        next()
      })
    })
    await fetch(url, { headers: BEARER })
    expect(seen).toEqual([true, false, true])
  })

  it('is undefined where an anonymous request passes, whatever was there before', async () => {
    const guard = mcpAuth(known(), { optional: true, ...silent })
    let auth: unknown = 'unset'
    const { url } = await host(
      'Express 5',
      [
        (request, _response, next) => {
          request.auth = { clientId: 'forged' }
          next()
        },
        guard,
      ],
      (request, response) => {
        auth = request.auth
        response.end()
      },
    )
    await fetch(url)
    expect(auth).toBeUndefined()
  })
})

describe('a token that was verified before', () => {
  const exchange = (): [IncomingMessage, ServerResponse] => {
    const request = new IncomingMessage(new Socket())
    Object.assign(request, { method: 'POST', url: '/mcp', headers: { ...BEARER, host: 'a' } })
    return [request, new ServerResponse(request)]
  }

  it('lets the request pass before the call returns', async () => {
    const key = createKey('ES256')
    const verifier = new JWTVerifier({ publicKey: key.jwk, issuer: ISSUER, audience: RESOURCE })
    const handler = mcpAuth(verifier, silent)
    const [request, response] = exchange()
    const token = createToken(key)
    request.headers.authorization = `Bearer ${token}`
    let passed = false
    const pass = (): void => {
      passed = true
    }
    handler(request, response, pass)
    expect(passed).toBe(false)
    await verifier.verifyToken(token)
    handler(request, response, pass)
    expect(passed).toBe(true)
    expect(getAccessToken(request)?.subject).toBe('user-1')
  })

  it('is of no use to a request without a URL, as only a test double can be', () => {
    const [request, response] = exchange()
    let passed = false
    mcpAuth(known(), silent)(Object.assign(request, { url: undefined }), response, () => {
      passed = true
    })
    expect([passed, response.statusCode]).toEqual([false, 400])
  })

  it('is refused before the call returns where it must be', () => {
    const [request, response] = exchange()
    const handler = mcpAuth(
      { verifyToken: () => null, requiredScopes: ['x'], recall: known().recall.bind(known()) },
      silent,
    )
    let passed = false
    handler(request, response, () => {
      passed = true
    })
    expect([passed, response.statusCode]).toEqual([false, 403])
  })
})

describe('metadata', () => {
  it.each([
    '/.well-known/oauth-protected-resource/mcp',
    '/.well-known/oauth-protected-resource',
    '/.well-known/oauth-protected-resource/mcp/',
  ])('is served at %s to any origin, with headers that let nothing in it be run', async (path) => {
    const { url, handled } = await site(remote(known(), ['mcp:use']))
    const response = await fetch(url + path)
    expect(response.status).toBe(200)
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-type': 'application/json',
      'cache-control': 'public, max-age=3600',
      'access-control-allow-origin': '*',
      'content-security-policy': "default-src 'none';frame-ancestors 'none'",
      'cross-origin-resource-policy': 'cross-origin',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
    })
    expect(response.headers.has('strict-transport-security')).toBe(false)
    expect(await response.json()).toEqual({
      resource: RESOURCE,
      authorization_servers: ['https://login.example.com'],
      scopes_supported: ['mcp:use'],
      bearer_methods_supported: ['header'],
    })
    expect(handled()).toBe(0)
  })

  it('is served with HEAD, and with no other method', async () => {
    const { url } = await site(remote())
    const path = `${url}/.well-known/oauth-protected-resource`
    const head = await fetch(path, { method: 'HEAD' })
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([
      200,
      expect.any(String),
      '',
    ])
    const post = await fetch(path, { method: 'POST' })
    expect([post.status, post.headers.get('allow')]).toEqual([405, 'GET, HEAD, OPTIONS'])
    expect(await post.json()).toEqual({
      error: 'invalid_request',
      error_description: 'This method is not answered here',
    })
  })

  it('is served whatever credentials come along', async () => {
    const { url } = await site(remote())
    const path = `${url}/.well-known/oauth-protected-resource/mcp`
    expect((await fetch(path, { headers: { authorization: 'Bearer bad' } })).status).toBe(200)
  })

  it('is served at the well-known place also where protect names other paths', async () => {
    const { url } = await site(remote(), { protect: '/mcp' })
    expect((await fetch(`${url}/.well-known/oauth-protected-resource/mcp`)).status).toBe(200)
  })

  it.each([
    '/.well-known/oauth-protected-resource/other',
    '/.well-known/oauth-authorization-server',
    '/.well-known/openid-configuration',
    '/mcp/.well-known/openid-configuration',
  ])('is 404 at %s, where there is none: 401 would say that there is some', async (path) => {
    const { url, handled } = await site(remote())
    const response = await fetch(url + path)
    expect(response.status).toBe(404)
    expect(response.headers.has('www-authenticate')).toBe(false)
    expect(await response.json()).toEqual({
      error: 'not_found',
      error_description: 'There is no such metadata here',
    })
    expect(handled()).toBe(0)
  })

  it('refuses a repeated Host', async () => {
    const { raw } = await site(remote())
    const answer = await raw(
      'GET /.well-known/oauth-protected-resource HTTP/1.1\r\nHost: a\r\nHost: b\r\nConnection: close\r\n\r\n',
    )
    expect(answer).toMatch(/^HTTP\/1.1 400 /)
    expect(answer).toContain('"error":"invalid_request"')
  })
})

describe('routes of a provider', () => {
  const withRoutes = (...routes: Route[]): AuthProvider => ({ verifyToken: () => null, routes })
  const get = (handle: Route['handle'], more: Partial<Route> = {}): Route => ({
    path: '/r',
    methods: ['GET'],
    handle,
    ...more,
  })

  it('are answered without a token, at once or later', async () => {
    const { url } = await site(
      withRoutes(
        get(() => ({ status: 201, headers: { 'X-A': 'b' }, body: 'now' })),
        get(() => Promise.resolve({ status: 204, headers: {} }), { path: '/later' }),
      ),
    )
    const now = await fetch(`${url}/r`)
    expect([now.status, now.headers.get('x-a'), await now.text()]).toEqual([201, 'b', 'now'])
    const later = await fetch(`${url}/later`)
    expect([later.status, later.headers.has('content-length')]).toEqual([204, false])
  })

  it('are readable by any origin unless they say otherwise', async () => {
    const handle = (): { status: number; headers: object } => ({ status: 200, headers: {} })
    const { url } = await site(
      withRoutes(
        get(handle as Route['handle']),
        get(handle as Route['handle'], { path: '/closed', cors: false }),
      ),
    )
    const headers = { origin: 'https://app.example.com', 'access-control-request-method': 'GET' }
    expect((await fetch(`${url}/r`, { headers })).headers.get('access-control-allow-origin')).toBe('*')
    expect((await fetch(`${url}/closed`, { headers })).headers.has('access-control-allow-origin')).toBe(false)
    const preflight = await fetch(`${url}/r`, { method: 'OPTIONS', headers })
    expect([preflight.status, preflight.headers.get('access-control-allow-methods')]).toEqual([
      204,
      'GET, HEAD, OPTIONS',
    ])
    const closed = await fetch(`${url}/closed`, { method: 'OPTIONS', headers })
    expect([closed.status, closed.headers.has('access-control-allow-methods')]).toEqual([204, false])
  })
})

describe('allowedOrigins', () => {
  const allowedOrigins = ['https://app.example.com']

  it.each([
    'https://evil.example',
    'https://app.example.com.evil.example',
    'http://app.example.com',
    'null',
    '',
  ])('refuses a page of %j before anything else', async (origin) => {
    const { url, handled, events } = await site(known(), { allowedOrigins })
    for (const method of ['POST', 'OPTIONS']) {
      const response = await fetch(`${url}/mcp`, { method, headers: { ...BEARER, origin } })
      expect(await refusalOf(response)).toEqual({
        status: 403,
        challenge: null,
        body: { error: 'invalid_request', error_description: 'This origin may not call this server' },
        cache: 'no-store',
        vary: 'Authorization',
      })
    }
    expect(handled()).toBe(0)
    expect(events.at(-1)).toMatchObject({
      status: 403,
      reason: { stage: 'origin', got: JSON.stringify(origin) },
    })
  })

  it('lets the pages named and clients that are no pages call', async () => {
    const { url } = await site(known(), { allowedOrigins })
    expect(
      (await fetch(`${url}/mcp`, { headers: { ...BEARER, origin: 'https://app.example.com' } })).status,
    ).toBe(200)
    expect((await fetch(`${url}/mcp`, { headers: BEARER })).status).toBe(200)
    const preflight = await fetch(`${url}/mcp`, {
      method: 'OPTIONS',
      headers: { origin: 'https://app.example.com' },
    })
    expect(preflight.status).toBe(204)
  })

  it('guards no documents that are for everybody', async () => {
    const { url } = await site(remote(), { allowedOrigins })
    const response = await fetch(`${url}/.well-known/oauth-protected-resource`, {
      headers: { origin: 'https://evil.example' },
    })
    expect(response.status).toBe(200)
  })
})

describe('events', () => {
  it('tell what passes and what is refused, and never a token nor a query', async () => {
    const { url, events } = await site(remote())
    await fetch(`${url}/mcp?api_key=secret`, { headers: BEARER })
    await fetch(`${url}/mcp`, { headers: { authorization: 'Bearer bad-credential' } })
    expect(events).toEqual([
      {
        type: 'request.allowed',
        method: 'GET',
        path: '/mcp',
        clientId: 'c',
        subject: 'user-1',
        cached: true,
      },
      {
        type: 'request.refused',
        method: 'GET',
        path: '/mcp',
        status: 401,
        error: 'invalid_token',
        reason: { stage: 'token', got: 'a token that is not in the list' },
      },
    ])
    expect(JSON.stringify(events)).not.toMatch(/opaque-credential|bad-credential|secret/)
  })

  it('tell at the start what a provider has to tell', () => {
    const events: AuthEvent[] = []
    mcpAuth(new DebugTokenVerifier(), { onEvent: (event) => events.push(event) })
    expect(events).toMatchObject([
      { type: 'danger', option: 'DebugTokenVerifier' },
      { type: 'hint', code: 'no_discovery' },
    ])
  })

  it.each<[rule: string, provider: ProviderLike]>([
    ['discovery', remote()],
    ['credentials of its own', { verifyToken: () => null, authenticate: () => null }],
  ])('hint at no missing discovery where a provider has %s', (_rule, provider) => {
    const events: AuthEvent[] = []
    mcpAuth(provider, { onEvent: (event) => events.push(event) })
    expect(events).toEqual([])
  })

  it('are printed as warnings at the start where nobody listens', () => {
    const warnings = jest.spyOn(process, 'emitWarning').mockReturnValue()
    mcpAuth(known())
    expect(warnings.mock.calls).toEqual([
      [
        expect.stringContaining('RemoteAuthProvider'),
        { type: 'McpAuthWarning', code: 'MCP_AUTH_NO_DISCOVERY' },
      ],
    ])
  })

  it('reach no request with what a listener throws', async () => {
    jest.spyOn(process, 'emitWarning').mockReturnValue()
    const onEvent = (): void => {
      throw new Error('full disk')
    }
    const { url } = await site(known(), { onEvent })
    expect((await fetch(url)).status).toBe(401)
    expect((await fetch(url, { headers: BEARER })).status).toBe(200)
  })

  it.each([
    ['a proxy that Express does not trust', undefined, true, 1],
    ['a proxy that it trusts', 1, true, 0],
    ['no proxy', undefined, false, 0],
  ])('hint once at %s', async (_rule, trust, forwarded, hints) => {
    const { url, events } = await site(remote(), {}, (app) => {
      if (trust !== undefined) app.set('trust proxy', trust)
    })
    for (const _time of [1, 2])
      await fetch(url, { headers: forwarded ? { 'x-forwarded-for': '192.0.2.1' } : {} })
    const told = events.filter((event) => event.type === 'hint')
    expect(told).toHaveLength(hints)
    if (hints > 0)
      expect(told).toMatchObject([
        { code: 'trust_proxy_off', message: expect.stringContaining("app.set('trust proxy', 1)") },
      ])
  })

  it('hint at no proxy where there is no Express to trust it', async () => {
    const events: AuthEvent[] = []
    for (const name of ['connect', 'node:http'] as const) {
      const { url } = await host(name, [mcpAuth(remote(), { onEvent: (event) => events.push(event) })])
      await fetch(url, { headers: { 'x-forwarded-for': '192.0.2.1' } })
    }
    expect(events.map(({ type }) => type)).toEqual(['request.refused', 'request.refused'])
  })
})

describe('deadlineSeconds', () => {
  it.each([
    [undefined, 10],
    [2.5, 2.5],
  ])('of %j gives a verifier %d seconds', async (deadlineSeconds, seconds) => {
    const clock = testClock()
    let ask = (): void => undefined
    const asked = new Promise<void>((resolve) => {
      ask = resolve
    })
    const verifyToken = (): Promise<never> => {
      ask()
      return new Promise(() => undefined)
    }
    const { url, events } = await site(
      { verifyToken },
      { deps: clock, ...(deadlineSeconds !== undefined && { deadlineSeconds }) },
    )
    const response = fetch(url, { headers: BEARER })
    await asked
    clock.advance(seconds)
    expect((await response).status).toBe(503)
    expect(events.at(-1)).toMatchObject({ reason: { got: `no verdict within ${seconds} s` } })
  })
})

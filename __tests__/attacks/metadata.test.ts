// Attacks on what clients are told, and on what browsers and caches do with it: threat rows M1 to M6.
import { beforeAll, describe, expect, test } from '@jest/globals'
import {
  ConfigError,
  JWTVerifier,
  RemoteAuthProvider,
  StaticTokenVerifier,
  mcpAuth,
  requireScopes,
} from 'express-mcp-auth'
import { ISSUER, RESOURCE, createKey, createToken, startKeySet } from '../support/issuer.js'
import { type Site, startServer } from '../support/site.js'
import {
  USER,
  allowed,
  attempt,
  attemptRaw,
  closing,
  insufficientScope,
  invalidRequest,
  invalidToken,
  noCredentials,
  refusedBody,
  resourceServer,
  startTarget,
  unavailable,
} from './attempt.js'

const WELL_KNOWN = '/.well-known/oauth-protected-resource'
const DOCUMENT = {
  resource: RESOURCE,
  authorization_servers: [ISSUER],
  bearer_methods_supported: ['header'],
}
const NO_METADATA = {
  status: 404,
  challenge: null,
  retryAfter: null,
  cache: null,
  vary: null,
  body: { error: 'not_found', error_description: 'There is no such metadata here' },
  handled: 0,
  stage: undefined,
}

const verifier = new StaticTokenVerifier({ tokens: { good: { clientId: 'client-1' } } })
let site: Site

beforeAll(async () => {
  site = await startTarget(resourceServer(verifier))
})

describe('M1 takes no URL from a request', () => {
  const forged = [
    ['Host', ['Host: evil.example']],
    ['X-Forwarded-Host', ['Host: a', 'X-Forwarded-Host: evil.example', 'X-Forwarded-Proto: http']],
    ['Forwarded', ['Host: a', 'Forwarded: host=evil.example;proto=http']],
    ['X-Original-URL', ['Host: a', 'X-Original-URL: /evil', 'X-Rewrite-URL: /evil']],
    ['X-Forwarded-Prefix', ['Host: a', 'X-Forwarded-Prefix: /evil', 'X-Forwarded-Port: 1']],
    ['Origin and Referer', ['Host: a', 'Origin: https://evil.example', 'Referer: https://evil.example/']],
    ['an empty Host', ['Host:']],
    ['a Host of rubbish', ['Host: evil.example"\\/,x']],
  ] as const

  const ask = async (path: string, lines: readonly string[]): Promise<string> =>
    site.raw([`GET ${path} HTTP/1.1`, 'Connection: close', ...lines, '', ''].join('\r\n'))

  test.each(forged)('M1 %s is nowhere in the challenge', async (_name, lines) => {
    const answer = await ask('/mcp', lines)
    expect(answer).toMatch(/^HTTP\/1\.1 401 /)
    expect(answer).toContain(`\r\nWWW-Authenticate: ${noCredentials().challenge}\r\n`)
    expect(answer).not.toContain('evil')
  })

  test.each(forged)('M1 %s is nowhere in the metadata', async (_name, lines) => {
    for (const path of [WELL_KNOWN, `${WELL_KNOWN}/mcp`]) {
      const answer = await ask(path, lines)
      expect(answer).toMatch(/^HTTP\/1\.1 200 /)
      expect(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')))).toEqual(DOCUMENT)
      expect(answer).not.toContain('evil')
    }
  })

  test('M1 nor is the host of a target in absolute form', async () => {
    const answer = await ask(`http://evil.example${WELL_KNOWN}/mcp`, ['Host: a'])
    expect(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')))).toEqual(DOCUMENT)
    expect(await ask('http://evil.example/mcp', ['Host: a'])).not.toContain('evil')
  })

  test('M1 two Hosts are refused, with and without a token', async () => {
    expect(await attemptRaw(site, ['Host: evil.example'])).toEqual(invalidRequest())
    expect(await attemptRaw(site, ['host: api.example.com', 'Authorization: Bearer good'])).toEqual(
      invalidRequest(),
    )
    for (const path of [WELL_KNOWN, `${WELL_KNOWN}/mcp`]) {
      const outcome = await attemptRaw(site, ['Host: evil.example'], `GET ${path} HTTP/1.1`)
      expect(outcome).toMatchObject({
        status: 400,
        cache: 'no-store',
        body: { error: 'invalid_request' },
        handled: 0,
      })
    }
  })
})

describe('M2 has metadata for its own resource only', () => {
  test.each([
    [`${WELL_KNOWN}/evil`],
    [`${WELL_KNOWN}/mcp/evil`],
    [`${WELL_KNOWN}/MCP`],
    [`${WELL_KNOWN}//mcp`],
    [`${WELL_KNOWN}/mcp%2f`],
    [`${WELL_KNOWN}/%6dcp`],
    [`${WELL_KNOWN}/../oauth-protected-resource/mcp`],
    [`${WELL_KNOWN}/mcp;x`],
    [`${WELL_KNOWN}/__proto__`],
    ['/.well-known/oauth-authorization-server'],
    ['/.well-known/oauth-authorization-server/mcp'],
    ['/.well-known/openid-configuration'],
    ['/mcp/.well-known/openid-configuration'],
  ])('M2 %s', async (path) => {
    expect(await attemptRaw(site, [], `GET ${path} HTTP/1.1`)).toEqual(NO_METADATA)
    expect(await attemptRaw(site, ['Authorization: Bearer good'], `GET ${path} HTTP/1.1`)).toEqual(
      NO_METADATA,
    )
  })

  test.each([
    [`${WELL_KNOWN}.json`],
    [`/x${WELL_KNOWN}`],
    [WELL_KNOWN.toUpperCase()],
    ['/.well-known/jwks.json'],
    ['/.well-known'],
  ])('M2 %s is a path like any other, and guarded', async (path) => {
    expect(await attempt(site, undefined, { path })).toEqual(noCredentials())
  })

  test.each([['POST'], ['PUT'], ['DELETE'], ['PATCH']])('M2 %s of metadata is 405', async (method) => {
    const outcome = await attempt(site, undefined, { path: `${WELL_KNOWN}/mcp`, method })
    expect(outcome).toMatchObject({ status: 405, challenge: null, handled: 0 })
  })
})

describe('M3 lets pages of any origin read, and sends no cookie along', () => {
  const headersOf = ({ headers }: Response): Record<string, string | null> =>
    Object.fromEntries(
      ['origin', 'methods', 'headers', 'credentials', 'max-age'].map((name) => {
        const prefix = name === 'max-age' ? 'access-control-' : 'access-control-allow-'
        return [name, headers.get(prefix + name)]
      }),
    )
  const preflight = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(site.url + path, {
      method: 'OPTIONS',
      headers: {
        origin: 'https://page.example',
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization,mcp-protocol-version',
        ...headers,
      },
    })

  test.each([
    ['/mcp', 'GET, HEAD, POST, DELETE, OPTIONS'],
    ['/anything', 'GET, HEAD, POST, DELETE, OPTIONS'],
    [WELL_KNOWN, 'GET, HEAD, OPTIONS'],
    [`${WELL_KNOWN}/mcp`, 'GET, HEAD, OPTIONS'],
  ])('M3 preflight of %s', async (path, methods) => {
    const response = await preflight(path)
    expect(response.status).toBe(204)
    expect(headersOf(response)).toEqual({
      origin: '*',
      methods,
      headers: 'authorization,mcp-protocol-version',
      credentials: null,
      'max-age': '7200',
    })
    expect(site.handled()).toBe(0)
  })

  test.each([
    ['a line break', 'x\u0001y'],
    ['markup', '<script>'],
    ['too long a list', 'x'.repeat(1025)],
    ['latin-1', 'caf\xe9'],
  ])('M3 a preflight is not answered with %s that it asked with', async (_case, asked) => {
    const bytes = [
      'OPTIONS /mcp HTTP/1.1',
      'Host: a',
      'Connection: close',
      'Origin: https://page.example',
      `Access-Control-Request-Headers: ${asked}`,
      '',
      '',
    ].join('\r\n')
    const answer = await site.raw(bytes)
    expect(answer).not.toContain(asked)
    expect(answer).toMatch(/^HTTP\/1\.1 (?:400|204) /)
  })

  test('M3 every refusal can be read by a page, its challenge and its Retry-After too', async () => {
    const down = await startTarget(
      resourceServer({
        verifyToken: () => {
          throw new Error('down')
        },
      }),
    )
    const poor = await startTarget(resourceServer(verifier, { requiredScopes: ['admin'] }))
    for (const [target, token, status] of [
      [site, undefined, 401],
      [site, 'bad', 401],
      [poor, 'good', 403],
      [down, 'good', 503],
    ] as const) {
      const response = await fetch(`${target.url}/mcp`, {
        headers: {
          origin: 'https://page.example',
          ...(token !== undefined && { authorization: `Bearer ${token}` }),
        },
      })
      expect(response.status).toBe(status)
      expect(headersOf(response)).toMatchObject({ origin: '*', credentials: null })
      expect(response.headers.get('access-control-expose-headers')?.split(', ')).toEqual(
        expect.arrayContaining(['WWW-Authenticate', 'Retry-After', 'Mcp-Session-Id']),
      )
    }
  })

  test('M3 an origin is never echoed', async () => {
    for (const origin of ['https://evil.example', 'null', 'file://']) {
      const response = await preflight('/mcp', { origin })
      expect(headersOf(response)).toMatchObject({ origin: '*', credentials: null })
    }
  })

  test('M3 cors: false lets no page in, and answers preflights all the same', async () => {
    const closed = await startTarget(resourceServer(verifier), { cors: false })
    const origin = { origin: 'https://page.example' }
    const answers = [
      await fetch(`${closed.url}/mcp`, { method: 'OPTIONS', headers: origin }),
      await fetch(`${closed.url}/mcp`, { headers: origin }),
      await fetch(`${closed.url}${WELL_KNOWN}`, { headers: origin }),
    ]
    expect(answers.map(({ status }) => status)).toEqual([204, 401, 200])
    for (const answer of answers) {
      expect([...answer.headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([])
    }
    expect(closed.handled()).toBe(0)
  })

  test.each([
    ['https://app.example.com.evil.example'],
    ['https://evil.example?https://app.example.com'],
    ['http://app.example.com'],
    ['https://APP.example.com'],
    ['https://app.example.com/'],
    ['https://app.example.com:8443'],
    ['null'],
  ])('M3 allowedOrigins keeps %s out, whatever token its page has', async (origin) => {
    const target = await startTarget(resourceServer(verifier), {
      allowedOrigins: ['https://app.example.com'],
    })
    const outcome = await attempt(target, 'good', { headers: { origin } })
    expect(outcome).toEqual({
      ...refusedBody(403, 'This origin may not call this server'),
      stage: 'origin',
    })
    const right = { headers: { origin: 'https://app.example.com' } }
    expect(await attempt(target, 'good', right)).toMatchObject({ status: 200, handled: 1 })
  })

  test('M3 documents of our own can be neither framed nor run', async () => {
    const { headers } = await fetch(site.url + WELL_KNOWN)
    expect(Object.fromEntries(headers)).toMatchObject({
      'content-type': 'application/json',
      'content-security-policy': "default-src 'none';frame-ancestors 'none'",
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'cross-origin-resource-policy': 'cross-origin',
    })
  })
})

describe('M4 enforces what it advertises', () => {
  const key = createKey('ES256')

  async function advertised(): Promise<{
    target: Site
    document: typeof DOCUMENT & { scopes_supported: string[] }
  }> {
    const { url } = closing(await startKeySet(key))
    const tokenVerifier = new JWTVerifier({ jwksUri: url, issuer: ISSUER, audience: RESOURCE })
    const target = await startTarget(resourceServer(tokenVerifier, { requiredScopes: ['read', 'write'] }))
    const document = (await (await fetch(target.url + WELL_KNOWN)).json()) as never
    return { target, document }
  }

  test('M4 the methods of presenting a token', async () => {
    const { document } = await advertised()
    expect(document.bearer_methods_supported).toEqual(['header'])
    expect(await attempt(site, 'good')).toEqual(allowed({ clientId: 'client-1' }))
    expect(await attempt(site, undefined, { path: '/mcp?access_token=good' })).toEqual(noCredentials())
    const form = {
      method: 'POST',
      body: 'access_token=good',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
    }
    expect(await attempt(site, undefined, form)).toEqual(noCredentials())
  })

  test('M4 the resource', async () => {
    const { target, document } = await advertised()
    const scope = 'read write'
    expect(await attempt(target, createToken(key, { aud: document.resource, scope }))).toMatchObject({
      status: 200,
    })
    expect(await attempt(target, createToken(key, { aud: `${document.resource}/`, scope }))).toEqual(
      invalidToken('audience', scope),
    )
  })

  test('M4 the authorization servers', async () => {
    const { target, document } = await advertised()
    const scope = 'read write'
    for (const iss of document.authorization_servers) {
      expect(await attempt(target, createToken(key, { iss, scope }))).toMatchObject({ status: 200 })
    }
    expect(await attempt(target, createToken(key, { iss: 'https://other.example.com', scope }))).toEqual(
      invalidToken('issuer', scope),
    )
  })

  test('M4 the scopes', async () => {
    const { target, document } = await advertised()
    const scopes = document.scopes_supported
    expect(scopes).toEqual(['read', 'write'])
    expect(await attempt(target, createToken(key, { scope: scopes.join(' ') }))).toMatchObject({
      ...USER,
      body: expect.anything(),
    })
    for (const left of scopes) {
      const scope = scopes.filter((name) => name !== left).join(' ')
      expect(await attempt(target, createToken(key, { scope }))).toEqual(insufficientScope('read write'))
    }
  })

  test('M4 the pointer of the challenge, and both forms of the path', async () => {
    const pointer = /resource_metadata="([^"]*)"/.exec(
      (await attempt(site, undefined)).challenge as string,
    )?.[1]
    const path = (pointer as string).slice('https://api.example.com'.length)
    const documents = await Promise.all(
      [path, WELL_KNOWN].map(async (each) => (await fetch(site.url + each)).json()),
    )
    expect(documents).toEqual([DOCUMENT, DOCUMENT])
  })

  test('M4 without an authorization server there is no pointer, and nothing it could point to', async () => {
    const target = await startTarget(verifier)
    expect((await attempt(target, undefined)).challenge).toBe('Bearer')
    expect(await attempt(target, undefined, { path: WELL_KNOWN })).toMatchObject({ status: 404, handled: 0 })
  })
})

describe('M5 names no issuer, and no resource, that anybody on the way could be', () => {
  const build = (changes: Record<string, unknown>) => () =>
    new RemoteAuthProvider({
      baseUrl: 'https://api.example.com',
      authorizationServers: [ISSUER],
      tokenVerifier: verifier,
      ...changes,
    })

  test.each<[string, Record<string, unknown>]>([
    ['an issuer over http', { authorizationServers: ['http://login.example.com'] }],
    ['one of two issuers over http', { authorizationServers: [ISSUER, 'http://login.example.com'] }],
    [
      'an issuer that only begins like this machine',
      { authorizationServers: ['http://127.0.0.1.evil.example'] },
    ],
    ['a base URL over http', { baseUrl: 'http://api.example.com' }],
    ['a resource over http', { resourceUrl: 'http://api.example.com/mcp' }],
    ['a resource elsewhere', { resourceUrl: 'https://evil.example/mcp' }],
    [
      'a resource that only begins like the base',
      { resourceUrl: 'https://api.example.com.evil.example/mcp' },
    ],
    [
      'a resource beside the base path',
      { baseUrl: 'https://a.example/x', resourceUrl: 'https://a.example/xy' },
    ],
    ['an issuer with a query', { authorizationServers: [`${ISSUER}?tenant=1`] }],
    ['an issuer with a fragment', { authorizationServers: [`${ISSUER}#x`] }],
    ['an issuer with a quote', { authorizationServers: [`${ISSUER}"x`] }],
    ['an issuer with a line break', { authorizationServers: [`${ISSUER}\r\nX: y`] }],
    ['an issuer with a password', { authorizationServers: ['https://a:b@login.example.com'] }],
    ['an issuer that is a URL object', { authorizationServers: [new URL(ISSUER)] }],
    ['no issuer', { authorizationServers: [] }],
  ])('M5 %s throws', (_case, changes) => {
    expect(build(changes)).toThrow(ConfigError)
  })

  test('M5 a provider written as a literal is held to the same', () => {
    const literal = { verifyToken: () => null, baseUrl: 'https://api.example.com' }
    const evil = { ...literal, authorizationServers: ['http://login.example.com'] }
    expect(() => mcpAuth(evil)).toThrow(expect.objectContaining({ code: 'ERR_MCP_AUTH_INSECURE_URL' }))
    expect(() =>
      mcpAuth({ ...literal, baseUrl: 'http://api.example.com', authorizationServers: [ISSUER] }),
    ).toThrow(expect.objectContaining({ code: 'ERR_MCP_AUTH_INSECURE_URL' }))
  })

  test.each([
    ['this machine', { baseUrl: 'http://127.0.0.1:3000', authorizationServers: ['http://localhost:4000'] }],
    [
      'its dangerous name',
      { authorizationServers: ['http://login.internal'], dangerouslyAllowInsecureHttp: true },
    ],
  ])('M5 http is for %s', (_case, changes) => {
    expect(build(changes)).not.toThrow()
    expect(() => mcpAuth(build(changes)())).not.toThrow()
  })
})

describe('M6 lets no cache keep a refusal, and every cache keep the metadata', () => {
  test('M6 each refusal', async () => {
    const verifyToken = (token: string): { clientId: string } => {
      if (token === 'good') return { clientId: 'client-1' }
      throw new Error('down')
    }
    const target = await startTarget(
      resourceServer({ verifyToken }),
      { toolScopes: { tools: { delete: ['admin'] } } },
      (app) => {
        app.use('/admin', requireScopes('admin'))
      },
    )
    const call = { method: 'POST', headers: { 'content-type': 'application/json' } }
    const deletion = JSON.stringify({ method: 'tools/call', params: { name: 'delete' } })
    expect(await attempt(target, undefined)).toEqual(noCredentials())
    expect(await attempt(target, 'bad~')).toEqual(unavailable())
    expect(await attempt(target, '"')).toEqual(invalidToken('format'))
    expect(await attempt(target, 'good', { path: '/mcp?access_token=x' })).toEqual(invalidRequest())
    expect(await attempt(target, 'good', { path: '/admin' })).toEqual(insufficientScope('admin'))
    expect(await attempt(target, 'good', { ...call, body: deletion })).toEqual(insufficientScope('admin'))
    expect(await attempt(target, 'good', { ...call, body: '{' })).toEqual(
      refusedBody(400, 'The body is not JSON in UTF-8'),
    )
    expect(await attempt(target, 'good', { ...call, body: `"${'x'.repeat(4 * 1024 * 1024)}"` })).toEqual(
      refusedBody(413, 'The body is larger than 4194304 bytes'),
    )
  })

  test('M6 a session in foreign hands', async () => {
    const tokens = { 'token-a': { clientId: 'a' }, 'token-b': { clientId: 'b' } }
    const target = await startTarget(resourceServer(new StaticTokenVerifier({ tokens })), {}, (app) => {
      app.post('/mcp', (_request, response) => {
        response.setHeader('Mcp-Session-Id', 'session-of-a').end()
      })
    })
    await attempt(target, 'token-a', { method: 'POST' })
    const outcome = await attempt(target, 'token-b', { headers: { 'mcp-session-id': 'session-of-a' } })
    expect(outcome).toMatchObject({
      status: 404,
      cache: 'no-store',
      vary: 'Authorization',
      challenge: null,
      handled: 0,
      stage: 'session',
    })
  })

  test('M6 the metadata is public and depends on nobody', async () => {
    for (const token of [undefined, 'good', 'bad']) {
      const outcome = await attempt(site, token, { path: WELL_KNOWN })
      expect(outcome).toMatchObject({
        status: 200,
        cache: 'public, max-age=3600',
        body: DOCUMENT,
        handled: 0,
      })
    }
  })

  test('M6 Vary is added to what the app says of it', async () => {
    const guard = mcpAuth(resourceServer(verifier), { onEvent: () => undefined })
    for (const [before, after] of [
      ['Accept-Encoding', 'Accept-Encoding, Authorization'],
      ['authorization', 'authorization'],
      ['Accept, Authorization', 'Accept, Authorization'],
    ] as const) {
      const server = closing(
        await startServer((request, response) => {
          response.setHeader('Vary', before)
          guard(request, response, () => response.end())
        }),
      )
      const { headers } = await fetch(`${server.url}/mcp`)
      expect(headers.get('vary')).toBe(after)
    }
  })
})

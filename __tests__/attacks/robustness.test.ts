// Attacks on everything around the verdict: bodies (X2), Object.prototype (X6), secrets (X7) and logs (X8).
import diagnostics from 'node:diagnostics_channel'
import { inspect } from 'node:util'
import { gzipSync } from 'node:zlib'
import { describe, expect, test } from '@jest/globals'
import express from 'express'
import {
  type AuthEvent,
  EVENT_CHANNEL,
  IntrospectionTokenVerifier,
  JWTVerifier,
  type McpAuthOptions,
  MultiAuth,
  OAuthError,
  RemoteTokenVerifier,
  StaticTokenVerifier,
  type ToolScopes,
  consoleEvents,
  getAccessToken,
  requireScopes,
} from 'express-mcp-auth'
import {
  ISSUER,
  type Json,
  RESOURCE,
  createKey,
  createToken,
  jsonAnswer,
  startKeySet,
  startStub,
} from '../support/issuer.js'
import type { Site } from '../support/site.js'
import {
  type Outcome,
  allowed,
  attempt,
  attemptRaw,
  closing,
  insufficientScope,
  refusedBody,
  resourceServer,
  startTarget,
} from './attempt.js'

const CALLER = allowed({ clientId: 'client-1' })
const verifier = new StaticTokenVerifier({ tokens: { good: { clientId: 'client-1' } } })

describe('X2 judges a body as whoever reads it next will, or not at all', () => {
  const RULES = { tools: { delete: ['admin'] } }
  const call = (method: string, params?: unknown): string =>
    JSON.stringify({ jsonrpc: '2.0', id: 1, method, params })
  const deletion = call('tools/call', { name: 'delete' })

  async function post(
    body: string | Buffer,
    toolScopes: ToolScopes = RULES,
    headers: Json = {},
  ): Promise<Outcome> {
    const target = await startTarget(resourceServer(verifier), { toolScopes }, (app) =>
      app.use(express.json()),
    )
    return attempt(target, 'good', {
      method: 'POST',
      body,
      headers: { 'content-type': 'application/json', ...(headers as Record<string, string>) },
    })
  }

  test.each<[string, string]>([
    ['a call', deletion],
    ['a notification', JSON.stringify({ method: 'tools/call', params: { name: 'delete' } })],
    ['a batch', `[${call('ping')},${deletion}]`],
    ['repeated members, of which the last counts', `{"method":"ping",${deletion.slice(1)}`],
    ['escapes', deletion.replace('delete', '\\u0064elete').replace('tools/call', 'tools\\/call')],
    ['a byte order mark', `\ufeff${deletion}`],
    ['space around it', `\n\t ${deletion} \r\n`],
    ['a result beside the method', deletion.replace('"id"', '"result":{},"id"')],
    ['members called __proto__', deletion.replace('"id"', '"__proto__":{"method":"ping"},"id"')],
  ])('X2 %s needs its scopes', async (_case, body) => {
    expect(await post(body)).toEqual(insufficientScope('admin'))
  })

  test.each<[string, string]>([
    ['a method that is no text', JSON.stringify({ method: ['tools/call'], params: { name: 'delete' } })],
    ['a name that is no text', call('tools/call', { name: ['delete'] })],
    ['a name in the prototype', '{"method":"tools/call","params":{"__proto__":{"name":"delete"}}}'],
    ['parameters in a list', call('tools/call', ['delete'])],
    ['no parameters', call('tools/call')],
    ['a batch in a batch', `[[${deletion}]]`],
    ['text', '"tools/call"'],
    ['null', 'null'],
    ['null in a batch', `[null,${deletion}]`],
    ['half of JSON', deletion.slice(0, -1)],
    ['two messages', `${deletion}\n${deletion}`],
    ['deep lists', `${'['.repeat(50_000)}${']'.repeat(50_000)}`],
    ['deep lists without an end', '['.repeat(50_000)],
  ])('X2 %s is refused', async (_case, body) => {
    expect(await post(body)).toMatchObject({
      status: 400,
      challenge: null,
      body: { error: 'invalid_request' },
      handled: 0,
      stage: 'body',
    })
  })

  test.each<[string, Buffer]>([
    ['UTF-16', Buffer.from(deletion, 'utf16le')],
    ['UTF-16 with its mark', Buffer.from(`\ufeff${deletion}`, 'utf16le')],
    ['latin-1', Buffer.from(deletion.replace('delete', 'd\xe9lete'), 'latin1')],
    ['an overlong letter', Buffer.from([...Buffer.from('{"x":"'), 0xc0, 0xaf, 0x22, 0x7d])],
    ['half a letter', Buffer.from([...Buffer.from('{"x":"'), 0xe2, 0x82, 0x22, 0x7d])],
    ['half of gzip', gzipSync(deletion).subarray(0, 20)],
  ])('X2 %s is refused', async (name, bytes) => {
    const headers = name === 'half of gzip' ? { 'content-encoding': 'gzip' } : {}
    expect(await post(bytes, RULES, headers)).toEqual(refusedBody(400, 'The body is not JSON in UTF-8'))
  })

  test('X2 what is packed is judged unpacked, and bounded', async () => {
    const packed = { 'content-encoding': 'gzip' }
    expect(await post(gzipSync(deletion), RULES, packed)).toEqual(insufficientScope('admin'))
    expect(await post(gzipSync(call('ping')), RULES, packed)).toEqual(CALLER)
    const bomb = gzipSync(`"${'x'.repeat(50 * 1024 * 1024)}"`)
    expect(await post(bomb, RULES, packed)).toEqual(refusedBody(413, 'The body is larger than 4194304 bytes'))
  })

  test.each([['br'], ['zstd'], ['compress'], ['gzip, gzip'], ['identity, gzip'], ['x-gzip'], ['']])(
    'X2 content encoding %j is refused',
    async (encoding) => {
      expect(await post(deletion, RULES, { 'content-encoding': encoding })).toEqual(
        refusedBody(415, 'The content encoding is not supported'),
      )
    },
  )

  test('X2 a rule with a query does not open what a rule without one closes', async () => {
    const orders: Record<string, string[]>[] = [
      { 'db://users': ['admin'], 'db://users?public=1': [] },
      { 'db://users?public=1': [], 'db://users': ['admin'] },
      { 'db://users': ['admin'], 'db://users#public': [] },
      { 'db://%75sers': ['admin'], 'db://users?x': ['reader'] },
    ]
    for (const resources of orders) {
      const { status, challenge } = await post(call('resources/read', { uri: 'db://users' }), { resources })
      expect({ status, challenge }).toMatchObject({ status: 403, challenge: expect.stringMatching(/admin/) })
    }
  })

  test.each([
    ['a URI beside the name', { type: 'ref/prompt', name: 'secret', uri: 'file:///harmless' }],
    ['an empty URI beside it', { type: 'ref/prompt', name: 'secret', uri: '' }],
  ])('X2 a completion for a prompt needs its scopes, also with %s', async (_case, ref) => {
    const body = call('completion/complete', { ref, argument: { name: 'a', value: 'b' } })
    expect(await post(body, { prompts: { secret: ['admin'] } })).toEqual(insufficientScope('admin'))
  })

  test('X2 a completion for a resource needs its scopes, also with a name beside the URI', async () => {
    const ref = { type: 'ref/resource', uri: 'file:///secret', name: 'harmless' }
    const body = call('completion/complete', { ref, argument: { name: 'a', value: 'b' } })
    expect(await post(body, { resources: { 'file:///secret': ['admin'] } })).toEqual(
      insufficientScope('admin'),
    )
  })

  test.each([
    ['Mcp-Method', { 'mcp-method': 'ping' }],
    ['Mcp-Method, empty', { 'mcp-method': '' }],
    ['Mcp-Name', { 'mcp-name': 'list' }],
    ['Mcp-Name, encoded', { 'mcp-name': `=?base64?${Buffer.from('list').toString('base64')}?=` }],
    ['both', { 'mcp-method': 'tools/call', 'mcp-name': 'delete, list' }],
  ])('X2 %s must agree with the body, also for who holds every scope', async (_case, headers) => {
    const tokens = { good: { clientId: 'client-1', scopes: ['admin'] } }
    const target = await startTarget(resourceServer(new StaticTokenVerifier({ tokens })), {
      toolScopes: RULES,
    })
    const outcome = await attempt(target, 'good', { method: 'POST', body: deletion, headers })
    expect(outcome).toMatchObject({ status: 400, challenge: null, handled: 0, stage: 'body' })
  })
})

describe('X6 leaves Object.prototype as it is', () => {
  const POISON = '{"__proto__":{"x":1,"scopes":["admin"]},"constructor":{"prototype":{"x":1}},"x.__proto__":1'
  const before = Reflect.ownKeys(Object.prototype)
  const expectClean = (): void => {
    expect(({} as Json)['x']).toBeUndefined()
    expect(([] as unknown as Json)['x']).toBeUndefined()
    expect(Reflect.ownKeys(Object.prototype)).toEqual(before)
  }
  const QUERIES = ['?__proto__[x]=1', '?__proto__.x=1', '?constructor[prototype][x]=1', '?a[__proto__][x]=1']

  test.each(
    QUERIES.flatMap((query) => ['/mcp', '/.well-known/oauth-protected-resource'].map((path) => path + query)),
  )('X6 %s', async (path) => {
    const target = await startTarget(resourceServer(verifier), {}, (app) =>
      app.set('query parser', 'extended'),
    )
    await attempt(target, undefined, { path })
    await attempt(target, 'good', { path })
    await attempt(target, undefined, { path, method: 'OPTIONS' })
    expectClean()
  })

  test.each([
    ['application/json', `${POISON},"method":"ping"}`],
    ['application/json', `[${POISON}}]`],
    ['application/json', `${POISON},"method":"tools/call","params":${POISON},"name":"__proto__"}}`],
    ['application/x-www-form-urlencoded', '__proto__[x]=1&constructor[prototype][x]=1'],
  ])('X6 a body of %s (%#)', async (type, body) => {
    const toolScopes = { tools: { __proto__x: ['a'], constructor: ['b'] } }
    for (const options of [{ toolScopes }, {}]) {
      const target = await startTarget(resourceServer(verifier), options, (app) => {
        app.use(express.json(), express.urlencoded({ extended: true }))
      })
      await attempt(target, 'good', { method: 'POST', body, headers: { 'content-type': type } })
      expectClean()
    }
  })

  test('X6 the tool names of Object.prototype have the rules that were written, and no others', async () => {
    const body = (name: string): RequestInit => ({
      method: 'POST',
      body: JSON.stringify({ method: 'tools/call', params: { name } }),
      headers: { 'content-type': 'application/json' },
    })
    const target = await startTarget(resourceServer(verifier), {
      toolScopes: { tools: { constructor: ['admin'] } },
    })
    expect(await attempt(target, 'good', body('constructor'))).toEqual(insufficientScope('admin'))
    expect(await attempt(target, 'good', body('toString'))).toEqual(CALLER)
    expect(await attempt(target, 'good', body('__proto__'))).toEqual(CALLER)
  })

  test('X6 claims of a token, and of every service that speaks of one', async () => {
    const key = createKey('ES256')
    const keys = closing(
      await startStub((_request, response) => {
        response.end(`${POISON},"keys":[${JSON.stringify(key.jwk)},${POISON},"kty":"EC"}]}`)
      }),
    )
    const service = closing(
      await startStub((_request, response) => {
        response.end(`${POISON},"active":true,"client_id":"client-1","aud":"${RESOURCE}"}`)
      }),
    )
    const jwt = new JWTVerifier({ jwksUri: keys.url, issuer: ISSUER, audience: RESOURCE })
    const introspection = new IntrospectionTokenVerifier({
      introspectionUrl: service.url,
      clientId: 'a',
      clientSecret: 'b',
      audience: RESOURCE,
    })
    const seen: unknown[] = []
    for (const [source, token] of [
      [jwt, createToken(key, JSON.parse(`${POISON}}`) as Json)],
      [introspection, 'opaque'],
      [new RemoteTokenVerifier({ verifyUrl: service.url }), 'opaque'],
      [{ verifyToken: () => ({ clientId: 'c', claims: JSON.parse(`${POISON}}`) as Json }) }, 'own'],
    ] as const) {
      const target = await startTarget(resourceServer(source), {}, (app) => {
        app.use((request, _response, next) => {
          const auth = getAccessToken(request)
          seen.push([
            auth?.scopes,
            auth?.hasScope('admin'),
            auth?.claims['x'],
            (auth as unknown as Json)['x'],
          ])
          next()
        })
      })
      expect(await attempt(target, token)).toMatchObject({ status: 200, handled: 1 })
      expectClean()
    }
    expect(seen).toEqual(seen.map(() => [[], false, undefined, undefined]))
  })

  test('X6 options', () => {
    const options = JSON.parse(`{"tokens":["good"],${POISON.slice(1)}}`) as never
    expect(() => new StaticTokenVerifier(options)).toThrow(/has no option/)
    expectClean()
  })
})

describe('X7 tells no secret to anybody', () => {
  const SECRETS = {
    good: 'good-token-5f1b2c/+9d~.x==',
    bad: 'bad-token-0a9c8b/+7e~.y==',
    clientSecret: 'client-secret-77aa/+x',
    queryKey: 'key-in-the-query-1234',
    queryToken: 'token-in-the-query-4321',
    basic: Buffer.from('user:password-of-basic').toString('base64'),
  }
  const key = createKey('ES256')
  const jwt = createToken(key)
  const expired = createToken(key, { exp: 1 })
  const forged = createToken(createKey('ES256', key.kid))

  /** Everything that leaves the process on the way of some requests. */
  async function traffic(
    provider: Parameters<typeof resourceServer>[0],
    tokens: readonly string[],
    options: McpAuthOptions = {},
  ): Promise<string> {
    const told: string[] = []
    const print = consoleEvents({ show: 'all', write: (line) => told.push(line) })
    const subscriber = (event: unknown): void => void told.push(JSON.stringify(event), inspect(event))
    diagnostics.subscribe(EVENT_CHANNEL, subscriber)
    let target: Site
    try {
      target = await startTarget(
        resourceServer(provider),
        {
          ...options,
          onEvent: (event: AuthEvent) => {
            print(event)
            told.push(JSON.stringify(event))
          },
        },
        (app) => {
          app.use('/admin', requireScopes('admin'))
          app.use((request, _response, next) => {
            const auth = getAccessToken(request)
            told.push(inspect(auth), inspect({ deep: { auth } }, { depth: 9, showHidden: true }))
            next()
          })
        },
      )
      for (const token of tokens) {
        for (const path of ['/mcp', '/admin', `/mcp?access_token=${SECRETS.queryToken}`]) {
          const response = await fetch(target.url + path, { headers: { authorization: `Bearer ${token}` } })
          told.push(JSON.stringify([...response.headers]), await response.text())
        }
      }
      for (const line of [
        `Authorization: Basic ${SECRETS.basic}`,
        `Authorization: Bearer ${SECRETS.good},${SECRETS.bad}`,
        `Authorization: Bearer ${SECRETS.good}\r\nAuthorization: Bearer ${SECRETS.bad}`,
        `Cookie: token=${SECRETS.good}`,
      ]) {
        for (const path of ['/mcp', `/mcp?access_token=${SECRETS.queryToken}`]) {
          told.push(
            await target.raw(`GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${line}\r\n\r\n`),
          )
        }
      }
    } finally {
      diagnostics.unsubscribe(EVENT_CHANNEL, subscriber)
    }
    return told.join('\n')
  }

  function expectNoSecret(text: string): void {
    const secrets = Object.values(SECRETS).flatMap((secret) => [
      secret,
      encodeURIComponent(secret),
      Buffer.from(secret).toString('base64'),
    ])
    const parts = [jwt, expired, forged].flatMap((token) => [token, token.split('.')[2] as string])
    const told = [...secrets, ...parts].filter((secret) => text.includes(secret))
    expect(told).toEqual([])
    // No stack, no path of this machine.
    expect(text).not.toMatch(/\n\s*at \S|\.[cm]?[jt]s:\d+|node_modules|file:\/\//)
  }

  test('X7 JWTs, good, expired and forged', async () => {
    const { url } = closing(await startKeySet(key))
    const source = new JWTVerifier({
      jwksUri: `${url}?key=${SECRETS.queryKey}`,
      issuer: ISSUER,
      audience: RESOURCE,
    })
    const text = await traffic(source, [jwt, expired, forged, SECRETS.bad])
    expect(text).toContain('keys.fetched')
    expectNoSecret(text)
  })

  test('X7 keys that cannot be fetched', async () => {
    const { url, close } = await startKeySet(key)
    await close()
    const jwksUri = `${url}/jwks?key=${SECRETS.queryKey}`
    const text = await traffic(new JWTVerifier({ jwksUri, issuer: ISSUER, audience: RESOURCE }), [jwt])
    expect(text).toContain('keys.failed')
    expectNoSecret(text)
  })

  test.each([
    ['that works', 200],
    ['that refuses us', 401],
    ['that fails', 500],
    ['that redirects', 302],
  ])('X7 a service %s and repeats what it was asked', async (_case, status) => {
    const service = closing(
      await startStub((request, response, body) => {
        const echo = { ...request.headers, body, token: SECRETS.good }
        jsonAnswer(
          { active: true, aud: RESOURCE, client_id: 'client-1', error_description: JSON.stringify(echo) },
          { location: `/x?token=${SECRETS.good}`, 'www-authenticate': `Bearer token="${SECRETS.good}"` },
          status,
        )(request, response, body)
      }),
    )
    const introspection = (clientAuthMethod: 'client_secret_basic' | 'client_secret_post') =>
      new IntrospectionTokenVerifier({
        introspectionUrl: `${service.url}/?key=${SECRETS.queryKey}`,
        clientId: 'server',
        clientSecret: SECRETS.clientSecret,
        clientAuthMethod,
        audience: RESOURCE,
      })
    const remote = new RemoteTokenVerifier({
      verifyUrl: `${service.url}/?key=${SECRETS.queryKey}`,
      headers: { 'x-api-key': SECRETS.clientSecret },
    })
    for (const source of [
      introspection('client_secret_basic'),
      introspection('client_secret_post'),
      remote,
    ]) {
      expectNoSecret(await traffic(source, [SECRETS.good, SECRETS.bad]))
    }
  })

  test.each<[string, (token: string) => unknown]>([
    ['a message with the token', (token) => new Error(`token ${token} was not found (${token})`)],
    [
      'a URL with the token',
      (token) => new Error(`GET https://idp.example/check?token=${encodeURIComponent(token)} failed`),
    ],
    [
      'a description with the token',
      (token) => new OAuthError('invalid_token', `the token ${token} was revoked`),
    ],
    [
      'a detail with the token',
      (token) => new OAuthError('invalid_token', 'no', { detail: `token=${token}` }),
    ],
    [
      'a cause with the token',
      (token) => new OAuthError('temporarily_unavailable', 'no', { cause: new Error(token) }),
    ],
    ['an SDK error with the token', (token) => Object.assign(new Error(token), { code: 'invalid_token' })],
    ['an error of jsonwebtoken', (token) => Object.assign(new Error(token), { name: 'JsonWebTokenError' })],
    ['the token itself', (token) => token],
  ])('X7 a verifier that throws %s', async (_case, errorFor) => {
    const verifyToken = (token: string): never => {
      throw errorFor(token)
    }
    expectNoSecret(await traffic({ verifyToken }, [SECRETS.good, SECRETS.bad, jwt]))
  })

  test('X7 a verifier that notes the token as its reason', async () => {
    const noting = {
      verifyToken: (token: string, context?: { refuse: (reason: { stage: string; got: string }) => null }) =>
        context?.refuse({ stage: 'mine', got: `unknown token ${token}` }) ?? null,
    }
    expectNoSecret(await traffic(noting, [SECRETS.good, SECRETS.bad, jwt]))
  })

  test('X7 written-down tokens, alone and among others', async () => {
    const tokens = { [SECRETS.good]: { clientId: 'client-1', scopes: ['read'], claims: { role: 'user' } } }
    const listed = new StaticTokenVerifier({ tokens })
    expectNoSecret(await traffic(listed, [SECRETS.good, SECRETS.bad]))
    expectNoSecret(await traffic(new MultiAuth({ verifiers: [listed] }), [SECRETS.good, SECRETS.bad]))
    expectNoSecret(inspect(listed, { depth: 9, showHidden: true }) + JSON.stringify(listed))
  })

  test('X7 options that are wrong do not repeat what they held', () => {
    for (const build of [
      () => new StaticTokenVerifier({ tokens: [`${SECRETS.good} with a space`] }),
      () => new StaticTokenVerifier({ tokens: { [`${SECRETS.good}"`]: { clientId: 'x' } } }),
      () => new JWTVerifier({ secret: SECRETS.clientSecret, issuer: ISSUER, audience: RESOURCE }),
      () =>
        new IntrospectionTokenVerifier({
          introspectionUrl: 'https://login.example.com/introspect',
          clientId: 'server',
          clientSecret: SECRETS.clientSecret,
          timeoutSeconds: -1,
        }),
    ]) {
      let message = ''
      try {
        build()
      } catch (error) {
        message = (error as Error).message
      }
      expect(message).not.toBe('')
      expectNoSecret(message)
    }
  })
})

describe('X8 keeps every event on one line, in letters that move no cursor', () => {
  const UGLY =
    'a\r\n[mcp-auth] request.allowed {"clientId":"admin"}\n\u001b[2J\u001b[31m\u0007\b\u007f\u0085\u009b1m\u2028\u2029\u202e\u2066\0'
  // Everything that a terminal or a log reader takes for more than a letter.
  const CONTROLS = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/ // oxlint-disable-line no-control-regex

  async function linesOf(
    provider: Parameters<typeof resourceServer>[0],
    act: (target: Site) => Promise<unknown>,
  ): Promise<{ lines: string[]; events: number }> {
    const lines: string[] = []
    let events = 0
    const print = consoleEvents({ show: 'all', write: (line) => lines.push(line) })
    const target = await startTarget(resourceServer(provider), {
      onEvent: (event) => {
        events++
        print(event)
      },
    })
    await act(target)
    return { lines, events }
  }

  function expectPlain({ lines, events }: { lines: string[]; events: number }): void {
    expect(events).toBeGreaterThan(0)
    expect(lines).toHaveLength(events)
    for (const line of lines) {
      expect(line).toMatch(/^\[mcp-auth\] [a-z.]+ \{.*\}$/)
      expect(line).not.toMatch(CONTROLS)
    }
  }

  test.each<[string, () => unknown]>([
    ['an error', () => new Error(UGLY)],
    ['the name of an error', () => Object.assign(new Error('x'), { name: UGLY })],
    ['a description', () => new OAuthError('invalid_token', UGLY)],
    ['a detail', () => new OAuthError('invalid_token', 'x', { detail: UGLY })],
    ['scopes', () => new OAuthError('insufficient_scope', 'x', { scopes: [UGLY] })],
  ])('X8 %s of a verifier', async (_case, make) => {
    const verifyToken = (): never => {
      throw make()
    }
    expectPlain(await linesOf({ verifyToken }, (target) => attempt(target, 'x')))
  })

  test('X8 who a token says it is', async () => {
    const verifyToken = () => ({ clientId: UGLY, subject: UGLY, issuer: UGLY, scopes: [UGLY] })
    expectPlain(await linesOf({ verifyToken }, (target) => attempt(target, 'x')))
  })

  test.each(['iss', 'aud', 'exp', 'nbf', 'sub', 'scope', 'kid', 'alg', 'typ', 'token_use'])(
    'X8 a JWT with lines in its %s',
    async (name) => {
      const key = createKey('ES256')
      const { url } = closing(await startKeySet(key))
      const inHeader = ['kid', 'alg', 'typ'].includes(name)
      const value = name === 'sub' ? { [UGLY]: UGLY } : name === 'scope' ? [UGLY, 1] : UGLY
      const token = createToken(key, inHeader ? {} : { [name]: value }, inHeader ? { [name]: value } : {})
      const source = new JWTVerifier({ jwksUri: url, issuer: ISSUER, audience: RESOURCE })
      expectPlain(await linesOf(source, (target) => attempt(target, token)))
    },
  )

  test('X8 an introspection answer, and a set of keys, with lines in them', async () => {
    const service = closing(await startStub(jsonAnswer({ active: UGLY })))
    const source = new IntrospectionTokenVerifier({
      introspectionUrl: service.url,
      clientId: 'a',
      clientSecret: 'b',
      audience: RESOURCE,
    })
    expectPlain(await linesOf(source, (target) => attempt(target, 'x')))
    const keys = closing(await startStub(jsonAnswer({ keys: [{ kty: UGLY, kid: UGLY }, { [UGLY]: UGLY }] })))
    const jwt = new JWTVerifier({ jwksUri: keys.url, issuer: ISSUER, audience: RESOURCE })
    expectPlain(await linesOf(jwt, (target) => attempt(target, createToken(createKey('ES256')))))
  })

  test.each([
    ['an escaped line break', 'GET /mcp%0d%0a[mcp-auth]%1b[2J HTTP/1.1', []],
    ['latin-1 controls in a header', 'GET /mcp HTTP/1.1', ['Authorization: Bearer \x9b2J\x85x']],
    ['another method', 'PROPFIND /mcp HTTP/1.1', []],
    ['an origin', 'GET /mcp HTTP/1.1', ['Origin: \x9b2J\x85"']],
    ['a quote in the path', 'GET /mcp"},{"x":"\' HTTP/1.1', []],
  ])('X8 a request with %s', async (_case, requestLine, lines) => {
    expectPlain(await linesOf(verifier, (target) => attemptRaw(target, lines, requestLine)))
  })
})

// Attacks on what is remembered between requests: threat rows C1 to C7.
import { createHash } from 'node:crypto'
import { beforeEach, describe, expect, test } from '@jest/globals'
import {
  AccessToken,
  ConfigError,
  IntrospectionTokenVerifier,
  JWTVerifier,
  type JWTVerifierOptions,
  MultiAuth,
  RemoteTokenVerifier,
  StaticTokenVerifier,
  getAccessToken,
  requireScopes,
} from 'express-mcp-auth'
import { type TestClock, testClock } from 'express-mcp-auth/testing'
import {
  ISSUER,
  type Json,
  RESOURCE,
  type Stub,
  createKey,
  createToken,
  jsonAnswer,
  startKeySet,
  startStub,
} from '../support/issuer.js'
import {
  USER,
  allowed,
  attempt,
  attemptRaw,
  closing,
  insufficientScope,
  invalidToken,
  resourceServer,
  startTarget,
} from './attempt.js'

const key = createKey('ES256')
let clock: TestClock
let keys: Stub

beforeEach(async () => {
  clock = testClock()
  keys = closing(await startKeySet(key))
})

function jwtVerifier(options: Partial<JWTVerifierOptions> = {}): JWTVerifier {
  return new JWTVerifier({ jwksUri: keys.url, issuer: ISSUER, audience: RESOURCE, deps: clock, ...options })
}

/** An introspection endpoint and a verifier that asks it. */
async function introspection(
  answer: Json,
  options: Json = {},
): Promise<{ stub: Stub; verifier: IntrospectionTokenVerifier }> {
  const stub = closing(await startStub(jsonAnswer(answer)))
  const verifier = new IntrospectionTokenVerifier({
    introspectionUrl: stub.url,
    clientId: 'server',
    clientSecret: 'secret',
    audience: RESOURCE,
    deps: clock,
    ...options,
  })
  return { stub, verifier }
}

describe('C1 lets no verifier speak for another', () => {
  test('C1 a token that was accepted for one resource is refused for another', async () => {
    const a = await startTarget(resourceServer(jwtVerifier()))
    const b = await startTarget(resourceServer(jwtVerifier({ audience: 'https://b.example.com/mcp' })))
    const token = createToken(key)
    for (let time = 0; time < 3; time++) {
      expect(await attempt(a, token)).toEqual(USER)
      expect(await attempt(b, token)).toEqual(invalidToken('audience'))
    }
  })

  test('C1 an opaque token that one service knows is unknown to the other', async () => {
    const yes = await introspection({ active: true, sub: 'user-1', client_id: 'client-1', aud: RESOURCE })
    const no = await introspection({ active: false })
    const a = await startTarget(resourceServer(yes.verifier))
    const b = await startTarget(resourceServer(no.verifier))
    expect(await attempt(a, 'opaque')).toEqual(USER)
    expect(await attempt(b, 'opaque')).toEqual(invalidToken('introspection'))
    expect(await attempt(a, 'opaque')).toEqual(USER)
  })

  test('C1 a stricter verifier is not softened by a laxer one within MultiAuth', async () => {
    const lax = jwtVerifier({ audience: 'https://b.example.com/mcp' })
    const strict = jwtVerifier({ requiredScopes: ['read'] })
    const target = await startTarget(resourceServer(new MultiAuth({ verifiers: [lax, strict] })))
    const token = createToken(key)
    for (let time = 0; time < 2; time++) {
      expect(await attempt(target, token)).toMatchObject({ status: 403, stage: 'scope', handled: 0 })
    }
  })

  test('C1 a token that only resembles a remembered one is verified anew', async () => {
    const target = await startTarget(resourceServer(jwtVerifier()))
    const token = createToken(key)
    expect(await attempt(target, token)).toEqual(USER)
    for (const variant of [
      `${token.slice(0, -1)}${token.endsWith('A') ? 'Q' : 'A'}`,
      `${token}=`,
      token.slice(1),
    ]) {
      expect(await attempt(target, variant)).toMatchObject({ status: 401, handled: 0 })
    }
    for (const line of [`Bearer ${token},`, `Bearer ${token} x`, `Bearer \t${token}`]) {
      expect(await attemptRaw(target, [`Authorization: ${line}`])).toEqual(invalidToken('format'))
    }
  })
})

describe('C2 compares scopes at each request, also for a remembered token', () => {
  test('C2 a token that passed one route is held to the scopes of the next', async () => {
    const target = await startTarget(resourceServer(jwtVerifier()), {}, (app) => {
      app.use('/foo', requireScopes('foo'))
      app.use('/bar', requireScopes('bar'))
    })
    const token = createToken(key, { scope: 'foo' })
    const caller = { ...USER, body: { subject: 'user-1', clientId: 'client-1', scopes: ['foo'] } }
    for (let time = 0; time < 2; time++) {
      expect(await attempt(target, token, { path: '/foo' })).toEqual(caller)
      expect(await attempt(target, token, { path: '/bar' })).toEqual(insufficientScope('bar'))
    }
  })

  test('C2 one verifier under two guards', async () => {
    const verifier = jwtVerifier()
    const token = createToken(key, { scope: 'foo' })
    const open = await startTarget(resourceServer(verifier))
    const wide = await startTarget(resourceServer(verifier, { requiredScopes: ['foo'] }))
    const narrow = await startTarget(resourceServer(verifier, { requiredScopes: ['bar'] }))
    expect(await attempt(open, token)).toMatchObject({ status: 200, handled: 1 })
    expect(await attempt(wide, token)).toMatchObject({ status: 200, handled: 1 })
    expect(await attempt(narrow, token)).toEqual(insufficientScope('bar'))
  })

  test('C2 expiry comes before scope: who lacks both is told to renew', async () => {
    const target = await startTarget(resourceServer(jwtVerifier({ requiredScopes: ['bar'] })), {
      deps: clock,
    })
    const token = createToken(key)
    expect(await attempt(target, token)).toEqual(insufficientScope('bar'))
    clock.advance(3601)
    expect(await attempt(target, token)).toEqual(invalidToken('expiry', 'bar'))
  })
})

describe('C3 serves nothing past its expiry or its revocation', () => {
  test('C3 a remembered JWT', async () => {
    const target = await startTarget(resourceServer(jwtVerifier()), { deps: clock })
    const exp = Math.floor(clock.now() / 1000) + 100
    const token = createToken(key, { exp })
    expect(await attempt(target, token)).toEqual(USER)
    clock.advance(99)
    expect(await attempt(target, token)).toEqual(USER)
    clock.advance(1)
    expect(await attempt(target, token)).toEqual(invalidToken('expiry'))
  })

  test('C3 a remembered introspection lasts until the expiry it named', async () => {
    const exp = Math.floor(clock.now() / 1000) + 20
    const { stub, verifier } = await introspection({
      active: true,
      client_id: 'client-1',
      aud: RESOURCE,
      exp,
    })
    const target = await startTarget(resourceServer(verifier), { deps: clock })
    expect(await attempt(target, 'opaque')).toEqual(allowed({ clientId: 'client-1' }))
    clock.advance(19)
    expect(await attempt(target, 'opaque')).toEqual(allowed({ clientId: 'client-1' }))
    expect(stub.requests).toHaveLength(1)
    clock.advance(1)
    expect(await attempt(target, 'opaque')).toEqual(invalidToken('expiry'))
  })

  test('C3 a revoked token is refused when its time in the cache is over, a minute at most', async () => {
    const { stub, verifier } = await introspection({ active: true, client_id: 'client-1', aud: RESOURCE })
    const target = await startTarget(resourceServer(verifier), { deps: clock })
    await attempt(target, 'opaque')
    stub.answer = jsonAnswer({ active: false })
    clock.advance(60)
    expect(await attempt(target, 'opaque')).toEqual(invalidToken('introspection'))
  })

  test.each([
    ['introspection with cacheTtlSeconds: 0', { cacheTtlSeconds: 0 }],
    ['introspection with cache: false', { cache: false }],
  ])('C3 %s refuses a revoked token at once', async (_case, options) => {
    const { stub, verifier } = await introspection(
      { active: true, client_id: 'client-1', aud: RESOURCE },
      options,
    )
    const target = await startTarget(resourceServer(verifier))
    expect(await attempt(target, 'opaque')).toEqual(allowed({ clientId: 'client-1' }))
    stub.answer = jsonAnswer({ active: false })
    expect(await attempt(target, 'opaque')).toEqual(invalidToken('introspection'))
  })

  test('C3 a verification service is asked about a token each time, unless it is told otherwise', async () => {
    const service = closing(await startStub(jsonAnswer({ client_id: 'client-1' })))
    const target = await startTarget(resourceServer(new RemoteTokenVerifier({ verifyUrl: service.url })))
    expect(await attempt(target, 'opaque')).toEqual(allowed({ clientId: 'client-1' }))
    service.answer = jsonAnswer({ valid: false })
    expect(await attempt(target, 'opaque')).toEqual(invalidToken('service'))
  })

  test('C3 no verifier recalls what has expired, whoever asks it', async () => {
    const exp = Math.floor(clock.now() / 1000) + 10
    const { verifier: opaque } = await introspection({ active: true, aud: RESOURCE, exp })
    const written = new StaticTokenVerifier({
      tokens: { 'dev-token': { clientId: 'client-1', expiresAt: exp } },
      deps: clock,
    })
    const sources = [
      [jwtVerifier(), createToken(key, { exp })],
      [opaque, 'opaque'],
      [written, 'dev-token'],
    ] as const
    for (const [source, token] of sources) {
      expect(await source.verifyToken(token)).toMatchObject({ expiresAt: exp })
      expect(source.recall(token)).toMatchObject({ expiresAt: exp })
    }
    clock.advance(10)
    expect(sources.map(([source, token]) => source.recall(token))).toEqual([undefined, undefined, undefined])
    expect(await Promise.all(sources.map(([source, token]) => source.verifyToken(token)))).toEqual([
      null,
      null,
      null,
    ])
  })

  test('C3 a written-down token', async () => {
    const expiresAt = Math.floor(clock.now() / 1000) + 10
    const tokens = { 'dev-token': { clientId: 'client-1', expiresAt } }
    const target = await startTarget(resourceServer(new StaticTokenVerifier({ tokens, deps: clock })), {
      deps: clock,
    })
    expect(await attempt(target, 'dev-token')).toEqual(allowed({ clientId: 'client-1' }))
    clock.advance(10)
    expect(await attempt(target, 'dev-token')).toEqual(invalidToken('expiry'))
  })

  test('C3 what a verifier of your own says of expiry, whatever it thinks of it itself', async () => {
    const expiresAt = Math.floor(clock.now() / 1000)
    const target = await startTarget(
      resourceServer({ verifyToken: () => ({ clientId: 'client-1', expiresAt }) }),
      { deps: clock },
    )
    expect(await attempt(target, 'x')).toEqual(invalidToken('expiry'))
  })

  test('C3 a token that expires under a long stream says so', () => {
    const expiresAt = Math.floor(clock.now() / 1000) + 10
    const token = new AccessToken({ token: 'x', clientId: 'client-1', expiresAt }, { now: clock.now })
    expect(token.isExpired()).toBe(false)
    clock.advance(10)
    expect(token.isExpired()).toBe(true)
  })
})

describe('C4 forgets before it grows', () => {
  test('C4 ten thousand refused tokens are remembered and no more, and no good one gives way to them', async () => {
    const asked: string[] = []
    const verifier = new IntrospectionTokenVerifier({
      introspectionUrl: 'https://login.example.com/introspect',
      clientId: 'server',
      clientSecret: 'secret',
      audience: RESOURCE,
      deps: {
        ...clock,
        fetch: (_url, init) => {
          const token = new URLSearchParams(init?.body as string).get('token') as string
          asked.push(token)
          return Promise.resolve(
            Response.json(token === 'good' ? { active: true, aud: RESOURCE } : { active: false }),
          )
        },
      },
    })
    expect(await verifier.verifyToken('good')).not.toBeNull()
    for (let index = 0; index <= 10_000; index++) await verifier.verifyToken(`bad-${index}`)
    asked.length = 0
    expect(await verifier.verifyToken('good')).not.toBeNull()
    expect(await verifier.verifyToken('bad-10000')).toBeNull()
    expect(await verifier.verifyToken('bad-1')).toBeNull()
    expect(await verifier.verifyToken('bad-0')).toBeNull()
    expect(asked).toEqual(['bad-0'])
  })

  test('C4 refused JWTs leave nothing behind', async () => {
    const verifier = jwtVerifier({ cache: { maxEntries: 1 } })
    const good = createToken(key)
    await verifier.verifyToken(good)
    for (let index = 0; index < 1000; index++) {
      expect(await verifier.verifyToken(createToken(key, { aud: `https://${index}.example.com` }))).toBeNull()
    }
    expect(verifier.recall(good)).toMatchObject({ subject: 'user-1' })
  })

  test('C4 good tokens are bounded in number', async () => {
    const verifier = jwtVerifier({ cache: { maxEntries: 2 } })
    const tokens = ['a', 'b', 'c'].map((jti) => createToken(key, { jti }))
    for (const token of tokens) await verifier.verifyToken(token)
    expect(tokens.map((token) => verifier.recall(token) !== undefined)).toEqual([false, true, true])
  })

  test('C4 good tokens are bounded in size', async () => {
    const tokens = ['a', 'b', 'c'].map((jti) => createToken(key, { jti, pad: 'x'.repeat(3000) }))
    const verifier = jwtVerifier({ cache: { maxBytes: 40_000 } })
    for (const token of tokens) await verifier.verifyToken(token)
    expect(tokens.map((token) => verifier.recall(token) !== undefined)).toEqual([false, true, true])
  })

  test('C4 a token larger than the whole cache is accepted and not kept', async () => {
    const verifier = jwtVerifier({ cache: { maxBytes: 100 } })
    const token = createToken(key)
    expect(await verifier.verifyToken(token)).toMatchObject({ subject: 'user-1' })
    expect(verifier.recall(token)).toBeUndefined()
  })
})

describe('C5 gives each request a caller of its own', () => {
  const claims = { role: 'user', list: ['a'], deep: { roles: ['user'] } }

  async function twoRequests(
    verifier: Parameters<typeof resourceServer>[0],
    token: string,
    spoil: (auth: AccessToken) => void,
  ): Promise<{ bodies: unknown[]; errors: unknown[] }> {
    const errors: unknown[] = []
    const target = await startTarget(resourceServer(verifier), {}, (app) => {
      app.use((request, response) => {
        const auth = getAccessToken(request) as AccessToken
        const body = JSON.stringify({ auth, role: auth.claims['role'], admin: auth.hasScope('admin') })
        try {
          spoil(auth)
        } catch (error) {
          errors.push(error)
        }
        response.end(body)
      })
    })
    const bodies = []
    for (let time = 0; time < 2; time++) bodies.push((await attempt(target, token)).body)
    return { bodies, errors }
  }

  test.each<[string, (auth: AccessToken) => void]>([
    ['adds a scope', (auth) => auth.scopes.push('admin')],
    ['replaces the scopes', (auth) => Object.assign(auth, { scopes: ['admin'] })],
    ['replaces the subject', (auth) => Object.assign(auth, { subject: 'admin' })],
    ['replaces the claims', (auth) => Object.assign(auth, { claims: { role: 'admin' } })],
    ['changes a claim', (auth) => Object.assign(auth.claims, { role: 'admin' })],
    ['adds a claim', (auth) => Object.assign(auth.extra, { admin: true })],
    ['changes a list', (auth) => (auth.claims['list'] as string[]).push('b')],
    ['changes deep inside', (auth) => (auth.claims['deep'] as typeof claims.deep).roles.push('admin')],
    ['deletes a claim', (auth) => Reflect.deleteProperty(auth.claims, 'role')],
    ['changes the prototype', (auth) => Object.setPrototypeOf(auth.claims, { admin: true })],
    ['moves the resource', (auth) => Object.assign(auth.resource as URL, { hostname: 'evil.example' })],
    ['outlives its token', (auth) => Object.assign(auth, { expiresAt: 4e9 })],
  ])('C5 a handler that %s changes nothing for the next request', async (_case, spoil) => {
    const token = createToken(key, claims)
    const written = { 'dev-token': { clientId: 'client-1', claims } }
    for (const [verifier, presented] of [
      [jwtVerifier(), token],
      [new StaticTokenVerifier({ tokens: written }), 'dev-token'],
    ] as const) {
      const { bodies } = await twoRequests(verifier, presented, spoil)
      expect(bodies[0]).toMatchObject({ role: 'user', admin: false })
      expect(bodies[1]).toEqual(bodies[0])
    }
  })

  test('C5 what was configured is not what is shared', async () => {
    const tokens = { 'dev-token': { clientId: 'client-1', scopes: ['a'], claims: { deep: { x: 1 } } } }
    const target = await startTarget(resourceServer(new StaticTokenVerifier({ tokens })))
    tokens['dev-token'].scopes.push('admin')
    expect(await attempt(target, 'dev-token')).toEqual(allowed({ clientId: 'client-1', scopes: ['a'] }))
    expect(Object.isFrozen(tokens['dev-token'].claims.deep)).toBe(false)
  })

  test('C5 two requests at once do not see one another', async () => {
    const arrived: string[] = []
    let release: () => void = () => undefined
    const both = new Promise<void>((resolve) => {
      release = resolve
    })
    const tokens = { 'token-a': { clientId: 'a', subject: 'a' }, 'token-b': { clientId: 'b', subject: 'b' } }
    const target = await startTarget(resourceServer(new StaticTokenVerifier({ tokens })), {}, (app) => {
      app.use(async (_request, response) => {
        arrived.push('')
        if (arrived.length === 2) release()
        await both
        response.json({ subject: getAccessToken()?.subject })
      })
    })
    const outcomes = await Promise.all([attempt(target, 'token-a'), attempt(target, 'token-b')])
    expect(outcomes.map(({ body }) => body)).toEqual([{ subject: 'a' }, { subject: 'b' }])
  })
})

describe('C6 finds no token that nobody wrote down', () => {
  test.each([
    ['__proto__'],
    ['constructor'],
    ['toString'],
    ['hasOwnProperty'],
    ['prototype'],
    ['length'],
    ['0'],
    ['undefined'],
    ['null'],
  ])('C6 %s', async (token) => {
    const list = await startTarget(resourceServer(new StaticTokenVerifier({ tokens: ['dev-token'] })))
    const record = await startTarget(
      resourceServer(new StaticTokenVerifier({ tokens: { 'dev-token': { clientId: 'client-1' } } })),
    )
    expect(await attempt(list, token)).toEqual(invalidToken('token'))
    expect(await attempt(record, token)).toEqual(invalidToken('token'))
  })

  test('C6 what Object.prototype was given, nobody wrote down', async () => {
    const target = await startTarget(
      resourceServer(new StaticTokenVerifier({ tokens: { 'dev-token': { clientId: 'client-1' } } })),
    )
    Object.defineProperty(Object.prototype, 'planted', {
      value: { clientId: 'evil' },
      configurable: true,
      enumerable: false,
    })
    try {
      expect(await attempt(target, 'planted')).toEqual(invalidToken('token'))
    } finally {
      Reflect.deleteProperty(Object.prototype, 'planted')
    }
  })

  test.each([
    [{}],
    [[]],
    [['']],
    [[' ']],
    [{ '': { clientId: 'x' } }],
    [{ 'a b': { clientId: 'x' } }],
    [[null]],
  ])('C6 %j as "tokens" throws', (tokens) => {
    expect(() => new StaticTokenVerifier({ tokens: tokens as never })).toThrow(ConfigError)
  })
})

describe('C7 compares written-down tokens by digest, so that length does not matter', () => {
  const secret = 'k'.repeat(32)

  test.each([[1], [2], [31], [33], [64], [255], [8192]])('C7 %i characters', async (length) => {
    const target = await startTarget(resourceServer(new StaticTokenVerifier({ tokens: [secret] })))
    expect(await attempt(target, 'k'.repeat(length))).toEqual(invalidToken('token'))
  })

  test.each([
    ['one letter less', secret.slice(1)],
    ['another letter at the end', `${secret.slice(1)}l`],
    ['other letters', secret.toUpperCase()],
    ['padding', `${secret}=`],
    ['its own digest', createHash('sha256').update(secret).digest('hex')],
  ])('C7 %s', async (_case, token) => {
    const target = await startTarget(resourceServer(new StaticTokenVerifier({ tokens: [secret] })))
    expect(await attempt(target, token)).toEqual(invalidToken('token'))
    expect(await attempt(target, secret)).toEqual(allowed({ clientId: 'static-1' }))
  })
})

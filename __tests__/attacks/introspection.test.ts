// Attacks on and through the service that is asked about tokens: threat rows N1 to N5.
import { beforeEach, describe, expect, test } from '@jest/globals'
import {
  IntrospectionTokenVerifier,
  type IntrospectionTokenVerifierOptions,
  MultiAuth,
  RemoteTokenVerifier,
  StaticTokenVerifier,
} from 'express-mcp-auth'
import { type TestClock, testClock } from 'express-mcp-auth/testing'
import {
  type Answer,
  ISSUER,
  type Json,
  RESOURCE,
  type Stub,
  createKey,
  createToken,
  jsonAnswer,
  startStub,
} from '../support/issuer.js'
import type { Site } from '../support/site.js'
import { USER, attempt, closing, invalidToken, resourceServer, startTarget, unavailable } from './attempt.js'

const GOOD = { active: true, sub: 'user-1', client_id: 'client-1', iss: ISSUER, aud: RESOURCE }

let clock: TestClock
let service: Stub
let site: Site
let remote: Site

function siteWith(options: Partial<IntrospectionTokenVerifierOptions> = {}): Promise<Site> {
  const verifier = new IntrospectionTokenVerifier({
    introspectionUrl: service.url,
    clientId: 'server',
    clientSecret: 'secret',
    issuer: ISSUER,
    audience: RESOURCE,
    deps: clock,
    ...options,
  })
  return startTarget(resourceServer(verifier), { deps: clock, deadlineSeconds: 60 })
}

beforeEach(async () => {
  clock = testClock()
  service = closing(await startStub(jsonAnswer(GOOD)))
  site = await siteWith()
  remote = await startTarget(
    resourceServer(new RemoteTokenVerifier({ verifyUrl: service.url, deps: clock })),
    { deps: clock, deadlineSeconds: 60 },
  )
})

const outages: readonly (readonly [string, Answer])[] = [
  ['500', jsonAnswer({}, {}, 500)],
  ['500 that says yes', jsonAnswer(GOOD, {}, 500)],
  ['502 with a page', (_request, response) => response.writeHead(502).end('<html>Bad Gateway')],
  ['503', jsonAnswer({}, { 'retry-after': '9999' }, 503)],
  ['429', jsonAnswer(GOOD, {}, 429)],
  ['a page', (_request, response) => response.setHeader('content-type', 'text/html').end('<html>')],
  ['nothing', (_request, response) => response.end()],
  ['half of JSON', (_request, response) => response.end('{"active":true')],
  ['a list', jsonAnswer([GOOD])],
  ['text', jsonAnswer('active')],
  ['null', jsonAnswer(null)],
  ['true', jsonAnswer(true)],
  ['a connection that breaks', (request) => request.socket.destroy()],
  ['too much', jsonAnswer({ ...GOOD, pad: 'x'.repeat(600_000) })],
  [
    'a body that breaks off',
    (request, response) => {
      response.writeHead(200, { 'content-length': '1000' }).write('{"active":true')
      request.socket.destroySoon()
    },
  ],
]

describe('N1 takes no outage for a verdict', () => {
  test.each(outages)('N1 %s is 503, and nothing of it is remembered', async (_case, answer) => {
    service.answer = answer
    expect(await attempt(site, 'opaque')).toEqual(unavailable('1'))
    expect(await attempt(remote, 'opaque')).toEqual(unavailable('1'))
    service.answer = jsonAnswer(GOOD)
    expect(await attempt(site, 'opaque')).toEqual(USER)
    expect(await attempt(remote, 'opaque')).toEqual(USER)
  })

  test.each([
    ['before its answer', (): boolean => true],
    [
      'within its answer',
      (response: { write(text: string): boolean }): boolean => response.write('{"active":'),
    ],
  ])('N1 a service that hangs %s costs ten seconds at most', async (_case, begin) => {
    for (const target of [site, remote]) {
      const arrived = new Promise<void>((resolve) => {
        service.answer = (_request, response) => {
          begin(response)
          resolve()
        }
      })
      const outcome = attempt(target, 'opaque')
      await arrived
      clock.advance(10)
      expect(await outcome).toEqual(unavailable('1'))
    }
  })

  test('N1 a service that nobody listens for', async () => {
    await service.close()
    expect(await attempt(site, 'opaque')).toEqual(unavailable('1'))
    expect(await attempt(remote, 'opaque')).toEqual(unavailable('1'))
  })

  test('N1 an outage does not turn a remembered token away', async () => {
    await attempt(site, 'opaque')
    service.answer = jsonAnswer({}, {}, 500)
    expect(await attempt(site, 'opaque')).toEqual(USER)
    clock.advance(60)
    expect(await attempt(site, 'opaque')).toEqual(unavailable('1'))
  })

  test('N1 an outage of one source is no "no" from all', async () => {
    service.answer = jsonAnswer({}, {}, 500)
    const broken = new IntrospectionTokenVerifier({
      introspectionUrl: service.url,
      clientId: 'server',
      clientSecret: 'secret',
      audience: RESOURCE,
    })
    const verifiers = [broken, new StaticTokenVerifier({ tokens: ['dev-token'] })]
    const target = await startTarget(resourceServer(new MultiAuth({ verifiers })))
    expect(await attempt(target, 'opaque')).toEqual(unavailable('1'))
    expect(await attempt(target, 'dev-token')).toMatchObject({ status: 200, handled: 1 })
  })
})

describe('N2 takes only true for active', () => {
  test.each<[string, Json]>([
    ['false', { ...GOOD, active: false }],
    ['"true"', { ...GOOD, active: 'true' }],
    ['1', { ...GOOD, active: 1 }],
    ['an object', { ...GOOD, active: {} }],
    ['a list', { ...GOOD, active: [true] }],
    ['null', { ...GOOD, active: null }],
    ['missing', { ...GOOD, active: undefined }],
    ['in other letters', { ...GOOD, active: undefined, Active: true, ACTIVE: true }],
    ['in the prototype', { ...GOOD, active: undefined, ['__proto__' as string]: { active: true } }],
  ])('N2 %s', async (_case, answer) => {
    service.answer = jsonAnswer(answer)
    expect(await attempt(site, 'opaque')).toEqual(invalidToken('introspection'))
  })

  test.each<[string, Json]>([
    ['active: false', { active: false }],
    ['active: "true"', { active: 'true' }],
    ['valid: 1', { valid: 1 }],
    ['valid: null', { valid: null }],
    ['both, and one is false', { active: true, valid: false }],
  ])('N2 %s from a verification service', async (_case, answer) => {
    service.answer = jsonAnswer({ sub: 'user-1', ...answer })
    expect(await attempt(remote, 'opaque')).toEqual(invalidToken('service'))
  })

  test('N2 a token that became active is accepted five seconds later at most', async () => {
    service.answer = jsonAnswer({ active: false })
    expect(await attempt(site, 'opaque')).toEqual(invalidToken('introspection'))
    service.answer = jsonAnswer(GOOD)
    clock.advance(4)
    expect(await attempt(site, 'opaque')).toEqual(invalidToken('service'))
    clock.advance(1)
    expect(await attempt(site, 'opaque')).toEqual(USER)
  })
})

describe('N3 takes a refusal of our own credential for our own fault', () => {
  test.each([
    [401, { error: 'invalid_client' }],
    [401, { active: false }],
    [403, { error: 'access_denied' }],
    [400, { error: 'invalid_request' }],
    [404, {}],
    [405, {}],
  ])('N3 %i %j', async (status, answer) => {
    service.answer = jsonAnswer(answer, { 'www-authenticate': 'Basic' }, status)
    expect(await attempt(site, 'opaque')).toEqual(unavailable('1'))
    service.answer = jsonAnswer(GOOD)
    expect(await attempt(site, 'opaque')).toEqual(USER)
  })

  test('N3 the operator is told which one', async () => {
    service.answer = jsonAnswer({}, {}, 401)
    await attempt(site, 'opaque')
    expect(site.events).toContainEqual({
      type: 'service.failed',
      url: service.url,
      message: 'status 401: clientId or clientSecret was refused',
    })
  })

  test.each([[405], [407], [408], [415], [421], [425], [429]])(
    'N3 %i of a verification service speaks of us, too',
    async (status) => {
      service.answer = jsonAnswer({}, {}, status)
      expect(await attempt(remote, 'opaque')).toEqual(unavailable('1'))
    },
  )
})

describe('N4 holds an active token to the same rules as a JWT', () => {
  const now = (): number => Math.floor(clock.now() / 1000)

  test.each<[string, string, () => Json]>([
    ['another audience', 'audience', () => ({ aud: 'https://other.example.com' })],
    ['no audience', 'audience', () => ({ aud: undefined })],
    ['an audience that begins alike', 'audience', () => ({ aud: `${RESOURCE}/x` })],
    ['a nested audience', 'audience', () => ({ aud: [[RESOURCE]] })],
    ['another issuer', 'issuer', () => ({ iss: 'https://evil.example' })],
    ['no issuer', 'issuer', () => ({ iss: undefined })],
    ['a list of issuers', 'issuer', () => ({ iss: [ISSUER] })],
    ['an expiry in the past', 'expiry', () => ({ exp: now() - 1 })],
    ['an expiry right now', 'expiry', () => ({ exp: now() })],
    ['an expiry as text', 'expiry', () => ({ exp: String(now() + 60) })],
    ['an expiry of null', 'expiry', () => ({ exp: null })],
    ['an expiry in milliseconds', 'expiry', () => ({ exp: clock.now() })],
    ['a start in the future', 'not_before', () => ({ nbf: now() + 61 })],
    ['an issue in the future', 'not_before', () => ({ iat: now() + 61 })],
    ['a subject that is no text', 'claims', () => ({ sub: { admin: true } })],
    ['scopes that are no text', 'claims', () => ({ scope: 7 })],
    ['a key that it is bound to', 'type', () => ({ cnf: { jkt: 'x' } })],
    ['the use of a refresh token', 'type', () => ({ token_use: 'refresh_token' })],
    ['the use of an ID token', 'type', () => ({ token_use: 'id' })],
    ['the type of a refresh token', 'type', () => ({ typ: 'Refresh' })],
    ['the type of an ID token', 'type', () => ({ typ: 'ID' })],
  ])('N4 refuses %s', async (_case, stage, change) => {
    service.answer = jsonAnswer({ ...GOOD, ...change() })
    expect(await attempt(site, 'opaque')).toEqual(invalidToken(stage))
  })

  test('N4 a JWT of another issuer is not shown to the service', async () => {
    const verifier = new IntrospectionTokenVerifier({
      introspectionUrl: service.url,
      clientId: 'server',
      clientSecret: 'secret',
      issuer: ISSUER,
      audience: RESOURCE,
    })
    const target = await startTarget(resourceServer(new MultiAuth({ verifiers: [verifier] })))
    const foreign = createToken(createKey('ES256'), { iss: 'https://other.example.com' })
    expect(await attempt(target, foreign)).toEqual(invalidToken('verifier'))
    expect(service.requests).toEqual([])
  })

  test('N4 no letter of a token can add a parameter to the question', async () => {
    await attempt(site, 'a+b/c~d-e_f.g==')
    expect(service.requests.map(({ method, body }) => [method, body])).toEqual([
      ['POST', 'token=a%2Bb%2Fc%7Ed-e_f.g%3D%3D&token_type_hint=access_token'],
    ])
  })

  test('N4 a colon in our client ID does not move into the secret', async () => {
    const target = await siteWith({ clientId: 'a:b', clientSecret: 'c d' })
    await attempt(target, 'opaque')
    const [, encoded = ''] = service.requests[0]?.headers.authorization?.split(' ') ?? []
    expect(Buffer.from(encoded, 'base64').toString()).toBe('a%3Ab:c+d')
  })
})

describe('N5 asks little, however much it is asked', () => {
  const asked = (): string[] =>
    service.requests.map(({ body }) => new URLSearchParams(body).get('token') as string)

  test('N5 five hundred requests with one token are one question', async () => {
    const outcomes = await Promise.all(
      Array.from({ length: 500 }, () =>
        fetch(`${site.url}/mcp`, { headers: { authorization: 'Bearer opaque' } }).then((r) => r.status),
      ),
    )
    expect(outcomes).toEqual(outcomes.map(() => 200))
    expect(asked()).toEqual(['opaque'])
  })

  test('N5 five hundred requests with one bad token as well', async () => {
    service.answer = jsonAnswer({ active: false })
    const outcomes = await Promise.all(
      Array.from({ length: 500 }, () =>
        fetch(`${site.url}/mcp`, { headers: { authorization: 'Bearer opaque' } }).then((r) => r.status),
      ),
    )
    expect(outcomes).toEqual(outcomes.map(() => 401))
    expect(asked()).toEqual(['opaque'])
  })

  test('N5 not more than a hundred questions are under way; the rest is told to come back', async () => {
    const waiting: (() => void)[] = []
    service.answer = (request, response, body) => {
      waiting.push(() => {
        jsonAnswer(GOOD)(request, response, body)
      })
    }
    const statuses: number[] = []
    let enough: () => void = () => undefined
    const refused = new Promise<void>((resolve) => {
      enough = resolve
    })
    const requests = Array.from({ length: 150 }, async (_, index) => {
      const headers = { authorization: `Bearer token-${index}` }
      const { status } = await fetch(`${site.url}/mcp`, { headers })
      statuses.push(status)
      if (statuses.length === 50) enough()
    })
    await refused
    expect(statuses).toEqual(statuses.map(() => 503))
    service.answer = jsonAnswer(GOOD)
    while (statuses.length < 150) {
      for (const answer of waiting.splice(0)) answer()
      await new Promise(setImmediate)
    }
    await Promise.all(requests)
    expect(statuses.filter((status) => status === 200)).toHaveLength(100)
    expect(asked()).toHaveLength(100)
  })

  test('N5 a service that fails is asked once a second, and heard when it is back', async () => {
    service.answer = jsonAnswer({}, {}, 500)
    for (let index = 0; index < 50; index++) {
      expect(await attempt(site, `token-${index}`)).toEqual(unavailable('1'))
    }
    expect(asked()).toHaveLength(5)
    clock.advance(1)
    for (let index = 0; index < 10; index++) await attempt(site, `token-${index}`)
    expect(asked()).toHaveLength(6)
    service.answer = jsonAnswer(GOOD)
    clock.advance(1)
    expect(await attempt(site, 'opaque')).toEqual(USER)
    expect(await attempt(site, 'another')).toEqual(USER)
  })

  test('N5 a caller whose odd tokens are answered 400 does not shut others out', async () => {
    service.answer = (request, response, body) => {
      const good = new URLSearchParams(body).get('token') === 'good'
      jsonAnswer(good ? GOOD : { error: 'invalid_request' }, {}, good ? 200 : 400)(request, response, body)
    }
    for (let index = 0; index < 20; index++) await attempt(site, `odd-${index}`)
    expect(await attempt(site, 'good')).toEqual(USER)
  })
})

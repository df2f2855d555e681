import { beforeEach, describe, expect, it } from '@jest/globals'
import { OAuthError } from 'express-mcp-auth'
import { type TestClock, testClock } from 'express-mcp-auth/testing'
import { OptionReader } from '../../lib/protocol/options.js'
import {
  type TokenAnswer,
  type TokenInfo,
  TokenInfoVerifier,
  membersOf,
  scopesOf,
  secondsOf,
} from '../../lib/verifiers/token-info.js'
import { type Recorder, createRecorder } from '../support/recorder.js'

const START = 1_700_000_000
const ME = 'https://idp.example.com/me'
const PROFILE = 'https://idp.example.com/profile'
const OPTIONS = ['requiredScopes', 'timeoutSeconds', 'cacheTtlSeconds', 'cache', 'tokenPrefix']

const INFO: TokenInfo = {
  issuer: 'https://idp.example.com',
  ask: { url: ME },
  read: ({ json }) =>
    json['active'] === false
      ? { stage: 'introspection', got: 'an inactive token' }
      : {
          subject: json['id'],
          issuedTo: json['app'],
          scopes: scopesOf(json['scope']),
          expiresAt: secondsOf(json['exp']),
          claims: json,
        },
  claims: ['name', 'email', 'picture'],
}
const GOOD = { id: 7, app: 'app', scope: 'a b', exp: START + 3600, name: 'Ada', email: null, password: 'x' }
const WITH_PROFILE: TokenInfo = { ...INFO, profile: { url: PROFILE } }

type Answer = () => Response | Promise<Response>
const json =
  (body: unknown, status = 200, headers: Record<string, string> = {}): Answer =>
  () =>
    new Response(JSON.stringify(body), {
      status,
      headers: { 'content-type': 'application/json', ...headers },
    })
const empty =
  (status: number, headers: Record<string, string> = {}): Answer =>
  () =>
    new Response(null, { status, headers })
const text =
  (status: number): Answer =>
  () =>
    new Response('Blocked by egress policy', { status, headers: { 'content-type': 'text/plain' } })
const page =
  (status: number): Answer =>
  () =>
    new Response('<html>', { status, headers: { 'content-type': 'text/html; charset=utf-8' } })

describe('TokenInfoVerifier', () => {
  let clock: TestClock
  let recorder: Recorder
  let answers: Map<string, Answer>
  /** URLs that were asked. */
  let asked: string[]

  beforeEach(() => {
    clock = testClock(START * 1000)
    recorder = createRecorder()
    answers = new Map([[ME, json(GOOD)]])
    asked = []
  })

  const create = (
    info: Partial<TokenInfo> = {},
    options: Record<string, unknown> = {},
  ): TokenInfoVerifier => {
    const fetch: typeof globalThis.fetch = async (url) => {
      asked.push(url as string)
      const answer = answers.get(url as string)
      if (answer === undefined) throw new Error('nobody is there')
      return answer()
    }
    const app = { clientId: 'app', clientSecret: 'secret', deps: { ...clock, fetch } }
    return new TokenInfoVerifier({ ...INFO, ...info }, app, new OptionReader('Test', options, OPTIONS))
  }
  const verify = (
    info: Partial<TokenInfo> = {},
    token = 'token',
  ): ReturnType<TokenInfoVerifier['verifyToken']> => create(info).verifyToken(token, recorder.context)
  const outage = async (work: Promise<unknown>): Promise<unknown> => {
    const error = await work.then(String, (thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(OAuthError)
    expect(error).toMatchObject({ code: 'temporarily_unavailable', status: 503 })
    expect(recorder.reasons).toEqual([])
    return error
  }

  it('tells what the answer says of a token', async () => {
    expect(await verify()).toEqual({
      token: 'token',
      tokenType: 'Bearer',
      clientId: 'app',
      subject: '7',
      issuer: 'https://idp.example.com',
      scopes: ['a', 'b'],
      expiresAt: START + 3600,
      claims: { sub: '7', name: 'Ada' },
    })
    expect(asked).toEqual([ME])
  })

  it('gives the reader of an answer its headers and its time', async () => {
    answers.set(ME, json({}, 200, { 'x-scopes': 'a' }))
    let given: TokenAnswer | undefined
    await verify({
      read: (answer, app) => {
        given = answer
        return { subject: app.clientId, claims: {} }
      },
    })
    expect(given?.at).toBe(START)
    expect(given?.headers.get('x-scopes')).toBe('a')
  })

  it('takes what is not told for unknown: no scopes, no end', async () => {
    expect(await verify({ read: () => ({ subject: 'ada', claims: {} }) })).toMatchObject({
      scopes: [],
      expiresAt: undefined,
      subject: 'ada',
    })
  })

  describe('refuses', () => {
    it.each<[rule: string, answer: object, reason: object]>([
      ['what the reader refuses', { active: false }, { stage: 'introspection', got: 'an inactive token' }],
      [
        'P5 a token of another app',
        { ...GOOD, app: 'other' },
        { stage: 'audience', expected: 'app', got: '"other"' },
      ],
      [
        'P5 a token of several apps',
        { ...GOOD, app: ['app'] },
        { stage: 'audience', expected: 'app', got: '["app"]' },
      ],
      [
        'P5 a token of no app',
        { ...GOOD, app: undefined },
        { stage: 'audience', expected: 'app', got: 'nothing' },
      ],
      [
        'N4 an expired token',
        { ...GOOD, exp: START },
        { stage: 'expiry', expected: `after ${START}`, got: `${START}` },
      ],
      [
        'a token of nobody',
        { ...GOOD, id: null },
        { stage: 'subject', expected: 'a token that says whose it is', got: 'none' },
      ],
    ])('%s', async (_rule, answer, reason) => {
      answers.set(ME, json(answer))
      expect(await verify()).toBeNull()
      expect(recorder.reasons).toEqual([reason])
      expect(recorder.events).toEqual([])
    })

    it.each([
      ['by 401', undefined, json({ message: 'Bad credentials' }, 401)],
      [
        'by 401 without a body',
        undefined,
        empty(401, { 'www-authenticate': 'Bearer error="invalid_token"' }),
      ],
      ['by another status of its own', [404, 403], json({}, 404)],
      ['by 403 where it means the token', [403], json({ message: 'Forbidden' }, 403)],
    ])('what the identity provider refuses %s', async (_rule, refusals, answer) => {
      answers.set(ME, answer)
      expect(await verify(refusals === undefined ? {} : { refusals })).toBeNull()
      expect(recorder.reasons).toMatchObject([{ stage: 'service', expected: 'status 200' }])
    })

    it.each(['', 'a b', 'a\nb', 'ä'])('%j, which fits into no header, without a question', async (token) => {
      expect(await verify({}, token)).toBeNull()
      expect(asked).toEqual([])
      expect(recorder.reasons).toEqual([{ stage: 'form', expected: 'printable ASCII' }])
    })
  })

  describe('N1 cannot decide where', () => {
    it.each<[rule: string, answer: Answer, message: string]>([
      ['it fails', json(GOOD, 500), 'status 500'],
      ['it is overloaded', json({}, 429), 'status 429: asked too often'],
      ['it answers with a page', page(200), 'the answer is not a JSON object'],
      ['a gateway refuses', page(401), 'status 401'],
      ['a gateway forbids', page(403), 'status 403'],
      ['an egress proxy forbids', text(403), 'status 403'],
      ['an egress proxy wants to know who asks', text(401), 'status 401'],
      ['there are no words', empty(401, { 'www-authenticate': 'Basic realm="proxy"' }), 'status 401'],
      [
        'the limit is reached',
        json({}, 403, { 'x-ratelimit-remaining': '0' }),
        'status 403: asked too often',
      ],
      ['it says when to come back', json({}, 403, { 'retry-after': '60' }), 'status 403: asked too often'],
      [
        'it says so in words',
        json({ message: 'You have exceeded a secondary rate limit' }, 403),
        'status 403: asked too often',
      ],
      ['it answers with another success', json(GOOD, 202), 'status 202'],
      ['the status says nothing of tokens', json({}, 400), 'status 400'],
      ['it answers with a list', json([GOOD]), 'the answer is not a JSON object'],
      ['it answers with null', json(null), 'the answer is not a JSON object'],
      [
        'the user is no name and no number',
        json({ ...GOOD, id: { n: 7 } }),
        'the answer names the user by neither text nor number',
      ],
      [
        'the user is a blank',
        json({ ...GOOD, id: '' }),
        'the answer names the user by neither text nor number',
      ],
      ['nobody answers', () => Promise.reject(new Error('no route')), 'no route'],
    ])('%s', async (_rule, answer, message) => {
      answers.set(ME, answer)
      await outage(verify({ refusals: [401, 403] }))
      expect(recorder.events).toEqual([{ type: 'service.failed', url: ME, message }])
    })

    it.each([
      ['a firewall forbids', page(403)],
      ['a gateway answers', text(401)],
    ])('N5 of a token of a stranger: %s, and others are asked about as before', async (_rule, answer) => {
      const verifier = create()
      answers.set(ME, answer)
      for (let time = 0; time < 10; time++)
        await outage(verifier.verifyToken(`odd-${time}`, recorder.context))
      answers.set(ME, json(GOOD))
      expect(await verifier.verifyToken('token', recorder.context)).toMatchObject({ subject: '7' })
    })

    it('N5 the limit is reached: it is left alone', async () => {
      const verifier = create()
      answers.set(ME, json({ message: 'API rate limit exceeded' }, 403))
      for (let time = 0; time < 5; time++)
        await outage(verifier.verifyToken(`token-${time}`, recorder.context))
      expect(await outage(verifier.verifyToken('token', recorder.context))).toMatchObject({
        detail: 'the service failed several times in a row',
      })
    })

    it('no answer comes in time', async () => {
      answers.set(ME, () => new Promise(() => undefined))
      for (const timeoutSeconds of [undefined, 3]) {
        const verifying = create({}, { timeoutSeconds }).verifyToken('token', recorder.context)
        clock.advance(timeoutSeconds ?? 10)
        expect(await outage(verifying)).toMatchObject({
          detail: `no complete answer within ${timeoutSeconds ?? 10} s`,
        })
      }
    })

    it('N3 our own credentials are refused', async () => {
      answers.set(ME, json({ error: 'invalid_client' }, 401))
      await outage(verify({ refusals: [404] }))
    })
  })

  describe('the profile', () => {
    it('brings claims', async () => {
      answers.set(PROFILE, json({ sub: '7', name: 'Ada Lovelace', picture: 'p', email: null }))
      expect((await verify(WITH_PROFILE))?.claims).toEqual({ sub: '7', name: 'Ada Lovelace', picture: 'p' })
      expect(asked).toEqual([ME, PROFILE])
    })

    it('P5 is not asked about a token that is refused', async () => {
      answers.set(ME, json({ ...GOOD, app: 'other' }))
      expect(await verify(WITH_PROFILE)).toBeNull()
      expect(asked).toEqual([ME])
    })

    it.each<[rule: string, answer: Answer]>([
      ['is refused', json({}, 401)],
      ['fails', json({}, 500)],
      ['is a page', page(200)],
      ['is of another user', json({ sub: '8', name: 'Eve' })],
      ['does not answer', () => Promise.reject(new Error('no route'))],
    ])('costs its claims alone where it %s', async (_rule, answer) => {
      answers.set(PROFILE, answer)
      expect(await verify(WITH_PROFILE)).toMatchObject({ subject: '7', claims: { sub: '7', name: 'Ada' } })
      expect(recorder.events).toEqual([])
    })

    it('costs its claims alone where it takes too long', async () => {
      const arrived = new Promise<void>((resolve) => {
        answers.set(PROFILE, () => {
          resolve()
          return new Promise(() => undefined)
        })
      })
      const verifying = verify(WITH_PROFILE)
      await arrived
      clock.advance(10)
      expect(await verifying).toMatchObject({ subject: '7' })
    })

    it('P9 never says who the user is', async () => {
      answers.set(PROFILE, json({ id: 8, email: 'ada@example.com', sub: '7' }))
      expect(await verify(WITH_PROFILE)).toMatchObject({
        subject: '7',
        claims: { email: 'ada@example.com', sub: '7' },
      })
    })
  })

  it('does not ask again within a minute, or the time that it is given', async () => {
    for (const cacheTtlSeconds of [undefined, 5]) {
      const verifier = create({}, { cacheTtlSeconds })
      const verified = await verifier.verifyToken('token')
      const before = asked.length
      clock.advance((cacheTtlSeconds ?? 60) - 1)
      expect(verifier.recall('token')).toBe(verified)
      expect(await verifier.verifyToken('token')).toBe(verified)
      expect(asked).toHaveLength(before)
      clock.advance(1)
      expect(verifier.recall('token')).toBeUndefined()
      await verifier.verifyToken('token')
      expect(asked).toHaveLength(before + 1)
    }
  })

  it('N5 asks once for all who present the same token at the same time', async () => {
    answers.set(PROFILE, json({ name: 'Ada' }))
    const verifier = create(WITH_PROFILE)
    const verified = await Promise.all(Array.from({ length: 500 }, () => verifier.verifyToken('token')))
    expect(new Set(verified).size).toBe(1)
    expect(asked).toEqual([ME, PROFILE])
  })

  it('leaves scopes to the guard', () => {
    expect(create().requiredScopes).toEqual([])
    expect(create({}, { requiredScopes: ['a'] }).requiredScopes).toEqual(['a'])
  })

  it.each([
    [undefined, 'gho_a', 'perhaps'],
    ['gho_', 'gho_a', 'mine'],
    ['gho_', 'ghp_a', 'not mine'],
  ])('with the prefix %j claims %j: %s', (tokenPrefix, token, said) => {
    expect(create({}, { tokenPrefix }).claimsToken(token)).toBe(said)
  })
})

describe('what answers hold', () => {
  it.each<[value: unknown, separator: ' ' | ',', scopes: readonly string[] | undefined]>([
    ['a  b a', ' ', ['a', 'b']],
    ['', ' ', []],
    ['read:user, repo', ',', ['read:user', 'repo']],
    [['a', 7, 'b'], ' ', ['a', 'b']],
    [null, ' ', undefined],
    [7, ' ', undefined],
  ])('the scopes %j', (value, separator, scopes) => {
    expect(scopesOf(value, separator)).toEqual(scopes)
  })

  it.each<[value: unknown, seconds: number | undefined]>([
    [1_700_000_000, 1_700_000_000],
    ['1700000000', 1_700_000_000],
    [0, 0],
    [-1, undefined],
    ['', undefined],
    ['soon', undefined],
    [1e15, undefined],
    [NaN, undefined],
    [null, undefined],
  ])('the time %j', (value, seconds) => {
    expect(secondsOf(value)).toBe(seconds)
  })

  it.each<[value: unknown, members: object]>([
    [{ a: 1 }, { a: 1 }],
    [null, {}],
    ['a', {}],
  ])('the object %j', (value, members) => {
    expect(membersOf(value)).toEqual(members)
  })
})

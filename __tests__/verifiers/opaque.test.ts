import { beforeEach, describe, expect, it } from '@jest/globals'
import { OAuthError } from 'express-mcp-auth'
import { type TestClock, testClock } from 'express-mcp-auth/testing'
import { type VerifiedToken, parseAccessToken } from '../../lib/protocol/access-token.js'
import { createDeps } from '../../lib/runtime/deps.js'
import { OpaqueTokens, type TokenService } from '../../lib/verifiers/opaque.js'
import { type Recorder, createRecorder } from '../support/recorder.js'

const SERVICE_URL = 'https://login.example.com/check'
const START = 1_700_000_000_000

interface Question {
  readonly token: string
  readonly answer: (said: unknown, status?: number) => void
  readonly fail: (error: Error) => void
}

describe('OpaqueTokens', () => {
  let clock: TestClock
  let recorder: Recorder
  /** What the service was asked, in order; nobody answers but the test. */
  let questions: Question[]

  beforeEach(() => {
    clock = testClock(START)
    recorder = createRecorder()
    questions = []
  })

  const create = (changes: Partial<TokenService> = {}): OpaqueTokens => {
    const fetch: typeof globalThis.fetch = (_url, init) =>
      new Promise((resolve, reject) => {
        questions.push({
          token: init?.body as string,
          answer: (said, status = 200) => {
            resolve(new Response(JSON.stringify(said), { status }))
          },
          fail: reject,
        })
      })
    const service: TokenService = {
      url: SERVICE_URL,
      request: (token) => ({ url: SERVICE_URL, method: 'POST', body: token, timeoutSeconds: 10 }),
      read: ({ json, status }, token, context): VerifiedToken | null => {
        if (status !== 200) throw new Error(`status ${status}`)
        return json === null ? context.refuse({ stage: 'service' }) : parseAccessToken(json, token)
      },
      cacheTtlSeconds: 60,
      cache: {},
      ...changes,
    }
    return new OpaqueTokens(service, createDeps({ ...clock, fetch }))
  }
  const verify = (tokens: OpaqueTokens, token: string): Promise<VerifiedToken | null> =>
    tokens.verify(token, recorder.context)
  /** Asks, answers the one question that this makes, and gives back the outcome. */
  const settle = (
    tokens: OpaqueTokens,
    said: unknown,
    status = 200,
    token = 'token',
  ): Promise<VerifiedToken | null> => {
    const asked = verify(tokens, token)
    expect(questions).toHaveLength(1)
    questions.shift()?.answer(said, status)
    return asked
  }
  const outage = async (asked: Promise<unknown>): Promise<OAuthError> => {
    const error = await asked.then(String, (thrown: unknown) => thrown)
    if (!(error instanceof OAuthError)) throw new Error(`no OAuthError: ${String(error)}`)
    return error
  }
  const failOften = async (tokens: OpaqueTokens, times: number): Promise<void> => {
    for (let time = 0; time < times; time++) await outage(settle(tokens, {}, 500, `failing-${time}`))
  }

  it('asks about a token and hands on what the service says', async () => {
    const tokens = create()
    expect(await settle(tokens, { clientId: 'c' })).toMatchObject({ token: 'token', clientId: 'c' })
    expect(await settle(tokens, null, 200, 'other')).toBeNull()
    expect(recorder.reasons).toEqual([{ stage: 'service' }])
  })

  describe('a good token', () => {
    it('is not asked about again for as long as configured', async () => {
      const tokens = create()
      const verified = await settle(tokens, { clientId: 'c' })
      clock.advance(59.999)
      expect(await verify(tokens, 'token')).toBe(verified)
      expect(tokens.recall('token')).toBe(verified)
      clock.advance(0.001)
      expect(tokens.recall('token')).toBeUndefined()
      expect(await settle(tokens, null)).toBeNull()
    })

    it('is asked about again once it has expired', async () => {
      const tokens = create()
      await settle(tokens, { clientId: 'c', expiresAt: START / 1000 + 10 })
      clock.advance(10)
      expect(tokens.recall('token')).toBeUndefined()
      expect(await settle(tokens, null)).toBeNull()
    })

    it.each([
      ['where nothing is to be kept', { cacheTtlSeconds: 0 }],
      ['where the cache is switched off', { cache: false as const }],
    ])('is asked about each time %s', async (_rule, changes) => {
      const tokens = create(changes)
      await settle(tokens, { clientId: 'c' })
      expect(tokens.recall('token')).toBeUndefined()
      expect(await settle(tokens, null)).toBeNull()
    })
  })

  describe('a refused token', () => {
    it('is refused without a question for five seconds', async () => {
      const tokens = create()
      await settle(tokens, null)
      clock.advance(4.999)
      expect(await verify(tokens, 'token')).toBeNull()
      expect(questions).toEqual([])
      expect(recorder.reasons.at(-1)).toEqual({
        stage: 'service',
        got: 'a token that was refused a moment ago',
      })
      clock.advance(0.001)
      expect(await settle(tokens, { clientId: 'c' })).toMatchObject({ clientId: 'c' })
    })

    it('says nothing of another token', async () => {
      const tokens = create()
      await settle(tokens, null)
      expect(await settle(tokens, { clientId: 'c' }, 200, 'tokem')).toMatchObject({ clientId: 'c' })
    })

    it('is refused so also where good tokens are not kept', async () => {
      const tokens = create({ cache: false })
      await settle(tokens, null)
      expect(await verify(tokens, 'token')).toBeNull()
    })
  })

  it('asks once for all who present the same token at the same time', async () => {
    const tokens = create()
    const asked = Array.from({ length: 500 }, () => verify(tokens, 'token'))
    await settle(tokens, { clientId: 'c' })
    const verified = await Promise.all(asked)
    expect(new Set(verified).size).toBe(1)
    expect(questions).toEqual([])
  })

  it('asks about a hundred tokens at once, and about no more', async () => {
    const tokens = create()
    const asked = Array.from({ length: 100 }, (_, index) => verify(tokens, `token-${index}`))
    const oneTooMany = outage(verify(tokens, 'one-too-many'))
    expect(questions).toHaveLength(100)
    expect(await oneTooMany).toMatchObject({
      code: 'temporarily_unavailable',
      detail: 'too many tokens are being asked about at once',
      retryAfterSeconds: 1,
    })
    for (const question of questions.splice(0)) question.answer({ clientId: 'c' })
    await Promise.all(asked)
    expect(await settle(tokens, { clientId: 'c' })).toMatchObject({ clientId: 'c' })
  })

  describe('where the service gives no verdict', () => {
    it.each<[rule: string, end: (question: Question) => void, message: string]>([
      ['an error status', ({ answer }) => answer({}, 500), 'status 500'],
      ['a network failure', ({ fail }) => fail(new Error('no route')), 'no route'],
      [
        'an answer that says neither',
        ({ answer }) => answer({}),
        'verifyToken returned a malformed access token: "clientId" must be a string',
      ],
      ['no answer in time', () => clock.advance(10), 'no complete answer within 10 s'],
    ])('cannot decide, and tells why: %s', async (_rule, end, message) => {
      const asked = outage(verify(create(), 'token'))
      end(questions[0] as Question)
      expect(await asked).toMatchObject({
        code: 'temporarily_unavailable',
        status: 503,
        detail: expect.stringContaining(message),
        retryAfterSeconds: 1,
      })
      expect(recorder.events).toEqual([
        { type: 'service.failed', url: SERVICE_URL, message: expect.stringContaining(message) },
      ])
      expect(recorder.reasons).toEqual([])
    })

    it('remembers nothing of it', async () => {
      const tokens = create()
      await outage(settle(tokens, {}, 500))
      expect(await settle(tokens, { clientId: 'c' })).toMatchObject({ clientId: 'c' })
    })

    it('tells all who asked at the same time the same', async () => {
      const tokens = create()
      const asked = [verify(tokens, 'token'), verify(tokens, 'token')].map(outage)
      questions[0]?.answer({}, 500)
      const [one, other] = await Promise.all(asked)
      expect(one).toBe(other)
    })

    it('five times in a row, it is left alone but for one question a second', async () => {
      const tokens = create()
      await failOften(tokens, 5)
      expect(await outage(verify(tokens, 'token'))).toMatchObject({
        detail: 'the service failed several times in a row',
        retryAfterSeconds: 1,
      })
      expect(questions).toEqual([])
      clock.advance(1)
      const probe = outage(verify(tokens, 'token'))
      await outage(verify(tokens, 'another'))
      expect(questions).toHaveLength(1)
      questions.shift()?.answer({}, 500)
      await probe
      clock.advance(0.999)
      await outage(verify(tokens, 'token'))
      expect(questions).toEqual([])
    })

    it.each([401, 407, 408, 429, 500, 503])('status %i counts for such a failure', async (status) => {
      const tokens = create()
      for (let time = 0; time < 5; time++) await outage(settle(tokens, {}, status, `failing-${time}`))
      await outage(verify(tokens, 'token'))
      expect(questions).toEqual([])
    })

    it.each([400, 403, 404, 422])('status %i does not: a caller can bring it about', async (status) => {
      const tokens = create()
      for (let time = 0; time < 10; time++) await outage(settle(tokens, {}, status, `odd-${time}`))
      expect(await settle(tokens, { clientId: 'c' })).toMatchObject({ clientId: 'c' })
    })

    it('N5 a status that speaks of the token does not either, unless it counts questions', async () => {
      const tokens = create({ aboutToken: [401, 429] })
      for (let time = 0; time < 10; time++) await outage(settle(tokens, {}, 401, `odd-${time}`))
      for (let time = 0; time < 5; time++) await outage(settle(tokens, {}, 429, `much-${time}`))
      await outage(verify(tokens, 'token'))
      expect(questions).toEqual([])
    })

    it('no answer at all counts for such a failure', async () => {
      const tokens = create()
      for (let time = 0; time < 5; time++) {
        const asked = outage(verify(tokens, `failing-${time}`))
        questions.shift()?.fail(new Error('no route'))
        await asked
      }
      await outage(verify(tokens, 'token'))
      expect(questions).toEqual([])
    })

    it('four times in a row, it is asked as before', async () => {
      const tokens = create()
      await failOften(tokens, 4)
      expect(await settle(tokens, { clientId: 'c' })).toMatchObject({ clientId: 'c' })
    })

    it.each([
      ['yes', { clientId: 'c' }],
      ['no', null],
    ])('and then a %s, it is asked as before', async (_rule, said) => {
      const tokens = create()
      await failOften(tokens, 5)
      clock.advance(1)
      await settle(tokens, said)
      await failOften(tokens, 4)
      expect(await settle(tokens, { clientId: 'c' }, 200, 'other')).toMatchObject({ clientId: 'c' })
    })

    it('tokens that are known are served all the same', async () => {
      const tokens = create()
      const verified = await settle(tokens, { clientId: 'c' })
      await failOften(tokens, 5)
      expect(await verify(tokens, 'token')).toBe(verified)
    })
  })
})

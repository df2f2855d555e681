import { beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { type TestClock, testClock } from 'express-mcp-auth/testing'
import { OAuthError } from 'express-mcp-auth'
import { createDeps } from '../../lib/runtime/deps.js'
import { RemoteKeys, fixedKeys } from '../../lib/verifiers/jwks.js'
import { type VerificationKey, parseKeySet } from '../../lib/verifiers/key-set.js'
import { type SigningKey, createKey } from '../support/issuer.js'
import { type Recorder, createRecorder } from '../support/recorder.js'

const JWKS_URL = 'https://login.example.com/jwks'
const START = 1_700_000_000_000
const DAY = 24 * 3600

let one: SigningKey
let two: SigningKey

beforeAll(() => {
  one = createKey('ES256', 'one')
  two = createKey('ES256', 'two')
})

const published = (...keys: readonly SigningKey[]): (() => Promise<Response>) =>
  answer({ keys: keys.map(({ jwk }) => jwk) })
const answer =
  (document: unknown, headers: Record<string, string> = {}, status = 200): (() => Promise<Response>) =>
  () =>
    Promise.resolve(new Response(JSON.stringify(document), { status, headers }))
const down = (): Promise<Response> => Promise.reject(new Error('no route'))

describe('RemoteKeys', () => {
  let clock: TestClock
  let recorder: Recorder
  let keys: RemoteKeys
  let requests: number
  let respond: () => Promise<Response>

  const create = (cacheSeconds?: number): RemoteKeys => {
    const fetch: typeof globalThis.fetch = (url) => {
      expect(url).toBe(JWKS_URL)
      requests++
      return respond()
    }
    return new RemoteKeys({ url: JWKS_URL, cacheSeconds }, createDeps({ ...clock, fetch }))
  }
  const find = (kid?: string): Promise<readonly VerificationKey[]> =>
    keys.find('ES256', kid, recorder.context)
  const found = async (kid?: string): Promise<(string | undefined)[]> =>
    (await find(kid)).map((key) => key.kid)
  /** Starts what is due and waits for it; `requests` says whether anything was. */
  const freshen = async (): Promise<void> => {
    const before = requests
    keys.freshen(recorder.context)
    if (requests > before) await keys.warmUp(recorder.context)
  }
  const outage = async (asked: Promise<unknown>): Promise<OAuthError> => {
    const error = await asked.then(String, (thrown: unknown) => thrown)
    if (!(error instanceof OAuthError)) throw new Error(`no OAuthError: ${String(error)}`)
    return error
  }

  beforeEach(() => {
    clock = testClock(START)
    recorder = createRecorder()
    requests = 0
    respond = published(one)
    keys = create()
  })

  it('asks nobody before a key is needed, and once then', async () => {
    expect(requests).toBe(0)
    expect(await found('one')).toEqual(['one'])
    expect(await found('one')).toEqual(['one'])
    expect(requests).toBe(1)
  })

  it('tells what it fetched, and why some keys cannot be used', async () => {
    respond = answer({ keys: [one.jwk, { kty: 'oct', k: 'AA' }] })
    await find('one')
    expect(recorder.events).toEqual([
      { type: 'keys.fetched', url: JWKS_URL, keys: 1, skipped: ['key 1: a symmetric key'] },
    ])
  })

  it('asks once for all who need a key at the same time', async () => {
    const all = await Promise.all(Array.from({ length: 200 }, () => found('one')))
    expect(all.every(([kid]) => kid === 'one')).toBe(true)
    expect(requests).toBe(1)
  })

  it('fetches them ahead, and once with the first who needs one', async () => {
    await Promise.all([keys.warmUp(recorder.context), find('one')])
    expect(requests).toBe(1)
  })

  it('fails no warming up: the event says what went wrong', async () => {
    respond = down
    await keys.warmUp(recorder.context)
    expect(recorder.events).toEqual([
      {
        type: 'keys.failed',
        url: JWKS_URL,
        message: expect.stringContaining('no route'),
        serving: 'nothing',
      },
    ])
  })

  describe('with an unknown key ID', () => {
    it('asks again, at most once in 30 seconds, whatever IDs arrive', async () => {
      await find('one')
      clock.advance(29)
      for (let index = 0; index < 100; index++) expect(await found(`unknown-${index}`)).toEqual([])
      expect(requests).toBe(1)
      clock.advance(1)
      for (let index = 0; index < 100; index++) expect(await found(`unknown-${index}`)).toEqual([])
      expect(requests).toBe(2)
    })

    it('finds a key that was published since', async () => {
      await find('one')
      respond = published(one, two)
      clock.advance(30)
      expect(await found('two')).toEqual(['two'])
    })

    it('waits for a request that is under way already', async () => {
      await find('one')
      respond = published(one, two)
      clock.advance(600)
      keys.freshen(recorder.context)
      expect(await found('two')).toEqual(['two'])
      expect(requests).toBe(2)
    })

    it('decides nothing while the set cannot be fetched: the key may be a new one', async () => {
      await find('one')
      respond = down
      clock.advance(30)
      const error = await outage(find('two'))
      expect(error).toMatchObject({
        code: 'temporarily_unavailable',
        detail: 'the key is unknown and the key set cannot be fetched',
        retryAfterSeconds: 30,
      })
      expect(await found('one')).toEqual(['one'])
    })
  })

  describe('keeps a set', () => {
    it.each<
      [rule: string, headers: Record<string, string>, cacheSeconds: number | undefined, seconds: number]
    >([
      ['for ten minutes where nothing is said', {}, undefined, 600],
      [
        'as long as its response says (RFC 9111)',
        { 'cache-control': 'public, max-age=3600' },
        undefined,
        3600,
      ],
      ['as long as it says in other letters', { 'cache-control': 'MAX-AGE=120' }, undefined, 120],
      ['no longer than a day', { 'cache-control': 'max-age=999999999' }, undefined, DAY],
      [
        'for ten minutes where what it says is no number',
        { 'cache-control': 'max-age=soon' },
        undefined,
        600,
      ],
      [
        'for ten minutes where the number is absurd',
        { 'cache-control': 'max-age=99999999999999999999' },
        undefined,
        600,
      ],
      ['no less than 30 seconds', { 'cache-control': 'max-age=1' }, undefined, 30],
      [
        'for 30 seconds where it must not be stored',
        { 'cache-control': 'no-store, max-age=3600' },
        undefined,
        30,
      ],
      ['for 30 seconds where it must not be reused', { 'cache-control': 'no-cache' }, undefined, 30],
      ['as long as configured, whatever the response says', { 'cache-control': 'no-store' }, 7200, 7200],
      ['no less than 30 seconds where less is configured', {}, 0, 30],
    ])('%s', async (_rule, headers, cacheSeconds, seconds) => {
      respond = answer({ keys: [one.jwk] }, headers)
      keys = create(cacheSeconds)
      await find('one')
      clock.advance(seconds - 1)
      await freshen()
      expect(requests).toBe(1)
      clock.advance(1)
      await freshen()
      expect(requests).toBe(2)
    })

    it('and refreshes it in the background, without anybody waiting', async () => {
      await find('one')
      let release = (): void => undefined
      const later = new Promise<void>((resolve) => {
        release = resolve
      })
      respond = () => later.then(published(two))
      clock.advance(600)
      expect(await found('one')).toEqual(['one'])
      expect(requests).toBe(2)
      release()
      await keys.warmUp(recorder.context)
      expect(await found('two')).toEqual(['two'])
    })

    it('and refreshes it once, however many ask meanwhile', async () => {
      await find('one')
      clock.advance(600)
      for (let index = 0; index < 10; index++) keys.freshen(recorder.context)
      await Promise.all([find('one'), find('one')])
      expect(requests).toBe(2)
    })

    it('that replaces the one before: a key that is gone is gone', async () => {
      const [withdrawn] = (await find('one')) as [VerificationKey]
      expect(keys.publishes(withdrawn.identity)).toBe(true)
      respond = published(two)
      clock.advance(600)
      await freshen()
      expect(keys.publishes(withdrawn.identity)).toBe(false)
      expect(await found('one')).toEqual([])
    })

    it('in which a key counts as published under whatever ID it is', async () => {
      const [key] = (await find('one')) as [VerificationKey]
      respond = answer({ keys: [{ ...one.jwk, kid: 'renamed' }] })
      clock.advance(600)
      await freshen()
      expect(keys.publishes(key.identity)).toBe(true)
    })
  })

  describe('while the provider is out of reach', () => {
    const failures: readonly [rule: string, respond: () => Promise<Response>, message: string][] = [
      ['a network failure', down, 'no route'],
      ['an error status', answer({ keys: [] }, {}, 500), 'status 500'],
      ['a missing document', answer({}, {}, 404), 'status 404'],
      [
        'a redirect',
        answer({}, { location: 'https://evil.example' }, 302),
        'redirected (302), which is not followed',
      ],
      [
        'a page instead of a document',
        () => Promise.resolve(new Response('<html>')),
        'no usable key (the document has no "keys" array)',
      ],
      ['an empty set', answer({ keys: [] }), 'no usable key (the set is empty)'],
      [
        'a set of odd keys only',
        answer({ keys: [{ kty: 'oct' }, {}] }),
        'no usable key (key 0: a symmetric key; key 1: of a type or for an algorithm that is not supported)',
      ],
      ['a document beyond all bounds', answer({ keys: 'x'.repeat(600_000) }), 'more than 524288 bytes'],
    ]

    it.each(failures)('serves the last good set: %s', async (_rule, failing, message) => {
      await find('one')
      respond = failing
      clock.advance(600)
      await freshen()
      expect(await found('one')).toEqual(['one'])
      expect(recorder.events[1]).toEqual({
        type: 'keys.failed',
        url: JWKS_URL,
        message: expect.stringContaining(message),
        serving: 'stale',
      })
    })

    it.each(failures)('decides nothing where there never was a set: %s', async (_rule, failing, message) => {
      respond = failing
      expect(await outage(find('one'))).toMatchObject({
        code: 'temporarily_unavailable',
        detail: 'the key set cannot be fetched',
        retryAfterSeconds: 1,
      })
      expect(recorder.events).toEqual([
        { type: 'keys.failed', url: JWKS_URL, message: expect.stringContaining(message), serving: 'nothing' },
      ])
    })

    it('gives up a request that takes more than five seconds', async () => {
      respond = () => new Promise(() => undefined)
      const asked = outage(find('one'))
      clock.advance(5)
      await asked
      expect(recorder.events).toMatchObject([
        { type: 'keys.failed', message: 'no complete answer within 5 s' },
      ])
    })

    it('trusts a set for a day beyond its lifetime, and no longer', async () => {
      const [key] = (await find('one')) as [VerificationKey]
      respond = down
      clock.advance(600 + DAY - 1)
      await freshen()
      expect(await found('one')).toEqual(['one'])
      expect(keys.publishes(key.identity)).toBe(true)
      clock.advance(1)
      expect(keys.publishes(key.identity)).toBe(false)
      await outage(find('one'))
      clock.advance(30)
      await outage(find('one'))
      expect(recorder.events.at(-1)).toMatchObject({ type: 'keys.failed', serving: 'nothing' })
    })

    it('tries again after 1, 2, 4, 8, 16 seconds and then every 30 where there is nothing to serve', async () => {
      respond = down
      await outage(find('one'))
      const pauses: number[] = []
      for (let round = 0; round < 7; round++) {
        const before = requests
        let seconds = 0
        while (requests === before) {
          clock.advance(1)
          seconds++
          await outage(find('one'))
        }
        pauses.push(seconds)
      }
      expect(pauses).toEqual([1, 2, 4, 8, 16, 30, 30])
    })

    it('says when it will try again', async () => {
      respond = down
      for (const pause of [1, 2, 4]) {
        expect(await outage(find('one'))).toMatchObject({ retryAfterSeconds: pause })
        clock.advance(pause)
      }
    })

    it('tries every 30 seconds where there is a set to serve', async () => {
      await find('one')
      respond = down
      clock.advance(600)
      await freshen()
      clock.advance(29)
      await freshen()
      expect(requests).toBe(2)
      clock.advance(1)
      await freshen()
      expect(requests).toBe(3)
    })

    it('forgets the failures once it is back', async () => {
      respond = down
      await outage(find('one'))
      clock.advance(1)
      await outage(find('one'))
      respond = published(one)
      clock.advance(2)
      expect(await found('one')).toEqual(['one'])
      clock.advance(30)
      expect(await found('unknown')).toEqual([])
    })
  })
})

describe('fixedKeys', () => {
  const fixed = (...keys: readonly SigningKey[]): ReturnType<typeof fixedKeys> =>
    fixedKeys(parseKeySet({ keys: keys.map(({ jwk }) => jwk) }))
  const { context } = createRecorder()

  it('serve whatever key ID the issuer gave to a single key', async () => {
    for (const kid of ['one', 'other', undefined])
      expect(await fixed(one).find('ES256', kid, context)).toHaveLength(1)
  })

  it('serve no other algorithm', async () => {
    expect(await fixed(one).find('RS256', 'one', context)).toEqual([])
  })

  it('go by the key ID where there are several', async () => {
    const source = fixed(one, two)
    expect(await source.find('ES256', 'two', context)).toMatchObject([{ kid: 'two' }])
    expect(await source.find('ES256', 'three', context)).toEqual([])
    expect(await source.find('ES256', undefined, context)).toEqual([])
  })

  it('do not let the type of a key stand for its ID where there are several', async () => {
    const source = fixed(one, createKey('RS256', 'rsa'))
    expect(await source.find('ES256', 'other', context)).toEqual([])
    expect(await source.find('ES256', undefined, context)).toMatchObject([{ kid: 'one' }])
  })

  it('stay published, and need no freshening', async () => {
    const source = fixed(one)
    const [key] = (await source.find('ES256', 'one', context)) as [VerificationKey]
    expect(source.publishes(key.identity)).toBe(true)
    expect(source.freshen(context)).toBeUndefined()
  })
})

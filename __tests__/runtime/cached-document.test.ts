import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { type AuthEvent, OAuthError } from 'express-mcp-auth'
import { type TestClock, testClock } from 'express-mcp-auth/testing'
import { CachedDocument, type KnownDocument } from '../../lib/runtime/cached-document.js'
import { type Stub, jsonAnswer, startStub } from '../support/issuer.js'

const DAY = 24 * 3600
const down = jsonAnswer({}, {}, 500)

let stub: Stub
let clock: TestClock
let events: AuthEvent[]

beforeEach(async () => {
  stub = await startStub(jsonAnswer({ version: 1 }))
  clock = testClock()
  events = []
})

afterEach(() => stub.close())

function create(urls: readonly string[] = [stub.url]): () => Promise<KnownDocument<unknown>> {
  const read = (json: unknown): unknown => {
    if (json === undefined) throw new Error('not JSON')
    return json
  }
  const deps = { ...clock, fetch: globalThis.fetch }
  const document = new CachedDocument({ urls, read, unavailable: 'Not now' }, deps)
  return () => document.get((event) => events.push(event))
}

async function refusalOf(asked: Promise<unknown>): Promise<object> {
  const error = await asked.then(
    () => undefined,
    (thrown: unknown) => thrown,
  )
  if (!(error instanceof OAuthError)) throw new Error(`not refused: ${String(error)}`)
  const { code, description, detail, retryAfterSeconds } = error
  return { code, description, detail, retryAfterSeconds }
}

describe('a cached document', () => {
  it('is fetched when it is needed first', async () => {
    const get = create()
    expect(stub.requests).toEqual([])
    expect(await get()).toEqual({ value: { version: 1 }, freshSeconds: 3600 })
    expect(stub.requests).toMatchObject([
      { method: 'GET', url: '/', headers: { accept: 'application/json' } },
    ])
  })

  it.each<[says: string, header: string | undefined, seconds: number]>([
    ['nothing', undefined, 3600],
    ['ten minutes', 'public, max-age=600', 600],
    ['too little', 'max-age=1', 60],
    ['too much', 'max-age=999999999', DAY],
    ['that it is not to be kept', 'no-store', 60],
  ])('whose answer says %s is fresh for as long as is sensible', async (_says, header, seconds) => {
    stub.answer = jsonAnswer({ version: 1 }, header === undefined ? {} : { 'cache-control': header })
    const get = create()
    expect(await get()).toEqual({ value: { version: 1 }, freshSeconds: seconds })
    stub.answer = jsonAnswer({ version: 2 })
    clock.advance(seconds - 1)
    expect(await get()).toEqual({ value: { version: 1 }, freshSeconds: 1 })
    expect(stub.requests).toHaveLength(1)
    clock.advance(1)
    expect(await get()).toEqual({ value: { version: 2 }, freshSeconds: 3600 })
  })

  it('is fetched once, however many ask', async () => {
    const get = create()
    const all = await Promise.all(Array.from({ length: 20 }, get))
    expect(new Set(all.map(({ value }) => value)).size).toBe(1)
    expect(stub.requests).toHaveLength(1)
  })

  it('is served stale for a day while it cannot be fetched, and asked for every half minute', async () => {
    const get = create()
    await get()
    stub.answer = down
    clock.advance(3600)
    expect(await get()).toEqual({ value: { version: 1 }, freshSeconds: 30 })
    clock.advance(29)
    expect(await get()).toEqual({ value: { version: 1 }, freshSeconds: 1 })
    expect(stub.requests).toHaveLength(2)
    expect(events).toEqual([{ type: 'service.failed', url: stub.url, message: `${stub.url}: status 500` }])
    clock.advance(1)
    await get()
    expect(stub.requests).toHaveLength(3)
    clock.advance(DAY - 31)
    expect(await get()).toMatchObject({ value: { version: 1 } })
    clock.advance(1)
    expect(await refusalOf(get())).toMatchObject({ code: 'temporarily_unavailable', retryAfterSeconds: 29 })
    clock.advance(29)
    stub.answer = jsonAnswer({ version: 2 })
    expect(await get()).toEqual({ value: { version: 2 }, freshSeconds: 3600 })
  })

  it('that was never had is refused, and not asked for again for half a minute', async () => {
    stub.answer = down
    const get = create()
    const refusal = {
      code: 'temporarily_unavailable',
      description: 'Not now',
      detail: `${stub.url}: status 500`,
    }
    expect(await refusalOf(get())).toEqual({ ...refusal, retryAfterSeconds: 30 })
    stub.answer = jsonAnswer({ version: 1 })
    clock.advance(20)
    expect(await refusalOf(get())).toEqual({ ...refusal, retryAfterSeconds: 10 })
    expect(stub.requests).toHaveLength(1)
    clock.advance(10)
    expect(await get()).toMatchObject({ value: { version: 1 } })
  })

  it('is looked for in one place after the other', async () => {
    stub.answer = (request, response, body) => {
      ;(request.url === '/b' ? jsonAnswer({ version: 1 }) : jsonAnswer({}, {}, 404))(request, response, body)
    }
    expect(await create([`${stub.url}/a`, `${stub.url}/b`, `${stub.url}/c`])()).toMatchObject({
      value: { version: 1 },
    })
    expect(stub.requests.map(({ url }) => url)).toEqual(['/a', '/b'])
    expect(events).toEqual([])
  })

  it('that is nowhere is told once, without queries', async () => {
    stub.answer = jsonAnswer({}, {}, 404)
    const { detail } = (await refusalOf(create([`${stub.url}/a?key=1`, `${stub.url}/b`])())) as {
      detail: string
    }
    expect(detail).toBe(`${stub.url}/a: status 404; ${stub.url}/b: status 404`)
    expect(events).toEqual([{ type: 'service.failed', url: `${stub.url}/a`, message: detail }])
  })

  it.each<[rule: string, answer: Stub['answer'], message: string]>([
    [
      'a redirect',
      (_request, response) => {
        response.writeHead(302, { location: '/elsewhere' }).end()
      },
      'redirected (302), which is not followed',
    ],
    [
      'what is not JSON',
      (_request, response) => {
        response.end('<html>')
      },
      'not JSON',
    ],
    ['more than 128 KiB', jsonAnswer({ text: 'a'.repeat(128 * 1024) }), 'more than 131072 bytes'],
    ['another status', jsonAnswer({ version: 1 }, {}, 201), 'status 201'],
  ])('is not %s', async (_rule, answer, message) => {
    stub.answer = answer
    expect(await refusalOf(create()())).toMatchObject({ detail: `${stub.url}: ${message}` })
    expect(stub.requests).toHaveLength(1)
  })

  it('is waited for no longer than five seconds', async () => {
    const arrived = new Promise<void>((resolve) => {
      stub.answer = () => {
        resolve()
      }
    })
    const refused = refusalOf(create()())
    await arrived
    clock.advance(5)
    expect(await refused).toMatchObject({ detail: `${stub.url}: no complete answer within 5 s` })
  })
})

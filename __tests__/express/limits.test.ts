import { describe, expect, it, jest } from '@jest/globals'
import {
  type AuthEvent,
  type AuthHandler,
  type AuthProvider,
  type AuthResponse,
  type RateLimitOptions,
  type Route,
  mcpAuth,
} from 'express-mcp-auth'
import { testClock } from 'express-mcp-auth/testing'
import { parseRateLimit } from '../../lib/express/limits.js'
import { configErrorOf } from '../support/config-error.js'
import { HOSTS } from '../support/hosts.js'
import { toss, tossLater } from '../support/odd.js'
import { host, silent, site } from './stand.js'

describe('rateLimit', () => {
  const provider: AuthProvider = {
    verifyToken: () => null,
    routes: [
      {
        path: '/token',
        methods: ['POST'],
        limited: true,
        handle: () => ({ status: 200, headers: {}, body: 'ok' }),
      },
      { path: '/free', methods: ['GET'], handle: () => ({ status: 200, headers: {}, body: 'ok' }) },
    ],
  }
  const post = (url: string): Promise<Response> => fetch(`${url}/token`, { method: 'POST' })

  it.each(HOSTS)('%s: answers 429 to an address that calls a limited route too often', async (name) => {
    const { url, errors } = await host(name, [
      mcpAuth(provider, { rateLimit: { limit: 2, windowSeconds: 60 }, ...silent }),
    ])
    expect([(await post(url)).status, (await post(url)).status]).toEqual([200, 200])
    const third = await post(url)
    expect(third.status).toBe(429)
    expect(third.headers.get('retry-after')).toMatch(/^\d+$/)
    expect(third.headers.has('ratelimit')).toBe(true)
    expect(third.headers.get('access-control-allow-origin')).toBe('*')
    expect(await third.json()).toEqual({
      error: 'invalid_request',
      error_description: 'Too many requests, try again later',
    })
    expect((await fetch(`${url}/free`)).status).toBe(200)
    expect(errors).toEqual([])
  })

  it('counts callers without an address as one', async () => {
    const unknown: AuthHandler = (request, _response, next) => {
      Object.defineProperty(request.socket, 'remoteAddress', { value: undefined })
      next()
    }
    const { url } = await host('node:http', [
      unknown,
      mcpAuth(provider, { rateLimit: { limit: 1 }, ...silent }),
    ])
    expect([(await post(url)).status, (await post(url)).status]).toEqual([200, 429])
  })

  it.each(HOSTS)('%s: answers 503 where the address cannot be known, and nothing unlimited', async (name) => {
    const broken: AuthHandler = (request, _response, next) => {
      Object.defineProperty(request, 'ip', { get: () => toss(new Error('no address')) })
      next()
    }
    const events: AuthEvent[] = []
    const { url, errors, handled } = await host(name, [
      broken,
      mcpAuth(provider, { onEvent: (event) => events.push(event) }),
    ])
    const response = await post(url)
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5'])
    expect(events.at(-1)).toEqual({
      type: 'request.failed',
      method: 'POST',
      path: '/token',
      message: 'Error: no address',
    })
    expect([errors, handled()]).toEqual([[], 0])
  })

  it('lets 60 requests a minute through unless told otherwise', async () => {
    const { url } = await site(provider)
    const statuses: number[] = []
    for (let index = 0; index < 61; index++) statuses.push((await post(url)).status)
    expect(statuses.indexOf(429)).toBe(60)
  })

  it('limits nothing where it is switched off', async () => {
    const { url } = await site(provider, { rateLimit: false })
    for (let index = 0; index < 70; index++) expect((await post(url)).status).toBe(200)
  })

  it('counts callers apart by the address that Express knows', async () => {
    const { url } = await site(provider, { rateLimit: { limit: 1 } }, (app) => {
      app.set('trust proxy', 1)
    })
    const from = (address: string): Promise<Response> =>
      fetch(`${url}/token`, { method: 'POST', headers: { 'x-forwarded-for': address } })
    expect([
      (await from('192.0.2.1')).status,
      (await from('192.0.2.1')).status,
      (await from('192.0.2.2')).status,
    ]).toEqual([200, 429, 200])
  })
})

describe('the limit of an address', () => {
  const limited: AuthProvider = {
    verifyToken: () => null,
    routes: [{ path: '/r', methods: ['GET'], limited: true, handle: () => ({ status: 200, headers: {} }) }],
  }
  const behind = async (trust: unknown): Promise<(address: string) => Promise<number>> => {
    const { url } = await site(limited, { rateLimit: { limit: 1 } }, (app) => {
      app.set('trust proxy', trust)
    })
    return async (address) => (await fetch(`${url}/r`, { headers: { 'x-forwarded-for': address } })).status
  }

  it('X4 is not escaped by a header that nobody trusts', async () => {
    const from = await behind(false)
    expect([await from('192.0.2.1'), await from('192.0.2.2'), await from('2001:db8::1')]).toEqual([
      200, 429, 429,
    ])
  })

  it('X4 is not escaped by what stands before the address that a trusted proxy wrote', async () => {
    const from = await behind(1)
    expect([await from('192.0.2.9, 192.0.2.1'), await from('192.0.2.8, 192.0.2.1')]).toEqual([200, 429])
  })

  it('X4 is that of a /64, however its addresses are spelled, and of no other', async () => {
    const from = await behind(1)
    expect(await from('2001:db8:1:1::1')).toBe(200)
    for (const same of ['2001:db8:1:1::1', '2001:db8:1:1:ffff::2', '2001:0DB8:0001:0001:0:0:0:3'])
      expect([same, await from(same)]).toEqual([same, 429])
    for (const other of ['2001:db8:1:2::1', '2001:db8:1:0::1'])
      expect([other, await from(other)]).toEqual([other, 200])
  })

  it('X4 is that of an IPv4 address also where it is mapped into IPv6, and harms no other', async () => {
    const from = await behind(1)
    expect(await from('192.0.2.1')).toBe(200)
    for (const same of ['::ffff:192.0.2.1', '::FFFF:c000:201'])
      expect([same, await from(same)]).toEqual([same, 429])
    for (const other of ['192.0.2.2', '::ffff:192.0.2.3'])
      expect([other, await from(other)]).toEqual([other, 200])
  })

  it.each(HOSTS)('%s: X5 lets exactly as many of many at once through', async (name) => {
    const { url } = await host(name, [mcpAuth(limited, { rateLimit: { limit: 10 }, ...silent })])
    const answers = await Promise.all(Array.from({ length: 200 }, () => fetch(`${url}/r`)))
    const statuses = answers.map(({ status }) => status)
    expect(statuses.filter((status) => status === 200)).toHaveLength(10)
    expect(statuses.filter((status) => status === 429)).toHaveLength(190)
  })
})

describe('the limit of an endpoint', () => {
  const NAMES = ['token', 'sign-in', 'odd']
  const named = (more: Partial<Route> = {}): AuthProvider => ({
    verifyToken: () => null,
    routes: NAMES.map((name) => ({
      path: `/${name}`,
      methods: ['GET'],
      limited: name,
      handle: () => ({ status: 200, headers: {} }),
      ...more,
    })),
  })
  const remaining = async (url: string, name: string): Promise<string | null> =>
    (await fetch(`${url}/${name}`)).headers.get('ratelimit-policy')

  it('is its own: one that is reached leaves the others open', async () => {
    const { url } = await site(named(), { rateLimit: { limit: 1 } })
    const statuses: number[] = []
    for (const name of [...NAMES, ...NAMES]) statuses.push((await fetch(`${url}/${name}`)).status)
    expect(statuses).toEqual([200, 200, 200, 429, 429, 429])
  })

  it.each<[rule: string, rateLimit: RateLimitOptions, policies: string[]]>([
    ['by default', {}, ['300;w=60', '40;w=60', '60;w=60']],
    ['where one is stated for all', { limit: 7, windowSeconds: 9 }, ['7;w=9', '7;w=9', '7;w=9']],
    [
      'where some are stated',
      { windowSeconds: 9, endpoints: { token: { limit: 1 }, odd: { windowSeconds: 5 } } },
      ['1;w=9', '40;w=9', '60;w=5'],
    ],
  ])('is told to the caller %s', async (_rule, rateLimit, policies) => {
    const { url } = await site(named(), { rateLimit })
    const told: (string | null)[] = []
    for (const name of NAMES) told.push(await remaining(url, name))
    expect(told).toEqual(policies)
  })

  it('is shared by routes of one name', async () => {
    const { url } = await site(named({ limited: 'same' }), { rateLimit: { limit: 2 } })
    const statuses: number[] = []
    for (const name of NAMES) statuses.push((await fetch(`${url}/${name}`)).status)
    expect(statuses).toEqual([200, 200, 429])
  })

  it('is told by the page of a route that has one', async () => {
    const tooMany = (): AuthResponse => ({
      status: 429,
      headers: { 'Content-Type': 'text/html', 'Cache-Control': 'no-store' },
      body: '<p>Later',
    })
    const { url } = await site(named({ tooMany, cors: false }), { rateLimit: { limit: 1 } })
    await fetch(`${url}/sign-in`)
    const response = await fetch(`${url}/sign-in`)
    expect([response.status, response.headers.get('content-type'), await response.text()]).toEqual([
      429,
      'text/html',
      '<p>Later',
    ])
    expect(response.headers.get('retry-after')).toMatch(/^\d+$/)
    expect(response.headers.has('access-control-allow-origin')).toBe(false)
  })

  it('M6 is reached with an answer that nobody stores, and before a handler runs', async () => {
    let ran = 0
    const { url } = await site(
      named({
        handle: () => {
          ran++
          return { status: 200, headers: {} }
        },
      }),
      { rateLimit: { limit: 1 } },
    )
    await fetch(`${url}/token`)
    const response = await fetch(`${url}/token`)
    expect([response.status, response.headers.get('cache-control'), ran]).toEqual([429, 'no-store', 1])
  })

  it('must be of an endpoint that there is', () => {
    const make = (name: string) => () =>
      mcpAuth(named(), { ...silent, rateLimit: { endpoints: { [name]: { limit: 1 } } } })
    expect(configErrorOf(make('tokn'))).toEqual({
      code: 'ERR_MCP_AUTH_UNKNOWN_OPTION',
      message: 'rateLimit has no endpoint "tokn". Did you mean "token"?',
    })
    expect(configErrorOf(make('constructor')).code).toBe('ERR_MCP_AUTH_UNKNOWN_OPTION')
    // Known, though this provider does not serve it.
    expect(make('register')).not.toThrow()
    expect(make('odd')).not.toThrow()
  })
})

describe('the store of counts', () => {
  const provider: AuthProvider = {
    verifyToken: () => null,
    routes: ['token', 'register'].map((name) => ({
      path: `/${name}`,
      methods: ['GET'],
      limited: name,
      handle: () => ({ status: 200, headers: {} }),
    })),
  }
  const counting = (counts: Map<string, number>) => (name: string) => ({
    increment: (key: string) => {
      const hits = (counts.get(`${name} ${key}`) ?? 0) + 1
      counts.set(`${name} ${key}`, hits)
      return { totalHits: hits, resetTime: undefined }
    },
    decrement: () => undefined,
    resetKey: () => undefined,
  })

  it('is made once for each endpoint, and shared by replicas', async () => {
    const counts = new Map<string, number>()
    const made: string[] = []
    const store = (name: string): ReturnType<ReturnType<typeof counting>> => {
      made.push(name)
      return counting(counts)(name)
    }
    const replicas = [
      await site(provider, { rateLimit: { limit: 2, store } }),
      await site(provider, { rateLimit: { limit: 2, store } }),
    ]
    const statuses: number[] = []
    for (const { url } of [...replicas, ...replicas]) statuses.push((await fetch(`${url}/token`)).status)
    expect(statuses).toEqual([200, 200, 429, 429])
    expect((await fetch(`${replicas[0]?.url}/register`)).status).toBe(200)
    expect(made).toEqual(['token', 'register', 'token', 'register'])
    expect(counts).toEqual(
      new Map([
        ['token 127.0.0.1', 4],
        ['register 127.0.0.1', 1],
      ]),
    )
  })

  it('that fails lets everybody in, and is told once: its outage must not log everybody out', async () => {
    const printed = jest.spyOn(console, 'error').mockReturnValue()
    const failing = (): object => ({
      ...counting(new Map())(''),
      increment: () => Promise.reject(new Error('connection refused')),
    })
    const { url, events } = await site(provider, { rateLimit: { limit: 1, store: failing as never } })
    for (const _time of [1, 2, 3]) expect((await fetch(`${url}/token`)).status).toBe(200)
    expect(events.filter((event) => event.type === 'hint' && event.code === 'rate_limit_store')).toEqual([
      {
        type: 'hint',
        code: 'rate_limit_store',
        message:
          'the store of the rate limit failed (token: connection refused): requests are served unlimited until it is back',
      },
    ])
    expect(printed).not.toHaveBeenCalled()
    printed.mockRestore()
  })

  it.each<[rule: string, thrown: unknown, told: string]>([
    ['words', 'gone', 'token: gone'],
    ['nothing', undefined, 'token: undefined'],
  ])('that fails with %s is told of too', async (_rule, thrown, told) => {
    const failing = (): object => ({ ...counting(new Map())(''), increment: () => tossLater(thrown) })
    const { url, events } = await site(provider, { rateLimit: { store: failing as never } })
    expect((await fetch(`${url}/token`)).status).toBe(200)
    expect(JSON.stringify(events)).toContain(told)
  })

  it('that never answers holds nobody up for long', async () => {
    const clock = testClock()
    let asked = (): void => undefined
    const called = new Promise<void>((resolve) => {
      asked = resolve
    })
    let answerLate: (hits: { totalHits: number; resetTime: undefined }) => void = () => undefined
    const hanging = (): object => ({
      ...counting(new Map())(''),
      increment: () => {
        asked()
        return new Promise((resolve) => {
          answerLate = resolve
        })
      },
    })
    const { url, events } = await site(provider, {
      deps: clock,
      rateLimit: { limit: 1, store: hanging as never },
    })
    const response = fetch(`${url}/token`)
    await called
    clock.advance(2)
    expect((await response).status).toBe(200)
    answerLate({ totalHits: 2, resetTime: undefined })
    await new Promise((resolve) => setImmediate(resolve))
    expect(events).toContainEqual(
      expect.objectContaining({ message: expect.stringContaining('no answer within 2 s') }),
    )
  })

  it.each([undefined, null, {}, { increment: 1 }])('is no %j', (made) => {
    const make = (): unknown => mcpAuth(provider, { ...silent, rateLimit: { store: () => made as never } })
    expect(configErrorOf(make)).toEqual({
      code: 'ERR_MCP_AUTH_INVALID_OPTION',
      message: 'rateLimit: "store" must make a store of express-rate-limit, which it did not for "token"',
    })
  })
})

describe('parseRateLimit', () => {
  it.each<[value: unknown, limits: unknown]>([
    [undefined, { limit: 60, windowSeconds: 60 }],
    [{}, { limit: 60, windowSeconds: 60 }],
    [
      { limit: 1, windowSeconds: 0.5 },
      { limit: 1, windowSeconds: 0.5 },
    ],
  ])('reads %j', (value, bounds) => {
    const limits = parseRateLimit(value)
    expect(limits && limits.boundsOf('common')).toEqual(bounds)
  })

  it.each<[value: unknown, code: string, message: RegExp]>([
    [true, 'ERR_MCP_AUTH_INVALID_OPTION', /^rateLimit takes an options object/],
    [60, 'ERR_MCP_AUTH_INVALID_OPTION', /^rateLimit takes an options object/],
    [{ limit: 0 }, 'ERR_MCP_AUTH_INVALID_OPTION', /"limit" must be a whole number above 0/],
    [{ limit: 1.5 }, 'ERR_MCP_AUTH_INVALID_OPTION', /"limit" must be a whole number above 0/],
    [{ limit: '60' }, 'ERR_MCP_AUTH_INVALID_OPTION', /"limit" must be a whole number above 0/],
    [{ windowSeconds: 0 }, 'ERR_MCP_AUTH_INVALID_OPTION', /"windowSeconds" must be more than 0/],
    [{ windowSeconds: -1 }, 'ERR_MCP_AUTH_INVALID_OPTION', /"windowSeconds" must be a number of seconds/],
    [{ windowSeconds: 2_073_601 }, 'ERR_MCP_AUTH_INVALID_OPTION', /"windowSeconds" must be at most 2073600/],
    [{ store: {} }, 'ERR_MCP_AUTH_INVALID_OPTION', /"store" must be a function/],
    [{ endpoints: 7 }, 'ERR_MCP_AUTH_INVALID_OPTION', /"endpoints" must be an object such as/],
    [{ endpoints: [] }, 'ERR_MCP_AUTH_INVALID_OPTION', /"endpoints" must be an object such as/],
    [{ endpoints: { token: 7 } }, 'ERR_MCP_AUTH_INVALID_OPTION', /"token" takes an options object/],
    [
      { endpoints: { token: { limit: 0 } } },
      'ERR_MCP_AUTH_INVALID_OPTION',
      /"limit" must be a whole number above 0/,
    ],
    [{ endpoints: { token: { max: 1 } } }, 'ERR_MCP_AUTH_UNKNOWN_OPTION', /has no option "max"/],
    [{ windowMs: 1 }, 'ERR_MCP_AUTH_UNKNOWN_OPTION', /has no option "windowMs"/],
  ])('refuses %j', (value, code, message) => {
    const error = configErrorOf(() => parseRateLimit(value))
    expect(error.code).toBe(code)
    expect(error.message).toMatch(message)
  })
})

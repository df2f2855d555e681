import { describe, expect, it } from '@jest/globals'
import { type AuthEvent, type AuthHandler, type AuthProvider, mcpAuth } from 'express-mcp-auth'
import { parseRateLimit } from '../../lib/express/limits.js'
import { configErrorOf } from '../support/config-error.js'
import { HOSTS } from '../support/hosts.js'
import { toss } from '../support/odd.js'
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
    [{ windowMs: 1 }, 'ERR_MCP_AUTH_UNKNOWN_OPTION', /has no option "windowMs"/],
  ])('refuses %j', (value, code, message) => {
    const error = configErrorOf(() => parseRateLimit(value))
    expect(error.code).toBe(code)
    expect(error.message).toMatch(message)
  })
})

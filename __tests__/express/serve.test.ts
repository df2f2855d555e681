import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import { describe, expect, it } from '@jest/globals'
import {
  type AuthEvent,
  type AuthHandler,
  type AuthProvider,
  type McpAuthOptions,
  OAuthError,
  type Route,
  type RouteContext,
  mcpAuth,
} from 'express-mcp-auth'
import { HOSTS, type HostName } from '../support/hosts.js'
import { hostile, thenable, toss, tossLater } from '../support/odd.js'
import { host, silent, site } from './stand.js'

const ORIGIN = 'https://app.example.com'
const UNAVAILABLE = {
  error: 'temporarily_unavailable',
  error_description: 'This could not be done right now, try again shortly',
}

const providerOf = (...routes: Route[]): AuthProvider => ({ verifyToken: () => null, routes })
const route = (handle: Route['handle'], more: Partial<Route> = {}): Route => ({
  path: '/r',
  methods: ['GET', 'POST'],
  handle,
  ...more,
})
const ok: Route['handle'] = () => ({ status: 200, headers: {}, body: 'ok' })

const stand = async (
  name: HostName,
  routes: Route[],
  before: AuthHandler[] = [],
  options: McpAuthOptions = {},
): Promise<{ url: string; errors: readonly unknown[]; events: AuthEvent[]; handled(): number }> => {
  const events: AuthEvent[] = []
  const onEvent = (event: AuthEvent): void => {
    if (event.type !== 'hint') events.push(event)
  }
  const started = await host(name, [...before, mcpAuth(providerOf(...routes), { onEvent, ...options })])
  return Object.assign(started, { events })
}

describe('what a handler throws', () => {
  it.each(HOSTS)('%s: is answered with its OAuth error, which nobody stores', async (name) => {
    const error = new OAuthError('invalid_grant', 'Used "before"', { detail: 'family 7' })
    const routes = [
      route(() => toss(error)),
      route(() => tossLater(error), { path: '/later', maxBodyBytes: 99 }),
    ]
    const { url, errors, events, handled } = await stand(name, routes)
    for (const path of ['/r?code=secret', '/later']) {
      const response = await fetch(url + path, { method: 'POST', body: 'a=b' })
      expect(response.status).toBe(400)
      expect(Object.fromEntries(response.headers)).toMatchObject({
        'content-type': 'application/json',
        'cache-control': 'no-store',
        pragma: 'no-cache',
        'access-control-allow-origin': '*',
        'x-content-type-options': 'nosniff',
      })
      expect(response.headers.has('www-authenticate')).toBe(false)
      expect(response.headers.has('retry-after')).toBe(false)
      expect(await response.json()).toEqual({
        error: 'invalid_grant',
        error_description: "Used 'before'",
      })
    }
    expect(events).toEqual(
      ['/r', '/later'].map((path) => ({
        type: 'request.refused',
        method: 'POST',
        path,
        status: 400,
        error: 'invalid_grant',
        reason: { stage: 'request', got: 'family 7' },
      })),
    )
    expect([errors, handled()]).toEqual([[], 0])
  })

  it.each(HOSTS)(
    '%s: X9 is 503 and an event where it is anything else, and never reaches the host',
    async (name) => {
      const odd: (() => unknown)[] = [
        () => toss(new Error('down')),
        () => tossLater(new Error('down')),
        () => toss(undefined),
        () => tossLater(undefined),
        () => toss(hostile('code', 'name', 'message')),
        () => undefined,
        () => null,
        () => ({}),
        () => Promise.resolve(undefined),
        () => ({ status: 9999, headers: {} }),
        () => ({ status: 200, headers: { 'X-A': 'b\r\nX-C: d' } }),
        () => Promise.resolve({ status: 200, headers: { 'a b': 'c' } }),
        () => ({ status: 200, headers: {}, body: 7 }),
        () => thenable(() => toss(new Error('no then'))),
        () => toss(new OAuthError('server_error', UNAVAILABLE.error_description, { detail: 'down' })),
      ]
      const routes = odd.map((handle, index) => route(handle as Route['handle'], { path: `/${index}` }))
      const { url, errors, events, handled } = await stand(name, routes)
      for (const index of odd.keys()) {
        const response = await fetch(`${url}/${index}`)
        expect([index, response.status, response.headers.get('retry-after')]).toEqual([index, 503, '5'])
        expect(response.headers.get('cache-control')).toBe('no-store')
        expect(response.headers.has('x-a')).toBe(false)
        expect(await response.json()).toMatchObject({ error_description: UNAVAILABLE.error_description })
      }
      expect(events).toEqual(
        [...odd.keys()].map((index) => ({
          type: 'request.failed',
          method: 'GET',
          path: `/${index}`,
          message: expect.any(String),
        })),
      )
      expect(events.at(0)).toMatchObject({ message: 'Error: down' })
      expect(events.at(-1)).toMatchObject({ message: 'down' })
      expect([errors, handled()]).toEqual([[], 0])
    },
  )

  it('X7 never quotes what was thrown', async () => {
    const { url } = await stand('Express 5', [
      route(() => toss(new Error('postgres://user:password@db')), { path: '/r' }),
    ])
    const response = await fetch(`${url}/r`)
    expect(await response.json()).toEqual(UNAVAILABLE)
  })

  it('says when to come back, where it knows', async () => {
    const error = new OAuthError('temporarily_unavailable', 'Later', { retryAfterSeconds: 30 })
    const { url } = await stand('node:http', [route(() => toss(error))])
    const response = await fetch(`${url}/r`)
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '30'])
  })

  it('leaves nothing of a broken answer in the one that says so', async () => {
    const broken = { 'Set-Cookie': ['a=b'], Location: '/x', 'X-A': 'b\n' }
    const own: AuthHandler = (_request, response, next) => {
      response.setHeader('X-App', '1')
      next()
    }
    for (const name of HOSTS) {
      const { url } = await stand(name, [route(() => ({ status: 302, headers: broken }))], [own])
      const response = await fetch(`${url}/r`, { redirect: 'manual' })
      expect([response.status, response.headers.has('set-cookie'), response.headers.has('location')]).toEqual(
        [503, false, false],
      )
      expect(response.headers.get('x-app')).toBe('1')
    }
  })

  it('ends the connection, and not the process, where no answer can be written at all', async () => {
    const sabotage: AuthHandler = (_request, response, next) => {
      response.writeHead = () => toss(new Error('no head'))
      next()
    }
    const { url, events, errors } = await stand(
      'node:http',
      [route(ok), route(() => Promise.resolve({ status: 200, headers: {} }), { path: '/later' })],
      [sabotage],
    )
    await expect(fetch(`${url}/r`)).rejects.toThrow('fetch failed')
    await expect(fetch(`${url}/later`)).rejects.toThrow('fetch failed')
    expect(events).toMatchObject([
      { type: 'request.failed', message: 'Error: no head' },
      { type: 'request.failed', message: 'Error: no head' },
    ])
    expect(errors).toEqual([])
  })
})

describe('what a handler is handed', () => {
  it('is no body where it asks for none, which is left for nobody', async () => {
    const seen: RouteContext[] = []
    const { url } = await stand('Express 5', [
      route((_request, context) => {
        seen.push(context)
        return { status: 204, headers: {} }
      }),
    ])
    for (const _time of [1, 2]) {
      expect((await fetch(`${url}/r`, { method: 'POST', body: 'a=b' })).status).toBe(204)
    }
    expect(seen.map(({ body }) => body)).toEqual([{ kind: 'none' }, { kind: 'none' }])
  })

  it('is a way to tell events and hints', async () => {
    const events: AuthEvent[] = []
    const provider = providerOf(
      route((_request, { report, hint }) => {
        report({ type: 'sign_in.failed' })
        hint('no_discovery', 'told at the start already')
        hint('audience_unchecked', 'once')
        hint('audience_unchecked', 'once')
        return { status: 204, headers: {} }
      }),
    )
    const { url } = await host('node:http', [mcpAuth(provider, { onEvent: (event) => events.push(event) })])
    events.length = 0
    await fetch(`${url}/r`)
    expect(events).toEqual([
      { type: 'sign_in.failed' },
      { type: 'hint', code: 'audience_unchecked', message: 'once' },
    ])
  })
})

describe('a route', () => {
  it.each(HOSTS)('%s: is answered at its path and, where it says so, below it', async (name) => {
    const handle: Route['handle'] = ({ url }) => ({ status: 200, headers: {}, body: url ?? '' })
    const { url, handled } = await stand(name, [
      route(handle, { path: '/p', below: true }),
      route(handle, { path: '/x' }),
    ])
    for (const path of ['/p', '/p/', '/p/a?b=c', '/p/a/b', '/x']) {
      expect(await (await fetch(url + path)).text()).toBe(path)
    }
    for (const path of ['/pp', '/x/a']) expect((await fetch(url + path)).status).toBe(401)
    expect(handled()).toBe(0)
  })

  it.each(HOSTS)(
    '%s: refuses another method with those that there are, before its body is read',
    async (name) => {
      const { url } = await stand(name, [route(ok, { methods: ['POST'], maxBodyBytes: 9 })])
      for (const method of ['GET', 'HEAD', 'PUT', 'DELETE', 'PATCH']) {
        const response = await fetch(`${url}/r`, { method })
        expect([
          response.status,
          response.headers.get('allow'),
          response.headers.get('cache-control'),
        ]).toEqual([405, 'POST, OPTIONS', 'no-store'])
      }
      const put = await fetch(`${url}/r`, { method: 'PUT', body: 'a'.repeat(100_000) })
      expect(await put.json()).toEqual({
        error: 'invalid_request',
        error_description: 'This method is not answered here',
      })
    },
  )

  it.each(HOSTS)('%s: answers HEAD with the length and no body', async (name) => {
    const { url } = await stand(name, [route(ok)])
    const response = await fetch(`${url}/r`, { method: 'HEAD' })
    expect([response.status, response.headers.get('content-length'), await response.text()]).toEqual([
      200,
      '2',
      '',
    ])
  })

  it.each([
    ['H1', 'Authorization: Bearer a\r\nAuthorization: Bearer b'],
    ['M1', 'Host: evil.example'],
  ])('%s is not answered where its request repeats what must be one', async (_id, lines) => {
    const { raw, events } = await site(providerOf(route(ok)))
    const answer = await raw(`POST /r HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${lines}\r\n\r\n`)
    expect(answer).toMatch(/^HTTP\/1.1 400 /)
    expect(answer).toContain('Cache-Control: no-store')
    expect(answer).toContain(
      '{"error":"invalid_request","error_description":"Host and Authorization must not be',
    )
    expect(events.map(({ type }) => type)).toEqual(['hint'])
  })

  it('writes nothing to a client that went away while it was thinking', async () => {
    let finish = (): void => undefined
    let asked = (): void => undefined
    const called = new Promise<void>((resolve) => {
      asked = resolve
    })
    const thinking = route(async () => {
      asked()
      await new Promise<void>((resolve) => {
        finish = resolve
      })
      return { status: 200, headers: {}, body: 'late' }
    })
    const closed: Promise<void>[] = []
    const watch: AuthHandler = (_request, response, next) => {
      closed.push(new Promise((resolve) => response.on('close', resolve)))
      next()
    }
    const { url, events, errors } = await stand('Express 5', [thinking], [watch])
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    socket.write('GET /r HTTP/1.1\r\nHost: a\r\n\r\n')
    await called
    socket.destroy()
    await closed[0]
    finish()
    await new Promise((resolve) => setImmediate(resolve))
    expect([events, errors]).toEqual([[], []])
  })

  it('keeps a connection open, with a body that it read or one that it did not want', async () => {
    const { url } = await stand('node:http', [route(ok, { maxBodyBytes: 9 }), route(ok, { path: '/unread' })])
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    const post = (path: string): string => `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\na=b`
    socket.write(post('/r') + post('/unread') + post('/r').replace('Host: a', 'Host: a\r\nConnection: close'))
    const answers = (await text(socket)).match(/HTTP\/1.1 200 OK/g)
    expect(answers).toHaveLength(3)
  })
})

describe('M3 CORS of routes', () => {
  const ask = { origin: ORIGIN, 'access-control-request-method': 'POST' }
  const cases: readonly [rule: string, more: Partial<Route>, options: McpAuthOptions, open: boolean][] = [
    ['an endpoint that pages call', {}, {}, true],
    ['a page for people', { cors: false }, {}, false],
    ['an endpoint where the app does CORS itself', {}, { cors: false }, false],
    ['a page for people where the app does CORS itself', { cors: false }, { cors: false }, false],
  ]
  const outcomes: readonly [rule: string, init: RequestInit, status: number, routed: Partial<Route>][] = [
    ['an answer', { method: 'POST' }, 200, {}],
    ['an error', { method: 'POST' }, 400, { handle: () => toss(new OAuthError('invalid_grant')) }],
    ['an outage', { method: 'POST' }, 503, { handle: () => toss(new Error('down')) }],
    ['another method', { method: 'PUT' }, 405, {}],
    ['a limit that is reached', { method: 'POST' }, 429, { limited: true }],
    ['a preflight', { method: 'OPTIONS', headers: ask }, 204, {}],
    ['OPTIONS without an origin', { method: 'OPTIONS' }, 204, {}],
  ]

  it.each(
    cases.flatMap(([rule, more, options, open]) =>
      outcomes.map(([what, init, status, routed]) => ({
        rule,
        what,
        more,
        options,
        open,
        init,
        status,
        routed,
      })),
    ),
  )('$rule: $what is readable by any page: $open', async ({ more, options, open, init, status, routed }) => {
    const { url } = await stand('Express 5', [route(ok, { ...more, ...routed })], [], {
      rateLimit: { limit: 1 },
      ...options,
    })
    const send = (): Promise<Response> => fetch(`${url}/r`, { headers: { origin: ORIGIN }, ...init })
    if (status === 429) await send()
    const response = await send()
    expect(response.status).toBe(status)
    const cors = [...response.headers.keys()].filter((name) => name.startsWith('access-control-'))
    expect(cors.length > 0).toBe(open)
    expect(response.headers.get('access-control-allow-origin')).toBe(open ? '*' : null)
    expect(response.headers.has('access-control-allow-credentials')).toBe(false)
    if (open) expect(response.headers.get('access-control-expose-headers')).toContain('WWW-Authenticate')
    if (open && init.method === 'OPTIONS') {
      expect(response.headers.get('access-control-allow-methods')).toBe('GET, POST, HEAD, OPTIONS')
    }
  })
})

describe('a proxy', () => {
  it('is hinted at, once, where Express does not trust it', async () => {
    const { url, events } = await site(providerOf(route(ok, { limited: true })))
    for (const _time of [1, 2]) {
      const response = await fetch(`${url}/r`, { headers: { 'x-forwarded-for': '192.0.2.1' } })
      expect(response.status).toBe(200)
    }
    const hints = events.filter((event) => event.type === 'hint' && event.code === 'trust_proxy_off')
    expect(hints).toHaveLength(1)
  })

  it.each([
    '',
    ',',
    '192.0.2.1, , x',
    'unknown',
    '[::1]:80',
    'a'.repeat(5000),
    '::ffff:1.2.3.4',
    '1.2.3.4:5',
  ])('that sends %j breaks no route, trusted or not', async (forwarded) => {
    for (const trust of [false, true, 1, 'loopback']) {
      const { url } = await site(providerOf(route(ok, { limited: true })), silent, (app) => {
        app.set('trust proxy', trust)
      })
      const headers = { 'x-forwarded-for': forwarded, forwarded: 'for=192.0.2.1' }
      expect((await fetch(`${url}/r`, { headers })).status).toBe(200)
    }
  })
})

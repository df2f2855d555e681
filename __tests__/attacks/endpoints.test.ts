// Attacks that every endpoint of the authorization server has to withstand alike: threat rows X1, X2, X6, X7, X8, M3, M5, M6, and the
// documents of clients (S1 to S8) as a browser and a client see them.
import { type Socket, connect } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeAll, describe, expect, it, test } from '@jest/globals'
import express, { type Express } from 'express'
import express4 from 'express4'
import {
  type AuthEvent,
  OAuthProvider,
  type OAuthProviderOptions,
  consoleEvents,
  mcpAuth,
} from 'express-mcp-auth'
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import { type TestClock, testClock } from 'express-mcp-auth/testing'
import {
  type Answer,
  type AuthorizationSite,
  REDIRECT_URI,
  SECRET,
  answerOf,
  authorizationUrl,
  pkce,
  signIn,
  startAuthorizationSite,
} from '../support/authorization-server.js'
import { formOf } from '../support/browser-session.js'
import { configErrorOf } from '../support/config-error.js'
import type { Json } from '../support/issuer.js'
import { startServer } from '../support/site.js'
import { type StrangeHost, documentAnswer, startStrangeHost } from '../support/strange-host.js'
import { closing } from './attempt.js'

const FORM = 'application/x-www-form-urlencoded'
const ROBOT_SECRET = 'a secret that nobody guesses'
const ROBOT = {
  clientId: 'robot',
  clientSecret: ROBOT_SECRET,
  redirectUris: [REDIRECT_URI],
  grantTypes: ['authorization_code', 'refresh_token', 'client_credentials'],
}
const BASIC = `Basic ${Buffer.from(`robot:${encodeURIComponent(ROBOT_SECRET)}`).toString('base64')}`

/** Endpoints that clients call, and those with pages for people. */
const ENDPOINTS = ['/token', '/register', '/revoke', '/introspect'] as const
const PAGES = ['/authorize', '/sign-in', '/sign-out', '/consent', '/connections'] as const
const METADATA = [
  '/.well-known/oauth-authorization-server',
  '/.well-known/openid-configuration',
  '/.well-known/oauth-protected-resource',
  '/.well-known/oauth-protected-resource/mcp',
  '/.well-known/jwks.json',
] as const

let site: AuthorizationSite
beforeAll(async () => {
  site = closing(await startAuthorizationSite({ clients: [ROBOT] }))
})

/** Apps with parsers of their own before us, and one without. */
const PARSERS: readonly [name: string, create: typeof express, add: (app: Express) => void][] = [
  ['Express 5', express, () => undefined],
  ['Express 5 behind its parsers', express, (app) => void app.use(express.json({ limit: '1mb' }), express.urlencoded({ extended: true, limit: '1mb' }))],
  ['Express 4', express4, () => undefined],
  ['Express 4 behind its parsers', express4, (app) => void app.use(express4.json({ limit: '1mb' }), express4.urlencoded({ extended: true, limit: '1mb' }))],
] // prettier-ignore

async function startBehind([, create, add]: (typeof PARSERS)[number]): Promise<{
  url: string
  clock: TestClock
}> {
  const app = create()
  const { url } = closing(await startServer(app))
  const clock = testClock()
  const store = new MemoryStore({ deps: clock })
  const provider = new OAuthProvider({
    baseUrl: url,
    secret: SECRET,
    signIn,
    store,
    clients: [ROBOT],
    deps: clock,
  })
  add(app)
  app.use(mcpAuth(provider, { rateLimit: false, deps: clock, onEvent: () => undefined }))
  return { url, clock }
}

async function post(url: string, body: BodyLike, headers: Record<string, string> = {}): Promise<Answer> {
  return answerOf(await fetch(url, { method: 'POST', body, headers, redirect: 'manual', duplex: 'half' }))
}
type BodyLike = string | Buffer | URLSearchParams | ReadableStream | null

/** What a refusal looks like: JSON for who calls endpoints, a page for people. */
function refusal(path: string, { status, headers, body }: Answer): unknown {
  expect(headers.get('cache-control')).toBe('no-store')
  const type = headers.get('content-type')
  if ((ENDPOINTS as readonly string[]).includes(path)) {
    expect(type).toBe('application/json')
    const { error, error_description: description } = body as Json
    return { status, error, description }
  }
  expect(type).toBe('text/html; charset=utf-8')
  expect(headers.get('content-security-policy')).toMatch(/^default-src 'none'/)
  expect(headers.get('location')).toBeNull()
  return { status, said: body }
}

/** The same of each, in the words that it has for it. */
function expected(path: string, status: number, description: string): unknown {
  if (!(ENDPOINTS as readonly string[]).includes(path)) {
    return { status, said: expect.stringContaining(description) }
  }
  const error = path === '/register' && status === 400 ? 'invalid_client_metadata' : 'invalid_request'
  return { status, error, description }
}

describe('X1 a body that does not arrive', () => {
  // /connections asks who is there before it looks at a form.
  test.each([...ENDPOINTS, ...PAGES.slice(0, 4)])(
    'X1 at %s is given up after ten seconds, while others are served',
    async (path) => {
      const half = `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: ${FORM}\r\nContent-Length: 100\r\n\r\na=b`
      const slow = Array.from({ length: 20 }, () => sendHalf(half))
      await Promise.all(slow.map(({ sent }) => sent))
      for (let index = 0; index < 5; index++) {
        expect((await fetch(`${site.url}/.well-known/jwks.json`)).status).toBe(200)
      }
      expect(slow.filter(({ socket }) => socket.closed)).toEqual([])
      const answers = Promise.all(slow.map(({ answer }) => answer))
      // Sent is not yet arrived, so some may begin to be waited for a moment later.
      while (slow.some(({ socket }) => !socket.closed)) {
        site.clock.advance(10.1)
        await new Promise((resolve) => setImmediate(resolve))
      }
      for (const answer of await answers) {
        expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/)
        expect(answer).toContain('\r\nConnection: close\r\n')
        expect(answer).toContain('it was not complete within 10 s')
      }
    },
  )

  function sendHalf(bytes: string): { socket: Socket; sent: Promise<void>; answer: Promise<string> } {
    const socket = connect(Number(new URL(site.url).port), '127.0.0.1')
    const answer = new Promise<string>((resolve) => {
      let text = ''
      socket.on('data', (chunk: Buffer) => {
        text += chunk.toString('latin1')
      })
      socket.on('close', () => {
        resolve(text)
      })
    })
    const sent = new Promise<void>((resolve) => {
      socket.write(bytes, () => {
        resolve()
      })
    })
    return { socket, sent, answer }
  }
})

describe('X2 what is too much, or of another kind', () => {
  const large = (size: number): string => `a=${'b'.repeat(size - 2)}`

  test.each([...ENDPOINTS, ...PAGES])('X2 at %s 20 KB are read, and one byte more is 413', async (path) => {
    const fits = await post(site.url + path, large(20 * 1024), { 'content-type': FORM })
    expect([200, 302, 303, 400, 401, 403]).toContain(fits.status)
    const over = await post(site.url + path, large(20 * 1024 + 1), { 'content-type': FORM })
    if (path === '/connections') expect(over.status).toBe(303)
    else expect(refusal(path, over)).toEqual(expected(path, 413, 'The body is too large'))
    expect(over.headers.get('connection')).toBe('close')
  })

  test.each(PARSERS)(
    'X2 on %s a body in chunks, or one that a parser takes, meets the same bound',
    async (...host) => {
      const { url } = await startBehind(host)
      for (const path of [...ENDPOINTS, '/authorize', '/sign-in', '/consent', '/sign-out']) {
        const over = await post(url + path, large(50_000), { 'content-type': FORM })
        expect([path, refusal(path, over)]).toEqual([path, expected(path, 413, 'The body is too large')])
        const inChunks = await post(url + path, new Blob([large(50_000)]).stream(), { 'content-type': FORM })
        expect([path, refusal(path, inChunks)]).toEqual([path, expected(path, 413, 'The body is too large')])
      }
      const json = JSON.stringify({ client_name: 'x'.repeat(50_000), redirect_uris: [REDIRECT_URI] })
      const over = await post(`${url}/register`, json, { 'content-type': 'application/json' })
      expect(refusal('/register', over)).toEqual(expected('/register', 413, 'The body is too large'))
    },
  )

  test.each(PARSERS)('X2 on %s 50 parameters are enough', async (...host) => {
    const { url } = await startBehind(host)
    const body = new URLSearchParams(
      Array.from({ length: 51 }, (_, index): [string, string] => [`p${index}`, 'x']),
    ).toString()
    for (const path of [
      '/token',
      '/revoke',
      '/introspect',
      '/authorize',
      '/sign-in',
      '/consent',
      '/sign-out',
    ]) {
      const answer = await post(url + path, body, { 'content-type': FORM })
      expect([path, refusal(path, answer)]).toEqual([
        path,
        expected(path, 400, 'The request has too many parameters'),
      ])
    }
  })

  test.each<[rule: string, body: BodyLike, headers: Record<string, string>, description: RegExp]>([
    [
      'compressed',
      gzipSync('a=b'),
      { 'content-type': FORM, 'content-encoding': 'gzip' },
      /must not have a Content-Encoding/,
    ],
    ['in another charset', 'a=b', { 'content-type': `${FORM}; charset=utf-16` }, /^Send the body with/],
    ['of another type', 'a=b', { 'content-type': 'text/plain' }, /^Send the body with/],
    ['of several types', 'a=b', { 'content-type': `${FORM}, text/plain` }, /^Send the body with/],
    [
      'not UTF-8',
      Buffer.from('a=\xff', 'latin1'),
      { 'content-type': FORM },
      /must be in UTF-8|^Send the body with/,
    ],
    [
      'nested without end',
      '['.repeat(9000),
      { 'content-type': 'application/json' },
      /^Send the body with|must be one JSON object/,
    ],
  ])('X2 a body that is %s is refused in the words of OAuth', async (_rule, body, headers, description) => {
    for (const path of ENDPOINTS) {
      const answer = await post(site.url + path, body, headers)
      expect([path, refusal(path, answer)]).toEqual([
        path,
        expected(path, 400, expect.stringMatching(description) as never),
      ])
    }
    for (const path of ['/authorize', '/sign-in', '/sign-out', '/consent']) {
      expect([path, refusal(path, await post(site.url + path, body, headers))]).toMatchObject([
        path,
        { status: 400 },
      ])
    }
  })

  test.each(PARSERS)('X9 on %s an empty form is one without parameters', async (...host) => {
    const { url } = await startBehind(host)
    const nothing = (): ReadableStream => new ReadableStream({ start: (controller) => controller.close() })
    const forms: readonly [body: () => BodyLike, headers: Record<string, string>][] = [
      [() => null, {}],
      [() => '', { 'content-type': FORM }],
      [() => nothing(), { 'content-type': FORM }],
      [() => nothing(), {}],
    ]
    for (const [body, headers] of forms) {
      for (const path of ['/revoke', '/introspect', '/token']) {
        const anonymous = await post(url + path, body(), headers)
        const known = await post(url + path, body(), { ...headers, authorization: BASIC })
        const absent = path === '/token' ? '"grant_type" is missing' : '"token" is missing'
        expect([path, refusal(path, anonymous), refusal(path, known)]).toEqual([
          path,
          { status: 401, error: 'invalid_client', description: expect.any(String) },
          { status: 400, error: 'invalid_request', description: absent.replaceAll('"', "'") },
        ])
      }
    }
  })
})

describe('X6 names that objects have', () => {
  const NAMES = [
    '__proto__',
    '__proto__[x]',
    '__proto__.x',
    'constructor[prototype][x]',
    'toString',
    'hasOwnProperty',
  ]

  test.each(PARSERS)('X6 on %s they are names like any other, at every endpoint', async (...host) => {
    const { url } = await startBehind(host)
    const form = new URLSearchParams(NAMES.map((name): [string, string] => [name, 'polluted']))
    const polluted = '"__proto__":{"x":"polluted"},"constructor":{"prototype":{"x":"polluted"}}'
    const metadata = `{${polluted},"redirect_uris":["${REDIRECT_URI}"],"token_endpoint_auth_method":"none"}`
    for (const path of [...ENDPOINTS, ...PAGES]) {
      const answers = [
        await post(url + path, form),
        await post(url + path, `{${polluted}}`, { 'content-type': 'application/json' }),
        await answerOf(await fetch(`${url}${path}?${form.toString()}`, { redirect: 'manual' })),
      ]
      expect([path, answers.filter(({ status }) => status >= 500)]).toEqual([path, []])
      expect(({} as { x?: unknown }).x).toBeUndefined()
      expect(Object.keys(Object.prototype)).toEqual([])
    }
    const registered = await post(`${url}/register`, metadata, { 'content-type': 'application/json' })
    expect(registered.status).toBe(201)
    expect(JSON.stringify(registered.body)).not.toContain('polluted')
  })

  test.each(NAMES)('X6 %s is no client, no token, no transaction and no grant type', async (name) => {
    const { challenge } = pkce()
    const start = await site.browser().request(authorizationUrl(site.url, name, challenge))
    expect(start.status).toBe(400)
    expect(await start.text()).toContain('There is no client')
    const asRobot = { authorization: BASIC }
    expect(
      await site.post('/token', { client_id: name, grant_type: 'refresh_token', refresh_token: name }),
    ).toMatchObject({ status: 401 })
    expect(await site.post('/token', { grant_type: name }, asRobot)).toMatchObject({
      status: 400,
      body: { error: 'unsupported_grant_type' },
    })
    expect(await site.post('/introspect', { token: name }, asRobot)).toMatchObject({
      status: 200,
      body: { active: false },
    })
    expect(await site.post('/revoke', { token: name }, asRobot)).toMatchObject({ status: 200, body: '' })
    expect((await site.browser().request(`${site.url}/consent?transaction=${name}`)).status).toBe(400)
  })
})

describe('X7 secrets', () => {
  it('X7 are in no event, no line of a log, and no error, whatever goes well or wrong', async () => {
    const lines: string[] = []
    const events: AuthEvent[] = []
    const log = consoleEvents({ show: 'all', write: (line) => lines.push(line) })
    const watched = closing(
      await startAuthorizationSite(
        { clients: [ROBOT], clientRegistration: { initialAccessToken: 'initial-Zk2vQ8' } },
        { onEvent: (event) => [events.push(event), log(event)] },
      ),
    )
    const secrets = new Map<string, string>([
      ['secret', SECRET],
      ['client secret', ROBOT_SECRET],
      ['Basic', BASIC],
      ['initial access token', 'initial-Zk2vQ8'],
      ['password', 'ada!'],
      ['wrong password', 'a wrong password'],
      ['state', 'a state'],
    ])
    const errors: string[] = []
    const refused = async (
      path: string,
      form: Record<string, string>,
      headers: Record<string, string> = {},
    ): Promise<void> => {
      const { status, body } = await watched.post(path, form, headers)
      expect(status).toBeGreaterThanOrEqual(400)
      errors.push(JSON.stringify(body))
    }
    const keep = (name: string, value: unknown): void => void secrets.set(name, String(value))

    // Registration, with the token and without.
    const headers = { 'content-type': 'application/json', authorization: 'Bearer initial-Zk2vQ8' }
    const metadata = JSON.stringify({
      redirect_uris: [REDIRECT_URI],
      token_endpoint_auth_method: 'client_secret_post',
    })
    const { body: registered } = await post(`${watched.url}/register`, metadata, headers)
    const { client_id: clientId, client_secret: clientSecret } = registered as Record<string, string>
    keep('issued client secret', clientSecret)
    const denied = await post(`${watched.url}/register`, metadata, {
      ...headers,
      authorization: 'Bearer a wrong token',
    })
    expect(denied.status).toBe(401)
    errors.push(JSON.stringify(denied.body))

    // A person, with a wrong password first.
    const { verifier, challenge } = pkce()
    keep('verifier', verifier)
    const browser = watched.browser()
    const first = formOf(
      await browser.go(authorizationUrl(watched.url, String(clientId), challenge), REDIRECT_URI),
    )
    keep('transaction', first.fields['transaction'])
    keep('csrf', first.fields['csrf'])
    const again = await browser.go(first.action, REDIRECT_URI, {
      ...first.fields,
      username: 'ada',
      password: 'a wrong password',
    })
    expect(again.status).toBe(400)
    errors.push(again.html.replaceAll(/value="[^"]*"/g, ''))
    const asked = formOf(
      await browser.go(first.action, REDIRECT_URI, {
        ...formOf(again).fields,
        username: 'ada',
        password: 'ada!',
      }),
    )
    keep('consent csrf', asked.fields['csrf'])
    const back = await browser.go(asked.action, REDIRECT_URI, { ...asked.fields, decision: 'allow' })
    keep('code', back.url.searchParams.get('code'))
    for (const [name, value] of browser.cookies(watched.url)) keep(name, value)

    // Tokens, with everything that can be wrong of them.
    const code = {
      grant_type: 'authorization_code',
      client_id: String(clientId),
      code: String(secrets.get('code')),
      code_verifier: verifier,
    }
    await refused('/token', { ...code, client_secret: 'a wrong secret' })
    const issued = await watched.post('/token', { ...code, client_secret: String(clientSecret) })
    const { access_token: access, refresh_token: refresh } = issued.body as Record<string, string>
    keep('access token', access)
    keep('refresh token', refresh)
    expect((await watched.call(String(access))).status).toBe(200)
    const client = { client_id: String(clientId), client_secret: String(clientSecret) }
    const renewed = await watched.post('/token', {
      grant_type: 'refresh_token',
      refresh_token: String(refresh),
      ...client,
    })
    keep('next refresh token', (renewed.body as Json)['refresh_token'])
    keep('next access token', (renewed.body as Json)['access_token'])
    await watched.post('/introspect', { token: String(access) }, { authorization: BASIC })
    watched.clock.advance(60)
    await refused('/token', { grant_type: 'refresh_token', refresh_token: String(refresh), ...client })
    await refused('/token', { ...code, client_secret: String(clientSecret) })
    const dead = await watched.call(String(access))
    expect(dead.status).toBe(401)
    errors.push(await dead.text(), String(dead.headers.get('www-authenticate')))
    await watched.post('/revoke', { token: String(refresh), ...client })

    const types = new Set(events.map(({ type }) => type))
    expect([...types]).toEqual(expect.arrayContaining(['client.registered', 'sign_in.failed', 'sign_in.succeeded', 'authorization.granted', 'token.issued', 'token.refused', 'grant.revoked', 'request.refused'])) // prettier-ignore
    const told = [...lines, ...errors, JSON.stringify(events)]
    const leaked = [...secrets].filter(([, secret]) => told.some((text) => text.includes(secret)))
    expect(leaked).toEqual([])
    expect(
      [...secrets].filter(([, secret]) => secret.length < 4 || secret === 'undefined' || secret === 'null'),
    ).toEqual([])
  })
})

describe('X8 text that would be a line of its own', () => {
  it('X8 stays within one line of the log', async () => {
    const lines: string[] = []
    const log = consoleEvents({ show: 'all', write: (line) => lines.push(line) })
    const watched = closing(await startAuthorizationSite({ clients: [ROBOT] }, { onEvent: log }))
    const forged = 'a\r\n[mcp-auth] forged \u001B[31mred\u009B\u2028\u202E\u0000'
    const { challenge } = pkce()
    await watched.register({ client_name: forged })
    await watched.register({
      client_name: 'two',
      redirect_uris: [REDIRECT_URI, `https://a.example/${forged}`],
    })
    await watched.browser().request(authorizationUrl(watched.url, forged, challenge))
    await watched
      .browser()
      .request(authorizationUrl(watched.url, 'robot', challenge, { redirect_uri: REDIRECT_URI + forged }))
    await watched.browser().request(authorizationUrl(watched.url, 'robot', challenge, { resource: forged }))
    await watched
      .browser()
      .request(authorizationUrl(watched.url, `https://client.example/${encodeURI('\r\nforged')}`, challenge))
    await watched.post('/token', { client_id: forged, grant_type: forged })
    await watched.post(
      '/token',
      { grant_type: 'client_credentials', scope: forged, resource: forged },
      { authorization: BASIC },
    )
    await watched.post('/token', {
      client_id: 'robot',
      client_assertion: forged,
      client_assertion_type: forged,
    })
    await watched.call('forged').then((response) => response.text())
    await fetch(`${watched.url}/token/${encodeURIComponent(forged)}`)
    expect(lines.length).toBeGreaterThan(8)
    expect(lines.filter((line) => /[\p{Cc}\p{Bidi_C}\u2028\u2029]/u.test(line))).toEqual([])
    expect(
      lines.filter((line) => !line.startsWith('[mcp-auth] ') || line.startsWith('[mcp-auth] forged')),
    ).toEqual([])
  })
})

describe('M3 what pages of other origins may read', () => {
  const origin = { origin: 'https://inspector.example' }
  const cors = ({ headers }: Response): string[] =>
    [...headers.keys()].filter((name) => name.startsWith('access-control-'))

  test.each([...ENDPOINTS, ...METADATA, '/mcp'])(
    'M3 %s is readable: preflight, answer and error',
    async (path) => {
      const asked = {
        ...origin,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization, mcp-protocol-version',
      }
      const preflight = await fetch(site.url + path, { method: 'OPTIONS', headers: asked })
      expect({
        status: preflight.status,
        allowed: preflight.headers.get('access-control-allow-headers'),
      }).toEqual({
        status: 204,
        allowed: 'authorization, mcp-protocol-version',
      })
      const isMetadata = (METADATA as readonly string[]).includes(path)
      expect(preflight.headers.get('access-control-allow-methods')).toContain(isMetadata ? 'GET' : 'POST')
      const answers = [
        preflight,
        await fetch(site.url + path, { headers: origin }),
        await fetch(site.url + path, { method: 'POST', headers: origin }),
      ]
      for (const response of answers) {
        expect(response.headers.get('access-control-allow-origin')).toBe('*')
        expect(response.headers.get('access-control-allow-credentials')).toBeNull()
        expect(response.headers.get('access-control-expose-headers')).toContain('WWW-Authenticate')
      }
    },
  )

  test('M3 a success is readable too', async () => {
    const headers = { ...origin, authorization: BASIC }
    for (const [path, form] of [
      ['/token', { grant_type: 'client_credentials' }],
      ['/introspect', { token: 'x' }],
      ['/revoke', { token: 'x' }],
    ] as const) {
      const answer = await site.post(path, form, headers)
      expect([path, answer.status, answer.headers.get('access-control-allow-origin')]).toEqual([
        path,
        200,
        '*',
      ])
    }
  })

  test.each(PAGES)(
    'M3 %s is not: neither preflight, page, redirect, refusal nor another method',
    async (path) => {
      const asked = { ...origin, 'access-control-request-method': 'POST' }
      const large = 'a'.repeat(30_000)
      const answers = [
        await fetch(site.url + path, { method: 'OPTIONS', headers: asked }),
        await fetch(site.url + path, { headers: origin, redirect: 'manual' }),
        await fetch(site.url + path, {
          method: 'POST',
          headers: origin,
          body: new URLSearchParams({ a: 'b' }),
          redirect: 'manual',
        }),
        await fetch(site.url + path, { method: 'POST', headers: origin, body: large, redirect: 'manual' }),
        await fetch(site.url + path, { method: 'DELETE', headers: origin }),
      ]
      expect(answers.flatMap(cors)).toEqual([])
    },
  )

  test('M3 an authorization server behind the CORS of its app adds nothing to it', async () => {
    const own = closing(await startAuthorizationSite({ clients: [ROBOT] }, { cors: false }))
    for (const path of [...ENDPOINTS, ...PAGES, ...METADATA]) {
      expect(
        cors(await fetch(own.url + path, { method: 'POST', headers: origin, redirect: 'manual' })),
      ).toEqual([])
    }
  })
})

describe('M5 an issuer without TLS', () => {
  const make = (options: Partial<OAuthProviderOptions>): OAuthProvider =>
    new OAuthProvider({
      baseUrl: 'https://api.example.com',
      secret: SECRET,
      signIn,
      store: new MemoryStore(),
      ...options,
    })

  test.each<[options: Partial<OAuthProviderOptions>, name: string]>([
    [{ baseUrl: 'http://api.example.com' }, 'baseUrl'],
    [{ baseUrl: 'http://10.0.0.5:3000' }, 'baseUrl'],
    [{ baseUrl: 'http://localhost.example.com' }, 'baseUrl'],
    [{ issuer: 'http://api.example.com' }, 'issuer'],
    [{ resourceUrl: 'http://api.example.com/mcp' }, 'resourceUrl'],
  ])('M5 %j is refused at the start', (options, name) => {
    const { code, message } = configErrorOf(() => make(options))
    expect(code).toMatch(/^ERR_MCP_AUTH_(?:INVALID_OPTION|INSECURE_URL)$/)
    expect(message).toContain(name)
  })

  test.each(['http://127.0.0.1:3000', 'http://localhost:3000', 'http://[::1]:3000'])(
    'M5 %s is this machine',
    (baseUrl) => {
      expect(() => make({ baseUrl })).not.toThrow()
    },
  )

  test('M5 where that is wanted all the same, it is told at the start', () => {
    const events: AuthEvent[] = []
    const provider = make({ baseUrl: 'http://10.0.0.5:3000', dangerouslyAllowInsecureHttp: true })
    mcpAuth(provider, { onEvent: (event) => events.push(event) })
    expect(events).toEqual([
      { type: 'danger', option: 'dangerouslyAllowInsecureHttp', message: expect.stringContaining('by http') },
    ])
  })
})

describe('M6 what nobody may keep', () => {
  it('M6 is said so by every answer with a secret, and by every refusal', async () => {
    const client = await site.register()
    const { access_token: access, refresh_token: refresh } = await site.signIn(client)
    const asRobot = { authorization: BASIC }
    const named = { client_id: client.client_id }
    const json = { 'content-type': 'application/json' }
    const answers: readonly [status: number, answer: Answer][] = [
      [200, await site.post('/token', { grant_type: 'refresh_token', refresh_token: refresh, ...named })],
      [200, await site.post('/token', { grant_type: 'client_credentials' }, asRobot)],
      [400, await site.post('/token', { grant_type: 'nonsense', ...named })],
      [401, await site.post('/token', {})],
      [201, await post(`${site.url}/register`, JSON.stringify({ redirect_uris: [REDIRECT_URI] }), json)],
      [400, await post(`${site.url}/register`, '{}', json)],
      [200, await site.post('/introspect', { token: access }, asRobot)],
      [400, await site.post('/introspect', {}, asRobot)],
      [401, await site.post('/introspect', { token: access, ...named })],
      [200, await site.post('/revoke', { token: access, ...named })],
      [400, await site.post('/revoke', named)],
      [405, await answerOf(await fetch(`${site.url}/token`))],
      [413, await post(`${site.url}/token`, 'a'.repeat(30_000), { 'content-type': FORM })],
    ] // prettier-ignore
    for (const [status, answer] of answers) {
      expect({ status: answer.status, cache: answer.headers.get('cache-control') }).toEqual({
        status,
        cache: 'no-store',
      })
      if (status !== 405) expect(answer.headers.get('pragma')).toBe('no-cache')
    }
  })

  test.each(PAGES)('M6 by %s, whatever it answers', async (path) => {
    for (const init of [
      {},
      { method: 'POST' },
      { method: 'POST', body: 'a'.repeat(30_000) },
      { method: 'PUT' },
    ]) {
      const response = await fetch(site.url + path, { redirect: 'manual', ...init })
      expect([init, response.headers.get('cache-control')]).toEqual([init, 'no-store'])
    }
  })

  test.each(METADATA)('M6 but %s is for everybody, and for a while', async (path) => {
    const response = await fetch(site.url + path)
    expect(response.status).toBe(200)
    expect(response.headers.get('cache-control')).toMatch(/^public, max-age=\d+$/)
  })

  it('M6 by a limit that is reached', async () => {
    const limited = closing(await startAuthorizationSite({}, { rateLimit: { limit: 1 } }))
    for (const path of [...ENDPOINTS, ...PAGES]) {
      await fetch(limited.url + path, { method: 'POST', redirect: 'manual' })
      const answer = await answerOf(await fetch(limited.url + path, { method: 'POST', redirect: 'manual' }))
      expect([path, answer.headers.get('retry-after')]).toEqual([path, expect.stringMatching(/^\d+$/)])
      expect([path, refusal(path, answer)]).toMatchObject([path, { status: 429 }])
    }
  })
})

describe('the document of a client', () => {
  const ID = 'https://client.example/id.json'
  const WEB = 'https://client.example/cb'
  const DOCUMENT = { client_id: ID, client_name: 'Client', redirect_uris: [WEB] }
  const opened: { close(): Promise<void> }[] = []
  afterEach(() => Promise.all(opened.splice(0).map((each) => each.close())))

  interface Scene {
    readonly web: StrangeHost
    readonly clock: TestClock
    readonly as: AuthorizationSite
    /** An authorization request, and what the browser is shown. */
    ask(clientId?: string, redirectUri?: string): Promise<Answer>
  }

  /** A server on the public web, as far as it knows. */
  async function arrange(): Promise<Scene> {
    const web = await startStrangeHost()
    web.answer = documentAnswer(DOCUMENT)
    const clock = testClock()
    const as = await startAuthorizationSite({
      baseUrl: 'https://api.example.com',
      deps: { ...clock, network: web.network },
    })
    opened.push(web, as)
    const { challenge } = pkce()
    const ask = async (clientId = ID, redirectUri = WEB): Promise<Answer> => {
      const start = authorizationUrl(as.url, clientId, challenge, { redirect_uri: redirectUri })
      return answerOf(await as.browser().request(start))
    }
    return { web, clock, as, ask }
  }

  const reasons = ({ as }: Scene): string[] =>
    as.events.flatMap((event) => (event.type === 'client_document.refused' ? [event.reason] : []))
  const pageFor = (clientId: string): unknown => expect.stringContaining(`There is no client ${clientId}`)

  it('is enough to be sent to sign in', async () => {
    const scene = await arrange()
    const { status, headers } = await scene.ask()
    expect({ status, location: headers.get('location') }).toEqual({
      status: 302,
      location: expect.stringMatching(/^https:\/\/api\.example\.com\/sign-in\?transaction=/),
    })
  })

  test.each([
    'https://127.0.0.1/id.json',
    'https://[::1]/id.json',
    'https://[::ffff:127.0.0.1]/id.json',
    'https://169.254.169.254/latest/meta-data',
    'https://10.0.0.1/id.json',
    'https://0x7f.1/id.json',
    'https://client.example:443/id.json',
    'https://client.example/x/../id.json',
    'https://user@client.example/id.json',
    'http://client.example/id.json',
    'http://127.0.0.1:8080/id.json',
    'https://client.example/id.json?a=b',
    'https://client.example/id.json#a',
    'https://client.example/',
  ])('S1 S5 at %s is a client that nobody knows, and nobody is asked', async (id) => {
    const scene = await arrange()
    const answer = await scene.ask(id)
    expect({ status: answer.status, location: answer.headers.get('location'), body: answer.body }).toEqual({
      status: 400,
      location: null,
      body: pageFor(id),
    })
    const token = await scene.as.post('/token', {
      client_id: id,
      grant_type: 'refresh_token',
      refresh_token: 'x',
    })
    expect(token).toMatchObject({ status: 401, body: { error: 'invalid_client' } })
    expect(scene.web.connections).toBe(0)
  })

  /** Everything that may be wrong with a document, or stand in its place. */
  const TROUBLES: readonly [what: string, arrange: (scene: Scene) => void][] = [
    ['404', ({ web }) => (web.answer = (_request, response) => response.writeHead(404).end())],
    ['500', ({ web }) => (web.answer = (_request, response) => response.writeHead(500).end('x'))],
    ['a closed port', ({ web }) => (web.network.connect as unknown) = () => connect(1, '127.0.0.1')],
    ['an address that is not public', ({ web }) => (web.resolve = () => ['10.0.0.1'])],
    ['an address of this machine', ({ web }) => (web.resolve = () => ['127.0.0.1'])],
    ['one public address and one that is not', ({ web }) => (web.resolve = () => ['93.184.216.34', '192.168.1.1'])],
    ['a name that nobody has', ({ web }) => (web.resolve = () => Promise.reject(new Error('ENOTFOUND')))],
    ['a redirect', ({ web }) => (web.answer = (_request, response) => response.writeHead(301, { location: 'https://client.example/other' }).end())],
    ['a page', ({ web }) => (web.answer = documentAnswer(DOCUMENT, { 'content-type': 'text/html' }))],
    ['more than 16 KB', ({ web }) => (web.answer = documentAnswer({ ...DOCUMENT, more: 'x'.repeat(17_000) }))],
    ['no end', ({ web, clock }) => (web.answer = () => void setImmediate(() => clock.advance(5)))],
    ['a connection that is reset', ({ web }) => (web.answer = (request) => request.socket.destroy())],
    ['the document of another client', ({ web }) => (web.answer = documentAnswer({ ...DOCUMENT, client_id: `${ID}x` }))],
    ['a secret in it', ({ web }) => (web.answer = documentAnswer({ ...DOCUMENT, client_secret: 'x' }))],
    ['a private key in it', ({ web }) => (web.answer = documentAnswer({ ...DOCUMENT, jwks: { keys: [{ kty: 'EC', crv: 'P-256', x: 'a', y: 'a', d: 'a' }] } }))],
    ['no JSON', ({ web }) => (web.answer = (_request, response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{'))],
  ] // prettier-ignore

  it('S2 S3 S4 S6 S8 is missing in the same words, whatever is there: nobody scans a network through us', async () => {
    const pages = new Map<string, unknown>()
    const tokens = new Map<string, unknown>()
    for (const [what, prepare] of TROUBLES) {
      const scene = await arrange()
      prepare(scene)
      const { status, headers, body } = await scene.ask()
      pages.set(what, { status, location: headers.get('location'), body })
      const token = await scene.as.post('/token', {
        client_id: ID,
        grant_type: 'refresh_token',
        refresh_token: 'x',
      })
      tokens.set(what, { status: token.status, body: token.body })
      // Only who runs the server learns why.
      expect([what, reasons(scene).length]).toEqual([what, expect.any(Number)])
      expect(reasons(scene)[0]).not.toBe('')
    }
    const page = { status: 400, location: null, body: pageFor(ID) }
    expect([...pages].filter(([, shown]) => !isSame(shown, pages.get('404')))).toEqual([])
    expect(pages.get('404')).toEqual(page)
    const unknown = await site.post('/token', {
      client_id: 'nobody',
      grant_type: 'refresh_token',
      refresh_token: 'x',
    })
    expect([...tokens].filter(([, told]) => !isSame(told, { status: 401, body: unknown.body }))).toEqual([])
  })

  it('S7 that names another address now is believed once it is read again', async () => {
    const scene = await arrange()
    expect((await scene.ask()).status).toBe(302)
    scene.web.answer = documentAnswer({ ...DOCUMENT, redirect_uris: ['https://client.example/new'] })
    expect((await scene.ask()).status).toBe(302)
    scene.clock.advance(3601)
    const answer = await scene.ask()
    expect({ status: answer.status, location: answer.headers.get('location') }).toEqual({
      status: 400,
      location: null,
    })
    expect(answer.body).toEqual(expect.stringContaining(`This client did not register ${WEB}`))
    expect((await scene.ask(ID, 'https://client.example/new')).status).toBe(302)
  })

  it('S7 that is broken takes the place of no good one, and is not asked for without end', async () => {
    const scene = await arrange()
    scene.web.answer = documentAnswer({ ...DOCUMENT, redirect_uris: ['javascript:alert(1)'] })
    for (let index = 0; index < 20; index++) expect((await scene.ask()).status).toBe(400)
    expect(scene.web.requests).toHaveLength(1)
    scene.web.answer = documentAnswer(DOCUMENT)
    scene.clock.advance(31)
    expect((await scene.ask()).status).toBe(302)
  })

  it.each([
    ['of many hosts are fetched ten at a time', 10, (n: number) => `https://client-${n}.example/id.json`],
    ['of one host are fetched two at a time', 2, (n: number) => `https://client.example/${n}.json`],
  ])('S8 of many clients at once, those %s; who finds no room may try again', async (_, room, idOf) => {
    const scene = await arrange()
    const waiting: (() => void)[] = []
    const underWay = async (count: number): Promise<void> => {
      for (let turn = 0; turn < 100_000 && waiting.length < count; turn++) await new Promise(setImmediate)
    }
    scene.web.answer = (request, response) =>
      waiting.push(() => {
        const id = `https://${request.headers.host}${request.url}`
        documentAnswer({ ...DOCUMENT, client_id: id })(request, response)
      })
    const slow = Array.from({ length: room }, (_each, n) => scene.ask(idOf(n)))
    await underWay(room)
    const refused = await scene.ask(idOf(room))
    // Our own fullness depends on no address, so that it may be told; and it is nobody's fault.
    expect({ status: refused.status, retry: refused.headers.get('retry-after') }).toEqual({
      status: 503,
      retry: expect.stringMatching(/^[1-9]/),
    })
    expect(scene.web.connections).toBe(room)
    for (const go of waiting.splice(0)) go()
    expect((await Promise.all(slow)).map(({ status }) => status)).toEqual(
      Array.from({ length: room }, () => 302),
    )
    const later = scene.ask(idOf(room))
    await underWay(1)
    for (const go of waiting) go()
    expect((await later).status).toBe(302)
  })
})

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other)
}

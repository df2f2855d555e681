// Real reverse proxies in front of real apps, configured by the files that docs/deploying.md quotes: what callers meet out there is what the
// app said, and nothing that they write about themselves changes it. One thing despite its length: one deployment, seen from all sides.
import { readFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { Client, StreamableHTTPClientTransport, auth } from '@modelcontextprotocol/client'
import { afterEach, describe, expect, it } from '@jest/globals'
import connect from 'connect'
import express from 'express'
import {
  type AuthEvent,
  type AuthHandler,
  type AuthProvider,
  type McpAuthOptions,
  OAuthError,
  OAuthProvider,
  OIDCProxy,
  type ProviderLike,
  RemoteAuthProvider,
  mcpAuth,
} from 'express-mcp-auth'
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import express4 from 'express4'
import { Credentials } from '../../demo/credentials.js'
import { REDIRECT_URI, SECRET, authorizationUrl, pkce, signIn } from '../support/authorization-server.js'
import { Browser, formOf } from '../support/browser-session.js'
import { signInAt, startIdentityProvider } from '../support/identity-provider.js'
import { type McpListener, type McpRequest, statefulV2, statelessV2 } from '../support/mcp-servers.js'
import {
  CHANGES,
  type Caller,
  type Change,
  ORIGIN,
  PROXIES,
  type ProxyName,
  type ReverseProxy,
  describeWithProxies,
  readExample,
  startReverseProxy,
} from '../support/reverse-proxies.js'
import { startServer } from '../support/site.js'

const opened: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
})

type Listener = Parameters<typeof startServer>[0]

interface Deployment {
  readonly proxy: ReverseProxy
  readonly caller: Caller
  /** Where the first app listens itself. */
  readonly app: string
}

async function deploy(
  name: ProxyName,
  listeners: readonly Listener[],
  changes: readonly Change[] = [],
): Promise<Deployment> {
  const apps = await Promise.all(listeners.map((listener) => startServer(listener)))
  opened.push(...apps.map(({ close }) => close))
  const proxy = await startReverseProxy(name, apps, changes)
  opened.push(() => proxy.stop())
  return { proxy, caller: proxy.caller(), app: apps[0]!.url }
}

interface Made {
  readonly listener: Listener
  readonly events: AuthEvent[]
}

interface AppOptions extends McpAuthOptions {
  readonly create?: typeof express
  readonly trustProxy?: unknown
  readonly before?: AuthHandler
}

/** An app that answers `handled` behind the guard, unless it is given what answers. */
function makeApp(
  provider: ProviderLike,
  { create = express, trustProxy = 1, before, ...options }: AppOptions = {},
  mcp?: McpListener,
): Made {
  const events: AuthEvent[] = []
  const app = create()
  app.set('trust proxy', trustProxy)
  if (before !== undefined) app.use(before)
  app.use(mcpAuth(provider, { rateLimit: false, onEvent: (event) => events.push(event), ...options }))
  app.use((request, response) => {
    if (mcp === undefined) response.end('handled')
    else mcp(request as unknown as McpRequest, response).catch(() => response.destroy())
  })
  return { listener: app as Listener, events }
}

const LONG = 'a'.repeat(8192)

/** Tokens by what comes of them. */
const verifier: ProviderLike = {
  requiredScopes: ['notes:read'],
  verifyToken(token: string) {
    if (token === 'down') throw new OAuthError('temporarily_unavailable', 'Later', { retryAfterSeconds: 7 })
    if (token !== 'good' && token !== 'poor' && token !== LONG) return null
    return { clientId: 'c', scopes: token === 'poor' ? [] : ['notes:read'] }
  },
}

const resourceServer = (baseUrl = ORIGIN): AuthProvider =>
  new RemoteAuthProvider({
    baseUrl,
    authorizationServers: ['https://login.example.com'],
    tokenVerifier: verifier,
  })

const authorizationServer = (baseUrl = ORIGIN, store = new MemoryStore()): OAuthProvider =>
  new OAuthProvider({ baseUrl, secret: SECRET, store, signIn, scopesSupported: ['notes:read'] })

const bearer = (token: string): { authorization: string } => ({ authorization: `Bearer ${token}` })

/** Of the connection and not of the answer. */
const HOP = new Set(['connection', 'keep-alive', 'date', 'server', 'transfer-encoding'])

interface Seen {
  readonly status: number
  readonly headers: readonly string[]
  readonly body: string
}

/** All of an answer, save what is drawn by lot each time. */
async function seen(response: Response): Promise<Seen> {
  const headers = [...response.headers].filter(([name]) => !HOP.has(name))
  return {
    status: response.status,
    headers: headers
      .map(([name, value]) => `${name}: ${value.replace(/(mcp-\w+-\w+|transaction)=[^;]*/, '$1=…')}`)
      .sort(),
    body: (await response.text()).replace(/value="[^"]*"/g, 'value="…"'),
  }
}

type Question = readonly [what: string, path: string, init?: RequestInit]

const form = (
  fields: Record<string, string>,
): { method: string; body: string; headers: Record<string, string> } => ({
  method: 'POST',
  body: new URLSearchParams(fields).toString(),
  headers: { 'content-type': 'application/x-www-form-urlencoded' },
})
const preflight = {
  method: 'OPTIONS',
  headers: { origin: 'https://app.example.com', 'access-control-request-method': 'POST' },
}

const RESOURCE_QUESTIONS: readonly Question[] = [
  ['no token', '/mcp'],
  ['a bad token', '/mcp', { headers: bearer('bad') }],
  ['a token with too few scopes', '/mcp', { headers: bearer('poor') }],
  ['a verifier that is away', '/mcp', { headers: bearer('down') }],
  ['a token in two places', '/mcp?access_token=good', { headers: bearer('good') }],
  ['a good token', '/mcp', { headers: bearer('good') }],
  ['metadata', '/.well-known/oauth-protected-resource/mcp'],
  ['metadata, asked by a page', '/.well-known/oauth-protected-resource', { headers: preflight.headers }],
  ['metadata, its head', '/.well-known/oauth-protected-resource', { method: 'HEAD' }],
  ['metadata that is not there', '/.well-known/oauth-protected-resource/evil'],
  ['a preflight', '/mcp', preflight],
]

const SERVER_QUESTIONS: readonly Question[] = [
  ['metadata of the server', '/.well-known/oauth-authorization-server'],
  ['keys', '/.well-known/jwks.json'],
  ['an empty token request', '/token', form({})],
  ['a code that is none', '/token', form({ grant_type: 'authorization_code', client_id: 'app', code: 'x' })],
  ['the token endpoint, read', '/token'],
  ['a registration that is none', '/register', { method: 'POST', body: '{', headers: { 'content-type': 'application/json' } }],
  ['an authorization request of nobody', '/authorize?client_id=nobody'],
  ['connections, without a session', '/connections'],
  ['a preflight of the token endpoint', '/token', preflight],
] // prettier-ignore

describeWithProxies.each(PROXIES)('behind %s', (name) => {
  describe('answers come through as they were made:', () => {
    const compare = async (questions: readonly Question[], { caller, app }: Deployment): Promise<Seen[]> => {
      const answers: Seen[] = []
      for (const [what, path, init = {}] of questions) {
        const made = await seen(await fetch(app + path, { redirect: 'manual', ...init }))
        const came = await seen(await caller.fetch(ORIGIN + path, init))
        expect([what, came]).toEqual([what, made])
        answers.push(came)
      }
      return answers
    }

    it('those of the guard, with challenges and Retry-After', async () => {
      const deployment = await deploy(name, [makeApp(resourceServer()).listener])
      const answers = await compare(RESOURCE_QUESTIONS, deployment)
      expect(answers.map(({ status }) => status)).toEqual([
        401, 401, 403, 503, 400, 200, 200, 200, 200, 404, 204,
      ])
      const metadata = `resource_metadata="${ORIGIN}/.well-known/oauth-protected-resource/mcp"`
      expect(answers[0]!.headers).toContain(`www-authenticate: Bearer scope="notes:read", ${metadata}`)
      expect(answers[2]!.headers).toContainEqual(
        expect.stringMatching(/^www-authenticate: .*insufficient_scope/),
      )
      expect(answers[3]!.headers).toContain('retry-after: 7')
    })

    it('those of the authorization server, with cookies that only this host may set', async () => {
      const provider = authorizationServer()
      const deployment = await deploy(name, [makeApp(provider).listener])
      await compare(SERVER_QUESTIONS, deployment)
      const client = await register(deployment.caller)
      const { pathname, search } = authorizationUrl(ORIGIN, client, pkce().challenge)
      const [page] = await compare([['a sign-in page', pathname + search]], deployment)
      expect(page!.headers).toContainEqual(
        expect.stringMatching(
          /^set-cookie: __Host-mcp-browser-\w+=…; Path=\/; HttpOnly; SameSite=Lax; Secure$/,
        ),
      )
    })

    it('by HTTP/2 too', async () => {
      const { caller } = await deploy(name, [makeApp(resourceServer()).listener])
      const refused = await caller.http2('/mcp')
      expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([
        401,
        `Bearer scope="notes:read", resource_metadata="${ORIGIN}/.well-known/oauth-protected-resource/mcp"`,
      ])
      const allowed = await caller.http2('/mcp', bearer(LONG))
      expect([allowed.status, await allowed.text()]).toEqual([200, 'handled'])
    })
  })

  describe('M1 URLs come from configuration', () => {
    const hostile: readonly Readonly<Record<string, string>>[] = [
      { host: 'evil.example' },
      { 'x-forwarded-host': 'evil.example', 'x-forwarded-proto': 'http', 'x-forwarded-port': '81' },
      { forwarded: 'for=192.0.2.1;host=evil.example;proto=http', 'x-original-host': 'evil.example' },
      { 'x-forwarded-prefix': '/evil', 'x-original-url': '/evil', 'x-rewrite-url': '/evil' },
    ]
    const paths = [
      '/mcp',
      '/.well-known/oauth-protected-resource/mcp',
      '/.well-known/oauth-authorization-server',
      '/.well-known/openid-configuration',
      '/authorize?client_id=nobody',
      '/connections',
    ]

    it('and not from what callers say of hosts', async () => {
      const { caller } = await deploy(name, [makeApp(authorizationServer(), { trustProxy: true }).listener])
      for (const path of paths) {
        const asEver = await seen(await caller.fetch(ORIGIN + path))
        expect(JSON.stringify(asEver)).not.toContain('evil')
        for (const headers of hostile) {
          const came = await seen(await caller.fetch(ORIGIN + path, { headers }))
          expect([path, headers, came]).toEqual([path, headers, asEver])
        }
      }
    })

    it('and not from what a proxy makes of the host', async () => {
      const rewritten: Record<ProxyName, Change[]> = {
        nginx: [['proxy_set_header Host $host;', 'proxy_set_header Host internal.example:8080;']],
        haproxy: [
          ['option forwardfor', 'option forwardfor\n    http-request set-header Host internal.example:8080'],
        ],
      }
      const hosts: unknown[] = []
      const before: AuthHandler = (request, _response, next) => {
        hosts.push(request.headers.host)
        next()
      }
      const { listener } = makeApp(resourceServer(), { before })
      const { caller } = await deploy(name, [listener], rewritten[name])
      const response = await caller.fetch(`${ORIGIN}/mcp`)
      expect(response.headers.get('www-authenticate')).toContain(`resource_metadata="${ORIGIN}/.well-known/`)
      expect(hosts).toEqual(['internal.example:8080'])
    })

    it('and a second Host or Authorization header is refused, whoever sees it first', async () => {
      const { caller } = await deploy(name, [makeApp(resourceServer()).listener])
      const ask = (lines: readonly string[]): Promise<string> =>
        caller.raw(['GET /mcp HTTP/1.1', ...lines, 'Connection: close', '', ''].join('\r\n'))
      const host = 'Host: api.example.com'
      const good = 'Authorization: Bearer good'
      expect(await ask([host, good])).toMatch(/^HTTP\/1\.1 200 /)
      for (const lines of [
        [host, 'Host: evil.example', good],
        [host, good, 'Authorization: Bearer bad'],
      ])
        expect(await ask(lines)).toMatch(/^HTTP\/1\.1 400 /)
    })
  })

  describe('long headers', () => {
    it('reach the app: a token of 8 KiB is let in, and one letter more is refused by us', async () => {
      const { caller } = await deploy(name, [makeApp(resourceServer()).listener])
      expect((await caller.fetch(`${ORIGIN}/mcp`, { headers: bearer(LONG) })).status).toBe(200)
      const refused = await caller.fetch(`${ORIGIN}/mcp`, { headers: bearer(`${LONG}a`) })
      expect(refused.status).toBe(401)
      expect(await refused.json()).toMatchObject({ error: 'invalid_token' })
    })

    it('come back: the longest state that is taken, in a redirect', async () => {
      const { caller } = await deploy(name, [makeApp(authorizationServer()).listener])
      const client = await register(caller)
      const more = { state: '%'.repeat(2048), response_type: 'token' }
      const url = authorizationUrl(ORIGIN, client, pkce().challenge, more)
      const response = await caller.fetch(url)
      const location = new URL(response.headers.get('location') ?? '')
      expect(location.href.length).toBeGreaterThan(6144)
      expect([location.searchParams.get('error'), location.searchParams.get('state')]).toEqual([
        'unsupported_response_type',
        more.state,
      ])
    })
  })

  describe('streams', () => {
    it('arrive as they are written, and the app is told when nobody listens any more', async () => {
      let stream: ServerResponse | undefined
      let closed: Promise<unknown> | undefined
      const { listener } = makeApp(resourceServer(), {}, async (_request, response) => {
        stream = response
        closed = new Promise((resolve) => {
          response.once('close', resolve)
        })
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        response.write('data: 0\n\n')
        return Promise.resolve()
      })
      const { caller } = await deploy(name, [listener])
      const leave = new AbortController()
      const response = await caller.fetch(`${ORIGIN}/mcp`, { headers: bearer('good'), signal: leave.signal })
      const reader = response.body!.getReader()
      const next = async (): Promise<string> => Buffer.from((await reader.read()).value ?? []).toString()
      // Each is written only once the one before was read: what is held back anywhere on the way would never come.
      for (let index = 0; index < 3; index++) {
        expect(await next()).toBe(`data: ${index}\n\n`)
        stream?.write(`data: ${index + 1}\n\n`)
      }
      await reader.cancel()
      leave.abort()
      await closed
    })
  })

  describe('rate limits', () => {
    const limited = { rateLimit: { limit: 2 } }
    const ask = async (caller: Caller, from?: string): Promise<number> => {
      const init = form({ client_id: 'nobody' })
      const headers = { ...init.headers, ...(from !== undefined && { 'x-forwarded-for': from }) }
      return (await caller.fetch(`${ORIGIN}/token`, { ...init, headers })).status
    }
    const hosts = [
      ['Express 5', express],
      ['Express 4', express4],
    ] as const

    it.each(hosts)(
      'X4 %s with trust proxy 1: go by the address of the caller, whatever it writes',
      async (_host, create) => {
        const { listener, events } = makeApp(authorizationServer(), { ...limited, create })
        const { proxy, caller } = await deploy(name, [listener])
        expect([await ask(caller), await ask(caller, '192.0.2.1')]).toEqual([401, 401])
        for (const from of [
          undefined,
          '192.0.2.2',
          '192.0.2.3, 192.0.2.4',
          '2001:db8::1',
          'unknown',
          '127.0.0.2',
        ])
          expect([from, await ask(caller, from)]).toEqual([from, 429])
        // Who was imitated is not harmed.
        expect(await ask(proxy.caller('127.0.0.2'))).toBe(401)
        expect(events.filter(({ type }) => type === 'hint')).toEqual([])
      },
    )

    it('X4 with trust proxy 1: also where the proxy appends to what the caller writes', async () => {
      const { listener } = makeApp(authorizationServer(), limited)
      const { proxy, caller } = await deploy(name, [listener], CHANGES.appended[name])
      expect([await ask(caller), await ask(caller, '192.0.2.1')]).toEqual([401, 401])
      for (const from of ['192.0.2.2', '192.0.2.3, 192.0.2.4', '127.0.0.2'])
        expect([from, await ask(caller, from)]).toEqual([from, 429])
      expect(await ask(proxy.caller('127.0.0.2'))).toBe(401)
    })

    it('X4 with trust proxy true: hold where the proxy replaces what callers write, and nowhere else', async () => {
      const { listener } = makeApp(authorizationServer(), { ...limited, trustProxy: true })
      const statuses = async ({ caller }: Deployment): Promise<number[]> => [
        await ask(caller, '192.0.2.1'),
        await ask(caller, '192.0.2.1'),
        await ask(caller, '192.0.2.2'),
      ]
      expect(await statuses(await deploy(name, [listener]))).toEqual([401, 401, 429])
      const appending = makeApp(authorizationServer(), { ...limited, trustProxy: true })
      expect(await statuses(await deploy(name, [appending.listener], CHANGES.appended[name]))).toEqual([
        401, 401, 401,
      ])
    })

    it('X4 without trust proxy: everybody shares one, nobody escapes it, and a hint says so', async () => {
      const { listener, events } = makeApp(authorizationServer(), { ...limited, trustProxy: false })
      const { proxy, caller } = await deploy(name, [listener])
      expect([await ask(caller), await ask(caller, '192.0.2.1')]).toEqual([401, 401])
      expect([await ask(caller, '192.0.2.2'), await ask(proxy.caller('127.0.0.2'))]).toEqual([429, 429])
      expect(events).toContainEqual(expect.objectContaining({ type: 'hint', code: 'trust_proxy_off' }))
    })

    it('X4 connect: go by the request.ip that the app sets', async () => {
      const app = connect()
      app.use((request, _response, next) => {
        // What the nearest proxy wrote stands last.
        Object.assign(request, { ip: String(request.headers['x-forwarded-for']).split(',').at(-1)?.trim() })
        next()
      })
      app.use(mcpAuth(authorizationServer(), limited))
      const { proxy, caller } = await deploy(name, [app])
      expect([await ask(caller), await ask(caller), await ask(caller, '192.0.2.1')]).toEqual([401, 401, 429])
      expect(await ask(proxy.caller('127.0.0.2'))).toBe(401)
    })
  })

  describe('people sign in, and their client calls', () => {
    it.each(['', '/api'])('at our pages, under the path %j', async (path) => {
      const provider = authorizationServer(ORIGIN + path)
      const { listener, events } = makeApp(provider, {}, statelessV2())
      const { caller } = await deploy(name, [listener], path === '' ? [] : CHANGES.prefix[name])
      const browser = new Browser(caller.fetch)
      const journey = await connectClient(`${ORIGIN}${path}/mcp`, caller, (address) =>
        browser.grant(address, REDIRECT_URI, 'ada'),
      )
      expect(await journey.whoami()).toContain('id-ada')
      expect([...browser.cookies(ORIGIN).keys()].every((cookie) => cookie.startsWith('__Host-mcp-'))).toBe(
        true,
      )
      expect(browser.cookies(ORIGIN).size).toBeGreaterThan(0)

      const refresh = form({
        grant_type: 'refresh_token',
        client_id: String(journey.credentials.clientId),
        refresh_token: String(journey.credentials.tokens()?.refresh_token),
      })
      const renewed = await caller.fetch(`${ORIGIN}${path}/token`, refresh)
      expect([renewed.status, renewed.headers.get('cache-control')]).toEqual([200, 'no-store'])
      const { access_token: token } = (await renewed.json()) as { access_token: string }
      const revoke = form({ client_id: String(journey.credentials.clientId), token })
      expect((await caller.fetch(`${ORIGIN}${path}/revoke`, revoke)).status).toBe(200)
      expect((await caller.fetch(`${ORIGIN}${path}/mcp`, { headers: bearer(token) })).status).toBe(401)
      expect(events.filter(({ type }) => type === 'hint')).toEqual([])
    })

    it.each(['', '/api'])(
      'at an identity provider that knows our callback, under the path %j',
      async (path) => {
        const baseUrl = ORIGIN + path
        const redirectUri = `${baseUrl}/auth/callback`
        const idp = await startIdentityProvider({ redirectUri, resources: 'accept' })
        opened.push(() => idp.close())
        const provider = new OIDCProxy({
          configUrl: idp.configUrl,
          clientId: idp.clientId,
          clientSecret: idp.clientSecret,
          verifyIdToken: true,
          baseUrl,
          secret: SECRET,
          store: new MemoryStore(),
        })
        const { listener } = makeApp(provider, {}, statelessV2())
        const { caller } = await deploy(name, [listener], path === '' ? [] : CHANGES.prefix[name])
        const browser = new Browser(caller.fetch)
        const journey = await connectClient(`${baseUrl}/mcp`, caller, async (address) => {
          const page = await browser.go(address, REDIRECT_URI)
          const { action, fields } = formOf(page)
          const left = await browser.go(action, idp.issuer, { ...fields, decision: 'allow' })
          const back = await signInAt(browser, left.url, 'ada', { destination: redirectUri })
          return (await browser.go(back, REDIRECT_URI)).url
        })
        expect(await journey.whoami()).toContain('idp|ada')
      },
    )

    it('at replicas that share a store, each step at another one', async () => {
      const store = new MemoryStore()
      const asked = [0, 0]
      const listeners = asked.map((_none, index) => {
        const before: AuthHandler = (_request, _response, next) => {
          asked[index]!++
          next()
        }
        return makeApp(authorizationServer(ORIGIN, store), { before }, statelessV2()).listener
      })
      const { caller } = await deploy(name, listeners)
      const journey = await connectClient(`${ORIGIN}/mcp`, caller, (address) =>
        new Browser(caller.fetch).grant(address, REDIRECT_URI, 'ada'),
      )
      expect(await journey.whoami()).toContain('id-ada')
      expect(Math.min(...asked)).toBeGreaterThan(4)
    })
  })

  describe('a prefix that the proxy takes away', () => {
    const baseUrl = `${ORIGIN}/api`

    it('is in what clients are told, where the app only guards', async () => {
      const { listener } = makeApp(resourceServer(baseUrl))
      const { caller } = await deploy(name, [listener], CHANGES.stripped[name])
      const refused = await caller.fetch(`${baseUrl}/mcp`)
      const [, metadata] =
        /resource_metadata="([^"]*)"/.exec(refused.headers.get('www-authenticate') ?? '') ?? []
      expect([refused.status, metadata]).toEqual([
        401,
        `${ORIGIN}/.well-known/oauth-protected-resource/api/mcp`,
      ])
      const document = await caller.fetch(String(metadata))
      expect(await document.json()).toMatchObject({ resource: `${baseUrl}/mcp` })
      const allowed = await caller.fetch(`${baseUrl}/mcp`, { headers: bearer('good') })
      expect(await allowed.text()).toBe('handled')
    })

    it('hides the endpoints of an authorization server, unless the app puts it back', async () => {
      const without = makeApp(authorizationServer(baseUrl))
      const lost = await deploy(name, [without.listener], CHANGES.stripped[name])
      const guarded = await lost.caller.fetch(`${baseUrl}/register`, { method: 'POST', body: '{}' })
      expect([guarded.status, guarded.headers.get('www-authenticate')]).toEqual([
        401,
        expect.stringMatching(/^Bearer /),
      ])

      const before: AuthHandler = (request, _response, next) => {
        if (!request.url?.startsWith('/.well-known/')) request.url = `/api${request.url}`
        next()
      }
      const { listener } = makeApp(authorizationServer(baseUrl), { before }, statelessV2())
      const { caller } = await deploy(name, [listener], CHANGES.stripped[name])
      const journey = await connectClient(`${baseUrl}/mcp`, caller, (address) =>
        new Browser(caller.fetch).grant(address, REDIRECT_URI, 'ada'),
      )
      expect(await journey.whoami()).toContain('id-ada')
    })
  })
})

describeWithProxies('behind nginx', () => {
  it('long headers need the lines that the example has for them', async () => {
    const { listener } = makeApp(authorizationServer())
    const { caller } = await deploy(
      'nginx',
      [listener],
      [
        ['large_client_header_buffers 4 16k;', ''],
        ['proxy_buffer_size 16k;', ''],
        ['proxy_buffers 8 16k;', ''],
      ],
    )
    expect((await caller.fetch(`${ORIGIN}/mcp`, { headers: bearer(LONG) })).status).toBe(400)
    const client = await register(caller)
    const more = { state: '%'.repeat(2048), response_type: 'token' }
    const redirect = await caller.fetch(authorizationUrl(ORIGIN, client, pkce().challenge, more))
    expect(redirect.status).toBe(502)
  })
})

describeWithProxies('behind haproxy', () => {
  it('a session stays with the replica that opened it, and with whom it was opened for', async () => {
    const provider: ProviderLike = {
      verifyToken: (token: string) => ({ clientId: 'c', subject: token }),
    }
    const asked = [0, 0]
    const listeners = asked.map((_none, index) => {
      const mcp = statefulV2()
      return makeApp(provider, {}, async (request, response) => {
        asked[index]!++
        await mcp(request, response)
      }).listener
    })
    const { caller } = await deploy('haproxy', listeners)
    const send: typeof fetch = (input, init) => {
      const headers = new Headers(init?.headers)
      headers.set('authorization', 'Bearer ada')
      return caller.fetch(input, { ...init, headers })
    }
    const sessions: (string | undefined)[] = []
    for (let index = 0; index < 4; index++) {
      const client = new Client({ name: 'client', version: '1.0.0' })
      const transport = new StreamableHTTPClientTransport(new URL(`${ORIGIN}/mcp`), { fetch: send })
      await client.connect(transport)
      opened.push(() => client.close())
      for (let call = 0; call < 3; call++)
        expect(JSON.stringify(await client.callTool({ name: 'whoami', arguments: {} }))).toContain('ada')
      sessions.push(transport.sessionId)
    }
    expect(Math.min(...asked)).toBeGreaterThan(4)
    const stolen = await caller.fetch(`${ORIGIN}/mcp`, {
      headers: { ...bearer('mallory'), 'mcp-session-id': String(sessions[0]) },
    })
    expect(stolen.status).toBe(404)
  })
})

describe('docs/deploying.md', () => {
  const text = readFileSync(new URL('../../docs/deploying.md', import.meta.url), 'utf8')
  it.each(PROXIES)('quotes the configuration that is tested: %s', (name) => {
    const example = readExample(name)
    expect(text).toContain(`\n${example}\`\`\``)
    const lines = [...CHANGES.prefix[name], ...CHANGES.stripped[name]].flatMap(([, instead]) =>
      instead.split('\n'),
    )
    for (const line of lines) if (!example.includes(line)) expect(text).toContain(line.trim())
  })
})

interface ConnectedClient {
  readonly credentials: Credentials
  whoami(): Promise<string>
}

/** A client of the SDK that knows no more than a URL. */
async function connectClient(
  url: string,
  caller: Caller,
  browse: (address: URL) => Promise<URL>,
): Promise<ConnectedClient> {
  const credentials = new Credentials(browse)
  const how = { serverUrl: new URL(url), fetchFn: caller.fetch }
  await auth(credentials, how)
  const back = await credentials.back()
  await auth(credentials, { ...how, authorizationCode: back.get('code')!, iss: back.get('iss')! })
  const client = new Client({ name: 'client', version: '1.0.0' })
  opened.push(() => client.close())
  const transport = new StreamableHTTPClientTransport(new URL(url), {
    authProvider: credentials,
    fetch: caller.fetch,
  })
  await client.connect(transport)
  return {
    credentials,
    whoami: async () => JSON.stringify(await client.callTool({ name: 'whoami', arguments: {} })),
  }
}

/** The ID of a new client. */
async function register(caller: Caller): Promise<string> {
  const response = await caller.fetch(`${ORIGIN}/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ redirect_uris: [REDIRECT_URI], token_endpoint_auth_method: 'none' }),
  })
  return ((await response.json()) as { client_id: string }).client_id
}

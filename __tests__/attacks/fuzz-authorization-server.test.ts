// Attacks by chance on the authorization server: threat rows X9, X6, X2 and M6. FUZZ_RUNS requests (default 50,000) over real connections,
// made of what is valid right now and what never is. jest itself fails a test during which an exception goes uncaught or a rejection
// unhandled, so that nothing here has to listen for them.
import { connect } from 'node:net'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { expect, test } from '@jest/globals'
import express, { type Express } from 'express'
import express4 from 'express4'
import { OAuthProvider, mcpAuth } from 'express-mcp-auth'
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import { testClock } from 'express-mcp-auth/testing'
import fc from 'fast-check'
import { REDIRECT_URI, SECRET, authorizationUrl, clientsOf, signIn } from '../support/authorization-server.js'
import { challengeOf } from '../../lib/protocol/pkce.js'
import { Browser, formOf } from '../support/browser-session.js'
import { startServer } from '../support/site.js'
import { documentAnswer, startStrangeHost } from '../support/strange-host.js'
import { type Answer, closing, pipeline } from './attempt.js'

const TOTAL = Number(process.env['FUZZ_RUNS'] ?? 50_000)
const BATCH = 100
/** How many batches share what is valid. */
const LIVE_BATCHES = 5
/** Longer than any other test, in proportion. */
const TIMEOUT = 60_000 + TOTAL * 10

const WEB = 'https://app.example.com/oauth/callback?tenant=a'
const DOCUMENT_ID = 'https://client.example/id.json'
const ROBOT_SECRET = 'a secret that nobody guesses'

/** Pieces that are valid right now, by the names that requests hold in their place, so that a seed tells the same story twice. */
type Live = ReadonlyMap<string, string>

interface Target {
  readonly url: string
  /** Messages of what could not be answered: there must be none. */
  readonly failures: string[]
  live(): Promise<Live>
}

type Make = (app: Express) => void

async function startTarget(create: typeof express, parsers: Make): Promise<Target> {
  const clock = testClock()
  const web = closing(await startStrangeHost())
  web.answer = documentAnswer({ client_id: DOCUMENT_ID, client_name: 'Client', redirect_uris: [WEB] })
  web.resolve = (hostname) => (hostname === 'client.example' ? ['93.184.216.34'] : ['127.0.0.1'])
  const app = create()
  const { url } = closing(await startServer(app))
  const provider = new OAuthProvider({
    baseUrl: url,
    secret: SECRET,
    signIn,
    scopesSupported: ['notes:read', 'notes:write'],
    store: new MemoryStore({ deps: clock }),
    clients: [
      {
        clientId: 'robot',
        clientSecret: ROBOT_SECRET,
        redirectUris: [WEB],
        grantTypes: ['authorization_code', 'refresh_token', 'client_credentials'],
      },
    ],
    clientRegistration: { maxPerHour: 1_000_000 },
    deps: { ...clock, network: web.network },
  })
  const failures: string[] = []
  parsers(app)
  app.use(
    mcpAuth(provider, {
      rateLimit: false,
      deps: clock,
      onEvent: (event) => event.type === 'request.failed' && failures.push(event.message),
    }),
  )
  app.use((_request, response) => {
    response.setHeader('x-app', 'handler').end('handled')
  })
  // What a parser of the app refuses never gets to us.
  app.use((error: { status?: number }, _request: unknown, response: express.Response, _next: unknown) => {
    response
      .status(error.status ?? 500)
      .setHeader('x-app', 'parser')
      .end()
  })
  return { url, failures, live: () => collect(url) }
}

// The same each time, so that a seed makes the same requests again.
const VERIFIER = 'a-verifier-of-forty-three-letters-or-longer-'
const CHALLENGE = challengeOf(VERIFIER)

/** A person who is signed in and asked, one who is not signed in yet, and tokens of a client. */
async function collect(url: string): Promise<Live> {
  const requests = clientsOf(url)
  const client = await requests.register({ redirect_uris: [REDIRECT_URI, WEB] })
  const { code } = await requests.authorize(client, { code_challenge: CHALLENGE })
  const tokens = await requests.signIn(client)
  const start = authorizationUrl(url, client.client_id, CHALLENGE)
  const browser = new Browser()
  const strangers = formOf(await browser.go(start, REDIRECT_URI))
  const credentials = { username: 'ada', password: 'ada!' }
  const asked = formOf(
    await browser.go(strangers.action, REDIRECT_URI, { ...strangers.fields, ...credentials }),
  )
  const connections = formOf(await browser.go(`${url}/connections`, REDIRECT_URI))
  const next = formOf(await browser.go(`${start.href}&prompt=login`, REDIRECT_URI))
  return new Map([
    ['client', client.client_id],
    ['code', code],
    ['refresh', tokens.refresh_token],
    ['access', tokens.access_token],
    ['transaction', String(asked.fields['transaction'])],
    ['csrf', String(asked.fields['csrf'])],
    ['user', String(asked.fields['user'])],
    ['signin', String(next.fields['transaction'])],
    ['signincsrf', String(next.fields['csrf'])],
    ['pagecsrf', String(connections.fields['csrf'])],
    ['cookies', [...browser.cookies(url)].map(([name, value]) => `${name}=${value}`).join('; ')],
    ['browser', [...browser.cookies(url)].filter(([name]) => name.includes('browser')).map(([name, value]) => `${name}=${value}`).join('; ')],
    ['origin', url],
    ['resource', `${url}/mcp`],
  ]) // prettier-ignore
}

/** Stands for a live piece. Its letters are the same in a URL, a form, JSON and a header. */
const piece = (name: string): string => `LIVE-${name}-PIECE`

function fill(request: string, live: Live): string {
  return request.replaceAll(/LIVE-([a-z]+)-PIECE/g, (_whole, name: string) => live.get(name) as string)
}

/** One request, well-framed. */
interface Sent {
  readonly path: string
  readonly bytes: string
}

type Pair = readonly [name: string, value: string]

/** An endpoint and a request to it with nothing wrong in it. */
interface Ordinary {
  readonly method: 'GET' | 'POST'
  readonly path: string
  readonly pairs: readonly Pair[]
  readonly lines?: readonly string[]
}

const BASIC = `Authorization: Basic ${Buffer.from(`robot:${encodeURIComponent(ROBOT_SECRET)}`).toString('base64')}`
const COOKIES = `Cookie: ${piece('cookies')}`

const ASKING: readonly Pair[] = [
  ['response_type', 'code'],
  ['client_id', piece('client')],
  ['redirect_uri', REDIRECT_URI],
  ['code_challenge', CHALLENGE],
  ['code_challenge_method', 'S256'],
  ['state', 'a state'],
  ['scope', 'notes:read offline_access'],
  ['resource', piece('resource')],
]

const ORDINARY: readonly Ordinary[] = [
  { method: 'GET', path: '/authorize', pairs: ASKING },
  { method: 'GET', path: '/authorize', pairs: [...ASKING, ['prompt', 'none']], lines: [COOKIES] },
  { method: 'POST', path: '/authorize', pairs: ASKING, lines: [COOKIES] },
  {
    method: 'GET',
    path: '/authorize',
    pairs: ASKING.map(([name, value]) => [name, name === 'client_id' ? DOCUMENT_ID : name === 'redirect_uri' ? WEB : value]),
  },
  {
    method: 'POST',
    path: '/token',
    pairs: [
      ['grant_type', 'authorization_code'],
      ['client_id', piece('client')],
      ['code', piece('code')],
      ['code_verifier', VERIFIER],
      ['redirect_uri', REDIRECT_URI],
    ],
  },
  {
    method: 'POST',
    path: '/token',
    pairs: [
      ['grant_type', 'refresh_token'],
      ['client_id', piece('client')],
      ['refresh_token', piece('refresh')],
      ['scope', 'notes:read'],
    ],
  },
  { method: 'POST', path: '/token', pairs: [['grant_type', 'client_credentials'], ['resource', piece('resource')]], lines: [BASIC] },
  {
    method: 'POST',
    path: '/register',
    pairs: [
      ['redirect_uris', REDIRECT_URI],
      ['client_name', 'Client'],
      ['token_endpoint_auth_method', 'none'],
      ['grant_types', 'authorization_code'],
      ['jwks_uri', 'https://client.example/keys'],
      ['scope', 'notes:read'],
    ],
  },
  { method: 'POST', path: '/revoke', pairs: [['token', piece('access')], ['client_id', piece('client')]] },
  { method: 'POST', path: '/revoke', pairs: [['token', 'ey.ey.sig'], ['token_type_hint', 'access_token']], lines: [BASIC] },
  { method: 'POST', path: '/introspect', pairs: [['token', piece('access')]], lines: [BASIC] },
  { method: 'GET', path: '/sign-in', pairs: [['transaction', piece('signin')]], lines: [COOKIES] },
  {
    method: 'POST',
    path: '/sign-in',
    pairs: [
      ['transaction', piece('signin')],
      ['csrf', piece('signincsrf')],
      ['username', 'ada'],
      ['password', 'ada!'],
    ],
    lines: [COOKIES],
  },
  { method: 'POST', path: '/sign-out', pairs: [['csrf', piece('pagecsrf')]], lines: [`Cookie: ${piece('browser')}`] },
  { method: 'GET', path: '/consent', pairs: [['transaction', piece('transaction')]], lines: [COOKIES] },
  {
    method: 'POST',
    path: '/consent',
    pairs: [
      ['transaction', piece('transaction')],
      ['csrf', piece('csrf')],
      ['user', piece('user')],
      ['decision', 'allow'],
      ['scope-0', 'on'],
    ],
    lines: [COOKIES],
  },
  { method: 'GET', path: '/connections', pairs: [['revoked', piece('client')]], lines: [COOKIES] },
  { method: 'POST', path: '/connections', pairs: [['csrf', piece('pagecsrf')], ['client', 'robot']], lines: [COOKIES] },
  { method: 'GET', path: '/.well-known/jwks.json', pairs: [] },
  { method: 'GET', path: '/.well-known/oauth-authorization-server', pairs: [] },
  { method: 'GET', path: '/.well-known/openid-configuration', pairs: [] },
  { method: 'GET', path: '/.well-known/oauth-protected-resource/mcp', pairs: [] },
  { method: 'POST', path: '/mcp', pairs: [['jsonrpc', '2.0']], lines: [`Authorization: Bearer ${piece('access')}`] },
] // prettier-ignore

const PIECES = [
  'client',
  'code',
  'refresh',
  'access',
  'transaction',
  'csrf',
  'user',
  'signin',
  'signincsrf',
  'pagecsrf',
  'resource',
]
const oddValue = fc.oneof(
  fc.constantFrom(
    '', ' ', '\0', '\r\nX-A: b', 'a'.repeat(3000), '__proto__', 'constructor', 'toString', 'hasOwnProperty', '[object Object]', 'null', '-1', '1e309', "' or 1=1 --",
    '<script>alert(1)</script>', '../../etc/passwd', '%', '%zz', '%00', '\uFFFD', '\uD800', '\u{1F4A5}', 'ü', '\u202E', 'a.b.c', 'ey.ey.', '.', '..', 'none login', 'login', 'consent',
    'https://evil.example/cb', 'http://127.0.0.1:1/callback', 'http://127.0.0.1:33418@evil.example/callback', 'javascript:alert(1)', '//evil.example', `${REDIRECT_URI}\r\n`, `${REDIRECT_URI}#a`,
    'https://127.0.0.1/id.json', 'https://nowhere.example/id.json', 'http://[::1', 'https://', DOCUMENT_ID, WEB, 'robot', 'S256', 'plain', 'deny', 'private_key_jwt', 'notes:read notes:write offline_access',
    ...PIECES.map(piece),
  ),
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.string({ unit: 'grapheme', maxLength: 20 }),
) // prettier-ignore
const oddName = fc.constantFrom(
  '__proto__', '__proto__[x]', 'constructor[prototype][x]', 'constructor.prototype.x', 'toString', 'hasOwnProperty', 'client_id[]', 'client_id[0]', 'code[a][b][c]', 'redirect_uri[__proto__]',
  'state', 'client_id', 'client_secret', 'client_assertion', 'client_assertion_type', 'request', 'request_uri', 'prompt', 'response_mode', 'resource', 'grant_type', 'token', 'csrf', 'transaction', '', ' ',
  'jwks', 'a'.repeat(200), '\uFFFD', '\0', 'then', 'length', 'ü',
) // prettier-ignore

/** Changes pairs: leaves some out, repeats, renames, replaces, adds. */
type Change = (pairs: readonly Pair[]) => Pair[]
const at = (pairs: readonly Pair[], index: number): number => index % Math.max(pairs.length, 1)
const change: fc.Arbitrary<Change> = fc.oneof(
  { arbitrary: fc.constant<Change>((pairs) => [...pairs]), weight: 2 },
  fc.nat(20).map<Change>((index) => (pairs) => pairs.filter((_pair, place) => place !== at(pairs, index))),
  fc.nat(20).map<Change>((index) => (pairs) => [...pairs, ...pairs.slice(at(pairs, index), at(pairs, index) + 1)]),
  { arbitrary: fc.tuple(fc.nat(20), oddValue).map<Change>(([index, value]) => (pairs) => pairs.map(([name, old], place) => [name, place === at(pairs, index) ? value : old])), weight: 4 },
  fc.tuple(fc.nat(20), fc.constantFrom('[]', '[0]', '[__proto__]', '[a]', '.x', ' ', '%')).map<Change>(([index, end]) => (pairs) => pairs.map(([name, value], place) => [place === at(pairs, index) ? name + end : name, value])),
  { arbitrary: fc.tuple(oddName, oddValue).map<Change>((pair) => (pairs) => [pair, ...pairs]), weight: 2 },
  fc.constantFrom(30, 60, 1500).map<Change>((count) => (pairs) => [...pairs, ...Array.from({ length: count }, (_, index): Pair => [`p${index}`, 'x'])]),
) // prettier-ignore
const changes = fc
  .array(change, { minLength: 1, maxLength: 2 })
  .map<Change>((each) => (pairs) => each.reduce<readonly Pair[]>((sum, next) => next(sum), pairs) as Pair[])

/** A body and what it says of itself. */
interface Written {
  readonly type: string
  readonly bytes: Buffer
  readonly encoding?: string | undefined
}
const FORM = 'application/x-www-form-urlencoded'

function writeForm(pairs: readonly Pair[]): string {
  return new URLSearchParams(pairs.map(([name, value]): [string, string] => [name, value])).toString()
}

/** As text, so that names may be repeated, or be `__proto__`. */
function writeJson(pairs: readonly Pair[]): string {
  const members = pairs.map(([name, value]) => {
    const isList = name === 'redirect_uris' || name === 'grant_types'
    return `${JSON.stringify(name)}:${JSON.stringify(isList ? [value] : value)}`
  })
  return `{${members.join(',')}}`
}

const oddType = fc.constantFrom(
  FORM, 'application/json', 'application/json; charset=utf-8', `${FORM}; charset=utf-7`, `${FORM}; charset=latin1`, 'application/json; charset=utf-16', 'text/plain', 'multipart/form-data; boundary=x', '', ';',
  `${FORM}, application/json`, `application/json, ${FORM}`, 'application/*', `${FORM};`, FORM.toUpperCase(), '\xff', 'a'.repeat(500),
) // prettier-ignore
const deep = fc.constantFrom(
  '['.repeat(9000), '{"a":'.repeat(3000), `${'['.repeat(500)}${']'.repeat(500)}`, '{"__proto__":{"x":1}}', '{"constructor":{"prototype":{"x":1}}}', '{"redirect_uris":[{"toString":1}]}',
  '{"redirect_uris":{"length":1,"0":"https://a.example"}}', 'null', '[]', '0', '""', '{"redirect_uris":["https://a.example"],"jwks":{"keys":[null]}}',
  '{"redirect_uris":["https://a.example/"],"token_endpoint_auth_method":"private_key_jwt","jwks":{"keys":[{"kty":"RSA","n":"","e":""},{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}}',
  '{"redirect_uris":["https://a.example/"],"grant_types":[["authorization_code"]],"contacts":{}}', '{"grant_type":{"toString":"x"},"token":["a",["b"]]}', '\uFEFF{}', '{"a":1e999}', `{"client_name":"${'\\ud800'.repeat(50)}"}`,
) // prettier-ignore
const raw = fc.constantFrom(
  '%', '%zz=%', 'client_id=%ff%fe', '&&&&', '====', '=', 'a[b[c=d', 'client_id=%C0%80', '%00=%00', `${'a[x]'.repeat(200)}=1`, `a${'[b]'.repeat(2000)}=1`, 'a=\r\n\r\n', '\xff\xfe\xfd', 'a;b;c', '+', `x=${'%41'.repeat(7000)}`,
) // prettier-ignore

const written: fc.Arbitrary<(pairs: readonly Pair[], isJson: boolean) => Written> = fc.oneof(
  {
    arbitrary: fc.constant((pairs: readonly Pair[], isJson: boolean): Written =>
      isJson
        ? { type: 'application/json', bytes: Buffer.from(writeJson(pairs)) }
        : { type: FORM, bytes: Buffer.from(writeForm(pairs)) },
    ),
    weight: 8,
  },
  fc.constant((pairs: readonly Pair[]): Written => ({ type: 'application/json', bytes: Buffer.from(writeJson(pairs)) })),
  oddType.map((type) => (pairs: readonly Pair[]): Written => ({ type, bytes: Buffer.from(writeForm(pairs)) })),
  fc.tuple(oddType, fc.oneof(deep, raw)).map(([type, text]) => (): Written => ({ type, bytes: Buffer.from(text, text.includes('\xff') ? 'latin1' : 'utf8') })),
  raw.map((text) => (pairs: readonly Pair[]): Written => ({ type: FORM, bytes: Buffer.from(`${writeForm(pairs)}&${text}`, 'latin1') })),
  fc.tuple(oddType, fc.uint8Array({ maxLength: 40 })).map(([type, bytes]) => (): Written => ({ type, bytes: Buffer.from(bytes) })),
  fc
    .tuple(fc.constantFrom('gzip', 'deflate', 'br', 'identity', 'x', ''), fc.constantFrom(gzipSync, deflateSync, brotliCompressSync, (text: string) => Buffer.from(text)))
    .map(([encoding, pack]) => (pairs: readonly Pair[]): Written => ({ type: FORM, encoding, bytes: pack(writeForm(pairs)) })),
  fc.constantFrom(20_480, 20_481, 30_000).map((size) => (pairs: readonly Pair[]): Written => ({ type: FORM, bytes: Buffer.from(writeForm(pairs).padEnd(size, '&a=b')) })),
) // prettier-ignore

const method = fc.constantFrom(
  'GET',
  'POST',
  'HEAD',
  'OPTIONS',
  'PUT',
  'DELETE',
  'PATCH',
  'TRACE',
  'PROPFIND',
)
const headerText = fc
  .array(fc.oneof(fc.integer({ min: 0x20, max: 0x7e }), fc.integer({ min: 0x80, max: 0xff }), fc.constant(9)), { maxLength: 40 })
  .map((codes) => String.fromCharCode(...codes)) // prettier-ignore
const oddLine = fc.oneof(
  fc.constantFrom(
    COOKIES, BASIC, `Authorization: Bearer ${piece('access')}`, `Authorization: Bearer ${piece('refresh')}`, 'Authorization: Basic', 'Authorization: Basic Og==', 'Authorization: Basic =', 'Authorization: Basic /////w==',
    'Authorization: Basic JXp6OiV6eg==', 'Sec-Fetch-Site: same-origin', 'Sec-Fetch-Site: cross-site', 'Origin: null', 'Origin: https://evil.example', `Origin: ${piece('origin')}`, '__proto__: x', 'constructor: x',
    'Host: evil.example', 'X-Forwarded-Host: evil.example', 'X-Forwarded-For: 1.2.3.4, junk', 'X-HTTP-Method-Override: GET', 'Cookie: __proto__=x', 'Cookie: ;;;=;=', 'Content-Type: text/plain', 'Accept: text/html',
    'Access-Control-Request-Method: POST', 'Range: bytes=0-1', 'If-None-Match: *', 'Accept-Language: \xff', 'Upgrade-Insecure-Requests: 1', `X-Long: ${'a'.repeat(4000)}`,
  ),
  headerText.map((value) => `Cookie: ${piece('cookies')}; ${value}`),
  headerText.map((value) => `Cookie: ${value}`),
  headerText.map((value) => `Authorization: ${value}`),
) // prettier-ignore

const oddPath = fc.oneof(
  { arbitrary: fc.constantFrom<(path: string) => string>((path) => path), weight: 20 },
  fc.constantFrom<(path: string) => string>((path) => `${path}/`, (path) => `/${path}`, (path) => path.toUpperCase(), (path) => `${path}/x`, (path) => `${path}%00`, (path) => `${path};a=b`, (path) => `${path}/..${path}`, (path) => `${path}.json`, (path) => path.slice(0, -1)),
) // prettier-ignore

/** Once in eight. */
function seldom<T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> {
  return fc.oneof({ arbitrary: fc.constant(undefined), weight: 7 }, value)
}

const wellFramed: fc.Arbitrary<Sent> = fc
  .record({
    ordinary: fc.constantFrom(...ORDINARY),
    verb: seldom(method),
    alter: changes,
    write: written,
    turn: oddPath,
    lines: fc.oneof({ arbitrary: fc.constant<string[]>([]), weight: 2 }, fc.array(oddLine, { maxLength: 3 })),
    query: seldom(fc.stringMatching(/^[!-~]{0,60}$/)),
    chunk: seldom(fc.integer({ min: 1, max: 50 })),
    bare: fc.nat(9).map((dice) => dice === 0),
  })
  .map(({ ordinary, verb, alter, write, turn, lines, query, chunk, bare }) => {
    const verbed = verb ?? ordinary.method
    const path = turn(ordinary.path)
    const pairs = alter(ordinary.pairs)
    const inQuery = verbed === 'GET' || verbed === 'HEAD'
    const search = [...(inQuery ? [writeForm(pairs)] : []), ...(query === undefined ? [] : [query])].join('&').slice(0, 9000)
    const head = [`${verbed} ${path}${search === '' ? '' : `?${search}`} HTTP/1.1`, 'Host: a', ...(ordinary.lines ?? []), ...lines]
    if (inQuery || bare) return { path, bytes: [...head, ...(verbed === 'POST' ? ['Content-Length: 0'] : []), '', ''].join('\r\n') }
    return { path, bytes: withBody(head, write(pairs, ordinary.path === '/register'), chunk) }
  }) // prettier-ignore

/** Lengths are counted after live pieces were put in. */
const LENGTH = 'Content-Length: COUNTED'

function withBody(head: readonly string[], { type, bytes, encoding }: Written, chunk?: number): string {
  const body = bytes.toString('latin1')
  const about = [
    `Content-Type: ${type}`,
    ...(encoding === undefined ? [] : [`Content-Encoding: ${encoding}`]),
  ]
  if (chunk === undefined) return [...head, ...about, LENGTH, '', body].join('\r\n')
  return [...head, ...about, `Transfer-Encoding: chunked; ${chunk}`, '', body].join('\r\n')
}

/** Puts live pieces in, then counts or cuts the body. */
function frame(bytes: string, live: Live): string {
  const filled = fill(bytes, live)
  const end = filled.indexOf('\r\n\r\n') + 4
  const body = filled.slice(end)
  const head = filled.slice(0, end)
  const size = Number(/Transfer-Encoding: chunked; (\d+)/.exec(head)?.[1] ?? 0)
  if (size === 0) return head.replace(LENGTH, `Content-Length: ${body.length}`) + body
  const parts = body.match(new RegExp(`[^]{1,${Math.max(size, Math.ceil(body.length / 200))}}`, 'g')) ?? []
  const chunks = [...parts, ''].map((part) => `${part.length.toString(16)}\r\n${part}\r\n`)
  return head.replace(/(Transfer-Encoding: chunked); \d+/, '$1') + chunks.join('')
}

const CLOSED: Answer = { status: 0, headers: new Headers(), text: '' }

/** Every request gets an answer, over as many connections as that takes. One that is closed without a word was refused by node. */
async function sendAll(url: string, requests: readonly string[]): Promise<Answer[]> {
  const answers: Answer[] = []
  while (answers.length < requests.length) {
    const left = requests.slice(answers.length)
    const got = await pipeline(url, left).catch(() => oneOf(url, left))
    answers.push(...(got.length === 0 ? [CLOSED] : got))
  }
  return answers
}

/** The first of them, where the connection was reset somewhere. */
async function oneOf(url: string, [first = '']: readonly string[]): Promise<Answer[]> {
  return pipeline(url, [first]).catch(() => [])
}

const PAGES = new Set(['/authorize', '/sign-in', '/sign-out', '/consent', '/connections'])
const ENDPOINTS = new Set(['/token', '/register', '/revoke', '/introspect'])

/** What is wrong with an answer, or undefined. */
function fault({ path }: Sent, bytes: string, { status, headers, text }: Answer, url: string): string | undefined {
  if (status >= 500) return 'the server failed'
  if (status === 0 || headers.has('x-app')) return undefined
  // Express's own answer to a target of which it makes no path: nothing of the app was asked.
  if (/<pre>Cannot [A-Z]+ null<\/pre>/.test(text)) return undefined
  const location = headers.get('location')
  if (location !== null && !isOurs(location, url)) return `sent to ${location}`
  if (text.includes('    at ') || text.includes(ROBOT_SECRET)) return 'says too much'
  const type = headers.get('content-type')
  const isHead = bytes.startsWith('HEAD ')
  if (type?.startsWith('text/html') === true) {
    if (headers.get('content-security-policy')?.startsWith("default-src 'none'") !== true) return 'a page without a policy'
    if (headers.get('cache-control') !== 'no-store') return 'a page that is stored'
    // The one place where text from outside is let into a page is text.
    return /<script/i.test(text) ? 'a page with a script' : undefined
  }
  // Refused by node itself, before there is a path.
  if (status < 400 || type === null) return undefined
  const route = path.replace(/(.)\/$/, '$1')
  if (PAGES.has(route)) return status === 405 || /^host: evil|^authorization:/im.test(bytes) ? undefined : 'no page'
  if (!ENDPOINTS.has(route)) return undefined
  if (headers.get('cache-control') !== 'no-store') return 'an error that is stored'
  return isHead || isOAuthError(text) ? undefined : 'no OAuth error'
} // prettier-ignore

function isOurs(location: string, url: string): boolean {
  // On loopback the port is the client's own choice.
  if (/^http:\/\/127\.0\.0\.1(?::\d+)?\/callback\?/.test(location) || location.startsWith(`${WEB}&`)) return true
  return ['/consent', '/sign-in', '/connections'].some((page) => location === url + page || location.startsWith(`${url}${page}?`))
} // prettier-ignore

/** RFC 6749 5.2, with the letters that it allows. */
function isOAuthError(text: string): boolean {
  const { error, error_description: description } = JSON.parse(text) as Record<string, unknown>
  const letters = /^[\x20\x21\x23-\x5B\x5D-\x7E]+$/
  return [error, description].every((each) => typeof each === 'string' && letters.test(each))
}

/** Makes up batches of requests until a share of all runs is used up. */
async function fuzz<Request>(
  share: number,
  request: fc.Arbitrary<Request>,
  check: (requests: readonly Request[]) => Promise<void>,
): Promise<void> {
  const numRuns = Math.ceil((TOTAL * share) / BATCH)
  const batch = fc.array(request, { minLength: BATCH, maxLength: BATCH })
  // A failing batch names its offenders, so that it need not be shrunk.
  await fc.assert(fc.asyncProperty(batch, check), { numRuns, endOnFailure: true })
}

/** After all that, somebody new can still sign in, and nothing failed on the way. */
async function expectAlive({ url, failures }: Target): Promise<void> {
  const requests = clientsOf(url)
  const tokens = await requests.signIn(await requests.register())
  expect((await requests.call(tokens.access_token)).status).toBe(200)
  expect(failures).toEqual([])
  expect((Object.prototype as { x?: unknown }).x).toBeUndefined()
  expect(Object.keys(Object.prototype)).toEqual([])
}

/** Names what is valid anew every few batches, since much of it can be used once. */
function liveOf(target: Target): () => Promise<Live> {
  let turn = 0
  let live: Promise<Live>
  return () => {
    if (turn++ % LIVE_BATCHES === 0) live = target.live()
    return live
  }
}

const none: Make = () => undefined
const simple: Make = (app) => void app.use(express.json(), express.urlencoded({ extended: true }))
const wide: Make = (app) => {
  app.use(express4.json({ strict: false, limit: '1mb' }))
  app.use(express4.urlencoded({ extended: true, limit: '1mb', parameterLimit: 5000, type: () => true }))
}

test.each<[name: string, create: typeof express, parsers: Make, share: number]>([
  ['Express 5', express, none, 0.4],
  ['Express 5 behind its parsers', express, simple, 0.25],
  ['Express 4 behind parsers that take anything', express4, wide, 0.25],
])(
  'X9 X6 X2 requests of any kind are answered on %s',
  async (_name, create, parsers, share) => {
    const target = await startTarget(create, parsers)
    const live = liveOf(target)
    const seen = new Map<string, number>()
    await fuzz(share, wellFramed, async (requests) => {
      const pieces = await live()
      const bytes = requests.map((request) => frame(request.bytes, pieces))
      const answers = await sendAll(target.url, bytes)
      const wrong = requests.flatMap((request, index) => {
        const answer = answers[index] as Answer
        const key = `${request.path} ${answer.status}`
        seen.set(key, (seen.get(key) ?? 0) + 1)
        const why = fault(request, bytes[index] as string, answer, target.url)
        return why === undefined ? [] : [{ why, request: request.bytes, answer: { ...answer, headers: [...answer.headers] } }]
      }) // prettier-ignore
      expect(wrong).toEqual([])
      expect(target.failures).toEqual([])
    })
    // Requests made by chance get nowhere unless they are nearly right: these were.
    const reached = ['/authorize 302', '/token 200', '/register 201', '/revoke 200', '/introspect 200', '/consent 303', '/sign-in 303', '/connections 303', '/sign-out 303', '/token 413'] // prettier-ignore
    if (TOTAL >= 50_000) expect(reached.filter((key) => !seen.has(key))).toEqual([])
    await expectAlive(target)
  },
  TIMEOUT,
)

test(
  'X9 X1 requests that are broken, cut off, or of another length than they say end in no failure',
  async () => {
    const target = await startTarget(express, none)
    const live = liveOf(target)
    const broken = fc
      .tuple(
        wellFramed,
        fc.constantFrom('0', '5', '99999', '-1', '1e3', '0x10', '5, 6', '', 'NaN', 'COUNTED', 'COUNTED'),
        fc.nat(600),
        fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 4 }),
        fc.nat(5),
      )
      .map(([{ bytes }, length, place, put, drop]) => {
        const lied = length === 'COUNTED' ? bytes : bytes.replace(LENGTH, `Content-Length: ${length}`)
        const cut = place % (lied.length + 1)
        return lied.slice(0, cut) + String.fromCharCode(...put) + lied.slice(cut + drop)
      })
    await fuzz(0.1, broken, async (requests) => {
      const pieces = await live()
      const sent = requests.map((bytes) => (bytes.includes('\r\n\r\n') ? frame(bytes, pieces) : fill(bytes, pieces)))
      const answers = await Promise.all(sent.map((bytes) => sendAndEnd(target.url, bytes)))
      expect(requests.filter((_request, index) => /^HTTP\/1\.1 5/m.test(answers[index] as string))).toEqual([])
      expect(target.failures).toEqual([])
    }) // prettier-ignore
    await expectAlive(target)
  },
  TIMEOUT,
)

function sendAndEnd(url: string, bytes: string): Promise<string> {
  return new Promise((resolve) => {
    let answer = ''
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString('latin1')
    })
    // A connection that is reset is an answer too.
    socket.on('error', () => undefined)
    socket.on('close', () => {
      resolve(answer)
    })
    socket.end(bytes, 'latin1')
  })
}

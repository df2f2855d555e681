// Attacks by chance: threat row X9. FUZZ_RUNS requests (default 50,000) over real connections. jest itself fails a test during
// which an exception goes uncaught or a rejection unhandled, so that nothing here has to listen for them.
import { connect } from 'node:net'
import { gzipSync } from 'node:zlib'
import { beforeAll, describe, expect, test } from '@jest/globals'
import express, { type Express } from 'express'
import express4 from 'express4'
import { JWTVerifier, type McpAuthOptions, MultiAuth, StaticTokenVerifier, mcpAuth } from 'express-mcp-auth'
import fc from 'fast-check'
import {
  ISSUER,
  type Json,
  RESOURCE,
  createKey,
  createToken,
  encode,
  signParts,
  startKeySet,
} from '../support/issuer.js'
import { startServer } from '../support/site.js'
import { type Answer, closing, pipeline, resourceServer } from './attempt.js'

const TOTAL = Number(process.env['FUZZ_RUNS'] ?? 50_000)
const BATCH = 100
/** Longer than any other test, in proportion. */
const TIMEOUT = 60_000 + TOTAL * 10

const key = createKey('ES256')
const GOOD = 'good-token'
let source: MultiAuth

beforeAll(async () => {
  const { url } = closing(await startKeySet(key))
  source = new MultiAuth({
    verifiers: [
      new JWTVerifier({ jwksUri: url, issuer: ISSUER, audience: RESOURCE }),
      new StaticTokenVerifier({ tokens: { [GOOD]: { clientId: 'client-1', scopes: ['read'] } } }),
    ],
  })
})

/** What the app behind the guard did, and what it got to see. */
interface Target {
  readonly url: string
  readonly bodies: unknown[]
  /** The numbers of the requests that reached the handler. */
  readonly passed: string[]
}

async function startFuzzTarget(make: () => Express, options: McpAuthOptions = {}): Promise<Target> {
  const target = { url: '', bodies: [] as unknown[], passed: [] as string[] }
  const app = make()
  app.use(mcpAuth(resourceServer(source), { onEvent: () => undefined, ...options }))
  app.use(express.json({ strict: false, type: () => true }))
  app.use((request, response) => {
    target.passed.push(String(request.headers['x-number']))
    target.bodies.push(request.body)
    response.end('handled')
  })
  return Object.assign(target, { url: closing(await startServer(app)).url })
}

/** Makes up batches of requests until a share of all runs is used up. */
async function fuzz(
  share: number,
  request: fc.Arbitrary<string>,
  check: (requests: readonly string[]) => Promise<void>,
): Promise<void> {
  const numRuns = Math.ceil((TOTAL * share) / BATCH)
  const batch = fc.array(request, { minLength: BATCH, maxLength: BATCH })
  // A failing batch names its offenders, so that it need not be shrunk.
  await fc.assert(fc.asyncProperty(batch, check), { numRuns, endOnFailure: true })
}

/** The requests whose answers are none that a guarded app may give. */
function offenders(
  requests: readonly string[],
  answers: readonly Answer[],
  isRight: (status: number, request: string) => boolean,
): unknown[] {
  expect(answers).toHaveLength(requests.length)
  return requests
    .map((request, index) => ({ request, status: (answers[index] as Answer).status }))
    .filter(({ request, status }) => !isRight(status, request))
}

// Text that node's parser lets through in the value of a header.
const headerText = fc
  .array(
    fc.oneof(fc.integer({ min: 0x20, max: 0x7e }), fc.integer({ min: 0x80, max: 0xff }), fc.constant(9)),
    {
      maxLength: 60,
    },
  )
  .map((codes) => String.fromCharCode(...codes))
const token68 = fc.stringMatching(/^[A-Za-z0-9._~+/=-]{0,80}$/)
const headerName = fc.oneof(
  fc.constantFrom(
    'X-A', '__proto__', 'constructor', 'Cookie', 'Origin', 'Mcp-Session-Id', 'Mcp-Method', 'Mcp-Name', 'X-Forwarded-For', 'X-Forwarded-Host',
    'Accept', 'Content-Type', 'Access-Control-Request-Headers', 'X-HTTP-Method-Override', 'If-None-Match', 'Range', 'Proxy-Authorization',
  ), // prettier-ignore
  fc
    .stringMatching(/^[A-Za-z][A-Za-z0-9-]{0,20}$/)
    .filter(
      (name) =>
        !/^(?:host|authorization|x-number|connection|expect|upgrade|te|trailer|content-length|transfer-encoding|keep-alive|proxy-connection|http2-settings)$/i.test(
          name,
        ),
    ),
)
const path = fc.oneof(
  { arbitrary: fc.constantFrom('/mcp', '/', '/.well-known/oauth-protected-resource', '/.well-known/openid-configuration'), weight: 2 },
  fc.stringMatching(/^\/[!-~]{0,40}$/),
  fc.array(fc.constantFrom('/', '.', '..', '%2e', '%2f', '%5c', '\\', 'mcp', 'MCP', '//', ';', '?', '#', '%', '%zz', '%00', '.well-known'), { maxLength: 8 }).map((parts) => `/${parts.join('')}`),
) // prettier-ignore
// node's parser refuses some of these and then closes the connection, so each has one for itself.
const oddTarget = fc.oneof(
  fc.constantFrom('*', 'mcp', '?', 'http://', 'http:///mcp', '\\mcp'),
  fc.tuple(fc.constantFrom('http', 'https', 'HTTP', 'x'), fc.stringMatching(/^[a-z0-9.:@[\]-]{0,20}$/), fc.stringMatching(/^(?:\/[!-~]{0,20})?$/)).map(([scheme, host, rest]) => `${scheme}://${host}${rest}`),
) // prettier-ignore
const method = fc.constantFrom('GET', 'GET', 'POST', 'HEAD', 'OPTIONS', 'PUT', 'DELETE', 'PATCH', 'TRACE') // prettier-ignore
const authorization = fc.oneof(
  fc.tuple(fc.constantFrom('Bearer', 'bearer', 'BEARER', 'Basic', 'DPoP', 'Bearer,', ''), fc.constantFrom(' ', '  ', '\t', ''), fc.oneof(headerText, token68)).map((parts) => parts.join('')),
  headerText,
  fc.constantFrom(`Bearer ${GOOD}`, `Bearer ${GOOD} `, `Bearer ${GOOD},`, `Bearer ${GOOD}=`, `bEARER   ${GOOD}`, `Bearer ${GOOD.toUpperCase()}`),
) // prettier-ignore
const headerLines = fc
  .tuple(
    fc.array(authorization.map((value) => `Authorization: ${value}`), { maxLength: 2 }),
    fc.array(fc.tuple(headerName, headerText).map(([name, value]) => `${name}: ${value}`), { maxLength: 4 }),
  )
  .map(([one, other]) => [...one, ...other]) // prettier-ignore

/** A token that is good, and alone, is the only way to the handler. */
function mayPass(request: string): boolean {
  const values = [...request.matchAll(/^authorization:[ \t]*(.*?)[ \t]*\r$/gim)].map(([, value]) => value)
  return (
    values.length === 1 &&
    /^bearer +good-token$/i.test(values[0] as string) &&
    values[0]?.endsWith(GOOD) === true
  )
}

describe.each([
  ['Express 5', express],
  ['Express 4', express4],
])('X9 %s', (_name, make) => {
  test.each([
    ['', 0.18, path, pipeline],
    [' that may be no path', 0.02, oddTarget, oneByOne],
  ] as const)(
    'X9 headers and methods of any kind, with a target%s',
    async (_kind, share, target, send) => {
      const site = await startFuzzTarget(make)
      const request = fc
        .tuple(method, target, headerLines)
        .map(([verb, to, lines]) => [`${verb} ${to} HTTP/1.1`, 'Host: a', ...lines, '', ''].join('\r\n'))
      await fuzz(share, request, async (requests) => {
        site.passed.length = 0
        const numbered = requests.map((each, index) =>
          each.replace('Host: a', `Host: a\r\nX-Number: ${index}`),
        )
        const answers = await send(site.url, numbered)
        const wrong = offenders(requests, answers, (status, sent) =>
          status === 200 ? mayPass(sent) || isMetadata(sent) : [204, 400, 401, 404, 405].includes(status),
        )
        expect(wrong).toEqual([])
        expect(
          site.passed.map((number) => requests[Number(number)] as string).filter((each) => !mayPass(each)),
        ).toEqual([])
      })
      await expectAlive(site.url)
    },
    TIMEOUT,
  )

  test(
    'X9 bodies of any kind, held against toolScopes',
    async () => {
      const site = await startFuzzTarget(make, {
        toolScopes: {
          tools: { delete: ['admin'], 'admin_*': ['admin'], constructor: ['admin'], __proto__x: ['admin'] },
          resources: { 'file:///secret': ['admin'], 'file:///vault/*': ['admin'] },
          prompts: { secret: ['admin'] },
          methods: { 'logging/*': ['admin'], 'server/stop': ['admin'] },
        },
      })
      await fuzz(0.2, bodyRequest, async (requests) => {
        site.bodies.length = 0
        const answers = await pipeline(site.url, requests)
        const wrong = offenders(requests, answers, (status) =>
          [200, 400, 403, 404, 413, 415].includes(status),
        )
        expect(wrong).toEqual([])
        expect(site.bodies.filter(needsAdmin)).toEqual([])
      })
      expect(site.passed).not.toEqual([])
    },
    TIMEOUT,
  )
})

test(
  'X9 tokens of any kind',
  async () => {
    const site = await startFuzzTarget(express)
    const good = createToken(key, { jti: 'to be broken' })
    const name = fc.constantFrom(
      'alg',
      'kid',
      'typ',
      'iss',
      'aud',
      'exp',
      'nbf',
      'iat',
      'sub',
      'scope',
      'cnf',
      '__proto__',
    )
    // Never the resource, so that none of the signed ones is good by chance.
    const value = fc.oneof(
      fc.jsonValue({ maxDepth: 3 }),
      fc.constantFrom<unknown>('ES256', 'none', 'HS256', key.kid, 'at+jwt', ISSUER, 2e9, 1e308, -1),
    )
    const members = fc.dictionary(name, value, { maxKeys: 8 })
    const token = fc.oneof(
      fc.array(fc.stringMatching(/^[A-Za-z0-9_-]{0,40}$/), { maxLength: 6 }).map((parts) => parts.join('.')),
      fc.tuple(members, members, token68).map(([header, claims, end]) => `${encode(header)}.${encode(claims)}.${end}`),
      fc
        .tuple(fc.json({ maxDepth: 6 }), fc.json({ maxDepth: 6 }))
        .map(([header, claims]) => `${encode(header)}.${encode(claims)}.${encode('x')}`),
      fc
        .tuple(fc.nat(good.length - 1), fc.stringMatching(/^[A-Za-z0-9._~+/=-]{0,3}$/), fc.nat(3))
        .map(([at, put, drop]) => good.slice(0, at) + put + good.slice(at + drop))
        .filter((broken) => broken !== good),
      fc
        .tuple(fc.dictionary(name, value, { maxKeys: 2 }), members)
        .map(([header, claims]) => signParts({ alg: 'ES256', kid: key.kid, ...header }, claims, key)),
    ) // prettier-ignore
    const request = token.map(
      (each) => `GET /mcp HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${each}\r\n\r\n`,
    )
    await fuzz(0.18, request, async (requests) => {
      const answers = await pipeline(site.url, requests)
      expect(offenders(requests, answers, (status) => status === 401)).toEqual([])
    })
    expect(site.passed).toEqual([])
  },
  TIMEOUT,
)

test(
  'X9 bytes of any kind',
  async () => {
    const site = await startFuzzTarget(express, { toolScopes: { tools: { delete: ['admin'] } } })
    const whole = fc
      .tuple(
        method,
        fc.oneof(path, oddTarget),
        headerLines,
        fc.string({ unit: 'binary-ascii', maxLength: 30 }),
      )
      .map(([verb, path, lines, body]) =>
        [`${verb} ${path} HTTP/1.1`, 'Host: a', ...lines, `Content-Length: ${body.length}`, '', body].join(
          '\r\n',
        ),
      )
    const broken = fc
      .tuple(whole, fc.nat(400), fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 4 }), fc.nat(5))
      .map(([request, at, put, drop]) => {
        const place = at % (request.length + 1)
        return request.slice(0, place) + String.fromCharCode(...put) + request.slice(place + drop)
      })
    await fuzz(0.02, broken, async (requests) => {
      const answers = await Promise.all(requests.map((request) => sendAndEnd(site.url, request)))
      const wrong = requests.filter(
        (request, index) => / 5\d\d /.test(statusLines(answers[index] as string)) && request !== '',
      )
      expect(wrong).toEqual([])
    })
    await expectAlive(site.url)
  },
  TIMEOUT,
)

test('X9 after all that, Object.prototype is as it was', () => {
  expect(({} as Json)['x']).toBeUndefined()
  expect(Object.keys(Object.prototype)).toEqual([])
})

/** After all that, who holds a good token is still served. */
async function expectAlive(url: string): Promise<void> {
  const answers = await pipeline(url, [
    `GET /mcp HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${GOOD}\r\n\r\n`,
  ])
  expect(answers.map(({ status, text }) => [status, text])).toEqual([[200, 'handled']])
}

function isMetadata(request: string): boolean {
  return request.includes('/.well-known/oauth-protected-resource')
}

/** Sends each request over a connection of its own. One that is closed without a word is counted as refused by node. */
function oneByOne(url: string, requests: readonly string[]): Promise<Answer[]> {
  return Promise.all(
    requests.map(async (request) => {
      const [answer] = await pipeline(url, [request])
      return answer ?? { status: 400, headers: new Headers(), text: '' }
    }),
  )
}

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

function statusLines(answer: string): string {
  return [...answer.matchAll(/^HTTP\/1\.1 \d+ .*$/gm)].join('\n')
}

const message = fc
  .record(
    {
      jsonrpc: fc.constantFrom<unknown>('2.0', 2, null),
      id: fc.oneof(fc.nat(9), fc.constant(null)),
      method: fc.oneof(
        fc.constantFrom<unknown>('tools/call', 'tools/list', 'resources/read', 'resources/subscribe', 'prompts/get', 'completion/complete', 'ping', 'logging/setLevel', 'server/stop', 'TOOLS/CALL', '__proto__'),
        fc.jsonValue({ maxDepth: 1 }),
      ),
      params: fc.oneof(
        fc.record(
          {
            name: fc.oneof(fc.constantFrom<unknown>('delete', 'list', 'admin_x', 'secret', 'constructor', '__proto__', 'toString'), fc.jsonValue({ maxDepth: 1 })),
            uri: fc.oneof(fc.constantFrom<unknown>('file:///secret', 'FILE:///secret', 'file:///vault/x', 'file:///public', 'file:///a/../secret', 'file:///%73ecret', ':::'), fc.jsonValue({ maxDepth: 1 })),
          },
          { requiredKeys: [] },
        ),
        fc.jsonValue({ maxDepth: 2 }),
      ),
      result: fc.jsonValue({ maxDepth: 1 }),
    },
    { requiredKeys: [] },
  )
  .map((value) => JSON.stringify(value)) // prettier-ignore
const UTF7 =
  '{"method":"ping","x":"+ACI-,+ACI-method+ACI-:+ACI-tools/call+ACI-,+ACI-params+ACI-:+AHsAIg-name+ACI-:+ACI-delete+ACI-+AH0-,+ACI-y+ACI-:+ACI-"}'
const bodyText = fc.oneof(
  { arbitrary: message, weight: 4 },
  fc.array(message, { maxLength: 4 }).map((messages) => `[${messages.join(',')}]`),
  fc.tuple(message, message).map(([one, other]) => `${one.slice(0, -1)},${other.slice(1)}`),
  fc.tuple(message, fc.nat(200)).map(([text, at]) => text.slice(0, at)),
  fc.tuple(message, fc.nat(100), fc.string({ maxLength: 3 })).map(([text, at, put]) => text.slice(0, at) + put + text.slice(at)),
  fc.json({ maxDepth: 4 }),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.constant(UTF7),
  fc.constantFrom('', ' ', '\ufeff{}', '[[]]', 'null', '{"__proto__":{"x":1}}', `{"a":${'['.repeat(3000)}`),
) // prettier-ignore
const bodyBytes = fc.oneof(
  { arbitrary: bodyText.map((text) => Buffer.from(text)), weight: 6 },
  bodyText.map((text) => Buffer.from(text, 'utf16le')),
  bodyText.map((text) => Buffer.from(text, 'latin1')),
  bodyText.map((text) => gzipSync(text)),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
)
const CONTENT_TYPES = [
  'application/json', 'application/json; charset=utf-8', 'application/json; charset="UTF-8"', 'application/json; charset=utf-7', 'application/json; charset=utf-8; charset=utf-7',
  'application/json; x="; charset=utf-8"; charset=utf-7', 'application/json; charset=utf-16', 'application/json; charset=utf-16le', 'application/json;charset=', 'text/plain',
  'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/json; charset=latin1', '', ';', 'application/json; charset="utf-8;utf-7"',
] // prettier-ignore
const contentType = fc.oneof(
  fc.constantFrom(...CONTENT_TYPES),
  fc.array(fc.constantFrom('charset', '=', 'utf-7', 'utf-8', '"', ';', ' ', '*', "''", '\\', 'x', '\t', ','), { maxLength: 10 }).map((parts) => `application/json;${parts.join('')}`),
) // prettier-ignore
const routing = fc.array(
  fc.tuple(fc.constantFrom('Mcp-Method', 'Mcp-Name', 'Mcp-Session-Id'), fc.oneof(fc.constantFrom('tools/call', 'delete', 'list', 'ping', '=?base64?ZGVsZXRl?=', '=?base64?!!?='), headerText)),
  { maxLength: 1 },
) // prettier-ignore

const bodyRequest = fc
  .record({
    verb: fc.constantFrom('POST', 'POST', 'POST', 'PUT', 'DELETE', 'PATCH'),
    type: contentType,
    encoding: fc.constantFrom(undefined, undefined, undefined, 'gzip', 'deflate', 'br', 'identity', 'x', ''),
    lines: routing,
    bytes: bodyBytes,
    chunk: fc.option(fc.integer({ min: 1, max: 50 }), { freq: 3, nil: undefined }),
  })
  .map(({ verb, type, encoding, lines, bytes, chunk }) => {
    const body = bytes.toString('latin1')
    return [
      `${verb} /mcp HTTP/1.1`,
      'Host: a',
      `Authorization: Bearer ${GOOD}`,
      `Content-Type: ${type}`,
      ...(encoding === undefined ? [] : [`Content-Encoding: ${encoding}`]),
      ...lines.map(([name, value]) => `${name}: ${value}`),
      chunk === undefined ? `Content-Length: ${body.length}` : 'Transfer-Encoding: chunked',
      '',
      chunk === undefined ? body : chunked(body, chunk),
    ].join('\r\n')
  })

function chunked(body: string, size: number): string {
  const parts = body.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? []
  return [...parts, ''].map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('')
}

/** Whether a server would do something for this body that only admins may ask for; said as plainly as can be. */
function needsAdmin(body: unknown): boolean {
  if (Array.isArray(body)) return body.some(needsAdmin)
  const { method: asked, params } = (body ?? {}) as {
    method?: unknown
    params?: { name?: unknown; uri?: unknown } | null
  }
  if (asked === 'server/stop' || (typeof asked === 'string' && asked.startsWith('logging/'))) return true
  const { name, uri } = params ?? {}
  if (asked === 'tools/call')
    return (
      name === 'delete' || name === 'constructor' || (typeof name === 'string' && name.startsWith('admin_'))
    )
  if (asked === 'prompts/get') return name === 'secret'
  if (asked !== 'resources/read' && asked !== 'resources/subscribe') return false
  return (
    typeof uri === 'string' && URL.canParse(uri) && /^file:\/\/\/(?:secret$|vault\/)/.test(new URL(uri).href)
  )
}

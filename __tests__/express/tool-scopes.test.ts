import { connect } from 'node:net'
import { buffer, text } from 'node:stream/consumers'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { afterEach, describe, expect, it } from '@jest/globals'
import express from 'express'
import {
  type AuthHandler,
  type AuthProvider,
  ConfigError,
  type McpAuthOptions,
  RemoteAuthProvider,
  StaticTokenVerifier,
  type ToolScopes,
  mcpAuth,
  requireToolScopes,
} from 'express-mcp-auth'
import express4 from 'express4'
import fc from 'fast-check'
import { configErrorOf } from '../support/config-error.js'
import { HOSTS, type Handler, type Host, type HostName, startHost } from '../support/hosts.js'
import { refusalOf } from '../support/site.js'

const POINTER = 'resource_metadata="https://api.example.com/.well-known/oauth-protected-resource/mcp"'
const NOT_STORED = { cache: 'no-store', vary: 'Authorization' }
const toolScopes: ToolScopes = {
  tools: { secret: ['admin'], both: ['notes', 'admin'], note: ['notes'], 'danger_*': ['admin'] },
  resources: { 'file:///secret': ['admin'] },
  prompts: { secret: ['admin'] },
  methods: { 'logging/setLevel': ['admin'] },
}

const call = (name: unknown): object => ({
  jsonrpc: '2.0',
  id: 1,
  method: 'tools/call',
  params: { name, arguments: {} },
})
const read = (uri: string): object => ({ jsonrpc: '2.0', id: 1, method: 'resources/read', params: { uri } })
const response = { jsonrpc: '2.0', id: 1, result: {} }
const OPEN = call('open')
const SECRET = call('secret')

const provider = (more: Partial<AuthProvider> = {}): AuthProvider =>
  Object.assign(
    new RemoteAuthProvider({
      baseUrl: 'https://api.example.com',
      authorizationServers: ['https://login.example.com'],
      tokenVerifier: new StaticTokenVerifier({ tokens: { t: { clientId: 'c', scopes: ['notes'] } } }),
    }),
    more,
  )

/** A guard with tool scopes, or a guard and the handler behind it. */
const WAYS = ['mcpAuth', 'requireToolScopes'] as const
const guards = (way: (typeof WAYS)[number], options: McpAuthOptions = {}, of = provider()): AuthHandler[] => {
  const onEvent = (): void => undefined
  return way === 'mcpAuth'
    ? [mcpAuth(of, { toolScopes, onEvent, ...options })]
    : [mcpAuth(of, { onEvent, ...options }), requireToolScopes(toolScopes)]
}

const cleanUp: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of cleanUp.splice(0)) await close()
})
const start = async (
  handlers: AuthHandler[],
  last?: Handler,
  name: HostName = 'Express 5',
): Promise<Host> => {
  const host = await startHost(name, handlers, last)
  cleanUp.push(() => host.close())
  return host
}
const post = (
  url: string,
  body: unknown,
  headers: Record<string, string> = {},
  init: object = {},
): Promise<Response> =>
  fetch(url, {
    method: 'POST',
    headers: { authorization: 'Bearer t', 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' || body instanceof Uint8Array ? body : JSON.stringify(body),
    signal: AbortSignal.timeout(5000),
    ...init,
  })

/** Answers with the body as the handler sees it: what a parser made of it, or the bytes of the stream. */
const echo: Handler = (request, answer) => {
  if (request.body !== undefined) answer.end(JSON.stringify(request.body))
  else void buffer(request).then((bytes) => answer.end(bytes))
}

const REFUSED = {
  status: 403,
  challenge: `Bearer error="insufficient_scope", error_description="This needs the scope admin", scope="admin", ${POINTER}`,
  body: { error: 'insufficient_scope', error_description: 'This needs the scope admin' },
  ...NOT_STORED,
}

describe.each(WAYS)('tool scopes by %s', (way) => {
  it.each(HOSTS)('%s: refuse a tool before it runs, and let others pass', async (name) => {
    const { url, handled } = await start(guards(way), echo, name)
    expect(await refusalOf(await post(url, SECRET))).toEqual(REFUSED)
    expect(handled()).toBe(0)
    expect(await (await post(url, OPEN)).json()).toEqual(OPEN)
  })

  describe('wherever the body is parsed', () => {
    const places: readonly [rule: string, handlers: (create: typeof express) => AuthHandler[]][] = [
      ['before', (create) => [create.json() as never, ...guards(way)]],
      ['behind', (create) => [...guards(way), create.json() as never]],
      ['nowhere: the handler reads the stream itself', () => guards(way)],
      ['as text before', (create) => [create.text({ type: '*/*' }) as never, ...guards(way)]],
      ['as bytes before', (create) => [create.raw({ type: '*/*' }) as never, ...guards(way)]],
      [
        'before, but only for another type',
        (create) => [create.json({ type: 'application/other' }) as never, ...guards(way)],
      ],
    ]

    it.each(
      places.flatMap(([rule, handlers]) => [
        [`Express 5: ${rule}`, 'Express 5' as const, handlers],
        [`Express 4: ${rule}`, 'Express 4' as const, handlers],
      ]) as [string, 'Express 5' | 'Express 4', (create: typeof express) => AuthHandler[]][],
    )('%s', async (_rule, name, handlers) => {
      const { url, handled } = await start(handlers(name === 'Express 5' ? express : express4), echo, name)
      expect(await refusalOf(await post(url, SECRET))).toEqual(REFUSED)
      expect(await refusalOf(await post(url, [OPEN, SECRET]))).toEqual(REFUSED)
      expect(handled()).toBe(0)
      for (const body of [OPEN, call('note'), [OPEN, response]])
        expect((await post(url, body)).status).toBe(200)
      expect(handled()).toBe(3)
    })

    it('compressed, with a parser behind that decompresses', async () => {
      for (const [encoding, compress] of [
        ['gzip', gzipSync],
        ['deflate', deflateSync],
      ] as const) {
        const { url, handled } = await start([...guards(way), express.json() as never], echo)
        const headers = { 'content-encoding': encoding }
        expect(await refusalOf(await post(url, compress(JSON.stringify(SECRET)), headers))).toEqual(REFUSED)
        expect(await (await post(url, compress(JSON.stringify(OPEN)), headers)).json()).toEqual(OPEN)
        expect(handled()).toBe(1)
      }
    })

    it('in chunks, without a length', async () => {
      const { url, handled } = await start([...guards(way), express.json() as never], echo)
      const pieces = (message: object): ReadableStream =>
        new ReadableStream({
          start: (controller) => {
            const bytes = Buffer.from(JSON.stringify(message))
            for (let at = 0; at < bytes.length; at += 10) controller.enqueue(bytes.subarray(at, at + 10))
            controller.close()
          },
        })
      expect(await refusalOf(await post(url, '', {}, { body: pieces(SECRET), duplex: 'half' }))).toEqual(
        REFUSED,
      )
      expect(handled()).toBe(0)
      expect(await (await post(url, '', {}, { body: pieces(OPEN), duplex: 'half' })).json()).toEqual(OPEN)
    })

    it('with a byte order mark', async () => {
      const { url, handled } = await start([...guards(way), express.json() as never], echo)
      expect(await refusalOf(await post(url, `\ufeff${JSON.stringify(SECRET)}`))).toEqual(REFUSED)
      expect(handled()).toBe(0)
    })
  })

  it('leave every byte to the next reader', async () => {
    const { url } = await start(guards(way), echo)
    const messages = fc.record({
      jsonrpc: fc.constant('2.0'),
      id: fc.jsonValue(),
      method: fc.string(),
      params: fc.jsonValue(),
    })
    await fc.assert(
      fc.asyncProperty(messages, fc.nat(3), async (message, space) => {
        const written = JSON.stringify(
          message.method.includes('/') ? { ...message, method: 'ping' } : message,
          null,
          space,
        )
        const answer = await post(url, written)
        expect(answer.status).toBe(200)
        expect(await answer.text()).toBe(written)
      }),
      { numRuns: 50 },
    )
  })

  it.each<[rule: string, body: unknown]>([
    ['a tool', SECRET],
    ['a tool by pattern', call('danger_zone')],
    ['a prompt', { method: 'prompts/get', params: { name: 'secret' } }],
    ['a resource', read('file:///secret')],
    ['a subscription', { method: 'resources/subscribe', params: { uri: 'file:///secret' } }],
    ['a method', { method: 'logging/setLevel', params: { level: 'debug' } }],
    ['a notification of it', { jsonrpc: '2.0', method: 'tools/call', params: { name: 'secret' } }],
    ['a batch with it', [OPEN, response, SECRET]],
    ['a resource in another spelling', read('FILE:///a/../secret')],
    ['a resource in an encoded spelling', read('file:///%73ecret?x')],
    [
      'a repeated member, of which the last counts',
      '{"method":"tools/call","params":{"name":"open"},"params":{"name":"secret"}}',
    ],
    [
      'a method in another spelling of JSON',
      '{"\\u006dethod":"tools\\/call","params":{"name":"\\u0073ecret"}}',
    ],
  ])('refuse %s', async (_rule, body) => {
    const { url, handled } = await start(guards(way), echo)
    expect(await refusalOf(await post(url, body))).toEqual(REFUSED)
    expect(handled()).toBe(0)
  })

  it('name every scope that the operation needs in one challenge, with those of every request', async () => {
    const of = provider({ requiredScopes: ['notes'], challengeScopes: ['notes'] })
    const { url } = await start(guards(way, {}, of), echo)
    expect(await refusalOf(await post(url, [call('both'), OPEN, SECRET]))).toMatchObject({
      status: 403,
      challenge: expect.stringContaining('scope="notes admin"'),
    })
  })

  it.each(['constructor', '__proto__', 'toString', 'hasOwnProperty'])(
    'take a tool called %s for one without a rule',
    async (name) => {
      const { url, handled } = await start(guards(way), echo)
      expect((await post(url, call(name))).status).toBe(200)
      expect(handled()).toBe(1)
    },
  )

  it('ask nothing of responses', async () => {
    const { url, handled } = await start(guards(way), echo)
    for (const body of [response, [response, response], []]) expect((await post(url, body)).status).toBe(200)
    expect(handled()).toBe(3)
  })

  it('let a broader scope stand for a narrower one', async () => {
    const { url } = await start(
      guards(way, { scopeImplies: (held, needed) => held === 'notes' && needed === 'admin' }),
      echo,
    )
    expect((await post(url, SECRET)).status).toBe(200)
  })

  it.each(['POST', 'PUT', 'PATCH', 'DELETE', 'QUERY'])(
    'look at the body of %s: an app may answer any method',
    async (method) => {
      const { url, handled } = await start(guards(way), echo)
      expect((await post(url, SECRET, {}, { method })).status).toBe(403)
      expect(handled()).toBe(0)
    },
  )

  it('let requests without a body pass', async () => {
    const { url, handled } = await start(guards(way), echo)
    for (const method of ['GET', 'DELETE', 'POST']) {
      expect((await fetch(url, { method, headers: { authorization: 'Bearer t' } })).status).toBe(200)
    }
    expect(handled()).toBe(3)
  })

  it.each<
    [rule: string, body: unknown, headers: Record<string, string>, status: number, description: string]
  >([
    ['what is not JSON', '{', {}, 400, 'The body is not JSON in UTF-8'],
    ['what is no message', '"text"', {}, 400, 'The body is not a JSON-RPC message'],
    [
      'a call that does not say which tool',
      call(undefined),
      {},
      400,
      'tools/call does not say what it is for',
    ],
    ['a call by a list', call(['secret']), {}, 400, 'tools/call does not say what it is for'],
    [
      'another method in the header',
      SECRET,
      { 'mcp-method': 'tools/list' },
      400,
      'The Mcp-Method header does not agree with the body',
    ],
    [
      'another name in the header',
      SECRET,
      { 'mcp-method': 'tools/call', 'mcp-name': 'open' },
      400,
      'The Mcp-Name header does not agree with the body',
    ],
    [
      'two names in the header',
      OPEN,
      { 'mcp-name': 'open, secret' },
      400,
      'The Mcp-Name header does not agree with the body',
    ],
    [
      'another charset',
      OPEN,
      { 'content-type': 'application/json; charset=utf-16le' },
      415,
      'JSON is UTF-8 (RFC 8259 8.1)',
    ],
    [
      'an unknown encoding',
      OPEN,
      { 'content-encoding': 'zstd' },
      415,
      'The content encoding is not supported',
    ],
    [
      'brotli',
      brotliCompressSync(JSON.stringify(OPEN)),
      { 'content-encoding': 'br' },
      415,
      'The content encoding is not supported',
    ],
    ['more than 4 MiB', 'x'.repeat(4 * 1024 * 1024 + 1), {}, 413, 'The body is larger than 4194304 bytes'],
  ])('refuse %s without a challenge', async (_rule, body, headers, status, description) => {
    const { url, handled } = await start(guards(way), echo)
    expect(await refusalOf(await post(url, body, headers))).toEqual({
      status,
      challenge: null,
      body: { error: 'invalid_request', error_description: description },
      ...NOT_STORED,
    })
    expect(handled()).toBe(0)
  })

  it('take headers that agree with the body', async () => {
    const { url } = await start(guards(way), echo)
    const named = { 'mcp-method': 'tools/call', 'mcp-name': 'open' }
    expect((await post(url, OPEN, named)).status).toBe(200)
    const encoded = { 'mcp-name': `=?base64?${Buffer.from('öffnen').toString('base64')}?=` }
    expect((await post(url, call('öffnen'), encoded)).status).toBe(200)
  })

  it.each([
    ['two charsets', 'application/json; charset=utf-8; charset=utf-7'],
    ['a charset within another parameter', 'application/json; a="; charset=utf-8"; charset=utf-7'],
  ])('are not led astray by %s: the parser behind would read another call', async (_rule, type) => {
    const written =
      '{"jsonrpc":"2.0","id":1,"method":"ping","x":"+ACI-,+ACI-method+ACI-:+ACI-tools/call+ACI-,+ACI-params+ACI-:+AHs-+ACI-name+ACI-:+ACI-secret+ACIAfQ-,+ACI-y+ACI-:+ACI-"}'
    for (const [name, create] of [
      ['Express 5', express],
      ['Express 4', express4],
    ] as const) {
      const { url, handled } = await start([...guards(way), create.json() as never], echo, name)
      expect((await post(url, written, { 'content-type': type })).status).toBe(415)
      expect(handled()).toBe(0)
    }
  })

  it('answer an anonymous request 401 and name what it needs', async () => {
    const { url, handled } = await start(guards(way, { optional: true }), echo)
    const headers = { 'content-type': 'application/json' }
    const anonymous = (body: object): Promise<Response> =>
      fetch(url, { method: 'POST', headers, body: JSON.stringify(body) })
    expect(await refusalOf(await anonymous(SECRET))).toMatchObject({
      status: 401,
      challenge: `Bearer scope="admin", ${POINTER}`,
    })
    expect(handled()).toBe(0)
    expect((await anonymous(OPEN)).status).toBe(200)
  })

  it('are looked at after the token: a bad one is 401, whatever the body is', async () => {
    const { url } = await start(guards(way), echo)
    expect((await post(url, '{', { authorization: 'Bearer bad' })).status).toBe(401)
  })

  it.each(HOSTS)('%s: tell the host where the body was read and left nowhere', async (name) => {
    const consume: AuthHandler = (request, _response, next) => {
      void text(request).then(() => next())
    }
    const { url, handled, errors } = await start([consume, ...guards(way)], echo, name)
    expect((await post(url, OPEN)).status).toBe(500)
    expect(errors).toHaveLength(1)
    expect(errors[0]).toBeInstanceOf(ConfigError)
    expect(errors[0]).toMatchObject({
      code: 'ERR_MCP_AUTH_BODY',
      message: expect.stringContaining('express.json() before the guard'),
    })
    expect(handled()).toBe(0)
  })

  it('answer 503 where the comparison of scopes throws, whoever read the body: nothing could be decided', async () => {
    const scopeImplies = (): boolean => {
      throw new Error('no network')
    }
    for (const handlers of [
      guards(way, { scopeImplies }),
      [express.json() as never, ...guards(way, { scopeImplies })],
    ]) {
      const { url, handled, errors } = await start(handlers, echo)
      const answer = await post(url, SECRET)
      expect([answer.status, answer.headers.get('retry-after')]).toEqual([503, '5'])
      expect([handled(), errors]).toEqual([0, []])
    }
  })

  it.each([
    ['in chunks', 'Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['by its length', 'Content-Length: 00\r\n\r\n'],
  ])('let a body of no bytes pass, said %s, also where the verifier takes its time', async (_rule, rest) => {
    let release = (): void => undefined
    const of: AuthProvider = {
      verifyToken: () =>
        new Promise((resolve) => {
          release = () => resolve({ clientId: 'c' })
          setImmediate(() => setImmediate(release))
        }),
    }
    const { url, handled } = await start(guards(way, {}, of), (_request, answer) => answer.end('handled'))
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    socket.setTimeout(5000, () => socket.destroy(new Error('no answer')))
    socket.write(`POST / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer t\r\n${rest}`)
    expect(await text(socket)).toMatch(/^HTTP\/1.1 200 /)
    expect(handled()).toBe(1)
  })

  it.each(HOSTS)('%s: run nothing where the client goes away, and go on serving', async (name) => {
    const { url, handled, errors } = await start(guards(way), echo, name)
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    await new Promise<void>((resolve) => {
      socket.write(
        'POST / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer t\r\nContent-Length: 100\r\n\r\n{"meth',
        () => resolve(),
      )
    })
    socket.destroy()
    expect((await post(url, OPEN)).status).toBe(200)
    expect([handled(), errors]).toEqual([1, []])
  })

  it('answer what is too large while it still arrives, and end the connection', async () => {
    const { url, handled } = await start(guards(way), echo)
    const size = 16 * 1024 * 1024
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    const answered = text(socket)
    socket.write(
      `POST / HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer t\r\nTransfer-Encoding: chunked\r\n\r\n${size.toString(16)}\r\n`,
    )
    socket.write(Buffer.alloc(size, ' '))
    socket.write('\r\n0\r\n\r\n')
    const answer = await answered
    expect(answer).toMatch(/^HTTP\/1.1 413 /)
    expect(answer).toMatch(/\r\nConnection: close\r\n/i)
    expect(handled()).toBe(0)
  })

  it('can be read by a page, as the answers of the guard can', async () => {
    const { url } = await start(guards(way), echo)
    const answer = await post(url, SECRET, { origin: 'https://app.example.com' })
    expect(answer.headers.get('access-control-allow-origin')).toBe('*')
    expect(answer.headers.get('access-control-expose-headers')).toContain('WWW-Authenticate')
  })
})

describe('mcpAuth with toolScopes', () => {
  it('judges a body once more where requireToolScopes stands behind it', async () => {
    const onEvent = (): void => undefined
    const first = mcpAuth(provider(), { toolScopes: { tools: { note: ['notes'] } }, onEvent })
    const { url } = await start([first, requireToolScopes({ tools: { secret: ['admin'] } })], echo)
    expect((await post(url, SECRET)).status).toBe(403)
    expect(await (await post(url, call('note'))).json()).toEqual(call('note'))
  })

  it('tells the operator which scopes were lacking', async () => {
    const events: unknown[] = []
    const { url } = await start(
      [mcpAuth(provider(), { toolScopes, onEvent: (event) => events.push(event) })],
      echo,
    )
    await post(url, SECRET)
    expect(events.at(-1)).toEqual({
      type: 'request.refused',
      method: 'POST',
      path: '/',
      status: 403,
      error: 'insufficient_scope',
      reason: { stage: 'scope', expected: 'admin', got: 'notes' },
      clientId: 'c',
    })
  })
})

describe('requireToolScopes', () => {
  it.each(HOSTS)('%s: lets nobody through where no guard stands before it', async (name) => {
    const { url, handled } = await start([requireToolScopes(toolScopes)], echo, name)
    for (const body of [OPEN, SECRET, '{']) expect((await post(url, body)).status).toBe(401)
    expect((await fetch(url, { headers: { authorization: 'Bearer t' } })).status).toBe(401)
    expect(handled()).toBe(0)
  })

  it.each<[rule: string, scopes: unknown, code: string, message: RegExp]>([
    [
      'nothing',
      undefined,
      'ERR_MCP_AUTH_INVALID_OPTION',
      /^requireToolScopes takes an options object(?!.*new requireToolScopes)/,
    ],
    ['a list', [{ tools: {} }], 'ERR_MCP_AUTH_INVALID_OPTION', /^requireToolScopes takes an options object/],
    [
      'tools on the top level',
      { delete_note: ['a'] },
      'ERR_MCP_AUTH_UNKNOWN_OPTION',
      /no option "delete_note"\. Known: tools, resources, prompts, methods/,
    ],
    ['a misspelled kind', { tool: { a: ['b'] } }, 'ERR_MCP_AUTH_UNKNOWN_OPTION', /Did you mean "tools"\?/],
    [
      'scopes that are none',
      { tools: { a: ['b c'] } },
      'ERR_MCP_AUTH_INVALID_OPTION',
      /^requireToolScopes\.tools: "a" must be a list of scopes/,
    ],
  ])('refuses %s', (_rule, scopes, code, message) => {
    const error = configErrorOf(() => requireToolScopes(scopes as ToolScopes))
    expect(error.code).toBe(code)
    expect(error.message).toMatch(message)
  })
})

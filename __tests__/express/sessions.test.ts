import { afterEach, describe, expect, it } from '@jest/globals'
import { type McpAuthOptions, StaticTokenVerifier, mcpAuth } from 'express-mcp-auth'
import { createBindings, parseSessionBinding } from '../../lib/express/sessions.js'
import { configErrorOf } from '../support/config-error.js'
import { HOSTS, type Handler, type Host, type HostName, startHost } from '../support/hosts.js'

const provider = new StaticTokenVerifier({
  tokens: {
    alice: { clientId: 'c', subject: 'alice' },
    'alice-again': { clientId: 'c', subject: 'alice' },
    bob: { clientId: 'c', subject: 'bob' },
  },
})
const NOT_FOUND = { jsonrpc: '2.0', error: { code: -32001, message: 'Session not found' }, id: null }

const cleanUp: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of cleanUp.splice(0)) await close()
})

/** An MCP server of the kind with sessions: POST without one opens the session that the test names, if it names one. */
const mcp: Handler = (request, response) => {
  const { 'x-open': open, 'x-status': status = '200' } = request.headers
  response.writeHead(Number(status), typeof open === 'string' ? { 'Mcp-Session-Id': open } : {})
  response.end('handled')
}
const start = async (
  options: McpAuthOptions = {},
  last: Handler = mcp,
  name: HostName = 'Express 5',
): Promise<Host> => {
  const host = await startHost(name, [mcpAuth(provider, { onEvent: () => undefined, ...options })], last)
  cleanUp.push(() => host.close())
  return host
}
const call = (
  url: string,
  who: string | undefined,
  headers: Record<string, string> = {},
  method = 'POST',
): Promise<Response> =>
  fetch(url, {
    method,
    headers: { ...(who !== undefined && { authorization: `Bearer ${who}` }), ...headers },
  })
const session = (id: string): Record<string, string> => ({ 'mcp-session-id': id })

describe('a session', () => {
  it.each(HOSTS)('%s: works for who opened it, and for nobody else', async (name) => {
    const { url, handled } = await start({}, mcp, name)
    await call(url, 'alice', { 'x-open': 's1' })
    for (const method of ['POST', 'GET', 'DELETE']) {
      expect((await call(url, 'alice', session('s1'), method)).status).toBe(200)
      expect((await call(url, 'alice-again', session('s1'), method)).status).toBe(200)
    }
    const before = handled()
    for (const method of ['POST', 'GET', 'DELETE']) {
      const response = await call(url, 'bob', session('s1'), method)
      expect(response.status).toBe(404)
      expect(Object.fromEntries(response.headers)).toMatchObject({
        'content-type': 'application/json',
        'cache-control': 'no-store',
        'access-control-allow-origin': '*',
      })
      expect(response.headers.has('www-authenticate')).toBe(false)
      expect(await response.json()).toEqual(NOT_FOUND)
    }
    expect(handled()).toBe(before)
  })

  it('is no credential', async () => {
    const { url } = await start()
    await call(url, 'alice', { 'x-open': 's1' })
    expect((await call(url, undefined, session('s1'))).status).toBe(401)
  })

  it.each<[rule: string, open: Handler]>([
    ['by setHeader', (_request, response) => response.setHeader('mcp-session-id', 's1').end()],
    ['by writeHead', (_request, response) => response.writeHead(200, { 'MCP-Session-Id': 's1' }).end()],
    [
      'by writeHead with a reason',
      (_request, response) => response.writeHead(200, 'OK', { 'mcp-session-id': 's1' }).end(),
    ],
    [
      'by writeHead with a list',
      (_request, response) => response.writeHead(200, ['mcp-session-id', 's1']).end(),
    ],
    [
      'by a header that is a list',
      (_request, response) => response.setHeader('mcp-session-id', ['s1', 's2']).end(),
    ],
    ['by a header that is a number', (_request, response) => response.setHeader('mcp-session-id', 7).end()],
    [
      'with headers that are flushed first',
      (_request, response) => {
        response.setHeader('mcp-session-id', 's1').flushHeaders()
        response.end('late')
      },
    ],
  ])('is bound however its server announces it: %s', async (rule, open) => {
    let opened = false
    const { url } = await start({}, (request, response) => {
      if (opened) response.end()
      else open(request, response)
      opened = true
    })
    await call(url, 'alice')
    const id = rule.includes('number') ? '7' : 's1'
    expect((await call(url, 'alice', session(id))).status).toBe(200)
    expect((await call(url, 'bob', session(id))).status).toBe(404)
    if (rule.includes('is a list')) expect((await call(url, 'bob', session('s2'))).status).toBe(404)
  })

  it('is bound where its server announces it by writeHead with pairs, as bare node:http takes them', async () => {
    const pairs: Handler = (_request, response) =>
      response
        .writeHead(200, [
          ['x-a', 'b'],
          ['Mcp-Session-Id', 's1'],
        ] as never)
        .end()
    const { url } = await start({}, pairs, 'node:http')
    expect((await call(url, 'alice')).headers.get('mcp-session-id')).toBe('s1')
    expect((await call(url, 'bob', session('s1'))).status).toBe(404)
  })

  it('is not taken over by opening it again', async () => {
    const { url } = await start()
    await call(url, 'alice', { 'x-open': 's1' })
    await call(url, 'bob', { 'x-open': 's1' })
    expect((await call(url, 'alice', session('s1'))).status).toBe(200)
    expect((await call(url, 'bob', session('s1'))).status).toBe(404)
  })

  it('that the guard did not see being opened becomes the caller’s, if its server knows it', async () => {
    const { url } = await start()
    expect((await call(url, 'alice', session('old'))).status).toBe(200)
    expect((await call(url, 'bob', session('old'))).status).toBe(404)
  })

  it('does not become the caller’s if its server does not know it', async () => {
    const { url } = await start()
    expect((await call(url, 'bob', { ...session('old'), 'x-status': '404' })).status).toBe(404)
    expect((await call(url, 'alice', session('old'))).status).toBe(200)
  })

  it('that is replaced by another in an answer leaves both bound', async () => {
    const { url } = await start()
    await call(url, 'alice', { 'x-open': 's1' })
    await call(url, 'alice', { ...session('s1'), 'x-open': 's2' })
    for (const id of ['s1', 's2']) expect((await call(url, 'bob', session(id))).status).toBe(404)
  })

  it('is bound at its first use where it is opened after a version was agreed on, or not by POST', async () => {
    const { url } = await start()
    for (const [id, method, headers] of [
      ['s1', 'POST', { 'mcp-protocol-version': '2025-11-25' }],
      ['s2', 'GET', {}],
    ] as const) {
      await call(url, 'alice', { 'x-open': id, ...headers }, method)
      expect((await call(url, 'alice', session(id))).status).toBe(200)
      expect((await call(url, 'bob', session(id))).status).toBe(404)
    }
  })

  it('is nobody’s where its header is empty', async () => {
    const { url } = await start()
    await call(url, 'alice', session(''))
    expect((await call(url, 'bob', session(''))).status).toBe(200)
  })

  it('of an anonymous caller is not for others, nor theirs for the anonymous', async () => {
    const { url } = await start({ optional: true })
    await call(url, undefined, { 'x-open': 'anonymous' })
    await call(url, 'alice', { 'x-open': 'hers' })
    expect((await call(url, undefined, session('anonymous'))).status).toBe(200)
    expect((await call(url, 'alice', session('anonymous'))).status).toBe(404)
    expect((await call(url, undefined, session('hers'))).status).toBe(404)
  })

  it('is looked at after the token: a bad one is 401', async () => {
    const { url } = await start()
    await call(url, 'alice', { 'x-open': 's1' })
    expect((await call(url, 'mallory', session('s1'))).status).toBe(401)
  })

  it('is forgotten beyond the bound, the least recently used first', async () => {
    const { url } = await start({ bindSessions: { maxSessions: 1 } })
    await call(url, 'alice', { 'x-open': 's1' })
    await call(url, 'alice', { 'x-open': 's2' })
    expect((await call(url, 'bob', session('s2'))).status).toBe(404)
    expect((await call(url, 'bob', session('s1'))).status).toBe(200)
  })

  it('is bound unless that is switched off', async () => {
    const on = await start({ bindSessions: true })
    await call(on.url, 'alice', { 'x-open': 's1' })
    expect((await call(on.url, 'bob', session('s1'))).status).toBe(404)
    const off = await start({ bindSessions: false })
    await call(off.url, 'alice', { 'x-open': 's1' })
    expect((await call(off.url, 'bob', session('s1'))).status).toBe(200)
  })

  it('tells the operator who came for it', async () => {
    const events: unknown[] = []
    const { url } = await start({ onEvent: (event) => events.push(event) })
    await call(url, 'alice', { 'x-open': 's1' })
    await call(url, 'bob', session('s1'))
    expect(events.at(-1)).toEqual({
      type: 'request.refused',
      method: 'POST',
      path: '/',
      status: 404,
      reason: { stage: 'session', expected: 'the principal that opened it', got: 'another one' },
      clientId: 'c',
      subject: 'bob',
    })
  })
})

describe('parseSessionBinding', () => {
  it.each([[undefined], [true], [{}], [{ maxSessions: 1 }]])('binds for %j', (value) => {
    expect(parseSessionBinding(value)).toBeDefined()
  })

  it('does not for false', () => {
    expect(parseSessionBinding(false)).toBeUndefined()
  })

  it.each([
    [{ maxSessions: 0 }],
    [{ maxSessions: 1.5 }],
    [{ maxSessions: '10' }],
    [{ maxSessions: Infinity }],
  ])('refuses %j', (value) => {
    expect(configErrorOf(() => parseSessionBinding(value))).toEqual({
      code: 'ERR_MCP_AUTH_INVALID_OPTION',
      message: 'bindSessions: "maxSessions" must be a whole number above 0',
    })
  })

  it('binds for the options of bindSessions, which cannot be false', () => {
    expect(createBindings({})).toBeDefined()
    expect(configErrorOf(() => createBindings(false)).code).toBe('ERR_MCP_AUTH_INVALID_OPTION')
  })

  it.each([['yes'], [7], [null]])('refuses %j', (value) => {
    const { code, message } = configErrorOf(() => parseSessionBinding(value))
    expect(code).toBe('ERR_MCP_AUTH_INVALID_OPTION')
    expect(message).toMatch(/^bindSessions takes an options object/)
  })
})

import { type IncomingMessage, createServer } from 'node:http'
import { type AddressInfo, connect as dial } from 'node:net'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import connect from 'connect'
import express from 'express'
import { StaticTokenVerifier, mcpAuth } from 'express-mcp-auth'
import express4 from 'express4'
import fc from 'fast-check'
import { type PathTest, parseProtect, pathOfRequest } from '../../lib/express/paths.js'
import { configErrorOf } from '../support/config-error.js'
import { startServer } from '../support/site.js'
import { BEARER, cleanUp, known, remote, silent, site } from './stand.js'

const request = (url: string): IncomingMessage => ({ url }) as IncomingMessage

describe('pathOfRequest', () => {
  it.each([
    ['/mcp', '/mcp'],
    ['/mcp?a=b', '/mcp'],
    ['/mcp/?', '/mcp/'],
    ['//mcp', '//mcp'],
    ['/a/../mcp', '/a/../mcp'],
    ['/%6dcp', '/%6dcp'],
    ['http://api.example.com/mcp?a', '/mcp'],
    ['*', '*'],
  ])('of %s is %s, as the router will see it', (target, path) => {
    expect(pathOfRequest(request(target))).toBe(path)
  })

  it.each(['http://[/mcp', ''])('of %j is none', (target) => {
    expect(pathOfRequest(request(target))).toBeUndefined()
  })
})

describe('parseProtect', () => {
  const guards = (test: PathTest, target: string): boolean =>
    test(pathOfRequest(request(target)) ?? target, target)

  it('guards everything where nothing is stated', () => {
    const test = parseProtect(undefined)
    expect(['/', '/a', '*', '//'].every((target) => guards(test, target))).toBe(true)
  })

  it.each([
    '/mcp',
    '/mcp/',
    '/mcp/a',
    '/mcp?a',
    '/MCP',
    '/Mcp/A',
    '//mcp',
    '///mcp//a',
    '/./mcp',
    '/a/../mcp',
    '/a/b/../../mcp',
    '/../mcp',
    '/%6dcp',
    '/%6D%63%70',
    '/%4dcp/a',
    '/a/%2e%2e/mcp',
    '/a/..%2fmcp',
    '/%2fmcp',
    '/mcp%2fa',
    '/\\mcp',
    '/a\\..\\mcp',
    '/a%5c..%5cmcp',
    '/%6dcp/%ff',
    'http://api.example.com/mcp',
    'HTTP://api.example.com//MCP/a?b',
    '//evil.example/mcp',
    '/\\evil.example/mcp',
    '//evil.example:80/mcp/a',
    '/mcp.json',
  ])('guards %s under /mcp', (target) => {
    for (const protect of ['/mcp', '/MCP/', ['/x', '/mcp'], '//mcp', '/%6dcp', '/a/../mcp']) {
      expect(guards(parseProtect(protect), target)).toBe(true)
    }
  })

  it.each([
    '/',
    '/mcpx',
    '/mc',
    '/mcp-old/a',
    '/x/mcp',
    '/?mcp',
    '/x?/mcp',
    '/mcp/../x',
    '/mcp%20',
    '*',
    '/%256dcp',
  ])('does not guard %s under /mcp: whole segments count', (target) => {
    expect(guards(parseProtect('/mcp'), target)).toBe(target === '/mcp/../x')
  })

  it('guards everything under /', () => {
    const test = parseProtect('/')
    expect(['/', '/a', '/a/b', '//', '/..'].every((target) => guards(test, target))).toBe(true)
  })

  it('guards paths of several segments', () => {
    const test = parseProtect('/v1/mcp')
    expect(['/v1/mcp', '/V1//mcp/a', '/v1/x/../mcp'].every((target) => guards(test, target))).toBe(true)
    expect(['/v1', '/v1/mcpx', '/mcp'].some((target) => guards(test, target))).toBe(false)
  })

  it.each([
    [''],
    ['mcp'],
    ['https://api.example.com/mcp'],
    [[]],
    [['/a', 'b']],
    [[7]],
    [null],
    [true],
    [/mcp/],
    [{}],
  ])('refuses %p', (protect) => {
    expect(configErrorOf(() => parseProtect(protect))).toEqual({
      code: 'ERR_MCP_AUTH_INVALID_OPTION',
      message: 'mcpAuth: "protect" must be a path such as "/mcp", or a list of them',
    })
  })

  it.each([
    '/mcp/*',
    '/mcp*',
    '/*path',
    '/mcp/:id',
    '/mcp{/:id}',
    '/mcp(.*)',
    '/mcp/?',
    '/mcp?a=b',
    '/mcp#a',
    '/mcp+',
    '/[a-z]',
  ])('refuses the pattern %s: it would guard nothing but itself', (protect) => {
    expect(configErrorOf(() => parseProtect(['/a', protect]))).toEqual({
      code: 'ERR_MCP_AUTH_INVALID_OPTION',
      message: `mcpAuth: "protect" takes plain paths, and all below them, not the pattern ${JSON.stringify(protect)}`,
    })
  })
})

/** Anybody's way to route to a handler at /mcp, each on a real server that answers `secret` there. */
describe('a handler that is to be guarded', () => {
  const guard = mcpAuth(new StaticTokenVerifier({ tokens: ['t'] }), {
    protect: '/mcp',
    onEvent: () => undefined,
  })
  const secret = (_request: unknown, response: { end: (body: string) => unknown }): void =>
    void response.end('secret')

  const onExpress = (create: typeof express): express.Express => {
    const app = create()
    app.use(guard)
    app.get('/mcp', secret)
    app.use('/mcp', secret)
    return app
  }
  const byParameter = express()
  byParameter.use(guard)
  byParameter.use((request, response, next) => {
    // What a handler may make of the name: whatever a parameter decodes to.
    const [, first = ''] = request.path.split('/')
    let name = first
    try {
      name = decodeURIComponent(first)
    } catch {
      // No name then.
    }
    if (name.toLowerCase() === 'mcp') secret(request, response)
    else next()
  })
  const onConnect = connect()
  onConnect.use(guard)
  onConnect.use('/mcp', secret)
  const byUrl = createServer((incoming, response) => {
    guard(incoming, response, () => {
      let path = ''
      try {
        path = new URL(incoming.url ?? '', 'http://localhost').pathname
      } catch {
        // No path then.
      }
      if (/^\/mcp(?:\/|$)/i.test(path)) secret(incoming, response)
      else response.writeHead(404).end()
    })
  })
  const listeners = {
    'Express 5': createServer(onExpress(express)),
    'Express 4': createServer(onExpress(express4) as never),
    'a parameter of Express': createServer(byParameter),
    connect: createServer(onConnect),
    'new URL(request.url).pathname': byUrl,
  }
  const names = Object.keys(listeners) as (keyof typeof listeners)[]

  beforeAll(() =>
    Promise.all(
      names.map((name) => new Promise<void>((resolve) => listeners[name].listen(0, '127.0.0.1', resolve))),
    ),
  )
  afterAll(() => {
    for (const name of names) listeners[name].close().closeAllConnections()
  })

  const get = (name: keyof typeof listeners, target: string, headers = ''): Promise<string> => {
    const socket = dial((listeners[name].address() as AddressInfo).port, '127.0.0.1')
    socket.end(`GET ${target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\n${headers}\r\n`, 'latin1')
    return text(socket)
  }

  it.each(names)('%s: is reached with a token', async (name) => {
    expect(await get(name, '/mcp', 'Authorization: Bearer t\r\n')).toContain('secret')
  })

  it.each(names)('%s: is not reached by a path that is decoded, but not resolved', async (name) => {
    for (const path of ['/%6dcp/..', '/x/../%6dcp/..', '/%6dcp/%2e%2e', '/%6dcp/x/../..']) {
      expect(await get(name, path)).not.toContain('secret')
    }
  })

  it.each(names)('%s: is not reached without one, however its path is written', async (name) => {
    const piece = fc.constantFrom(
      '/', '//', '/.', '/..', '\\', '%2f', '%5c', '%2e', '.', ';', '%', '%00', '%ff', '?', '&',
      'mcp', 'MCP', 'm', '%6d', '%4D', 'c', '%63', 'p', '%70', '%6dcp', '%256dcp', 'x', 'evil.example', ':80', '@', 'http:', 'http://h',
    ) // prettier-ignore
    const target = fc.array(piece, { maxLength: 8 }).map((pieces) => `/${pieces.join('')}`)
    const absolute = target.map((path) => `http://evil.example${path}`)
    await fc.assert(
      fc.asyncProperty(fc.oneof({ weight: 4, arbitrary: target }, absolute), async (written) => {
        expect(await get(name, written)).not.toContain('secret')
      }),
      { numRuns: 300 },
    )
  })
})

describe('protect', () => {
  it('guards the path and what lies below it, and leaves the rest open', async () => {
    const { url } = await site(known(), { protect: '/mcp' })
    const statuses = await Promise.all(
      ['/mcp', '/mcp/', '/mcp/tools', '/MCP', '/mcp?a', '/', '/mcpx', '/other/mcp'].map(async (path) => [
        path,
        (await fetch(url + path)).status,
      ]),
    )
    expect(statuses).toEqual([
      ['/mcp', 401],
      ['/mcp/', 401],
      ['/mcp/tools', 401],
      ['/MCP', 401],
      ['/mcp?a', 401],
      ['/', 200],
      ['/mcpx', 200],
      ['/other/mcp', 200],
    ])
  })

  it('guards each of several paths', async () => {
    const { url } = await site(known(), { protect: ['/mcp', '/admin/'] })
    for (const path of ['/mcp', '/admin', '/admin/users']) expect((await fetch(url + path)).status).toBe(401)
    expect((await fetch(`${url}/health`)).status).toBe(200)
  })

  it('sets no req.auth on what it leaves open, also with a token', async () => {
    const { url } = await site(known(), { protect: '/mcp' })
    expect(await (await fetch(url, { headers: BEARER })).json()).toEqual({})
  })

  it('leaves discovery to others where it guards only a part', async () => {
    const { url } = await site(known(), { protect: '/mcp' })
    expect((await fetch(`${url}/.well-known/oauth-protected-resource`)).status).toBe(200)
  })

  it('lets two guards stand side by side', async () => {
    const { url } = await site(remote(), { protect: '/mcp' }, (app) => {
      app.use(
        mcpAuth(
          { verifyToken: () => null, authenticate: () => ({ clientId: 'inner' }) },
          { protect: '/inner', ...silent },
        ),
      )
    })
    expect((await fetch(`${url}/mcp`)).status).toBe(401)
    expect(await (await fetch(`${url}/inner`)).json()).toMatchObject({ clientId: 'inner' })
  })
})

describe('without protect', () => {
  it('everything that reaches the guard is guarded, and routes before it are open', async () => {
    const app = express()
    app.get('/health', (_request, response) => void response.end('ok'))
    app.use(mcpAuth(known(), silent))
    app.use((_request, response) => void response.end('handled'))
    const { url, close } = await startServer(app)
    cleanUp.push(close)
    expect((await fetch(`${url}/health`)).status).toBe(200)
    for (const path of ['/', '/mcp', '/.well-known/other', '/favicon.ico'])
      expect((await fetch(url + path)).status).toBe(401)
  })
})

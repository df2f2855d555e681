import type { IncomingMessage } from 'node:http'
import { describe, expect, it } from '@jest/globals'
import { type AuthHandler, mcpAuth } from 'express-mcp-auth'
import { allowReading, preflight, send } from '../../lib/express/adapter.js'
import { HOSTS } from '../support/hosts.js'
import { startServer } from '../support/site.js'
import { BEARER, cleanUp, host, known, remote, silent, site } from './stand.js'

const EXPOSED = 'WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version, Retry-After'

describe('cors', () => {
  const origin = 'https://app.example.com'
  const ask = {
    origin,
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'authorization,x-custom',
  }

  it.each(HOSTS)('%s: a preflight is answered and never challenged', async (name) => {
    const { url, handled } = await host(name, [mcpAuth(known(), silent)])
    const response = await fetch(`${url}/mcp`, { method: 'OPTIONS', headers: ask })
    expect(response.status).toBe(204)
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'access-control-allow-origin': '*',
      'access-control-allow-methods': 'GET, HEAD, POST, DELETE, OPTIONS',
      'access-control-allow-headers': 'authorization,x-custom',
      'access-control-max-age': '7200',
      vary: 'Access-Control-Request-Headers',
    })
    expect(response.headers.has('www-authenticate')).toBe(false)
    expect(handled()).toBe(0)
  })

  it('challenges an OPTIONS that carries credentials, like any other request', async () => {
    const { url, handled } = await site(known())
    expect(
      (await fetch(`${url}/mcp`, { method: 'OPTIONS', headers: { authorization: 'Bearer bad' } })).status,
    ).toBe(401)
    expect((await fetch(`${url}/mcp`, { method: 'OPTIONS', headers: BEARER })).status).toBe(200)
    expect(handled()).toBe(1)
  })

  it.each([
    ['a refusal', {}],
    ['an answer of the app', BEARER],
  ])('lets a page read %s', async (_rule, headers) => {
    const { url } = await site(known())
    const response = await fetch(`${url}/mcp`, { headers: { ...headers, origin } })
    expect(response.headers.get('access-control-allow-origin')).toBe('*')
    expect(response.headers.get('access-control-expose-headers')).toBe(EXPOSED)
    expect(response.headers.has('access-control-allow-credentials')).toBe(false)
  })

  it('adds nothing to answers of the app where no page asks', async () => {
    const { url } = await site(known())
    expect((await fetch(`${url}/mcp`, { headers: BEARER })).headers.has('access-control-allow-origin')).toBe(
      false,
    )
  })

  it('keeps what the app decided before', async () => {
    const own: AuthHandler = (_request, response, next) => {
      response.setHeader('Access-Control-Allow-Origin', origin)
      response.setHeader('Vary', 'Origin')
      next()
    }
    const { url } = await host('Express 5', [own, mcpAuth(known(), silent)])
    const response = await fetch(`${url}/mcp`, { headers: { origin } })
    expect(response.headers.get('access-control-allow-origin')).toBe(origin)
    expect(response.headers.get('vary')).toBe('Origin, Authorization')
  })

  it('is left to the app where it is switched off, and OPTIONS is answered all the same', async () => {
    const { url } = await site(remote(), { cors: false })
    for (const path of ['/mcp', '/.well-known/oauth-protected-resource']) {
      const preflight = await fetch(url + path, { method: 'OPTIONS', headers: ask })
      expect([preflight.status, preflight.headers.has('access-control-allow-origin')]).toEqual([204, false])
      const response = await fetch(url + path, { headers: { origin } })
      expect(response.headers.has('access-control-allow-origin')).toBe(false)
    }
  })

  it('lets a list of the greatest length through', async () => {
    const { url } = await site(known())
    const asked = 'a'.repeat(1024)
    const headers = { origin, 'access-control-request-headers': asked }
    const response = await fetch(`${url}/mcp`, { method: 'OPTIONS', headers })
    expect(response.headers.get('access-control-allow-headers')).toBe(asked)
  })

  it.each([
    ['absent', undefined],
    ['too long', 'a'.repeat(1025)],
    ['no list of names', 'a\tb'],
  ])('names the headers that MCP needs where the list asked for is %s', async (_rule, asked) => {
    const { url } = await site(known())
    const response = await fetch(`${url}/mcp`, {
      method: 'OPTIONS',
      headers: { origin, ...(asked !== undefined && { 'access-control-request-headers': asked }) },
    })
    expect(response.headers.get('access-control-allow-headers')).toMatch(/^Authorization, .*Mcp-Name$/)
  })
})

describe('an answer that the app began already', () => {
  it('is left alone', async () => {
    const guard = mcpAuth({ verifyToken: () => Promise.resolve(null) }, silent)
    const early: AuthHandler = (_request, response, next) => {
      response.writeHead(202).end('early')
      next()
    }
    const { url, errors } = await host('Express 5', [early, guard])
    const response = await fetch(url, { headers: BEARER })
    expect([response.status, await response.text()]).toEqual([202, 'early'])
    expect(errors).toEqual([])
  })
})

describe('send', () => {
  const serve = async (listener: Parameters<typeof startServer>[0]): Promise<string> => {
    const { url, close } = await startServer(listener)
    cleanUp.push(close)
    return url
  }
  const answer = { status: 418, headers: { 'X-A': 'b', Vary: 'Authorization' }, body: 'ü' }

  it('writes status, headers, length and body', async () => {
    const url = await serve((request, response) => send(request, response, answer))
    const response = await fetch(url)
    expect([response.status, response.headers.get('x-a'), response.headers.get('content-length')]).toEqual([
      418,
      'b',
      '2',
    ])
    expect(await response.text()).toBe('ü')
  })

  it('writes no body to HEAD, and the length that it would have', async () => {
    const url = await serve((request, response) => send(request, response, answer))
    const response = await fetch(url, { method: 'HEAD' })
    expect([response.headers.get('content-length'), await response.text()]).toEqual(['2', ''])
  })

  it('writes no length with 204 (RFC 9110 8.6), and one of nothing with an empty answer', async () => {
    const url = await serve((request, response) =>
      send(request, response, { status: request.url === '/204' ? 204 : 200, headers: {} }),
    )
    expect((await fetch(`${url}/204`)).headers.has('content-length')).toBe(false)
    expect((await fetch(`${url}/200`)).headers.get('content-length')).toBe('0')
  })

  it.each([
    ['nothing', undefined, 'Authorization'],
    ['another field', 'Origin', 'Origin, Authorization'],
    ['the same field in other letters', 'authorization', 'authorization'],
    ['the same field among others', 'Origin, Authorization, Accept', 'Origin, Authorization, Accept'],
    ['a field that only ends alike', 'Proxy-Authorization', 'Proxy-Authorization, Authorization'],
    ['a list of lines', ['Origin', 'Accept'], 'Origin,Accept, Authorization'],
  ])('adds to a Vary of %s', async (_rule, before, vary) => {
    const url = await serve((request, response) => {
      if (before !== undefined) response.setHeader('Vary', before)
      send(request, response, answer)
    })
    expect((await fetch(url)).headers.get('vary')).toBe(vary)
  })

  it('writes nothing where an answer was begun or nobody is there', async () => {
    const url = await serve((request, response) => {
      if (request.url === '/ended') response.end('first')
      else response.write('first')
      send(request, response, answer)
      allowReading(response)
      if (request.url === '/begun') response.end()
    })
    for (const path of ['/ended', '/begun']) {
      const response = await fetch(url + path)
      expect([response.status, await response.text(), response.headers.has('x-a')]).toEqual([
        200,
        'first',
        false,
      ])
    }
  })
})

describe('preflight', () => {
  it('names the methods of a route', () => {
    const request = { headers: {} } as IncomingMessage
    expect(preflight(request, 'GET, OPTIONS').headers).toMatchObject({
      'Access-Control-Allow-Methods': 'GET, OPTIONS',
    })
  })
})

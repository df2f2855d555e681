import type { RequestListener, ServerResponse } from 'node:http'
import { describe, expect, it } from '@jest/globals'
import { type AuthHandler, type AuthProvider, type AuthResponse, mcpAuth } from 'express-mcp-auth'
import helmet from 'helmet'
import { sendSecured } from '../../lib/express/headers.js'
import { HOSTS } from '../support/hosts.js'
import { startServer } from '../support/site.js'
import { cleanUp, host, silent } from './stand.js'

const POLICY = "default-src 'none';frame-ancestors 'none'"

const listen = async (listener: RequestListener): Promise<string> => {
  const { url, close } = await startServer(listener)
  cleanUp.push(close)
  return url
}

/** Writes an answer, after what the app does to the response. */
const serve = (
  answer: AuthResponse,
  cors = false,
  before: (response: ServerResponse) => void = () => undefined,
): Promise<string> =>
  listen((request, response) => {
    before(response)
    sendSecured(request, response, answer, cors)
  })

const plain: AuthResponse = { status: 200, headers: {}, body: 'document' }

describe('sendSecured', () => {
  it('lets nothing be rendered, framed, run or sniffed, and leaves transport security to the app', async () => {
    const response = await fetch(await serve(plain))
    expect(await response.text()).toBe('document')
    expect(Object.fromEntries(response.headers)).toMatchObject({
      'content-security-policy': POLICY,
      'content-length': '8',
      'cross-origin-resource-policy': 'cross-origin',
      'referrer-policy': 'no-referrer',
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'SAMEORIGIN',
    })
    expect(response.headers.has('strict-transport-security')).toBe(false)
    expect(response.headers.has('access-control-allow-origin')).toBe(false)
  })

  it('writes every header of helmet that means something for what is no page', async () => {
    const secure = helmet({
      strictTransportSecurity: false,
      crossOriginOpenerPolicy: false,
      originAgentCluster: false,
      xDnsPrefetchControl: false,
      xDownloadOptions: false,
      xPermittedCrossDomainPolicies: false,
      xXssProtection: false,
    })
    const url = await listen((request, response) => {
      secure(request, response, () => response.end())
    })
    const names = [...(await fetch(url)).headers.keys()].filter((name) =>
      /^(?:content-s|cross|origin|ref|x-)/.test(name),
    )
    expect(names).toHaveLength(5)
    expect([...(await fetch(await serve(plain))).headers.keys()]).toEqual(expect.arrayContaining(names))
  })

  it.each(['Content-Security-Policy', 'content-security-policy'])(
    'gives way to a page of its own policy: %s',
    async (name) => {
      const page = {
        [name]: "default-src 'self'",
        'X-Frame-Options': 'DENY',
        'Referrer-Policy': 'same-origin',
      }
      const { headers } = await fetch(await serve({ ...plain, headers: page }))
      expect(headers.get('content-security-policy')).toBe("default-src 'self'")
      expect([headers.get('x-frame-options'), headers.get('referrer-policy')]).toEqual([
        'DENY',
        'same-origin',
      ])
    },
  )

  const leave = (response: ServerResponse): void => {
    response.setHeader('X-Powered-By', 'Express')
    response.setHeader('content-security-policy', "default-src 'self'")
    response.setHeader('Set-Cookie', ['app=1'])
    response.setHeader('Vary', 'Origin')
    response.setHeader('X-App', '1')
  }
  /** As packages do that want to know when a head is written, and that know of no flat lists. */
  const wrap = (response: ServerResponse): void => {
    leave(response)
    const writeHead = response.writeHead.bind(response)
    response.writeHead = (status: number, ...rest: unknown[]) => {
      if (rest.length > 0) throw new Error('unknown list')
      response.setHeader('X-Wrapped', '1')
      return writeHead(status)
    }
  }

  it.each([
    ['set before', leave, null],
    ['set while the head is written', wrap, '1'],
  ])('comes together with what the app has %s', async (_rule, before, wrapped) => {
    const answer = { ...plain, headers: { Vary: 'Accept', 'X-Own': '1' } }
    const { headers } = await fetch(await serve(answer, false, before))
    expect(headers.get('content-security-policy')).toBe(POLICY)
    expect(headers.getSetCookie()).toEqual(['app=1'])
    expect(headers.get('vary')).toBe('Origin, Accept')
    expect([headers.get('x-app'), headers.get('x-own'), headers.get('x-wrapped')]).toEqual([
      '1',
      '1',
      wrapped,
    ])
    expect(headers.has('x-powered-by')).toBe(false)
  })

  it.each([
    ['nothing', () => undefined],
    ['headers', leave],
    ['a head of its own', wrap],
  ])('writes cookies as a line each where the app has set %s', async (_rule, before) => {
    const cookies = ['__Host-a=1; Path=/', 'b=2; Expires=Thu, 01 Jan 1970 00:00:00 GMT']
    const { headers } = await fetch(
      await serve({ ...plain, headers: { 'Set-Cookie': cookies } }, false, before),
    )
    expect(headers.getSetCookie()).toEqual(cookies)
  })

  it('lets any page read it where it may, unless the app said who', async () => {
    const open = await fetch(await serve(plain, true))
    expect(open.headers.get('access-control-allow-origin')).toBe('*')
    expect(open.headers.get('access-control-expose-headers')).toContain('Retry-After')
    const url = await serve(plain, true, (response) => {
      response.setHeader('Access-Control-Allow-Origin', 'https://app.example.com')
    })
    expect((await fetch(url)).headers.get('access-control-allow-origin')).toBe('https://app.example.com')
  })

  it('counts bytes, and writes none to HEAD nor with 204', async () => {
    const answer = await fetch(await serve({ ...plain, body: 'ü' }))
    expect([answer.headers.get('content-length'), await answer.text()]).toEqual(['2', 'ü'])
    const head = await fetch(await serve(plain), { method: 'HEAD' })
    expect([head.headers.get('content-length'), await head.text()]).toEqual(['8', ''])
    const none = await fetch(await serve({ status: 204, headers: {} }))
    expect([none.status, none.headers.has('content-length')]).toEqual([204, false])
  })

  it('writes nothing where an answer was begun', async () => {
    const url = await serve(plain, true, (response) => response.writeHead(202).end('first'))
    const response = await fetch(url)
    expect([response.status, await response.text()]).toEqual([202, 'first'])
  })

  it('takes back what it has set of an answer that cannot be written', async () => {
    const url = await listen((request, response) => {
      leave(response)
      const broken = { 'X-Broken': '1', 'Set-Cookie': ['own=1'], 'X-Bad': 'a\nb' }
      expect(() => {
        sendSecured(request, response, { status: 200, headers: broken }, true)
      }).toThrow(/Invalid character/)
      sendSecured(request, response, { status: 503, headers: {} }, true)
    })
    const { status, headers } = await fetch(url)
    expect([status, headers.has('x-broken'), headers.getSetCookie()]).toEqual([503, false, []])
  })

  it.each(HOSTS)('%s: secures what a route answers, and nothing of the app', async (name) => {
    const provider: AuthProvider = {
      verifyToken: () => ({ clientId: 'c' }),
      routes: [{ path: '/r', methods: ['GET'], handle: () => plain }],
    }
    const powered: AuthHandler = (_request, response, next) => {
      response.setHeader('X-Powered-By', 'test')
      next()
    }
    const { url } = await host(name, [powered, mcpAuth(provider, silent)])
    const routed = await fetch(`${url}/r`)
    expect([routed.headers.get('content-security-policy'), routed.headers.has('x-powered-by')]).toEqual([
      POLICY,
      false,
    ])
    const own = await fetch(url, { headers: { authorization: 'Bearer a' } })
    expect([own.headers.has('content-security-policy'), own.headers.get('x-powered-by')]).toEqual([
      false,
      'test',
    ])
  })
})

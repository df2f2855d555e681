// What developers are told who pass something wrong to mcpAuth, or mount it in the wrong place.
import type { ServerResponse } from 'node:http'
import { describe, expect, it } from '@jest/globals'
import express from 'express'
import { type AuthHandler, ConfigError, JWTVerifier, type ProviderLike, mcpAuth } from 'express-mcp-auth'
import express4 from 'express4'
import { configErrorOf } from '../support/config-error.js'
import { HOSTS } from '../support/hosts.js'
import { startServer } from '../support/site.js'
import { BEARER, cleanUp, host, known, remote, silent, site } from './stand.js'

describe('the options', () => {
  const errorOf = (options: object): { code: string; message: string } =>
    configErrorOf(() => mcpAuth(known(), { ...silent, ...options }))

  it.each<[rule: string, options: object, code: string, message: string]>([
    [
      'an unknown option',
      { protected: '/mcp' },
      'ERR_MCP_AUTH_UNKNOWN_OPTION',
      'mcpAuth has no option "protected". Did you mean "protect"?',
    ],
    [
      "an option that is the provider's",
      { requiredScopes: ['a'] },
      'ERR_MCP_AUTH_UNKNOWN_OPTION',
      'mcpAuth has no option "requiredScopes". Known: protect, optional, toolScopes, scopeImplies, bindSessions, allowedOrigins, cors, rateLimit, deadlineSeconds, onEvent, deps',
    ],
    [
      'a flag that is text',
      { optional: 'true' },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'mcpAuth: "optional" must be true or false',
    ],
    [
      'CORS options',
      { cors: { origin: '*' } },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'mcpAuth: "cors" must be true or false',
    ],
    [
      'a listener that is none',
      { onEvent: console },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'mcpAuth: "onEvent" must be a function',
    ],
    [
      'a hierarchy that is no function',
      { scopeImplies: { admin: ['user'] } },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'mcpAuth: "scopeImplies" must be a function',
    ],
    [
      'no time for a verifier',
      { deadlineSeconds: 0 },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'mcpAuth: "deadlineSeconds" must be more than 0',
    ],
    [
      'a time that is text',
      { deadlineSeconds: '10' },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'mcpAuth: "deadlineSeconds" must be a number of seconds, 0 or more',
    ],
    [
      'an endless time',
      { deadlineSeconds: Infinity },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'mcpAuth: "deadlineSeconds" must be a number of seconds, 0 or more',
    ],
    [
      'no origins',
      { allowedOrigins: [] },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'mcpAuth: "allowedOrigins" must be a string or a list of strings, none of them blank',
    ],
    [
      'an origin that is a pattern',
      { allowedOrigins: [/example/] },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'mcpAuth: "allowedOrigins" must be a string or a list of strings, none of them blank',
    ],
    [
      'sessions without a bound',
      { bindSessions: { maxSessions: 0 } },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'bindSessions: "maxSessions" must be a whole number above 0',
    ],
    [
      'an unknown bound of sessions',
      { bindSessions: { max: 10 } },
      'ERR_MCP_AUTH_UNKNOWN_OPTION',
      'bindSessions has no option "max". Known: maxSessions',
    ],
    [
      'a rate limit of nothing',
      { rateLimit: { limit: 0 } },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'rateLimit: "limit" must be a whole number above 0',
    ],
    [
      'a rate limit without a window',
      { rateLimit: { windowSeconds: -1 } },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'rateLimit: "windowSeconds" must be a number of seconds, 0 or more',
    ],
    [
      'a rate limit in the words of another package',
      { rateLimit: { windowMs: 1000 } },
      'ERR_MCP_AUTH_UNKNOWN_OPTION',
      'rateLimit has no option "windowMs". Known: windowSeconds, limit, endpoints, store',
    ],
    [
      'a tool scope of an unknown kind',
      { toolScopes: { tool: {} } },
      'ERR_MCP_AUTH_UNKNOWN_OPTION',
      'toolScopes has no option "tool". Did you mean "tools"?',
    ],
    [
      'a tool scope that is none',
      { toolScopes: { tools: { a: ['x y'] } } },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'toolScopes.tools: "a" must be a list of scopes such as ["mcp:use"]',
    ],
    [
      'a path that does not begin with a slash',
      { protect: 'mcp' },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'mcpAuth: "protect" must be a path such as "/mcp", or a list of them',
    ],
  ])('refuse %s', (_rule, options, code, message) => {
    expect(errorOf(options)).toEqual({ code, message })
  })

  it.each([
    ['a slash at its end', 'https://app.example.com/'],
    ['a path', 'https://app.example.com/app'],
    ['no scheme', 'app.example.com'],
    ['capital letters, as no browser sends them', 'https://App.example.com'],
    ['a star', '*'],
  ])('refuse an origin with %s: it would let nobody in', (_rule, origin) => {
    const { code, message } = errorOf({ allowedOrigins: [origin] })
    expect(code).toBe('ERR_MCP_AUTH_INVALID_OPTION')
    expect(message).toContain('allowedOrigins')
  })

  it('refuse a rate limit with a window of nothing: it would limit nothing', () => {
    expect(errorOf({ rateLimit: { windowSeconds: 0 } })).toMatchObject({
      code: 'ERR_MCP_AUTH_INVALID_OPTION',
    })
  })

  it.each([[7], ['/mcp'], [null], [['/mcp']]])('refuse %j instead of options', (options) => {
    const { code, message } = configErrorOf(() => mcpAuth(known(), options as never))
    expect(code).toBe('ERR_MCP_AUTH_INVALID_OPTION')
    expect(message).toMatch(/^mcpAuth takes an options object/)
    expect(message).not.toContain('new mcpAuth')
  })

  it.each<[rule: string, provider: unknown, message: RegExp]>([
    ['a class', JWTVerifier, /new JWTVerifier\(\{ … \}\)/],
    ['a promise', Promise.resolve(known()), /await the provider/],
    ['nothing', undefined, /not undefined/],
    ['null', null, /not null/],
    ['an object without verifyToken', {}, /verifyToken/],
    ['another handler', mcpAuth(known(), silent), /mcpAuthHandler/],
  ])('refuse %s as provider', (_rule, provider, message) => {
    const error = configErrorOf(() => mcpAuth(provider as ProviderLike, silent))
    expect(error.code).toBe('ERR_MCP_AUTH_INVALID_PROVIDER')
    expect(error.message).toMatch(message)
  })

  it.each([
    ['Express 5', express],
    ['Express 4', express4],
  ] as const)('%s: app.use(mcpAuth) is told to call it', async (_name, create) => {
    const errors: unknown[] = []
    const app = create()
    app.use(mcpAuth as never)
    app.use((_request: unknown, response: ServerResponse) => void response.end('handled'))
    app.use((error: unknown, _request: unknown, response: ServerResponse, _next: unknown) => {
      errors.push(error)
      response.writeHead(500).end()
    })
    const { url, close } = await startServer(app as never)
    cleanUp.push(close)
    expect((await fetch(url, { headers: BEARER })).status).toBe(500)
    expect(errors).toMatchObject([
      {
        code: 'ERR_MCP_AUTH_NOT_CALLED',
        message: 'app.use(mcpAuth) passes the function itself: write app.use(mcpAuth(provider))',
      },
    ])
  })

  it('copy: what the caller changes later changes nothing', async () => {
    const protect = ['/mcp']
    const options = { protect }
    const { url } = await site(known(), options)
    protect.pop()
    options.protect = ['/other']
    expect((await fetch(`${url}/mcp`)).status).toBe(401)
  })
})

describe('mounted elsewhere than at the root', () => {
  const wrong = (path: string): RegExp =>
    new RegExp(`mounted at "${path}".*mcpAuth\\(provider, \\{ protect: "${path}" \\}\\)`)
  const MOUNTED = [
    ['Express 5', '/mcp'],
    ['Express 5', '/mcp/tools'],
    ['Express 4', '/mcp'],
    ['Express 4', '/mcp?a=b'],
    ['connect', '/mcp'],
    ['connect', '/mcp/'],
    ['connect', '/mcp/tools'],
    ['connect', '/mcp?a=b'],
  ] as const

  it.each(MOUNTED)(
    '%s: a request to %s is refused with an error that says how to mount it',
    async (name, path) => {
      const { url, errors, handled } = await host(name, [mcpAuth(remote(), silent)], undefined, '/mcp')
      const response = await fetch(url + path, { headers: BEARER })
      expect(response.status).toBe(500)
      expect(errors).toHaveLength(1)
      expect(errors[0]).toBeInstanceOf(ConfigError)
      expect(errors[0]).toMatchObject({ code: 'ERR_MCP_AUTH_MOUNT' })
      expect(handled()).toBe(0)
      if (!path.endsWith('/')) expect((errors[0] as Error).message).toMatch(wrong('/mcp'))
    },
  )

  it.each([
    ['Express 5', express],
    ['Express 4', express4],
  ] as const)('%s: a router and an app within an app are refused too', async (_name, create) => {
    const errors: unknown[] = []
    const inner = create()
    inner.use(mcpAuth(remote(), silent))
    const router = create.Router()
    router.use(mcpAuth(remote(), silent))
    const app = create()
    app.use('/app', inner)
    app.use('/router', router)
    app.use((error: unknown, _request: unknown, response: ServerResponse, _next: unknown) => {
      errors.push(error)
      response.writeHead(500).end()
    })
    const { url, close } = await startServer(app as never)
    cleanUp.push(close)
    for (const path of ['/app', '/app/x', '/router', '/router/x'])
      expect((await fetch(url + path)).status).toBe(500)
    expect(errors.map((error) => (error as ConfigError).code)).toEqual(
      Array.from({ length: 4 }, () => 'ERR_MCP_AUTH_MOUNT'),
    )
  })

  it.each([
    ['Express 5', express],
    ['Express 4', express4],
  ] as const)('%s: a router at the root is as good as the root', async (_name, create) => {
    const router = create.Router()
    router.use(mcpAuth(remote(), silent))
    const app = create()
    app.use(router)
    app.use('/', mcpAuth(remote(), silent))
    app.use((_request: unknown, response: ServerResponse) => void response.end('handled'))
    const { url, close } = await startServer(app as never)
    cleanUp.push(close)
    expect((await fetch(`${url}/mcp`)).status).toBe(401)
    expect((await fetch(`${url}/mcp`, { headers: BEARER })).status).toBe(200)
  })

  it('is not suspected where another handler rewrote the URL', async () => {
    const rewrite: AuthHandler = (request, _response, next) => {
      request.url = '/mcp'
      next()
    }
    for (const name of HOSTS) {
      const { url } = await host(name, [rewrite, mcpAuth(remote(), silent)])
      expect((await fetch(`${url}/old?a=b`, { headers: BEARER })).status).toBe(200)
    }
  })
})

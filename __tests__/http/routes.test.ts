import { describe, expect, it } from '@jest/globals'
import type { AuthResponse, Route, RouteContext } from 'express-mcp-auth'
import { buildRoutes, findRoute, handleRoute, methodsOf, refuseMethod } from '../../lib/http/routes.js'
import { configErrorOf } from '../support/config-error.js'

const context: RouteContext = { body: { kind: 'none' }, report: () => undefined, hint: () => undefined }
const verifyToken = (): null => null
const route = (path: string, methods: Route['methods'] = ['GET'], name = path): Route => ({
  path,
  methods,
  handle: () => ({ status: 200, headers: {}, body: name }),
})

describe('buildRoutes', () => {
  it('are none for a bare verifier', () => {
    expect([...buildRoutes({ verifyToken }).exact.keys()]).toEqual([])
  })

  it('are those that the fields of a provider imply, and its own', () => {
    const table = buildRoutes({
      verifyToken,
      baseUrl: 'https://a.example',
      authorizationServers: ['https://b.example'],
      routes: [route('/callback'), route('/token', ['POST'])],
    })
    expect([...table.exact.keys()]).toEqual([
      '/.well-known/oauth-protected-resource/mcp',
      '/.well-known/oauth-protected-resource',
      '/callback',
      '/token',
    ])
  })

  it('keep the first of two with the same path: a provider cannot replace the metadata that its guard points at', () => {
    const first = route('/a', ['GET'], 'first')
    const table = buildRoutes({ verifyToken, routes: [first, route('/a', ['POST'], 'second')] })
    expect(table.exact.get('/a')).toBe(first)
  })

  it.each(['callback', '', 'https://a.example/callback'])('refuse the path %j', (path) => {
    expect(configErrorOf(() => buildRoutes({ verifyToken, routes: [route(path)] }))).toEqual({
      code: 'ERR_MCP_AUTH_INVALID_PROVIDER',
      message: `a route of the provider must begin with "/": ${JSON.stringify(path)}`,
    })
  })
})

describe('findRoute', () => {
  const table = buildRoutes({ verifyToken, routes: [route('/a'), route('/b/'), route('/')] })

  it.each([
    ['/a', '/a'],
    ['/a/', '/a'],
    ['/b/', '/b/'],
    ['/', '/'],
    ['/a//', undefined],
    ['/b', undefined],
    ['/A', undefined],
    ['/a/c', undefined],
    ['constructor', undefined],
  ])('finds for %s the route %s', (path, found) => {
    expect(findRoute(table, path)?.path).toBe(found)
  })
})

describe('findRoute, below', () => {
  const below = (path: string): Route => ({ ...route(path), below: true })
  const table = buildRoutes({
    verifyToken,
    routes: [route('/x'), below('/p'), below('/p/q/'), route('/p/exact'), below('/client')],
  })

  it.each([
    ['/p', '/p'],
    ['/p/', '/p'],
    ['/p/a', '/p'],
    ['/p/a/b/', '/p'],
    ['/p/exact', '/p/exact'],
    ['/p/exact/', '/p/exact'],
    ['/p/q', '/p'],
    ['/p/q/', '/p/q/'],
    ['/p/q/r', '/p/q/'],
    ['/client/constructor', '/client'],
    ['/pp', undefined],
    ['/p%2fa', undefined],
    ['/x/a', undefined],
    ['/', undefined],
  ])('finds for %s the route %s', (path, found) => {
    expect(findRoute(table, path)?.path).toBe(found)
  })

  it('refuses one below the root, behind which nothing would be guarded', () => {
    expect(configErrorOf(() => buildRoutes({ verifyToken, routes: [below('/')] }))).toEqual({
      code: 'ERR_MCP_AUTH_INVALID_PROVIDER',
      message: 'a route of the provider cannot serve everything below "/": nothing would be left to guard',
    })
  })
})

describe('refuseMethod', () => {
  it('says which methods there are, and is not stored', () => {
    expect(refuseMethod(route('/a', ['POST']), { method: 'GET', headers: {} })).toEqual({
      status: 405,
      headers: { 'Content-Type': 'application/json', Allow: 'POST, OPTIONS', 'Cache-Control': 'no-store' },
      body: '{"error":"invalid_request","error_description":"This method is not answered here"}',
    })
  })

  it.each([
    ['GET', ['GET']],
    ['HEAD', ['GET']],
    [undefined, ['GET']],
    ['DELETE', ['POST', 'DELETE']],
  ] as const)('lets %s pass to %j', (method, methods) => {
    expect(refuseMethod(route('/a', methods), { method, headers: {} })).toBeUndefined()
  })
})

describe('handleRoute', () => {
  it.each<[methods: Route['methods'], all: string[]]>([
    [['GET'], ['GET', 'HEAD', 'OPTIONS']],
    [['POST'], ['POST', 'OPTIONS']],
    [
      ['GET', 'POST', 'DELETE'],
      ['GET', 'POST', 'DELETE', 'HEAD', 'OPTIONS'],
    ],
  ])('answers for %j the methods %j', (methods, all) => {
    expect(methodsOf(route('/a', methods))).toEqual(all)
  })

  it.each([
    ['GET', 200],
    ['HEAD', 200],
    [undefined, 200],
    ['POST', 405],
    ['get', 405],
    ['constructor', 405],
  ])('answers %s with %i', async (method, status) => {
    const answer: AuthResponse = await handleRoute(route('/a'), { method, headers: {} }, context)
    expect(answer.status).toBe(status)
    if (status === 405) expect(answer.headers['Allow']).toBe('GET, HEAD, OPTIONS')
  })
})

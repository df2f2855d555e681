import { describe, expect, it } from '@jest/globals'
import type { AuthResponse, Route } from 'express-mcp-auth'
import { buildRoutes, findRoute, handleRoute, methodsOf } from '../../lib/http/routes.js'
import { configErrorOf } from '../support/config-error.js'

const verifyToken = (): null => null
const route = (path: string, methods: Route['methods'] = ['GET'], name = path): Route => ({
  path,
  methods,
  handle: () => ({ status: 200, headers: {}, body: name }),
})

describe('buildRoutes', () => {
  it('are none for a bare verifier', () => {
    expect([...buildRoutes({ verifyToken }).keys()]).toEqual([])
  })

  it('are those that the fields of a provider imply, and its own', () => {
    const table = buildRoutes({
      verifyToken,
      baseUrl: 'https://a.example',
      authorizationServers: ['https://b.example'],
      routes: [route('/callback'), route('/token', ['POST'])],
    })
    expect([...table.keys()]).toEqual([
      '/.well-known/oauth-protected-resource/mcp',
      '/.well-known/oauth-protected-resource',
      '/callback',
      '/token',
    ])
  })

  it('keep the first of two with the same path: a provider cannot replace the metadata that its guard points at', () => {
    const first = route('/a', ['GET'], 'first')
    const table = buildRoutes({ verifyToken, routes: [first, route('/a', ['POST'], 'second')] })
    expect(table.get('/a')).toBe(first)
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
    const answer: AuthResponse = await handleRoute(route('/a'), { method, headers: {} })
    expect(answer.status).toBe(status)
    if (status === 405) expect(answer.headers['Allow']).toBe('GET, HEAD, OPTIONS')
  })
})

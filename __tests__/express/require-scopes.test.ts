import { afterEach, describe, expect, it } from '@jest/globals'
import {
  AccessToken,
  type AuthHandler,
  type AuthProvider,
  type McpAuthOptions,
  RemoteAuthProvider,
  StaticTokenVerifier,
  mcpAuth,
  requireScopes,
} from 'express-mcp-auth'
import { configErrorOf } from '../support/config-error.js'
import { HOSTS, type Host, type HostName, startHost } from '../support/hosts.js'
import { refusalOf } from '../support/site.js'

const POINTER = 'resource_metadata="https://api.example.com/.well-known/oauth-protected-resource/mcp"'
const NOT_STORED = { cache: 'no-store', vary: 'Authorization' }
const BARE_BODY = {
  error_description: 'Authentication is required: send "Authorization: Bearer <access token>"',
}

const provider = (requiredScopes: string[] = []): AuthProvider =>
  new RemoteAuthProvider({
    baseUrl: 'https://api.example.com',
    authorizationServers: ['https://login.example.com'],
    tokenVerifier: new StaticTokenVerifier({
      tokens: { t: { clientId: 'c', subject: 'user-1', scopes: ['mcp:use', 'notes', 'a'] } },
    }),
    requiredScopes,
  })
const bearer = { headers: { authorization: 'Bearer t' } }

const cleanUp: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of cleanUp.splice(0)) await close()
})
const start = async (
  handler: AuthHandler,
  {
    name = 'Express 5',
    required = [],
    ...options
  }: McpAuthOptions & { name?: HostName; required?: string[] } = {},
): Promise<Host> => {
  const guard = mcpAuth(provider(required), { onEvent: () => undefined, ...options })
  const host = await startHost(name, [guard, handler])
  cleanUp.push(() => host.close())
  return host
}

describe('requireScopes', () => {
  describe('where the app put something of its own in the place of req.auth', () => {
    const replaced = async (replace: (auth: AccessToken) => unknown, scope: string): Promise<Response> => {
      const handler = requireScopes(scope)
      const replacing: AuthHandler = (request, response, next) => {
        request.auth = replace(request.auth as AccessToken)
        handler(request, response, next)
      }
      const { url } = await start(replacing, {
        scopeImplies: (held, needed) => held === 'a' && needed === 'b',
      })
      return fetch(url, bearer)
    }

    it.each<[rule: string, replace: (auth: AccessToken) => unknown]>([
      ['an heir of it', (auth) => Object.create(auth) as unknown],
      ['a proxy of it', (auth) => new Proxy(auth, {})],
      ['a copy of it', ({ token, clientId, scopes }) => new AccessToken({ token, clientId, scopes })],
    ])('goes by the scopes of %s', async (_rule, replace) => {
      expect((await replaced(replace, 'b')).status).toBe(200)
      expect(await refusalOf(await replaced(replace, 'admin'))).toMatchObject({
        status: 403,
        challenge: expect.stringContaining(POINTER),
      })
    })

    it.each([[undefined], [{ user: 1 }]])(
      'takes %j for nobody, and says where a token can be had',
      async (auth) => {
        expect(await refusalOf(await replaced(() => auth, 'a'))).toMatchObject({
          status: 401,
          challenge: expect.stringContaining(POINTER),
        })
      },
    )
  })

  it.each(HOSTS)('%s: lets a token with all of the scopes pass', async (name) => {
    const { url } = await start(requireScopes('a', 'notes'), { name })
    expect((await fetch(url, bearer)).status).toBe(200)
  })

  it.each(HOSTS)(
    '%s: answers 403 and names all scopes of the operation, with those of every request',
    async (name) => {
      const { url, handled } = await start(requireScopes('a', 'admin'), { name, required: ['mcp:use'] })
      expect(await refusalOf(await fetch(url, bearer))).toEqual({
        status: 403,
        challenge: `Bearer error="insufficient_scope", error_description="This needs the scope mcp:use a admin", scope="mcp:use a admin", ${POINTER}`,
        body: { error: 'insufficient_scope', error_description: 'This needs the scope mcp:use a admin' },
        ...NOT_STORED,
      })
      expect(handled()).toBe(0)
    },
  )

  it('lets one of several pass with anyOf, and names all where none is held', async () => {
    const any = await start(requireScopes({ anyOf: ['admin', 'notes'] }))
    expect((await fetch(any.url, bearer)).status).toBe(200)
    const none = await start(requireScopes({ anyOf: ['admin', 'root'] }))
    expect(await refusalOf(await fetch(none.url, bearer))).toMatchObject({
      status: 403,
      challenge: expect.stringContaining('scope="admin root"'),
    })
  })

  it('takes a broader scope for a narrower one as the guard does', async () => {
    const scopeImplies = (held: string, needed: string): boolean => needed.startsWith(`${held}:`)
    const { url } = await start(requireScopes('notes:write'), { scopeImplies })
    expect((await fetch(url, bearer)).status).toBe(200)
    const plain = await start(requireScopes('notes:write'))
    expect((await fetch(plain.url, bearer)).status).toBe(403)
  })

  it.each(HOSTS)('%s: answers 503 where that comparison throws: nothing could be decided', async (name) => {
    const scopeImplies = (): boolean => {
      throw new Error('no network')
    }
    const { url, handled, errors } = await start(requireScopes('admin'), { name, scopeImplies })
    const response = await fetch(url, bearer)
    expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5'])
    expect([handled(), errors]).toEqual([0, []])
  })

  it('answers an anonymous request 401 and names what it needs', async () => {
    const { url, handled } = await start(requireScopes('admin'), { optional: true, required: ['mcp:use'] })
    expect(await refusalOf(await fetch(url))).toEqual({
      status: 401,
      challenge: `Bearer scope="mcp:use admin", ${POINTER}`,
      body: BARE_BODY,
      ...NOT_STORED,
    })
    expect(handled()).toBe(0)
  })

  it.each(HOSTS)('%s: lets nobody through where no guard stands before it', async (name) => {
    const host = await startHost(name, [requireScopes('a')])
    cleanUp.push(() => host.close())
    expect(await refusalOf(await fetch(host.url, bearer))).toEqual({
      status: 401,
      challenge: 'Bearer scope="a"',
      body: BARE_BODY,
      ...NOT_STORED,
    })
    expect(host.handled()).toBe(0)
  })

  it('lets nobody through on a path that the guard leaves open', async () => {
    const { url, handled } = await start(requireScopes('a'), { protect: '/mcp' })
    expect((await fetch(url, bearer)).status).toBe(401)
    expect(handled()).toBe(0)
  })

  it('does not take something else that calls itself req.auth for a token', async () => {
    const forged: AuthHandler = (request, _response, next) => {
      request.auth = { scopes: ['a'], hasScope: () => true }
      next()
    }
    const host = await startHost('Express 5', [forged, requireScopes('a')])
    cleanUp.push(() => host.close())
    expect((await fetch(host.url, bearer)).status).toBe(401)
  })

  it('can be read by a page, as the answers of the guard can', async () => {
    const { url } = await start(requireScopes('admin'))
    const response = await fetch(url, { headers: { ...bearer.headers, origin: 'https://app.example.com' } })
    expect(response.headers.get('access-control-allow-origin')).toBe('*')
    expect(response.headers.get('access-control-expose-headers')).toContain('WWW-Authenticate')
  })

  it('copies: what the caller changes later changes nothing', async () => {
    const anyOf = ['admin']
    const { url } = await start(requireScopes({ anyOf }))
    anyOf.push('notes')
    expect((await fetch(url, bearer)).status).toBe(403)
  })

  it.each<[rule: string, scopes: unknown[]]>([
    ['no scopes', []],
    ['an empty anyOf', [{ anyOf: [] }]],
    ['anyOf with one scope as text', [{ anyOf: 'admin' }]],
    ['a misspelled anyOf', [{ anyof: ['admin'] }]],
    ['a list instead of scopes', [['a', 'b']]],
    ['scopes in one text', ['a b']],
    ['an empty scope', ['']],
    ['an undefined scope, as by a typo in a constant', ['a', undefined]],
    ['null', [null]],
    ['anyOf among scopes', ['a', { anyOf: ['b'] }]],
    ['scopes behind anyOf, which would not be looked at', [{ anyOf: ['b'] }, 'a']],
    ['anyOf with something else', [{ anyOf: ['a', 7] }]],
  ])('refuses %s', (_rule, scopes) => {
    expect(configErrorOf(() => requireScopes(...(scopes as string[])))).toEqual({
      code: 'ERR_MCP_AUTH_INVALID_OPTION',
      message:
        'requireScopes needs at least one scope: requireScopes("notes:write"), or requireScopes({ anyOf: ["a", "b"] })',
    })
  })
})

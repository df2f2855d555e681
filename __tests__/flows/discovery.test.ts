// What the MCP authorization specification asks of a server, as far as it can be seen from outside. RS-… are its requirements,
// one by one, in their order.
import { afterEach, describe, expect, test } from '@jest/globals'
import {
  ConfigError,
  IntrospectionTokenVerifier,
  JWTVerifier,
  type McpAuthOptions,
  OAuthError,
  type ProviderLike,
  RemoteAuthProvider,
  type RemoteAuthProviderOptions,
} from 'express-mcp-auth'
import { readChallenge } from '../support/challenge.js'
import {
  ISSUER,
  RESOURCE,
  createKey,
  createToken,
  jsonAnswer,
  startKeySet,
  startStub,
} from '../support/issuer.js'
import { type Site, refusalOf, startSite } from '../support/site.js'

const ORIGIN = 'https://api.example.com'
const PATH_FORM = '/.well-known/oauth-protected-resource/mcp'
const ROOT_FORM = '/.well-known/oauth-protected-resource'
const METADATA = ORIGIN + PATH_FORM

const key = createKey()
const good = createToken(key, { scope: 'mcp:use' })

const opened: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each.close()
})

function remote(changes: Partial<RemoteAuthProviderOptions> = {}): RemoteAuthProvider {
  const resource = changes.resourceUrl ?? RESOURCE
  return new RemoteAuthProvider({
    baseUrl: ORIGIN,
    authorizationServers: [ISSUER],
    tokenVerifier: new JWTVerifier({ publicKey: key.jwk, issuer: ISSUER, audience: resource }),
    requiredScopes: ['mcp:use'],
    ...changes,
  })
}

async function open(provider: ProviderLike = remote(), options: McpAuthOptions = {}): Promise<Site> {
  const site = await startSite(provider, options)
  opened.push(site)
  return site
}

function call(
  site: Site,
  token?: string,
  { path = '/mcp', method = 'POST', headers = {}, body = '{}' } = {},
): Promise<Response> {
  return fetch(site.url + path, {
    method,
    headers: {
      'content-type': 'application/json',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...headers,
    },
    ...(method === 'POST' && { body }),
  })
}

async function documentAt(site: Site, path = PATH_FORM): Promise<Record<string, unknown>> {
  return (await (await fetch(site.url + path)).json()) as Record<string, unknown>
}

/** The parameters of the one Bearer challenge of an answer; throws where it is not well-formed. */
function paramsOf({ headers }: Response): ReadonlyMap<string, string> {
  const { scheme, params } = readChallenge(headers.get('www-authenticate') ?? '')
  expect(scheme).toBe('Bearer')
  return params
}

async function challengeOf(response: Promise<Response>): Promise<ReadonlyMap<string, string>> {
  return paramsOf(await response)
}

/** Every way in which a token can be bad. */
const badTokens: Readonly<Record<string, string>> = {
  garbage: 'abc',
  'three parts of garbage': 'a.b.c',
  expired: createToken(key, { exp: 1, scope: 'mcp:use' }),
  'for another service': createToken(key, { aud: 'https://mail.example.com', scope: 'mcp:use' }),
  'of another issuer': createToken(key, { iss: 'https://evil.example.com', scope: 'mcp:use' }),
  'signed with another key': createToken(createKey('RS256', key.kid), { scope: 'mcp:use' }),
  'with a broken signature': `${good.slice(0, -8)}AAAAAAAA`,
  'with alg none': `${Buffer.from('{"alg":"none"}').toString('base64url')}.${good.split('.')[1]}.`,
}

describe('metadata', () => {
  test('RS-02 protected resource metadata is there, for anyone, with no token', async () => {
    const response = await fetch((await open()).url + PATH_FORM)

    expect(response.status).toBe(200)
    expect(response.headers.get('access-control-allow-origin')).toBe('*')
    expect(await response.json()).toEqual({
      resource: RESOURCE,
      authorization_servers: [ISSUER],
      scopes_supported: ['mcp:use'],
      bearer_methods_supported: ['header'],
    })
  })

  test('RS-03 it names the authorization servers, byte for byte, and cannot be configured to name none', async () => {
    const issuers = ['https://login.example.com/', 'https://login.example.com/tenant-a']
    const site = await open(remote({ authorizationServers: issuers }))

    expect((await documentAt(site))['authorization_servers']).toEqual(issuers)
    expect(() => remote({ authorizationServers: [] })).toThrow(ConfigError)
  })

  test('RS-04 it is found by the challenge, by the path form and by the root form, and is the same everywhere', async () => {
    const site = await open()
    const pointer = (await challengeOf(call(site))).get('resource_metadata')
    expect(pointer).toBe(METADATA)

    const document = await documentAt(site, PATH_FORM)
    expect(await documentAt(site, ROOT_FORM)).toEqual(document)
    expect(await documentAt(site, new URL(pointer!).pathname)).toEqual(document)
  })

  test('RS-04 other metadata that clients probe for is a 404 and not a challenge', async () => {
    const site = await open()
    for (const path of [
      '/.well-known/oauth-authorization-server',
      '/.well-known/openid-configuration',
      '/.well-known/oauth-protected-resource/other',
      '/mcp/.well-known/openid-configuration',
    ]) {
      const response = await fetch(site.url + path)
      expect([path, response.status, response.headers.get('www-authenticate')]).toEqual([path, 404, null])
      expect(await response.json()).toEqual({
        error: 'not_found',
        error_description: 'There is no such metadata here',
      })
    }
  })

  test.each([
    [RESOURCE, PATH_FORM],
    [ORIGIN, ROOT_FORM],
    [`${ORIGIN}/tenant-a/mcp`, `${ROOT_FORM}/tenant-a/mcp`],
  ])('RS-05 the document for %s is JSON at %s and names just this resource', async (resourceUrl, path) => {
    const site = await open(remote({ resourceUrl }))
    const response = await fetch(site.url + path)

    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(await response.json()).toMatchObject({ resource: resourceUrl })
    expect((await challengeOf(call(site))).get('resource_metadata')).toBe(ORIGIN + path)
  })

  test.each(['https://api.example.com/mcp#top', 'ftp://api.example.com/mcp', '/mcp'])(
    'RS-05 %s is refused as a resource identifier',
    (resourceUrl) => {
      expect(() => remote({ resourceUrl })).toThrow(ConfigError)
    },
  )

  test.each([RESOURCE, ORIGIN, `${ORIGIN}/mcp/`, `${ORIGIN}/MCP`, 'HTTPS://API.Example.com/mcp'])(
    'RS-06 %s is published as it was written, and tokens for just this string are accepted',
    async (resourceUrl) => {
      const [baseUrl] = /^[^/]+..[^/]+/.exec(resourceUrl)!
      const site = await open(remote({ baseUrl, resourceUrl }))
      const path = new URL(resourceUrl).pathname
      const document = await documentAt(site, path === '/' ? ROOT_FORM : ROOT_FORM + path)
      expect(document['resource']).toBe(resourceUrl)

      const other = resourceUrl.endsWith('/') ? resourceUrl.slice(0, -1) : `${resourceUrl}/`
      const tokenFor = (aud: string): string => createToken(key, { aud, scope: 'mcp:use' })
      expect((await call(site, tokenFor(resourceUrl))).status).toBe(200)
      expect((await call(site, tokenFor(other))).status).toBe(401)
      expect((await call(site, tokenFor(resourceUrl.toUpperCase()))).status).toBe(401)
    },
  )

  test('RS-07 it says what else it was told, and leaves out what it was not', async () => {
    const described = await open(
      remote({
        resourceName: 'Notes',
        resourceDocumentation: 'https://example.com/docs',
        resourcePolicyUri: 'https://example.com/policy',
        resourceTosUri: 'https://example.com/terms',
      }),
    )
    const bare = await open(remote({ requiredScopes: [] }))

    expect(await documentAt(described)).toMatchObject({
      bearer_methods_supported: ['header'],
      resource_name: 'Notes',
      resource_documentation: 'https://example.com/docs',
      resource_policy_uri: 'https://example.com/policy',
      resource_tos_uri: 'https://example.com/terms',
    })
    expect(Object.keys(await documentAt(bare))).toEqual([
      'resource',
      'authorization_servers',
      'bearer_methods_supported',
    ])
  })

  test('RS-08 its scopes are those of basic use, and not the whole catalogue', async () => {
    const toolScopes = { tools: { delete_note: ['notes:write'] }, methods: { 'prompts/list': ['prompts'] } }
    const site = await open(remote(), { toolScopes })

    expect((await documentAt(site))['scopes_supported']).toEqual(['mcp:use'])
  })

  test('RS-09 offline_access is for the client to ask for: neither metadata nor challenge names it', async () => {
    const site = await open(remote({ requiredScopes: ['mcp:use', 'offline_access'] }))

    expect((await documentAt(site))['scopes_supported']).toEqual(['mcp:use'])
    expect((await challengeOf(call(site))).get('scope')).toBe('mcp:use')
    expect((await challengeOf(call(site, createToken(key, { scope: '' })))).get('scope')).toBe('mcp:use')
  })
})

describe('refusals', () => {
  test('RS-10 401 is for no token and a bad one, 403 for too few scopes, 400 for a request that contradicts itself', async () => {
    const site = await open()

    expect((await call(site)).status).toBe(401)
    expect((await call(site, 'abc')).status).toBe(401)
    expect((await call(site, badTokens['expired'])).status).toBe(401)
    expect((await call(site, createToken(key, { scope: 'other' }))).status).toBe(403)
    expect((await call(site, good, { path: `/mcp?access_token=${good}` })).status).toBe(400)
    expect((await call(site, good)).status).toBe(200)
    expect(site.handled()).toBe(1)
  })

  test.each(Object.entries(badTokens))(
    'RS-11 a bad token is a 401, never a 500: %s',
    async (_kind, token) => {
      const site = await open()

      expect(await refusalOf(await call(site, token))).toEqual({
        status: 401,
        challenge:
          'Bearer error="invalid_token", error_description="The access token is malformed, expired, revoked or not meant for ' +
          `this resource", scope="mcp:use", resource_metadata="${METADATA}"`,
        body: {
          error: 'invalid_token',
          error_description: 'The access token is malformed, expired, revoked or not meant for this resource',
        },
        cache: 'no-store',
        vary: 'Authorization',
      })
      expect(site.handled()).toBe(0)
    },
  )

  test('RS-11 an expired token is a 401 even where its verifier lets it pass', async () => {
    const site = await open({ verifyToken: () => ({ clientId: 'client', expiresAt: 1 }) })

    expect(await refusalOf(await call(site, 'abc'))).toMatchObject({
      status: 401,
      body: { error: 'invalid_token' },
    })
    expect(site.handled()).toBe(0)
  })

  test('RS-12 every 401 carries one Bearer challenge whose parameters are well-formed and come once', async () => {
    const site = await open()
    for (const [kind, token] of [['none', undefined], ...Object.entries(badTokens)] as const) {
      const response = await call(site, token)
      expect([kind, response.status, paramsOf(response).size > 0]).toEqual([kind, 401, true])
    }
  })

  test('RS-12 no text of a verifier can break out of its challenge', async () => {
    const description = 'quote " backslash \\ break\r\nSet-Cookie: a=b, Bearer realm="x" and a snowman ☃'
    const site = await open({
      verifyToken: () => {
        throw new OAuthError('invalid_token', description)
      },
    })
    const response = await call(site, 'abc')

    expect(response.status).toBe(401)
    expect(response.headers.get('set-cookie')).toBeNull()
    const challenge = paramsOf(response)
    expect([...challenge.keys()]).toEqual(['error', 'error_description'])
    expect(challenge.get('error_description')).toBe(
      "quote ' backslash / break Set-Cookie: a=b, Bearer realm='x' and a snowman ?",
    )
  })

  test('RS-13 the challenge names the scopes that the request needs, listed in the metadata or not', async () => {
    const site = await open(
      remote({ requiredScopes: ['mcp:use', 'notes:read'], scopesSupported: ['mcp:use'] }),
    )

    expect((await challengeOf(call(site))).get('scope')).toBe('mcp:use notes:read')
    expect((await documentAt(site))['scopes_supported']).toEqual(['mcp:use'])
  })

  test.each([
    ['no credentials', {}],
    ['an empty header', { authorization: '' }],
    ['credentials of another scheme', { authorization: 'Basic dXNlcjpwYXNzd29yZA==' }],
    ['a scheme that only begins like ours', { authorization: 'BearerToken abc' }],
  ])('RS-14 without a token the challenge speaks of no error: %s', async (_kind, headers) => {
    const site = await open()

    expect(await refusalOf(await call(site, undefined, { headers }))).toEqual({
      status: 401,
      challenge: `Bearer scope="mcp:use", resource_metadata="${METADATA}"`,
      body: {
        error_description: 'Authentication is required: send "Authorization: Bearer <access token>"',
      },
      cache: 'no-store',
      vary: 'Authorization',
    })
  })

  test.each(['Bearer', 'Bearer ', 'Bearer a b', 'Bearer "abc"', 'Bearer é'])(
    'RS-15 %j has a token in mind, so the answer says invalid_token',
    async (authorization) => {
      const site = await open()
      const answer = await site.raw(
        `POST /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${authorization}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`,
      )

      expect(answer).toMatch(/^HTTP\/1\.1 401 /)
      expect(answer).toMatch(/^WWW-Authenticate: Bearer error="invalid_token", /m)
    },
  )

  test('RS-15 credentials that come twice are a 400 invalid_request, whichever of them is good', async () => {
    const site = await open()
    const twice = (first: string, second: string): Promise<string> =>
      site.raw(
        `POST /mcp HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${first}\r\nAuthorization: ${second}\r\n` +
          'Content-Length: 0\r\nConnection: close\r\n\r\n',
      )

    for (const answer of [
      await twice(`Bearer ${good}`, 'Bearer abc'),
      await twice('Bearer abc', `Bearer ${good}`),
      await twice(`Bearer ${good}`, `Bearer ${good}`),
    ]) {
      expect(answer).toMatch(/^HTTP\/1\.1 400 /)
      expect(answer).toMatch(/^WWW-Authenticate: Bearer error="invalid_request", /m)
      expect(answer).toContain('"error":"invalid_request"')
    }
    const both = await refusalOf(await call(site, good, { path: `/mcp?access_token=${good}` }))
    expect(both).toMatchObject({
      status: 400,
      body: { error: 'invalid_request' },
      cache: 'no-store',
      vary: 'Authorization',
    })
    expect(site.handled()).toBe(0)
  })

  test('RS-16 too few scopes are a 403 that says which are needed and where to read on', async () => {
    const site = await open()

    expect(await refusalOf(await call(site, createToken(key, { scope: 'other' })))).toEqual({
      status: 403,
      challenge:
        'Bearer error="insufficient_scope", error_description="This needs the scope mcp:use", scope="mcp:use", ' +
        `resource_metadata="${METADATA}"`,
      body: { error: 'insufficient_scope', error_description: 'This needs the scope mcp:use' },
      cache: 'no-store',
      vary: 'Authorization',
    })
    expect(site.handled()).toBe(0)
  })

  test('RS-16 an expired token with too few scopes is expired first: the client has to renew it, not to widen it', async () => {
    const site = await open()

    const challenge = await challengeOf(call(site, createToken(key, { exp: 1, scope: '' })))

    expect(challenge.get('error')).toBe('invalid_token')
  })

  test('RS-17 one challenge names all scopes of an operation, a batch of calls included', async () => {
    const toolScopes = { tools: { add: ['notes:write'], drop: ['notes:delete'] } }
    const site = await open(remote(), { toolScopes })
    const calls = ['add', 'drop'].map((name, id) => ({
      jsonrpc: '2.0',
      id,
      method: 'tools/call',
      params: { name },
    }))

    const response = await call(site, good, { body: JSON.stringify(calls) })

    expect(response.status).toBe(403)
    expect(paramsOf(response).get('scope')).toBe('mcp:use notes:write notes:delete')
    expect(site.handled()).toBe(0)
  })

  test('RS-18 a broader scope includes the narrower ones, where the app says so', async () => {
    const site = await open(remote(), { scopeImplies: (held, needed) => needed.startsWith(`${held}:`) })

    expect((await call(site, createToken(key, { scope: 'mcp' }))).status).toBe(200)
    expect((await call(site, createToken(key, { scope: 'mcp:read' }))).status).toBe(403)
  })
})

describe('tokens', () => {
  test('RS-19 nothing runs before the token was checked, and nobody learns by it what there is', async () => {
    const site = await open()
    const answers = await Promise.all(
      ['/mcp', '/no-such-path', '/mcp/../admin'].map(async (path) => {
        const response = await call(site, 'abc', { path })
        return { status: response.status, body: await response.text() }
      }),
    )

    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1)
    expect(site.handled()).toBe(0)
  })

  test('RS-20 a token has to name this resource as its audience, alone or among others', async () => {
    const site = await open()
    const withAudience = (aud: unknown): Promise<number> =>
      call(site, createToken(key, { aud, scope: 'mcp:use' })).then(({ status }) => status)

    expect(await withAudience(RESOURCE)).toBe(200)
    expect(await withAudience(['https://other.example.com', RESOURCE])).toBe(200)
    expect(await withAudience(['https://other.example.com'])).toBe(401)
    expect(await withAudience(ORIGIN)).toBe(401)
    expect(await withAudience(`${RESOURCE}/more`)).toBe(401)
    expect(await withAudience([])).toBe(401)
    expect(await withAudience(undefined)).toBe(401)
    // @ts-expect-error -- the audience cannot be forgotten
    expect(() => new JWTVerifier({ publicKey: key.jwk, issuer: ISSUER, audience: undefined })).toThrow(
      ConfigError,
    )
  })

  test('RS-21 only tokens of the authorization servers that the metadata names are accepted', async () => {
    const keys = await startKeySet(key)
    opened.push(keys)
    const site = await open(
      new RemoteAuthProvider({
        baseUrl: ORIGIN,
        authorizationServers: [ISSUER],
        jwksUri: `${keys.url}/jwks`,
      }),
    )

    expect((await call(site, createToken(key))).status).toBe(200)
    expect((await call(site, createToken(key, { iss: `${ISSUER}/` }))).status).toBe(401)
    expect((await call(site, createToken(key, { iss: 'https://evil.example.com' }))).status).toBe(401)
  })

  test('RS-22 the token of a caller goes nowhere: keys are fetched without it, introspection is asked in our own name', async () => {
    const keys = await startKeySet(key)
    const service = await startStub(jsonAnswer({ active: true, client_id: 'client', aud: RESOURCE }))
    opened.push(keys, service)
    const bySignature = await open(
      new RemoteAuthProvider({
        baseUrl: ORIGIN,
        authorizationServers: [ISSUER],
        jwksUri: `${keys.url}/jwks`,
      }),
    )
    const byIntrospection = await open(
      new IntrospectionTokenVerifier({
        introspectionUrl: `${service.url}/introspect`,
        clientId: 'resource-server',
        clientSecret: 'its secret',
        audience: RESOURCE,
      }),
    )

    expect((await call(bySignature, good)).status).toBe(200)
    expect((await call(byIntrospection, 'opaque-token')).status).toBe(200)

    expect(keys.requests).toHaveLength(1)
    expect(JSON.stringify(keys.requests)).not.toContain(good.slice(0, 20))
    expect(keys.requests[0]!.headers.authorization).toBeUndefined()
    expect(service.requests).toHaveLength(1)
    expect(service.requests[0]!.headers.authorization).toMatch(/^Basic /)
    expect(service.requests[0]!.url).toBe('/introspect')
  })

  test('RS-23 a token counts in the Authorization header only, and the name of its scheme in any case', async () => {
    const site = await open()

    for (const scheme of ['Bearer', 'bearer', 'BEARER', 'bEaReR'])
      expect((await call(site, undefined, { headers: { authorization: `${scheme} ${good}` } })).status).toBe(
        200,
      )

    const inQuery = await call(site, undefined, { path: `/mcp?access_token=${good}` })
    const inForm = await call(site, undefined, {
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body: `access_token=${good}`,
    })
    const inCookie = await call(site, undefined, { headers: { cookie: `access_token=${good}` } })
    for (const refused of [inQuery, inForm, inCookie]) {
      expect(refused.status).toBe(401)
      expect(refused.headers.get('www-authenticate')).toBe(
        `Bearer scope="mcp:use", resource_metadata="${METADATA}"`,
      )
    }
    expect(site.handled()).toBe(4)
  })
})

describe('requests', () => {
  test('RS-24 each request stands for itself: one that was allowed opens nothing for the next on the same connection', async () => {
    const site = await open()
    const request = (head: string, extra = ''): string =>
      `${head} /mcp HTTP/1.1\r\nHost: localhost\r\n${extra}Content-Length: 0\r\n`

    const answers = await site.raw(
      `${request('POST', `Authorization: Bearer ${good}\r\n`)}\r\n` +
        `${request('POST')}\r\n${request('GET')}\r\n${request('DELETE')}Connection: close\r\n\r\n`,
    )

    expect(answers.match(/HTTP\/1\.1 \d{3}/g)).toEqual([
      'HTTP/1.1 200',
      'HTTP/1.1 401',
      'HTTP/1.1 401',
      'HTTP/1.1 401',
    ])
    expect(site.handled()).toBe(1)
  })

  test('RS-25 a session ID is a handle and no credential', async () => {
    const site = await open()
    for (const method of ['POST', 'GET', 'DELETE']) {
      const response = await call(site, undefined, { method, headers: { 'mcp-session-id': 'known-to-many' } })
      expect([method, response.status]).toEqual([method, 401])
    }
    expect(site.handled()).toBe(0)
  })

  test('RS-27 a page of an origin that is not allowed gets 403, before its token is looked at', async () => {
    const site = await open(remote(), { allowedOrigins: ['https://app.example.com'] })
    const from = (origin?: string): Promise<Response> =>
      call(site, good, { headers: origin === undefined ? {} : { origin } })

    expect((await from()).status).toBe(200)
    expect((await from('https://app.example.com')).status).toBe(200)
    for (const origin of ['https://evil.example.com', 'http://app.example.com', 'null', '']) {
      const refused = await refusalOf(await from(origin))
      expect([origin, refused]).toEqual([
        origin,
        {
          status: 403,
          challenge: null,
          body: { error: 'invalid_request', error_description: 'This origin may not call this server' },
          cache: 'no-store',
          vary: 'Authorization',
        },
      ])
    }
    expect(site.handled()).toBe(2)
  })

  test.each<[string, Partial<RemoteAuthProviderOptions>]>([
    ['baseUrl', { baseUrl: 'http://api.example.com' }],
    ['authorizationServers', { authorizationServers: ['http://login.example.com'] }],
    ['resourceUrl', { resourceUrl: 'http://api.example.com/mcp' }],
    ['resourceTosUri', { resourceTosUri: 'http://api.example.com/terms' }],
  ])('RS-31 %s has to be https', (option, changes) => {
    expect(() => remote(changes)).toThrow(
      expect.objectContaining({
        code: 'ERR_MCP_AUTH_INSECURE_URL',
        message: expect.stringContaining(option) as unknown,
      }),
    )
  })

  test('RS-31 on loopback http will do', async () => {
    const local = 'http://127.0.0.1:3000'
    const site = await open(
      remote({
        baseUrl: local,
        resourceUrl: `${local}/mcp`,
        authorizationServers: ['http://localhost:4000'],
      }),
    )

    expect(await documentAt(site)).toMatchObject({
      resource: `${local}/mcp`,
      authorization_servers: ['http://localhost:4000'],
    })
  })
})

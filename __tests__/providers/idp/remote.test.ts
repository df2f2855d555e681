// Identity providers that clients sign in to themselves, each against a double of its documented endpoints.
import { afterEach, describe, expect, it } from '@jest/globals'
import type { RemoteAuthProvider } from 'express-mcp-auth'
import { DescopeProvider } from 'express-mcp-auth/providers/descope'
import { KeycloakAuthProvider } from 'express-mcp-auth/providers/keycloak'
import { PropelAuthProvider } from 'express-mcp-auth/providers/propelauth'
import { ScalekitProvider } from 'express-mcp-auth/providers/scalekit'
import { SupabaseProvider } from 'express-mcp-auth/providers/supabase'
import { Auth0MCPProvider } from '../../../lib/providers/idp/auth0-mcp.js'
import { AuthKitProvider } from '../../../lib/providers/idp/authkit.js'
import { configErrorOf } from '../../support/config-error.js'
import {
  type Json,
  RESOURCE,
  type Stub,
  claimsOf,
  createKey,
  createToken,
  jsonAnswer,
  startStub,
} from '../../support/issuer.js'
import { type Site, refusalOf, startSite } from '../../support/site.js'

const baseUrl = 'https://api.example.com'
const PRM = '/.well-known/oauth-protected-resource/mcp'
const MIRROR = '/.well-known/oauth-authorization-server'
const rs256 = createKey('RS256')
const es256 = createKey('ES256')
const stranger = createKey('RS256')

type Deps = { readonly fetch: typeof globalThis.fetch }

/** One identity provider: what is passed, what its documentation says of its endpoints and tokens, and what is to come of it. */
interface Row {
  readonly name: string
  readonly class: {
    readonly envOptions: object
    readonly name: string
    new (options: never): RemoteAuthProvider
  }
  readonly options: Json
  /** Where everything of it is. */
  readonly origin: string
  /** As metadata and clients call it. */
  readonly issuer: string
  /** Path of its metadata. */
  readonly metadata: string
  /** Path of its keys, or of what answers for its tokens. */
  readonly keys?: string
  readonly introspection?: string
  readonly mirrored: boolean
  /** Of a good token, beside times. */
  readonly claims: Json
  readonly expected: { readonly subject: string; readonly clientId: string; readonly scopes: string[] }
  readonly challenged?: string
  /** Tokens of the same keys for others. */
  readonly others: Readonly<Record<string, Json>>
  /** More that are good. */
  readonly alsoGood?: Readonly<Record<string, Json>>
  readonly env: Json
  readonly hints?: string[]
}

const ROWS: readonly Row[] = [
  {
    name: 'Keycloak',
    class: KeycloakAuthProvider,
    options: { realmUrl: 'https://sso.example.com/realms/notes/' },
    origin: 'https://sso.example.com',
    issuer: 'https://sso.example.com/realms/notes',
    metadata: '/realms/notes/.well-known/openid-configuration',
    keys: '/realms/notes/protocol/openid-connect/certs',
    mirrored: false,
    // Its access tokens are `typ: Bearer` in the payload, and `JWT` in the header; the client is `azp`.
    claims: {
      aud: [RESOURCE, 'account'],
      azp: 'app',
      client_id: undefined,
      typ: 'Bearer',
      scope: 'openid email',
    },
    expected: { subject: 'user-1', clientId: 'app', scopes: ['openid', 'email'] },
    challenged: 'openid',
    others: {
      'without an audience mapper': { aud: undefined },
      'for the account console': { aud: 'account' },
      'of another realm': { iss: 'https://sso.example.com/realms/other' },
      'that is an ID token': { typ: 'ID' },
      'that is a refresh token': { typ: 'Refresh' },
    },
    env: { realmUrl: 'text', audience: 'list' },
  },
  {
    name: 'AuthKit',
    class: AuthKitProvider,
    options: { authkitDomain: 'notes.authkit.app' },
    origin: 'https://notes.authkit.app',
    issuer: 'https://notes.authkit.app',
    metadata: '/.well-known/oauth-authorization-server',
    keys: '/oauth2/jwks',
    mirrored: true,
    claims: { aud: RESOURCE, client_id: 'client_1', sid: 'session_1', scope: 'openid' },
    expected: { subject: 'user-1', clientId: 'client_1', scopes: ['openid'] },
    others: {
      'for the environment, as without a resource indicator': { aud: 'client_environment' },
      'of another environment': { iss: 'https://other.authkit.app' },
      'of an issuer with a slash': { iss: 'https://notes.authkit.app/' },
    },
    env: { authkitDomain: 'text', audience: 'list' },
  },
  {
    name: 'Auth0 for MCP',
    class: Auth0MCPProvider,
    options: { configUrl: 'https://notes.eu.auth0.com/.well-known/openid-configuration' },
    origin: 'https://notes.eu.auth0.com',
    issuer: 'https://notes.eu.auth0.com/',
    metadata: '/.well-known/oauth-authorization-server',
    keys: '/.well-known/jwks.json',
    mirrored: true,
    claims: {
      aud: [RESOURCE, 'https://notes.eu.auth0.com/userinfo'],
      sub: 'auth0|1',
      client_id: undefined,
      azp: 'app',
      scope: 'openid notes:read',
      permissions: ['notes:read', 'notes:write'],
    },
    expected: { subject: 'auth0|1', clientId: 'app', scopes: ['openid', 'notes:read', 'notes:write'] },
    others: {
      'for another API': { aud: 'https://other.example.com' },
      'for the resource with a slash': { aud: `${RESOURCE}/` },
      'of an issuer without its slash': { iss: 'https://notes.eu.auth0.com' },
      'of another tenant': { iss: 'https://other.eu.auth0.com/' },
    },
    env: { configUrl: 'text', audience: 'list' },
  },
  {
    name: 'Descope, a project',
    class: DescopeProvider,
    options: { configUrl: 'https://api.descope.com/v1/apps/P2abc/.well-known/openid-configuration' },
    origin: 'https://api.descope.com',
    issuer: 'https://api.descope.com/v1/apps/P2abc',
    metadata: '/v1/apps/P2abc/.well-known/openid-configuration',
    keys: '/P2abc/.well-known/jwks.json',
    mirrored: false,
    claims: { aud: ['P2abc'], client_id: undefined, azp: 'app', scope: 'read' },
    expected: { subject: 'user-1', clientId: 'app', scopes: ['read'] },
    alsoGood: { 'for the MCP endpoint': { aud: RESOURCE } },
    others: {
      'for another project': { aud: 'P3xyz' },
      'of another project': { iss: 'https://api.descope.com/v1/apps/P3xyz' },
      'of an MCP server in the project': { iss: 'https://api.descope.com/v1/apps/agentic/P2abc/M1' },
      'of a tenant': { iss: 'https://api.descope.com/v1/apps/P2abc/T1' },
    },
    env: { configUrl: 'text', projectId: 'text', descopeBaseUrl: 'text', audience: 'list', issuer: 'list' },
  },
  {
    name: 'Descope, an MCP server',
    class: DescopeProvider,
    options: {
      configUrl: 'https://auth.example.com/v1/apps/agentic/P2abc/M1/.well-known/openid-configuration',
    },
    origin: 'https://auth.example.com',
    issuer: 'https://auth.example.com/v1/apps/agentic/P2abc/M1',
    metadata: '/v1/apps/agentic/P2abc/M1/.well-known/openid-configuration',
    keys: '/P2abc/.well-known/jwks.json',
    mirrored: false,
    claims: { aud: 'P2abc', client_id: 'app', scope: 'read' },
    expected: { subject: 'user-1', clientId: 'app', scopes: ['read'] },
    alsoGood: { 'of the project': { iss: 'https://auth.example.com/v1/apps/P2abc' } },
    others: {
      'of another MCP server': { iss: 'https://auth.example.com/v1/apps/agentic/P2abc/M2' },
      'of another project': { iss: 'https://auth.example.com/v1/apps/P3xyz' },
    },
    env: { configUrl: 'text' },
  },
  {
    name: 'Descope, a project by its ID',
    class: DescopeProvider,
    options: { projectId: 'P2abc', descopeBaseUrl: 'auth.example.com' },
    origin: 'https://auth.example.com',
    issuer: 'https://auth.example.com/v1/apps/P2abc',
    metadata: '/v1/apps/P2abc/.well-known/openid-configuration',
    keys: '/P2abc/.well-known/jwks.json',
    mirrored: false,
    claims: { aud: 'P2abc', client_id: 'app', scope: '' },
    expected: { subject: 'user-1', clientId: 'app', scopes: [] },
    others: { 'of the common host': { iss: 'https://api.descope.com/v1/apps/P2abc' } },
    env: {},
  },
  {
    name: 'Scalekit',
    class: ScalekitProvider,
    options: { environmentUrl: 'https://notes.scalekit.com', resourceId: 'res_1' },
    origin: 'https://notes.scalekit.com',
    issuer: 'https://notes.scalekit.com/resources/res_1',
    metadata: '/.well-known/oauth-authorization-server/resources/res_1',
    keys: '/keys',
    mirrored: false,
    claims: { aud: ['res_1'], iss: 'https://notes.scalekit.com', client_id: 'app', scope: 'todo:read' },
    expected: { subject: 'user-1', clientId: 'app', scopes: ['todo:read'] },
    alsoGood: {
      'of the issuer that its metadata names': { iss: 'https://notes.scalekit.com/resources/res_1' },
      'for the MCP endpoint': { aud: [RESOURCE] },
    },
    others: {
      'for another MCP server': { aud: 'res_2' },
      'of another MCP server': { iss: 'https://notes.scalekit.com/resources/res_2' },
      'of another environment': { iss: 'https://other.scalekit.com' },
    },
    env: { environmentUrl: 'text', resourceId: 'text', audience: 'list' },
  },
  {
    name: 'Supabase',
    class: SupabaseProvider,
    options: { projectUrl: 'https://abc123.supabase.co' },
    origin: 'https://abc123.supabase.co',
    issuer: 'https://abc123.supabase.co/auth/v1',
    metadata: '/.well-known/oauth-authorization-server/auth/v1',
    keys: '/auth/v1/.well-known/jwks.json',
    mirrored: false,
    claims: { aud: 'authenticated', role: 'authenticated', client_id: 'app', scope: 'email' },
    expected: { subject: 'user-1', clientId: 'app', scopes: ['email'] },
    alsoGood: { 'for the MCP endpoint, as a hook writes it': { aud: RESOURCE } },
    others: {
      'of nobody who signed in': { aud: 'anon' },
      'of another project': { iss: 'https://xyz789.supabase.co/auth/v1' },
    },
    env: { projectUrl: 'text', authRoute: 'text', algorithm: 'text', audience: 'list' },
    hints: ['audience_unchecked'],
  },
  {
    name: 'PropelAuth',
    class: PropelAuthProvider,
    options: {
      authUrl: 'https://auth.example.com',
      introspectionClientId: 'id',
      introspectionClientSecret: 'secret',
    },
    origin: 'https://auth.example.com',
    issuer: 'https://auth.example.com/oauth/2.1',
    metadata: '/.well-known/oauth-authorization-server/oauth/2.1',
    introspection: '/oauth/2.1/introspect',
    mirrored: false,
    claims: { active: true, aud: RESOURCE, client_id: 'app', scope: 'read:user_data' },
    expected: { subject: 'user-1', clientId: 'app', scopes: ['read:user_data'] },
    others: {
      'that is not active': { active: false },
      'that says it is active by a text': { active: 'true' },
      'for another MCP server': { aud: 'https://other.example.com/mcp' },
      'for the resource with a slash': { aud: `${RESOURCE}/` },
      'without an audience': { aud: undefined },
    },
    env: {
      authUrl: 'text',
      introspectionClientId: 'text',
      introspectionClientSecret: 'text',
      resource: 'list',
      tokenIntrospectionOverrides: 'json',
    },
  },
]

/** The double of an identity provider, and an app that trusts it. */
interface Stage {
  readonly site: Site
  readonly double: Stub
  /** URLs that were asked for, as the provider wrote them. */
  readonly asked: string[]
  readonly provider: RemoteAuthProvider
  /** A token with changes to the claims of a good one. */
  issue(changes?: Json, key?: typeof rs256): string
  call(token: string): Promise<Response>
}

const stages: { site: Site; double: Stub }[] = []

afterEach(async () => {
  for (const { site, double } of stages.splice(0)) {
    await site.close()
    await double.close()
  }
})

async function stage(row: Row, options: Json = {}): Promise<Stage> {
  const introspected = new Map<string, Json>()
  const asked: string[] = []
  const double = await startStub((request, response, body) => {
    const answers = new Map([
      [row.metadata, jsonAnswer({ issuer: row.issuer, token_endpoint: `${row.issuer}/token` })],
      [row.keys, jsonAnswer({ keys: [rs256.jwk, es256.jwk] })],
      [row.introspection, introspect(body, request.headers.authorization, introspected)],
    ])
    ;(answers.get(request.url) ?? jsonAnswer({}, {}, 404))(request, response, body)
  })
  const deps: Deps = {
    fetch: (input, init) => {
      const url = input as string
      asked.push(url)
      if (!url.startsWith(`${row.origin}/`)) throw new Error(`${url} is not of ${row.name}`)
      return fetch(url.replace(row.origin, double.url), init)
    },
  }
  const provider = new row.class({ baseUrl, ...row.options, ...options, deps } as never)
  const site = await startSite(provider)
  stages.push({ site, double })
  const issue: Stage['issue'] = (changes = {}, key = row.name === 'Supabase' ? es256 : rs256) => {
    const claims = { iss: row.issuer, ...row.claims, ...changes }
    if (row.introspection === undefined) return createToken(key, claims, { typ: 'JWT' })
    const token = `opaque-${introspected.size}`
    introspected.set(token, claimsOf(claims))
    return token
  }
  const call = (token: string): Promise<Response> =>
    fetch(`${site.url}/mcp`, { headers: { authorization: `Bearer ${token}` } })
  return { site, double, asked, provider, issue, call }
}

function introspect(
  body: string,
  authorization: string | undefined,
  tokens: Map<string, Json>,
): Stub['answer'] {
  const known = authorization === `Basic ${Buffer.from('id:secret').toString('base64')}`
  const token = new URLSearchParams(body).get('token') ?? ''
  return known
    ? jsonAnswer(tokens.get(token) ?? { active: false })
    : jsonAnswer({ error: 'invalid_client' }, {}, 401)
}

function rowOf(name: string): Row {
  return ROWS.find((row) => row.name === name) as Row
}

describe.each(ROWS)('$name', (row) => {
  const scope = row.challenged === undefined ? '' : `, scope="${row.challenged}"`
  const refused = {
    status: 401,
    challenge:
      'Bearer error="invalid_token", error_description="The access token is malformed, expired, revoked or not meant for this resource"' +
      `${scope}, resource_metadata="${baseUrl}${PRM}"`,
    body: {
      error: 'invalid_token',
      error_description: 'The access token is malformed, expired, revoked or not meant for this resource',
    },
    cache: 'no-store',
    vary: 'Authorization',
  }

  it('lets its tokens in, and asks nobody else', async () => {
    const { call, issue, asked } = await stage(row)
    for (const claims of [{}, ...Object.values(row.alsoGood ?? {})]) {
      const response = await call(issue(claims))
      expect([response.status, await response.json()]).toEqual([200, row.expected])
    }
    expect([...new Set(asked)]).toEqual([`${row.origin}${row.keys ?? row.introspection}`])
  })

  it.each(Object.entries(row.others))('refuses a token %s', async (_rule, claims) => {
    const { call, issue, site } = await stage(row)
    expect(await refusalOf(await call(issue(claims)))).toEqual(refused)
    expect(site.handled()).toBe(0)
  })

  it('refuses a token that it did not make, and one that has expired', async () => {
    const { call, issue } = await stage(row)
    const forged = row.introspection === undefined ? issue({}, stranger) : 'never-issued'
    expect(await refusalOf(await call(forged))).toEqual(refused)
    expect(await refusalOf(await call(issue({ exp: 1 })))).toEqual(refused)
  })

  it('keeps nobody out for good while it is down', async () => {
    const { call, issue, double } = await stage(row)
    double.answer = jsonAnswer({}, {}, 500)
    const response = await call(issue())
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThanOrEqual(1)
    expect(await refusalOf(response)).toEqual({
      status: 503,
      challenge: null,
      body: {
        error: 'temporarily_unavailable',
        error_description: 'The access token could not be checked right now, try again shortly',
      },
      cache: 'no-store',
      vary: 'Authorization',
    })
  })

  it('is where clients are sent', async () => {
    const { site } = await stage(row, { resourceName: 'Notes', scopesSupported: ['a'] })
    expect(await (await fetch(site.url + PRM)).json()).toEqual({
      resource: RESOURCE,
      authorization_servers: [row.issuer],
      scopes_supported: ['a'],
      bearer_methods_supported: ['header'],
      resource_name: 'Notes',
    })
  })

  it(`has its metadata mirrored ${row.mirrored ? 'unless' : 'when'} told so`, async () => {
    const mirroring = await stage(row, row.mirrored ? {} : { forwardAuthorizationServerMetadata: true })
    const response = await fetch(mirroring.site.url + MIRROR)
    expect(await response.json()).toEqual({ issuer: row.issuer, token_endpoint: `${row.issuer}/token` })
    expect(mirroring.asked).toEqual([row.origin + row.metadata])
    const silent = await stage(row, row.mirrored ? { forwardAuthorizationServerMetadata: false } : {})
    expect((await fetch(silent.site.url + MIRROR)).status).toBe(404)
    expect(silent.asked).toEqual([])
  })

  it('asks for nothing while it is built, and tells no false hint', async () => {
    const { asked, provider } = await stage(row)
    expect(asked).toEqual([])
    expect(provider.notices.map((notice) => 'code' in notice && notice.code)).toEqual(row.hints ?? [])
  })

  it('has names for all its options in an environment', () => {
    expect(row.class.envOptions).toMatchObject({
      ...row.env,
      baseUrl: 'text',
      resourceUrl: 'text',
      requiredScopes: 'list',
      scopesSupported: 'list',
      forwardAuthorizationServerMetadata: 'flag',
      dangerouslyAllowInsecureHttp: 'flag',
    })
  })

  it('speaks of mistakes by its own name', () => {
    const build =
      (options: Json): (() => unknown) =>
      () =>
        new row.class({ baseUrl, ...row.options, ...options } as never)
    const { name } = row.class
    expect(configErrorOf(build({ requiredScope: [] })).message).toBe(
      `${name} has no option "requiredScope". Did you mean "requiredScopes"?`,
    )
    expect(configErrorOf(build({ baseUrl: undefined })).message).toMatch(`${name}: "baseUrl" is missing`)
    expect(configErrorOf(build({ requiredScopes: ['a b'] })).message).toMatch(
      `${name}: "requiredScopes" must be`,
    )
    expect(configErrorOf(build({ resourceUrl: 'https://other.example/mcp' })).message).toMatch(
      `${name}: "resourceUrl" must be under "baseUrl"`,
    )
    expect(configErrorOf(build({ jwksUri: 'https://a.example' })).code).toBe('ERR_MCP_AUTH_UNKNOWN_OPTION')
  })
})

describe('every identity provider', () => {
  const row = rowOf('AuthKit')

  it('checks the audience that it is told instead of the default', async () => {
    const { call, issue } = await stage(row, { audience: ['api', 'other'] })
    expect((await call(issue({ aud: 'api' }))).status).toBe(200)
    expect((await call(issue())).status).toBe(401)
  })

  it('takes another resource, and then another audience', async () => {
    const { call, issue } = await stage(row, { resourceUrl: `${baseUrl}/tools` })
    expect((await call(issue({ aud: `${baseUrl}/tools` }))).status).toBe(200)
    expect((await call(issue())).status).toBe(401)
  })

  it('takes a verifier instead of its own, and its scopes', async () => {
    const tokenVerifier = {
      requiredScopes: ['a'],
      verifyToken: (token: string) => (token === 'x' ? { clientId: 'c', scopes: ['a', 'b'] } : null),
    }
    const { call, asked, provider } = await stage(row, { tokenVerifier, requiredScopes: ['b'] })
    expect((await call('x')).status).toBe(200)
    expect((await call('y')).status).toBe(401)
    expect([provider.requiredScopes, asked]).toEqual([['a', 'b'], []])
  })

  it('answers too few scopes with what is needed', async () => {
    const { call, issue } = await stage(row, { requiredScopes: ['openid', 'notes:write'] })
    const response = await call(issue())
    expect([response.status, response.headers.get('www-authenticate')]).toEqual([
      403,
      expect.stringContaining('error="insufficient_scope"') as unknown,
    ])
    expect(response.headers.get('www-authenticate')).toContain('scope="openid notes:write"')
  })

  it('mirrors from elsewhere when told so', async () => {
    const url = `${row.origin}/elsewhere`
    const { site, asked } = await stage(row, { forwardAuthorizationServerMetadata: { url } })
    expect((await fetch(site.url + MIRROR)).status).toBe(503)
    expect(asked).toEqual([url])
  })

  it('may be http on a network that is trusted, and nowhere else', () => {
    const options = { baseUrl: 'http://api:3000', realmUrl: 'http://sso:8080/realms/a' }
    const provider = new KeycloakAuthProvider({ ...options, dangerouslyAllowInsecureHttp: true })
    expect(provider.authorizationServers).toEqual(['http://sso:8080/realms/a'])
    expect(configErrorOf(() => new KeycloakAuthProvider({ ...options, baseUrl })).code).toBe(
      'ERR_MCP_AUTH_INSECURE_URL',
    )
  })

  it.each<[rule: string, build: () => unknown, message: RegExp]>([
    [
      'no realm',
      () => new KeycloakAuthProvider({ baseUrl } as never),
      /^KeycloakAuthProvider: "realmUrl" is missing: /,
    ],
    [
      'no domain',
      () => new AuthKitProvider({ baseUrl } as never),
      /^AuthKitProvider: "authkitDomain" is missing: /,
    ],
    [
      'no tenant',
      () => new Auth0MCPProvider({ baseUrl } as never),
      /^Auth0MCPProvider: "configUrl" is missing: /,
    ],
    [
      'neither URL nor project',
      () => new DescopeProvider({ baseUrl }),
      /^DescopeProvider: "configUrl" is missing: .* or "projectId"$/,
    ],
    [
      'a URL of another shape',
      () => new DescopeProvider({ baseUrl, configUrl: 'https://api.descope.com/v1/apps/agentic/P2abc' }),
      /^DescopeProvider: "configUrl" must be as the Descope console shows it$/,
    ],
    [
      'a project that is a path',
      () => new DescopeProvider({ baseUrl, projectId: 'P/M' }),
      /^DescopeProvider: "projectId" must be/,
    ],
    [
      'no resource ID',
      () => new ScalekitProvider({ baseUrl, environmentUrl: 'https://a.example' } as never),
      /^ScalekitProvider: "resourceId" is missing: /,
    ],
    [
      'a domain with a query',
      () => new AuthKitProvider({ baseUrl, authkitDomain: 'https://a.example?b' }),
      /must not have a query/,
    ],
    [
      'a domain as a URL object',
      () => new AuthKitProvider({ baseUrl, authkitDomain: new URL('https://a.example') as never }),
      /must be a string/,
    ],
    [
      'a word for a domain',
      () => new AuthKitProvider({ baseUrl, authkitDomain: 'notes' }),
      /must be an absolute URL/,
    ],
    [
      'a shared secret for keys that everybody knows',
      () => new SupabaseProvider({ baseUrl, projectUrl: 'abc.supabase.co', algorithm: 'HS256' }),
      /HS256 would let anybody who knows a public key sign/,
    ],
    [
      'no secret to introspect with',
      () =>
        new PropelAuthProvider({
          baseUrl,
          authUrl: 'auth.example.com',
          introspectionClientId: 'id',
        } as never),
      /^PropelAuthProvider: "introspectionClientSecret" is missing: /,
    ],
    [
      'overrides that there are not',
      () => propelAuth({ tokenIntrospectionOverrides: { timeoutSecond: 1 } }),
      /^PropelAuthProvider: "tokenIntrospectionOverrides" has no option "timeoutSecond"\. Did you mean "timeoutSeconds"\?$/,
    ],
    ['the class itself', () => mustBuild(KeycloakAuthProvider), /new KeycloakAuthProvider\(\{ … \}\)/],
  ])('is not built with %s', (_rule, build, message) => {
    expect(configErrorOf(build).message).toMatch(message)
  })
})

function propelAuth(options: Json): unknown {
  return new PropelAuthProvider({ baseUrl, ...rowOf('PropelAuth').options, ...options } as never)
}

function mustBuild(tokenVerifier: unknown): unknown {
  return new AuthKitProvider({
    baseUrl,
    authkitDomain: 'a.authkit.app',
    tokenVerifier: tokenVerifier as never,
  })
}

describe('Keycloak', () => {
  const row = rowOf('Keycloak')

  it('takes tokens without the scope openid when told so', async () => {
    const { call, issue } = await stage(row, { requiredScopes: [] })
    expect((await call(issue({ scope: 'email' }))).status).toBe(200)
    const strict = await stage(row)
    expect((await strict.call(strict.issue({ scope: 'email' }))).status).toBe(403)
  })
})

describe('Auth0 for MCP', () => {
  const row = rowOf('Auth0 for MCP')

  it('takes what a role grants for a scope', async () => {
    const { call, issue } = await stage(row, { requiredScopes: ['notes:write'] })
    expect((await call(issue())).status).toBe(200)
    expect((await call(issue({ permissions: [] }))).status).toBe(403)
  })

  it.each([
    'https://notes.eu.auth0.com',
    'https://notes.eu.auth0.com/',
    'notes.eu.auth0.com',
    'https://notes.eu.auth0.com/.well-known/oauth-authorization-server',
  ])('is found by %s too', (configUrl) => {
    const { authorizationServers } = new Auth0MCPProvider({ baseUrl, configUrl })
    expect(authorizationServers).toEqual([row.issuer])
  })
})

describe('Descope', () => {
  it('takes tokens of tenants that are named', async () => {
    const row = rowOf('Descope, a project')
    const tenant = `${row.issuer}/T1`
    const { call, issue } = await stage(row, { issuer: [row.issuer, tenant] })
    expect((await call(issue({ iss: tenant }))).status).toBe(200)
    expect((await call(issue({ iss: `${row.issuer}/T2` }))).status).toBe(401)
  })

  it('takes tokens of one MCP server alone when told so', async () => {
    const row = rowOf('Descope, an MCP server')
    const { call, issue } = await stage(row, { issuer: row.issuer })
    expect((await call(issue())).status).toBe(200)
    expect((await call(issue({ iss: 'https://auth.example.com/v1/apps/P2abc' }))).status).toBe(401)
  })
})

describe('Supabase', () => {
  const row = rowOf('Supabase')

  it('binds tokens to the resource where a hook writes it, and then has no hint', async () => {
    const { call, issue, provider } = await stage(row, { audience: RESOURCE })
    expect((await call(issue({ aud: RESOURCE }))).status).toBe(200)
    expect((await call(issue())).status).toBe(401)
    expect(provider.notices).toEqual([])
  })

  it('takes the algorithm of the project alone', async () => {
    const { call, issue } = await stage(row, { algorithm: 'RS256' })
    expect((await call(issue({}, rs256))).status).toBe(200)
    expect((await call(issue({}, es256))).status).toBe(401)
  })

  it('may be hosted elsewhere under another path', () => {
    const options = { baseUrl, projectUrl: 'https://supabase.example.com', authRoute: 'auth/' }
    expect(new SupabaseProvider(options).authorizationServers).toEqual(['https://supabase.example.com/auth'])
  })
})

describe('PropelAuth', () => {
  const row = rowOf('PropelAuth')

  it('takes tokens for the resource that it is told', async () => {
    const resource = 'https://public.example.com/mcp'
    const { call, issue } = await stage(row, { resource })
    expect((await call(issue({ aud: resource }))).status).toBe(200)
    expect((await call(issue())).status).toBe(401)
  })

  it('is asked once about a token, unless told otherwise', async () => {
    const { call, issue, asked } = await stage(row)
    const token = issue()
    await call(token)
    await call(token)
    expect(asked).toHaveLength(1)
    const forgetful = await stage(row, { tokenIntrospectionOverrides: { cacheTtlSeconds: 0 } })
    const other = forgetful.issue()
    await forgetful.call(other)
    await forgetful.call(other)
    expect(forgetful.asked).toHaveLength(2)
  })

  it('that refuses our credentials is an outage, not a bad token', async () => {
    const { call, issue, site } = await stage(row, { introspectionClientSecret: 'wrong' })
    expect((await call(issue())).status).toBe(503)
    expect(site.events).toContainEqual({
      type: 'service.failed',
      url: 'https://auth.example.com/oauth/2.1/introspect',
      message: 'status 401: clientId or clientSecret was refused',
    })
  })
})

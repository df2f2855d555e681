import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { OAuthProvider, type OAuthProviderOptions, mcpAuth } from 'express-mcp-auth'
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import {
  type AuthorizationSite,
  REDIRECT_URI,
  SECRET,
  answerOf,
  signIn,
  startAuthorizationSite,
} from '../support/authorization-server.js'
import { configErrorOf } from '../support/config-error.js'
import { createKey, createToken } from '../support/issuer.js'

const BASE = 'https://api.example.com'
const { NODE_ENV } = process.env
afterEach(() => {
  process.env['NODE_ENV'] = NODE_ENV
})

/** Options that nothing is wrong with, but for what is given. */
function create(options: Record<string, unknown> = {}): OAuthProvider {
  const good: OAuthProviderOptions = { baseUrl: BASE, secret: SECRET, store: new MemoryStore(), signIn }
  return new OAuthProvider({ ...good, ...options })
}

describe('OAuthProvider', () => {
  it('is complete when it is made, and states itself byte for byte', () => {
    const provider = create({ baseUrl: 'https://API.example.com:443/', requiredScopes: ['mcp:use'] })
    expect(provider).toMatchObject({
      baseUrl: 'https://API.example.com:443',
      resourceUrl: 'https://API.example.com:443/mcp',
      authorizationServers: ['https://API.example.com:443/'],
      requiredScopes: ['mcp:use'],
      resourceDescription: { scopesSupported: ['mcp:use'], resourceName: undefined },
      dangerouslyAllowInsecureHttp: false,
      notices: [],
    })
  })

  it.each([
    [BASE, undefined, `${BASE}/mcp`],
    [`${BASE}/v1`, undefined, `${BASE}/v1/mcp`],
    [`${BASE}/v1/`, `${BASE}/v1/tools`, `${BASE}/v1/tools`],
    [BASE, BASE, BASE],
    ['http://localhost:3000', undefined, 'http://localhost:3000/mcp'],
  ])('serves under %s, where %s is said, the resource %s', (baseUrl, resourceUrl, resource) => {
    expect(create({ baseUrl, resourceUrl }).resourceUrl).toBe(resource)
  })

  it('takes scopes as a text, and asks for the required ones where a client asks for none', () => {
    const { settings } = create({ requiredScopes: 'a b', scopesSupported: 'b c' }).authorizationServer
    expect(settings).toMatchObject({
      requiredScopes: ['a', 'b'],
      scopesSupported: ['a', 'b', 'c', 'offline_access'],
      defaultScopes: ['a', 'b'],
    })
  })

  it('grants all that is supported where nothing is required and a client asks for nothing, but for offline_access', () => {
    const { settings } = create({ scopesSupported: ['a', 'offline_access'] }).authorizationServer
    expect(settings).toMatchObject({ scopesSupported: ['a', 'offline_access'], defaultScopes: ['a'] })
  })

  it('grants what is said where a client asks for nothing', () => {
    const { settings } = create({
      scopesSupported: ['a', 'b'],
      defaultScopes: ['a', 'offline_access'],
    }).authorizationServer
    expect(settings.defaultScopes).toEqual(['a', 'offline_access'])
  })

  it('keeps nothing of the options it was given', async () => {
    const clients = [{ clientId: 'a', redirectUris: [REDIRECT_URI] }]
    const provider = create({ clients })
    clients[0]?.redirectUris.push('https://evil.example/')
    const known = await provider.authorizationServer.clients.find('a', () => undefined)
    expect(known).toMatchObject({
      redirectUris: [REDIRECT_URI],
    })
  })

  it('claims tokens of its issuer and no others', () => {
    const provider = create()
    const mine = createToken(createKey(), { iss: BASE })
    expect(provider.claimsToken(mine, { kind: 'jwt', issuer: BASE } as never)).toBe('mine')
    expect(provider.claimsToken(mine, { kind: 'jwt', issuer: `${BASE}/` } as never)).toBe('not mine')
    expect(provider.claimsToken('opaque', { kind: 'opaque' } as never)).toBe('not mine')
  })
})

describe('OAuthProvider refuses', () => {
  const wrong: [string, Record<string, unknown>, string, string][] = [
    ['an unknown option', { baseURL: BASE }, 'UNKNOWN_OPTION', 'Did you mean "baseUrl"?'],
    [
      'an option of another provider',
      { tokenVerifier: {} },
      'UNKNOWN_OPTION',
      'has no option "tokenVerifier"',
    ],
    ['no baseUrl', { baseUrl: undefined }, 'MISSING_OPTION', 'write the public URL of this app'],
    ['a URL object', { baseUrl: new URL(BASE) }, 'INVALID_OPTION', 'must be a string'],
    ['a relative URL', { baseUrl: '/api' }, 'INVALID_OPTION', 'must be an absolute URL'],
    ['a query in the base URL', { baseUrl: `${BASE}?a` }, 'INVALID_OPTION', 'must not have a query'],
    ['a fragment in the base URL', { baseUrl: `${BASE}#a` }, 'INVALID_OPTION', 'must not have a fragment'],
    ['M5 http', { baseUrl: 'http://api.example.com' }, 'INSECURE_URL', 'must be an https URL'],
    [
      'M5 http on an address that is not loopback',
      { baseUrl: 'http://0.0.0.0' },
      'INSECURE_URL',
      'must be an https',
    ],
    [
      'M5 an http issuer',
      { issuer: 'http://api.example.com' },
      'INSECURE_URL',
      '"issuer" must be an https URL',
    ],
    ['a resource elsewhere', { resourceUrl: 'https://b.example/mcp' }, 'INVALID_OPTION', 'under "baseUrl"'],
    [
      'a resource beside the base URL',
      { baseUrl: `${BASE}/a`, resourceUrl: `${BASE}/ab` },
      'INVALID_OPTION',
      'under "baseUrl"',
    ],
    [
      'an issuer on another host',
      { issuer: 'https://login.example.com' },
      'INVALID_OPTION',
      'on the host of "baseUrl"',
    ],
    ['a short secret', { secret: 'x'.repeat(31) }, 'WEAK_KEY', 'at least 32 bytes, not 31'],
    ['a short secret among others', { secret: [SECRET, 'short'] }, 'WEAK_KEY', 'not 5'],
    ['an empty list of secrets', { secret: [] }, 'INVALID_OPTION', '"secret" must be a string'],
    ['a secret that is no text', { secret: 7 }, 'INVALID_OPTION', '"secret" must be a string'],
    [
      'a store without compareAndSwap',
      { store: { get: () => 0, put: () => 0, putIfAbsent: () => 0, delete: () => 0 } },
      'INVALID_OPTION',
      'no method "compareAndSwap"',
    ],
    ['a store that is null', { store: null }, 'INVALID_OPTION', 'no method "get"'],
    [
      'a scope that is none',
      { scopesSupported: ['a b'] },
      'INVALID_OPTION',
      '"scopesSupported" must be a list of scopes',
    ],
    [
      'a required scope that is none',
      { requiredScopes: ['"'] },
      'INVALID_OPTION',
      '"requiredScopes" must be a list',
    ],
    [
      'a default that is not supported',
      { defaultScopes: ['b'], scopesSupported: ['a'] },
      'INVALID_OPTION',
      '"b" is none',
    ],
    ['consent: true', { consent: true }, 'INVALID_OPTION', '"always", "remember" or false'],
    ['consent: never', { consent: 'never' }, 'INVALID_OPTION', '"always", "remember" or false'],
    ['clients that are no list', { clients: {} }, 'INVALID_OPTION', '"clients" must be a list of clients'],
    [
      'a life of no time',
      { accessTokenSeconds: 0 },
      'INVALID_OPTION',
      '"accessTokenSeconds" must be a whole number',
    ],
    [
      'half a second',
      { refreshTokenSeconds: 0.5 },
      'INVALID_OPTION',
      '"refreshTokenSeconds" must be a whole number',
    ],
    [
      'a negative grace',
      { refreshGraceSeconds: -1 },
      'INVALID_OPTION',
      '"refreshGraceSeconds" must be a number',
    ],
    [
      'a session without end',
      { sessionSeconds: Infinity },
      'INVALID_OPTION',
      '"sessionSeconds" must be a number',
    ],
    ['registration: yes', { clientRegistration: 'yes' }, 'INVALID_OPTION', 'takes an options object'],
    [
      'an unknown option of registration',
      { clientRegistration: { token: 'a' } },
      'UNKNOWN_OPTION',
      'no option "token"',
    ],
    [
      'no registration at all as a number',
      { clientRegistration: { maxPerHour: 0 } },
      'INVALID_OPTION',
      'a whole number above 0',
    ],
    [
      'an unused life of no time',
      { clientRegistration: { unusedSeconds: 0 } },
      'INVALID_OPTION',
      '1 or more',
    ],
    [
      'an unknown option of documents',
      { clientIdMetadataDocuments: { allow: [] } },
      'UNKNOWN_OPTION',
      'Did you mean "allowed"?',
    ],
    [
      'a redirect pattern without a domain',
      { allowedClientRedirectUris: ['https://*.com'] },
      'INVALID_OPTION',
      'a wildcard needs a domain',
    ],
    [
      'a redirect pattern that runs',
      { allowedClientRedirectUris: ['javascript:*'] },
      'INVALID_OPTION',
      'javascript',
    ],
    [
      'documentation on http',
      { serviceDocumentation: 'http://docs.example.com' },
      'INSECURE_URL',
      '"serviceDocumentation"',
    ],
    [
      'a flag that is no flag',
      { dangerouslyAllowInsecureHttp: 'yes' },
      'INVALID_OPTION',
      'must be true or false',
    ],
    [
      'a page that is no function',
      { renderPage: '<h1>' },
      'INVALID_OPTION',
      '"renderPage" must be a function',
    ],
    ['no signIn', { signIn: undefined }, 'MISSING_OPTION', 'verifyCredentials(username, password)'],
    ['a signIn of nothing', { signIn: {} }, 'INVALID_OPTION', 'one way to sign in'],
    ['a signIn of null', { signIn: null }, 'INVALID_OPTION', 'one way to sign in'],
    [
      'half of the app’s own',
      { signIn: { currentUser: () => null } },
      'INVALID_OPTION',
      'one way to sign in',
    ],
    [
      'both ways to sign in',
      { signIn: { ...signIn, currentUser: () => null, loginUrl: () => '/' } },
      'INVALID_OPTION',
      'one way to sign in',
    ],
  ]
  it.each(wrong)('%s', (_, options, code, words) => {
    const error = configErrorOf(() => create(options))
    expect(error.code).toBe(`ERR_MCP_AUTH_${code}`)
    expect(error.message).toContain(words)
    expect(error.message).not.toContain(SECRET)
  })

  it.each([undefined, null, 'https://api.example.com', []])('%j instead of options', (options) => {
    const { code } = configErrorOf(() => new OAuthProvider(options as never))
    expect(code).toBe('ERR_MCP_AUTH_INVALID_OPTION')
  })

  it('M5 nothing of that where http is allowed in so many words', () => {
    const provider = create({ baseUrl: 'http://api.internal', dangerouslyAllowInsecureHttp: true })
    expect(provider).toMatchObject({
      resourceUrl: 'http://api.internal/mcp',
      dangerouslyAllowInsecureHttp: true,
    })
    expect(() => mcpAuth(provider)).not.toThrow()
  })
})

describe('a secret', () => {
  it('is needed in production', () => {
    process.env['NODE_ENV'] = 'production'
    const error = configErrorOf(() => create({ secret: undefined }))
    expect(error).toEqual({
      code: 'ERR_MCP_AUTH_MISSING_OPTION',
      message: expect.stringContaining('OAuthProvider: "secret" is missing: write at least 32 random bytes'),
    })
  })

  it('is made outside of production, and that is told', () => {
    process.env['NODE_ENV'] = 'development'
    const [one, two] = [create({ secret: undefined }), create({ secret: undefined })]
    expect(one.notices).toEqual([
      { type: 'hint', code: 'random_secret', message: expect.stringContaining('everybody is signed out') },
    ])
    const kid = (provider: OAuthProvider): string => provider.authorizationServer.keys.signing.kid
    expect(kid(one)).not.toBe(kid(two))
  })

  it('may be a list, of which the first signs and all are published', () => {
    const other = 'another secret of thirty-two bytes or more'
    const keyIds = (secret: string | string[]): string[] =>
      create({ secret }).authorizationServer.keys.published.map(({ kid }) => kid)
    expect(keyIds([other, SECRET])).toEqual([...keyIds(other), ...keyIds(SECRET)])
  })

  it('is counted in bytes', () => {
    expect(() => create({ secret: 'ü'.repeat(16) })).not.toThrow()
  })
})

describe('what is published', () => {
  const opened: AuthorizationSite[] = []
  afterAll(() => Promise.all(opened.map((site) => site.close())))
  async function start(
    options: Parameters<typeof startAuthorizationSite>[0] = {},
  ): Promise<AuthorizationSite> {
    const site = await startAuthorizationSite(options)
    opened.push(site)
    return site
  }
  const get = async (site: AuthorizationSite, path: string) => answerOf(await fetch(site.url + path))

  /** The document of a server with nothing special about it. */
  function documentOf(base: string, more: Record<string, unknown> = {}): Record<string, unknown> {
    const methods = ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt']
    const algorithms = expect.arrayContaining(['ES256', 'RS256', 'EdDSA'])
    return {
      issuer: base,
      authorization_endpoint: `${base}/authorize`,
      token_endpoint: `${base}/token`,
      registration_endpoint: `${base}/register`,
      revocation_endpoint: `${base}/revoke`,
      introspection_endpoint: `${base}/introspect`,
      jwks_uri: `${base}/.well-known/jwks.json`,
      scopes_supported: ['notes:read', 'notes:write', 'offline_access'],
      response_types_supported: ['code'],
      response_modes_supported: ['query'],
      grant_types_supported: ['authorization_code', 'refresh_token'],
      token_endpoint_auth_methods_supported: methods,
      revocation_endpoint_auth_methods_supported: methods,
      introspection_endpoint_auth_methods_supported: methods.slice(1),
      token_endpoint_auth_signing_alg_values_supported: algorithms,
      revocation_endpoint_auth_signing_alg_values_supported: algorithms,
      introspection_endpoint_auth_signing_alg_values_supported: algorithms,
      code_challenge_methods_supported: ['S256'],
      authorization_response_iss_parameter_supported: true,
      client_id_metadata_document_supported: true,
      protected_resources: [`${base}/mcp`],
      ...more,
    }
  }
  const ALIAS = { subject_types_supported: ['public'], id_token_signing_alg_values_supported: ['ES256'] }

  it('is the whole document at the root, and under both names', async () => {
    const site = await start()
    const oauth = await get(site, '/.well-known/oauth-authorization-server')
    const openid = await get(site, '/.well-known/openid-configuration')
    expect([oauth.status, oauth.body]).toEqual([200, documentOf(site.url)])
    expect([openid.status, openid.body]).toEqual([200, documentOf(site.url, ALIAS)])
    for (const { headers } of [oauth, openid]) {
      expect(headers.get('content-type')).toBe('application/json')
      expect(headers.get('access-control-allow-origin')).toBe('*')
      expect(headers.get('cache-control')).toBe('public, max-age=3600')
    }
  })

  it('is at every place where clients look for a base URL with a path', async () => {
    const site = await start({ path: '/api' })
    const base = `${site.url}/api`
    for (const path of [
      '/.well-known/oauth-authorization-server/api',
      '/.well-known/oauth-authorization-server',
    ]) {
      expect([path, (await get(site, path)).body]).toEqual([path, documentOf(base)])
    }
    for (const path of ['/.well-known/openid-configuration/api', '/api/.well-known/openid-configuration']) {
      expect([path, (await get(site, path)).body]).toEqual([path, documentOf(base, ALIAS)])
    }
    expect((await get(site, '/.well-known/oauth-protected-resource/api/mcp')).body).toMatchObject({
      resource: `${base}/mcp`,
      authorization_servers: [base],
    })
  })

  it('names an issuer of its own byte for byte, and serves it there', async () => {
    const site = await start({ path: '/api' })
    const issuer = `${site.url}/api/`
    const named = await startAuthorizationSite({ baseUrl: site.issuer, issuer, store: new MemoryStore() })
    opened.push(named)
    expect((await get(named, '/.well-known/oauth-authorization-server/api')).body).toMatchObject({
      issuer,
      token_endpoint: `${site.url}/api/token`,
    })
    expect(named.provider.authorizationServers).toEqual([issuer])
  })

  it('leaves out what is switched off', async () => {
    const site = await start({
      clientRegistration: false,
      clientIdMetadataDocuments: false,
      scopesSupported: [],
    })
    const { body } = await get(site, '/.well-known/oauth-authorization-server')
    expect(body).toMatchObject({
      client_id_metadata_document_supported: false,
      scopes_supported: ['offline_access'],
      grant_types_supported: [],
      token_endpoint_auth_methods_supported: [],
    })
    expect(body).not.toHaveProperty('registration_endpoint')
    expect(body).not.toHaveProperty('token_endpoint_auth_signing_alg_values_supported')
    expect((await site.post('/register', {})).status).toBe(401)
  })

  it('names the grant and the methods of configured clients', async () => {
    const site = await start({
      clientRegistration: false,
      clientIdMetadataDocuments: false,
      clients: [{ clientId: 'robot', clientSecret: 'a secret', grantTypes: ['client_credentials'] }],
      serviceDocumentation: 'https://docs.example.com',
    })
    expect((await get(site, '/.well-known/oauth-authorization-server')).body).toMatchObject({
      grant_types_supported: ['client_credentials'],
      token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
      service_documentation: 'https://docs.example.com',
    })
  })

  it('are public keys, and nothing of the private ones', async () => {
    const site = await start()
    const { status, headers, body } = await get(site, '/.well-known/jwks.json')
    expect(status).toBe(200)
    expect(headers.get('access-control-allow-origin')).toBe('*')
    expect(body).toEqual({
      keys: [
        {
          kty: 'EC',
          crv: 'P-256',
          x: expect.stringMatching(/^[\w-]{43}$/),
          y: expect.stringMatching(/^[\w-]{43}$/),
          kid: expect.any(String),
          alg: 'ES256',
          use: 'sig',
        },
      ],
    })
  })

  describe('M4 what is advertised works, and nothing else does', () => {
    let site: AuthorizationSite
    beforeAll(async () => {
      site = await start()
    })

    it.each(['none', 'client_secret_basic', 'client_secret_post'])('M4 %s', async (method) => {
      const client = await site.register({ token_endpoint_auth_method: method })
      const { code, verifier } = await site.authorize(client)
      const { client_id: id, client_secret: secret = '' } = client
      const form = { grant_type: 'authorization_code', code, code_verifier: verifier }
      const basic = { authorization: `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}` }
      const ways: Record<string, () => ReturnType<AuthorizationSite['post']>> = {
        none: () => site.post('/token', { ...form, client_id: id }),
        client_secret_post: () =>
          site.post('/token', { ...form, client_id: id, client_secret: secret || 'x' }),
        client_secret_basic: () => site.post('/token', form, basic),
      }
      for (const [way, send] of Object.entries(ways)) {
        if (way === method) continue
        const { status, body } = await send()
        expect([way, status, body]).toEqual([way, 401, expect.objectContaining({ error: 'invalid_client' })])
      }
      expect((await ways[method]?.())?.status).toBe(200)
    })

    it.each(['client_secret_jwt', 'tls_client_auth', 'self_signed_tls_client_auth'])(
      'M4 %s cannot be registered',
      async (method) => {
        const response = await fetch(`${site.url}/register`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ redirect_uris: [REDIRECT_URI], token_endpoint_auth_method: method }),
        })
        expect(await answerOf(response)).toMatchObject({
          status: 400,
          body: { error: 'invalid_client_metadata' },
        })
      },
    )

    it.each(['password', 'client_credentials', 'implicit', 'urn:ietf:params:oauth:grant-type:device_code'])(
      'M4 the grant %s is not given',
      async (grantType) => {
        const { client_id: id } = await site.register()
        const { status, body } = await site.post('/token', { grant_type: grantType, client_id: id })
        expect(status).toBe(400)
        expect((body as { error: string }).error).toMatch(/^(?:unsupported_grant_type|unauthorized_client)$/)
      },
    )
  })
})

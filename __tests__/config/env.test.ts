import { generateKeyPairSync } from 'node:crypto'
import { afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import {
  IntrospectionTokenVerifier,
  JWTVerifier,
  OAuthProxy,
  RemoteAuthProvider,
  StaticTokenVerifier,
  mcpAuth,
  providerFromEnv,
} from 'express-mcp-auth'
import type { ServerProvider } from '../../lib/providers/server-provider.js'
import { configErrorOf } from '../support/config-error.js'
import {
  ISSUER,
  RESOURCE,
  type SigningKey,
  type Stub,
  createKey,
  createToken,
  jsonAnswer,
  startKeySet,
  startStub,
} from '../support/issuer.js'
import { createRecorder } from '../support/recorder.js'

type Environment = Record<string, string | undefined>

const BASE = 'https://api.example.com'
const SECRET = 'x'.repeat(32)
/** The variables without their common beginning. */
const env = (variables: Environment): Environment =>
  Object.fromEntries(Object.entries(variables).map(([name, value]) => [`MCP_AUTH_${name}`, value]))
const from = (variables: Environment): ReturnType<typeof providerFromEnv> => providerFromEnv(env(variables))
const errorOf = (variables: Environment): { code: string; message: string } =>
  configErrorOf(() => from(variables))
const { context } = createRecorder()
/** Lets go of the store that it made. */
const close = async (provider: ReturnType<typeof providerFromEnv>): Promise<void> =>
  (provider as Partial<ServerProvider>).close?.()
/** In the order in which they are told. */
const PROVIDERS =
  'jwt, introspection, static, remote, oidc, oauth-proxy, github, google, azure, azure-b2c, workos, authkit, auth0, auth0-mcp, aws-cognito, ' +
  'clerk, discord, hugging-face, keycloak, oci, descope, scalekit, supabase, propelauth, okta, gitlab'

describe('providerFromEnv', () => {
  let key: SigningKey

  beforeAll(() => {
    key = createKey('ES256')
  })

  afterEach(() => {
    jest.restoreAllMocks()
  })

  it('reads process.env unless told otherwise', () => {
    jest.replaceProperty(process, 'env', env({ PROVIDER: 'static', TOKENS: 'a' }))
    expect(providerFromEnv()).toBeInstanceOf(StaticTokenVerifier)
  })

  it('does not look at other variables, nor at empty ones', async () => {
    const provider = providerFromEnv({
      ...env({ PROVIDER: 'static', TOKENS: 'a', REQUIRED_SCOPES: '', JWKS_URI: '', UNKNOWN: '' }),
      PATH: '/bin',
      FASTMCP_SERVER_AUTH: 'x',
      mcp_auth_unknown: 'x',
    })
    expect(await provider.verifyToken('a')).not.toBeNull()
  })

  it('makes what mcpAuth takes', () => {
    expect(mcpAuth(from({ PROVIDER: 'static', TOKENS: 'a' }), { onEvent: () => undefined })).toBeInstanceOf(
      Function,
    )
  })

  describe('jwt', () => {
    const complete = { PROVIDER: 'jwt', ISSUER, AUDIENCE: RESOURCE }

    it('is a JWTVerifier', async () => {
      const keySet = await startKeySet(key)
      try {
        const provider = from({
          ...complete,
          JWKS_URI: keySet.url,
          REQUIRED_SCOPES: 'a, b',
          ALGORITHMS: 'ES256',
        })
        expect(provider).toBeInstanceOf(JWTVerifier)
        expect(provider.requiredScopes).toEqual(['a', 'b'])
        expect(await provider.verifyToken(createToken(key), context)).toMatchObject({ subject: 'user-1' })
      } finally {
        await keySet.close()
      }
    })

    it.each<[rule: string, pem: (lines: string) => string]>([
      ['in lines', (lines) => lines],
      ['in one line, with \\n for its breaks', (lines) => lines.replaceAll('\n', '\\n')],
    ])('takes a PEM %s', async (_rule, spell) => {
      const pem = key.publicKey.export({ type: 'spki', format: 'pem' }).toString()
      const provider = from({ ...complete, PUBLIC_KEY: spell(pem) })
      expect(await provider.verifyToken(createToken(key), context)).not.toBeNull()
    })

    it('takes a JWK and a JWK set as JSON', async () => {
      for (const json of [key.jwk, { keys: [key.jwk] }]) {
        const provider = from({ ...complete, PUBLIC_KEY: ` ${JSON.stringify(json)}` })
        expect(await provider.verifyToken(createToken(key), context)).not.toBeNull()
      }
    })

    it('takes a secret, several issuers and audiences, and numbers', () => {
      const provider = from({
        ...complete,
        SECRET,
        ISSUER: `${ISSUER} https://b.example/,https://c.example`,
        AUDIENCE: 'a,b',
        CLOCK_TOLERANCE_SECONDS: '0.5',
      })
      expect(provider).toMatchObject({
        issuer: [ISSUER, 'https://b.example/', 'https://c.example'],
        audience: ['a', 'b'],
      })
    })

    it('takes any audience where that is said to be dangerous', () => {
      const provider = from({ PROVIDER: 'jwt', ISSUER, SECRET, DANGEROUSLY_ALLOW_ANY_AUDIENCE: 'true' })
      expect(provider.notices).toMatchObject([{ type: 'danger' }])
    })

    it('is discovered with a base URL, with the issuers as authorization servers', () => {
      const provider = from({
        ...complete,
        SECRET,
        BASE_URL: BASE,
        RESOURCE_NAME: 'Notes',
        SCOPES_SUPPORTED: 'a b',
      })
      expect(provider).toBeInstanceOf(RemoteAuthProvider)
      expect(provider).toMatchObject({
        baseUrl: BASE,
        resourceUrl: RESOURCE,
        authorizationServers: [ISSUER],
        resourceDescription: { resourceName: 'Notes', scopesSupported: ['a', 'b'] },
      })
    })

    it('is discovered with the authorization servers that are named', () => {
      const provider = from({
        ...complete,
        SECRET,
        BASE_URL: BASE,
        AUTHORIZATION_SERVERS: 'https://b.example',
        RESOURCE_URL: `${BASE}/v1`,
      })
      expect(provider).toMatchObject({
        authorizationServers: ['https://b.example'],
        resourceUrl: `${BASE}/v1`,
      })
    })

    it('takes http beyond loopback where that is said to be dangerous', () => {
      const provider = from({
        PROVIDER: 'jwt',
        ISSUER: 'http://keycloak:8080',
        AUDIENCE: 'http://api:3000/mcp',
        JWKS_URI: 'http://keycloak:8080/jwks',
        BASE_URL: 'http://api:3000',
        DANGEROUSLY_ALLOW_INSECURE_HTTP: 'true',
      })
      expect(provider.resourceUrl).toBe('http://api:3000/mcp')
    })
  })

  describe('introspection', () => {
    let service: Stub
    const complete = (): Environment => ({
      PROVIDER: 'introspection',
      INTROSPECTION_URL: service.url,
      CLIENT_ID: 'c',
      CLIENT_SECRET: 's',
    })

    afterEach(() => service.close())

    it('is an IntrospectionTokenVerifier', async () => {
      service = await startStub(jsonAnswer({ active: true, client_id: 'x' }))
      const provider = from({
        ...complete(),
        CLIENT_AUTH_METHOD: 'client_secret_post',
        CACHE_TTL_SECONDS: '0',
        TIMEOUT_SECONDS: '1',
      })
      expect(provider).toBeInstanceOf(IntrospectionTokenVerifier)
      expect(await provider.verifyToken('t', context)).toMatchObject({ clientId: 'x' })
      expect(service.requests[0]?.body).toContain('client_secret=s')
    })

    it('is discovered with a base URL', async () => {
      service = await startStub(jsonAnswer({ active: true, iss: ISSUER }))
      const provider = from({ ...complete(), ISSUER, BASE_URL: BASE })
      expect(provider).toMatchObject({ authorizationServers: [ISSUER], resourceUrl: RESOURCE })
      expect(await provider.verifyToken('t', context)).toMatchObject({ issuer: ISSUER })
    })
  })

  describe('static', () => {
    it.each<[rule: string, tokens: string, token: string, clientId: string]>([
      ['a list', 'one, two', 'two', 'static-2'],
      ['a list as JSON', '["one"]', 'one', 'static-1'],
      ['a map as JSON', ' {"one":{"clientId":"dev","scopes":["a"]}}', 'one', 'dev'],
    ])('takes %s', async (_rule, tokens, token, clientId) => {
      expect(await from({ PROVIDER: 'static', TOKENS: tokens }).verifyToken(token)).toMatchObject({
        clientId,
      })
    })

    it('takes scopes that every request needs', () => {
      expect(from({ PROVIDER: 'static', TOKENS: 'a', REQUIRED_SCOPES: 'x y' }).requiredScopes).toEqual([
        'x',
        'y',
      ])
    })
  })

  describe('remote', () => {
    const complete = { PROVIDER: 'remote', BASE_URL: BASE, AUTHORIZATION_SERVERS: ISSUER }

    it('verifies JWTs of its authorization servers for its resource', async () => {
      const keySet = await startKeySet(key)
      try {
        const provider = from({ ...complete, JWKS_URI: keySet.url })
        expect(provider).toBeInstanceOf(RemoteAuthProvider)
        expect(await provider.verifyToken(createToken(key), context)).toMatchObject({ issuer: ISSUER })
        expect(await provider.verifyToken(createToken(key, { aud: BASE }), context)).toBeNull()
      } finally {
        await keySet.close()
      }
    })

    it('verifies them for the resource that is stated', async () => {
      const pem = key.publicKey.export({ type: 'spki', format: 'pem' }).toString()
      const provider = from({
        ...complete,
        PUBLIC_KEY: pem,
        BASE_URL: `${BASE}/`,
        RESOURCE_URL: `${BASE}/v1`,
      })
      expect(await provider.verifyToken(createToken(key, { aud: `${BASE}/v1` }), context)).not.toBeNull()
      expect(await provider.verifyToken(createToken(key), context)).toBeNull()
    })

    it('takes issuer and audience where these differ', async () => {
      const pem = key.publicKey.export({ type: 'spki', format: 'pem' }).toString()
      const provider = from({ ...complete, PUBLIC_KEY: pem, ISSUER: 'https://b.example', AUDIENCE: 'api' })
      expect(provider.authorizationServers).toEqual([ISSUER])
      expect(
        await provider.verifyToken(createToken(key, { iss: 'https://b.example', aud: 'api' }), context),
      ).not.toBeNull()
    })

    it('asks an introspection endpoint', async () => {
      const service = await startStub(jsonAnswer({ active: true, client_id: 'x' }))
      try {
        const provider = from({
          ...complete,
          INTROSPECTION_URL: service.url,
          CLIENT_ID: 'c',
          CLIENT_SECRET: 's',
        })
        expect(provider.authorizationServers).toEqual([ISSUER])
        expect(await provider.verifyToken('t', context)).toMatchObject({ clientId: 'x' })
      } finally {
        await service.close()
      }
    })

    it('asks a verification service', async () => {
      const service = await startStub(jsonAnswer({ sub: 'user-1' }))
      try {
        const provider = from({
          ...complete,
          VERIFY_URL: service.url,
          HEADERS: '{"x-key":"k"}',
          REQUIRED_SCOPES: 'a',
        })
        expect(provider.requiredScopes).toEqual(['a'])
        expect(await provider.verifyToken('t', context)).toMatchObject({ subject: 'user-1' })
        expect(service.requests[0]?.headers).toMatchObject({ 'x-key': 'k' })
      } finally {
        await service.close()
      }
    })
  })

  describe('an identity provider', () => {
    const app = { CLIENT_ID: 'our-app', CLIENT_SECRET: 'our-secret', BASE_URL: BASE, SECRET }
    const configUrl = `${ISSUER}/.well-known/openid-configuration`
    const tenant = '72f988bf-86f1-41af-91ab-2d7cd011db47'

    it.each<[name: string, variables: Environment, provider: string]>([
      ['github', app, 'GitHubProvider'],
      ['google', app, 'GoogleProvider'],
      ['azure', { ...app, TENANT_ID: tenant, REQUIRED_SCOPES: 'mcp.use' }, 'AzureProvider'],
      [
        'azure-b2c',
        { ...app, TENANT_NAME: 'contoso', POLICY_NAME: 'p', REQUIRED_SCOPES: 'mcp.use' },
        'AzureB2CProvider',
      ],
      ['workos', { ...app, AUTHKIT_DOMAIN: 'notes.authkit.app' }, 'WorkOSProvider'],
      ['authkit', { BASE_URL: BASE, AUTHKIT_DOMAIN: 'https://notes.authkit.app' }, 'AuthKitProvider'],
      ['auth0', { ...app, DOMAIN: 'notes.eu.auth0.com', AUDIENCE: 'api' }, 'Auth0Provider'],
      ['auth0-mcp', { BASE_URL: BASE, CONFIG_URL: configUrl }, 'Auth0MCPProvider'],
      ['aws-cognito', { ...app, USER_POOL_ID: 'eu-central-1_a' }, 'AWSCognitoProvider'],
      ['clerk', { ...app, DOMAIN: 'notes.clerk.accounts.dev' }, 'ClerkProvider'],
      ['discord', app, 'DiscordProvider'],
      ['hugging-face', app, 'HuggingFaceProvider'],
      [
        'keycloak',
        { BASE_URL: BASE, REALM_URL: 'https://sso.example.com/realms/notes' },
        'KeycloakAuthProvider',
      ],
      ['oci', { ...app, CONFIG_URL: configUrl }, 'OCIProvider'],
      ['descope', { BASE_URL: BASE, PROJECT_ID: 'P2abc' }, 'DescopeProvider'],
      [
        'scalekit',
        { BASE_URL: BASE, ENVIRONMENT_URL: 'https://a.scalekit.com', RESOURCE_ID: 'res_1' },
        'ScalekitProvider',
      ],
      ['supabase', { BASE_URL: BASE, PROJECT_URL: 'https://abc.supabase.co' }, 'SupabaseProvider'],
      [
        'propelauth',
        {
          BASE_URL: BASE,
          AUTH_URL: 'https://auth.example.com',
          INTROSPECTION_CLIENT_ID: 'id',
          INTROSPECTION_CLIENT_SECRET: 'secret',
        },
        'PropelAuthProvider',
      ],
      ['okta', { ...app, OKTA_DOMAIN: 'example.okta.com' }, 'OktaProvider'],
      ['gitlab', app, 'GitLabProvider'],
      ['oidc', { ...app, CONFIG_URL: configUrl }, 'OIDCProxy'],
    ])('%s', async (name, variables, provider) => {
      const built = from({ PROVIDER: name, ...variables })
      expect(built.constructor.name).toBe(provider)
      expect(built).toMatchObject({ baseUrl: BASE, resourceUrl: RESOURCE })
      await close(built)
    })

    it('takes options of every kind', async () => {
      const built = from({
        PROVIDER: 'oidc',
        ...app,
        CONFIG_URL: configUrl,
        SCOPES_SUPPORTED: 'a,b',
        CONSENT: 'remember',
        CLIENT_REGISTRATION: '{"maxPerHour":5}',
        CLIENT_ID_METADATA_DOCUMENTS: 'false',
        EXTRA_AUTHORIZE_PARAMS: '{"prompt":"login"}',
        ACCESS_TOKEN_SECONDS: '60',
        VERIFY_ID_TOKEN: 'true',
        RESOURCE_NAME: 'Notes',
      })
      expect((built as ServerProvider).authorizationServer.settings).toMatchObject({
        scopesSupported: ['openid', 'a', 'b', 'offline_access'],
        consent: 'remember',
        registration: { maxPerHour: 5 },
        documents: undefined,
        accessTokenSeconds: 60,
        resourceName: 'Notes',
      })
      await close(built)
    })

    it('takes several secrets as JSON, and one as it is', async () => {
      for (const secret of [JSON.stringify([SECRET, 'y'.repeat(32)]), '{'.padStart(33, 'x')]) {
        await close(from({ PROVIDER: 'github', ...app, SECRET: secret }))
      }
    })

    it.each<[rule: string, variables: Environment, code: string, message: string]>([
      [
        'no client ID',
        { PROVIDER: 'github', BASE_URL: BASE },
        'ERR_MCP_AUTH_MISSING_OPTION',
        'GitHubProvider: MCP_AUTH_CLIENT_ID is missing',
      ],
      [
        'no tenant',
        { PROVIDER: 'azure', ...app, REQUIRED_SCOPES: 'a' },
        'ERR_MCP_AUTH_MISSING_OPTION',
        'AzureProvider: MCP_AUTH_TENANT_ID is missing',
      ],
      [
        'no realm',
        { PROVIDER: 'keycloak', BASE_URL: BASE },
        'ERR_MCP_AUTH_MISSING_OPTION',
        'KeycloakAuthProvider: MCP_AUTH_REALM_URL is missing',
      ],
      [
        'a variable of another',
        { PROVIDER: 'github', ...app, TENANT_ID: 'x' },
        'ERR_MCP_AUTH_UNKNOWN_OPTION',
        'MCP_AUTH_TENANT_ID means nothing to the provider github',
      ],
      [
        'what is no text, e.g. a store',
        { PROVIDER: 'github', ...app, STORE: 'redis://' },
        'ERR_MCP_AUTH_UNKNOWN_OPTION',
        'MCP_AUTH_STORE means nothing to the provider github',
      ],
      [
        'a short secret',
        { PROVIDER: 'github', ...app, SECRET: 'short' },
        'ERR_MCP_AUTH_WEAK_KEY',
        'MCP_AUTH_SECRET',
      ],
      [
        'parameters that are no JSON',
        { PROVIDER: 'github', ...app, EXTRA_AUTHORIZE_PARAMS: 'a=b' },
        'ERR_MCP_AUTH_ENVIRONMENT',
        'MCP_AUTH_EXTRA_AUTHORIZE_PARAMS is not JSON',
      ],
      [
        'secrets that are broken JSON',
        { PROVIDER: 'github', ...app, SECRET: '["a' },
        'ERR_MCP_AUTH_ENVIRONMENT',
        'MCP_AUTH_SECRET is not JSON',
      ],
      [
        'a misspelled one',
        { PROVIDER: 'gihtub', ...app },
        'ERR_MCP_AUTH_UNKNOWN_OPTION',
        'Did you mean "github"?',
      ],
    ])('refuses %s', (_rule, variables, code, message) => {
      expect(errorOf(variables)).toEqual({ code, message: expect.stringContaining(message) })
    })
  })

  describe('oauth-proxy', () => {
    const complete = {
      PROVIDER: 'oauth-proxy',
      UPSTREAM_AUTHORIZATION_ENDPOINT: `${ISSUER}/authorize`,
      UPSTREAM_TOKEN_ENDPOINT: `${ISSUER}/token`,
      UPSTREAM_CLIENT_ID: 'our-app',
      UPSTREAM_CLIENT_SECRET: 'our-secret',
      BASE_URL: BASE,
      SECRET,
    }

    it.each<[rule: string, variables: Environment]>([
      ['keys', { JWKS_URI: `${ISSUER}/jwks`, UPSTREAM_ISSUER: ISSUER, AUDIENCE: 'our-app' }],
      ['introspection', { INTROSPECTION_URL: `${ISSUER}/introspect` }],
    ])('verifies upstream tokens by %s', async (_rule, variables) => {
      const built = from({ ...complete, ...variables })
      expect(built).toBeInstanceOf(OAuthProxy)
      await close(built)
    })

    it.each<[rule: string, variables: Environment, message: string]>([
      ['no way to verify', {}, 'set either MCP_AUTH_JWKS_URI or MCP_AUTH_INTROSPECTION_URL'],
      [
        'two ways to verify',
        { JWKS_URI: `${ISSUER}/jwks`, INTROSPECTION_URL: `${ISSUER}/introspect` },
        'set either MCP_AUTH_JWKS_URI or MCP_AUTH_INTROSPECTION_URL',
      ],
      ['keys without an issuer', { JWKS_URI: `${ISSUER}/jwks` }, 'MCP_AUTH_UPSTREAM_ISSUER is missing'],
      [
        'keys without an audience',
        { JWKS_URI: `${ISSUER}/jwks`, UPSTREAM_ISSUER: ISSUER },
        'MCP_AUTH_AUDIENCE is missing',
      ],
      [
        'no client',
        { UPSTREAM_CLIENT_ID: '', JWKS_URI: `${ISSUER}/jwks`, UPSTREAM_ISSUER: ISSUER, AUDIENCE: 'a' },
        'OAuthProxy: MCP_AUTH_UPSTREAM_CLIENT_ID is missing',
      ],
    ])('refuses %s', (_rule, variables, message) => {
      expect(errorOf({ ...complete, ...variables }).message).toContain(message)
    })
  })

  describe('refuses', () => {
    const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({
      type: 'spki',
      format: 'pem',
    })
    const jwt = { PROVIDER: 'jwt', ISSUER, AUDIENCE: RESOURCE, SECRET }
    const without = (variables: Environment, name: string): Environment => ({
      ...variables,
      [name]: undefined,
    })

    it.each<[rule: string, variables: Environment, code: string, message: string]>([
      [
        'no provider',
        {},
        'ERR_MCP_AUTH_ENVIRONMENT',
        `MCP_AUTH_PROVIDER is missing: set it to one of ${PROVIDERS}`,
      ],
      [
        'an empty provider',
        { PROVIDER: '' },
        'ERR_MCP_AUTH_ENVIRONMENT',
        `MCP_AUTH_PROVIDER is missing: set it to one of ${PROVIDERS}`,
      ],
      [
        'an unknown provider',
        { PROVIDER: 'jtw' },
        'ERR_MCP_AUTH_UNKNOWN_OPTION',
        'MCP_AUTH_PROVIDER has no provider "jtw". Did you mean "jwt"?',
      ],
      [
        'a provider called like a member of every object',
        { PROVIDER: 'constructor' },
        'ERR_MCP_AUTH_UNKNOWN_OPTION',
        `MCP_AUTH_PROVIDER has no provider "constructor". Known: ${PROVIDERS}`,
      ],
      [
        'a misspelled variable',
        { ...jwt, AUDIANCE: 'a' },
        'ERR_MCP_AUTH_UNKNOWN_OPTION',
        'MCP_AUTH_AUDIANCE means nothing to the provider jwt. Did you mean "MCP_AUTH_AUDIENCE"?',
      ],
      [
        'a variable of another provider',
        { PROVIDER: 'static', TOKENS: 'a', CLIENT_SECRET: 's' },
        'ERR_MCP_AUTH_UNKNOWN_OPTION',
        'MCP_AUTH_CLIENT_SECRET means nothing to the provider static. Known: MCP_AUTH_TOKENS, MCP_AUTH_REQUIRED_SCOPES',
      ],
      [
        'no issuer',
        without(jwt, 'ISSUER'),
        'ERR_MCP_AUTH_MISSING_OPTION',
        'JWTVerifier: MCP_AUTH_ISSUER is missing: write the "iss" of your tokens, byte for byte',
      ],
      [
        'no keys',
        without(jwt, 'SECRET'),
        'ERR_MCP_AUTH_MISSING_OPTION',
        'JWTVerifier takes exactly one of MCP_AUTH_JWKS_URI, MCP_AUTH_PUBLIC_KEY and MCP_AUTH_SECRET, not none',
      ],
      [
        'a time that is no number',
        { ...jwt, CLOCK_TOLERANCE_SECONDS: '30s' },
        'ERR_MCP_AUTH_ENVIRONMENT',
        'MCP_AUTH_CLOCK_TOLERANCE_SECONDS must be a number of seconds, not "30s"',
      ],
      [
        'a blank time',
        { ...jwt, CLOCK_TOLERANCE_SECONDS: ' ' },
        'ERR_MCP_AUTH_ENVIRONMENT',
        'MCP_AUTH_CLOCK_TOLERANCE_SECONDS must be a number of seconds, not " "',
      ],
      [
        'a time below zero',
        { ...jwt, CLOCK_TOLERANCE_SECONDS: '-1' },
        'ERR_MCP_AUTH_INVALID_OPTION',
        'JWTVerifier: MCP_AUTH_CLOCK_TOLERANCE_SECONDS must be a number of seconds, 0 or more',
      ],
      [
        'a flag that is neither',
        { ...jwt, DANGEROUSLY_ALLOW_ANY_AUDIENCE: '1' },
        'ERR_MCP_AUTH_ENVIRONMENT',
        'MCP_AUTH_DANGEROUSLY_ALLOW_ANY_AUDIENCE must be true or false, not "1"',
      ],
      [
        'a key that is broken JSON',
        { ...without(jwt, 'SECRET'), PUBLIC_KEY: '{' },
        'ERR_MCP_AUTH_ENVIRONMENT',
        'MCP_AUTH_PUBLIC_KEY is not JSON',
      ],
      [
        'tokens that are broken JSON',
        { PROVIDER: 'static', TOKENS: '{"a"' },
        'ERR_MCP_AUTH_ENVIRONMENT',
        'MCP_AUTH_TOKENS is not JSON',
      ],
      [
        'a weak key',
        { ...without(jwt, 'SECRET'), PUBLIC_KEY: String(small) },
        'ERR_MCP_AUTH_WEAK_KEY',
        'JWTVerifier: MCP_AUTH_PUBLIC_KEY cannot be used: key 0: an RSA key under 2048 bits',
      ],
      [
        'no introspection URL',
        { PROVIDER: 'introspection', CLIENT_ID: 'c', CLIENT_SECRET: 's' },
        'ERR_MCP_AUTH_MISSING_OPTION',
        'IntrospectionTokenVerifier: MCP_AUTH_INTROSPECTION_URL is missing: write the "introspection_endpoint" of your authorization server',
      ],
      [
        'no tokens',
        { PROVIDER: 'static' },
        'ERR_MCP_AUTH_INVALID_OPTION',
        'StaticTokenVerifier: MCP_AUTH_TOKENS must be { "a-token": { clientId: "dev", scopes: [] } } or a list of tokens',
      ],
      [
        'no base URL',
        { PROVIDER: 'remote', AUTHORIZATION_SERVERS: ISSUER, SECRET },
        'ERR_MCP_AUTH_ENVIRONMENT',
        'MCP_AUTH_BASE_URL is missing: the public URL of this app',
      ],
      [
        'no authorization servers',
        {
          PROVIDER: 'introspection',
          INTROSPECTION_URL: ISSUER,
          CLIENT_ID: 'c',
          CLIENT_SECRET: 's',
          BASE_URL: BASE,
        },
        'ERR_MCP_AUTH_MISSING_OPTION',
        'RemoteAuthProvider: MCP_AUTH_AUTHORIZATION_SERVERS is missing: name at least one issuer, e.g. ["https://login.example.com"]: clients get their tokens there',
      ],
    ])('%s', (_rule, variables, code, message) => {
      expect(errorOf(variables)).toEqual({ code, message })
    })

    it('no audience, and names the variable that would switch the check off', () => {
      const { code, message } = errorOf(without(jwt, 'AUDIENCE'))
      expect(code).toBe('ERR_MCP_AUTH_MISSING_OPTION')
      expect(message).toMatch(/^JWTVerifier: MCP_AUTH_AUDIENCE is missing/)
      expect(message).toContain('MCP_AUTH_DANGEROUSLY_ALLOW_ANY_AUDIENCE')
    })

    it('http, and names the variable that would allow it', () => {
      const { code, message } = errorOf({ ...without(jwt, 'SECRET'), JWKS_URI: 'http://keycloak:8080' })
      expect(code).toBe('ERR_MCP_AUTH_INSECURE_URL')
      expect(message).toContain('MCP_AUTH_DANGEROUSLY_ALLOW_INSECURE_HTTP')
    })

    it('keys from two places, and names both variables', () => {
      const { code, message } = errorOf({ ...jwt, JWKS_URI: `${ISSUER}/jwks` })
      expect(code).toBe('ERR_MCP_AUTH_MISSING_OPTION')
      expect(message).toMatch(/not MCP_AUTH_JWKS_URI and MCP_AUTH_SECRET$/)
    })

    it.each<[rule: string, variables: Environment]>([
      ['a resource', { ...jwt, RESOURCE_URL: RESOURCE }],
      ['authorization servers', { ...jwt, AUTHORIZATION_SERVERS: ISSUER }],
      ['a name', { ...jwt, RESOURCE_NAME: 'Notes' }],
    ])('what is for discovery without a base URL: %s', (_rule, variables) => {
      expect(errorOf(variables)).toEqual({
        code: 'ERR_MCP_AUTH_ENVIRONMENT',
        message: expect.stringMatching(
          /^MCP_AUTH_\w+ needs MCP_AUTH_BASE_URL too, the public URL of this app$/,
        ),
      })
    })

    it.each<[rule: string, variables: Environment]>([
      [
        'introspection and JWTs',
        { INTROSPECTION_URL: ISSUER, CLIENT_ID: 'c', CLIENT_SECRET: 's', JWKS_URI: ISSUER },
      ],
      [
        'introspection and a service',
        { INTROSPECTION_URL: ISSUER, CLIENT_ID: 'c', CLIENT_SECRET: 's', VERIFY_URL: ISSUER },
      ],
      ['a service and JWTs', { VERIFY_URL: ISSUER, SECRET }],
    ])('two ways to verify at once: %s', (_rule, variables) => {
      const { message } = errorOf({
        PROVIDER: 'remote',
        BASE_URL: BASE,
        AUTHORIZATION_SERVERS: ISSUER,
        ...variables,
      })
      expect(message).toMatch(/^MCP_AUTH_\w+ and MCP_AUTH_\w+ are two ways to verify: leave one$/)
    })
  })
})

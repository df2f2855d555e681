// The published contract of providers: ours keep it, and providers that break a rule are found by the case of that rule.
import { afterAll, beforeAll, describe, expect, it, test } from '@jest/globals'
import {
  type AuthProvider,
  InMemoryOAuthProvider,
  IntrospectionTokenVerifier,
  JWTVerifier,
  MultiAuth,
  OAuthProvider,
  type OAuthProviderOptions,
  OAuthProxy,
  OIDCProxy,
  RemoteAuthProvider,
  StaticTokenVerifier,
  mcpAuth,
} from 'express-mcp-auth'
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import {
  type CreateProvider,
  type ProviderUnderTest,
  type TestIdentityProvider,
  providerContract,
  signIn,
  startIdentityProvider,
} from 'express-mcp-auth/testing'
import { SECRET } from '../support/authorization-server.js'

const BASE_URL = 'https://api.example.com'
const audience = `${BASE_URL}/mcp`
const requiredScopes = ['mcp:use']

let idp: TestIdentityProvider
beforeAll(async () => {
  idp = await startIdentityProvider({ redirectUris: [`${BASE_URL}/auth/callback`] })
})
afterAll(() => idp.close())

function remote(more: Partial<ConstructorParameters<typeof RemoteAuthProvider>[0]> = {}): ProviderUnderTest {
  return {
    provider: new RemoteAuthProvider({
      baseUrl: BASE_URL,
      authorizationServers: [idp.issuer],
      jwksUri: idp.jwksUri,
      requiredScopes,
      ...more,
    }),
    goodToken: idp.issueToken({ audience, scopes: requiredScopes }),
    badToken: idp.issueToken({ audience: 'https://other.example.com', scopes: requiredScopes }),
    tokenWithoutScopes: idp.issueToken({ audience, scopes: ['other'] }),
    outage() {
      idp.failWith('jwks', 500)
    },
    close() {
      idp.failWith('jwks')
    },
  }
}

const deeper = (): ProviderUnderTest => {
  const resourceUrl = `${BASE_URL}/notes/mcp`
  return {
    ...remote({ resourceUrl, scopesSupported: ['mcp:use', 'more'] }),
    goodToken: idp.issueToken({ audience: resourceUrl, scopes: requiredScopes }),
    tokenWithoutScopes: idp.issueToken({ audience: resourceUrl }),
  }
}

const bare = (): ProviderUnderTest => ({
  ...remote(),
  provider: new JWTVerifier({ jwksUri: idp.jwksUri, issuer: idp.issuer, audience, requiredScopes }),
})

const asked = (): ProviderUnderTest => ({
  ...remote({
    tokenVerifier: new IntrospectionTokenVerifier({
      introspectionUrl: idp.introspectionEndpoint,
      clientId: idp.clientId,
      clientSecret: idp.clientSecret,
      audience,
    }),
    jwksUri: undefined,
  } as never),
  outage() {
    idp.failWith('introspect', 503)
  },
  close() {
    idp.failWith('introspect')
  },
})

const several = (): ProviderUnderTest => ({
  ...remote(),
  provider: new MultiAuth({
    server: remote().provider as AuthProvider,
    verifiers: [new StaticTokenVerifier({ tokens: { sk_1: { clientId: 'ci' } }, tokenPrefix: 'sk_' })],
  }),
})

/** A provider whose tokens somebody signs in for. */
async function signedIn(
  provider: AuthProvider,
  options: Parameters<typeof signIn>[1] = {},
): Promise<ProviderUnderTest> {
  const guard = mcpAuth(provider, { rateLimit: false, onEvent: () => undefined })
  const { accessToken, close } = await signIn((request, response) => {
    guard(request, response, () => response.end())
  }, options)
  await close()
  return {
    provider,
    goodToken: accessToken,
    badToken: idp.issueToken({ audience }),
    tokenWithoutScopes: 'no scopes',
    outage: 'asks nobody',
  }
}

/** A store that is away, as soon as it is told. */
class Store extends MemoryStore {
  away = false

  override get(...key: Parameters<MemoryStore['get']>): ReturnType<MemoryStore['get']> {
    if (this.away) throw new Error('the store is away')
    return super.get(...key)
  }
}

const own = (more: Partial<OAuthProviderOptions> = {}): CreateProvider => {
  return async () => {
    const store = new Store()
    const provider = new OAuthProvider({
      baseUrl: BASE_URL,
      secret: SECRET,
      store,
      signIn: { verifyCredentials: () => ({ subject: 'ada' }) },
      ...more,
    })
    return {
      ...(await signedIn(provider, { username: 'ada', password: 'analytical' })),
      outage() {
        store.away = true
      },
    }
  }
}

const unasked: CreateProvider = () =>
  signedIn(new InMemoryOAuthProvider({ baseUrl: 'http://localhost:3000', user: { subject: 'ada' } }))

const opaque: CreateProvider = () =>
  signedIn(
    new OAuthProxy({
      upstreamAuthorizationEndpoint: idp.authorizationEndpoint,
      upstreamTokenEndpoint: idp.tokenEndpoint,
      upstreamClientId: idp.clientId,
      upstreamClientSecret: idp.clientSecret,
      tokenVerifier: new JWTVerifier({
        jwksUri: idp.jwksUri,
        issuer: idp.issuer,
        dangerouslyAllowAnyAudience: true,
      }),
      baseUrl: BASE_URL,
      secret: SECRET,
      store: new MemoryStore(),
    }),
  )

const bridged: CreateProvider = () =>
  signedIn(
    new OIDCProxy({
      configUrl: idp.configUrl,
      clientId: idp.clientId,
      clientSecret: idp.clientSecret,
      baseUrl: BASE_URL,
      secret: SECRET,
      store: new MemoryStore(),
      requiredScopes: [],
    }),
    { scopes: [] },
  )

describe.each<readonly [string, CreateProvider]>([
  ['RemoteAuthProvider', remote],
  ['RemoteAuthProvider at another endpoint', deeper],
  ['RemoteAuthProvider that asks', asked],
  ['a bare verifier', bare],
  ['MultiAuth', several],
  ['OAuthProvider', own()],
  ['InMemoryOAuthProvider', unasked],
  ['OAuthProxy', opaque],
  ['OIDCProxy', bridged],
])('%s', (_name, create) => {
  test.each(providerContract.map(({ title, run }) => [title, run] as const))('%s', (_title, run) =>
    run(create),
  )
})

/** Members that a provider is made of, with one changed. */
function changed(more: Partial<AuthProvider>): AuthProvider {
  const { baseUrl, resourceUrl, authorizationServers } = remote().provider as RemoteAuthProvider
  const inner = remote().provider as RemoteAuthProvider
  return {
    baseUrl,
    resourceUrl,
    authorizationServers,
    requiredScopes,
    verifyToken: (token, context) => inner.verifyToken(token, context),
    ...more,
  }
}

const mistakes: readonly (readonly [
  rule: RegExp,
  how: string,
  words: string,
  change: () => Partial<ProviderUnderTest>,
])[] = [
  [
    /^whoever has no token/,
    'lets everybody in',
    'it was answered 200',
    () => ({ provider: changed({ authenticate: () => ({ clientId: 'x', scopes: requiredScopes }) }) }),
  ],
  [
    /^a bad token gets 401/,
    'throws at a bad token',
    'it was answered 503',
    () => ({ provider: changed({ verifyToken: () => Promise.reject(new Error('bad')) }) }),
  ],
  [/^a good token gets through/, 'accepts nobody', 'it was answered 401', () => ({ goodToken: 'other' })],
  [
    /^a token with too few/,
    'asks for scopes in secret',
    'pass "tokenWithoutScopes"',
    () => ({ tokenWithoutScopes: 'no scopes' }),
  ],
  [
    /^a token with too few/,
    'calls it a bad one',
    'it was answered 401',
    () => ({ tokenWithoutScopes: idp.issueToken({ audience: 'other' }) }),
  ],
  [
    /^an outage gets 503/,
    'says null when nobody can be asked',
    'it was answered 401',
    () => ({ outage: () => undefined, provider: changed({ verifyToken: () => null }) }),
  ],
  [
    /^its metadata/,
    'calls its resource by another name each time',
    'Expected values to be strictly equal',
    () => {
      let reads = 0
      const get = (): string => `${BASE_URL}/${reads++}`
      return { provider: Object.defineProperty(changed({}), 'resourceUrl', { get }) }
    },
  ],
  [
    /^its metadata/,
    'serves metadata without a server',
    'metadata is served by a provider that names no authorization server',
    () => ({
      provider: changed({
        authorizationServers: undefined,
        routes: [
          {
            path: '/.well-known/oauth-protected-resource',
            methods: ['GET'],
            handle: () => ({ status: 200, headers: {} }),
          },
        ],
      }),
    }),
  ],
  [
    /^no route of its own/,
    'takes the place of its endpoint',
    'Expected values to be strictly deep-equal',
    () => ({
      provider: changed({
        routes: [{ path: '/mcp', methods: ['GET'], handle: () => ({ status: 200, headers: {} }) }],
      }),
    }),
  ],
  [
    /^neither answers/,
    'tells the token',
    'a token was told',
    () => ({
      provider: changed({
        verifyToken: (token, context) => {
          context!.report({ type: 'hint', code: 'listener_threw', message: token })
          return null
        },
      }),
    }),
  ],
]
describe('the contract finds a provider that', () => {
  it.each(mistakes)('%s: %s', async (rule, _how, words, change) => {
    const [found] = providerContract.filter(({ title }) => rule.test(title))
    await expect(found!.run(() => ({ ...remote(), ...change() }))).rejects.toThrow(words)
  })
})

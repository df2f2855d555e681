// Compiled by check-package.mjs against the packed package in an empty project, with the strictest settings and the type
// declarations of everything installed checked as well. It must use every exported name; nothing here is ever run.
import { createServer } from 'node:http'
import * as sdkErrors from '@modelcontextprotocol/sdk/server/auth/errors.js'
import type { OAuthTokenVerifier as VerifierV1 } from '@modelcontextprotocol/sdk/server/auth/provider.js'
import type { AuthProvider, OAuthClientProvider as OAuthClientProviderV2 } from '@modelcontextprotocol/client'
import type { AuthInfo as AuthInfoV1 } from '@modelcontextprotocol/sdk/server/auth/types.js'
import type { AuthInfo as AuthInfoV2, OAuthTokenVerifier as VerifierV2 } from '@modelcontextprotocol/server'
import express from 'express'
import {
  type AuthEvent,
  ConfigError,
  type IdentityProviderClass,
  InMemoryOAuthProvider,
  JWTVerifier,
  MultiAuth,
  OAuthError,
  OAuthProvider,
  RemoteAuthProvider,
  type Store,
  StaticTokenVerifier,
  TokenInfoVerifier,
  consoleEvents,
  defineIdentityProvider,
  getAccessToken,
  html,
  mcpAuth,
  providerFromEnv,
  requireScopes,
  requireToolScopes,
  sdkTokenVerifier,
} from 'express-mcp-auth'
import {
  BearerAuth,
  ClientCredentials,
  ClientError,
  OAuth,
  authFetch,
  tokenFromEnvironment,
} from 'express-mcp-auth/client'
import { ClerkProvider } from 'express-mcp-auth/providers/clerk'
import { DiscordProvider, DiscordTokenVerifier } from 'express-mcp-auth/providers/discord'
import { GitHubProvider, GitHubTokenVerifier } from 'express-mcp-auth/providers/github'
import { GitLabProvider } from 'express-mcp-auth/providers/gitlab'
import { GoogleProvider, GoogleTokenVerifier } from 'express-mcp-auth/providers/google'
import { HuggingFaceProvider } from 'express-mcp-auth/providers/hugging-face'
import { AuthKitProvider, WorkOSProvider } from 'express-mcp-auth/providers/workos'
import { DescopeProvider } from 'express-mcp-auth/providers/descope'
import { KeycloakAuthProvider } from 'express-mcp-auth/providers/keycloak'
import { PropelAuthProvider } from 'express-mcp-auth/providers/propelauth'
import { ScalekitProvider } from 'express-mcp-auth/providers/scalekit'
import { SupabaseProvider } from 'express-mcp-auth/providers/supabase'
import { EncryptedStore } from 'express-mcp-auth/stores/encrypted'
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import { type PostgresPool, PostgresStore } from 'express-mcp-auth/stores/postgres'
import { type NodeRedisClient, RedisStore } from 'express-mcp-auth/stores/redis'
import { SqliteStore } from 'express-mcp-auth/stores/sqlite'
import {
  RSAKeyPair,
  SignInError,
  providerContract,
  signIn,
  startIdentityProvider,
  storeContract,
  testClock,
  verifierContract,
} from 'express-mcp-auth/testing'

export {
  AccessToken,
  type AccessTokenContext,
  type AccessTokenFields,
  type AnyOf,
  type AppSignIn,
  type AppTokenVerifierClass,
  type AppTokenVerifierOptions,
  type AuthEvent,
  type AuthHandler,
  type AuthorizationServerOptions,
  type AuthProvider,
  type AuthRequest,
  type AuthResponse,
  type Branding,
  type CacheBounds,
  type Claim,
  type ClientDocumentOptions,
  type ClientRegistrationOptions,
  ConfigError,
  type ConfigErrorCode,
  type ConfiguredClient,
  type ConnectionsPage,
  type ConsentPage,
  type ConsoleEventsOptions,
  type CredentialSignIn,
  DebugTokenVerifier,
  type DebugTokenVerifierOptions,
  type Deps,
  EVENT_CHANNEL,
  type EventListener,
  type ExchangedToken,
  type ExchangeTokenOptions,
  type ForwardMetadataOptions,
  type GateTokenVerifier,
  type HintCode,
  type IdentityProviderClass,
  type IdentityProviderFacts,
  type IdentityProviderOptions,
  type IdentityProviderSpec,
  InMemoryOAuthProvider,
  type InMemoryOAuthProviderOptions,
  IntrospectionTokenVerifier,
  type IntrospectionTokenVerifierOptions,
  JWTVerifier,
  type JWTVerifierOptions,
  type McpAuthOptions,
  type Members,
  type MessagePage,
  MultiAuth,
  type MultiAuthOptions,
  OAuthError,
  type OAuthErrorCode,
  type OAuthErrorOptions,
  OAuthProvider,
  type OAuthProviderOptions,
  OAuthProxy,
  type OAuthProxyOptions,
  OIDCProxy,
  type OIDCProxyOptions,
  type OptionReader,
  type OwnOption,
  type Page,
  type PageOptions,
  type ProviderLike,
  type ProxyFacts,
  type ProxyOptions,
  type RateLimitBounds,
  type RateLimitOptions,
  type Reason,
  type RegisteredApp,
  RemoteAuthProvider,
  type RemoteAuthProviderOptions,
  RemoteTokenVerifier,
  type RemoteTokenVerifierOptions,
  type RenderPage,
  type ResourceDescription,
  type Route,
  type RouteBody,
  type RouteContext,
  SafeHtml,
  type ScopeImplies,
  type ScopeNames,
  type SdkErrorClass,
  type SdkErrorClasses,
  type SdkTokenVerifier,
  type SdkTokenVerifierOptions,
  type ServerProvider,
  type SessionBindingOptions,
  type SignIn,
  type SignInPage,
  type StaticToken,
  StaticTokenVerifier,
  type StaticTokenVerifierOptions,
  type Store,
  type StoreEntry,
  type Texts,
  type TokenAnswer,
  TokenExchangeError,
  type TokenFacts,
  type TokenForm,
  type TokenInfo,
  type TokenInfoApp,
  type TokenInfoCaching,
  TokenInfoVerifier,
  type TokenQuestion,
  type ToolScopes,
  type UpstreamAccess,
  type UpstreamAuthMethod,
  type UpstreamDiscovery,
  type UpstreamEndpoints,
  type UpstreamIdentification,
  type User,
  type UserStanding,
  type Verification,
  type VerifiedToken,
  type Verifier,
  type VerifyContext,
  bindSessions,
  consoleEvents,
  defineIdentityProvider,
  exchangeToken,
  getAccessToken,
  html,
  mcpAuth,
  providerFromEnv,
  requireScopes,
  requireToolScopes,
  sdkTokenVerifier,
} from 'express-mcp-auth'
export { type ClerkOptions, ClerkProvider } from 'express-mcp-auth/providers/clerk'
export {
  type DiscordOptions,
  DiscordProvider,
  DiscordTokenVerifier,
} from 'express-mcp-auth/providers/discord'
export {
  type GitHubOptions,
  GitHubProvider,
  GitHubTokenVerifier,
  type GitHubTokenVerifierOptions,
} from 'express-mcp-auth/providers/github'
export { type GitLabOptions, GitLabProvider } from 'express-mcp-auth/providers/gitlab'
export { type GoogleOptions, GoogleProvider, GoogleTokenVerifier } from 'express-mcp-auth/providers/google'
export { type HuggingFaceOptions, HuggingFaceProvider } from 'express-mcp-auth/providers/hugging-face'
export {
  type AuthKitOptions,
  AuthKitProvider,
  type WorkOSOptions,
  WorkOSProvider,
} from 'express-mcp-auth/providers/workos'
export { type DescopeOptions, DescopeProvider } from 'express-mcp-auth/providers/descope'
export { KeycloakAuthProvider, type KeycloakOptions } from 'express-mcp-auth/providers/keycloak'
export { type PropelAuthOptions, PropelAuthProvider } from 'express-mcp-auth/providers/propelauth'
export { type ScalekitOptions, ScalekitProvider } from 'express-mcp-auth/providers/scalekit'
export { type SupabaseOptions, SupabaseProvider } from 'express-mcp-auth/providers/supabase'
export { AWSCognitoProvider, type AWSCognitoOptions } from 'express-mcp-auth/providers/aws-cognito'
export {
  Auth0MCPProvider,
  type Auth0MCPOptions,
  Auth0Provider,
  type Auth0Options,
} from 'express-mcp-auth/providers/auth0'
export {
  AzureJWTVerifier,
  type AzureJWTVerifierOptions,
  type AzureOptions,
  AzureProvider,
} from 'express-mcp-auth/providers/azure'
export { type AzureB2COptions, AzureB2CProvider } from 'express-mcp-auth/providers/azure-b2c'
export { type OCIOptions, OCIProvider } from 'express-mcp-auth/providers/oci'
export { type OktaOptions, OktaProvider } from 'express-mcp-auth/providers/okta'
export { EncryptedStore, type EncryptedStoreOptions } from 'express-mcp-auth/stores/encrypted'
export { MemoryStore, type MemoryStoreOptions } from 'express-mcp-auth/stores/memory'
export { type PostgresPool, PostgresStore, type PostgresStoreOptions } from 'express-mcp-auth/stores/postgres'
export {
  type IoredisClient,
  type NodeRedisClient,
  RedisStore,
  type RedisStoreOptions,
} from 'express-mcp-auth/stores/redis'
export {
  type SqliteDatabase,
  type SqliteStatement,
  SqliteStore,
  type SqliteStoreOptions,
} from 'express-mcp-auth/stores/sqlite'
export {
  type CreateProvider,
  type CreateStore,
  type CreateVerifier,
  type IssuedTokenOptions,
  type PageForm,
  type ProviderCase,
  type ProviderUnderTest,
  RSAKeyPair,
  type RSAKeyPairOptions,
  type SeenRequest,
  type Shown,
  type SignedIn,
  SignInError,
  type SignInOptions,
  type SignInStep,
  type StoreCase,
  type TestClock,
  type TestedApp,
  type TestIdentityProvider,
  type TestIdentityProviderEndpoint,
  type TestIdentityProviderFailure,
  type TestIdentityProviderOptions,
  type TestTokenOptions,
  type VerifierCase,
  type VerifierUnderTest,
  providerContract,
  signIn,
  startIdentityProvider,
  storeContract,
  testClock,
  verifierContract,
} from 'express-mcp-auth/testing'

export {
  type AuthFetch,
  type AuthFetchOptions,
  BearerAuth,
  ClientCredentials,
  type ClientCredentialsOptions,
  ClientError,
  type ClientErrorCode,
  type ConnectingClient,
  type FinishingTransport,
  OAuth,
  type OAuthOptions,
  type PrivateKey,
  type TokenFromEnvironmentOptions,
  type TokenSource,
  authFetch,
  tokenFromEnvironment,
} from 'express-mcp-auth/client'

const issuer = 'https://login.example.com'
const audience = 'https://api.example.com/mcp'

/** The app of the documentation. */
export const app = express()
app.use(
  mcpAuth(
    new RemoteAuthProvider({
      baseUrl: 'https://api.example.com',
      authorizationServers: [issuer],
      tokenVerifier: new JWTVerifier({ jwksUri: `${issuer}/jwks`, issuer, audience }),
      requiredScopes: ['mcp:use'],
    }),
    { protect: ['/mcp', '/admin'], onEvent: consoleEvents(), toolScopes: { tools: { erase: ['admin'] } } },
  ),
)
app.post('/mcp', express.json(), requireToolScopes({ methods: { 'tools/list': ['read'] } }), (req, res) => {
  const token = getAccessToken(req)
  res.json({ subject: token?.subject, admin: token?.hasScope('admin') })
})
app.delete('/admin', requireScopes('admin'), requireScopes({ anyOf: ['a', 'b'] }), (_req, res) => {
  res.sendStatus(204)
})

/** The authorization server of the documentation, on each store. */
export function authorize(pool: PostgresPool, client: NodeRedisClient, keys: string[]): Store {
  const store = new EncryptedStore({ store: new RedisStore({ client, prefix: 'auth' }), keys })
  const people = new Map([['ada', { subject: 'user-1', name: 'Ada', claims: { roles: ['admin'] } }]])
  const provider = new OAuthProvider({
    baseUrl: 'https://api.example.com',
    secret: keys,
    store,
    signIn: { verifyCredentials: async (username) => Promise.resolve(people.get(username)) },
    scopesSupported: ['mcp:use', 'notes:write'],
    requiredScopes: ['mcp:use'],
    scopeDescriptions: { 'notes:write': 'Write notes' },
    clientRegistration: { initialAccessToken: 'token' },
    clients: [{ clientId: 'ci', clientSecret: 'secret', grantTypes: ['client_credentials'] }],
    branding: { name: 'Notes', accentColor: '#2f55d4' },
    renderPage: (page, render) =>
      page.kind === 'message' ? String(html`<p>${page.message}</p>`) : render(page),
  })
  app.use(mcpAuth(provider, { rateLimit: { endpoints: { token: { limit: 1000 } } } }))
  new PostgresStore({ pool, table: 'auth.entries' })
  new SqliteStore({ path: 'auth.sqlite' })
  return new MemoryStore({ maxEntries: 1000 })
}

/** People sign in by the app. */
export const ofTheApp = new OAuthProvider({
  baseUrl: 'https://api.example.com',
  signIn: {
    currentUser: (request: express.Request) => (request.cookies === undefined ? null : { subject: 'user-1' }),
    loginUrl: (returnTo) => `/login?returnTo=${encodeURIComponent(returnTo)}`,
  },
})

/** Identity providers that clients sign in to themselves. */
const baseUrl = 'https://api.example.com'
export const remotes = [
  new KeycloakAuthProvider({
    baseUrl,
    realmUrl: 'https://sso.example.com/realms/notes',
    audience: ['notes'],
  }),
  new AuthKitProvider({ baseUrl, authkitDomain: 'https://notes.authkit.app' }),
  new DescopeProvider({ baseUrl, projectId: 'P2abc', forwardAuthorizationServerMetadata: true }),
  new ScalekitProvider({ baseUrl, environmentUrl: 'https://notes.scalekit.com', resourceId: 'res_1' }),
  new SupabaseProvider({ baseUrl, projectUrl: 'https://abc123.supabase.co', requiredScopes: ['email'] }),
  new PropelAuthProvider({
    baseUrl,
    authUrl: 'https://auth.example.com',
    introspectionClientId: 'id',
    introspectionClientSecret: 'secret',
    tokenIntrospectionOverrides: { timeoutSeconds: 5 },
  }),
]

/** Identity providers that people sign in at, with tokens that say nothing by themselves. */
const registered = { clientId: 'id', clientSecret: 'secret', baseUrl, secret: 'x'.repeat(32) }
export const vendors: readonly GitHubProvider[] = [
  new GitHubProvider({ ...registered, requiredScopes: ['read:user'], cacheTtlSeconds: 300 }),
  new GoogleProvider({ ...registered, extraAuthorizeParams: { hd: 'example.com' } }),
  new DiscordProvider(registered),
  new HuggingFaceProvider({ clientId: 'public', baseUrl, secret: 'x'.repeat(32) }),
  new WorkOSProvider({ ...registered, authkitDomain: 'https://notes.authkit.app' }),
  new ClerkProvider({ ...registered, domain: 'clerk.example.com' }),
  new GitLabProvider({ ...registered, gitlabUrl: 'https://gitlab.example.com' }),
]

/** Tokens that callers got from them themselves. */
export const presented = new MultiAuth({
  verifiers: [
    new GitHubTokenVerifier({ clientId: 'id', clientSecret: 'secret', tokenPrefix: 'gho_' }),
    new GoogleTokenVerifier({ clientId: 'id', tokenPrefix: 'ya29.', requiredScopes: ['openid'] }),
    new DiscordTokenVerifier({ clientId: 'id' }),
  ],
})

/** One that the package does not know. */
export interface ExampleOptions {
  readonly exampleUrl: string
}

export const ExampleProvider: IdentityProviderClass<ExampleOptions> = defineIdentityProvider<ExampleOptions>({
  className: 'ExampleProvider',
  title: 'Example',
  secret: 'required',
  options: { exampleUrl: { kind: 'base', required: 'write the URL of your instance' } },
  facts: ({ exampleUrl }, registeredApp, read) => ({
    endpoints: { authorizationEndpoint: `${exampleUrl}/authorize`, tokenEndpoint: `${exampleUrl}/token` },
    identification: {
      by: 'access_token',
      verifier: new TokenInfoVerifier(
        {
          issuer: exampleUrl,
          ask: { url: `${exampleUrl}/introspect`, tokenIn: 'form', clientAuth: 'client_secret_basic' },
          read: ({ json }) => ({ subject: json['sub'], issuedTo: json['client_id'], claims: json }),
          claims: ['name'],
        },
        registeredApp,
        read,
      ),
    },
  }),
})

/** Without a framework. */
export const server = createServer((req, res) => {
  mcpAuth(new StaticTokenVerifier({ tokens: { secret: { clientId: 'ci', scopes: ['read'] } } }))(
    req,
    res,
    () => {
      res.end(getAccessToken()?.clientId)
    },
  )
})

/** The token is what tools of both SDK generations expect. */
export const authInfo: { v1: AuthInfoV1; v2: AuthInfoV2 } | undefined = (() => {
  const token = getAccessToken()
  return token && { v1: token, v2: token }
})()

/** Our verifiers behind the gates of both. */
const known = new StaticTokenVerifier({ tokens: ['secret'] })
export const gates: { v1: VerifierV1; v2: VerifierV2 } = {
  v1: sdkTokenVerifier(known, { errors: sdkErrors }),
  v2: sdkTokenVerifier(known),
}

/** Any object with `verifyToken` is a provider. */
export const own = mcpAuth({
  requiredScopes: ['read'],
  async verifyToken(token: string) {
    return Promise.resolve(token === 'x' ? { clientId: 'x', scopes: ['read'] } : null)
  },
})

export function tell(event: AuthEvent): string {
  return event.type === 'request.refused' ? `${event.status} ${event.path}` : event.type
}

export async function test(): Promise<string> {
  const clock = testClock()
  new InMemoryOAuthProvider({ deps: clock, user: { subject: 'ada' } })
  for (const { title, run } of storeContract) await run(() => new MemoryStore()).catch(() => title)
  const keys = await RSAKeyPair.generate()
  const verifier = new JWTVerifier({ publicKey: keys.publicKey, issuer, audience, deps: clock })
  clock.advance(60)
  try {
    new MultiAuth({ verifiers: [verifier] })
    providerFromEnv({ MCP_AUTH_PROVIDER: 'jwt' })
  } catch (error) {
    if (error instanceof ConfigError || error instanceof OAuthError) return error.code
    throw error
  }
  return keys.createToken({ issuer, audience, scopes: ['read'] })
}

/** A test of the app above. */
export async function testApp(): Promise<string> {
  const idp = await startIdentityProvider({ user: { subject: 'ada' }, deps: testClock() })
  idp.failWith('jwks', 'hang')
  await idp.rotateKeys({ withdraw: true })
  const subject = {
    goodToken: idp.issueToken({ audience, scopes: ['mcp:use'] }),
    badToken: 'revoked',
    badTokens: ['revoked'],
    expiredToken: idp.issueToken({ expiresInSeconds: -1 }),
    tokenWithoutScopes: 'no scopes',
    outage: 'asks nobody',
  } as const
  const verifier = new JWTVerifier({ jwksUri: idp.jwksUri, issuer: idp.issuer, audience })
  for (const { run } of verifierContract) await run(() => ({ ...subject, verifier }))
  for (const { run } of providerContract) await run(() => ({ ...subject, provider: verifier }))
  try {
    const ada = await signIn(app, { fill: (form) => (form.names.includes('otp') ? { otp: '1' } : undefined) })
    return (await ada.request('/mcp', { method: 'POST' })).statusText
  } catch (error) {
    if (error instanceof SignInError) return error.step
    throw error
  } finally {
    await idp.close()
  }
}

/** Clients are what both SDK generations take. */
const person = new OAuth({ serverUrl: 'https://api.example.com/mcp', clientName: 'Notes', scopes: ['read'] })
// SDK v1's own client types compile with the library of browsers alone; our tests hold us to them.
export const people: OAuthClientProviderV2 = person
export const programs: readonly AuthProvider[] = [
  new BearerAuth(tokenFromEnvironment({ variable: 'TOKEN' })),
  new ClientCredentials({ serverUrl: 'https://api.example.com/mcp', clientId: 'id', clientSecret: 'secret' }),
]
export async function ask(): Promise<number | string> {
  try {
    return (await authFetch(person)('https://api.example.com/mcp')).status
  } catch (error) {
    if (error instanceof ClientError) return error.code
    throw error
  }
}

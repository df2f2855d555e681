// express-mcp-auth: authentication for MCP servers on Express, connect and node:http.
export { providerFromEnv } from './config/env.js'
export type { AuthHandler } from './express/adapter.js'
export { bindSessions } from './express/bind-sessions.js'
export { getAccessToken } from './express/context.js'
export type { RateLimitBounds, RateLimitOptions } from './express/limits.js'
export { type McpAuthOptions, mcpAuth } from './express/mcp-auth.js'
export { type AnyOf, requireScopes } from './express/require-scopes.js'
export { requireToolScopes } from './express/tool-scopes.js'
export type { SessionBindingOptions } from './http/sessions.js'
export type { AccessTokenFields, UpstreamAccess, VerifiedToken } from './protocol/access-token.js'
export type { Reason } from './protocol/claims.js'
export {
  ConfigError,
  type ConfigErrorCode,
  OAuthError,
  type OAuthErrorCode,
  type OAuthErrorOptions,
} from './protocol/errors.js'
export type { TokenForm } from './protocol/jws-guard.js'
export type { AuthRequest, AuthResponse } from './protocol/message.js'
export type { ResourceDescription } from './protocol/metadata.js'
export type { OptionReader } from './protocol/options.js'
export type { ScopeImplies } from './protocol/scopes.js'
export type { ToolScopes } from './protocol/tool-scopes.js'
export type { AppSignIn, CredentialSignIn, SignIn, UserStanding } from './authorization-server/people.js'
export type { User } from './authorization-server/records.js'
export type { Branding, PageOptions } from './pages/pages.js'
export type { ConnectionsPage, ConsentPage, MessagePage, Page, RenderPage, SignInPage } from './pages/page.js'
export type { Texts } from './pages/texts.js'
export { SafeHtml, html } from './protocol/html.js'
export type {
  AuthorizationServerOptions,
  ClientDocumentOptions,
  ClientRegistrationOptions,
} from './providers/authorization-server-options.js'
export type { ConfiguredClient } from './providers/configured-clients.js'
export { type ExchangedToken, TokenExchangeError, exchangeToken } from './providers/exchange.js'
export type { ExchangeTokenOptions } from './providers/exchange-request.js'
export {
  type IdentityProviderClass,
  type IdentityProviderFacts,
  type IdentityProviderOptions,
  type IdentityProviderSpec,
  type RegisteredApp,
  defineIdentityProvider,
} from './providers/idp/idp.js'
export { InMemoryOAuthProvider, type InMemoryOAuthProviderOptions } from './providers/in-memory.js'
export { OAuthProvider, type OAuthProviderOptions } from './providers/oauth.js'
export { OAuthProxy, type OAuthProxyOptions } from './providers/oauth-proxy.js'
export { OIDCProxy, type OIDCProxyOptions } from './providers/oidc-proxy.js'
export type { OwnOption } from './providers/own-options.js'
export type {
  ScopeNames,
  UpstreamAuthMethod,
  UpstreamDiscovery,
  UpstreamEndpoints,
  UpstreamIdentification,
} from './providers/proxy/description.js'
export type { ProxyFacts, ProxyOptions } from './providers/proxy/proxy-options.js'
export type { ServerProvider } from './providers/server-provider.js'
export { MultiAuth, type MultiAuthOptions } from './providers/multi.js'
export type { AuthProvider, ProviderLike, SdkTokenVerifier } from './providers/provider.js'
export type { ForwardMetadataOptions } from './providers/mirror.js'
export { RemoteAuthProvider, type RemoteAuthProviderOptions } from './providers/remote.js'
export {
  type GateTokenVerifier,
  type SdkErrorClass,
  type SdkErrorClasses,
  type SdkTokenVerifierOptions,
  sdkTokenVerifier,
} from './providers/sdk-verifier.js'
export { AccessToken, type AccessTokenContext } from './runtime/access-token.js'
export { type ConsoleEventsOptions, consoleEvents } from './runtime/console-events.js'
export type { Deps } from './runtime/deps.js'
export { type AuthEvent, EVENT_CHANNEL, type EventListener, type HintCode } from './runtime/events.js'
export type { Route, RouteBody, RouteContext } from './runtime/route.js'
export type { Store, StoreEntry } from './stores/store.js'
export type { AppTokenVerifierClass, AppTokenVerifierOptions } from './verifiers/app-tokens.js'
export type { CacheBounds } from './verifiers/cached.js'
export { DebugTokenVerifier, type DebugTokenVerifierOptions } from './verifiers/debug.js'
export {
  IntrospectionTokenVerifier,
  type IntrospectionTokenVerifierOptions,
} from './verifiers/introspection.js'
export { JWTVerifier, type JWTVerifierOptions } from './verifiers/jwt.js'
export { RemoteTokenVerifier, type RemoteTokenVerifierOptions } from './verifiers/remote.js'
export { type StaticToken, StaticTokenVerifier, type StaticTokenVerifierOptions } from './verifiers/static.js'
export {
  type Members,
  type TokenAnswer,
  type TokenFacts,
  type TokenInfo,
  type TokenInfoCaching,
  TokenInfoVerifier,
} from './verifiers/token-info.js'
export type { TokenInfoApp, TokenQuestion } from './verifiers/token-question.js'
export type { Claim, Verification, Verifier, VerifyContext } from './verifiers/verifier.js'

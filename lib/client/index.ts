// express-mcp-auth/client: for programs that connect to protected MCP servers.
export { type AuthFetch, type AuthFetchOptions, type TokenSource, authFetch } from './auth-fetch.js'
export { BearerAuth } from './bearer-auth.js'
export type { PrivateKey } from './client-assertion.js'
export { ClientCredentials, type ClientCredentialsOptions } from './client-credentials.js'
export { ClientError, type ClientErrorCode } from './client-error.js'
export { type ConnectingClient, type FinishingTransport, OAuth } from './oauth.js'
export type { OAuthOptions } from './oauth-options.js'
export { type TokenFromEnvironmentOptions, tokenFromEnvironment } from './token-from-environment.js'

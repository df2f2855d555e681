// express-mcp-auth/client: for programs that connect to protected MCP servers.
export { ClientError, type ClientErrorCode } from './client-error.js'
export { type ConnectingClient, type FinishingTransport, OAuth } from './oauth.js'
export type { OAuthOptions } from './oauth-options.js'

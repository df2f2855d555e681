// The provider from the environment: MCP_AUTH_PROVIDER=jwt, MCP_AUTH_JWKS_URI, MCP_AUTH_ISSUER, MCP_AUTH_AUDIENCE …
import { getAccessToken, providerFromEnv } from 'express-mcp-auth'
import { createApp, result } from './server.js'

export const app = createApp('From the Environment', providerFromEnv(), (mcp) => {
  mcp.registerTool('whoami', {}, () => result(getAccessToken()?.subject))
})

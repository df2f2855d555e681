// Compiled by check-package.mjs against the packed package in an empty project, with the strictest settings and the type
// declarations of everything installed checked as well. It must use every exported name; nothing here is ever run.
import { createServer } from 'node:http'
import type { AuthInfo as AuthInfoV1 } from '@modelcontextprotocol/sdk/server/auth/types.js'
import type { AuthInfo as AuthInfoV2 } from '@modelcontextprotocol/server'
import express from 'express'
import {
  type AuthEvent,
  ConfigError,
  JWTVerifier,
  MultiAuth,
  OAuthError,
  RemoteAuthProvider,
  StaticTokenVerifier,
  consoleEvents,
  getAccessToken,
  mcpAuth,
  providerFromEnv,
  requireScopes,
  requireToolScopes,
} from 'express-mcp-auth'
import { RSAKeyPair, testClock } from 'express-mcp-auth/testing'

export {
  AccessToken,
  type AccessTokenContext,
  type AccessTokenFields,
  type AnyOf,
  type AuthEvent,
  type AuthHandler,
  type AuthProvider,
  type AuthRequest,
  type AuthResponse,
  type CacheBounds,
  type Claim,
  ConfigError,
  type ConfigErrorCode,
  type ConsoleEventsOptions,
  DebugTokenVerifier,
  type DebugTokenVerifierOptions,
  type Deps,
  EVENT_CHANNEL,
  type EventListener,
  type HintCode,
  IntrospectionTokenVerifier,
  type IntrospectionTokenVerifierOptions,
  JWTVerifier,
  type JWTVerifierOptions,
  type McpAuthOptions,
  MultiAuth,
  type MultiAuthOptions,
  OAuthError,
  type OAuthErrorCode,
  type OAuthErrorOptions,
  type ProviderLike,
  type RateLimitOptions,
  type Reason,
  RemoteAuthProvider,
  type RemoteAuthProviderOptions,
  RemoteTokenVerifier,
  type RemoteTokenVerifierOptions,
  type ResourceDescription,
  type Route,
  type ScopeImplies,
  type SdkTokenVerifier,
  type SessionBindingOptions,
  type StaticToken,
  StaticTokenVerifier,
  type StaticTokenVerifierOptions,
  type TokenForm,
  type ToolScopes,
  type Verification,
  type Verifier,
  type VerifiedToken,
  type VerifyContext,
  bindSessions,
  consoleEvents,
  getAccessToken,
  mcpAuth,
  providerFromEnv,
  requireScopes,
  requireToolScopes,
} from 'express-mcp-auth'
export { RSAKeyPair, type TestClock, type TestTokenOptions, testClock } from 'express-mcp-auth/testing'

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

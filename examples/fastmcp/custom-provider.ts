// API keys in a header of their own beside JWTs, and what a tool can know of the request.
import { hash } from 'node:crypto'
import { type AuthProvider, JWTVerifier, OAuthError, getAccessToken } from 'express-mcp-auth'
import { createApp, result } from './server.js'

const jwt = new JWTVerifier({
  secret: 'jwt-secret that is no secret any more',
  algorithms: ['HS256'],
  issuer: 'your-auth-service',
  audience: 'fastmcp-server',
})

const serviceAccount = {
  clientId: 'service_account',
  subject: 'service_account',
  scopes: ['read', 'write'],
  claims: { name: 'Service Account' },
}
const apiKeys = new Map([[hash('sha256', 'key-123'), serviceAccount]])

const auth: AuthProvider = {
  authenticate({ headers }) {
    const key = headers['x-api-key']
    if (typeof key !== 'string') return null
    const account = apiKeys.get(hash('sha256', key))
    if (account === undefined) throw new OAuthError('invalid_token', 'This API key is not known')
    return { ...account, token: key, tokenType: 'api_key' }
  },
  verifyToken: (token, context) => jwt.verifyToken(token, context),
}

export const app = createApp('Multi-Auth Server', auth, (mcp) => {
  mcp.registerTool('auth_demo', {}, (ctx) => {
    const token = getAccessToken()
    const headers = ctx.http?.req?.headers
    return result({
      authentication: {
        user_id: token?.subject,
        token_type: token?.tokenType,
        scopes: token?.scopes,
        is_expired: token?.isExpired(),
        metadata: token?.claims,
      },
      request_info: {
        user_agent: headers?.get('user-agent') ?? 'unknown',
        ip_address: headers?.get('x-forwarded-for') ?? 'unknown',
        timestamp: new Date().toISOString(),
      },
    })
  })
})

// A scope for each tool, and who calls.
import { JWTVerifier, getAccessToken } from 'express-mcp-auth'
import { z } from 'zod'
import { createApp, result } from './server.js'

const auth = new JWTVerifier({
  secret: 'jwt-secret that is no secret any more',
  algorithms: ['HS256'],
  issuer: 'your-auth-service',
  audience: 'fastmcp-server',
})

const users = [
  { id: 1, name: 'Alice' },
  { id: 2, name: 'Bob' },
]

export const app = createApp(
  'Scope Protected Server',
  auth,
  (mcp) => {
    mcp.registerTool('read_users', {}, () => result(users))
    mcp.registerTool(
      'create_user',
      { inputSchema: z.object({ name: z.string(), email: z.email() }) },
      ({ name, email }) => result({ id: 123, name, email, created: '2024-01-01T00:00:00Z' }),
    )
    mcp.registerTool('delete_user', { inputSchema: z.object({ user_id: z.int() }) }, (input) =>
      result(`User ${input.user_id} deleted`),
    )
    mcp.registerTool('get_user_info', {}, () => {
      const token = getAccessToken() // there is one: behind the guard nobody is anonymous
      return result({
        user_id: token?.subject,
        token_type: token?.tokenType,
        scopes: token?.scopes,
        expires_at: token?.expiresAt && new Date(token.expiresAt * 1000).toISOString(),
      })
    })
  },
  { toolScopes: { tools: { read_users: ['read'], create_user: ['write'], delete_user: ['admin'] } } },
)

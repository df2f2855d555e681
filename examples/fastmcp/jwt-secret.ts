// JWTs that are signed with a shared secret.
import { JWTVerifier } from 'express-mcp-auth'
import { z } from 'zod'
import { createApp, result } from './server.js'

const { JWT_SECRET = 'your-jwt-secret-key, of 32 bytes or more' } = process.env

const auth = new JWTVerifier({
  secret: JWT_SECRET,
  algorithms: ['HS256'],
  audience: 'fastmcp-server',
  issuer: 'your-auth-service',
})

export const app = createApp('Secure Server', auth, (mcp) => {
  mcp.registerTool('protected_operation', { inputSchema: z.object({ data: z.string() }) }, ({ data }) =>
    result(`Processed: ${data}`),
  )
})

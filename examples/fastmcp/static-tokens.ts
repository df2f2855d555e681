// Tokens that are written down, each with what it stands for.
import { StaticTokenVerifier } from 'express-mcp-auth'
import { z } from 'zod'
import { createApp, result } from './server.js'

const auth = new StaticTokenVerifier({
  tokens: {
    'admin-token-123': {
      clientId: 'console',
      subject: 'admin',
      scopes: ['read', 'write', 'admin'],
      claims: { role: 'administrator' },
    },
    'user-token-456': {
      clientId: 'app',
      subject: 'user1',
      scopes: ['read', 'write'],
      claims: { role: 'user' },
    },
    'readonly-token-789': {
      clientId: 'app',
      subject: 'readonly',
      scopes: ['read'],
      claims: { role: 'readonly' },
    },
  },
  requiredScopes: ['read'], // of every request
})

export const app = createApp(
  'Token Protected Server',
  auth,
  (mcp) => {
    mcp.registerTool('read_data', {}, () => result({ data: 'public information' }))
    mcp.registerTool('write_data', { inputSchema: z.object({ content: z.string() }) }, ({ content }) =>
      result(`Wrote: ${content}`),
    )
  },
  { toolScopes: { tools: { write_data: ['write'] } } }, // of a tool
)

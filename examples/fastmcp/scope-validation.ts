// Scopes that only the tool itself can know.
import { StaticTokenVerifier, getAccessToken } from 'express-mcp-auth'
import { z } from 'zod'
import { createApp, result } from './server.js'

function validateScopes(...required: string[]): void {
  const token = getAccessToken()
  if (token === undefined) throw new Error('Authentication required')
  const missing = required.filter((scope) => !token.hasScope(scope))
  if (missing.length > 0) throw new Error(`Missing scopes: ${missing.join(', ')}`)
}

const auth = new StaticTokenVerifier({
  tokens: { 'user-token-456': { clientId: 'app', scopes: ['read', 'rooms:blue'] } },
})

export const app = createApp('Rooms', auth, (mcp) => {
  mcp.registerTool('open_room', { inputSchema: z.object({ room: z.string() }) }, ({ room }) => {
    validateScopes('read', `rooms:${room}`)
    return result(`The ${room} room is open`)
  })
})

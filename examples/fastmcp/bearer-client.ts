// A token that is known.
import { BearerAuth } from 'express-mcp-auth/client'
import { callTool } from './client.js'

export function bearerAuthClient(url: string): Promise<string> {
  return callTool(url, new BearerAuth('user-token-456'), 'read_data')
}

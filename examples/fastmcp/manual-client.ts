// A token that comes from a system of yours.
import { BearerAuth } from 'express-mcp-auth/client'
import { callTool } from './client.js'

export async function manualTokenClient(url: string, getToken: () => Promise<string>): Promise<string> {
  const token = await getToken()
  return callTool(url, new BearerAuth(token), 'read_data')
}

// A token from the environment, else from a file of this user.
import { homedir } from 'node:os'
import { join } from 'node:path'
import { BearerAuth, tokenFromEnvironment } from 'express-mcp-auth/client'
import { callTool } from './client.js'

const { TOKEN_FILE = join(homedir(), '.config', 'mcp', 'token') } = process.env

export function secureTokenClient(url: string): Promise<string> {
  const token = tokenFromEnvironment({ variable: 'MCP_AUTH_TOKEN', file: TOKEN_FILE })
  return callTool(url, new BearerAuth(token), 'read_data')
}

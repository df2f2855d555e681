// A service gets its token at a token URL, keeps it, and gets another before it ends.
import { ClientCredentials } from 'express-mcp-auth/client'
import { callTool } from './client.js'

const { TOKEN_URL = 'https://auth.example.com/token' } = process.env

const oauth = new ClientCredentials({
  clientId: 'client-id',
  clientSecret: 'client-secret',
  tokenUrl: TOKEN_URL, // or serverUrl, and it is found
  scopes: ['mcp:access'],
  audience: 'https://api.example.com/mcp', // for those that go by it
})

export function oauthClient(url: string): Promise<string> {
  return callTool(url, oauth, 'oauth_protected_tool', { query: 'hello' })
}

/** For requests without an MCP client. */
export function accessToken(): Promise<string> {
  return oauth.getToken()
}

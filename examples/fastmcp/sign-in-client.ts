// A person signs in, in a browser; the next time nobody is asked.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { OAuth, type OAuthOptions } from 'express-mcp-auth/client'

/** @param options e.g. `openBrowser`, where there is no screen */
export async function signInClient(serverUrl: string, options: Partial<OAuthOptions> = {}): Promise<string> {
  const oauth = new OAuth({ serverUrl, clientName: 'Notes on my machine', ...options })
  const client = new Client({ name: 'client', version: '1.0.0' })
  try {
    await oauth.connect(
      client,
      () => new StreamableHTTPClientTransport(new URL(serverUrl), { authProvider: oauth }),
    )
    const { content } = await client.callTool({ name: 'whoami' })
    return content.map((block) => (block.type === 'text' ? block.text : '')).join('')
  } finally {
    await client.close()
  }
}

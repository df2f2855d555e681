// Client(url, auth=…) and call_tool(): the SDK's own client, with authentication of this package.
import { type AuthProvider, Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'

export async function callTool(
  url: string,
  authProvider: AuthProvider,
  name: string,
  args: Record<string, unknown> = {},
): Promise<string> {
  const client = new Client({ name: 'client', version: '1.0.0' })
  try {
    await client.connect(new StreamableHTTPClientTransport(new URL(url), { authProvider }))
    const { content } = await client.callTool({ name, arguments: args })
    return content.map((block) => (block.type === 'text' ? block.text : '')).join('')
  } finally {
    await client.close()
  }
}

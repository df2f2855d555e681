// A person signs in by their browser, once; SDK v2. `npx tsx examples/client-oauth-v2.ts https://api.example.com/mcp`
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { OAuth } from 'express-mcp-auth/client'

const auth = new OAuth({
  serverUrl: process.env['MCP_URL'] ?? String(process.argv[2]),
  clientName: 'Example',
  // A screen is not always there: whoever starts this can open the address elsewhere. Leave it out to have the browser opened.
  openBrowser: (url) => console.log(`Open ${url.href}`),
})

const client = new Client({ name: 'example', version: '1.0.0' }, { versionNegotiation: { mode: 'auto' } })
const transport = await auth.connect(
  client,
  () => new StreamableHTTPClientTransport(new URL(auth.serverUrl), { authProvider: auth }),
)

// A tool that needs more scopes sends the person to the browser again, and is called again afterwards.
const { tools } = await auth.authorize(transport, () => client.listTools())
console.log(tools.map(({ name }) => name).join(', '))
await client.close()

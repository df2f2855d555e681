// The same with SDK v1, step by step: what `auth.connect()` does is written out. `npx tsx examples/client-oauth-v1.ts https://api.example.com/mcp`
import { UnauthorizedError } from '@modelcontextprotocol/sdk/client/auth.js'
import { Client } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { OAuth } from 'express-mcp-auth/client'

const auth = new OAuth({
  serverUrl: process.env['MCP_URL'] ?? String(process.argv[2]),
  clientName: 'Example',
  openBrowser: (url) => console.log(`Open ${url.href}`),
})
const createTransport = (): StreamableHTTPClientTransport =>
  new StreamableHTTPClientTransport(new URL(auth.serverUrl), { authProvider: auth })

const client = new Client({ name: 'example', version: '1.0.0' })
const first = createTransport()
try {
  await client.connect(first)
} catch (error) {
  if (!(error instanceof UnauthorizedError)) throw error
  // State and issuer were checked; SDK v1 wants the code alone.
  const answer = await auth.waitForCallback()
  const code = answer.get('code')
  if (code === null) throw new Error(`Not signed in: ${answer.get('error')}`, { cause: error })
  await first.finishAuth(code)
  await client.connect(createTransport())
}

const { tools } = await client.listTools()
console.log(tools.map(({ name }) => name).join(', '))
await client.close()

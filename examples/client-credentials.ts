// A program that acts for nobody but itself, with SDK v2. For SDK v1 pass `{ fetch: authFetch(auth) }` to the transport.
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { ClientCredentials } from 'express-mcp-auth/client'

const serverUrl = process.env['MCP_URL'] ?? 'https://api.example.com/mcp'

const auth = new ClientCredentials({
  serverUrl,
  clientId: process.env['CLIENT_ID'] ?? 'reports',
  // Or `privateKey`, as PEM or JWK: then nobody else ever holds the secret.
  clientSecret: process.env['CLIENT_SECRET'] ?? 'dev-secret',
  // The one authorization server that may learn it.
  ...(process.env['ISSUER'] !== undefined && { issuer: process.env['ISSUER'] }),
})

const client = new Client({ name: 'reports', version: '1.0.0' })
await client.connect(new StreamableHTTPClientTransport(new URL(serverUrl), { authProvider: auth }))
const { tools } = await client.listTools()
console.log(tools.map(({ name }) => name).join(', '))
await client.close()

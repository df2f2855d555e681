// An identity provider that this package does not know: what there is to know of it, as data. docs/adding-an-idp.md goes through it.
import { toNodeHandler } from '@modelcontextprotocol/node'
import { McpServer, createMcpHandler } from '@modelcontextprotocol/server'
import express from 'express'
import { defineIdentityProvider, getAccessToken, mcpAuth } from 'express-mcp-auth'
import { SqliteStore } from 'express-mcp-auth/stores/sqlite'

const ExampleProvider = defineIdentityProvider<{ readonly exampleUrl: string }>({
  className: 'ExampleProvider',
  title: 'Example',
  secret: 'required',
  options: { exampleUrl: { kind: 'base', required: 'write the URL of your instance' } },
  facts: ({ exampleUrl: url }) => ({
    endpoints: {
      authorizationEndpoint: `${url}/authorize`,
      tokenEndpoint: `${url}/token`,
      revocationEndpoint: `${url}/revoke`,
    },
    requiredScopes: ['openid', 'profile'],
    forwardsResource: false,
    identification: {
      by: 'token_info',
      tokens: {
        issuer: url,
        ask: { url: `${url}/userinfo` },
        read: ({ json }) => ({ subject: json['sub'], claims: json }),
        claims: ['name', 'email'],
      },
    },
  }),
})

const { PORT = '3000', BASE_URL: baseUrl = `http://127.0.0.1:${PORT}` } = process.env
const { EXAMPLE_URL: exampleUrl, CLIENT_ID: clientId, CLIENT_SECRET: clientSecret } = process.env
const { SECRET: secret, STORE = '.mcp-auth/example.sqlite' } = process.env
if (!exampleUrl || !clientId || !clientSecret || !secret) {
  throw new Error('Set EXAMPLE_URL, CLIENT_ID, CLIENT_SECRET and SECRET')
}
const store = new SqliteStore({ path: STORE })
const provider = new ExampleProvider({ exampleUrl, clientId, clientSecret, baseUrl, secret, store })

const handler = createMcpHandler(() => {
  const mcp = new McpServer({ name: 'identity-provider', version: '1.0.0' })
  const who = (): string => getAccessToken()?.subject ?? 'nobody'
  mcp.registerTool('whoami', {}, () => ({ content: [{ type: 'text', text: who() }] }))
  return mcp
})
const app = express()
app.use(mcpAuth(provider))
app.all('/mcp', toNodeHandler(handler))

export const server = app.listen(Number(PORT), '127.0.0.1')
server.on('listening', () => console.log(`${baseUrl}/mcp takes whoever signs in at ${exampleUrl}`))
server.on('close', () => void store.close())

// An MCP server with one tool behind OAuthProvider, in memory, with one user: what an app of our users looks like.
import { createServer } from 'node:http'
import { toNodeHandler } from '@modelcontextprotocol/node'
import { McpServer, createMcpHandler } from '@modelcontextprotocol/server'
import express from 'express'
import { OAuthProvider, mcpAuth } from '../dist/index.js'
import { MemoryStore } from '../dist/stores/memory.js'
import { ANSWERS, Browser } from './browse.mjs'
import { close, listen } from './suite.mjs'

/**
 * Starts one at `path`, e.g. `/tenant1`, and tells its events; the other options are OAuthProvider's. With `hidesPublicClients` its
 * metadata does not say that clients may come without a secret, which stays true.
 */
export async function startOurServer({
  path = '',
  onEvent = () => {},
  hidesPublicClients = false,
  ...options
} = {}) {
  const server = createServer()
  const port = await listen(server)
  const baseUrl = `http://127.0.0.1:${port}${path}`
  const provider = new OAuthProvider({
    baseUrl,
    secret: 'a secret of at least thirty-two bytes, for loopback only',
    store: new MemoryStore(),
    signIn: {
      verifyCredentials: async (username, password) =>
        username === ANSWERS.username && password === ANSWERS.password
          ? { subject: username, name: 'Alice' }
          : null,
    },
    scopesSupported: ['mcp:use'],
    requiredScopes: ['mcp:use'],
    ...options,
  })
  const app = express()
  if (hidesPublicClients) app.use(withoutPublicClients(new URL(baseUrl).origin))
  app.use(mcpAuth(provider, { rateLimit: false, onEvent }))
  app.all(`${path}/mcp`, mcpEndpoint())
  server.on('request', app)
  return {
    issuer: baseUrl,
    resource: `${baseUrl}/mcp`,
    /** The user takes back what a client may do. */
    async disconnect(clientId) {
      const { url, text } = await new Browser({ ...ANSWERS, client: clientId }).visit(
        `${baseUrl}/connections`,
      )
      if (url.searchParams.get('revoked') !== clientId)
        throw new Error(`${clientId} is not among the connections:\n${text}`)
    },
    close: () => close(server),
  }
}

/** Serves the metadata of the server behind it with one word less. */
function withoutPublicClients(origin) {
  return (request, response, next) => {
    const isMetadata = request.path.startsWith('/.well-known/oauth-authorization-server')
    if (!isMetadata || 'whole' in request.query) return next()
    void fetch(`${origin}${request.path}?whole`)
      .then((answer) => answer.json())
      .then(({ token_endpoint_auth_methods_supported: methods, ...rest }) => {
        const shown = methods.filter((method) => method !== 'none')
        response.json({ ...rest, token_endpoint_auth_methods_supported: shown })
      })
      .catch(next)
  }
}

/** An MCP endpoint for clients of both generations, with a tool that says who is calling. */
export function mcpEndpoint() {
  return toNodeHandler(
    createMcpHandler(({ authInfo }) => {
      const server = new McpServer({ name: 'whoami', version: '1.0.0' })
      server.registerTool('whoami', { description: 'Says who you are' }, () => ({
        content: [{ type: 'text', text: `${authInfo?.extra?.sub} by ${authInfo?.clientId}` }],
      }))
      return server
    }),
  )
}

// The old HTTP+SSE transport: a stream to listen to, and another address to post to. Its session is in the query, where the guard
// does not look, so the app itself makes sure that only who opened a stream posts to it.
/* oxlint-disable typescript/no-deprecated -- for clients that know no other transport */
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js'
import express, { type Request } from 'express'
import { StaticTokenVerifier, getAccessToken, mcpAuth } from 'express-mcp-auth'

const { PORT = '3000' } = process.env

// For development. In production, a RemoteAuthProvider or a verifier for the tokens of your identity provider.
const provider = new StaticTokenVerifier({
  tokens: {
    'dev-token-alice': { clientId: 'dev', subject: 'alice' },
    'dev-token-bob': { clientId: 'dev', subject: 'bob' },
  },
})

function createMcpServer(): McpServer {
  const mcp = new McpServer({ name: 'sse', version: '1.0.0' })
  mcp.registerTool('whoami', { description: 'Tells who calls' }, (extra) => ({
    content: [{ type: 'text', text: extra.authInfo?.clientId ?? 'nobody' }],
  }))
  return mcp
}

/** Streams by session and caller together, so that a session of somebody else is not found. */
const streams = new Map<string, SSEServerTransport>()

function keyOf(req: Request, session: unknown): string {
  const { clientId, issuer, subject } = getAccessToken(req) ?? {}
  return JSON.stringify([session, clientId, issuer, subject])
}

const app = express()
app.use(mcpAuth(provider))
app.get('/sse', async (req, res) => {
  const stream = new SSEServerTransport('/messages', res)
  const key = keyOf(req, stream.sessionId)
  streams.set(key, stream)
  res.on('close', () => streams.delete(key))
  await createMcpServer().connect(stream)
})
app.post('/messages', async (req, res) => {
  const stream = streams.get(keyOf(req, req.query['sessionId']))
  if (stream === undefined) res.status(404).json({ error: 'Session not found' })
  else await stream.handlePostMessage(req, res)
})

export const server = app.listen(Number(PORT), '127.0.0.1')
server.on('listening', () => {
  console.log(`http://127.0.0.1:${PORT}/sse takes "Authorization: Bearer dev-token-alice", or …-bob`)
})

// SDK v1 with sessions. Each remembers things of its own, so nobody but who opened it may use it: the guard sees to that.
import { randomUUID } from 'node:crypto'
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import express from 'express'
import { StaticTokenVerifier, mcpAuth } from 'express-mcp-auth'
import { z } from 'zod'

const { PORT = '3000' } = process.env

// For development. In production, a RemoteAuthProvider or a verifier for the tokens of your identity provider.
const provider = new StaticTokenVerifier({
  tokens: {
    'dev-token-alice': { clientId: 'dev', subject: 'alice' },
    'dev-token-bob': { clientId: 'dev', subject: 'bob' },
  },
})

function createMcpServer(): McpServer {
  const mcp = new McpServer({ name: 'sessions', version: '1.0.0' })
  const remembered: string[] = []
  mcp.registerTool(
    'remember',
    { description: 'Remembers a word', inputSchema: { word: z.string() } },
    ({ word }, extra) => {
      remembered.push(word)
      const client = extra.authInfo?.clientId ?? 'nobody'
      return { content: [{ type: 'text', text: `${client}: ${remembered.join(', ')}` }] }
    },
  )
  return mcp
}

/** Well-behaved clients end their sessions; in production, close those that are left idle too. */
const sessions = new Map<string, StreamableHTTPServerTransport>()

async function openSession(): Promise<StreamableHTTPServerTransport> {
  const transport = new StreamableHTTPServerTransport({
    sessionIdGenerator: randomUUID,
    onsessioninitialized: (id) => void sessions.set(id, transport),
    onsessionclosed: (id) => void sessions.delete(id),
  })
  await createMcpServer().connect(transport)
  return transport
}

const app = express()
app.use(mcpAuth(provider))
app.all('/mcp', async (req, res) => {
  const id = req.get('mcp-session-id')
  const transport = id === undefined ? await openSession() : sessions.get(id)
  if (transport === undefined) res.status(404).json({ error: 'Session not found' })
  else await transport.handleRequest(req, res)
})

export const server = app.listen(Number(PORT), '127.0.0.1')
server.on('listening', () => {
  console.log(`http://127.0.0.1:${PORT}/mcp takes "Authorization: Bearer dev-token-alice", or …-bob`)
})

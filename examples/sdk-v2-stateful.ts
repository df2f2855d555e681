// SDK v2 with sessions: the server tells its client of changes over the open stream. The guard binds each session to who opened it.
import { randomUUID } from 'node:crypto'
import { NodeStreamableHTTPServerTransport } from '@modelcontextprotocol/node'
import { McpServer } from '@modelcontextprotocol/server'
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
  const mcp = new McpServer({ name: 'sessions', version: '1.0.0' }, { capabilities: { resources: {} } })
  mcp.registerTool(
    'add_note',
    { description: 'Adds a note', inputSchema: z.object({ name: z.string(), text: z.string() }) },
    ({ name, text }, ctx) => {
      // The client hears of the new resource over its stream.
      mcp.registerResource(name, `note:${name}`, {}, ({ href }) => ({ contents: [{ uri: href, text }] }))
      return { content: [{ type: 'text', text: `Added for ${ctx.http?.authInfo?.clientId}` }] }
    },
  )
  return mcp
}

/** Well-behaved clients end their sessions; in production, close those that are left idle too. */
const sessions = new Map<string, NodeStreamableHTTPServerTransport>()

async function openSession(): Promise<NodeStreamableHTTPServerTransport> {
  const transport = new NodeStreamableHTTPServerTransport({
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

// SDK v2 without sessions: one handler for clients of 2025 and of 2026-07-28. A call that the token's scopes do not cover gets
// HTTP 403 before the tool runs, and names the scopes, so that the client can ask its user for them.
import { toNodeHandler } from '@modelcontextprotocol/node'
import { McpServer, createMcpHandler } from '@modelcontextprotocol/server'
import express from 'express'
import { StaticTokenVerifier, mcpAuth } from 'express-mcp-auth'
import { z } from 'zod'

const { PORT = '3000' } = process.env

// For development. In production, a RemoteAuthProvider or a verifier for the tokens of your identity provider.
const provider = new StaticTokenVerifier({
  requiredScopes: ['notes:read'],
  tokens: {
    'dev-token-reader': { clientId: 'reader', scopes: ['notes:read'] },
    'dev-token-writer': { clientId: 'writer', scopes: ['notes:read', 'notes:write'] },
  },
})

const notes = ['Buy milk']

const handler = createMcpHandler(() => {
  const mcp = new McpServer({ name: 'notes', version: '1.0.0' })
  mcp.registerTool('list_notes', { description: 'Lists all notes' }, () => ({
    content: [{ type: 'text', text: notes.join('\n') }],
  }))
  mcp.registerTool(
    'add_note',
    { description: 'Adds a note', inputSchema: z.object({ text: z.string() }) },
    ({ text }, ctx) => {
      notes.push(text)
      return { content: [{ type: 'text', text: `Added for ${ctx.http?.authInfo?.clientId}` }] }
    },
  )
  return mcp
})

const app = express()
app.use(mcpAuth(provider, { toolScopes: { tools: { add_note: ['notes:write'] } } }))
app.all('/mcp', toNodeHandler(handler))

export const server = app.listen(Number(PORT), '127.0.0.1')
server.on('listening', () => {
  console.log(`http://127.0.0.1:${PORT}/mcp takes "Authorization: Bearer dev-token-reader", or …-writer`)
})

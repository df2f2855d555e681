// An MCP server that keeps notes, each user's their own.
import { McpServer, createMcpHandler } from '@modelcontextprotocol/server'
import { type AccessToken, getAccessToken } from 'express-mcp-auth'
import { z } from 'zod'

/** What clients may be allowed, in words for whoever is asked. */
export const scopes = {
  'notes:use': 'Read your notes and add new ones',
  'notes:delete': 'Delete your notes',
}

/** Scopes that tools need beyond those of every request. */
export const toolScopes = { tools: { delete_note: ['notes:delete'] } }

/** Notes by user and number. */
const notebooks = new Map<string, Map<number, string>>()

/** Serves clients of both generations of the protocol. */
export const notes = createMcpHandler(() => {
  const server = new McpServer({ name: 'notes', version: '1.0.0' })

  server.registerTool('whoami', { description: 'Tells who you are to this server' }, () => {
    const { subject, clientId, scopes } = caller()
    return says(`You are ${subject}, by the client ${clientId}, with the scopes ${scopes.join(' ')}.`)
  })

  server.registerTool(
    'add_note',
    { description: 'Adds a note', inputSchema: z.object({ text: z.string() }) },
    ({ text }) => {
      const notebook = notebookOfCaller()
      const number = Math.max(0, ...notebook.keys()) + 1
      notebook.set(number, text)
      return says(`Added note ${number}.`)
    },
  )

  server.registerTool('list_notes', { description: 'Lists your notes' }, () => {
    const lines = [...notebookOfCaller()].map(([number, text]) => `${number}. ${text}`)
    return says(lines.join('\n') || 'There are no notes.')
  })

  server.registerTool(
    'delete_note',
    {
      description: 'Deletes a note. Needs the scope notes:delete',
      inputSchema: z.object({ number: z.int() }),
    },
    ({ number }) =>
      says(notebookOfCaller().delete(number) ? `Deleted note ${number}.` : `There is no note ${number}.`),
  )

  return server
})

/** Who calls the tool that runs. Behind the guard there always is somebody. */
function caller(): AccessToken {
  const token = getAccessToken()
  if (token === undefined) throw new Error('This tool was called without the guard')
  return token
}

function notebookOfCaller(): Map<number, string> {
  const { issuer, subject, clientId } = caller()
  const owner = JSON.stringify([issuer, subject ?? clientId])
  const notebook = notebooks.get(owner) ?? new Map<number, string>()
  notebooks.set(owner, notebook)
  return notebook
}

function says(text: string): { content: { type: 'text'; text: string }[] } {
  return { content: [{ type: 'text', text }] }
}

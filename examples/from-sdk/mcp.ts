// The MCP endpoint of the SDK as it was: nothing in it changes.
import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import type { Request, Response } from 'express'

export async function handleMcp(req: Request, res: Response): Promise<void> {
  const mcp = new McpServer({ name: 'notes', version: '1.0.0' })
  mcp.registerTool('whoami', {}, ({ authInfo }) => ({
    content: [{ type: 'text', text: `${authInfo?.clientId}: ${authInfo?.scopes.join(' ')}` }],
  }))
  const transport = new StreamableHTTPServerTransport()
  res.on('close', () => void mcp.close())
  await mcp.connect(transport)
  await transport.handleRequest(req, res, req.body)
}

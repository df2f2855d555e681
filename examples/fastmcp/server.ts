// FastMCP(name, auth=…) and mcp.run(transport="http"): an MCP server behind a provider, on Express.
import { toNodeHandler } from '@modelcontextprotocol/node'
import { type CallToolResult, McpServer, createMcpHandler } from '@modelcontextprotocol/server'
import express, { type Express } from 'express'
import { type McpAuthOptions, type ProviderLike, mcpAuth } from 'express-mcp-auth'

export function createApp(
  name: string,
  auth: ProviderLike,
  registerTools: (mcp: McpServer) => void,
  options: McpAuthOptions = {},
): Express {
  const handler = createMcpHandler(() => {
    const mcp = new McpServer({ name, version: '1.0.0' })
    registerTools(mcp)
    return mcp
  })
  const app = express()
  app.use(mcpAuth(auth, options))
  app.all('/mcp', toNodeHandler(handler))
  return app // app.listen(8080)
}

/** What a tool returns. */
export function result(value: unknown): CallToolResult {
  return { content: [{ type: 'text', text: typeof value === 'string' ? value : JSON.stringify(value) }] }
}

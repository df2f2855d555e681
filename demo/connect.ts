// What npm start prints: how each client is connected.

/** Instructions to copy, for the server at a base URL. */
export function howToConnect(baseUrl: string): string {
  const endpoint = `${baseUrl}/mcp`
  return `An MCP server is running, and people sign in to it right here.

  Endpoint      ${endpoint}
  Sign in as    alice, with the password wonderland (or bob, with builder)
  Tools         whoami, add_note, list_notes, and delete_note, which asks for one permission more
  Connections   ${baseUrl}/connections lists what is connected, and disconnects it

Claude Code, then /mcp in a session:

  claude mcp add --transport http notes ${endpoint}

Cursor, in .cursor/mcp.json:

  { "mcpServers": { "notes": { "url": "${endpoint}" } } }

VS Code:

  code --add-mcp '{"name":"notes","type":"http","url":"${endpoint}"}'

MCP Inspector:

  npx @modelcontextprotocol/inspector --transport http --server-url ${endpoint}

Each opens a browser, where you sign in and decide what it may do. Without that, it is refused:

  curl -i -X POST ${endpoint}

Nobody is signed out when you end this and start it again.
`
}

// Without an SDK: a token from the environment or a file, on requests to its own server alone.
import { homedir } from 'node:os'
import { join } from 'node:path'
import { BearerAuth, authFetch, tokenFromEnvironment } from 'express-mcp-auth/client'

const serverUrl = process.env['MCP_URL'] ?? 'https://api.example.com/mcp'
const token = tokenFromEnvironment({ file: join(homedir(), '.config', 'mcp', 'token') })
const ask = authFetch(new BearerAuth(token), fetch, { serverUrl })

const response = await ask(serverUrl, {
  method: 'POST',
  headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
  body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
})
console.log(response.status)

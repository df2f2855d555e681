// People sign in at GitHub, and tools act there in their name. Register an OAuth app at https://github.com/settings/developers with the
// authorization callback URL http://127.0.0.1:3000/auth/callback: docs/providers.md.
import { toNodeHandler } from '@modelcontextprotocol/node'
import { McpServer, createMcpHandler } from '@modelcontextprotocol/server'
import express from 'express'
import { getAccessToken, mcpAuth } from 'express-mcp-auth'
import { GitHubProvider } from 'express-mcp-auth/providers/github'
import { SqliteStore } from 'express-mcp-auth/stores/sqlite'

const {
  PORT = '3000',
  BASE_URL = `http://127.0.0.1:${PORT}`,
  STORE = '.mcp-auth/github.sqlite',
} = process.env
const { GITHUB_CLIENT_ID: clientId, GITHUB_CLIENT_SECRET: clientSecret, SECRET } = process.env
if (!clientId || !clientSecret || !SECRET) {
  throw new Error('Set GITHUB_CLIENT_ID, GITHUB_CLIENT_SECRET and SECRET')
}

/** GitHub's own token never leaves this server: the client holds one of ours. */
async function listRepositories(): Promise<string> {
  const token = await getAccessToken()?.upstream?.getToken()
  const answer = await fetch('https://api.github.com/user/repos?per_page=10', {
    headers: { authorization: `Bearer ${token}`, 'user-agent': 'express-mcp-auth example' },
  })
  if (!answer.ok) throw new Error(`GitHub answered ${answer.status}`)
  const repositories = (await answer.json()) as readonly { readonly full_name: string }[]
  return repositories.map(({ full_name: name }) => name).join('\n')
}

const handler = createMcpHandler(() => {
  const mcp = new McpServer({ name: 'github', version: '1.0.0' })
  mcp.registerTool('whoami', { description: 'Tells who calls' }, () => {
    const { login = 'nobody' } = getAccessToken()?.claims ?? {}
    return { content: [{ type: 'text', text: String(login) }] }
  })
  mcp.registerTool('list_repositories', { description: 'Lists what they work on' }, async () => ({
    content: [{ type: 'text', text: await listRepositories() }],
  }))
  return mcp
})

const store = new SqliteStore({ path: STORE })
const provider = new GitHubProvider({
  clientId,
  clientSecret,
  baseUrl: BASE_URL,
  secret: SECRET,
  store,
  requiredScopes: ['read:user'],
})
const app = express()
app.use(mcpAuth(provider))
app.all('/mcp', toNodeHandler(handler))

export const server = app.listen(Number(PORT), '127.0.0.1')
server.on('listening', () => console.log(`${BASE_URL}/mcp takes whoever signs in at GitHub`))
server.on('close', () => void store.close())

// People sign in at AuthKit, where clients register by themselves.
import { getAccessToken } from 'express-mcp-auth'
import { AuthKitProvider } from 'express-mcp-auth/providers/workos'
import { createApp, result } from './server.js'

const { AUTHKIT_DOMAIN = 'https://your-project.authkit.app' } = process.env

const auth = new AuthKitProvider({ authkitDomain: AUTHKIT_DOMAIN, baseUrl: 'https://api.example.com' })

export const app = createApp('Enterprise Server', auth, (mcp) => {
  mcp.registerTool('whoami', {}, () => result(getAccessToken()?.subject))
})

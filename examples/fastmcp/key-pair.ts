// Tokens for tests, without an issuer.
import { JWTVerifier, getAccessToken } from 'express-mcp-auth'
import { RSAKeyPair } from 'express-mcp-auth/testing'
import { createApp, result } from './server.js'

const keys = await RSAKeyPair.generate()
const issuer = 'https://fastmcp.example.com'
const audience = 'https://api.example.com/mcp'

const auth = new JWTVerifier({ publicKey: keys.publicKey, issuer, audience, requiredScopes: ['read'] })

export const app = createApp('Under Test', auth, (mcp) => {
  mcp.registerTool('whoami', {}, () => result(getAccessToken()?.claims))
})

export const token = keys.createToken({
  subject: 'fastmcp-user',
  issuer,
  audience,
  scopes: ['read', 'write'],
  expiresInSeconds: 3600,
  additionalClaims: { role: 'tester' },
  kid: 'test-key',
})

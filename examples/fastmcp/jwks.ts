// JWTs of an issuer that publishes its keys.
import { JWTVerifier, getAccessToken } from 'express-mcp-auth'
import { createApp, result } from './server.js'

const { ISSUER = 'https://auth.example.com', JWKS_URI = `${ISSUER}/.well-known/jwks.json` } = process.env

const auth = new JWTVerifier({
  jwksUri: JWKS_URI,
  issuer: ISSUER,
  audience: 'https://api.example.com/mcp',
  requiredScopes: ['read'],
})

export const app = createApp('Resource Server', auth, (mcp) => {
  mcp.registerTool('whoami', {}, () => result(getAccessToken()?.subject))
})

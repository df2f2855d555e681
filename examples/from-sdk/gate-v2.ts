// The gate of SDK v2 stays, and goes by our verifier. It is that of `@modelcontextprotocol/express` without Express.
import { requireBearerAuth } from '@modelcontextprotocol/server'
import { JWTVerifier, sdkTokenVerifier } from 'express-mcp-auth'

const { ISSUER = 'https://login.example.com', JWKS_URI = `${ISSUER}/jwks` } = process.env

const jwt = new JWTVerifier({ jwksUri: JWKS_URI, issuer: ISSUER, audience: 'https://api.example.com/mcp' })
const gate = requireBearerAuth({ verifier: sdkTokenVerifier(jwt), requiredScopes: ['mcp:use'] })

export async function answer(request: Request): Promise<Response> {
  const auth = await gate(request)
  return auth instanceof Response ? auth : Response.json({ clientId: auth.clientId, scopes: auth.scopes })
}

// The gate of SDK v1 stays, and goes by our verifier.
import { requireBearerAuth } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js'
import express from 'express'
import { JWTVerifier, sdkTokenVerifier } from 'express-mcp-auth'
import { handleMcp } from './mcp.js'

const { ISSUER = 'https://login.example.com', JWKS_URI = `${ISSUER}/jwks` } = process.env

const jwt = new JWTVerifier({ jwksUri: JWKS_URI, issuer: ISSUER, audience: 'https://api.example.com/mcp' })
const verifier = sdkTokenVerifier(jwt)

export const app = express()
app.use('/mcp', requireBearerAuth({ verifier, requiredScopes: ['mcp:use'] }))
app.post('/mcp', express.json(), handleMcp)

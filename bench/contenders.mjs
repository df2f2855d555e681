// Everyone in the race. Each guard really checks signature, issuer, audience and expiry, with the keys fetched from the
// same key set. Libraries are loaded inside the factories, so that a process loads only what it measures.
import { existsSync } from 'node:fs'
import express from 'express'

const OURS = new URL('../dist/index.js', import.meta.url)

export const oursIsBuilt = existsSync(OURS)

const ALGORITHMS = ['RS256', 'ES256', 'EdDSA']

const resourceMetadataUrl = (settings) => `${settings.baseUrl}/.well-known/oauth-protected-resource/mcp`

/** What an SDK user writes around jose: neither SDK ships a verifier. */
async function joseVerifier({ jwksUri, issuer, audience }, asInvalidToken) {
  const { createRemoteJWKSet, errors, jwtVerify } = await import('jose')
  const keySet = createRemoteJWKSet(new URL(jwksUri))
  return {
    async verifyAccessToken(token) {
      try {
        const { payload } = await jwtVerify(token, keySet, { issuer, audience, algorithms: ALGORITHMS })
        return {
          token,
          clientId: payload.client_id,
          scopes: payload.scope.split(' '),
          expiresAt: payload.exp,
          extra: payload,
        }
      } catch (error) {
        throw error instanceof errors.JOSEError ? asInvalidToken(error.message) : error
      }
    },
  }
}

/** `role` says how the reports use a contender: `bare` and `noop` are yardsticks, `sdk` is whom we compare ourselves with. */
export const contenders = {
  bare: { label: 'bare Express', role: 'bare' },

  noop: { label: 'no-op middleware', role: 'noop', guard: () => (req, res, next) => next() },

  'async-noop': {
    label: 'async no-op middleware',
    role: 'noop',
    guard: () => async (req, res, next) => {
      next()
    },
  },

  'sdk-v1': {
    label: 'SDK v1 guard + jose',
    role: 'sdk',
    async guard(settings) {
      const { requireBearerAuth } =
        await import('@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js')
      const { InvalidTokenError } = await import('@modelcontextprotocol/sdk/server/auth/errors.js')
      const verifier = await joseVerifier(settings, (message) => new InvalidTokenError(message))
      return requireBearerAuth({ verifier, resourceMetadataUrl: resourceMetadataUrl(settings) })
    },
    packages: ['@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js', 'jose'],
  },

  'sdk-v2': {
    label: 'SDK v2 guard + jose',
    role: 'sdk',
    async guard(settings) {
      const { requireBearerAuth } = await import('@modelcontextprotocol/express')
      const { OAuthError, OAuthErrorCode } = await import('@modelcontextprotocol/server')
      const verifier = await joseVerifier(
        settings,
        (message) => new OAuthError(OAuthErrorCode.InvalidToken, message),
      )
      return requireBearerAuth({ verifier, resourceMetadataUrl: resourceMetadataUrl(settings) })
    },
    packages: ['@modelcontextprotocol/express', 'jose'],
  },

  'oauth2-jwt-bearer': {
    label: 'express-oauth2-jwt-bearer',
    role: 'peer',
    async guard({ jwksUri, issuer, audience }) {
      const { auth } = await import('express-oauth2-jwt-bearer')
      return auth({ jwksUri, issuer, audience })
    },
    packages: ['express-oauth2-jwt-bearer'],
  },

  'mcp-auth': {
    label: 'mcp-auth',
    role: 'peer',
    async guard({ jwksUri, issuer, audience }) {
      const { MCPAuth } = await import('mcp-auth')
      const metadata = {
        issuer,
        jwksUri,
        authorizationEndpoint: `${issuer}/authorize`,
        tokenEndpoint: `${issuer}/token`,
        registrationEndpoint: `${issuer}/register`,
        responseTypesSupported: ['code'],
        grantTypesSupported: ['authorization_code'],
        codeChallengeMethodsSupported: ['S256'],
      }
      const auth = new MCPAuth({
        protectedResources: [
          { metadata: { resource: audience, authorizationServers: [{ type: 'oauth', metadata }] } },
        ],
      })
      return auth.bearerAuth('jwt', { resource: audience, audience })
    },
    packages: ['mcp-auth'],
  },

  'express-jwt': {
    label: 'express-jwt + jwks-rsa',
    role: 'peer',
    // jsonwebtoken knows no EdDSA.
    algorithms: ['RS256', 'ES256'],
    // Past its fetch limit jwks-rsa cannot tell whether the key exists, and the error has no status.
    refusals: { 'unknown kid': [401, 500] },
    async guard({ jwksUri, issuer, audience }) {
      const { expressjwt } = await import('express-jwt')
      const { default: jwksRsa } = await import('jwks-rsa')
      const secret = jwksRsa.expressJwtSecret({
        jwksUri,
        cache: true,
        rateLimit: true,
        jwksRequestsPerMinute: 5,
      })
      return expressjwt({ secret, issuer, audience, algorithms: ['RS256', 'ES256'] })
    },
    packages: ['express-jwt', 'jwks-rsa'],
  },

  ours: {
    label: 'express-mcp-auth',
    role: 'ours',
    async guard({ jwksUri, issuer, audience, baseUrl }) {
      const { JWTVerifier, RemoteAuthProvider, mcpAuth } = await import(OURS)
      const tokenVerifier = new JWTVerifier({ jwksUri, issuer, audience })
      return mcpAuth(new RemoteAuthProvider({ baseUrl, authorizationServers: [issuer], tokenVerifier }))
    },
    packages: [OURS.href],
  },
}

/** The contenders a workload asks for, without ours until it is built. */
export function pick(ids = Object.keys(contenders)) {
  if (!oursIsBuilt && ids.includes('ours')) {
    console.error(
      'dist/index.js is missing: build first (npm run build). Measuring the others without express-mcp-auth.',
    )
  }
  return ids.filter((id) => id !== 'ours' || oursIsBuilt)
}

/** Those that guard anything; yardsticks do not. */
export const isGuard = (id) => contenders[id].guard !== undefined && contenders[id].role !== 'noop'

/** The statuses a contender may answer to a token that is bad in this way. */
export const refusalsOf = (id, kind) => contenders[id].refusals?.[kind] ?? [401]

/** The same small application for everyone; only the guard differs. */
export async function createApp(id, settings) {
  const app = express()
  const guard = await contenders[id].guard?.(settings)
  if (guard) app.use(guard)
  const guarded = isGuard(id)
  app.post('/mcp', (req, res) => {
    // A guard that lets a request through without saying whose it is has not done the work we compare.
    if (guarded && !req.auth) res.statusCode = 500
    res.end('{"ok":true}')
  })
  // Some peers pass their refusals on as errors; Express's own answer would print a stack trace each time.
  app.use((error, req, res, next) => {
    res.status(error.status ?? 500).json({ error: error.message })
  })
  return app
}

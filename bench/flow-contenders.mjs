// Authorization servers in the race. Each keeps clients, codes, grants and tokens, checks redirect URI, PKCE and single use,
// rotates refresh tokens and revokes. Who is signed in stands in a cookie; whoever is, approves everything.
import { createHash, generateKeyPairSync, randomBytes, randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import express from 'express'
import { oursIsBuilt } from './contenders.mjs'

const dist = (file) => new URL(`../dist/${file}`, import.meta.url).href

// Loopback, where no client needs the consent of a person.
export const BASE_URL = 'http://127.0.0.1:8080'
export const RESOURCE = `${BASE_URL}/mcp`
export const SCOPE = 'mcp:use'
const ACCESS_TOKEN_SECONDS = 3600
const CODE_SECONDS = 60

/** The subject whom the cookie names, e.g. `_session=user-7`; a look-up in a real session store would cost everyone the same. */
const userOf = (req) => /(?:^|;\s*)_session=([\w-]+)/.exec(req.headers.cookie ?? '')?.[1]

const secret = (bytes = 32) => randomBytes(bytes).toString('base64url')
const seconds = () => Math.floor(Date.now() / 1000)

/** `role` says how the reports use a contender. */
export const flowContenders = {
  bare: { label: 'bare Express', role: 'bare', app: async () => bareApp() },
  'sdk-v1': {
    label: 'SDK v1 mcpAuthRouter, Map, opaque tokens',
    role: 'peer',
    app: async () => sdkApp(),
  },
  'oauth2-server': {
    label: '@node-oauth/oauth2-server, Map, opaque tokens',
    role: 'peer',
    app: async () => oauth2ServerApp(),
  },
  'oidc-provider': {
    label: 'oidc-provider, Map, ES256 tokens',
    role: 'peer',
    app: async () => oidcProviderApp(),
  },
  'ours-memory': {
    label: 'express-mcp-auth, MemoryStore, ES256 tokens',
    role: 'ours',
    app: async () => {
      const { MemoryStore } = await import(dist('stores/memory.js'))
      return oursApp(new MemoryStore())
    },
  },
  'ours-sqlite': {
    label: 'express-mcp-auth, SqliteStore, ES256 tokens',
    role: 'ours',
    app: async () => {
      const { SqliteStore } = await import(dist('stores/sqlite.js'))
      const folder = mkdtempSync(join(tmpdir(), 'bench-'))
      process.on('exit', () => rmSync(folder, { recursive: true, force: true }))
      return oursApp(new SqliteStore({ path: join(folder, 'store.db') }))
    },
  },
}

/** The contenders, without ours until it is built. */
export const flowIds = () =>
  Object.keys(flowContenders).filter((id) => oursIsBuilt || flowContenders[id].role !== 'ours')

/** Answers the same trips with answers of the same shape and size, and remembers nothing. */
function bareApp() {
  const app = express()
  const tokens = () => ({
    access_token: secret(360),
    token_type: 'Bearer',
    expires_in: ACCESS_TOKEN_SECONDS,
    refresh_token: secret(),
    scope: SCOPE,
  })
  app.post('/register', express.json(), (req, res) => {
    res.status(201).set('Cache-Control', 'no-store')
    res.json({ client_id: randomUUID(), client_id_issued_at: seconds(), ...req.body })
  })
  app.get('/authorize', (req, res) => {
    const url = new URL(req.query.redirect_uri)
    url.search = new URLSearchParams({ code: secret(), state: req.query.state, iss: BASE_URL }).toString()
    res.redirect(url.href)
  })
  app.post('/token', express.urlencoded(), (req, res) => {
    res.set('Cache-Control', 'no-store').json(tokens())
  })
  app.post('/revoke', express.urlencoded(), (req, res) => {
    res.set('Cache-Control', 'no-store').json({})
  })
  return app
}

/** mcpAuthRouter checks the requests and PKCE; what it leaves to its user is here, as its user would write it. */
async function sdkApp() {
  const { mcpAuthRouter } = await import('@modelcontextprotocol/sdk/server/auth/router.js')
  const { InvalidGrantError, InvalidRequestError, InvalidTokenError } =
    await import('@modelcontextprotocol/sdk/server/auth/errors.js')
  const [clients, codes, accessTokens, refreshTokens] = [new Map(), new Map(), new Map(), new Map()]

  function issue(grant) {
    const tokens = { access_token: secret(), refresh_token: secret() }
    accessTokens.set(tokens.access_token, { grant, expiresAt: seconds() + ACCESS_TOKEN_SECONDS })
    refreshTokens.set(tokens.refresh_token, grant)
    return {
      ...tokens,
      token_type: 'Bearer',
      expires_in: ACCESS_TOKEN_SECONDS,
      scope: grant.scopes.join(' '),
    }
  }
  function codeOf(client, code) {
    const held = codes.get(code)
    if (held?.clientId !== client.client_id || held.expiresAt < seconds())
      throw new InvalidGrantError('This code is not valid')
    return held
  }
  const provider = {
    clientsStore: {
      getClient: (id) => clients.get(id),
      registerClient(client) {
        clients.set(client.client_id, client)
        return client
      },
    },
    async authorize(client, { state, scopes = [], codeChallenge, redirectUri, resource }, res) {
      const user = userOf(res.req)
      if (user === undefined) throw new InvalidRequestError('Nobody is signed in')
      const code = secret()
      const grant = { clientId: client.client_id, user, scopes, resource: resource?.href }
      codes.set(code, { ...grant, codeChallenge, redirectUri, expiresAt: seconds() + CODE_SECONDS })
      const url = new URL(redirectUri)
      url.search = new URLSearchParams({ code, ...(state !== undefined && { state }) }).toString()
      res.redirect(url.href)
    },
    challengeForAuthorizationCode: async (client, code) => codeOf(client, code).codeChallenge,
    async exchangeAuthorizationCode(client, code, _verifier, redirectUri, resource) {
      const { redirectUri: asked, codeChallenge: _used, expiresAt: _past, ...grant } = codeOf(client, code)
      codes.delete(code)
      if (redirectUri !== asked || resource?.href !== grant.resource)
        throw new InvalidGrantError('This code was issued for something else')
      return issue(grant)
    },
    async exchangeRefreshToken(client, refreshToken) {
      const grant = refreshTokens.get(refreshToken)
      if (grant?.clientId !== client.client_id) throw new InvalidGrantError('This refresh token is not valid')
      refreshTokens.delete(refreshToken)
      return issue(grant)
    },
    async verifyAccessToken(token) {
      const held = accessTokens.get(token)
      if (!held || held.expiresAt < seconds()) throw new InvalidTokenError('This token is not valid')
      const { clientId, scopes } = held.grant
      return { token, clientId, scopes, expiresAt: held.expiresAt }
    },
    async revokeToken(client, { token }) {
      if (refreshTokens.get(token)?.clientId === client.client_id) refreshTokens.delete(token)
      if (accessTokens.get(token)?.grant.clientId === client.client_id) accessTokens.delete(token)
    },
  }
  const unlimited = { rateLimit: false }
  const app = express()
  app.use(
    mcpAuthRouter({
      provider,
      issuerUrl: new URL(BASE_URL),
      scopesSupported: [SCOPE],
      authorizationOptions: unlimited,
      tokenOptions: unlimited,
      clientRegistrationOptions: unlimited,
      revocationOptions: unlimited,
    }),
  )
  return app
}

/** The library knows codes and tokens; registration and revocation are its user's. */
async function oauth2ServerApp() {
  const { default: OAuth2Server } = await import('@node-oauth/oauth2-server')
  const [clients, codes, accessTokens, refreshTokens] = [new Map(), new Map(), new Map(), new Map()]
  const oauth = new OAuth2Server({
    model: {
      getClient: async (id) => clients.get(id),
      async saveAuthorizationCode(code, client, user) {
        const held = { ...code, client, user }
        codes.set(code.authorizationCode, held)
        return held
      },
      getAuthorizationCode: async (code) => codes.get(code),
      revokeAuthorizationCode: async ({ authorizationCode }) => codes.delete(authorizationCode),
      async saveToken(token, client, user) {
        const held = { ...token, client, user }
        accessTokens.set(token.accessToken, held)
        refreshTokens.set(token.refreshToken, held)
        return held
      },
      getAccessToken: async (token) => accessTokens.get(token),
      getRefreshToken: async (token) => refreshTokens.get(token),
      revokeToken: async ({ refreshToken }) => refreshTokens.delete(refreshToken),
      validateScope: async (_user, _client, scope = [SCOPE]) =>
        scope.every((name) => name === SCOPE) && scope,
    },
    requireClientAuthentication: { authorization_code: false, refresh_token: false },
    accessTokenLifetime: ACCESS_TOKEN_SECONDS,
    authorizationCodeLifetime: CODE_SECONDS,
    authenticateHandler: { handle: (req) => userOf(req) && { id: userOf(req) } },
  })
  const { Request, Response } = OAuth2Server
  const through = (method) => async (req, res) => {
    const response = new Response(res)
    try {
      await oauth[method](new Request(req), response)
    } catch (error) {
      response.status = error.code ?? 500
      response.body = { error: error.name, error_description: error.message }
    }
    res.status(response.status).set(response.headers)
    if (response.status === 302) res.end()
    else res.json(response.body)
  }
  const app = express()
  app.post('/register', express.json(), (req, res) => {
    const { redirect_uris: redirectUris, grant_types: grants } = req.body
    if (!Array.isArray(redirectUris) || !redirectUris.every((uri) => URL.canParse(uri)))
      return res.status(400).json({ error: 'invalid_redirect_uri' })
    const id = randomUUID()
    clients.set(id, { id, redirectUris, grants })
    res.status(201).json({ client_id: id, client_id_issued_at: seconds(), ...req.body })
  })
  app.get('/authorize', through('authorize'))
  app.post('/token', express.urlencoded(), through('token'))
  app.post('/revoke', express.urlencoded(), (req, res) => {
    const { token, client_id: clientId } = req.body
    if (refreshTokens.get(token)?.client.id === clientId) refreshTokens.delete(token)
    res.json({})
  })
  return app
}

async function oidcProviderApp() {
  const { default: Provider, interactionPolicy } = await silently(() => import('oidc-provider'))
  const policy = interactionPolicy.base()
  // Apps on a device are always asked for, by default; here nobody is asked.
  policy.get('consent').checks.remove('native_client_prompt')
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const key = { ...privateKey.export({ format: 'jwk' }), kid: 'ES256-2026-11', alg: 'ES256', use: 'sig' }
  const provider = await silently(
    () =>
      new Provider(BASE_URL, {
        adapter: createAdapter(),
        jwks: { keys: [key] },
        clientDefaults: { id_token_signed_response_alg: 'ES256' },
        pkce: { required: () => true },
        findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
        // Everybody approves: the grant is there before anybody would be asked.
        async loadExistingGrant({ oidc }) {
          const grant = new oidc.provider.Grant({
            clientId: oidc.client.clientId,
            accountId: oidc.session.accountId,
          })
          grant.addResourceScope(RESOURCE, SCOPE)
          await grant.save()
          return grant
        },
        interactions: { policy },
        issueRefreshToken: () => true,
        renderError(context, answer) {
          context.body = answer
        },
        routes: {
          authorization: '/authorize',
          token: '/token',
          registration: '/register',
          revocation: '/revoke',
        },
        ttl: {
          AccessToken: ACCESS_TOKEN_SECONDS,
          AuthorizationCode: CODE_SECONDS,
          Grant: 86_400,
          IdToken: 3600,
          Interaction: 3600,
          RefreshToken: 86_400,
          Session: 86_400,
        },
        features: {
          devInteractions: { enabled: false },
          registration: { enabled: true },
          revocation: { enabled: true, allowedPolicy: () => true },
          resourceIndicators: {
            enabled: true,
            getResourceServerInfo: () => ({
              scope: SCOPE,
              audience: RESOURCE,
              accessTokenFormat: 'jwt',
              jwt: { sign: { alg: 'ES256' } },
            }),
            useGrantedResource: () => true,
          },
        },
      }),
  )
  return provider.callback()
}

/** A Map for oidc-provider in which everybody has signed in before, so that no page is needed. */
function createAdapter() {
  const records = new Map()
  const byGrant = new Map()
  const find = (matches) => [...records.values()].find(matches)
  return (model) => ({
    async find(id) {
      const held = records.get(`${model}:${id}`)
      if (held || model !== 'Session' || !id.startsWith('user-')) return held
      return { kind: model, jti: id, uid: id, accountId: id, loginTs: seconds(), exp: seconds() + 86_400 }
    },
    findByUid: async (uid) => find((payload) => payload.kind === model && payload.uid === uid),
    findByUserCode: async (code) => find((payload) => payload.kind === model && payload.userCode === code),
    async upsert(id, payload) {
      const key = `${model}:${id}`
      records.set(key, payload)
      if (payload.grantId === undefined) return
      if (!byGrant.has(payload.grantId)) byGrant.set(payload.grantId, new Set())
      byGrant.get(payload.grantId).add(key)
    },
    async consume(id) {
      const key = `${model}:${id}`
      records.set(key, { ...records.get(key), consumed: seconds() })
    },
    destroy: async (id) => void records.delete(`${model}:${id}`),
    async revokeByGrantId(grantId) {
      for (const key of byGrant.get(grantId) ?? []) records.delete(key)
      byGrant.delete(grantId)
    },
  })
}

/** oidc-provider gives advice on the console, about the version of node and about cookies, that is of no use to a bench. */
async function silently(work) {
  const { warn, info } = console
  console.warn = console.info = () => {}
  try {
    return await work()
  } finally {
    Object.assign(console, { warn, info })
  }
}

async function oursApp(store) {
  const { OAuthProvider, mcpAuth } = await import(dist('index.js'))
  const provider = new OAuthProvider({
    baseUrl: BASE_URL,
    resourceUrl: RESOURCE,
    secret: secret(48),
    store,
    signIn: {
      currentUser: async (req) => (userOf(req) === undefined ? null : { subject: userOf(req) }),
      loginUrl: (returnTo) => `/login?return_to=${encodeURIComponent(returnTo)}`,
    },
    consent: false,
    clientRegistration: { maxPerHour: Number.MAX_SAFE_INTEGER },
    scopesSupported: [SCOPE],
    accessTokenSeconds: ACCESS_TOKEN_SECONDS,
  })
  const app = express()
  app.use(mcpAuth(provider, { rateLimit: false, onEvent: () => {} }))
  return app
}

/** A verifier and its challenge (RFC 7636). */
export function createPkce() {
  const verifier = secret()
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') }
}

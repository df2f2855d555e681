// A real authorization server on loopback: oidc-provider, with a user who signs in and approves whatever a client asks for.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Adapter, AdapterFactory, AdapterPayload, Configuration, Provider } from 'oidc-provider'
import { type SigningKey, createKey } from './issuer.js'
import { startServer } from './site.js'

/** A running authorization server. */
export interface AuthorizationServer {
  readonly issuer: string
  readonly jwksUri: string
  /** What it was asked, in order: `POST /token`. */
  readonly requests: string[]
  /** How long the access tokens live that it issues from now on. */
  accessTokenSeconds: number
  /** Signs with a new key from now on; the old one stays published. */
  rotateKeys(): void
  /** Stops answering, for good. */
  close(): Promise<void>
}

/** The resource that clients get tokens for. */
export interface ProtectedResource {
  readonly url: string
  readonly scopes: readonly string[]
}

/**
 * Starts one. Registration is open, PKCE is a must, and access tokens are JWTs for the resource that the client names (RFC 8707).
 */
export async function startAuthorizationServer(
  resource: ProtectedResource,
  accountId = 'alice',
): Promise<AuthorizationServer> {
  const OidcProvider = await loadProvider()
  let provider: Provider
  const requests: string[] = []
  const server = await startServer((request, response) => {
    const path = request.url?.split('?', 1)[0]
    requests.push(`${request.method} ${path}`)
    if (path?.startsWith('/interaction/')) void approve(provider, accountId, request, response)
    else void provider.callback()(request, response)
  })

  const keys: SigningKey[] = []
  const adapter = createAdapter()
  const running: AuthorizationServer = {
    issuer: server.url,
    jwksUri: `${server.url}/jwks`,
    requests,
    accessTokenSeconds: 3600,
    rotateKeys() {
      keys.unshift(createKey('RS256', `key-${keys.length + 1}`))
      provider = new OidcProvider(server.url, configure())
    },
    close: server.close,
  }
  const configure = (): Configuration => ({
    adapter,
    jwks: { keys: keys.map(({ jwk, privateKey }) => ({ ...jwk, ...privateKey.export({ format: 'jwk' }) })) },
    cookies: { keys: ['signs the cookies of a test'] },
    pkce: { required: () => true },
    scopes: ['openid', 'offline_access', ...resource.scopes],
    findAccount: (_context, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    interactions: { url: (_context, { uid }) => `/interaction/${uid}` },
    issueRefreshToken: (_context, client) => client.grantTypeAllowed('refresh_token'),
    ttl: {
      AccessToken: () => running.accessTokenSeconds,
      Grant: 3600,
      IdToken: 3600,
      Interaction: 3600,
      RefreshToken: 86_400,
      Session: 3600,
    },
    features: {
      devInteractions: { enabled: false },
      registration: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: () => ({
          scope: resource.scopes.join(' '),
          audience: resource.url,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'RS256' } },
        }),
        useGrantedResource: () => true,
      },
    },
  })
  running.rotateKeys()
  return running
}

/** The user: signs in where asked to, consents where asked to, and is sent back at once. */
async function approve(
  provider: Provider,
  accountId: string,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { prompt, params, grantId } = await provider.interactionDetails(request, response)
  if (prompt.name === 'login') {
    await provider.interactionFinished(request, response, { login: { accountId } })
    return
  }
  const known = grantId === undefined ? undefined : await provider.Grant.find(grantId)
  const grant = known ?? new provider.Grant({ accountId, clientId: params['client_id'] as string })
  const { missingOIDCScope, missingResourceScopes } = prompt.details as {
    missingOIDCScope?: string[]
    missingResourceScopes?: Record<string, string[]>
  }
  if (missingOIDCScope !== undefined) grant.addOIDCScope(missingOIDCScope.join(' '))
  for (const [indicator, scopes] of Object.entries(missingResourceScopes ?? {}))
    grant.addResourceScope(indicator, scopes.join(' '))
  const consent = { grantId: await grant.save() }
  await provider.interactionFinished(request, response, { consent }, { mergeWithLastSubmission: true })
}

/** What the server remembers, in a store that outlives the change of its keys. */
function createAdapter(): AdapterFactory {
  const records = new Map<string, AdapterPayload>()
  const find = (matches: (payload: AdapterPayload) => boolean): Promise<AdapterPayload | undefined> =>
    Promise.resolve([...records.values()].find(matches))
  return (model): Adapter => ({
    find: (id) => Promise.resolve(records.get(`${model}:${id}`)),
    findByUid: (uid) => find((payload) => payload.kind === model && payload.uid === uid),
    findByUserCode: (code) => find((payload) => payload.kind === model && payload.userCode === code),
    async upsert(id, { ...payload }) {
      // Clients register with the scopes that they begin with. Held to those, as the package would, none could step up.
      if (model === 'Client') delete payload.scope
      records.set(`${model}:${id}`, payload)
    },
    async consume(id) {
      records.set(`${model}:${id}`, { ...records.get(`${model}:${id}`), consumed: true })
    },
    async destroy(id) {
      records.delete(`${model}:${id}`)
    },
    async revokeByGrantId(grantId) {
      for (const [key, payload] of records) if (payload.grantId === grantId) records.delete(key)
    },
  })
}

/** The package runs on Node 20 as well, but says while it loads that it would rather not. */
async function loadProvider(): Promise<typeof Provider> {
  const { warn } = console
  console.warn = (message: unknown, ...rest: unknown[]) => {
    if (!String(message).includes('oidc-provider WARNING: Unsupported runtime')) warn(message, ...rest)
  }
  try {
    return (await import('oidc-provider')).Provider
  } finally {
    console.warn = warn
  }
}

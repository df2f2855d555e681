// An identity provider on loopback that approves everybody. How clients register and prove who they are, and what an authorization request
// may look like, is our own authorization server's. What it issues is made here: ours signs nobody in to other apps, so that it has no ID
// tokens and no userinfo; it issues tokens for one resource, its own, where this one does for any; and its key follows from a secret, where
// a test wants to see keys change.
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import type { User } from '../authorization-server/records.js'
import type { NodeRequest } from '../express/adapter.js'
import { mcpAuth } from '../express/mcp-auth.js'
import { readAccessToken } from '../protocol/claims.js'
import { InMemoryOAuthProvider } from '../providers/in-memory.js'
import { type Deps, createDeps } from '../runtime/deps.js'
import { Approvals } from './approvals.js'
import { type ApprovingServer, SCOPES, approvingRoutes, userinfoOf } from './identity-provider-routes.js'
import { RSAKeyPair, type TestTokenOptions } from './key-pair.js'
import { listenOnLoopback } from './loopback.js'

/** Options of {@link startIdentityProvider}. */
export interface TestIdentityProviderOptions {
  /** The app that is registered beforehand. Default: `test-client`. */
  readonly clientId?: string
  /** Default: one with letters that have to be encoded. */
  readonly clientSecret?: string
  /** Where that app may have people sent back to. Default: `/auth/callback` at any port of this machine. */
  readonly redirectUris?: readonly string[]
  /** Who everybody is. Default: `{ subject: 'test-user', name: 'Test user', claims: { email: 'test-user@example.com' } }`. */
  readonly user?: User
  /** Scopes that are granted, beside those of OpenID Connect; others are left out. Default: whatever is asked for. */
  readonly scopes?: readonly string[]
  /** `aud` of access tokens for which no resource was named. Default: the issuer. */
  readonly audience?: string
  /** Default: 3600. */
  readonly accessTokenSeconds?: number
  /** Default: any that is free. */
  readonly port?: number
  /** Clock and timers, e.g. a `testClock()`. */
  readonly deps?: Partial<Deps>
}

/** An endpoint that can be broken. `discovery` are all well-known documents but the keys. */
export type TestIdentityProviderEndpoint =
  'authorize' | 'token' | 'register' | 'revoke' | 'introspect' | 'userinfo' | 'jwks' | 'discovery'

/** What a broken endpoint does: answers a status, never answers, or cuts the line. */
export type TestIdentityProviderFailure = number | 'hang' | 'reset'

/** A request as it came. */
export interface SeenRequest {
  readonly method: string
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  readonly authorization: string | undefined
  /** What was posted as a form. */
  readonly form: Readonly<Record<string, string>>
}

/** What an access token says that is made without anybody signing in. */
export interface IssuedTokenOptions extends Omit<TestTokenOptions, 'issuer'> {
  /** Default: the app that is registered beforehand. */
  readonly clientId?: string
}

/** A running identity provider. */
export interface TestIdentityProvider {
  /** Where it is, which is its issuer too. */
  readonly url: string
  readonly issuer: string
  /** Its document, as `OIDCProxy` wants it. */
  readonly configUrl: string
  readonly jwksUri: string
  readonly authorizationEndpoint: string
  readonly tokenEndpoint: string
  readonly userinfoEndpoint: string
  readonly revocationEndpoint: string
  readonly introspectionEndpoint: string
  readonly clientId: string
  readonly clientSecret: string
  /** What it was asked, in order. */
  readonly requests: SeenRequest[]
  /** Who everybody is from now on; undefined is somebody who says no. */
  user: User | undefined
  /** Life of the access tokens that are issued from now on. */
  accessTokenSeconds: number
  /** An access token of this issuer, for what {@link TestIdentityProviderOptions.audience} says or for another `audience`. */
  issueToken(options?: IssuedTokenOptions): string
  /** Ends an access token, or with a refresh token its grant. JWTs stay good for who does not ask. */
  revoke(token: string): void
  /** Signs with a new key from now on; those before stay published, unless they are withdrawn. */
  rotateKeys(options?: { readonly withdraw?: boolean }): Promise<void>
  /** Breaks an endpoint, until it is told no failure. */
  failWith(endpoint: TestIdentityProviderEndpoint, failure?: TestIdentityProviderFailure): void
  /** Stops. */
  readonly close: () => Promise<void>
}

/** With letters that mean something in a form and in Basic credentials (RFC 6749 2.3.1). */
const SECRET = 'test secret: a+b/c%d&e=f'
const USER: User = {
  subject: 'test-user',
  name: 'Test user',
  claims: { email: 'test-user@example.com', email_verified: true },
}
const CALLBACKS = ['http://127.0.0.1/auth/callback', 'http://localhost/auth/callback']

/**
 * Starts an OAuth 2.1 and OpenID Connect server on this machine that approves everybody: discovery, registration (RFC 7591), client ID
 * metadata documents, authorization codes with PKCE, refresh tokens that rotate, JWTs (RS256) for the resource that is asked for, ID tokens,
 * userinfo, introspection and revocation. It listens on 127.0.0.1 alone.
 *
 * @example
 * const idp = await startIdentityProvider()
 * const provider = new RemoteAuthProvider({ baseUrl, authorizationServers: [idp.issuer], jwksUri: idp.jwksUri })
 * const token = idp.issueToken({ audience: `${baseUrl}/mcp`, scopes: ['mcp:use'] })
 * await idp.close()
 */
export async function startIdentityProvider(
  options: TestIdentityProviderOptions = {},
): Promise<TestIdentityProvider> {
  const { clientId = 'test-client', clientSecret = SECRET, redirectUris = CALLBACKS } = options
  const deps = createDeps(options.deps)
  const keys: [RSAKeyPair, ...RSAKeyPair[]] = [await RSAKeyPair.generate({ deps })]
  const failures = new Map<TestIdentityProviderEndpoint, TestIdentityProviderFailure>()
  const requests: SeenRequest[] = []
  let listener: RequestListener = () => undefined
  const { url, close } = await listenOnLoopback((request, response) => {
    listener(request, response)
  }, options.port)

  const approvals = new Approvals(
    () => ({
      issuer: url,
      audience: options.audience ?? url,
      accessTokenSeconds: running.accessTokenSeconds,
      keys: keys[0],
    }),
    deps,
  )
  const running: TestIdentityProvider = {
    url,
    issuer: url,
    configUrl: `${url}/.well-known/openid-configuration`,
    jwksUri: `${url}/.well-known/jwks.json`,
    authorizationEndpoint: `${url}/authorize`,
    tokenEndpoint: `${url}/token`,
    userinfoEndpoint: `${url}/userinfo`,
    revocationEndpoint: `${url}/revoke`,
    introspectionEndpoint: `${url}/introspect`,
    clientId,
    clientSecret,
    requests,
    user: 'user' in options ? options.user : USER,
    accessTokenSeconds: options.accessTokenSeconds ?? 3600,
    issueToken({ clientId: issuedTo = clientId, ...more } = {}) {
      const { user } = running
      const known = user === undefined ? {} : { subject: user.subject, additionalClaims: user.claims ?? {} }
      return approvals.issue({ ...known, ...more }, issuedTo)
    },
    revoke(token) {
      approvals.revoke(token)
    },
    async rotateKeys({ withdraw = false } = {}) {
      const next = await RSAKeyPair.generate({ deps })
      if (withdraw) keys.length = 0
      keys.unshift(next)
    },
    failWith(endpoint, failure) {
      if (failure === undefined) failures.delete(endpoint)
      else failures.set(endpoint, failure)
    },
    close,
  }

  const { authorizationServer } = new InMemoryOAuthProvider({
    baseUrl: url,
    clients: [
      {
        clientId,
        clientSecret,
        redirectUris,
        grantTypes: ['authorization_code', 'refresh_token', 'client_credentials'],
      },
    ],
    scopesSupported: [...SCOPES, ...(options.scopes ?? [])],
    clientRegistration: { maxPerHour: 1_000_000 },
    deps,
  })
  const approving: ApprovingServer = {
    server: authorizationServer,
    approvals,
    scopes: options.scopes,
    user: () => running.user,
    keys: () => keys.flatMap(({ jwks }) => jwks.keys),
  }
  listener = createListener(approving, deps, async (request, response) => {
    const seen = await note(request)
    requests.push(seen)
    const failure = failures.get(endpointOf(seen.path))
    if (failure !== undefined) fail(failure, response)
    return failure !== undefined
  })
  return running
}

/** @param isBroken sees every request first, and says whether it was answered */
function createListener(
  approving: ApprovingServer,
  deps: Deps,
  isBroken: (request: NodeRequest, response: ServerResponse) => Promise<boolean>,
): RequestListener {
  const { approvals } = approving
  const handler = mcpAuth(
    {
      routes: approvingRoutes(approving),
      requiredScopes: ['openid'],
      verifyToken(token) {
        const claims = approvals.find(token)
        return claims === undefined ? null : readAccessToken(structuredClone(claims), token)
      },
    },
    // Nobody but userinfo is asked for a token; what happens here is not for the events of the app under test.
    { protect: '/userinfo', rateLimit: false, onEvent: () => undefined, deps },
  )
  const answer = (request: NodeRequest, response: ServerResponse): void => {
    handler(request, response, () => {
      const claims = userinfoOf(request, approving)
      response.writeHead(claims === undefined ? 404 : 200, { 'Content-Type': 'application/json' })
      response.end(JSON.stringify(claims ?? { error: 'not_found' }))
    })
  }
  return (request, response) => {
    isBroken(request, response).then(
      (broken) => {
        if (!broken) answer(request, response)
      },
      // Whoever asked is gone.
      () => response.destroy(),
    )
  }
}

/** Reads the whole request, and leaves its body where the routes look for it. */
async function note(request: NodeRequest): Promise<SeenRequest> {
  const chunks: Buffer[] = []
  for await (const chunk of request as IncomingMessage & AsyncIterable<Buffer>) chunks.push(chunk)
  const body = Buffer.concat(chunks)
  if (body.length > 0) request.body = body
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://127.0.0.1')
  const { authorization, 'content-type': type = '' } = request.headers
  const isForm = type.startsWith('application/x-www-form-urlencoded')
  return {
    method: request.method ?? 'GET',
    path: pathname,
    query: Object.fromEntries(searchParams),
    authorization,
    form: isForm ? Object.fromEntries(new URLSearchParams(body.toString())) : {},
  }
}

function endpointOf(path: string): TestIdentityProviderEndpoint {
  if (path === '/.well-known/jwks.json') return 'jwks'
  return path.startsWith('/.well-known/') ? 'discovery' : (path.slice(1) as TestIdentityProviderEndpoint)
}

function fail(failure: TestIdentityProviderFailure, response: ServerResponse): void {
  if (failure === 'reset') response.destroy()
  else if (failure !== 'hang') {
    response.writeHead(failure, { 'Content-Type': 'application/json' })
    response.end('{"error":"server_error","error_description":"Broken for a test"}')
  }
}

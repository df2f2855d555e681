// A guarded app that is its own authorization server, with a clock that tests move, and the requests of its clients.
import { createHash, randomBytes } from 'node:crypto'
import { type McpAuthOptions, OAuthProvider, type OAuthProviderOptions } from 'express-mcp-auth'
import { type TestClock, testClock } from 'express-mcp-auth/testing'
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import { Browser } from './browser-session.js'
import { type Site, startServer, startSite } from './site.js'

export const SECRET = 'a secret of thirty-two bytes or more, for tests'
export const REDIRECT_URI = 'http://127.0.0.1:33418/callback'

/** Whom the built-in page lets in: anybody whose password is the user name with an exclamation mark. */
export const signIn = {
  verifyCredentials: (username: string, password: string) =>
    password === `${username}!` ? { subject: `id-${username}`, name: username } : null,
}

/** A running authorization server. */
export interface AuthorizationSite extends Site {
  readonly provider: OAuthProvider
  readonly store: NonNullable<OAuthProviderOptions['store']>
  readonly clock: TestClock
  readonly issuer: string
  /** Sends a form to an endpoint, e.g. `/token`. */
  post(path: string, form: Form, headers?: Record<string, string>): Promise<Answer>
  /** Registers a client and returns its metadata. */
  register(metadata?: Record<string, unknown>): Promise<Registered>
  /** A new browser without cookies. */
  browser(): Browser
  /** Signs in, allows, and returns what the client gets back. */
  authorize(client: Registered, more?: Record<string, string>, username?: string): Promise<Authorized>
  /** The whole way to tokens. */
  signIn(client: Registered, more?: Record<string, string>, username?: string): Promise<Tokens>
  /** Calls the guarded endpoint. */
  call(accessToken: string): Promise<Response>
}

export type Form = Readonly<Record<string, string>> | readonly (readonly [string, string])[]

export interface Answer {
  readonly status: number
  readonly headers: Headers
  /** Parsed, or text where it is no JSON. */
  readonly body: unknown
}

export interface Registered {
  readonly client_id: string
  readonly client_secret?: string
  readonly [name: string]: unknown
}

export interface Authorized {
  readonly code: string
  readonly verifier: string
  readonly params: URLSearchParams
}

export interface Tokens {
  readonly access_token: string
  readonly refresh_token: string
  readonly expires_in: number
  readonly scope: string
}

/** A verifier and its challenge (RFC 7636 4.1). */
export function pkce(): { readonly verifier: string; readonly challenge: string } {
  const verifier = randomBytes(32).toString('base64url')
  return { verifier, challenge: createHash('sha256').update(verifier).digest('base64url') }
}

/** Starts one on a free port; `baseUrl` follows from the port. `path` is that of the base URL. */
export async function startAuthorizationSite(
  options: Partial<OAuthProviderOptions> & { readonly path?: string } = {},
  guard: McpAuthOptions = {},
): Promise<AuthorizationSite> {
  const { path = '', ...rest } = options
  const clock = testClock()
  const store = rest.store ?? new MemoryStore({ deps: clock })
  const port = await reservePort()
  const baseUrl = rest.baseUrl ?? `http://127.0.0.1:${port}${path}`
  const provider = new OAuthProvider({
    baseUrl,
    secret: SECRET,
    signIn,
    scopesSupported: ['notes:read', 'notes:write'],
    deps: clock,
    ...rest,
    store,
  })
  const site = await startSite(provider, { deps: clock, rateLimit: false, ...guard }, undefined, port)
  return { ...site, ...clientsOf(site.url, baseUrl), provider, store, clock, issuer: rest.issuer ?? baseUrl }
}

export async function reservePort(): Promise<number> {
  const server = await startServer(() => undefined)
  await server.close()
  return Number(new URL(server.url).port)
}

export type ClientRequests = Pick<
  AuthorizationSite,
  'post' | 'register' | 'browser' | 'authorize' | 'signIn' | 'call'
>

/** The requests of clients to a server at a base URL, which is served at `url`. */
export function clientsOf(url: string, baseUrl: string = url): ClientRequests {
  const base = url + new URL(baseUrl).pathname.replace(/\/$/, '')
  const requests: ClientRequests = {
    async post(path, form, headers = {}) {
      const body = new URLSearchParams(form as Record<string, string>)
      return answerOf(await fetch(base + path, { method: 'POST', body, headers, redirect: 'manual' }))
    },
    async register(metadata = {}) {
      const body = JSON.stringify({
        client_name: 'Test client',
        redirect_uris: [REDIRECT_URI],
        token_endpoint_auth_method: 'none',
        ...metadata,
      })
      const headers = { 'content-type': 'application/json' }
      const { status, body: answer } = await answerOf(
        await fetch(`${base}/register`, { method: 'POST', body, headers }),
      )
      if (status !== 201) throw new Error(`registration: ${status} ${JSON.stringify(answer)}`)
      return answer as Registered
    },
    browser: () => new Browser(),
    async authorize(client, more = {}, username = 'ada') {
      const { verifier, challenge } = pkce()
      const start = authorizationUrl(base, client.client_id, challenge, more)
      const { redirect_uri: redirectUri = REDIRECT_URI } = more
      const back = await requests.browser().grant(start, redirectUri, username)
      const params = back.searchParams
      const code = params.get('code')
      if (code === null) throw new Error(`no code: ${back.href}`)
      return { code, verifier, params }
    },
    async signIn(client, more = {}, username = 'ada') {
      const { code, verifier } = await requests.authorize(client, more, username)
      const form = {
        grant_type: 'authorization_code',
        client_id: client.client_id,
        code,
        code_verifier: verifier,
      }
      const secret = client.client_secret
      const { status, body } = await requests.post(
        '/token',
        secret === undefined || client['token_endpoint_auth_method'] === 'client_secret_basic'
          ? form
          : { ...form, client_secret: secret },
        secret !== undefined && client['token_endpoint_auth_method'] === 'client_secret_basic'
          ? { authorization: `Basic ${Buffer.from(`${client.client_id}:${secret}`).toString('base64')}` }
          : {},
      )
      if (status !== 200) throw new Error(`token: ${status} ${JSON.stringify(body)}`)
      return body as Tokens
    },
    call: (accessToken) => fetch(`${url}/mcp`, { headers: { authorization: `Bearer ${accessToken}` } }),
  }
  return requests
}

/** An authorization request with nothing wrong in it. */
export function authorizationUrl(
  base: string,
  clientId: string,
  challenge: string,
  more: Record<string, string> = {},
): URL {
  const url = new URL(`${base}/authorize`)
  const ordinary = {
    response_type: 'code',
    client_id: clientId,
    redirect_uri: REDIRECT_URI,
    code_challenge: challenge,
    code_challenge_method: 'S256',
    state: 'a state',
  }
  for (const [name, value] of Object.entries({ ...ordinary, ...more })) url.searchParams.set(name, value)
  return url
}

export async function answerOf(response: Response): Promise<Answer> {
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.startsWith('application/json') === true
  return {
    status: response.status,
    headers: response.headers,
    body: isJson ? (JSON.parse(text) as unknown) : text,
  }
}

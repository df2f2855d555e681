// An authorization server without HTTP: its parts are called as the endpoints call them.
import { type AuthEvent, OAuthProvider, type OAuthProviderOptions } from 'express-mcp-auth'
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import { type TestClock, testClock } from 'express-mcp-auth/testing'
import { exchangeCode } from '../../lib/authorization-server/code.js'
import { beginGrant } from '../../lib/authorization-server/begin-grant.js'
import type { TokenAnswer } from '../../lib/authorization-server/issue.js'
import type { AuthorizationRequest, Client, User } from '../../lib/authorization-server/records.js'
import { refresh } from '../../lib/authorization-server/refresh.js'
import type { AuthorizationServer } from '../../lib/authorization-server/server.js'
import { OAuthError } from '../../lib/protocol/errors.js'
import { type Parameters, parseParameters } from '../../lib/protocol/parameters.js'
import { digest } from '../../lib/runtime/digest.js'
import { REDIRECT_URI, SECRET, pkce, signIn } from './authorization-server.js'
import { HookedStore } from './hooked-store.js'

export const BASE_URL = 'https://api.example.com'

/** What a collection of the server at an issuer is called in its store. */
export const collectionOf = (name: string, issuer = BASE_URL): string =>
  `${digest(issuer).slice(0, 12)}.${name}`

export const ADA: User = { subject: 'ada', name: 'Ada', claims: { email: 'ada@example.com' } }

/** A public client that may do what apps do. */
export const APP: Client = {
  clientId: 'app',
  origin: 'configured',
  name: 'App',
  redirectUris: [REDIRECT_URI],
  grantTypes: ['authorization_code', 'refresh_token'],
  authMethods: ['none'],
}

export interface TestServer {
  readonly server: AuthorizationServer
  readonly store: HookedStore
  readonly clock: TestClock
  readonly events: AuthEvent[]
  readonly report: (event: AuthEvent) => void
  /** A grant that waits for its code to be used. */
  begin(more?: {
    readonly client?: Client
    readonly user?: User
    readonly scopes?: readonly string[]
    readonly request?: Partial<AuthorizationRequest>
  }): Promise<{ readonly grantId: string; readonly code: string; readonly verifier: string }>
  /** The whole way to tokens. */
  tokens(client?: Client): Promise<TokenAnswer & { readonly refresh_token: string; readonly grantId: string }>
  exchange(code: string, verifier: string, client?: Client): Promise<TokenAnswer>
  refresh(token: string, more?: Record<string, string>, client?: Client): Promise<TokenAnswer>
}

export function createServer(options: Partial<OAuthProviderOptions> = {}): TestServer {
  const clock = testClock(1_700_000_000_000)
  const store = new HookedStore(options.store ?? new MemoryStore({ deps: clock }))
  const { authorizationServer: server } = new OAuthProvider({
    baseUrl: BASE_URL,
    secret: SECRET,
    signIn,
    scopesSupported: ['read', 'write'],
    deps: clock,
    clients: [{ clientId: 'app', redirectUris: [REDIRECT_URI] }],
    ...options,
    store,
  })
  const events: AuthEvent[] = []
  const report = (event: AuthEvent): void => void events.push(event)
  const test: TestServer = {
    server,
    store,
    clock,
    events,
    report,
    async begin({ client = APP, user = ADA, scopes = ['read', 'write'], request = {} } = {}) {
      const { verifier, challenge } = pkce()
      const grantId = server.deps.randomId()
      const asked: AuthorizationRequest = {
        clientId: client.clientId,
        redirectUri: REDIRECT_URI,
        scopes,
        challenge,
        ...request,
      }
      const code = await beginGrant({ client, request: asked, user, scopes }, grantId, server, report)
      return { grantId, code, verifier }
    },
    async tokens(client = APP) {
      const { grantId, code, verifier } = await test.begin({ client })
      const answer = await test.exchange(code, verifier, client)
      return { ...answer, refresh_token: String(answer.refresh_token), grantId }
    },
    exchange: (code, verifier, client = APP) =>
      exchangeCode(parametersOf({ code, code_verifier: verifier }), client, server, report),
    refresh: (token, more = {}, client = APP) =>
      refresh(parametersOf({ refresh_token: token, ...more }), client, server, report),
  }
  return test
}

export function parametersOf(form: Readonly<Record<string, string>>): Parameters {
  return parseParameters(new URLSearchParams(form).toString())
}

/** The refusal that work ends with: its code, and why, as operators are told. */
export async function refusal(work: Promise<unknown>): Promise<readonly [string, string | undefined]> {
  const outcome = await work.then(
    (value: unknown) => new Error(`no refusal: ${JSON.stringify(value)}`),
    (error: unknown) => error,
  )
  if (outcome instanceof OAuthError) return [outcome.code, outcome.detail]
  throw outcome as Error
}

// An authorization server in front of an identity provider, without HTTP on either side: its parts are called as the endpoints call them.
import type { AuthEvent } from 'express-mcp-auth'
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import { type TestClock, testClock } from 'express-mcp-auth/testing'
import { type Arrived, arrive } from '../../lib/authorization-server/arrival.js'
import { exchangeCode } from '../../lib/authorization-server/code.js'
import type { TokenAnswer } from '../../lib/authorization-server/issue.js'
import type { AuthorizationRequest, Client, GrantRecord } from '../../lib/authorization-server/records.js'
import { refresh } from '../../lib/authorization-server/refresh.js'
import type { AuthorizationServer } from '../../lib/authorization-server/server.js'
import { beginTransaction } from '../../lib/authorization-server/transaction.js'
import { type Departure, beginTrip, findTrip, planTrip } from '../../lib/authorization-server/trip.js'
import { OptionReader } from '../../lib/protocol/options.js'
import {
  AUTHORIZATION_SERVER_OPTIONS,
  type AuthorizationServerOptions,
  buildServer,
} from '../../lib/providers/authorization-server-options.js'
import type { Stored } from '../../lib/stores/collection.js'
import { REDIRECT_URI, SECRET, pkce } from './authorization-server.js'
import { HookedStore } from './hooked-store.js'
import { APP, BASE_URL, parametersOf } from './server.js'
import { UpstreamDouble } from './upstream-double.js'

export interface ProxyServerOptions extends Partial<Omit<AuthorizationServerOptions, 'consent'>> {
  readonly consent?: 'always' | 'remember' | 'external' | false
  readonly clock?: TestClock
  readonly upstream?: UpstreamDouble
  readonly isActive?: (subject: string) => boolean
}

/** Somebody on their way, and what their client goes on with. */
export interface Underway extends Departure {
  readonly transaction: string
  readonly verifier: string
}

export interface ProxyServer {
  readonly server: AuthorizationServer
  readonly upstream: UpstreamDouble
  readonly store: HookedStore
  readonly clock: TestClock
  readonly events: AuthEvent[]
  readonly report: (event: AuthEvent) => void
  /** Another process with the same store, clock and identity provider. */
  replica(options?: ProxyServerOptions): ProxyServer
  /** Somebody agreed, just now or before, and leaves. */
  depart(request?: Partial<AuthorizationRequest>, asked?: boolean): Promise<Underway>
  /** Somebody comes back, with a code where nothing else is said; undefined where nobody is on that way. */
  arrive(state: string, callback?: Record<string, string>): Promise<Arrived | undefined>
  /** A grant that waits for its code to be used. */
  begin(request?: Partial<AuthorizationRequest>): Promise<{
    readonly grantId: string
    readonly code: string
    readonly verifier: string
  }>
  /** The whole way to tokens. */
  tokens(
    request?: Partial<AuthorizationRequest>,
  ): Promise<TokenAnswer & { readonly refresh_token: string; readonly grantId: string }>
  exchange(code: string, verifier: string, client?: Client): Promise<TokenAnswer>
  refresh(token: string, more?: Record<string, string>): Promise<TokenAnswer>
  grantOf(grantId: string): Promise<Stored<GrantRecord>>
}

export function createProxyServer({
  clock = testClock(1_700_000_000_000),
  upstream = new UpstreamDouble(clock),
  isActive,
  ...options
}: ProxyServerOptions = {}): ProxyServer {
  const store = new HookedStore(options.store ?? new MemoryStore({ deps: clock }))
  const given = {
    baseUrl: BASE_URL,
    secret: SECRET,
    scopesSupported: ['read', 'write'],
    deps: clock,
    clients: [{ clientId: 'app', redirectUris: [REDIRECT_URI] }],
    ...options,
    store,
  }
  const read = new OptionReader('A proxy', given, AUTHORIZATION_SERVER_OPTIONS)
  const { server } = buildServer(read, { upstream, ...(isActive !== undefined && { isActive }) })
  const events: AuthEvent[] = []
  const report = (event: AuthEvent): void => void events.push(event)
  const test: ProxyServer = {
    server,
    upstream,
    store,
    clock,
    events,
    report,
    replica: (more = {}) => createProxyServer({ clock, upstream, ...options, store, ...more }),
    async depart(more = {}, asked = true) {
      const { verifier, challenge } = pkce()
      const request: AuthorizationRequest = {
        clientId: 'app',
        redirectUri: REDIRECT_URI,
        scopes: ['read', 'write'],
        challenge,
        ...more,
      }
      const transaction = await beginTransaction(request, 'a browser', 'user', server)
      const plan = planTrip(transaction, request, { scopes: request.scopes, asked }, server)
      return { ...(await beginTrip(plan, server, report)), transaction, verifier }
    },
    async arrive(state, callback = { code: `upstream-code-of-${state}` }) {
      const trip = await findTrip(state, server)
      return trip && arrive(trip, new URLSearchParams({ state, ...callback }), server, report)
    },
    async begin(request) {
      const { state, verifier } = await test.depart(request)
      const { code } = answerOf(await test.arrive(state))
      if (code === undefined) throw new Error('nobody was let in')
      return { grantId: code.slice(0, 24), code, verifier }
    },
    async tokens(request) {
      const { grantId, code, verifier } = await test.begin(request)
      const answer = await test.exchange(code, verifier)
      return { ...answer, refresh_token: String(answer.refresh_token), grantId }
    },
    exchange: (code, verifier, client = APP) =>
      exchangeCode(parametersOf({ code, code_verifier: verifier }), client, server, report),
    refresh: (token, more = {}) =>
      refresh(parametersOf({ refresh_token: token, ...more }), APP, server, report),
    async grantOf(grantId) {
      const grant = await server.grants.get(grantId)
      if (grant === undefined) throw new Error('there is no such grant')
      return grant
    },
  }
  return test
}

/** What a client gets back. */
export function answerOf(arrived: Arrived | undefined): Readonly<Record<string, string>> {
  if (arrived === undefined || !('sendTo' in arrived)) {
    throw new Error(`nobody is sent to the client: ${JSON.stringify(arrived)}`)
  }
  return Object.fromEntries(new URL(arrived.sendTo).searchParams)
}

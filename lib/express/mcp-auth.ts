// One handler for app.use(): serves what the provider publishes, guards everything else, tells the app who calls.
import type { ServerResponse } from 'node:http'
import { Guard } from '../http/guard.js'
import { notFound } from '../http/respond.js'
import { type RouteTable, buildRoutes, findRoute } from '../http/routes.js'
import type { SessionBindingOptions, SessionBindings } from '../http/sessions.js'
import type { Allowed, Verdict } from '../http/verdicts.js'
import { ConfigError } from '../protocol/errors.js'
import { OptionReader } from '../protocol/options.js'
import type { ScopeImplies } from '../protocol/scopes.js'
import { type ToolScopeRules, type ToolScopes, parseToolScopes } from '../protocol/tool-scopes.js'
import { isDiscoveryPath } from '../protocol/well-known.js'
import { type AuthProvider, type ProviderLike, toProvider } from '../providers/provider.js'
import { type Deps, createDeps } from '../runtime/deps.js'
import { type AuthEvent, type EventListener, type Reporter, createReporter } from '../runtime/events.js'
import { type AuthHandler, type Next, type NodeRequest, allowReading, preflight, send } from './adapter.js'
import { hasBody } from './body.js'
import { getAccessToken, runAs, setCaller } from './context.js'
import { type RateLimitOptions, createLimiters, hintAtProxy, parseRateLimit } from './limits.js'
import { type PathTest, parseProtect, pathOfRequest } from './paths.js'
import { type RouteSite, serve } from './serve.js'
import { mayUseSession, parseSessionBinding } from './sessions.js'
import { checkToolScopes } from './tool-scopes.js'

/** Options of {@link mcpAuth}. */
export interface McpAuthOptions {
  /** Paths to guard, with all below them; the rest stays open. Default: everything that reaches the handler. */
  readonly protect?: string | readonly string[]
  /** Lets requests without credentials through, with `req.auth` undefined. Bad credentials are still refused. Default: false. */
  readonly optional?: boolean
  /** Scopes by tool, resource, prompt and method; less is answered 403 before anything runs. */
  readonly toolScopes?: ToolScopes
  /** Whether holding one scope includes another, wherever scopes are compared. */
  readonly scopeImplies?: ScopeImplies
  /** Refuses a session ID in the hands of anybody but who opened the session. Default: true. */
  readonly bindSessions?: boolean | SessionBindingOptions
  /** Origins whose pages may call, e.g. `https://app.example.com`; others get 403. Default: any, as no credential is ambient. */
  readonly allowedOrigins?: readonly string[]
  /** Answers browsers' preflights and lets pages read answers. Default: true. */
  readonly cors?: boolean
  /** Limits for the provider's OAuth endpoints, by address, each with a default of its own. False for none. */
  readonly rateLimit?: false | RateLimitOptions
  /** How long a verifier may take; then the caller gets 503. Default: 10. */
  readonly deadlineSeconds?: number
  /** Receives events. Without it, hints are printed as process warnings. */
  readonly onEvent?: EventListener
  /** Clock and timers, for tests. */
  readonly deps?: Partial<Deps>
}

const OPTIONS = [
  'protect', 'optional', 'toolScopes', 'scopeImplies', 'bindSessions', 'allowedOrigins', 'cors', 'rateLimit',
  'deadlineSeconds', 'onEvent', 'deps',
] as const // prettier-ignore

/**
 * Guards an Express app, or one of connect or node:http. Use it at the root, before the routes that it is to guard.
 *
 * @param provider who may call: a verifier, a provider, or any object with `verifyToken(token)`
 * @throws ConfigError where the provider or an option cannot be right
 * @example
 * app.use(mcpAuth(provider))
 * app.post('/mcp', handleMcp) // req.auth is set
 */
export function mcpAuth(provider: ProviderLike, options: McpAuthOptions = {}): AuthHandler {
  checkCalled(provider)
  const checked = toProvider(provider)
  const site = createSite(checked, options)
  tellAtStart(checked, site.reporter)
  return function mcpAuthHandler(request, response, next) {
    const misplaced = refuseMount(request)
    if (misplaced === undefined) handle(site, request, response, next)
    else next(misplaced)
  }
}

/** Everything that one handler needs, settled before the first request. */
interface Site extends RouteSite {
  readonly guard: Guard
  readonly routes: RouteTable
  readonly isGuarded: PathTest
  /** Whether other guards or open routes may stand behind this one. */
  readonly partial: boolean
  readonly allowedOrigins: ReadonlySet<string> | undefined
  readonly sessions: SessionBindings | undefined
  readonly toolScopes: ToolScopeRules | undefined
}

function createSite(provider: AuthProvider, options: McpAuthOptions): Site {
  const read = new OptionReader('mcpAuth', options, OPTIONS)
  const reporter = createReporter(read.callback<EventListener>('onEvent'))
  const routes = buildRoutes(provider)
  const deps = createDeps(options.deps)
  const deadlineSeconds = read.seconds('deadlineSeconds', 10)
  if (deadlineSeconds === 0) throw read.invalid('deadlineSeconds', 'more than 0')

  return {
    guard: new Guard(provider, {
      optional: read.flag('optional'),
      scopeImplies: read.callback<ScopeImplies>('scopeImplies'),
      deadlineSeconds,
      reporter,
      deps,
    }),
    routes,
    isGuarded: parseProtect(read.raw('protect')),
    partial: read.has('protect'),
    cors: read.flag('cors', true),
    allowedOrigins: parseOrigins(read),
    sessions: parseSessionBinding(read.raw('bindSessions')),
    toolScopes: read.has('toolScopes') ? parseToolScopes('toolScopes', read.raw('toolScopes')) : undefined,
    limiters: createLimiters(parseRateLimit(read.raw('rateLimit')), routes.exact.values(), reporter, deps),
    reporter,
    deps,
  }
}

/** As browsers write them, and nothing else, since nothing else would ever match. */
function parseOrigins(read: OptionReader): ReadonlySet<string> | undefined {
  const origins = read.texts('allowedOrigins')
  const odd = origins?.find((origin) => !URL.canParse(origin) || new URL(origin).origin !== origin)
  if (odd === undefined) return origins && new Set(origins)
  throw read.invalid(
    'allowedOrigins',
    `made of origins such as "https://app.example.com", not ${JSON.stringify(odd)}`,
  )
}

/** `app.use(mcpAuth)` makes Express call it with a request: caught here, else every request would hang. */
function checkCalled(provider: unknown): void {
  if (typeof provider !== 'object' || provider === null || !('headers' in provider && 'method' in provider))
    return
  throw new ConfigError(
    'ERR_MCP_AUTH_NOT_CALLED',
    'app.use(mcpAuth) passes the function itself: write app.use(mcpAuth(provider))',
  )
}

function tellAtStart(provider: AuthProvider, reporter: Reporter): void {
  for (const notice of provider.notices ?? []) reporter.report(notice)
  if (provider.dangerouslyAllowInsecureHttp === true) reporter.report(INSECURE_HTTP)
  if (provider.authorizationServers !== undefined || provider.authenticate !== undefined) return
  reporter.hint(
    'no_discovery',
    'this guard tells clients nothing about where to get a token: wrap the verifier, new RemoteAuthProvider({ baseUrl, ' +
      'authorizationServers, tokenVerifier }), unless all clients are configured with one',
  )
}

const INSECURE_HTTP: AuthEvent = {
  type: 'danger',
  option: 'dangerouslyAllowInsecureHttp',
  message:
    'tokens may travel by http, where everybody on the way can read them (dangerouslyAllowInsecureHttp)',
}

function handle(site: Site, request: NodeRequest, response: ServerResponse, next: Next): void {
  const path = pathOfRequest(request)
  if (path === undefined) {
    send(
      request,
      response,
      site.guard.verdicts.badRequest(request, 400, 'The request target is not a URL').response,
    )
    return
  }
  const route = findRoute(site.routes, path)
  if (route !== undefined) serve(site, route, request, response)
  else if (site.isGuarded(path, request.url ?? path)) guardPath(site, path, request, response, next)
  else next()
}

function guardPath(
  site: Site,
  path: string,
  request: NodeRequest,
  response: ServerResponse,
  next: Next,
): void {
  const { origin } = request.headers
  if (site.cors && origin !== undefined) allowReading(response)
  if (site.allowedOrigins !== undefined && origin !== undefined && !site.allowedOrigins.has(origin)) {
    send(request, response, site.guard.verdicts.foreignOrigin(request).response)
    return
  }
  if (request.method === 'OPTIONS' && request.headers.authorization === undefined) {
    send(request, response, site.cors ? preflight(request) : { status: 204, headers: {} })
    return
  }
  // A client that probes for metadata reads 401 as "there is some": what is not here must be 404.
  if (isDiscoveryPath(path) && !site.partial) {
    send(request, response, notFound())
    return
  }
  const verdict = site.guard.check(request)
  if (verdict instanceof Promise) {
    void verdict.then((settled) => {
      settle(site, settled, request, response, next)
    }, next)
  } else settle(site, verdict, request, response, next)
}

function settle(
  site: Site,
  verdict: Verdict,
  request: NodeRequest,
  response: ServerResponse,
  next: Next,
): void {
  if (!admit(site, verdict, request, response, next)) return
  const { toolScopes } = site
  const token = getAccessToken(request)
  // Outside of anything that catches: what the app throws is the app's, and nothing may run it twice.
  if (toolScopes === undefined || !hasBody(request)) runAs(token, next)
  else {
    checkToolScopes(site.guard, toolScopes, request, token, (outcome) => {
      if (outcome instanceof Error) next(outcome)
      else if (!('response' in outcome) || admit(site, outcome, request, response, next)) runAs(token, next)
    })
  }
}

/** Writes the answer of a refusal, or notes the caller. True where the request may go on. */
function admit(
  site: Site,
  verdict: Verdict,
  request: NodeRequest,
  response: ServerResponse,
  next: Next,
): boolean {
  try {
    const outcome = 'response' in verdict ? verdict : checkSession(site, verdict, request, response)
    if ('response' in outcome) {
      if (site.cors) allowReading(response)
      hintAtProxy(site.reporter, request)
      send(request, response, outcome.response)
      return false
    }
    setCaller(request, outcome.token, site.guard)
    return true
  } catch (error) {
    next(error)
    return false
  }
}

function checkSession(
  { sessions, guard }: Site,
  allowed: Allowed,
  request: NodeRequest,
  response: ServerResponse,
): Verdict {
  if (sessions === undefined || mayUseSession(sessions, request, response, allowed.token)) return allowed
  return guard.verdicts.foreignSession(request, allowed.token)
}

/** Below a path the well-known documents would not be where clients look for them. */
function refuseMount(request: NodeRequest): ConfigError | undefined {
  const mounted = mountPath(request)
  if (mounted === '') return undefined
  return new ConfigError(
    'ERR_MCP_AUTH_MOUNT',
    `mcpAuth is mounted at ${JSON.stringify(mounted)}, where clients do not look for its metadata. Mount it at the root and ` +
      `name the path instead: app.use(mcpAuth(provider, { protect: ${JSON.stringify(mounted)} }))`,
  )
}

/** Express says it; connect shortens `url`, keeps the original, and leaves at least a slash. */
function mountPath({ baseUrl, originalUrl, url = '' }: NodeRequest): string {
  if (baseUrl !== undefined) return baseUrl
  if (originalUrl === undefined || originalUrl === url) return ''
  const rest = url === '/' || url.startsWith('/?') ? url.slice(1) : url
  return originalUrl.endsWith(rest) ? originalUrl.slice(0, originalUrl.length - rest.length) : ''
}

// What a provider serves, found by path alone, so that a request to the MCP endpoint walks no list.
import { ConfigError } from '../protocol/errors.js'
import type { AuthRequest, AuthResponse } from '../protocol/message.js'
import type { Route, RouteContext } from '../runtime/route.js'
import type { AuthProvider } from '../providers/provider.js'
import { authorizationServerRoutes } from './authorization-server.js'
import { metadataRoutes } from './metadata.js'
import { methodNotAllowed } from './respond.js'

/** Routes by exact path, and the few that serve what lies below theirs, the longest path first. */
export interface RouteTable {
  readonly exact: ReadonlyMap<string, Route>
  readonly below: readonly { readonly start: string; readonly route: Route }[]
}

/** All routes that the present fields of a provider imply, and its own. */
export function buildRoutes(provider: AuthProvider): RouteTable {
  const exact = new Map<string, Route>()
  for (const route of routesOf(provider)) {
    checkPath(route)
    if (!exact.has(route.path)) exact.set(route.path, route)
  }
  const below = [...exact.values()]
    .filter((route) => route.below === true)
    .map((route) => ({ start: `${withoutSlash(route.path)}/`, route }))
    .toSorted((one, other) => other.start.length - one.start.length)
  return { exact, below }
}

function checkPath({ path, below }: Route): void {
  if (!path.startsWith('/')) throw invalid(`must begin with "/": ${JSON.stringify(path)}`)
  if (below === true && withoutSlash(path) === '') {
    throw invalid('cannot serve everything below "/": nothing would be left to guard')
  }
}

function invalid(problem: string): ConfigError {
  return new ConfigError('ERR_MCP_AUTH_INVALID_PROVIDER', `a route of the provider ${problem}`)
}

function routesOf(provider: AuthProvider): Route[] {
  const { authorizationServer, routes = [] } = provider
  const ours = authorizationServer === undefined ? [] : authorizationServerRoutes(authorizationServer)
  return [...metadataRoutes(provider), ...ours, ...routes]
}

/** The route of a path; one slash at its end makes no difference. */
export function findRoute({ exact, below }: RouteTable, path: string): Route | undefined {
  const route = exact.get(path)
  if (route !== undefined) return route
  const unslashed = path.endsWith('/') ? exact.get(path.slice(0, -1)) : undefined
  if (unslashed !== undefined || below.length === 0) return unslashed
  return below.find(({ start }) => path.startsWith(start))?.route
}

function withoutSlash(path: string): string {
  return path.endsWith('/') ? path.slice(0, -1) : path
}

/** Every method that a route answers. */
export function methodsOf(route: Route): string[] {
  return [...route.methods, ...(route.methods.includes('GET') ? ['HEAD'] : []), 'OPTIONS']
}

/** The refusal of a method that a route does not answer. */
export function refuseMethod(route: Route, { method = 'GET' }: AuthRequest): AuthResponse | undefined {
  const known = (route.methods as readonly string[]).includes(method === 'HEAD' ? 'GET' : method)
  return known ? undefined : methodNotAllowed(methodsOf(route))
}

/** Answers a request to a route. */
export function handleRoute(
  route: Route,
  request: AuthRequest,
  context: RouteContext,
): AuthResponse | Promise<AuthResponse> {
  return refuseMethod(route, request) ?? route.handle(request, context)
}

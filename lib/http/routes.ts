// What a provider serves, found by path alone, so that a request to the MCP endpoint walks no list.
import { ConfigError } from '../protocol/errors.js'
import type { AuthRequest, AuthResponse } from '../protocol/message.js'
import type { Route, RouteContext } from '../runtime/route.js'
import type { AuthProvider } from '../providers/provider.js'
import { metadataRoutes } from './metadata.js'
import { methodNotAllowed } from './respond.js'

/** Routes by exact path. */
export type RouteTable = ReadonlyMap<string, Route>

/** All routes that the present fields of a provider imply, and its own. */
export function buildRoutes(provider: AuthProvider): RouteTable {
  const table = new Map<string, Route>()
  for (const route of [...metadataRoutes(provider), ...(provider.routes ?? [])]) {
    if (!route.path.startsWith('/')) {
      throw new ConfigError(
        'ERR_MCP_AUTH_INVALID_PROVIDER',
        `a route of the provider must begin with "/": ${JSON.stringify(route.path)}`,
      )
    }
    if (!table.has(route.path)) table.set(route.path, route)
  }
  return table
}

/** The route of a path; one slash at its end makes no difference. */
export function findRoute(table: RouteTable, path: string): Route | undefined {
  const route = table.get(path)
  return route === undefined && path.endsWith('/') ? table.get(path.slice(0, -1)) : route
}

/** Every method that a route answers. */
export function methodsOf(route: Route): string[] {
  return [...route.methods, ...(route.methods.includes('GET') ? ['HEAD'] : []), 'OPTIONS']
}

/** Answers a request to a route. */
export function handleRoute(
  route: Route,
  request: AuthRequest,
  context: RouteContext,
): AuthResponse | Promise<AuthResponse> {
  const methods = methodsOf(route)
  return methods.includes(request.method ?? 'GET') ? route.handle(request, context) : methodNotAllowed(methods)
}

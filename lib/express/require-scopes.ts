// Scopes that one route needs beyond those of every request.
import { Guard } from '../http/guard.js'
import { ConfigError } from '../protocol/errors.js'
import { isScope } from '../protocol/scopes.js'
import { createDeps } from '../runtime/deps.js'
import { createReporter } from '../runtime/events.js'
import { type AuthHandler, type NodeRequest, send } from './adapter.js'
import { getAccessToken, guardOf } from './context.js'

/** One of several scopes is enough. */
export interface AnyOf {
  readonly anyOf: readonly string[]
}

/**
 * A route guard: 403 naming the scopes where the caller's token lacks them, 401 where there is no caller. Place it behind `mcpAuth`.
 *
 * @throws ConfigError where no scope is named
 * @example
 * app.delete('/admin', requireScopes('admin'), handler)
 * app.get('/report', requireScopes({ anyOf: ['report:read', 'admin'] }), handler)
 */
export function requireScopes(...scopes: readonly string[] | readonly [AnyOf]): AuthHandler {
  const { names, mode } = parseScopeNeed(scopes)
  return function requireScopesHandler(request, response, next) {
    const verdict = requireGuard(request).checkScopes(request, getAccessToken(request), names, mode)
    if ('response' in verdict) send(request, response, verdict.response)
    else next()
  }
}

interface ScopeNeed {
  readonly names: readonly string[]
  readonly mode: 'all' | 'any'
}

function parseScopeNeed(scopes: readonly unknown[]): ScopeNeed {
  const [first] = scopes
  const any = scopes.length === 1 && typeof first === 'object' && first !== null
  const names: unknown = any ? (first as Partial<AnyOf>).anyOf : scopes
  const wellFormed =
    Array.isArray(names) && names.every((scope) => typeof scope === 'string' && isScope(scope))
  if (wellFormed && names.length > 0) return { names: [...(names as string[])], mode: any ? 'any' : 'all' }
  throw new ConfigError(
    'ERR_MCP_AUTH_INVALID_OPTION',
    'requireScopes needs at least one scope: requireScopes("notes:write"), or requireScopes({ anyOf: ["a", "b"] })',
  )
}

/** The guard that a request passed; without one nobody is let through, and the answer is a bare 401. */
export function requireGuard(request: NodeRequest): Guard {
  return guardOf(request) ?? unguarded
}

const unguarded = new Guard(
  { verifyToken: () => null },
  {
    optional: false,
    scopeImplies: undefined,
    deadlineSeconds: 1,
    reporter: createReporter(),
    deps: createDeps(),
  },
)

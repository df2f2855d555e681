// Scopes by tool, held against the JSON-RPC body before anything of it runs (MCP 2026-07-28, runtime insufficient scope errors).
import type { Guard } from '../http/guard.js'
import type { Verdict } from '../http/verdicts.js'
import { type ToolScopeRules, type ToolScopes, parseToolScopes } from '../protocol/tool-scopes.js'
import type { AccessToken } from '../runtime/access-token.js'
import { type AuthHandler, type NodeRequest, send } from './adapter.js'
import { ClientGone, peekBody } from './body.js'
import { getAccessToken, guardOf } from './context.js'
import { requireGuard } from './require-scopes.js'

/**
 * A handler that answers 403, naming every scope that is needed, where the token lacks what a tool, resource, prompt or method
 * of the body needs. Place it behind `mcpAuth`; a body parser may stand before it or behind it.
 *
 * @throws ConfigError where the map cannot be right
 * @example app.post('/mcp', requireToolScopes({ tools: { delete_note: ['notes:write'] } }), handleMcp)
 */
export function requireToolScopes(scopes: ToolScopes): AuthHandler {
  const rules = parseToolScopes('requireToolScopes', scopes)
  return function requireToolScopesHandler(request, response, next) {
    const guard = guardOf(request)
    if (guard === undefined) {
      send(
        request,
        response,
        requireGuard(request).verdicts.challenge(request, 'no guard before this handler').response,
      )
      return
    }
    checkToolScopes(guard, rules, request, getAccessToken(request), (outcome) => {
      if (outcome instanceof Error) next(outcome)
      else if ('response' in outcome) send(request, response, outcome.response)
      else next()
    })
  }
}

/** Reads the body, decides, and calls back with a verdict, or with an error that the app has to hear of. */
export function checkToolScopes(
  guard: Guard,
  rules: ToolScopeRules,
  request: NodeRequest,
  token: AccessToken | undefined,
  done: (outcome: Verdict | Error) => void,
): void {
  void peekBody(request)
    .then((body): Verdict => {
      if ('empty' in body) return { token }
      if ('problem' in body) return guard.verdicts.badRequest(request, body.status, body.problem)
      return guard.checkOperations(request, token, body.value, rules)
    })
    .catch((error: unknown) => (error instanceof Error ? error : new Error(String(error))))
    .then((outcome) => {
      if (!(outcome instanceof ClientGone)) done(outcome)
    })
}

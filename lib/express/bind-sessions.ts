// Session binding as a handler of its own, for apps that switch it off in mcpAuth and place it themselves.
import type { SessionBindingOptions } from '../http/sessions.js'
import { type AuthHandler, send } from './adapter.js'
import { getAccessToken } from './context.js'
import { requireGuard } from './require-scopes.js'
import { createBindings, mayUseSession } from './sessions.js'

/**
 * A handler that answers 404 to an `Mcp-Session-Id` in the hands of anybody but who opened that session. `mcpAuth` does it by
 * itself; this is for `mcpAuth(provider, { bindSessions: false })` with the handler on some routes only.
 *
 * @throws ConfigError where an option cannot be right
 */
export function bindSessions(options: SessionBindingOptions = {}): AuthHandler {
  const bindings = createBindings(options)
  return function bindSessionsHandler(request, response, next) {
    const token = getAccessToken(request)
    if (mayUseSession(bindings, request, response, token)) next()
    else send(request, response, requireGuard(request).verdicts.foreignSession(request, token).response)
  }
}

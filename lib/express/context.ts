// Who calls, anywhere below the guard.
import { AsyncLocalStorage } from 'node:async_hooks'
import { type Guard, guardOfToken } from '../http/guard.js'
import { AccessToken } from '../runtime/access-token.js'

const callers = new AsyncLocalStorage<AccessToken | undefined>()
const GUARD = Symbol('express-mcp-auth.guard')

/** Runs the rest of a request with its caller. */
export function runAs(token: AccessToken | undefined, next: () => void): void {
  callers.run(token, next)
}

/** Notes the caller of a request that a guard let pass. */
export function setCaller(request: { auth?: unknown }, token: AccessToken | undefined, guard: Guard): void {
  request.auth = token
  // A token knows its guard, and each property that a request is given on top of those it was made for costs microseconds.
  if (token === undefined) (request as { [GUARD]?: Guard })[GUARD] = guard
}

/** The guard that let a request pass, also where the app put something of its own in the place of `req.auth`. */
export function guardOf(request: object): Guard | undefined {
  const token = getAccessToken(request)
  const caller = callers.getStore()
  return (
    (token && guardOfToken(token)) ??
    (caller && guardOfToken(caller)) ??
    (request as { [GUARD]?: Guard })[GUARD]
  )
}

/**
 * The verified access token of the caller.
 *
 * @param request a request that passed the guard. Without it, the one being handled, in any function below the guard, however
 *   deep: it follows the asynchronous context
 * @returns undefined for an anonymous request, and outside the guard
 * @example
 * server.registerTool('whoami', {}, () => ({ content: [{ type: 'text', text: getAccessToken()?.subject ?? 'nobody' }] }))
 */
export function getAccessToken(request?: object): AccessToken | undefined {
  if (request === undefined) return callers.getStore()
  const { auth } = request as { auth?: unknown }
  return auth instanceof AccessToken ? auth : undefined
}

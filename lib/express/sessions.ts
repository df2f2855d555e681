// Session binding on node's request and response: learns from answers who opened a session, and refuses everybody else.
import type { ServerResponse } from 'node:http'
import onHeaders from 'on-headers'
import { SessionBindings } from '../http/sessions.js'
import { OptionReader } from '../protocol/options.js'
import type { AccessToken } from '../runtime/access-token.js'
import type { NodeRequest } from './adapter.js'

const HEADER = 'mcp-session-id'

/** Reads a `bindSessions` option: false for none. */
export function parseSessionBinding(value: unknown): SessionBindings | undefined {
  return value === false ? undefined : createBindings(value === undefined || value === true ? {} : value)
}

/** Reads the options of session binding. */
export function createBindings(options: unknown): SessionBindings {
  const read = new OptionReader('bindSessions', options, ['maxSessions'])
  const maxSessions = read.raw('maxSessions') ?? 100_000
  if (Number.isSafeInteger(maxSessions) && (maxSessions as number) > 0) {
    return new SessionBindings({ maxSessions: maxSessions as number })
  }
  throw read.invalid('maxSessions', 'a whole number above 0')
}

/** Whether a caller may use the session that the request names, if it names one. */
export function mayUseSession(
  bindings: SessionBindings,
  request: NodeRequest,
  response: ServerResponse,
  token: AccessToken | undefined,
): boolean {
  const header = request.headers[HEADER]
  const named = typeof header === 'string' && header !== '' ? header : undefined
  const standing = named === undefined ? 'own' : bindings.standing(named, token)
  if (standing === 'foreign') return false
  onHeaders(response, () => {
    for (const opened of [response.getHeader(HEADER)].flat()) {
      if (opened !== undefined && String(opened) !== named) bindings.open(String(opened), token)
    }
    // A session that was opened before we could see it, e.g. before a restart, becomes the caller's if the server knows it.
    if (named !== undefined && standing === 'unknown' && response.statusCode < 400)
      bindings.open(named, token)
  })
  return true
}

// Session binding on node's request and response: learns from answers who opened a session, and refuses everybody else.
import type { ServerResponse } from 'node:http'
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
  if (standing === 'own' && !mayOpen(request)) return true
  watchHead(response, (opened) => {
    for (const id of opened) if (id !== named) bindings.open(id, token)
    // A session that was opened before we could see it, e.g. before a restart, becomes the caller's if the server knows it.
    if (named !== undefined && standing === 'unknown' && response.statusCode < 400)
      bindings.open(named, token)
  })
  return true
}

/**
 * Sessions are opened by POST, before a version is agreed on: whoever states one is past that (MCP 2025-06-18 and later). A server
 * that opens one nevertheless has it bound at its first use.
 */
function mayOpen({ method, headers }: NodeRequest): boolean {
  return method === 'POST' && (headers['mcp-protocol-version'] === undefined || headers[HEADER] !== undefined)
}

/** Looks at a response when its head is written, however its headers were given: set before, or passed to `writeHead`. */
function watchHead(response: ServerResponse, look: (sessionIds: readonly string[]) => void): void {
  const writeHead = response.writeHead.bind(response) as (...args: unknown[]) => ServerResponse
  const watched = (...args: unknown[]): ServerResponse => {
    // Before the head is out: afterwards, what it opened is known to others already.
    response.statusCode = Number(args[0])
    look([...sessionIdsIn(args.length > 1 ? args.at(-1) : undefined), ...textsOf(response.getHeader(HEADER))])
    return writeHead(...args)
  }
  response.writeHead = watched
}

/** `writeHead` takes an object, a flat list of names and values, or a list of pairs. */
function sessionIdsIn(headers: unknown): string[] {
  if (typeof headers !== 'object' || headers === null) return []
  const list: unknown[] = Array.isArray(headers) ? headers : Object.entries(headers)
  const pairs = Array.isArray(list[0]) ? (list as unknown[][]) : pairUp(list)
  return pairs.flatMap(([name, value]) => (String(name).toLowerCase() === HEADER ? textsOf(value) : []))
}

function textsOf(header: unknown): string[] {
  const values: unknown[] = Array.isArray(header) ? header : [header]
  return values.filter((value) => typeof value === 'string' || typeof value === 'number').map(String)
}

function pairUp(flat: readonly unknown[]): unknown[][] {
  return flat.flatMap((name, index) => (index % 2 === 0 ? [[name, flat[index + 1]]] : []))
}

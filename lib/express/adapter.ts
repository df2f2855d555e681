// Between plain answers and node's response: everything is written with what node itself has, so that Express 4 and 5, connect
// and bare node:http are served alike.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { AuthResponse } from '../protocol/message.js'

/** A request as Express, connect or node hands it over. */
export type NodeRequest = IncomingMessage & {
  auth?: unknown
  body?: unknown
  /** Express: the path that the app is mounted at. */
  baseUrl?: string | undefined
  originalUrl?: string | undefined
}

/** Continues, or hands an error on. */
export type Next = (error?: unknown) => void

/**
 * A middleware for `app.use()` of Express 4 and 5 and connect. With node:http, call it and pass what comes next:
 * `guard(request, response, (error) => { … })`, where an error says that the request must not be served.
 */
export type AuthHandler = (request: NodeRequest, response: ServerResponse, next: Next) => void

/** Writes an answer, unless one was begun already or nobody is there to read it. */
export function send(request: IncomingMessage, response: ServerResponse, answer: AuthResponse): void {
  if (isOver(response)) return
  for (const [name, value] of Object.entries(answer.headers)) {
    response.setHeader(name, name === 'Vary' ? mergeVary(response, String(value)) : value)
  }
  response.statusCode = answer.status
  const body = answer.body ?? ''
  if (answer.status !== 204) response.setHeader('Content-Length', Buffer.byteLength(body))
  response.end(request.method === 'HEAD' ? undefined : body)
}

/** Whether an answer was begun, or nobody is there to read one. */
export function isOver(response: ServerResponse): boolean {
  return response.headersSent || response.writableEnded || response.destroyed
}

/** What the app's answer varies by, and one more field. */
export function mergeVary(response: ServerResponse, field: string): string {
  const present = response.getHeader('Vary')
  if (present === undefined) return field
  const names = String(present)
  return `, ${names},`.toLowerCase().includes(`, ${field.toLowerCase()},`) ? names : `${names}, ${field}`
}

const EXPOSED = 'WWW-Authenticate, Mcp-Session-Id, MCP-Protocol-Version, Retry-After'
const ALLOWED_METHODS = 'GET, HEAD, POST, DELETE, OPTIONS'
const ALLOWED_HEADERS =
  'Authorization, Content-Type, Accept, Last-Event-ID, Mcp-Session-Id, MCP-Protocol-Version, Mcp-Method, Mcp-Name'

/** What lets pages of any origin read an answer. */
export const READING: readonly (readonly [name: string, value: string])[] = [
  ['Access-Control-Allow-Origin', '*'],
  ['Access-Control-Expose-Headers', EXPOSED],
]

/**
 * Lets pages of any origin read the answer. Credentials are never ambient here, so there is no credentials mode; a header that the
 * app set itself stays as it is.
 */
export function allowReading(response: ServerResponse): void {
  if (response.headersSent) return
  for (const [name, value] of READING) {
    if (!response.hasHeader(name)) response.setHeader(name, value)
  }
}

/** The answer to a preflight (Fetch standard, CORS protocol). Nothing in it depends on who asks. */
export function preflight(request: IncomingMessage, methods: string = ALLOWED_METHODS): AuthResponse {
  const asked = request.headers['access-control-request-headers']
  const wellFormed =
    asked !== undefined && asked.length <= 1024 && /^[A-Za-z0-9!#$%&'*+.^_`|~, -]+$/.test(asked)
  return {
    status: 204,
    headers: {
      'Access-Control-Allow-Methods': methods,
      'Access-Control-Allow-Headers': wellFormed ? asked : ALLOWED_HEADERS,
      'Access-Control-Max-Age': '7200',
      Vary: 'Access-Control-Request-Headers',
    },
  }
}

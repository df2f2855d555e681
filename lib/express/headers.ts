// Security headers for what the package itself serves, written with the least work. The app's own answers keep the app's own.
import { type IncomingMessage, ServerResponse } from 'node:http'
import helmet from 'helmet'
import type { AuthResponse } from '../protocol/message.js'
import { READING, isOver, mergeVary } from './adapter.js'

const secure = helmet({
  // Documents and errors: nothing in them is to be rendered, framed or run. Pages bring a policy of their own.
  contentSecurityPolicy: {
    useDefaults: false,
    directives: { defaultSrc: ["'none'"], frameAncestors: ["'none'"] },
  },
  // Metadata is for pages of any origin.
  crossOriginResourcePolicy: { policy: 'cross-origin' },
  referrerPolicy: { policy: 'no-referrer' },
  // Whether all of a host is https is for the app or its proxy to say.
  strictTransportSecurity: false,
  // These speak of documents that are rendered, and of browsers of the past. A page of ours brings what it needs.
  crossOriginOpenerPolicy: false,
  originAgentCluster: false,
  xDnsPrefetchControl: false,
  xDownloadOptions: false,
  xPermittedCrossDomainPolicies: false,
  xXssProtection: false,
})

interface Header {
  readonly name: string
  /** In small letters. */
  readonly key: string
  readonly value: string
}

/** They are the same for every answer, so helmet is asked once: a dozen setHeader calls cost more than an answer does. */
const SECURITY: readonly Header[] = recordHeaders()

function recordHeaders(): Header[] {
  const recorded: Header[] = []
  const recorder = {
    setHeader(name: string, value: string) {
      recorded.push({ name, key: name.toLowerCase(), value })
    },
    removeHeader: () => undefined,
  }
  secure({} as IncomingMessage, recorder as unknown as ServerResponse, () => undefined)
  return recorded
}

/**
 * Writes the answer of a route, unless one was begun or nobody is there. What the route says wins over the security headers, and
 * these over what the app has set; of CORS, which `cors` adds, the app's word counts.
 */
export function sendSecured(
  request: IncomingMessage,
  response: ServerResponse,
  answer: AuthResponse,
  cors: boolean,
): void {
  if (isOver(response)) return
  const { status, headers, body = '' } = answer
  const flat: (string | string[])[] = []
  const own: string[] = []
  for (const name of Object.keys(headers)) {
    const key = name.toLowerCase()
    const value = headers[name] as string | string[]
    own.push(key)
    flat.push(name, key === 'vary' ? mergeVary(response, String(value)) : value)
  }
  for (const { name, key, value } of SECURITY) if (!own.includes(key)) flat.push(name, value)
  if (cors) {
    for (const [name, value] of READING) if (!response.hasHeader(name)) flat.push(name, value)
  }
  if (status !== 204) flat.push('Content-Length', String(Buffer.byteLength(body)))
  // As helmet does.
  response.removeHeader('X-Powered-By')
  try {
    writeHead(response, status, flat)
  } catch (error) {
    // Half of a broken answer must not become a part of the one that says so.
    for (const name of Object.keys(headers)) response.removeHeader(name)
    throw error
  }
  if (request.method === 'HEAD') response.end()
  else response.end(body)
}

/** Whoever has put a `writeHead` of his own there may know no flat lists. */
function writeHead(response: ServerResponse, status: number, flat: (string | string[])[]): void {
  if (response.writeHead === ServerResponse.prototype.writeHead) {
    response.writeHead(status, flat)
    return
  }
  for (let index = 0; index < flat.length; index += 2) {
    response.setHeader(flat[index] as string, flat[index + 1] as string | string[])
  }
  response.writeHead(status)
}

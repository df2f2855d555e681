// One act of an attacker and all that comes of it: the answer, whether the handler ran, and which check refused.
import { connect } from 'node:net'
import { afterAll } from '@jest/globals'
import {
  type McpAuthOptions,
  type ProviderLike,
  RemoteAuthProvider,
  type RemoteAuthProviderOptions,
} from 'express-mcp-auth'
import { ISSUER } from '../support/issuer.js'
import { type Site, startSite } from '../support/site.js'

const METADATA = 'https://api.example.com/.well-known/oauth-protected-resource/mcp'
const INVALID = 'The access token is malformed, expired, revoked or not meant for this resource'
const UNDECIDED = 'The access token could not be checked right now, try again shortly'

/** Everything that can be seen of one request. */
export interface Outcome {
  readonly status: number
  readonly challenge: string | null
  readonly retryAfter: string | null
  readonly cache: string | null
  readonly vary: string | null
  readonly body: unknown
  /** How often the handler behind the guard ran. */
  readonly handled: number
  /** The check that refused, as the operator is told. */
  readonly stage: string | undefined
}

const REFUSED = { retryAfter: null, cache: 'no-store', vary: 'Authorization', handled: 0 }

/** 401: the token is bad. */
export function invalidToken(stage: string, scope?: string): Outcome {
  return {
    ...REFUSED,
    status: 401,
    challenge: `Bearer error="invalid_token", error_description="${INVALID}", ${
      scope === undefined ? '' : `scope="${scope}", `
    }resource_metadata="${METADATA}"`,
    body: { error: 'invalid_token', error_description: INVALID },
    stage,
  }
}

/** 401 without an error: there was no token. */
export function noCredentials(): Outcome {
  return {
    ...REFUSED,
    status: 401,
    challenge: `Bearer resource_metadata="${METADATA}"`,
    body: {
      error_description: 'Authentication is required: send "Authorization: Bearer <access token>"',
    },
    stage: 'credentials',
  }
}

/** 400: more than one credential. */
export function invalidRequest(): Outcome {
  const description = 'The request must carry its credentials exactly once'
  return {
    ...REFUSED,
    status: 400,
    challenge: `Bearer error="invalid_request", error_description="${description}", resource_metadata="${METADATA}"`,
    body: { error: 'invalid_request', error_description: description },
    stage: 'credentials',
  }
}

/** 403: the token is good but holds too few scopes. */
export function insufficientScope(scope: string): Outcome {
  const description = `This needs the scope ${scope}`
  return {
    ...REFUSED,
    status: 403,
    challenge: `Bearer error="insufficient_scope", error_description="${description}", scope="${scope}", resource_metadata="${METADATA}"`,
    body: { error: 'insufficient_scope', error_description: description },
    stage: 'scope',
  }
}

/** 503: nothing could be decided. */
export function unavailable(retryAfter = '5'): Outcome {
  return {
    ...REFUSED,
    status: 503,
    challenge: null,
    retryAfter,
    body: { error: 'temporarily_unavailable', error_description: UNDECIDED },
    stage: 'unavailable',
  }
}

/** 400, 413, 415: the body cannot be judged. A challenge would mislead. */
export function refusedBody(status: number, description: string): Outcome {
  return {
    ...REFUSED,
    status,
    challenge: null,
    body: { error: 'invalid_request', error_description: description },
    stage: 'body',
  }
}

/** 200 from the handler, which says who called. */
export function allowed(caller: { subject?: string; clientId: string; scopes?: readonly string[] }): Outcome {
  return {
    status: 200,
    challenge: null,
    retryAfter: null,
    cache: null,
    vary: null,
    body: { scopes: [], ...caller },
    handled: 1,
    stage: undefined,
  }
}

/** What `createToken` makes, accepted. */
export const USER = allowed({ subject: 'user-1', clientId: 'client-1' })

/** The resource server of all attacks, over any verifier. */
export function resourceServer(
  tokenVerifier: RemoteAuthProviderOptions['tokenVerifier'],
  options: Partial<RemoteAuthProviderOptions> = {},
): RemoteAuthProvider {
  return new RemoteAuthProvider({
    baseUrl: 'https://api.example.com',
    authorizationServers: [ISSUER],
    ...(tokenVerifier !== undefined && { tokenVerifier }),
    ...options,
  })
}

const opened: { close(): Promise<void> }[] = []
afterAll(() => Promise.all(opened.map((server) => server.close())))

/** Closes a server when the file is done. */
export function closing<Server extends { close(): Promise<void> }>(server: Server): Server {
  opened.push(server)
  return server
}

/** Starts a guarded app that is closed when the file is done. */
export async function startTarget(
  provider: ProviderLike,
  options: McpAuthOptions = {},
  extend?: Parameters<typeof startSite>[2],
): Promise<Site> {
  return closing(await startSite(provider, options, extend))
}

/** Sends one request, by default with a token to the MCP endpoint. */
export function attempt(
  site: Site,
  token: string | undefined,
  request: RequestInit & { readonly path?: string } = {},
): Promise<Outcome> {
  const { path = '/mcp', ...init } = request
  const headers = new Headers(init.headers)
  if (token !== undefined) headers.set('authorization', `Bearer ${token}`)
  return observe(site, async () => {
    const response = await fetch(site.url + path, { ...init, headers })
    return { status: response.status, headers: response.headers, text: await response.text() }
  })
}

/** Sends one request as bytes: the request line, and header lines beside Host. */
export function attemptRaw(
  site: Site,
  lines: readonly string[],
  requestLine = 'GET /mcp HTTP/1.1',
): Promise<Outcome> {
  const bytes = [requestLine, 'Host: api.example.com', 'Connection: close', ...lines, '', ''].join('\r\n')
  return observe(site, async () => parseAnswer(await site.raw(bytes)))
}

async function observe(site: Site, act: () => Promise<Answer>): Promise<Outcome> {
  const handled = site.handled()
  const events = site.events.length
  const { status, headers, text } = await act()
  const refusals = site.events.slice(events).filter((event) => event.type === 'request.refused')
  return {
    status,
    challenge: headers.get('www-authenticate'),
    retryAfter: headers.get('retry-after'),
    cache: headers.get('cache-control'),
    vary: headers.get('vary'),
    body: parseBody(text),
    handled: site.handled() - handled,
    stage: refusals.map(({ reason }) => reason.stage).join(' then ') || undefined,
  }
}

/** An answer as it stood on the wire. */
export interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
}

function parseBody(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return text === '' ? null : text
  }
}

function parseAnswer(raw: string): Answer {
  const end = raw.indexOf('\r\n\r\n')
  const [statusLine = '', ...lines] = raw.slice(0, end).split('\r\n')
  const pairs = lines.map((line): [string, string] => {
    const [, name = '', value = ''] = /^([^:]*):\s*(.*)$/.exec(line) ?? []
    return [name, value]
  })
  return {
    status: Number(statusLine.split(' ')[1]),
    headers: new Headers(pairs),
    text: raw.slice(end + 4),
  }
}

/** How many requests are on their way at once: libraries behind the guard listen to the socket for each of them. */
const AHEAD = 8

/**
 * Sends many requests over one connection, a few ahead of the answers, which come in order. Fewer answers than requests mean
 * that the server closed the connection, or that for five seconds nothing came.
 */
export function pipeline(url: string, requests: readonly string[]): Promise<Answer[]> {
  return new Promise((resolve, reject) => {
    const answers: Answer[] = []
    let sent = 0
    let pending = ''
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    const sendMore = (): void => {
      const next = requests.slice(sent, answers.length + AHEAD).join('')
      sent = Math.max(sent, Math.min(requests.length, answers.length + AHEAD))
      if (next !== '') socket.write(next, 'latin1')
    }
    socket.setNoDelay(true)
    socket.setTimeout(5000, () => socket.destroy())
    socket.on('error', reject)
    socket.on('close', () => {
      resolve(answers)
    })
    socket.on('data', (chunk: Buffer) => {
      pending += chunk.toString('latin1')
      for (;;) {
        const length = lengthOfAnswer(pending, requests[answers.length]?.startsWith('HEAD ') === true)
        if (length === undefined) break
        answers.push(parseAnswer(pending.slice(0, length)))
        pending = pending.slice(length)
      }
      if (answers.length >= requests.length) socket.destroy()
      else sendMore()
    })
    sendMore()
  })
}

function lengthOfAnswer(pending: string, withoutBody: boolean): number | undefined {
  const end = pending.indexOf('\r\n\r\n')
  if (end === -1) return undefined
  const head = pending.slice(0, end)
  const announced = withoutBody ? undefined : /\r\ncontent-length: (\d+)/i.exec(head)?.[1]
  const length = end + 4 + Number(announced ?? 0)
  return pending.length < length ? undefined : length
}

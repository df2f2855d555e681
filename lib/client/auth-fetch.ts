// RFC 6750 2.1 for requests that people make themselves: the token goes along to its own server, and never further.
import { ConfigError } from '../protocol/errors.js'
import { OptionReader } from '../protocol/options.js'
import { createDeps } from '../runtime/deps.js'
import { ClientError } from './client-error.js'

/** Whatever has a token: `OAuth`, `ClientCredentials`, `BearerAuth`, or an object of your own. */
export interface TokenSource {
  getToken(): Promise<string>
  /** Makes `getToken` give another one, where it can. */
  renew?(rejected: string, response: Response): Promise<void>
  /** Where the token is for. */
  readonly serverUrl?: string | undefined
}

export interface AuthFetchOptions {
  /** Where the token is for. Default: as `auth` says, else where the first request goes. */
  readonly serverUrl?: string
}

/** What both SDKs take as `fetch`. */
export type AuthFetch = (input: string | URL | Request, init?: RequestInit) => Promise<Response>

const MOST_REDIRECTS = 5

/**
 * A fetch that adds the token to requests for one origin. Requests to others go as they are. Where the server does not take the token it
 * is renewed, once.
 *
 * @param ask makes the requests. Default: `fetch`
 * @throws ClientError `redirected` where a request with a token would be sent on to another origin
 * @example const response = await authFetch(auth)('https://api.example.com/mcp', { method: 'POST', body })
 */
export function authFetch(
  auth: TokenSource,
  ask: AuthFetch = createDeps().fetch,
  options: AuthFetchOptions = {},
): AuthFetch {
  if (typeof (auth as Partial<TokenSource> | undefined)?.getToken !== 'function') {
    const message = 'authFetch takes something with getToken(), such as new BearerAuth(token)'
    throw new ConfigError('ERR_MCP_AUTH_INVALID_OPTION', message)
  }
  const serverUrl = new OptionReader('authFetch', options, ['serverUrl']).url('serverUrl') ?? auth.serverUrl
  let home = serverUrl === undefined ? undefined : new URL(serverUrl).origin
  return async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input)
    home ??= url.origin
    const own = new Headers(init?.headers ?? (input instanceof Request ? input.headers : undefined))
    // Whoever brings credentials of their own means them.
    if (url.origin !== home || own.has('authorization')) return ask(input, init)
    const call: Call = { input, init, headers: own, ask }
    const token = await auth.getToken()
    const response = await send(call, token)
    if (response.status !== 401 || auth.renew === undefined || !isRepeatable(init)) return response
    await auth.renew(token, response)
    const renewed = await auth.getToken()
    if (renewed === token) return response
    await response.body?.cancel()
    return send(call, renewed)
  }
}

interface Call {
  readonly input: string | URL | Request
  readonly init: RequestInit | undefined
  readonly headers: Headers
  readonly ask: AuthFetch
}

/** A stream is gone once it was sent, and so is whatever is read piece by piece. */
function isRepeatable(init: RequestInit | undefined): boolean {
  const body: unknown = init?.body
  return typeof body !== 'object' || body === null || !(Symbol.asyncIterator in body)
}

async function send({ input, init, headers, ask }: Call, token: string): Promise<Response> {
  const sent = new Headers(headers)
  sent.set('authorization', `Bearer ${token}`)
  const mode = init?.redirect ?? (input instanceof Request ? input.redirect : 'follow')
  let request: RequestInit = { ...init, headers: sent, redirect: mode === 'follow' ? 'manual' : mode }
  let target: string | URL | Request = input instanceof Request ? input.clone() : input
  for (let redirects = 0; ; redirects++) {
    const response = await ask(target, request)
    const location = mode === 'follow' ? locationOf(response) : null
    if (location === null) return response
    const from: URL = new URL(target instanceof Request ? target.url : target)
    if (!URL.canParse(location, from.href)) throw redirected(from, 'no URL')
    const to: URL = new URL(location, from)
    if (to.origin !== from.origin) throw redirected(from, to.origin)
    if (redirects === MOST_REDIRECTS) throw redirected(from, to.origin, 'too often')
    await response.body?.cancel()
    request = follow(response.status, target, request)
    target = to
  }
}

const REDIRECTS = [301, 302, 303, 307, 308]

function locationOf(response: Response): string | null {
  return REDIRECTS.includes(response.status) ? response.headers.get('location') : null
}

/** The next request, as the fetch standard has it: a form that was taken is not sent again. */
function follow(status: number, target: string | URL | Request, init: RequestInit): RequestInit {
  const given = target instanceof Request ? target : undefined
  const method = init.method ?? given?.method ?? 'GET'
  const signal = init.signal ?? given?.signal
  const common: RequestInit = { ...init, method, ...(signal !== undefined && { signal }) }
  const isGet = status === 303 ? method !== 'HEAD' : (status === 301 || status === 302) && method === 'POST'
  if (isGet) {
    const headers = new Headers(init.headers)
    for (const name of Object.keys(Object.fromEntries(headers)))
      if (name.startsWith('content-')) headers.delete(name)
    return { ...common, method: 'GET', headers, body: null }
  }
  if (!isRepeatable(init))
    throw new ClientError('redirected', 'The request was sent on, and a stream cannot be sent twice')
  // Of a Request that was sent, the body is in the one that it was cloned from.
  if (given?.bodyUsed === true)
    throw new ClientError('redirected', 'The request was sent on; pass URL and body, and not a Request')
  return common
}

function redirected(from: URL, to: string, how = 'to another origin'): ClientError {
  const message = `${from.origin}${from.pathname} sends on ${how}, to ${to}: the token was not sent along`
  return new ClientError('redirected', message)
}

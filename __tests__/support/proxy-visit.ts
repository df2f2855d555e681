// What a person does on the way through a proxy, step by step: at our page, at the identity provider's, and back at our callback.
import { afterAll, expect } from '@jest/globals'
import { type Answer, REDIRECT_URI, type Registered, pkce } from './authorization-server.js'
import { Browser, formOf } from './browser-session.js'
import { signInAt } from './identity-provider.js'
import { type ProxySite, type ProxySiteOptions, startProxySite } from './proxy-site.js'
import { WEB, allow, begin, codeIn, post } from './visit.js'

/** Starts proxies with a client that registered both URIs, and closes them after the tests of the file. */
export function proxies(): (
  options?: ProxySiteOptions,
) => Promise<{ readonly site: ProxySite; readonly client: Registered }> {
  const opened: ProxySite[] = []
  afterAll(() => Promise.all(opened.map((site) => site.close())))
  return async (options) => {
    const site = await startProxySite(options)
    opened.push(site)
    return { site, client: await site.register({ redirect_uris: [REDIRECT_URI, WEB] }) }
  }
}

/** Begins, agrees, and says where the browser is sent then. */
export async function depart(
  browser: Browser,
  site: ProxySite,
  client: Registered,
  more: Record<string, string> = {},
): Promise<URL> {
  const left = await post(browser, await begin(browser, site, client, more), allow)
  return departureIn(left, site)
}

/** Where an answer sends a browser: to the identity provider. */
export function departureIn(response: Response, { idp }: ProxySite): URL {
  const location = response.headers.get('location') ?? ''
  expect(location).toMatch(new RegExp(`^${idp.authorizationEndpoint}\\?`))
  return new URL(location)
}

/** Signs in there, and says where the browser is sent back to, without going there. */
export function signInThere(
  browser: Browser,
  { callbackUrl }: ProxySite,
  departure: URL,
  login: string = 'ada',
): Promise<URL> {
  return signInAt(browser, departure, login, { destination: callbackUrl })
}

/** All of it, up to the door. */
export async function comeBack(
  browser: Browser,
  site: ProxySite,
  client: Registered,
  more: Record<string, string> = {},
  login: string = 'ada',
): Promise<URL> {
  return signInThere(browser, site, await depart(browser, site, client, more), login)
}

/** What the client gets where everything is in order; what that is worth is for the caller to say. */
export async function expectLetIn(browser: Browser, callback: URL): Promise<string> {
  const response = await browser.request(callback)
  expect({ status: response.status, body: await response.text() }).toEqual({ status: 302, body: '' })
  const code = codeIn(response)
  expect(code).toMatch(/^[\w-]{24}\.[\w-]{43}$/)
  return code as string
}

/** RE(error): on to the registered URI, with error, state and issuer once each. Says how that is described. */
export function expectError(
  response: { readonly status: number; readonly headers: Headers },
  site: ProxySite,
  error: string,
  redirectUri: string = REDIRECT_URI,
): string {
  const location = response.headers.get('location') ?? ''
  expect([302, 303]).toContain(response.status)
  expect(location.slice(0, redirectUri.length + 1)).toBe(`${redirectUri}?`)
  const { searchParams } = new URL(location)
  expect([...searchParams].filter(([name]) => name !== 'error_description')).toEqual([
    ['error', error],
    ['state', 'a state'],
    ['iss', site.provider.authorizationServers?.[0]],
  ])
  expect(response.headers.get('cache-control')).toBe('no-store')
  return searchParams.get('error_description') ?? ''
}

/** How often the identity provider was asked at an endpoint. */
export function asked({ idp }: ProxySite, endpoint: string = '/token'): number {
  return idp.requests.filter(({ path }) => path === endpoint).length
}

/** Tokens for a code that came by {@link depart} with this challenge. */
export async function redeem(
  site: ProxySite,
  client: Registered,
  code: string,
  verifier: string,
): Promise<Answer> {
  return site.post('/token', {
    grant_type: 'authorization_code',
    client_id: client.client_id,
    code,
    code_verifier: verifier,
  })
}

/** A whole sign-in in a browser of the caller's. */
export async function tokensFor(
  browser: Browser,
  site: ProxySite,
  client: Registered,
  more: Record<string, string> = {},
  login: string = 'ada',
): Promise<Answer> {
  const { verifier, challenge } = pkce()
  const callback = await comeBack(browser, site, client, { ...more, code_challenge: challenge }, login)
  return redeem(site, client, await expectLetIn(browser, callback), verifier)
}

/** What a browser would send of its cookies. */
export function cookieHeader(browser: Browser, url: string): string {
  return [...browser.cookies(url)].map(([name, value]) => `${name}=${value}`).join('; ')
}

/** The cookies by which a browser is known when it comes back. */
export function tripCookies(browser: Browser, url: string): string[] {
  return [...browser.cookies(url).keys()].filter((name) => name.includes('mcp-trip-'))
}

/** Signs in to the page of connections and returns what it shows. */
export async function connectionsOf(
  browser: Browser,
  site: ProxySite,
  login: string = 'ada',
): Promise<{ readonly html: string; readonly csrf: string }> {
  await signInAt(browser, `${site.url}/sign-in`, login, { destination: `${site.url}/connections` })
  const shown = await browser.go(`${site.url}/connections`, REDIRECT_URI)
  expect(shown.status).toBe(200)
  const isEmpty = shown.html.includes('No app is connected')
  return { html: shown.html, csrf: isEmpty ? '' : (formOf(shown).fields['csrf'] ?? '') }
}

/** Keeps everything that one server ever answered to it. */
export class WatchfulBrowser extends Browser {
  readonly answers: string[] = []
  readonly #origin: string

  constructor(origin: string) {
    super()
    this.#origin = origin
  }

  override async request(...how: Parameters<Browser['request']>): Promise<Response> {
    const response = await super.request(...how)
    if (new URL(how[0]).origin === this.#origin) {
      const headers = [...response.headers].map(([name, value]) => `${name}: ${value}`)
      this.answers.push([...headers, await response.clone().text()].join('\n'))
    }
    return response
  }
}

/** A fetch that changes what an endpoint answers to us, after it was really asked. */
export function changing(
  change: (url: string, json: Record<string, unknown>) => Record<string, unknown> | undefined,
): typeof fetch {
  return async (input, init) => {
    const response = await fetch(input, init)
    const url = input instanceof Request ? input.url : String(input)
    if (response.headers.get('content-type')?.includes('json') !== true) return response
    const text = await response.text()
    const json = text === '' ? undefined : change(url, JSON.parse(text) as Record<string, unknown>)
    const { status, headers } = response
    const kept = new Headers(headers)
    kept.delete('content-length')
    return new Response(json === undefined ? text || null : JSON.stringify(json), { status, headers: kept })
  }
}

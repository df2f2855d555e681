// What ties a browser to its pages: a cookie that names it, and in each form a code that only this page in this browser can have
// (RFC 6749 10.12, RFC 9700 4.7).
import type { Arrival } from '../authorization-server/records.js'
import type { AuthorizationServer } from '../authorization-server/server.js'
import { digest } from '../runtime/digest.js'
import type { AuthRequest } from '../protocol/message.js'
import { originOf } from '../protocol/well-known.js'

/** Cookies of one server. */
export class BrowserCookies {
  readonly #server: AuthorizationServer
  readonly #origin: string
  readonly #names: { readonly browser: string; readonly session: string; readonly trip: string }
  readonly #attributes: string

  constructor(server: AuthorizationServer) {
    const { baseUrl } = server.settings
    this.#server = server
    this.#origin = originOf(baseUrl)
    const isSecure = baseUrl.startsWith('https:')
    // __Host- keeps neighbours on other subdomains from setting it. Servers on other ports or paths of this host share its cookies, so
    // that each needs names of its own.
    const name = (what: string): string =>
      `${isSecure ? '__Host-' : ''}mcp-${what}-${digest(baseUrl).slice(0, 8)}`
    this.#names = { browser: name('browser'), session: name('session'), trip: name('trip') }
    this.#attributes = `Path=/; HttpOnly; SameSite=Lax${isSecure ? '; Secure' : ''}`
  }

  /** The ID of a browser that was here before. One that somebody made up is none. */
  browserOf(request: AuthRequest): string | undefined {
    const [id, mac] = (readCookie(request, this.#names.browser) ?? '').split('.') as [string, string?]
    return mac !== undefined && this.#server.keys.isMac('browser', id, mac) ? id : undefined
  }

  /** The ID of a browser, and the cookie that gives it one where it has none. */
  nameBrowser(request: AuthRequest): { readonly id: string; readonly cookies: readonly string[] } {
    const known = this.browserOf(request)
    if (known !== undefined) return { id: known, cookies: [] }
    const id = this.#server.deps.randomId()
    const value = `${id}.${this.#server.keys.mac('browser', id)}`
    return { id, cookies: [`${this.#names.browser}=${value}; ${this.#attributes}`] }
  }

  /** What the session cookie says. Whether there is such a session is for the store to say. */
  sessionOf(request: AuthRequest): string | undefined {
    return readCookie(request, this.#names.session)
  }

  sessionCookie(handle: string): string {
    return `${this.#names.session}=${handle}; ${this.#attributes}; Max-Age=${this.#server.settings.sessionSeconds}`
  }

  endedSessionCookie(): string {
    return `${this.#names.session}=; ${this.#attributes}; Max-Age=0`
  }

  /**
   * The cookie of a browser that leaves for the identity provider, one for each time it does: set only once a person has agreed. The oldest of
   * too many are forgotten.
   */
  tripCookies(request: AuthRequest, state: string): readonly string[] {
    const known = cookieNames(request).filter((name) => name.startsWith(`${this.#names.trip}-`))
    const surplus = known.slice(0, Math.max(0, known.length - MOST_TRIPS + 1))
    const value = this.#server.keys.mac('trip', state)
    const { transactionSeconds } = this.#server.settings
    return [
      ...surplus.map((name) => `${name}=; ${this.#attributes}; Max-Age=0`),
      `${this.#tripName(state)}=${value}; ${this.#attributes}; Max-Age=${transactionSeconds}`,
    ]
  }

  /** Whether it is this browser that left with a state. */
  isOnTrip(request: AuthRequest, state: string): boolean {
    return this.#server.keys.isMac('trip', state, readCookie(request, this.#tripName(state)) ?? '')
  }

  endedTripCookie(state: string): string {
    return `${this.#tripName(state)}=; ${this.#attributes}; Max-Age=0`
  }

  #tripName(state: string): string {
    return `${this.#names.trip}-${digest(state).slice(0, 16)}`
  }

  /** A code for one rendering of one form. */
  formCode(browserId: string, form: string): string {
    const nonce = this.#server.deps.randomId()
    return `${nonce}.${this.#server.keys.mac('browser', JSON.stringify([nonce, browserId, form]))}`
  }

  /** Whether a form was rendered by us for this browser, and sent by our page. */
  isOurForm(
    request: AuthRequest,
    browserId: string | undefined,
    form: string,
    code: string | undefined,
  ): boolean {
    const [nonce, mac] = (code ?? '').split('.') as [string, string?]
    if (
      browserId === undefined ||
      mac === undefined ||
      !this.#server.keys.isMac('browser', JSON.stringify([nonce, browserId, form]), mac)
    )
      return false
    const { origin, 'sec-fetch-site': site } = request.headers
    // Our pages send no referrer, which makes browsers say "null" of a form's origin.
    const isOurOrigin = origin === undefined || origin === 'null' || origin === this.#origin
    return isOurOrigin && (site === undefined || site === 'same-origin')
  }
}

/** How a request came (Fetch Metadata, `Sec-Fetch-Site`): typed, from an app or from our own pages, or sent by another site. */
export function arrivalOf({ headers }: AuthRequest): Arrival {
  const site = headers['sec-fetch-site']
  if (site === undefined) return 'unknown'
  return site === 'none' || site === 'same-origin' ? 'user' : 'other_site'
}

/** So many tabs may be on their way at once; more would make headers that servers refuse. */
const MOST_TRIPS = 8

function cookieNames({ headers: { cookie } }: AuthRequest): string[] {
  if (typeof cookie !== 'string') return []
  return cookie.split(';').map((pair) => (pair.split('=', 1)[0] as string).trim())
}

/** RFC 6265 5.4. A name that comes twice was planted by somebody: neither is taken. */
function readCookie({ headers }: AuthRequest, name: string): string | undefined {
  const { cookie } = headers
  if (typeof cookie !== 'string') return undefined
  const start = `${name}=`
  const values = cookie
    .split(';')
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(start))
  return values.length === 1 ? (values[0] as string).slice(start.length) : undefined
}

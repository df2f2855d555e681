// What the pages of one server share: who is signed in, where each page is, and how a person gets from one to the next.
import { isSignedOut } from '../authorization-server/connections.js'
import { type SignIn, type UpstreamSignIn, parseUser } from '../authorization-server/people.js'
import type { SessionRecord, User } from '../authorization-server/records.js'
import { keyOf } from '../authorization-server/clients.js'
import type { AuthorizationServer } from '../authorization-server/server.js'
import { type Parameters, parseParameters } from '../protocol/parameters.js'
import type { AuthRequest } from '../protocol/message.js'
import { BrowserCookies } from './browser.js'

/** Somebody who is signed in. */
export interface SignedIn {
  readonly user: User
  /** Milliseconds since the epoch; undefined where the app knows and we do not. */
  readonly at: number | undefined
}

/** The pages of one server. */
export class Interaction {
  readonly server: AuthorizationServer
  readonly cookies: BrowserCookies
  readonly signIn: SignIn | UpstreamSignIn

  constructor(server: AuthorizationServer) {
    this.server = server
    this.cookies = new BrowserCookies(server)
    this.signIn = server.signIn
  }

  /** URL of a page under the base URL. */
  urlOf(
    page: 'sign-in' | 'sign-out' | 'consent' | 'connections',
    query: Readonly<Record<string, string>> = {},
  ): string {
    const search = new URLSearchParams(query).toString()
    return `${this.server.settings.baseUrl}/${page}${search === '' ? '' : `?${search}`}`
  }

  /** Where to sign in, and come back to a page. */
  signInUrl(page: 'consent' | 'connections', query: Readonly<Record<string, string>> = {}): string {
    if (!('loginUrl' in this.signIn)) return this.urlOf('sign-in', query)
    const url: unknown = this.signIn.loginUrl(this.urlOf(page, query))
    if (typeof url === 'string' && /^[\x21-\x7e]+$/.test(url)) return url
    throw new TypeError('signIn.loginUrl must give a path or URL, as a string without spaces, and no promise')
  }

  /** Who uses this browser. */
  async currentUser(request: AuthRequest): Promise<SignedIn | undefined> {
    if ('currentUser' in this.signIn) {
      const user = parseUser(await this.signIn.currentUser(request), 'signIn.currentUser')
      return user && { user, at: undefined }
    }
    const handle = this.cookies.sessionOf(request)
    const session = handle === undefined ? undefined : await this.server.sessions.get(keyOf(handle))
    if (session === undefined) return undefined
    const { user, signedInAt } = session.data
    return (await isSignedOut(user.subject, signedInAt, this.server)) ? undefined : { user, at: signedInAt }
  }

  /** Begins a session, under a handle that nobody had before. Returns its cookie. */
  async beginSession(user: User): Promise<string> {
    const { deps, sessions, settings } = this.server
    const handle = deps.randomId()
    const signedInAt = deps.now()
    const record: SessionRecord = { user, signedInAt }
    await sessions.put(keyOf(handle), record, signedInAt + settings.sessionSeconds * 1000)
    return this.cookies.sessionCookie(handle)
  }

  /** Ends the session of a browser. Returns the cookie that forgets it. */
  async endSession(request: AuthRequest): Promise<string> {
    const handle = this.cookies.sessionOf(request)
    if (handle !== undefined) await this.server.sessions.remove(keyOf(handle))
    return this.cookies.endedSessionCookie()
  }
}

/** The parameters in a request's URL. */
export function queryOf(request: AuthRequest): Parameters {
  return parseParameters(textOf(request))
}

/** The same for whoever wants them as they came, once {@link queryOf} took them. */
export function searchOf(request: AuthRequest): URLSearchParams {
  return new URLSearchParams(textOf(request))
}

function textOf({ url = '' }: AuthRequest): string {
  const start = url.indexOf('?')
  return start === -1 ? '' : url.slice(start + 1)
}

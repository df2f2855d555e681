// Who uses the browser: by the built-in page and a session of our own, or as the app says.
import type { AuthRequest } from '../protocol/message.js'
import { RESERVED_CLAIMS } from './issue.js'
import type { User } from './records.js'
import type { Upstream } from './upstream.js'

/** What either way of signing in may have. */
export interface UserStanding {
  /**
   * Asked whenever a client renews its access: whether the user may still come in. False ends the grant. A throw is an outage, and the
   * client may try again. Default: everybody may; see `revokeUser` of the provider for closing an account at once.
   */
  isActive?(subject: string): Promise<boolean> | boolean
}

/** The built-in page: this checks what was typed there. */
export interface CredentialSignIn extends UserStanding {
  /**
   * Resolves to the user, or null where user name and password do not belong together. A throw is an outage: the page says so.
   * It should take as long for an unknown user as for a wrong password, e.g. by comparing with a dummy hash.
   */
  verifyCredentials(
    username: string,
    password: string,
  ): Promise<User | null | undefined> | User | null | undefined
}

/** The app's own session. */
export interface AppSignIn extends UserStanding {
  /** The user of the app's session, or null. `request` is Express's where the app is one. */
  currentUser(request: AuthRequest): Promise<User | null | undefined> | User | null | undefined
  /** Where to sign in: a path or URL of the app, which sends the browser on to `returnTo` afterwards. */
  loginUrl(returnTo: string): string
}

/** How people sign in. */
export type SignIn = CredentialSignIn | AppSignIn

/** Elsewhere: an identity provider says who somebody is, once they have agreed here to what a client asks for. */
export interface UpstreamSignIn extends UserStanding {
  readonly upstream: Upstream
}

/** Whether a user may still come in, as the app says. */
export async function isActive(
  subject: string,
  { signIn }: { readonly signIn: SignIn | UpstreamSignIn },
): Promise<boolean> {
  if (signIn.isActive === undefined) return true
  const active: unknown = await signIn.isActive(subject)
  if (typeof active === 'boolean') return active
  throw new TypeError('signIn.isActive must give true or false')
}

/** Checks what the app says of a user, and takes only what is known. */
export function parseUser(value: unknown, asked: string): User | undefined {
  if (value === null || value === undefined || value === false) return undefined
  const { subject, name, claims } = Object(value) as Partial<Record<keyof User, unknown>>
  if (typeof subject !== 'string' || subject === '') {
    throw new TypeError(
      `${asked} must give null or a user { subject, name?, claims? } whose subject is a string`,
    )
  }
  return {
    subject,
    ...(typeof name === 'string' && { name }),
    ...(isObject(claims) && { claims: withoutReserved(claims) }),
  }
}

/** A user's own claims never say what only the server may say. */
export function withoutReserved(claims: object): Readonly<Record<string, unknown>> {
  return Object.fromEntries(Object.entries(claims).filter(([name]) => !RESERVED_CLAIMS.has(name)))
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

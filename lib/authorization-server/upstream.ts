// The identity provider behind a proxy, as the authorization server sees it. What it speaks and how is known in providers/proxy/.
import type { VerifyContext } from '../verifiers/verifier.js'

/** What the identity provider gave for one user. It never leaves this server but into the hands of a tool that asks for it. */
export interface UpstreamTokens {
  readonly accessToken: string
  readonly refreshToken?: string | undefined
  readonly idToken?: string | undefined
  /** Milliseconds since the epoch. Absent: it was not told. */
  readonly expiresAt?: number | undefined
  /** Scopes as the identity provider calls them, where it told which it granted. */
  readonly scopes?: readonly string[] | undefined
}

/** Whose tokens they are, as the identity provider says. */
export interface UpstreamUser {
  /** Never an e-mail address, which may be given to somebody else. */
  readonly subject: string
  /** For pages. */
  readonly name?: string | undefined
  /** For tools. They are not written into tokens. */
  readonly claims: Readonly<Record<string, unknown>>
  /** What the tokens allow as the identity provider calls it, where the one that verified them knows better than their answer did. */
  readonly scopes?: readonly string[] | undefined
}

/** What one trip of a browser to the identity provider and back is bound to. */
export interface UpstreamTrip {
  /** RFC 6749 10.12: comes back with the browser. */
  readonly state: string
  /** RFC 7636 4.1: never in a URL. */
  readonly verifier: string
  /** OpenID Connect Core 3.1.2.1: comes back in the ID token. */
  readonly nonce: string
  /** Scopes of ours that are asked for. */
  readonly scopes: readonly string[]
  /** RFC 8707: what the tokens are for. Absent where the identity provider is not told. */
  readonly resource?: string | undefined
  readonly prompt?: 'login' | 'select_account' | undefined
}

/** Where tokens came from, for whoever verifies or renews them. */
export interface UpstreamOrigin {
  readonly scopes: readonly string[]
  readonly resource?: string | undefined
  /** Of the trip that just ended: an ID token has to carry it. */
  readonly nonce?: string | undefined
}

/** How the identity provider's side of the authorization server is spoken to. */
export interface Upstream {
  /** For people, e.g. `GitHub`. */
  readonly name: string
  /** Tells this app at this identity provider from every other: what one gave is never shown to another. */
  readonly realm: string
  /** Path under the base URL that the identity provider sends browsers back to. */
  readonly callbackPath: string
  /** Whether it may be told which resource tokens are for (RFC 8707). */
  readonly forwardsResource: boolean
  /** So long before the end of its token it is renewed. */
  readonly expiryThresholdSeconds: number

  /** Where to send the browser. Rejects where that cannot be known now. */
  authorizationUrl(trip: UpstreamTrip, redirectUri: string): Promise<string>
  /**
   * Exchanges what the browser brought back (RFC 6749 4.1.3).
   *
   * @throws UpstreamRefusal where the identity provider said no; anything else is an outage
   */
  exchange(
    callback: URLSearchParams,
    trip: UpstreamTrip,
    redirectUri: string,
    context: VerifyContext,
  ): Promise<UpstreamTokens>
  /**
   * Renews tokens (RFC 6749 6). What the answer leaves out, e.g. a refresh token that goes on, is taken from those before.
   *
   * @throws UpstreamRefusal where they cannot be renewed any more; anything else is an outage
   */
  refresh(tokens: UpstreamTokens, origin: UpstreamOrigin, context: VerifyContext): Promise<UpstreamTokens>
  /** Gives tokens back (RFC 7009), where it can. Rejects where that failed. */
  revoke(tokens: UpstreamTokens): Promise<void>
  /**
   * Whose tokens they are. Asked on every request, so it remembers.
   *
   * @param known what it said of the tokens before these, once there were some
   * @returns null where they are not, or no longer, valid. Rejects where that cannot be known
   */
  identify(
    tokens: UpstreamTokens,
    origin: UpstreamOrigin,
    known: UpstreamUser | undefined,
    context: VerifyContext,
  ): Promise<UpstreamUser | null>
  /** Which scopes of those that were asked for were granted, in our words. */
  granted(asked: readonly string[], tokens: UpstreamTokens, user: UpstreamUser): readonly string[]
}

/** The identity provider said no, for good: trying again brings nothing. */
export class UpstreamRefusal extends Error {
  override readonly name: string = 'UpstreamRefusal'
  /** Its error code, e.g. `invalid_grant`, `access_denied`. */
  readonly code: string

  /** @param message for operators, without any token in it */
  constructor(code: string, message: string) {
    super(message)
    this.code = code
  }
}

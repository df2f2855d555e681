// What each page shows, as data: what decides knows no markup, and a page of the app's own needs nothing else.

/** Values that a form has to send back unchanged, by field name. */
export type HiddenFields = Readonly<Record<string, string>>

/** Who asks, as far as it is known. */
export interface PageClient {
  readonly clientId: string
  /** What the client calls itself. Anybody may call themselves anything. */
  readonly name?: string | undefined
  /** Host that the client's metadata document was fetched from: this much is verified. */
  readonly domain?: string | undefined
  /** https URL of its home page, as it says itself. */
  readonly uri?: string | undefined
  /** Whether the operator of this server configured it. */
  readonly configured: boolean
}

/** One scope that is asked for. */
export interface PageScope {
  readonly scope: string
  /** In words, from `scopeDescriptions`. */
  readonly description?: string | undefined
  /** Name of the check box, with value `on`, by which the user may leave it out; absent where it cannot be left out. */
  readonly field?: string | undefined
}

/** The page where a user says who they are. It posts `username`, `password` and the hidden fields to `action`. */
export interface SignInPage {
  readonly kind: 'sign-in'
  readonly action: string
  readonly hidden: HiddenFields
  /** The client that waits, absent where the user came by themselves. */
  readonly client?: PageClient | undefined
  /** What was typed last time, after a failure. */
  readonly username?: string | undefined
  readonly failure?: 'wrong' | 'missing' | 'expired' | undefined
}

/** The page where a user decides. It posts `decision` (`allow` or `deny`), check boxes and the hidden fields to `action`. */
export interface ConsentPage {
  readonly kind: 'consent'
  readonly action: string
  readonly hidden: HiddenFields
  readonly client: PageClient
  /** Where the browser will be sent. */
  readonly redirect: {
    /** Host with port in ASCII (punycode); for a private-use scheme the scheme with a colon. */
    readonly host: string
    readonly kind: 'web' | 'loopback' | 'app'
  }
  readonly scopes: readonly PageScope[]
  /** Absent where people sign in at an identity provider, after they have decided. */
  readonly user?: PageUser | undefined
  /** The identity provider that they are sent to next, where there is one. */
  readonly identityProvider?: string | undefined
  /** Where to post to be somebody else, with the hidden fields; absent where sign-in is the app's own. */
  readonly signOutAction?: string | undefined
  /** URL of the MCP endpoint. */
  readonly resource: string
  readonly resourceName?: string | undefined
}

export interface PageUser {
  readonly subject: string
  readonly name?: string | undefined
}

/** One client that may act for the user. Its form posts the hidden fields to the page's `action`. */
export interface PageConnection {
  readonly client: PageClient
  readonly scopes: readonly PageScope[]
  /** Milliseconds since the epoch. */
  readonly since: number
  readonly hidden: HiddenFields
}

/** The page that lists a user's connected clients. */
export interface ConnectionsPage {
  readonly kind: 'connections'
  readonly action: string
  readonly user: PageUser
  readonly connections: readonly PageConnection[]
  /** Set after one was revoked: what the client calls itself, or its ID. */
  readonly revoked?: string | undefined
  readonly signOut?: { readonly action: string; readonly hidden: HiddenFields } | undefined
}

/** Something that went wrong, or came to its end. */
export interface MessagePage {
  readonly kind: 'message'
  readonly status: number
  readonly message:
    | 'unknown_client'
    | 'redirect_uri_mismatch'
    | 'malformed_request'
    | 'expired'
    | 'already_decided'
    | 'other_browser'
    | 'other_user'
    | 'forged'
    | 'too_many_requests'
    | 'unavailable'
    | 'signed_out'
    | 'sign_in_failed'
  /** A sentence for developers: which parameter, and what is wrong with it. */
  readonly detail?: string | undefined
  /** Where the user may go on, e.g. back to the client after a decision that was sent twice. */
  readonly continueTo?: string | undefined
}

/** Every page there is. */
export type Page = SignInPage | ConsentPage | ConnectionsPage | MessagePage

/** Renders a page as a whole HTML document. */
export type RenderPage = (page: Page) => string

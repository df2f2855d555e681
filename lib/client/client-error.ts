// What goes wrong on the side of a client, with a code that programs can go by.

/** Stable codes of {@link ClientError}. */
export type ClientErrorCode =
  /** A URL that must not be opened or sent anything to. */
  | 'unsafe_url'
  /** No browser could be started. */
  | 'no_browser'
  /** Another program has the port of the callback. */
  | 'port_in_use'
  /** Nobody came back from the browser in time. */
  | 'sign_in_timeout'
  /** The authorization server said no; `error` says which. */
  | 'sign_in_refused'
  /** Signing in again and again changes nothing. */
  | 'too_many_sign_ins'
  /** There is no token, and nobody is signing in. */
  | 'not_signed_in'
  /** An answer, a document or a credential is that of another authorization server. */
  | 'issuer_mismatch'
  /** The authorization server does not say that it knows PKCE with S256. */
  | 'no_pkce'
  /** A code was sent before. */
  | 'code_used'
  /** Metadata could not be had, or is none. */
  | 'discovery_failed'
  /** The token endpoint said no; `error` says which. */
  | 'token_refused'
  /** The token endpoint did not answer, or answered nonsense. */
  | 'token_failed'
  /** A request with a token was sent on to another origin. */
  | 'redirected'

/** What else is known of an error. */
export interface ClientErrorOptions {
  /** Error code of the other side (RFC 6749 4.1.2.1, 5.2). */
  readonly error?: string | undefined
  readonly cause?: unknown
}

/** Something went wrong between client and authorization server. The message holds no token and no secret. */
export class ClientError extends Error {
  override readonly name: string = 'ClientError'
  readonly code: ClientErrorCode
  readonly error: string | undefined

  constructor(code: ClientErrorCode, message: string, { error, cause }: ClientErrorOptions = {}) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.error = error
  }
}

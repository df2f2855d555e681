// Plain shapes of a request and a response, so that what decides needs no web framework. Node's own request fits.

/** What the guard reads of a request. `IncomingMessage`, and so Express's and Connect's request, is one. */
export interface AuthRequest {
  readonly method?: string | undefined
  /** Path and query as they came. */
  readonly url?: string | undefined
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>
  /** Names and values in turn, repeats included. */
  readonly rawHeaders?: readonly string[]
}

/** An answer, ready to be written. */
export interface AuthResponse {
  readonly status: number
  /** A list is written as one header line each, as `Set-Cookie` needs it. */
  readonly headers: Readonly<Record<string, string | readonly string[]>>
  readonly body?: string
}

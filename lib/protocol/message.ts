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
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}

/** Something a provider serves beside the guard, before any token is asked for. */
export interface Route {
  /** Exact path from the root of the host, e.g. `/.well-known/oauth-protected-resource/mcp`. */
  readonly path: string
  /** Methods it answers; `HEAD` comes with `GET`. */
  readonly methods: readonly ('GET' | 'POST' | 'DELETE')[]
  /** Readable by any origin (RFC 9728 documents, OAuth endpoints that browsers call). Default: true. */
  readonly cors?: boolean
  /** Counts against `rateLimit`. Default: false. */
  readonly limited?: boolean
  handle(request: AuthRequest): AuthResponse | Promise<AuthResponse>
}

// What a provider serves beside the guard.
import type { AuthRequest, AuthResponse } from '../protocol/message.js'
import type { AuthEvent, HintCode } from './events.js'

/** The body of a request to a route. */
export type RouteBody =
  | { readonly kind: 'none' }
  /** As it came, within the bounds of the route. */
  | { readonly kind: 'raw'; readonly bytes: Uint8Array }
  /** A parser of the app was there before. */
  | { readonly kind: 'parsed'; readonly value: unknown }
  | { readonly kind: 'too_large' }
  /** Compressed, cut off, or taken by somebody who left nothing. */
  | { readonly kind: 'unreadable'; readonly reason: string }

/** What a route is handed beside the request. */
export interface RouteContext {
  readonly body: RouteBody
  /** Tells an event. */
  readonly report: (event: AuthEvent) => void
  /** Tells a hint, once. */
  readonly hint: (code: HintCode, message: string) => void
}

/** Something a provider serves beside the guard, before any token is asked for. */
export interface Route {
  /** Exact path from the root of the host, e.g. `/.well-known/oauth-protected-resource/mcp`. */
  readonly path: string
  /** Matches every path below `path` too. Default: false. */
  readonly below?: boolean
  /** Methods it answers; `HEAD` comes with `GET`. */
  readonly methods: readonly ('GET' | 'POST' | 'DELETE')[]
  /** Readable by any origin (RFC 9728 documents, OAuth endpoints that browsers call). Default: true. */
  readonly cors?: boolean
  /** Counts against `rateLimit`: under a name of its own, or `true` for the common one. Default: false. */
  readonly limited?: boolean | string
  /** Reads the body, up to so many bytes. Default: the body is left alone. */
  readonly maxBodyBytes?: number
  /** What too many requests are answered with, where that is a page. Default: 429 as JSON. */
  readonly tooMany?: () => AuthResponse
  /** The request is node's own, or Express's where the app is one. */
  handle(request: AuthRequest, context: RouteContext): AuthResponse | Promise<AuthResponse>
}

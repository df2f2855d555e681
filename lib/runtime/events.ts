// What happened and why, for operators: one typed union, handed to `onEvent` and to a diagnostics channel.
import { channel } from 'node:diagnostics_channel'
import type { Reason } from '../protocol/claims.js'

/** Mistakes that people make, each told once. */
export type HintCode =
  | 'no_discovery'
  | 'audience_unchecked'
  | 'audience_differs_from_resource'
  | 'trust_proxy_off'
  | 'not_the_resource'
  | 'rate_limit_store'
  | 'listener_threw'
  | 'random_secret'
  | 'unreadable_records'

/** Why a grant came to its end. The first three mean that somebody has what is not theirs, or that a client lost count. */
export type RevocationCause =
  'code_replayed' | 'refresh_token_reused' | 'wrong_verifier' | 'client' | 'user' | 'inactive' | 'upstream'

/** Everything that is told. No event ever holds a token, a secret or a query string. */
export type AuthEvent =
  | {
      readonly type: 'request.allowed'
      readonly method: string
      readonly path: string
      /** Absent for an anonymous request under `optional`. */
      readonly clientId?: string
      readonly subject?: string
      readonly issuer?: string
      /** Whether the token had been verified before. */
      readonly cached: boolean
    }
  | {
      readonly type: 'request.refused'
      readonly method: string
      readonly path: string
      readonly status: number
      /** The OAuth error code, absent on a bare challenge. */
      readonly error?: string
      readonly reason: Reason
      readonly clientId?: string
      readonly subject?: string
    }
  /** A route could not answer; the caller got 503. */
  | {
      readonly type: 'request.failed'
      readonly method: string
      readonly path: string
      readonly message: string
    }
  | {
      readonly type: 'keys.fetched'
      readonly url: string
      readonly keys: number
      readonly skipped: readonly string[]
    }
  | {
      readonly type: 'keys.failed'
      readonly url: string
      readonly message: string
      readonly serving: 'stale' | 'nothing'
    }
  | { readonly type: 'service.failed'; readonly url: string; readonly message: string }
  | {
      readonly type: 'client.registered'
      readonly clientId: string
      readonly name?: string | undefined
      readonly redirectUris: readonly string[]
      /** Redirect URIs that were left out, and why. */
      readonly dropped: readonly string[]
    }
  /** The document of a client could not be fetched, or is none. */
  | { readonly type: 'client_document.refused'; readonly url: string; readonly reason: string }
  | { readonly type: 'sign_in.succeeded'; readonly subject: string }
  | { readonly type: 'sign_in.failed' }
  | {
      readonly type: 'authorization.granted'
      readonly clientId: string
      readonly subject: string
      readonly scopes: readonly string[]
      /** Whether the user was asked just now. */
      readonly asked: boolean
    }
  | {
      readonly type: 'authorization.denied'
      readonly clientId: string
      /** Absent where the answer was no before anybody signed in. */
      readonly subject?: string | undefined
    }
  | {
      readonly type: 'authorization.refused'
      readonly clientId?: string | undefined
      readonly error: string
      readonly detail: string
    }
  | {
      readonly type: 'token.issued'
      readonly clientId: string
      readonly grantType: string
      readonly scope: string
    }
  | {
      readonly type: 'token.refused'
      readonly clientId?: string | undefined
      readonly error: string
      readonly detail: string
    }
  | {
      readonly type: 'grant.revoked'
      readonly clientId: string
      readonly subject: string
      readonly why: RevocationCause
    }
  /** Tokens of the identity provider behind a grant were renewed. */
  | { readonly type: 'upstream.renewed'; readonly clientId: string; readonly subject: string }
  /** The identity provider said no. */
  | {
      readonly type: 'upstream.refused'
      readonly name: string
      readonly operation: 'sign_in' | 'refresh' | 'revoke' | 'identify'
      readonly error: string
      readonly detail: string
    }
  /** The identity provider could not be asked, or answered nonsense. */
  | {
      readonly type: 'upstream.failed'
      readonly name: string
      readonly operation: 'sign_in' | 'refresh' | 'revoke' | 'identify'
      readonly message: string
    }
  | { readonly type: 'danger'; readonly option: string; readonly message: string }
  | { readonly type: 'hint'; readonly code: HintCode; readonly message: string }

/** Receives events. What it throws, or a promise of it rejects with, never reaches a request. */
export type EventListener = (event: AuthEvent) => unknown

/** Name of the `node:diagnostics_channel` on which every event of every guard is published. */
export const EVENT_CHANNEL = 'express-mcp-auth'

/** Hands events on. */
export interface Reporter {
  /** Whether anybody listens: asked before an event is built on the hot path. */
  readonly listening: boolean
  readonly report: (event: AuthEvent) => void
  /** Tells a hint, once. */
  readonly hint: (code: HintCode, message: string) => void
}

const events = channel(EVENT_CHANNEL)

/** A reporter for one guard. Hints and dangers that nobody would see are printed as process warnings. */
export function createReporter(listener?: EventListener): Reporter {
  const told = new Set<HintCode>()
  const complain = (error: unknown): void => {
    if (told.has('listener_threw')) return
    told.add('listener_threw')
    warn({ type: 'hint', code: 'listener_threw', message: `onEvent threw: ${String(error)}` })
  }
  const reporter: Reporter = {
    get listening() {
      return listener !== undefined || events.hasSubscribers
    },
    report(event) {
      if (events.hasSubscribers) events.publish(event)
      if (listener === undefined) {
        if (event.type === 'hint' || event.type === 'danger') warn(event)
        return
      }
      try {
        // An async function is a listener too; its failure must not end the process.
        const outcome = listener(event)
        if (typeof outcome === 'object') Promise.resolve(outcome).catch(complain)
      } catch (error) {
        complain(error)
      }
    },
    hint(code, message) {
      if (told.has(code)) return
      told.add(code)
      reporter.report({ type: 'hint', code, message })
    },
  }
  return reporter
}

function warn(event: Extract<AuthEvent, { type: 'hint' | 'danger' }>): void {
  const code = event.type === 'hint' ? event.code : event.option
  process.emitWarning(event.message, { type: 'McpAuthWarning', code: `MCP_AUTH_${code.toUpperCase()}` })
}

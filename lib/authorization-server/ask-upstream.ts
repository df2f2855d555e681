// The identity provider is asked in one way: whatever comes of it, operators are told where it failed.
import { OAuthError } from '../protocol/errors.js'
import type { AuthorizationServer, Report } from './server.js'
import { type Upstream, UpstreamRefusal } from './upstream.js'

/** Asks the identity provider, and tells operators where it failed. */
export async function asking<Result>(
  server: AuthorizationServer,
  report: Report,
  operation: 'sign_in' | 'refresh' | 'revoke' | 'identify',
  ask: () => Promise<Result>,
): Promise<Result> {
  const { name } = upstreamOf(server)
  try {
    return await ask()
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error)
    if (error instanceof UpstreamRefusal) {
      report({ type: 'upstream.refused', name, operation, error: error.code, detail: message })
      throw error
    }
    report({ type: 'upstream.failed', name, operation, message })
    throw unavailable(`${name}: ${message}`, error)
  }
}

/** Nothing was decided, and nothing is used up. */
export function unavailable(detail: string, cause?: unknown): OAuthError {
  const words = 'The identity provider cannot be reached right now, try again shortly'
  const retryAfterSeconds = retryAfterOf(cause)
  return new OAuthError('temporarily_unavailable', words, { detail, cause, retryAfterSeconds })
}

/** Whoever knows when trying again makes sense may be some way down. */
function retryAfterOf(cause: unknown): number | undefined {
  if (!(cause instanceof Error)) return undefined
  return cause instanceof OAuthError ? cause.retryAfterSeconds : retryAfterOf(cause.cause)
}

/** The identity provider of a server whose grants have something behind them. */
export function upstreamOf({ upstream }: AuthorizationServer): Upstream {
  if (upstream === undefined) throw new TypeError('this authorization server has no identity provider')
  return upstream
}

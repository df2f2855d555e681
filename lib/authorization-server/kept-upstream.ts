// What is behind a grant at the identity provider is kept in the grant itself, sealed, and given back with it.
import { asking, upstreamOf } from './ask-upstream.js'
import type { GrantRecord, GrantUpstream } from './records.js'
import type { AuthorizationServer, Report } from './server.js'
import type { UpstreamTokens, UpstreamUser } from './upstream.js'

/** Tokens, and whose they are. */
export interface UpstreamSession {
  readonly tokens: UpstreamTokens
  readonly user: UpstreamUser
  /** What they were asked for (RFC 8707). */
  readonly resource?: string | undefined
}

/** The same, and how its grant keeps it. */
export interface KeptSession extends UpstreamSession {
  readonly kept: GrantUpstream
}

/** What a grant record says of a session. */
export function grantUpstream(
  grantId: string,
  session: UpstreamSession,
  server: AuthorizationServer,
  round: number = 0,
): { readonly upstream: GrantUpstream; readonly endsAt: number | undefined } {
  const { tokens, user, resource } = session
  const { expiresAt } = tokens
  const renewable = tokens.refreshToken !== undefined
  const sealed = server.keys.sealer.seal(placeOf(grantId), JSON.stringify({ tokens, user }))
  const obtainedAt = server.deps.now()
  return {
    upstream: { sealed, expiresAt, renewable, round, obtainedAt, resource },
    endsAt: renewable ? undefined : expiresAt,
  }
}

/** The session of a grant; undefined where there is none, or no secret of ours opens it any more. */
export function openSession(
  grantId: string,
  { upstream: kept }: GrantRecord,
  server: AuthorizationServer,
): KeptSession | undefined {
  const text = kept && server.keys.sealer.open(placeOf(grantId), kept.sealed)
  if (kept === undefined || text === undefined) return undefined
  return { ...(JSON.parse(text) as UpstreamSession), resource: kept.resource, kept }
}

/** The same, sealed with the newest secret: what is used goes on when an older one is dropped. */
export function sealedAnew(
  grantId: string,
  kept: GrantUpstream,
  { keys }: AuthorizationServer,
): GrantUpstream {
  const { sealer } = keys
  const text = sealer.isCurrent(kept.sealed) ? undefined : sealer.open(placeOf(grantId), kept.sealed)
  return text === undefined ? kept : { ...kept, sealed: sealer.seal(placeOf(grantId), text) }
}

function placeOf(grantId: string): string {
  return `grant ${grantId}`
}

/** Gives back what is behind a grant that has ended. */
export async function giveBack(
  grantId: string,
  grant: GrantRecord,
  server: AuthorizationServer,
  report: Report,
): Promise<void> {
  const session = openSession(grantId, grant, server)
  if (session !== undefined) await giveUp(session.tokens, server, report)
}

/** Gives tokens back that nobody needs. A failure is told, and nothing more: they end by themselves. */
export async function giveUp(
  tokens: UpstreamTokens,
  server: AuthorizationServer,
  report: Report,
): Promise<void> {
  await asking(server, report, 'revoke', () => upstreamOf(server).revoke(tokens)).catch(() => undefined)
}

// How a grant ends: by its client, its user, or a sign that somebody stole from it.
import type { RevocationCause } from '../runtime/events.js'
import type { GrantRecord } from './records.js'
import type { AuthorizationServer, Report } from './server.js'

/** Ends a grant: from the next request on, everything that came of it is worth nothing, in every process. */
export async function revokeGrant(
  grantId: string,
  { clientId, subject }: GrantRecord,
  why: RevocationCause,
  server: AuthorizationServer,
  report: Report,
): Promise<void> {
  if (await server.grants.remove(grantId)) report({ type: 'grant.revoked', clientId, subject, why })
}

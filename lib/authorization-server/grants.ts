// How a grant ends: by its client, its user, or a sign that somebody stole from it.
import type { RevocationCause } from '../runtime/events.js'
import { giveBack } from './kept-upstream.js'
import type { GrantRecord } from './records.js'
import type { AuthorizationServer, Report } from './server.js'

/** Ends a grant: from the next request on, everything that came of it is worth nothing, in every process. */
export async function revokeGrant(
  grantId: string,
  grant: GrantRecord,
  why: RevocationCause,
  server: AuthorizationServer,
  report: Report,
): Promise<void> {
  const { clientId, subject } = grant
  if (!(await server.grants.remove(grantId))) return
  report({ type: 'grant.revoked', clientId, subject, why })
  // What the identity provider was told to give up serves nobody any more; that it could not be told changes nothing here.
  await giveBack(grantId, grant, server, report)
}

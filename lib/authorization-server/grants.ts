// How a grant ends: by its client, its user, or a sign that somebody stole from it.
import type { RevocationCause } from '../runtime/events.js'
import { giveBack } from './kept-upstream.js'
import type { GrantRecord } from './records.js'
import type { AuthorizationServer, Report } from './server.js'

/** Ends a grant, and gives back what is behind it. */
export async function revokeGrant(
  grantId: string,
  grant: GrantRecord,
  why: RevocationCause,
  server: AuthorizationServer,
  report: Report,
): Promise<void> {
  const removed = await endGrant(grantId, grant, why, server, report)
  // That the identity provider cannot be told changes nothing here.
  if (removed !== undefined) await giveBack(grantId, removed, server, report)
}

/**
 * Ends a grant: from the next request on, everything that came of it is worth nothing, in every process.
 *
 * @returns what was in it, for the one caller that ended it
 */
export async function endGrant(
  grantId: string,
  { clientId, subject }: GrantRecord,
  why: RevocationCause,
  server: AuthorizationServer,
  report: Report,
): Promise<GrantRecord | undefined> {
  const removed = await takeGrant(grantId, server)
  if (removed !== undefined) report({ type: 'grant.revoked', clientId, subject, why })
  return removed
}

/** Removes a grant, and says what was in it: what is behind it may have been renewed a moment ago. */
async function takeGrant(grantId: string, { grants }: AuthorizationServer): Promise<GrantRecord | undefined> {
  let grant = await grants.get(grantId)
  while (grant !== undefined && !(await grants.remove(grantId, grant))) grant = await grants.get(grantId)
  return grant?.data
}

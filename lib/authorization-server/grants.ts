// How a grant ends: by its client, its user, or a sign that somebody stole from it.
import type { RevocationCause } from '../runtime/events.js'
import { giveBack } from './kept-upstream.js'
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
  const removed = await takeGrant(grantId, server)
  if (removed === undefined) return
  report({ type: 'grant.revoked', clientId, subject, why })
  // That the identity provider cannot be told changes nothing here.
  await giveBack(grantId, removed, server, report)
}

/** Removes a grant, and says what was in it: what is behind it may have been renewed a moment ago. */
async function takeGrant(grantId: string, { grants }: AuthorizationServer): Promise<GrantRecord | undefined> {
  let grant = await grants.get(grantId)
  while (grant !== undefined && !(await grants.remove(grantId, grant))) grant = await grants.get(grantId)
  return grant?.data
}

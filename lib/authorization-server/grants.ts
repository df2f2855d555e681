// The life of a grant: ended by its client, its user, or a sign that somebody stole from it.
import type { RevocationCause } from '../runtime/events.js'
import type { Stored } from '../stores/collection.js'
import { type GrantGeneration, readTokenId } from './handles.js'
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

/** The grant behind an access token that is still good; undefined where it was revoked or has ended. */
export async function findLiveGrant(
  jti: unknown,
  server: AuthorizationServer,
): Promise<(GrantGeneration & { readonly grant: Stored<GrantRecord> }) | undefined> {
  const named = readTokenId(jti)
  const grant = named && (await server.grants.get(named.grantId))
  if (named === undefined || grant === undefined || grant.data.waits === true) return undefined
  const { revokedGeneration = -1 } = grant.data
  return named.generation > revokedGeneration ? { ...named, grant } : undefined
}

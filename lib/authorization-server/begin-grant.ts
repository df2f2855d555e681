// A decision becomes a grant that waits for its code to be redeemed (RFC 6749 4.1.2).
import { addConnection } from './connections.js'
import { codeOf } from './handles.js'
import { type UpstreamSession, grantUpstream } from './kept-upstream.js'
import type { AuthorizationRequest, Client, GrantRecord, User } from './records.js'
import type { AuthorizationServer, Report } from './server.js'

/** What is granted to whom. */
export interface Granted {
  readonly client: Client
  readonly request: AuthorizationRequest
  readonly user: User
  readonly scopes: readonly string[]
  /** What the identity provider gave, where there is one. */
  readonly upstream?: UpstreamSession | undefined
}

/**
 * Begins a grant under an ID that is not in use.
 *
 * @returns the code
 */
export async function beginGrant(
  granted: Granted,
  grantId: string,
  server: AuthorizationServer,
  report: Report,
): Promise<string> {
  const { client, request, user, scopes, upstream } = granted
  const now = server.deps.now()
  const { redirectUri, challenge } = request
  // The index first: an entry without a grant is passed over, a grant without an entry could not be found by its user.
  await server.clients.keep(client)
  await addConnection(user.subject, { grantId, clientId: client.clientId, since: now }, server, report)
  const record: GrantRecord = {
    clientId: client.clientId,
    subject: user.subject,
    claims: user.claims,
    scopes,
    startedAt: now,
    code: { redirectUri, challenge },
    waits: true,
    refreshable: isRefreshable(granted),
    generation: 0,
    rotatedAt: now,
    ...(upstream !== undefined && grantUpstream(grantId, upstream, server)),
  }
  await server.grants.put(grantId, record, now + server.settings.codeSeconds * 1000)
  return codeOf(server.keys, grantId)
}

/** By what the client registered, or by asking for `offline_access`, which the user may leave out. */
function isRefreshable({ client, request, scopes }: Granted): boolean {
  if (request.scopes.includes('offline_access')) return scopes.includes('offline_access')
  return client.grantTypes.includes('refresh_token')
}

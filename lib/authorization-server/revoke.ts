// RFC 7009 2.1: a client gives up a token. What is unknown, or somebody else's, is answered alike and changes nothing.
import { revokeGrant } from './grants.js'
import { type GrantGeneration, readRefreshToken, readTokenId } from './handles.js'
import type { Client } from './records.js'
import type { AuthorizationServer, Report } from './server.js'

/** Revokes a refresh token with its whole grant, or an access token with those that came before it. */
export async function revokeToken(
  token: string,
  client: Client,
  server: AuthorizationServer,
  report: Report,
): Promise<void> {
  const refreshable = readRefreshToken(server.keys, token)
  if (refreshable !== undefined) await endGrant(refreshable, client, server, report)
  else {
    // Its grant is looked at next, and what is behind that need not be asked: it may be away.
    const verified = await server.tokens.read(token)
    const named = readTokenId(verified?.claims['jti'])
    if (named !== undefined) await endAccess(named, client, server, report)
  }
}

async function endGrant(
  { grantId }: GrantGeneration,
  client: Client,
  server: AuthorizationServer,
  report: Report,
): Promise<void> {
  const grant = await server.grants.get(grantId)
  if (grant?.data.clientId !== client.clientId) return
  await revokeGrant(grantId, grant.data, 'client', server, report)
}

/** The refresh token stays good: a client may give up what it has no more use for. */
async function endAccess(
  named: GrantGeneration,
  client: Client,
  server: AuthorizationServer,
  report: Report,
): Promise<void> {
  for (;;) {
    const grant = await server.grants.get(named.grantId)
    if (grant?.data.clientId !== client.clientId) return
    if (!grant.data.refreshable) {
      await revokeGrant(named.grantId, grant.data, 'client', server, report)
      return
    }
    const revokedGeneration = Math.max(named.generation, grant.data.revokedGeneration ?? 0)
    if (await server.grants.replace(named.grantId, grant, { ...grant.data, revokedGeneration })) return
  }
}

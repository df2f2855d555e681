// RFC 6749 4.4: a confidential client acts for itself. No user, no refresh token.
import { OAuthError } from '../protocol/errors.js'
import type { Parameters } from '../protocol/parameters.js'
import type { TokenAnswer } from './issue.js'
import type { Client, GrantRecord } from './records.js'
import { grantedScopes } from './scopes.js'
import { checkResource, expiryOf, tokensOf } from './tokens.js'
import type { AuthorizationServer } from './server.js'

/** The `client_credentials` grant. */
export async function grantToClient(
  parameters: Parameters,
  client: Client,
  server: AuthorizationServer,
): Promise<TokenAnswer> {
  if (client.authMethods.includes('none')) {
    throw new OAuthError('unauthorized_client', 'A public client cannot act for itself')
  }
  checkResource(parameters, server)
  const now = server.deps.now()
  const grant: GrantRecord = {
    clientId: client.clientId,
    subject: client.clientId,
    scopes: grantedScopes(parameters.get('scope'), client, server.settings).filter(isNotOffline),
    startedAt: now,
    refreshable: false,
    generation: 0,
    rotatedAt: now,
  }
  const grantId = server.deps.randomId()
  // Kept, so that the token can be revoked.
  await server.grants.put(grantId, grant, expiryOf(grant, server))
  return tokensOf(grantId, grant, grant.scopes, server)
}

function isNotOffline(scope: string): boolean {
  return scope !== 'offline_access'
}

// RFC 6749 4.1.3 and RFC 7636 4.6: a code is exchanged once, by the client it was issued to, with the verifier it was asked for with.
import { OAuthError } from '../protocol/errors.js'
import type { Parameters } from '../protocol/parameters.js'
import { challengeOf, isCodeVerifier } from '../protocol/pkce.js'
import { isListed } from './connections.js'
import { revokeGrant } from './grants.js'
import { readCode } from './handles.js'
import type { TokenAnswer } from './issue.js'
import type { Client, GrantRecord } from './records.js'
import { checkResource, expiryOf, refusedGrant, tokensOf } from './tokens.js'
import type { AuthorizationServer, Report } from './server.js'

/** The `authorization_code` grant. */
export async function exchangeCode(
  parameters: Parameters,
  client: Client,
  server: AuthorizationServer,
  report: Report,
): Promise<TokenAnswer> {
  const code = parameters.get('code')
  if (code === undefined) throw new OAuthError('invalid_request', '"code" is missing')
  const grantId = readCode(server.keys, code)
  const stored = grantId === undefined ? undefined : await server.grants.get(grantId)
  if (grantId === undefined || stored === undefined) throw refusedGrant('no living grant has this code')
  const grant = stored.data
  // Somebody else's code stays good: its owner may still come.
  if (grant.clientId !== client.clientId) throw refusedGrant('the code was issued to another client')
  if (grant.code === undefined) throw refusedGrant('the grant never had a code')
  const { redirectUri, challenge } = grant.code
  const stated = parameters.get('redirect_uri')
  if (stated !== undefined && stated !== redirectUri) throw refusedGrant('"redirect_uri" is another one')
  checkResource(parameters, server)
  const verifier = parameters.get('code_verifier')
  if (verifier === undefined) throw refusedGrant('there is no verifier')
  const isRight = isCodeVerifier(verifier) && challengeOf(verifier) === challenge
  if (grant.waits !== true) {
    // Without the verifier, whoever shows an old code only found it somewhere: that must not sign anybody out.
    if (isRight) await revokeGrant(grantId, grant, 'code_replayed', server, report)
    throw refusedGrant('the code was used before')
  }
  if (!isRight) {
    // One guess: whoever stole a code has no second.
    await revokeGrant(grantId, grant, 'wrong_verifier', server, report)
    throw refusedGrant('the verifier does not match the challenge')
  }
  // Everything of its user was ended while it began: nobody would see it, and nobody could end it.
  if (!(await isListed(grantId, grant, server))) {
    await revokeGrant(grantId, grant, 'user', server, report)
    throw refusedGrant('its user was signed out of everything')
  }
  const now = server.deps.now()
  const begun: GrantRecord = { ...grant, waits: false, generation: grant.refreshable ? 1 : 0, rotatedAt: now }
  if (await server.grants.replace(grantId, stored, begun, expiryOf(begun, server))) {
    return tokensOf(grantId, begun, begun.scopes, server)
  }
  // Somebody was faster with the same code and verifier. Which of the two is the client cannot be told.
  await revokeGrant(grantId, grant, 'code_replayed', server, report)
  throw refusedGrant('the code was used at the same time; its grant is revoked')
}

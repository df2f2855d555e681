// RFC 6749 6 and OAuth 2.1 4.3.1: a refresh token is replaced at each use. Used again soon, it brings the same successor, so that a
// lost answer or two processes with one token log nobody out; used later, somebody stole it.
import { OAuthError } from '../protocol/errors.js'
import type { Parameters } from '../protocol/parameters.js'
import { missingScopes, parseScopes } from '../protocol/scopes.js'
import { keepGrantKnown } from './connections.js'
import { revokeGrant } from './grants.js'
import { readRefreshToken } from './handles.js'
import type { TokenAnswer } from './issue.js'
import { sealedAnew } from './kept-upstream.js'
import { isActive } from './people.js'
import type { Client, GrantRecord } from './records.js'
import { heldScopes } from './scopes.js'
import { checkResource, expiryOf, refusedGrant, tokensOf } from './tokens.js'
import type { AuthorizationServer, Report } from './server.js'
import { keepUpstream } from './upstream-session.js'

/** The `refresh_token` grant. */
export async function refresh(
  parameters: Parameters,
  client: Client,
  server: AuthorizationServer,
  report: Report,
): Promise<TokenAnswer> {
  const token = parameters.get('refresh_token')
  if (token === undefined) throw new OAuthError('invalid_request', '"refresh_token" is missing')
  const named = readRefreshToken(server.keys, token)
  if (named === undefined) throw refusedGrant('this is no refresh token of this server')
  const { grantId, generation } = named
  let isUpstreamKept = false
  // Whoever loses a race reads again, and then finds its token replaced a moment ago.
  for (;;) {
    const stored = await server.grants.get(grantId)
    if (stored === undefined) throw refusedGrant('the grant was revoked or has ended')
    const grant = stored.data
    if (grant.clientId !== client.clientId) throw refusedGrant('the token was issued to another client')
    checkResource(parameters, server)
    if (!(await isActive(grant.subject, server))) {
      await revokeGrant(grantId, grant, 'inactive', server, report)
      throw refusedGrant('the user may no longer come in; the grant is revoked')
    }
    const scopes = narrowed(
      parameters.get('scope'),
      heldScopes(grant.scopes, client, server.settings),
      server,
    )
    if (generation === grant.generation || (isGivenUp(grant) && mayRepeat(generation, grant, server))) {
      // Before the token is used up: where this cannot be done, it can be tried again.
      if (grant.upstream !== undefined && !isUpstreamKept) {
        await keepUpstream(grantId, stored, server, report)
        isUpstreamKept = true
        continue
      }
      const now = server.deps.now()
      await keepGrantKnown(grantId, grant, client, server, report)
      const next: GrantRecord = {
        ...grant,
        generation: grant.generation + 1,
        rotatedAt: now,
        ...(grant.upstream !== undefined && {
          upstream: { ...sealedAnew(grantId, grant.upstream, server), keptRound: grant.upstream.round },
        }),
      }
      if (await server.grants.replace(grantId, stored, next, expiryOf(next, server))) {
        return tokensOf(grantId, next, scopes, server)
      }
    } else if (mayRepeat(generation, grant, server)) return tokensOf(grantId, grant, scopes, server)
    else {
      await revokeGrant(grantId, grant, 'refresh_token_reused', server, report)
      throw refusedGrant('the token was used before; its grant is revoked')
    }
  }
}

/** Whether the newest access token was revoked by its client: the same again would be worth nothing. */
function isGivenUp({ generation, revokedGeneration = 0 }: GrantRecord): boolean {
  return revokedGeneration >= generation
}

/** Whether a token is the one just replaced: its successor was not used yet, and the time for it is not over. */
function mayRepeat(generation: number, grant: GrantRecord, { settings, deps }: AuthorizationServer): boolean {
  const age = deps.now() - grant.rotatedAt
  return generation === grant.generation - 1 && age < settings.refreshGraceSeconds * 1000
}

/**
 * RFC 6749 6: never more than was granted. What is left out now can be asked for again with the next token. Scopes that do not exist
 * here are passed over, as they were when authorization was asked for: clients repeat what they asked for then.
 */
function narrowed(
  asked: string | undefined,
  held: readonly string[],
  { settings }: AuthorizationServer,
): readonly string[] {
  const scopes = parseScopes(asked ?? '').filter((scope) => settings.scopesSupported.includes(scope))
  if (scopes.length === 0) return held
  const missing = missingScopes(held, scopes)
  if (missing.length === 0) return scopes
  throw new OAuthError('invalid_scope', 'A refresh cannot add scopes: ask for authorization again', {
    detail: `${missing.join(' ')} was not granted`,
  })
}

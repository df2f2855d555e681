// RFC 6749 5.1: what a grant gives its client, whichever way it asked.
import { OAuthError } from '../protocol/errors.js'
import type { Parameters } from '../protocol/parameters.js'
import { meansResource } from '../protocol/resource.js'
import { refreshTokenOf } from './handles.js'
import type { TokenAnswer } from './issue.js'
import type { GrantRecord } from './records.js'
import type { AuthorizationServer } from './server.js'

/** Until when a grant lives that is used now, in milliseconds since the epoch. */
export function expiryOf(
  { refreshable, endsAt }: GrantRecord,
  { settings, deps }: AuthorizationServer,
): number {
  const seconds = refreshable ? settings.refreshTokenSeconds : settings.accessTokenSeconds
  return Math.min(deps.now() + seconds * 1000, endsAt ?? Infinity)
}

/** The tokens of a grant in its present generation. Asked again, the refresh token is the same. */
export function tokensOf(
  grantId: string,
  grant: GrantRecord,
  scopes: readonly string[],
  server: AuthorizationServer,
): TokenAnswer {
  return {
    access_token: server.issuer.issue(grantId, grant, scopes),
    token_type: 'Bearer',
    expires_in: server.issuer.lifetimeOf(grant),
    // RFC 6749 3.3: a list of scopes has at least one.
    ...(scopes.length > 0 && { scope: scopes.join(' ') }),
    ...(grant.refreshable && { refresh_token: refreshTokenOf(server.keys, grantId, grant.generation) }),
  }
}

/** RFC 8707 2.2: tokens are for the one resource, whether it is named or not. */
export function checkResource(parameters: Parameters, { settings }: AuthorizationServer): void {
  const foreign = parameters.all('resource').find((resource) => !meansResource(resource, settings.resource))
  if (foreign === undefined) return
  throw new OAuthError('invalid_target', `Tokens are issued for ${settings.resource} only`, {
    detail: `the resource ${foreign.slice(0, 200)} was asked for`,
  })
}

/** RFC 6749 5.2: the same words whatever was wrong with a code or a refresh token; which it was is for events. */
export function refusedGrant(detail: string): OAuthError {
  return new OAuthError('invalid_grant', undefined, { detail })
}

// RFC 6749 3.3: which of the scopes that a client asks for it may have.
import { OAuthError } from '../protocol/errors.js'
import { parseScopes } from '../protocol/scopes.js'
import type { Client } from './records.js'
import type { ServerSettings } from './server.js'

/**
 * What is granted of what is asked for. Unknown scopes are left out, since clients ask for some of their own; without any that is
 * known, the defaults hold. What every request needs is always among them: a token without it would be of no use.
 *
 * @throws OAuthError `invalid_scope` for a scope beyond what the client may have
 */
export function grantedScopes(
  asked: string | undefined,
  client: Client,
  { scopesSupported, defaultScopes, requiredScopes }: ServerSettings,
): readonly string[] {
  const mayHave = (scope: string): boolean => isWithin(scope, client)
  const known = parseScopes(asked ?? '').filter((scope) => scopesSupported.includes(scope))
  const beyond = known.filter((scope) => !mayHave(scope))
  const wanted = known.length === 0 ? defaultScopes : known
  if (beyond.length === 0) return [...new Set([...requiredScopes, ...wanted])].filter(mayHave)
  throw new OAuthError('invalid_scope', `This client may not have the scope ${beyond.join(' ')}`, {
    detail: `${client.clientId} asked for ${beyond.join(' ')}`,
  })
}

/** What is left of scopes that were granted before: the operator may have taken some back since. */
export function heldScopes(
  granted: readonly string[],
  client: Client,
  { scopesSupported }: ServerSettings,
): readonly string[] {
  return granted.filter((scope) => scopesSupported.includes(scope) && isWithin(scope, client))
}

/** `offline_access` is no power of its own: it goes with the grant type. */
function isWithin(scope: string, { scopes, grantTypes }: Client): boolean {
  if (scopes === undefined || scopes.includes(scope)) return true
  return scope === 'offline_access' && grantTypes.includes('refresh_token')
}

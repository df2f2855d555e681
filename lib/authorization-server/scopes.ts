// RFC 6749 3.3: which of the scopes that a client asks for it may have.
import { OAuthError } from '../protocol/errors.js'
import { parseScopes } from '../protocol/scopes.js'
import type { Client } from './records.js'
import type { ServerSettings } from './server.js'

/**
 * What is granted of what is asked for. Unknown scopes are left out, since clients ask for some of their own; without any that is
 * known, the defaults hold.
 *
 * @throws OAuthError `invalid_scope` for a scope beyond what the client may have
 */
export function grantedScopes(
  asked: string | undefined,
  client: Client,
  { scopesSupported, defaultScopes }: ServerSettings,
): readonly string[] {
  const mayHave = (scope: string): boolean => client.scopes === undefined || client.scopes.includes(scope)
  const known = parseScopes(asked ?? '').filter((scope) => scopesSupported.includes(scope))
  if (known.length === 0) return defaultScopes.filter(mayHave)
  const beyond = known.filter((scope) => !mayHave(scope))
  if (beyond.length === 0) return known
  throw new OAuthError('invalid_scope', `This client may not have the scope ${beyond.join(' ')}`, {
    detail: `${client.clientId} asked for ${beyond.join(' ')}`,
  })
}

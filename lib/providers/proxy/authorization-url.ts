// RFC 6749 4.1.1, RFC 7636 4.3, RFC 8707 2 and OpenID Connect Core 3.1.2.1: the URL that a browser is sent to, and which scopes are asked for there.
import type { UpstreamTrip } from '../../authorization-server/upstream.js'
import { challengeOf } from '../../protocol/pkce.js'
import { formatScopes } from '../../protocol/scopes.js'
import type { UpstreamDescription } from './description.js'

/** What the protocol says is not for options to say; a request object would replace all of it at once (RFC 9101). */
export const RESERVED: ReadonlySet<string> = new Set([
  'response_type', 'client_id', 'redirect_uri', 'state', 'scope', 'nonce', 'code_challenge', 'code_challenge_method', 'request', 'request_uri',
]) // prettier-ignore

/** Builds it. */
export function buildAuthorizationUrl(
  endpoint: string,
  trip: UpstreamTrip,
  redirectUri: string,
  description: UpstreamDescription,
): string {
  const { authorizeParams, clientId, usesPkce, forwardsResource } = description
  const scopes = scopesToAsk(trip.scopes, description)
  const added = Object.entries(authorizeParams).filter(([name]) => !RESERVED.has(name))
  const parameters: readonly (readonly [name: string, value: string | undefined])[] = [
    ...added,
    ['response_type', 'code'],
    ['client_id', clientId],
    ['redirect_uri', redirectUri],
    ['state', trip.state],
    ['scope', formatScopes(scopes)],
    ['code_challenge', usesPkce ? challengeOf(trip.verifier) : undefined],
    ['code_challenge_method', usesPkce ? 'S256' : undefined],
    ['nonce', nonceOf(trip, description)],
    ['resource', forwardsResource ? trip.resource : undefined],
    ['prompt', trip.prompt],
  ]
  // The query that the endpoint has stays, e.g. the policy of Azure AD B2C.
  const url = new URL(endpoint)
  for (const [name, value] of parameters) {
    if (value !== undefined && value !== '') url.searchParams.set(name, value)
  }
  return url.href
}

/** OpenID Connect alone knows a nonce. */
export function nonceOf(trip: UpstreamTrip, description: UpstreamDescription): string | undefined {
  return scopesToAsk(trip.scopes, description).includes('openid') ? trip.nonce : undefined
}

/** Our scopes in the identity provider's words, and the extra ones. `offline_access` of ours asks for our own refresh tokens. */
export function scopesToAsk(
  scopes: readonly string[],
  { scopeNames, extraScopes }: Pick<UpstreamDescription, 'scopeNames' | 'extraScopes'>,
): readonly string[] {
  return [...new Set([...translated(scopes, scopeNames), ...extraScopes])]
}

const OPENID_SCOPES: ReadonlySet<string> = new Set([
  'openid',
  'profile',
  'email',
  'address',
  'phone',
  'offline_access',
])

/**
 * The scopes to repeat at the token endpoint. A token is for one API: of the extra scopes only OpenID Connect's, which belong to none, are repeated;
 * those of another API were there for consent.
 */
export function scopesToRepeat(
  scopes: readonly string[],
  { scopeNames, extraScopes }: Pick<UpstreamDescription, 'scopeNames' | 'extraScopes'>,
): readonly string[] {
  const extra = extraScopes.filter((scope) => OPENID_SCOPES.has(scope))
  return [...new Set([...translated(scopes, scopeNames), ...extra])]
}

function translated(scopes: readonly string[], names: UpstreamDescription['scopeNames']): readonly string[] {
  return names.toUpstream(scopes.filter((scope) => scope !== 'offline_access'))
}

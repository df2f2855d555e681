// What Microsoft Entra ID and Azure AD B2C have in common as identity providers.
import type { OptionReader } from '../../protocol/options.js'
import type { RegisteredApp } from '../idp/idp.js'
import { jwtIdentification } from '../oidc-proxy.js'
import type { OwnOption } from '../own-options.js'
import type { UpstreamDescription } from '../proxy/description.js'
import type { ProxyFacts } from '../proxy/proxy-options.js'
import { explainEntra } from './errors.js'
import { API_SCOPE_ADVICE, isApiScope, scopeNamesOf } from './tenant.js'

/** Options of both. */
export interface EntraOptions {
  /**
   * Short names of scopes under "Expose an API", e.g. `['mcp.use']`, at least one: else Entra issues tokens for Microsoft Graph, which
   * nobody but Graph can verify.
   */
  readonly requiredScopes: readonly string[]
  /** "Application ID URI" of the API. Default: `api://{clientId}`, and `https://{tenantName}.onmicrosoft.com/{clientId}` in B2C. */
  readonly identifierUri?: string
  /**
   * Scopes of other APIs, e.g. `['https://graph.microsoft.com/User.Read']`, that people consent to when they sign in, for tools that go
   * on with `exchangeToken`.
   */
  readonly additionalAuthorizeScopes?: readonly string[]
  /** `iss` of access tokens, where it is another than the documented one. */
  readonly tokenIssuer?: string
}

const SCOPE_ADVICE = `${API_SCOPE_ADVICE}; without one, tokens are for Microsoft Graph`

/** How they are read. */
export const ENTRA_OPTIONS: Readonly<Record<keyof EntraOptions, OwnOption>> = {
  requiredScopes: { kind: 'scopes', required: SCOPE_ADVICE },
  identifierUri: 'text',
  additionalAuthorizeScopes: 'scopes',
  tokenIssuer: 'url',
}

/** What differs between them. */
export interface EntraTenant extends EntraOptions, Pick<UpstreamDescription, 'endpoints' | 'subjectClaim'> {
  readonly identifierUri: string
  readonly otherIssuers?: readonly string[]
}

/** @throws ConfigError where no scope is one of an API */
export function entraFacts(
  tenant: EntraTenant,
  { clientId, deps }: RegisteredApp,
  read: OptionReader,
): Omit<ProxyFacts, 'name' | 'clientId' | 'clientSecret'> {
  const { endpoints, identifierUri, requiredScopes, additionalAuthorizeScopes = [], otherIssuers } = tenant
  const { subjectClaim } = tenant
  if (!requiredScopes.some(isApiScope)) throw read.missing('requiredScopes', SCOPE_ADVICE)
  return {
    endpoints,
    // Version 2 of tokens names the ID, version 1 the URI.
    identification: jwtIdentification({ audience: [clientId, identifierUri], otherIssuers }, deps),
    authMethod: 'client_secret_post',
    scopeNames: scopeNamesOf(identifierUri),
    // No refresh token without: https://learn.microsoft.com/entra/identity-platform/scopes-oidc#the-offline_access-scope
    extraScopes: ['offline_access', ...additionalAuthorizeScopes],
    // AADSTS28003, AADSTS70011: a code is exchanged for the scopes of one API, and they have to be said again.
    tokenScopes: 'always',
    // AADSTS901002, AADSTS9010010: it is the scopes that say which API.
    forwardsResource: false,
    // In Entra ID, `sub` is another one in each app, but the one claim that is by itself never somebody else's; `oid` needs `tid` beside it:
    // https://learn.microsoft.com/entra/identity-platform/claims-validation
    subjectClaim,
    claims: [
      'oid', 'tid', 'name', 'given_name', 'family_name', 'preferred_username', 'upn', 'email', 'roles', 'groups',
    ], // prettier-ignore
    explain: explainEntra,
  }
}

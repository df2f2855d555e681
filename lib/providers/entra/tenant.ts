// Microsoft Entra ID: whom tokens of a tenant name as their issuer, and how scopes of an app are called there.
import type { OptionReader } from '../../protocol/options.js'
import type { ScopeNames } from '../proxy/description.js'

/** Where Entra is, outside of national clouds. */
export const ENTRA: string = 'https://login.microsoftonline.com'

/** What `tenantId` must be; a reason to be this strict is that nothing else can be compared with `iss`. */
export const TENANT_ADVICE =
  'write the "Directory (tenant) ID" of the app registration, or "organizations", "consumers" or "common" where anybody may sign in'

/** https://learn.microsoft.com/entra/identity-platform/id-token-claims-reference: the tenant of every personal account. */
const CONSUMERS = '9188040d-6c67-4c5b-b112-36a304b66dad'
const GUID = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i

/** Which `iss` the tokens of a tenant carry: `v2` in ID tokens and access tokens of version 2, all of them in one or the other. */
export interface TenantIssuers {
  /** Absent where it differs from user to user. */
  readonly v2?: string | undefined
  readonly all: readonly string[]
}

/** @throws ConfigError for a tenant that tokens do not name */
export function issuersOf(
  read: OptionReader,
  {
    tenantId,
    authority,
    tokenIssuer,
  }: { tenantId: string; authority: string; tokenIssuer: string | undefined },
): TenantIssuers {
  if (tokenIssuer !== undefined) return { v2: tokenIssuer, all: [tokenIssuer] }
  // Entra's keys are the same for all tenants: without a tenant in the issuer, anybody's own tenant would do.
  const tenant = NAMED_TENANTS.get(tenantId) ?? tenantId.toLowerCase()
  if (tenant !== ANY_TENANT && !GUID.test(tenant)) {
    const expected = `a GUID, "organizations", "consumers" or "common": ${TENANT_ADVICE}`
    throw read.invalid('tenantId', expected)
  }
  // External ID: https://learn.microsoft.com/entra/external-id/customers/how-to-find-tenant-details
  const isExternal = new URL(authority).hostname.endsWith('.ciamlogin.com')
  const v2 = `${isExternal ? `https://${tenant}.ciamlogin.com` : authority}/${tenant}/v2.0`
  // https://learn.microsoft.com/entra/identity-platform/access-tokens#token-formats: the API's manifest says which of the two it gets.
  const v1 = `https://sts.windows.net/${tenant}/`
  return { v2: tenant === ANY_TENANT ? undefined : v2, all: [v2, v1] }
}

const ANY_TENANT = '{tid}'
const NAMED_TENANTS: ReadonlyMap<string, string> = new Map([
  ['common', ANY_TENANT],
  ['organizations', ANY_TENANT],
  ['consumers', CONSUMERS],
])

/** https://learn.microsoft.com/entra/identity-platform/scopes-oidc: they belong to no API. */
const OPENID_SCOPES: readonly string[] = ['openid', 'profile', 'email', 'offline_access']

/** What is missing where no scope is one of an API. */
export const API_SCOPE_ADVICE = 'name a scope under "Expose an API" of the app registration, e.g. ["mcp.use"]'

/** Whether a scope is one of an API, and not OpenID Connect's. */
export function isApiScope(scope: string): boolean {
  return !OPENID_SCOPES.includes(scope)
}

/** Entra calls a scope of an API by the API's identifier and its name, `api://…/read`; tokens hold the name alone. */
export function scopeNamesOf(identifierUri: string): ScopeNames {
  const prefix = `${identifierUri.replace(/\/$/, '')}/`
  const isShort = (scope: string): boolean => isApiScope(scope) && !scope.includes('/')
  return {
    toUpstream: (scopes) => scopes.map((scope) => (isShort(scope) ? prefix + scope : scope)),
    // Those of OpenID Connect are granted to whoever asks, and told neither in `scp` nor in answers.
    fromUpstream: (scopes) => [
      ...scopes.map((scope) => (scope.startsWith(prefix) ? scope.slice(prefix.length) : scope)),
      ...OPENID_SCOPES,
    ],
  }
}

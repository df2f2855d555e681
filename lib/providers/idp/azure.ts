// Microsoft Entra ID. Register `{baseUrl}/auth/callback` under Authentication > Web, and a scope under "Expose an API".
import { ENTRA_OPTIONS, type EntraOptions, entraFacts } from '../entra/facts.js'
import { ENTRA, TENANT_ADVICE, issuersOf } from '../entra/tenant.js'
import type { ServerProvider } from '../server-provider.js'
import { type IdentityProviderClass, defineIdentityProvider } from './idp.js'

export { AzureJWTVerifier, type AzureJWTVerifierOptions } from '../entra/verifier.js'

/** Options of {@link AzureProvider}. */
export interface AzureOptions extends EntraOptions {
  /** "Directory (tenant) ID", or `organizations`, `consumers` or `common`: each token then has to be of the tenant that it names. */
  readonly tenantId: string
  /** Where Entra is, in a national cloud or for an external tenant. Default: `https://login.microsoftonline.com`. */
  readonly baseAuthority?: string
}

/** Lets people sign in at Microsoft Entra ID. */
export const AzureProvider: IdentityProviderClass<AzureOptions> = defineIdentityProvider<AzureOptions>({
  className: 'AzureProvider',
  title: 'Microsoft',
  secret: 'optional',
  options: { tenantId: { kind: 'text', required: TENANT_ADVICE }, baseAuthority: 'base', ...ENTRA_OPTIONS },
  facts(own, app, read) {
    const { tenantId, baseAuthority: authority = ENTRA, tokenIssuer } = own
    const { identifierUri = `api://${app.clientId}` } = own
    const { v2, all } = issuersOf(read, { tenantId, authority, tokenIssuer })
    // https://learn.microsoft.com/entra/identity-platform/v2-protocols#endpoints
    const endpoints = {
      issuer: v2,
      authorizationEndpoint: `${authority}/${tenantId}/oauth2/v2.0/authorize`,
      tokenEndpoint: `${authority}/${tenantId}/oauth2/v2.0/token`,
      jwksUri: `${authority}/${tenantId}/discovery/v2.0/keys`,
    }
    return entraFacts({ ...own, identifierUri, endpoints, otherIssuers: all }, app, read)
  },
})
export type AzureProvider = ServerProvider

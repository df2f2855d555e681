// Azure AD B2C, by a user flow. Register `{baseUrl}/auth/callback` under Authentication > Web, and a scope under "Expose an API".
import { ENTRA_OPTIONS, type EntraOptions, entraFacts } from '../entra/facts.js'
import type { ServerProvider } from '../server-provider.js'
import { type IdentityProviderClass, defineIdentityProvider } from './idp.js'

/** Options of {@link AzureB2CProvider}. */
export interface AzureB2COptions extends EntraOptions {
  /** Name of the tenant: that of `contoso.onmicrosoft.com` is `contoso`. */
  readonly tenantName: string
  /** Name of the user flow or custom policy, e.g. `B2C_1_sign_in`. */
  readonly policyName: string
  /** Custom domain. Default: `{tenantName}.b2clogin.com`. */
  readonly customDomain?: string
}

/**
 * Lets people sign in by a user flow of Azure AD B2C. They are told apart by the claim `oid`: "User's Object ID" has to be among the application
 * claims of the flow.
 */
export const AzureB2CProvider: IdentityProviderClass<AzureB2COptions> =
  defineIdentityProvider<AzureB2COptions>({
    className: 'AzureB2CProvider',
    title: 'Microsoft',
    secret: 'optional',
    options: {
      tenantName: { kind: 'text', required: 'write "contoso", where the tenant is contoso.onmicrosoft.com' },
      policyName: { kind: 'text', required: 'write the name of the user flow, e.g. "B2C_1_sign_in"' },
      customDomain: 'base',
      ...ENTRA_OPTIONS,
    },
    facts(own, app, read) {
      const { tenantName, policyName, tokenIssuer } = own
      const { customDomain: host = `https://${tenantName}.b2clogin.com` } = own
      const { identifierUri = `https://${tenantName}.onmicrosoft.com/${app.clientId}` } = own
      // A document for each policy, whose issuer has the ID of the tenant in it and no policy:
      // https://learn.microsoft.com/azure/active-directory-b2c/tokens-overview#compatibility
      const configUrl = `${host}/${tenantName}.onmicrosoft.com/${policyName}/v2.0/.well-known/openid-configuration`
      const endpoints = { configUrl, strict: false, replaced: { issuer: tokenIssuer } }
      // `sub` may be one text for everybody, as user flows are set:
      // https://learn.microsoft.com/azure/active-directory-b2c/configure-tokens
      const subjectClaim = 'oid'
      return entraFacts({ ...own, identifierUri, endpoints, subjectClaim }, app, read)
    },
  })
export type AzureB2CProvider = ServerProvider

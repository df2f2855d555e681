// Oracle Cloud Infrastructure, identity domains. Register `{baseUrl}/auth/callback` at a confidential app, with "Refresh token" ticked.
import { jwtIdentification } from '../oidc-proxy.js'
import type { ServerProvider } from '../server-provider.js'
import { type IdentityProviderClass, defineIdentityProvider } from './idp.js'

/** Options of {@link OCIProvider}. */
export interface OCIOptions {
  /** The domain's document, e.g. `https://idcs-0a1b2c.identity.oraclecloud.com/.well-known/openid-configuration`. */
  readonly configUrl: string
  /** "Primary audience" of the app whose scopes are asked for. Default: any, of tokens that were issued to this app. */
  readonly audience?: string
}

/** Lets people sign in at an identity domain of Oracle Cloud. */
export const OCIProvider: IdentityProviderClass<OCIOptions> = defineIdentityProvider<OCIOptions>({
  className: 'OCIProvider',
  title: 'Oracle Cloud',
  secret: 'required',
  options: {
    configUrl: {
      kind: 'url',
      required: 'write the "Domain URL", with "/.well-known/openid-configuration" behind',
    },
    audience: 'text',
  },
  facts: ({ configUrl, audience }, { clientId, deps }) => ({
    // One issuer for all domains, so that the document's own URL does not fit it; keys are each domain's own:
    // https://docs.oracle.com/en-us/iaas/Content/APIGateway/Tasks/apigatewayusingjwttokens-identityprovider.htm
    endpoints: { configUrl, strict: false },
    identification: jwtIdentification(
      {
        audience,
        requiredClaims: { client_id: clientId },
        otherIssuers: ['https://identity.oraclecloud.com/', 'https://identity.oraclecloud.com'],
      },
      deps,
    ),
    requiredScopes: ['openid'],
    extraScopes: ['offline_access'],
    // `sub` is what people sign in with: https://docs.oracle.com/en-us/iaas/Content/Identity/api-getstarted/AccessToken.htm
    subjectClaim: 'user_id',
  }),
})
export type OCIProvider = ServerProvider

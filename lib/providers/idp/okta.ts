// Okta, by a custom authorization server. Register `{baseUrl}/auth/callback` at a Web Application, with the grant "Refresh Token".
import { jwtIdentification } from '../oidc-proxy.js'
import type { ServerProvider } from '../server-provider.js'
import { type IdentityProviderClass, defineIdentityProvider } from './idp.js'

/** Options of {@link OktaProvider}. */
export interface OktaOptions {
  /** Domain of the organization, e.g. `example.okta.com`, or its custom domain. */
  readonly oktaDomain: string
  /** Under Security > API. The organization's own server will not do: its tokens are for Okta alone. Default: `default`. */
  readonly authorizationServerId?: string
  /** Audience of that authorization server. Default: `api://default`. */
  readonly audience?: string
}

const DOMAIN = {
  kind: 'base',
  required: 'write the domain of your organization, e.g. "example.okta.com"',
} as const
const SCOPE_ADVICE =
  'tick "Refresh Token" among the grants of the app, and add the scopes under Security > API'

/** Lets people sign in at Okta. */
export const OktaProvider: IdentityProviderClass<OktaOptions> = defineIdentityProvider<OktaOptions>({
  className: 'OktaProvider',
  title: 'Okta',
  secret: 'optional',
  options: { oktaDomain: DOMAIN, authorizationServerId: 'text', audience: 'text' },
  facts: (
    { oktaDomain, authorizationServerId: id = 'default', audience = 'api://default' },
    { clientId, deps },
  ) => ({
    endpoints: { configUrl: `${oktaDomain}/oauth2/${id}/.well-known/openid-configuration`, strict: true },
    // One audience for every app of the server: https://developer.okta.com/docs/guides/validate-access-tokens
    identification: jwtIdentification({ audience, requiredClaims: { cid: clientId } }, deps),
    requiredScopes: ['openid'],
    extraScopes: ['offline_access'],
    forwardsResource: false,
    // `sub` is the login, mostly an e-mail address: https://developer.okta.com/docs/reference/api/oidc/#access-token-payload
    subjectClaim: 'uid',
    explain: (error) => (error === 'invalid_scope' ? SCOPE_ADVICE : undefined),
  }),
})
export type OktaProvider = ServerProvider

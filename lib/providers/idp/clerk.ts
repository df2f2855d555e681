// Clerk, by an OAuth application. Register `{baseUrl}/auth/callback` as its redirect URI.
import { shown } from '../../protocol/claims.js'
import { type TokenInfoCaching, scopesOf, secondsOf } from '../../verifiers/token-info.js'
import type { ServerProvider } from '../server-provider.js'
import { type IdentityProviderClass, defineIdentityProvider } from './idp.js'

/** Options of {@link ClerkProvider}. */
export interface ClerkOptions extends TokenInfoCaching {
  /** Of the instance, as its Frontend API URL has it, e.g. `saving-primate-16.clerk.accounts.dev`. */
  readonly domain: string
}

/** Lets people sign in at Clerk. */
export const ClerkProvider: IdentityProviderClass<ClerkOptions> = defineIdentityProvider<ClerkOptions>({
  className: 'ClerkProvider',
  title: 'Clerk',
  secret: 'optional',
  options: {
    domain: { kind: 'base', required: 'write the domain of your Clerk instance, e.g. "clerk.example.com"' },
    cacheTtlSeconds: 'seconds',
  },
  facts: ({ domain }) => ({
    endpoints: {
      authorizationEndpoint: `${domain}/oauth/authorize`,
      tokenEndpoint: `${domain}/oauth/token`,
      revocationEndpoint: `${domain}/oauth/token/revoke`,
    },
    requiredScopes: ['openid', 'email', 'profile'],
    identification: {
      by: 'token_info',
      tokens: {
        issuer: domain,
        // RFC 7662, at an address of its own: https://clerk.com/docs/reference/frontend-api/tag/OAuth2-Identify-Provider
        ask: { url: `${domain}/oauth/token_info`, tokenIn: 'form', clientAuth: 'client_secret_post' },
        // Any status but 200 is about this app.
        refusals: [],
        read: ({ json }) =>
          json['active'] === true
            ? {
                subject: json['sub'],
                issuedTo: json['client_id'] ?? json['aud'],
                scopes: scopesOf(json['scope']),
                expiresAt: secondsOf(json['exp']),
                claims: {},
              }
            : { stage: 'introspection', expected: 'an active token', got: shown(json['active']) },
        profile: { url: `${domain}/oauth/userinfo` },
        claims: [
            'name', 'given_name', 'family_name', 'preferred_username', 'email', 'email_verified', 'picture', 'public_metadata',
          ], // prettier-ignore
      },
    },
  }),
})
export type ClerkProvider = ServerProvider

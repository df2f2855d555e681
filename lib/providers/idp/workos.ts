// WorkOS, by an OAuth application of WorkOS Connect. Register `{baseUrl}/auth/callback` as its redirect URI.
import { type TokenInfoCaching, scopesOf } from '../../verifiers/token-info.js'
import type { ServerProvider } from '../server-provider.js'
import { type IdentityProviderClass, defineIdentityProvider } from './idp.js'

export { type AuthKitOptions, AuthKitProvider } from './authkit.js'

/** Options of {@link WorkOSProvider}. */
export interface WorkOSOptions extends TokenInfoCaching {
  /** The AuthKit domain, e.g. `https://notes.authkit.app`. */
  readonly authkitDomain: string
}

/** Lets people sign in at WorkOS, with an application that was registered there. Where clients register themselves, see `AuthKitProvider`. */
export const WorkOSProvider: IdentityProviderClass<WorkOSOptions> = defineIdentityProvider<WorkOSOptions>({
  className: 'WorkOSProvider',
  title: 'WorkOS',
  secret: 'required',
  options: {
    authkitDomain: { kind: 'base', required: 'write your AuthKit domain, e.g. "https://notes.authkit.app"' },
    cacheTtlSeconds: 'seconds',
  },
  facts: ({ authkitDomain }) => ({
    endpoints: {
      authorizationEndpoint: `${authkitDomain}/oauth2/authorize`,
      tokenEndpoint: `${authkitDomain}/oauth2/token`,
    },
    // In the body: https://workos.com/docs/reference/workos-connect/token
    authMethod: 'client_secret_post',
    // Access tokens last five minutes, and there are refresh tokens only for the latter.
    extraScopes: ['openid', 'offline_access'],
    identification: {
      by: 'token_info',
      tokens: {
        issuer: authkitDomain,
        ask: { url: `${authkitDomain}/oauth2/userinfo` },
        read: ({ json }) => ({
          subject: json['sub'],
          scopes: scopesOf(json['scope'] ?? json['scopes']),
          claims: json,
        }),
        claims: ['name', 'given_name', 'family_name', 'email', 'email_verified', 'picture'],
      },
    },
  }),
})
export type WorkOSProvider = ServerProvider

// Google, by an OAuth client of the type "Web application". Register `{baseUrl}/auth/callback` as its authorized redirect URI.
import type { TokenInfoCaching } from '../../verifiers/token-info.js'
import { ISSUER, TOKENS, withAliases } from '../google/tokens.js'
import type { ServerProvider } from '../server-provider.js'
import { type IdentityProviderClass, defineIdentityProvider } from './idp.js'

export { GoogleTokenVerifier } from '../google/tokens.js'

/** Options of {@link GoogleProvider}. */
export type GoogleOptions = TokenInfoCaching

/** Lets people sign in at Google. */
export const GoogleProvider: IdentityProviderClass<GoogleOptions> = defineIdentityProvider<GoogleOptions>({
  className: 'GoogleProvider',
  title: 'Google',
  secret: 'optional',
  options: { cacheTtlSeconds: 'seconds' },
  facts: () => ({
    endpoints: {
      issuer: ISSUER,
      authorizationEndpoint: 'https://accounts.google.com/o/oauth2/v2/auth',
      tokenEndpoint: 'https://oauth2.googleapis.com/token',
      // No revocation endpoint: it takes back everything that the user granted to this app, in every client and browser:
      // https://developers.google.com/identity/protocols/oauth2/web-server#tokenrevoke
    },
    // There is a refresh token only with both: https://developers.google.com/identity/protocols/oauth2/web-server#offline
    authorizeParams: { access_type: 'offline', prompt: 'consent' },
    requiredScopes: ['openid'],
    extraScopes: ['openid'],
    scopeNames: { toUpstream: (scopes) => scopes, fromUpstream: withAliases },
    forwardsResource: false,
    identification: { by: 'token_info', tokens: TOKENS },
  }),
})
export type GoogleProvider = ServerProvider

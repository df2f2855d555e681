// Hugging Face, by an OAuth app of the settings "Connected Apps". Register `{baseUrl}/auth/callback` as its redirect URL.
import type { TokenInfoCaching } from '../../verifiers/token-info.js'
import type { ServerProvider } from '../server-provider.js'
import { type IdentityProviderClass, defineIdentityProvider } from './idp.js'

/** Options of {@link HuggingFaceProvider}. */
export type HuggingFaceOptions = TokenInfoCaching

/** Lets people sign in at Hugging Face. A public app there has no secret. */
export const HuggingFaceProvider: IdentityProviderClass<HuggingFaceOptions> =
  defineIdentityProvider<HuggingFaceOptions>({
    className: 'HuggingFaceProvider',
    title: 'Hugging Face',
    secret: 'optional',
    options: { cacheTtlSeconds: 'seconds' },
    facts: () => ({
      endpoints: {
        authorizationEndpoint: 'https://huggingface.co/oauth/authorize',
        tokenEndpoint: 'https://huggingface.co/oauth/token',
      },
      requiredScopes: ['openid', 'profile'],
      extraScopes: ['openid'],
      forwardsResource: false,
      identification: {
        by: 'token_info',
        tokens: {
          issuer: 'https://huggingface.co',
          // What a token allows is told once, by the answer that it came in: https://huggingface.co/docs/hub/oauth
          ask: { url: 'https://huggingface.co/oauth/userinfo' },
          read: ({ json }) => ({ subject: json['sub'], claims: json }),
          claims: [
              'name', 'preferred_username', 'profile', 'picture', 'email', 'email_verified', 'website', 'isPro', 'orgs',
            ], // prettier-ignore
        },
      },
    }),
  })
export type HuggingFaceProvider = ServerProvider

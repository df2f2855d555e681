// Discord. Register `{baseUrl}/auth/callback` as a redirect under OAuth2 of the application.
import type { TokenInfoCaching } from '../../verifiers/token-info.js'
import { TOKENS } from '../discord/tokens.js'
import type { ServerProvider } from '../server-provider.js'
import { type IdentityProviderClass, defineIdentityProvider } from './idp.js'

export { DiscordTokenVerifier } from '../discord/tokens.js'

/** Options of {@link DiscordProvider}. */
export type DiscordOptions = TokenInfoCaching

/** Lets people sign in at Discord. */
export const DiscordProvider: IdentityProviderClass<DiscordOptions> = defineIdentityProvider<DiscordOptions>({
  className: 'DiscordProvider',
  title: 'Discord',
  secret: 'required',
  options: { cacheTtlSeconds: 'seconds' },
  facts: () => ({
    endpoints: {
      authorizationEndpoint: 'https://discord.com/oauth2/authorize',
      tokenEndpoint: 'https://discord.com/api/oauth2/token',
      // No revocation endpoint: it ends every token that the user has for this app, in every client and browser:
      // https://docs.discord.com/developers/topics/oauth2#authorization-code-grant-token-revocation-example
    },
    requiredScopes: ['identify'],
    extraScopes: ['identify'],
    forwardsResource: false,
    identification: { by: 'token_info', tokens: TOKENS },
  }),
})
export type DiscordProvider = ServerProvider

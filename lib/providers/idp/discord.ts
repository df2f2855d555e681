// Discord. Register `{baseUrl}/auth/callback` as a redirect under OAuth2 of the application.
import { secondsOfIsoTime } from '../../runtime/iso-time.js'
import {
  type AppTokenVerifierClass,
  type AppTokenVerifierOptions,
  defineAppTokenVerifier,
} from '../../verifiers/app-tokens.js'
import {
  type TokenInfo,
  type TokenInfoCaching,
  TokenInfoVerifier,
  membersOf,
  scopesOf,
} from '../../verifiers/token-info.js'
import type { ServerProvider } from '../server-provider.js'
import { type IdentityProviderClass, defineIdentityProvider } from './idp.js'

/** Options of {@link DiscordProvider}. */
export type DiscordOptions = TokenInfoCaching

const TOKENS: TokenInfo = {
  issuer: 'https://discord.com',
  // https://docs.discord.com/developers/topics/oauth2#get-current-authorization-information
  ask: { url: 'https://discord.com/api/oauth2/@me' },
  read: ({ json }) => ({
    // Only tokens with the scope "identify" have one.
    subject: membersOf(json['user'])['id'],
    issuedTo: membersOf(json['application'])['id'],
    scopes: scopesOf(json['scopes']),
    expiresAt: secondsOfIsoTime(json['expires']),
    claims: membersOf(json['user']),
  }),
  // The e-mail address is there alone.
  profile: { url: 'https://discord.com/api/users/@me' },
  claims: ['username', 'global_name', 'discriminator', 'avatar', 'email', 'verified', 'locale'],
}

/** Lets people sign in at Discord. */
export const DiscordProvider: IdentityProviderClass<DiscordOptions> = defineIdentityProvider<DiscordOptions>({
  className: 'DiscordProvider',
  title: 'Discord',
  secret: 'required',
  options: { cacheTtlSeconds: 'seconds' },
  facts: (_own, app, read) => ({
    endpoints: {
      authorizationEndpoint: 'https://discord.com/oauth2/authorize',
      tokenEndpoint: 'https://discord.com/api/oauth2/token',
      // No revocation endpoint: it ends every token that the user has for this app, in every client and browser:
      // https://docs.discord.com/developers/topics/oauth2#authorization-code-grant-token-revocation-example
    },
    requiredScopes: ['identify'],
    extraScopes: ['identify'],
    forwardsResource: false,
    identification: { by: 'access_token', verifier: new TokenInfoVerifier(TOKENS, app, read) },
  }),
})
export type DiscordProvider = ServerProvider

/**
 * Verifies tokens that callers got from Discord themselves, for this app and no other, in `RemoteAuthProvider` or `MultiAuth`. They need the
 * scope `identify`.
 *
 * @example new DiscordTokenVerifier({ clientId: config.clientId })
 */
export const DiscordTokenVerifier: AppTokenVerifierClass<AppTokenVerifierOptions> = defineAppTokenVerifier({
  className: 'DiscordTokenVerifier',
  title: 'Discord',
  needsSecret: false,
  options: [],
  info: () => TOKENS,
})
export type DiscordTokenVerifier = TokenInfoVerifier

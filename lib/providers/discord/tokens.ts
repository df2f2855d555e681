// Access tokens of Discord: what it says of the authorization behind them.
import { secondsOfIsoTime } from '../../runtime/iso-time.js'
import {
  type AppTokenVerifierClass,
  type AppTokenVerifierOptions,
  defineAppTokenVerifier,
} from '../../verifiers/app-tokens.js'
import { type TokenInfo, type TokenInfoVerifier, membersOf, scopesOf } from '../../verifiers/token-info.js'

/** How it is known whose a token is. */
export const TOKENS: TokenInfo = {
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

// Google, by an OAuth client of the type "Web application". Register `{baseUrl}/auth/callback` as its authorized redirect URI.
import {
  type AppTokenVerifierClass,
  type AppTokenVerifierOptions,
  defineAppTokenVerifier,
} from '../../verifiers/app-tokens.js'
import {
  type TokenInfo,
  type TokenInfoCaching,
  TokenInfoVerifier,
  scopesOf,
  secondsOf,
} from '../../verifiers/token-info.js'
import type { ServerProvider } from '../server-provider.js'
import { type IdentityProviderClass, defineIdentityProvider } from './idp.js'

/** Options of {@link GoogleProvider}. */
export type GoogleOptions = TokenInfoCaching

const ISSUER = 'https://accounts.google.com'
const FULL = 'https://www.googleapis.com/auth/userinfo.'

/** Clients ask for the short names, and Google grants the long ones: https://developers.google.com/identity/protocols/oauth2/scopes#oauth2 */
const ALIASES: ReadonlyMap<string, string> = new Map(
  ['email', 'profile'].flatMap((name) => [
    [name, `${FULL}${name}`],
    [`${FULL}${name}`, name],
  ]),
)

const withAliases = (scopes: readonly string[]): readonly string[] => [
  ...new Set(scopes.flatMap((scope) => [scope, ALIASES.get(scope) ?? scope])),
]

/** It knows numbers and flags as text alone. */
const FLAGS: ReadonlyMap<unknown, boolean> = new Map<unknown, boolean>([
  ['true', true],
  [true, true],
  ['false', false],
  [false, false],
])

const TOKENS: TokenInfo = {
  issuer: ISSUER,
  // As Google's own library asks, which keeps the token out of URLs:
  // https://github.com/googleapis/google-auth-library-nodejs/blob/main/src/auth/oauth2client.ts
  ask: { url: 'https://oauth2.googleapis.com/tokeninfo', method: 'POST' },
  refusals: [400, 401],
  read: ({ json }) => ({
    // Only tokens with the scope "openid" have one.
    subject: json['sub'],
    issuedTo: json['aud'],
    scopes: withAliases(scopesOf(json['scope']) ?? []),
    expiresAt: secondsOf(json['exp']),
    claims: { ...json, email_verified: FLAGS.get(json['email_verified']) },
  }),
  profile: { url: 'https://openidconnect.googleapis.com/v1/userinfo' },
  claims: ['name', 'given_name', 'family_name', 'picture', 'locale', 'email', 'email_verified', 'hd'],
}

/** Lets people sign in at Google. */
export const GoogleProvider: IdentityProviderClass<GoogleOptions> = defineIdentityProvider<GoogleOptions>({
  className: 'GoogleProvider',
  title: 'Google',
  secret: 'optional',
  options: { cacheTtlSeconds: 'seconds' },
  facts: (_own, app, read) => ({
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
    identification: { by: 'access_token', verifier: new TokenInfoVerifier(TOKENS, app, read) },
  }),
})
export type GoogleProvider = ServerProvider

/**
 * Verifies access tokens that callers got from Google themselves, for this app and no other, in `RemoteAuthProvider` or `MultiAuth`. They need
 * the scope `openid`.
 *
 * @example new GoogleTokenVerifier({ clientId: config.clientId, requiredScopes: ['openid', 'email'] })
 */
export const GoogleTokenVerifier: AppTokenVerifierClass<AppTokenVerifierOptions> = defineAppTokenVerifier({
  className: 'GoogleTokenVerifier',
  title: 'Google',
  needsSecret: false,
  options: [],
  info: () => TOKENS,
})
export type GoogleTokenVerifier = TokenInfoVerifier

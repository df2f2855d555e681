// Access tokens of Google: what its tokeninfo says of them.
import {
  type AppTokenVerifierClass,
  type AppTokenVerifierOptions,
  defineAppTokenVerifier,
} from '../../verifiers/app-tokens.js'
import { type TokenInfo, type TokenInfoVerifier, scopesOf, secondsOf } from '../../verifiers/token-info.js'

export const ISSUER: string = 'https://accounts.google.com'
const FULL = 'https://www.googleapis.com/auth/userinfo.'

/** Clients ask for the short names, and Google grants the long ones: https://developers.google.com/identity/protocols/oauth2/scopes#oauth2 */
const ALIASES: ReadonlyMap<string, string> = new Map(
  ['email', 'profile'].flatMap((name) => [
    [name, `${FULL}${name}`],
    [`${FULL}${name}`, name],
  ]),
)

/** Scopes by both of their names. */
export function withAliases(scopes: readonly string[]): readonly string[] {
  return [...new Set(scopes.flatMap((scope) => [scope, ALIASES.get(scope) ?? scope]))]
}

/** It knows numbers and flags as text alone. */
const FLAGS: ReadonlyMap<unknown, boolean> = new Map<unknown, boolean>([
  ['true', true],
  [true, true],
  ['false', false],
  [false, false],
])

/** How it is known whose a token is. */
export const TOKENS: TokenInfo = {
  issuer: ISSUER,
  // As Google's own library asks, which keeps the token out of URLs:
  // https://github.com/googleapis/google-auth-library-nodejs/blob/main/src/auth/oauth2client.ts
  ask: { url: 'https://oauth2.googleapis.com/tokeninfo', method: 'POST' },
  refusals: [400, 401],
  read({ json }) {
    const scopes = scopesOf(json['scope'])
    // It tells of ID tokens as well, which have none.
    if (scopes === undefined)
      return { stage: 'type', expected: 'an access token', got: 'a token without scopes' }
    return {
      // Only tokens with the scope "openid" have one.
      subject: json['sub'],
      issuedTo: json['aud'],
      scopes: withAliases(scopes),
      expiresAt: secondsOf(json['exp']),
      claims: { ...json, email_verified: FLAGS.get(json['email_verified']) },
    }
  },
  profile: { url: 'https://openidconnect.googleapis.com/v1/userinfo' },
  claims: ['name', 'given_name', 'family_name', 'picture', 'locale', 'email', 'email_verified', 'hd'],
}

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

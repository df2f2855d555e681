// GitHub, by an OAuth app. Register `{baseUrl}/auth/callback` as its authorization callback URL.
import { secondsOfIsoTime } from '../../runtime/iso-time.js'
import {
  type AppTokenVerifierClass,
  type AppTokenVerifierOptions,
  defineAppTokenVerifier,
} from '../../verifiers/app-tokens.js'
import { type TokenInfoCaching, TokenInfoVerifier, membersOf } from '../../verifiers/token-info.js'
import { requestOf } from '../../verifiers/token-question.js'
import { API_HEADERS, GITHUB_URL, apiOf, scopesIn, appsQuestion, withIncluded } from '../github/api.js'
import { readOwnOptions } from '../own-options.js'
import type { ServerProvider } from '../server-provider.js'
import { type IdentityProviderClass, defineIdentityProvider } from './idp.js'

/** Where GitHub is. */
export interface GitHubHost {
  /** Of GitHub Enterprise, e.g. `https://github.example.com`. Default: `https://github.com`. */
  readonly githubUrl?: string
}

/** Options of {@link GitHubProvider}. */
export interface GitHubOptions extends GitHubHost, TokenInfoCaching {}

/** Options of {@link GitHubTokenVerifier}. */
export interface GitHubTokenVerifierOptions extends GitHubHost, AppTokenVerifierOptions {
  /** GitHub tells of tokens only to the app that they were issued to. */
  readonly clientSecret: string
}

const HOST = { githubUrl: 'base' } as const
const CLAIMS = ['login', 'name', 'email', 'avatar_url', 'html_url']

/** Lets people sign in at GitHub. The apps of GitHub that are no OAuth apps have no scopes: give them `requiredScopes: []`. */
export const GitHubProvider: IdentityProviderClass<GitHubOptions> = defineIdentityProvider<GitHubOptions>({
  className: 'GitHubProvider',
  title: 'GitHub',
  secret: 'required',
  options: { ...HOST, cacheTtlSeconds: 'seconds' },
  facts: ({ githubUrl = GITHUB_URL }, app, read) => ({
    endpoints: {
      authorizationEndpoint: `${githubUrl}/login/oauth/authorize`,
      tokenEndpoint: `${githubUrl}/login/oauth/access_token`,
    },
    authMethod: 'client_secret_post',
    requiredScopes: ['user'],
    scopeNames: { toUpstream: (scopes) => scopes, fromUpstream: withIncluded },
    forwardsResource: false,
    identification: {
      by: 'access_token',
      verifier: new TokenInfoVerifier(
        {
          issuer: githubUrl,
          // For which app a token is, this does not say. It need not: the token came in exchange for our own code.
          ask: { url: `${apiOf(githubUrl)}/user`, headers: API_HEADERS },
          refusals: [401, 403],
          read: ({ json, headers }) => ({
            subject: json['id'],
            scopes: scopesIn(headers.get('x-oauth-scopes')),
            claims: json,
          }),
          claims: CLAIMS,
        },
        app,
        read,
      ),
    },
    // https://docs.github.com/en/apps/oauth-apps/maintaining-oauth-apps/troubleshooting-authorization-request-errors
    explain: (error) =>
      error === 'redirect_uri_mismatch'
        ? 'register "baseUrl" with "/auth/callback" as the authorization callback URL of the app'
        : undefined,
    // Not RFC 7009: https://docs.github.com/en/rest/apps/oauth-applications#delete-an-app-token
    revocation: (token, kind) =>
      kind === 'access_token'
        ? {
            ...requestOf({ ...appsQuestion(githubUrl, app.clientId), method: 'DELETE' }, token, app),
            timeoutSeconds: read.seconds('timeoutSeconds', 10),
          }
        : undefined,
  }),
})
export type GitHubProvider = ServerProvider

/**
 * Verifies tokens that callers got from GitHub themselves, in `RemoteAuthProvider` or `MultiAuth`. A token of another app, or one that somebody
 * made for themselves, is refused: https://docs.github.com/en/rest/apps/oauth-applications#check-a-token
 *
 * @example new GitHubTokenVerifier({ clientId: config.clientId, clientSecret: config.clientSecret, requiredScopes: ['read:user'] })
 */
export const GitHubTokenVerifier: AppTokenVerifierClass<GitHubTokenVerifierOptions> =
  defineAppTokenVerifier<GitHubTokenVerifierOptions>({
    className: 'GitHubTokenVerifier',
    title: 'GitHub',
    needsSecret: true,
    options: Object.keys(HOST),
    info: ({ clientId }, read) => {
      const { githubUrl = GITHUB_URL } = readOwnOptions(read, HOST) as GitHubHost
      return {
        issuer: githubUrl,
        ask: appsQuestion(githubUrl, clientId),
        refusals: [404, 422],
        read: ({ json }) => ({
          subject: membersOf(json['user'])['id'],
          issuedTo: membersOf(json['app'])['client_id'],
          scopes: scopesIn(json['scopes']),
          expiresAt: secondsOfIsoTime(json['expires_at']),
          claims: membersOf(json['user']),
        }),
        profile: { url: `${apiOf(githubUrl)}/user`, headers: API_HEADERS },
        claims: CLAIMS,
      }
    },
  })
export type GitHubTokenVerifier = TokenInfoVerifier

// GitHub, by an OAuth app. Register `{baseUrl}/auth/callback` as its authorization callback URL.
import type { TokenInfoCaching } from '../../verifiers/token-info.js'
import { requestOf } from '../../verifiers/token-question.js'
import {
  API_HEADERS,
  CLAIMS,
  GITHUB_URL,
  type GitHubHost,
  HOST,
  apiOf,
  appsQuestion,
  scopesIn,
  withIncluded,
} from '../github/api.js'
import type { ServerProvider } from '../server-provider.js'
import { type IdentityProviderClass, defineIdentityProvider } from './idp.js'

export { GitHubTokenVerifier, type GitHubTokenVerifierOptions } from '../github/token-verifier.js'

/** Options of {@link GitHubProvider}. */
export interface GitHubOptions extends GitHubHost, TokenInfoCaching {}

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
      by: 'token_info',
      tokens: {
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

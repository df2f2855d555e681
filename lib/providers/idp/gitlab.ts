// GitLab, by an application of a user, a group or an instance. Register `{baseUrl}/auth/callback` as its redirect URI.
import { type TokenInfoCaching, membersOf, scopesOf, secondsOf } from '../../verifiers/token-info.js'
import type { ServerProvider } from '../server-provider.js'
import { type IdentityProviderClass, defineIdentityProvider } from './idp.js'

/** Options of {@link GitLabProvider}. */
export interface GitLabOptions extends TokenInfoCaching {
  /** Of an instance of your own, e.g. `https://gitlab.example.com`. Default: `https://gitlab.com`. */
  readonly gitlabUrl?: string
}

/** Lets people sign in at GitLab. An application that is not confidential has no secret. */
export const GitLabProvider: IdentityProviderClass<GitLabOptions> = defineIdentityProvider<GitLabOptions>({
  className: 'GitLabProvider',
  title: 'GitLab',
  secret: 'optional',
  options: { gitlabUrl: 'base', cacheTtlSeconds: 'seconds' },
  facts: ({ gitlabUrl = 'https://gitlab.com' }) => ({
    endpoints: {
      authorizationEndpoint: `${gitlabUrl}/oauth/authorize`,
      tokenEndpoint: `${gitlabUrl}/oauth/token`,
      revocationEndpoint: `${gitlabUrl}/oauth/revoke`,
    },
    authMethod: 'client_secret_post',
    requiredScopes: ['openid', 'profile'],
    forwardsResource: false,
    explain: (error) =>
      error === 'invalid_scope'
        ? 'tick every scope that is asked for at the application in GitLab'
        : undefined,
    identification: {
      by: 'token_info',
      tokens: {
        issuer: gitlabUrl,
        // https://docs.gitlab.com/api/oauth2/#retrieve-the-token-information
        ask: { url: `${gitlabUrl}/oauth/token/info` },
        read: ({ json, at }) => {
          // By one name or the other, as the version has it; null where it never ends.
          const left = secondsOf(json['expires_in_seconds'] ?? json['expires_in'])
          return {
            subject: json['resource_owner_id'],
            issuedTo: membersOf(json['application'])['uid'],
            scopes: scopesOf(json['scope']),
            expiresAt: left === undefined ? undefined : Math.floor(at + left),
            claims: {},
          }
        },
        profile: { url: `${gitlabUrl}/oauth/userinfo` },
        claims: [
            'name', 'nickname', 'preferred_username', 'email', 'email_verified', 'profile', 'picture', 'groups',
          ], // prettier-ignore
      },
    },
  }),
})
export type GitLabProvider = ServerProvider

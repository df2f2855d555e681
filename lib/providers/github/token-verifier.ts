// Access tokens of GitHub that callers present themselves: good where they were issued to this app.
import { secondsOfIsoTime } from '../../runtime/iso-time.js'
import {
  type AppTokenVerifierClass,
  type AppTokenVerifierOptions,
  defineAppTokenVerifier,
} from '../../verifiers/app-tokens.js'
import { type TokenInfoVerifier, membersOf } from '../../verifiers/token-info.js'
import { readOwnOptions } from '../own-options.js'
import {
  API_HEADERS,
  CLAIMS,
  GITHUB_URL,
  type GitHubHost,
  HOST,
  apiOf,
  appsQuestion,
  scopesIn,
} from './api.js'

/** Options of {@link GitHubTokenVerifier}. */
export interface GitHubTokenVerifierOptions extends GitHubHost, AppTokenVerifierOptions {
  /** GitHub tells of tokens only to the app that they were issued to. */
  readonly clientSecret: string
}

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

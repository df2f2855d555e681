// GitHub's REST API: where it is, what it wants to see, and how it writes scopes.
import { scopesOf } from '../../verifiers/token-info.js'
import type { TokenQuestion } from '../../verifiers/token-question.js'

export const GITHUB_URL: string = 'https://github.com'

/** Where GitHub is. */
export interface GitHubHost {
  /** Of GitHub Enterprise, e.g. `https://github.example.com`. Default: `https://github.com`. */
  readonly githubUrl?: string
}

export const HOST: { readonly githubUrl: 'base' } = { githubUrl: 'base' }

/** What tools get to see of a user. */
export const CLAIMS: readonly string[] = ['login', 'name', 'email', 'avatar_url', 'html_url']

export const API_HEADERS: Readonly<Record<string, string>> = {
  accept: 'application/vnd.github+json',
  // Requests without one are refused: https://docs.github.com/en/rest/using-the-rest-api/getting-started-with-the-rest-api#user-agent
  'user-agent': 'express-mcp-auth',
}

/** A host of its own beside github.com and *.ghe.com; a path on Enterprise Server. */
export function apiOf(githubUrl: string): string {
  const [, host] = /^https:\/\/(github\.com|[\w-]+\.ghe\.com)$/.exec(githubUrl) ?? []
  return host === undefined ? `${githubUrl}/api/v3` : `https://api.${host}`
}

/** How an app asks about one of its tokens; with DELETE it gives the token back. */
export function appsQuestion(githubUrl: string, clientId: string): TokenQuestion {
  return {
    url: `${apiOf(githubUrl)}/applications/${encodeURIComponent(clientId)}/token`,
    tokenIn: 'json',
    clientAuth: 'client_secret_basic',
    headers: API_HEADERS,
  }
}

/** Who asks for `user read:user` is granted `user`: https://docs.github.com/en/apps/oauth-apps/building-oauth-apps/scopes-for-oauth-apps#normalized-scopes */
const INCLUDED: ReadonlyMap<string, readonly string[]> = new Map([
  ['repo', ['repo:status', 'repo_deployment', 'public_repo', 'repo:invite', 'security_events']],
  ['user', ['read:user', 'user:email', 'user:follow']],
  ['admin:org', ['write:org', 'read:org', 'manage_runners:org']],
  ['write:org', ['read:org']],
  ['admin:public_key', ['write:public_key', 'read:public_key']],
  ['write:public_key', ['read:public_key']],
  ['admin:repo_hook', ['write:repo_hook', 'read:repo_hook']],
  ['write:repo_hook', ['read:repo_hook']],
  ['admin:gpg_key', ['write:gpg_key', 'read:gpg_key']],
  ['write:gpg_key', ['read:gpg_key']],
  ['write:packages', ['read:packages']],
  ['write:discussion', ['read:discussion']],
  ['project', ['read:project']],
])

/** Scopes, and what they include. */
export function withIncluded(scopes: readonly string[]): readonly string[] {
  return [...new Set(scopes.flatMap((scope) => [scope, ...(INCLUDED.get(scope) ?? [])]))]
}

/** Scopes of a header, or of a list; undefined where it is neither. */
export function scopesIn(value: unknown): readonly string[] | undefined {
  const scopes = scopesOf(value, ',')
  return scopes && withIncluded(scopes)
}

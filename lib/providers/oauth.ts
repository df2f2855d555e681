// An app that knows its users becomes a complete OAuth 2.1 authorization server for its own MCP endpoint.
import type { AppSignIn, CredentialSignIn, SignIn } from '../authorization-server/people.js'
import { OptionReader } from '../protocol/options.js'
import {
  AUTHORIZATION_SERVER_OPTIONS,
  type AuthorizationServerOptions,
  buildServer,
} from './authorization-server-options.js'
import { ServerProvider } from './server-provider.js'

/** Options of {@link OAuthProvider}. */
export interface OAuthProviderOptions extends AuthorizationServerOptions {
  /** How people sign in: the built-in page (`verifyCredentials`), or your app's own session (`currentUser` and `loginUrl`). */
  readonly signIn: SignIn
}

/**
 * The authorization server is this app. Clients register, people sign in and decide, tokens are issued, renewed and revoked, and
 * everything is kept in a store, so that restarts and replicas lose nothing.
 *
 * @throws ConfigError where options are missing, unknown or unsafe
 * @example
 * app.use(mcpAuth(new OAuthProvider({
 *   baseUrl: 'https://api.example.com',
 *   secret: config.authSecret,
 *   signIn: { verifyCredentials: (username, password) => users.verify(username, password) },
 * })))
 */
export class OAuthProvider extends ServerProvider {
  constructor(options: OAuthProviderOptions) {
    const read = new OptionReader('OAuthProvider', options, [...AUTHORIZATION_SERVER_OPTIONS, 'signIn'])
    super(read, buildServer(read, parseSignIn(read)))
  }
}

const ADVICE =
  'pass { verifyCredentials(username, password) } for the built-in page, or { currentUser(request), loginUrl(returnTo) } for ' +
  "your app's own session"

function parseSignIn(read: OptionReader): SignIn {
  const value = read.raw('signIn')
  if (value === undefined) throw read.missing('signIn', ADVICE)
  const shape = Object(value) as Partial<Record<keyof CredentialSignIn | keyof AppSignIn, unknown>>
  const isPage = typeof shape.verifyCredentials === 'function'
  const isApp = typeof shape.currentUser === 'function' && typeof shape.loginUrl === 'function'
  if (isPage === isApp) throw read.invalid('signIn', `one way to sign in: ${ADVICE}`)
  return value as SignIn
}

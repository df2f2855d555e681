// An app that knows its users becomes a complete OAuth 2.1 authorization server for its own MCP endpoint.
import { disconnectUser } from '../authorization-server/connections.js'
import type { AppSignIn, CredentialSignIn, SignIn } from '../authorization-server/people.js'
import type { AuthorizationServer } from '../authorization-server/server.js'
import type { VerifiedToken } from '../protocol/access-token.js'
import type { TokenForm } from '../protocol/jws-guard.js'
import type { ResourceDescription } from '../protocol/metadata.js'
import { OptionReader } from '../protocol/options.js'
import { type AuthEvent, createReporter } from '../runtime/events.js'
import type { Claim, VerifyContext } from '../verifiers/verifier.js'
import {
  AUTHORIZATION_SERVER_OPTIONS,
  type AuthorizationServerOptions,
  buildServer,
} from './authorization-server-options.js'
import type { AuthProvider } from './provider.js'

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
export class OAuthProvider implements AuthProvider {
  readonly baseUrl: string
  readonly resourceUrl: string
  readonly authorizationServers: readonly string[]
  readonly authorizationServer: AuthorizationServer
  readonly requiredScopes: readonly string[]
  readonly resourceDescription: ResourceDescription
  readonly dangerouslyAllowInsecureHttp: boolean
  readonly notices: readonly AuthEvent[]
  readonly #close: () => Promise<void>

  constructor(options: OAuthProviderOptions) {
    const read = new OptionReader('OAuthProvider', options, [...AUTHORIZATION_SERVER_OPTIONS, 'signIn'])
    const { server, notices, close } = buildServer(read, parseSignIn(read))
    const { baseUrl, resource, issuer, requiredScopes, scopesSupported, resourceName } = server.settings
    this.baseUrl = baseUrl
    this.resourceUrl = resource
    this.authorizationServers = [issuer]
    this.authorizationServer = server
    this.requiredScopes = requiredScopes
    this.resourceDescription = {
      // What every request needs; where that is nothing, what there is (MCP, scope minimization).
      scopesSupported: requiredScopes.length > 0 ? requiredScopes : scopesSupported,
      resourceName,
    }
    this.dangerouslyAllowInsecureHttp = read.flag('dangerouslyAllowInsecureHttp')
    this.notices = notices
    this.#close = close
  }

  /**
   * Closes the default store, after the last request: `server.close(() => provider.close())`. A store that you passed in is yours to
   * close.
   */
  close(): Promise<void> {
    return this.#close()
  }

  /**
   * Ends everything that a user granted and signs them out of the pages, from the next request on and in every process: for an account
   * that is closed or was broken into. Rejects where the store cannot be reached.
   */
  revokeUser(subject: string): Promise<void> {
    return disconnectUser(subject, this.authorizationServer, createReporter().report)
  }

  /** @returns what the token says, or null where it is not, or no longer, valid here. Rejects where the store cannot say. */
  verifyToken(token: string, context?: VerifyContext): Promise<VerifiedToken | null> {
    return this.authorizationServer.tokens.verify(token, context)
  }

  claimsToken(_token: string, form: TokenForm): Claim {
    return form.kind === 'jwt' && form.issuer === this.authorizationServers[0] ? 'mine' : 'not mine'
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

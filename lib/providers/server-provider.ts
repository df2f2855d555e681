// A provider whose authorization server is this app, whoever it is that people sign in with.
import { disconnectUser } from '../authorization-server/connections.js'
import type { AuthorizationServer } from '../authorization-server/server.js'
import type { VerifiedToken } from '../protocol/access-token.js'
import type { TokenForm } from '../protocol/jws-guard.js'
import type { ResourceDescription } from '../protocol/metadata.js'
import type { OptionReader } from '../protocol/options.js'
import { type AuthEvent, createReporter } from '../runtime/events.js'
import type { Claim, VerifyContext } from '../verifiers/verifier.js'
import type { BuiltServer } from './authorization-server-options.js'
import type { AuthProvider } from './provider.js'

/** What `OAuthProvider`, `OAuthProxy`, `OIDCProxy` and the identity providers are. */
export class ServerProvider implements AuthProvider {
  readonly baseUrl: string
  readonly resourceUrl: string
  readonly authorizationServers: readonly string[]
  readonly authorizationServer: AuthorizationServer
  readonly requiredScopes: readonly string[]
  readonly resourceDescription: ResourceDescription
  readonly dangerouslyAllowInsecureHttp: boolean
  readonly notices: readonly AuthEvent[]
  readonly #close: () => Promise<void>

  constructor(read: OptionReader, { server, notices, close }: BuiltServer) {
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

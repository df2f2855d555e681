// An authorization server for tests and demos: everybody is let in, nothing is asked, and nothing outlives the process.
import { randomBytes } from 'node:crypto'
import type { User } from '../authorization-server/records.js'
import { ConfigError } from '../protocol/errors.js'
import { isLoopback } from '../protocol/urls.js'
import { MemoryStore } from '../stores/memory.js'
import type { AuthorizationServerOptions } from './authorization-server-options.js'
import { OAuthProvider } from './oauth.js'

/** Options of {@link InMemoryOAuthProvider}: those of `OAuthProvider`, none of them needed. */
export interface InMemoryOAuthProviderOptions extends Partial<AuthorizationServerOptions> {
  /** Who everybody is. Default: `{ subject: 'user', name: 'Test user' }`. */
  readonly user?: User
}

/**
 * A complete authorization server that approves everybody, for tests and demos on this machine.
 *
 * @throws ConfigError where `baseUrl` is not a loopback address
 * @example app.use(mcpAuth(new InMemoryOAuthProvider({ baseUrl: 'http://localhost:3000' })))
 */
export class InMemoryOAuthProvider extends OAuthProvider {
  /** @param options `baseUrl` is `http://localhost:3000` by default */
  constructor(options: InMemoryOAuthProviderOptions = {}) {
    const { user = { subject: 'user', name: 'Test user' }, ...rest } = options
    const { baseUrl = 'http://localhost:3000', deps } = rest
    if ('signIn' in options) {
      throw new ConfigError(
        'ERR_MCP_AUTH_UNKNOWN_OPTION',
        'InMemoryOAuthProvider has no option "signIn", as it lets everybody in: use OAuthProvider',
      )
    }
    if (URL.canParse(baseUrl) && !isLoopback(new URL(baseUrl).hostname)) {
      throw new ConfigError(
        'ERR_MCP_AUTH_INVALID_OPTION',
        `InMemoryOAuthProvider lets everybody in, so "baseUrl" must be a loopback address, not ${baseUrl}: use OAuthProvider`,
      )
    }
    super({
      consent: false,
      secret: randomBytes(32).toString('base64url'),
      store: new MemoryStore(deps === undefined ? {} : { deps }),
      ...rest,
      baseUrl,
      // Nobody is ever sent to sign in.
      signIn: { currentUser: () => user, loginUrl: (returnTo) => returnTo },
    })
  }
}

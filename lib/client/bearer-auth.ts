// A token that somebody else takes care of.
import { isToken68 } from '../protocol/bearer.js'
import { ConfigError } from '../protocol/errors.js'

/**
 * One fixed token. It is an `authProvider` of SDK v2; for SDK v1, and without an SDK, there is `authFetch`.
 *
 * @example new BearerAuth(tokenFromEnvironment())
 */
export class BearerAuth {
  readonly #token: string

  /** @throws ConfigError for what cannot be a token */
  constructor(token: string) {
    if (typeof token !== 'string' || !isToken68(token)) {
      // What was given is not shown: it may be a secret with a line break behind it.
      const message =
        'BearerAuth takes a token: letters, digits and -._~+/ without "Bearer" and without white space'
      throw new ConfigError('ERR_MCP_AUTH_INVALID_OPTION', message)
    }
    this.#token = token
  }

  getToken(): Promise<string> {
    return Promise.resolve(this.#token)
  }

  /** As SDK v2 calls it. */
  token(): Promise<string> {
    return this.getToken()
  }
}

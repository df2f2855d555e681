// Access tokens of this server: a signature that holds, and a grant that still lives. The second is asked of the store each time, so
// that what one process revokes is refused by all from the next request on.
import type { VerifiedToken } from '../protocol/access-token.js'
import { JWTVerifier } from '../verifiers/jwt.js'
import { STANDALONE, type VerifyContext } from '../verifiers/verifier.js'
import { findLiveGrant } from './grants.js'
import type { AuthorizationServer } from './server.js'

/** Verifies what the token endpoint gave out. */
export class OwnTokens {
  readonly #verifier: JWTVerifier
  readonly #server: AuthorizationServer

  constructor(server: AuthorizationServer) {
    const { settings, keys, deps } = server
    this.#server = server
    this.#verifier = new JWTVerifier({
      publicKey: { keys: keys.published },
      issuer: settings.issuer,
      audience: settings.resource,
      algorithms: ['ES256'],
      // Only we sign: what seems to be from the future comes from a replica whose clock is ahead.
      clockToleranceSeconds: 300,
      deps,
    })
  }

  /** Null for a token that is not, or no longer, good. Rejects where the store cannot say. */
  async verify(token: string, context: VerifyContext = STANDALONE): Promise<VerifiedToken | null> {
    const verified = await this.#verifier.verifyToken(token, context)
    if (verified === null) return null
    const live = await findLiveGrant(verified.claims['jti'], this.#server)
    if (live !== undefined) return verified
    return context.refuse({ stage: 'revoked', expected: 'a grant that lives', got: 'one that was revoked' })
  }
}

// Access tokens of this server: a signature that holds, and a grant that still lives. The second is asked of the store each time, so
// that what one process revokes is refused by all from the next request on.
import type { VerifiedToken } from '../protocol/access-token.js'
import type { Deps } from '../runtime/deps.js'
import type { DerivedKeys } from '../runtime/keys.js'
import type { Collection, Stored } from '../stores/collection.js'
import { JWTVerifier } from '../verifiers/jwt.js'
import { STANDALONE, type VerifyContext } from '../verifiers/verifier.js'
import { type GrantGeneration, readTokenId } from './handles.js'
import type { GrantRecord } from './records.js'
import type { ServerSettings } from './settings.js'

/** What they are judged by. */
export interface OwnTokensParts {
  readonly settings: ServerSettings
  readonly keys: DerivedKeys
  readonly deps: Deps
  readonly grants: Collection<GrantRecord>
  /** Joins what the identity provider says, where there is one. Null where it no longer stands behind a grant. */
  readonly joinUpstream?: (
    verified: VerifiedToken,
    grantId: string,
    grant: Stored<GrantRecord>,
    context: VerifyContext,
  ) => Promise<VerifiedToken | null>
}

/** Verifies what the token endpoint gave out. */
export class OwnTokens {
  readonly #verifier: JWTVerifier
  readonly #grants: Collection<GrantRecord>
  readonly #joinUpstream: OwnTokensParts['joinUpstream']

  constructor({ settings, keys, deps, grants, joinUpstream }: OwnTokensParts) {
    this.#grants = grants
    this.#joinUpstream = joinUpstream
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

  /** What a token of ours says, whatever became of its grant. Null for what is none, or has ended. */
  read(token: string, context: VerifyContext = STANDALONE): Promise<VerifiedToken | null> {
    return this.#verifier.verifyToken(token, context)
  }

  /** Null for a token that is not, or no longer, good. Rejects where the store cannot say. */
  async verify(token: string, context: VerifyContext = STANDALONE): Promise<VerifiedToken | null> {
    const verified = await this.read(token, context)
    if (verified === null) return null
    const live = await findLiveGrant(verified.claims['jti'], { grants: this.#grants })
    if (live === undefined) {
      return context.refuse({ stage: 'revoked', expected: 'a grant that lives', got: 'one that was revoked' })
    }
    if (this.#joinUpstream === undefined) return verified
    return this.#joinUpstream(verified, live.grantId, live.grant, context)
  }
}

/** The grant behind an access token that is still good; undefined where it was revoked or has ended. */
export async function findLiveGrant(
  jti: unknown,
  { grants }: Pick<OwnTokensParts, 'grants'>,
): Promise<(GrantGeneration & { readonly grant: Stored<GrantRecord> }) | undefined> {
  const named = readTokenId(jti)
  const grant = named && (await grants.get(named.grantId))
  if (named === undefined || grant === undefined || grant.data.waits === true) return undefined
  const { revokedGeneration = -1 } = grant.data
  return named.generation > revokedGeneration ? { ...named, grant } : undefined
}

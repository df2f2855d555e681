// What is behind an access token of ours, as tools see it: whose it is, and a token of the identity provider where they ask for one.
import { type UpstreamAccess, type VerifiedToken, seal } from '../protocol/access-token.js'
import { OAuthError } from '../protocol/errors.js'
import type { Stored } from '../stores/collection.js'
import { STANDALONE, type VerifyContext } from '../verifiers/verifier.js'
import type { KeptSession } from './kept-upstream.js'
import { withoutReserved } from './people.js'
import type { GrantRecord } from './records.js'
import type { AuthorizationServer } from './server.js'
import { findUpstream, isEnding } from './upstream-session.js'

/** Joins what the identity provider says to what our token says; null where it no longer stands behind it. */
export async function withUpstream(
  verified: VerifiedToken,
  grantId: string,
  grant: Stored<GrantRecord>,
  server: AuthorizationServer,
  context: VerifyContext,
): Promise<VerifiedToken | null> {
  // A client that acts for itself has nobody behind it.
  if (grant.data.upstream === undefined) return verified
  const reasons: { told?: true } = {}
  const refuse: VerifyContext['refuse'] = (reason) => {
    reasons.told = true
    return context.refuse(reason)
  }
  const live = await findUpstream(grantId, grant, server, { ...context, refuse })
  if (live === undefined) {
    return reasons.told === undefined
      ? context.refuse({ stage: 'upstream', got: 'a session that ended' })
      : null
  }
  return seal({
    ...verified,
    // Nobody but this server says who issued this token, for whom and until when, and what it allows.
    claims: { ...withoutReserved(live.user.claims), ...verified.claims },
    upstream: new GrantAccess(grantId, live, server),
  })
}

class GrantAccess implements UpstreamAccess {
  readonly #grantId: string
  readonly #server: AuthorizationServer
  #live: KeptSession

  constructor(grantId: string, live: KeptSession, server: AuthorizationServer) {
    this.#grantId = grantId
    this.#live = live
    this.#server = server
  }

  get scopes(): readonly string[] | undefined {
    return this.#live.tokens.scopes
  }

  async getToken(): Promise<string> {
    const { kept, tokens } = this.#live
    if (!isEnding(kept, this.#server)) return tokens.accessToken
    // A tool may run for longer than the token lives.
    const grant = await this.#server.grants.get(this.#grantId)
    const live = grant && (await findUpstream(this.#grantId, grant, this.#server, STANDALONE))
    if (live === undefined) {
      throw new OAuthError('invalid_token', 'The user is no longer connected to the identity provider')
    }
    this.#live = live
    return live.tokens.accessToken
  }
}

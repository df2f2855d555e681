// Who signed in: what ID tokens say when they come, and what a verifier says of access tokens on every request.
import {
  UpstreamRefusal,
  type UpstreamTokens,
  type UpstreamTrip,
  type UpstreamUser,
} from '../../authorization-server/upstream.js'
import { type VerifiedToken, parseAccessToken, toldScopes } from '../../protocol/access-token.js'
import type { Reason } from '../../protocol/claims.js'
import { recognizeError } from '../../protocol/errors.js'
import { parseJws } from '../../protocol/jws-guard.js'
import type { Deps } from '../../runtime/deps.js'
import { type IdTokenOccasion, IdTokenVerifier } from '../../verifiers/id-token.js'
import { RemoteKeys } from '../../verifiers/jwks.js'
import { JWTVerifier } from '../../verifiers/jwt.js'
import type { Verification, Verifier, VerifyContext } from '../../verifiers/verifier.js'
import { nonceOf } from './authorization-url.js'
import type { UpstreamDescription, UpstreamEndpoints } from './description.js'
import type { TokensResponse } from './token-response.js'
import { readUser } from './upstream-user.js'

/** What is made of endpoints once they are known, and again where they changed. */
interface Parts {
  readonly endpoints: UpstreamEndpoints
  readonly spelled: string
  /** Undefined where it is not known whose signature to look for: no ID token is believed then. */
  readonly idTokens: IdTokenVerifier | undefined
  readonly verifier: Verifier | undefined
}

/** Endpoints, as they are known when they are needed. */
export type FindEndpoints = (context: Pick<VerifyContext, 'report'>) => Promise<UpstreamEndpoints>

/** Tells the users of one app at one identity provider. */
export class Identification {
  readonly #description: UpstreamDescription
  readonly #findEndpoints: FindEndpoints
  readonly #deps: Deps
  #parts: Parts | undefined
  /** Who the owner of a verified token is, for as long as the verifier remembers the token. */
  readonly #users = new WeakMap<
    VerifiedToken,
    { readonly idToken: string | undefined; readonly user: UpstreamUser }
  >()

  constructor(description: UpstreamDescription, findEndpoints: FindEndpoints, deps: Deps) {
    this.#description = description
    this.#findEndpoints = findEndpoints
    this.#deps = deps
  }

  /** Whose tokens they are; null where they are nobody's. Rejects where that cannot be known. */
  async identify(
    tokens: UpstreamTokens,
    known: UpstreamUser | undefined,
    context: VerifyContext,
  ): Promise<UpstreamUser | null> {
    if (this.#description.identification.by === 'access_token')
      return this.#identifyByAccessToken(tokens, context)
    // An ID token tells of one sign-in, which stays true when it has expired; of two, the later one knows better, e.g. of groups.
    const idToken = claimsOf(tokens.idToken)
    if (idToken === undefined)
      return known ?? context.refuse({ stage: 'upstream', expected: 'an ID token', got: 'none' })
    const user = readUser({ idToken }, this.#description)
    return isUser(user) ? user : context.refuse(user)
  }

  /**
   * The ID token of a sign-in, where one came and can be verified. One that cannot be is not kept.
   *
   * @throws UpstreamRefusal where it is not good, or is missing and nothing else says who signed in; anything else is an outage
   */
  async idTokenOf(
    endpoints: UpstreamEndpoints,
    { idToken, accessToken }: TokensResponse,
    trip: UpstreamTrip,
    context: VerifyContext,
  ): Promise<string | undefined> {
    const occasion = { nonce: nonceOf(trip, this.#description), accessToken }
    const believed = await this.#believe(endpoints, idToken, occasion, context)
    if (believed !== undefined || this.#description.identification.by !== 'id_token') return believed
    const why =
      idToken === undefined
        ? 'the identity provider sent no ID token, which says who signed in: ask for the scope "openid"'
        : 'the identity provider sent an ID token that cannot be verified: its issuer or the URL of its keys is not known'
    throw new UpstreamRefusal('invalid_id_token', why)
  }

  /**
   * The ID token that came with renewed tokens, or the one before (OpenID Connect Core 12.2): of the same user, and with the same nonce where it has
   * one.
   *
   * @throws UpstreamRefusal where it is that of another user
   */
  async renewedIdTokenOf(
    endpoints: UpstreamEndpoints,
    { idToken, accessToken }: TokensResponse,
    before: string | undefined,
    context: VerifyContext,
  ): Promise<string | undefined> {
    const earlier = claimsOf(before)
    const later = claimsOf(idToken)
    const nonce = later?.['nonce'] === undefined ? undefined : textOf(earlier?.['nonce'])
    const subject = textOf(earlier?.['sub'])
    const occasion = { accessToken, nonce, subject }
    try {
      return (await this.#believe(endpoints, idToken, occasion, context)) ?? before
    } catch (error) {
      // Somebody else's. Whatever else is wrong with it, e.g. that it is encrypted, the tokens are good: it is not taken, and the one before goes on.
      const named = textOf(later?.['sub'])
      const isOthers = subject !== undefined && named !== undefined && named !== subject
      if (isOthers && error instanceof UpstreamRefusal) throw error
      return before
    }
  }

  async #believe(
    endpoints: UpstreamEndpoints,
    idToken: string | undefined,
    occasion: IdTokenOccasion,
    context: VerifyContext,
  ): Promise<string | undefined> {
    const { idTokens } = this.#partsFor(endpoints)
    if (idToken === undefined || idTokens === undefined) return undefined
    const { refused } = await idTokens.verify(idToken, occasion, context).catch((error: unknown) => {
      throw new Error('the keys that ID tokens are signed with cannot be fetched', { cause: error })
    })
    if (refused === undefined) return idToken
    const { stage, expected, got } = refused
    throw new UpstreamRefusal(
      'invalid_id_token',
      `the identity provider sent an ID token that is refused: ${stage}: expected ${expected}, got ${got}`,
    )
  }

  async #identifyByAccessToken(
    { accessToken, idToken }: UpstreamTokens,
    context: VerifyContext,
  ): Promise<UpstreamUser | null> {
    const verifier = await this.#verifier(context)
    const unknown: Reason[] = []
    const refuse = (reason: Reason): null => {
      if (reason.stage !== 'key') return context.refuse(explained(reason, verifier))
      unknown.push(reason)
      return null
    }
    const asking: VerifyContext = { ...context, refuse }
    const answer = verifier.recall?.(accessToken, asking) ?? (await ask(verifier, accessToken, asking))
    // It came from the identity provider itself: that its key is not published yet, or not everywhere, says nothing of the user.
    if (unknown.length > 0 && !answer)
      throw new Error(`the key that the access token is signed with is not published: ${unknown[0]?.got}`)
    if (answer === null || answer === undefined) return null
    const verified = parseAccessToken(answer, accessToken)
    const { expiresAt, subject, claims } = verified
    const scopes = toldScopes(verified)
    if (expiresAt !== undefined && expiresAt * 1000 <= this.#deps.now())
      return context.refuse({
        stage: 'expiry',
        expected: 'an upstream token that lives',
        got: `${expiresAt}`,
      })
    const before = this.#users.get(verified)
    if (before !== undefined && before.idToken === idToken) return before.user
    const user = readUser({ subject, claims, scopes, idToken: claimsOf(idToken) }, this.#description)
    if (!isUser(user)) return context.refuse(user)
    this.#users.set(verified, { idToken, user })
    return user
  }

  async #verifier(context: VerifyContext): Promise<Verifier> {
    const { identification } = this.#description
    const { verifier } = identification as Extract<typeof identification, { by: 'access_token' }>
    if (typeof verifier !== 'function') return verifier
    return this.#partsFor(await this.#findEndpoints(context)).verifier as Verifier
  }

  #partsFor(endpoints: UpstreamEndpoints): Parts {
    if (this.#parts?.endpoints === endpoints) return this.#parts
    const spelled = JSON.stringify(endpoints)
    // What is remembered of keys and tokens goes on where a document was only read again.
    const before = this.#parts?.spelled === spelled ? this.#parts : undefined
    this.#parts = { ...(before ?? this.#build(endpoints)), endpoints, spelled }
    return this.#parts
  }

  #build(endpoints: UpstreamEndpoints): Pick<Parts, 'idTokens' | 'verifier'> {
    const { clientId, identification } = this.#description
    const { issuer, jwksUri } = endpoints
    const make = identification.by === 'access_token' ? identification.verifier : undefined
    const verifier = typeof make === 'function' ? make(endpoints) : undefined
    if (issuer === undefined || jwksUri === undefined) return { idTokens: undefined, verifier }
    // ID tokens come in exchange for codes: no stranger can have keys fetched by them, and one that is new was published a moment ago.
    const keys = new RemoteKeys({ url: jwksUri, cacheSeconds: undefined, cooldownSeconds: 0 }, this.#deps)
    return { idTokens: new IdTokenVerifier({ issuer, clientId, keys }, this.#deps), verifier }
  }
}

/** Some verifiers, as those of the SDKs, say by an error that a token is not good. */
async function ask(verifier: Verifier, token: string, context: VerifyContext): Promise<Verification> {
  try {
    return await verifier.verifyToken(token, context)
  } catch (error) {
    const said = recognizeError(error)
    if (said?.code !== 'invalid_token') throw error
    return context.refuse({
      stage: 'verifier',
      expected: 'a good token',
      got: said.detail ?? said.description,
    })
  }
}

/** Of an ID token that was verified when it came. */
function claimsOf(idToken: string | undefined): Readonly<Record<string, unknown>> | undefined {
  const jws = idToken === undefined ? '' : parseJws(idToken)
  return typeof jws === 'string' ? undefined : jws.payload
}

function textOf(claim: unknown): string | undefined {
  return typeof claim === 'string' ? claim : undefined
}

function isUser(outcome: UpstreamUser | Reason): outcome is UpstreamUser {
  return 'claims' in outcome
}

/** Some identity providers give JWTs only to who asks for a token of an API. */
function explained(reason: Reason, verifier: Verifier): Reason {
  if (reason.stage !== 'format' || !(verifier instanceof JWTVerifier)) return reason
  const expected = 'a JWT: set "audience" to the API that tokens are for, or "verifyIdToken: true"'
  return { ...reason, expected }
}

// ID tokens (OpenID Connect Core 3.1.3.7): they say who signed in, to the app that asked, and to nobody else.
import { type Reason, shown } from '../protocol/claims.js'
import { type IdTokenRules, refuseIdToken } from '../protocol/id-token.js'
import { ASYMMETRIC_ALGORITHMS } from '../protocol/jwk.js'
import { parseJws } from '../protocol/jws-guard.js'
import type { Deps } from '../runtime/deps.js'
import type { KeySource } from './jwks.js'
import { findSigner } from './signature.js'
import type { VerifyContext } from './verifier.js'

/** Who issues ID tokens to whom. */
export interface IdTokenSettings {
  readonly issuer: string
  readonly clientId: string
  readonly keys: KeySource
}

/** What one ID token has to fit. */
export type IdTokenOccasion = Pick<IdTokenRules, 'nonce' | 'accessToken' | 'subject'>

/** What a good ID token says, or why it is none. */
export type IdTokenVerdict =
  | { readonly claims: Readonly<Record<string, unknown>>; readonly refused?: undefined }
  | { readonly claims?: undefined; readonly refused: Reason }

const TOLERANCE_SECONDS = 30

/** Verifies the ID tokens of one app at one issuer. */
export class IdTokenVerifier {
  readonly #settings: IdTokenSettings
  readonly #deps: Pick<Deps, 'now'>

  constructor(settings: IdTokenSettings, deps: Pick<Deps, 'now'>) {
    this.#settings = settings
    this.#deps = deps
  }

  /** @throws OAuthError `temporarily_unavailable` where the keys cannot be fetched */
  async verify(token: string, occasion: IdTokenOccasion, context: VerifyContext): Promise<IdTokenVerdict> {
    const { keys, ...expected } = this.#settings
    const jws = parseJws(token)
    if (typeof jws === 'string') return { refused: { stage: 'format', expected: 'a signed JWT', got: jws } }
    const { alg, kid } = jws.header
    // A public key as the secret of an HMAC, or no signature at all, must not get as far as the keys.
    if (!ALGORITHMS.includes(alg))
      return { refused: { stage: 'algorithm', expected: ALGORITHMS.join(' or '), got: shown(alg) } }
    const rules = { ...expected, ...occasion, toleranceSeconds: TOLERANCE_SECONDS }
    const refused = refuseIdToken(jws, rules, this.#deps.now() / 1000)
    if (refused !== undefined) return { refused }
    const candidates = keys.known(alg, kid, context) ?? (await keys.find(alg, kid, context))
    const signer = await findSigner(token, alg, candidates)
    if (signer === undefined)
      return {
        refused: { stage: 'signature', expected: 'one by a published key', got: 'none of them made it' },
      }
    return { claims: jws.payload }
  }
}

const ALGORITHMS: readonly string[] = ASYMMETRIC_ALGORITHMS

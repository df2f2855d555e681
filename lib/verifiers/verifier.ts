// The contract of everything that can tell a good access token from a bad one.
import type { AccessTokenFields, VerifiedToken } from '../protocol/access-token.js'
import type { Reason } from '../protocol/claims.js'
import type { TokenForm } from '../protocol/jws-guard.js'
import type { ScopeImplies } from '../protocol/scopes.js'
import { type AuthEvent, createReporter } from '../runtime/events.js'

/** What the guard hands to a verifier beside the token. A verifier of your own may ignore it. */
export interface VerifyContext {
  /** Tells an event. */
  readonly report: (event: AuthEvent) => void
  /** Notes why the token is refused, and is the refusal: `return context.refuse({ stage: 'audience', expected, got })`. */
  readonly refuse: (reason: Reason) => null
  /** How scopes include one another, for a verifier that compares some itself. */
  readonly scopeImplies?: ScopeImplies | undefined
}

/** What a verifier answers: null (or undefined) where the token is not valid here. */
export type Verification = AccessTokenFields | null | undefined

/** Whether a token belongs to a verifier, as far as can be told without asking anybody. */
export type Claim = 'mine' | 'not mine' | 'perhaps'

/** Anything that verifies tokens. `verifyToken` alone makes one. */
export interface Verifier {
  /** Scopes that every request needs; the guard compares them, the verifier does not. */
  readonly requiredScopes?: readonly string[]
  /** Resolves to null for a token that is not valid here. Throws where that could not be decided: the caller gets 503. */
  verifyToken(token: string, context?: VerifyContext): Verification | Promise<Verification>
  /** What this token was verified to be before, if that still holds. Answers at once, without asking anybody. */
  recall?(token: string, context?: VerifyContext): VerifiedToken | undefined
  /** Whether the token is this verifier's, so that no other one gets to see it. */
  claimsToken?(token: string, form: TokenForm): Claim
}

/** For a verifier that is called by itself, without a guard: events go to the diagnostics channel, reasons nowhere. */
export const STANDALONE: VerifyContext = { report: createReporter().report, refuse: () => null }

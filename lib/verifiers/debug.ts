// Accepts whatever a function says, for development only.
import type { VerifiedToken } from '../protocol/access-token.js'
import { parseAccessToken } from '../protocol/access-token.js'
import { OptionReader } from '../protocol/options.js'
import type { AuthEvent } from '../runtime/events.js'
import { STANDALONE, type Verifier, type VerifyContext } from './verifier.js'

/** Options of {@link DebugTokenVerifier}. */
export interface DebugTokenVerifierOptions {
  /** Decides about a token. Default: every token is accepted. */
  readonly validate?: (token: string) => boolean | Promise<boolean>
  /** Default: `debug-client`. */
  readonly clientId?: string
  /** Scopes that every accepted token holds. Default: none. */
  readonly scopes?: readonly string[]
  /** Scopes that every request needs. Default: none. */
  readonly requiredScopes?: readonly string[]
}

/** A verifier for experiments. A guard over it says so when it is built. */
export class DebugTokenVerifier implements Verifier {
  readonly requiredScopes: readonly string[]
  readonly notices: readonly AuthEvent[]
  readonly #validate: (token: string) => boolean | Promise<boolean>
  readonly #clientId: string
  readonly #scopes: readonly string[] | undefined

  constructor(options: DebugTokenVerifierOptions = {}) {
    const read = new OptionReader('DebugTokenVerifier', options, [
      'validate',
      'clientId',
      'scopes',
      'requiredScopes',
    ])
    this.requiredScopes = read.scopes('requiredScopes') ?? []
    const validate = read.callback<(token: string) => boolean | Promise<boolean>>('validate')
    this.#validate = validate ?? (() => true)
    this.#clientId = read.text('clientId') ?? 'debug-client'
    this.#scopes = read.scopes('scopes')
    const accepted = validate === undefined ? 'every token' : 'what your function says'
    this.notices = [
      {
        type: 'danger',
        option: 'DebugTokenVerifier',
        message: `DebugTokenVerifier accepts ${accepted}: for development only`,
      },
    ]
  }

  async verifyToken(token: string, context: VerifyContext = STANDALONE): Promise<VerifiedToken | null> {
    // Only `true` is a yes: a function that forgot to return must not let anybody in.
    const accepted: unknown = await this.#validate(token)
    if (accepted !== true)
      return context.refuse({ stage: 'validate', expected: 'true', got: String(accepted) })
    const scopes = this.#scopes === undefined ? {} : { scopes: this.#scopes }
    return parseAccessToken({ clientId: this.#clientId, ...scopes }, token)
  }
}

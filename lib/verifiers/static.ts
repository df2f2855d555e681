// Tokens that are written down in configuration: for development, tests, and API keys of few and known callers.
import { type VerifiedToken, parseAccessToken } from '../protocol/access-token.js'
import { OptionReader } from '../protocol/options.js'
import { type Deps, createDeps } from '../runtime/deps.js'
import { digest } from '../runtime/digest.js'
import { type Claim, STANDALONE, type Verifier, type VerifyContext } from './verifier.js'

/** What a static token stands for. */
export interface StaticToken {
  readonly clientId: string
  /** Default: none. */
  readonly scopes?: readonly string[]
  readonly subject?: string
  /** Seconds since the epoch. Default: it does not expire. */
  readonly expiresAt?: number
  readonly claims?: Readonly<Record<string, unknown>>
}

/** Options of {@link StaticTokenVerifier}. */
export interface StaticTokenVerifierOptions {
  /** What each token stands for, or a list of tokens that stand for the clients `static-1`, `static-2` … */
  readonly tokens: Readonly<Record<string, StaticToken>> | readonly string[]
  /** Scopes that every request needs. Default: none. */
  readonly requiredScopes?: readonly string[]
  /** How all tokens begin, e.g. `sk_`: inside MultiAuth, no other verifier gets to see one that does. */
  readonly tokenPrefix?: string
  /** Clock, for tests. */
  readonly deps?: Partial<Deps>
}

/**
 * Accepts the tokens that it was given.
 *
 * @example new StaticTokenVerifier({ tokens: { 'dev-token': { clientId: 'dev', scopes: ['mcp:use'] } } })
 */
export class StaticTokenVerifier implements Verifier {
  readonly requiredScopes: readonly string[]
  /** By digest: what is looked up tells nothing about how near a guess was. */
  readonly #tokens: ReadonlyMap<string, VerifiedToken>
  readonly #prefix: string | undefined
  readonly #now: () => number

  constructor(options: StaticTokenVerifierOptions) {
    const read = new OptionReader('StaticTokenVerifier', options, [
      'tokens',
      'requiredScopes',
      'tokenPrefix',
      'deps',
    ])
    this.requiredScopes = read.scopes('requiredScopes') ?? []
    this.#prefix = read.text('tokenPrefix')
    this.#now = createDeps(options.deps).now
    this.#tokens = new Map(entriesOf(read).map(([token, verified]) => [digest(token), verified]))
  }

  verifyToken(token: string, context: VerifyContext = STANDALONE): Promise<VerifiedToken | null> {
    const known = this.#tokens.get(digest(token))
    if (known === undefined)
      return Promise.resolve(context.refuse({ stage: 'token', got: 'a token that is not in the list' }))
    if (this.#isExpired(known)) {
      return Promise.resolve(context.refuse({ stage: 'expiry', got: `expired at ${known.expiresAt}` }))
    }
    return Promise.resolve(known)
  }

  recall(token: string): VerifiedToken | undefined {
    const known = this.#tokens.get(digest(token))
    return known === undefined || this.#isExpired(known) ? undefined : known
  }

  claimsToken(token: string): Claim {
    if (this.#prefix !== undefined && token.startsWith(this.#prefix)) return 'mine'
    return this.#tokens.has(digest(token)) ? 'mine' : 'not mine'
  }

  #isExpired({ expiresAt }: VerifiedToken): boolean {
    return expiresAt !== undefined && expiresAt * 1000 <= this.#now()
  }
}

function entriesOf(read: OptionReader): [string, VerifiedToken][] {
  const tokens = read.raw('tokens')
  const example = '{ "a-token": { clientId: "dev", scopes: [] } } or a list of tokens'
  if (typeof tokens !== 'object' || tokens === null) throw read.invalid('tokens', example)
  const entries: [unknown, unknown][] = Array.isArray(tokens)
    ? tokens.map((token, index) => [token, { clientId: `static-${index + 1}` }])
    : Object.entries(tokens)
  if (entries.length === 0) throw read.invalid('tokens', `at least one token: ${example}`)
  return entries.map(([token, fields], index) => {
    if (typeof token !== 'string' || !/^[A-Za-z0-9\-._~+/]+=*$/.test(token)) {
      throw read.invalid('tokens', 'made of tokens that fit into a header: letters, digits and - . _ ~ + / =')
    }
    try {
      return [token, parseAccessToken(fields, token)]
    } catch (error) {
      throw read.invalid('tokens', `${example}. Entry ${index + 1}: ${(error as Error).message}`)
    }
  })
}

// Identity providers whose access tokens are opaque: each is asked about its tokens, and data says how, and what its answers mean.
import { LATEST_TIME, type VerifiedToken, parseAccessToken } from '../protocol/access-token.js'
import { type Reason, identifierOf, shown } from '../protocol/claims.js'
import type { OptionReader } from '../protocol/options.js'
import { parseScopes } from '../protocol/scopes.js'
import { type Deps, createDeps } from '../runtime/deps.js'
import { type JsonAnswer, type JsonRequest, fetchJson } from '../runtime/fetch-json.js'
import { parseCacheBounds } from './cached.js'
import { OpaqueTokens, isThrottled } from './opaque.js'
import { type TokenInfoApp, type TokenQuestion, requestOf } from './token-question.js'
import { type Claim, STANDALONE, type Verifier, type VerifyContext } from './verifier.js'

/** A JSON object as it came. */
export type Members = Readonly<Record<string, unknown>>

/** What an identity provider answered: status 200, and a JSON object. */
export interface TokenAnswer {
  readonly json: Members
  readonly headers: Headers
  /** When that was, in seconds since the epoch. */
  readonly at: number
}

/** What the answer says of a token. */
export interface TokenFacts {
  /**
   * What names the user for good, never an e-mail address, which may be given to somebody else. A number becomes text. Undefined or null: the
   * token is nobody's, and refused.
   */
  readonly subject: unknown
  /** The app that it was issued to. Any other than this one is refused; so leave it out only where the answer never says. */
  readonly issuedTo?: unknown
  /** What it allows. Undefined: not told. */
  readonly scopes?: readonly string[] | undefined
  /** Seconds since the epoch. Undefined: not told, or never. */
  readonly expiresAt?: number | undefined
  /** Where claims are picked from. */
  readonly claims: Members
}

/** An option of whatever asks about tokens. */
export interface TokenInfoCaching {
  /** How long a good token is not asked about again, in seconds; never past its expiry. Default: 60. */
  readonly cacheTtlSeconds?: number
}

/** What is known of an identity provider's tokens. */
export interface TokenInfo {
  /** Who issues them, e.g. `https://github.com`. */
  readonly issuer: string
  /** The question that decides. */
  readonly ask: TokenQuestion
  /**
   * Statuses by which the answer refuses the token, in JSON or with a challenge (RFC 6750 3): other words are a gateway's. Any other status but 200
   * is an outage. Default: 401.
   */
  readonly refusals?: readonly number[]
  /** What the answer says of the token, or why it is refused. Pure. */
  read(answer: TokenAnswer, app: TokenInfoApp): TokenFacts | Reason
  /** A question about the user of a good token. It brings claims and decides nothing: where it fails, they are missing. */
  readonly profile?: TokenQuestion
  /** Which claims are taken, from either answer. `sub` is there always; what is null is left out. */
  readonly claims: readonly string[]
}

/**
 * Verifies opaque tokens by asking whoever issued them, once a minute for each.
 *
 * @example
 * // in defineIdentityProvider
 * facts: (own, app, read) => ({
 *   identification: {
 *     by: 'access_token',
 *     verifier: new TokenInfoVerifier({
 *       issuer: 'https://example.com',
 *       ask: { url: 'https://example.com/api/me' },
 *       read: ({ json }) => ({ subject: json['id'], claims: json }),
 *       claims: ['name', 'email'],
 *     }, app, read),
 *   },
 *   …
 * })
 */
export class TokenInfoVerifier implements Verifier {
  readonly requiredScopes: readonly string[]
  readonly #info: TokenInfo
  readonly #app: TokenInfoApp
  readonly #prefix: string | undefined
  readonly #timeoutSeconds: number
  readonly #deps: Deps
  readonly #tokens: OpaqueTokens

  /** @param read gives `requiredScopes`, `timeoutSeconds` (10), `cacheTtlSeconds` (60), `cache` and `tokenPrefix`, where they are options */
  constructor(info: TokenInfo, app: TokenInfoApp, read: OptionReader) {
    this.requiredScopes = read.scopes('requiredScopes') ?? []
    this.#info = info
    this.#app = app
    this.#prefix = read.text('tokenPrefix')
    this.#timeoutSeconds = read.seconds('timeoutSeconds', 10)
    this.#deps = createDeps(app.deps)
    this.#tokens = new OpaqueTokens(
      {
        url: info.ask.url,
        request: (token) => this.#request(info.ask, token),
        read: (answer, token, context) => this.#read(answer, token, context),
        aboutToken: refusalsOf(info),
        cacheTtlSeconds: read.seconds('cacheTtlSeconds', 60),
        cache: parseCacheBounds(read, 'cache'),
      },
      this.#deps,
    )
  }

  async verifyToken(token: string, context: VerifyContext = STANDALONE): Promise<VerifiedToken | null> {
    // What fits into no header would be quoted by whoever refuses to send it.
    if (!/^[\x21-\x7e]+$/.test(token)) return context.refuse({ stage: 'form', expected: 'printable ASCII' })
    return this.#tokens.verify(token, context)
  }

  recall(token: string): VerifiedToken | undefined {
    return this.#tokens.recall(token)
  }

  claimsToken(token: string): Claim {
    if (this.#prefix === undefined) return 'perhaps'
    return token.startsWith(this.#prefix) ? 'mine' : 'not mine'
  }

  #request(question: TokenQuestion, token: string): JsonRequest {
    return { ...requestOf(question, token, this.#app), timeoutSeconds: this.#timeoutSeconds }
  }

  async #read(answer: JsonAnswer, token: string, context: VerifyContext): Promise<VerifiedToken | null> {
    const { issuer } = this.#info
    const { status, headers } = answer
    if (refusalsOf(this.#info).includes(status) && isVerdict(answer)) {
      return context.refuse({ stage: 'service', expected: 'status 200', got: `status ${status}` })
    }
    if (status !== 200) throw new Error(`status ${status}${isThrottled(answer) ? ': asked too often' : ''}`)
    const at = this.#deps.now() / 1000
    const said = this.#info.read({ json: parseMembers(answer), headers, at }, this.#app)
    if ('stage' in said) return context.refuse(said)
    const refused = refuseFacts(said, this.#app, at)
    if (refused !== undefined) return context.refuse(refused)
    const { scopes, expiresAt, claims } = said
    const subject = identifierOf(said.subject)
    if (subject === undefined) throw new Error('the answer names the user by neither text nor number')
    const profile = await this.#profileOf(token, subject)
    return parseAccessToken(
      {
        clientId: this.#app.clientId,
        scopes,
        expiresAt,
        subject,
        issuer,
        claims: { ...pick({ ...claims, ...profile }, this.#info.claims), sub: subject },
      },
      token,
    )
  }

  /** Whatever happens here: who the user is was told before. */
  async #profileOf(token: string, subject: string): Promise<Members> {
    if (this.#info.profile === undefined) return {}
    try {
      const answer = await fetchJson(this.#request(this.#info.profile, token), this.#deps)
      const profile = answer.status === 200 ? parseMembers(answer) : {}
      // OpenID Connect Core 5.3.2: of another user, it is not used.
      const named = identifierOf(profile['sub'])
      return named === undefined || named === subject ? profile : {}
    } catch {
      return {}
    }
  }
}

function refusalsOf({ refusals = [401] }: TokenInfo): readonly number[] {
  return refusals
}

/** A gateway's words say nothing of a token, and neither does who counts questions. RFC 6750 3: a no may have no words, but a challenge. */
function isVerdict(answer: JsonAnswer): boolean {
  const hasChallenge = /^bearer\b/i.test(answer.headers.get('www-authenticate') ?? '')
  return (isObject(answer.json) || hasChallenge) && !isThrottled(answer)
}

function parseMembers({ json }: JsonAnswer): Members {
  if (isObject(json)) return json
  throw new Error('the answer is not a JSON object')
}

function isObject(json: unknown): json is Members {
  return typeof json === 'object' && json !== null && !Array.isArray(json)
}

/** The checks that are the same everywhere: for this app, for somebody, for now. */
function refuseFacts(facts: TokenFacts, { clientId }: TokenInfoApp, at: number): Reason | undefined {
  const { subject, expiresAt } = facts
  if ('issuedTo' in facts && facts.issuedTo !== clientId) {
    return { stage: 'audience', expected: clientId, got: shown(facts.issuedTo) }
  }
  if (expiresAt !== undefined && expiresAt <= at) {
    return { stage: 'expiry', expected: `after ${Math.floor(at)}`, got: String(expiresAt) }
  }
  if (subject === undefined || subject === null) {
    return { stage: 'subject', expected: 'a token that says whose it is', got: 'none' }
  }
  return undefined
}

function pick(from: Members, names: readonly string[]): Members {
  const found = new Map(Object.entries(from))
  const kept = names.map((name) => [name, found.get(name)] as const)
  return Object.fromEntries(kept.filter(([, value]) => value !== undefined && value !== null))
}

/** An object within an answer; an empty one where there is none. */
export function membersOf(value: unknown): Members {
  return typeof value === 'object' && value !== null ? (value as Members) : {}
}

/** Scopes as text or as a list; undefined where they are neither. */
export function scopesOf(value: unknown, separator: ' ' | ',' = ' '): readonly string[] | undefined {
  if (typeof value === 'string') return parseScopes(value.replaceAll(separator, ' '))
  return Array.isArray(value) ? value.filter((scope) => typeof scope === 'string') : undefined
}

/** Seconds as a number or as text; undefined where they are neither, or beyond any calendar. */
export function secondsOf(value: unknown): number | undefined {
  const seconds = typeof value === 'string' && /^\d{1,15}$/.test(value) ? Number(value) : value
  return typeof seconds === 'number' && seconds >= 0 && seconds <= LATEST_TIME ? seconds : undefined
}

// JWT access tokens (RFC 9068, RFC 8725): strict form, then claims, then the signature, so that only a token that claims
// to be ours costs one.
import type { VerifiedToken } from '../protocol/access-token.js'
import {
  type ClaimRules,
  type Reason,
  meansIssuer,
  readAccessToken,
  refuseClaims,
  refuseKind,
  shown,
} from '../protocol/claims.js'
import { type ParsedJws, type TokenForm, parseJws } from '../protocol/jws-guard.js'
import { OptionReader } from '../protocol/options.js'
import { type Deps, createDeps } from '../runtime/deps.js'
import type { AuthEvent } from '../runtime/events.js'
import { type CacheBounds, VerifiedTokenCache, parseCacheBounds } from './cached.js'
import { type KeySource, RemoteKeys } from './jwks.js'
import { type KeyTrust, parseAlgorithms, parseKeys } from './jwt-keys.js'
import { findSigner } from './signature.js'
import { type Claim, STANDALONE, type Verifier, type VerifyContext } from './verifier.js'

/** Options of {@link JWTVerifier}: one of `jwksUri`, `publicKey` and `secret`, and who issues tokens for whom. */
export interface JWTVerifierOptions {
  /** URL of the issuer's JWK set (RFC 7517). https, or http on loopback. */
  readonly jwksUri?: string
  /** A public key as PEM (SPKI or certificate), JWK or JWK set. */
  readonly publicKey?: string | Readonly<Record<string, unknown>>
  /** Shared secret for HS256 (at least 32 bytes), HS384 (48) or HS512 (64). */
  readonly secret?: string | Uint8Array
  /** Accepted `iss`, byte for byte; `{tid}` in one is the tenant that the claim `tid` of the token names, as Entra's issuers have it. */
  readonly issuer: string | readonly string[]
  /** Accepted `aud`, byte for byte: normally the URL of your MCP endpoint. */
  readonly audience?: string | readonly string[]
  /** Accepts tokens that were issued for any other service of the issuer as well. */
  readonly dangerouslyAllowAnyAudience?: boolean
  /** Other claims that have to hold one of some values, e.g. `{ client_id: '1example23456789' }` where tokens have no `aud`. */
  readonly requiredClaims?: Readonly<Record<string, string | readonly string[]>>
  /** Accepted `alg`. Default: every asymmetric one that the key's type allows, or HS256 with `secret`. */
  readonly algorithms?: readonly string[]
  /** Scopes that every request needs; less is answered 403. Default: none. */
  readonly requiredScopes?: readonly string[]
  /** How far in the future `nbf` and `iat` may lie. An expired token is refused at once. Default: 30. */
  readonly clockToleranceSeconds?: number
  /** How long a key set is fresh. Default: what its response says, else 600; at least 30. */
  readonly jwksCacheSeconds?: number
  /** Bounds of the cache of verified tokens, or false for none. */
  readonly cache?: CacheBounds | boolean
  /** Lets `jwksUri` be http on a network that you trust. */
  readonly dangerouslyAllowInsecureHttp?: boolean
  /** Clock and outbound HTTP, for tests. */
  readonly deps?: Partial<Deps>
}

const OPTIONS = [
  'jwksUri', 'publicKey', 'secret', 'issuer', 'audience', 'dangerouslyAllowAnyAudience', 'requiredClaims', 'algorithms', 'requiredScopes',
  'clockToleranceSeconds', 'jwksCacheSeconds', 'cache', 'dangerouslyAllowInsecureHttp', 'deps',
] as const // prettier-ignore

/**
 * Verifies JWT access tokens against an issuer's published keys, a public key, or a shared secret.
 *
 * @throws ConfigError where options are missing, unknown or unsafe
 * @example
 * new JWTVerifier({
 *   jwksUri: 'https://login.example.com/jwks',
 *   issuer: 'https://login.example.com',
 *   audience: 'https://api.example.com/mcp',
 * })
 */
export class JWTVerifier implements Verifier {
  readonly requiredScopes: readonly string[]
  /** Accepted audiences; empty where any is accepted. */
  readonly audience: readonly string[]
  readonly issuer: readonly string[]
  /** Told when a guard is built over this verifier. */
  readonly notices: readonly AuthEvent[]
  readonly #algorithms: readonly string[]
  readonly #rules: ClaimRules
  readonly #keys: KeySource
  readonly #cache: VerifiedTokenCache | undefined
  readonly #deps: Deps

  /** @param trust of tokens that no stranger can present: how often an unknown key ID may have the keys fetched. For the proxies alone. */
  constructor(options: JWTVerifierOptions, trust: KeyTrust = {}) {
    const read = new OptionReader('JWTVerifier', options, OPTIONS)
    this.#deps = createDeps(options.deps)
    this.issuer =
      read.texts('issuer') ?? missing(read, 'issuer', 'write the "iss" of your tokens, byte for byte')
    const anyAudience = read.flag('dangerouslyAllowAnyAudience')
    this.audience = read.texts('audience') ?? (anyAudience ? [] : missing(read, 'audience', AUDIENCE_ADVICE))
    this.requiredScopes = read.scopes('requiredScopes') ?? []
    this.notices = anyAudience ? [ANY_AUDIENCE] : []
    this.#rules = {
      issuers: this.issuer,
      audiences: this.audience.length > 0 ? this.audience : undefined,
      required: parseRequiredClaims(read),
      requireExpiry: true,
      toleranceSeconds: read.seconds('clockToleranceSeconds', 30),
    }
    this.#algorithms = parseAlgorithms(read)
    this.#keys = parseKeys(read, this.#algorithms, this.#deps, trust)
    const bounds = parseCacheBounds(read, 'cache')
    this.#cache = bounds === false ? undefined : new VerifiedTokenCache(bounds, this.#deps.now, { reread })
  }

  /**
   * @returns what the token says, or null where it is not valid here
   * @throws OAuthError `temporarily_unavailable` where the keys cannot be fetched
   */
  async verifyToken(token: string, context: VerifyContext = STANDALONE): Promise<VerifiedToken | null> {
    const known = this.recall(token, context)
    if (known !== undefined) return known
    const jws = parseJws(token)
    if (typeof jws === 'string')
      return context.refuse({ stage: 'format', expected: 'a signed JWT', got: jws })
    const { header, payload } = jws
    const refused = this.#refuseHeader(jws) ?? refuseClaims(payload, this.#rules, this.#deps.now() / 1000)
    if (refused !== undefined) return context.refuse(refused)
    const { alg, kid } = header
    const candidates = this.#keys.known(alg, kid, context) ?? (await this.#keys.find(alg, kid, context))
    if (candidates.length === 0)
      return context.refuse({ stage: 'key', expected: 'a published key', got: shown(header.kid) })
    const signer = await findSigner(token, header.alg, candidates)
    if (signer === undefined)
      return context.refuse({ stage: 'signature', got: 'a signature that none of the keys made' })
    const verified = readAccessToken(payload, token)
    const { identity } = signer
    this.#cache?.set(verified, Infinity, () => this.#keys.publishes(identity))
    return verified
  }

  recall(token: string, context: VerifyContext = STANDALONE): VerifiedToken | undefined {
    const known = this.#cache?.get(token)
    // Requests that are all answered from here must not keep a key alive that was withdrawn.
    if (known !== undefined) this.#keys.freshen(context)
    return known
  }

  claimsToken(_token: string, form: TokenForm): Claim {
    const isOurs = form.kind === 'jwt' && this.issuer.some((issuer) => meansIssuer(form.issuer, issuer))
    return isOurs ? 'mine' : 'not mine'
  }

  /** Fetches the keys ahead of the first request, e.g. before the server listens. A failure is told by an event. */
  async warmUp(): Promise<void> {
    if (this.#keys instanceof RemoteKeys) await this.#keys.warmUp(STANDALONE)
  }

  #refuseHeader({ header: { alg, typ }, payload }: ParsedJws): Reason | undefined {
    if (!this.#algorithms.includes(alg)) {
      return { stage: 'algorithm', expected: this.#algorithms.join(' or '), got: shown(alg) }
    }
    // RFC 9068 4: a token of another kind, e.g. an ID token or a DPoP proof, must not pass for an access token.
    if (typ !== undefined && !ACCESS_TOKEN_TYPES.has(typ.toLowerCase())) {
      return { stage: 'type', expected: 'an access token', got: `typ ${shown(typ)}` }
    }
    return refuseKind(payload)
  }
}

/** A token that was verified says the same again. */
function reread(token: string): VerifiedToken {
  return readAccessToken((parseJws(token) as ParsedJws).payload, token)
}

const ACCESS_TOKEN_TYPES = new Set(['jwt', 'at+jwt', 'application/at+jwt'])

const AUDIENCE_ADVICE =
  'write the URL of your MCP endpoint, e.g. "https://api.example.com/mcp". Without it, tokens that were issued for ' +
  'other services would be accepted; if you want that, set "dangerouslyAllowAnyAudience: true"'

const ANY_AUDIENCE: AuthEvent = {
  type: 'danger',
  option: 'dangerouslyAllowAnyAudience',
  message: 'JWTVerifier accepts tokens that were issued for other services (dangerouslyAllowAnyAudience)',
}

function missing(read: OptionReader, name: string, advice: string): never {
  throw read.missing(name, advice)
}

function parseRequiredClaims(read: OptionReader): ReadonlyMap<string, readonly string[]> {
  const claims: object = read.raw('requiredClaims') ?? {}
  const names = Object.keys(claims)
  const values = new OptionReader(read.name('requiredClaims'), claims, names)
  const valuesOf = (name: string): readonly string[] =>
    values.texts(name) ?? missing(values, name, 'write a value that the claim has to hold')
  return new Map(names.map((name) => [name, valuesOf(name)]))
}

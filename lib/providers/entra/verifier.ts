// Access tokens of Entra for an app that is no proxy: the tokens hold short scopes, and clients have to ask for long ones.
import type { VerifiedToken } from '../../protocol/access-token.js'
import type { TokenForm } from '../../protocol/jws-guard.js'
import { OptionReader } from '../../protocol/options.js'
import type { Deps } from '../../runtime/deps.js'
import { JWTVerifier } from '../../verifiers/jwt.js'
import { type Claim, STANDALONE, type Verifier, type VerifyContext } from '../../verifiers/verifier.js'
import { readOwnOptions } from '../own-options.js'
import { API_SCOPE_ADVICE, ENTRA, TENANT_ADVICE, isApiScope, issuersOf, scopeNamesOf } from './tenant.js'

/** Options of {@link AzureJWTVerifier}. */
export interface AzureJWTVerifierOptions {
  /** "Application (client) ID" of the API. */
  readonly clientId: string
  /** "Directory (tenant) ID", or `organizations`, `consumers` or `common`: each token then has to be of the tenant that it names. */
  readonly tenantId: string
  /**
   * Short names of scopes under "Expose an API", e.g. `['mcp.use']`: at least one, unless `allowAppTokens`. Clients are told to ask for
   * `{identifierUri}/mcp.use`.
   */
  readonly requiredScopes?: readonly string[]
  /**
   * Takes tokens that apps get for themselves as well, with nobody behind them. They hold roles and no scopes, and Entra gives them to every app
   * of the tenant unless assignment is required: compare `claims.roles` yourself. Default: false.
   */
  readonly allowAppTokens?: boolean
  /** "Application ID URI" of the API. Default: `api://{clientId}`. */
  readonly identifierUri?: string
  /** Where Entra is, in a national cloud or for an external tenant. Default: `https://login.microsoftonline.com`. */
  readonly baseAuthority?: string
  /** Accepted `iss`, where it is another. */
  readonly tokenIssuer?: string
  /** Clock and outbound HTTP, for tests. */
  readonly deps?: Partial<Deps>
}

const OPTIONS = {
  clientId: { kind: 'text', required: 'write the "Application (client) ID" of the app registration' },
  tenantId: { kind: 'text', required: TENANT_ADVICE },
  requiredScopes: 'scopes',
  allowAppTokens: 'flag',
  identifierUri: 'text',
  baseAuthority: 'base',
  tokenIssuer: 'url',
} as const

/**
 * Verifies access tokens that Entra issued for an API, for `RemoteAuthProvider`.
 *
 * @throws ConfigError where options are missing, unknown or unsafe
 * @example
 * new RemoteAuthProvider({
 *   baseUrl: 'https://api.example.com',
 *   authorizationServers: [`https://login.microsoftonline.com/${tenantId}/v2.0`],
 *   tokenVerifier: new AzureJWTVerifier({ clientId, tenantId, requiredScopes: ['mcp.use'] }),
 * })
 */
export class AzureJWTVerifier implements Verifier {
  /** As tokens hold them: OpenID Connect's are in none. */
  readonly requiredScopes: readonly string[]
  /** As clients have to ask for them. */
  readonly challengeScopes: readonly string[]
  readonly #tokens: JWTVerifier
  readonly #allowAppTokens: boolean

  constructor(options: AzureJWTVerifierOptions) {
    const read = new OptionReader('AzureJWTVerifier', options, [...Object.keys(OPTIONS), 'deps'])
    const own = readOwnOptions(read, OPTIONS) as unknown as AzureJWTVerifierOptions
    const { clientId, tenantId, requiredScopes = [], identifierUri = `api://${clientId}` } = own
    const { baseAuthority: authority = ENTRA, tokenIssuer } = own
    this.#allowAppTokens = own.allowAppTokens === true
    this.requiredScopes = requiredScopes.filter(isApiScope)
    if (this.requiredScopes.length === 0 && !this.#allowAppTokens)
      throw read.missing('requiredScopes', `${API_SCOPE_ADVICE}; without one, any app's own token would do`)
    this.challengeScopes = scopeNamesOf(identifierUri).toUpstream(requiredScopes)
    this.#tokens = new JWTVerifier({
      jwksUri: `${authority}/${tenantId}/discovery/v2.0/keys`,
      issuer: issuersOf(read, { tenantId, authority, tokenIssuer }).all,
      // Version 2 of tokens names the ID, version 1 the URI.
      audience: [clientId, identifierUri],
      requiredScopes: this.requiredScopes,
      ...(options.deps !== undefined && { deps: options.deps }),
    })
  }

  async verifyToken(token: string, context: VerifyContext = STANDALONE): Promise<VerifiedToken | null> {
    const verified = await this.#tokens.verifyToken(token, context)
    if (verified === null || this.#isWelcome(verified)) return verified
    return context.refuse({ stage: 'type', expected: 'a token of a user', got: 'one of an app alone' })
  }

  recall(token: string, context?: VerifyContext): VerifiedToken | undefined {
    const known = this.#tokens.recall(token, context)
    return known !== undefined && this.#isWelcome(known) ? known : undefined
  }

  /** https://learn.microsoft.com/entra/identity-platform/optional-claims-reference: `idtyp`, where the API asks for it; and no user's token lacks scopes. */
  #isWelcome({ claims: { idtyp, scp } }: VerifiedToken): boolean {
    return this.#allowAppTokens || (idtyp !== 'app' && scp !== undefined)
  }

  claimsToken(token: string, form: TokenForm): Claim {
    return this.#tokens.claimsToken(token, form)
  }

  /** Fetches the keys ahead of the first request. A failure is told by an event. */
  warmUp(): Promise<void> {
    return this.#tokens.warmUp()
  }
}

// Tokens from several sources, each shown only to the verifier that it belongs to.
import type { AuthorizationServer } from '../authorization-server/server.js'
import type { VerifiedToken } from '../protocol/access-token.js'
import { OAuthError, recognizeError } from '../protocol/errors.js'
import { type TokenForm, tokenForm } from '../protocol/jws-guard.js'
import type { AuthRequest } from '../protocol/message.js'
import type { ResourceDescription } from '../protocol/metadata.js'
import { OptionReader } from '../protocol/options.js'
import { missingScopes } from '../protocol/scopes.js'
import type { AuthEvent } from '../runtime/events.js'
import type { Route } from '../runtime/route.js'
import type { Claim, Verification, Verifier, VerifyContext } from '../verifiers/verifier.js'
import { type AuthProvider, type SdkTokenVerifier, toProvider } from './provider.js'

/** Options of {@link MultiAuth}. */
export interface MultiAuthOptions {
  /** The provider that clients are sent to: its discovery, routes and required scopes are those of the whole. */
  readonly server?: AuthProvider
  /** What else is accepted, in the order in which doubtful tokens are tried. */
  readonly verifiers?: readonly (Verifier | SdkTokenVerifier)[]
  /** Scopes that every request needs, whatever the source. Default: each source's own. */
  readonly requiredScopes?: readonly string[]
}

/**
 * Accepts tokens of several sources. A JWT goes to the verifier of its issuer, a known prefix or token to whoever claims it; only
 * what nobody claims is tried in turn. An outage of one source is never taken for "no".
 *
 * @example new MultiAuth({ server: remote, verifiers: [new StaticTokenVerifier({ tokens, tokenPrefix: 'sk_' })] })
 */
export class MultiAuth implements AuthProvider {
  readonly requiredScopes: readonly string[]
  readonly baseUrl: string | undefined
  readonly resourceUrl: string | undefined
  readonly authorizationServers: readonly string[] | undefined
  readonly resourceDescription: ResourceDescription | undefined
  readonly challengeScopes: readonly string[] | undefined
  readonly authorizationServer: AuthorizationServer | undefined
  readonly routes: readonly Route[] | undefined
  readonly dangerouslyAllowInsecureHttp: boolean | undefined
  readonly notices: readonly AuthEvent[]
  /** Present where one of the sources takes other credentials. */
  readonly authenticate?: (request: AuthRequest, context?: VerifyContext) => Promise<Verification>
  readonly #sources: readonly AuthProvider[]
  /** Whether each source's tokens need that source's scopes. */
  readonly #scopesBySource: boolean

  constructor(options: MultiAuthOptions) {
    const read = new OptionReader('MultiAuth', options, ['server', 'verifiers', 'requiredScopes'])
    const { server } = options
    const verifiers: unknown = options.verifiers ?? []
    if (!Array.isArray(verifiers)) throw read.invalid('verifiers', 'a list of verifiers')
    this.#sources = [
      ...(server === undefined ? [] : [toProvider(server, read.name('server'))]),
      ...(verifiers as unknown[]).map((verifier) => toProvider(verifier, read.name('verifiers'))),
    ]
    if (this.#sources.length === 0) throw read.missing('verifiers', 'pass a "server", "verifiers", or both')
    const scopes = read.scopes('requiredScopes')
    this.#scopesBySource = scopes === undefined
    this.requiredScopes = scopes ?? []
    this.baseUrl = server?.baseUrl
    this.resourceUrl = server?.resourceUrl
    this.authorizationServers = server?.authorizationServers
    this.resourceDescription = server?.resourceDescription
    this.challengeScopes = scopes ?? server?.challengeScopes ?? server?.requiredScopes
    this.authorizationServer = server?.authorizationServer
    this.routes = server?.routes
    this.dangerouslyAllowInsecureHttp = server?.dangerouslyAllowInsecureHttp
    this.notices = this.#sources.flatMap((source) => source.notices ?? [])
    const others = this.#sources.filter((source) => source.authenticate !== undefined)
    if (others.length > 0)
      this.authenticate = (request, context) => this.#authenticate(others, request, context)
  }

  async verifyToken(token: string, context?: VerifyContext): Promise<Verification> {
    let outage: Error | undefined
    for (const source of this.#candidates(token)) {
      try {
        const verified = await source.verifyToken(token, context)
        if (isAccepted(verified)) return this.#holdToScopes(source, verified, context)
      } catch (error) {
        const refusal = recognizeError(error)
        if (refusal?.code === 'insufficient_scope') throw error
        // A token that one source refuses may be another's; a source that could not decide is remembered.
        if (refusal?.code !== 'invalid_token')
          outage ??= error instanceof Error ? error : new Error(String(error))
      }
    }
    if (outage !== undefined) throw outage
    return null
  }

  recall(token: string, context?: VerifyContext): VerifiedToken | undefined {
    for (const source of this.#sources) {
      const known = source.recall?.(token, context)
      if (known !== undefined) return this.#lacks(source, known.scopes, context) ? undefined : known
    }
    return undefined
  }

  claimsToken(token: string, form: TokenForm): Claim {
    const claims = this.#sources.map((source) => source.claimsToken?.(token, form) ?? 'perhaps')
    return (
      claims.find((claim) => claim === 'mine') ?? claims.find((claim) => claim === 'perhaps') ?? 'not mine'
    )
  }

  /** Whoever claims the token, and nobody else; where nobody does, those who may know it. */
  #candidates(token: string): readonly AuthProvider[] {
    const form = tokenForm(token)
    const claims = this.#sources.map((source) => ({
      source,
      claim: source.claimsToken?.(token, form) ?? 'perhaps',
    }))
    const owners = claims.filter(({ claim }) => claim === 'mine')
    return (owners.length > 0 ? owners : claims.filter(({ claim }) => claim === 'perhaps')).map(
      ({ source }) => source,
    )
  }

  async #authenticate(
    sources: readonly AuthProvider[],
    request: AuthRequest,
    context?: VerifyContext,
  ): Promise<Verification> {
    for (const source of sources) {
      const verified = await source.authenticate?.(request, context)
      if (isAccepted(verified)) return this.#holdToScopes(source, verified, context)
    }
    return null
  }

  #lacks(source: AuthProvider, held: readonly string[], context: VerifyContext | undefined): boolean {
    return (
      this.#scopesBySource &&
      missingScopes(held, source.requiredScopes ?? [], context?.scopeImplies).length > 0
    )
  }

  #holdToScopes(
    source: AuthProvider,
    verified: NonNullable<Verification>,
    context?: VerifyContext,
  ): Verification {
    if (!this.#lacks(source, verified.scopes ?? [], context)) return verified
    throw new OAuthError('insufficient_scope', 'The access token lacks a scope', {
      scopes: source.challengeScopes ?? source.requiredScopes ?? [],
    })
  }
}

/** null and undefined are no; so is false, which only a verifier without types returns. */
function isAccepted(verification: Verification): verification is NonNullable<Verification> {
  return typeof verification === 'object' && verification !== null
}

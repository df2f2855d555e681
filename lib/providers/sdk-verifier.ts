// Our verifiers behind the gates of the MCP SDKs, for apps that keep `requireBearerAuth` in front of their routes.
import { type VerifiedToken, parseAccessToken } from '../protocol/access-token.js'
import { MAX_TOKEN_LENGTH, isToken68 } from '../protocol/bearer.js'
import { plainText } from '../protocol/challenge.js'
import { OAuthError, UNAVAILABLE, recognizeError } from '../protocol/errors.js'
import { OptionReader } from '../protocol/options.js'
import { type ScopeImplies, missingScopes } from '../protocol/scopes.js'
import { protectedResourceUrl } from '../protocol/well-known.js'
import { AccessToken, type AccessTokenContext } from '../runtime/access-token.js'
import { type Deps, createDeps } from '../runtime/deps.js'
import { STANDALONE } from '../verifiers/verifier.js'
import { type AuthProvider, type ProviderLike, resourceOf, toProvider } from './provider.js'

/** An error class of an SDK whose gate goes by `instanceof`. */
export type SdkErrorClass = new (message: string) => Error

/** Those classes under the names that SDK v1 and `server-legacy` give them, so that their whole module may be passed. */
export interface SdkErrorClasses {
  readonly InvalidTokenError: SdkErrorClass
  readonly InsufficientScopeError?: SdkErrorClass
  readonly InvalidRequestError?: SdkErrorClass
}

/** Options of {@link sdkTokenVerifier}. */
export interface SdkTokenVerifierOptions {
  /**
   * For gates that recognise the classes of their own copy alone and answer 500 to any other error: `server-legacy`, and SDK v1 in
   * CommonJS, as `require('@modelcontextprotocol/sdk/server/auth/errors.js')`. Default: those of SDK v1 where it is installed. SDK v2 needs none.
   */
  readonly errors?: SdkErrorClasses
  /** How scopes include one another, where the `requiredScopes` of the provider are compared. */
  readonly scopeImplies?: ScopeImplies
  /** Clock, for tests. */
  readonly deps?: Partial<Deps>
}

/** The `OAuthTokenVerifier` of both SDKs, with our token as their `AuthInfo`. */
export interface GateTokenVerifier {
  verifyAccessToken(token: string): Promise<AccessToken & { readonly expiresAt: number }>
}

/** What a gate has a word for, and how SDK v1 calls the class of it. */
const CLASS_NAMES = {
  invalid_token: 'InvalidTokenError',
  insufficient_scope: 'InsufficientScopeError',
  invalid_request: 'InvalidRequestError',
} as const satisfies Readonly<Record<string, keyof SdkErrorClasses>>

type GateCode = keyof typeof CLASS_NAMES

/** Both gates refuse a token without an end. One that has none is asked about at each request, so an hour says enough. */
const ENDLESS_SECONDS = 3600

/** Where SDK v2 looks for what an error is, across copies of its classes. */
const BRANDS = Symbol.for('mcp.sdk.errorBrands')

/**
 * Lets `requireBearerAuth` of the SDKs go by any of our providers. A token that is not valid is their 401, one with too few scopes their
 * 403, and what could not be decided their 500. The scopes that the provider requires are held to here, whatever the gate requires beside them.
 *
 * @example
 * import { requireBearerAuth } from '@modelcontextprotocol/express'
 * app.use('/mcp', requireBearerAuth({ verifier: sdkTokenVerifier(provider) }))
 * @example
 * import * as errors from '@modelcontextprotocol/server-legacy/auth'
 * app.use('/mcp', requireBearerAuth({ verifier: sdkTokenVerifier(provider, { errors }) }))
 */
export function sdkTokenVerifier(
  provider: ProviderLike,
  options: SdkTokenVerifierOptions = {},
): GateTokenVerifier {
  const read = new OptionReader('sdkTokenVerifier', options, ['errors', 'scopeImplies', 'deps'])
  const trusted = toProvider(provider, 'sdkTokenVerifier')
  const { scopeImplies } = options
  if (scopeImplies !== undefined && typeof scopeImplies !== 'function')
    throw read.invalid('scopeImplies', 'a function (held, needed) => boolean')
  const classes = parseClasses(read)
  const { now } = createDeps(options.deps)
  const context = { ...STANDALONE, scopeImplies }
  const tokenContext: AccessTokenContext = { ...resourceContext(trusted), scopeImplies, now }
  for (const notice of trusted.notices ?? []) context.report(notice)

  const verify = async (token: string): Promise<VerifiedToken | undefined> => {
    if (token.length > MAX_TOKEN_LENGTH || !isToken68(token)) return undefined
    const verified = trusted.recall?.(token, context) ?? (await trusted.verifyToken(token, context))
    if (!verified) return undefined
    const facts = parseAccessToken(verified, token)
    return facts.expiresAt !== undefined && facts.expiresAt * 1000 <= now() ? undefined : facts
  }

  return {
    async verifyAccessToken(token) {
      try {
        const facts = await verify(token)
        if (facts === undefined) throw new OAuthError('invalid_token')
        const needed = trusted.requiredScopes ?? []
        if (missingScopes(facts.scopes, needed, scopeImplies).length > 0) {
          throw new OAuthError('insufficient_scope', `This needs the scope ${needed.join(' ')}`)
        }
        const expiresAt = facts.expiresAt ?? Math.floor(now() / 1000) + ENDLESS_SECONDS
        const lasting = facts.expiresAt === undefined ? { ...facts, expiresAt } : facts
        return Object.assign(new AccessToken(lasting, tokenContext), { expiresAt })
      } catch (error) {
        throw toGateError(error, token, classes ?? (await installedClasses()))
      }
    },
  }
}

let installed: Promise<SdkErrorClasses | undefined> | undefined

/** Where SDK v1 is there, its classes are met; nothing of ours needs it. A CommonJS app has another copy of them, and passes its own. */
function installedClasses(): Promise<SdkErrorClasses | undefined> {
  installed ??= import(/* webpackIgnore: true */ '@modelcontextprotocol/sdk/server/auth/errors.js').catch(
    () => undefined,
  )
  return installed
}

/** As a guard would state it: what tools and the SDK's own challenges read of a token. */
function resourceContext(provider: AuthProvider): AccessTokenContext {
  const { authorizationServers, baseUrl, resourceUrl } = provider
  if (baseUrl === undefined && resourceUrl === undefined) return {}
  const resource = resourceOf(provider)
  return {
    resource,
    ...(authorizationServers !== undefined && { resourceMetadataUrl: protectedResourceUrl(resource) }),
  }
}

/** A refusal as the gates know it; anything else is an outage, which no gate may take for a word about the token. */
function toGateError(thrown: unknown, token: string, classes: SdkErrorClasses | undefined): Error {
  const error = recognizeError(thrown)
  if (error === undefined || error.status >= 500 || !isGateCode(error.code)) {
    return new OAuthError('temporarily_unavailable', UNAVAILABLE, { cause: thrown })
  }
  const { description } = error
  // SDK v1 writes the message into a header as it is; and somebody else's words may quote the token.
  const message = plainText(
    description.includes(token) ? new OAuthError(error.code).description : description,
  )
  const Known = classes?.[CLASS_NAMES[error.code]]
  const refusal = Known === undefined ? new GateError(error.code, message) : new Known(message)
  Object.defineProperty(refusal, BRANDS, { value: new Set(['mcp.OAuthError']) })
  return Object.assign(refusal, { code: error.code })
}

function isGateCode(code: string): code is GateCode {
  return Object.hasOwn(CLASS_NAMES, code)
}

/** The shape that both SDKs give their errors. */
class GateError extends Error {
  override readonly name: string
  readonly errorCode: GateCode

  constructor(errorCode: GateCode, message: string) {
    super(message)
    this.name = CLASS_NAMES[errorCode]
    this.errorCode = errorCode
  }

  toResponseObject(): { readonly error: string; readonly error_description: string } {
    return { error: this.errorCode, error_description: this.message }
  }
}

function parseClasses(read: OptionReader): SdkErrorClasses | undefined {
  const classes = read.raw('errors') as SdkErrorClasses | undefined
  if (classes === undefined) return undefined
  if (typeof (classes as Partial<SdkErrorClasses> | null)?.InvalidTokenError !== 'function') {
    throw read.invalid(
      'errors',
      "the error classes of the SDK: import * as errors from '@modelcontextprotocol/sdk/server/auth/errors.js'",
    )
  }
  return classes
}

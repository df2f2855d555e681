// A provider is a plain object that says who may call and where tokens come from. Here it is brought into one form.
import type { AuthorizationServer } from '../authorization-server/server.js'
import { ConfigError } from '../protocol/errors.js'
import type { AuthRequest } from '../protocol/message.js'
import type { ResourceDescription } from '../protocol/metadata.js'
import { isScope } from '../protocol/scopes.js'
import { checkUrl } from '../protocol/urls.js'
import type { AuthEvent } from '../runtime/events.js'
import type { Route } from '../runtime/route.js'
import type { Verification, Verifier, VerifyContext } from '../verifiers/verifier.js'

/**
 * What `mcpAuth` guards with. It mounts what the present fields imply; write one as an object literal, or build one with
 * `RemoteAuthProvider` and its like.
 */
export interface AuthProvider extends Verifier {
  /** Public URL of this app, verbatim. Needed for discovery. */
  readonly baseUrl?: string | undefined
  /** Public URL of the MCP endpoint, verbatim. Default: `${baseUrl}/mcp`. */
  readonly resourceUrl?: string | undefined
  /**
   * Credentials other than Bearer, e.g. an API key in a header of its own; asked where no Bearer token is present. Null: there
   * are none here. Throw `OAuthError('invalid_token', …)` for some that are wrong.
   */
  authenticate?(request: AuthRequest, context?: VerifyContext): Verification | Promise<Verification>
  /** Issuer URLs of the authorization servers, verbatim (RFC 9728 2). With these, protected resource metadata is served. */
  readonly authorizationServers?: readonly string[] | undefined
  /** What else the metadata says. */
  readonly resourceDescription?: ResourceDescription | undefined
  /** Scopes as a client has to ask for them, where that differs from how tokens hold them. Default: `requiredScopes`. */
  readonly challengeScopes?: readonly string[] | undefined
  /** Lets these URLs be http on a network that you trust. */
  readonly dangerouslyAllowInsecureHttp?: boolean | undefined
  /** Set where this app is the authorization server: its endpoints are served. */
  readonly authorizationServer?: AuthorizationServer | undefined
  /** Anything else it serves. */
  readonly routes?: readonly Route[] | undefined
  /** Told when a guard is built. */
  readonly notices?: readonly AuthEvent[] | undefined
}

/** The verifier interface of both MCP SDKs. Errors it throws are recognised by shape. */
export interface SdkTokenVerifier {
  verifyAccessToken(token: string): Promise<unknown>
}

/** A provider, or what can be made into one. */
export type ProviderLike = AuthProvider | SdkTokenVerifier

/**
 * Brings any of the accepted shapes into one.
 *
 * @param asker who was given the value, for the words of a refusal
 * @throws ConfigError that says what was passed instead
 */
export function toProvider(value: unknown, asker: string = 'mcpAuth'): AuthProvider {
  if (typeof value === 'function') {
    const { name } = value
    const advice = `call it, e.g. new ${name || 'Provider'}({ … })`
    throw invalid(`${asker} was given the class or function ${name || 'without a name'} itself: ${advice}`)
  }
  if (typeof value !== 'object' || value === null)
    throw invalid(`${asker} needs a provider, not ${String(value)}`)
  if ('then' in value) throw invalid(`${asker} was given a promise: await the provider first`)
  const verifier = toVerifier(value)
  if (verifier !== undefined) return checkProvider(verifier)
  throw invalid(`${asker} needs a provider: an object with verifyToken(token), e.g. new JWTVerifier({ … })`)
}

/** The verifier in a value: its own `verifyToken`, an SDK's `verifyAccessToken`, or `authenticate` without either. */
export function toVerifier(value: object): Verifier | undefined {
  const shape = value as Partial<AuthProvider & SdkTokenVerifier>
  if (typeof shape.verifyToken === 'function') return value as Verifier
  if (typeof shape.verifyAccessToken === 'function') {
    const sdk = value as SdkTokenVerifier
    return complete(shape, (token) => sdk.verifyAccessToken(token) as Promise<Verification>)
  }
  return typeof shape.authenticate === 'function' ? complete(shape, () => null) : undefined
}

/** A provider from what an object states and a way to verify. Methods stay with their object, which may have private fields. */
function complete(stated: Partial<AuthProvider>, verifyToken: Verifier['verifyToken']): AuthProvider {
  const {
    baseUrl,
    resourceUrl,
    authorizationServers,
    resourceDescription,
    challengeScopes,
    routes,
    notices,
  } = stated
  const { requiredScopes = [], dangerouslyAllowInsecureHttp } = stated
  return {
    verifyToken,
    requiredScopes,
    ...(stated.authenticate !== undefined && {
      authenticate: (request: AuthRequest, context?: VerifyContext) =>
        stated.authenticate?.(request, context),
    }),
    baseUrl,
    resourceUrl,
    authorizationServers,
    resourceDescription,
    challengeScopes,
    dangerouslyAllowInsecureHttp,
    routes,
    notices,
  }
}

function checkProvider(provider: AuthProvider): AuthProvider {
  const { requiredScopes = [], challengeScopes = [], baseUrl, resourceUrl } = provider
  const { authorizationServers, dangerouslyAllowInsecureHttp: allowInsecureHttp = false } = provider
  for (const [name, scopes] of Object.entries({ requiredScopes, challengeScopes })) {
    const wellFormed = isTextList(scopes) && scopes.every(isScope)
    if (!wellFormed) throw invalid(`"${name}" of the provider must be a list of scopes such as ["mcp:use"]`)
  }
  for (const [name, url] of Object.entries({ baseUrl, resourceUrl })) {
    if (url !== undefined)
      checkUrl(url, { name: `"${name}" of the provider`, identifier: true, allowInsecureHttp })
  }
  if (authorizationServers === undefined) return provider
  if (!isTextList(authorizationServers) || authorizationServers.length === 0) {
    throw invalid(
      '"authorizationServers" of the provider must name at least one issuer URL; leave it out to serve no discovery',
    )
  }
  for (const issuer of authorizationServers) {
    checkUrl(issuer, { name: '"authorizationServers" of the provider', identifier: true, allowInsecureHttp })
  }
  resourceOf(provider)
  return provider
}

/** The one URL of the MCP endpoint, from what the provider states. */
export function resourceOf({ baseUrl, resourceUrl }: AuthProvider): string {
  if (resourceUrl !== undefined) return resourceUrl
  if (baseUrl !== undefined) return `${baseUrl.replace(/\/$/, '')}/mcp`
  throw invalid(
    'a provider with "authorizationServers" needs "baseUrl" too, the public URL of this app: discovery starts there',
  )
}

function isTextList(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'string')
}

function invalid(message: string): ConfigError {
  return new ConfigError('ERR_MCP_AUTH_INVALID_PROVIDER', message)
}

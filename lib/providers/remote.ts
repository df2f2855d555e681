// A resource server whose tokens come from an authorization server elsewhere (RFC 9728).
import type { VerifiedToken } from '../protocol/access-token.js'
import { ConfigError } from '../protocol/errors.js'
import type { TokenForm } from '../protocol/jws-guard.js'
import type { AuthRequest } from '../protocol/message.js'
import type { ResourceDescription } from '../protocol/metadata.js'
import { OptionReader } from '../protocol/options.js'
import { checkUrl } from '../protocol/urls.js'
import { originOf, pathOf } from '../protocol/well-known.js'
import type { Deps } from '../runtime/deps.js'
import type { AuthEvent } from '../runtime/events.js'
import type { Route } from '../runtime/route.js'
import { JWTVerifier } from '../verifiers/jwt.js'
import type { Claim, Verification, Verifier, VerifyContext } from '../verifiers/verifier.js'
import { type ForwardMetadataOptions, mirrorRoutes, parseMirror } from './mirror.js'
import { type AuthProvider, type SdkTokenVerifier, resourceOf, toProvider } from './provider.js'

/** Options of {@link RemoteAuthProvider}. */
export interface RemoteAuthProviderOptions extends ResourceDescription {
  /** Public URL of this app, verbatim, e.g. `https://api.example.com`. https, or http on loopback. */
  readonly baseUrl: string
  /** Public URL of the MCP endpoint, verbatim, under `baseUrl`. Default: `${baseUrl}/mcp`. */
  readonly resourceUrl?: string
  /** Issuer URLs of the authorization servers, verbatim: clients compare them byte for byte. */
  readonly authorizationServers: readonly string[]
  /** What checks the tokens. Instead of it, `jwksUri` suffices for JWTs. */
  readonly tokenVerifier?: Verifier | SdkTokenVerifier
  /**
   * Short for a `JWTVerifier` with these keys, `authorizationServers` as issuers and the resource as audience, so that each is
   * stated once.
   */
  readonly jwksUri?: string
  /** Scopes that every request needs, beside those of the verifier. */
  readonly requiredScopes?: readonly string[]
  /** Scopes as a client has to ask for them, where that differs from how tokens hold them. Default: as the verifier says, or `requiredScopes`. */
  readonly challengeScopes?: readonly string[]
  /**
   * Serves the metadata of the first authorization server at this origin too, as it is, for clients that look for it here: those of
   * MCP 2025-03-26 and some editors. `{ url }` where it does not lie at the well-known URLs of its issuer. Default: false.
   */
  readonly forwardAuthorizationServerMetadata?: boolean | ForwardMetadataOptions
  /** Lets URLs be http on a network that you trust. */
  readonly dangerouslyAllowInsecureHttp?: boolean
  /** Clock and outbound HTTP of what is made here, for tests. */
  readonly deps?: Partial<Deps>
}

const OPTIONS = [
  'baseUrl', 'resourceUrl', 'authorizationServers', 'tokenVerifier', 'jwksUri', 'requiredScopes', 'challengeScopes',
  'scopesSupported', 'resourceName', 'resourceDocumentation', 'resourcePolicyUri', 'resourceTosUri',
  'forwardAuthorizationServerMetadata', 'dangerouslyAllowInsecureHttp', 'deps',
] as const // prettier-ignore

/** What a named identity provider says of itself. */
export interface NamedProvider {
  /** For the words of a refusal. */
  readonly name: string
  /** Told when a guard is built. */
  readonly notices: readonly AuthEvent[]
}

const UNNAMED: NamedProvider = { name: 'RemoteAuthProvider', notices: [] }

/**
 * Guards with tokens of authorization servers that you name, and tells clients where to get them.
 *
 * @throws ConfigError where options are missing, unknown or unsafe
 * @example
 * app.use(mcpAuth(new RemoteAuthProvider({
 *   baseUrl: 'https://api.example.com',
 *   authorizationServers: ['https://login.example.com'],
 *   jwksUri: 'https://login.example.com/jwks',
 * })))
 */
export class RemoteAuthProvider implements AuthProvider {
  readonly baseUrl: string
  readonly resourceUrl: string
  readonly authorizationServers: readonly string[]
  readonly requiredScopes: readonly string[]
  readonly challengeScopes: readonly string[]
  readonly resourceDescription: ResourceDescription
  readonly dangerouslyAllowInsecureHttp: boolean
  readonly notices: readonly AuthEvent[]
  readonly routes: readonly Route[]
  /** Present where the verifier takes other credentials as well. */
  readonly authenticate?: (
    request: AuthRequest,
    context?: VerifyContext,
  ) => Verification | Promise<Verification>
  readonly #verifier: Verifier

  /** @param named what the options are those of, where that is a named identity provider over this one */
  constructor(options: RemoteAuthProviderOptions, named: NamedProvider = UNNAMED) {
    const read = new OptionReader(named.name, options, OPTIONS)
    this.dangerouslyAllowInsecureHttp = read.flag('dangerouslyAllowInsecureHttp')
    const { baseUrl, resourceUrl } = readResource(read)
    this.baseUrl = baseUrl
    this.resourceUrl = resourceUrl
    this.authorizationServers = parseIssuers(read)
    this.#verifier = parseVerifier(read, this, options.deps)
    // What the verifier asks for is not given up by asking for something else here.
    this.requiredScopes = [
      ...new Set([...(this.#verifier.requiredScopes ?? []), ...(read.scopes('requiredScopes') ?? [])]),
    ]
    this.challengeScopes = read.scopes('challengeScopes') ?? [
      ...new Set([...challengeScopesOf(this.#verifier), ...(read.scopes('requiredScopes') ?? [])]),
    ]
    this.resourceDescription = {
      scopesSupported: read.scopes('scopesSupported') ?? this.challengeScopes,
      resourceName: read.text('resourceName'),
      resourceDocumentation: read.url('resourceDocumentation'),
      resourcePolicyUri: read.url('resourcePolicyUri'),
      resourceTosUri: read.url('resourceTosUri'),
    }
    this.notices = [
      ...noticesOf(this.#verifier),
      ...compareAudience(this.#verifier, this.resourceUrl),
      ...named.notices,
    ]
    const [issuer] = this.authorizationServers as readonly [string, ...string[]]
    const mirror = parseMirror(read, { issuer, baseUrl, resourceUrl })
    this.routes = mirror === undefined ? [] : mirrorRoutes(mirror, options.deps)
    const verifier: AuthProvider = this.#verifier
    if (verifier.authenticate !== undefined)
      this.authenticate = (request, context) => verifier.authenticate?.(request, context)
  }

  verifyToken(token: string, context?: VerifyContext): Verification | Promise<Verification> {
    return this.#verifier.verifyToken(token, context)
  }

  recall(token: string, context?: VerifyContext): VerifiedToken | undefined {
    return this.#verifier.recall?.(token, context)
  }

  claimsToken(token: string, form: TokenForm): Claim {
    return this.#verifier.claimsToken?.(token, form) ?? 'perhaps'
  }
}

/** A verifier may know that its scopes are asked for by other names. */
function challengeScopesOf({
  requiredScopes = [],
  challengeScopes = requiredScopes,
}: AuthProvider): readonly string[] {
  return challengeScopes
}

function noticesOf({ notices = [] }: AuthProvider): readonly AuthEvent[] {
  return notices
}

const NO_TOKENS: AuthProvider = { verifyToken: () => null }

/** The URL of this app, and of the MCP endpoint under it. */
export function readResource(read: OptionReader): { readonly baseUrl: string; readonly resourceUrl: string } {
  const baseUrl = read.url('baseUrl', true)
  if (baseUrl === undefined)
    throw read.missing('baseUrl', 'write the public URL of this app, e.g. "https://api.example.com"')
  const resourceUrl = read.url('resourceUrl', true) ?? resourceOf({ ...NO_TOKENS, baseUrl })
  checkUnder(read, baseUrl, resourceUrl)
  return { baseUrl, resourceUrl }
}

function checkUnder(read: OptionReader, baseUrl: string, resourceUrl: string): void {
  const basePath = pathOf(baseUrl).replace(/\/$/, '')
  const path = pathOf(resourceUrl)
  const under =
    originOf(baseUrl) === originOf(resourceUrl) && (path === basePath || path.startsWith(`${basePath}/`))
  if (!under)
    throw read.invalid(
      'resourceUrl',
      `under "baseUrl" (${baseUrl}), where this app serves it, not ${resourceUrl}`,
    )
}

function parseIssuers(read: OptionReader): readonly string[] {
  const issuers = read.raw('authorizationServers')
  const advice =
    'name at least one issuer, e.g. ["https://login.example.com"]: clients get their tokens there'
  if (issuers === undefined || (Array.isArray(issuers) && issuers.length === 0))
    throw read.missing('authorizationServers', advice)
  if (!Array.isArray(issuers)) throw read.invalid('authorizationServers', 'a list of issuer URLs')
  const allowInsecureHttp = read.flag('dangerouslyAllowInsecureHttp')
  return issuers.map((issuer) =>
    checkUrl(issuer, { name: read.name('authorizationServers'), allowInsecureHttp, identifier: true }),
  )
}

function parseVerifier(
  read: OptionReader,
  provider: RemoteAuthProvider,
  deps: Partial<Deps> | undefined,
): Verifier {
  const given = read.raw('tokenVerifier')
  const jwksUri = read.url('jwksUri')
  if (given === undefined && jwksUri !== undefined) {
    return new JWTVerifier({
      jwksUri,
      issuer: provider.authorizationServers,
      audience: provider.resourceUrl,
      dangerouslyAllowInsecureHttp: read.flag('dangerouslyAllowInsecureHttp'),
      ...(deps !== undefined && { deps }),
    })
  }
  if (jwksUri !== undefined) {
    throw new ConfigError(
      'ERR_MCP_AUTH_INVALID_OPTION',
      'RemoteAuthProvider takes "tokenVerifier" or "jwksUri", not both',
    )
  }
  if (given !== undefined) return toProvider(given, read.name('tokenVerifier'))
  throw read.missing(
    'tokenVerifier',
    'pass what checks the tokens, e.g. new JWTVerifier({ … }), or "jwksUri" for JWTs',
  )
}

/** A verifier that expects another audience than the metadata names refuses every token that clients obtain by it. */
function compareAudience(verifier: Verifier, resourceUrl: string): AuthEvent[] {
  if (
    !(verifier instanceof JWTVerifier) ||
    verifier.audience.length === 0 ||
    verifier.audience.includes(resourceUrl)
  )
    return []
  const message =
    `clients ask for tokens for ${resourceUrl}, but JWTVerifier expects the audience ${verifier.audience.join(' or ')}. ` +
    'Unless your authorization server maps one to the other, every token will be refused'
  return [{ type: 'hint', code: 'audience_differs_from_resource', message }]
}

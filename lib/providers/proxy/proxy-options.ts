// Options that OAuthProxy, OIDCProxy and every identity provider share, and how they and what is known of an identity provider become an
// authorization server.
import { ConfigError } from '../../protocol/errors.js'
import { OptionReader } from '../../protocol/options.js'
import { pathOf } from '../../protocol/well-known.js'
import {
  AUTHORIZATION_SERVER_OPTIONS,
  type AuthorizationServerOptions,
  type BuiltServer,
  type ServerDefaults,
  buildServer,
  parseDeps,
} from '../authorization-server-options.js'
import { RESERVED } from './authorization-url.js'
import type { ScopeNames, UpstreamAuthMethod, UpstreamDescription } from './description.js'
import { UpstreamClient } from './upstream-client.js'

/** FastMCP's names of options that are called otherwise here; both are taken. */
export interface FastMCPNames {
  /** FastMCP's name of `scopesSupported`. */
  readonly validScopes?: readonly string[]
  /** FastMCP's name of `issuer`. */
  readonly issuerUrl?: string
  /** FastMCP's name of `serviceDocumentation`. */
  readonly serviceDocumentationUrl?: string
  /** FastMCP's name of `store`. */
  readonly clientStorage?: AuthorizationServerOptions['store']
  /** FastMCP's name of `secret`. */
  readonly jwtSigningKey?: string
  /** FastMCP's name of `consent`, where `true` is `'always'`. */
  readonly requireAuthorizationConsent?: boolean | 'remember' | 'external'
  /** FastMCP's name of `clientIdMetadataDocuments`. */
  readonly enableCimd?: boolean
  /** FastMCP's name of `accessTokenSeconds`. */
  readonly fastmcpAccessTokenExpirySeconds?: number
  /** FastMCP's name of `refreshTokenSeconds`. */
  readonly fallbackRefreshTokenExpirySeconds?: number
}

/** What every proxy takes, beside what names its identity provider. */
export interface ProxyOptions extends Omit<AuthorizationServerOptions, 'consent'>, FastMCPNames {
  /**
   * Whether people are asked here before they are sent to the identity provider, which knows this app and not the client: `always`;
   * `remember` asks again only for another client, address or more scopes, in another browser, for another user, and where another site sent the browser;
   * `external` never, because somebody else asks; `false` never for configured clients, and on loopback for any. The browser that began is held
   * to be the one that comes back in every case. Default: `always`.
   */
  readonly consent?: 'always' | 'remember' | 'external' | false
  /** Path under `baseUrl` that the identity provider sends browsers back to: register `baseUrl` with it there. Default: `/auth/callback`. */
  readonly redirectPath?: string
  /** Whether we use PKCE towards the identity provider. Default: true. */
  readonly forwardPkce?: boolean
  /** Whether the identity provider is told which resource tokens are for (RFC 8707). Default: true, unless it is known to refuse that. */
  readonly forwardResource?: boolean
  /** How this app proves itself at the token endpoint. Default: `client_secret_basic`, or `none` without a secret. */
  readonly tokenEndpointAuthMethod?: UpstreamAuthMethod
  /** Sent along where a browser is sent to the identity provider, e.g. `{ prompt: 'login' }`. */
  readonly extraAuthorizeParams?: Readonly<Record<string, string>>
  /** Sent along with every call of its token endpoint. */
  readonly extraTokenParams?: Readonly<Record<string, string>>
  /** Life of an upstream access token where its answer does not say, in seconds. Default: until it is refused. */
  readonly fallbackAccessTokenExpirySeconds?: number
  /** So long before its end an upstream access token is renewed. Default: 30. */
  readonly tokenExpiryThresholdSeconds?: number
  /** For one call of the identity provider, at most 30. Default: 10. */
  readonly timeoutSeconds?: number
}

/** FastMCP's names, and ours. */
const OUR_NAMES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    validScopes: 'scopesSupported',
    issuerUrl: 'issuer',
    serviceDocumentationUrl: 'serviceDocumentation',
    clientStorage: 'store',
    jwtSigningKey: 'secret',
    requireAuthorizationConsent: 'consent',
    enableCimd: 'clientIdMetadataDocuments',
    fastmcpAccessTokenExpirySeconds: 'accessTokenSeconds',
    fallbackRefreshTokenExpirySeconds: 'refreshTokenSeconds',
  } satisfies Record<keyof FastMCPNames, string>),
)

/** Names of all of them, in ours. */
export const PROXY_OPTIONS: readonly string[] = [
  ...AUTHORIZATION_SERVER_OPTIONS,
  'redirectPath', 'forwardPkce', 'forwardResource', 'tokenEndpointAuthMethod', 'extraAuthorizeParams', 'extraTokenParams',
  'fallbackAccessTokenExpirySeconds', 'tokenExpiryThresholdSeconds', 'timeoutSeconds',
] // prettier-ignore

/**
 * Reads the options of a proxy.
 *
 * @param own names beside those that every proxy takes
 */
export function readProxyOptions(owner: string, options: unknown, own: readonly string[]): OptionReader {
  // Theirs are ours by then; whoever misspells one is told the right one none the less.
  return new OptionReader(owner, inOurNames(owner, options), [...PROXY_OPTIONS, ...own, ...OUR_NAMES.keys()])
}

function inOurNames(owner: string, options: unknown): unknown {
  if (typeof options !== 'object' || options === null || Array.isArray(options)) return options
  const ours = new Map<string, unknown>()
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue
    const our = OUR_NAMES.get(name) ?? name
    if (ours.has(our)) {
      const [theirs] = Object.keys(options).filter((each) => OUR_NAMES.get(each) === our)
      const message = `${owner}: "${theirs}" is FastMCP's name of "${our}": write one of them`
      throw new ConfigError('ERR_MCP_AUTH_INVALID_OPTION', message)
    }
    ours.set(our, name === 'requireAuthorizationConsent' && value === true ? 'always' : value)
  }
  return Object.fromEntries(ours)
}

/** What is known of one identity provider; the options of the app decide the rest. */
export interface ProxyFacts
  extends
    Pick<UpstreamDescription, 'name' | 'endpoints' | 'clientId' | 'identification'>,
    Partial<
      Pick<
        UpstreamDescription,
        | 'clientSecret'
        | 'authMethod'
        | 'forwardsResource'
        | 'scopeNames'
        | 'extraScopes'
        | 'authorizeParams'
        | 'tokenParams'
        | 'tokenScopes'
        | 'claims'
        | 'subjectClaim'
        | 'revocation'
        | 'explain'
      >
    >,
    ServerDefaults {}

const SAME_NAMES: ScopeNames = { toUpstream: (scopes) => scopes, fromUpstream: (scopes) => scopes }

/**
 * Builds the authorization server of a proxy.
 *
 * @throws ConfigError
 */
export function buildProxy(read: OptionReader, facts: ProxyFacts): BuiltServer {
  const { clientSecret, scopeNames = SAME_NAMES, extraScopes = [], tokenScopes = 'never' } = facts
  const { authorizeParams, tokenParams, forwardsResource = true } = facts
  const description: UpstreamDescription = {
    name: facts.name,
    endpoints: facts.endpoints,
    clientId: facts.clientId,
    clientSecret,
    authMethod: parseAuthMethod(read, facts),
    callbackPath: parseRedirectPath(read),
    usesPkce: read.flag('forwardPkce', true),
    forwardsResource: read.flag('forwardResource', forwardsResource),
    scopeNames,
    extraScopes,
    authorizeParams: { ...authorizeParams, ...parseParams(read, 'extraAuthorizeParams', RESERVED) },
    tokenParams: { ...tokenParams, ...parseParams(read, 'extraTokenParams', NOTHING) },
    tokenScopes,
    identification: facts.identification,
    claims: facts.claims,
    subjectClaim: facts.subjectClaim,
    revocation: facts.revocation,
    explain: facts.explain,
    fallbackAccessTokenSeconds: read.has('fallbackAccessTokenExpirySeconds')
      ? read.seconds('fallbackAccessTokenExpirySeconds', 0)
      : undefined,
    expiryThresholdSeconds: read.seconds('tokenExpiryThresholdSeconds', 30),
    timeoutSeconds: parseTimeout(read),
    allowInsecureHttp: read.flag('dangerouslyAllowInsecureHttp'),
  }
  const upstream = new UpstreamClient(description, parseDeps(read))
  const built = buildServer(read, { upstream }, facts)
  const { baseUrl, resource } = built.server.settings
  if (pathOf(resource).toLowerCase() === pathOf(baseUrl + upstream.callbackPath).toLowerCase())
    throw read.invalid('redirectPath', `another path than that of the MCP endpoint, ${resource}`)
  return built
}

/** Others wait for whoever renews tokens, but not for ever. */
const LONGEST_TIMEOUT_SECONDS = 30

function parseTimeout(read: OptionReader): number {
  const seconds = read.seconds('timeoutSeconds', 10)
  if (seconds > 0 && seconds <= LONGEST_TIMEOUT_SECONDS) return seconds
  throw read.invalid('timeoutSeconds', `more than 0 and at most ${LONGEST_TIMEOUT_SECONDS} seconds`)
}

/** The ID of this app at its identity provider. @throws ConfigError where it is missing */
export function parseClientId(read: OptionReader, name: string): string {
  const clientId = read.text(name)
  if (clientId !== undefined) return clientId
  throw read.missing(name, 'register this app at your identity provider, and write the client ID that it got')
}

const METHODS: readonly unknown[] = ['client_secret_basic', 'client_secret_post', 'none']

function parseAuthMethod(read: OptionReader, { clientSecret, authMethod }: ProxyFacts): UpstreamAuthMethod {
  const usual = clientSecret === undefined ? 'none' : (authMethod ?? 'client_secret_basic')
  const method = read.raw('tokenEndpointAuthMethod') ?? usual
  if (!METHODS.includes(method)) {
    throw read.invalid('tokenEndpointAuthMethod', 'client_secret_basic, client_secret_post or none')
  }
  if (method !== 'none' && clientSecret === undefined) {
    throw read.invalid('tokenEndpointAuthMethod', 'none where there is no client secret')
  }
  return method as UpstreamAuthMethod
}

/** In any letters: routers differ in whether they tell them apart. */
const TAKEN: ReadonlySet<string> = new Set([
  '/authorize', '/token', '/register', '/revoke', '/introspect', '/sign-in', '/sign-out', '/consent', '/connections',
]) // prettier-ignore

function parseRedirectPath(read: OptionReader): string {
  const stated = read.text('redirectPath') ?? '/auth/callback'
  const path = stated.startsWith('/') ? stated : `/${stated}`
  const isPath = /^(?:\/[\w.~-]+)+$/.test(path) && !path.split('/').some((part) => /^\.+$/.test(part))
  const lower = path.toLowerCase()
  if (isPath && !TAKEN.has(lower) && !lower.startsWith('/.well-known/')) return path
  throw read.invalid('redirectPath', 'a path under "baseUrl" that nothing else is at, e.g. "/auth/callback"')
}

/** At the token endpoint the protocol's own words come last, and win. */
const NOTHING: ReadonlySet<string> = new Set()

function parseParams(
  read: OptionReader,
  name: string,
  decided: ReadonlySet<string>,
): Readonly<Record<string, string>> {
  const params = read.raw(name) ?? {}
  const isTextOnly = (value: object): boolean =>
    Object.values(value).every((text) => typeof text === 'string')
  if (typeof params === 'object' && !Array.isArray(params) && isTextOnly(params)) {
    const reserved = Object.keys(params).find((key) => decided.has(key))
    if (reserved === undefined) return { ...(params as Record<string, string>) }
    throw read.invalid(name, `without "${reserved}", which the protocol decides`)
  }
  throw read.invalid(name, 'an object of parameter names and texts')
}

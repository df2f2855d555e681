// A bridge to an identity provider that knows neither dynamic registration nor client documents: MCP clients register here and get tokens
// of ours, and people sign in there.
import type { OptionReader } from '../protocol/options.js'
import type { Verifier } from '../verifiers/verifier.js'
import { type SdkTokenVerifier, toProvider } from './provider.js'
import type { UpstreamEndpoints } from './proxy/description.js'
import { type ProxyOptions, buildProxy, parseClientId, readProxyOptions } from './proxy/proxy-options.js'
import { ServerProvider } from './server-provider.js'

/** Options of {@link OAuthProxy}. */
export interface OAuthProxyOptions extends ProxyOptions {
  /** Where the identity provider lets people sign in. */
  readonly upstreamAuthorizationEndpoint: string
  readonly upstreamTokenEndpoint: string
  /** Where its tokens are given back (RFC 7009). Default: they are not. */
  readonly upstreamRevocationEndpoint?: string
  /** Its issuer, where it names one in responses (RFC 9207) or ID tokens. Default: not compared. */
  readonly upstreamIssuer?: string
  /** The ID of this app there. */
  readonly upstreamClientId: string
  /** Absent for a public client. */
  readonly upstreamClientSecret?: string
  /** Says whose an upstream access token is. Its `requiredScopes` are needed for every request. */
  readonly tokenVerifier: Verifier | SdkTokenVerifier
}

const OWN = [
  'upstreamAuthorizationEndpoint', 'upstreamTokenEndpoint', 'upstreamRevocationEndpoint', 'upstreamIssuer', 'upstreamClientId',
  'upstreamClientSecret', 'tokenVerifier',
] // prettier-ignore

/**
 * Lets people sign in at an OAuth 2.0 identity provider where this app is registered once. MCP clients register with us, are agreed to
 * by the user before the browser leaves, and get tokens of ours; those of the identity provider stay here, encrypted.
 *
 * @throws ConfigError where options are missing, unknown or unsafe
 * @example
 * app.use(mcpAuth(new OAuthProxy({
 *   upstreamAuthorizationEndpoint: 'https://idp.example.com/authorize',
 *   upstreamTokenEndpoint: 'https://idp.example.com/token',
 *   upstreamClientId: config.clientId,
 *   upstreamClientSecret: config.clientSecret,
 *   tokenVerifier: new JWTVerifier({ jwksUri: 'https://idp.example.com/jwks', issuer: 'https://idp.example.com', audience: config.clientId }),
 *   baseUrl: 'https://api.example.com',
 *   secret: config.authSecret,
 * })))
 */
export class OAuthProxy extends ServerProvider {
  constructor(options: OAuthProxyOptions) {
    const read = readProxyOptions('OAuthProxy', options, OWN)
    const verifier = parseTokenVerifier(read)
    const built = buildProxy(read, {
      name: new URL(endpoint(read, 'upstreamAuthorizationEndpoint')).host,
      endpoints: parseEndpoints(read),
      clientId: parseClientId(read, 'upstreamClientId'),
      clientSecret: read.text('upstreamClientSecret'),
      identification: { by: 'access_token', verifier },
      alsoRequired: verifier.requiredScopes,
    })
    super(read, built)
  }
}

function parseEndpoints(read: OptionReader): UpstreamEndpoints {
  return {
    issuer: read.url('upstreamIssuer', true),
    authorizationEndpoint: endpoint(read, 'upstreamAuthorizationEndpoint'),
    tokenEndpoint: endpoint(read, 'upstreamTokenEndpoint'),
    revocationEndpoint: read.url('upstreamRevocationEndpoint'),
  }
}

function endpoint(read: OptionReader, name: string): string {
  const url = read.url(name)
  if (url !== undefined) return url
  throw read.missing(name, "write the URL from your identity provider's documentation")
}

function parseTokenVerifier(read: OptionReader): Verifier {
  const given = read.raw('tokenVerifier')
  if (given !== undefined) return toProvider(given, read.name('tokenVerifier'))
  const advice =
    'pass what checks upstream access tokens, e.g. new JWTVerifier({ … }) or new IntrospectionTokenVerifier({ … })'
  throw read.missing('tokenVerifier', advice)
}

// The same bridge to an identity provider that describes itself (OpenID Connect Discovery).
import { ASYMMETRIC_ALGORITHMS } from '../protocol/jwk.js'
import { type OptionReader, unknownName } from '../protocol/options.js'
import type { Deps } from '../runtime/deps.js'
import { JWTVerifier, type JWTVerifierOptions } from '../verifiers/jwt.js'
import type { Verifier } from '../verifiers/verifier.js'
import { parseDeps } from './authorization-server-options.js'
import { type SdkTokenVerifier, toProvider } from './provider.js'
import type { UpstreamEndpoints, UpstreamIdentification } from './proxy/description.js'
import { type ProxyOptions, buildProxy, parseClientId, readProxyOptions } from './proxy/proxy-options.js'
import { ServerProvider } from './server-provider.js'

/** Options of {@link OIDCProxy}. */
export interface OIDCProxyOptions extends ProxyOptions {
  /** The identity provider's document, which ends in `/.well-known/openid-configuration`. It is fetched when it is needed first. */
  readonly configUrl: string
  /** Refuses a document that lacks what the specification demands. Default: true. */
  readonly strict?: boolean
  /** The ID of this app there. */
  readonly clientId: string
  /** Absent for a public client. */
  readonly clientSecret?: string
  /** Asked for, and expected in, upstream access tokens, where the identity provider issues them by audience. Default: any. */
  readonly audience?: string
  /** Says whose an upstream access token is. Default: a JWT verifier with the published keys. */
  readonly tokenVerifier?: Verifier | SdkTokenVerifier
  /** Accepted `alg` of access tokens. Default: every asymmetric one. */
  readonly algorithm?: string
  /** Goes by the ID token, where access tokens are opaque. Default: false. */
  readonly verifyIdToken?: boolean
}

const OWN = [
  'configUrl', 'strict', 'clientId', 'clientSecret', 'audience', 'tokenVerifier', 'algorithm', 'verifyIdToken',
] // prettier-ignore

/**
 * Lets people sign in at an OpenID Connect identity provider where this app is registered once.
 *
 * @throws ConfigError where options are missing, unknown or unsafe
 * @example
 * app.use(mcpAuth(new OIDCProxy({
 *   configUrl: 'https://login.example.com/.well-known/openid-configuration',
 *   clientId: config.clientId,
 *   clientSecret: config.clientSecret,
 *   baseUrl: 'https://api.example.com',
 *   secret: config.authSecret,
 * })))
 */
export class OIDCProxy extends ServerProvider {
  constructor(options: OIDCProxyOptions) {
    const read = readProxyOptions('OIDCProxy', options, OWN)
    const configUrl = parseConfigUrl(read)
    const audience = read.text('audience')
    const verifier = parseTokenVerifier(read)
    const params = audience === undefined ? {} : { audience }
    const built = buildProxy(read, {
      name: new URL(configUrl).host,
      endpoints: { configUrl, strict: read.flag('strict', true) },
      clientId: parseClientId(read, 'clientId'),
      clientSecret: read.text('clientSecret'),
      identification: parseIdentification(read, verifier, audience),
      authorizeParams: params,
      tokenParams: params,
      // Without it there is no ID token, and often no user either.
      requiredScopes: ['openid'],
      alsoRequired: verifier?.requiredScopes,
    })
    super(read, built)
  }
}

function parseConfigUrl(read: OptionReader): string {
  const url = read.url('configUrl')
  if (url !== undefined) return url
  throw read.missing('configUrl', 'write the URL that ends in "/.well-known/openid-configuration"')
}

function parseTokenVerifier(read: OptionReader): Verifier | undefined {
  const given = read.raw('tokenVerifier')
  return given === undefined ? undefined : toProvider(given, read.name('tokenVerifier'))
}

/** One of three ways: a verifier of the app's own, the ID token, or access tokens that are JWTs. */
function parseIdentification(
  read: OptionReader,
  verifier: Verifier | undefined,
  audience: string | undefined,
): UpstreamIdentification {
  const ways = [
    verifier !== undefined && 'tokenVerifier',
    read.flag('verifyIdToken') && 'verifyIdToken',
    read.has('algorithm') && 'algorithm',
  ].filter((way) => way !== false)
  const [way, other] = ways
  if (other !== undefined) throw read.invalid(other, `left out beside "${way}", which decides by itself`)
  if (verifier !== undefined) return { by: 'access_token', verifier }
  if (way === 'verifyIdToken') return { by: 'id_token' }
  return jwtIdentification({ audience, algorithms: parseAlgorithm(read) }, parseDeps(read))
}

function parseAlgorithm(read: OptionReader): readonly string[] | undefined {
  const algorithm = read.text('algorithm')
  if (algorithm === undefined) return undefined
  const known: readonly string[] = ASYMMETRIC_ALGORITHMS
  if (known.includes(algorithm)) return [algorithm]
  throw unknownName(`${read.name('algorithm')} has no ${JSON.stringify(algorithm)}`, algorithm, known)
}

/** How access tokens that are JWTs are judged: by the keys that the identity provider publishes. */
export function jwtIdentification(
  { audience, algorithms, otherIssuers = [], requiredClaims }: JwtFacts,
  deps: Deps,
): UpstreamIdentification {
  const verifierOf = ({ jwksUri, issuer }: UpstreamEndpoints): Verifier => {
    const issuers = issuer === undefined ? otherIssuers : [issuer, ...otherIssuers]
    if (jwksUri === undefined || issuers.length === 0) throw new Error(NOT_TOLD)
    const options: JWTVerifierOptions = {
      jwksUri,
      issuer: issuers,
      // They come from its token endpoint, in exchange for our code: nobody else can slip one in.
      ...(audience === undefined ? { dangerouslyAllowAnyAudience: true } : { audience }),
      ...(algorithms !== undefined && { algorithms }),
      ...(requiredClaims !== undefined && { requiredClaims }),
      // It was judged where it was configured or discovered.
      dangerouslyAllowInsecureHttp: true,
      deps,
    }
    // For the same reason, and one that is new was published a moment ago.
    return new JWTVerifier(options, { cooldownSeconds: 0 })
  }
  return { by: 'access_token', verifier: verifierOf }
}

const NOT_TOLD =
  'the document has no "jwks_uri" or no "issuer", by which access tokens could be judged: pass "tokenVerifier"'

/** What is known of an identity provider's JWTs. */
export interface JwtFacts {
  readonly audience?: string | readonly string[] | undefined
  readonly algorithms?: readonly string[] | undefined
  /** Accepted `iss` beside that of the identity provider, where it names itself otherwise in tokens, or not at all elsewhere. */
  readonly otherIssuers?: readonly string[] | undefined
  /** What else they have to say, e.g. that they were issued to this app. */
  readonly requiredClaims?: JWTVerifierOptions['requiredClaims'] | undefined
}

// An identity provider that MCP clients sign in to themselves, as data: where it is, whose tokens are good, what it calls us.
import { OptionReader } from '../../protocol/options.js'
import type { Deps } from '../../runtime/deps.js'
import type { AuthEvent } from '../../runtime/events.js'
import {
  IntrospectionTokenVerifier,
  type IntrospectionTokenVerifierOptions,
} from '../../verifiers/introspection.js'
import { JWTVerifier } from '../../verifiers/jwt.js'
import type { Verifier } from '../../verifiers/verifier.js'
import type { ForwardMetadataOptions } from '../mirror.js'
import { type OwnOption, type TextForm, readOwnOptions, textFormOf } from '../own-options.js'
import { RemoteAuthProvider, type RemoteAuthProviderOptions, readResource } from '../remote.js'

/** Options of every identity provider that clients sign in to themselves. */
export type RemoteIdpOptions = Omit<RemoteAuthProviderOptions, 'authorizationServers' | 'jwksUri'>

/** How each option is read from text, e.g. from an environment variable. */
export type EnvOptions = Readonly<Record<string, TextForm>>

/** Tokens that are verified by the published keys. */
export interface JwtTokens {
  readonly jwksUri: string
  /** Default: every asymmetric one. */
  readonly algorithms?: readonly string[]
}

/** Tokens that are asked about. */
export type IntrospectedTokens = Pick<
  IntrospectionTokenVerifierOptions,
  'introspectionUrl' | 'clientId' | 'clientSecret' | 'timeoutSeconds' | 'cacheTtlSeconds' | 'cache'
>

/** What one identity provider comes down to, given its options. */
export interface RemoteIdp {
  /** As its metadata calls it, byte for byte: clients go there. */
  readonly issuer: string
  /** Accepted `iss`. Default: `issuer`. */
  readonly tokenIssuers?: readonly string[] | undefined
  /** Accepted `aud`, byte for byte. */
  readonly audience: string | readonly string[]
  readonly tokens: JwtTokens | IntrospectedTokens
  /** Where its metadata is, if not at the well-known URLs of the issuer. */
  readonly metadataUrl?: string | undefined
  readonly notices?: readonly AuthEvent[]
}

/** One identity provider. */
export interface RemoteProviderSpec<Options extends RemoteIdpOptions> {
  /** Of the class, e.g. `KeycloakAuthProvider`. */
  readonly name: string
  /** Its own options; those of every provider come with them. */
  readonly options: Readonly<Record<Exclude<keyof Options, keyof RemoteIdpOptions>, OwnOption>>
  /** Default: none. */
  readonly requiredScopes?: readonly string[]
  /** Whether its metadata is mirrored unless told otherwise. Default: false. */
  readonly forwardsMetadata?: boolean
  /** @throws ConfigError where options do not fit each other; `read` words it */
  describe(options: Options & { readonly resourceUrl: string }, read: OptionReader): RemoteIdp
}

/** The class of one identity provider. */
export interface RemoteProviderClass<Options extends RemoteIdpOptions> {
  /** @throws ConfigError where options are missing, unknown or unsafe */
  new (options: Options): RemoteAuthProvider
  readonly envOptions: EnvOptions
}

const SHARED_FROM_TEXT = {
  baseUrl: 'text', resourceUrl: 'text', requiredScopes: 'list', challengeScopes: 'list', scopesSupported: 'list',
  resourceName: 'text', resourceDocumentation: 'text', resourcePolicyUri: 'text', resourceTosUri: 'text',
  forwardAuthorizationServerMetadata: 'flag', dangerouslyAllowInsecureHttp: 'flag',
} as const satisfies EnvOptions // prettier-ignore

/** Makes the class of one identity provider. */
export function defineRemoteProvider<Options extends RemoteIdpOptions>(
  spec: RemoteProviderSpec<Options>,
): RemoteProviderClass<Options> {
  const own = Object.entries<OwnOption>(spec.options)
  class NamedRemoteProvider extends RemoteAuthProvider {
    static readonly envOptions: EnvOptions = {
      ...Object.fromEntries(own.map(([name, option]) => [name, textFormOf(option)])),
      ...SHARED_FROM_TEXT,
    }

    constructor(options: Options) {
      const known = [...Object.keys(NamedRemoteProvider.envOptions), 'tokenVerifier', 'deps']
      const read = new OptionReader(spec.name, options, known)
      const { resourceUrl } = readResource(read)
      const stated = readOwnOptions(read, spec.options)
      const idp = spec.describe({ ...options, ...stated, resourceUrl }, read)
      const shared = Object.entries(options).filter(([name]) => !Object.hasOwn(spec.options, name))
      super(
        {
          ...(Object.fromEntries(shared) as unknown as RemoteIdpOptions),
          authorizationServers: [idp.issuer],
          tokenVerifier: options.tokenVerifier ?? createVerifier(idp, read, options.deps),
          requiredScopes: options.requiredScopes ?? spec.requiredScopes ?? [],
          forwardAuthorizationServerMetadata: mirrorOf(options, idp, spec.forwardsMetadata),
        },
        { name: spec.name, notices: idp.notices ?? [] },
      )
    }
  }
  // For whoever passes the class where an instance is wanted, and is told so by its name.
  Object.defineProperty(NamedRemoteProvider, 'name', { value: spec.name })
  return NamedRemoteProvider
}

function createVerifier(idp: RemoteIdp, read: OptionReader, deps: Partial<Deps> | undefined): Verifier {
  const { tokens, audience, issuer, tokenIssuers = [issuer] } = idp
  const dangerouslyAllowInsecureHttp = read.flag('dangerouslyAllowInsecureHttp')
  const shared = { audience, dangerouslyAllowInsecureHttp, ...(deps !== undefined && { deps }) }
  if ('introspectionUrl' in tokens) return new IntrospectionTokenVerifier({ ...tokens, ...shared })
  return new JWTVerifier({ ...tokens, ...shared, issuer: tokenIssuers })
}

function mirrorOf(
  { forwardAuthorizationServerMetadata: asked }: RemoteIdpOptions,
  { metadataUrl }: RemoteIdp,
  fallback = false,
): boolean | ForwardMetadataOptions {
  const forwards = asked ?? fallback
  return forwards === true && metadataUrl !== undefined ? { url: metadataUrl } : forwards
}

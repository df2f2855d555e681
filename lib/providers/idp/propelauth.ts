// PropelAuth as the authorization server: its tokens are opaque, and asked about (RFC 7662).
import {
  type IntrospectedTokens,
  type RemoteIdpOptions,
  type RemoteProviderClass,
  defineRemoteProvider,
} from './remote-idp.js'

/** Options of {@link PropelAuthProvider}. */
export interface PropelAuthOptions extends RemoteIdpOptions {
  /** The auth URL of the environment, e.g. `https://auth.example.com`. */
  readonly authUrl: string
  /** Of the introspection credentials in the dashboard, under MCP. */
  readonly introspectionClientId: string
  readonly introspectionClientSecret: string
  /** Accepted `aud`. Default: the URL of the MCP endpoint. */
  readonly resource?: string | readonly string[]
  /** How tokens are asked about: for how long, how often, how many are remembered. */
  readonly tokenIntrospectionOverrides?: Pick<
    IntrospectedTokens,
    'timeoutSeconds' | 'cacheTtlSeconds' | 'cache'
  >
}

const CREDENTIALS = 'the dashboard makes one under MCP, Request Validation'

/**
 * Guards with tokens of PropelAuth.
 *
 * @example new PropelAuthProvider({ authUrl: 'https://auth.example.com', introspectionClientId: 'id', introspectionClientSecret: 'secret', baseUrl: 'https://api.example.com' })
 */
export const PropelAuthProvider: RemoteProviderClass<PropelAuthOptions> =
  defineRemoteProvider<PropelAuthOptions>({
    name: 'PropelAuthProvider',
    options: {
      authUrl: {
        kind: 'base',
        required: 'the auth URL of your environment, e.g. "https://auth.example.com"',
      },
      introspectionClientId: { kind: 'text', required: CREDENTIALS },
      introspectionClientSecret: { kind: 'text', required: CREDENTIALS },
      resource: 'texts',
      tokenIntrospectionOverrides: { kind: 'object', holds: ['timeoutSeconds', 'cacheTtlSeconds', 'cache'] },
    },
    // `resource` is mandatory for its clients, so each token has an audience: https://docs.propelauth.com/reference/api/mcp
    describe: ({ authUrl, resourceUrl, resource = resourceUrl, ...options }) => ({
      issuer: `${authUrl}/oauth/2.1`,
      audience: resource,
      tokens: {
        ...options.tokenIntrospectionOverrides,
        introspectionUrl: `${authUrl}/oauth/2.1/introspect`,
        clientId: options.introspectionClientId,
        clientSecret: options.introspectionClientSecret,
      },
    }),
  })

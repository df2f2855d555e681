// Auth0 as the authorization server ("Auth for MCP"): clients register themselves there; tokens are for an API of the tenant.
import { type RemoteIdpOptions, type RemoteProviderClass, defineRemoteProvider } from './remote-idp.js'

/** Options of {@link Auth0MCPProvider}. */
export interface Auth0MCPOptions extends RemoteIdpOptions {
  /** The tenant's `https://notes.eu.auth0.com/.well-known/openid-configuration`, or that of its custom domain. */
  readonly configUrl: string
  /** Accepted `aud`. Default: the URL of the MCP endpoint, which has to be the identifier of an API in the tenant. */
  readonly audience?: string | readonly string[]
}

/**
 * Guards with tokens of an Auth0 tenant. What a role grants (`permissions`) counts as scopes.
 *
 * @example new Auth0MCPProvider({ configUrl: 'https://notes.eu.auth0.com/.well-known/openid-configuration', baseUrl: 'https://api.example.com' })
 */
export const Auth0MCPProvider: RemoteProviderClass<Auth0MCPOptions> = defineRemoteProvider<Auth0MCPOptions>({
  name: 'Auth0MCPProvider',
  options: {
    configUrl: {
      kind: 'base',
      required: 'e.g. "https://notes.eu.auth0.com/.well-known/openid-configuration"',
    },
    audience: 'texts',
  },
  forwardsMetadata: true,
  describe({ configUrl, resourceUrl, audience = resourceUrl }) {
    // Its issuer ends with a slash: https://auth0.com/docs/secure/tokens/access-tokens/validate-access-tokens
    const issuer = `${configUrl.replace(/\/\.well-known\/[\w-]+$/, '')}/`
    return { issuer, audience, tokens: { jwksUri: `${issuer}.well-known/jwks.json` } }
  },
})

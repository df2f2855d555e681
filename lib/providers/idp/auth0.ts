// Auth0. Register `{baseUrl}/auth/callback` under Applications > Regular Web Application, and this server under APIs.
import { jwtIdentification } from '../oidc-proxy.js'
import type { ServerProvider } from '../server-provider.js'
import { type IdentityProviderClass, defineIdentityProvider } from './idp.js'

export { Auth0MCPProvider, type Auth0MCPOptions } from './auth0-mcp.js'

/** Options of {@link Auth0Provider}. */
export interface Auth0Options {
  /** Domain of the tenant, e.g. `notes.eu.auth0.com`, or its custom domain. `configUrl` serves as well. */
  readonly domain?: string
  /** The tenant's document, e.g. `https://notes.eu.auth0.com/.well-known/openid-configuration`. */
  readonly configUrl?: string
  /** Identifier of the API that tokens are for. Without it Auth0 issues opaque tokens, or encrypted ones, that say nothing to anybody. */
  readonly audience: string
}

/** Lets people sign in at Auth0. Permissions that their roles grant count as scopes. */
export const Auth0Provider: IdentityProviderClass<Auth0Options> = defineIdentityProvider<Auth0Options>({
  className: 'Auth0Provider',
  title: 'Auth0',
  secret: 'optional',
  options: {
    domain: 'base',
    configUrl: 'url',
    audience: { kind: 'text', required: 'name an API of the tenant: else tokens are opaque or encrypted' },
  },
  facts({ domain, configUrl, audience }, { deps }, read) {
    if (domain === undefined && configUrl === undefined)
      throw read.missing('domain', 'write the domain of your tenant, e.g. "notes.eu.auth0.com"')
    return {
      endpoints: { configUrl: configUrl ?? `${domain}/.well-known/openid-configuration`, strict: true },
      identification: jwtIdentification({ audience }, deps),
      requiredScopes: ['openid'],
      // https://auth0.com/docs/get-started/apis/api-settings: given where the API allows offline access, and else passed over.
      extraScopes: ['offline_access'],
      authorizeParams: { audience },
      // It has a parameter of its own for that: https://auth0.com/ai/docs/mcp/guides/resource-param-compatibility-profile
      forwardsResource: false,
    }
  },
})
export type Auth0Provider = ServerProvider

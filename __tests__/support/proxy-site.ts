// A guarded app in front of a real identity provider: what MCP clients meet, and what stands behind it.
import { type AuthProvider, type McpAuthOptions, OIDCProxy, type OIDCProxyOptions } from 'express-mcp-auth'
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import { type ClientRequests, SECRET, clientsOf, reservePort } from './authorization-server.js'
import {
  type IdentityProviderOptions,
  type TestIdentityProvider,
  startIdentityProvider,
} from './identity-provider.js'
import { type Site, startSite } from './site.js'

/** A running proxy. */
export interface ProxySite extends Site, ClientRequests {
  readonly provider: AuthProvider & { close(): Promise<void>; revokeUser(subject: string): Promise<void> }
  readonly idp: TestIdentityProvider
  readonly store: NonNullable<OIDCProxyOptions['store']>
  readonly baseUrl: string
  /** The URL that is registered at the identity provider. */
  readonly callbackUrl: string
}

export interface ProxySiteOptions {
  /** Makes the provider. Default: an `OIDCProxy` with `proxy` over its options. */
  readonly provider?: (common: OIDCProxyOptions, idp: TestIdentityProvider) => ProxySite['provider']
  readonly proxy?: Partial<OIDCProxyOptions>
  readonly idp?: Partial<IdentityProviderOptions>
  readonly guard?: McpAuthOptions
  readonly extend?: Parameters<typeof startSite>[2]
}

/** Starts both. `close` closes both. */
export async function startProxySite(options: ProxySiteOptions = {}): Promise<ProxySite> {
  const { proxy = {}, guard, extend } = options
  const port = await reservePort()
  const baseUrl = `http://127.0.0.1:${port}`
  const callbackUrl = `${baseUrl}${proxy.redirectPath ?? '/auth/callback'}`
  const idp = await startIdentityProvider({ redirectUri: callbackUrl, ...options.idp })
  const store = proxy.store ?? new MemoryStore()
  const common: OIDCProxyOptions = {
    configUrl: idp.configUrl,
    clientId: idp.clientId,
    clientSecret: idp.clientSecret,
    verifyIdToken: true,
    baseUrl,
    secret: SECRET,
    ...proxy,
    store,
  }
  const provider = options.provider?.(common, idp) ?? new OIDCProxy(common)
  const site = await startSite(provider, { rateLimit: false, ...guard }, extend, port)
  return {
    ...site,
    ...clientsOf(site.url, baseUrl),
    provider,
    idp,
    store,
    baseUrl,
    callbackUrl,
    close: async () => {
      await site.close()
      await idp.close()
    },
  }
}

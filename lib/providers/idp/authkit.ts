// WorkOS AuthKit as the authorization server: clients register themselves there, and tokens name the MCP endpoint (RFC 8707).
import { type RemoteIdpOptions, type RemoteProviderClass, defineRemoteProvider } from './remote-idp.js'

/** Options of {@link AuthKitProvider}. */
export interface AuthKitOptions extends RemoteIdpOptions {
  /** The AuthKit domain, e.g. `https://notes.authkit.app`. */
  readonly authkitDomain: string
  /** Accepted `aud`. Default: the URL of the MCP endpoint, which has to be a resource indicator in the WorkOS dashboard. */
  readonly audience?: string | readonly string[]
}

/**
 * Guards with tokens of AuthKit.
 *
 * @example new AuthKitProvider({ authkitDomain: 'https://notes.authkit.app', baseUrl: 'https://api.example.com' })
 */
export const AuthKitProvider: RemoteProviderClass<AuthKitOptions> = defineRemoteProvider<AuthKitOptions>({
  name: 'AuthKitProvider',
  options: {
    authkitDomain: { kind: 'base', required: 'your AuthKit domain, e.g. "https://notes.authkit.app"' },
    audience: 'texts',
  },
  // Older clients look at the MCP server's origin: https://workos.com/docs/authkit/mcp
  forwardsMetadata: true,
  describe: ({ authkitDomain, resourceUrl, audience = resourceUrl }) => ({
    issuer: authkitDomain,
    audience,
    tokens: { jwksUri: `${authkitDomain}/oauth2/jwks` },
  }),
})

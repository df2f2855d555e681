// Scalekit: an MCP server that is registered in an environment has an authorization server of its own there.
import { type RemoteIdpOptions, type RemoteProviderClass, defineRemoteProvider } from './remote-idp.js'

/** Options of {@link ScalekitProvider}. */
export interface ScalekitOptions extends RemoteIdpOptions {
  /** The environment, e.g. `https://notes.scalekit.com`. */
  readonly environmentUrl: string
  /** ID of the MCP server in the dashboard, e.g. `res_123`. */
  readonly resourceId: string
  /** Accepted `aud`. Default: the resource ID, which Scalekit writes into every token, and the URL of the MCP endpoint. */
  readonly audience?: string | readonly string[]
}

/**
 * Guards with tokens of Scalekit.
 *
 * @example new ScalekitProvider({ environmentUrl: 'https://notes.scalekit.com', resourceId: 'res_123', baseUrl: 'https://api.example.com' })
 */
export const ScalekitProvider: RemoteProviderClass<ScalekitOptions> = defineRemoteProvider<ScalekitOptions>({
  name: 'ScalekitProvider',
  options: {
    environmentUrl: { kind: 'base', required: 'your environment, e.g. "https://notes.scalekit.com"' },
    resourceId: {
      kind: 'text',
      required: 'the ID of your MCP server in the Scalekit dashboard, e.g. "res_123"',
    },
    audience: 'texts',
  },
  describe({ environmentUrl, resourceId, resourceUrl, audience = [resourceId, resourceUrl] }) {
    const issuer = `${environmentUrl}/resources/${resourceId}`
    return {
      issuer,
      // Tokens name either, while Scalekit moves from one to the other: https://docs.scalekit.com/authenticate/mcp/quickstart/
      tokenIssuers: [environmentUrl, issuer],
      audience,
      tokens: { jwksUri: `${environmentUrl}/keys` },
    }
  },
})

// Descope: a project, or one MCP server in it, is the authorization server.
import { type RemoteIdpOptions, type RemoteProviderClass, defineRemoteProvider } from './remote-idp.js'

/** Options of {@link DescopeProvider}: `configUrl`, or `projectId`. */
export interface DescopeOptions extends RemoteIdpOptions {
  /**
   * The well-known URL that the console shows: of a project, `…/v1/apps/P…/.well-known/openid-configuration`, or of one MCP server,
   * `…/v1/apps/agentic/P…/M…/.well-known/openid-configuration`.
   */
  readonly configUrl?: string
  /** ID of the project, instead of `configUrl`. */
  readonly projectId?: string
  /** Beside `projectId`. Default: `https://api.descope.com`. */
  readonly descopeBaseUrl?: string
  /** Accepted `aud`. Default: the ID of the project, which Descope writes into every token, and the URL of the MCP endpoint. */
  readonly audience?: string | readonly string[]
  /** Accepted `iss`. Default: the issuer of `configUrl`, and that of the project. */
  readonly issuer?: string | readonly string[]
}

const URL_SHAPE =
  /^(?<base>[^:]+:\/\/[^/]+)\/v1\/apps\/(?:agentic\/(?<owner>[^/]+)\/[^/]+|(?<project>(?!agentic\/)[^/]+))$/

/**
 * Guards with tokens of a Descope project.
 *
 * @example new DescopeProvider({ configUrl: 'https://api.descope.com/v1/apps/P2abc/.well-known/openid-configuration', baseUrl: 'https://api.example.com' })
 */
export const DescopeProvider: RemoteProviderClass<DescopeOptions> = defineRemoteProvider<DescopeOptions>({
  name: 'DescopeProvider',
  options: {
    configUrl: 'base',
    projectId: 'text',
    descopeBaseUrl: 'base',
    audience: 'texts',
    issuer: 'texts',
  },
  describe(options, read) {
    const { configUrl, projectId, descopeBaseUrl = 'https://api.descope.com', resourceUrl } = options
    if (configUrl === undefined && projectId === undefined)
      throw read.missing('configUrl', 'the well-known URL that the Descope console shows, or "projectId"')
    const issuer =
      configUrl?.replace(/\/\.well-known\/[\w-]+$/, '') ?? `${descopeBaseUrl}/v1/apps/${projectId}`
    const { base, project, owner = project } = URL_SHAPE.exec(issuer)?.groups ?? {}
    if (owner === undefined)
      throw read.invalid(
        configUrl === undefined ? 'projectId' : 'configUrl',
        'as the Descope console shows it',
      )
    return {
      issuer,
      // How a token was made decides which of the two: https://docs.descope.com/agentic-identity-hub/core-components/mcp-servers
      tokenIssuers: [options.issuer ?? [...new Set([issuer, `${base}/v1/apps/${owner}`])]].flat(),
      audience: options.audience ?? [owner, resourceUrl],
      tokens: { jwksUri: `${base}/${owner}/.well-known/jwks.json` },
      metadataUrl: `${issuer}/.well-known/openid-configuration`,
    }
  },
})

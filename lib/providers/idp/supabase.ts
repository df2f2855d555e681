// Supabase Auth as the authorization server of a project: its people are those of the app, and its tokens are not bound to a resource.
import { type RemoteIdpOptions, type RemoteProviderClass, defineRemoteProvider } from './remote-idp.js'

/** Options of {@link SupabaseProvider}. */
export interface SupabaseOptions extends RemoteIdpOptions {
  /** The project, e.g. `https://abc123.supabase.co`. */
  readonly projectUrl: string
  /** Path of Auth in the project, for those who host it themselves. Default: `/auth/v1`. */
  readonly authRoute?: string
  /** The signing algorithm of the project, `ES256` or `RS256`. Default: `ES256`. */
  readonly algorithm?: string
  /** Accepted `aud`. Default: `authenticated`, which is in every token of the project, and the URL of the MCP endpoint. */
  readonly audience?: string | readonly string[]
}

const NOT_BOUND = {
  type: 'hint',
  code: 'audience_unchecked',
  message:
    'SupabaseProvider accepts every access token of the project, also those of its other apps: Supabase writes "authenticated" as ' +
    'audience and knows no resource indicators (RFC 8707). Let a custom access token hook write the URL of your MCP endpoint, and ' +
    'set "audience" to it',
} as const

/**
 * Guards with tokens of a Supabase project.
 *
 * @example new SupabaseProvider({ projectUrl: 'https://abc123.supabase.co', baseUrl: 'https://api.example.com' })
 */
export const SupabaseProvider: RemoteProviderClass<SupabaseOptions> = defineRemoteProvider<SupabaseOptions>({
  name: 'SupabaseProvider',
  options: {
    projectUrl: { kind: 'base', required: 'your project, e.g. "https://abc123.supabase.co"' },
    authRoute: 'text',
    algorithm: 'text',
    audience: 'texts',
  },
  describe({ projectUrl, authRoute = '/auth/v1', algorithm = 'ES256', audience, resourceUrl }) {
    const issuer = `${projectUrl}/${authRoute.replace(/^\/+|\/+$/g, '')}`
    return {
      issuer,
      // https://supabase.com/docs/guides/auth/oauth-server/token-security
      audience: audience ?? ['authenticated', resourceUrl],
      tokens: { jwksUri: `${issuer}/.well-known/jwks.json`, algorithms: [algorithm] },
      notices: audience === undefined ? [NOT_BOUND] : [],
    }
  },
})

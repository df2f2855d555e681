// Keycloak: a realm is the authorization server; clients register themselves there, or by a document (26.6 and later).
import { type RemoteIdpOptions, type RemoteProviderClass, defineRemoteProvider } from './remote-idp.js'

/** Options of {@link KeycloakAuthProvider}. */
export interface KeycloakOptions extends RemoteIdpOptions {
  /** URL of the realm, e.g. `https://sso.example.com/realms/notes`; it is the `iss` of its tokens. */
  readonly realmUrl: string
  /**
   * Accepted `aud`. Default: the URL of the MCP endpoint. Keycloak writes none by itself: add a mapper of the type Audience, with
   * this text as custom audience, to a default client scope of the realm.
   */
  readonly audience?: string | readonly string[]
}

/**
 * Guards with tokens of a Keycloak realm.
 *
 * @example new KeycloakAuthProvider({ realmUrl: 'https://sso.example.com/realms/notes', baseUrl: 'https://api.example.com' })
 */
export const KeycloakAuthProvider: RemoteProviderClass<KeycloakOptions> =
  defineRemoteProvider<KeycloakOptions>({
    name: 'KeycloakAuthProvider',
    options: {
      realmUrl: {
        kind: 'base',
        required: 'the URL of your realm, e.g. "https://sso.example.com/realms/notes"',
      },
      audience: 'texts',
    },
    requiredScopes: ['openid'],
    describe: ({ realmUrl, resourceUrl, audience = resourceUrl }) => ({
      issuer: realmUrl,
      // A token without a mapper names nobody: https://www.keycloak.org/docs/latest/server_admin/#audience-support
      audience,
      tokens: { jwksUri: `${realmUrl}/protocol/openid-connect/certs` },
      metadataUrl: `${realmUrl}/.well-known/openid-configuration`,
    }),
  })

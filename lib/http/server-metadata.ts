// GET /.well-known/oauth-authorization-server (RFC 8414 3) and its OpenID Connect alias: 200 with what this server can do.
import { ASSERTION_ALGORITHMS } from '../authorization-server/client-assertion.js'
import type { AuthorizationServer } from '../authorization-server/server.js'
import { authorizationServerPaths } from '../protocol/well-known.js'
import type { Route } from '../runtime/route.js'
import { json } from './respond.js'
import { GRANT_TYPES } from './token.js'

export function serverMetadataRoutes(server: AuthorizationServer): Route[] {
  const { oauth, openid } = authorizationServerPaths(server.settings.issuer)
  const document = buildServerMetadata(server)
  // OpenID Connect Discovery 3 requires these two. There are no ID tokens here.
  const alias = {
    ...document,
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256'],
  }
  const route = (path: string, body: object): Route => {
    const answer = json(200, body, { 'Cache-Control': 'public, max-age=3600' })
    return { path, methods: ['GET'], handle: () => answer }
  }
  return [...oauth.map((path) => route(path, document)), ...openid.map((path) => route(path, alias))]
}

/** The document, RFC 8414 2. Only what really works is named. */
function buildServerMetadata(server: AuthorizationServer): Readonly<Record<string, unknown>> {
  const { settings, clients } = server
  const { issuer, baseUrl, registration, documents, scopesSupported, resource, serviceDocumentation } =
    settings
  const methods = clients.authMethods()
  const proven = methods.filter((method) => method !== 'none')
  const algorithms = methods.includes('private_key_jwt') ? ASSERTION_ALGORITHMS : undefined
  return {
    issuer,
    authorization_endpoint: `${baseUrl}/authorize`,
    token_endpoint: `${baseUrl}/token`,
    ...(registration !== undefined && { registration_endpoint: `${baseUrl}/register` }),
    revocation_endpoint: `${baseUrl}/revoke`,
    // Where every client is public, nobody may ask.
    ...(proven.length > 0 && {
      introspection_endpoint: `${baseUrl}/introspect`,
      introspection_endpoint_auth_methods_supported: proven,
    }),
    jwks_uri: `${baseUrl}/.well-known/jwks.json`,
    ...(scopesSupported.length > 0 && { scopes_supported: scopesSupported }),
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    grant_types_supported: GRANT_TYPES.filter((grantType) => clients.mayUse(grantType)),
    token_endpoint_auth_methods_supported: methods,
    revocation_endpoint_auth_methods_supported: methods,
    ...(algorithms !== undefined && {
      token_endpoint_auth_signing_alg_values_supported: algorithms,
      revocation_endpoint_auth_signing_alg_values_supported: algorithms,
      introspection_endpoint_auth_signing_alg_values_supported: algorithms,
    }),
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
    client_id_metadata_document_supported: documents !== undefined,
    protected_resources: [resource],
    ...(serviceDocumentation !== undefined && { service_documentation: serviceDocumentation }),
  }
}

// RFC 9728 2: the protected resource metadata document.
import { publicScopes } from './scopes.js'

/** Members that describe a resource to clients and people; each is left out of the document when absent. */
export interface ResourceDescription {
  /** Scopes for basic use, not the whole catalogue. Default: the required scopes. */
  readonly scopesSupported?: readonly string[] | undefined
  /** Name for people, e.g. on a consent page. */
  readonly resourceName?: string | undefined
  /** URL of a page for developers. */
  readonly resourceDocumentation?: string | undefined
  /** URL of a page on how the data may be used. */
  readonly resourcePolicyUri?: string | undefined
  /** URL of the terms of service. */
  readonly resourceTosUri?: string | undefined
}

/** The wire form, RFC 9728 2. */
export interface ProtectedResourceMetadata {
  readonly resource: string
  readonly authorization_servers: readonly string[]
  readonly scopes_supported?: readonly string[]
  readonly bearer_methods_supported: readonly string[]
  readonly resource_name?: string
  readonly resource_documentation?: string
  readonly resource_policy_uri?: string
  readonly resource_tos_uri?: string
}

/** Builds the document; identifiers go in as they were given, byte for byte. */
export function buildProtectedResourceMetadata(
  resource: string,
  authorizationServers: readonly string[],
  description: ResourceDescription,
): ProtectedResourceMetadata {
  const {
    scopesSupported = [],
    resourceName,
    resourceDocumentation,
    resourcePolicyUri,
    resourceTosUri,
  } = description
  const scopes = publicScopes(scopesSupported)
  return {
    resource,
    authorization_servers: authorizationServers,
    // RFC 9728 3.2: claims with zero elements MUST be omitted.
    ...(scopes.length > 0 && { scopes_supported: scopes }),
    bearer_methods_supported: ['header'],
    ...(resourceName !== undefined && { resource_name: resourceName }),
    ...(resourceDocumentation !== undefined && { resource_documentation: resourceDocumentation }),
    ...(resourcePolicyUri !== undefined && { resource_policy_uri: resourcePolicyUri }),
    ...(resourceTosUri !== undefined && { resource_tos_uri: resourceTosUri }),
  }
}

// GET /.well-known/oauth-protected-resource[/path] (RFC 9728 3): 200 with the metadata document, readable by any origin.
import type { Route } from '../runtime/route.js'
import { buildProtectedResourceMetadata } from '../protocol/metadata.js'
import { protectedResourcePaths } from '../protocol/well-known.js'
import { type AuthProvider, resourceOf } from '../providers/provider.js'
import { json } from './respond.js'

/** The routes of a provider's protected resource metadata: none where it names no authorization server. */
export function metadataRoutes(provider: AuthProvider): Route[] {
  const { authorizationServers, resourceDescription } = provider
  if (authorizationServers === undefined) return []
  const resource = resourceOf(provider)
  const description = {
    scopesSupported: provider.challengeScopes ?? provider.requiredScopes,
    ...resourceDescription,
  }
  const document = buildProtectedResourceMetadata(resource, authorizationServers, description)
  // The document follows from configuration alone, so it is written once and may be kept by anybody.
  const answer = json(200, document, { 'Cache-Control': 'public, max-age=3600' })
  return protectedResourcePaths(resource).map((path) => ({ path, methods: ['GET'], handle: () => answer }))
}

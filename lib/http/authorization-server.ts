// Every endpoint of an authorization server, at its path under the base URL.
import type { AuthorizationServer } from '../authorization-server/server.js'
import { pathOf } from '../protocol/well-known.js'
import type { Route } from '../runtime/route.js'
import { authorizeRoute } from './authorize.js'
import { connectionsRoute } from './connections.js'
import { consentRoute } from './consent.js'
import { Interaction } from './interaction.js'
import { introspectRoute } from './introspect.js'
import { jwksRoute } from './jwks.js'
import { registerRoute } from './register.js'
import { revokeRoute } from './revoke.js'
import { serverMetadataRoutes } from './server-metadata.js'
import { signInRoutes } from './sign-in.js'
import { tokenRoute } from './token.js'

export function authorizationServerRoutes(server: AuthorizationServer): Route[] {
  const { baseUrl, registration } = server.settings
  const at = (path: string): string => `${pathOf(baseUrl)}${path}`
  const interaction = new Interaction(server)
  return [
    ...serverMetadataRoutes(server),
    jwksRoute(at('/.well-known/jwks.json'), server),
    authorizeRoute(at('/authorize'), interaction),
    tokenRoute(at('/token'), server),
    ...(registration === undefined ? [] : [registerRoute(at('/register'), server, registration)]),
    revokeRoute(at('/revoke'), server),
    introspectRoute(at('/introspect'), server),
    ...signInRoutes(at('/sign-in'), at('/sign-out'), interaction),
    consentRoute(at('/consent'), interaction),
    connectionsRoute(at('/connections'), interaction),
  ]
}

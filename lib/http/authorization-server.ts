// Every endpoint of an authorization server, at its path under the base URL.
import type { AuthorizationServer } from '../authorization-server/server.js'
import { pathOf } from '../protocol/well-known.js'
import type { Route } from '../runtime/route.js'
import { authorizeRoute } from './authorize.js'
import { callbackRoute } from './callback.js'
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
  const routes = [
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
    ...(server.upstream === undefined ? [] : [callbackRoute(at(server.upstream.callbackPath), interaction)]),
  ]
  const { metUnreadable } = server
  return metUnreadable === undefined ? routes : routes.map((route) => telling(route, metUnreadable))
}

const UNREADABLE =
  'the store holds records that were written with another "secret": they are as if they were not there, and whoever needs one has ' +
  'to sign in again. To keep them, list the old secret behind the new one: secret: [newSecret, oldSecret]'

/** Clients only see that they have to begin anew: why is for the operator. */
function telling(route: Route, metUnreadable: () => boolean): Route {
  return {
    ...route,
    async handle(request, context) {
      const answer = await route.handle(request, context)
      if (metUnreadable()) context.hint('unreadable_records', UNREADABLE)
      return answer
    },
  }
}

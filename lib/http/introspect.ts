// POST /introspect (RFC 7662 2): 200 with what the token is, as far as this client may know; 401 for who does not prove who they are.
import { introspectToken } from '../authorization-server/introspect.js'
import type { AuthorizationServer } from '../authorization-server/server.js'
import { OAuthError } from '../protocol/errors.js'
import type { Route } from '../runtime/route.js'
import { clientEndpoint } from './endpoint.js'

export function introspectRoute(path: string, server: AuthorizationServer): Route {
  return clientEndpoint(path, server, async ({ parameters, client }) => {
    // RFC 7662 2.1: the endpoint MUST require some form of authorization, and a public client has none.
    if (client.authMethods.includes('none')) {
      throw new OAuthError('invalid_client', undefined, { detail: `${client.clientId} is a public client` })
    }
    const token = parameters.get('token')
    if (token === undefined) throw new OAuthError('invalid_request', '"token" is missing')
    return introspectToken(token, client, server)
  })
}

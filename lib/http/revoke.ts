// POST /revoke (RFC 7009 2): 200 whether there was anything to revoke or not, 400 or 401 with an OAuth error, 503 where it could not be done.
import { revokeToken } from '../authorization-server/revoke.js'
import type { AuthorizationServer } from '../authorization-server/server.js'
import { OAuthError } from '../protocol/errors.js'
import type { Route } from '../runtime/route.js'
import { clientEndpoint } from './endpoint.js'

export function revokeRoute(path: string, server: AuthorizationServer): Route {
  return clientEndpoint(path, server, async ({ parameters, client, context }) => {
    const token = parameters.get('token')
    if (token === undefined) throw new OAuthError('invalid_request', '"token" is missing')
    await revokeToken(token, client, server, context.report)
    return undefined
  })
}

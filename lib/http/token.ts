// POST /token (RFC 6749 3.2): 200 with tokens, 400 or 401 with an OAuth error, never to be stored.
import { grantToClient } from '../authorization-server/client-credentials.js'
import { exchangeCode } from '../authorization-server/code.js'
import type { TokenAnswer } from '../authorization-server/issue.js'
import { refresh } from '../authorization-server/refresh.js'
import type { AuthorizationServer } from '../authorization-server/server.js'
import { OAuthError } from '../protocol/errors.js'
import type { Route } from '../runtime/route.js'
import { type EndpointCall, clientEndpoint } from './endpoint.js'

type Grant = (call: EndpointCall) => Promise<TokenAnswer>

const GRANTS: ReadonlyMap<string, Grant> = new Map<string, Grant>([
  [
    'authorization_code',
    ({ parameters, client, server, context }) => exchangeCode(parameters, client, server, context.report),
  ],
  [
    'refresh_token',
    ({ parameters, client, server, context }) => refresh(parameters, client, server, context.report),
  ],
  ['client_credentials', ({ parameters, client, server }) => grantToClient(parameters, client, server)],
])

/** Grant types that the token endpoint knows. */
export const GRANT_TYPES: readonly string[] = [...GRANTS.keys()]

export function tokenRoute(path: string, server: AuthorizationServer): Route {
  return clientEndpoint(path, server, async (call) => {
    const { parameters, client, context } = call
    const grantType = parameters.get('grant_type')
    if (grantType === undefined) throw new OAuthError('invalid_request', '"grant_type" is missing')
    const grant = GRANTS.get(grantType)
    if (grant === undefined) throw new OAuthError('unsupported_grant_type')
    if (!client.grantTypes.includes(grantType)) {
      throw new OAuthError('unauthorized_client', undefined, {
        detail: `${client.clientId} may not use ${grantType}`,
      })
    }
    const answer = await grant(call)
    context.report({ type: 'token.issued', clientId: client.clientId, grantType, scope: answer.scope ?? '' })
    return answer
  })
}

// What the OAuth endpoints that clients call have in common: a form, a client behind it, and an answer that nobody keeps (RFC 6749 5).
import { authenticateClient } from '../authorization-server/client-auth.js'
import type { Client } from '../authorization-server/records.js'
import type { AuthorizationServer } from '../authorization-server/server.js'
import { OAuthError } from '../protocol/errors.js'
import type { AuthRequest, AuthResponse } from '../protocol/message.js'
import { type Parameters, refuseRepeats } from '../protocol/parameters.js'
import type { Route, RouteContext } from '../runtime/route.js'
import { readForm } from './form.js'
import { NEVER_STORED, json, oauthError } from './respond.js'

/** Most that a form or a document may take (threat X2). */
export const MAX_BODY_BYTES: number = 20 * 1024

/** What an endpoint is handed. */
export interface EndpointCall {
  readonly parameters: Parameters
  readonly client: Client
  readonly server: AuthorizationServer
  readonly context: RouteContext
}

/** A POST endpoint that wants to know its client. */
export function clientEndpoint(
  path: string,
  server: AuthorizationServer,
  answer: (call: EndpointCall) => Promise<object | undefined>,
): Route {
  return {
    path,
    methods: ['POST'],
    limited: path.slice(path.lastIndexOf('/') + 1),
    maxBodyBytes: MAX_BODY_BYTES,
    async handle(request, context) {
      let client: Client | undefined
      try {
        const parameters = readForm(request, context.body)
        refuseRepeats(parameters, ['resource'])
        client = await authenticateClient(authorizationOf(request), parameters, server, context.report)
        return answered(await answer({ parameters, client, server, context }))
      } catch (error) {
        // An outage is not the client's doing.
        if (!(error instanceof OAuthError) || error.status >= 500) throw error
        const detail = error.detail ?? error.description
        context.report({ type: 'token.refused', clientId: client?.clientId, error: error.code, detail })
        return withChallenge(oauthError(error), error, request)
      }
    },
  }
}

function answered(body: object | undefined): AuthResponse {
  return body === undefined ? { status: 200, headers: NEVER_STORED } : json(200, body, NEVER_STORED)
}

/** RFC 6749 5.2: whoever tried the Authorization header is told that it failed by the scheme it used. */
function withChallenge(response: AuthResponse, error: OAuthError, request: AuthRequest): AuthResponse {
  if (error.code !== 'invalid_client' || authorizationOf(request) === undefined) return response
  return { ...response, headers: { ...response.headers, 'WWW-Authenticate': 'Basic realm="token"' } }
}

function authorizationOf({ headers }: AuthRequest): string | undefined {
  const { authorization } = headers
  return typeof authorization === 'string' ? authorization : undefined
}

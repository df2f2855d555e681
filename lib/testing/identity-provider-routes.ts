// The endpoints of the identity provider of tests: RFC 6749 3, RFC 8414 3, OpenID Connect Discovery 4, RFC 7009, RFC 7662.
import { checkAuthorization } from '../authorization-server/authorize.js'
import { refusalTo } from '../authorization-server/consent.js'
import type { User } from '../authorization-server/records.js'
import type { AuthorizationServer } from '../authorization-server/server.js'
import { getAccessToken } from '../express/context.js'
import type { NodeRequest } from '../express/adapter.js'
import { type EndpointCall, clientEndpoint } from '../http/endpoint.js'
import { searchOf } from '../http/interaction.js'
import { redirect } from '../http/page-route.js'
import { registerRoute } from '../http/register.js'
import { NEVER_STORED, json } from '../http/respond.js'
import { buildAuthorizationResponse } from '../protocol/authorization-response.js'
import { OAuthError } from '../protocol/errors.js'
import type { AuthRequest, AuthResponse } from '../protocol/message.js'
import { parseParameters } from '../protocol/parameters.js'
import { parseScopes } from '../protocol/scopes.js'
import { authorizationServerPaths } from '../protocol/well-known.js'
import type { RegistrationSettings, Report } from '../authorization-server/settings.js'
import type { Route } from '../runtime/route.js'
import { type Approvals, type TokenSet, profileOf } from './approvals.js'

/** Those of OpenID Connect. */
export const SCOPES: readonly string[] = ['openid', 'profile', 'email', 'offline_access']

/** What the endpoints work with. */
export interface ApprovingServer {
  /** Knows the clients, and what they may ask. */
  readonly server: AuthorizationServer
  readonly approvals: Approvals
  /** Granted beside those of OpenID Connect. Undefined: all. */
  readonly scopes: readonly string[] | undefined
  readonly user: () => User | undefined
  readonly keys: () => readonly unknown[]
}

export function approvingRoutes(approving: ApprovingServer): Route[] {
  const { server, approvals } = approving
  const endpoint = (path: string, answer: (call: EndpointCall) => object | undefined): Route =>
    clientEndpoint(path, server, (call) => Promise.resolve().then(() => answer(call)))
  return [
    ...discoveryRoutes(approving),
    {
      path: '/.well-known/jwks.json',
      methods: ['GET'],
      handle: () => json(200, { keys: approving.keys() }, { 'Cache-Control': 'public, max-age=300' }),
    },
    {
      path: '/authorize',
      methods: ['GET'],
      cors: false,
      handle: (request, { report }) => authorize(request, approving, report),
    },
    registerRoute('/register', server, server.settings.registration as RegistrationSettings),
    endpoint('/token', (call) => answerGrant(call, approving)),
    endpoint('/revoke', ({ parameters }) => {
      approvals.revoke(parameters.get('token') ?? '')
      return undefined
    }),
    endpoint('/introspect', ({ parameters }) => {
      const claims = approvals.find(parameters.get('token') ?? '')
      return claims === undefined ? { active: false } : { active: true, token_type: 'Bearer', ...claims }
    }),
  ]
}

/** What userinfo answers (OpenID Connect Core 5.3); undefined where another path was asked for. */
export function userinfoOf(request: NodeRequest, { user }: ApprovingServer): object | undefined {
  const subject = getAccessToken(request)?.subject
  const known = user()
  if (subject === undefined) return undefined
  return { sub: subject, ...(known?.subject === subject && profileOf(known)) }
}

function discoveryRoutes({ server, scopes = [] }: ApprovingServer): Route[] {
  const { issuer } = server.settings
  const methods = server.clients.authMethods()
  const document = {
    issuer,
    authorization_endpoint: `${issuer}/authorize`,
    token_endpoint: `${issuer}/token`,
    userinfo_endpoint: `${issuer}/userinfo`,
    registration_endpoint: `${issuer}/register`,
    revocation_endpoint: `${issuer}/revoke`,
    introspection_endpoint: `${issuer}/introspect`,
    jwks_uri: `${issuer}/.well-known/jwks.json`,
    scopes_supported: [...SCOPES, ...scopes],
    response_types_supported: ['code'],
    response_modes_supported: ['query'],
    grant_types_supported: ['authorization_code', 'refresh_token', 'client_credentials'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
    token_endpoint_auth_methods_supported: methods,
    code_challenge_methods_supported: ['S256'],
    authorization_response_iss_parameter_supported: true,
    client_id_metadata_document_supported: true,
  }
  const answer = json(200, document, { 'Cache-Control': 'no-cache' })
  const { oauth, openid } = authorizationServerPaths(issuer)
  return [...oauth, ...openid].map((path) => ({ path, methods: ['GET'], handle: () => answer }))
}

async function authorize(
  request: AuthRequest,
  { server, approvals, scopes, user: whoever }: ApprovingServer,
  report: Report,
): Promise<AuthResponse> {
  const asked = searchOf(request)
  const resources = asked.getAll('resource')
  // Our own server would refuse resources of others.
  asked.delete('resource')
  const checked = await checkAuthorization(parseParameters(asked.toString()), server, report)
  if ('page' in checked) {
    const advice =
      checked.page === 'redirect_uri_mismatch' ? ': see the option redirectUris of startIdentityProvider' : ''
    return json(400, { error: checked.page, error_description: checked.detail + advice }, NEVER_STORED)
  }
  if ('error' in checked) return redirect(request, refusalTo(checked, checked.error, server))
  const { client, request: accepted } = checked
  const user = whoever()
  if (user === undefined) {
    const no = new OAuthError('access_denied', 'The user said no')
    return redirect(request, refusalTo(accepted, no, server))
  }
  const code = approvals.begin({
    user,
    clientId: client.clientId,
    redirectUri: accepted.redirectUri,
    challenge: accepted.challenge,
    scopes: grantedOf(asked.get('scope'), scopes),
    resources,
    nonce: asked.get('nonce') ?? undefined,
    refreshable: client.grantTypes.includes('refresh_token'),
  })
  const { issuer: iss } = server.settings
  return redirect(
    request,
    buildAuthorizationResponse(accepted.redirectUri, { code, state: accepted.state, iss }),
  )
}

function grantedOf(asked: string | null | undefined, known: readonly string[] | undefined): string[] {
  const scopes = parseScopes(asked ?? '')
  return known === undefined ? scopes : scopes.filter((scope) => [...SCOPES, ...known].includes(scope))
}

function answerGrant({ parameters, client }: EndpointCall, approving: ApprovingServer): TokenSet {
  const { clientId } = client
  const { approvals, scopes: known } = approving
  const grantType = parameters.get('grant_type')
  const scope = parameters.get('scope')
  const resources = parameters.all('resource')
  if (grantType === undefined) throw new OAuthError('invalid_request', '"grant_type" is missing')
  if (!client.grantTypes.includes(grantType)) throw new OAuthError('unsupported_grant_type')
  if (grantType === 'client_credentials') {
    const scopes = grantedOf(scope, known).filter((one) => !SCOPES.includes(one))
    return approvals.forClient({ user: { subject: clientId }, clientId, scopes, resources })
  }
  if (grantType === 'refresh_token') {
    const scopes = scope === undefined ? undefined : parseScopes(scope)
    return approvals.refresh(parameters.get('refresh_token'), clientId, { scopes, resources })
  }
  return approvals.exchange(parameters.get('code'), {
    clientId,
    redirectUri: parameters.get('redirect_uri'),
    verifier: parameters.get('code_verifier'),
    resources,
  })
}

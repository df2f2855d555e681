// RFC 6749 4.1.1, OAuth 2.1 4.1.1, RFC 7636 4.3, RFC 8707 2.1: what a client asks for, checked in the order that decides where an error
// may be told: nobody is sent to a redirect URI before client and URI are known to belong together.
import { OAuthError } from '../protocol/errors.js'
import { type Parameters, refuseRepeats } from '../protocol/parameters.js'
import { isCodeChallenge } from '../protocol/pkce.js'
import { mayRedirectTo } from './clients.js'
import type { AuthorizationRequest, Client } from './records.js'
import { grantedScopes } from './scopes.js'
import type { AuthorizationServer, Report } from './server.js'
import { checkResource } from './tokens.js'

/** Why the browser is shown a page instead of being sent on. */
export interface PageRefusal {
  readonly page: 'unknown_client' | 'redirect_uri_mismatch' | 'malformed_request'
  readonly detail: string
}

/** An error that the client is told. */
export interface RedirectRefusal {
  readonly redirectUri: string
  readonly state: string | undefined
  readonly error: OAuthError
}

/** A request that may go on. */
export interface Accepted {
  readonly client: Client
  readonly request: AuthorizationRequest
}

/** Longest `state`, in bytes. */
const LONGEST_STATE = 2048

/** Checks an authorization request. */
export async function checkAuthorization(
  parameters: Parameters,
  server: AuthorizationServer,
  report: Report,
): Promise<Accepted | PageRefusal | RedirectRefusal> {
  const { repeated } = parameters
  const unsafe = ['client_id', 'redirect_uri'].find((name) => repeated.includes(name))
  if (unsafe !== undefined)
    return { page: 'malformed_request', detail: `"${unsafe}" is there more than once` }
  const clientId = parameters.get('client_id')
  if (clientId === undefined) return { page: 'malformed_request', detail: '"client_id" is missing' }
  const client = await server.clients.find(clientId, report)
  if (client === undefined)
    return { page: 'unknown_client', detail: `There is no client ${clientId.slice(0, 200)}` }
  const redirectUri = parameters.get('redirect_uri')
  if (redirectUri === undefined) return { page: 'malformed_request', detail: '"redirect_uri" is missing' }
  if (!mayRedirectTo(client, redirectUri, server.settings)) {
    return {
      page: 'redirect_uri_mismatch',
      detail: `This client did not register ${redirectUri.slice(0, 200)}`,
    }
  }
  const state = repeated.includes('state') ? undefined : parameters.get('state')
  if (state !== undefined && Buffer.byteLength(state) > LONGEST_STATE) {
    return { page: 'malformed_request', detail: `"state" is longer than ${LONGEST_STATE} bytes` }
  }
  try {
    return { client, request: readRequest(parameters, client, { redirectUri, state }, server) }
  } catch (error) {
    if (error instanceof OAuthError) return { redirectUri, state, error }
    throw error
  }
}

function readRequest(
  parameters: Parameters,
  client: Client,
  { redirectUri, state }: { readonly redirectUri: string; readonly state: string | undefined },
  server: AuthorizationServer,
): AuthorizationRequest {
  refuseRepeats(parameters, ['resource'])
  if (parameters.has('request')) throw new OAuthError('request_not_supported')
  if (parameters.has('request_uri')) throw new OAuthError('request_uri_not_supported')
  const responseType = parameters.get('response_type')
  if (responseType === undefined) throw new OAuthError('invalid_request', '"response_type" is missing')
  if (responseType !== 'code') throw new OAuthError('unsupported_response_type')
  const responseMode = parameters.get('response_mode')
  if (responseMode !== undefined && responseMode !== 'query') {
    throw new OAuthError('invalid_request', 'Only the response mode "query" is supported')
  }
  if (!client.grantTypes.includes('authorization_code')) {
    throw new OAuthError('unauthorized_client', 'This client may not ask for authorization codes')
  }
  const challenge = readChallenge(parameters)
  checkResource(parameters, server)
  return {
    clientId: client.clientId,
    redirectUri,
    state,
    scopes: grantedScopes(parameters.get('scope'), client, server.settings),
    challenge,
    prompt: readPrompt(parameters.get('prompt')),
    ...(parameters.has('resource') && { namesResource: true }),
  }
}

/** Whether somebody has to sign in anew, or as somebody else. */
export function wantsSignIn({ prompt }: AuthorizationRequest): boolean {
  return prompt === 'login' || prompt === 'select_account'
}

/** OAuth 2.1 wants a challenge of every client, and S256 is what all of them can compute. */
function readChallenge(parameters: Parameters): string {
  const challenge = parameters.get('code_challenge')
  if (challenge === undefined) throw new OAuthError('invalid_request', '"code_challenge" is missing (PKCE)')
  // RFC 7636 4.3: absent means plain.
  if (parameters.get('code_challenge_method') !== 'S256') {
    throw new OAuthError('invalid_request', '"code_challenge_method" must be S256')
  }
  if (isCodeChallenge(challenge)) return challenge
  throw new OAuthError('invalid_request', '"code_challenge" must be 43 letters of base64url')
}

/** OpenID Connect Core 3.1.2.1: a list of words; those that mean nothing here are passed over. */
function readPrompt(prompt: string | undefined): AuthorizationRequest['prompt'] {
  const words = prompt?.split(' ') ?? []
  if (words.includes('none')) {
    if (words.length > 1) throw new OAuthError('invalid_request', '"prompt" says none and something else')
    return 'none'
  }
  const signIn = (['login', 'select_account'] as const).find((word) => words.includes(word))
  if (signIn !== undefined) return signIn
  return words.includes('consent') ? 'consent' : undefined
}

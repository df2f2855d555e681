// RFC 6749 4.1.3 and 6, RFC 7009 2.1: what is asked of an identity provider, and what its no means. oauth4webapi judges what the browser brought back
// and builds the requests; answers are read by token-response.ts, since few are as the specification has them.
import type * as oauth4webapi from 'oauth4webapi'
import type {
  AuthorizationServer,
  Client,
  ClientAuth,
  CustomFetchOptions,
  TokenEndpointRequestOptions,
} from 'oauth4webapi'
import { type UpstreamTrip, UpstreamRefusal } from '../../authorization-server/upstream.js'
import { basicCredentials, sentSecrets, withoutSecrets } from '../../protocol/client-secret.js'
import { cleanText } from '../../protocol/display.js'
import { FetchError, boundedFetch } from '../../runtime/bounded-fetch.js'
import type { Deps } from '../../runtime/deps.js'
import type { UpstreamDescription, UpstreamEndpoints } from './description.js'
import {
  type TokenResponse,
  type TokensResponse,
  isErrorCode,
  readError,
  readTokenResponse,
} from './token-response.js'

type Library = typeof oauth4webapi
type Failure = Omit<Extract<TokenResponse, { kind: 'error' }>, 'kind'>

/** Calls an identity provider as one app. */
export class UpstreamCalls {
  readonly #description: UpstreamDescription
  readonly #deps: Deps

  constructor(description: UpstreamDescription, deps: Deps) {
    this.#description = description
    this.#deps = deps
  }

  /**
   * Exchanges a code.
   *
   * @throws UpstreamRefusal for every no, since a code is good for one try; anything else is an outage
   */
  async redeem(
    endpoints: UpstreamEndpoints,
    callback: URLSearchParams,
    trip: UpstreamTrip,
    redirectUri: string,
    parameters: URLSearchParams,
  ): Promise<TokensResponse> {
    const secrets = [...callback.getAll('code'), trip.verifier, trip.state, trip.nonce]
    const oauth = await load()
    const server = serverOf(endpoints)
    const checked = this.#check(oauth, server, callback, endpoints, trip, secrets)
    // oxlint-disable-next-line typescript/no-deprecated -- some identity providers refuse what they do not know
    const verifier = this.#description.usesPkce ? trip.verifier : oauth.nopkce
    const answer = await this.#post(oauth, endpoints.tokenEndpoint, secrets, (options) =>
      oauth.authorizationCodeGrantRequest(
        server,
        this.#client,
        this.#authenticate,
        checked,
        redirectUri,
        verifier,
        {
          ...options,
          additionalParameters: parameters,
        },
      ),
    )
    const tokens = await this.#read(answer, secrets)
    if (tokens.kind === 'tokens') return tokens
    const { message, passes } = this.#judge('exchanging a code', tokens, secrets)
    throw passes ? new Error(message) : new UpstreamRefusal(this.#code(tokens.error, secrets), message)
  }

  /**
   * Renews tokens.
   *
   * @throws UpstreamRefusal `invalid_grant` and no other: whatever else is wrong gets mended, and nobody has to sign in again for it
   */
  async renew(
    endpoints: UpstreamEndpoints,
    refreshToken: string,
    parameters: URLSearchParams,
  ): Promise<TokensResponse> {
    const secrets = [refreshToken]
    const oauth = await load()
    const answer = await this.#post(oauth, endpoints.tokenEndpoint, secrets, (options) =>
      oauth.refreshTokenGrantRequest(serverOf(endpoints), this.#client, this.#authenticate, refreshToken, {
        ...options,
        additionalParameters: parameters,
      }),
    )
    const tokens = await this.#read(answer, secrets)
    if (tokens.kind === 'tokens') return tokens
    const { message, passes } = this.#judge('renewing tokens', tokens, secrets)
    throw tokens.error === 'invalid_grant' && !passes
      ? new UpstreamRefusal('invalid_grant', message)
      : new Error(message)
  }

  /** Gives one token back. Rejects where it may still be good. */
  async revoke(
    endpoints: UpstreamEndpoints,
    token: string,
    kind: 'access_token' | 'refresh_token',
  ): Promise<void> {
    const { revocationEndpoint } = endpoints
    if (revocationEndpoint === undefined) return
    const oauth = await load()
    const answer = await this.#post(oauth, revocationEndpoint, [token], (options) =>
      oauth.revocationRequest(serverOf(endpoints), this.#client, this.#authenticate, token, {
        ...options,
        additionalParameters: { token_type_hint: kind },
      }),
    )
    if (answer.ok) return
    const failed = readError({ status: answer.status, headers: answer.headers, text: await answer.text() })
    // Unknown tokens are gone already. RFC 7009 2.2.1: some give no access tokens back, which end by themselves.
    if (failed.error === 'invalid_token') return
    if (failed.error === 'unsupported_token_type' && kind === 'access_token') return
    throw new Error(this.#judge('revoking a token', { status: answer.status, ...failed }, [token]).message)
  }

  /** Asks in another way than RFC 7009 has it. */
  async revokeBy(
    request: ReturnType<NonNullable<UpstreamDescription['revocation']>>,
    token: string,
  ): Promise<void> {
    if (request === undefined) return
    const answer = await boundedFetch(request, this.#deps).catch((error: unknown) =>
      this.#lost(error, [token]),
    )
    // What is not found is gone already.
    if ((answer.status >= 200 && answer.status < 300) || answer.status === 404) return
    const failed = { status: answer.status, ...readError(answer) }
    throw new Error(this.#judge('revoking a token', failed, [token]).message)
  }

  get #client(): Client {
    return { client_id: this.#description.clientId }
  }

  /** RFC 6749 2.3.1. Without a secret there is nothing to show: the bare ID, and no header. */
  readonly #authenticate: ClientAuth = (_server, { client_id: clientId }, body, headers) => {
    const { clientSecret, authMethod } = this.#description
    if (authMethod === 'client_secret_basic' && clientSecret !== undefined) {
      headers.set('authorization', basicCredentials(clientId, clientSecret))
      return
    }
    body.set('client_id', clientId)
    if (authMethod === 'client_secret_post' && clientSecret !== undefined)
      body.set('client_secret', clientSecret)
  }

  /** RFC 6749 4.1.2.1, RFC 9207 2.4: who answered, then what. */
  #check(
    oauth: Library,
    server: AuthorizationServer,
    callback: URLSearchParams,
    { issuer }: UpstreamEndpoints,
    { state }: UpstreamTrip,
    secrets: readonly string[],
  ): URLSearchParams {
    const parameters = new URLSearchParams(callback)
    // There is none to compare it with.
    if (!isOne(issuer)) parameters.delete('iss')
    try {
      const checked = oauth.validateAuthResponse(server, this.#client, parameters, state)
      if (!checked.get('code') || checked.getAll('code').length > 1)
        throw new TypeError('there is no code, or more than one')
      return checked
    } catch (error) {
      if (!(error instanceof oauth.AuthorizationResponseError)) {
        const message = `the browser came back with what is no response to us: ${(error as Error).message}`
        throw new UpstreamRefusal('invalid_response', withoutSecrets(message, secrets))
      }
      const failure = { status: 0, error: error.error, description: error.error_description ?? '' }
      const { message } = this.#judge('signing in', failure, secrets)
      throw new UpstreamRefusal(this.#code(error.error, secrets), message)
    }
  }

  /** A request of oauth4webapi within our bounds. http was judged when the endpoint was configured or discovered. */
  async #post(
    oauth: Library,
    endpoint: string,
    secrets: readonly string[],
    send: (options: TokenEndpointRequestOptions) => Promise<Response>,
  ): Promise<Response> {
    const { timeoutSeconds } = this.#description
    const customFetch = async (
      url: string,
      { headers, body }: CustomFetchOptions<'POST', URLSearchParams>,
    ): Promise<Response> => {
      const request = { url, method: 'POST', headers, body: body.toString(), timeoutSeconds } as const
      const { status, headers: answered, text } = await boundedFetch(request, this.#deps)
      return new Response(WITHOUT_BODY.has(status) ? null : text, { status, headers: answered })
    }
    try {
      return await send({
        [oauth.customFetch]: customFetch,
        // oxlint-disable-next-line typescript/no-deprecated -- judged already: loopback, or a network that is trusted
        [oauth.allowInsecureRequests]: endpoint.toLowerCase().startsWith('http:'),
      })
    } catch (error) {
      return this.#lost(error, secrets)
    }
  }

  async #read(answer: Response, secrets: readonly string[]): Promise<TokenResponse> {
    const { status, headers } = answer
    try {
      return readTokenResponse({ status, headers, text: await answer.text() })
    } catch (error) {
      return this.#lost(error, secrets)
    }
  }

  /** No answer, or none that can be read. */
  #lost(error: unknown, secrets: readonly string[]): never {
    const message = `the identity provider gave no usable answer: ${(error as Error).message}`
    throw new Error(
      this.#tellable(message, secrets),
      error instanceof FetchError ? { cause: error } : undefined,
    )
  }

  /** The words of a no for operators, and whether it will pass by itself. */
  #judge(
    doing: string,
    { status, error, description }: Failure,
    secrets: readonly string[],
  ): { readonly message: string; readonly passes: boolean } {
    const { explain } = this.#description
    const explained = explain?.(error, description)
    const parts = [
      `the identity provider refused ${doing}${status === 0 ? '' : ` (${status})`}: ${error === '' ? 'no reason given' : error}`,
      cleanText(this.#tellable(description, secrets), MAX_DESCRIPTION),
      explained,
    ]
    const message = parts.filter((part) => part !== undefined).join('. ')
    const passes = status >= 500 || PASSING_STATUS.has(status) || PASSING_ERRORS.has(error)
    return { message: this.#tellable(message, secrets), passes }
  }

  #code(error: string, secrets: readonly string[]): string {
    return isErrorCode(error) && this.#tellable(error, secrets) === error ? error : 'unknown_error'
  }

  #tellable(text: string, secrets: readonly string[]): string {
    const { clientId, clientSecret } = this.#description
    return withoutSecrets(text, [...secrets, ...sentSecrets(clientId, clientSecret)])
  }
}

const MAX_DESCRIPTION = 300
const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205])
const PASSING_STATUS: ReadonlySet<number> = new Set([408, 425, 429])
const PASSING_ERRORS: ReadonlySet<string> = new Set([
  'server_error',
  'temporarily_unavailable',
  'slow_down',
  'too_many_requests',
])

/** Loaded with the first sign-in: whoever only starts pays nothing for it. */
function load(): Promise<Library> {
  return import('oauth4webapi')
}

/** It wants an issuer to compare with. Where there is none nothing is compared, and this one is nobody's. */
const NOBODY = 'https://issuer.invalid'

function serverOf({
  issuer,
  tokenEndpoint,
  revocationEndpoint,
  sendsIssuer,
}: UpstreamEndpoints): AuthorizationServer {
  return {
    issuer: isOne(issuer) ? issuer : NOBODY,
    token_endpoint: tokenEndpoint,
    ...(revocationEndpoint !== undefined && { revocation_endpoint: revocationEndpoint }),
    authorization_response_iss_parameter_supported: isOne(issuer) && sendsIssuer === true,
  }
}

/** Not a pattern for the issuers of many tenants, which only tokens can be held against. */
function isOne(issuer: string | undefined): issuer is string {
  return issuer !== undefined && !issuer.includes('{')
}

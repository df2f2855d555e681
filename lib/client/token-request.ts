// RFC 6749 2.3.1, 4.4 and 6: requests of a client to a token endpoint, with what proves who it is.
import type { Deps } from '../runtime/deps.js'
import { type JsonAnswer, fetchJson, withoutQuery } from '../runtime/fetch-json.js'
import { checkUrl } from '../protocol/urls.js'
import { ClientError } from './client-error.js'

/** How a client with a secret, or without, proves itself. */
export type ClientAuthMethod = 'none' | 'client_secret_basic' | 'client_secret_post'

/** Who asks. */
export interface TokenClient {
  readonly clientId: string
  readonly clientSecret?: string | undefined
  /** What it registered, if it did. */
  readonly method?: string | undefined
}

/** What a token endpoint gave, its life as a point in time. */
export interface IssuedToken {
  readonly accessToken: string
  readonly tokenType: string
  /** Milliseconds since the epoch. */
  readonly expiresAt?: number | undefined
  /** From when on it is worth asking for another. */
  readonly renewAt?: number | undefined
  readonly refreshToken?: string | undefined
  readonly scope?: string | undefined
}

const METHODS: readonly string[] = ['none', 'client_secret_basic', 'client_secret_post']

/**
 * The way that both sides know. Without a word of either a secret goes by Basic, which every server has to take (RFC 6749 2.3.1).
 *
 * @param supported what the server says it takes, if it does
 */
export function chooseMethod(client: TokenClient, supported: readonly string[] = []): ClientAuthMethod {
  const { clientSecret, method } = client
  if (clientSecret === undefined) return 'none'
  if (
    method !== undefined &&
    METHODS.includes(method) &&
    (supported.length === 0 || supported.includes(method))
  )
    return method as ClientAuthMethod
  return supported.includes('client_secret_post') && !supported.includes('client_secret_basic')
    ? 'client_secret_post'
    : 'client_secret_basic'
}

/** Adds to a request what proves a client. */
export function authenticateClient(
  client: TokenClient,
  supported: readonly string[] | undefined,
  headers: Headers,
  form: URLSearchParams,
): void {
  const { clientId, clientSecret = '' } = client
  const method = chooseMethod(client, supported)
  if (method === 'client_secret_basic') {
    const credentials = `${formEncode(clientId)}:${formEncode(clientSecret)}`
    headers.set('authorization', `Basic ${Buffer.from(credentials).toString('base64')}`)
    return
  }
  form.set('client_id', clientId)
  if (method === 'client_secret_post') form.set('client_secret', clientSecret)
}

/** RFC 6749 2.3.1 wants both encoded as in a form, before they are joined. */
function formEncode(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1)
}

/** A request might still be under way when a token ends. One that lives shorter than that is used for half of its life. */
const EARLY_SECONDS = 30

/** When a token that was issued now is worth renewing, in milliseconds since the epoch. */
export function earlyFrom(now: number, lifetime: number | undefined): number | undefined {
  return lifetime === undefined ? undefined : now + Math.max(lifetime - EARLY_SECONDS, lifetime / 2) * 1000
}

/** One request for a token. */
export interface TokenRequest {
  readonly tokenEndpoint: string
  readonly form: URLSearchParams
  readonly headers: Headers
  readonly timeoutSeconds: number
}

/**
 * Asks for a token. It is sent over TLS, or to this machine, and to no other address than the one that was named.
 *
 * @throws ClientError `token_refused`, `token_failed`, `unsafe_url`
 */
export async function requestToken(
  { tokenEndpoint, form, headers, timeoutSeconds }: TokenRequest,
  deps: Pick<Deps, 'now' | 'fetch' | 'after'>,
): Promise<IssuedToken> {
  checkEndpoint(tokenEndpoint)
  headers.set('content-type', 'application/x-www-form-urlencoded')
  const asked = deps.now()
  let answer: JsonAnswer
  try {
    answer = await fetchJson(
      {
        url: tokenEndpoint,
        method: 'POST',
        headers: Object.fromEntries(headers),
        body: form.toString(),
        timeoutSeconds,
      },
      deps,
    )
  } catch (cause) {
    throw failed(tokenEndpoint, (cause as Error).message, cause)
  }
  return readAnswer(answer, tokenEndpoint, asked)
}

/**
 * Codes, refresh tokens and secrets go over TLS, or to this machine.
 *
 * @throws ClientError `unsafe_url`
 */
export function checkEndpoint(url: string): void {
  try {
    checkUrl(url, { name: 'The token endpoint' })
  } catch (cause) {
    throw new ClientError('unsafe_url', (cause as Error).message, { cause })
  }
}

function readAnswer({ status, json }: JsonAnswer, url: string, asked: number): IssuedToken {
  const members = new Map(Object.entries(Object(json) as object))
  const text = (name: string): string | undefined => {
    const value: unknown = members.get(name)
    return typeof value === 'string' && value !== '' ? value : undefined
  }
  const error = text('error')
  if (error !== undefined && (status < 500 || error === 'invalid_grant')) {
    const description = text('error_description')
    const words = description === undefined ? error : `${error}: ${description}`
    throw new ClientError('token_refused', `The token endpoint refused: ${words}`, { error })
  }
  const accessToken = text('access_token')
  if (status !== 200 || accessToken === undefined)
    throw failed(url, status === 200 ? 'no "access_token"' : `status ${status}`)
  // RFC 6749 5.1: a number; some write it as text.
  const lifetime = Number(members.get('expires_in') ?? Number.NaN)
  return {
    accessToken,
    tokenType: text('token_type') ?? 'Bearer',
    refreshToken: text('refresh_token'),
    scope: text('scope'),
    ...(lifetime >= 0 && { expiresAt: asked + lifetime * 1000, renewAt: earlyFrom(asked, lifetime) }),
  }
}

function failed(url: string, reason: string, cause?: unknown): ClientError {
  return new ClientError('token_failed', `${withoutQuery(url)} gave no token: ${reason}`, { cause })
}

// How a token is carried to whoever is asked about it: in a header, a query, a form or JSON, and who asks.
import { basicCredentials } from '../protocol/client-secret.js'
import type { Deps } from '../runtime/deps.js'
import type { JsonRequest } from '../runtime/fetch-json.js'

/** This app at an identity provider. */
export interface TokenInfoApp {
  readonly clientId: string
  readonly clientSecret?: string | undefined
  readonly deps?: Partial<Deps>
}

/** One question about a token: where it is asked, and how the token is carried there. */
export type TokenQuestion = {
  readonly url: string
  /** Default: POST where there is a body, else GET. */
  readonly method?: 'GET' | 'POST' | 'DELETE'
  readonly headers?: Readonly<Record<string, string>>
} & (
  | {
      /** In the header `Authorization`, as the default is. */
      readonly tokenIn?: 'bearer'
    }
  | {
      readonly tokenIn: 'query' | 'json' | 'form'
      /** What it is called there. Default: `token` in a form (RFC 7662 2.1), else `access_token`. */
      readonly parameter?: string
      /** How this app says who asks (RFC 6749 2.3.1), where it has to. */
      readonly clientAuth?: 'client_secret_basic' | 'client_secret_post'
    }
)

/** The request that asks. */
export function requestOf(
  question: TokenQuestion,
  token: string,
  { clientId, clientSecret = '' }: TokenInfoApp,
): Omit<JsonRequest, 'timeoutSeconds'> {
  const { url, tokenIn = 'bearer', headers = {} } = question
  const {
    parameter = tokenIn === 'form' ? 'token' : 'access_token',
    clientAuth,
    method = tokenIn === 'form' || tokenIn === 'json' ? 'POST' : 'GET',
  } = question as Partial<Extract<TokenQuestion, { tokenIn: 'form' }>>
  const parameters = new Map([[parameter, token]])
  if (clientAuth === 'client_secret_post') {
    parameters.set('client_id', clientId)
    // A public client has none.
    if (clientSecret !== '') parameters.set('client_secret', clientSecret)
  }
  const basic =
    clientAuth === 'client_secret_basic' ? { authorization: basicCredentials(clientId, clientSecret) } : {}
  const body = BODIES[tokenIn]
  if (body !== undefined) {
    const { type, write } = body
    return { url, method, headers: { 'content-type': type, ...headers, ...basic }, body: write(parameters) }
  }
  if (tokenIn === 'bearer') return { url, method, headers: { ...headers, authorization: `Bearer ${token}` } }
  const asked = new URL(url)
  for (const [name, value] of parameters) asked.searchParams.set(name, value)
  return { url: asked.href, method, headers: { ...headers, ...basic } }
}

interface BodyForm {
  readonly type: string
  readonly write: (parameters: ReadonlyMap<string, string>) => string
}

const BODIES: Readonly<Record<'bearer' | 'query' | 'form' | 'json', BodyForm | undefined>> = {
  bearer: undefined,
  query: undefined,
  form: {
    type: 'application/x-www-form-urlencoded',
    write: (parameters) => new URLSearchParams([...parameters]).toString(),
  },
  json: { type: 'application/json', write: (parameters) => JSON.stringify(Object.fromEntries(parameters)) },
}

// RFC 8693 2.1, and Entra's on-behalf-of flow: what is asked where a token is exchanged.
import { basicCredentials, sentSecrets } from '../protocol/client-secret.js'
import { OptionReader } from '../protocol/options.js'
import { formatScopes } from '../protocol/scopes.js'
import type { BoundedRequest } from '../runtime/bounded-fetch.js'
import type { Deps } from '../runtime/deps.js'
import type { UpstreamAuthMethod } from './proxy/description.js'

/** Options of `exchangeToken`. */
export interface ExchangeTokenOptions {
  /** Token endpoint of the identity provider. */
  readonly tokenUrl: string
  /** The ID of this app there. */
  readonly clientId: string
  /** Absent for a public client. */
  readonly clientSecret?: string | undefined
  /**
   * The user's token: the caller's own where it is one of the identity provider (`getAccessToken().token`), and behind a proxy what stands
   * behind it (`getAccessToken().upstream`).
   */
  readonly subjectToken: string | { getToken(): Promise<string> }
  /** Default: `urn:ietf:params:oauth:token-type:access_token`. */
  readonly subjectTokenType?: string
  /** `token_exchange` as RFC 8693 has it; `on_behalf_of` as Microsoft Entra ID has it, which wants `scopes`. Default: `token_exchange`. */
  readonly kind?: 'token_exchange' | 'on_behalf_of'
  /** Who the token is for, as the identity provider calls it. */
  readonly audience?: string | readonly string[]
  /** The URL of what the token is for. */
  readonly resource?: string | readonly string[]
  /** Of the token that is wanted, e.g. `['https://graph.microsoft.com/User.Read']`. */
  readonly scopes?: readonly string[]
  /** Default: as the identity provider thinks fit, mostly an access token. */
  readonly requestedTokenType?: string
  /** A token of who acts for the user, where that is to be told (RFC 8693 4.1). */
  readonly actorToken?: string
  /** Default: `client_secret_basic`; `client_secret_post` for `on_behalf_of`; `none` without a secret. */
  readonly authMethod?: UpstreamAuthMethod
  /** Sent along. */
  readonly extraParams?: Readonly<Record<string, string>>
  /** For the whole call. Default: 10. */
  readonly timeoutSeconds?: number
  /** Whether the same question gets the same token until shortly before its end. Default: true. */
  readonly cache?: boolean
  /** Lets `tokenUrl` be http on a network that you trust. */
  readonly dangerouslyAllowInsecureHttp?: boolean
  /** Clock and outbound HTTP, for tests. */
  readonly deps?: Partial<Deps>
}

const OPTIONS = [
  'tokenUrl', 'clientId', 'clientSecret', 'subjectToken', 'subjectTokenType', 'kind', 'audience', 'resource', 'scopes', 'requestedTokenType',
  'actorToken', 'authMethod', 'extraParams', 'timeoutSeconds', 'cache', 'dangerouslyAllowInsecureHttp', 'deps',
] as const // prettier-ignore

const ACCESS_TOKEN = 'urn:ietf:params:oauth:token-type:access_token'
/** One question, ready to be asked. */
export interface Question {
  readonly request: BoundedRequest
  /** What was asked for. */
  readonly scopes: readonly string[]
  /** What must be in no message. */
  readonly secrets: readonly string[]
  readonly cached: boolean
}

/**
 * Reads the options.
 *
 * @throws ConfigError
 */
export async function readQuestion(options: ExchangeTokenOptions): Promise<Question> {
  const read = new OptionReader('exchangeToken', options, OPTIONS)
  const tokenUrl = read.url('tokenUrl')
  if (tokenUrl === undefined)
    throw read.missing('tokenUrl', 'write the token endpoint of your identity provider')
  const clientId = read.text('clientId')
  if (clientId === undefined)
    throw read.missing('clientId', 'write the ID of this app at your identity provider')
  const clientSecret = read.text('clientSecret') ?? ''
  const scopes = read.scopes('scopes') ?? []
  const isOnBehalfOf = parseKind(read, scopes) === 'on_behalf_of'
  const method = parseAuthMethod(read, isOnBehalfOf)
  const extra = parseExtraParams(read)
  const timeoutSeconds = read.seconds('timeoutSeconds', 10)
  const subjectToken = await readSubjectToken(read)
  const form = new URLSearchParams()
  const parameters = isOnBehalfOf ? onBehalfOf(subjectToken) : tokenExchange(read, subjectToken)
  for (const [name, value] of parameters) form.append(name, value)
  if (scopes.length > 0) form.set('scope', formatScopes(scopes))
  const headers = new Map([['content-type', 'application/x-www-form-urlencoded']])
  if (method === 'client_secret_basic') headers.set('authorization', basicCredentials(clientId, clientSecret))
  else form.set('client_id', clientId)
  if (method === 'client_secret_post') form.set('client_secret', clientSecret)
  // What the protocol says is not for options to say.
  for (const [name, value] of Object.entries(extra)) if (!form.has(name)) form.set(name, value)
  const request: BoundedRequest = {
    url: tokenUrl,
    method: 'POST',
    headers: { accept: 'application/json', ...Object.fromEntries(headers) },
    body: form.toString(),
    timeoutSeconds,
  }
  const secrets = [subjectToken, read.text('actorToken') ?? '', ...sentSecrets(clientId, clientSecret)]
  return { request, scopes, secrets, cached: read.flag('cache', true) }
}

type Parameters = readonly (readonly [name: string, value: string])[]

/** RFC 8693 2.1. */
function tokenExchange(read: OptionReader, subjectToken: string): Parameters {
  const actorToken = read.text('actorToken')
  const requested = read.text('requestedTokenType')
  return [
    ['grant_type', 'urn:ietf:params:oauth:grant-type:token-exchange'],
    ['subject_token', subjectToken],
    ['subject_token_type', read.text('subjectTokenType') ?? ACCESS_TOKEN],
    ...all('requested_token_type', requested === undefined ? [] : [requested]),
    ...all('audience', read.texts('audience')),
    ...all('resource', read.texts('resource')),
    ...(actorToken === undefined
      ? []
      : ([
          ['actor_token', actorToken],
          ['actor_token_type', ACCESS_TOKEN],
        ] as const)),
  ]
}

/** https://learn.microsoft.com/entra/identity-platform/v2-oauth2-on-behalf-of-flow */
function onBehalfOf(subjectToken: string): Parameters {
  return [
    ['grant_type', 'urn:ietf:params:oauth:grant-type:jwt-bearer'],
    ['requested_token_use', 'on_behalf_of'],
    ['assertion', subjectToken],
  ]
}

function all(name: string, values: readonly string[] = []): Parameters {
  return values.map((value) => [name, value] as const)
}

/** What Entra's flow has no word for. */
const NOT_ON_BEHALF_OF = ['audience', 'resource', 'requestedTokenType', 'actorToken', 'subjectTokenType']

function parseKind(read: OptionReader, scopes: readonly string[]): 'token_exchange' | 'on_behalf_of' {
  const kind = read.raw('kind') ?? 'token_exchange'
  if (kind === 'token_exchange') return kind
  if (kind !== 'on_behalf_of') throw read.invalid('kind', '"token_exchange" or "on_behalf_of"')
  const stray = NOT_ON_BEHALF_OF.find((name) => read.has(name))
  if (stray !== undefined)
    throw read.invalid(stray, 'left out for "on_behalf_of": "scopes" say what the token is for')
  if (scopes.length > 0) return kind
  throw read.missing('scopes', 'name those of the other API, e.g. ["https://graph.microsoft.com/User.Read"]')
}

function parseAuthMethod(read: OptionReader, isOnBehalfOf: boolean): UpstreamAuthMethod {
  const usual = isOnBehalfOf ? 'client_secret_post' : 'client_secret_basic'
  const method = read.raw('authMethod') ?? (read.has('clientSecret') ? usual : 'none')
  if (method === 'none') return method
  if (method !== 'client_secret_basic' && method !== 'client_secret_post')
    throw read.invalid('authMethod', 'client_secret_basic, client_secret_post or none')
  if (read.has('clientSecret')) return method
  throw read.invalid('authMethod', 'none where there is no client secret')
}

function parseExtraParams(read: OptionReader): Readonly<Record<string, string>> {
  const given: object = read.raw('extraParams') ?? {}
  const names = Object.keys(given)
  const params = new OptionReader(read.name('extraParams'), given, names)
  return Object.fromEntries(
    names.filter((name) => params.has(name)).map((name) => [name, params.text(name) as string]),
  )
}

async function readSubjectToken(read: OptionReader): Promise<string> {
  const given = read.raw('subjectToken')
  const expected =
    'the token of the user: getAccessToken().token, or getAccessToken().upstream behind a proxy'
  if (given === undefined) throw read.missing('subjectToken', `pass ${expected}`)
  if (typeof given === 'string') return read.text('subjectToken') as string
  const { getToken } = Object(given) as { getToken?: unknown }
  if (typeof getToken !== 'function') throw read.invalid('subjectToken', expected)
  return (given as { getToken(): Promise<string> }).getToken()
}

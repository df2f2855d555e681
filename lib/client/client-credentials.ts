// RFC 6749 4.4 (io.modelcontextprotocol/oauth-client-credentials): tokens for a program that acts for nobody but itself.
import { ConfigError } from '../protocol/errors.js'
import { OptionReader } from '../protocol/options.js'
import { formatScopes } from '../protocol/scopes.js'
import { type Deps, createDeps } from '../runtime/deps.js'
import { SingleFlight } from '../runtime/single-flight.js'
import { AssertionSigner, type PrivateKey } from './client-assertion.js'
import { ClientError } from './client-error.js'
import { sameIssuer } from './credentials.js'
import { discoverIssuer } from './server-discovery.js'
import { type ClientAuthMethod, type IssuedToken, authenticateClient, requestToken } from './token-request.js'

export interface ClientCredentialsOptions {
  readonly clientId: string
  /** Shared with the authorization server. Either this or `privateKey`. */
  readonly clientSecret?: string
  /** Whose public half the authorization server knows. */
  readonly privateKey?: PrivateKey
  /** By which the key signs. Default: the usual one of its kind. */
  readonly algorithm?: string
  /** How the authorization server calls the key. */
  readonly keyId?: string
  /** The token endpoint. Either this or `serverUrl`. */
  readonly tokenUrl?: string
  /** The MCP server, whose metadata leads to the token endpoint. */
  readonly serverUrl?: string
  /**
   * The authorization server: no other gets the credentials. With `tokenUrl`, it is whom assertions of `privateKey` are for; default: that
   * URL, which some authorization servers no longer take.
   */
  readonly issuer?: string
  /** How the secret is sent. Default: whatever the authorization server names, else `client_secret_basic`. */
  readonly authMethod?: 'client_secret_basic' | 'client_secret_post'
  /** Default: with `serverUrl`, those that the server lists. */
  readonly scopes?: readonly string[] | string
  /** For authorization servers that go by it, such as Auth0. */
  readonly audience?: string
  /** What the token is for (RFC 8707). Default: with `serverUrl`, what its metadata says. */
  readonly resource?: string
  readonly timeoutSeconds?: number
  readonly deps?: Partial<Deps>
}

const KNOWN = [
  'clientId', 'clientSecret', 'privateKey', 'algorithm', 'keyId', 'tokenUrl', 'serverUrl', 'issuer', 'authMethod', 'scopes',
  'audience', 'resource', 'timeoutSeconds', 'deps',
] as const // prettier-ignore

/** Of a token that does not say how long it lives. */
const DEFAULT_SECONDS = 300
/** Requests that went out with a token that was refused are all back by then. */
const GRACE_MILLISECONDS = 5000

/** What is asked, and of whom. */
interface Target {
  readonly tokenEndpoint: string
  readonly issuer: string
  readonly authMethods: readonly string[] | undefined
  readonly resource: string | undefined
  readonly scopes: readonly string[] | undefined
}

/**
 * A token that is asked for when it is needed first, kept, and asked for again before it ends. It is an `authProvider` of SDK v2; for
 * SDK v1, and without an SDK, there is `authFetch`.
 *
 * @example const auth = new ClientCredentials({ serverUrl, clientId: 'reports', clientSecret })
 */
export class ClientCredentials {
  /** Origin that the token is for, where it is known. */
  readonly serverUrl: string | undefined
  readonly #clientId: string
  readonly #clientSecret: string | undefined
  readonly #authMethod: ClientAuthMethod | undefined
  readonly #signer: AssertionSigner | undefined
  readonly #tokenUrl: string | undefined
  readonly #issuer: string | undefined
  readonly #scopes: readonly string[] | undefined
  readonly #audience: string | undefined
  readonly #resource: string | undefined
  readonly #timeoutSeconds: number
  readonly #deps: Deps
  readonly #flight = new SingleFlight<IssuedToken>()
  #token: IssuedToken | undefined
  /** Milliseconds since the epoch. */
  #freshUntil = 0
  #refusedAt = -Infinity
  #target: Target | undefined
  #resourceMetadataUrl: string | undefined

  /** @throws ConfigError */
  constructor(options: ClientCredentialsOptions) {
    const read = new OptionReader('ClientCredentials', options, KNOWN)
    const clientId = read.text('clientId')
    if (clientId === undefined) throw read.missing('clientId', 'the ID that the client was registered with')
    this.#clientId = clientId
    this.#tokenUrl = read.url('tokenUrl')
    this.serverUrl = read.url('serverUrl')
    oneOf(this.#tokenUrl !== undefined, read.has('serverUrl'), 'one of "serverUrl" and "tokenUrl"')
    oneOf(read.has('clientSecret'), read.has('privateKey'), 'one of "clientSecret" and "privateKey"')
    this.#clientSecret = read.text('clientSecret')
    this.#signer = read.has('privateKey') ? new AssertionSigner(read) : undefined
    this.#authMethod = parseMethod(read)
    this.#issuer = read.url('issuer', true)
    this.#scopes = read.scopes('scopes')
    this.#audience = read.text('audience')
    this.#resource = read.url('resource')
    this.#timeoutSeconds = read.seconds('timeoutSeconds', 10)
    this.#deps = createDeps(options.deps)
  }

  /**
   * The token, asked for where there is none or it is at its end.
   *
   * @throws ClientError
   */
  async getToken(): Promise<string> {
    if (this.#token !== undefined && this.#deps.now() < this.#freshUntil) return this.#token.accessToken
    return (await this.#flight.run('', () => this.#fetch())).accessToken
  }

  /** As SDK v2 calls it. */
  token(): Promise<string> {
    return this.getToken()
  }

  /**
   * As SDK v2 calls it: the server did not take the token. It does not say which one: where one was refused a moment ago it was that, and
   * what came in its place stays.
   */
  onUnauthorized({ response }: { readonly response: Response }): Promise<void> {
    const isLate = this.#deps.now() - this.#refusedAt < GRACE_MILLISECONDS
    return this.renew(isLate ? undefined : this.#token?.accessToken, response)
  }

  /** Forgets a token that the server does not take, unless there is another one already. */
  renew(rejected: string | undefined, response?: Response): Promise<void> {
    this.#resourceMetadataUrl = metadataUrlIn(response) ?? this.#resourceMetadataUrl
    if (this.#token !== undefined && this.#token.accessToken === rejected) {
      this.#token = undefined
      this.#refusedAt = this.#deps.now()
    }
    this.#target = undefined
    return Promise.resolve()
  }

  async #fetch(): Promise<IssuedToken> {
    const target = (this.#target ??= await this.#findTarget())
    const headers = new Headers()
    const form = new URLSearchParams({ grant_type: 'client_credentials' })
    const scopes = formatScopes(this.#scopes ?? target.scopes ?? [])
    if (scopes !== '') form.set('scope', scopes)
    if (this.#audience !== undefined) form.set('audience', this.#audience)
    if (target.resource !== undefined) form.set('resource', target.resource)
    await this.#prove(target, headers, form)
    const { tokenEndpoint } = target
    const request = { tokenEndpoint, form, headers, timeoutSeconds: this.#timeoutSeconds }
    const token = await requestToken(request, this.#deps)
    this.#freshUntil = token.renewAt ?? this.#deps.now() + DEFAULT_SECONDS * 1000
    this.#token = token
    return token
  }

  async #prove({ authMethods, issuer }: Target, headers: Headers, form: URLSearchParams): Promise<void> {
    if (this.#signer !== undefined) return this.#signer.sign(form, this.#clientId, issuer, this.#deps)
    const client = { clientId: this.#clientId, clientSecret: this.#clientSecret, method: this.#authMethod }
    authenticateClient(client, this.#authMethod === undefined ? authMethods : undefined, headers, form)
  }

  async #findTarget(): Promise<Target> {
    if (this.#tokenUrl !== undefined) {
      const common = { authMethods: undefined, scopes: undefined, resource: this.#resource }
      // RFC 7523 3: where nothing else is known of it, the token endpoint stands for the authorization server.
      return { ...common, tokenEndpoint: this.#tokenUrl, issuer: this.#issuer ?? this.#tokenUrl }
    }
    const found = await discoverIssuer(
      {
        serverUrl: String(this.serverUrl),
        resourceMetadataUrl: this.#resourceMetadataUrl,
        issuer: this.#issuer,
        timeoutSeconds: this.#timeoutSeconds,
      },
      this.#deps,
    )
    this.#bind(found.issuer)
    return { ...found, resource: this.#resource ?? found.resource }
  }

  #bound: string | undefined

  /** Credentials are known to one authorization server: what another one is named later learns nothing of them. */
  #bind(issuer: string): void {
    this.#bound ??= issuer
    if (sameIssuer(this.#bound, issuer)) return
    throw new ClientError(
      'issuer_mismatch',
      `${this.serverUrl} names ${JSON.stringify(issuer)} now; the credentials are those for ${JSON.stringify(this.#bound)}, and were not sent`,
    )
  }
}

function parseMethod(read: OptionReader): ClientAuthMethod | undefined {
  const method = read.text('authMethod')
  if (method === undefined) return undefined
  if (read.has('privateKey')) throw read.invalid('authMethod', 'absent where "privateKey" is given')
  if (method !== 'client_secret_basic' && method !== 'client_secret_post')
    throw read.invalid('authMethod', '"client_secret_basic" or "client_secret_post"')
  return method
}

function oneOf(one: boolean, other: boolean, what: string): void {
  if (one !== other) return
  const message = `ClientCredentials takes exactly ${what}, not ${one ? 'both' : 'none'}`
  throw new ConfigError('ERR_MCP_AUTH_MISSING_OPTION', message)
}

/** RFC 9728 5.1. */
function metadataUrlIn(response: Response | undefined): string | undefined {
  const challenge = response?.headers.get('www-authenticate') ?? ''
  return /^Bearer .*\bresource_metadata="([^"]+)"/i.exec(challenge)?.[1]
}

// Token introspection (RFC 7662): the authorization server says whether a token is active, and for whom.
import type { VerifiedToken } from '../protocol/access-token.js'
import { readAccessToken, refuseClaims, refuseKind, shown } from '../protocol/claims.js'
import { basicCredentials } from '../protocol/client-secret.js'
import type { TokenForm } from '../protocol/jws-guard.js'
import { OptionReader } from '../protocol/options.js'
import { type Deps, createDeps } from '../runtime/deps.js'
import type { AuthEvent } from '../runtime/events.js'
import type { JsonAnswer } from '../runtime/fetch-json.js'
import { type CacheBounds, parseCacheBounds } from './cached.js'
import { OpaqueTokens } from './opaque.js'
import { type Claim, STANDALONE, type Verifier, type VerifyContext } from './verifier.js'

/** Options of {@link IntrospectionTokenVerifier}. */
export interface IntrospectionTokenVerifierOptions {
  /** The authorization server's introspection endpoint. https, or http on loopback. */
  readonly introspectionUrl: string
  /** The client ID by which this resource server is known there. */
  readonly clientId: string
  readonly clientSecret: string
  /** How the two are sent (RFC 6749 2.3.1). Default: `client_secret_basic`. */
  readonly clientAuthMethod?: 'client_secret_basic' | 'client_secret_post'
  /** Accepted `iss`. Default: not checked. */
  readonly issuer?: string | readonly string[]
  /** Accepted `aud`: normally the URL of your MCP endpoint. Default: not checked, and a hint says so. */
  readonly audience?: string | readonly string[]
  /** Scopes that every request needs. Default: none. */
  readonly requiredScopes?: readonly string[]
  /** For one question. Default: 10. */
  readonly timeoutSeconds?: number
  /** How long an active token is not asked about again; never past its expiry. Default: 60. */
  readonly cacheTtlSeconds?: number
  /** Bounds of the cache, or false for none. */
  readonly cache?: CacheBounds | boolean
  /** How all tokens begin: inside MultiAuth, only such tokens are asked about. */
  readonly tokenPrefix?: string
  /** Lets `introspectionUrl` be http on a network that you trust. */
  readonly dangerouslyAllowInsecureHttp?: boolean
  /** Clock and outbound HTTP, for tests. */
  readonly deps?: Partial<Deps>
}

const OPTIONS = [
  'introspectionUrl', 'clientId', 'clientSecret', 'clientAuthMethod', 'issuer', 'audience', 'requiredScopes',
  'timeoutSeconds', 'cacheTtlSeconds', 'cache', 'tokenPrefix', 'dangerouslyAllowInsecureHttp', 'deps',
] as const // prettier-ignore

const METHODS: readonly unknown[] = ['client_secret_basic', 'client_secret_post']

/**
 * Verifies tokens by asking their authorization server.
 *
 * @throws ConfigError where options are missing, unknown or unsafe
 */
export class IntrospectionTokenVerifier implements Verifier {
  readonly requiredScopes: readonly string[]
  readonly notices: readonly AuthEvent[]
  readonly #issuers: readonly string[] | undefined
  readonly #audiences: readonly string[] | undefined
  readonly #prefix: string | undefined
  readonly #deps: Deps
  readonly #tokens: OpaqueTokens

  constructor(options: IntrospectionTokenVerifierOptions) {
    const read = new OptionReader('IntrospectionTokenVerifier', options, OPTIONS)
    this.#deps = createDeps(options.deps)
    this.requiredScopes = read.scopes('requiredScopes') ?? []
    this.#issuers = read.texts('issuer')
    this.#audiences = read.texts('audience')
    this.#prefix = read.text('tokenPrefix')
    this.notices = this.#audiences === undefined ? [AUDIENCE_UNCHECKED] : []
    const url = read.url('introspectionUrl')
    if (url === undefined)
      throw read.missing(
        'introspectionUrl',
        'write the "introspection_endpoint" of your authorization server',
      )
    const credentials = parseCredentials(read)
    const timeoutSeconds = read.seconds('timeoutSeconds', 10)
    this.#tokens = new OpaqueTokens(
      {
        url,
        request: (token) => ({ url, method: 'POST', timeoutSeconds, ...questionAbout(token, credentials) }),
        read: (answer, token, context) => this.#read(answer, token, context),
        cacheTtlSeconds: read.seconds('cacheTtlSeconds', 60),
        cache: parseCacheBounds(read, 'cache'),
      },
      this.#deps,
    )
  }

  verifyToken(token: string, context: VerifyContext = STANDALONE): Promise<VerifiedToken | null> {
    return this.#tokens.verify(token, context)
  }

  recall(token: string): VerifiedToken | undefined {
    return this.#tokens.recall(token)
  }

  claimsToken(token: string, form: TokenForm): Claim {
    if (this.#prefix !== undefined) return token.startsWith(this.#prefix) ? 'mine' : 'not mine'
    if (form.kind === 'opaque' || form.issuer === undefined || this.#issuers === undefined) return 'perhaps'
    return this.#issuers.includes(form.issuer) ? 'mine' : 'not mine'
  }

  #read({ status, json }: JsonAnswer, token: string, context: VerifyContext): VerifiedToken | null {
    // 401 speaks of our credentials, not of the caller's token.
    if (status !== 200)
      throw new Error(`status ${status}${status === 401 ? ': clientId or clientSecret was refused' : ''}`)
    if (typeof json !== 'object' || json === null || Array.isArray(json))
      throw new Error('the answer is not a JSON object')
    const claims = json as Record<string, unknown>
    // RFC 7662 2.2: a boolean. "true" and 1 are not.
    if (claims['active'] !== true)
      return context.refuse({
        stage: 'introspection',
        expected: 'an active token',
        got: shown(claims['active']),
      })
    const rules = {
      issuers: this.#issuers,
      audiences: this.#audiences,
      requireExpiry: false,
      toleranceSeconds: 30,
    }
    const refused = refuseKind(claims) ?? refuseClaims(claims, rules, this.#deps.now() / 1000)
    return refused === undefined ? readAccessToken(claims, token) : context.refuse(refused)
  }
}

const AUDIENCE_UNCHECKED: AuthEvent = {
  type: 'hint',
  code: 'audience_unchecked',
  message:
    'IntrospectionTokenVerifier has no "audience": tokens that were issued for other services are accepted. Set it to the ' +
    'URL of your MCP endpoint if your authorization server returns "aud"',
}

interface Credentials {
  readonly clientId: string
  readonly clientSecret: string
  readonly method: 'client_secret_basic' | 'client_secret_post'
}

function parseCredentials(read: OptionReader): Credentials {
  const clientId = read.text('clientId')
  const clientSecret = read.text('clientSecret')
  if (clientId === undefined)
    throw read.missing('clientId', 'register this server at your authorization server')
  if (clientSecret === undefined)
    throw read.missing('clientSecret', 'an introspection endpoint answers only those it knows')
  const method = read.raw('clientAuthMethod') ?? 'client_secret_basic'
  if (!METHODS.includes(method))
    throw read.invalid('clientAuthMethod', 'client_secret_basic or client_secret_post')
  return { clientId, clientSecret, method: method as Credentials['method'] }
}

function questionAbout(
  token: string,
  { clientId, clientSecret, method }: Credentials,
): { headers: Record<string, string>; body: string } {
  const form = new URLSearchParams({ token, token_type_hint: 'access_token' })
  const headers: Record<string, string> = { 'content-type': 'application/x-www-form-urlencoded' }
  if (method === 'client_secret_post') {
    form.set('client_id', clientId)
    form.set('client_secret', clientSecret)
  } else {
    headers['authorization'] = basicCredentials(clientId, clientSecret)
  }
  return { headers, body: form.toString() }
}

// A verification service of your own: gets the token, answers with its claims.
import type { VerifiedToken } from '../protocol/access-token.js'
import { readAccessToken, refuseClaims, refuseKind } from '../protocol/claims.js'
import { OptionReader } from '../protocol/options.js'
import { type Deps, createDeps } from '../runtime/deps.js'
import type { JsonAnswer } from '../runtime/fetch-json.js'
import { type CacheBounds, parseCacheBounds } from './cached.js'
import { OpaqueTokens } from './opaque.js'
import { type Claim, STANDALONE, type Verifier, type VerifyContext } from './verifier.js'

/** Options of {@link RemoteTokenVerifier}. */
export interface RemoteTokenVerifierOptions {
  /** Gets `POST {"token": "…"}`. https, or http on loopback. */
  readonly verifyUrl: string
  /** Sent along, e.g. what identifies this server to the service. */
  readonly headers?: Readonly<Record<string, string>>
  /** Scopes that every request needs. Default: none. */
  readonly requiredScopes?: readonly string[]
  /** For one question. Default: 10. */
  readonly timeoutSeconds?: number
  /** How long a good token is not asked about again; never past its expiry. Default: 0, it is asked about each time. */
  readonly cacheTtlSeconds?: number
  /** Bounds of that cache. */
  readonly cache?: CacheBounds | boolean
  /** How all tokens begin: inside MultiAuth, only such tokens are sent. */
  readonly tokenPrefix?: string
  /** Lets `verifyUrl` be http on a network that you trust. */
  readonly dangerouslyAllowInsecureHttp?: boolean
  /** Clock and outbound HTTP, for tests. */
  readonly deps?: Partial<Deps>
}

const OPTIONS = [
  'verifyUrl', 'headers', 'requiredScopes', 'timeoutSeconds', 'cacheTtlSeconds', 'cache', 'tokenPrefix',
  'dangerouslyAllowInsecureHttp', 'deps',
] as const // prettier-ignore

/** Answers below 500 that speak of the service's state and not of the token. */
const NOT_ABOUT_THE_TOKEN = new Set([405, 407, 408, 415, 421, 425, 429])

/**
 * Verifies tokens at a service: any 2xx with a JSON object of claims (`sub`, `client_id`, `scope`, `exp` …) is a yes, unless it
 * says `"active": false` or `"valid": false`; 4xx is a no; anything else is an outage.
 *
 * @throws ConfigError where options are missing, unknown or unsafe
 */
export class RemoteTokenVerifier implements Verifier {
  readonly requiredScopes: readonly string[]
  readonly #prefix: string | undefined
  readonly #deps: Deps
  readonly #tokens: OpaqueTokens

  constructor(options: RemoteTokenVerifierOptions) {
    const read = new OptionReader('RemoteTokenVerifier', options, OPTIONS)
    this.#deps = createDeps(options.deps)
    this.requiredScopes = read.scopes('requiredScopes') ?? []
    this.#prefix = read.text('tokenPrefix')
    const url = read.url('verifyUrl')
    if (url === undefined) throw read.missing('verifyUrl', 'write the URL that tokens are posted to')
    const headers = { ...parseHeaders(read), 'content-type': 'application/json' }
    const timeoutSeconds = read.seconds('timeoutSeconds', 10)
    this.#tokens = new OpaqueTokens(
      {
        url,
        request: (token) => ({
          url,
          method: 'POST',
          timeoutSeconds,
          headers,
          body: JSON.stringify({ token }),
        }),
        read: (answer, token, context) => this.#read(answer, token, context),
        cacheTtlSeconds: read.seconds('cacheTtlSeconds', 0),
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

  claimsToken(token: string): Claim {
    if (this.#prefix === undefined) return 'perhaps'
    return token.startsWith(this.#prefix) ? 'mine' : 'not mine'
  }

  #read({ status, json }: JsonAnswer, token: string, context: VerifyContext): VerifiedToken | null {
    if (status >= 400 && status < 500 && !NOT_ABOUT_THE_TOKEN.has(status)) {
      return context.refuse({ stage: 'service', expected: '2xx', got: `status ${status}` })
    }
    if (status < 200 || status > 299) throw new Error(`status ${status}`)
    if (typeof json !== 'object' || json === null || Array.isArray(json))
      throw new Error('the answer is not a JSON object')
    const claims = json as Record<string, unknown>
    const denied = (['active', 'valid'] as const).find((name) => name in claims && claims[name] !== true)
    if (denied !== undefined)
      return context.refuse({ stage: 'service', expected: `"${denied}": true`, got: 'otherwise' })
    const rules = { issuers: undefined, audiences: undefined, requireExpiry: false, toleranceSeconds: 30 }
    const refused = refuseKind(claims) ?? refuseClaims(claims, rules, this.#deps.now() / 1000)
    return refused === undefined ? readAccessToken(claims, token) : context.refuse(refused)
  }
}

function parseHeaders(read: OptionReader): Record<string, string> {
  const headers = read.raw('headers') ?? {}
  if (typeof headers !== 'object' || Array.isArray(headers))
    throw read.invalid('headers', 'an object of header names and values')
  try {
    return Object.fromEntries(new Headers(headers as Record<string, string>))
  } catch {
    throw read.invalid('headers', 'valid header names and values')
  }
}

// The upstream leg of a proxy: one app at one identity provider, spoken to as its description says.
import {
  type Upstream,
  type UpstreamOrigin,
  UpstreamRefusal,
  type UpstreamTokens,
  type UpstreamTrip,
  type UpstreamUser,
} from '../../authorization-server/upstream.js'
import { formatScopes } from '../../protocol/scopes.js'
import type { Deps } from '../../runtime/deps.js'
import { digest } from '../../runtime/digest.js'
import { STANDALONE, type VerifyContext } from '../../verifiers/verifier.js'
import { buildAuthorizationUrl, scopesToRepeat } from './authorization-url.js'
import type { UpstreamDescription } from './description.js'
import { DiscoveredEndpoints, issuerOfConfigUrl } from './discovery.js'
import { type FindEndpoints, Identification } from './identification.js'
import type { TokensResponse } from './token-response.js'
import { UpstreamCalls } from './upstream-calls.js'

/** Speaks to the identity provider of an {@link UpstreamDescription}. */
export class UpstreamClient implements Upstream {
  readonly name: string
  readonly realm: string
  readonly callbackPath: string
  readonly forwardsResource: boolean
  readonly expiryThresholdSeconds: number
  readonly #description: UpstreamDescription
  readonly #deps: Deps
  readonly #calls: UpstreamCalls
  readonly #identification: Identification
  readonly #endpoints: FindEndpoints

  constructor(description: UpstreamDescription, deps: Deps) {
    this.name = description.name
    this.callbackPath = description.callbackPath
    this.forwardsResource = description.forwardsResource
    this.expiryThresholdSeconds = description.expiryThresholdSeconds
    this.realm = digest(JSON.stringify([placeOf(description.endpoints), description.clientId]))
    this.#description = description
    this.#deps = deps
    this.#endpoints = findEndpoints(description, deps)
    this.#calls = new UpstreamCalls(description, deps)
    this.#identification = new Identification(description, this.#endpoints, deps)
  }

  async authorizationUrl(trip: UpstreamTrip, redirectUri: string): Promise<string> {
    const { authorizationEndpoint } = await this.#endpoints(STANDALONE)
    return buildAuthorizationUrl(authorizationEndpoint, trip, redirectUri, this.#description)
  }

  async exchange(
    callback: URLSearchParams,
    trip: UpstreamTrip,
    redirectUri: string,
    context: VerifyContext,
  ): Promise<UpstreamTokens> {
    const endpoints = await this.#endpoints(context)
    const started = this.#deps.now()
    const parameters = this.#tokenParameters(trip, this.#description.tokenScopes === 'always')
    const answer = await this.#calls.redeem(endpoints, callback, trip, redirectUri, parameters)
    const idToken = await this.#identification.idTokenOf(endpoints, answer, trip, context).catch(afterwards)
    return { ...this.#tokensOf(answer, started), idToken }
  }

  async refresh(
    tokens: UpstreamTokens,
    origin: UpstreamOrigin,
    context: VerifyContext,
  ): Promise<UpstreamTokens> {
    const { refreshToken, scopes, idToken } = tokens
    if (refreshToken === undefined)
      throw new UpstreamRefusal('invalid_grant', 'there is no refresh token to renew them with')
    const endpoints = await this.#endpoints(context)
    const started = this.#deps.now()
    const parameters = this.#tokenParameters(origin, this.#description.tokenScopes !== 'never')
    const answer = await this.#calls.renew(endpoints, refreshToken, parameters)
    const renewed = this.#tokensOf(answer, started)
    return {
      ...renewed,
      refreshToken: renewed.refreshToken ?? refreshToken,
      scopes: renewed.scopes ?? scopes,
      idToken: await this.#identification.renewedIdTokenOf(endpoints, answer, idToken, context),
    }
  }

  async revoke({ refreshToken, accessToken }: UpstreamTokens): Promise<void> {
    const { revocation } = this.#description
    const endpoints = revocation === undefined ? await this.#endpoints(STANDALONE) : undefined
    const kinds = [
      ['refresh_token', refreshToken],
      ['access_token', accessToken],
    ] as const
    const failures: unknown[] = []
    for (const [kind, token] of kinds) {
      if (token === undefined) continue
      const given =
        endpoints === undefined
          ? this.#calls.revokeBy(revocation?.(token, kind), token)
          : this.#calls.revoke(endpoints, token, kind)
      await given.catch((error: unknown) => failures.push(error))
    }
    if (failures.length > 0) throw failures[0] as Error
  }

  identify(
    tokens: UpstreamTokens,
    _origin: UpstreamOrigin,
    known: UpstreamUser | undefined,
    context: VerifyContext,
  ): Promise<UpstreamUser | null> {
    return this.#identification.identify(tokens, known, context)
  }

  granted(asked: readonly string[], tokens: UpstreamTokens, user: UpstreamUser): readonly string[] {
    const told = tokens.scopes ?? user.scopes
    // RFC 6749 5.1: whoever does not tell granted what was asked for.
    if (told === undefined) return asked
    const granted = new Set(this.#description.scopeNames.fromUpstream(told))
    // It asks for refresh tokens of ours, whatever the identity provider makes of it.
    return asked.filter((scope) => scope === 'offline_access' || granted.has(scope))
  }

  #tokenParameters({ scopes, resource }: UpstreamOrigin, repeatsScopes: boolean): URLSearchParams {
    const parameters = new URLSearchParams({ ...this.#description.tokenParams })
    const scope = repeatsScopes ? formatScopes(scopesToRepeat(scopes, this.#description)) : ''
    if (scope !== '') parameters.set('scope', scope)
    if (this.forwardsResource && resource !== undefined) parameters.set('resource', resource)
    return parameters
  }

  /** @param started its seconds count from when it was asked for, at the latest */
  #tokensOf(
    { accessToken, refreshToken, expiresIn, scopes }: TokensResponse,
    started: number,
  ): UpstreamTokens {
    const { fallbackAccessTokenSeconds: fallback, identification } = this.#description
    // Of an access token that is never asked about, nobody would learn that it ended.
    const seconds = expiresIn ?? fallback ?? (identification.by === 'id_token' ? UNTOLD_SECONDS : undefined)
    const expiresAt = seconds === undefined ? undefined : started + seconds * 1000
    return { accessToken, refreshToken, scopes, expiresAt }
  }
}

function findEndpoints({ endpoints, allowInsecureHttp }: UpstreamDescription, deps: Deps): FindEndpoints {
  if (!('configUrl' in endpoints)) return () => Promise.resolve(endpoints)
  const discovered = new DiscoveredEndpoints({ ...endpoints, allowInsecureHttp }, deps)
  return ({ report }) => discovered.get(report)
}

/** Most say an hour. Whoever says nothing is asked to renew as often. */
const UNTOLD_SECONDS = 3600

/** What the realm is named by: it must not depend on what a document says today. */
function placeOf(endpoints: UpstreamDescription['endpoints']): string {
  if (!('configUrl' in endpoints)) return endpoints.issuer ?? endpoints.tokenEndpoint
  const { configUrl, replaced } = endpoints
  return replaced?.issuer ?? issuerOfConfigUrl(configUrl) ?? configUrl
}

/** The code is used up: whoever comes back with it once more can only fail. */
function afterwards(error: unknown): never {
  if (error instanceof UpstreamRefusal) throw error
  throw new UpstreamRefusal('temporarily_unavailable', (error as Error).message)
}

// RFC 8693 token exchange, and Entra's on-behalf-of flow: for a token of a user, one of the same user for another API.
import { LRUCache } from 'lru-cache'
import { withoutSecrets } from '../protocol/client-secret.js'
import { cleanText } from '../protocol/display.js'
import { OAuthError } from '../protocol/errors.js'
import { type BoundedRequest, boundedFetch } from '../runtime/bounded-fetch.js'
import { type Deps, createDeps } from '../runtime/deps.js'
import { digest } from '../runtime/digest.js'
import { withoutQuery } from '../runtime/fetch-json.js'
import { SingleFlight } from '../runtime/single-flight.js'
import { explainEntra } from './entra/errors.js'
import { type ExchangeTokenOptions, type Question, readQuestion } from './exchange-request.js'
import { type TokenResponse, readTokenResponse } from './proxy/token-response.js'

/** What was given for a token. */
export interface ExchangedToken {
  readonly accessToken: string
  /** Seconds since the epoch, where it was told. */
  readonly expiresAt?: number
  /** As the identity provider told, or as they were asked for. */
  readonly scopes: readonly string[]
  /** RFC 8693 3, where it was told. */
  readonly issuedTokenType?: string
}

/** The identity provider will not exchange this token. Trying again brings nothing. */
export class TokenExchangeError extends Error {
  override readonly name: string = 'TokenExchangeError'
  /** Its error code, e.g. `invalid_grant`, `invalid_target`, `interaction_required`. */
  readonly code: string
  /** What Entra wants to be asked for at the next sign-in (`claims`), where a policy was not met. */
  readonly claims: string | undefined

  /** @param message without any token in it */
  constructor(code: string, message: string, claims?: string) {
    super(message)
    this.code = code
    this.claims = claims
  }
}

const MAX_KEPT = 1000

interface Kept {
  readonly exchanged: ExchangedToken
  /** Milliseconds since the epoch. */
  readonly until: number
}

// One for the process, since nobody holds an object that could have its own. The key is the whole request, the secret and the user's token
// among it: who gets an answer from here could have asked for it.
const kept = new LRUCache<string, Kept>({ max: MAX_KEPT })
const asking = new SingleFlight<ExchangedToken>()

/**
 * Exchanges a user's token for one that another API takes, so that a tool acts for the user there and nobody's token is passed on.
 *
 * @throws TokenExchangeError where the identity provider says no, OAuthError `temporarily_unavailable` where it says nothing, ConfigError
 * @example
 * const caller = getAccessToken(request)
 * const { accessToken } = await exchangeToken({
 *   kind: 'on_behalf_of',
 *   tokenUrl: `https://login.microsoftonline.com/${tenantId}/oauth2/v2.0/token`,
 *   clientId,
 *   clientSecret,
 *   subjectToken: caller.upstream ?? caller.token,
 *   scopes: ['https://graph.microsoft.com/User.Read'],
 * })
 */
export async function exchangeToken(options: ExchangeTokenOptions): Promise<ExchangedToken> {
  const question = await readQuestion(options)
  const deps = createDeps(options.deps)
  if (!question.cached) return ask(question, deps)
  const key = digest(JSON.stringify(question.request))
  const known = kept.get(key)
  if (known !== undefined && known.until > deps.now()) return known.exchanged
  return asking.run(key, async () => {
    const exchanged = await ask(question, deps)
    keep(key, exchanged, deps.now())
    return exchanged
  })
}

/** Until a minute before its end, or half-way where it lives for less than two. What tells no end is not kept. */
function keep(key: string, exchanged: ExchangedToken, now: number): void {
  if (exchanged.expiresAt === undefined) return
  const end = exchanged.expiresAt * 1000
  kept.set(key, { exchanged, until: end - Math.min(60_000, (end - now) / 2) })
}

/** RFC 8693 2.2.1: what is no access token says so. */
const TOKEN_TYPES = ['bearer', 'n_a']

async function ask({ request, scopes, secrets }: Question, deps: Deps): Promise<ExchangedToken> {
  const asked = deps.now()
  const answer = await send(request, secrets, deps)
  if (answer.kind === 'error') throw refusalOf(answer, request, secrets)
  const { accessToken, expiresIn, issuedTokenType } = answer
  // It is shared by whoever asks the same.
  return Object.freeze({
    accessToken,
    ...(expiresIn !== undefined && { expiresAt: Math.floor(asked / 1000 + expiresIn) }),
    scopes: Object.freeze([...(answer.scopes ?? scopes)]),
    ...(issuedTokenType !== undefined && { issuedTokenType }),
  })
}

async function send(request: BoundedRequest, secrets: readonly string[], deps: Deps): Promise<TokenResponse> {
  try {
    return readTokenResponse(await boundedFetch(request, deps), TOKEN_TYPES)
  } catch (error) {
    throw unavailable(`${withoutQuery(request.url)}: ${withoutSecrets((error as Error).message, secrets)}`)
  }
}

const PASSING_ERRORS: ReadonlySet<string> = new Set(['server_error', 'temporarily_unavailable', 'slow_down'])

function refusalOf(
  { error, description, status, claims }: Extract<TokenResponse, { kind: 'error' }>,
  { url }: BoundedRequest,
  secrets: readonly string[],
): Error {
  const code = withoutSecrets(error, secrets)
  const told = cleanText(withoutSecrets(description, secrets), MAX_DESCRIPTION)
  const parts = [
    `${withoutQuery(url)} refused to exchange the token: ${code}`,
    told,
    explainEntra(error, description) ?? ADVICE.get(error),
  ]
  const message = parts.filter((part) => part !== undefined).join('. ')
  const passes = status >= 500 || status === 429 || PASSING_ERRORS.has(error)
  return passes ? unavailable(message) : new TokenExchangeError(code, message, claims)
}

const MAX_DESCRIPTION = 300

/** What to do, by code (RFC 6749 5.2, RFC 8693 2.2.2, OpenID Connect Core 3.1.2.6). */
const ADVICE: ReadonlyMap<string, string> = new Map([
  ['invalid_client', 'The client ID or secret is wrong, or the endpoint wants it in another way ("authMethod")'],
  ['invalid_grant', "The user's token has ended, or was not issued for this app: the user has to sign in again"],
  ['invalid_request', "The user's token is not good there, or something is missing"],
  ['invalid_scope', 'A scope is unknown there, or this app may not have it'],
  ['invalid_target', 'The audience or resource is unknown there, or this app may have no tokens for it'],
  ['access_denied', 'A policy of the identity provider forbids it'],
  ['consent_required', 'The user, or an administrator, has to consent to the scopes for this app first'],
  ['interaction_required', 'The user has to sign in again, for a second factor or to consent'],
  ['login_required', 'The user has to sign in again'],
  ['unauthorized_client', 'This app may not exchange tokens: allow it at the identity provider'],
  ['unsupported_grant_type', 'The identity provider does not exchange tokens, or it has to be switched on for this app'],
]) // prettier-ignore

function unavailable(detail: string): OAuthError {
  const words = 'The identity provider cannot exchange a token right now, try again shortly'
  return new OAuthError('temporarily_unavailable', words, { detail, retryAfterSeconds: 1 })
}

// One sign-in by a browser: what it was begun with, and what came back (RFC 6749 4.1.2, RFC 9207 2.4).
import type { CallbackOutcome } from './callback-page.js'
import { ClientError } from './client-error.js'
import { sameIssuer } from './credentials.js'
import type { DiscoveryState, StoredClient } from './sdk-types.js'
import { covers, metadataOfAnother } from './server-discovery.js'

/** What is written down before a browser leaves. */
export interface SignInFacts {
  readonly state: string
  readonly verifier: string
  readonly redirectUrl: string
  readonly scope: string | undefined
  readonly issuer: string
  readonly resource: string
  readonly client: StoredClient
  readonly discovery: DiscoveryState
}

/** One that was begun. */
export class SignIn {
  readonly facts: SignInFacts
  /** What came back; rejects where nothing did, or nothing that may be used. */
  readonly answer: Promise<URLSearchParams>
  /** Whether somebody may still come back. */
  waiting = true
  /** Whether tokens came of it, or cannot come any more. */
  over = false
  /** The one exchange of the code that came. */
  finished: Promise<void> | undefined
  #resolve: (answer: URLSearchParams) => void = () => undefined
  #reject: (error: ClientError) => void = () => undefined

  constructor(facts: SignInFacts) {
    this.facts = facts
    this.answer = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    // Nobody may be waiting when it fails; whoever asks later is told.
    this.answer.catch(() => undefined)
  }

  /** Looks at what a browser brought. Only what belongs to this sign-in ends it. */
  judge(answer: URLSearchParams): CallbackOutcome {
    const code = answer.get('code')
    const error = answer.get('error')
    const isOurs = this.waiting && answer.get('state') === this.facts.state
    if (!isOurs || (code ?? error) === null) return { kind: 'ignored' }
    const mixUp = refuseIssuer(answer.get('iss'), this.facts)
    if (mixUp !== undefined) {
      // Whatever else is said comes from who knows where: none of it is shown, or used.
      this.fail(mixUp)
      return { kind: 'refused', detail: 'issuer_mismatch' }
    }
    this.waiting = false
    this.#resolve(answer)
    if (error === null) return { kind: 'done' }
    const description = answer.get('error_description')
    return { kind: 'refused', detail: description === null ? error : `${error}: ${description}` }
  }

  /**
   * Its code goes to where the browser was sent, and nowhere else.
   *
   * @throws ClientError `issuer_mismatch`
   */
  checkExchange(issuer: string = this.facts.issuer): void {
    if (sameIssuer(issuer, this.facts.issuer)) return
    const [there, here] = [issuer, this.facts.issuer].map((each) => JSON.stringify(each))
    throw new ClientError('issuer_mismatch', `The code came from ${here}, and was not sent to ${there}`)
  }

  /** Nothing will come of it. */
  fail(error: ClientError): void {
    this.waiting = false
    this.over = true
    this.#reject(error)
  }
}

/**
 * RFC 9207 2.4: compared letter by letter, and missing only where it was not promised. Without metadata the authorization server is known
 * by its address alone, which may have a slash at the end.
 */
function refuseIssuer(iss: string | null, { discovery, issuer }: SignInFacts): ClientError | undefined {
  const metadata = discovery.authorizationServerMetadata
  const promised = metadata?.authorization_response_iss_parameter_supported
  if (iss === null && promised !== true) return undefined
  if (iss !== null && (metadata === undefined ? sameIssuer(iss, issuer) : iss === issuer)) return undefined
  const who = iss === null ? 'nobody, though its metadata promises to say who' : JSON.stringify(iss)
  return new ClientError(
    'issuer_mismatch',
    `The browser came back from ${who}; it had been sent to ${JSON.stringify(issuer)}. The answer was not used`,
  )
}

/**
 * RFC 9728 3.3: metadata that speaks for another server would have us use the tokens for that one. The SDKs look at it too late.
 * RFC 8414 3.3: metadata that speaks for another issuer is not that of the one who was asked. SDK v1 leaves that to us.
 *
 * @throws ClientError `discovery_failed`, `issuer_mismatch`
 */
export function checkDiscovery(
  { authorizationServerUrl, authorizationServerMetadata, resourceMetadata }: DiscoveryState,
  serverUrl: string,
): void {
  const resource = resourceMetadata?.resource
  if (resource !== undefined && !covers(resource, serverUrl)) throw metadataOfAnother(serverUrl, resource)
  const issuer = authorizationServerMetadata?.issuer
  if (issuer === undefined || sameIssuer(issuer, authorizationServerUrl)) return
  throw new ClientError(
    'issuer_mismatch',
    `The metadata of ${JSON.stringify(authorizationServerUrl)} is that of ${JSON.stringify(issuer)}. Nothing was sent there`,
  )
}

/**
 * RFC 9700 4.4: a browser that was sent to one authorization server must not be taken for one that comes back from another. Requests at
 * once may have been told of several.
 *
 * @throws ClientError `issuer_mismatch`
 */
export function checkDestination(url: URL, discovery: DiscoveryState): void {
  const { authorizationServerMetadata: metadata, authorizationServerUrl } = discovery
  const endpoint = new URL(metadata?.authorization_endpoint ?? '/authorize', authorizationServerUrl)
  if (url.origin === endpoint.origin && url.pathname === endpoint.pathname) return
  throw new ClientError(
    'issuer_mismatch',
    `A browser was to be sent to ${url.origin}${url.pathname}; ${JSON.stringify(metadata?.issuer ?? authorizationServerUrl)} is elsewhere. Nothing was opened`,
  )
}

/**
 * MCP authorization, authorization code protection: who does not say that they know PKCE is not asked.
 *
 * @throws ClientError `no_pkce`
 */
export function checkPkce({
  authorizationServerMetadata: metadata,
  authorizationServerUrl,
}: DiscoveryState): void {
  if (metadata?.code_challenge_methods_supported?.includes('S256') === true) return
  throw new ClientError(
    'no_pkce',
    `${JSON.stringify(metadata?.issuer ?? authorizationServerUrl)} does not list S256 in "code_challenge_methods_supported", so a stolen code could be used by anybody. ` +
      'If you know better, set "dangerouslyAllowUnadvertisedPkce"',
  )
}

// What a person and an MCP client do together: the client asks for authorization, a browser follows it to the end.
import type {
  OAuthClientMetadata,
  OAuthClientProvider,
  OAuthDiscoveryState,
  StoredOAuthClientInformation,
  StoredOAuthTokens,
} from '@modelcontextprotocol/client'
import { Browser } from './browser-session.js'

/** Where the client waits for the browser. Nobody listens there: the journey ends when it is sent there. */
const REDIRECT_URI = 'http://127.0.0.1:33418/callback'

/** The SDKs' `OAuthClientProvider`, for both generations, with a browser that needs no person. */
export class HeadlessOAuthClient implements OAuthClientProvider {
  readonly redirectUrl = REDIRECT_URI
  readonly clientMetadata: OAuthClientMetadata = {
    client_name: 'Headless client',
    application_type: 'native',
    redirect_uris: [REDIRECT_URI],
    grant_types: ['authorization_code', 'refresh_token'],
    response_types: ['code'],
    token_endpoint_auth_method: 'none',
  }
  /** Who sits at the browser, where a page asks. */
  username = 'ada'
  /** Every authorization request that was made, in order. */
  readonly authorizationRequests: URLSearchParams[] = []
  /** What the browser brought back last. */
  callback = new URLSearchParams()
  readonly #browser = new Browser()
  #state = ''
  #verifier = ''
  #client: StoredOAuthClientInformation | undefined
  #tokens: StoredOAuthTokens | undefined
  #discovery: OAuthDiscoveryState | undefined

  state(): string {
    this.#state = crypto.randomUUID()
    return this.#state
  }

  async redirectToAuthorization(url: URL): Promise<void> {
    this.authorizationRequests.push(url.searchParams)
    const back = await this.#browser.grant(url, REDIRECT_URI, this.username)
    if (back.searchParams.get('state') !== this.#state) throw new Error('the state came back changed')
    this.callback = back.searchParams
  }

  clientInformation(): StoredOAuthClientInformation | undefined {
    return this.#client
  }

  saveClientInformation(client: StoredOAuthClientInformation): void {
    this.#client = client
  }

  tokens(): StoredOAuthTokens | undefined {
    return this.#tokens
  }

  saveTokens(tokens: StoredOAuthTokens): void {
    this.#tokens = tokens
  }

  invalidateCredentials(which: 'all' | 'client' | 'tokens' | 'verifier' | 'discovery'): void {
    if (which === 'all' || which === 'tokens') this.#tokens = undefined
    if (which === 'all' || which === 'client') this.#client = undefined
  }

  codeVerifier(): string {
    return this.#verifier
  }

  saveCodeVerifier(verifier: string): void {
    this.#verifier = verifier
  }

  discoveryState(): OAuthDiscoveryState | undefined {
    return this.#discovery
  }

  saveDiscoveryState(state: OAuthDiscoveryState): void {
    this.#discovery = state
  }
}

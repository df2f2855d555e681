// What a person and an MCP client do together: the client asks for authorization, a browser follows it to the end.
import type {
  OAuthClientMetadata,
  OAuthClientProvider,
  OAuthDiscoveryState,
  StoredOAuthClientInformation,
  StoredOAuthTokens,
} from '@modelcontextprotocol/client'

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
    const back = await this.#browser.visit(url, REDIRECT_URI)
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

/** Follows redirects and keeps cookies, as a browser does. */
class Browser {
  readonly #cookies = new Map<string, string>()

  /** Visits a page and goes where it is sent, until it is sent to `destination`. */
  async visit(start: URL, destination: string): Promise<URL> {
    let url = start
    while (!url.href.startsWith(destination)) {
      const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ')
      const response = await fetch(url, { redirect: 'manual', headers: { cookie } })
      for (const line of response.headers.getSetCookie()) this.#keep(line)
      const location = response.headers.get('location')
      if (location === null)
        throw new Error(`stuck at ${url.href}: ${response.status} ${await response.text()}`)
      url = new URL(location, url)
    }
    return url
  }

  #keep(line: string): void {
    const [, name, value] = /^([^=]+)=([^;]*)/.exec(line) ?? []
    if (name === undefined || value === undefined) return
    if (value === '') this.#cookies.delete(name)
    else this.#cookies.set(name, value)
  }
}

// What an MCP client remembers of its sign-in, as the SDK asks for it.
import type {
  OAuthClientMetadata,
  OAuthClientProvider,
  OAuthDiscoveryState,
  StoredOAuthClientInformation,
  StoredOAuthTokens,
} from '@modelcontextprotocol/client'

/** Where the client waits for the browser. */
export const REDIRECT_URI = 'http://127.0.0.1:33418/callback'

/** What the tour shows of an access token. */
interface Claims {
  readonly iss: string
  readonly aud: string
  readonly sub: string
  readonly scope: string
  readonly iat: number
  readonly exp: number
}

/** Credentials of one client, which end with the program. */
export class Credentials implements OAuthClientProvider {
  readonly redirectUrl = REDIRECT_URI
  readonly clientMetadata: OAuthClientMetadata = {
    client_name: 'Tour',
    redirect_uris: [REDIRECT_URI],
    token_endpoint_auth_method: 'none',
  }
  readonly #browse: (address: URL) => Promise<URL>
  #opened: URL | undefined
  #state = ''
  #verifier = ''
  #client: StoredOAuthClientInformation | undefined
  #tokens: StoredOAuthTokens | undefined
  #discovery: OAuthDiscoveryState | undefined

  /** @param browse takes a person to an address, and gives the address that the browser is sent to in the end */
  constructor(browse: (address: URL) => Promise<URL>) {
    this.#browse = browse
  }

  /** The SDK's word for: open a browser here. */
  redirectToAuthorization(address: URL): void {
    this.#opened = address
  }

  /** What the browser brings back. */
  async back(): Promise<URLSearchParams> {
    if (this.#opened === undefined) throw new Error('the client has not asked anybody to sign in')
    const { searchParams } = await this.#browse(this.#opened)
    if (searchParams.get('state') !== this.#state) throw new Error('this is an answer to somebody else')
    return searchParams
  }

  get clientId(): string | undefined {
    return this.#client?.client_id
  }

  /** The payload of the access token, which is for the server to read and here for us to look at. */
  claims(): Claims {
    const [, payload = ''] = this.#tokens?.access_token.split('.') ?? []
    return JSON.parse(Buffer.from(payload, 'base64url').toString()) as Claims
  }

  state(): string {
    this.#state = crypto.randomUUID()
    return this.#state
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

  /** They are worth nothing any more. */
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

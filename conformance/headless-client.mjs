// The SDKs' clients with a browser that needs no person: one `OAuthClientProvider` for both generations.
import { randomUUID } from 'node:crypto'
import { Browser } from './browse.mjs'

/** Nobody listens there: the journey ends when the browser is sent there. */
export const CALLBACK = 'http://127.0.0.1:33418/callback'

export const METADATA = {
  client_name: 'Headless client',
  redirect_uris: [CALLBACK],
  grant_types: ['authorization_code', 'refresh_token'],
  response_types: ['code'],
  token_endpoint_auth_method: 'none',
}

export class HeadlessProvider {
  redirectUrl = CALLBACK
  clientMetadata = METADATA
  /** What the browser brought back last. */
  callback
  #browser = new Browser()
  #held = {}

  /** With the URL of a document, the client presents that; otherwise it registers. */
  constructor(clientMetadataUrl) {
    if (clientMetadataUrl) this.clientMetadataUrl = clientMetadataUrl
  }

  state() {
    this.#held.state = randomUUID()
    return this.#held.state
  }

  async redirectToAuthorization(start) {
    const { url, status, text } = await this.#browser.visit(start, ({ href }) => href.startsWith(CALLBACK))
    if (status !== undefined) throw new Error(`the browser stopped at ${url.href}: ${status} ${text}`)
    if (url.searchParams.get('state') !== this.#held.state) throw new Error('the state came back changed')
    this.callback = url.searchParams
  }

  clientInformation = () => this.#held.client
  saveClientInformation = (client) => void (this.#held.client = client)
  tokens = () => this.#held.tokens
  saveTokens = (tokens) => void (this.#held.tokens = tokens)
  codeVerifier = () => this.#held.verifier
  saveCodeVerifier = (verifier) => void (this.#held.verifier = verifier)
  discoveryState = () => this.#held.discovery
  saveDiscoveryState = (state) => void (this.#held.discovery = state)

  invalidateCredentials(scope) {
    const names = { all: ['client', 'tokens', 'verifier', 'discovery'] }[scope] ?? [scope]
    for (const name of names) this.#held[name] = undefined
  }
}

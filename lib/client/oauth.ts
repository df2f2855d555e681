// The `authProvider` of both SDK generations: they speak the protocol, and this is the browser, the memory and the caution that it takes.
// Longer than most, since it is one conversation: each method is a line that the SDKs say to it, and all of them are about the same sign-in.
import { challengeOf } from '../protocol/pkce.js'
import { formatScopes } from '../protocol/scopes.js'
import type { Deps } from '../runtime/deps.js'
import type { Stored } from '../stores/collection.js'
import { CallbackPort } from './callback-port.js'
import { ClientError } from './client-error.js'
import { Credentials, type ServerRecord, type TokenRecord, sameIssuer } from './credentials.js'
import { type OAuthOptions, type OAuthSettings, parseOAuthOptions } from './oauth-options.js'
import { checkAuthorizationUrl } from './open-browser.js'
import { type Lease, Renewal } from './renewal.js'
import type {
  ClientMetadata,
  CredentialScope,
  DiscoveryState,
  IssuerContext,
  StoredClient,
  StoredTokens,
} from './sdk-types.js'
import { SignIn, checkDestination, checkDiscovery, checkPkce } from './sign-in.js'
import { MOST_SIGN_INS, SignInScopes, tooManySignIns } from './sign-in-scopes.js'
import { buildRecord, buildTokens } from './token-record.js'
import { authenticateClient, checkEndpoint } from './token-request.js'

/** A client of either SDK, as far as it is connected. */
export interface ConnectingClient<Transport> {
  connect(transport: Transport): Promise<unknown>
}

/** A transport of either SDK, as far as a sign-in is finished by it. SDK v1 takes no second argument, and needs none. */
export interface FinishingTransport {
  finishAuth(code: string, iss?: string): Promise<void>
}

/** What a sign-in rests on. */
interface Ground {
  readonly found: ServerRecord
  readonly discovery: DiscoveryState
}

const PROBE_MILLISECONDS = 5000

/**
 * Signs a person in by their browser, and remembers it. Pass it as `authProvider` to a transport of SDK v1 or v2.
 *
 * @example
 * const auth = new OAuth({ serverUrl: 'https://api.example.com/mcp', clientName: 'Notes' })
 * await auth.connect(client, () => new StreamableHTTPClientTransport(new URL(auth.serverUrl), { authProvider: auth }))
 */
export class OAuth {
  readonly serverUrl: string
  readonly clientMetadataUrl?: string
  readonly #settings: OAuthSettings
  readonly #deps: Deps
  readonly #credentials: Credentials
  readonly #renewal: Renewal
  readonly #callback: CallbackPort
  readonly #scopes: SignInScopes
  /** One, of which SDK v2 takes hold before it is known whether anybody has to sign in, and registers it after a port was picked. */
  readonly #redirectUrls: string[] = []
  /** What the SDK found out last. */
  #discovery: DiscoveryState | undefined
  #found: ServerRecord | undefined
  /** The clients that the SDK was given, or gave, by their IDs: of several requests at once each may have registered one. */
  readonly #clients = new Map<string, StoredClient>()
  #client: StoredClient | undefined
  #beginning: Promise<void> | undefined
  /** By their challenges: of several requests at once one is followed, and its verifier is the one that counts. */
  readonly #verifiers = new Map<string, string>()
  /** By their states, likewise: what was known when each was made. */
  readonly #grounds = new Map<string, Ground>()
  #signIn: SignIn | undefined
  readonly #usedCodes = new Set<string>()
  /** The tokens that were given out last, and the renewal of them that the SDK has under way. */
  #given: TokenRecord | undefined
  #lease: (Lease & { readonly key: string; readonly asked: string }) | undefined
  /** The SDK sent a code last, and not a refresh token. */
  #exchanging = false
  /** SDK v1 is at the point where it looks for tokens to renew. */
  #isAsking = false

  /** @throws ConfigError */
  constructor(options: OAuthOptions) {
    const settings = parseOAuthOptions(options)
    const { clientMetadataUrl, clientName, configured, deps, serverUrl, store } = settings
    this.serverUrl = serverUrl
    if (clientMetadataUrl !== undefined) this.clientMetadataUrl = clientMetadataUrl
    this.#settings = settings
    this.#deps = deps
    const who = JSON.stringify([clientName, configured?.clientId, clientMetadataUrl])
    this.#credentials = new Credentials(store, who, deps)
    this.#renewal = new Renewal(this.#credentials, deps)
    this.#callback = new CallbackPort(settings, deps)
    this.#scopes = new SignInScopes(settings.scopes, deps)
  }

  // What people call.

  /**
   * Connects a client, and signs in where that is needed: opens the browser, waits, and connects again.
   *
   * @param createTransport makes a transport with this object as its `authProvider`; one that failed is of no use any more
   */
  async connect<Transport extends FinishingTransport>(
    client: ConnectingClient<NoInfer<Transport>>,
    createTransport: () => Transport,
  ): Promise<Transport> {
    let transport = createTransport()
    await this.#signingIn(
      () => transport,
      async (isAgain) => {
        if (isAgain) transport = createTransport()
        await client.connect(transport)
      },
    )
    return transport
  }

  /** Does some work with a connected transport, such as a call of a tool that needs more scopes, and signs in where that is needed. */
  authorize<Result>(transport: FinishingTransport, work: () => Promise<Result>): Promise<Result> {
    return this.#signingIn(() => transport, work)
  }

  /**
   * What the browser brought back from the sign-in that was begun: hand it to `transport.finishAuth`, which takes all of it in SDK v2 and
   * the `code` in v1. State and issuer were checked.
   *
   * @throws ClientError where nobody is signing in, nobody came back in time, or somebody came from elsewhere
   */
  async waitForCallback(): Promise<URLSearchParams> {
    if (this.#signIn === undefined)
      throw new ClientError(
        'not_signed_in',
        'Nobody is signing in: connect first, and wait once that was refused',
      )
    return this.#signIn.answer
  }

  /** An access token for the server, renewed where it has to be. */
  async getToken(): Promise<string> {
    const stored = await this.#load()
    if (stored !== undefined) return stored.data.accessToken
    throw new ClientError('not_signed_in', `Nobody is signed in at ${this.serverUrl}: connect() does that`)
  }

  /** Renews a token that the server does not take any more. */
  async renew(rejected: string): Promise<void> {
    const found = await this.#where()
    const key = found && this.#keyOf(found)
    const stored = key === undefined ? undefined : await this.#credentials.tokens.get(key)
    if (key !== undefined && stored?.data.accessToken === rejected) await this.#renewal.renew(key, stored)
  }

  /** Forgets the tokens of this server. */
  async signOut(): Promise<void> {
    const found = await this.#where()
    if (found !== undefined) await this.#credentials.tokens.remove(this.#keyOf(found))
    this.#given = undefined
    this.close()
  }

  /** Waits for no browser any more. */
  close(): void {
    this.#signIn?.fail(new ClientError('not_signed_in', 'The sign-in was given up'))
    this.#callback.close()
  }

  // What the SDKs call, in the order in which they do.

  get redirectUrl(): string {
    return this.#signIn?.over === false ? this.#signIn.facts.redirectUrl : this.#callback.url
  }

  get clientMetadata(): ClientMetadata {
    const { clientName, scopes } = this.#settings
    this.#redirectUrls[0] = this.redirectUrl
    return {
      client_name: clientName,
      redirect_uris: this.#redirectUrls,
      application_type: 'native',
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      ...(scopes.length > 0 && { scope: formatScopes(scopes) }),
    }
  }

  async tokens(context?: IssuerContext): Promise<StoredTokens | undefined> {
    const mayRenew = context !== undefined || !this.#isAsking
    this.#isAsking = false
    const stored = await this.#load(context)
    const before = this.#given?.accessToken
    this.#given = stored?.data
    if (stored === undefined) return undefined
    const { refresh_token, ...tokens } = buildTokens(stored.data, this.#deps.now())
    // SDK v1 would renew a token that lacks a scope, and have the same again.
    const isGood = !mayRenew && before === stored.data.accessToken && (await this.#isTaken(before))
    return isGood || refresh_token === undefined ? tokens : { ...tokens, refresh_token }
  }

  /** While somebody is away in a browser, what was found out before they left counts; otherwise the server is asked anew. */
  discoveryState(): DiscoveryState | undefined {
    return this.#signIn?.over === false ? this.#signIn.facts.discovery : undefined
  }

  saveDiscoveryState(state: DiscoveryState): void {
    checkDiscovery(state, this.serverUrl)
    this.#discovery = state
    this.#found = {
      issuer: state.authorizationServerMetadata?.issuer ?? state.authorizationServerUrl,
      resource: state.resourceMetadata?.resource ?? this.serverUrl,
    }
  }

  async clientInformation(context?: IssuerContext): Promise<StoredClient | undefined> {
    const found = await this.#where(context)
    if (found === undefined) return undefined
    this.#isAsking = context === undefined
    // Without tokens somebody will have to sign in: a port is picked before anything is registered, and not for servers that let all in.
    if ((await this.#credentials.tokens.get(this.#keyOf(found))) === undefined) {
      await this.#callback.reserve(await this.#knownPort())
      this.#redirectUrls[0] = this.redirectUrl
    }
    const client = await this.#clientFor(found)
    if (client !== undefined) this.#know(client)
    return client
  }

  async saveClientInformation(client: StoredClient, context?: IssuerContext): Promise<void> {
    const found = await this.#where(context)
    if (found === undefined || this.#settings.configured !== undefined) return
    this.#know(client)
    await this.#credentials.keepRegistration(found.issuer, { client, port: this.#callback.listening })
  }

  async state(): Promise<string> {
    const ground = this.#ground()
    await this.#callback.listen(await this.#knownPort())
    const state = this.#deps.randomId()
    if (ground !== undefined) this.#grounds.set(state, ground)
    return state
  }

  saveCodeVerifier(verifier: string): void {
    this.#verifiers.set(challengeOf(verifier), verifier)
  }

  /** Opens the browser, unless somebody is away in it already. */
  async redirectToAuthorization(url: URL): Promise<void> {
    if (this.#beginning === undefined && this.#signIn?.waiting === true) return
    this.#beginning ??= this.#begin(new URL(url)).finally(() => {
      this.#beginning = undefined
    })
    await this.#beginning
  }

  async #begin(url: URL): Promise<void> {
    checkAuthorizationUrl(url)
    const ground = this.#grounds.get(url.searchParams.get('state') ?? '')
    const verifier = this.#verifiers.get(url.searchParams.get('code_challenge') ?? '')
    const client = this.#clients.get(url.searchParams.get('client_id') ?? '')
    if (ground === undefined || client === undefined || verifier === undefined)
      throw new ClientError('discovery_failed', 'This is not a sign-in that the SDK has begun')
    const { discovery, found } = ground
    checkDestination(url, discovery)
    // The SDK renewed in vain, and nobody tells us but by asking for this.
    await this.#letGo()
    if (!this.#settings.allowUnadvertisedPkce) checkPkce(discovery)
    this.#scopes.choose(url, (await this.#load())?.data.scope, discovery)
    const callback = await this.#callback.listen(await this.#knownPort())
    const signIn = new SignIn({
      state: url.searchParams.get('state') ?? '',
      verifier,
      redirectUrl: callback.url,
      scope: url.searchParams.get('scope') ?? undefined,
      ...found,
      client,
      discovery,
    })
    // What comes back for this sign-in is new, even to those whose codes look all the same, or like one of another authorization server.
    void signIn.answer.then(
      (answer) => this.#usedCodes.delete(answer.get('code') ?? ''),
      () => undefined,
    )
    this.#verifiers.clear()
    this.#grounds.clear()
    this.#clients.clear()
    this.#signIn = signIn
    this.#callback.await(signIn, callback)
    try {
      await this.#settings.openBrowser(url)
    } catch (error) {
      signIn.fail(new ClientError('no_browser', 'The browser could not be opened', { cause: error }))
      this.#callback.close()
      throw error
    }
  }

  codeVerifier(): string {
    if (this.#signIn === undefined) throw new ClientError('not_signed_in', 'Nobody is signing in')
    return this.#signIn.facts.verifier
  }

  /** Asked before each request to a token endpoint, and so the place where a renewal waits for those of others. Both SDKs call it without `this`. */
  readonly addClientAuthentication = async (
    headers: Headers,
    form: URLSearchParams,
    url: string | URL,
    metadata?: {
      readonly issuer: string
      readonly token_endpoint_auth_methods_supported?: string[] | undefined
    },
  ): Promise<void> => {
    checkEndpoint(String(url))
    const found = await this.#where(metadata && { issuer: metadata.issuer })
    const refreshToken = form.get('refresh_token')
    const code = form.get('code')
    this.#exchanging = code !== null
    if (code !== null) {
      this.#signIn?.checkExchange(metadata?.issuer)
      this.#useUp(code)
      await this.#letGo()
    }
    let client = found && (await this.#clientFor(found))
    if (found !== undefined && refreshToken !== null) {
      const key = this.#keyOf(found)
      const lease = await this.#renewal.lease(key)
      if (lease !== undefined) {
        this.#lease = { ...lease, key, asked: refreshToken }
        // Somebody else has used up what the SDK read a moment ago.
        form.set('refresh_token', lease.refreshToken)
        client = lease.read.data.client
      }
    }
    if (client === undefined) throw new ClientError('not_signed_in', 'No client is registered there')
    const { client_id: clientId, client_secret: clientSecret, token_endpoint_auth_method: method } = client
    const supported = metadata?.token_endpoint_auth_methods_supported
    authenticateClient({ clientId, clientSecret, method }, supported, headers, form)
  }

  async saveTokens(tokens: StoredTokens, context?: IssuerContext): Promise<void> {
    const found = await this.#where(context)
    const signIn = this.#signIn?.over === false ? this.#signIn.facts : undefined
    const discovery = signIn?.discovery ?? this.#discovery
    const client = signIn?.client ?? this.#client
    if (found === undefined || discovery === undefined || client === undefined)
      throw new ClientError('discovery_failed', 'These tokens are not those of a server that is known')
    const key = this.#keyOf(found)
    const origin = { found, discovery, client, scope: signIn?.scope }
    const record = buildRecord(tokens, origin, this.#deps.now())
    this.#isAsking = false
    const lease = this.#lease
    this.#lease = undefined
    const read = this.#exchanging ? undefined : (lease?.read ?? (await this.#credentials.tokens.get(key)))
    if (read === undefined) {
      await this.#credentials.tokens.put(key, record, this.#credentials.expiresAt)
      this.#endSignIn()
    } else {
      const { client: owner, scope, idToken } = read.data
      // The SDK fills in what it sent where no new one came; but what was sent is not what it knows of.
      const refreshToken = record.refreshToken === lease?.asked ? lease?.refreshToken : record.refreshToken
      await this.#renewal.keep(key, read, {
        ...record,
        client: owner,
        refreshToken,
        scope: tokens.scope ?? scope,
        idToken: record.idToken ?? idToken,
      })
    }
    await this.#credentials.keepServer(this.serverUrl, found)
  }

  /** Forgets what the authorization server did not take; what somebody else got meanwhile stays. */
  async invalidateCredentials(what: CredentialScope): Promise<void> {
    const found = await this.#where()
    if (what === 'verifier' || what === 'discovery') {
      this.#forgetSignIn()
      return
    }
    if (found === undefined) return
    if (what !== 'tokens' && this.#client !== undefined)
      await this.#credentials.forgetRegistration(found.issuer, this.#client.client_id)
    // A code that was not taken says nothing about tokens.
    if (what !== 'client' && !this.#exchanging) await this.#forgetTokens(this.#keyOf(found))
    if (what !== 'tokens') this.#forgetSignIn()
  }

  // What happens behind that.

  async #signingIn<Result>(
    transport: () => FinishingTransport,
    work: (isAgain: boolean) => Promise<Result>,
  ): Promise<Result> {
    for (let signIns = 0; ; signIns++) {
      const before = this.#signIn
      try {
        return await work(signIns > 0)
      } catch (error) {
        const signIn = this.#signIn
        // One that ended meanwhile says better why.
        if (signIn === undefined || (signIn.over && signIn === before)) throw error
        if (signIns === MOST_SIGN_INS) throw tooManySignIns(error)
        await this.#finish(signIn, transport())
      }
    }
  }

  /** However many wait for one sign-in, its code is exchanged once. */
  #finish(signIn: SignIn, transport: FinishingTransport): Promise<void> {
    signIn.finished ??= (async () => {
      const answer = await signIn.answer
      const code = answer.get('code')
      try {
        if (code === null) throw refused(answer)
        await transport.finishAuth(code, answer.get('iss') ?? undefined)
      } finally {
        signIn.over = true
      }
    })()
    return signIn.finished
  }

  /** What a sign-in that begins now rests on: while another one is under way, that is all the SDK is told (see `discoveryState`). */
  #ground(): Ground | undefined {
    if (this.#signIn?.over === false)
      return { found: this.#signIn.facts, discovery: this.#signIn.facts.discovery }
    const [found, discovery] = [this.#found, this.#discovery]
    return found && discovery && { found, discovery }
  }

  /** Where the tokens for the server come from: from where somebody signs in, or what was just found out, or else as it was last time. */
  async #where(context?: IssuerContext): Promise<ServerRecord | undefined> {
    const known = this.#ground()?.found ?? this.#found ?? (await this.#credentials.server(this.serverUrl))
    if (context === undefined || known === undefined || sameIssuer(known.issuer, context.issuer)) return known
    return { ...known, issuer: context.issuer }
  }

  #keyOf(found: ServerRecord): string {
    return this.#credentials.keyOf(this.serverUrl, found)
  }

  /** The tokens that are there, renewed where they are at their end. */
  async #load(context?: IssuerContext): Promise<Stored<TokenRecord> | undefined> {
    const found = await this.#where(context)
    if (found === undefined) return undefined
    const key = this.#keyOf(found)
    const stored = await this.#credentials.tokens.get(key)
    return stored !== undefined && this.#renewal.isDue(key, stored.data)
      ? this.#renewal.renew(key, stored)
      : stored
  }

  /** Whether the server lets a token in, so that it is scopes that are missing. It is asked nothing else. */
  async #isTaken(accessToken: string): Promise<boolean> {
    const abort = new AbortController()
    const cancel = this.#deps.after(PROBE_MILLISECONDS, () => {
      abort.abort()
    })
    try {
      const headers = { authorization: `Bearer ${accessToken}`, accept: 'text/event-stream' }
      const { signal } = abort
      const { body, status } = await this.#deps.fetch(this.serverUrl, { headers, redirect: 'manual', signal })
      await body?.cancel()
      return status !== 401 && status < 500
    } catch {
      return false
    } finally {
      cancel()
    }
  }

  /** The client that an authorization server knows, and no other. */
  async #clientFor(found: ServerRecord): Promise<StoredClient | undefined> {
    const { configured } = this.#settings
    if (configured !== undefined) {
      await this.#checkBound(found.issuer)
      const { clientId, clientSecret } = configured
      return {
        client_id: clientId,
        ...(clientSecret !== undefined && { client_secret: clientSecret }),
        issuer: found.issuer,
      }
    }
    const signIn = this.#signIn
    if (signIn?.over === false && sameIssuer(signIn.facts.issuer, found.issuer)) return signIn.facts.client
    const owner = (await this.#credentials.tokens.get(this.#keyOf(found)))?.data.client
    if (owner !== undefined) return owner
    const known = (await this.#credentials.registration(found.issuer))?.data
    const port = this.#callback.listening
    // Servers that compare ports would not send anybody back here.
    const isElsewhere = port !== undefined && known?.port !== undefined && known.port !== port
    return known?.client.client_id !== this.clientMetadataUrl && isElsewhere ? undefined : known?.client
  }

  /** A client that was registered by hand is known to one authorization server, and another one learns nothing of it. */
  async #checkBound(issuer: string): Promise<void> {
    const bound = this.#settings.issuer ?? (await this.#credentials.server(this.serverUrl))?.issuer
    if (bound === undefined || sameIssuer(bound, issuer)) return
    throw new ClientError(
      'issuer_mismatch',
      `The server names ${JSON.stringify(issuer)} as its authorization server; client and tokens are those of ${JSON.stringify(bound)}, and were not sent. ` +
        'If it has moved, set "issuer"',
    )
  }

  /** Where the browser came back to last time. */
  async #knownPort(): Promise<number | undefined> {
    const found = await this.#where()
    return found && (await this.#credentials.registration(found.issuer))?.data.port
  }

  #know(client: StoredClient): void {
    this.#clients.set(client.client_id, client)
    this.#client = client
  }

  #endSignIn(): void {
    if (this.#signIn !== undefined) this.#signIn.over = true
    this.#discovery = undefined
    this.#exchanging = false
  }

  #forgetSignIn(): void {
    this.#verifiers.clear()
    this.#grounds.clear()
    if (this.#signIn?.waiting === false) this.#signIn.over = true
  }

  /** RFC 6749 4.1.2: a code that comes twice ends all that came of it, so it is sent once, however often the SDK tries. */
  #useUp(code: string): void {
    if (this.#usedCodes.has(code))
      throw new ClientError(
        'code_used',
        'The code was sent before, and was not taken or has been used: sign in again',
      )
    this.#usedCodes.add(code)
  }

  /** Lets others renew, where the SDK has given it up. */
  async #letGo(): Promise<void> {
    const lease = this.#lease
    this.#lease = undefined
    if (lease !== undefined) await this.#renewal.giveBack(lease.key, lease)
  }

  async #forgetTokens(key: string): Promise<void> {
    const lost = this.#lease?.refreshToken ?? this.#given?.refreshToken
    const current = await this.#credentials.tokens.get(key)
    const lease = this.#lease
    this.#lease = undefined
    if (current === undefined) return
    const isLost =
      lost === undefined
        ? current.data.accessToken === this.#given?.accessToken
        : current.data.refreshToken === lost
    if (isLost) await this.#renewal.drop(key, current)
    else if (lease !== undefined) await this.#renewal.giveBack(key, lease)
  }
}

function refused(answer: URLSearchParams): ClientError {
  const error = answer.get('error') ?? undefined
  const description = answer.get('error_description') ?? ''
  return new ClientError(
    'sign_in_refused',
    `The authorization server said no: ${error} ${description}`.trim(),
    {
      error,
    },
  )
}

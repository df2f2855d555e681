// The whole way of an MCP client against an app under test: refused, told where to ask (RFC 9728), registered (RFC 7591), sent there with a
// browser that agrees to everything (RFC 6749 4.1, RFC 7636, RFC 8707), and given tokens. Where it stops, the error says what came.
// One thing despite its length: the steps stand in the order in which they are made, so that an error is found by its step.
import { randomBytes } from 'node:crypto'
import { Server, type IncomingMessage, type ServerResponse } from 'node:http'
import { basicCredentials } from '../protocol/client-secret.js'
import { challengeOf } from '../protocol/pkce.js'
import { parseScopes } from '../protocol/scopes.js'
import { originOf, pathOf, protectedResourcePaths, wellKnownPath } from '../protocol/well-known.js'
import { createDeps } from '../runtime/deps.js'
import { Browser, type PageForm, type Shown, formsOf, isAt, textOf } from './browser.js'
import { addressOf, listenOnLoopback } from './loopback.js'
import { Wire } from './wire.js'

/** An app under test: of Express, connect or node, a server, or where one is. Apps and servers are found at their public URL too. */
export type TestedApp =
  ((request: IncomingMessage, response: ServerResponse) => unknown) | Server | string | URL

/** Options of {@link signIn}. */
export interface SignInOptions {
  /** Of the MCP endpoint. Default: `/mcp`. */
  readonly path?: string
  /** Asked for. Default: what the challenge names, or else the metadata. */
  readonly scopes?: readonly string[]
  /** A client that is known there. Default: it registers. */
  readonly clientId?: string
  readonly clientSecret?: string
  /** What it says of itself when it registers, e.g. `{ client_name: 'Test' }`. */
  readonly clientMetadata?: Readonly<Record<string, unknown>>
  /** Where it listens. Nobody has to: the address is looked at, and not asked for. Default: `http://127.0.0.1:33418/callback`. */
  readonly redirectUri?: string
  /** Typed where a page asks for a password. */
  readonly username?: string
  readonly password?: string
  /** Fills in pages of your own: what to send beside what the form holds. Undefined leaves it to `signIn`. */
  readonly fill?: (form: PageForm, page: Shown) => Readonly<Record<string, string>> | undefined
}

/** What somebody who signed in holds. */
export interface SignedIn {
  readonly accessToken: string
  readonly refreshToken: string | undefined
  readonly idToken: string | undefined
  /** As the server granted them. */
  readonly scopes: readonly string[]
  readonly clientId: string
  /** Calls the app with the access token. */
  request(path?: string, init?: RequestInit): Promise<Response>
  /** The tokens that the refresh token brings. */
  refresh(): Promise<SignedIn>
  /** Stops the app, where it was started here. */
  readonly close: () => Promise<void>
}

/** A step of the way. */
export type SignInStep =
  | 'challenge' | 'resource metadata' | 'server metadata' | 'registration' | 'authorization' | 'callback' | 'token' // prettier-ignore

/** Says at which step it stopped, and what came. */
export class SignInError extends Error {
  override readonly name: string = 'SignInError'
  readonly step: SignInStep

  constructor(step: SignInStep, why: string, options?: ErrorOptions) {
    super(`signIn stopped at the ${step}: ${why}`, options)
    this.step = step
  }
}

/** JSON from a server under test: anything may be in it. */
type Document = Readonly<Record<string, unknown>>

/** What the way needs at every step. */
interface Walk {
  readonly wire: Wire
  /** URL of the MCP endpoint, as it is asked. */
  readonly endpoint: URL
  readonly isOurs: boolean
  readonly options: SignInOptions
  readonly redirectUri: string
}

interface Discovered {
  /** The MCP endpoint, at the public URL of the app. */
  readonly endpoint: URL
  readonly issuer: string
  readonly server: Document
  readonly resource: string
  readonly scopes: readonly string[]
}

interface ClientCredentials {
  readonly clientId: string
  readonly clientSecret: string | undefined
  readonly method: string
}

/**
 * Signs in to an app as an MCP client would, with a browser that agrees to everything: discovery from the 401, registration, authorization,
 * the app's own pages of this package, and what an identity provider sends on without a page.
 *
 * @throws SignInError that says at which step it stopped, and what came
 * @example
 * const ada = await signIn(app, { username: 'ada', password: 'analytical' })
 * const response = await ada.request('/mcp', { method: 'POST', body })
 */
export async function signIn(app: TestedApp, options: SignInOptions = {}): Promise<SignedIn> {
  const { address, close } = await serve(app)
  try {
    const walk: Walk = {
      wire: new Wire(createDeps()),
      endpoint: new URL(options.path ?? '/mcp', address),
      isOurs: typeof app === 'function' || app instanceof Server,
      options,
      redirectUri: options.redirectUri ?? 'http://127.0.0.1:33418/callback',
    }
    const found = await discover(walk)
    const client = await register(walk, found)
    const grant = await authorize(walk, found, client)
    const tokens = await askForTokens(walk, found, client, grant)
    return signedIn({ walk, found, client, close }, tokens)
  } catch (error) {
    await close()
    throw error
  }
}

async function serve(app: TestedApp): Promise<{ address: string; close: () => Promise<void> }> {
  const leaveRunning = (): Promise<void> => Promise.resolve()
  if (typeof app === 'string' || app instanceof URL) return { address: String(app), close: leaveRunning }
  if (app instanceof Server && app.listening) return { address: addressOf(app), close: leaveRunning }
  const { url, close } = await listenOnLoopback(app)
  return { address: url, close }
}

async function discover(walk: Walk): Promise<Discovered> {
  const { wire, endpoint, isOurs } = walk
  const refusal = await ask(walk, 'challenge', endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: '{"jsonrpc":"2.0","id":1,"method":"ping"}',
  })
  if (refusal.status !== 401) {
    throw new SignInError('challenge', `401 was expected without a token, and ${refusal.shown} came`)
  }
  const challenge = refusal.headers.get('www-authenticate') ?? ''
  const metadataUrl = parameterOf(challenge, 'resource_metadata')
  if (metadataUrl === undefined) {
    throw new SignInError(
      'challenge',
      `it names no "resource_metadata", so that clients cannot find out where to sign in: ${challenge || 'no WWW-Authenticate'}`,
    )
  }
  const { origin } = isOurs ? new URL(metadataUrl) : endpoint
  if (isOurs) wire.serve(origin, endpoint.origin)

  const step = 'resource metadata'
  const metadata = await document(walk, step, metadataUrl)
  const { resource, authorization_servers: issuers } = metadata
  if (typeof resource !== 'string' || !protectedResourcePaths(resource).includes(pathOf(metadataUrl)))
    throw new SignInError(
      step,
      `"resource" of ${metadataUrl} is ${JSON.stringify(resource)}, which is not what it describes`,
    )
  const issuer: unknown = Array.isArray(issuers) ? issuers[0] : undefined
  if (typeof issuer !== 'string')
    throw new SignInError(step, `${metadataUrl} names no "authorization_servers"`)
  const wanted = parameterOf(challenge, 'scope')
  const scopes =
    walk.options.scopes ??
    (wanted === undefined ? textsIn(metadata['scopes_supported']) : parseScopes(wanted))
  return {
    endpoint: new URL(endpoint.pathname, origin),
    issuer,
    resource,
    scopes,
    server: await findServer(walk, issuer),
  }
}

/** MCP authorization server discovery: the places in the order in which clients look. */
async function findServer(walk: Walk, issuer: string): Promise<Document> {
  const path = pathOf(issuer).replace(/\/$/, '')
  const places = [
    wellKnownPath('oauth-authorization-server', issuer),
    wellKnownPath('openid-configuration', issuer),
    `${path}/.well-known/openid-configuration`,
  ]
  const tried: string[] = []
  for (const place of new Set(places)) {
    const url = originOf(issuer) + place
    const answer = await ask(walk, 'server metadata', url)
    const found = objectIn(answer.text)
    if (answer.status === 200 && found !== undefined) {
      if (found['issuer'] === issuer) return found
      const named = JSON.stringify(found['issuer'])
      throw new SignInError(
        'server metadata',
        `${url} is of the issuer ${named}, and ${issuer} was asked for`,
      )
    }
    tried.push(`${url}: ${answer.shown}`)
  }
  throw new SignInError('server metadata', `there is none of ${issuer} (${tried.join('; ')})`)
}

async function register(walk: Walk, { server }: Discovered): Promise<ClientCredentials> {
  const { clientId, clientSecret, clientMetadata } = walk.options
  if (clientId !== undefined) {
    const methods = textsIn(server['token_endpoint_auth_methods_supported'])
    const isPost = methods.includes('client_secret_post') && !methods.includes('client_secret_basic')
    const secretMethod = isPost ? 'client_secret_post' : 'client_secret_basic'
    return { clientId, clientSecret, method: clientSecret === undefined ? 'none' : secretMethod }
  }
  const endpoint = server['registration_endpoint']
  if (typeof endpoint !== 'string') {
    throw new SignInError('registration', 'the server has no "registration_endpoint": pass "clientId"')
  }
  const answer = await ask(walk, 'registration', endpoint, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({
      client_name: 'Test client',
      redirect_uris: [walk.redirectUri],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      ...clientMetadata,
    }),
  })
  const registered = objectIn(answer.text)
  const id = registered?.['client_id']
  if (!answer.ok || typeof id !== 'string') throw new SignInError('registration', answer.shown)
  const secret = registered?.['client_secret']
  const method = registered?.['token_endpoint_auth_method']
  return {
    clientId: id,
    clientSecret: typeof secret === 'string' ? secret : undefined,
    method: typeof method === 'string' ? method : typeof secret === 'string' ? 'client_secret_basic' : 'none',
  }
}

async function authorize(
  walk: Walk,
  { issuer, server, resource, scopes }: Discovered,
  { clientId }: ClientCredentials,
): Promise<Readonly<Record<string, string>>> {
  const verifier = randomBytes(32).toString('base64url')
  const state = randomBytes(16).toString('base64url')
  const url = new URL(endpointOf(server, 'authorization_endpoint', 'authorization'))
  const asked = {
    response_type: 'code',
    client_id: clientId,
    redirect_uri: walk.redirectUri,
    code_challenge: challengeOf(verifier),
    code_challenge_method: 'S256',
    state,
    resource,
    ...(scopes.length > 0 && { scope: scopes.join(' ') }),
  }
  for (const [name, value] of Object.entries(asked)) url.searchParams.set(name, value)

  const { searchParams: back } = await browse(walk, url)
  const error = back.get('error')
  if (error !== null) {
    const description = back.get('error_description')
    throw new SignInError(
      'callback',
      `the answer is ${error}${description === null ? '' : ` (${description})`}`,
    )
  }
  if (back.get('state') !== state)
    throw new SignInError('callback', 'another "state" came back than was sent')
  const iss = back.get('iss')
  if (iss === null ? server['authorization_response_iss_parameter_supported'] === true : iss !== issuer)
    throw new SignInError('callback', `"iss" is ${String(iss)}, and ${issuer} was asked (RFC 9207)`)
  const code = back.get('code')
  if (code === null) throw new SignInError('callback', 'there is neither a code nor an error')
  return {
    grant_type: 'authorization_code',
    code,
    code_verifier: verifier,
    redirect_uri: walk.redirectUri,
    resource,
  }
}

/** Goes to the server, and answers pages until the browser is sent to the client. */
async function browse({ wire, options, redirectUri }: Walk, url: URL): Promise<URL> {
  const browser = new Browser(wire)
  const answered = new Set<string>()
  let shown = await reached(browser.go(url, redirectUri), url)
  while (!isAt(shown.url, redirectUri)) {
    const form = fillIn(shown, options, answered)
    shown = await reached(browser.submit(form, redirectUri), form.action)
  }
  return shown.url
}

async function reached(going: Promise<Shown>, url: URL): Promise<Shown> {
  try {
    return await going
  } catch (cause) {
    throw new SignInError(
      'authorization',
      `${url.origin + url.pathname} cannot be reached: ${causeOf(cause)}`,
      {
        cause,
      },
    )
  }
}

/** @param answered kinds of pages that were answered before: one that comes again was not content with the answer */
function fillIn(shown: Shown, { fill, username, password }: SignInOptions, answered: Set<string>): PageForm {
  const place = `${shown.url.origin + shown.url.pathname} (${shown.status})`
  const stop = (why: string): never => {
    throw new SignInError('authorization', `${place} ${why}: ${textOf(shown.html).slice(0, 500)}`)
  }
  const forms = formsOf(shown)
  for (const form of forms) {
    const own = fill?.(form, shown)
    const asksWho = form.names.includes('password')
    const typed =
      own ??
      (asksWho && username !== undefined && password !== undefined ? { username, password } : undefined) ??
      (form.names.includes('decision') ? { decision: 'allow' } : undefined)
    if (typed === undefined && asksWho)
      return stop('asks for a name and a password: pass "username" and "password"')
    if (typed === undefined) continue
    const kind = `${form.action.pathname} ${form.names.join(' ')}`
    if (answered.has(kind)) return stop('asks again, so it did not take the answer')
    answered.add(kind)
    return { ...form, fields: { ...form.fields, ...typed } }
  }
  return stop(forms.length === 0 ? 'leads nowhere' : 'asks what signIn has no answer to: pass "fill"')
}

/** Everything that tokens are renewed with. */
interface Session {
  readonly walk: Walk
  readonly found: Discovered
  readonly client: ClientCredentials
  readonly close: () => Promise<void>
}

async function askForTokens(
  walk: Walk,
  { server }: Discovered,
  { clientId, clientSecret, method }: ClientCredentials,
  grant: Readonly<Record<string, string>>,
): Promise<Document> {
  const isBasic = clientSecret !== undefined && method === 'client_secret_basic'
  const isPost = clientSecret !== undefined && !isBasic
  const form = { ...grant, client_id: clientId, ...(isPost && { client_secret: clientSecret }) }
  const answer = await ask(walk, 'token', endpointOf(server, 'token_endpoint', 'token'), {
    method: 'POST',
    body: new URLSearchParams(form),
    ...(isBasic && { headers: { authorization: basicCredentials(clientId, clientSecret) } }),
  })
  const tokens = objectIn(answer.text)
  if (!answer.ok || tokens === undefined || typeof tokens['access_token'] !== 'string')
    throw new SignInError('token', answer.shown)
  return tokens
}

function signedIn(session: Session, tokens: Document, before?: SignedIn): SignedIn {
  const { walk, found, client, close } = session
  const { access_token: accessToken, refresh_token: renewed, id_token: idToken, scope } = tokens
  const refreshToken = typeof renewed === 'string' ? renewed : before?.refreshToken
  const now: SignedIn = {
    accessToken: String(accessToken),
    refreshToken,
    idToken: typeof idToken === 'string' ? idToken : before?.idToken,
    // RFC 6749 5.1: what is not said is what was asked for.
    scopes: typeof scope === 'string' ? parseScopes(scope) : (before?.scopes ?? found.scopes),
    clientId: client.clientId,
    request(path = found.endpoint.pathname, init = {}) {
      const headers = new Headers(init.headers)
      if (!headers.has('authorization')) headers.set('authorization', `Bearer ${now.accessToken}`)
      return walk.wire.send(new URL(path, found.endpoint), { ...init, headers })
    },
    async refresh() {
      if (refreshToken === undefined) throw new SignInError('token', 'there is no refresh token')
      const grant = { grant_type: 'refresh_token', refresh_token: refreshToken, resource: found.resource }
      return signedIn(session, await askForTokens(walk, found, client, grant), now)
    },
    close,
  }
  return now
}

/** An answer, read. */
interface Answer {
  readonly status: number
  readonly ok: boolean
  readonly headers: Headers
  readonly text: string
  /** Status and words, for an error. */
  readonly shown: string
}

async function ask({ wire }: Walk, step: SignInStep, url: URL | string, init?: RequestInit): Promise<Answer> {
  try {
    const response = await wire.ask(url, init)
    const { status, ok, headers } = response
    const text = await response.text()
    const words = textOf(text).slice(0, 500)
    return { status, ok, headers, text, shown: `${status}${words === '' ? '' : ` ${words}`}` }
  } catch (cause) {
    throw new SignInError(step, `${String(url)} cannot be reached: ${causeOf(cause)}`, { cause })
  }
}

async function document(walk: Walk, step: SignInStep, url: string): Promise<Document> {
  const answer = await ask(walk, step, url)
  const found = answer.status === 200 ? objectIn(answer.text) : undefined
  if (found !== undefined) return found
  throw new SignInError(step, `${url} answers ${answer.shown}`)
}

function endpointOf(server: Document, name: string, step: SignInStep): string {
  const endpoint = server[name]
  if (typeof endpoint === 'string' && URL.canParse(endpoint)) return endpoint
  throw new SignInError(step, `the server metadata has no "${name}"`)
}

function objectIn(text: string): Document | undefined {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Document)
      : undefined
  } catch {
    return undefined
  }
}

function textsIn(value: unknown): readonly string[] {
  return Array.isArray(value) ? value.filter((text) => typeof text === 'string') : []
}

function parameterOf(challenge: string, name: string): string | undefined {
  return new RegExp(`(?:^|[\\s,])${name}="([^"]*)"`).exec(challenge)?.[1]
}

/** Why a request failed: what fetch says of it stands one floor below. */
function causeOf(error: unknown): string {
  const { cause = error } = error as { readonly cause?: unknown }
  const { message, code } = Object(cause) as { readonly message?: unknown; readonly code?: unknown }
  return String(message || code || cause)
}

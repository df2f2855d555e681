// Options that every provider with an authorization server of its own takes, read once.
import { parseClients, type ConfiguredClient } from './configured-clients.js'
import type { SignIn, UpstreamSignIn } from '../authorization-server/people.js'
import {
  AuthorizationServer,
  type RegistrationSettings,
  type ServerSettings,
} from '../authorization-server/server.js'
import { withUpstream } from '../authorization-server/upstream-access.js'
import { createPages, type PageOptions, PAGE_OPTIONS, parsePageOptions } from '../pages/pages.js'
import { OptionReader } from '../protocol/options.js'
import { parseRedirectPattern } from '../protocol/redirect-uri-pattern.js'
import { isLoopback } from '../protocol/urls.js'
import { originOf, pathOf } from '../protocol/well-known.js'
import { type Deps, createDeps } from '../runtime/deps.js'
import { digest } from '../runtime/digest.js'
import type { AuthEvent } from '../runtime/events.js'
import type { Store } from '../stores/store.js'
import { resourceOf } from './provider.js'
import { parseSecret } from './server-secret.js'
import { parseStore } from './server-store.js'

/** How clients may register themselves (RFC 7591). */
export interface ClientRegistrationOptions {
  /** A token that has to be presented, as `Authorization: Bearer`. Default: anybody may register. */
  readonly initialAccessToken?: string
  /** How long a client lives that nobody ever signed in with. Default: 86400. */
  readonly unusedSeconds?: number
  /** Most new clients in an hour, by one process. Default: 1000. */
  readonly maxPerHour?: number
}

/** Which documents may describe clients (CIMD). */
export interface ClientDocumentOptions {
  /** URLs that are taken, byte for byte. Default: any. */
  readonly allowed?: readonly string[]
}

/** Options of an authorization server, whoever signs people in. */
export interface AuthorizationServerOptions extends PageOptions {
  /** Public URL of this app, verbatim, e.g. `https://api.example.com`. https, or http on loopback. */
  readonly baseUrl: string
  /** Public URL of the MCP endpoint, verbatim, under `baseUrl`. Default: `${baseUrl}/mcp`. */
  readonly resourceUrl?: string
  /** Name of the resource, for people. */
  readonly resourceName?: string
  /** Issuer, verbatim (RFC 8414 2). Default: `baseUrl`. */
  readonly issuer?: string
  /**
   * At least 32 bytes of randomness, from which every key is derived; the same on every replica. A list rotates: the first signs,
   * the rest still verify. Without it, outside of production, one is made: with the default store it is kept beside it, in
   * `.mcp-auth/secret`; else it ends with the process.
   */
  readonly secret?: string | readonly string[] | undefined
  /** Where grants, clients and sessions are kept. Default: SQLite, encrypted, in `.mcp-auth` of the project. */
  readonly store?: Store
  /** Scopes that clients may ask for. Default: `requiredScopes`. */
  readonly scopesSupported?: readonly string[]
  /** Granted where a client asks for none. Default: `requiredScopes`, or else all that are supported. */
  readonly defaultScopes?: readonly string[]
  /** Scopes that every request needs, and that a user cannot leave out. Default: none. */
  readonly requiredScopes?: readonly string[]
  /**
   * Whether people are asked: `always`; `remember` asks again only for another client, address or more scopes, and where another site
   * sent the browser; `false` never asks for the clients that are configured, and on loopback for any, unless another site sent the
   * browser for an answer that leaves this machine. Default: `always`.
   */
  readonly consent?: 'always' | 'remember' | false
  /** Clients that are known beforehand. */
  readonly clients?: readonly ConfiguredClient[]
  /** Whether clients may register themselves (RFC 7591). Default: true. */
  readonly clientRegistration?: boolean | ClientRegistrationOptions
  /** Whether a client ID may be the URL of a document that describes the client (CIMD). Default: true. */
  readonly clientIdMetadataDocuments?: boolean | ClientDocumentOptions
  /** Patterns of redirect URIs for clients that are not configured, e.g. `https://*.example.com/callback`, `http://localhost:*`. Default: any safe one. */
  readonly allowedClientRedirectUris?: readonly string[]
  /** Life of an access token. Default: 3600. */
  readonly accessTokenSeconds?: number
  /** Life of a grant since it was last used. Default: 2592000 (30 days). */
  readonly refreshTokenSeconds?: number
  /** How long a refresh token that was just replaced brings the same successor again; 0 for never. Default: 30. */
  readonly refreshGraceSeconds?: number
  /** How long somebody stays signed in to the pages. Default: 43200 (12 hours). */
  readonly sessionSeconds?: number
  /** URL of a page for developers. */
  readonly serviceDocumentation?: string
  /** Lets URLs be http on a network that you trust. */
  readonly dangerouslyAllowInsecureHttp?: boolean
  /** Clock, randomness, timers and outbound HTTP, for tests. */
  readonly deps?: Partial<Deps>
}

/** Names of all of them. */
export const AUTHORIZATION_SERVER_OPTIONS: readonly string[] = [
  ...PAGE_OPTIONS,
  'baseUrl', 'resourceUrl', 'resourceName', 'issuer', 'secret', 'store', 'scopesSupported', 'defaultScopes', 'requiredScopes',
  'consent', 'clients', 'clientRegistration', 'clientIdMetadataDocuments', 'allowedClientRedirectUris', 'accessTokenSeconds',
  'refreshTokenSeconds', 'refreshGraceSeconds', 'sessionSeconds', 'serviceDocumentation', 'dangerouslyAllowInsecureHttp', 'deps',
] // prettier-ignore

/** A server as its options describe it, and what is to be told when it is mounted. */
export interface BuiltServer {
  readonly server: AuthorizationServer
  readonly notices: readonly AuthEvent[]
  /** Lets go of the store where that is the default one. */
  readonly close: () => Promise<void>
}

/** What one kind of provider takes for granted. */
export interface ServerDefaults {
  /** Where the option is not given. */
  readonly requiredScopes?: readonly string[] | undefined
  /** Needed whatever the option says. */
  readonly alsoRequired?: readonly string[] | undefined
}

/** Reads `deps`. */
export function parseDeps(read: OptionReader): Deps {
  return createDeps(read.raw('deps') as Partial<Deps> | undefined)
}

/**
 * Builds the authorization server of a provider.
 *
 * @throws ConfigError
 */
export function buildServer(
  read: OptionReader,
  signIn: SignIn | UpstreamSignIn,
  defaults: ServerDefaults = {},
): BuiltServer {
  const deps = parseDeps(read)
  const settings = parseSettings(read, signIn, defaults)
  const { keys, notices } = parseSecret(read)
  const kept = parseStore(read, keys)
  const server = new AuthorizationServer({
    settings,
    clients: parseClients(read),
    signIn,
    pages: createPages(withName(parsePageOptions(read), settings)),
    keys,
    store: kept.store,
    deps,
    metUnreadable: kept.metUnreadable,
    joinUpstream: 'upstream' in signIn ? withUpstream : undefined,
  })
  return { server, notices: [...notices, ...dangersOf(read, settings)], close: kept.close }
}

function parseSettings(
  read: OptionReader,
  signIn: SignIn | UpstreamSignIn,
  { requiredScopes: usual = [], alsoRequired = [] }: ServerDefaults,
): ServerSettings {
  const stated = read.url('baseUrl', true)
  if (stated === undefined) {
    throw read.missing('baseUrl', 'write the public URL of this app, e.g. "https://api.example.com"')
  }
  const baseUrl = stated.replace(/\/$/, '')
  const resource = read.url('resourceUrl', true) ?? resourceOf({ verifyToken: () => null, baseUrl })
  requireUnder(read, 'resourceUrl', resource, baseUrl)
  const issuer = read.url('issuer', true) ?? stated
  if (originOf(issuer) !== originOf(baseUrl)) {
    throw read.invalid(
      'issuer',
      `on the host of "baseUrl" (${originOf(baseUrl)}), where its metadata is served`,
    )
  }
  const requiredScopes = [...new Set([...alsoRequired, ...(read.scopes('requiredScopes') ?? usual)])]
  const supported = [...new Set([...requiredScopes, ...(read.scopes('scopesSupported') ?? [])])]
  const defaultScopes =
    read.scopes('defaultScopes') ?? (requiredScopes.length > 0 ? requiredScopes : supported)
  const unknown = defaultScopes.find((scope) => !supported.includes(scope) && scope !== 'offline_access')
  if (unknown !== undefined)
    throw read.invalid('defaultScopes', `made of supported scopes: "${unknown}" is none`)
  const isLocal = isLoopback(new URL(baseUrl).hostname)
  return {
    issuer,
    baseUrl,
    resource,
    resourceName: read.text('resourceName'),
    // Clients ask for it where it is named, and then stay signed in (OpenID Connect Core 11).
    scopesSupported: [...new Set([...supported, 'offline_access'])],
    defaultScopes: defaultScopes.filter((scope) => scope !== 'offline_access' || read.has('defaultScopes')),
    requiredScopes,
    consent: parseConsent(read, signIn),
    isLocal,
    accessTokenSeconds: positive(read, 'accessTokenSeconds', 3600),
    refreshTokenSeconds: positive(read, 'refreshTokenSeconds', 30 * 86_400),
    refreshGraceSeconds: read.seconds('refreshGraceSeconds', 30),
    codeSeconds: 60,
    transactionSeconds: 600,
    sessionSeconds: positive(read, 'sessionSeconds', 43_200),
    registration: parseRegistration(read),
    documents: parseDocuments(read),
    serviceDocumentation: read.url('serviceDocumentation'),
    isAllowedRedirect: parseAllowedRedirects(read, baseUrl, signIn),
  }
}

function requireUnder(read: OptionReader, name: string, url: string, baseUrl: string): void {
  const base = pathOf(baseUrl)
  const path = pathOf(url)
  if (originOf(url) === originOf(baseUrl) && (path === base || path.startsWith(`${base}/`))) return
  throw read.invalid(name, `under "baseUrl" (${baseUrl}), where this app serves it, not ${url}`)
}

function parseConsent(read: OptionReader, signIn: SignIn | UpstreamSignIn): ServerSettings['consent'] {
  const consent = read.raw('consent') ?? 'always'
  const elsewhere = 'upstream' in signIn
  if (consent === false) return 'never'
  if (consent === 'always' || consent === 'remember' || (consent === 'external' && elsewhere)) return consent
  throw read.invalid('consent', `"always", "remember"${elsewhere ? ', "external"' : ''} or false`)
}

/** Whole seconds above 0. */
function positive(read: OptionReader, name: string, fallback: number): number {
  const seconds = read.seconds(name, fallback)
  if (!Number.isSafeInteger(seconds) || seconds < 1)
    throw read.invalid(name, 'a whole number of seconds, 1 or more')
  return seconds
}

function parseRegistration(read: OptionReader): RegistrationSettings | undefined {
  const value = read.raw('clientRegistration') ?? true
  if (value === false) return undefined
  const known = ['initialAccessToken', 'unusedSeconds', 'maxPerHour']
  const inner = new OptionReader(read.name('clientRegistration'), value === true ? {} : value, known)
  const token = inner.text('initialAccessToken')
  const maxPerHour = inner.raw('maxPerHour') ?? 1000
  if (!Number.isSafeInteger(maxPerHour) || (maxPerHour as number) < 1) {
    throw inner.invalid('maxPerHour', 'a whole number above 0')
  }
  return {
    initialTokenDigest: token === undefined ? undefined : digest(token),
    unusedSeconds: positive(inner, 'unusedSeconds', 86_400),
    maxPerHour: maxPerHour as number,
  }
}

function parseDocuments(read: OptionReader): ServerSettings['documents'] {
  const value = read.raw('clientIdMetadataDocuments') ?? true
  if (value === false) return undefined
  const inner = new OptionReader(read.name('clientIdMetadataDocuments'), value === true ? {} : value, [
    'allowed',
  ])
  const allowed = inner.texts('allowed')
  return { isAllowed: allowed === undefined ? () => true : (url) => allowed.includes(url) }
}

function parseAllowedRedirects(
  read: OptionReader,
  baseUrl: string,
  signIn: SignIn | UpstreamSignIn,
): ServerSettings['isAllowedRedirect'] {
  const patterns = read.texts('allowedClientRedirectUris')?.map(parseRedirectPattern)
  const isWanted = patterns && ((uri: string) => patterns.some((matches) => matches(uri)))
  if (!('upstream' in signIn)) return isWanted
  // A code of ours must not come in where those of the identity provider do.
  const ours = new URL(`${baseUrl}${signIn.upstream.callbackPath}`)
  return (uri) => {
    if (!URL.canParse(uri)) return false
    const { origin, pathname } = new URL(uri)
    return (
      !(origin === ours.origin && pathname.replace(/\/$/, '') === ours.pathname) && isWanted?.(uri) !== false
    )
  }
}

/** Pages without a name of their own say that of the resource. */
function withName(pages: PageOptions, { resourceName }: ServerSettings): PageOptions {
  if (resourceName === undefined || pages.branding?.name !== undefined) return pages
  return { ...pages, branding: { ...pages.branding, name: resourceName } }
}

function dangersOf(read: OptionReader, { consent, isLocal, baseUrl }: ServerSettings): AuthEvent[] {
  if (isLocal) return []
  if (consent === 'external') {
    const message = `${read.name('consent')} is "external": nobody is asked here before any client acts for them at ${baseUrl}. If nothing else asks, one click on a link gives an account away`
    return [{ type: 'danger', option: 'consent', message }]
  }
  if (consent !== 'never') return []
  const message = `${read.name('consent')} is false: people are not asked before a configured client acts for them at ${baseUrl}`
  return [{ type: 'danger', option: 'consent', message }]
}

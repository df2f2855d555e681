// RFC 7591 2 and client ID metadata documents: what a client says of itself. Nothing in it gives power: an ID, a secret or
// scopes that a client chooses for itself are not read as such.
import { cleanText } from './display.js'
import { OAuthError, type OAuthErrorCode } from './errors.js'
import { ASYMMETRIC_ALGORITHMS, type Jwk, refuseKey } from './jwk.js'
import { refuseRedirectUri } from './redirect-uri.js'
import { formatScopes, parseScopes } from './scopes.js'

/** How a client authenticates at the token endpoint. */
export type ClientAuthMethod = 'none' | 'client_secret_basic' | 'client_secret_post' | 'private_key_jwt'

/** What is known of a client beside its ID. */
export interface ClientMetadata {
  readonly redirectUris: readonly string[]
  readonly clientName?: string
  readonly clientUri?: string
  readonly logoUri?: string
  readonly tosUri?: string
  readonly policyUri?: string
  readonly contacts?: readonly string[]
  readonly grantTypes: readonly string[]
  readonly responseTypes: readonly string[]
  readonly authMethod: ClientAuthMethod
  readonly authSigningAlg?: string
  readonly jwks?: { readonly keys: readonly Jwk[] }
  readonly jwksUri?: string
  /** As the client wrote it, to be shown to it again. What it may have is decided elsewhere. */
  readonly scope?: string
  readonly applicationType?: 'web' | 'native'
  readonly softwareId?: string
  readonly softwareVersion?: string
}

/** A redirect URI that was left out. */
export interface DroppedRedirectUri {
  readonly uri: string
  readonly why: string
}

export interface ClientMetadataOptions {
  /** A further rule for redirect URIs, beside {@link refuseRedirectUri}. */
  readonly allowRedirectUri?: ((uri: string) => boolean) | undefined
}

const AUTH_METHODS: readonly ClientAuthMethod[] = [
  'none',
  'client_secret_basic',
  'client_secret_post',
  'private_key_jwt',
]

/**
 * Grants that a client may name itself. client_credentials is not among them: anybody may register, and would then get
 * tokens that no person agreed to.
 */
const GRANT_TYPES = ['authorization_code', 'refresh_token']

const MAX_REGISTERED_URIS = 10
const MAX_DOCUMENT_URIS = 50
const MAX_URI_LENGTH = 2000
const MAX_KEYS = 20
const MAX_CONTACTS = 10
const MAX_TEXT = 200
const MAX_SCOPE_LENGTH = 4000

/** Members of a document by name: one called `__proto__` is a name like any other. null stands for absent. */
type Members = ReadonlyMap<string, unknown>

/**
 * Reads the body of a registration request (RFC 7591 3.1). Redirect URIs that cannot be used are dropped and named, as
 * long as one is left: clients register all they might use at once.
 *
 * @throws OAuthError `invalid_redirect_uri` or `invalid_client_metadata`
 */
export function parseClientMetadata(
  value: unknown,
  options: ClientMetadataOptions = {},
): { readonly metadata: ClientMetadata; readonly dropped: readonly DroppedRedirectUri[] } {
  const members = readMembers(value)
  const { redirectUris, dropped } = readRedirectUris(members, MAX_REGISTERED_URIS, options.allowRedirectUri)
  // RFC 7591 2 has client_secret_basic by default; an app on somebody's machine can keep no secret (RFC 8252 8.4).
  const fallback = members.get('application_type') === 'native' ? 'none' : 'client_secret_basic'
  return { metadata: readMetadata(members, redirectUris, fallback), dropped }
}

/**
 * Reads a client ID metadata document that was found at `url`.
 *
 * @throws OAuthError where it is not the document of that client, or holds secrets
 */
export function parseClientDocument(value: unknown, url: string): ClientMetadata {
  const members = readMembers(value)
  if (members.get('client_id') !== url) throw invalid('"client_id" is not the URL of the document')
  for (const name of ['client_secret', 'client_secret_expires_at']) {
    if (members.has(name)) throw invalid(`"${name}" has no place in a public document`)
  }
  const { redirectUris } = readRedirectUris(members, MAX_DOCUMENT_URIS)
  const metadata = readMetadata(members, redirectUris, 'none')
  if (metadata.clientName === undefined) throw invalid('"client_name" is missing')
  if (metadata.authMethod !== 'none' && metadata.authMethod !== 'private_key_jwt') {
    throw invalid('"token_endpoint_auth_method" needs a secret, which a public document cannot hold')
  }
  return metadata
}

/** The metadata as a client reads it (RFC 7591 3.2.1). */
export function metadataToWire(metadata: ClientMetadata): Record<string, unknown> {
  return present({
    redirect_uris: metadata.redirectUris,
    client_name: metadata.clientName,
    client_uri: metadata.clientUri,
    logo_uri: metadata.logoUri,
    tos_uri: metadata.tosUri,
    policy_uri: metadata.policyUri,
    contacts: metadata.contacts,
    grant_types: metadata.grantTypes,
    response_types: metadata.responseTypes,
    token_endpoint_auth_method: metadata.authMethod,
    token_endpoint_auth_signing_alg: metadata.authSigningAlg,
    jwks: metadata.jwks,
    jwks_uri: metadata.jwksUri,
    scope: metadata.scope,
    application_type: metadata.applicationType,
    software_id: metadata.softwareId,
    software_version: metadata.softwareVersion,
  })
}

function readMetadata(
  members: Members,
  redirectUris: readonly string[],
  fallback: ClientAuthMethod,
): ClientMetadata {
  const authMethod = readAuthMethod(members, fallback)
  const metadata = present({
    redirectUris,
    clientName: readText(members, 'client_name'),
    clientUri: readUri(members, 'client_uri'),
    logoUri: readUri(members, 'logo_uri'),
    tosUri: readUri(members, 'tos_uri'),
    policyUri: readUri(members, 'policy_uri'),
    contacts: readContacts(members),
    grantTypes: readGrantTypes(members),
    responseTypes: readResponseTypes(members),
    authMethod,
    authSigningAlg: authMethod === 'private_key_jwt' ? readSigningAlg(members) : undefined,
    jwks: readKeys(members),
    jwksUri: readUri(members, 'jwks_uri'),
    scope: readScope(members),
    applicationType: readApplicationType(members),
    softwareId: readText(members, 'software_id'),
    softwareVersion: readText(members, 'software_version'),
  })
  if (metadata.jwks !== undefined && metadata.jwksUri !== undefined) {
    throw invalid('"jwks" and "jwks_uri" must not come together')
  }
  if (authMethod === 'private_key_jwt' && metadata.jwks === undefined && metadata.jwksUri === undefined) {
    throw invalid('private_key_jwt needs "jwks" or "jwks_uri"')
  }
  return metadata
}

/** The same without members that are undefined: they would be stored, and compared, as something that is there. */
function present<Values extends object>(values: Values): Present<Values> {
  return Object.fromEntries(
    Object.entries(values).filter(([, value]) => value !== undefined),
  ) as Present<Values>
}

type Present<Values> = {
  [Name in keyof Values as undefined extends Values[Name] ? never : Name]: Values[Name]
} & {
  [Name in keyof Values as undefined extends Values[Name] ? Name : never]?: Exclude<Values[Name], undefined>
}

function readMembers(value: unknown): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid('The metadata must be a JSON object')
  }
  return new Map(Object.entries(value).filter(([, member]) => member !== null))
}

function readRedirectUris(
  members: Members,
  max: number,
  allow: (uri: string) => boolean = () => true,
): { redirectUris: readonly string[]; dropped: readonly DroppedRedirectUri[] } {
  const uris = members.get('redirect_uris')
  if (!isTexts(uris) || uris.length === 0) {
    throw refused('invalid_redirect_uri', '"redirect_uris" must be a list of URIs, at least one')
  }
  if (uris.length > max) throw refused('invalid_redirect_uri', `"redirect_uris" must be at most ${max}`)
  const redirectUris = new Set<string>()
  const dropped: DroppedRedirectUri[] = []
  for (const uri of uris) {
    const why = refuseRedirectUri(uri) ?? (allow(uri) ? undefined : 'not among those that this server allows')
    if (why === undefined) redirectUris.add(uri)
    else dropped.push({ uri, why })
  }
  if (redirectUris.size === 0) {
    throw refused('invalid_redirect_uri', `No redirect URI can be registered: ${String(dropped[0]?.why)}`)
  }
  return { redirectUris: [...redirectUris], dropped }
}

function readAuthMethod(members: Members, fallback: ClientAuthMethod): ClientAuthMethod {
  const asked = members.get('token_endpoint_auth_method')
  if (asked === undefined) return fallback
  const method = AUTH_METHODS.find((known) => known === asked)
  if (method === undefined) {
    throw invalid(`"token_endpoint_auth_method" must be one of ${AUTH_METHODS.join(', ')}`)
  }
  return method
}

/** Said for our choice of defaults alone, so a word that OpenID Connect does not know is overlooked. */
function readApplicationType(members: Members): 'web' | 'native' | undefined {
  const type = members.get('application_type')
  return type === 'web' || type === 'native' ? type : undefined
}

function readSigningAlg(members: Members): string | undefined {
  const alg = members.get('token_endpoint_auth_signing_alg')
  if (alg === undefined) return undefined
  const known = ASYMMETRIC_ALGORITHMS.find((name) => name === alg)
  if (known === undefined) throw invalid('"token_endpoint_auth_signing_alg" is not supported')
  return known
}

function readGrantTypes(members: Members): readonly string[] {
  const asked = members.get('grant_types') ?? []
  if (!isTexts(asked)) throw invalid('"grant_types" must be a list of strings')
  if (asked.length === 0) return GRANT_TYPES
  if (!asked.includes('authorization_code')) throw invalid('"grant_types" must include authorization_code')
  return GRANT_TYPES.filter((grant) => asked.includes(grant))
}

function readResponseTypes(members: Members): readonly string[] {
  const asked = members.get('response_types') ?? ['code']
  if (!isTexts(asked)) throw invalid('"response_types" must be a list of strings')
  if (asked.length > 0 && !asked.includes('code')) throw invalid('"response_types" must include code')
  return ['code']
}

function readText(members: Members, name: string): string | undefined {
  const text = members.get(name)
  if (text !== undefined && typeof text !== 'string') throw invalid(`"${name}" must be a string`)
  return cleanText(text, MAX_TEXT)
}

/** A URI that a page may link to. Nothing is ever fetched from it, except keys, and those through a guard. */
function readUri(members: Members, name: string): string | undefined {
  const uri = members.get(name)
  if (uri === undefined || uri === '') return undefined
  if (typeof uri !== 'string' || !isHttps(uri)) throw invalid(`"${name}" must be an https URL`)
  return uri
}

function isHttps(uri: string): boolean {
  if (uri.length > MAX_URI_LENGTH || !/^https:\/\/[\x21\x23-\x3b\x3d\x3f-\x5b\x5d-\x7e]+$/.test(uri))
    return false
  if (!URL.canParse(uri)) return false
  const { username, password } = new URL(uri)
  return username === '' && password === ''
}

function readContacts(members: Members): readonly string[] | undefined {
  const contacts = members.get('contacts')
  if (contacts === undefined) return undefined
  if (!isTexts(contacts) || contacts.length > MAX_CONTACTS) {
    throw invalid(`"contacts" must be a list of at most ${MAX_CONTACTS} strings`)
  }
  return contacts.map((contact) => cleanText(contact, MAX_TEXT)).filter((contact) => contact !== undefined)
}

function readScope(members: Members): string | undefined {
  const scope = members.get('scope')
  if (scope === undefined || scope === '') return undefined
  if (typeof scope !== 'string' || scope.length > MAX_SCOPE_LENGTH) {
    throw invalid(`"scope" must be a string of at most ${MAX_SCOPE_LENGTH} letters`)
  }
  return formatScopes(parseScopes(scope)) || undefined
}

const PRIVATE_MEMBERS = ['d', 'p', 'q', 'dp', 'dq', 'qi', 'oth', 'k']
const PUBLIC_MEMBERS = ['kty', 'crv', 'n', 'e', 'x', 'y', 'kid', 'use', 'alg', 'key_ops']

/** Public keys for verifying. One that is for something else is left out; a secret one spoils the lot. */
function readKeys(members: Members): ClientMetadata['jwks'] {
  const jwks = members.get('jwks')
  if (jwks === undefined) return undefined
  const entries: unknown = (jwks as { keys?: unknown }).keys
  if (!Array.isArray(entries) || entries.length > MAX_KEYS) {
    throw invalid(`"jwks" must be a JWK set of at most ${MAX_KEYS} keys`)
  }
  if (entries.some(isSecretKey)) throw invalid('"jwks" must hold public keys only')
  const keys = (entries as unknown[])
    .filter((entry) => refuseKey(entry) === undefined)
    .map((entry) => publicPart(entry as Jwk))
  if (keys.length === 0) throw invalid('"jwks" holds no key that can verify a signature')
  return { keys }
}

function isSecretKey(entry: unknown): boolean {
  if (typeof entry !== 'object' || entry === null) return false
  return (entry as Jwk)['kty'] === 'oct' || PRIVATE_MEMBERS.some((name) => Object.hasOwn(entry, name))
}

function publicPart(jwk: Jwk): Jwk {
  return Object.fromEntries(
    PUBLIC_MEMBERS.filter((name) => Object.hasOwn(jwk, name)).map((name) => [name, jwk[name]]),
  )
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((entry) => typeof entry === 'string')
}

function invalid(description: string): OAuthError {
  return refused('invalid_client_metadata', description)
}

function refused(code: OAuthErrorCode, description: string): OAuthError {
  return new OAuthError(code, description)
}

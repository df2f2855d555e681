// The `clients` option: clients that the operator knows beforehand.
import type { Client, ClientAuthMethod } from '../authorization-server/records.js'
import { isClientIdUrl } from '../protocol/client-id-url.js'
import { OptionReader } from '../protocol/options.js'
import { refuseRedirectUri } from '../protocol/redirect-uri.js'
import { digest } from '../runtime/digest.js'
import { parseKeySet } from '../verifiers/key-set.js'

/** A client that is known beforehand. Without secret and keys it is a public one. */
export interface ConfiguredClient {
  readonly clientId: string
  /** Shown by the client as Basic or in the body. */
  readonly clientSecret?: string
  /** Where the browser may be sent, byte for byte; the port of a loopback URI may differ. Default: nowhere. */
  readonly redirectUris?: readonly string[]
  /** `authorization_code`, `refresh_token`, `client_credentials`. Default: the first two. */
  readonly grantTypes?: readonly string[]
  /** Most that it may be granted. Default: every supported scope. */
  readonly scopes?: readonly string[]
  /** Public keys for `private_key_jwt`. */
  readonly jwks?: Readonly<Record<string, unknown>>
  /** URL of such keys. */
  readonly jwksUri?: string
  /** For pages. Default: the ID. */
  readonly clientName?: string
}

const KNOWN = [
  'clientId',
  'clientSecret',
  'redirectUris',
  'grantTypes',
  'scopes',
  'jwks',
  'jwksUri',
  'clientName',
]
const GRANT_TYPES = ['authorization_code', 'refresh_token', 'client_credentials']

/** Reads `clients`. @throws ConfigError */
export function parseClients(read: OptionReader): Client[] {
  const value = read.raw('clients') ?? []
  if (!Array.isArray(value)) throw read.invalid('clients', 'a list of clients { clientId, redirectUris, … }')
  const clients = (value as unknown[]).map((entry) =>
    parseClient(new OptionReader(read.name('clients'), entry, KNOWN)),
  )
  const ids = clients.map(({ clientId }) => clientId)
  const twice = ids.find((id, index) => ids.indexOf(id) !== index)
  if (twice !== undefined)
    throw read.invalid('clients', `a list without repeats: ${JSON.stringify(twice)} is there twice`)
  return clients
}

function parseClient(read: OptionReader): Client {
  const clientId = read.text('clientId')
  if (clientId === undefined) throw read.missing('clientId', 'every client has an ID')
  const secret = read.text('clientSecret')
  const jwks = parseJwks(read)
  const jwksUri = read.url('jwksUri')
  if (jwks !== undefined && jwksUri !== undefined)
    throw read.invalid('jwksUri', 'left out where "jwks" is given')
  const authMethods: ClientAuthMethod[] = [
    ...(secret === undefined ? [] : (['client_secret_basic', 'client_secret_post'] as const)),
    ...(jwks === undefined && jwksUri === undefined ? [] : (['private_key_jwt'] as const)),
  ]
  const grantTypes = parseGrantTypes(read)
  if (authMethods.length === 0 && grantTypes.includes('client_credentials')) {
    throw read.invalid(
      'grantTypes',
      'without client_credentials for a client that has neither secret nor keys',
    )
  }
  return {
    clientId,
    origin: 'configured',
    name: read.text('clientName') ?? (isClientIdUrl(clientId) ? undefined : clientId),
    redirectUris: parseRedirectUris(read),
    grantTypes,
    authMethods: authMethods.length === 0 ? ['none'] : authMethods,
    secretDigest: secret === undefined ? undefined : digest(secret),
    jwks,
    jwksUri,
    scopes: read.scopes('scopes'),
  }
}

function parseGrantTypes(read: OptionReader): readonly string[] {
  const grantTypes = read.texts('grantTypes') ?? ['authorization_code', 'refresh_token']
  const unknown = grantTypes.find((grantType) => !GRANT_TYPES.includes(grantType))
  if (unknown === undefined) return grantTypes
  throw read.invalid('grantTypes', `made of ${GRANT_TYPES.join(', ')}, not ${JSON.stringify(unknown)}`)
}

function parseRedirectUris(read: OptionReader): readonly string[] {
  const value = read.raw('redirectUris')
  const uris = Array.isArray(value) && value.length === 0 ? [] : (read.texts('redirectUris') ?? [])
  for (const uri of uris) {
    const refused = refuseRedirectUri(uri)
    if (refused !== undefined)
      throw read.invalid('redirectUris', `made of safe URIs: ${JSON.stringify(uri)} ${refused}`)
  }
  return uris
}

function parseJwks(read: OptionReader): Client['jwks'] {
  const value = read.raw('jwks')
  if (value === undefined) return undefined
  const { keys, skipped } = parseKeySet(value)
  if (keys.length > 0) return structuredClone(value) as Client['jwks']
  throw read.invalid('jwks', `a JWK set with a usable public key: ${skipped.join('; ')}`)
}

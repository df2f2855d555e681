// Which clients there are: configured, registered (RFC 7591), or described by a document at the URL that is their ID (CIMD).
import { hash } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { isClientIdUrl } from '../protocol/client-id-url.js'
import type { ClientMetadata } from '../protocol/client-metadata.js'
import type { JoseHeader } from '../protocol/jws-guard.js'
import { matchesRedirectUri } from '../protocol/redirect-uri.js'
import type { Deps } from '../runtime/deps.js'
import { digest } from '../runtime/digest.js'
import type { Collection, Stored } from '../stores/collection.js'
import { RemoteKeys } from '../verifiers/jwks.js'
import { type KeySet, type VerificationKey, parseKeySet, selectKeys } from '../verifiers/key-set.js'
import { STANDALONE } from '../verifiers/verifier.js'
import { ClientDocuments } from './cimd.js'
import { KeptDocuments } from './kept-documents.js'
import type { Client, ClientAuthMethod, DocumentRecord, RegistrationRecord } from './records.js'
import { RegistrationBudget } from './registration-budget.js'
import type { Report, ServerSettings } from './settings.js'

/** A registered client is read again after so long: one that was forgotten meanwhile stays known that much longer. */
const REMEMBERED_SECONDS = 60

interface Remembered {
  readonly stored: Stored<RegistrationRecord>
  /** Milliseconds since the epoch. */
  readonly until: number
}

/** What they are found by. */
export interface ClientsParts {
  readonly settings: ServerSettings
  readonly configured: readonly Client[]
  readonly registrations: Collection<RegistrationRecord>
  readonly documents: Collection<DocumentRecord>
  readonly deps: Deps
}

/** Finds clients, and keeps those that registered themselves. */
export class Clients {
  readonly #settings: ServerSettings
  readonly #configured: ReadonlyMap<string, Client>
  readonly #registrations: Collection<RegistrationRecord>
  readonly #remembered = new LRUCache<string, Remembered>({ max: 1000 })
  readonly #budget: RegistrationBudget
  readonly #unusedSeconds: number
  readonly #deps: Deps
  readonly #documents: ClientDocuments
  readonly #keySets = new Map<string, RemoteKeys>()
  /** Of `jwks` members: to import keys for each request would let strangers keep us busy. */
  readonly #imported = new WeakMap<object, KeySet>()

  constructor({ settings, configured, registrations, documents, deps }: ClientsParts) {
    this.#settings = settings
    this.#configured = new Map(configured.map((client) => [client.clientId, client]))
    this.#registrations = registrations
    this.#budget = new RegistrationBudget(settings.registration?.maxPerHour ?? 0, deps.now)
    this.#unusedSeconds = settings.registration?.unusedSeconds ?? 0
    this.#deps = deps
    this.#documents = new ClientDocuments(
      { allowLoopback: settings.isLocal, isAllowed: settings.documents?.isAllowed },
      new KeptDocuments(documents, deps),
      deps,
    )
  }

  /** The client of an ID; undefined where there is none. Rejects where that could not be found out. */
  async find(clientId: string, report: Report): Promise<Client | undefined> {
    const configured = this.#configured.get(clientId)
    if (configured !== undefined) return configured
    if (isClientIdUrl(clientId)) return this.#findDocument(clientId, report)
    return (await this.#registration(clientId))?.data.client
  }

  /**
   * Keeps a new client. Without a secret, the same metadata is the same client: some register at every start.
   *
   * @param secretDigest present where the client was given a secret
   */
  async register(
    metadata: ClientMetadata,
    wire: Readonly<Record<string, unknown>>,
    secretDigest: string | undefined,
  ): Promise<{ readonly record: RegistrationRecord; readonly isNew: boolean }> {
    const clientId = secretDigest === undefined ? idOf(wire, this.#settings) : this.#deps.randomId()
    const known = secretDigest === undefined ? await this.#registration(clientId) : undefined
    // Whoever registers now has as long as everybody else to be signed in with.
    if (known !== undefined && (await this.#extend(clientId, this.#unusedSeconds / 2, this.#unusedSeconds))) {
      return { record: known.data, isNew: false }
    }
    this.#budget.spend()
    const client: Client = { ...clientOf(metadata, clientId, 'registered'), secretDigest }
    const record: RegistrationRecord = {
      client,
      metadata: wire,
      issuedAt: Math.floor(this.#deps.now() / 1000),
    }
    const until = this.#deps.now() + this.#unusedSeconds * 1000
    this.#remember(clientId, await this.#registrations.create(clientId, record, until))
    // Another replica may have been faster with the same record. What cannot be read makes way.
    if ((await this.#registration(clientId)) === undefined) {
      await this.#registrations.put(clientId, record, until)
    }
    return { record, isNew: true }
  }

  /** How clients of this server may prove who they are. */
  authMethods(): ClientAuthMethod[] {
    const { registration, documents } = this.#settings
    const used = new Set([...this.#configured.values()].flatMap((client) => client.authMethods))
    const all: ClientAuthMethod[] = ['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt']
    const isSecret = (method: ClientAuthMethod): boolean => method.startsWith('client_secret')
    return all.filter(
      (method) =>
        used.has(method) || registration !== undefined || (documents !== undefined && !isSecret(method)),
    )
  }

  /** Whether any client of this server may use a grant type. */
  mayUse(grantType: string): boolean {
    const { registration, documents } = this.#settings
    const isOpen = registration !== undefined || documents !== undefined
    if (isOpen && grantType !== 'client_credentials') return true
    return [...this.#configured.values()].some(({ grantTypes }) => grantTypes.includes(grantType))
  }

  /** A client that somebody is signed in with lives as long as its grants may. */
  async keep({ clientId, origin }: Client): Promise<void> {
    if (origin === 'document') return this.#documents.keep(clientId)
    if (origin !== 'registered') return
    const lifetime = this.#settings.refreshTokenSeconds
    // Twice, so that not each use of a grant has to be a write.
    await this.#extend(clientId, lifetime, 2 * lifetime)
  }

  /** Lets a registration live longer where less than `least` is left of it. False where there is none. */
  async #extend(clientId: string, least: number, seconds: number): Promise<boolean> {
    for (;;) {
      const stored = await this.#registration(clientId)
      if (stored === undefined) return false
      const now = this.#deps.now()
      if (stored.expiresAt - now > least * 1000) return true
      const extended = await this.#registrations.replace(clientId, stored, stored.data, now + seconds * 1000)
      this.#remember(clientId, extended)
      if (extended !== undefined) return true
    }
  }

  /** The keys that may have signed an assertion of a client. Rejects where they cannot be had. */
  async assertionKeys(
    { origin, jwks, jwksUri }: Client,
    { alg, kid }: JoseHeader,
    report: Report,
  ): Promise<readonly VerificationKey[]> {
    if (jwks !== undefined) return selectKeys(this.#keysIn(jwks), alg, kid)
    if (jwksUri === undefined) return []
    if (origin === 'configured')
      return this.#configuredKeys(jwksUri).find(alg, kid, { ...STANDALONE, report })
    // An address that a client names itself: not one of our own network.
    return selectKeys(await this.#documents.keys(jwksUri, kid, report), alg, kid)
  }

  #keysIn(jwks: object): KeySet {
    const known = this.#imported.get(jwks)
    if (known !== undefined) return known
    const set = parseKeySet(jwks)
    this.#imported.set(jwks, set)
    return set
  }

  #configuredKeys(url: string): RemoteKeys {
    const known = this.#keySets.get(url)
    if (known !== undefined) return known
    const keys = new RemoteKeys({ url, cacheSeconds: undefined }, this.#deps)
    this.#keySets.set(url, keys)
    return keys
  }

  async #registration(clientId: string): Promise<Stored<RegistrationRecord> | undefined> {
    if (!/^[A-Za-z0-9_-]{24}$/.test(clientId)) return undefined
    const now = this.#deps.now()
    const remembered = this.#remembered.get(clientId)
    if (remembered !== undefined && remembered.until > now && remembered.stored.expiresAt > now)
      return remembered.stored
    const stored = await this.#registrations.get(clientId)
    this.#remember(clientId, stored)
    return stored
  }

  #remember(clientId: string, stored: Stored<RegistrationRecord> | undefined): void {
    if (stored === undefined) this.#remembered.delete(clientId)
    else this.#remembered.set(clientId, { stored, until: this.#deps.now() + REMEMBERED_SECONDS * 1000 })
  }

  async #findDocument(url: string, report: Report): Promise<Client | undefined> {
    if (this.#settings.documents === undefined) return undefined
    const metadata = await this.#documents.find(url, report)
    return metadata && clientOf(metadata, url, 'document')
  }
}

const ID_LENGTH = 24

function clientOf(metadata: ClientMetadata, clientId: string, origin: Client['origin']): Client {
  const { clientName, clientUri, redirectUris, grantTypes, authMethod, jwks, jwksUri, authSigningAlg } =
    metadata
  return {
    clientId,
    origin,
    name: clientName,
    uri: clientUri,
    redirectUris,
    grantTypes: grantTypes.filter((grantType) => grantType !== 'client_credentials'),
    authMethods: [authMethod],
    jwks,
    jwksUri,
    assertionAlgorithm: authSigningAlg,
  }
}

/**
 * Whether a client may have the browser sent there. What the operator allows is asked each time: it holds for documents too, and for
 * clients that registered before it was set.
 */
export function mayRedirectTo(
  { origin, redirectUris }: Client,
  redirectUri: string,
  { isAllowedRedirect }: ServerSettings,
): boolean {
  if (origin !== 'configured' && isAllowedRedirect?.(redirectUri) === false) return false
  return redirectUris.some((registered) => matchesRedirectUri(registered, redirectUri))
}

/** The same words are the same client, with whatever secret the server runs. */
function idOf(wire: Readonly<Record<string, unknown>>, { issuer }: ServerSettings): string {
  return hash('sha256', JSON.stringify([issuer, wire]), 'base64url').slice(0, ID_LENGTH)
}

/** The key of a handle from outside. */
export function keyOf(...parts: readonly string[]): string {
  return parts.length === 1 ? digest(parts[0] as string) : hash('sha256', JSON.stringify(parts), 'hex')
}

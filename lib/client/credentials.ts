// What a client keeps of its sign-ins: by server, authorization server and resource, so that nothing meant for one is sent to another.
import type { Deps } from '../runtime/deps.js'
import { digest } from '../runtime/digest.js'
import { Collection, type Stored } from '../stores/collection.js'
import type { Store } from '../stores/store.js'
import type { StoredClient } from './sdk-types.js'

/** Tokens of one user for one resource, and what it takes to renew them. */
export interface TokenRecord {
  readonly issuer: string
  /** As the metadata of the resource has it, to be sent along; undefined where it has none. */
  readonly resource?: string | undefined
  readonly accessToken: string
  readonly tokenType: string
  /** Milliseconds since the epoch: a lifetime says nothing to whoever reads it later. */
  readonly expiresAt?: number | undefined
  /** From when on it is worth renewing them. */
  readonly renewAt?: number | undefined
  readonly refreshToken?: string | undefined
  readonly idToken?: string | undefined
  readonly scope?: string | undefined
  /** Who they were issued to. A client that registers anew has them no more. */
  readonly client: StoredClient
  readonly tokenEndpoint: string
  readonly authMethods?: readonly string[] | undefined
  /** Until when one process has the renewal to itself, in milliseconds since the epoch. */
  readonly leasedUntil?: number | undefined
}

/** What is known of one MCP server. */
export interface ServerRecord {
  readonly issuer: string
  readonly resource: string
}

/** A client as an authorization server knows it. */
export interface RegistrationRecord {
  readonly client: StoredClient
  /** Where the browser came back to: the same again, for servers that compare ports. */
  readonly port?: number | undefined
}

const YEAR_MILLISECONDS = 365 * 86_400_000

/** The records of one client in a store that it may share with others. */
export class Credentials {
  readonly tokens: Collection<TokenRecord>
  readonly #servers: Collection<ServerRecord>
  readonly #registrations: Collection<RegistrationRecord>
  readonly #who: string
  readonly #deps: Pick<Deps, 'now' | 'randomId'>

  /** @param who tells clients in one store apart, each of which has its own */
  constructor(store: Store, who: string, deps: Pick<Deps, 'now' | 'randomId'>) {
    this.tokens = new Collection(store, 'mcp-client.tokens', deps)
    this.#servers = new Collection(store, 'mcp-client.servers', deps)
    this.#registrations = new Collection(store, 'mcp-client.registrations', deps)
    this.#who = who
    this.#deps = deps
  }

  /** Key of the tokens that a server gets, by an issuer for a resource. Whatever a server says that it is, it gets no other server's tokens. */
  keyOf(serverUrl: string, { issuer, resource }: ServerRecord): string {
    return this.#key(withoutSlash(issuer), resource, serverUrl)
  }

  /** Whatever is kept is kept for so long, in milliseconds since the epoch. */
  get expiresAt(): number {
    return this.#deps.now() + YEAR_MILLISECONDS
  }

  async server(serverUrl: string): Promise<ServerRecord | undefined> {
    return (await this.#servers.get(this.#key(serverUrl)))?.data
  }

  async keepServer(serverUrl: string, server: ServerRecord): Promise<void> {
    await this.#servers.put(this.#key(serverUrl), server, this.expiresAt)
  }

  registration(issuer: string): Promise<Stored<RegistrationRecord> | undefined> {
    return this.#registrations.get(this.#key(withoutSlash(issuer)))
  }

  async keepRegistration(issuer: string, record: RegistrationRecord): Promise<void> {
    const seconds = record.client.client_secret_expires_at ?? 0
    const expiresAt = seconds > 0 ? seconds * 1000 : this.expiresAt
    await this.#registrations.put(this.#key(withoutSlash(issuer)), record, expiresAt)
  }

  /** Forgets a client that the server does not know any more, unless another one has registered meanwhile. */
  async forgetRegistration(issuer: string, clientId: string): Promise<void> {
    const known = await this.registration(issuer)
    if (known?.data.client.client_id === clientId)
      await this.#registrations.remove(this.#key(withoutSlash(issuer)), known)
  }

  #key(...parts: readonly string[]): string {
    return digest(JSON.stringify([this.#who, ...parts]))
  }
}

/** SDK v1 names an authorization server as the resource does, v2 as it names itself; they may differ in one slash at the end. */
export function withoutSlash(issuer: string): string {
  return issuer.replace(/\/$/, '')
}

/** Whether two spellings name one authorization server. */
export function sameIssuer(one: string, other: string): boolean {
  return withoutSlash(one) === withoutSlash(other)
}

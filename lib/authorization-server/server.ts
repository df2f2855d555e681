// What every endpoint of one authorization server works with: its settings, its keys, and its records.
import type { Pages } from '../pages/pages.js'
import type { Deps } from '../runtime/deps.js'
import { digest } from '../runtime/digest.js'
import type { DerivedKeys } from '../runtime/keys.js'
import { Collection } from '../stores/collection.js'
import type { Store } from '../stores/store.js'
import { Clients } from './clients.js'
import { AccessTokenIssuer } from './issue.js'
import { OwnTokens } from './own-tokens.js'
import type { SignIn } from './people.js'
import type {
  Client,
  ConnectionsRecord,
  GrantRecord,
  RememberedRecord,
  SessionRecord,
  TransactionRecord,
} from './records.js'
import type { RegistrationSettings, Report, ServerSettings } from './settings.js'

export type { RegistrationSettings, Report, ServerSettings }

/** What one server is made of. */
export interface ServerParts {
  readonly settings: ServerSettings
  readonly clients: readonly Client[]
  readonly signIn: SignIn
  readonly pages: Pages
  readonly keys: DerivedKeys
  readonly store: Store
  readonly deps: Deps
  /** Whether the store held records that no secret of ours opens; absent where that is not ours to know. */
  readonly metUnreadable?: (() => boolean) | undefined
}

/** One authorization server. */
export class AuthorizationServer {
  readonly settings: ServerSettings
  readonly signIn: SignIn
  readonly pages: Pages
  readonly keys: DerivedKeys
  readonly deps: Deps
  readonly clients: Clients
  readonly issuer: AccessTokenIssuer
  readonly tokens: OwnTokens
  readonly grants: Collection<GrantRecord>
  readonly transactions: Collection<TransactionRecord>
  readonly sessions: Collection<SessionRecord>
  readonly connections: Collection<ConnectionsRecord>
  readonly remembered: Collection<RememberedRecord>
  /** Identifiers of client assertions that were used. */
  readonly assertions: Collection<true>
  readonly metUnreadable: (() => boolean) | undefined

  constructor(parts: ServerParts) {
    const { settings, clients, signIn, pages, keys, store, deps, metUnreadable } = parts
    this.settings = settings
    this.signIn = signIn
    this.pages = pages
    this.keys = keys
    this.deps = deps
    this.metUnreadable = metUnreadable
    // Servers that share a store share nothing else: a session, a code or a grant of one is none of the other.
    const own = digest(settings.issuer).slice(0, 12)
    const collection = <Data>(name: string): Collection<Data> => new Collection(store, `${own}.${name}`, deps)
    this.clients = new Clients({
      settings,
      configured: clients,
      registrations: collection('clients'),
      documents: collection('documents'),
      deps,
    })
    this.issuer = new AccessTokenIssuer(settings, keys, deps)
    this.grants = collection('grants')
    this.transactions = collection('transactions')
    this.sessions = collection('sessions')
    this.connections = collection('connections')
    this.remembered = collection('remembered')
    this.assertions = collection('assertions')
    this.tokens = new OwnTokens({ settings, keys, deps, grants: this.grants })
  }
}

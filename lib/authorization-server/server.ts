// What every endpoint of one authorization server works with: its settings, its keys, and its records.
import type { Pages } from '../pages/pages.js'
import type { Deps } from '../runtime/deps.js'
import type { VerifiedToken } from '../protocol/access-token.js'
import { digest } from '../runtime/digest.js'
import type { DerivedKeys } from '../runtime/keys.js'
import { SingleFlight } from '../runtime/single-flight.js'
import { Collection, type Stored } from '../stores/collection.js'
import type { Store } from '../stores/store.js'
import type { VerifyContext } from '../verifiers/verifier.js'
import { Clients } from './clients.js'
import { AccessTokenIssuer } from './issue.js'
import { OwnTokens } from './own-tokens.js'
import type { SignIn, UpstreamSignIn } from './people.js'
import type {
  Client,
  ConnectionsRecord,
  GrantRecord,
  RememberedRecord,
  SessionRecord,
  TransactionRecord,
  TripRecord,
} from './records.js'
import type { RegistrationSettings, Report, ServerSettings } from './settings.js'
import type { Upstream } from './upstream.js'

export type { RegistrationSettings, Report, ServerSettings }

/** What one server is made of. */
export interface ServerParts {
  readonly settings: ServerSettings
  readonly clients: readonly Client[]
  readonly signIn: SignIn | UpstreamSignIn
  readonly pages: Pages
  readonly keys: DerivedKeys
  readonly store: Store
  readonly deps: Deps
  /** Whether the store held records that no secret of ours opens; absent where that is not ours to know. */
  readonly metUnreadable?: (() => boolean) | undefined
  /** Joins what an identity provider says to a token of ours, where people sign in at one. */
  readonly joinUpstream?: JoinUpstream | undefined
}

/** Null where the identity provider no longer stands behind a grant. */
export type JoinUpstream = (
  verified: VerifiedToken,
  grantId: string,
  grant: Stored<GrantRecord>,
  server: AuthorizationServer,
  context: VerifyContext,
) => Promise<VerifiedToken | null>

/** One authorization server. */
export class AuthorizationServer {
  readonly settings: ServerSettings
  readonly signIn: SignIn | UpstreamSignIn
  readonly pages: Pages
  readonly keys: DerivedKeys
  readonly deps: Deps
  readonly clients: Clients
  readonly issuer: AccessTokenIssuer
  readonly tokens: OwnTokens
  readonly grants: Collection<GrantRecord>
  readonly transactions: Collection<TransactionRecord>
  /** Browsers that are at the identity provider. */
  readonly trips: Collection<TripRecord>
  readonly sessions: Collection<SessionRecord>
  readonly connections: Collection<ConnectionsRecord>
  readonly remembered: Collection<RememberedRecord>
  /** Identifiers of client assertions that were used. */
  readonly assertions: Collection<true>
  readonly metUnreadable: (() => boolean) | undefined
  /** The identity provider that people sign in at, where it is not we who know them. */
  readonly upstream: Upstream | undefined
  /** Grants whose upstream tokens this process is renewing. */
  readonly renewals: SingleFlight<Stored<GrantRecord> | undefined> = new SingleFlight()

  constructor(parts: ServerParts) {
    const { settings, clients, signIn, pages, keys, store, deps, metUnreadable, joinUpstream } = parts
    this.settings = settings
    this.signIn = signIn
    this.pages = pages
    this.keys = keys
    this.deps = deps
    this.metUnreadable = metUnreadable
    // Servers that share a store share nothing else: a session, a code or a grant of one is none of the other.
    const own = digest(settings.issuer).slice(0, 12)
    const collection = <Data>(name: string): Collection<Data> => new Collection(store, `${own}.${name}`, deps)
    // What came of one identity provider is shown to no other: users are other users there, and its tokens are none of theirs.
    const upstream = 'upstream' in signIn ? signIn.upstream : undefined
    const realm = upstream === undefined ? '' : `.${digest(upstream.realm).slice(0, 12)}`
    const realmCollection = <Data>(name: string): Collection<Data> => collection(`${name}${realm}`)
    this.clients = new Clients({
      settings,
      configured: clients,
      registrations: collection('clients'),
      documents: collection('documents'),
      deps,
    })
    this.issuer = new AccessTokenIssuer(settings, keys, deps)
    this.upstream = upstream
    this.grants = realmCollection('grants')
    this.transactions = realmCollection('transactions')
    this.trips = realmCollection('trips')
    this.sessions = realmCollection('sessions')
    this.connections = realmCollection('connections')
    this.remembered = realmCollection('remembered')
    this.assertions = collection('assertions')
    this.tokens = new OwnTokens({
      settings,
      keys,
      deps,
      grants: this.grants,
      ...(joinUpstream !== undefined && {
        joinUpstream: (verified, grantId, grant, context) =>
          joinUpstream(verified, grantId, grant, this, context),
      }),
    })
  }
}

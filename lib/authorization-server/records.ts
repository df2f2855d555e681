// What is kept in the store. Every secret in here is a digest, or was never written at all because it can be derived again.

import type { ClientAuthMethod, ClientMetadata } from '../protocol/client-metadata.js'

export type { ClientAuthMethod }

/** A client, wherever it is known from. */
export interface Client {
  readonly clientId: string
  /** Configured by the operator, registered by itself (RFC 7591), or described by the document that its ID is the URL of. */
  readonly origin: 'configured' | 'registered' | 'document'
  readonly name?: string | undefined
  readonly uri?: string | undefined
  readonly redirectUris: readonly string[]
  readonly grantTypes: readonly string[]
  readonly authMethods: readonly ClientAuthMethod[]
  /** SHA-256 of the secret, in hex. */
  readonly secretDigest?: string | undefined
  readonly jwks?: Readonly<Record<string, unknown>> | undefined
  readonly jwksUri?: string | undefined
  /** The one algorithm of its assertions, where it named one. */
  readonly assertionAlgorithm?: string | undefined
  /** Most that it may be granted. Absent: whatever is supported. */
  readonly scopes?: readonly string[] | undefined
}

/** A registered client as it is stored. */
export interface RegistrationRecord {
  readonly client: Client
  /** The answer to its registration (RFC 7591 3.2.1) without the secret, which is not kept. */
  readonly metadata: Readonly<Record<string, unknown>>
  /** Seconds since the epoch. */
  readonly issuedAt: number
}

/** What the document of a client said. Its key is the digest of the URL. */
export interface DocumentRecord {
  readonly metadata: ClientMetadata
  /** Milliseconds since the epoch. */
  readonly fetchedAt: number
}

/** Somebody who signed in. */
export interface User {
  /** Names the user for good, e.g. a row's ID: never an e-mail address, which may be given to somebody else. */
  readonly subject: string
  /** For pages. */
  readonly name?: string | undefined
  /** Go into access tokens as they are, e.g. `{ email, roles }`. */
  readonly claims?: Readonly<Record<string, unknown>> | undefined
}

/** What a client asks for at `/authorize`, after every check. */
export interface AuthorizationRequest {
  readonly clientId: string
  readonly redirectUri: string
  readonly state?: string | undefined
  readonly scopes: readonly string[]
  /** S256 of the code verifier (RFC 7636 4.2). */
  readonly challenge: string
  /** Has to sign in anew, perhaps as somebody else, or to decide anew, or must not be shown any page. */
  readonly prompt?: 'login' | 'select_account' | 'consent' | 'none' | undefined
  /** Whether the client named the resource (RFC 8707), which every token is for anyway. */
  readonly namesResource?: boolean | undefined
}

/** An authorization request that waits for a person. */
export interface TransactionRecord {
  readonly request: AuthorizationRequest
  /** Digest of the browser's cookie: nobody else can go on with it. */
  readonly browser: string
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  /** Decides which questions may be left out. */
  readonly arrival: Arrival
  /** Set by the one who decided; then it cannot be decided again. */
  readonly decided?: Decision | undefined
}

/** What the browser says of how it came: by its user, by another site, or nothing, as what is no browser does. */
export type Arrival = 'user' | 'other_site' | 'unknown'

/** What a person answered. */
export interface Decision {
  /** Absent where the answer was no before anybody knew whose it was. */
  readonly subject?: string | undefined
  readonly allow: boolean
  readonly scopes: readonly string[]
  /** The grant that came of it; its code can be derived again, and stands nowhere. */
  readonly grantId?: string | undefined
}

/** A browser that is on its way to the identity provider and back. Its key is the digest of the state. */
export interface TripRecord {
  readonly purpose: TripPurpose
  /** Whether a person was asked before it began. */
  readonly asked?: boolean | undefined
  /** Code verifier and nonce, sealed: nobody who reads the store can finish what somebody else began. */
  readonly sealed: string
  readonly scopes: readonly string[]
  readonly resource?: string | undefined
  readonly prompt?: 'login' | 'select_account' | undefined
  /** Whoever came back is being let in, and nobody else may try meanwhile. Milliseconds since the epoch. */
  readonly claimedUntil?: number | undefined
}

/** What a person comes back for: to grant what they agreed to, or to see what they are connected to. */
export type TripPurpose =
  { readonly kind: 'grant'; readonly transaction: string } | { readonly kind: 'connections' }

/** A browser that signed in, by the built-in page or at the identity provider. Its key is the digest of the cookie. */
export interface SessionRecord {
  readonly user: User
  /** Milliseconds since the epoch. */
  readonly signedInAt: number
}

/**
 * One grant is one record, from the code to the last refresh token, changed by compare-and-swap: whatever crashes, there is one truth.
 * Code and refresh tokens are derived from its key and generation, and stand nowhere. Where it is gone, they are worth nothing.
 */
export interface GrantRecord {
  readonly clientId: string
  readonly subject: string
  readonly claims?: Readonly<Record<string, unknown>> | undefined
  readonly scopes: readonly string[]
  /** Milliseconds since the epoch. */
  readonly startedAt: number
  /** What the code is bound to. Absent where there was none. */
  readonly code?: CodeBinding | undefined
  /** Whether the code still waits for its client: until then the grant gives nothing. */
  readonly waits?: boolean | undefined
  /** Whether refresh tokens are given. */
  readonly refreshable: boolean
  /** Of the newest refresh token, from 1; 0 before the first. */
  readonly generation: number
  /** When the newest one replaced the one before. Milliseconds since the epoch. */
  readonly rotatedAt: number
  /** Access tokens up to this generation were revoked. */
  readonly revokedGeneration?: number | undefined
  /** What the identity provider gave, where there is one. */
  readonly upstream?: GrantUpstream | undefined
  /** When it ends, however much it is used: what is behind it cannot be renewed. Milliseconds since the epoch. */
  readonly endsAt?: number | undefined
}

/** What is behind a grant at the identity provider. Its tokens can be read with our secret alone, and in this grant alone. */
export interface GrantUpstream {
  /** Tokens, and whose they are. */
  readonly sealed: string
  /** When the access token ends, where that is known. Milliseconds since the epoch. */
  readonly expiresAt?: number | undefined
  readonly renewable: boolean
  /** How often they were renewed. */
  readonly round: number
  /** How often they had been when the client last renewed its own access. */
  readonly keptRound?: number | undefined
  /** Milliseconds since the epoch. */
  readonly obtainedAt: number
  /** One process is renewing them, and the others wait for it. Milliseconds since the epoch. */
  readonly leasedUntil?: number | undefined
  readonly resource?: string | undefined
}

/** RFC 6749 4.1.3, RFC 7636 4.6. */
export interface CodeBinding {
  readonly redirectUri: string
  readonly challenge: string
}

/** What a user is connected to: an index, never the truth about a grant. Its key is the digest of the subject. */
export interface ConnectionsRecord {
  readonly connections: readonly Connection[]
  /** Sessions that began until then are over. Milliseconds since the epoch. */
  readonly signedOutAt?: number | undefined
}

/** One grant in the index. */
export interface Connection {
  readonly grantId: string
  readonly clientId: string
  /** Milliseconds since the epoch. */
  readonly since: number
}

/** A decision that need not be asked for again, the last one. Its key is the digest of client and user, or client and browser. */
export interface RememberedRecord {
  /** Asked from another address, it may be somebody else who asks. */
  readonly redirectUri: string
  readonly scopes: readonly string[]
  /** The grant that came of it, where it counts for a browser and not for a user: it ends with that. */
  readonly grantId?: string | undefined
}

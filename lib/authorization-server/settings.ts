// What options decide about one authorization server, once.
import type { AuthEvent } from '../runtime/events.js'

/** How clients may register themselves (RFC 7591). */
export interface RegistrationSettings {
  /** Digest of the token that has to be presented; absent where anybody may register. */
  readonly initialTokenDigest?: string | undefined
  /** How long a client lives that nobody ever signed in with. */
  readonly unusedSeconds: number
  /** Most new clients in an hour, by one process. */
  readonly maxPerHour: number
}

/** What was decided by options, once. */
export interface ServerSettings {
  /** Byte for byte, in metadata, tokens and responses alike. */
  readonly issuer: string
  /** Of every endpoint, without a slash at its end. */
  readonly baseUrl: string
  /** The one resource that tokens are for. */
  readonly resource: string
  readonly resourceName: string | undefined
  readonly scopesSupported: readonly string[]
  /** Granted where a client asks for none. */
  readonly defaultScopes: readonly string[]
  /** What a user cannot leave out. */
  readonly requiredScopes: readonly string[]
  /** `external`: somebody else asks, for every client. */
  readonly consent: 'always' | 'remember' | 'never' | 'external'
  /** Whether only this machine can call: then `consent: 'never'` covers every client, and documents may come from this machine too. */
  readonly isLocal: boolean
  readonly accessTokenSeconds: number
  readonly refreshTokenSeconds: number
  readonly refreshGraceSeconds: number
  readonly codeSeconds: number
  readonly transactionSeconds: number
  readonly sessionSeconds: number
  readonly registration: RegistrationSettings | undefined
  /** Whether a client ID may be the URL of a document (CIMD); undefined where not. */
  readonly documents: { readonly isAllowed: (url: string) => boolean } | undefined
  /** URL of a page for developers. */
  readonly serviceDocumentation: string | undefined
  readonly isAllowedRedirect: ((uri: string) => boolean) | undefined
}

/** Tells an event. */
export type Report = (event: AuthEvent) => void

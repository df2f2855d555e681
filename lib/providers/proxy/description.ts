// What OAuthProxy, OIDCProxy and every identity provider come down to: one app at one identity provider, as data.
import type { JsonRequest } from '../../runtime/fetch-json.js'
import type { Verifier } from '../../verifiers/verifier.js'

/** How the app proves itself at the identity provider (RFC 6749 2.3). */
export type UpstreamAuthMethod = 'client_secret_basic' | 'client_secret_post' | 'none'

/** Where an identity provider is spoken to. */
export interface UpstreamEndpoints {
  /** Compared with what comes back: the `iss` of a response (RFC 9207) and of an ID token. Absent where there is none to compare. */
  readonly issuer?: string | undefined
  readonly authorizationEndpoint: string
  readonly tokenEndpoint: string
  readonly revocationEndpoint?: string | undefined
  readonly jwksUri?: string | undefined
  /** RFC 9207 3: every response has to name the issuer. */
  readonly sendsIssuer?: boolean | undefined
}

/** A document that says so (OpenID Connect Discovery 4, RFC 8414 3): fetched when it is needed first. */
export interface UpstreamDiscovery {
  readonly configUrl: string
  /** Whether a document that lacks what the specification demands, or names another issuer than it was fetched from, is refused. */
  readonly strict: boolean
  /** Stands in for what the document says or leaves out. */
  readonly replaced?: Partial<UpstreamEndpoints> | undefined
}

/** How scopes are called there, where that differs from how we call them. */
export interface ScopeNames {
  /** What to ask for, given scopes of ours. */
  toUpstream(scopes: readonly string[]): readonly string[]
  /** What was granted, in our words. */
  fromUpstream(scopes: readonly string[]): readonly string[]
}

/** How it is known whose an upstream token is: by a verifier of access tokens, or by the ID token alone. */
export type UpstreamIdentification =
  | {
      readonly by: 'access_token'
      /** The verifier, or what makes it once the endpoints are known. It is made again only where they changed. */
      readonly verifier: Verifier | ((endpoints: UpstreamEndpoints) => Verifier)
    }
  /** OpenID Connect: access tokens say nothing to us; who signed in stands in the ID token. */
  | { readonly by: 'id_token' }

/** One app at one identity provider. */
export interface UpstreamDescription {
  /** For people, e.g. `GitHub`. */
  readonly name: string
  readonly endpoints: UpstreamEndpoints | UpstreamDiscovery
  readonly clientId: string
  readonly clientSecret?: string | undefined
  readonly authMethod: UpstreamAuthMethod
  /** Path under the base URL, e.g. `/auth/callback`. */
  readonly callbackPath: string
  /** PKCE of our own towards the identity provider (RFC 7636). */
  readonly usesPkce: boolean
  /** Whether it is told the resource (RFC 8707). */
  readonly forwardsResource: boolean
  readonly scopeNames: ScopeNames
  /** Asked for on top, whatever a client asked for, e.g. what it takes to get a refresh token. In the identity provider's words. */
  readonly extraScopes: readonly string[]
  /** Sent where a browser is sent, and cannot replace what the protocol says. */
  readonly authorizeParams: Readonly<Record<string, string>>
  /** Sent with every call of the token endpoint. */
  readonly tokenParams: Readonly<Record<string, string>>
  /** Whether scopes are repeated when a code is exchanged or tokens are renewed. */
  readonly tokenScopes: 'never' | 'refresh' | 'always'
  readonly identification: UpstreamIdentification
  /** Claims that tools get to see, where not all; `sub` is always the subject. */
  readonly claims?: readonly string[] | undefined
  /** Which claim names the user for good. Default: `sub`. */
  readonly subjectClaim?: string | undefined
  /** Gives one token back, where that is not RFC 7009. */
  readonly revocation?:
    ((token: string, kind: 'access_token' | 'refresh_token') => JsonRequest | undefined) | undefined
  /** Says in plain words what an error of this identity provider means and how to mend it, for operators. */
  readonly explain?: ((error: string, description: string) => string | undefined) | undefined
  /** Life of an access token where its answer says nothing, in seconds. */
  readonly fallbackAccessTokenSeconds?: number | undefined
  readonly expiryThresholdSeconds: number
  /** For one call. */
  readonly timeoutSeconds: number
  readonly allowInsecureHttp: boolean
}

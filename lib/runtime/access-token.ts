// The token that handlers and tools see: plain own properties, two questions to ask it, and a clock to answer by.
import { inspect } from 'node:util'
import {
  type AccessTokenFields,
  type UpstreamAccess,
  type VerifiedToken,
  parseAccessToken,
} from '../protocol/access-token.js'
import { type ScopeImplies, holdsScope } from '../protocol/scopes.js'

/** What the guard adds to the facts of a token. */
export interface AccessTokenContext {
  /** URL of the resource that the token was accepted for. */
  readonly resource?: string | undefined
  readonly resourceMetadataUrl?: string | undefined
  readonly scopeImplies?: ScopeImplies | undefined
  /** Milliseconds since the epoch. Default: the system's clock. */
  readonly now?: (() => number) | undefined
}

let readContext: (token: AccessToken) => AccessTokenContext | undefined

/** What a token was made with. Not a property: it is nobody's business but the guard's. Undefined for a proxy or an heir of one. */
export function contextOf(token: AccessToken): AccessTokenContext | undefined {
  return readContext(token)
}

/**
 * A verified access token, as `req.auth` and `getAccessToken()` give it. It satisfies `AuthInfo` of both MCP SDKs, so tools
 * see it as `extra.authInfo` (v1) and `ctx.http.authInfo` (v2). Everything is an own enumerable property and survives a
 * spread; claims are frozen, since they are shared between requests that carry the same token.
 *
 * @example
 * const token = getAccessToken(req)
 * if (token?.hasScope('admin')) console.log(token.subject)
 */
export class AccessToken {
  /** The credential itself. Never forward it to another service. */
  readonly token: string
  /** `Bearer`, or the scheme that carried it. */
  readonly tokenType: string
  /** OAuth client that it was issued to. */
  readonly clientId: string
  readonly scopes: string[]
  /** Seconds since the epoch. */
  declare readonly expiresAt?: number
  /** The resource that it was accepted for (RFC 8707). */
  declare readonly resource?: URL
  /** Where the metadata of that resource is (RFC 9728); the SDK's own challenges point there. */
  declare readonly resourceMetadataUrl?: string
  /** The user or workload that it speaks for. */
  declare readonly subject?: string
  declare readonly issuer?: string
  /** All that was asserted of it. */
  readonly claims: Readonly<Record<string, unknown>>
  /** The claims once more, where SDK tools look for them. */
  readonly extra: Record<string, unknown>
  readonly #context: AccessTokenContext
  readonly #upstream: UpstreamAccess | undefined

  constructor(fields: AccessTokenFields & { readonly token: string }, context: AccessTokenContext = {}) {
    const facts: VerifiedToken = parseAccessToken(fields, fields.token)
    this.token = facts.token
    this.tokenType = facts.tokenType
    this.clientId = facts.clientId
    this.scopes = [...facts.scopes]
    if (facts.expiresAt !== undefined) this.expiresAt = facts.expiresAt
    if (context.resource !== undefined) this.resource = new URL(context.resource)
    if (context.resourceMetadataUrl !== undefined) this.resourceMetadataUrl = context.resourceMetadataUrl
    if (facts.subject !== undefined) this.subject = facts.subject
    if (facts.issuer !== undefined) this.issuer = facts.issuer
    this.claims = facts.claims
    this.extra = facts.claims
    this.#context = context
    this.#upstream = facts.upstream
  }

  /**
   * What is behind the token at the identity provider of a proxy, e.g. to call GitHub in the user's name. Not a property of its own: it is in
   * no copy, log or JSON of the token.
   *
   * @example const { data } = await new Octokit({ auth: await getAccessToken()?.upstream?.getToken() }).users.getAuthenticated()
   */
  get upstream(): UpstreamAccess | undefined {
    return #upstream in this ? this.#upstream : undefined
  }

  /** Whether the token holds a scope, outright or through a broader one. */
  hasScope(scope: string): boolean {
    return holdsScope(this.scopes, scope, this.#context.scopeImplies)
  }

  /** Whether the token expired since it was accepted, e.g. under a long-lived stream. */
  isExpired(): boolean {
    const { now = Date.now } = this.#context
    return this.expiresAt !== undefined && this.expiresAt * 1000 <= now()
  }

  static {
    readContext = (token) => (#context in token ? token.#context : undefined)
    // Logs show who, never the credential.
    Object.defineProperty(this.prototype, inspect.custom, {
      value(this: AccessToken): string {
        const { tokenType, clientId, subject, issuer, scopes, expiresAt } = this
        return `AccessToken ${inspect({ tokenType, clientId, subject, issuer, scopes, expiresAt })}`
      },
    })
  }
}

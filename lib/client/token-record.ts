// Tokens as the SDKs have them, and as they are kept: a lifetime there is a point in time here.
import { earlyFrom } from './token-request.js'
import type { ServerRecord, TokenRecord } from './credentials.js'
import type { DiscoveryState, StoredClient, StoredTokens } from './sdk-types.js'

/** @param now milliseconds since the epoch */
export function buildTokens(record: TokenRecord, now: number): StoredTokens {
  const { accessToken, expiresAt, idToken, issuer, refreshToken, scope, tokenType } = record
  return {
    access_token: accessToken,
    token_type: tokenType,
    issuer,
    ...(expiresAt !== undefined && { expires_in: Math.max(0, Math.floor((expiresAt - now) / 1000)) }),
    ...(refreshToken !== undefined && { refresh_token: refreshToken }),
    ...(scope !== undefined && { scope }),
    ...(idToken !== undefined && { id_token: idToken }),
  }
}

/** Where tokens came from. */
export interface TokenOrigin {
  readonly found: ServerRecord
  readonly discovery: DiscoveryState
  readonly client: StoredClient
  /** What was asked for. */
  readonly scope: string | undefined
}

/** @param now milliseconds since the epoch */
export function buildRecord(tokens: StoredTokens, origin: TokenOrigin, now: number): TokenRecord {
  const { found, client, scope } = origin
  const { authorizationServerUrl, authorizationServerMetadata: metadata, resourceMetadata } = origin.discovery
  const { expires_in: lifetime } = tokens
  return {
    issuer: tokens.issuer ?? found.issuer,
    resource: resourceMetadata?.resource,
    accessToken: tokens.access_token,
    tokenType: tokens.token_type,
    expiresAt: lifetime === undefined ? undefined : now + lifetime * 1000,
    renewAt: earlyFrom(now, lifetime),
    refreshToken: tokens.refresh_token,
    idToken: tokens.id_token,
    // RFC 6749 5.1: left out where it is what was asked for.
    scope: tokens.scope ?? scope,
    client,
    tokenEndpoint: metadata?.token_endpoint ?? new URL('/token', authorizationServerUrl).href,
    authMethods: metadata?.token_endpoint_auth_methods_supported,
  }
}

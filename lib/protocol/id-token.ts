// OpenID Connect Core 3.1.3.7 and 12.2: what an ID token has to say before it is believed who signed in.
import { hash } from 'node:crypto'
import { type ClaimRules, type Reason, refuseClaims, shown } from './claims.js'
import type { ParsedJws } from './jws-guard.js'

/** What an ID token is held against. */
export interface IdTokenRules {
  readonly issuer: string
  readonly clientId: string
  /** What was sent with the browser. Absent: nothing was, and there must be none. */
  readonly nonce?: string | undefined
  /** What it came with, for `at_hash`. */
  readonly accessToken: string
  /** Who it was before, where tokens are renewed. */
  readonly subject?: string | undefined
  /** How far in the future `iat` and `nbf` may lie. */
  readonly toleranceSeconds: number
}

/** Checks header and claims, all but the signature. Returns the reason of a refusal. */
export function refuseIdToken(jws: ParsedJws, rules: IdTokenRules, nowSeconds: number): Reason | undefined {
  const { header, payload } = jws
  const claims: ClaimRules = {
    issuers: [rules.issuer],
    audiences: [rules.clientId],
    requireExpiry: true,
    toleranceSeconds: rules.toleranceSeconds,
  }
  return (
    refuseKindOfToken(jws) ??
    refuseClaims(payload, claims, nowSeconds) ??
    refuseParty(payload, rules.clientId) ??
    refuseSubject(payload['sub'], rules.subject) ??
    refuseNonce(payload['nonce'], rules.nonce) ??
    refuseAccessTokenHash(payload['at_hash'], header.alg, rules.accessToken)
  )
}

/** A token of another kind, e.g. an access token or one that tells of a logout, says nothing of who signed in. */
function refuseKindOfToken({ header: { typ }, payload }: ParsedJws): Reason | undefined {
  const expected = 'an ID token'
  if (typ !== undefined && typ.toLowerCase() !== 'jwt')
    return { stage: 'type', expected, got: `typ ${shown(typ)}` }
  const use = payload['token_use']
  if (use !== undefined && use !== 'id') return { stage: 'type', expected, got: `token_use ${shown(use)}` }
  if (payload['iat'] === undefined) return { stage: 'claims', expected: 'iat', got: 'nothing' }
  return undefined
}

/** Audiences beside us are trusted only where it says that we are the one it was made for. */
function refuseParty({ aud, azp }: ParsedJws['payload'], clientId: string): Reason | undefined {
  const alone = typeof aud === 'string' || (aud as readonly unknown[]).length === 1
  if (azp === clientId || (azp === undefined && alone)) return undefined
  return { stage: 'audience', expected: `azp ${clientId}`, got: shown(azp) }
}

/** Core 2: at most 255 letters. Core 12.2: the same one as before. */
function refuseSubject(sub: unknown, before: string | undefined): Reason | undefined {
  if (typeof sub !== 'string' || sub === '' || sub.length > 255)
    return { stage: 'subject', expected: 'a sub of 1 to 255 letters', got: shown(sub) }
  if (before === undefined || sub === before) return undefined
  return { stage: 'subject', expected: shown(before), got: shown(sub) }
}

function refuseNonce(nonce: unknown, sent: string | undefined): Reason | undefined {
  if (nonce === sent) return undefined
  const expected = sent === undefined ? 'no nonce' : 'the nonce that was sent'
  return { stage: 'nonce', expected, got: nonce === undefined ? 'nothing' : 'another one' }
}

/** Core 3.1.3.6: the left half of a digest of the access token; an access token of somebody else has another. */
function refuseAccessTokenHash(atHash: unknown, algorithm: string, accessToken: string): Reason | undefined {
  if (atHash === undefined || atHash === halfOfDigest(algorithm, accessToken)) return undefined
  return { stage: 'at_hash', expected: 'that of the access token', got: 'another one' }
}

function halfOfDigest(algorithm: string, accessToken: string): string {
  // EdDSA names no hash; Ed25519 works with SHA-512.
  const bits = /^[A-Z]{2}(?<bits>256|384|512)$/.exec(algorithm)?.groups?.['bits'] ?? '512'
  const digest = hash(`sha${bits}`, accessToken, 'buffer')
  return digest.subarray(0, digest.length / 2).toString('base64url')
}

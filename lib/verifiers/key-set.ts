// A set of public keys, as verification uses them: found by key ID, each for the algorithms of its type.
import { type KeyObject, createPublicKey, createSecretKey } from 'node:crypto'
import { type Jwk, algorithmsOf, refuseKey } from '../protocol/jwk.js'

/** One key that may verify. */
export interface VerificationKey {
  readonly kid: string | undefined
  readonly algorithms: readonly string[]
  /** Identity of the key material: the same key in a later set has the same one. */
  readonly identity: string
  readonly key: KeyObject
}

/** The usable keys of one published set, and why the others are not. */
export interface KeySet {
  readonly keys: readonly VerificationKey[]
  readonly skipped: readonly string[]
}

/** Reads a JWK set (RFC 7517 5). An entry that cannot be used is skipped, so that one odd key does not break a set. */
export function parseKeySet(document: unknown): KeySet {
  const entries: unknown = (document as { keys?: unknown } | null | undefined)?.keys
  if (!Array.isArray(entries)) return { keys: [], skipped: ['the document has no "keys" array'] }
  const keys: VerificationKey[] = []
  const skipped: string[] = []
  for (const [index, entry] of (entries as unknown[]).slice(0, MAX_KEYS).entries()) {
    const key = refuseKey(entry) ?? createKey(entry as Jwk)
    if (typeof key === 'string') skipped.push(`key ${index}: ${key}`)
    else keys.push(key)
  }
  return { keys, skipped }
}

/** Providers publish a handful. */
const MAX_KEYS = 100

/** Imports a key, so that one which cannot be, e.g. a point off its curve, is known before a token needs it. */
function createKey(jwk: Jwk): VerificationKey | string {
  const published = publicPart(jwk)
  let key: KeyObject
  try {
    key = createPublicKey({ key: published, format: 'jwk' })
  } catch {
    return 'it cannot be imported'
  }
  return {
    kid: jwk['kid'] as string | undefined,
    algorithms: algorithmsOf(jwk),
    identity: JSON.stringify(published),
    key,
  }
}

/** Only what makes the key: `use`, `key_ops` and `ext` were judged already, and import would judge them differently. */
function publicPart(jwk: Jwk): Jwk {
  const members = ['kty', 'crv', 'n', 'e', 'x', 'y'].filter((name) => name in jwk)
  return Object.fromEntries(members.map((name) => [name, jwk[name]]))
}

/**
 * The keys that a token may have been signed with. A key ID decides; without one there has to be just one candidate, so
 * that nobody can make us try a whole set.
 */
export function selectKeys(
  set: KeySet,
  algorithm: string,
  kid: string | undefined,
): readonly VerificationKey[] {
  const fitting = set.keys.filter((key) => key.algorithms.includes(algorithm))
  if (kid === undefined) return fitting.length === 1 ? fitting : []
  return fitting.filter((key) => key.kid === kid).slice(0, MAX_SAME_ID)
}

/** A set may hold two keys under one ID, by mistake or while it is rotated. */
const MAX_SAME_ID = 3

/** A shared secret as the only key of a set. It is never part of a published one. */
export function secretKeySet(secret: Uint8Array, algorithms: readonly string[]): KeySet {
  return {
    keys: [{ kid: undefined, algorithms, identity: 'secret', key: createSecretKey(secret) }],
    skipped: [],
  }
}

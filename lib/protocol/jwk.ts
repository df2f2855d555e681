// RFC 7517 and RFC 7518: which keys of a set may verify signatures, and for which algorithms.

/** A public key, as JSON. */
export type Jwk = Readonly<Record<string, unknown>>

/** Signature algorithms with a public key that we verify (RFC 7518 3.1, RFC 8037 3.1). */
export const ASYMMETRIC_ALGORITHMS = [
  'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'EdDSA', 'Ed25519',
] as const // prettier-ignore

/** Least length of an HMAC secret in bytes: the size of the hash (RFC 7518 3.2). */
export const HMAC_SECRET_BYTES: ReadonlyMap<string, number> = new Map([
  ['HS256', 32],
  ['HS384', 48],
  ['HS512', 64],
])

const EC_CURVES: ReadonlyMap<unknown, string> = new Map([
  ['P-256', 'ES256'],
  ['P-384', 'ES384'],
  ['P-521', 'ES512'],
])

/** The algorithms that a key's type allows; an `alg` of its own narrows them (RFC 7517 4.4). */
export function algorithmsOf(jwk: Jwk): readonly string[] {
  const byType = algorithmsOfType(jwk)
  return typeof jwk['alg'] === 'string' ? byType.filter((alg) => alg === jwk['alg']) : byType
}

function algorithmsOfType(jwk: Jwk): readonly string[] {
  if (jwk['kty'] === 'RSA')
    return ASYMMETRIC_ALGORITHMS.filter((alg) => alg.startsWith('RS') || alg.startsWith('PS'))
  if (jwk['kty'] === 'EC') return ASYMMETRIC_ALGORITHMS.filter((alg) => alg === EC_CURVES.get(jwk['crv']))
  if (jwk['kty'] === 'OKP' && jwk['crv'] === 'Ed25519') return ['EdDSA', 'Ed25519']
  return []
}

/**
 * Why a key must not verify access tokens, or undefined. Symmetric and private keys do not belong into a published set;
 * weak RSA keys can be forged.
 */
export function refuseKey(jwk: unknown): string | undefined {
  if (typeof jwk !== 'object' || jwk === null || Array.isArray(jwk)) return 'not an object'
  const key = jwk as Jwk
  if (key['kty'] === 'oct') return 'a symmetric key'
  if ('d' in key || 'p' in key || 'k' in key) return 'a private key'
  if (key['use'] !== undefined && key['use'] !== 'sig') return 'not meant for signatures'
  if (key['key_ops'] !== undefined && !(Array.isArray(key['key_ops']) && key['key_ops'].includes('verify'))) {
    return 'not meant for verifying'
  }
  if (key['kid'] !== undefined && typeof key['kid'] !== 'string') return 'its key ID is not a string'
  if (algorithmsOf(key).length === 0) return 'of a type or for an algorithm that is not supported'
  return key['kty'] === 'RSA' ? refuseRsa(key) : undefined
}

function refuseRsa(jwk: Jwk): string | undefined {
  const modulus = toInteger(jwk['n'])
  const exponent = toInteger(jwk['e'])
  if (modulus === undefined || exponent === undefined) return 'without a modulus or an exponent'
  if (modulus < 1n << 2047n) return 'an RSA key under 2048 bits'
  if (modulus >= 1n << 16384n) return 'an RSA key over 16384 bits'
  if (exponent < 65537n || exponent % 2n === 0n) return 'an RSA key with an exponent under 65537'
  // Each bit of it costs whoever verifies.
  if (exponent >= 1n << 32n) return 'an RSA key with an exponent over 32 bits'
  if (modulus % 2n === 0n || hasRocaFingerprint(modulus)) return 'an RSA key that can be factored'
  return undefined
}

function toInteger(value: unknown): bigint | undefined {
  if (typeof value !== 'string' || !/^[A-Za-z0-9_-]+$/.test(value) || value.length > 4096) return undefined
  return BigInt(`0x${Buffer.from(value, 'base64url').toString('hex') || '0'}`)
}

const SMALL_PRIMES = [
  3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107,
  109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
]

/**
 * CVE-2017-15361: primes of the broken generator are powers of 65537 modulo every small prime, and so is their product.
 * A sound modulus passes all of these tests with a chance of about one in 2^27.
 */
function hasRocaFingerprint(modulus: bigint): boolean {
  return SMALL_PRIMES.every((prime) => powersOf65537(prime).has(Number(modulus % BigInt(prime))))
}

function powersOf65537(prime: number): Set<number> {
  const powers = new Set<number>()
  for (let power = 1; !powers.has(power); power = (power * (65537 % prime)) % prime) powers.add(power)
  return powers
}

// The keys of a JWTVerifier, from its options: a key set URL, a public key, or a shared secret, and the algorithms each allows.
import { X509Certificate, createPublicKey } from 'node:crypto'
import { ConfigError } from '../protocol/errors.js'
import { ASYMMETRIC_ALGORITHMS, HMAC_SECRET_BYTES } from '../protocol/jwk.js'
import { type OptionReader, unknownName } from '../protocol/options.js'
import type { Deps } from '../runtime/deps.js'
import { type KeySource, RemoteKeys, type RemoteKeysOptions, fixedKeys } from './jwks.js'
import { type KeySet, parseKeySet, secretKeySet } from './key-set.js'

/** The accepted algorithms: those of one kind of key, never both. */
export function parseAlgorithms(read: OptionReader): readonly string[] {
  const secret = read.has('secret')
  const known: readonly string[] = secret ? [...HMAC_SECRET_BYTES.keys()] : ASYMMETRIC_ALGORITHMS
  const algorithms = read.texts('algorithms') ?? (secret ? ['HS256'] : known)
  for (const algorithm of algorithms) {
    if (known.includes(algorithm)) continue
    if (HMAC_SECRET_BYTES.has(algorithm)) {
      throw read.invalid(
        'algorithms',
        `asymmetric with "jwksUri" or "publicKey": ${algorithm} would let anybody who knows a public key sign`,
      )
    }
    const other = secret ? ' with "secret"' : ''
    throw unknownName(
      `${read.name('algorithms')} has no ${JSON.stringify(algorithm)}${other}`,
      algorithm,
      known,
    )
  }
  return algorithms
}

/** Who may have keys fetched, by key IDs that are unknown, and how often. */
export type KeyTrust = Pick<RemoteKeysOptions, 'cooldownSeconds'>

/** Where the keys come from. */
export function parseKeys(
  read: OptionReader,
  algorithms: readonly string[],
  deps: Deps,
  trust: KeyTrust,
): KeySource {
  const given = ['jwksUri', 'publicKey', 'secret'].filter((name) => read.has(name))
  if (given.length !== 1) {
    throw new ConfigError(
      'ERR_MCP_AUTH_MISSING_OPTION',
      `JWTVerifier takes exactly one of "jwksUri", "publicKey" and "secret", not ${given.map((name) => `"${name}"`).join(' and ') || 'none'}`,
    )
  }
  const url = read.url('jwksUri')
  if (url !== undefined) {
    const cacheSeconds = read.has('jwksCacheSeconds') ? read.seconds('jwksCacheSeconds', 0) : undefined
    return new RemoteKeys({ url, cacheSeconds, ...trust }, deps)
  }
  if (read.has('secret')) return fixedKeys(secretKeySet(parseSecret(read, algorithms), algorithms))
  return fixedKeys(parsePublicKey(read))
}

function parseSecret(read: OptionReader, algorithms: readonly string[]): Uint8Array<ArrayBuffer> {
  const value = read.raw('secret')
  if (typeof value !== 'string' && !(value instanceof Uint8Array))
    throw read.invalid('secret', 'a string or bytes')
  const bytes = Uint8Array.from(typeof value === 'string' ? Buffer.from(value, 'utf8') : value)
  if (isKey(Buffer.from(bytes))) {
    throw read.invalid(
      'secret',
      'a secret, not a key: a public key known to everybody would verify their own tokens. Use "publicKey"',
    )
  }
  const least = Math.max(...algorithms.map((algorithm) => HMAC_SECRET_BYTES.get(algorithm) as number))
  if (bytes.length < least) {
    throw new ConfigError(
      'ERR_MCP_AUTH_WEAK_KEY',
      `${read.name('secret')} must have at least ${least} bytes for ${algorithms.join(', ')}, not ${bytes.length}. ` +
        `Make one with: node -p "require('crypto').randomBytes(${least}).toString('base64url')"`,
    )
  }
  return bytes
}

/** Whether bytes are a public key in any of its usual clothes: everybody knows them, and could sign with them. */
function isKey(bytes: Buffer): boolean {
  const text = bytes.toString('latin1')
  if (/-----BEGIN|^\s*ssh-|"kty"\s*:/.test(text)) return true
  return isDer(bytes) || isDer(Buffer.from(text, 'base64'))
}

function isDer(der: Buffer): boolean {
  const readings: (() => unknown)[] = [
    () => createPublicKey({ key: der, format: 'der', type: 'spki' }),
    () => createPublicKey({ key: der, format: 'der', type: 'pkcs1' }),
    () => new X509Certificate(der),
  ]
  return readings.some((read) => {
    try {
      read()
      return true
    } catch {
      return false
    }
  })
}

function parsePublicKey(read: OptionReader): KeySet {
  const value = read.raw('publicKey')
  const set = parseKeySet(
    typeof value === 'string'
      ? { keys: [pemToJwk(read, value)] }
      : 'keys' in Object(value)
        ? value
        : { keys: [value] },
  )
  if (set.keys.length === 0) {
    throw new ConfigError(
      'ERR_MCP_AUTH_WEAK_KEY',
      `${read.name('publicKey')} cannot be used: ${set.skipped.join('; ') || 'the set is empty'}`,
    )
  }
  return set
}

function pemToJwk(read: OptionReader, pem: string): unknown {
  if (pem.includes('PRIVATE KEY'))
    throw read.invalid('publicKey', 'a public key. A private key has no business in a verifier')
  try {
    return createPublicKey(pem).export({ format: 'jwk' })
  } catch {
    throw read.invalid('publicKey', 'a PEM (-----BEGIN PUBLIC KEY----- or CERTIFICATE), a JWK or a JWK set')
  }
}

import { createPublicKey, generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import {
  ASYMMETRIC_ALGORITHMS,
  HMAC_SECRET_BYTES,
  type Jwk,
  algorithmsOf,
  refuseKey,
} from '../../lib/protocol/jwk.js'

// RFC 7517 A.1
const RFC7517_EC: Jwk = {
  kty: 'EC',
  crv: 'P-256',
  x: 'MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4',
  y: '4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM',
  use: 'enc',
  kid: '1',
}
const RFC7517_RSA: Jwk = {
  kty: 'RSA',
  n: '0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw',
  e: 'AQAB',
  alg: 'RS256',
  kid: '2011-04-29',
}
// RFC 8037 A.2
const RFC8037: Jwk = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' }

const bytes = (value: bigint): string => {
  const hex = value.toString(16)
  return Buffer.from(hex.padStart(hex.length + (hex.length % 2), '0'), 'hex').toString('base64url')
}
const rsa = (n: bigint, e = 65537n): Jwk => ({ kty: 'RSA', n: bytes(n), e: bytes(e) })
const modulus = BigInt(`0x${Buffer.from(String(RFC7517_RSA['n']), 'base64url').toString('hex')}`)

/** CVE-2017-15361: a modulus of 2048 bits that is a power of 65537 modulo each of the primes up to 167. */
function rocaModulus(): bigint {
  const primes = Array.from({ length: 166 }, (_, index) => BigInt(index + 2)).filter(
    (n) => n > 2n && ![2n, 3n, 5n, 7n, 11n].some((prime) => n > prime && n % prime === 0n),
  )
  const product = primes.reduce((all, prime) => all * prime, 1n)
  const times = (1n << 2047n) / product + 2n
  return 65537n ** 3n + product * (times + (times % 2n))
}

describe('refuseKey', () => {
  it('takes the RSA key of RFC 7517 A.1, and not the key for encryption beside it', () => {
    expect(refuseKey(RFC7517_RSA)).toBeUndefined()
    expect(refuseKey(RFC7517_EC)).toBe('not meant for signatures')
  })

  it('takes the key of RFC 8037 A.2', () => {
    expect(refuseKey(RFC8037)).toBeUndefined()
  })

  it.each<[rule: string, jwk: Jwk]>([
    ['use sig', { ...RFC7517_RSA, use: 'sig' }],
    ['key_ops with verify', { ...RFC7517_RSA, key_ops: ['verify', 'wrapKey'] }],
    ['no key ID', { ...RFC7517_RSA, kid: undefined }],
    [
      'another EC curve',
      generateKeyPairSync('ec', { namedCurve: 'P-384' }).publicKey.export({ format: 'jwk' }),
    ],
    ['a large odd exponent', rsa(modulus, 65539n)],
    ['the greatest exponent', rsa(modulus, (1n << 32n) - 1n)],
    ['the greatest modulus', rsa((1n << 16384n) - 1n - 2n)],
  ])('takes a key with %s', (_rule, jwk) => {
    expect(refuseKey(jwk)).toBeUndefined()
  })

  it.each<[jwk: unknown, reason: string]>([
    [null, 'not an object'],
    ['key', 'not an object'],
    [[RFC7517_RSA], 'not an object'],
    [{ kty: 'oct', k: 'AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75' }, 'a symmetric key'],
    [{ ...RFC7517_RSA, d: 'AQAB' }, 'a private key'],
    [{ ...RFC7517_RSA, p: 'AQAB' }, 'a private key'],
    [{ ...RFC8037, k: 'AQAB' }, 'a private key'],
    [{ ...RFC7517_RSA, use: 'tls' }, 'not meant for signatures'],
    [{ ...RFC7517_RSA, use: null }, 'not meant for signatures'],
    [{ ...RFC7517_RSA, key_ops: ['encrypt'] }, 'not meant for verifying'],
    [{ ...RFC7517_RSA, key_ops: 'verify' }, 'not meant for verifying'],
    [{ ...RFC7517_RSA, kid: 7 }, 'its key ID is not a string'],
    [{}, 'of a type or for an algorithm that is not supported'],
    [{ ...RFC7517_RSA, alg: 'RSA-OAEP' }, 'of a type or for an algorithm that is not supported'],
    [{ ...RFC7517_RSA, alg: 'ES256' }, 'of a type or for an algorithm that is not supported'],
    [{ ...RFC7517_EC, use: 'sig', crv: 'secp256k1' }, 'of a type or for an algorithm that is not supported'],
    [{ ...RFC8037, crv: 'X25519' }, 'of a type or for an algorithm that is not supported'],
    [{ kty: 'constructor' }, 'of a type or for an algorithm that is not supported'],
    [{ ...RFC7517_RSA, n: undefined }, 'without a modulus or an exponent'],
    [{ ...RFC7517_RSA, n: 7 }, 'without a modulus or an exponent'],
    [{ ...RFC7517_RSA, n: 'a b' }, 'without a modulus or an exponent'],
    [{ ...RFC7517_RSA, n: 'A'.repeat(4097) }, 'without a modulus or an exponent'],
    [{ ...RFC7517_RSA, e: '' }, 'without a modulus or an exponent'],
    [{ ...RFC7517_RSA, n: 'A' }, 'an RSA key under 2048 bits'],
    [{ ...RFC7517_RSA, n: 'A'.repeat(4096) }, 'an RSA key under 2048 bits'],
    [rsa((1n << 2047n) - 1n), 'an RSA key under 2048 bits'],
    [rsa(1n << 2047n), 'an RSA key that can be factored'],
    [rsa(1n << 16384n), 'an RSA key over 16384 bits'],
    [rsa((1n << 16384n) + 1n), 'an RSA key over 16384 bits'],
    [rsa(modulus, 1n), 'an RSA key with an exponent under 65537'],
    [rsa(modulus, 3n), 'an RSA key with an exponent under 65537'],
    [rsa(modulus, 65538n), 'an RSA key with an exponent under 65537'],
    [rsa(modulus, (1n << 32n) + 1n), 'an RSA key with an exponent over 32 bits'],
    [rsa(modulus, (1n << 2000n) + 1n), 'an RSA key with an exponent over 32 bits'],
    [rsa(modulus + 1n), 'an RSA key that can be factored'],
    [rsa(rocaModulus()), 'an RSA key that can be factored'],
  ])('refuses %j: %s', (jwk, reason) => {
    expect(refuseKey(jwk)).toBe(reason)
  })

  it('takes every modulus that a sound generator makes', () => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    expect(refuseKey(publicKey.export({ format: 'jwk' }))).toBeUndefined()
  })

  it('is tried with a ROCA modulus that is nothing but one: 2048 bits, odd, importable', () => {
    const jwk = rsa(rocaModulus())
    expect(rocaModulus() >> 2047n).toBe(1n)
    expect(createPublicKey({ key: jwk as never, format: 'jwk' }).asymmetricKeyDetails?.modulusLength).toBe(
      2048,
    )
  })
})

describe('algorithmsOf', () => {
  it.each<[kind: string, jwk: Jwk, algorithms: readonly string[]]>([
    ['RSA', { kty: 'RSA' }, ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512']],
    ['EC on P-256', { kty: 'EC', crv: 'P-256' }, ['ES256']],
    ['EC on P-384', { kty: 'EC', crv: 'P-384' }, ['ES384']],
    ['EC on P-521', { kty: 'EC', crv: 'P-521' }, ['ES512']],
    ['EC on another curve', { kty: 'EC', crv: 'secp256k1' }, []],
    ['Ed25519', { kty: 'OKP', crv: 'Ed25519' }, ['EdDSA', 'Ed25519']],
    ['Ed448', { kty: 'OKP', crv: 'Ed448' }, []],
    ['a symmetric key', { kty: 'oct' }, []],
  ])('of %s are those that its type allows', (_kind, jwk, algorithms) => {
    expect(algorithmsOf(jwk)).toEqual(algorithms)
  })

  it('are narrowed by an alg of the key itself', () => {
    expect(algorithmsOf({ kty: 'RSA', alg: 'PS256' })).toEqual(['PS256'])
    expect(algorithmsOf({ kty: 'RSA', alg: 'HS256' })).toEqual([])
  })

  it('are all of them asymmetric', () => {
    expect(ASYMMETRIC_ALGORITHMS.filter((alg) => HMAC_SECRET_BYTES.has(alg) || alg.startsWith('HS'))).toEqual(
      [],
    )
  })
})

describe('HMAC_SECRET_BYTES', () => {
  it('is the size of the hash (RFC 7518 3.2)', () => {
    expect([...HMAC_SECRET_BYTES]).toEqual([
      ['HS256', 32],
      ['HS384', 48],
      ['HS512', 64],
    ])
  })
})

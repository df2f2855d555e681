// Every key of the authorization server comes from one secret by HKDF (RFC 5869), and so is the same on every replica.
import {
  type KeyObject,
  createECDH,
  createHmac,
  createPrivateKey,
  createSecretKey,
  hash,
  hkdfSync,
  timingSafeEqual,
} from 'node:crypto'
import { Sealer } from './sealing.js'

/** What a message authentication code vouches for. Each has a key of its own, so that none can stand for another. */
export type MacPurpose = 'code' | 'refresh' | 'browser' | 'trip'

/** A public key as it is published (RFC 7517). */
export interface PublishedKey {
  readonly kty: 'EC'
  readonly crv: 'P-256'
  readonly x: string
  readonly y: string
  readonly kid: string
  readonly alg: 'ES256'
  readonly use: 'sig'
}

/** The keys of one list of secrets: the first makes, all of them check. */
export interface DerivedKeys {
  /** Signs access tokens (ES256). */
  readonly signing: { readonly kid: string; readonly key: KeyObject }
  readonly published: readonly PublishedKey[]
  /** For `EncryptedStore`, the newest first. A function, so that they are in no log of whatever holds these keys. */
  storageKeys(): readonly Uint8Array[]
  /** Seals what may lie in any store: tokens of others, and what would let somebody finish a sign-in. */
  readonly sealer: Sealer
  /** HMAC-SHA-256 in base64url. */
  mac(purpose: MacPurpose, text: string): string
  /** Whether one of the keys made it. */
  isMac(purpose: MacPurpose, text: string, mac: string): boolean
}

const PURPOSES: readonly MacPurpose[] = ['code', 'refresh', 'browser', 'trip']

/** @param secrets at least 32 bytes each; the first signs, the rest still verify */
export function deriveKeys(secrets: readonly Uint8Array[]): DerivedKeys {
  const signing = secrets.map(signingKey)
  const macKeys = new Map(
    PURPOSES.map((purpose) => [
      purpose,
      secrets.map((secret) => createSecretKey(derive(secret, `mac ${purpose}`, 32))),
    ]),
  )
  const [current] = signing as [SigningKey]
  const macWith = (key: KeyObject, text: string): string =>
    createHmac('sha256', key).update(text).digest('base64url')
  return {
    signing: { kid: current.published.kid, key: current.key },
    published: signing.map(({ published }) => published),
    storageKeys: () => secrets.map((secret) => derive(secret, 'storage', 32)),
    sealer: new Sealer(secrets as [Uint8Array, ...Uint8Array[]], 'records AES-256-GCM'),
    mac(purpose, text) {
      const [key] = macKeys.get(purpose) as [KeyObject]
      return macWith(key, text)
    },
    isMac(purpose, text, mac) {
      // As text, so that there is one spelling of each.
      const given = Buffer.from(mac)
      return (macKeys.get(purpose) as KeyObject[]).some((key) => {
        const made = Buffer.from(macWith(key, text))
        return made.length === given.length && timingSafeEqual(made, given)
      })
    },
  }
}

interface SigningKey {
  readonly key: KeyObject
  readonly published: PublishedKey
}

/** FIPS 186-5 A.2.1: 128 bits more than the order has, so that the remainder is as good as evenly spread. */
function signingKey(secret: Uint8Array): SigningKey {
  const wide = BigInt(`0x${Buffer.from(derive(secret, 'signing ES256', 48)).toString('hex')}`)
  const scalar = (wide % (P256_ORDER - 1n)) + 1n
  const d = Buffer.from(scalar.toString(16).padStart(64, '0'), 'hex')
  const curve = createECDH('prime256v1')
  curve.setPrivateKey(d)
  const point = curve.getPublicKey()
  const coordinates = {
    x: point.subarray(1, 33).toString('base64url'),
    y: point.subarray(33).toString('base64url'),
  }
  const jwk = { kty: 'EC', crv: 'P-256', ...coordinates } as const
  const key = createPrivateKey({ key: { ...jwk, d: d.toString('base64url') }, format: 'jwk' })
  return { key, published: { ...jwk, kid: thumbprint(coordinates), alg: 'ES256', use: 'sig' } }
}

const P256_ORDER = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551n

/** RFC 7638 3. */
function thumbprint({ x, y }: { readonly x: string; readonly y: string }): string {
  return hash('sha256', JSON.stringify({ crv: 'P-256', kty: 'EC', x, y }), 'base64url')
}

function derive(secret: Uint8Array, purpose: string, bytes: number): Uint8Array {
  return new Uint8Array(hkdfSync('sha256', secret, 'express-mcp-auth', purpose, bytes))
}

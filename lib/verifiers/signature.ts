// RFC 7515 5.2 and RFC 7518 3: whether a key made the signature of a token. node's own crypto computes it, public-key ones in its
// thread pool: jose would ask the same of it, by a dozen promises for each token.
import { type KeyObject, constants, createHmac, timingSafeEqual, verify } from 'node:crypto'
import type { VerificationKey } from './key-set.js'

interface Scheme {
  /** EdDSA hashes by itself. */
  readonly hash: string | null
  readonly parameters: {
    readonly padding?: number
    readonly saltLength?: number
    readonly dsaEncoding?: 'ieee-p1363'
  }
}

const { RSA_PKCS1_PADDING, RSA_PKCS1_PSS_PADDING, RSA_PSS_SALTLEN_DIGEST } = constants

const FAMILIES: Readonly<Record<string, Scheme['parameters']>> = {
  RS: { padding: RSA_PKCS1_PADDING },
  // RFC 7518 3.5: the salt is as long as the hash, and nothing else.
  PS: { padding: RSA_PKCS1_PSS_PADDING, saltLength: RSA_PSS_SALTLEN_DIGEST },
  // RFC 7518 3.4: the two numbers side by side, not DER.
  ES: { dsaEncoding: 'ieee-p1363' },
}

function schemeOf(algorithm: string): Scheme {
  const parameters = FAMILIES[algorithm.slice(0, 2)]
  return parameters === undefined
    ? { hash: null, parameters: {} }
    : { hash: `sha${algorithm.slice(2)}`, parameters }
}

/**
 * Checks the signature of a compact JWS in strict form.
 *
 * @param algorithm one that the key is for: whether it may be used was decided when the key was chosen
 */
export function isSignedBy(key: KeyObject, algorithm: string, token: string): Promise<boolean> {
  const end = token.lastIndexOf('.')
  const signed = Buffer.from(token.slice(0, end), 'latin1')
  const signature = Buffer.from(token.slice(end + 1), 'base64url')
  if (key.type === 'secret') {
    const mac = createHmac(`sha${algorithm.slice(2)}`, key)
      .update(signed)
      .digest()
    return Promise.resolve(mac.length === signature.length && timingSafeEqual(mac, signature))
  }
  const { hash, parameters } = schemeOf(algorithm)
  return new Promise((resolve) => {
    verify(hash, signed, { key, ...parameters }, signature, (error, valid) => {
      // Whatever made it fail, this key is not known to have signed.
      resolve(error === null && valid)
    })
  })
}

/** The first of some keys that made the signature. They were chosen for the algorithm. */
export async function findSigner(
  token: string,
  algorithm: string,
  candidates: readonly VerificationKey[],
): Promise<VerificationKey | undefined> {
  for (const candidate of candidates) {
    if (await isSignedBy(candidate.key, algorithm, token)) return candidate
  }
  return undefined
}

// Keys and tokens for tests.
import { type KeyObject, generateKeyPair, sign } from 'node:crypto'
import { promisify } from 'node:util'
import { calculateJwkThumbprint } from 'jose/jwk/thumbprint'
import { type Deps, createDeps } from '../runtime/deps.js'

/** What a test token says. */
export interface TestTokenOptions {
  /** Default: `test-user`. */
  readonly subject?: string
  /** Default: `https://issuer.example.com`. */
  readonly issuer?: string
  readonly audience?: string | readonly string[]
  readonly scopes?: readonly string[]
  /** From now; negative for an expired token. Default: 3600. */
  readonly expiresInSeconds?: number
  /** Added to the claims, or put in place of them. */
  readonly additionalClaims?: Readonly<Record<string, unknown>>
  /** Key ID in the header. Default: that of the pair. */
  readonly kid?: string
  /** `typ` in the header. Default: `JWT`. */
  readonly type?: string
}

/** Options of {@link RSAKeyPair.generate}. */
export interface RSAKeyPairOptions {
  /** Where tokens have their times from, e.g. a `testClock()`. Default: the system's clock. */
  readonly deps?: Pick<Deps, 'now'>
}

const generate = promisify(generateKeyPair)

/**
 * An RSA key pair that makes RS256 access tokens.
 *
 * @example
 * const keys = await RSAKeyPair.generate()
 * const verifier = new JWTVerifier({ publicKey: keys.publicKey, issuer, audience })
 * const token = keys.createToken({ issuer, audience, scopes: ['mcp:use'] })
 */
export class RSAKeyPair {
  /** PEM (SPKI). */
  readonly publicKey: string
  /** The public key as a JWK set. */
  readonly jwks: { readonly keys: readonly Readonly<Record<string, unknown>>[] }
  readonly #privateKey: KeyObject
  readonly #kid: string
  readonly #now: () => number

  private constructor(publicKey: KeyObject, privateKey: KeyObject, kid: string, now: () => number) {
    this.#kid = kid
    this.#now = now
    this.#privateKey = privateKey
    this.publicKey = publicKey.export({ type: 'spki', format: 'pem' }).toString()
    this.jwks = { keys: [{ ...publicKey.export({ format: 'jwk' }), kid, alg: 'RS256', use: 'sig' }] }
  }

  static async generate({ deps }: RSAKeyPairOptions = {}): Promise<RSAKeyPair> {
    const { publicKey, privateKey } = await generate('rsa', { modulusLength: 2048 })
    // RFC 7638: a key has the ID that anybody would give it.
    const kid = await calculateJwkThumbprint(publicKey.export({ format: 'jwk' }))
    return new RSAKeyPair(publicKey, privateKey, kid, createDeps(deps).now)
  }

  /** Makes a signed token. */
  createToken(options: TestTokenOptions = {}): string {
    const {
      subject = 'test-user',
      issuer = 'https://issuer.example.com',
      audience,
      scopes,
      expiresInSeconds = 3600,
      type = 'JWT',
      kid = this.#kid,
    } = options
    const now = Math.floor(this.#now() / 1000)
    const claims = {
      iss: issuer,
      sub: subject,
      iat: now,
      exp: now + expiresInSeconds,
      ...(audience !== undefined && { aud: audience }),
      ...(scopes !== undefined && { scope: scopes.join(' ') }),
      ...options.additionalClaims,
    }
    const input = `${encode({ alg: 'RS256', typ: type, kid })}.${encode(claims)}`
    return `${input}.${sign('sha256', Buffer.from(input), this.#privateKey).toString('base64url')}`
  }
}

function encode(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url')
}

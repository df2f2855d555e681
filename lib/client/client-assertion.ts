// RFC 7523 2.2 and draft-ietf-oauth-rfc7523bis: a client proves itself by a JWT that only its key can sign, for one authorization server alone.
import { type JsonWebKey, KeyObject, createPrivateKey } from 'node:crypto'
import { SignJWT } from 'jose'
import { ASYMMETRIC_ALGORITHMS } from '../protocol/jwk.js'
import { type OptionReader, unknownName } from '../protocol/options.js'
import type { Deps } from '../runtime/deps.js'

/** A private key: PEM (PKCS #8, or what it was before), JWK, or one of node's own. */
export type PrivateKey = string | JsonWebKey | KeyObject

const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const LIFETIME_SECONDS = 60

const CURVES = new Map([
  ['prime256v1', 'ES256'],
  ['secp384r1', 'ES384'],
  ['secp521r1', 'ES512'],
])

/** Signs for one client. */
export class AssertionSigner {
  readonly #key: KeyObject
  readonly #header: { readonly alg: string; readonly kid?: string }

  /** @throws ConfigError */
  constructor(read: OptionReader) {
    this.#key = parseKey(read)
    const kid = read.text('keyId') ?? kidOf(read.raw('privateKey'))
    this.#header = { alg: parseAlgorithm(read, this.#key), ...(kid !== undefined && { kid }) }
  }

  /** Adds the proof to a request. The client is named in it, and nowhere else. */
  async sign(
    form: URLSearchParams,
    clientId: string,
    issuer: string,
    deps: Pick<Deps, 'now' | 'randomId'>,
  ): Promise<void> {
    const now = Math.floor(deps.now() / 1000)
    const claims = { iss: clientId, sub: clientId, aud: issuer, jti: deps.randomId() }
    const jwt = new SignJWT({ ...claims, iat: now, exp: now + LIFETIME_SECONDS })
    form.set('client_assertion_type', ASSERTION_TYPE)
    form.set('client_assertion', await jwt.setProtectedHeader(this.#header).sign(this.#key))
  }
}

function parseKey(read: OptionReader): KeyObject {
  const given = read.raw('privateKey') as PrivateKey
  try {
    const key =
      given instanceof KeyObject
        ? given
        : createPrivateKey(typeof given === 'string' ? given : { key: given, format: 'jwk' })
    if (key.type === 'private') return key
  } catch {
    // The message of the parser may hold parts of the key.
  }
  throw read.invalid('privateKey', 'a private key, as PEM or JWK')
}

function parseAlgorithm(read: OptionReader, key: KeyObject): string {
  const allowed = algorithmsOf(key)
  const [first] = allowed
  if (first === undefined)
    throw read.invalid('privateKey', 'an RSA key, or one of P-256, P-384, P-521 or Ed25519')
  const algorithm = read.text('algorithm') ?? first
  if (!allowed.includes(algorithm))
    throw unknownName(
      `${read.name('algorithm')} has no ${JSON.stringify(algorithm)} with this key`,
      algorithm,
      allowed,
    )
  return algorithm
}

function algorithmsOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): readonly string[] {
  if (asymmetricKeyType === 'rsa') return ASYMMETRIC_ALGORITHMS.filter((name) => /^[RP]S/.test(name))
  if (asymmetricKeyType === 'ed25519') return ['EdDSA', 'Ed25519']
  const algorithm = CURVES.get(asymmetricKeyDetails?.namedCurve ?? '')
  return algorithm === undefined ? [] : [algorithm]
}

function kidOf(key: unknown): string | undefined {
  const { kid } = Object(key) as { kid?: unknown }
  return typeof kid === 'string' ? kid : undefined
}

import {
  type KeyObject,
  constants,
  createSecretKey,
  generateKeyPairSync,
  sign as signBytes,
} from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { CompactSign } from 'jose'
import { isSignedBy } from '../../lib/verifiers/signature.js'

interface Signer {
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
}

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
const secret = createSecretKey(Buffer.alloc(64, 7))
const shared: Signer = { privateKey: secret, publicKey: secret }

// jose signs, so that what is checked here is not only consistent with itself.
const SIGNERS: readonly [algorithm: string, signer: Signer][] = [
  ['RS256', rsa], ['RS384', rsa], ['RS512', rsa], ['PS256', rsa], ['PS384', rsa], ['PS512', rsa],
  ['ES256', generateKeyPairSync('ec', { namedCurve: 'P-256' })],
  ['ES384', generateKeyPairSync('ec', { namedCurve: 'P-384' })],
  ['ES512', generateKeyPairSync('ec', { namedCurve: 'P-521' })],
  ['EdDSA', generateKeyPairSync('ed25519')], ['Ed25519', generateKeyPairSync('ed25519')],
  ['HS256', shared], ['HS384', shared], ['HS512', shared],
] // prettier-ignore

const sign = (algorithm: string, { privateKey }: Signer): Promise<string> =>
  new CompactSign(Buffer.from('{"sub":"alice"}')).setProtectedHeader({ alg: algorithm }).sign(privateKey)

describe('isSignedBy', () => {
  it.each(SIGNERS)('knows a signature of %s by its key', async (algorithm, signer) => {
    expect(await isSignedBy(signer.publicKey, algorithm, await sign(algorithm, signer))).toBe(true)
  })

  it.each(SIGNERS)('refuses a %s token with any byte changed', async (algorithm, signer) => {
    const [header = '', payload = '', signature = ''] = (await sign(algorithm, signer)).split('.')
    const parts = [header, payload, signature].map((part) => Buffer.from(part, 'base64url'))
    const place = fc.tuple(fc.integer({ min: 0, max: 2 }), fc.nat(), fc.integer({ min: 1, max: 255 }))
    await fc.assert(
      fc.asyncProperty(place, async ([part, at, difference]) => {
        const changed = parts.map((bytes) => Buffer.from(bytes))
        const bytes = changed[part] as Buffer
        bytes.writeUInt8(bytes.readUInt8(at % bytes.length) ^ difference, at % bytes.length)
        const token = changed.map((each) => each.toString('base64url')).join('.')
        return !(await isSignedBy(signer.publicKey, algorithm, token))
      }),
      { numRuns: 40 },
    )
  })

  it.each(SIGNERS)('refuses a %s signature that is cut, stretched or empty', async (algorithm, signer) => {
    const token = await sign(algorithm, signer)
    const end = token.lastIndexOf('.') + 1
    for (const odd of [token.slice(0, -4), `${token}AAAA`, token.slice(0, end)]) {
      expect(await isSignedBy(signer.publicKey, algorithm, odd)).toBe(false)
    }
  })

  const input = `${Buffer.from('{"alg":"none"}').toString('base64url')}.e30`
  const withSignature = (signature: Buffer): string => `${input}.${signature.toString('base64url')}`

  it.each([[20], [32]])('takes a PS256 salt only of the length of the hash: %i bytes', async (saltLength) => {
    const options = { key: rsa.privateKey, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength }
    const token = withSignature(signBytes('sha256', Buffer.from(input), options))
    expect(await isSignedBy(rsa.publicKey, 'PS256', token)).toBe(saltLength === 32)
  })

  it('takes no ECDSA signature in DER', async () => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const token = withSignature(signBytes('sha256', Buffer.from(input), privateKey))
    expect(await isSignedBy(publicKey, 'ES256', token)).toBe(false)
  })

  it('refuses what was signed for another of the key’s algorithms', async () => {
    expect(await isSignedBy(rsa.publicKey, 'RS512', await sign('RS256', rsa))).toBe(false)
    expect(await isSignedBy(rsa.publicKey, 'PS256', await sign('RS256', rsa))).toBe(false)
  })
})

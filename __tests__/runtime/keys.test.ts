import { createPublicKey, generateKeyPairSync, sign, verify } from 'node:crypto'
import { inspect } from 'node:util'
import { describe, expect, it } from '@jest/globals'
import { calculateJwkThumbprint, createLocalJWKSet, importJWK, jwtVerify } from 'jose'
import { type DerivedKeys, deriveKeys } from '../../lib/runtime/keys.js'
import { Sealer } from '../../lib/runtime/sealing.js'

const keysOf = (...secrets: string[]): DerivedKeys => deriveKeys(secrets.map((secret) => Buffer.from(secret)))

const ONE = 'the first secret, of thirty-two bytes or more'
const TWO = 'the second secret, of thirty-two bytes or more'

/** How logs write bytes: as text, in hexadecimal and base64, and number by number. */
function spellingsOf(bytes: Uint8Array): string[] {
  const buffer = Buffer.from(bytes)
  const encodings = ['hex', 'base64', 'base64url', 'latin1'] as const
  const some = [...buffer.subarray(0, 6)]
  return [
    ...encodings.map((encoding) => buffer.toString(encoding)),
    some.join(', '),
    some.map((byte, index) => `"${index}":${byte}`).join(','),
    some.join(','),
    some.map((byte) => byte.toString(16).padStart(2, '0')).join(' '),
  ]
}

describe('deriveKeys', () => {
  it('makes the same keys of the same secret, on every replica', () => {
    const [here, there] = [keysOf(ONE), keysOf(ONE)]
    expect(here.published).toEqual(there.published)
    expect(here.storageKeys()).toEqual(there.storageKeys())
    expect(here.mac('code', 'x')).toBe(there.mac('code', 'x'))
    expect(here.signing.key.equals(there.signing.key)).toBe(true)
  })

  it('makes others of another secret, were it one letter', () => {
    const [here, there] = [keysOf(ONE), keysOf(`${ONE}.`)]
    expect(here.signing.kid).not.toBe(there.signing.kid)
    expect(here.mac('code', 'x')).not.toBe(there.mac('code', 'x'))
    expect(here.storageKeys()).not.toEqual(there.storageKeys())
  })

  it('makes one for each purpose, and none stands for another', () => {
    const keys = keysOf(ONE)
    const purposes = ['code', 'refresh', 'browser', 'trip'] as const
    const macs = purposes.map((purpose) => keys.mac(purpose, 'x'))
    expect(new Set(macs).size).toBe(4)
    for (const [index, purpose] of purposes.entries())
      expect(macs.map((mac) => keys.isMac(purpose, 'x', mac))).toEqual(macs.map((_, other) => other === index)) // prettier-ignore
    expect(keys.storageKeys().map((key) => key.length)).toEqual([32])
    expect(keys.published[0]).not.toHaveProperty('d')
  })

  it('X7 prints nothing that is secret', () => {
    const keys = keysOf(ONE, TWO)
    const { d } = keys.signing.key.export({ format: 'jwk' })
    const bytes = [
      ...keys.storageKeys(),
      Buffer.from(ONE),
      Buffer.from(TWO),
      Buffer.from(String(d), 'base64url'),
    ]
    const printed = [
      inspect(keys, { depth: 20, showHidden: true, maxArrayLength: null }),
      JSON.stringify(keys),
    ]
    for (const text of printed)
      for (const secret of bytes)
        for (const spelled of spellingsOf(secret)) expect(text).not.toContain(spelled)
  })

  it('publishes a key under its RFC 7638 thumbprint, and as what it is for', async () => {
    const keys = keysOf(ONE)
    const [published] = keys.published
    expect(Object.keys(published!).toSorted()).toEqual(['alg', 'crv', 'kid', 'kty', 'use', 'x', 'y'])
    expect(published).toMatchObject({ kty: 'EC', crv: 'P-256', alg: 'ES256', use: 'sig' })
    expect(published?.kid).toBe(await calculateJwkThumbprint(published!))
    expect(keys.signing.kid).toBe(published?.kid)
  })

  it('publishes the other half of the key that signs', async () => {
    const keys = keysOf(ONE)
    const options = { key: keys.signing.key, dsaEncoding: 'ieee-p1363' } as const
    const signature = sign('sha256', Buffer.from('x'), options)
    const key = createPublicKey({ key: { ...keys.published[0] }, format: 'jwk' })
    expect(verify('sha256', Buffer.from('x'), { key, dsaEncoding: 'ieee-p1363' }, signature)).toBe(true)
    expect(await importJWK({ ...keys.published[0] }, 'ES256')).toBeDefined()
    expect(generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.equals(key)).toBe(false)
  })

  it('rotates: the newest signs, all of them are published and verify', async () => {
    const [old, rotated] = [keysOf(ONE), keysOf(TWO, ONE)]
    expect(rotated.signing.kid).toBe(keysOf(TWO).signing.kid)
    expect(rotated.published.map(({ kid }) => kid)).toEqual([keysOf(TWO).signing.kid, old.signing.kid])
    expect(rotated.storageKeys()).toEqual([...keysOf(TWO).storageKeys(), ...old.storageKeys()])
    expect(rotated.mac('refresh', 'x')).toBe(keysOf(TWO).mac('refresh', 'x'))
    expect(rotated.isMac('refresh', 'x', old.mac('refresh', 'x'))).toBe(true)
    expect(keysOf(TWO).isMac('refresh', 'x', old.mac('refresh', 'x'))).toBe(false)
    const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
    const input = `${encode({ alg: 'ES256', kid: old.signing.kid })}.${encode({ sub: 'ada' })}`
    const key = { key: old.signing.key, dsaEncoding: 'ieee-p1363' } as const
    const token = `${input}.${sign('sha256', Buffer.from(input), key).toString('base64url')}`
    const keySet = createLocalJWKSet({ keys: rotated.published.map((jwk) => ({ ...jwk })) })
    expect((await jwtVerify(token, keySet)).payload).toEqual({ sub: 'ada' })
    const newSet = createLocalJWKSet({ keys: keysOf(TWO).published.map((jwk) => ({ ...jwk })) })
    await expect(jwtVerify(token, newSet)).rejects.toThrow('no applicable key found')
  })

  it('seals records with keys of their own, the newest first', () => {
    const [old, rotated] = [keysOf(ONE), keysOf(TWO, ONE)]
    expect(rotated.sealer.open('grant x', old.sealer.seal('grant x', 'text'))).toBe('text')
    expect(keysOf(TWO).sealer.open('grant x', rotated.sealer.seal('grant x', 'text'))).toBe('text')
    expect(old.sealer.open('grant x', rotated.sealer.seal('grant x', 'text'))).toBeUndefined()
    const storage = new Sealer(old.storageKeys() as [Uint8Array], 'records AES-256-GCM')
    expect(storage.open('grant x', old.sealer.seal('grant x', 'text'))).toBeUndefined()
  })

  it('takes one spelling of a MAC', () => {
    const keys = keysOf(ONE)
    const mac = keys.mac('code', 'x')
    const last = mac.charCodeAt(42)
    const others = [
      `${mac}=`,
      `${mac.slice(0, -1)}${String.fromCharCode(last + 1)}`,
      mac.slice(0, -1),
      `${mac}A`,
      ` ${mac}`,
      Buffer.from(mac, 'base64url').toString('hex'),
      '',
    ]
    expect(keys.isMac('code', 'x', mac)).toBe(true)
    expect(others.filter((other) => keys.isMac('code', 'x', other))).toEqual([])
    expect(keys.isMac('code', 'y', mac)).toBe(false)
  })
})

import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import { parseKeySet, secretKeySet, selectKeys } from '../../lib/verifiers/key-set.js'
import { createKey } from '../support/issuer.js'

const rsa = createKey('RS256', 'rsa')
const ec = createKey('ES256', 'ec')

describe('parseKeySet', () => {
  it('takes what can verify: ID, algorithms, and nothing but the key itself', () => {
    const { keys, skipped } = parseKeySet({
      keys: [{ ...ec.jwk, key_ops: ['verify'], ext: false, x5c: ['a'] }],
    })
    expect(skipped).toEqual([])
    expect(keys).toMatchObject([{ kid: 'ec', algorithms: ['ES256'] }])
    const { kty, crv, x, y } = ec.jwk
    expect(keys[0]?.key.export({ format: 'jwk' })).toEqual({ kty, crv, x, y })
  })

  it.each([
    ['a point off its curve', { kty: 'EC', crv: 'P-256', x: 'AA', y: 'AA' }],
    ['a key that is cut short', { kty: 'OKP', crv: 'Ed25519', x: 'AAAA' }],
    ['a coordinate that is a number', { ...ec.jwk, x: 7 }],
  ])('skips %s, before a token needs it', (_rule, jwk) => {
    expect(parseKeySet({ keys: [jwk] })).toEqual({ keys: [], skipped: ['key 0: it cannot be imported'] })
  })

  it('knows the same key again in a later set, under another ID as well', () => {
    const [first] = parseKeySet({ keys: [rsa.jwk] }).keys
    const [again, other] = parseKeySet({
      keys: [{ ...rsa.jwk, kid: 'new', alg: 'PS256' }, createKey().jwk],
    }).keys
    expect(again?.identity).toBe(first?.identity)
    expect(other?.identity).not.toBe(first?.identity)
  })

  it('skips what cannot be used, and says why', () => {
    const small = generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey.export({ format: 'jwk' })
    expect(parseKeySet({ keys: [null, { kty: 'oct', k: 'AA' }, rsa.jwk, small] })).toMatchObject({
      keys: [{ kid: 'rsa' }],
      skipped: ['key 0: not an object', 'key 1: a symmetric key', 'key 3: an RSA key under 2048 bits'],
    })
  })

  it.each([[undefined], [null], ['keys'], [{}], [{ keys: {} }], [[rsa.jwk]]])(
    'finds no keys in %j',
    (document) => {
      expect(parseKeySet(document)).toEqual({ keys: [], skipped: ['the document has no "keys" array'] })
    },
  )

  it('looks at no more than a hundred keys', () => {
    const { keys, skipped } = parseKeySet({ keys: [...Array.from({ length: 100 }, () => ({})), rsa.jwk] })
    expect([keys.length, skipped.length]).toEqual([0, 100])
  })
})

describe('selectKeys', () => {
  const named = (kid: string | undefined, jwk = rsa.jwk): object => ({ ...jwk, kid })
  const select = (keys: readonly object[], algorithm: string, kid?: string): (string | undefined)[] =>
    selectKeys(parseKeySet({ keys }), algorithm, kid).map((key) => key.kid)

  it.each<[rule: string, keys: object[], algorithm: string, kid: string | undefined, found: unknown[]]>([
    ['the key of an ID', [named('a'), named('b')], 'RS256', 'b', ['b']],
    ['no key of another ID', [named('a')], 'RS256', 'b', []],
    ['no key without an ID where one is asked for', [named(undefined)], 'RS256', 'a', []],
    ['no key of another type under that ID', [named('a', ec.jwk)], 'RS256', 'a', []],
    ['the fitting one of two types under one ID', [named('a', ec.jwk), named('a')], 'RS256', 'a', ['a']],
    [
      'the only candidate where no ID is asked for',
      [named('a'), named('b', ec.jwk)],
      'RS256',
      undefined,
      ['a'],
    ],
    ['none of several candidates where no ID is asked for', [named('a'), named('b')], 'RS256', undefined, []],
    ['at most three keys under one ID', [1, 2, 3, 4].map(() => named('a')), 'RS256', 'a', ['a', 'a', 'a']],
    ['IDs as they are spelled', [named('A')], 'RS256', 'a', []],
    ['no key called like a member of every object', [named('a')], 'RS256', '__proto__', []],
  ])('finds %s', (_rule, keys, algorithm, kid, found) => {
    expect(select(keys, algorithm, kid)).toEqual(found)
  })
})

describe('secretKeySet', () => {
  it('is the one key of its algorithms', () => {
    const { keys, skipped } = secretKeySet(Buffer.alloc(64, 7), ['HS256', 'HS384'])
    expect(skipped).toEqual([])
    expect(keys).toMatchObject([{ kid: undefined, algorithms: ['HS256', 'HS384'] }])
    expect(keys[0]?.key.export()).toEqual(Buffer.alloc(64, 7))
  })
})

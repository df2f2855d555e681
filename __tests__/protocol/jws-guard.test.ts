import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { parseJws, tokenForm } from '../../lib/protocol/jws-guard.js'
import { encode } from '../support/issuer.js'

// RFC 7515 A.1
const RFC7515 = [
  'eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9',
  'eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ',
  'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk',
] as const
const [HEADER, PAYLOAD, SIGNATURE] = RFC7515
const compact = (...parts: readonly string[]): string => parts.join('.')
const jws = (header: unknown, payload: unknown = {}): string =>
  compact(encode(header), encode(payload), SIGNATURE)

describe('parseJws', () => {
  it('takes the example of RFC 7515 A.1 apart', () => {
    expect(parseJws(compact(...RFC7515))).toEqual({
      header: { alg: 'HS256', typ: 'JWT' },
      payload: { iss: 'joe', exp: 1300819380, 'http://example.com/is_root': true },
    })
  })

  it('keeps alg, kid and typ of a header, and ignores what is private to the issuer', () => {
    const header = {
      alg: 'RS256',
      kid: '1',
      typ: 'at+jwt',
      cat: 'clerk',
      jku: 'https://evil.example',
      jwk: {},
    }
    expect(parseJws(jws(header))).toEqual({ header: { alg: 'RS256', kid: '1', typ: 'at+jwt' }, payload: {} })
  })

  it('needs neither kid nor typ', () => {
    expect(parseJws(jws({ alg: 'RS256' }))).toEqual({ header: { alg: 'RS256' }, payload: {} })
  })

  it.each<[rule: string, token: string, refused: string]>([
    ['one part', HEADER, '1 parts instead of 3'],
    ['two parts', compact(HEADER, PAYLOAD), '2 parts instead of 3'],
    ['four parts', compact(...RFC7515, SIGNATURE), '4 parts instead of 3'],
    ['five parts, an encrypted token', compact('a', 'b', 'c', 'd', 'e'), '5 parts instead of 3'],
    ['an empty signature', compact(HEADER, PAYLOAD, ''), 'not canonical base64url'],
    ['an empty payload', compact(HEADER, '', SIGNATURE), 'not canonical base64url'],
    ['padding', compact(HEADER, PAYLOAD, `${SIGNATURE}=`), 'not canonical base64url'],
    ['white space', compact(HEADER, `${PAYLOAD} `, SIGNATURE), 'not canonical base64url'],
    ['a line break at the end', compact(HEADER, PAYLOAD, `${SIGNATURE}\n`), 'not canonical base64url'],
    [
      'letters of plain base64',
      compact(HEADER, PAYLOAD, SIGNATURE.replace('-', '+')),
      'not canonical base64url',
    ],
    ['a letter too many', compact(HEADER, PAYLOAD, `${SIGNATURE}AA`), 'not canonical base64url'],
    [
      'stray bits after two bytes',
      compact(HEADER, PAYLOAD, `${SIGNATURE.slice(0, -1)}l`),
      'not canonical base64url',
    ],
    ['stray bits after one byte', compact(HEADER, PAYLOAD, 'AB'), 'not canonical base64url'],
    [
      'a header that is not JSON',
      compact(encode('{'), PAYLOAD, SIGNATURE),
      'the header is not a JSON object with unique members',
    ],
    ['a header that is a list', jws([]), 'the header is not a JSON object with unique members'],
    [
      'a repeated member of the header',
      jws('{"alg":"none","alg":"RS256"}'),
      'the header is not a JSON object with unique members',
    ],
    [
      'a header that is not UTF-8',
      compact(encode(Buffer.from('{"alg":"\xff"}', 'latin1')), PAYLOAD, SIGNATURE),
      'the header is not a JSON object with unique members',
    ],
    ['crit', jws({ alg: 'RS256', crit: ['exp'] }), 'critical header extensions are not supported'],
    ['an empty crit', jws({ alg: 'RS256', crit: [] }), 'critical header extensions are not supported'],
    ['b64', jws({ alg: 'RS256', b64: false }), 'critical header extensions are not supported'],
    ['zip', jws({ alg: 'RS256', zip: 'DEF' }), 'encrypted tokens are not supported'],
    ['enc', jws({ alg: 'dir', enc: 'A128GCM' }), 'encrypted tokens are not supported'],
    ['p2c', jws({ alg: 'PBES2-HS256+A128KW', p2c: 1e9 }), 'encrypted tokens are not supported'],
    ['no algorithm', jws({}), 'no algorithm in the header'],
    ['an algorithm that is a list', jws({ alg: ['RS256'] }), 'no algorithm in the header'],
    ['an algorithm by prototype', jws('{"__proto__":{"alg":"RS256"}}'), 'no algorithm in the header'],
    ['a key ID that is a list', jws({ alg: 'RS256', kid: ['1'] }), 'the key ID is not a string'],
    ['a key ID that is null', jws({ alg: 'RS256', kid: null }), 'the key ID is not a string'],
    ['a type that is a number', jws({ alg: 'RS256', typ: 1 }), 'the type is not a string'],
    [
      'a payload that is text',
      compact(HEADER, encode('"text"'), SIGNATURE),
      'the payload is not a JSON object with unique members',
    ],
    [
      'a payload that is null',
      jws({ alg: 'RS256' }, null),
      'the payload is not a JSON object with unique members',
    ],
    [
      'a repeated claim',
      jws({ alg: 'RS256' }, '{"sub":"a","sub":"b"}'),
      'the payload is not a JSON object with unique members',
    ],
    [
      'a byte order mark',
      jws({ alg: 'RS256' }, '\ufeff{}'),
      'the payload is not a JSON object with unique members',
    ],
  ])('refuses %s', (_rule, token, refused) => {
    expect(parseJws(token)).toBe(refused)
  })

  it('takes each byte string in exactly one spelling', () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 64 }), fc.nat(63), (bytes, index) => {
        const signature = Buffer.from(bytes).toString('base64url')
        expect(typeof parseJws(compact(HEADER, PAYLOAD, signature))).toBe('object')
        const respelled = signature.slice(0, -1) + alphabet.charAt(index)
        const same = Buffer.from(respelled, 'base64url').equals(bytes)
        if (same && respelled !== signature) {
          expect(parseJws(compact(HEADER, PAYLOAD, respelled))).toBe('not canonical base64url')
        }
      }),
    )
  })

  it('throws at nothing', () => {
    const part = fc.oneof(fc.string({ unit: 'binary' }), fc.json().map(encode), fc.constantFrom(...RFC7515))
    fc.assert(
      fc.property(fc.array(part, { maxLength: 5 }), (parts) => {
        const parsed = parseJws(parts.join('.'))
        if (typeof parsed === 'object') expect(typeof parsed.header.alg).toBe('string')
        else expect(parsed).not.toBe('')
      }),
    )
  })
})

describe('tokenForm', () => {
  it.each([
    ['a JWT with the issuer it claims', compact(...RFC7515), { kind: 'jwt', issuer: 'joe' }],
    ['a JWT without an issuer', jws({ alg: 'RS256' }), { kind: 'jwt', issuer: undefined }],
    [
      'a JWT whose issuer is no text',
      jws({ alg: 'RS256' }, { iss: ['joe'] }),
      { kind: 'jwt', issuer: undefined },
    ],
    ['an opaque token', 'sk_live_1', { kind: 'opaque' }],
    ['an opaque token that begins like a JWT', 'eyJhbGciOi', { kind: 'opaque' }],
    ['a JWT that is not in strict form', compact(HEADER, PAYLOAD, `${SIGNATURE}=`), { kind: 'opaque' }],
  ])('tells %s', (_rule, token, form) => {
    expect(tokenForm(token)).toEqual(form)
  })
})

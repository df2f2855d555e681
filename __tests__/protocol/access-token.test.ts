import { describe, expect, it } from '@jest/globals'
import { parseAccessToken, seal, sealParsed, toldScopes } from '../../lib/protocol/access-token.js'

const complete = {
  token: 'opaque',
  tokenType: 'ApiKey',
  clientId: 'client-1',
  scopes: ['a', 'b'],
  expiresAt: 1_700_000_000,
  subject: 'user-1',
  issuer: 'https://login.example.com/',
  claims: { tenant: 't' },
}

describe('parseAccessToken', () => {
  it('takes all that a verifier may report, byte for byte', () => {
    expect(parseAccessToken(complete, 'presented')).toEqual(complete)
  })

  it('completes what a verifier left out: the presented token, Bearer, no scopes, no claims', () => {
    expect(parseAccessToken({ clientId: 'client-1' }, 'presented')).toEqual({
      token: 'presented',
      tokenType: 'Bearer',
      clientId: 'client-1',
      scopes: [],
      expiresAt: undefined,
      subject: undefined,
      issuer: undefined,
      claims: {},
    })
  })

  it('joins what an SDK verifier put into extra to the claims, which win', () => {
    const { claims } = parseAccessToken({ clientId: 'c', extra: { a: 1, b: 1 }, claims: { b: 2 } }, 't')
    expect(claims).toEqual({ a: 1, b: 2 })
  })

  it('takes nothing over that it does not know', () => {
    expect(parseAccessToken({ clientId: 'c', admin: true }, 't')).not.toHaveProperty('admin')
  })

  it('copies: what the verifier changes later changes nothing', () => {
    const scopes = ['a']
    const claims = { roles: ['x'] }
    const token = parseAccessToken({ clientId: 'c', scopes, claims }, 't')
    scopes.push('admin')
    claims.roles.push('admin')
    expect(token).toMatchObject({ scopes: ['a'], claims: { roles: ['x'] } })
  })

  it('freezes the token all the way down, and nothing of the verifier', () => {
    const given = { clientId: 'c', scopes: ['a'], claims: { deep: { list: [{ x: 1 }] } } }
    const token = parseAccessToken(given, 't')
    const { deep } = token.claims as typeof given.claims
    for (const part of [token, token.scopes, token.claims, deep, deep.list, deep.list[0]]) {
      expect(Object.isFrozen(part)).toBe(true)
    }
    expect([given, given.scopes, given.claims.deep].some((part) => Object.isFrozen(part))).toBe(false)
  })

  it('takes claims that hold null, or something frozen', () => {
    const claims = { nothing: null, fixed: Object.freeze({ a: 1 }) }
    expect(parseAccessToken({ clientId: 'c', claims }, 't').claims).toEqual(claims)
  })

  it('leaves what a verifier put there of its own kind as it is: bytes, dates, objects with methods, functions', () => {
    class User {
      readonly roles = ['a']
    }
    const extra = { bytes: new Uint8Array([1, 2]), since: new Date(0), user: new User(), ask: () => 1 }
    const { claims } = parseAccessToken({ clientId: 'c', extra }, 't')
    expect(Object.entries(extra).every(([name, value]) => claims[name] === value)).toBe(true)
    expect(Object.isFrozen(extra.user)).toBe(false)
  })

  it('hands on what is behind it at an identity provider, as it is, and has no such field elsewhere', () => {
    class Access {
      readonly scopes = ['repo']
      getToken = async (): Promise<string> => 'secret'
    }
    const upstream = new Access()
    const token = parseAccessToken({ clientId: 'c', upstream }, 't')
    expect(token.upstream).toBe(upstream)
    expect(Object.isFrozen(upstream)).toBe(false)
    expect(seal({ ...token }).upstream).toBe(upstream)
    expect(Object.keys(parseAccessToken({ clientId: 'c', upstream: undefined }, 't'))).not.toContain(
      'upstream',
    )
  })

  it('copies an object without a prototype', () => {
    const bare = Object.assign(Object.create(null) as object, { a: [1] })
    const { claims } = parseAccessToken({ clientId: 'c', claims: { bare } }, 't')
    expect(claims['bare']).toEqual({ a: [1] })
    expect(claims['bare']).not.toBe(bare)
  })

  it('keeps a claim called __proto__ as a claim', () => {
    const given = JSON.parse('{"a":{"__proto__":{"admin":true}}}') as Record<string, unknown>
    const { claims } = parseAccessToken({ clientId: 'c', claims: given }, 't')
    expect(Object.keys(claims['a'] as object)).toEqual(['__proto__'])
    expect(claims['a']).not.toHaveProperty('admin')
  })

  it('takes claims that hold themselves', () => {
    const loop: { self?: unknown } = {}
    loop.self = loop
    const { claims } = parseAccessToken({ clientId: 'c', claims: { loop } }, 't')
    const copy = claims['loop'] as typeof loop
    expect(copy.self).toBe(copy)
    expect(Object.isFrozen(copy)).toBe(true)
  })

  it('takes an expiry in the last second of the year 9999', () => {
    expect(parseAccessToken({ clientId: 'c', expiresAt: 253_402_300_799 }, 't').expiresAt).toBe(
      253_402_300_799,
    )
  })

  it('takes an expiry that is null for none', () => {
    expect(parseAccessToken({ clientId: 'c', expiresAt: null }, 't').expiresAt).toBeUndefined()
  })

  it('gives a token that it made before back as it is', () => {
    const token = parseAccessToken(complete, 't')
    expect(parseAccessToken(token, 'another')).toBe(token)
  })

  it.each<[rule: string, fields: unknown, message: string]>([
    ['true', true, 'must be an object or null'],
    ['a string', 'user-1', 'must be an object or null'],
    ['null', null, 'must be an object or null'],
    ['an object without a client', {}, '"clientId" must be a string'],
    ['a client that is no string', { clientId: 7 }, '"clientId" must be a string'],
    ['a token that is no string', { clientId: 'c', token: 7 }, '"token" must be a string'],
    ['a token type that is no string', { clientId: 'c', tokenType: null }, '"tokenType" must be a string'],
    ['scopes as text', { clientId: 'c', scopes: 'a b' }, '"scopes" must be an array of strings'],
    [
      'scopes with something else among them',
      { clientId: 'c', scopes: ['a', 1] },
      '"scopes" must be an array of strings',
    ],
    [
      'an expiry that is a Date',
      { clientId: 'c', expiresAt: new Date() },
      '"expiresAt" must be seconds since the epoch, not milliseconds',
    ],
    [
      'an expiry that is text',
      { clientId: 'c', expiresAt: '1' },
      '"expiresAt" must be seconds since the epoch, not milliseconds',
    ],
    [
      'an expiry in milliseconds',
      { clientId: 'c', expiresAt: 1_700_000_000_000 },
      '"expiresAt" must be seconds since the epoch, not milliseconds',
    ],
    [
      'an expiry that never comes',
      { clientId: 'c', expiresAt: Infinity },
      '"expiresAt" must be seconds since the epoch, not milliseconds',
    ],
    [
      'an expiry that is not a number',
      { clientId: 'c', expiresAt: Number.NaN },
      '"expiresAt" must be seconds since the epoch, not milliseconds',
    ],
    ['a subject that is no string', { clientId: 'c', subject: 1 }, '"subject" must be a string'],
    [
      'an issuer that is no string',
      { clientId: 'c', issuer: new URL('https://a.example') },
      '"issuer" must be a string',
    ],
    ['claims that are no object', { clientId: 'c', claims: 'a' }, '"claims" must be an object'],
    ['claims that are null', { clientId: 'c', claims: null }, '"claims" must be an object'],
    ['claims that are a list', { clientId: 'c', claims: [] }, '"claims" must be an object'],
    ['extra that is no object', { clientId: 'c', extra: 1 }, '"extra" must be an object'],
  ])('throws at %s: it is the verifier that is wrong, not the caller', (_rule, fields, message) => {
    expect(() => parseAccessToken(fields, 't')).toThrow(
      new TypeError(`verifyToken returned a malformed access token: ${message}`),
    )
  })
})

describe('seal', () => {
  it('copies what it is given, freezes the copy and marks it as checked', () => {
    const claims = { list: [1] }
    const given = { ...parseAccessToken(complete, 't'), claims }
    const sealed = seal(given)
    expect(sealed).toEqual(given)
    expect([Object.isFrozen(sealed.claims['list']), Object.isFrozen(claims.list)]).toEqual([true, false])
    expect(parseAccessToken(sealed, 't')).toBe(sealed)
  })

  it('marks no copy of a sealed one', () => {
    const copy = { ...seal({ ...parseAccessToken(complete, 't') }), scopes: 'all' }
    expect(() => parseAccessToken(copy, 't')).toThrow('"scopes" must be an array of strings')
  })
})

describe('sealParsed', () => {
  it('freezes what it is given, in place, and marks it as checked', () => {
    const claims = { list: [{ a: 1 }] }
    const given = { ...parseAccessToken(complete, 't'), scopes: ['a'], claims }
    expect(sealParsed(given, true)).toBe(given)
    for (const part of [given, given.scopes, claims, claims.list, claims.list[0]])
      expect(Object.isFrozen(part)).toBe(true)
    expect(parseAccessToken(given, 't')).toBe(given)
  })
})

describe('what a token allows', () => {
  const told = (fields: object): unknown => toldScopes(parseAccessToken({ clientId: 'c', ...fields }, 't'))

  it('P7 is what was said, were it nothing, and not known where nothing was said', () => {
    expect([told({ scopes: ['a'] }), told({ scopes: [] }), told({})]).toEqual([['a'], [], undefined])
  })

  it('P7 is known of what was parsed, where that says so', () => {
    const parsed = (): typeof complete => ({ ...complete, scopes: [] })
    expect(toldScopes(sealParsed(parsed(), true))).toEqual([])
    expect(toldScopes(sealParsed(parsed(), false))).toBeUndefined()
  })
})

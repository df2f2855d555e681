import { describe, expect, it } from '@jest/globals'
import {
  type ClaimRules,
  meansIssuer,
  readAccessToken,
  refuseClaims,
  refuseKind,
  shown,
} from '../../lib/protocol/claims.js'

// RFC 9068 3
const RFC9068 = {
  iss: 'https://authorization-server.example.com/',
  sub: '5ba552d67',
  aud: 'https://rs.example.com/',
  exp: 1639528912,
  iat: 1618354090,
  jti: 'dbe39bf3a3ba4238a513f51d6e1691c4',
  client_id: 's6BhdRkqt3',
  scope: 'openid profile reademail',
}
// RFC 7662 2.2
const RFC7662 = {
  active: true,
  client_id: 'l238j323ds-23ij4',
  username: 'jdoe',
  scope: 'read write dolphin',
  sub: 'Z5O3upPC88QrAjx00dis',
  aud: 'https://protected.example.net/resource',
  iss: 'https://server.example.com/',
  exp: 1419356238,
  iat: 1419350238,
  extension_field: 'twenty-seven',
}

const NOW = 1_700_000_000
const STRICT: ClaimRules = {
  issuers: ['https://a.example', 'https://b.example/'],
  audiences: ['https://api.example.com/mcp'],
  requireExpiry: true,
  toleranceSeconds: 30,
}
const good = { iss: 'https://a.example', aud: 'https://api.example.com/mcp', exp: NOW + 60 }
const refuse = (changes: object, rules: Partial<ClaimRules> = {}): ReturnType<typeof refuseClaims> =>
  refuseClaims({ ...good, ...changes }, { ...STRICT, ...rules }, NOW)

describe('refuseClaims', () => {
  it('accepts the example of RFC 9068 3 while it lasts', () => {
    const rules = { ...STRICT, issuers: [RFC9068.iss], audiences: [RFC9068.aud] }
    expect(refuseClaims(RFC9068, rules, RFC9068.exp - 1)).toBeUndefined()
    expect(refuseClaims(RFC9068, rules, RFC9068.exp)).toMatchObject({ stage: 'expiry' })
  })

  it('accepts the example of RFC 7662 2.2 while it lasts', () => {
    const rules = { issuers: undefined, audiences: undefined, requireExpiry: false, toleranceSeconds: 0 }
    expect(refuseClaims(RFC7662, rules, RFC7662.exp - 1)).toBeUndefined()
  })

  it.each([
    ['one issuer of several', { iss: 'https://b.example/' }],
    ['an audience in a list', { aud: ['https://other.example', 'https://api.example.com/mcp'] }],
    ['an expiry one second ahead', { exp: NOW + 1 }],
    ['the last second of the year 9999', { exp: 253_402_300_799 }],
    ['nbf and iat that lie within the tolerance', { nbf: NOW + 30, iat: NOW + 30 }],
    ['nbf and iat with fractions, as RFC 7519 2 has it', { nbf: NOW - 0.5, iat: NOW - 0.5 }],
    ['iat at the epoch', { iat: 0 }],
    ['scopes as text, a list, or null', { scope: 'a', scp: ['a'], permissions: null }],
    ['a subject and a client', { sub: 's', client_id: 'c' }],
  ])('accepts %s', (_rule, changes) => {
    expect(refuse(changes)).toBeUndefined()
  })

  it.each<[rule: string, changes: object, reason: object]>([
    [
      'no issuer',
      { iss: undefined },
      { stage: 'issuer', expected: 'https://a.example or https://b.example/', got: 'nothing' },
    ],
    ['another issuer', { iss: 'https://c.example' }, { stage: 'issuer', got: '"https://c.example"' }],
    ['an issuer with a slash too many', { iss: 'https://a.example/' }, { stage: 'issuer' }],
    ['an issuer in other letters', { iss: 'https://A.example' }, { stage: 'issuer' }],
    ['a list of issuers', { iss: ['https://a.example'] }, { stage: 'issuer', got: '["https://a.example"]' }],
    [
      'no audience',
      { aud: undefined },
      { stage: 'audience', expected: 'https://api.example.com/mcp', got: 'nothing' },
    ],
    [
      'another audience',
      { aud: 'https://api.example.com' },
      { stage: 'audience', got: '"https://api.example.com"' },
    ],
    [
      'no expiry',
      { exp: undefined },
      { stage: 'expiry', expected: 'whole seconds since the epoch', got: 'nothing' },
    ],
    ['an expiry that is null', { exp: null }, { stage: 'expiry', got: 'null' }],
    ['an expiry that is text', { exp: String(NOW + 60) }, { stage: 'expiry', got: '"1700000060"' }],
    ['an expiry with a fraction', { exp: NOW + 60.5 }, { stage: 'expiry' }],
    ['an expiry in milliseconds', { exp: (NOW + 60) * 1000 }, { stage: 'expiry' }],
    ['an expiry that never comes', { exp: 1e308 }, { stage: 'expiry' }],
    ['an endless expiry', { exp: Infinity }, { stage: 'expiry' }],
    ['an expiry before the epoch', { exp: -1 }, { stage: 'expiry' }],
    ['an expiry of now', { exp: NOW }, { stage: 'expiry', expected: `after ${NOW}`, got: String(NOW) }],
    [
      'a token that is not yet valid',
      { nbf: NOW + 31 },
      { stage: 'not_before', expected: `nbf by ${NOW}`, got: String(NOW + 31) },
    ],
    [
      'a token from the future',
      { iat: NOW + 31 },
      { stage: 'not_before', expected: `iat by ${NOW}`, got: String(NOW + 31) },
    ],
    [
      'an nbf that is text',
      { nbf: '1' },
      { stage: 'claims', expected: 'nbf in seconds since the epoch', got: '"1"' },
    ],
    ['an nbf before the epoch', { nbf: -1 }, { stage: 'claims' }],
    [
      'an iat that is null',
      { iat: null },
      { stage: 'claims', expected: 'iat in seconds since the epoch', got: 'null' },
    ],
    ['an iat in the last second of the year 9999', { iat: 253_402_300_799 }, { stage: 'not_before' }],
    ['an iat in milliseconds', { iat: NOW * 1000 }, { stage: 'claims' }],
    ['a subject that is an object', { sub: {} }, { stage: 'claims', expected: 'sub as a string', got: '{}' }],
    [
      'a client that is a number',
      { client_id: 7 },
      { stage: 'claims', expected: 'client_id as a string', got: '7' },
    ],
    [
      'a scope that is a number',
      { scope: 7 },
      { stage: 'claims', expected: 'scope as text or a list of text', got: '7' },
    ],
    ['a scope that is an object', { scope: { admin: true } }, { stage: 'claims' }],
    [
      'a list of scopes with something else in it',
      { scp: ['a', 1] },
      { stage: 'claims', expected: 'scp as text or a list of text' },
    ],
    [
      'permissions that are a flag',
      { permissions: true },
      { stage: 'claims', expected: 'permissions as text or a list of text' },
    ],
  ])('refuses %s', (_rule, changes, reason) => {
    expect(refuse(changes)).toMatchObject(reason)
  })

  it('does not stretch an expiry by the tolerance', () => {
    expect(refuse({ exp: NOW - 1 }, { toleranceSeconds: 3600 })).toMatchObject({ stage: 'expiry' })
  })

  it('lets a token without an expiry pass where none is required, and still refuses one that is past', () => {
    expect(refuse({ exp: undefined }, { requireExpiry: false })).toBeUndefined()
    expect(refuse({ exp: NOW }, { requireExpiry: false })).toMatchObject({ stage: 'expiry' })
  })

  it('does not look at issuer and audience where none is stated', () => {
    expect(refuse({ iss: 7, aud: 7 }, { issuers: undefined, audiences: undefined })).toBeUndefined()
  })

  it('tells whole seconds also where the time of the check is none', () => {
    expect(refuseClaims({ ...good, exp: NOW }, STRICT, NOW + 0.9)).toMatchObject({ expected: `after ${NOW}` })
  })
})

describe('claims that are required', () => {
  const required = new Map([
    ['client_id', ['ours']],
    ['groups', ['staff', 'admins']],
  ])

  it('hold one of the values, or a list with one of them', () => {
    expect(refuse({ client_id: 'ours', groups: 'staff' }, { required })).toBeUndefined()
    expect(refuse({ client_id: 'ours', groups: ['guests', 'admins'] }, { required })).toBeUndefined()
  })

  it.each<[rule: string, changes: object, reason: object]>([
    [
      'P5 another value',
      { client_id: 'theirs', groups: 'staff' },
      { expected: 'client_id ours', got: '"theirs"' },
    ],
    ['P5 none', { groups: 'staff' }, { expected: 'client_id ours', got: 'nothing' }],
    [
      'none of the values',
      { client_id: 'ours', groups: ['guests'] },
      { expected: 'groups staff or admins', got: '["guests"]' },
    ],
    ['an object', { client_id: { 0: 'ours' }, groups: 'staff' }, { expected: 'client_id ours' }],
  ])('and are refused with %s', (_rule, changes, reason) => {
    expect(refuse(changes, { required })).toMatchObject({ stage: 'claims', ...reason })
  })
})

describe('meansIssuer', () => {
  const pattern = 'https://login.microsoftonline.com/{tid}/v2.0'
  const issuer = (tenant: string): string => `https://login.microsoftonline.com/${tenant}/v2.0`
  const tid = '72f988bf-86f1-41af-91ab-2d7cd011db47'

  it('compares byte for byte', () => {
    expect(meansIssuer('https://a.example', 'https://a.example')).toBe(true)
    expect(meansIssuer('https://a.example/', 'https://a.example')).toBe(false)
    expect(meansIssuer(undefined, 'https://a.example')).toBe(false)
    expect(meansIssuer(['https://a.example'], 'https://a.example')).toBe(false)
  })

  it('takes the tenant that the token names where {tid} stands, and no other', () => {
    expect(meansIssuer(issuer(tid), pattern, { tid })).toBe(true)
    expect(meansIssuer(issuer(tid), pattern, { tid: 'another' })).toBe(false)
    expect(meansIssuer(issuer(tid), pattern, {})).toBe(false)
    expect(meansIssuer(issuer(tid), pattern, { tid: [tid] })).toBe(false)
  })

  it.each([
    ['another host', `https://login.evil.example/${tid}/v2.0`, tid],
    ['another path', `https://login.microsoftonline.com/${tid}/v1.0`, tid],
    ['a path for a tenant', issuer(`x/${tid}`), `x/${tid}`],
    ['no tenant', issuer(''), ''],
    ['the pattern itself', pattern, '{tid}'],
    ['half of an issuer', 'https://login.microsoftonline.com/v2.0', ''],
    ['a number', 7, tid],
  ])('refuses %s', (_rule, iss, claimed) => {
    expect(meansIssuer(iss, pattern, { tid: claimed })).toBe(false)
    expect(meansIssuer(iss, pattern)).toBe(false)
  })

  it('compares the form alone where there are no claims yet', () => {
    expect(meansIssuer(issuer(tid), pattern)).toBe(true)
  })

  it('is what refuseClaims goes by', () => {
    const rules = { issuers: ['https://a.example', pattern] }
    expect(refuse({ iss: issuer(tid), tid }, rules)).toBeUndefined()
    expect(refuse({ iss: issuer(tid), tid: 'another' }, rules)).toMatchObject({ stage: 'issuer' })
  })
})

describe('refuseKind', () => {
  it.each([
    ['nothing', {}],
    ['token_use access, as Cognito has it', { token_use: 'access' }],
    ['token_use access_token', { token_use: 'access_token' }],
    ['typ Bearer, as Keycloak has it', { typ: 'Bearer' }],
    ['a typ of no known kind', { typ: ['ID'] }],
    ['the example of RFC 9068 3', RFC9068],
  ])('takes claims that say %s', (_rule, claims) => {
    expect(refuseKind(claims)).toBeUndefined()
  })

  it.each<[claims: object, expected: string, got: string]>([
    [{ token_use: 'id' }, 'an access token', 'token_use "id"'],
    [{ token_use: 'refresh' }, 'an access token', 'token_use "refresh"'],
    [{ token_use: null }, 'an access token', 'token_use null'],
    [{ typ: 'ID' }, 'an access token', 'typ "ID"'],
    [{ typ: 'Refresh' }, 'an access token', 'typ "Refresh"'],
    [{ typ: 'Offline' }, 'an access token', 'typ "Offline"'],
    [{ typ: 'Logout' }, 'an access token', 'typ "Logout"'],
    [{ at_hash: 'a' }, 'an access token', 'an ID token (at_hash)'],
    [{ c_hash: undefined }, 'an access token', 'an ID token (c_hash)'],
    [{ s_hash: null }, 'an access token', 'an ID token (s_hash)'],
    [{ cnf: { jkt: 'a' } }, 'a bearer token', 'a token that is bound to a key (cnf)'],
    [{ cnf: null }, 'a bearer token', 'a token that is bound to a key (cnf)'],
  ])('refuses %j', (claims, expected, got) => {
    expect(refuseKind(claims as Record<string, unknown>)).toEqual({ stage: 'type', expected, got })
  })
})

describe('readAccessToken', () => {
  it('reads the example of RFC 9068 3', () => {
    expect(readAccessToken(RFC9068, 'token')).toEqual({
      token: 'token',
      tokenType: 'Bearer',
      clientId: 's6BhdRkqt3',
      scopes: ['openid', 'profile', 'reademail'],
      expiresAt: 1639528912,
      subject: '5ba552d67',
      issuer: 'https://authorization-server.example.com/',
      claims: RFC9068,
    })
  })

  it('invents nothing where claims are absent', () => {
    expect(readAccessToken({}, 'token')).toEqual({
      token: 'token',
      tokenType: 'Bearer',
      clientId: 'unknown',
      scopes: [],
      expiresAt: undefined,
      subject: undefined,
      issuer: undefined,
      claims: {},
    })
  })

  it.each([
    ['client_id', { client_id: 'a', azp: 'b', cid: 'c', appid: 'd', sub: 'e' }, 'a'],
    ['else azp (OpenID Connect)', { azp: 'b', cid: 'c', appid: 'd', sub: 'e' }, 'b'],
    ['else cid (Okta)', { cid: 'c', appid: 'd', sub: 'e' }, 'c'],
    ['else appid (Entra, first version)', { appid: 'd', sub: 'e' }, 'd'],
    ['else the subject', { azp: '', sub: 'e' }, 'e'],
    ['else unknown', { azp: 7 }, 'unknown'],
  ])('takes the client from %s', (_rule, claims, clientId) => {
    expect(readAccessToken(claims, 't').clientId).toBe(clientId)
  })

  it.each([
    ['scope', { scope: 'a b', scp: ['c'] }, ['a', 'b']],
    ['scope even where it is empty', { scope: '', scp: ['c'] }, []],
    ['scope as a list', { scope: ['a', 'b'] }, ['a', 'b']],
    ['scp where scope is null', { scope: null, scp: 'c d' }, ['c', 'd']],
    ['scp as a list', { scp: ['c', 'd'] }, ['c', 'd']],
    ['permissions besides, each once', { scope: 'a b', permissions: ['b', 'p'] }, ['a', 'b', 'p']],
    ['nowhere else', { roles: ['admin'], groups: ['g'] }, []],
  ])('takes scopes from %s', (_rule, claims, scopes) => {
    expect(readAccessToken(claims, 't').scopes).toEqual(scopes)
  })

  it('freezes the claims all the way down, since nobody else has them', () => {
    const given = JSON.parse('{"a":{"b":[{"c":1}],"__proto__":{"d":{}}},"n":null}') as { a: { b: [object] } }
    const { claims } = readAccessToken(given, 't')
    expect(claims).toBe(given)
    const inner = Object.getOwnPropertyDescriptor(given.a, '__proto__')?.value as { d: object }
    for (const part of [given, given.a, given.a.b, given.a.b[0], inner, inner.d])
      expect(Object.isFrozen(part)).toBe(true)
  })
})

describe('shown', () => {
  it.each([
    [undefined, 'nothing'],
    ['a\nb', '"a\\nb"'],
    [['a', 1, null], '["a",1,null]'],
    ['x'.repeat(198), `"${'x'.repeat(198)}"`],
    ['x'.repeat(300), `"${'x'.repeat(199)}…`],
  ])('writes %j in one short line', (value, text) => {
    expect(shown(value)).toBe(text)
  })
})

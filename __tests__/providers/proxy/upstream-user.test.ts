import { describe, expect, it } from '@jest/globals'
import { type Assertions, readUser } from '../../../lib/providers/proxy/upstream-user.js'

const read = (assertions: Partial<Assertions>, rules: Parameters<typeof readUser>[1] = {}): unknown =>
  readUser({ claims: {}, ...assertions }, rules)

const NOBODYS = 'Not supported currently. Use oid claim.'

describe('the user of upstream tokens', () => {
  it.each<[rule: string, assertions: Partial<Assertions>, subjectClaim: string | undefined, subject: string]>(
    [
      ['that the verifier names', { subject: 'a', claims: { sub: 'b' } }, undefined, 'a'],
      ['that the claims name', { claims: { sub: 'b' } }, undefined, 'b'],
      ['where the verifier names nobody', { subject: '', claims: { sub: 'b' } }, undefined, 'b'],
      ['by a claim of its own', { subject: 'a', claims: { sub: 'b', oid: 'c' } }, 'oid', 'c'],
      ['by a number', { claims: { id: 583_231 } }, 'id', '583231'],
    ],
  )('is the one %s', (_rule, assertions, subjectClaim, subject) => {
    expect(read(assertions, { subjectClaim })).toMatchObject({ subject, claims: { sub: subject } })
  })

  it.each<[rule: string, assertions: Partial<Assertions>, subjectClaim: string | undefined]>([
    ['nobody is named', { claims: { email: 'a@example.com' } }, undefined],
    ['the name is empty', { claims: { sub: '' } }, undefined],
    ['the name is an object', { claims: { sub: {} } }, undefined],
    ['the name is no whole number', { claims: { sub: 1.5 } }, undefined],
    ['the claim that counts is missing', { subject: 'a', claims: { sub: 'a' } }, 'oid'],
    ['the claim that counts is not its own', { claims: {} }, 'constructor'],
  ])('P9 is nobody where %s', (_rule, assertions, subjectClaim) => {
    expect(read(assertions, { subjectClaim })).toMatchObject({
      stage: 'upstream',
      expected: `a "${subjectClaim ?? 'sub'}" that names the user`,
    })
  })

  it.each<[assertions: Partial<Assertions>, subjectClaim: string | undefined]>([
    [{ subject: NOBODYS, claims: {} }, undefined],
    [{ claims: { sub: NOBODYS } }, undefined],
    [{ claims: { sub: ` ${NOBODYS.toUpperCase()}` } }, undefined],
    [{ claims: undefined, idToken: { sub: NOBODYS } }, undefined],
    [{ subject: 'a', claims: { uid: NOBODYS } }, 'uid'],
  ])('P9 is nobody by the text that Azure AD B2C calls everybody: %j', (assertions, subjectClaim) => {
    expect(read(assertions, { subjectClaim })).toEqual({
      stage: 'upstream',
      expected: `a "${subjectClaim ?? 'sub'}" that names the user`,
      got: expect.stringMatching(/use oid claim/i),
    })
  })

  it('P9 is held against no ID token that calls everybody the same', () => {
    expect(read({ subject: 'a', idToken: { sub: NOBODYS } })).toMatchObject({ subject: 'a' })
  })

  it('P9 is told by subject, whatever the address', () => {
    const alice = read({ claims: { sub: '1', email: 'a@example.com' } })
    const heir = read({ claims: { sub: '2', email: 'a@example.com' } })
    expect([alice, heir]).toMatchObject([{ subject: '1' }, { subject: '2' }])
  })

  it('is the one who signed in, where an ID token tells', () => {
    expect(read({ subject: 'a', idToken: { sub: 'a' } })).toMatchObject({ subject: 'a' })
    expect(read({ subject: 'a', idToken: { sub: 'b' } })).toEqual({
      stage: 'upstream',
      expected: 'the user of the ID token, "b"',
      got: '"a"',
    })
    const byObject = { claims: { oid: 'o', sub: 'x' }, idToken: { oid: 'o', sub: 'y' } }
    expect(read(byObject, { subjectClaim: 'oid' })).toMatchObject({ subject: 'o' })
    expect(read({ ...byObject, idToken: { oid: 'p' } }, { subjectClaim: 'oid' })).toHaveProperty('stage')
    expect(read({ ...byObject, idToken: { sub: 'y' } }, { subjectClaim: 'oid' })).toHaveProperty('subject')
  })

  it('is told by the ID token alone, where nothing else tells', () => {
    const idToken = { iss: 'i', aud: 'app', exp: 1, sub: 'a', oid: 'o', name: 'Alice' }
    expect(read({ claims: undefined, idToken })).toEqual({
      subject: 'a',
      name: 'Alice',
      claims: { sub: 'a', oid: 'o', name: 'Alice' },
    })
    expect(read({ claims: undefined, idToken }, { subjectClaim: 'oid' })).toMatchObject({ subject: 'o' })
    expect(read({ claims: undefined })).toHaveProperty('stage')
  })

  it('has the claims of both, and the access token says last', () => {
    const claims = { iss: 'i', aud: 'api', sub: 'a', email: 'new@example.com', roles: ['x'] }
    const idToken = {
      iss: 'i', aud: 'app', exp: 1, nbf: 1, iat: 1, jti: 'j', nonce: 'n', azp: 'app', at_hash: 'h', c_hash: 'h', s_hash: 'h', auth_time: 1, sid: 's',
      token_use: 'id', typ: 'ID', sub: 'a', email: 'old@example.com', name: 'Alice', acr: '1',
    } // prettier-ignore
    expect(read({ claims, idToken })).toEqual({
      subject: 'a',
      name: 'Alice',
      claims: { ...claims, name: 'Alice', acr: '1' },
    })
  })

  it('has only the claims that are wanted, and always a subject', () => {
    const claims = { sub: 'a', email: 'a@example.com', groups: ['g'], oid: 'o' }
    expect(read({ claims }, { claims: ['groups', 'toString'] })).toMatchObject({
      claims: { sub: 'a', groups: ['g'] },
    })
    expect(read({ claims }, { claims: [], subjectClaim: 'oid' })).toMatchObject({
      subject: 'o',
      claims: { sub: 'o' },
    })
    expect(read({ claims }, { claims: [] })).not.toHaveProperty('claims.email')
  })

  it.each<[claims: object, name: string | undefined]>([
    [{ name: 'Alice', preferred_username: 'al' }, 'Alice'],
    [{ name: ' \u202E ', preferred_username: 'al' }, 'al'],
    [{ name: 7, nickname: 'Ali' }, 'Ali'],
    [{ login: 'octocat', email: 'o@example.com' }, 'octocat'],
    [{ username: 'u' }, 'u'],
    [{ email: 'o@example.com' }, 'o@example.com'],
    [{ name: 'x'.repeat(200) }, 'x'.repeat(100)],
    [{}, undefined],
  ])('is called what people may read: %j', (claims, name) => {
    const user = read({ subject: 'a', claims: { ...claims } }) as { name?: string }
    expect(user.name).toBe(name)
    expect('name' in user).toBe(name !== undefined)
  })

  it('has scopes where they are known', () => {
    expect(read({ subject: 'a', scopes: ['x'] })).toMatchObject({ scopes: ['x'] })
    expect(read({ subject: 'a', scopes: [] })).toMatchObject({ scopes: [] })
    expect(read({ subject: 'a' })).not.toHaveProperty('scopes')
  })

  it('is not to be changed, since requests share it', () => {
    const user = read({ subject: 'a', claims: { role: 'reader' } }) as { claims: object }
    expect(Object.isFrozen(user)).toBe(true)
    expect(Object.isFrozen(user.claims)).toBe(true)
  })
})

import { createHash, createHmac } from 'node:crypto'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { OAuthError } from 'express-mcp-auth'
import { type TestClock, testClock } from 'express-mcp-auth/testing'
import { createDeps } from '../../lib/runtime/deps.js'
import { type IdTokenOccasion, type IdTokenVerdict, IdTokenVerifier } from '../../lib/verifiers/id-token.js'
import { RemoteKeys } from '../../lib/verifiers/jwks.js'
import {
  ISSUER,
  type Json,
  type SigningKey,
  type Stub,
  createKey,
  encode,
  jsonAnswer,
  signParts,
  startKeySet,
} from '../support/issuer.js'
import { createRecorder } from '../support/recorder.js'

const CLIENT = 'app-1'
const NONCE = 'nonce-1'
const OCCASION: IdTokenOccasion = { nonce: NONCE, accessToken: 'access-1' }

const key = createKey('RS256')
const otherKey = createKey('RS256')

let keySet: Stub
let clock: TestClock

beforeEach(async () => {
  keySet = await startKeySet(key)
  clock = testClock()
})

afterEach(() => keySet.close())

function claimsOf(changes: Json = {}): Json {
  const now = Math.floor(clock.now() / 1000)
  const claims = {
    iss: ISSUER,
    aud: CLIENT,
    sub: 'user-1',
    nonce: NONCE,
    iat: now,
    exp: now + 300,
    ...changes,
  }
  return Object.fromEntries(Object.entries(claims).filter(([, value]) => value !== undefined))
}

function sign(changes: Json = {}, header: Json = {}, signer: SigningKey = key): string {
  return signParts({ alg: signer.alg, kid: signer.kid, ...header }, claimsOf(changes), signer)
}

function create(): (token: string, occasion?: Partial<IdTokenOccasion>) => Promise<IdTokenVerdict> {
  const deps = createDeps({ now: clock.now, after: clock.after })
  const keys = new RemoteKeys({ url: keySet.url, cacheSeconds: undefined }, deps)
  const verifier = new IdTokenVerifier({ issuer: ISSUER, clientId: CLIENT, keys }, deps)
  return (token, occasion = {}) =>
    verifier.verify(token, { ...OCCASION, ...occasion }, createRecorder().context)
}

const half = (bits: number, text: string): string => {
  const digest = createHash(`sha${bits}`).update(text).digest()
  return digest.subarray(0, digest.length / 2).toString('base64url')
}

describe('an ID token', () => {
  it('says who signed in', async () => {
    const verify = create()
    expect(await verify(sign({ name: 'Alice' }))).toEqual({ claims: claimsOf({ name: 'Alice' }) })
    expect(keySet.requests).toHaveLength(1)
  })

  it.each<[rule: string, claims: Json, header: Json, occasion: Partial<IdTokenOccasion>]>([
    ['for us among others, and made for us', { aud: [CLIENT, 'other'], azp: CLIENT }, {}, {}],
    ['for us in a list', { aud: [CLIENT] }, {}, {}],
    ['made for us', { azp: CLIENT }, {}, {}],
    ['with the digest of its access token', { at_hash: half(256, 'access-1') }, {}, {}],
    ['of the same user as before', {}, {}, { subject: 'user-1' }],
    ['that answers no nonce', { nonce: undefined }, {}, { nonce: undefined }],
    ['of a clock that is ahead', { iat: Math.floor(testClock().now() / 1000) + 20 }, {}, {}],
    ['that names its type', { token_use: 'id' }, { typ: 'JWT' }, {}],
  ])('is good: %s', async (_rule, claims, header, occasion) => {
    expect(await create()(sign(claims, header), occasion)).toMatchObject({ claims: { sub: 'user-1' } })
  })

  it.each([
    ['ES256', 256],
    ['ES384', 384],
    ['EdDSA', 512],
  ] as const)('carries a digest by the hash of %s', async (alg, bits) => {
    const signer = createKey(alg)
    keySet.answer = jsonAnswer({ keys: [signer.jwk] })
    const verify = create()
    expect(await verify(sign({ at_hash: half(bits, 'access-1') }, {}, signer))).toHaveProperty('claims')
    const refused = { stage: 'at_hash', expected: 'that of the access token', got: 'another one' }
    expect(await verify(sign({ at_hash: half(bits, 'access-2') }, {}, signer))).toEqual({ refused })
  })

  const soon = Math.floor(testClock().now() / 1000)
  it.each<[rule: string, stage: string, claims: Json, header: Json, occasion: Partial<IdTokenOccasion>]>([
    ['of another issuer', 'issuer', { iss: 'https://evil.example.com' }, {}, {}],
    ['of an issuer in other letters', 'issuer', { iss: `${ISSUER}/` }, {}, {}],
    ['of no issuer', 'issuer', { iss: undefined }, {}, {}],
    ['for another app', 'audience', { aud: 'other' }, {}, {}],
    ['for nobody', 'audience', { aud: [] }, {}, {}],
    ['for us among others, but not made for us', 'audience', { aud: [CLIENT, 'other'] }, {}, {}],
    ['for us, but made for another app', 'audience', { azp: 'other' }, {}, {}],
    ['that has expired', 'expiry', { exp: soon - 1 }, {}, {}],
    ['that never expires', 'expiry', { exp: undefined }, {}, {}],
    ['of the future', 'not_before', { iat: soon + 3600 }, {}, {}],
    ['not good yet', 'not_before', { nbf: soon + 3600 }, {}, {}],
    ['of no time', 'claims', { iat: undefined }, {}, {}],
    ['of a time in words', 'claims', { iat: 'now' }, {}, {}],
    ['that answers another nonce', 'nonce', { nonce: 'nonce-2' }, {}, {}],
    ['that answers no nonce', 'nonce', { nonce: undefined }, {}, {}],
    ['that answers a nonce which nobody sent', 'nonce', {}, {}, { nonce: undefined }],
    ['of nobody', 'subject', { sub: undefined }, {}, {}],
    ['of an empty name', 'subject', { sub: '' }, {}, {}],
    ['of a number', 'claims', { sub: 7 }, {}, {}],
    ['of a name without end', 'subject', { sub: 'x'.repeat(256) }, {}, {}],
    ['of another user than before', 'subject', {}, {}, { subject: 'user-2' }],
    ['of another access token', 'at_hash', { at_hash: half(256, 'access-2') }, {}, {}],
    [
      'with the whole digest',
      'at_hash',
      { at_hash: createHash('sha256').update('access-1').digest('base64url') },
      {},
      {},
    ],
    ['with a digest that is no text', 'at_hash', { at_hash: 7 }, {}, {}],
    ['that is an access token', 'type', {}, { typ: 'at+jwt' }, {}],
    ['that is an access token, it says', 'type', { token_use: 'access' }, {}, {}],
    ['that tells of a logout', 'type', {}, { typ: 'logout+jwt' }, {}],
    ['of a key that is not published', 'signature', {}, { kid: 'other' }, {}],
    ['without a signature', 'algorithm', {}, { alg: 'none' }, {}],
    ['signed by the secret of an app', 'algorithm', {}, { alg: 'HS256' }, {}],
    ['of an unknown algorithm', 'algorithm', {}, { alg: 'constructor' }, {}],
    ['with demands', 'format', {}, { crit: ['x'] }, {}],
  ])('P4 is refused: %s', async (_rule, stage, claims, header, occasion) => {
    const verdict = await create()(sign(claims, header), occasion)
    expect(verdict).toMatchObject({ refused: { stage } })
    expect(verdict.claims).toBeUndefined()
    expect(JSON.stringify(verdict)).not.toContain(NONCE)
  })

  it('P4 is refused where somebody else signed it', async () => {
    const refused = { stage: 'signature', expected: 'one by a published key', got: 'none of them made it' }
    expect(await create()(sign({}, {}, otherKey))).toEqual({ refused })
  })

  it('P4 is refused where the published key was taken for a shared secret', async () => {
    const pem = key.publicKey.export({ type: 'spki', format: 'pem' })
    const input = `${encode({ alg: 'HS256', kid: key.kid })}.${encode(claimsOf())}`
    const token = `${input}.${createHmac('sha256', pem).update(input).digest('base64url')}`
    expect(await create()(token)).toMatchObject({ refused: { stage: 'algorithm' } })
  })

  it.each<[rule: string, change: (token: string) => string]>([
    ['with one claim changed', (token) => { const [head, , signature] = token.split('.'); return [head, encode(claimsOf({ sub: 'admin' })), signature].join('.') }],
    ['with its signature cut off', (token) => token.slice(0, token.lastIndexOf('.') + 1)],
    ['without a signature', (token) => token.slice(0, token.lastIndexOf('.'))],
    ['with padding', (token) => `${token}=`],
    ['encrypted', (token) => `${token}.a.b`],
    ['that is opaque', () => 'opaque'],
    ['that is empty', () => ''],
  ])('P4 is refused %s', async (_rule, change) => {
    expect(await create()(change(sign()))).toHaveProperty('refused')
  }) // prettier-ignore

  it('P4 is refused before its key is asked for, where its claims are bad', async () => {
    await create()(sign({ aud: 'other' }))
    expect(keySet.requests).toEqual([])
  })

  it('F4 cannot be judged while the keys cannot be fetched', async () => {
    keySet.answer = (_request, response) => response.writeHead(500).end()
    const verified = create()(sign())
    await expect(verified).rejects.toThrow(OAuthError)
    await expect(verified).rejects.toMatchObject({ code: 'temporarily_unavailable' })
  })

  it('K2 is good by a key that was published since', async () => {
    const verify = create()
    await verify(sign())
    const next = createKey('ES256', 'next')
    keySet.answer = jsonAnswer({ keys: [next.jwk] })
    clock.advance(30)
    expect(await verify(sign({}, {}, next))).toHaveProperty('claims')
    expect(await verify(sign())).toMatchObject({ refused: { stage: 'signature' } })
  })
})

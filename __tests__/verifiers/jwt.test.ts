import { type KeyObject, constants, createHmac, generateKeyPairSync, sign } from 'node:crypto'
import { afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import { type AccessTokenFields, JWTVerifier, type JWTVerifierOptions, OAuthError } from 'express-mcp-auth'
import { testClock } from 'express-mcp-auth/testing'
import { tokenForm } from '../../lib/protocol/jws-guard.js'
import {
  ISSUER,
  type Json,
  RESOURCE,
  type SigningKey,
  type Stub,
  claimsOf,
  createKey,
  createToken,
  encode,
  jsonAnswer,
  signParts,
  startKeySet,
} from '../support/issuer.js'
import { createRecorder } from '../support/recorder.js'

let key: SigningKey
let stranger: SigningKey

beforeAll(() => {
  key = createKey('RS256', 'current')
  stranger = createKey('RS256', 'stranger')
})

const create = (options: Partial<JWTVerifierOptions> = {}): JWTVerifier =>
  new JWTVerifier({ publicKey: key.jwk, issuer: ISSUER, audience: RESOURCE, ...options })

/** Why a token is refused: nothing else may be a refusal. */
const refusal = async (
  token: string,
  options: Partial<JWTVerifierOptions> = {},
): Promise<object | undefined> => {
  const { context, reasons } = createRecorder()
  expect(await create(options).verifyToken(token, context)).toBeNull()
  expect(reasons).toHaveLength(1)
  return reasons[0]
}

describe('JWTVerifier', () => {
  it('says what a token says', async () => {
    const claims = claimsOf({ scope: 'mcp:use notes', tenant: 't' })
    const token = createToken(key, claims)
    expect(await create().verifyToken(token)).toEqual({
      token,
      tokenType: 'Bearer',
      clientId: 'client-1',
      scopes: ['mcp:use', 'notes'],
      expiresAt: claims['exp'],
      subject: 'user-1',
      issuer: ISSUER,
      claims,
    })
  })

  it('tells what it accepts', () => {
    const verifier = create({
      issuer: [ISSUER, 'https://b.example/'],
      audience: RESOURCE,
      requiredScopes: ['a'],
    })
    expect(verifier).toMatchObject({
      issuer: [ISSUER, 'https://b.example/'],
      audience: [RESOURCE],
      requiredScopes: ['a'],
      notices: [],
    })
  })

  it('P5 takes no token that was issued to another client where one is named', async () => {
    const options = {
      dangerouslyAllowAnyAudience: true,
      requiredClaims: { client_id: 'client-1', groups: ['a', 'b'] },
    }
    const verifier = create(options)
    const token = (clientId: string): string =>
      createToken(key, { client_id: clientId, groups: ['b'], aud: undefined })
    expect(
      await new JWTVerifier({ publicKey: key.jwk, issuer: ISSUER, ...options }).verifyToken(
        token('client-1'),
      ),
    ).toMatchObject({
      clientId: 'client-1',
    })
    expect(verifier.requiredScopes).toEqual([])
    expect(await refusal(createToken(key, { client_id: 'client-2', groups: ['b'] }), options)).toEqual({
      stage: 'claims',
      expected: 'client_id client-1',
      got: '"client-2"',
    })
  })

  it.each([
    ['a text', 'client-1', '"requiredClaims" takes an options object'],
    ['no value for a claim', { tid: undefined }, '"requiredClaims": "tid" is missing'],
    ['a number for a claim', { tid: 7 }, '"requiredClaims": "tid" must be a string or a list of strings'],
  ])('refuses %s for the claims that are required', (_rule, requiredClaims, message) => {
    expect(() => create({ requiredClaims } as never)).toThrow(message)
  })

  it('takes the tokens of any tenant where the issuer says {tid}, each under its own', async () => {
    const issuer = 'https://login.microsoftonline.com/{tid}/v2.0'
    const iss = issuer.replace('{tid}', 'tenant-1')
    const token = createToken(key, { iss, tid: 'tenant-1' })
    expect(await create({ issuer }).verifyToken(token)).toMatchObject({ issuer: iss })
    expect(create({ issuer }).claimsToken(token, tokenForm(token))).toBe('mine')
    expect(create({ issuer }).claimsToken('', tokenForm(createToken(key, { iss: undefined })))).toBe(
      'not mine',
    )
    expect(await refusal(createToken(key, { iss, tid: 'tenant-2' }), { issuer })).toMatchObject({
      stage: 'issuer',
    })
  })

  it('leaves scopes to the guard: too few is not "not valid"', async () => {
    expect(await create({ requiredScopes: ['admin'] }).verifyToken(createToken(key))).toMatchObject({
      scopes: [],
    })
  })

  describe('verifies', () => {
    const pairs: Record<string, () => { publicKey: KeyObject; privateKey: KeyObject }> = {
      RS: () => key,
      ES256: () => generateKeyPairSync('ec', { namedCurve: 'P-256' }),
      ES384: () => generateKeyPairSync('ec', { namedCurve: 'P-384' }),
      ES512: () => generateKeyPairSync('ec', { namedCurve: 'P-521' }),
      Ed: () => generateKeyPairSync('ed25519'),
    }
    const signer = (alg: string, privateKey: KeyObject) => (bytes: Buffer) => {
      if (alg.startsWith('Ed')) return sign(null, bytes, privateKey)
      const hash = `sha${alg.slice(2)}`
      if (alg.startsWith('RS')) return sign(hash, bytes, privateKey)
      if (alg.startsWith('ES')) return sign(hash, bytes, { key: privateKey, dsaEncoding: 'ieee-p1363' })
      const padding = constants.RSA_PKCS1_PSS_PADDING
      return sign(hash, bytes, { key: privateKey, padding, saltLength: constants.RSA_PSS_SALTLEN_DIGEST })
    }
    const tokenOf = (alg: string, make: (bytes: Buffer) => Buffer): string => {
      const input = `${encode({ alg })}.${encode(claimsOf())}`
      return `${input}.${make(Buffer.from(input)).toString('base64url')}`
    }

    it.each([
      ['RS256', 'RS'],
      ['RS384', 'RS'],
      ['RS512', 'RS'],
      ['PS256', 'RS'],
      ['PS384', 'RS'],
      ['PS512', 'RS'],
      ['ES256', 'ES256'],
      ['ES384', 'ES384'],
      ['ES512', 'ES512'],
      ['EdDSA', 'Ed'],
      ['Ed25519', 'Ed'],
    ])('%s by a public key as PEM, JWK and JWK set', async (alg, kind) => {
      const { publicKey, privateKey } = (
        pairs[kind] as () => { publicKey: KeyObject; privateKey: KeyObject }
      )()
      const token = tokenOf(alg, signer(alg, privateKey))
      const jwk = publicKey.export({ format: 'jwk' }) as Json
      const pem = publicKey.export({ type: 'spki', format: 'pem' }).toString()
      for (const form of [pem, jwk, { keys: [jwk] }]) {
        expect(await create({ publicKey: form }).verifyToken(token)).toMatchObject({ subject: 'user-1' })
      }
      expect(await create({ publicKey: pem, algorithms: [alg] }).verifyToken(token)).not.toBeNull()
    })

    it.each([
      ['HS256', 32],
      ['HS384', 48],
      ['HS512', 64],
    ])('%s by a secret of %i bytes, as text and as bytes', async (alg, length) => {
      const secret = 'ü'.padEnd(length - 1, 'x')
      const token = tokenOf(alg, (bytes) =>
        createHmac(`sha${alg.slice(2)}`, secret)
          .update(bytes)
          .digest(),
      )
      for (const form of [secret, Buffer.from(secret), new Uint8Array(Buffer.from(secret))]) {
        const verifier = new JWTVerifier({
          secret: form,
          issuer: ISSUER,
          audience: RESOURCE,
          algorithms: [alg],
        })
        expect(await verifier.verifyToken(token)).toMatchObject({ subject: 'user-1' })
      }
    })

    it('HS256 only, unless other algorithms are named', async () => {
      const secret = 'x'.repeat(64)
      const token = tokenOf('HS512', (bytes) => createHmac('sha512', secret).update(bytes).digest())
      const verifier = new JWTVerifier({ secret, issuer: ISSUER, audience: RESOURCE })
      expect(await verifier.verifyToken(token)).toBeNull()
    })

    it('no token with a secret that the caller changed afterwards', async () => {
      const secret = Buffer.alloc(32, 'a')
      const verifier = new JWTVerifier({ secret, issuer: ISSUER, audience: RESOURCE })
      secret.fill('b')
      const token = tokenOf('HS256', (bytes) => createHmac('sha256', secret).update(bytes).digest())
      expect(await verifier.verifyToken(token)).toBeNull()
    })
  })

  describe('refuses', () => {
    it.each<[rule: string, token: () => string, reason: object]>([
      [
        'what is no JWT',
        () => 'opaque',
        { stage: 'format', expected: 'a signed JWT', got: '1 parts instead of 3' },
      ],
      [
        'a JWT in another spelling',
        () => `${createToken(key)}=`,
        { stage: 'format', got: 'not canonical base64url' },
      ],
      [
        'no algorithm',
        () => signParts({ alg: 'none' }, claimsOf(), key),
        { stage: 'algorithm', got: '"none"' },
      ],
      [
        'an HMAC with the public key as secret',
        () => {
          const input = `${encode({ alg: 'HS256' })}.${encode(claimsOf())}`
          const pem = key.publicKey.export({ type: 'spki', format: 'pem' })
          return `${input}.${createHmac('sha256', pem).update(input).digest('base64url')}`
        },
        { stage: 'algorithm', got: '"HS256"' },
      ],
      [
        'an algorithm that another type of key has',
        () => createToken(createKey('ES256', 'current')),
        { stage: 'key' },
      ],
      [
        'the signature of another key',
        () => createToken({ ...stranger, kid: 'current' }),
        { stage: 'signature', got: 'a signature that none of the keys made' },
      ],
      [
        'a payload that was changed',
        () => {
          const [header, , signature] = createToken(key).split('.')
          return `${header}.${encode(claimsOf({ sub: 'admin' }))}.${signature}`
        },
        { stage: 'signature' },
      ],
      [
        'another issuer',
        () => createToken(key, { iss: `${ISSUER}/` }),
        { stage: 'issuer', expected: ISSUER, got: `"${ISSUER}/"` },
      ],
      [
        'another audience',
        () => createToken(key, { aud: 'https://other.example' }),
        { stage: 'audience', expected: RESOURCE, got: '"https://other.example"' },
      ],
      ['no audience', () => createToken(key, { aud: undefined }), { stage: 'audience', got: 'nothing' }],
      ['no expiry', () => createToken(key, { exp: undefined }), { stage: 'expiry', got: 'nothing' }],
      ['a token that has expired', () => createToken(key, { exp: 1 }), { stage: 'expiry' }],
      [
        'a token from the future',
        () => createToken(key, { iat: 4_000_000_000, exp: 4_000_000_060 }),
        { stage: 'not_before' },
      ],
      ['a subject that is no text', () => createToken(key, { sub: 7 }), { stage: 'claims' }],
      [
        'an ID token by its type',
        () => createToken(key, {}, { typ: 'id_token+jwt' }),
        { stage: 'type', expected: 'an access token', got: 'typ "id_token+jwt"' },
      ],
      ['a DPoP proof', () => createToken(key, {}, { typ: 'dpop+jwt' }), { stage: 'type' }],
      ['a logout token', () => createToken(key, {}, { typ: 'logout+jwt' }), { stage: 'type' }],
      [
        'an ID token of Cognito',
        () => createToken(key, { token_use: 'id' }),
        { stage: 'type', got: 'token_use "id"' },
      ],
      [
        'a refresh token',
        () => createToken(key, { token_use: 'refresh' }),
        { stage: 'type', got: 'token_use "refresh"' },
      ],
      [
        'a refresh token of Keycloak',
        () => createToken(key, { typ: 'Refresh' }),
        { stage: 'type', got: 'typ "Refresh"' },
      ],
      ['an offline token of Keycloak', () => createToken(key, { typ: 'Offline' }), { stage: 'type' }],
      ['an ID token of Keycloak', () => createToken(key, { typ: 'ID' }), { stage: 'type' }],
      ['a logout token of Keycloak', () => createToken(key, { typ: 'Logout' }), { stage: 'type' }],
      [
        'an ID token by at_hash',
        () => createToken(key, { at_hash: 'a' }),
        { stage: 'type', got: 'an ID token (at_hash)' },
      ],
      [
        'an ID token by c_hash',
        () => createToken(key, { c_hash: 'a' }),
        { stage: 'type', got: 'an ID token (c_hash)' },
      ],
      [
        'an ID token by s_hash',
        () => createToken(key, { s_hash: null }),
        { stage: 'type', got: 'an ID token (s_hash)' },
      ],
      [
        'a token that is bound to a key (RFC 9449)',
        () => createToken(key, { cnf: { jkt: 'a' } }),
        { stage: 'type', expected: 'a bearer token', got: 'a token that is bound to a key (cnf)' },
      ],
    ])('%s', async (_rule, token, reason) => {
      expect(await refusal(token())).toMatchObject(reason)
    })

    it('an algorithm that is not among those named', async () => {
      expect(await refusal(createToken(key), { algorithms: ['RS512', 'ES256'] })).toEqual({
        stage: 'algorithm',
        expected: 'RS512 or ES256',
        got: '"RS256"',
      })
    })

    it('the signature of a key whose own alg is another one', async () => {
      const publicKey = { keys: [{ ...key.jwk, alg: 'PS256' }] }
      expect(await refusal(createToken(key), { publicKey })).toMatchObject({ stage: 'key', got: '"current"' })
    })

    it('a key ID that is not among several keys', async () => {
      const publicKey = { keys: [key.jwk, stranger.jwk] }
      const token = createToken(key, {}, { kid: 'other' })
      expect(await refusal(token, { publicKey })).toEqual({
        stage: 'key',
        expected: 'a published key',
        got: '"other"',
      })
    })

    it('a token without a key ID where several keys may have signed it', async () => {
      const publicKey = { keys: [key.jwk, stranger.jwk] }
      const token = createToken(key, {}, { kid: undefined })
      expect(await refusal(token, { publicKey })).toMatchObject({ stage: 'key', got: 'nothing' })
    })
  })

  it.each([
    ['at+jwt', 'at+jwt'],
    ['at+jwt in other letters', 'AT+JWT'],
    ['application/at+jwt', 'application/at+jwt'],
    ['JWT', 'JWT'],
    ['no type', undefined],
  ])('takes a token of the type %s', async (_rule, typ) => {
    expect(await create().verifyToken(createToken(key, {}, { typ }))).toMatchObject({ subject: 'user-1' })
  })

  it.each([[{ token_use: 'access' }], [{ token_use: 'access_token' }], [{ typ: 'Bearer' }]])(
    'takes a token that calls itself an access token: %j',
    async (claims) => {
      expect(await create().verifyToken(createToken(key, claims))).not.toBeNull()
    },
  )

  it('finds the signer among keys of the same ID', async () => {
    const publicKey = { keys: [{ ...stranger.jwk, kid: 'current' }, key.jwk] }
    expect(await create({ publicKey }).verifyToken(createToken(key))).not.toBeNull()
  })

  it('takes each of several issuers and audiences', async () => {
    const verifier = create({ issuer: [ISSUER, 'https://b.example/'], audience: [RESOURCE, 'api'] })
    expect(
      await verifier.verifyToken(createToken(key, { iss: 'https://b.example/', aud: ['x', 'api'] })),
    ).not.toBeNull()
  })

  it('takes any audience only where that is said to be dangerous, and tells it', async () => {
    const verifier = new JWTVerifier({
      publicKey: key.jwk,
      issuer: ISSUER,
      dangerouslyAllowAnyAudience: true,
    })
    expect(await verifier.verifyToken(createToken(key, { aud: 'https://other.example' }))).not.toBeNull()
    expect(verifier.audience).toEqual([])
    expect(verifier.notices).toEqual([
      {
        type: 'danger',
        option: 'dangerouslyAllowAnyAudience',
        message:
          'JWTVerifier accepts tokens that were issued for other services (dangerouslyAllowAnyAudience)',
      },
    ])
  })

  it('holds a token to the audience that is stated, also beside dangerouslyAllowAnyAudience', async () => {
    const token = createToken(key, { aud: 'https://other.example' })
    expect(await refusal(token, { dangerouslyAllowAnyAudience: true })).toMatchObject({ stage: 'audience' })
  })

  it('lets nbf and iat lie in the future by the tolerance, and exp not in the past', async () => {
    const clock = testClock(1_700_000_000_000)
    const now = 1_700_000_000
    const at = (claims: Json): string => createToken(key, { iat: now, exp: now + 60, ...claims })
    for (const claims of [{ nbf: now + 30 }, { iat: now + 30 }]) {
      expect(await create({ deps: clock }).verifyToken(at(claims))).not.toBeNull()
      expect(await refusal(at(claims), { deps: clock, clockToleranceSeconds: 29 })).toMatchObject({
        stage: 'not_before',
      })
    }
    expect(await refusal(at({ exp: now }), { deps: clock, clockToleranceSeconds: 3600 })).toMatchObject({
      stage: 'expiry',
    })
  })

  describe('remembers', () => {
    it('a token that it verified, and recalls it at once', async () => {
      const verifier = create()
      const token = createToken(key)
      expect(verifier.recall(token)).toBeUndefined()
      const verified = await verifier.verifyToken(token)
      const recalled = verifier.recall(token)
      expect(recalled).toEqual(verified)
      expect(await verifier.verifyToken(token)).toBe(recalled)
    })

    it('no token that it refused', async () => {
      const verifier = create()
      const token = createToken(stranger)
      expect(await verifier.verifyToken(token)).toBeNull()
      expect(verifier.recall(token)).toBeUndefined()
    })

    it('until it expires', async () => {
      const clock = testClock(1_700_000_000_000)
      const verifier = create({ deps: clock })
      const token = createToken(key, { iat: 1_700_000_000, exp: 1_700_000_060 })
      await verifier.verifyToken(token)
      clock.advance(59)
      expect(verifier.recall(token)).toBeDefined()
      clock.advance(1)
      expect(verifier.recall(token)).toBeUndefined()
      expect(await verifier.verifyToken(token)).toBeNull()
    })

    it('nothing of what another verifier accepted', async () => {
      const token = createToken(key)
      await create().verifyToken(token)
      const other = create({ audience: 'https://other.example' })
      expect(other.recall(token)).toBeUndefined()
      expect(await other.verifyToken(token)).toBeNull()
    })

    it('nothing where the cache is switched off', async () => {
      const verifier = create({ cache: false })
      const token = createToken(key)
      expect(await verifier.verifyToken(token)).not.toBeNull()
      expect(verifier.recall(token)).toBeUndefined()
    })

    it('no more than its bounds allow', async () => {
      const verifier = create({ cache: { maxEntries: 1 } })
      const tokens = [createToken(key, { jti: '1' }), createToken(key, { jti: '2' })] as const
      for (const token of tokens) await verifier.verifyToken(token)
      expect(tokens.map((token) => verifier.recall(token) !== undefined)).toEqual([false, true])
    })
  })

  describe('with jwksUri', () => {
    let keySet: Stub
    const remote = (options: Partial<JWTVerifierOptions> = {}): JWTVerifier =>
      new JWTVerifier({ jwksUri: `${keySet.url}/jwks`, issuer: ISSUER, audience: RESOURCE, ...options })

    afterEach(() => keySet.close())

    it('fetches the keys once for all tokens', async () => {
      keySet = await startKeySet(key)
      const verifier = remote()
      const tokens = Array.from({ length: 20 }, (_, index) => createToken(key, { jti: String(index) }))
      const verified: (AccessTokenFields | null)[] = await Promise.all(
        tokens.map((token) => verifier.verifyToken(token)),
      )
      expect(verified.every((token) => token?.subject === 'user-1')).toBe(true)
      expect(keySet.requests).toMatchObject([
        { method: 'GET', url: '/jwks', headers: { accept: 'application/json' } },
      ])
    })

    it('fetches nothing for a token that does not claim to be ours', async () => {
      keySet = await startKeySet(key)
      const verifier = remote()
      const tokens = [
        'opaque',
        createToken(stranger, { iss: 'https://evil.example' }),
        createToken(stranger, { aud: 'https://other.example' }),
        createToken(stranger, { exp: 1 }),
        createToken(stranger, {}, { typ: 'dpop+jwt' }),
        createToken(stranger, {}, { alg: 'none' }),
        createToken(stranger, {}, { jku: keySet.url, jwk: stranger.jwk, alg: 'HS256' }),
      ]
      for (const token of tokens) expect(await verifier.verifyToken(token)).toBeNull()
      expect(keySet.requests).toEqual([])
    })

    it('fetches them ahead where it is asked to', async () => {
      keySet = await startKeySet(key)
      const verifier = remote()
      await verifier.warmUp()
      expect(keySet.requests).toHaveLength(1)
      expect(await verifier.verifyToken(createToken(key))).not.toBeNull()
      expect(keySet.requests).toHaveLength(1)
    })

    it('cannot decide while the keys are out of reach', async () => {
      keySet = await startKeySet(key)
      keySet.answer = jsonAnswer({}, {}, 500)
      const { context, events, reasons } = createRecorder()
      const error = await remote()
        .verifyToken(createToken(key), context)
        .then(String, (thrown: unknown) => thrown)
      expect(error).toBeInstanceOf(OAuthError)
      expect(error).toMatchObject({ code: 'temporarily_unavailable', status: 503 })
      expect(events).toMatchObject([{ type: 'keys.failed', message: 'status 500', serving: 'nothing' }])
      expect(reasons).toEqual([])
    })

    it('forgets the tokens of a key that is withdrawn, also where all requests are recalls', async () => {
      keySet = await startKeySet(key)
      const clock = testClock()
      let asked = 0
      const counting: typeof fetch = (...all) => {
        asked++
        return fetch(...all)
      }
      const verifier = remote({ deps: { ...clock, fetch: counting }, jwksCacheSeconds: 60 })
      const token = createToken(key)
      await verifier.verifyToken(token)
      keySet.answer = jsonAnswer({ keys: [stranger.jwk] })
      clock.advance(59)
      expect([verifier.recall(token)?.subject, asked]).toEqual(['user-1', 1])
      clock.advance(1)
      expect([verifier.recall(token)?.subject, asked]).toEqual(['user-1', 2])
      await verifier.warmUp()
      expect(verifier.recall(token)).toBeUndefined()
      expect(await verifier.verifyToken(token)).toBeNull()
      expect(asked).toBe(2)
    })

    it('keeps the tokens of a key that stays', async () => {
      keySet = await startKeySet(key)
      const clock = testClock()
      const verifier = remote({ deps: clock, jwksCacheSeconds: 60 })
      const token = createToken(key)
      const verified = await verifier.verifyToken(token)
      keySet.answer = jsonAnswer({ keys: [stranger.jwk, key.jwk] })
      clock.advance(60)
      verifier.recall(token)
      await verifier.warmUp()
      expect(keySet.requests).toHaveLength(2)
      expect(verifier.recall(token)).toEqual(verified)
    })
  })

  it('warms up at once where nothing has to be fetched', async () => {
    await expect(create().warmUp()).resolves.toBeUndefined()
  })

  it.each([
    ['a JWT of its issuer', () => createToken(stranger), 'mine'],
    ['a JWT of another issuer', () => createToken(key, { iss: 'https://b.example' }), 'not mine'],
    ['a JWT without an issuer', () => createToken(key, { iss: undefined }), 'not mine'],
    ['an opaque token', () => 'opaque', 'not mine'],
  ])('claims %s, whoever signed it', (_rule, token, claim) => {
    const text = token()
    expect(create().claimsToken(text, tokenForm(text))).toBe(claim)
  })
})

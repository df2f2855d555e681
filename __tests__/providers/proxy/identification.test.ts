import { OAuthError } from '../../../lib/protocol/errors.js'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import {
  JWTVerifier,
  type Reason,
  RemoteTokenVerifier,
  type Verification,
  type Verifier,
} from 'express-mcp-auth'
import {
  UpstreamRefusal,
  type UpstreamTokens,
  type UpstreamUser,
} from '../../../lib/authorization-server/upstream.js'
import type { UpstreamDescription, UpstreamEndpoints } from '../../../lib/providers/proxy/description.js'
import type { UpstreamClient } from '../../../lib/providers/proxy/upstream-client.js'
import { type Json, createKey, jsonAnswer, signParts } from '../../support/issuer.js'
import { createRecorder } from '../../support/recorder.js'
import {
  CLIENT_ID,
  REDIRECT_URI,
  TRIP,
  type TokenEndpoint,
  bytesAnswer,
  startTokenEndpoint,
} from '../../support/token-endpoint.js'

const API = 'https://api.example.com/mcp'
const ORIGIN = { scopes: ['read'] }

let idp: TokenEndpoint

beforeEach(async () => {
  idp = await startTokenEndpoint()
})

afterEach(() => idp.close())

/** Tokens that the token endpoint gives from now on. */
function give(members: Json): void {
  idp.answers.set('/token', jsonAnswer({ access_token: 'upstream-access', token_type: 'bearer', ...members }))
}

function exchange(
  changes: Partial<UpstreamDescription> = {},
  trip: Partial<typeof TRIP> = {},
): Promise<UpstreamTokens> {
  const client = idp.client(changes)
  return client.exchange(idp.callback(), { ...TRIP, ...trip }, REDIRECT_URI, createRecorder().context)
}

interface Identified {
  readonly user: UpstreamUser | null
  readonly reasons: readonly Reason[]
}

async function identify(
  client: UpstreamClient,
  tokens: UpstreamTokens,
  known?: UpstreamUser,
): Promise<Identified> {
  const { context, reasons } = createRecorder()
  const user = await client.identify(tokens, ORIGIN, known, context)
  return { user, reasons }
}

const by = (
  verifyToken: Verifier['verifyToken'],
  more: Partial<Verifier> = {},
): Partial<UpstreamDescription> => ({
  identification: { by: 'access_token', verifier: { verifyToken, ...more } },
})

const nobody = by(() => null)

describe('an ID token that comes with a code', () => {
  it('is kept, and says who signed in', async () => {
    const idToken = idp.idToken({ name: 'Alice', email: 'a@example.com' })
    give({ id_token: idToken })
    const tokens = await exchange()
    expect(tokens).toMatchObject({ accessToken: 'upstream-access', idToken })
    expect(await identify(idp.client(), tokens)).toEqual({
      user: {
        subject: 'user-1',
        name: 'Alice',
        claims: { sub: 'user-1', name: 'Alice', email: 'a@example.com' },
      },
      reasons: [],
    })
  })

  const soon = Math.floor(Date.now() / 1000)
  it.each<[rule: string, claims: Json, header: Json, stage: string]>([
    ['another issuer', { iss: 'https://evil.example.com' }, {}, 'issuer'],
    ['another audience', { aud: 'other-app' }, {}, 'audience'],
    ['more audiences', { aud: [CLIENT_ID, 'other-app'] }, {}, 'audience'],
    ['another party', { azp: 'other-app' }, {}, 'audience'],
    ['a time that is over', { exp: soon - 60 }, {}, 'expiry'],
    ['a time to come', { iat: soon + 3600 }, {}, 'not_before'],
    ['another nonce', { nonce: 'other' }, {}, 'nonce'],
    ['no nonce', { nonce: undefined }, {}, 'nonce'],
    ['another access token', { at_hash: 'AAAAAAAAAAAAAAAAAAAAAA' }, {}, 'at_hash'],
    ['nobody', { sub: undefined }, {}, 'subject'],
    ['no signature', {}, { alg: 'none' }, 'algorithm'],
    ['a shared secret', {}, { alg: 'HS256' }, 'algorithm'],
    ['another kind of token', {}, { typ: 'at+jwt' }, 'type'],
    ['an unknown key', {}, { kid: 'other' }, 'signature'],
  ])(
    'P4 is refused with %s, also where an access token would have been enough',
    async (_rule, claims, header, stage) => {
      give({ id_token: idp.idToken(claims, header) })
      for (const changes of [{}, nobody]) {
        const refused = exchange(changes)
        await expect(refused).rejects.toThrow(UpstreamRefusal)
        await expect(refused).rejects.toMatchObject({
          code: 'invalid_id_token',
          message: expect.stringContaining(
            `the identity provider sent an ID token that is refused: ${stage}: expected `,
          ),
        })
        await expect(refused).rejects.not.toThrow(TRIP.nonce)
      }
    },
  )

  it('P4 is refused where somebody else signed it', async () => {
    give({ id_token: idp.idToken({}, {}, createKey('ES256', 'upstream-key')) })
    await expect(exchange()).rejects.toMatchObject({ code: 'invalid_id_token' })
  })

  it('P4 is not to be missed where it says who signed in', async () => {
    await expect(exchange()).rejects.toMatchObject({
      code: 'invalid_id_token',
      message: 'the identity provider sent no ID token, which says who signed in: ask for the scope "openid"',
    })
    expect(await exchange(nobody)).toMatchObject({ accessToken: 'upstream-access', idToken: undefined })
  })

  it('answers no nonce where none was sent', async () => {
    give({ id_token: idp.idToken({ nonce: undefined }) })
    expect((await exchange({}, { scopes: ['read'] })).idToken).toBeDefined()
    give({ id_token: idp.idToken() })
    await expect(exchange({}, { scopes: ['read'] })).rejects.toMatchObject({ code: 'invalid_id_token' })
  })

  it.each<[rule: string, missing: Partial<UpstreamEndpoints>]>([
    ['issuer', { issuer: undefined }],
    ['keys', { jwksUri: undefined }],
  ])('is not kept where it cannot be verified, for want of %s', async (_rule, missing) => {
    give({ id_token: idp.idToken() })
    const endpoints = { ...idp.endpoints, ...missing }
    expect((await exchange({ ...nobody, endpoints })).idToken).toBeUndefined()
    await expect(exchange({ endpoints })).rejects.toMatchObject({
      code: 'invalid_id_token',
      message:
        'the identity provider sent an ID token that cannot be verified: its issuer or the URL of its keys is not known',
    })
  })

  it('is of one tenant of many, where the issuer is a pattern', async () => {
    const endpoints = { ...idp.endpoints, issuer: `${idp.url}/{tid}/v2.0` }
    const tid = '9188040d-6c67-4c5b-b112-36a304b66dad'
    give({ id_token: idp.idToken({ iss: `${idp.url}/${tid}/v2.0`, tid }) })
    expect((await exchange({ endpoints })).idToken).toBeDefined()
    give({ id_token: idp.idToken({ iss: `${idp.url}/${tid}/v2.0`, tid: 'other' }) })
    await expect(exchange({ endpoints })).rejects.toMatchObject({ code: 'invalid_id_token' })
  })

  it('F5 cannot be judged while the keys cannot be fetched, and its code is used up', async () => {
    give({ id_token: idp.idToken() })
    idp.answers.set('/keys', bytesAnswer('', undefined, 500))
    await expect(exchange()).rejects.toMatchObject({
      name: 'UpstreamRefusal',
      code: 'temporarily_unavailable',
      message: 'the keys that ID tokens are signed with cannot be fetched',
    })
  })
})

describe('an ID token that comes with renewed tokens', () => {
  const refresh = (
    idToken: string | undefined,
    client: UpstreamClient = idp.client(),
  ): Promise<UpstreamTokens> =>
    client.refresh({ accessToken: 'a', refreshToken: 'r', idToken }, ORIGIN, createRecorder().context)

  it('takes the place of the one before', async () => {
    const before = idp.idToken()
    for (const claims of [{ nonce: undefined, name: 'New' }, { name: 'New' }]) {
      const next = idp.idToken(claims)
      give({ id_token: next })
      expect(await refresh(before)).toMatchObject({ idToken: next })
    }
  })

  it('may be the first', async () => {
    const next = idp.idToken({ nonce: undefined })
    give({ id_token: next })
    expect(await refresh(undefined)).toMatchObject({ idToken: next })
  })

  it('may be missing: the one before still tells who signed in', async () => {
    const before = idp.idToken()
    give({})
    expect(await refresh(before)).toMatchObject({ idToken: before })
  })

  it('P4 is refused of another user (OpenID Connect Core 12.2)', async () => {
    give({ id_token: idp.idToken({ sub: 'user-2' }) })
    await expect(refresh(idp.idToken())).rejects.toMatchObject({
      name: 'UpstreamRefusal',
      code: 'invalid_id_token',
    })
  })

  it.each<[rule: string, claims: Json]>([
    ['of another sign-in', { nonce: 'other' }],
    ['for another app', { aud: 'other' }],
    ['that has expired', { exp: 1 }],
  ])(
    'P4 is not taken %s, and ends nothing: the one before still tells who signed in',
    async (_rule, claims) => {
      const before = idp.idToken()
      give({ id_token: idp.idToken(claims) })
      expect(await refresh(before)).toMatchObject({ idToken: before })
      expect(await refresh(undefined)).toMatchObject({ idToken: undefined })
    },
  )

  it.each([
    ['is encrypted', 'eyJlbmMiOiJBMTI4R0NNIn0.a.b.c.d'],
    ['is no JWT', 'opaque'],
    ['has a broken header', 'eyJlbmMi.e30.c2ln'],
  ])('F4 is not taken where it %s, and ends nothing', async (_rule, idToken) => {
    const before = idp.idToken()
    give({ id_token: idToken, refresh_token: 'rotated' })
    expect(await refresh(before)).toMatchObject({ refreshToken: 'rotated', idToken: before })
  })

  it('F4 is not taken where it names nobody, and ends nothing', async () => {
    const before = idp.idToken()
    give({ id_token: idp.idToken({ sub: undefined }) })
    expect(await refresh(before)).toMatchObject({ idToken: before })
  })

  it('F4 costs nobody the new refresh token while its keys cannot be fetched', async () => {
    const before = idp.idToken()
    give({ id_token: idp.idToken(), refresh_token: 'rotated' })
    idp.answers.set('/keys', bytesAnswer('', undefined, 500))
    expect(await refresh(before)).toMatchObject({ refreshToken: 'rotated', idToken: before })
  })

  it('K2 may be signed by a key that was published since', async () => {
    const client = idp.client()
    const before = idp.idToken()
    give({ id_token: before })
    await refresh(before, client)
    const key = createKey('ES256', 'next-key')
    idp.answers.set('/keys', jsonAnswer({ keys: [key.jwk] }))
    idp.clock.advance(60)
    const next = idp.idToken({}, {}, key)
    give({ id_token: next })
    expect(await refresh(before, client)).toMatchObject({ idToken: next })
  })
})

describe('whose tokens are, by ID token', () => {
  it('is the one who signed in, for as long as tokens are renewed', async () => {
    const client = idp.client()
    const known = { subject: 'user-1', claims: { sub: 'user-1' } }
    idp.clock.advance(86_400)
    expect((await identify(client, { accessToken: 'a', idToken: idp.idToken() }, known)).user).toEqual(known)
    expect((await identify(client, { accessToken: 'a' }, known)).user).toBe(known)
  })

  it('P7 has the groups of the ID token that came last', async () => {
    const client = idp.client()
    give({ refresh_token: 'r', id_token: idp.idToken({ groups: ['admin'] }) })
    const tokens = await exchange()
    const { user: first } = await identify(client, tokens)
    expect(first).toMatchObject({ claims: { groups: ['admin'] } })
    give({ id_token: idp.idToken({ groups: [] }) })
    const renewed = await client.refresh(tokens, ORIGIN, createRecorder().context)
    const { user } = await identify(client, renewed, first ?? undefined)
    expect(user).toMatchObject({ subject: 'user-1', claims: { groups: [] } })
  })

  it('is nobody where nothing tells', async () => {
    for (const idToken of [undefined, 'opaque'])
      expect(await identify(idp.client(), { accessToken: 'a', idToken })).toEqual({
        user: null,
        reasons: [{ stage: 'upstream', expected: 'an ID token', got: 'none' }],
      })
  })

  it('is nobody without the claim that counts', async () => {
    const { user, reasons } = await identify(idp.client({ subjectClaim: 'oid' }), {
      accessToken: 'a',
      idToken: idp.idToken(),
    })
    expect({ user, reasons }).toEqual({
      user: null,
      reasons: [{ stage: 'upstream', expected: 'a "oid" that names the user', got: 'nothing' }],
    })
  })
})

describe('whose tokens are, by a verifier', () => {
  const TOKENS = { accessToken: 'upstream-access' }
  const FIELDS = { clientId: 'c', subject: 'u', scopes: ['read'], claims: { login: 'octocat' } }

  it('is the one it names', async () => {
    const asked: unknown[] = []
    const client = idp.client(by((token) => { asked.push(token); return FIELDS })) // prettier-ignore
    expect(await identify(client, TOKENS)).toEqual({
      user: { subject: 'u', name: 'octocat', claims: { login: 'octocat', sub: 'u' }, scopes: ['read'] },
      reasons: [],
    })
    expect(asked).toEqual(['upstream-access'])
  })

  it.each([[null], [undefined]])('is nobody where it says %j', async (answer) => {
    expect(await identify(idp.client(by(() => answer as Verification)), TOKENS)).toEqual({
      user: null,
      reasons: [],
    })
  })

  it('P5 is nobody where the token is of another app', async () => {
    const client = idp.client({
      identification: {
        by: 'access_token',
        verifier: ({ jwksUri, issuer }) =>
          new JWTVerifier({
            jwksUri: String(jwksUri),
            issuer: String(issuer),
            audience: API,
            deps: idp.deps,
          }),
      },
    })
    const token = (aud: string): string => {
      const now = Math.floor(idp.clock.now() / 1000)
      const claims = { iss: idp.url, aud, sub: 'user-1', client_id: CLIENT_ID, iat: now, exp: now + 60 }
      return signParts({ alg: idp.key.alg, kid: idp.key.kid, typ: 'at+jwt' }, claims, idp.key)
    }
    expect((await identify(client, { accessToken: token(API) })).user).toMatchObject({ subject: 'user-1' })
    expect(await identify(client, { accessToken: token('https://other.example.com') })).toEqual({
      user: null,
      reasons: [{ stage: 'audience', expected: API, got: '"https://other.example.com"' }],
    })
  })

  it('P5 is nobody where the service that knows says so', async () => {
    idp.answers.set('/me', (request, response) => {
      const ours = request.headers.authorization === 'Bearer ours'
      response.writeHead(ours ? 200 : 401, { 'content-type': 'application/json' }).end('{"sub":"u"}')
    })
    const verifier = new RemoteTokenVerifier({ verifyUrl: `${idp.url}/me`, deps: idp.deps })
    expect(
      (await identify(idp.client({ identification: { by: 'access_token', verifier } }), TOKENS)).user,
    ).toBeNull()
  })

  it('says how to mend it where a JWT was expected and the token is none', async () => {
    const verifier = new JWTVerifier({
      jwksUri: `${idp.url}/keys`,
      issuer: idp.url,
      audience: API,
      deps: idp.deps,
    })
    expect(await identify(idp.client({ identification: { by: 'access_token', verifier } }), TOKENS)).toEqual({
      user: null,
      reasons: [
        {
          stage: 'format',
          expected: 'a JWT: set "audience" to the API that tokens are for, or "verifyIdToken: true"',
          got: '1 parts instead of 3',
        },
      ],
    })
  })

  it('are nobody’s where a verifier says so by an error, as those of the SDKs do', async () => {
    class InvalidTokenError extends Error {
      readonly errorCode = 'invalid_token'
    }
    const throwing = by(() => {
      throw new InvalidTokenError('it is over')
    })
    expect(await identify(idp.client(throwing), TOKENS)).toEqual({
      user: null,
      reasons: [{ stage: 'verifier', expected: 'a good token', got: 'it is over' }],
    })
    const limited = by(() => {
      throw new OAuthError('insufficient_scope')
    })
    await expect(identify(idp.client(limited), TOKENS)).rejects.toThrow('The access token lacks a scope')
  })

  it('cannot be said where the verifier cannot say it', async () => {
    await expect(identify(idp.client(by(() => { throw new Error('down') })), TOKENS)).rejects.toThrow('down')
    const odd = by(() => ({ clientId: 7 }) as unknown as Verification)
    await expect(identify(idp.client(odd), TOKENS)).rejects.toThrow('"clientId" must be a string')
  }) // prettier-ignore

  it('K2 cannot be said where one of its verifiers does not know the key, unless another one does', async () => {
    const unknown: Reason = { stage: 'key', expected: 'a published key', got: '"next"' }
    const lost = by((_token, context) => context?.refuse(unknown))
    const { context, reasons } = createRecorder()
    await expect(idp.client(lost).identify(TOKENS, ORIGIN, undefined, context)).rejects.toThrow(
      'the key that the access token is signed with is not published: "next"',
    )
    expect(reasons).toEqual([])
    const found = by((_token, asked) => asked?.refuse(unknown) ?? FIELDS)
    expect((await identify(idp.client(found), TOKENS)).user).toMatchObject({ subject: 'u' })
  })

  it('is nobody where the token has expired, whatever the verifier makes of that', async () => {
    const now = Math.floor(idp.clock.now() / 1000)
    const client = idp.client(by(() => ({ ...FIELDS, expiresAt: now + 10 })))
    expect((await identify(client, TOKENS)).user).toMatchObject({ subject: 'u' })
    idp.clock.advance(10)
    expect(await identify(client, TOKENS)).toEqual({
      user: null,
      reasons: [{ stage: 'expiry', expected: 'an upstream token that lives', got: `${now + 10}` }],
    })
  })

  it('P9 is nobody without a subject', async () => {
    const client = idp.client(by(() => ({ clientId: 'c', claims: { email: 'a@example.com' } })))
    expect(await identify(client, TOKENS)).toEqual({
      user: null,
      reasons: [{ stage: 'upstream', expected: 'a "sub" that names the user', got: 'nothing' }],
    })
  })

  it('P4 is nobody where the ID token is of somebody else', async () => {
    const client = idp.client(by(() => FIELDS))
    const { user, reasons } = await identify(client, { ...TOKENS, idToken: idp.idToken({ sub: 'other' }) })
    expect({ user, reasons }).toEqual({
      user: null,
      reasons: [{ stage: 'upstream', expected: 'the user of the ID token, "other"', got: '"u"' }],
    })
    const same = await identify(client, {
      ...TOKENS,
      idToken: idp.idToken({ sub: 'u', email: 'u@example.com' }),
    })
    expect(same.user).toMatchObject({ claims: { login: 'octocat', email: 'u@example.com' } })
  })

  it('is remembered as long as the verifier remembers, and asks it first', async () => {
    let asked = 0
    const verifier = new JWTVerifier({
      jwksUri: `${idp.url}/keys`,
      issuer: idp.url,
      audience: API,
      deps: idp.deps,
    })
    const counting: Verifier = {
      recall: (token, context) => verifier.recall(token, context),
      verifyToken: (token, context) => {
        asked++
        return verifier.verifyToken(token, context)
      },
    }
    const client = idp.client({ identification: { by: 'access_token', verifier: counting } })
    const now = Math.floor(idp.clock.now() / 1000)
    const claims = { iss: idp.url, aud: API, sub: 'user-1', client_id: 'c', exp: now + 60 }
    const accessToken = signParts({ alg: idp.key.alg, kid: idp.key.kid }, claims, idp.key)
    const first = await identify(client, { accessToken })
    const second = await identify(client, { accessToken })
    const third = await identify(client, { accessToken })
    expect(first.user).toEqual(second.user)
    expect(third.user).toBe(second.user)
    expect(asked).toBe(1)
    const idToken = idp.idToken({ email: 'u@example.com' })
    expect((await identify(client, { accessToken, idToken })).user).toMatchObject({
      claims: { email: 'u@example.com' },
    })
  })
})

describe('a verifier that is made of discovered endpoints', () => {
  it('is made again only where they changed', async () => {
    const made: UpstreamEndpoints[] = []
    const document = {
      issuer: idp.url,
      authorization_endpoint: `${idp.url}/authorize`,
      token_endpoint: `${idp.url}/token`,
      jwks_uri: `${idp.url}/keys`,
    }
    const path = '/.well-known/openid-configuration'
    idp.answers.set(path, jsonAnswer(document))
    const client = idp.client({
      endpoints: { configUrl: idp.url + path, strict: false },
      identification: {
        by: 'access_token',
        verifier: (endpoints) => {
          made.push(endpoints)
          return { verifyToken: () => ({ clientId: 'c', subject: 'u' }) }
        },
      },
    })
    const tokens = { accessToken: 'a' }
    expect((await identify(client, tokens)).user).toMatchObject({ subject: 'u' })
    await identify(client, tokens)
    idp.clock.advance(3600)
    await identify(client, tokens)
    expect(made).toMatchObject([{ issuer: idp.url, jwksUri: `${idp.url}/keys` }])
    idp.answers.set(path, jsonAnswer({ ...document, jwks_uri: `${idp.url}/moved` }))
    idp.clock.advance(3600)
    await identify(client, tokens)
    expect(made).toMatchObject([{ jwksUri: `${idp.url}/keys` }, { jwksUri: `${idp.url}/moved` }])
  })
})

// Attacks on codes and on client authentication at the token endpoint: threat rows T1 to T12.
import { createHmac } from 'node:crypto'
import { beforeAll, describe, expect, it, test } from '@jest/globals'
import {
  type AuthorizationSite,
  REDIRECT_URI,
  type Registered,
  type Tokens,
  answerOf,
  pkce,
} from '../support/authorization-server.js'
import { type Json, type SigningKey, createKey, encode, signParts } from '../support/issuer.js'
import {
  INVALID_BASIC,
  INVALID_CLIENT,
  INVALID_GRANT,
  answered,
  basic,
  eventsOf,
  isActive,
  redemption,
  refused,
  renewal,
  seen,
  startClosing,
  startReplica,
} from './endpoint-answers.js'

const ODD = { clientId: 'odd client/ü', clientSecret: 'p@ss:w/o rd+%41&=é' }
const SERVICE = { client_id: 'service', client_secret: 'the secret of a service' }
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const CLIENT_CREDENTIALS = { grant_type: 'client_credentials' }

const signer = createKey('ES256', 'client-key')
let site: AuthorizationSite
let replica: AuthorizationSite
let app: Registered

const clients = [
  { ...ODD, grantTypes: ['client_credentials'] },
  {
    clientId: SERVICE.client_id,
    clientSecret: SERVICE.client_secret,
    grantTypes: ['client_credentials'],
  },
  { clientId: 'robot', jwks: { keys: [signer.jwk] }, grantTypes: ['client_credentials'] },
  { clientId: 'code only', redirectUris: [REDIRECT_URI], grantTypes: ['authorization_code'] },
]

beforeAll(async () => {
  site = await startClosing({ clients })
  replica = await startReplica(site, { clients })
  app = await site.register()
})

const count = (type: 'grant.revoked'): number => eventsOf(site, type).length + eventsOf(replica, type).length

/** Sends a request of a kind many times at once, to both processes in turn. */
const atOnce = async (
  times: number,
  form: (n: number) => Record<string, string>,
): Promise<ReturnType<typeof seen>[]> =>
  Promise.all(
    Array.from({ length: times }, async (_, n) =>
      seen(await (n % 2 === 0 ? site : replica).post('/token', form(n))),
    ),
  )

describe('T1 a code is raced for', () => {
  it('T1 fifty at once on two processes: one gets tokens, and since a replay was among them the grant is revoked', async () => {
    const authorized = await site.authorize(app)
    const before = count('grant.revoked')
    const answers = await atOnce(50, () => redemption(app, authorized))
    const winners = answers.filter(({ status }) => status === 200)
    expect(winners).toHaveLength(1)
    expect(answers.filter(({ status }) => status !== 200)).toEqual(Array(49).fill(INVALID_GRANT))
    const tokens = winners[0]?.body as Tokens
    expect(await isActive(site, tokens)).toBe(false)
    expect(await isActive(replica, tokens)).toBe(false)
    expect(seen(await site.post('/token', renewal(app, tokens)))).toEqual(INVALID_GRANT)
    expect(count('grant.revoked') - before).toBe(1)
    expect([...site.events, ...replica.events]).toContainEqual({
      type: 'grant.revoked',
      clientId: app.client_id,
      subject: 'id-ada',
      why: 'code_replayed',
    })
  })

  it('T1 never leaves more than one living family, whoever guesses meanwhile', async () => {
    const authorized = await site.authorize(app)
    const answers = await atOnce(20, (n) =>
      redemption(app, n % 3 === 0 ? { ...authorized, verifier: pkce().verifier } : authorized),
    )
    const winners = answers.filter(({ status }) => status === 200)
    expect(winners.length).toBeLessThan(2)
    expect(answers.filter(({ status }) => status !== 200)).toEqual(
      Array(20 - winners.length).fill(INVALID_GRANT),
    )
    for (const { body } of winners) expect(await isActive(site, body as Tokens)).toBe(false)
  })
})

describe('T2 a code is used again', () => {
  it('T2 by its own client: refused, and every token of it is worth nothing', async () => {
    const authorized = await site.authorize(app)
    const form = redemption(app, authorized)
    const tokens = (await site.post('/token', form)).body as Tokens
    expect(await isActive(site, tokens)).toBe(true)
    const renewed = (await site.post('/token', renewal(app, tokens))).body as Tokens
    expect(seen(await site.post('/token', form))).toEqual(INVALID_GRANT)
    expect(await isActive(site, tokens)).toBe(false)
    expect(await isActive(site, renewed)).toBe(false)
    expect(seen(await site.post('/token', renewal(app, renewed)))).toEqual(INVALID_GRANT)
    expect(site.events.at(-1)).toEqual({
      type: 'token.refused',
      clientId: app.client_id,
      error: 'invalid_grant',
      detail: 'the grant was revoked or has ended',
    })
  })

  it('T2 weeks later too; who found the code and has not its verifier signs nobody out', async () => {
    const own = await startClosing()
    const client = await own.register()
    const authorized = await own.authorize(client)
    let tokens = (await own.post('/token', redemption(client, authorized))).body as Tokens
    for (let week = 0; week < 6; week++) {
      own.clock.advance(7 * 86_400)
      tokens = (await own.post('/token', renewal(client, tokens))).body as Tokens
    }
    expect(await isActive(own, tokens)).toBe(true)
    const found = redemption(client, { ...authorized, verifier: pkce().verifier })
    expect(seen(await own.post('/token', found))).toEqual(INVALID_GRANT)
    expect(await isActive(own, tokens)).toBe(true)
    const again = redemption(client, authorized)
    expect(seen(await own.post('/token', again))).toEqual(INVALID_GRANT)
    expect(await isActive(own, tokens)).toBe(false)
  })

  it('T2 by another client: refused, and the tokens live', async () => {
    const other = await site.register({ client_name: 'Another client' })
    const authorized = await site.authorize(app)
    const tokens = (await site.post('/token', redemption(app, authorized))).body as Tokens
    expect(seen(await site.post('/token', redemption(other, authorized)))).toEqual(INVALID_GRANT)
    expect(await isActive(site, tokens)).toBe(true)
    expect((await site.post('/token', renewal(app, tokens))).status).toBe(200)
  })
})

describe('T3 a code in the wrong place', () => {
  const elsewhere: [string, (other: Registered) => Record<string, string>, ReturnType<typeof seen>][] = [
    ['another client', (other) => ({ client_id: other.client_id }), INVALID_GRANT],
    ['another redirect URI', () => ({ redirect_uri: 'https://evil.example/callback' }), INVALID_GRANT],
    ['the same redirect URI on another port', () => ({ redirect_uri: 'http://127.0.0.1:1/callback' }), INVALID_GRANT],
  ] // prettier-ignore

  test.each(elsewhere)('T3 %s is refused and does not burn it', async (_name, change, expected) => {
    const other = await site.register({ client_name: 'Another client' })
    const authorized = await site.authorize(app)
    const form = redemption(app, authorized)
    expect(seen(await site.post('/token', { ...form, ...change(other) }))).toEqual(expected)
    expect((await site.post('/token', { ...form, redirect_uri: REDIRECT_URI })).status).toBe(200)
  })

  test.each(['https://evil.example/mcp', 'http://127.0.0.1/mcp', 'not a URL', '__proto__'])(
    'T3 the resource %s is refused and does not burn it',
    async (resource) => {
      const form = redemption(app, await site.authorize(app))
      const target = refused('invalid_target', `Tokens are issued for ${site.issuer}/mcp only`)
      expect(seen(await site.post('/token', { ...form, resource }))).toEqual(target)
      expect(
      seen(await site.post('/token', [...Object.entries(form), ['resource', `${site.issuer}/mcp`], ['resource', resource]])),
    ).toEqual(target) // prettier-ignore
      expect((await site.post('/token', { ...form, resource: `${site.issuer}/mcp` })).status).toBe(200)
    },
  )
})

describe('T4 a verifier is guessed', () => {
  test.each([
    ['another one', pkce().verifier],
    ['too short', 'a'.repeat(42)],
    ['too long', 'a'.repeat(129)],
    ['letters that no verifier has', `${'a'.repeat(43)} `],
    ['the challenge itself', 'challenge'],
  ])('T4 %s: refused, and the right one afterwards too', async (name, guess) => {
    const { code, verifier } = await site.authorize(app)
    const wrong = name === 'the challenge itself' ? pkce().challenge : guess
    expect(seen(await site.post('/token', redemption(app, { code, verifier: wrong })))).toEqual(INVALID_GRANT)
    expect(seen(await site.post('/token', redemption(app, { code, verifier })))).toEqual(INVALID_GRANT)
    expect(eventsOf(site, 'grant.revoked').at(-1)).toMatchObject({ why: 'wrong_verifier' })
  })

  it('T4 a code that was never issued: refused in the same words', async () => {
    const { code, verifier } = await site.authorize(app)
    const [id = '', mac = ''] = code.split('.')
    const forged = [
      `${id}.${'A'.repeat(43)}`,
      `${'A'.repeat(24)}.${mac}`,
      // The last letter holds two bits that mean nothing: one spelling counts.
      `${id}.${mac.slice(0, -1)}${String.fromCharCode(mac.charCodeAt(42) + 1)}`,
      `${code}=`,
      `${code}\n`,
      id,
      'a:b',
      '../grants',
      '*',
      '__proto__',
      `${id}.1.${mac}`,
    ]
    for (const guess of forged)
      expect([guess, seen(await site.post('/token', redemption(app, { code: guess, verifier })))]).toEqual([guess, INVALID_GRANT]) // prettier-ignore
    expect((await site.post('/token', redemption(app, { code, verifier }))).status).toBe(200)
  })

  it('A10 without a verifier the code is worth nothing, and lives; without a code the request is malformed', async () => {
    const form = redemption(app, await site.authorize(app))
    const { code, ...withoutCode } = form
    const { code_verifier: _verifier, ...withoutVerifier } = form
    expect(seen(await site.post('/token', withoutCode))).toEqual(
      refused('invalid_request', '"code" is missing'),
    )
    expect(seen(await site.post('/token', withoutVerifier))).toEqual(INVALID_GRANT)
    expect((await site.post('/token', { ...withoutCode, code: String(code) })).status).toBe(200)
  })
})

describe('T5 a code comes late', () => {
  it('T5 after 59 seconds it is good, after 61 it is not', async () => {
    const own = await startClosing()
    const client = await own.register()
    const early = await own.authorize(client)
    own.clock.advance(59)
    expect((await own.post('/token', redemption(client, early))).status).toBe(200)
    const late = await own.authorize(client)
    own.clock.advance(61)
    expect(seen(await own.post('/token', redemption(client, late)))).toEqual(INVALID_GRANT)
  })
})

describe('T6 ways to authenticate are mixed', () => {
  let confidential: Registered & { client_secret: string }
  let posting: Registered & { client_secret: string }

  beforeAll(async () => {
    confidential = (await site.register({ token_endpoint_auth_method: undefined })) as typeof confidential
    posting = (await site.register({ token_endpoint_auth_method: 'client_secret_post' })) as typeof posting
  })

  it('T6 only the registered way is good, and no failure burns a code', async () => {
    const { client_id: id, client_secret: secret } = confidential
    const form = redemption(confidential, await site.authorize(confidential))
    const { client_id: _id, ...anonymous } = form
    const header = basic(id, secret)
    const failures: [string, Record<string, string>, Record<string, string>, ReturnType<typeof seen>][] = [
      ['Basic and body', { ...form, client_secret: secret }, header, INVALID_BASIC],
      ['Basic and an assertion', { ...form, client_assertion: 'a.b.c' }, header, INVALID_BASIC],
      ['Basic and the ID of another', { ...form, client_id: app.client_id }, header, INVALID_BASIC],
      ['the body', { ...form, client_secret: secret }, {}, INVALID_CLIENT],
      ['nothing', form, {}, INVALID_CLIENT],
      ['nobody', anonymous, {}, INVALID_CLIENT],
      ['Bearer', form, { authorization: `Bearer ${secret}` }, INVALID_BASIC],
      ['Basic without credentials', form, { authorization: 'Basic' }, INVALID_BASIC],
    ]
    for (const [name, body, headers, expected] of failures) {
      expect([name, seen(await site.post('/token', body, headers))]).toEqual([name, expected])
    }
    const good = await site.post('/token', anonymous, header)
    expect(seen(good)).toEqual(answered(good.body))
    expect(await isActive(site, good.body as Tokens)).toBe(true)
  })

  it('T6 a client of client_secret_post is not taken by Basic', async () => {
    const { client_id: id, client_secret: secret } = posting
    const form = redemption(posting, await site.authorize(posting))
    expect(seen(await site.post('/token', form, basic(id, secret)))).toEqual(INVALID_BASIC)
    expect((await site.post('/token', { ...form, client_secret: secret })).status).toBe(200)
  })

  it('T6 a public client is taken by its ID alone', async () => {
    const form = redemption(app, await site.authorize(app))
    expect(seen(await site.post('/token', form, basic(app.client_id, '')))).toEqual(INVALID_BASIC)
    expect(seen(await site.post('/token', { ...form, client_secret: 'any' }))).toEqual(INVALID_CLIENT)
    expect((await site.post('/token', { ...form, client_secret: '' })).status).toBe(200)
  })

  it('T6 two Authorization headers are refused before anybody reads one', async () => {
    const header = basic(SERVICE.client_id, SERVICE.client_secret).authorization
    const body = 'grant_type=client_credentials'
    const answer = await site.raw(
      [
        'POST /token HTTP/1.1',
        `Host: ${new URL(site.url).host}`,
        `Authorization: ${header}`,
        'Authorization: Basic eDp5',
        'Content-Type: application/x-www-form-urlencoded',
        `Content-Length: ${body.length}`,
        'Connection: close',
        '',
        body,
      ].join('\r\n'),
    )
    expect(answer).toMatch(/^HTTP\/1\.1 400 /)
    expect(answer).toContain('"error":"invalid_request"')
    expect(answer).toContain('\r\nCache-Control: no-store\r\n')
  })
})

describe('T7 Basic is decoded', () => {
  const send = async (authorization: string): Promise<ReturnType<typeof seen>> =>
    seen(await site.post('/token', CLIENT_CREDENTIALS, { authorization }))
  const of = (text: string | Buffer): string => `Basic ${Buffer.from(text).toString('base64')}`

  it('T7 form-encoded ID and secret come back letter by letter', async () => {
    const answer = await site.post('/token', CLIENT_CREDENTIALS, basic(ODD.clientId, ODD.clientSecret))
    expect(answer.status).toBe(200)
    expect((await send(of('odd%20client%2F%C3%BC:p%40ss%3Aw/o%20rd%2B%2541%26%3D%c3%a9'))).status).toBe(200)
    expect((await send(of('service:the+secret+of+a+service').replace('Basic', 'bAsIc'))).status).toBe(200)
  })

  it('T7 a secret that was not encoded is read as it is, as many clients send it', async () => {
    expect((await send(of(`odd client/ü:${ODD.clientSecret}`))).status).toBe(200)
    expect(await send(of(`odd client/ü:${decodeURIComponent(ODD.clientSecret)}`))).toEqual(INVALID_BASIC)
  })

  test.each([
    ['no colon', of('service')],
    ['invalid percent-encoding in the secret', of('service:%zz')],
    ['invalid percent-encoding in the ID', of('serv%ice:x')],
    ['no UTF-8', of(Buffer.from([0x73, 0x3a, 0xff, 0xfe]))],
    ['percent-encoded bytes that are no UTF-8', of('service:%ff')],
    ['not base64', 'Basic ser,vice'],
    ['the URL alphabet', 'Basic c2Vyd-_j'],
    ['something behind it', `${of('service:the secret of a service')} x`],
    ['nothing', of('')],
    ['no ID', of(':the secret of a service')],
    ['one letter less', of('service:the secret of a servic')],
    ['one letter more', of('service:the secret of a service ')],
  ])('T7 %s is refused', async (_name, header) => {
    expect(await send(header)).toEqual(INVALID_BASIC)
  })
})

describe('T8 the secret is left out', () => {
  it('T8 a client that has one is not taken without it', async () => {
    const methods = ['client_secret_basic', 'client_secret_post']
    for (const method of methods) {
      const client = await site.register({ token_endpoint_auth_method: method })
      const form = redemption(client, await site.authorize(client))
      expect(seen(await site.post('/token', form))).toEqual(INVALID_CLIENT)
      expect(seen(await site.post('/token', { ...form, client_secret: '' }))).toEqual(INVALID_CLIENT)
      expect(seen(await site.post('/token', form, basic(client.client_id, '')))).toEqual(INVALID_BASIC)
    }
    for (const id of ['service', 'robot'])
      expect(seen(await site.post('/token', { ...CLIENT_CREDENTIALS, client_id: id }))).toEqual(INVALID_CLIENT) // prettier-ignore
  })
})

describe('T9 assertions', () => {
  const now = (): number => Math.floor(site.clock.now() / 1000)
  let ids = 0
  const claims = (changes: Json = {}): Json => {
    const all = {
      iss: 'robot',
      sub: 'robot',
      aud: site.issuer,
      jti: `id ${ids++}`,
      exp: now() + 60,
      iat: now(),
      ...changes,
    }
    return Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined))
  }
  const sign = (changes: Json = {}, header: Json = {}, key: SigningKey = signer): string =>
    signParts({ alg: key.alg, kid: 'client-key', ...header }, claims(changes), key)
  const form = (assertion: string): Record<string, string> => ({
    ...CLIENT_CREDENTIALS,
    client_assertion_type: ASSERTION_TYPE,
    client_assertion: assertion,
  })
  const send = async (assertion: string, more: Record<string, string> = {}): Promise<ReturnType<typeof seen>> =>
    seen(await site.post('/token', { ...form(assertion), ...more })) // prettier-ignore

  test.each<[string, () => Json]>([
    ['the issuer', () => ({ aud: site.issuer })],
    ['the token endpoint', () => ({ aud: `${site.issuer}/token` })],
    ['a life of five minutes', () => ({ exp: now() + 300 })],
    ['a clock that is 20 s ahead', () => ({ iat: now() + 20, nbf: now() + 20, exp: now() + 320 })],
    ['a clock that is 20 s behind', () => ({ exp: now() - 20 })],
    ['no times but the expiry', () => ({ iat: undefined })],
  ])('T9 %s is good', async (_name, changes) => {
    expect((await send(sign(changes()))).status).toBe(200)
  })

  test.each<[string, () => Json]>([
    ['an audience in a list', () => ({ aud: [site.issuer] })],
    ['another server among the audiences', () => ({ aud: [site.issuer, 'https://other.example'] })],
    ['another audience', () => ({ aud: 'https://other.example' })],
    ['the resource as audience', () => ({ aud: `${site.issuer}/mcp` })],
    ['no audience', () => ({ aud: undefined })],
    ['no expiry', () => ({ exp: undefined })],
    ['an expiry in words', () => ({ exp: String(now() + 60) })],
    ['an expiry in the past', () => ({ exp: now() - 31 })],
    ['a life of an hour', () => ({ exp: now() + 3600 })],
    ['a beginning in the future', () => ({ nbf: now() + 60 })],
    ['a birth in the future', () => ({ iat: now() + 60 })],
    ['a birth in words', () => ({ iat: 'now' })],
    ['no ID', () => ({ jti: undefined })],
    ['an empty ID', () => ({ jti: '' })],
    ['an ID of a kilobyte', () => ({ jti: 'x'.repeat(1024) })],
    ['an ID that is no text', () => ({ jti: 7 })],
    ['another issuer', () => ({ iss: 'service' })],
    ['no issuer', () => ({ iss: undefined })],
    ['another subject', () => ({ sub: 'service' })],
    ['no subject', () => ({ sub: undefined })],
    ['a subject that does not exist', () => ({ iss: 'nobody', sub: 'nobody' })],
    ['a subject called __proto__', () => ({ iss: '__proto__', sub: '__proto__' })],
  ])('T9 %s is refused', async (_name, changes) => {
    expect(await send(sign(changes()))).toEqual(INVALID_CLIENT)
  })

  it('T9 a signature that the client did not make is refused', async () => {
    const stranger = createKey('ES256')
    const rsa = createKey('RS256')
    const [header = '', payload = '', signature = ''] = sign().split('.')
    const macInput = `${encode({ alg: 'HS256', kid: 'client-key' })}.${encode(claims())}`
    const mac = (secret: string | Buffer): string =>
      `${macInput}.${createHmac('sha256', secret).update(macInput).digest('base64url')}`
    const forged = {
      stranger: sign({}, {}, stranger),
      'the algorithm of another key': sign({}, {}, rsa),
      'another key ID': sign({}, { kid: 'other' }),
      none: `${encode({ alg: 'none', kid: 'client-key' })}.${payload}.`,
      'none with a signature': `${encode({ alg: 'none', kid: 'client-key' })}.${payload}.${signature}`,
      'a MAC with the public key': mac(signer.publicKey.export({ type: 'spki', format: 'pem' }).toString()),
      'a MAC with the JWK': mac(JSON.stringify(signer.jwk)),
      'a critical header': sign({}, { crit: ['x'], x: 1 }),
      'a key of its own': sign({}, { jwk: stranger.jwk }, stranger),
      'no signature': `${header}.${payload}`,
      'too long': sign({ x: 'x'.repeat(8192) }),
      'no JWT': 'assertion',
    }
    for (const [name, assertion] of Object.entries(forged))
      expect([name, await send(assertion)]).toEqual([name, INVALID_CLIENT])
  })

  it('T9 beside another credential, of another type or for another client it is refused', async () => {
    expect(await send(sign(), { client_secret: 'x' })).toEqual(INVALID_CLIENT)
    expect(await send(sign(), { client_id: 'service' })).toEqual(INVALID_CLIENT)
    expect(await send(sign(), { client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:saml2-bearer' })).toEqual(INVALID_CLIENT) // prettier-ignore
    expect(await send(sign(), { client_assertion_type: '' })).toEqual(INVALID_CLIENT)
    expect((await send(sign(), { client_id: 'robot' })).status).toBe(200)
  })

  it('T9 it is good once, at two processes together', async () => {
    const assertion = sign()
    const answers = await atOnce(20, () => form(assertion))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(answers.filter(({ status }) => status !== 200)).toEqual(Array(19).fill(INVALID_CLIENT))
    expect(await send(assertion)).toEqual(INVALID_CLIENT)
    expect((await send(sign())).status).toBe(200)
  })

  it('T9 one that was refused was not used up', async () => {
    const jti = 'the same ID'
    expect(await send(sign({ jti, aud: 'https://other.example' }))).toEqual(INVALID_CLIENT)
    expect((await send(sign({ jti }))).status).toBe(200)
    expect(await send(sign({ jti, exp: now() + 200 }))).toEqual(INVALID_CLIENT)
  })

  it('T9 its ID is remembered as long as it is good', async () => {
    const own = await startClosing({ clients })
    const seconds = Math.floor(own.clock.now() / 1000)
    const assertion = sign({ aud: own.issuer, iat: seconds, exp: seconds + 300 })
    expect((await own.post('/token', form(assertion))).status).toBe(200)
    own.clock.advance(329)
    expect(seen(await own.post('/token', form(assertion)))).toEqual(INVALID_CLIENT)
    expect(eventsOf(own, 'token.refused').at(-1)?.detail).toBe('client assertion: it was used before')
    own.clock.advance(2)
    expect(seen(await own.post('/token', form(assertion)))).toEqual(INVALID_CLIENT)
    expect(eventsOf(own, 'token.refused').at(-1)?.detail).toBe('client assertion: it expired')
  })
})

describe('T10 clients are looked for', () => {
  it('T10 an unknown client and a wrong secret get the same bytes', async () => {
    const send = async (
      id: string,
      secret: string,
      isBasic: boolean,
    ): Promise<[number, string, [string, string][]]> => {
      const form = { ...CLIENT_CREDENTIALS, ...(!isBasic && { client_id: id, client_secret: secret }) }
      const response = await fetch(`${site.url}/token`, {
        method: 'POST',
        body: new URLSearchParams(form),
        headers: isBasic ? basic(id, secret) : {},
      })
      const headers = [...response.headers].filter(([name]) => name !== 'date')
      return [response.status, await response.text(), headers]
    }
    for (const isBasic of [true, false]) {
      const wrong = await send('service', 'wrong', isBasic)
      expect(wrong[0]).toBe(401)
      for (const id of ['nobody', app.client_id, 'robot', '__proto__', 'x'.repeat(24), 'https://client.example/none'])
        expect(await send(id, 'wrong', isBasic)).toEqual(wrong) // prettier-ignore
    }
  })
})

describe('T11 a grant type that is not for this client', () => {
  const unauthorized = refused('unauthorized_client', 'The client may not use this grant type')

  it('T11 nobody gives it to himself by registering', async () => {
    const greedy = await site.register({
      grant_types: ['authorization_code', 'client_credentials', 'password'],
      token_endpoint_auth_method: 'client_secret_post',
    })
    expect(greedy['grant_types']).toEqual(['authorization_code'])
    const form = { client_id: greedy.client_id, client_secret: String(greedy.client_secret) }
    expect(seen(await site.post('/token', { ...form, ...CLIENT_CREDENTIALS }))).toEqual(unauthorized)
  })

  it('T11 a client of codes alone gets no refresh token, and may use none', async () => {
    const client = { client_id: 'code only' }
    const tokens = await site.signIn(client)
    expect(tokens.refresh_token).toBeUndefined()
    const others = await site.signIn(app)
    expect(seen(await site.post('/token', renewal(client, others)))).toEqual(unauthorized)
    expect((await site.post('/token', renewal(app, others))).status).toBe(200)
  })

  it('T11 a service may not use codes', async () => {
    const authorized = await site.authorize(app)
    expect(seen(await site.post('/token', { ...redemption(app, authorized), ...SERVICE }))).toEqual(
      unauthorized,
    )
    expect((await site.post('/token', redemption(app, authorized))).status).toBe(200)
  })

  it('T11 there is no other grant type', async () => {
    const unsupported = refused('unsupported_grant_type', 'This grant type is not supported')
    const types = ['password', 'implicit', '__proto__', 'constructor', 'urn:ietf:params:oauth:grant-type:jwt-bearer', 'Client_Credentials', ' '] // prettier-ignore
    for (const grantType of types)
      expect([grantType, seen(await site.post('/token', { ...SERVICE, grant_type: grantType }))]).toEqual([grantType, unsupported]) // prettier-ignore
    expect(seen(await site.post('/token', SERVICE))).toEqual(
      refused('invalid_request', '"grant_type" is missing'),
    )
  })
})

describe('T12 what is no form', () => {
  const body = new URLSearchParams({ ...SERVICE, ...CLIENT_CREDENTIALS }).toString()
  const form = 'application/x-www-form-urlencoded'
  const malformed = refused('invalid_request', `Send the body with "Content-Type: ${form}"`)

  test.each([
    'application/json',
    'text/plain',
    'multipart/form-data; boundary=x',
    `application/json, ${form}`,
    `${form}, application/json`,
    `${form}, ${form}`,
    `${form}; charset=utf-16`,
    `${form}x`,
    'form',
    '',
  ])('T12 the media type "%s" is refused', async (type) => {
    for (const path of ['/token', '/revoke', '/introspect']) {
      const response = await fetch(site.url + path, {
        method: 'POST',
        body: Buffer.from(body),
        headers: { 'content-type': type },
      })
      expect([path, seen(await answerOf(response))]).toEqual([path, malformed])
    }
  })

  it('T12 the media type may be in capitals and say UTF-8', async () => {
    for (const type of [form.toUpperCase(), `${form};charset=UTF-8`]) {
      const response = await fetch(`${site.url}/token`, {
        method: 'POST',
        body: Buffer.from(body),
        headers: { 'content-type': type },
      })
      expect(response.status).toBe(200)
    }
  })

  it('T12 a query is no body', async () => {
    const response = await fetch(`${site.url}/token?${body}`, { method: 'POST' })
    expect(seen(await answerOf(response))).toEqual(INVALID_CLIENT)
  })

  test.each(['GET', 'PUT', 'DELETE', 'PATCH', 'HEAD'])('T12 %s is not answered', async (method) => {
    for (const path of ['/token', '/revoke', '/introspect']) {
      const response = await fetch(`${site.url}${path}?${body}`, { method })
      expect([path, response.status, response.headers.get('allow')]).toEqual([path, 405, 'POST, OPTIONS'])
      expect(response.headers.get('cache-control')).toBe('no-store')
    }
  })

  it('T12 repeated parameters are refused', async () => {
    const twice: [string, string][] = [...Object.entries({ ...SERVICE, ...CLIENT_CREDENTIALS }), ['client_id', 'service']] // prettier-ignore
    expect(seen(await site.post('/token', twice))).toEqual(
      refused('invalid_request', "Parameters must not be repeated: 'client_id'"),
    )
  })
})

// What earlier versions gave out and wrote down stays good: a deployment of the next version, or back to the one before, logs nobody
// out (F18). Where a test here fails, the new version needs a way to read the old form too; these texts are never changed.
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import { beforeEach, describe, expect, it } from '@jest/globals'
import { listConnections } from '../../lib/authorization-server/connections.js'
import { codeOf, readCode, readRefreshToken, refreshTokenOf } from '../../lib/authorization-server/handles.js'
import type { Client } from '../../lib/authorization-server/records.js'
import { registerClient } from '../../lib/authorization-server/register.js'
import { digest } from '../../lib/runtime/digest.js'
import { answerOf, createProxyServer } from '../support/proxy-server.js'
import { ADA, type TestServer, createServer, refusal, collectionOf } from '../support/server.js'
import { GRACE } from '../support/upstream-double.js'

const SECRET = 'a secret of thirty-two bytes or more, for golden files'
const GRANT = 'AAAABBBBCCCCDDDDEEEEFFFF'
const CODE = `${GRANT}.hvZuDHddrLdaNzFqMwG6CB_KTAHoNxQMpvuLSXv6Tdg`
const REFRESH_1 = `${GRANT}.1.FpQaBwy2WwlAFHrHjJmexwdEb2oKdDAyv_-QaDTEAfk`
const REFRESH_7 = `${GRANT}.7.ljZi04wpC9bzN6_1I5YYzo6VPsZLOGXPtEwTxE1g4JM`
const CLIENT = 'Za1olqVh4UtlOdDhdCpvwH_k'
const METADATA = {
  redirect_uris: ['http://127.0.0.1:33418/callback'],
  client_name: 'Golden',
  token_endpoint_auth_method: 'none',
}

/** RFC 7636 appendix B. */
const VERIFIER = 'dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk'

const CLIENT_RECORD = `{"client":{"clientId":"${CLIENT}","origin":"registered","name":"Golden","redirectUris":["http://127.0.0.1:33418/callback"],"grantTypes":["authorization_code","refresh_token"],"authMethods":["none"]},"metadata":{"redirect_uris":["http://127.0.0.1:33418/callback"],"client_name":"Golden","grant_types":["authorization_code","refresh_token"],"response_types":["code"],"token_endpoint_auth_method":"none"},"issuedAt":1700000000}`
const WAITING_GRANT = `{"clientId":"${CLIENT}","subject":"ada","claims":{"email":"ada@example.com"},"scopes":["read","write"],"startedAt":1700000000000,"code":{"redirectUri":"http://127.0.0.1:33418/callback","challenge":"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"},"waits":true,"refreshable":true,"generation":0,"rotatedAt":1700000000000}`
const USED_GRANT = `{"clientId":"${CLIENT}","subject":"ada","claims":{"email":"ada@example.com"},"scopes":["read","write"],"startedAt":1690000000000,"code":{"redirectUri":"http://127.0.0.1:33418/callback","challenge":"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"},"waits":false,"refreshable":true,"generation":7,"rotatedAt":1699990000000,"revokedGeneration":3}`
const CONNECTIONS = `{"connections":[{"grantId":"${GRANT}","clientId":"${CLIENT}","since":1690000000000}]}`
const UPSTREAM_TOKENS = {
  accessToken: 'upstream-access-0',
  refreshToken: 'upstream-refresh-0',
  expiresAt: 1_700_003_600_000,
  idToken: 'upstream-id-0',
  scopes: ['read', 'write'],
}
const UPSTREAM_GRANT = `{"clientId":"app","subject":"idp|grace","scopes":["read","write"],"startedAt":1690000000000,"code":{"redirectUri":"http://127.0.0.1:33418/callback","challenge":"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"},"waits":false,"refreshable":true,"generation":7,"rotatedAt":1699990000000,"upstream":{"sealed":"Gafqtqyh.XiPh4PFqCgyjgFzyf6Q791KBae3KWH3946bbUvh7wtuRRiavs_KsZwptCxh49lbP-9ffGsXtyHp43k-QVjHzcy7U6wkhLbDYJUhrgBfjRMUH_1Ih-4uod0wb3DXVsPtGOqKsda32ORm2JiEYD0r3RRT1gnk4cbubAm0jjMxuEl8oFkIlpvMjcCMYlQzs3zhXbR8r8nn8vquobgv87_fZDyjXv3cqSDGnWXnQFAX0DiwFfGeVNpDP_b_FXFn02anXy64j9bejXkOMvXrdFfkHybfVkM10B0vnqiq2Ds8BQpZNhDeqHelybRuLdNjpWIAhtcoTx0fAdbtnyH3ufbN4Wjg1n_70SEICrqH0oFTa3sXq","expiresAt":1700003600000,"renewable":true,"round":3,"obtainedAt":1700000000000,"resource":"https://api.example.com/mcp","keptRound":3}}`
const STATE = 'a-golden-state-of-24-let'
const TRANSACTION = 'a-golden-transaction-24x'
const TRIP = `{"purpose":{"kind":"grant","transaction":"${TRANSACTION}"},"asked":true,"sealed":"Gafqtqyh.sLjEJZnKOKnsZBNLWPVZgbEHfR9mFnWPVimgOfAp8iQaFVR81M0XMbw21gKWR6KvI0uUoMML12I_36wrHVdtRrLkYBHFTisc2ujtGsr-ZHDwhb07cMrT0ZMz9loJJndza40sPwzwg4n8NugQaoGM1BNivO8Z9AtU_w","scopes":["read","write"],"resource":"https://api.example.com/mcp","prompt":"login"}`
const TRANSACTION_RECORD = `{"request":{"clientId":"app","redirectUri":"http://127.0.0.1:33418/callback","scopes":["read","write"],"challenge":"E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM","prompt":"login","namesResource":true},"browser":"6c8b4f5c","startedAt":1700000000000,"arrival":"user"}`
const SESSION = '{"user":{"subject":"ada","name":"Ada"},"signedInAt":1700000000000}'

let store: MemoryStore
let test: TestServer
let client: Client

const write = (collection: string, key: string, value: string): Promise<void> =>
  store.put(collection, key, { value, version: 'v', expiresAt: 1_700_000_050_000 })

beforeEach(async () => {
  store = new MemoryStore({ deps: { now: () => 1_700_000_000_000 } })
  test = createServer({ secret: SECRET, store })
  await write(collectionOf('clients'), CLIENT, CLIENT_RECORD)
  await write(collectionOf('connections'), digest('ada'), CONNECTIONS)
  const found = await test.server.clients.find(CLIENT, test.report)
  if (found === undefined) throw new Error('the client cannot be read')
  client = found
})

describe('F18 what was given out', () => {
  it('F18 the key that verifies access tokens', () => {
    expect(test.server.keys.published).toEqual([
      {
        kty: 'EC',
        crv: 'P-256',
        x: 'iL5BTXwtIPefbHr1iw6SeaicbZBSJE2lKi10TXAre00',
        y: 'qDlmANHp_rfBZh9e4b_p7QaNXrbuURJ3wYXHu5W6UQE',
        kid: 'bHexIcs9wuhbiq42Vfw4V6V1XshJkQrQDPjLbetR8xY',
        alg: 'ES256',
        use: 'sig',
      },
    ])
  })

  it('F18 the key that encrypts the default store', () => {
    expect(test.server.keys.storageKeys().map((key) => Buffer.from(key).toString('hex'))).toEqual([
      'f7476f5d0a132bd6cf9ca3e227924205af04ca4e12d53c83d053ee757646368e',
    ])
  })

  it('F18 codes and refresh tokens', () => {
    const { keys } = test.server
    expect([codeOf(keys, GRANT), refreshTokenOf(keys, GRANT, 1), refreshTokenOf(keys, GRANT, 7)]).toEqual([CODE, REFRESH_1, REFRESH_7]) // prettier-ignore
    expect(readCode(keys, CODE)).toBe(GRANT)
    expect(readRefreshToken(keys, REFRESH_7)).toEqual({ grantId: GRANT, generation: 7 })
  })

  it('F18 the ID of a client that registers again', async () => {
    expect((await registerClient(METADATA, test.server, test.report))['client_id']).toBe(CLIENT)
    expect(test.events).toEqual([])
    const empty = createServer({ secret: SECRET })
    expect((await registerClient(METADATA, empty.server, empty.report))['client_id']).toBe(CLIENT)
  })
})

describe('F18 what was written down', () => {
  it('F18 a grant whose code waits', async () => {
    await write(collectionOf('grants'), GRANT, WAITING_GRANT)
    const answer = await test.exchange(CODE, VERIFIER, client)
    expect(answer).toMatchObject({ scope: 'read write', refresh_token: REFRESH_1 })
    expect(await test.server.tokens.verify(answer.access_token)).toMatchObject({
      clientId: CLIENT,
      subject: 'ada',
      claims: { email: 'ada@example.com' },
    })
  })

  it('F18 a grant that was refreshed, and partly revoked', async () => {
    await write(collectionOf('grants'), GRANT, USED_GRANT)
    expect(await listConnections('ada', test.server)).toEqual([
      { grantId: GRANT, clientId: CLIENT, since: 1_690_000_000_000, scopes: ['read', 'write'] },
    ])
    expect((await test.refresh(REFRESH_7, {}, client)).refresh_token).toMatch(/\.8\./)
    expect(await refusal(test.refresh(REFRESH_1, {}, client))).toEqual(['invalid_grant', 'the token was used before; its grant is revoked']) // prettier-ignore
  })

  it('F18 a session', async () => {
    await write(collectionOf('sessions'), digest('handle'), SESSION)
    expect((await test.server.sessions.get(digest('handle')))?.data).toEqual({
      user: { subject: 'ada', name: 'Ada' },
      signedInAt: 1_700_000_000_000,
    })
  })

  it('F18 the same is written today', async () => {
    const today = createServer({ secret: SECRET })
    await registerClient(METADATA, today.server, today.report)
    expect((await today.store.get(collectionOf('clients'), CLIENT))?.value).toBe(CLIENT_RECORD)
    const registered = await today.server.clients.find(CLIENT, today.report)
    const { grantId } = await today.begin({ client: registered!, user: ADA })
    const grant = JSON.parse((await today.store.get(collectionOf('grants'), grantId))!.value) as Record<
      string,
      unknown
    >
    const golden = JSON.parse(WAITING_GRANT) as typeof grant
    expect({ ...grant, code: { ...(grant['code'] as object), challenge: undefined } }).toEqual({
      ...golden,
      code: { ...(golden['code'] as object), challenge: undefined },
    })
    const index = (await today.store.get(collectionOf('connections'), digest('ada')))?.value
    expect(index).toBe(CONNECTIONS.replace(GRANT, grantId).replace('1690000000000', '1700000000000'))
  })
})

describe('F18 what was written down in front of an identity provider', () => {
  /** Names of collections end with that of the identity provider. */
  const proxyCollection = (name: string): string => collectionOf(`${name}.c8cd1cce63c0`)

  it('F18 a grant, and the tokens that are sealed in it', async () => {
    const proxy = createProxyServer({ secret: SECRET, store })
    await write(proxyCollection('grants'), GRANT, UPSTREAM_GRANT)
    proxy.upstream.next('refresh', () => UPSTREAM_TOKENS)
    proxy.upstream.next('identify', () => GRACE)
    expect(await proxy.refresh(REFRESH_7)).toMatchObject({ scope: 'read write', refresh_token: expect.stringMatching(/\.8\./) }) // prettier-ignore
    expect(proxy.upstream.last('refresh')).toEqual({
      operation: 'refresh',
      tokens: UPSTREAM_TOKENS,
      origin: { scopes: ['read', 'write'], resource: 'https://api.example.com/mcp' },
    })
    expect(proxy.upstream.last('identify').known).toEqual({
      subject: 'idp|grace',
      name: 'Grace',
      claims: { email: 'grace@example.com' },
    })
    expect((await proxy.grantOf(GRANT)).data.upstream).toMatchObject({ round: 4, keptRound: 4 })
  })

  it('F18 a browser that is on its way', async () => {
    const proxy = createProxyServer({ secret: SECRET, store })
    await write(proxyCollection('transactions'), digest(TRANSACTION), TRANSACTION_RECORD)
    await write(proxyCollection('trips'), digest(STATE), TRIP)
    proxy.upstream.next('exchange', () => UPSTREAM_TOKENS)
    proxy.upstream.next('identify', () => GRACE)
    const { code } = answerOf(await proxy.arrive(STATE))
    expect(proxy.upstream.last('exchange').trip).toEqual({
      state: STATE,
      verifier: VERIFIER,
      nonce: 'a-golden-nonce-of-24-let',
      scopes: ['read', 'write'],
      resource: 'https://api.example.com/mcp',
      prompt: 'login',
    })
    expect(await proxy.exchange(String(code), VERIFIER)).toMatchObject({ scope: 'read write' })
  })

  it('F18 the same is written today', async () => {
    const today = createProxyServer({ secret: SECRET })
    const { state, transaction } = await today.depart({ namesResource: true, prompt: 'login' })
    const textOf = async (name: string, key: string): Promise<string> =>
      String((await today.store.get(proxyCollection(name), key))?.value)
    const withoutSealed = (text: string): string => text.replace(/(?<="sealed":"[\w-]{8}\.)[\w-]+/, '')
    expect(withoutSealed(await textOf('trips', digest(state)))).toBe(
      withoutSealed(TRIP).replace(TRANSACTION, transaction),
    )
    const { code } = answerOf(await today.arrive(state))
    const grant = withoutSealed(await textOf('grants', String(code).slice(0, 24)))
    const golden = withoutSealed(UPSTREAM_GRANT)
      .replace('"startedAt":1690000000000', '"startedAt":1700000000000')
      .replace('"waits":false', '"waits":true')
      .replace('"generation":7,"rotatedAt":1699990000000', '"generation":0,"rotatedAt":1700000000000')
      .replace('"round":3', '"round":0')
      .replace(',"keptRound":3', '')
    expect(grant.replace(/(?<="challenge":")[\w-]+/, '')).toBe(golden.replace(/(?<="challenge":")[\w-]+/, ''))
  })
})

// Attacks on what ends tokens and on what tells of them: threat rows V1 to V3, and what an outage of the store says (G7).
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import { beforeAll, describe, expect, it, test } from '@jest/globals'
import type { AuthorizationSite, Registered, Tokens } from '../support/authorization-server.js'
import { HookedStore, unreachable } from '../support/hooked-store.js'
import {
  INVALID_BASIC,
  INVALID_CLIENT,
  INVALID_GRANT,
  UNAVAILABLE,
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

/** What RFC 7009 2.2 wants, whatever there was to revoke. */
const DONE = answered('')
const INACTIVE = answered({ active: false })
const RS_SECRET = 'the secret of the resource server'

/** Knows no configured client; shares everything else. */
let home: AuthorizationSite
let site: AuthorizationSite
let app: Registered
let other: Registered
let service: { readonly authorization: string }
let resourceServer: { readonly authorization: string }

beforeAll(async () => {
  home = await startClosing()
  const resource = `${home.issuer}/mcp`
  site = await startReplica(home, {
    clients: [
      { clientId: 'service', clientSecret: 'the secret of a service', grantTypes: ['client_credentials'] },
      { clientId: resource, clientSecret: RS_SECRET },
      { clientId: 'https://other.example/mcp', clientSecret: RS_SECRET },
    ],
  })
  app = await site.register({ token_endpoint_auth_method: 'client_secret_post', grant_types: [] })
  other = await site.register({ token_endpoint_auth_method: 'client_secret_post', grant_types: [] })
  service = basic('service', 'the secret of a service')
  resourceServer = basic(resource, RS_SECRET)
})

const proofOf = (client: Registered): Record<string, string> => ({
  client_id: client.client_id,
  ...(client.client_secret !== undefined && { client_secret: client.client_secret }),
})

const revoke = async (
  token: string,
  client: Registered = app,
  more: Record<string, string> = {},
): Promise<ReturnType<typeof seen>> =>
  seen(await site.post('/revoke', { ...proofOf(client), token, ...more }))

const introspect = async (token: string, client: Registered = app): Promise<ReturnType<typeof seen>> =>
  seen(await site.post('/introspect', { ...proofOf(client), token }))

describe('V1 somebody revokes', () => {
  it('V1 the tokens of somebody else: 200, and they are still active', async () => {
    const tokens = await home.signIn(app)
    const publicClient = await site.register()
    for (const stranger of [other, publicClient]) {
      expect(await revoke(tokens.access_token, stranger)).toEqual(DONE)
      expect(await revoke(tokens.refresh_token, stranger)).toEqual(DONE)
    }
    expect(seen(await site.post('/revoke', { token: tokens.refresh_token }, service))).toEqual(DONE)
    expect(seen(await site.post('/revoke', { token: tokens.access_token }, resourceServer))).toEqual(DONE)
    expect(await isActive(site, tokens)).toBe(true)
    expect((await site.post('/token', renewal(app, tokens, proofOf(app)))).status).toBe(200)
  })

  it('V1 without proving who he is: refused, and they are still active', async () => {
    const tokens = await home.signIn(app)
    const token = tokens.refresh_token
    expect(seen(await site.post('/revoke', { token }))).toEqual(INVALID_CLIENT)
    expect(seen(await site.post('/revoke', { token, client_id: app.client_id }))).toEqual(INVALID_CLIENT)
    expect(seen(await site.post('/revoke', { token }, basic('service', 'guess')))).toEqual(INVALID_BASIC)
    expect(await isActive(site, tokens)).toBe(true)
  })

  it('V1 a refresh token ends the whole grant, in every process from the next request on', async () => {
    const tokens = await home.signIn(app)
    const { body } = await site.post('/token', renewal(app, tokens, proofOf(app)))
    expect(await isActive(home, body as Tokens)).toBe(true)
    const before = eventsOf(site, 'grant.revoked').length
    // The token that was replaced means the same grant.
    expect(await revoke(tokens.refresh_token)).toEqual(DONE)
    expect(await isActive(home, body as Tokens)).toBe(false)
    expect(await isActive(site, tokens)).toBe(false)
    expect(seen(await site.post('/token', renewal(app, body as Tokens, proofOf(app))))).toEqual(INVALID_GRANT)
    expect(await revoke(tokens.refresh_token)).toEqual(DONE)
    expect(eventsOf(site, 'grant.revoked').slice(before)).toEqual([
      { type: 'grant.revoked', clientId: app.client_id, subject: 'id-ada', why: 'client' },
    ])
  })

  it('V1 an access token ends with those before it; the refresh token lives and brings a new one', async () => {
    const first = await home.signIn(app)
    const second = (await site.post('/token', renewal(app, first, proofOf(app)))).body as Tokens
    expect(await revoke(second.access_token)).toEqual(DONE)
    expect([await isActive(site, first), await isActive(site, second)]).toEqual([false, false])
    const third = (await site.post('/token', renewal(app, second, proofOf(app)))).body as Tokens
    expect(await isActive(site, third)).toBe(true)
    expect(await revoke(first.access_token)).toEqual(DONE)
    expect(await isActive(site, third)).toBe(true)
  })

  it('V1 the wrong hint does not hide a token', async () => {
    const tokens = await home.signIn(app)
    expect(await revoke(tokens.refresh_token, app, { token_type_hint: 'access_token' })).toEqual(DONE)
    expect(await isActive(site, tokens)).toBe(false)
    const more = await home.signIn(app)
    expect(await revoke(more.access_token, app, { token_type_hint: 'nonsense' })).toEqual(DONE)
    expect(await isActive(site, more)).toBe(false)
  })

  it('V1 a token without a refresh token ends with its grant', async () => {
    const form = { grant_type: 'client_credentials' }
    const tokens = (await site.post('/token', form, service)).body as Tokens
    expect(await isActive(site, tokens)).toBe(true)
    expect(seen(await site.post('/revoke', { token: tokens.access_token }, service))).toEqual(DONE)
    expect(await isActive(site, tokens)).toBe(false)
  })

  it('V1 what is no token is answered alike', async () => {
    for (const token of ['unknown', 'a.b.c', '*', '../x', '__proto__', 'x'.repeat(9000)])
      expect([token, await revoke(token)]).toEqual([token, DONE])
  })

  it('V1 without a token there is nothing to say', async () => {
    expect(seen(await site.post('/revoke', proofOf(app)))).toEqual(
      refused('invalid_request', '"token" is missing'),
    )
  })
})

describe('V3 somebody introspects', () => {
  it('V3 its own access token: everything that it says', async () => {
    const tokens = await home.signIn(app)
    const now = Math.floor(site.clock.now() / 1000)
    expect(await introspect(tokens.access_token)).toEqual(
      answered({
        active: true,
        token_type: 'Bearer',
        iss: site.issuer,
        aud: `${site.issuer}/mcp`,
        sub: 'id-ada',
        client_id: app.client_id,
        scope: 'notes:read notes:write',
        iat: now,
        exp: now + 3600,
        jti: expect.stringMatching(/^[\w-]{24}\.1\.[\w-]{24}$/),
      }),
    )
  })

  it('V3 its own refresh token, the newest one alone', async () => {
    const tokens = await home.signIn(app)
    const expected = answered({
      active: true,
      client_id: app.client_id,
      sub: 'id-ada',
      scope: 'notes:read notes:write',
      iss: site.issuer,
      exp: Math.floor((site.clock.now() + 30 * 86_400_000) / 1000),
    })
    expect(await introspect(tokens.refresh_token)).toEqual(expected)
    const { body } = await site.post('/token', renewal(app, tokens, proofOf(app)))
    expect(await introspect(tokens.refresh_token)).toEqual(INACTIVE)
    expect(await introspect((body as Tokens).refresh_token)).toEqual(expected)
  })

  it('V3 tokens of others are not active, and nothing else is said', async () => {
    const tokens = await home.signIn(app)
    for (const token of [tokens.access_token, tokens.refresh_token]) {
      expect(await introspect(token, other)).toEqual(INACTIVE)
      expect(seen(await site.post('/introspect', { token }, service))).toEqual(INACTIVE)
      const foreign = basic('https://other.example/mcp', RS_SECRET)
      expect(seen(await site.post('/introspect', { token }, foreign))).toEqual(INACTIVE)
    }
    expect(await isActive(site, tokens)).toBe(true)
  })

  it('V3 the resource server, who is called as the resource, sees access tokens of all, and no refresh token', async () => {
    const tokens = await home.signIn(app)
    const ask = async (token: string): Promise<ReturnType<typeof seen>> =>
      seen(await site.post('/introspect', { token }, resourceServer))
    expect(await ask(tokens.access_token)).toMatchObject({
      status: 200,
      cache: 'no-store',
      body: { active: true, client_id: app.client_id, sub: 'id-ada' },
    })
    expect(await ask(tokens.refresh_token)).toEqual(INACTIVE)
    await revoke(tokens.refresh_token)
    expect(await ask(tokens.access_token)).toEqual(INACTIVE)
  })

  it('V3 nobody registers himself as the resource server', async () => {
    const tokens = await home.signIn(app)
    const greedy = await site.register({
      token_endpoint_auth_method: 'client_secret_post',
      client_id: `${site.issuer}/mcp`,
      client_name: `${site.issuer}/mcp`,
      software_id: `${site.issuer}/mcp`,
    })
    expect(greedy.client_id).toMatch(/^[\w-]{24}$/)
    expect(await introspect(tokens.access_token, greedy)).toEqual(INACTIVE)
  })

  it('V3 without authentication nobody is answered, a public client neither', async () => {
    const client = await site.register()
    const { access_token: token } = await home.signIn(client)
    expect(seen(await site.post('/introspect', { token }))).toEqual(INVALID_CLIENT)
    expect(seen(await site.post('/introspect', { token, client_id: client.client_id }))).toEqual(INVALID_CLIENT) // prettier-ignore
    expect(seen(await site.post('/introspect', { token }, basic('service', 'guess')))).toEqual(INVALID_BASIC)
    expect(seen(await site.post('/introspect', proofOf(app)))).toEqual(
      refused('invalid_request', '"token" is missing'),
    )
  })

  it('V3 what is expired, malformed, or no token is not active', async () => {
    const own = await startClosing()
    const client = await own.register({ token_endpoint_auth_method: 'client_secret_post' })
    const tokens = await own.signIn(client)
    const ask = async (token: string): Promise<ReturnType<typeof seen>> =>
      seen(await own.post('/introspect', { ...proofOf(client), token }))
    expect(await ask(tokens.access_token)).toMatchObject({ body: { active: true } })
    own.clock.advance(3700)
    for (const token of [tokens.access_token, 'nonsense', 'a.b.c', '*', '__proto__', tokens.access_token.slice(0, -2)])
      expect([token, await ask(token)]).toEqual([token, INACTIVE]) // prettier-ignore
  })
})

describe('an outage of the store', () => {
  let store: HookedStore
  let failing: AuthorizationSite
  let client: Registered
  let tokens: Tokens
  let authorized: { readonly code: string; readonly verifier: string }

  const breakStore = (only?: string): void => {
    store.before = ({ method }) => (only === undefined || only === method ? unreachable() : undefined)
  }

  beforeAll(async () => {
    store = new HookedStore(new MemoryStore())
    failing = await startClosing({ store })
    client = await failing.register({
      token_endpoint_auth_method: 'client_secret_post',
      grant_types: ['authorization_code', 'refresh_token'],
    })
    tokens = await failing.signIn(client)
    authorized = await failing.authorize(client)
  })

  const requests: readonly (readonly [string, string, () => Record<string, string>])[] = [
    ['a code', '/token', () => ({ ...redemption(client, authorized), ...proofOf(client) })],
    ['a refresh token', '/token', () => ({ ...renewal(client, tokens), ...proofOf(client) })],
    ['the revocation of a refresh token', '/revoke', () => ({ ...proofOf(client), token: tokens.refresh_token })],
    ['the revocation of an access token', '/revoke', () => ({ ...proofOf(client), token: tokens.access_token })],
    ['the introspection of an access token', '/introspect', () => ({ ...proofOf(client), token: tokens.access_token })],
    ['the introspection of a refresh token', '/introspect', () => ({ ...proofOf(client), token: tokens.refresh_token })],
  ] // prettier-ignore

  test.each(requests)('V2 G7 %s: 503, never 200 or 401, and nothing is lost', async (_name, path, form) => {
    const before = failing.events.length
    breakStore()
    expect(seen(await failing.post(path, form()))).toEqual(UNAVAILABLE)
    expect(failing.events.slice(before)).toEqual([
      { type: 'request.failed', method: 'POST', path, message: 'Error: connect ECONNREFUSED 10.0.0.5:6379' },
    ])
    store.before = undefined
    expect(await isActive(failing, tokens)).toBe(true)
  })

  it('V2 G7 writing alone fails: 503, and the same request is good afterwards', async () => {
    const code = await failing.authorize(client)
    const redeem = { ...redemption(client, code), ...proofOf(client) }
    const renew = { ...renewal(client, tokens), ...proofOf(client) }
    breakStore('compareAndSwap')
    expect(seen(await failing.post('/token', redeem))).toEqual(UNAVAILABLE)
    expect(seen(await failing.post('/token', renew))).toEqual(UNAVAILABLE)
    breakStore('delete')
    const revocation = { ...proofOf(client), token: tokens.refresh_token }
    expect(seen(await failing.post('/revoke', revocation))).toEqual(UNAVAILABLE)
    store.before = undefined
    expect(await isActive(failing, tokens)).toBe(true)
    expect((await failing.post('/token', redeem)).status).toBe(200)
    const answer = await failing.post('/token', renew)
    expect(answer.status).toBe(200)
    tokens = answer.body as Tokens
  })

  it('G7 a replay that cannot be answered for by revoking: 503, so that it is tried again', async () => {
    const code = await failing.authorize(client)
    const redeem = { ...redemption(client, code), ...proofOf(client) }
    const family = (await failing.post('/token', redeem)).body as Tokens
    breakStore('delete')
    expect(seen(await failing.post('/token', redeem))).toEqual(UNAVAILABLE)
    store.before = undefined
    expect(seen(await failing.post('/token', redeem))).toEqual(INVALID_GRANT)
    expect(await isActive(failing, family)).toBe(false)
  })

  it('G7 registration, service tokens and the guarded endpoint: 503', async () => {
    const service2 = await startClosing({
      store,
      clients: [{ clientId: 'service', clientSecret: 'the secret of a service', grantTypes: ['client_credentials'] }],
    }) // prettier-ignore
    breakStore()
    const answers = [
      await failing.post('/token', { ...proofOf(client), grant_type: 'x' }),
      await service2.post('/token', { grant_type: 'client_credentials' }, service),
    ]
    const registered = await fetch(`${service2.url}/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ redirect_uris: ['https://client.example/callback'] }),
    })
    const called = await failing.call(tokens.access_token)
    store.before = undefined
    // The client is known from a moment ago, so that the first is judged.
    expect(answers.map(({ status }) => status)).toEqual([400, 503])
    for (const response of [registered, called]) {
      expect([response.status, response.headers.get('retry-after')]).toEqual([503, '5'])
      expect(response.headers.get('www-authenticate')).toBeNull()
      expect(response.headers.get('cache-control')).toBe('no-store')
      expect(await response.json()).toMatchObject({ error: 'temporarily_unavailable' })
    }
  })
})

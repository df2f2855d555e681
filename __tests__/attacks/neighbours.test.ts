// Whoever is beside a server: another server on the same store, a web page in the same browser, a client that came before a rule did,
// and a user who may no longer come in.
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { InMemoryOAuthProvider, type Store } from 'express-mcp-auth'
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import { type TestClock, testClock } from 'express-mcp-auth/testing'
import { disconnectUser, listConnections } from '../../lib/authorization-server/connections.js'
import {
  type Answer,
  type AuthorizationSite,
  REDIRECT_URI,
  type Registered,
  SECRET,
  type Tokens,
  authorizationUrl,
  clientsOf,
  pkce,
  signIn,
  startAuthorizationSite,
} from '../support/authorization-server.js'
import { type Browser, formOf } from '../support/browser-session.js'
import { createServer } from '../support/server.js'
import { type Site, startServer, startSite } from '../support/site.js'
import { type StrangeHost, documentAnswer, startStrangeHost } from '../support/strange-host.js'
import { allow, begin, beginning, codeIn, expectMessage, post, toConsent } from '../support/visit.js'

const APP: Registered = { client_id: 'app' }
const CLIENTS = [{ clientId: 'app', redirectUris: [REDIRECT_URI] }]
const WEB = 'https://web.example/cb'
const DOCUMENT_ID = 'https://web.example/id.json'

const opened: (Site | StrangeHost)[] = []
afterAll(() => Promise.all(opened.map((site) => site.close())))

async function start(options: Parameters<typeof startAuthorizationSite>[0] = {}): Promise<AuthorizationSite> {
  const site = await startAuthorizationSite(options)
  opened.push(site)
  return site
}

/** A stranger's host with the document of a client, and how to reach it. */
async function startDocument(): Promise<StrangeHost> {
  const host = await startStrangeHost()
  host.answer = documentAnswer({ client_id: DOCUMENT_ID, client_name: 'Web', redirect_uris: [WEB] })
  opened.push(host)
  return host
}

/** The same browser at another port. */
function carryCookies(browser: Browser, from: Site, to: Site): void {
  for (const [name, value] of browser.cookies(from.url)) browser.plant(to.url, name, value)
}

const errorOf = ({ status, body }: Answer): unknown[] => [status, (body as { error?: unknown }).error]

const refresh = (site: AuthorizationSite, client: Registered, { refresh_token }: Tokens): Promise<Answer> =>
  site.post('/token', { grant_type: 'refresh_token', client_id: client.client_id, refresh_token })

describe.each([
  ['the same secret', SECRET],
  ['secrets of their own', 'another secret of thirty-two bytes or more'],
])('A13 two servers on one store, with %s', (_what, secret) => {
  let one: AuthorizationSite
  let other: AuthorizationSite
  let browser: Browser
  let tokens: Tokens

  beforeAll(async () => {
    const deps = testClock()
    const store = new MemoryStore({ deps })
    const shared = { store, deps, clients: CLIENTS }
    one = await start(shared)
    other = await start({ ...shared, secret })
    browser = one.browser()
    await browser.grant(beginning(one, APP), REDIRECT_URI, 'ada')
    tokens = await one.signIn(APP)
  })

  test('A13 a session of one is none of the other', async () => {
    carryCookies(browser, one, other)
    expect((await begin(browser, one, APP)).html).not.toContain('name="password"')
    expect((await begin(browser, other, APP)).html).toContain('name="password"')
    const connections = await browser.request(`${other.url}/connections`)
    expect(connections.headers.get('location')).toMatch(/\/sign-in/)
  })

  test('A13 a code of one is nothing at the other, and still good where it is from', async () => {
    const { code, verifier } = await one.authorize(APP)
    const form = { grant_type: 'authorization_code', client_id: 'app', code, code_verifier: verifier }
    expect(errorOf(await other.post('/token', form))).toEqual([400, 'invalid_grant'])
    expect((await one.post('/token', form)).status).toBe(200)
  })

  test('A13 a refresh token of one is nothing at the other, and still good where it is from', async () => {
    expect(errorOf(await refresh(other, APP, tokens))).toEqual([400, 'invalid_grant'])
    const again = await refresh(one, APP, tokens)
    expect(again.status).toBe(200)
    tokens = again.body as Tokens
  })

  test('A13 an access token of one is refused by the other', async () => {
    const refused = await other.call(tokens.access_token)
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([
      401,
      expect.stringContaining('error="invalid_token"'),
    ])
    expect((await one.call(tokens.access_token)).status).toBe(200)
  })

  test('V1 to revoke the tokens of one at the other does nothing', async () => {
    for (const token of [tokens.access_token, tokens.refresh_token]) {
      expect((await other.post('/revoke', { client_id: 'app', token })).status).toBe(200)
    }
    expect((await one.call(tokens.access_token)).status).toBe(200)
  })

  test('A13 a client that registered with one is not known to the other', async () => {
    const client = await one.register({ client_name: 'Of one' })
    await expectMessage(await other.browser().request(beginning(other, client)), 400, 'unknown_client')
    const form = { grant_type: 'refresh_token', client_id: client.client_id, refresh_token: 'x' }
    expect(errorOf(await other.post('/token', form))).toEqual([401, 'invalid_client'])
    expect(errorOf(await one.post('/token', form))).toEqual([400, 'invalid_grant'])
  })

  test('A13 what somebody began at one cannot be decided at the other', async () => {
    const turn = await toConsent(browser, one, APP)
    carryCookies(browser, one, other)
    const elsewhere = new URL(`${turn.url.pathname}${turn.url.search}`, other.url)
    await expectMessage(await browser.request(elsewhere), 400, 'expired')
    const form = { ...turn, form: { ...turn.form, action: new URL('/consent', other.url) } }
    await expectMessage(await post(browser, form, allow), 400, 'expired')
    expect(codeIn(await post(browser, turn, allow))).not.toBeNull()
  })

  test('V4 whoever is ended at one stays at the other', async () => {
    const there = await other.signIn(APP)
    await one.provider.revokeUser('id-ada')
    expect((await one.call(tokens.access_token)).status).toBe(401)
    expect((await other.call(there.access_token)).status).toBe(200)
  })
})

describe('U10 a server on this machine that asks nobody', () => {
  const answersOf = async (
    site: Pick<AuthorizationSite, 'url' | 'browser'>,
    browser: Browser,
    clientId: string,
    redirectUri: string,
  ): Promise<URL> => {
    const more = { redirect_uri: redirectUri }
    const response = await browser.request(authorizationUrl(site.url, clientId, pkce().challenge, more))
    expect(response.status).toBe(302)
    return new URL(response.headers.get('location') ?? '', site.url)
  }

  test('U10 gives a code unasked to whoever listens on this machine, and to whom it configured', async () => {
    const clients = [{ clientId: 'web', redirectUris: [WEB] }]
    const site = await start({ consent: false, clients })
    const client = await site.register({ redirect_uris: [REDIRECT_URI, 'http://localhost/cb'] })
    const browser = site.browser()
    await browser.grant(beginning(site, client), REDIRECT_URI, 'ada')
    for (const [id, uri] of [
      [client.client_id, REDIRECT_URI],
      [client.client_id, 'http://127.0.0.1:4711/callback'],
      [client.client_id, 'http://localhost:4711/cb'],
      ['web', WEB],
    ] as const) {
      const sentTo = await answersOf(site, browser, id, uri)
      expect([sentTo.href.startsWith(`${uri}?`), sentTo.searchParams.has('code')]).toEqual([true, true])
    }
  })

  test('U10 shows the page where another site sent the browser, which may have registered itself', async () => {
    const host = await startDocument()
    const clock = testClock()
    const site = await start({ consent: false, deps: { ...clock, network: host.network } })
    const redirectUris = [WEB, 'com.example.app:/cb', REDIRECT_URI]
    const { client_id: registered } = await site.register({ redirect_uris: redirectUris })
    const browser = site.browser()
    await browser.grant(beginning(site, { client_id: registered }), REDIRECT_URI, 'ada')
    expect((await answersOf(site, browser, registered, WEB)).searchParams.has('code')).toBe(true)
    browser.headers = { 'sec-fetch-site': 'cross-site' }
    for (const [id, uri] of [
      [registered, WEB],
      [registered, 'com.example.app:/cb'],
      [DOCUMENT_ID, WEB],
    ] as const) {
      const page = await answersOf(site, browser, id, uri)
      expect([page.origin, page.pathname]).toEqual([site.url, '/consent'])
      const shown = await browser.request(page)
      expect([shown.status, shown.headers.get('location')]).toEqual([200, null])
      expect(await shown.text()).toContain('name="decision"')
    }
    expect(site.events.filter(({ type }) => type === 'authorization.granted')).toHaveLength(2)
  })

  test('U10 also where everybody is let in for tests', async () => {
    const host = await startDocument()
    const reserved = await startServer(() => undefined)
    await reserved.close()
    const provider = new InMemoryOAuthProvider({ baseUrl: reserved.url, deps: { network: host.network } })
    const port = Number(new URL(reserved.url).port)
    const site = await startSite(provider, { rateLimit: false }, undefined, port)
    opened.push(site)
    const requests = { ...site, ...clientsOf(site.url) }
    const { client_id: registered } = await requests.register({ redirect_uris: [WEB, REDIRECT_URI] })
    const browser = requests.browser()
    expect((await answersOf(requests, browser, registered, WEB)).searchParams.has('code')).toBe(true)
    browser.headers = { 'sec-fetch-site': 'cross-site' }
    expect((await answersOf(requests, browser, registered, REDIRECT_URI)).searchParams.has('code')).toBe(true)
    expect((await answersOf(requests, browser, registered, WEB)).pathname).toBe('/consent')
    expect((await answersOf(requests, browser, DOCUMENT_ID, WEB)).pathname).toBe('/consent')
  })
})

describe('A5 where the operator says where answers may go', () => {
  const allowedClientRedirectUris = ['https://*.good.example/cb', 'http://127.0.0.1:*/callback']

  test('A5 it holds for a client by document', async () => {
    const host = await startDocument()
    const deps = { ...testClock(), network: host.network }
    const site = await start({ allowedClientRedirectUris, deps })
    const more = { redirect_uri: WEB }
    const response = await site.browser().request(beginning(site, { client_id: DOCUMENT_ID }, more))
    await expectMessage(response, 400, 'redirect_uri_mismatch')
  })

  test('A5 it holds from the next start on for clients that registered before, and for what they began', async () => {
    const host = await startDocument()
    const clock = testClock()
    const shared = {
      store: new MemoryStore({ deps: clock }),
      deps: { ...clock, network: host.network },
      clients: [{ clientId: 'configured', redirectUris: [WEB] }],
    }
    const before = await start(shared)
    const client = await before.register({ redirect_uris: [WEB, REDIRECT_URI] })
    const browser = before.browser()
    const urls: URL[] = []
    for (const asking of [client, { client_id: DOCUMENT_ID }])
      urls.push((await toConsent(browser, before, asking, { redirect_uri: WEB })).url)

    const after = await start({ ...shared, baseUrl: before.issuer, allowedClientRedirectUris })
    carryCookies(browser, before, after)
    for (const asking of [client, { client_id: DOCUMENT_ID }]) {
      const url = authorizationUrl(after.url, asking.client_id, pkce().challenge, { redirect_uri: WEB })
      await expectMessage(await browser.request(url), 400, 'redirect_uri_mismatch')
    }
    for (const { pathname, search } of urls) {
      const page = new URL(`${pathname}${search}`, after.url)
      await expectMessage(await browser.request(page), 400, 'redirect_uri_mismatch')
      const transaction = page.searchParams.get('transaction') ?? ''
      const posted = await browser.request(new URL('/consent', after.url), { transaction, ...allow })
      await expectMessage(posted, 400, 'redirect_uri_mismatch')
    }
    // What the operator allows, and whom the operator configured, goes on.
    const free = [
      authorizationUrl(after.url, client.client_id, pkce().challenge),
      authorizationUrl(after.url, 'configured', pkce().challenge, { redirect_uri: WEB }),
    ]
    for (const url of free) expect((await browser.request(url)).status).toBe(302)
  })
})

describe('V4 an account that is closed', () => {
  let one: AuthorizationSite
  let replica: AuthorizationSite
  let clock: TestClock

  beforeAll(async () => {
    clock = testClock()
    const store: Store = new MemoryStore({ deps: clock })
    const shared = { store, deps: clock, consent: 'remember', clients: CLIENTS } as const
    one = await start(shared)
    replica = await start({ ...shared, baseUrl: one.issuer })
  })

  test('V4 has no tokens, no remembered decision and no session left, in any process', async () => {
    const browser = one.browser()
    browser.headers = { 'sec-fetch-site': 'same-origin' }
    await browser.grant(beginning(one, APP), REDIRECT_URI, 'ada')
    const tokens = await one.signIn(APP)
    const bobs = await one.signIn(APP, {}, 'bob')
    carryCookies(browser, one, replica)
    const at = (site: Site): URL => authorizationUrl(site.url, 'app', pkce().challenge)
    // Signed in, and remembered: the code comes without a page.
    expect(codeIn(await browser.request(at(replica)))).not.toBeNull()
    expect((await replica.call(tokens.access_token)).status).toBe(200)

    clock.advance(1)
    await one.provider.revokeUser('id-ada')

    for (const site of [one, replica]) {
      expect((await site.call(tokens.access_token)).status).toBe(401)
      expect((await site.call(bobs.access_token)).status).toBe(200)
      expect(errorOf(await refresh(site, APP, tokens))).toEqual([400, 'invalid_grant'])
      const asked = await browser.request(at(site))
      expect(new URL(asked.headers.get('location') ?? '', site.url).pathname).toBe('/sign-in')
      const connections = await browser.request(`${site.url}/connections`)
      expect(connections.headers.get('location')).toMatch(/\/sign-in$/)
    }
    expect((await refresh(one, APP, bobs)).status).toBe(200)

    // Somebody who may come in again is asked who they are and whether they agree, and then goes on as anybody.
    clock.advance(1)
    const again = await toConsent(browser, one, APP)
    expect(again.html).toContain('name="decision"')
    expect(codeIn(await post(browser, again, allow))).not.toBeNull()
    expect((await browser.request(`${one.url}/connections`)).status).toBe(200)
    const renewed = await one.signIn(APP)
    expect((await refresh(replica, APP, renewed)).status).toBe(200)
  })

  test('V4 cannot go on with a code, nor with a page that is open', async () => {
    const { code, verifier } = await one.authorize(APP, {}, 'carol')
    const browser = one.browser()
    const turn = await toConsent(browser, one, APP, {}, 'carol')
    clock.advance(1)
    await one.provider.revokeUser('id-carol')
    const form = { grant_type: 'authorization_code', client_id: 'app', code, code_verifier: verifier }
    expect(errorOf(await one.post('/token', form))).toEqual([400, 'invalid_grant'])
    const posted = await post(browser, turn, allow)
    expect(posted.headers.get('location')).toMatch(/\/sign-in\?transaction=/)
  })

  test('V4 stays open where the store cannot be reached, and that is told', async () => {
    const away = createServer()
    away.store.before = () => {
      throw new Error('away')
    }
    await expect(disconnectUser('ada', away.server, away.report)).rejects.toThrow('away')
  })
})

describe('V4 a user who may no longer come in', () => {
  test('V4 loses the grant at the next refresh, and the client begins anew', async () => {
    const asked: string[] = []
    let active = true
    const isActive = async (subject: string): Promise<boolean> => {
      asked.push(subject)
      return active
    }
    const site = await start({ signIn: { ...signIn, isActive }, clients: CLIENTS })
    const tokens = await site.signIn(APP)
    const renewed = (await refresh(site, APP, tokens)).body as Tokens
    active = false
    expect(errorOf(await refresh(site, APP, renewed))).toEqual([400, 'invalid_grant'])
    expect((await site.call(renewed.access_token)).status).toBe(401)
    expect(site.events).toContainEqual({
      type: 'grant.revoked',
      clientId: 'app',
      subject: 'id-ada',
      why: 'inactive',
    })
    active = true
    expect(errorOf(await refresh(site, APP, renewed))).toEqual([400, 'invalid_grant'])
    expect(asked).toEqual(['id-ada', 'id-ada'])
  })

  test.each<[what: string, answer: () => unknown]>([
    ['throws', () => { throw new Error('the directory is away') }],
    ['rejects', () => Promise.reject(new Error('the directory is away'))],
    ['says nothing', () => undefined],
    ['says null', () => Promise.resolve(null)],
    ['says 0', () => 0],
    ['says "no"', () => 'no'],
  ])('V4 is an outage where the app %s: the token works later', async (_what, answer) => {
    let away = true
    const isActive = () => (away ? answer() : true) as boolean
    const site = await start({ signIn: { ...signIn, isActive }, clients: CLIENTS })
    const tokens = await site.signIn(APP)
    const refused = await refresh(site, APP, tokens)
    expect(errorOf(refused)).toEqual([503, 'temporarily_unavailable'])
    expect(refused.headers.get('retry-after')).toMatch(/^\d+$/)
    expect(JSON.stringify(refused.body)).not.toContain('directory')
    expect((await site.call(tokens.access_token)).status).toBe(200)
    away = false
    expect((await refresh(site, APP, tokens)).status).toBe(200)
  }) // prettier-ignore
})

describe('A14 scopes that an operator took back', () => {
  test('A14 are gone at the next refresh, and the rest goes on', async () => {
    const clock = testClock()
    const store = new MemoryStore({ deps: clock })
    const shared = { store, deps: clock }
    const before = await start({ ...shared, clients: CLIENTS })
    const tokens = await before.signIn(APP, { scope: 'notes:read notes:write offline_access' })
    expect(tokens.scope).toBe('notes:read notes:write offline_access')

    const baseUrl = before.issuer
    const limited = [{ ...CLIENTS[0], clientId: 'app', scopes: ['notes:read'] }]
    const after = await start({ ...shared, baseUrl, clients: limited })
    const renewed = (await refresh(after, APP, tokens)).body as Tokens
    expect(renewed.scope).toBe('notes:read offline_access')
    expect(await (await after.call(renewed.access_token)).json()).toMatchObject({
      scopes: ['notes:read', 'offline_access'],
    })
    const asking = { grant_type: 'refresh_token', client_id: 'app', refresh_token: renewed.refresh_token }
    expect(errorOf(await after.post('/token', { ...asking, scope: 'notes:write' }))).toEqual([400, 'invalid_scope']) // prettier-ignore

    const fewer = await start({ ...shared, baseUrl, clients: CLIENTS, scopesSupported: ['notes:write'] })
    const last = (await refresh(fewer, APP, renewed)).body as Tokens
    expect(last.scope).toBe('notes:write offline_access')
  })

  test('A14 a client with a ceiling may stay signed in', async () => {
    const site = await start({ clients: [{ ...CLIENTS[0], clientId: 'app', scopes: ['notes:read'] }] })
    const tokens = await site.signIn(APP, { scope: 'notes:read offline_access' })
    expect(tokens.scope).toBe('notes:read offline_access')
    expect((await refresh(site, APP, tokens)).status).toBe(200)
  })
})

describe('F15 a user with more grants than are kept', () => {
  test('F15 the client with the most makes room by its oldest; nobody ends what another was granted', async () => {
    const server = createServer({ clients: [{ clientId: 'app' }, { clientId: 'other' }] })
    const { report, clock } = server
    const client = (await server.server.clients.find('app', report))!
    const other = (await server.server.clients.find('other', report))!
    const rare = (await server.tokens(other)).grantId
    const oldest: string[] = []
    for (let n = 0; n < 205; n++) {
      clock.advance(1)
      const { grantId } = await server.tokens(client)
      if (n < 6) oldest.push(grantId)
    }
    const living = await listConnections('ada', server.server)
    expect(living).toHaveLength(200)
    expect(living.some(({ grantId }) => grantId === rare)).toBe(true)
    expect(living.some(({ grantId }) => oldest.includes(grantId))).toBe(false)
    for (const grantId of oldest) expect(await server.server.grants.get(grantId)).toBeUndefined()
    const ended = server.events.filter((event) => event.type === 'grant.revoked')
    expect(ended).toEqual(
      oldest.map(() => ({ type: 'grant.revoked', clientId: 'app', subject: 'ada', why: 'user' })),
    )
  })

  test('F15 what lives is always in the index: a grant ends before it leaves', async () => {
    const server = createServer()
    const first = await server.tokens()
    for (let n = 0; n < 199; n++) {
      server.clock.advance(1)
      await server.tokens()
    }
    server.store.before = ({ method, collection }) => {
      if (method === 'compareAndSwap' && collection.endsWith('connections')) throw new Error('away')
    }
    server.clock.advance(1)
    await expect(server.tokens()).rejects.toThrow('away')
    expect(await server.server.grants.get(first.grantId)).toBeUndefined()
  })

  test('F15 grants are read twenty at a time', async () => {
    const server = createServer()
    for (let n = 0; n < 50; n++) await server.tokens()
    let underWay = 0
    let most = 0
    let go = (): void => undefined
    const twenty = new Promise<void>((resolve) => (go = resolve))
    server.store.before = async ({ collection }) => {
      if (!collection.endsWith('grants')) return
      most = Math.max(most, ++underWay)
      if (underWay === 20) setImmediate(go)
      await twenty
      underWay--
    }
    expect(await listConnections('ada', server.server)).toHaveLength(50)
    expect(most).toBe(20)
  })
})

describe('T2 a code that was used', () => {
  test.each<[what: string, verifier: (right: string) => Record<string, string>, status: number]>([
    ['another verifier', () => ({ code_verifier: pkce().verifier }), 200],
    ['what is no verifier', () => ({ code_verifier: 'short' }), 200],
    ['no verifier', () => ({}), 200],
    ['its own verifier', (right) => ({ code_verifier: right }), 401],
  ])('T2 shown again with %s, is refused, and ends the grant only if that is right', async (_what, verifier, status) => {
    const site = await start({ clients: CLIENTS })
    const { code, verifier: right } = await site.authorize(APP)
    const form = { grant_type: 'authorization_code', client_id: 'app', code }
    const { body } = await site.post('/token', { ...form, code_verifier: right })
    expect(errorOf(await site.post('/token', { ...form, ...verifier(right) }))).toEqual([400, 'invalid_grant'])
    expect((await site.call((body as Tokens).access_token)).status).toBe(status)
    const ended = site.events.filter(({ type }) => type === 'grant.revoked')
    expect(ended).toHaveLength(status === 200 ? 0 : 1)
  }) // prettier-ignore
})

describe('S8 more clients by document than can be asked for', () => {
  test('S8 whoever is signed in is told to come again, and the pages stay', async () => {
    const host = await startDocument()
    const store = new MemoryStore()
    const shared = { store, deps: { network: host.network } }
    const site = await start(shared)
    const client = { client_id: DOCUMENT_ID }
    const tokens = await site.signIn(client, { redirect_uri: WEB })

    const restarted = await start({ ...shared, baseUrl: site.issuer })
    const good = host.answer
    const waiting: (() => void)[] = []
    host.answer = (request, response) => void waiting.push(() => good(request, response))
    const flood = Array.from({ length: 10 }, (_, at) =>
      restarted.browser().request(beginning(restarted, { client_id: `https://evil-${at}.example/id.json` })),
    )
    while (waiting.length < 10) await new Promise((resolve) => setImmediate(resolve))

    const refused = await refresh(restarted, client, tokens)
    expect(errorOf(refused)).toEqual([503, 'temporarily_unavailable'])
    expect(refused.headers.get('retry-after')).toMatch(/^\d+$/)
    const begun = await restarted.browser().request(beginning(restarted, client, { redirect_uri: WEB }))
    await expectMessage(begun, 503, 'unavailable')
    const browser = site.browser()
    const page = await browser.go(`${site.url}/connections`, 'none:')
    const form = formOf(page)
    await browser.go(form.action, 'none:', { ...form.fields, username: 'ada', password: 'ada!' })
    carryCookies(browser, site, restarted)
    const shown = await browser.request(`${restarted.url}/connections`)
    expect([shown.status, (await shown.text()).includes(DOCUMENT_ID)]).toEqual([200, true])
    const revoked = new URLSearchParams({ revoked: DOCUMENT_ID.replace('id.json', 'other.json') })
    expect((await browser.request(`${restarted.url}/connections?${revoked}`)).status).toBe(200)

    for (const go of waiting) go()
    await Promise.all(flood)
    host.answer = good
    expect((await refresh(restarted, client, tokens)).status).toBe(200)
  })
})

// Attacks on the way through a proxy to an identity provider: threat rows U1 to U9 and P1 to P9, and what MCP demands of proxies (PX).
// One thing despite its length: one way, from the client's link to the client's code, attacked at every step.
import { createHash, createHmac } from 'node:crypto'
import { inspect } from 'node:util'
import { beforeAll, describe, expect, test } from '@jest/globals'
import {
  ConfigError,
  IntrospectionTokenVerifier,
  JWTVerifier,
  OAuthProxy,
  OIDCProxy,
  getAccessToken,
} from 'express-mcp-auth'
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import { testClock } from 'express-mcp-auth/testing'
import fc from 'fast-check'
import {
  REDIRECT_URI,
  type Registered,
  SECRET,
  type Tokens,
  answerOf,
  pkce,
} from '../support/authorization-server.js'
import { Browser, formOf } from '../support/browser-session.js'
import { HookedStore, type StoreStep } from '../support/hooked-store.js'
import { signInAt } from '../support/identity-provider.js'
import { type Json, createKey, encode, signParts } from '../support/issuer.js'
import type { ProxySite } from '../support/proxy-site.js'
import {
  WatchfulBrowser,
  asked,
  changing,
  comeBack,
  connectionsOf,
  cookieHeader,
  depart,
  departureIn,
  expectError,
  expectLetIn,
  proxies,
  redeem,
  signInThere,
  tokensFor,
  tripCookies,
} from '../support/proxy-visit.js'
import { documentAnswer, startStrangeHost } from '../support/strange-host.js'
import { WEB, allow, begin, beginning, deny, expectMessage, onwardFrom, post } from '../support/visit.js'
import { WrittenStore } from '../support/written-store.js'
import { closing, pipeline } from './attempt.js'

const start = proxies()
const DOCUMENT_ID = 'https://client.example/id.json'

let site: ProxySite
let client: Registered
beforeAll(async () => {
  ;({ site, client } = await start())
})

function granted(of: ProxySite = site): number {
  return of.events.filter(({ type }) => type === 'authorization.granted').length
}

/** A site that also knows a client by its document, and one that is configured. */
async function startWithDocument(proxy: Json = {}): ReturnType<typeof start> {
  const web = closing(await startStrangeHost())
  web.answer = documentAnswer({
    client_id: DOCUMENT_ID,
    client_name: 'Document client',
    redirect_uris: [WEB, REDIRECT_URI],
    token_endpoint_auth_method: 'none',
  })
  return start({
    proxy: {
      deps: { network: web.network },
      clients: [
        { clientId: 'configured', clientName: 'Configured client', redirectUris: [WEB, REDIRECT_URI] },
      ],
      ...proxy,
    },
  })
}

describe('U1, PX-01 to PX-03 nobody leaves for the identity provider before they agreed to this client here', () => {
  test.each([
    ['a registered client', undefined],
    ['a client with a document', DOCUMENT_ID],
    ['a configured client', 'configured'],
  ])('U1 PX-01 for %s, also where another one was just agreed to in this browser', async (_, clientId) => {
    const { site: own, client: agreed } = await startWithDocument()
    const browser = own.browser()
    expect(await tokensFor(browser, own, agreed)).toMatchObject({ status: 200 })
    const trips = tripCookies(browser, own.url)
    const there = own.idp.requests.length

    const id = clientId ?? (await own.register({ client_name: 'Another', redirect_uris: [WEB] })).client_id
    const begun = await browser.request(beginning(own, { client_id: id }, { redirect_uri: WEB }))
    expect(begun.status).toBe(302)
    expect(begun.headers.get('location')).toMatch(new RegExp(`^${own.url}/consent\\?transaction=[\\w-]{24}$`))
    expect(begun.headers.getSetCookie()).toEqual([])
    const page = await browser.request(begun.headers.get('location') ?? '')
    expect({ status: page.status, location: page.headers.get('location') }).toEqual({
      status: 200,
      location: null,
    })
    expect(page.headers.getSetCookie()).toEqual([])
    expect(tripCookies(browser, own.url)).toEqual(trips)
    expect(own.idp.requests.slice(there)).toEqual([])
  })

  test('U1 PX-01 whoever says no has not been there, and the client is told', async () => {
    const browser = site.browser()
    const turn = await begin(browser, site, client)
    const there = site.idp.requests.length
    const denied = await post(browser, turn, deny)
    expect(denied.status).toBe(303)
    expectError(denied, site, 'access_denied')
    expect(denied.headers.getSetCookie()).toEqual([])
    expect(site.idp.requests.slice(there)).toEqual([])
    expect(tripCookies(browser, site.url)).toEqual([])
  })

  test('U1 PX-02 what was agreed to for one client holds for no other, and for no other browser', async () => {
    const { site: own, client: known } = await startWithDocument({ consent: 'remember' })
    const browser = own.browser()
    const byThemselves = { 'sec-fetch-site': 'none' }
    await tokensFor(browser, own, known)
    const again = await browser.request(beginning(own, known), undefined, byThemselves)
    departureIn(again, own)
    const other = await own.register({ client_name: 'Another' })
    for (const [who, asking] of [
      [browser, other],
      [browser, { client_id: DOCUMENT_ID }],
      [browser, { client_id: 'configured' }],
      [own.browser(), known],
    ] as const) {
      const there = own.idp.requests.length
      const begun = await who.request(beginning(own, asking), undefined, byThemselves)
      expect(begun.headers.get('location')).toMatch(/\/consent\?transaction=/)
      expect(own.idp.requests.length).toBe(there)
    }
  })

  test('U1 PX-03 the page names the client, what it may do, where it sends people, and who asks next', async () => {
    const named = await site.register({ client_name: 'Somebody’s client', redirect_uris: [WEB] })
    const turn = await begin(site.browser(), site, named, {
      redirect_uri: WEB,
      scope: 'openid offline_access',
    })
    expect(turn.html).toContain('Somebody’s client')
    expect(turn.html).toContain('Unverified app')
    expect(turn.html).toContain('Know who you are')
    expect(turn.html).toContain('Stay connected while you are away')
    expect(turn.html).toContain('<p class="host" dir="ltr">app.example.com</p>')
    expect(turn.html).toContain(new URL(site.idp.issuer).host)
    expect(turn.form.fields['csrf']).toMatch(/^[\w-]{24}\.[\w-]{43}$/)
    expect(turn.headers.get('x-frame-options')).toBe('DENY')
    expect(turn.headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
  })

  test('U1 without consent, another site sends nobody through for a client that registered itself', async () => {
    const { site: own, client: registered } = await startWithDocument({ consent: false })
    for (const asking of [registered, { client_id: DOCUMENT_ID }]) {
      const browser = own.browser()
      const response = await browser.request(beginning(own, asking, { redirect_uri: WEB }), undefined, {
        'sec-fetch-site': 'cross-site',
      })
      expect(response.headers.get('location')).toMatch(/\/consent\?transaction=/)
      expect(tripCookies(browser, own.url)).toEqual([])
    }
  })

  test('U1 without consent, on the network only configured clients go through unasked', async () => {
    const baseUrl = 'https://auth.example.com'
    const { site: own, client: registered } = await startWithDocument({ consent: false, baseUrl })
    const locationFor = async (id: string): Promise<string | null> => {
      const begun = await own.browser().request(beginning(own, { client_id: id }, { redirect_uri: WEB }))
      return begun.headers.get('location')
    }
    expect(await locationFor('configured')).toMatch(new RegExp(`^${own.idp.authorizationEndpoint}\\?`))
    expect(await locationFor(registered.client_id)).toMatch(new RegExp(`^${baseUrl}/consent\\?`))
    expect(await locationFor(DOCUMENT_ID)).toMatch(new RegExp(`^${baseUrl}/consent\\?`))
  })
})

describe.each([
  ['always', 'always'],
  ['remember', 'remember'],
  ['external', 'external'],
  ['false', false],
] as const)('U2, PX-06 with consent %s, only the browser that left comes back', (_, consent) => {
  let own: ProxySite
  let ours: Registered
  beforeAll(async () => {
    ;({ site: own, client: ours } = await start({ proxy: { consent } }))
  })

  async function leave(browser: Browser): Promise<URL> {
    if (consent === 'always' || consent === 'remember') return depart(browser, own, ours)
    const begun = await browser.request(beginning(own, ours))
    expect(tripCookies(browser, own.url)).toHaveLength(1)
    return departureIn(begun, own)
  }

  test('U2 the attacker agrees, the victim signs in and comes back: 403, and the code is not used', async () => {
    const attacker = own.browser()
    const departure = await leave(attacker)
    const victim = own.browser()
    const callback = await signInThere(victim, own, departure, 'grace')
    const [calls, grants] = [asked(own), granted(own)]
    const html = await expectMessage(await victim.request(callback), 403, 'other_browser')
    expect(html).not.toContain(callback.searchParams.get('code'))
    expect([asked(own), granted(own)]).toEqual([calls, grants])
    expect(victim.cookies(own.url).size).toBe(0)
  })

  test('U2 so it is for a victim who is on the way too', async () => {
    const attacker = own.browser()
    const departure = await leave(attacker)
    const victim = own.browser()
    const theirs = await leave(victim)
    const callback = await signInThere(victim, own, departure, 'grace')
    const calls = asked(own)
    await expectMessage(await victim.request(callback), 403, 'other_browser')
    expect(asked(own)).toBe(calls)
    await expectLetIn(victim, await signInThere(victim, own, theirs, 'grace'))
    expect(asked(own)).toBe(calls + 1)
  })

  test('U2 the attacker signs in, and the victim is sent to the callback: 403, and the attacker’s code is not used', async () => {
    const attacker = own.browser()
    const callback = await signInThere(attacker, own, await leave(attacker))
    const victim = own.browser()
    await leave(victim)
    const calls = asked(own)
    await expectMessage(await victim.request(callback), 403, 'other_browser')
    await expectMessage(await own.browser().request(callback), 403, 'other_browser')
    expect(asked(own)).toBe(calls)
    // Nothing was spoilt for whoever it belongs to.
    await expectLetIn(attacker, callback)
    expect(asked(own)).toBe(calls + 1)
  })

  test('U2 the attacker’s code with the victim’s state is no good at the identity provider', async () => {
    const attacker = own.browser()
    const stolen = await signInThere(attacker, own, await leave(attacker))
    const victim = own.browser()
    const callback = await signInThere(victim, own, await leave(victim), 'grace')
    callback.searchParams.set('code', stolen.searchParams.get('code') ?? '')
    const grants = granted(own)
    expectError(await victim.request(callback), own, 'server_error')
    expect(granted(own)).toBe(grants)
  })
})

describe('U2, U5 the cookie of a trip', () => {
  test.each([
    ['changed', (value: string) => `${value.slice(0, -2)}${value.endsWith('AA') ? 'BB' : 'AA'}`],
    ['empty', () => ''],
    ['a quoted one', (value: string) => `"${value}"`],
    ['the state itself', (_: string, state: string) => state],
    ['long', (value: string) => value + 'A'.repeat(3000)],
    ['that of another trip', (_: string, _state: string, other: string) => other],
  ])('U2 U5 %s is as good as none, and the trip is not spoilt', async (_, change) => {
    const browser = site.browser()
    await depart(browser, site, client)
    const [strange = ''] = [...browser.cookies(site.url)].find(([name]) => name.includes('mcp-trip-')) ?? []
    const other = browser.cookies(site.url).get(strange) ?? ''
    const callback = await comeBack(browser, site, client)
    const name = tripCookies(browser, site.url).find((known) => known !== strange) ?? ''
    const value = browser.cookies(site.url).get(name) ?? ''
    const calls = asked(site)
    browser.plant(site.url, name, change(value, callback.searchParams.get('state') ?? '', other))
    await expectMessage(await browser.request(callback), 403, 'other_browser')
    expect(asked(site)).toBe(calls)
    browser.plant(site.url, name, value)
    await expectLetIn(browser, callback)
  })

  test('U5 one that comes twice was planted, and neither is taken', async () => {
    const browser = site.browser()
    const callback = await comeBack(browser, site, client)
    const cookies = cookieHeader(browser, site.url)
    const calls = asked(site)
    for (const cookie of [`${cookies}; ${cookies}`, `${cookies}; ${tripCookies(browser, site.url)[0]}=x`]) {
      const response = await fetch(callback, { headers: { cookie }, redirect: 'manual' })
      await expectMessage(response, 403, 'other_browser')
    }
    expect(asked(site)).toBe(calls)
    await expectLetIn(browser, callback)
  })

  test('U5 after a hundred departures the cookies are under 4 KB, and the newest eight can still come back', async () => {
    const browser = site.browser()
    const departures: URL[] = []
    for (let count = 0; count < 100; count++) departures.push(await depart(browser, site, client))
    expect(cookieHeader(browser, site.url).length).toBeLessThan(4096)
    expect(tripCookies(browser, site.url)).toHaveLength(8)
    const callbackOf = (index: number): Promise<URL> =>
      signInThere(browser, site, departures[index] as URL, 'ada')
    const calls = asked(site)
    await expectMessage(await browser.request(await callbackOf(91)), 403, 'other_browser')
    expect(asked(site)).toBe(calls)
    await expectLetIn(browser, await callbackOf(92))
    await expectLetIn(browser, await callbackOf(99))
    expect(tripCookies(browser, site.url)).toHaveLength(6)
  })

  test('PX-04 PX-07 on https it is of this very host, only ours, and set when somebody agreed and not before', async () => {
    const baseUrl = 'https://auth.example.com'
    const callbackUrl = `${baseUrl}/auth/callback`
    const { site: secure, client: known } = await start({
      proxy: { baseUrl },
      idp: { redirectUri: callbackUrl },
    })
    const browser = secure.browser()
    /** What a proxy would do that takes https away. */
    const go = (
      url: URL | string,
      form?: Record<string, string>,
      headers?: Record<string, string>,
    ): Promise<Response> => browser.request(String(url).replace(baseUrl, secure.url), form, headers)
    const own = { origin: baseUrl, 'sec-fetch-site': 'same-origin' }

    const begun = await go(beginning(secure, known))
    expect(begun.headers.getSetCookie()).toEqual([
      expect.stringMatching(
        /^__Host-mcp-browser-[0-9a-f]{8}=[\w-]{24}\.[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Secure$/,
      ),
    ])
    const shownAt = new URL(begun.headers.get('location') ?? '')
    const page = await go(shownAt)
    expect(page.headers.getSetCookie()).toEqual([])
    const form = formOf({ html: await page.text(), url: shownAt })
    const forged = await go(form.action, { ...form.fields, ...allow }, { origin: secure.url })
    expect([forged.status, forged.headers.getSetCookie()]).toEqual([403, []])
    const agreed = await go(form.action, { ...form.fields, ...allow }, own)
    expect([agreed.status, agreed.headers.getSetCookie()]).toEqual([
      303,
      [
        expect.stringMatching(
          /^__Host-mcp-trip-[0-9a-f]{8}-[0-9a-f]{16}=[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Secure; Max-Age=600$/,
        ),
      ],
    ])
    const departure = departureIn(agreed, secure)
    expect(departure.searchParams.get('redirect_uri')).toBe(callbackUrl)
    const callback = await signInAt(browser, departure, 'ada', { destination: callbackUrl })
    const arrived = await go(callback)
    expect([arrived.status, arrived.headers.getSetCookie()]).toEqual([
      302,
      [
        expect.stringMatching(
          /^__Host-mcp-trip-[0-9a-f]{8}-[0-9a-f]{16}=; Path=\/; HttpOnly; SameSite=Lax; Secure; Max-Age=0$/,
        ),
      ],
    ])
    expect(arrived.headers.get('location')).toMatch(
      /\/callback\?code=.*&iss=https%3A%2F%2Fauth\.example\.com$/,
    )
  })

  test('PX-04 a session that began there has a cookie of the same kind', async () => {
    const baseUrl = 'https://auth.example.com'
    const callbackUrl = `${baseUrl}/auth/callback`
    const { site: secure } = await start({ proxy: { baseUrl }, idp: { redirectUri: callbackUrl } })
    const browser = secure.browser()
    const left = await browser.request(`${secure.url}/sign-in`)
    const departure = departureIn(left, secure)
    const callback = await signInAt(browser, departure, 'ada', { destination: callbackUrl })
    const arrived = await browser.request(callback.href.replace(baseUrl, secure.url))
    expect([arrived.status, arrived.headers.get('location')]).toEqual([302, `${baseUrl}/connections`])
    expect(arrived.headers.getSetCookie()).toEqual([
      expect.stringMatching(
        /^__Host-mcp-session-[0-9a-f]{8}=[\w-]{24}; Path=\/; HttpOnly; SameSite=Lax; Secure; Max-Age=43200$/,
      ),
      expect.stringMatching(/^__Host-mcp-trip-.*; SameSite=Lax; Secure; Max-Age=0$/),
    ])
  })

  test('PX-06 PX-07 the state is made when somebody agreed, is in no store as it is, and is of no use twice', async () => {
    const store = new WrittenStore()
    const { site: own, client: known } = await start({ proxy: { store } })
    const browser = own.browser()
    const turn = await begin(browser, own, known)
    expect(store.of('trips')).toEqual([])
    expect(tripCookies(browser, own.url)).toEqual([])
    const departure = departureIn(await post(browser, turn, allow), own)
    expect(store.of('trips')).toHaveLength(1)
    const state = departure.searchParams.get('state') ?? ''
    expect(state).toMatch(/^[\w-]{24}$/)
    expect(state).not.toBe(turn.form.fields['transaction'])
    expect(store.written.join()).not.toContain(state)
    expect(cookieHeader(browser, own.url)).not.toContain(state)
    const callback = await signInThere(browser, own, departure)
    await expectLetIn(browser, callback)
    expect(asked(own)).toBe(1)
    await expectMessage(await browser.request(callback), 400, 'expired')
    expect([asked(own), granted(own)]).toEqual([1, 1])
    const other = await depart(browser, own, known)
    expect(other.searchParams.get('state')).not.toBe(state)
  })
})

describe('U3 only our own page sends people to the identity provider', () => {
  test.each([
    ['no code', { csrf: '' }, {}],
    ['a made-up code', { csrf: `${'A'.repeat(24)}.${'B'.repeat(43)}` }, {}],
    ['another origin', {}, { origin: 'https://evil.example' }],
    ['another port of this host', {}, { origin: 'http://127.0.0.1:1' }],
    ['another site, as the browser says', {}, { 'sec-fetch-site': 'cross-site' }],
    ['a neighbour, as the browser says', {}, { 'sec-fetch-site': 'same-site' }],
    ['nowhere, as the browser says', {}, { 'sec-fetch-site': 'none' }],
  ])('U3 with %s it is 403, nobody leaves, and it is still open', async (_, fields, headers) => {
    const browser = site.browser()
    const turn = await begin(browser, site, client)
    const forged = await post(browser, turn, { ...allow, ...fields }, headers)
    expect(forged.headers.getSetCookie()).toEqual([])
    await expectMessage(forged, 403, 'forged')
    expect(tripCookies(browser, site.url)).toEqual([])
    departureIn(await post(browser, turn, allow), site)
  })

  test('U3 the page of one browser is of no use in another', async () => {
    const turn = await begin(site.browser(), site, client)
    const victim = site.browser()
    const own = await begin(victim, site, client)
    await expectMessage(await post(victim, turn, allow), 403, 'other_browser')
    const { csrf = '' } = turn.form.fields
    await expectMessage(await post(victim, own, { ...allow, csrf }), 403, 'forged')
    expect(tripCookies(victim, site.url)).toEqual([])
  })

  test('U3 two tabs both come back, in any order', async () => {
    const browser = site.browser()
    const first = await begin(browser, site, client, { state: 'one' })
    const second = await begin(browser, site, client, { state: 'two' })
    const one = departureIn(await post(browser, first, allow), site)
    const two = departureIn(await post(browser, second, allow), site)
    const states: (string | null)[] = []
    for (const departure of [two, one]) {
      const response = await browser.request(await signInThere(browser, site, departure))
      expect(response.status).toBe(302)
      states.push(new URL(response.headers.get('location') ?? '').searchParams.get('state'))
    }
    expect(states).toEqual(['two', 'one'])
  })

  test('U3 nobody is signed out or disconnected by somebody else', async () => {
    const browser = site.browser()
    await tokensFor(browser, site, client)
    await connectionsOf(browser, site)
    await expectMessage(await browser.request(`${site.url}/sign-out`, { csrf: 'a.b' }), 403, 'forged')
    const form = { csrf: 'a.b', client: client.client_id }
    await expectMessage(await browser.request(`${site.url}/connections`, form), 403, 'forged')
    expect((await browser.request(`${site.url}/connections`)).status).toBe(200)
  })
})

describe('U4, U7 every page is in nobody’s frame, runs nothing, is kept by nobody, and tells nobody where it is', () => {
  test('U4 U7 the pages of the way through, and every refusal on it', async () => {
    const clock = testClock()
    const store = new HookedStore(new MemoryStore({ deps: clock }))
    const { site: own, client: known } = await start({ proxy: { store, deps: clock } })
    const browser = own.browser()
    const turn = await begin(browser, own, known)
    const callback = await comeBack(browser, own, known)
    const twice = new URL(callback)
    twice.searchParams.append('state', 'a')
    const foreign = new URL(callback)
    foreign.searchParams.set('iss', 'https://evil.example')
    const pages: [string, number, Response][] = [
      ['consent', 200, await browser.request(turn.url)],
      ['consent of another browser', 403, await own.browser().request(turn.url)],
      ['forged', 403, await post(browser, turn, { ...allow, csrf: '' })],
      ['no decision', 400, await post(browser, turn)],
      ['callback without a state', 400, await browser.request(own.callbackUrl)],
      ['callback of another browser', 403, await own.browser().request(callback)],
      ['callback with repeats', 400, await browser.request(twice)],
      ['callback of another issuer', 400, await browser.request(foreign)],
      ['unknown client', 400, await browser.request(`${own.url}/authorize?client_id=a`)],
    ]
    own.idp.failWith('token', 503)
    pages.push(['unavailable', 503, await browser.request(callback)])
    own.idp.failWith('token', undefined)
    store.before = () => {
      throw new Error('the store is gone')
    }
    pages.push(['store gone', 503, await browser.request(callback)])
    store.before = undefined
    const left = departureIn(await browser.request(`${own.url}/sign-in`), own)
    const refused = new URL(own.callbackUrl)
    refused.search = new URLSearchParams({
      error: 'access_denied',
      state: left.searchParams.get('state') ?? '',
      iss: own.idp.issuer,
    }).toString()
    pages.push(['sign-in failed', 400, await browser.request(refused)])
    const second = await comeBack(browser, own, known)
    await expectLetIn(browser, second)
    pages.push(['spent', 400, await browser.request(second)])
    await connectionsOf(browser, own)
    const shown = await browser.go(`${own.url}/connections`, REDIRECT_URI)
    pages.push(['connections', 200, await browser.request(shown.url)])
    const { csrf = '' } = formOf(shown).fields
    pages.push(['signed out', 200, await browser.request(`${own.url}/sign-out`, { csrf })])

    for (const [name, status, response] of pages) {
      const header = (of: string): string | null => response.headers.get(of)
      expect([name, response.status]).toEqual([name, status])
      expect([name, header('x-frame-options')]).toEqual([name, 'DENY'])
      expect([name, header('cache-control')]).toEqual([name, 'no-store'])
      expect([name, header('referrer-policy')]).toEqual([name, 'no-referrer'])
      expect([name, header('x-content-type-options')]).toEqual([name, 'nosniff'])
      expect([name, header('content-type')]).toEqual([name, 'text/html; charset=utf-8'])
      expect([name, header('access-control-allow-origin')]).toEqual([name, null])
      expect([name, /^[1-9]\d*$/.test(header('retry-after') ?? '')]).toEqual([name, status === 503])
      const policy = (header('content-security-policy') ?? '').replace(/'sha256-[^']+'/, 'HASH')
      expect([name, policy]).toEqual([
        name,
        "default-src 'none'; style-src HASH; frame-ancestors 'none'; base-uri 'none'",
      ])
      expect(await response.text()).not.toMatch(/<script|\son\w+=/i)
    }
  })

  test('U4 whoever is sent on is told nothing more than where', async () => {
    const browser = site.browser()
    const left = await post(browser, await begin(browser, site, client), allow)
    const callback = await signInThere(browser, site, departureIn(left, site))
    for (const response of [left, await browser.request(callback)]) {
      expect(response.headers.get('referrer-policy')).toBe('no-referrer')
      expect(response.headers.get('cache-control')).toBe('no-store')
      expect(await response.text()).toBe('')
    }
  })

  const SCRIPT = '<script>alert(1)</script>"\'><img src=x onerror=alert(1)>'

  test.each([
    ['error', { error: SCRIPT }],
    ['error_description', { error: 'access_denied', error_description: SCRIPT }],
    ['error_uri', { error: 'access_denied', error_uri: `javascript:alert(1)//${SCRIPT}` }],
    ['anything', { error: 'server_error', [SCRIPT]: SCRIPT }],
  ])('U7 what the identity provider writes as %s reaches neither page nor client', async (_, said) => {
    const browser = site.browser()
    const departure = await depart(browser, site, client)
    const state = departure.searchParams.get('state') ?? ''
    const url = (of: string): URL => {
      const callback = new URL(site.callbackUrl)
      callback.search = new URLSearchParams({ ...said, state: of, iss: site.idp.issuer }).toString()
      return callback
    }
    const calls = asked(site)
    expect(await expectMessage(await browser.request(url('x')), 400, 'expired')).not.toMatch(/alert|<script/)
    expect(await expectMessage(await site.browser().request(url(state)), 403, 'other_browser')).not.toMatch(
      /alert|<script/,
    )
    const told = await browser.request(url(state))
    const error = said.error === 'access_denied' ? 'access_denied' : 'server_error'
    const description = expectError(told, site, error)
    expect(description).not.toBe('')
    expect(told.headers.get('location')).not.toMatch(/alert|(?:<|%3C)script/i)
    expect(asked(site)).toBe(calls)
  })

  test('U7 on the pages of whoever only looks at connections it is no different', async () => {
    const browser = site.browser()
    const departure = departureIn(await browser.request(`${site.url}/sign-in`), site)
    const callback = new URL(site.callbackUrl)
    callback.search = new URLSearchParams({
      error: SCRIPT,
      error_description: SCRIPT,
      state: departure.searchParams.get('state') ?? '',
      iss: site.idp.issuer,
    }).toString()
    const html = await expectMessage(await browser.request(callback), 400, 'sign_in_failed')
    expect(html).not.toMatch(/alert|<script/)
  })

  test('U7 what a client calls itself is text on the page before people leave', async () => {
    const odd = await site.register({ client_name: SCRIPT })
    const turn = await begin(site.browser(), site, odd, { state: SCRIPT, scope: SCRIPT })
    expect(turn.html).toContain('&#60;script&#62;alert(1)')
    expect(turn.html).not.toMatch(/<script|<img src=x/)
  })

  test('U8 the page names the host in ASCII, and warns of what looks like another', async () => {
    const uri = 'https://xn--pple-43d.com/cb'
    const odd = await site.register({ redirect_uris: [uri] })
    const turn = await begin(site.browser(), site, odd, { redirect_uri: uri })
    expect(turn.html).toContain('<p class="host" dir="ltr">xn--pple-43d.com</p>')
    expect(turn.html).toContain('letters of another alphabet')
    const local = await begin(site.browser(), site, client)
    expect(local.html).toContain('Any program on this device can ask like this.')
  })
})

describe('U6 a decision that is remembered goes unasked only where the person began it', () => {
  const byThemselves = { 'sec-fetch-site': 'none' }
  let own: ProxySite
  let known: Registered
  beforeAll(async () => {
    ;({ site: own, client: known } = await start({
      proxy: { consent: 'remember', scopesSupported: ['profile', 'email'] },
    }))
  })
  const scope = { scope: 'openid profile' }

  async function experienced(): Promise<Browser> {
    const browser = own.browser()
    expect(await tokensFor(browser, own, known, scope)).toMatchObject({ status: 200 })
    return browser
  }

  test.each(['none', 'same-origin'])('U6 Sec-Fetch-Site: %s goes on, bound to the browser', async (from) => {
    const browser = await experienced()
    const begun = await browser.request(beginning(own, known, scope), undefined, { 'sec-fetch-site': from })
    const departure = departureIn(begun, own)
    expect(tripCookies(browser, own.url)).toHaveLength(1)
    const callback = await signInThere(browser, own, departure)
    const calls = asked(own)
    await expectMessage(await own.browser().request(callback), 403, 'other_browser')
    expect(asked(own)).toBe(calls)
    await expectLetIn(browser, callback)
  })

  test.each([
    ['another site sent the browser', {}, { 'sec-fetch-site': 'cross-site' }],
    ['a neighbour sent the browser', {}, { 'sec-fetch-site': 'same-site' }],
    ['the browser says what nobody says', {}, { 'sec-fetch-site': 'None' }],
    ['the browser does not say', {}, {}],
    ['there are more scopes', { scope: 'openid profile email' }, byThemselves],
    ['the address is another', { redirect_uri: WEB }, byThemselves],
    ['the port is another', { redirect_uri: 'http://127.0.0.1:1/callback' }, byThemselves],
    ['the client wants it', { prompt: 'consent' }, byThemselves],
  ])('U6 where %s, somebody is asked', async (_, more, headers) => {
    const browser = await experienced()
    const there = own.idp.requests.length
    const begun = await browser.request(beginning(own, known, { ...scope, ...more }), undefined, headers)
    expect(begun.headers.get('location')).toMatch(/\/consent\?transaction=/)
    // Nor is the page itself a way around.
    const page = await browser.request(begun.headers.get('location') ?? '', undefined, byThemselves)
    expect(page.status).toBe(200)
    expect(await page.text()).toContain('value="allow"')
    expect(tripCookies(browser, own.url)).toEqual([])
    expect(own.idp.requests.length).toBe(there)
  })

  test('U6 another browser is asked, whoever uses it', async () => {
    await experienced()
    const begun = await own.browser().request(beginning(own, known, scope), undefined, byThemselves)
    expect(begun.headers.get('location')).toMatch(/\/consent\?transaction=/)
  })

  test('U6 PX-02 whoever signs in as somebody else in this browser is asked for themselves', async () => {
    const browser = await experienced()
    own.idp.endSessions()
    const begun = await browser.request(beginning(own, known, scope), undefined, byThemselves)
    const callback = await signInAt(browser, departureIn(begun, own), 'grace', {
      destination: own.callbackUrl,
    })
    const sent = await browser.request(callback)
    expect(sent.headers.get('location')).toMatch(/\/consent\?transaction=/)
    const page = await browser.request(String(sent.headers.get('location')), undefined, byThemselves)
    expect([page.status, await page.text()]).toEqual([200, expect.stringContaining('value="allow"')])
    const again = await browser.request(beginning(own, known, scope), undefined, byThemselves)
    expect(again.headers.get('location')).toMatch(/\/consent\?transaction=/)
  })

  test('U6 what was only agreed to here and not finished there is not remembered', async () => {
    const browser = own.browser()
    const departure = await depart(browser, own, known, scope)
    const unfinished = await browser.request(beginning(own, known, scope), undefined, byThemselves)
    expect(unfinished.headers.get('location')).toMatch(/\/consent\?transaction=/)
    const callback = await signInAt(browser, departure, 'ada', {
      destination: own.callbackUrl,
      consent: false,
    })
    expectError(await browser.request(callback), own, 'access_denied')
    const refused = await browser.request(beginning(own, known, scope), undefined, byThemselves)
    expect(refused.headers.get('location')).toMatch(/\/consent\?transaction=/)
  })

  test('U6 whoever was disconnected has to ask again', async () => {
    const browser = await experienced()
    const { csrf } = await connectionsOf(browser, own)
    const form = { csrf, client: known.client_id }
    expect((await browser.request(`${own.url}/connections`, form)).status).toBe(303)
    const begun = await browser.request(beginning(own, known, scope), undefined, byThemselves)
    expect(begun.headers.get('location')).toMatch(/\/consent\?transaction=/)
  })

  test('U6 where decisions are not remembered, everybody is asked every time', async () => {
    const browser = site.browser()
    await tokensFor(browser, site, client)
    const begun = await browser.request(beginning(site, client), undefined, byThemselves)
    expect(begun.headers.get('location')).toMatch(/\/consent\?transaction=/)
  })
})

describe('U9 a question is answered once, and a trip ends once', () => {
  test('U9 what came back once does not come back again', async () => {
    const browser = site.browser()
    const callback = await comeBack(browser, site, client)
    const grants = granted()
    await expectLetIn(browser, callback)
    const calls = asked(site)
    await expectMessage(await browser.request(callback), 400, 'expired')
    expect([asked(site), granted()]).toEqual([calls, grants + 1])
  })

  test('U9 who said no cannot say yes then, nor come back from before', async () => {
    const browser = site.browser()
    const turn = await begin(browser, site, client)
    const departure = departureIn(await post(browser, turn, allow), site)
    expectError(await post(browser, turn, deny), site, 'access_denied')
    const [calls, grants] = [asked(site), granted()]
    await expectMessage(await post(browser, turn, allow), 400, 'already_decided')
    const callback = await signInThere(browser, site, departure)
    await expectMessage(await browser.request(callback), 400, 'already_decided')
    expect([asked(site), granted()]).toEqual([calls, grants])
  })

  test('U9 two departures for one question bring one grant, and the second way back leads to the first answer', async () => {
    const { verifier, challenge } = pkce()
    const browser = site.browser()
    const turn = await begin(browser, site, client, { code_challenge: challenge })
    const one = departureIn(await post(browser, turn, allow), site)
    const two = departureIn(await post(browser, turn, allow), site)
    const grants = granted()
    const code = await expectLetIn(browser, await signInThere(browser, site, one))
    const calls = asked(site)
    const second = await signInThere(browser, site, two)
    const html = await expectMessage(await browser.request(second), 400, 'already_decided')
    expect(new URL(onwardFrom(html) ?? '').searchParams.get('code')).toBe(code)
    expect([asked(site), granted()]).toEqual([calls, grants + 1])
    expect(await redeem(site, client, code, verifier)).toMatchObject({ status: 200 })
    const later = await expectMessage(await browser.request(second), 400, 'already_decided')
    expect(onwardFrom(later)).toBeUndefined()
  })

  test('U9 somebody else who signs in for the same question gets nothing of it', async () => {
    const browser = site.browser()
    const turn = await begin(browser, site, client)
    const one = departureIn(await post(browser, turn, allow), site)
    const two = departureIn(await post(browser, turn, allow), site)
    const grants = granted()
    await expectLetIn(browser, await signInThere(browser, site, one, 'ada'))
    // Another session there, e.g. in a private window that shares nothing but this link.
    const second = await signInThere(new Browser(), site, two, 'grace')
    await expectMessage(await browser.request(second), 400, 'already_decided')
    expect(granted()).toBe(grants + 1)
    const last = site.events.findLast(({ type }) => type === 'authorization.granted')
    expect(last).toMatchObject({ subject: 'idp|ada' })
  })

  test('U9 the page is not shown again once somebody came back', async () => {
    const browser = site.browser()
    const turn = await begin(browser, site, client)
    const departure = departureIn(await post(browser, turn, allow), site)
    await expectLetIn(browser, await signInThere(browser, site, departure))
    await expectMessage(await browser.request(turn.url), 400, 'already_decided')
    const again = await post(browser, turn, deny)
    await expectMessage(again, 400, 'already_decided')
    expect(again.headers.getSetCookie()).toEqual([])
  })

  test('U9 twenty times back at once: one code, one question upstream, one grant', async () => {
    const store = new HookedStore(new MemoryStore())
    const living = new Set<string>()
    // As over a network, other requests come in between.
    store.before = async ({ method, collection, key }: StoreStep) => {
      await new Promise(setImmediate)
      if (!collection.includes('.grants.')) return
      if (method === 'delete') living.delete(key)
      else if (method !== 'get') living.add(key)
    }
    const { site: own, client: known } = await start({ proxy: { store } })
    const browser = own.browser()
    const callback = await comeBack(browser, own, known)
    const cookie = cookieHeader(browser, own.url)
    const answers = await Promise.all(
      Array.from({ length: 20 }, () => fetch(callback, { headers: { cookie }, redirect: 'manual' })),
    )
    const [first, ...more] = answers.filter(({ status }) => status === 302)
    expect(first?.headers.get('location')).toContain('?code=')
    expect(more).toEqual([])
    const others = answers.filter((answer) => answer !== first)
    for (const other of others)
      expect(await other.text()).toMatch(/<code>400 (?:already_decided|expired)<\/code>/)
    expect([asked(own), granted(own), living.size]).toEqual([1, 1, 1])
  })
})

describe('P1 what comes back without a state of ours says nothing', () => {
  test.each([
    ['no state', undefined],
    ['an empty one', ''],
    ['one that nobody made', 'A'.repeat(24)],
    ['another spelling', (state: string) => `${state.toLowerCase()}=`],
    ['one with a space', (state: string) => `${state} `],
    ['a part of one', (state: string) => state.slice(0, 23)],
    ['the name of a member of every object', '__proto__'],
    ['a path', '../trips/a'],
    ['a pattern', '*'],
    ['a NUL', '\0'],
    ['a very long one', 'A'.repeat(8000)],
  ])('P1 %s is a page, nobody is asked, and the trip goes on', async (_, made) => {
    const browser = site.browser()
    const callback = await comeBack(browser, site, client)
    const state = callback.searchParams.get('state') ?? ''
    const odd = new URL(callback)
    if (made === undefined) odd.searchParams.delete('state')
    else odd.searchParams.set('state', typeof made === 'string' ? made : made(state))
    const [calls, grants] = [asked(site), granted()]
    const response = await browser.request(odd)
    expect(response.headers.getSetCookie()).toEqual([])
    await expectMessage(response, 400, 'expired')
    expect([asked(site), granted()]).toEqual([calls, grants])
    await expectLetIn(browser, callback)
  })

  test('P1 the handle of the question is no state', async () => {
    const browser = site.browser()
    const turn = await begin(browser, site, client)
    const departure = departureIn(await post(browser, turn, allow), site)
    const callback = await signInThere(browser, site, departure)
    callback.searchParams.set('state', turn.form.fields['transaction'] ?? '')
    await expectMessage(await browser.request(callback), 400, 'expired')
  })

  test('P1 ten minutes after somebody left it is too late', async () => {
    const clock = testClock()
    const store = new MemoryStore({ deps: clock })
    const { site: own, client: known } = await start({ proxy: { deps: clock, store } })
    const browser = own.browser()
    const intime = await depart(browser, own, known)
    const late = await depart(browser, own, known)
    const [first, second] = [await signInThere(browser, own, intime), await signInThere(browser, own, late)]
    // ID tokens are judged by the clock too, so that it is not moved far while one is on its way.
    clock.advance(599)
    await expectLetIn(browser, first)
    expect(asked(own)).toBe(1)
    clock.advance(2)
    await expectMessage(await browser.request(second), 400, 'expired')
    expect([asked(own), granted(own)]).toEqual([1, 1])
  })
})

describe('P2 an error does not come around the checks, and repeats are refused', () => {
  const refusal = { error: 'access_denied', error_description: 'no' }

  /** The way back with other parameters: undefined leaves one out. */
  function altered(callback: URL, more: Record<string, string | undefined>): URL {
    const url = new URL(callback)
    for (const [name, value] of Object.entries(more)) {
      if (value === undefined) url.searchParams.delete(name)
      else url.searchParams.set(name, value)
    }
    return url
  }

  test.each([
    ['without a state', { ...refusal, code: undefined, state: undefined }, 400, 'expired'],
    ['with another state', { ...refusal, code: undefined, state: 'B'.repeat(24) }, 400, 'expired'],
    [
      'with the state and no issuer',
      { ...refusal, code: undefined, iss: undefined },
      400,
      'malformed_request',
    ],
    [
      'of another issuer',
      { ...refusal, code: undefined, iss: 'https://evil.example' },
      400,
      'malformed_request',
    ],
    ['of the same issuer with a slash', { iss: 'SLASH' }, 400, 'malformed_request'],
  ])('P2 an error %s is a page, and the trip goes on', async (_, more, status, message) => {
    const browser = site.browser()
    const callback = await comeBack(browser, site, client)
    const [calls, grants] = [asked(site), granted()]
    const iss = 'iss' in more && more.iss === 'SLASH' ? { iss: `${site.idp.issuer}/` } : {}
    const response = await browser.request(altered(callback, { ...more, ...iss }))
    await expectMessage(response, status, message)
    expect([asked(site), granted()]).toEqual([calls, grants])
    await expectLetIn(browser, callback)
  })

  test('P2 an error with the state in another browser is 403, and the trip goes on', async () => {
    const browser = site.browser()
    const callback = await comeBack(browser, site, client)
    const error = altered(callback, { ...refusal, code: undefined })
    await expectMessage(await site.browser().request(error), 403, 'other_browser')
    await expectLetIn(browser, callback)
  })

  test.each([
    ['no code', { code: undefined }],
    ['an empty code', { code: '' }],
    ['no issuer', { iss: undefined }],
    ['another issuer', { iss: 'https://evil.example' }],
    ['an issuer in other letters', { iss: 'UPPER' }],
    ['a token in the query', { code: undefined, access_token: 'a', token_type: 'Bearer' }],
    ['a response object', { code: undefined, response: 'ey.ey.a' }],
    ['an ID token beside the code', { id_token: 'ey.ey.a' }],
  ])('P2 P3 an answer with %s is no answer to us, and the trip goes on', async (_, more) => {
    const browser = site.browser()
    const callback = await comeBack(browser, site, client)
    const [calls, grants] = [asked(site), granted()]
    const upper = 'iss' in more && more.iss === 'UPPER' ? { iss: site.idp.issuer.toUpperCase() } : {}
    await expectMessage(
      await browser.request(altered(callback, { ...more, ...upper })),
      400,
      'malformed_request',
    )
    expect([asked(site), granted()]).toEqual([calls, grants])
    await expectLetIn(browser, callback)
  })

  test.each(['state', 'code', 'iss', 'error', 'anything'])(
    'P2 a repeated %s is a page, and the trip goes on',
    async (name) => {
      const browser = site.browser()
      const callback = await comeBack(browser, site, client)
      const [calls, grants] = [asked(site), granted()]
      const again = callback.searchParams.get(name) ?? 'access_denied'
      for (const values of [
        [again, again],
        ['evil', again],
        [again, ''],
      ]) {
        const url = altered(callback, { [name]: undefined })
        for (const value of values) url.searchParams.append(name, value)
        await expectMessage(await browser.request(url), 400, 'malformed_request')
      }
      expect([asked(site), granted()]).toEqual([calls, grants])
      await expectLetIn(browser, callback)
    },
  )

  test.each(['state[]', 'state[0]', 'code[]', 'iss[x]', 'error[__proto__]'])(
    'P2 %s is a name like any other',
    async (name) => {
      const browser = site.browser()
      const callback = await comeBack(browser, site, client)
      const plain = name.replace(/\[.*/, '')
      const url = altered(callback, { [plain]: undefined, [name]: callback.searchParams.get(plain) ?? 'x' })
      const calls = asked(site)
      const response = await browser.request(url)
      // An error that is none of ours is nothing at all: the code beside it counts.
      expect(response.status).toBe(plain === 'error' ? 302 : 400)
      expect(asked(site)).toBe(plain === 'error' ? calls + 1 : calls)
      expect(({} as Json)['x']).toBeUndefined()
    },
  )

  test.each(['%', 'state=%ff%fe', '&'.repeat(3) + 'a=b&'.repeat(60), 'state=%C0%80'])(
    'P2 the query %j is a page',
    async (query) => {
      const response = await site.browser().request(`${site.callbackUrl}?${query}`)
      await expectMessage(response, 400, 'malformed_request')
    },
  )

  test('P2 a very long code ends at the identity provider, and the client is told', async () => {
    const browser = site.browser()
    const callback = await comeBack(browser, site, client)
    const grants = granted()
    const response = await browser.request(altered(callback, { code: 'A'.repeat(6000) }))
    expectError(response, site, 'server_error')
    expect(response.headers.get('location')?.length).toBeLessThan(1000)
    expect(granted()).toBe(grants)
    await expectMessage(await browser.request(callback), 400, 'expired')
  })

  test('P2 what is longer than a header may be is refused before anybody looks', async () => {
    const response = await site.browser().request(`${site.callbackUrl}?state=${'A'.repeat(20_000)}`)
    expect(response.status).toBe(431)
  })

  test.each(['POST', 'PUT', 'DELETE', 'PATCH'])(
    'P2 %s to the callback is 405, and the trip goes on',
    async (method) => {
      const browser = site.browser()
      const callback = await comeBack(browser, site, client)
      const [calls, handled] = [asked(site), site.handled()]
      const headers = { cookie: cookieHeader(browser, site.url) }
      const body = new URLSearchParams(callback.searchParams)
      for (const url of [callback, site.callbackUrl]) {
        const sent: RequestInit = { method, headers, body, redirect: 'manual' }
        const response = await fetch(url, sent)
        expect([response.status, response.headers.get('allow'), response.headers.get('location')]).toEqual([
          405,
          'GET, HEAD, OPTIONS',
          null,
        ])
        expect(response.headers.getSetCookie()).toEqual([])
      }
      expect([asked(site), site.handled()]).toEqual([calls, handled])
      await expectLetIn(browser, callback)
    },
  )

  test('P2 with the right state an error is believed, and told in our words', async () => {
    const browser = site.browser()
    const departure = await depart(browser, site, client)
    const callback = await signInAt(browser, departure, 'ada', {
      destination: site.callbackUrl,
      consent: false,
    })
    expect(callback.searchParams.get('error')).toBe('access_denied')
    const description = expectError(await browser.request(callback), site, 'access_denied')
    expect(description).not.toContain('the person said no')
    await expectMessage(await browser.request(callback), 400, 'expired')
  })
})

describe('P3 what one identity provider gave is nothing at another', () => {
  /** The same app, at the same address and with the same store, that was moved to another identity provider. */
  async function startMoved(): Promise<{ from: ProxySite; to: ProxySite; asking: Registered }> {
    const { site: from, client: asking } = await start()
    const { site: to } = await start({
      idp: { clientId: 'mcp-proxy-at-b', clientSecret: 'the secret at the other one' },
      provider: (common) => new OIDCProxy({ ...common, baseUrl: from.baseUrl, store: from.store }),
    })
    return { from, to, asking }
  }

  test('P3 the state of one is unknown at the other, and neither is asked', async () => {
    const { from, to, asking } = await startMoved()
    const browser = from.browser()
    const callback = await comeBack(browser, from, asking)
    const there = callback.href.replace(from.url, to.url)
    const headers = { cookie: cookieHeader(browser, from.url) }
    await expectMessage(await fetch(there, { headers, redirect: 'manual' }), 400, 'expired')
    const claimed = new URL(there)
    claimed.searchParams.set('iss', to.idp.issuer)
    await expectMessage(await fetch(claimed, { headers, redirect: 'manual' }), 400, 'expired')
    expect([asked(from), asked(to), granted(to)]).toEqual([0, 0, 0])
    await expectLetIn(browser, callback)
  })

  test('P3 nor are tokens and questions of one known at the other', async () => {
    const { from, to, asking } = await startMoved()
    const { access_token: access, refresh_token: refresh } = await from.signIn(asking, {
      scope: 'openid offline_access',
    })
    const refused = await to.call(access)
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([
      401,
      expect.stringMatching(/^Bearer error="invalid_token"/),
    ])
    const form = { grant_type: 'refresh_token', client_id: asking.client_id, refresh_token: refresh }
    expect(await to.post('/token', form)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
    expect(await from.post('/token', form)).toMatchObject({ status: 200 })
    expect(asked(to)).toBe(0)
    const browser = from.browser()
    const turn = await begin(browser, from, asking)
    const headers = { cookie: cookieHeader(browser, from.url) }
    const page = turn.url.href.replace(from.url, to.url)
    await expectMessage(await fetch(page, { headers, redirect: 'manual' }), 400, 'expired')
  })

  test('P3 two proxies on one host and one store have cookies, callbacks and records of their own', async () => {
    const { site: a, client: atA } = await start()
    const { site: b, client: atB } = await start({ proxy: { store: a.store } })
    expect(a.callbackUrl).not.toBe(b.callbackUrl)
    const browser = new Browser()
    const callback = await comeBack(browser, a, atA)
    await comeBack(browser, b, atB)
    // A browser does not tell ports apart.
    const headers = { cookie: `${cookieHeader(browser, a.url)}; ${cookieHeader(browser, b.url)}` }
    const there = callback.href.replace(a.url, b.url)
    await expectMessage(await fetch(there, { headers, redirect: 'manual' }), 400, 'expired')
    expect([asked(a), asked(b)]).toEqual([0, 0])
    const back = await fetch(callback, { headers, redirect: 'manual' })
    expect(back.headers.get('location')).toContain('?code=')
  })

  test('P9 the same subject and the same address at another identity provider are somebody else', async () => {
    const { from, to, asking } = await startMoved()
    await from.signIn(asking)
    const browser = new Browser()
    // Served beside: what is written into pages leads to where the app was before.
    const go = async (url: string): Promise<Response> => browser.request(url.replace(from.baseUrl, to.url))
    const left = await go(`${to.url}/sign-in`)
    const departure = departureIn(left, to)
    to.idp.redirectUri = from.callbackUrl
    const callback = await signInAt(browser, departure, 'ada', { destination: from.callbackUrl })
    expect((await go(callback.href)).status).toBe(302)
    const page = await go(`${to.url}/connections`)
    expect(page.status).toBe(200)
    expect(await page.text()).toContain('No app is connected')
  })
})

describe('P4, PX-09 who signed in is believed of a good ID token alone', () => {
  const forger = createKey('RS256', 'key-of-the-test')
  const stranger = createKey('RS256', 'key-of-the-test')
  const other = createKey('ES256', 'key-of-a-stranger')
  type Forge = (claims: Json, site: ProxySite) => string | undefined
  let forge: Forge | undefined
  let own: ProxySite
  let known: Registered
  const sign = (claims: Json, header: Json = {}, key = forger): string =>
    signParts({ alg: key.alg, kid: key.kid, ...header }, claims, key)

  beforeAll(async () => {
    const fetchForged = changing((url, json) => {
      if (url === own.idp.jwksUri) return { keys: [forger.jwk] }
      if (url !== own.idp.tokenEndpoint || typeof json['id_token'] !== 'string') return json
      const [, payload = ''] = json['id_token'].split('.')
      const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Json
      return { ...json, id_token: forge?.(claims, own) }
    })
    ;({ site: own, client: known } = await start({ proxy: { deps: { fetch: fetchForged } } }))
  })

  test('P4 one that is as it should be is believed', async () => {
    forge = (claims) => sign(claims)
    const browser = own.browser()
    await expectLetIn(browser, await comeBack(browser, own, known))
  })

  const without = (claims: Json, name: string): Json =>
    Object.fromEntries(Object.entries(claims).filter(([known_]) => known_ !== name))
  const MUTATIONS: [string, Forge][] = [
    ['no ID token', () => undefined],
    ['the nonce of somebody else', (claims) => sign({ ...claims, nonce: 'A'.repeat(24) })],
    ['no nonce', (claims) => sign(without(claims, 'nonce'))],
    ['another audience', (claims) => sign({ ...claims, aud: 'another-app' })],
    ['no audience', (claims) => sign(without(claims, 'aud'))],
    ['more audiences and nobody named', (claims) => sign({ ...claims, aud: [claims['aud'], 'another-app'] })],
    [
      'more audiences and another one named',
      (claims) => sign({ ...claims, aud: [claims['aud'], 'b'], azp: 'b' }),
    ],
    ['another party', (claims) => sign({ ...claims, azp: 'another-app' })],
    ['another issuer', (claims) => sign({ ...claims, iss: 'https://evil.example' })],
    ['the issuer with a slash', (claims) => sign({ ...claims, iss: `${String(claims['iss'])}/` })],
    ['an end that is past', (claims) => sign({ ...claims, exp: Math.floor(Date.now() / 1000) - 1 })],
    ['no end', (claims) => sign(without(claims, 'exp'))],
    ['a beginning to come', (claims) => sign({ ...claims, nbf: Math.floor(Date.now() / 1000) + 3600 })],
    ['no time', (claims) => sign(without(claims, 'iat'))],
    ['no subject', (claims) => sign(without(claims, 'sub'))],
    ['a subject that is no text', (claims) => sign({ ...claims, sub: { a: 1 } })],
    ['another access token’s digest', (claims) => sign({ ...claims, at_hash: 'A'.repeat(22) })],
    ['no signature', (claims) => `${encode({ alg: 'none' })}.${encode(claims)}.`],
    ['the signature of another key of that name', (claims) => sign(claims, {}, stranger)],
    ['the signature of a key in its header', (claims) => sign(claims, { jwk: other.jwk }, other)],
    ['a MAC by the client secret', (claims, at) => macOf(claims, at.idp.clientSecret)],
    ['claims that were changed', (claims) => swapClaims(sign(claims), { ...claims, sub: 'idp|grace' })],
    ['the type of an access token', (claims) => sign(claims, { typ: 'at+jwt' })],
  ]

  test.each(MUTATIONS)(
    'P4 with %s the client is told access_denied, and nothing is granted',
    async (_, make) => {
      forge = make
      const browser = own.browser()
      const callback = await comeBack(browser, own, known)
      const [calls, grants] = [asked(own), granted(own)]
      const description = expectError(await browser.request(callback), own, 'access_denied')
      expect(description).toBe('The identity provider did not let the user in')
      expect([asked(own), granted(own)]).toEqual([calls + 1, grants])
      await expectMessage(await browser.request(callback), 400, 'expired')
    },
  )

  function macOf(claims: Json, secret: string): string {
    const input = `${encode({ alg: 'HS256', kid: forger.kid })}.${encode(claims)}`
    return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
  }

  function swapClaims(token: string, claims: Json): string {
    const [header, , signature] = token.split('.')
    return [header, encode(claims), signature].join('.')
  }
})

describe('P5 tokens of the identity provider that were not issued to this app', () => {
  test('P5 P6 PX-08 an upstream token is no token here, though it is this app’s own', async () => {
    const seen: string[] = []
    const { site: own, client: known } = await start({
      idp: { accessTokens: 'jwt' },
      proxy: {
        verifyIdToken: false,
        deps: {
          fetch: changing((_url, json) => {
            for (const name of ['access_token', 'id_token', 'refresh_token'])
              if (typeof json[name] === 'string') seen.push(json[name])
            return json
          }),
        },
      },
    })
    await own.signIn(known, { scope: 'openid offline_access' })
    expect(seen.length).toBeGreaterThanOrEqual(2)
    const handled = own.handled()
    for (const token of seen) {
      const response = await own.call(token)
      const { status, headers, body } = await answerOf(response)
      expect([status, headers.get('www-authenticate'), body]).toEqual([
        401,
        expect.stringMatching(/^Bearer error="invalid_token".*resource_metadata="/),
        expect.objectContaining({ error: 'invalid_token' }),
      ])
    }
    expect(own.handled()).toBe(handled)
  })

  test('P5 an access token for another app, slipped into the answer, lets nobody in', async () => {
    const { site: own, client: known } = await start({
      idp: { accessTokens: 'jwt', defaultAudience: 'https://other-app.example' },
      proxy: { verifyIdToken: false, forwardResource: false },
      provider: (common, idp) => {
        const { verifyIdToken: _, ...rest } = common
        return new OIDCProxy({
          ...rest,
          tokenVerifier: new JWTVerifier({
            jwksUri: idp.jwksUri,
            issuer: idp.issuer,
            audience: 'https://this-app.example',
            dangerouslyAllowInsecureHttp: true,
          }),
        })
      },
    })
    const browser = own.browser()
    const callback = await comeBack(browser, own, known)
    expectError(await browser.request(callback), own, 'access_denied')
    expect([asked(own), granted(own)]).toEqual([1, 0])
  })

  test('P5 an opaque one that was issued to another app lets nobody in', async () => {
    const { site: own, client: known } = await start({
      provider: ({ configUrl: _c, clientId, clientSecret, verifyIdToken: _v, ...rest }, idp) =>
        new OAuthProxy({
          ...rest,
          upstreamAuthorizationEndpoint: idp.authorizationEndpoint,
          upstreamTokenEndpoint: idp.tokenEndpoint,
          upstreamIssuer: idp.issuer,
          upstreamClientId: clientId,
          ...(clientSecret !== undefined && { upstreamClientSecret: clientSecret }),
          requiredScopes: ['openid'],
          tokenVerifier: new IntrospectionTokenVerifier({
            introspectionUrl: idp.introspectionEndpoint,
            clientId,
            clientSecret: clientSecret ?? '',
            issuer: idp.issuer,
            audience: 'https://this-app.example',
            dangerouslyAllowInsecureHttp: true,
          }),
        }),
    })
    const browser = own.browser()
    const callback = await comeBack(browser, own, known)
    expectError(await browser.request(callback), own, 'access_denied')
    expect([asked(own), asked(own, '/introspect'), granted(own)]).toEqual([1, 1, 0])
  })
})

describe('P6, P8, PX-08 nothing of the identity provider’s reaches anybody', () => {
  test('P6 PX-08 no upstream token, code, secret, verifier or nonce in any answer, event, record or printed token of a whole flow', async () => {
    const upstream = new Map<string, string>()
    const store = new WrittenStore()
    const printed: string[] = []
    const { site: own, client: known } = await start({
      proxy: {
        store,
        deps: {
          fetch: changing((_url, json) => {
            for (const name of ['access_token', 'id_token', 'refresh_token'])
              if (typeof json[name] === 'string') upstream.set(`${name} ${upstream.size}`, json[name])
            return json
          }),
        },
      },
      extend: (app) => {
        app.use((request, _response, next) => {
          const token = getAccessToken(request)
          const { auth } = request as unknown as { auth?: unknown }
          const shown = { showHidden: true, depth: 8 }
          printed.push(JSON.stringify([token, auth]), inspect([token, auth], shown))
          next()
        })
      },
    })
    const browser = new WatchfulBrowser(own.url)
    const { verifier, challenge } = pkce()
    const callback = await comeBack(browser, own, known, {
      code_challenge: challenge,
      scope: 'openid offline_access',
    })
    upstream.set('the code', callback.searchParams.get('code') ?? '')
    const code = await expectLetIn(browser, callback)
    const answers: unknown[] = []
    const exchanged = await redeem(own, known, code, verifier)
    const first = exchanged.body as Tokens
    const renewal = { grant_type: 'refresh_token', client_id: known.client_id }
    const renewed = await own.post('/token', { ...renewal, refresh_token: first.refresh_token })
    const second = renewed.body as Tokens
    for (const answer of [exchanged, renewed]) answers.push([...answer.headers], answer.body)
    const called = await own.call(second.access_token)
    expect(called.status).toBe(200)
    answers.push([...called.headers], await called.text())
    // What goes wrong must not say more.
    const failing = await comeBack(browser, own, known)
    upstream.set('a code of a failure', failing.searchParams.get('code') ?? '')
    own.idp.failWith('token', 500)
    expect((await browser.request(failing)).status).toBe(503)
    const unavailable = await own.post('/token', { ...renewal, refresh_token: second.refresh_token })
    expect(unavailable.status).toBe(503)
    own.idp.failWith('token', undefined)
    failing.searchParams.set('code', 'A'.repeat(43))
    await browser.request(failing)
    await connectionsOf(browser, own)
    const revoked = await own.post('/revoke', { token: second.access_token, client_id: known.client_id })
    expect(revoked.status).toBe(200)
    answers.push([...unavailable.headers], unavailable.body, [...revoked.headers], revoked.body)

    const verifiers = own.idp.requests
      .map(({ form }) => form?.['code_verifier'])
      .filter((theirs) => theirs !== undefined)
    expect(verifiers.length).toBeGreaterThanOrEqual(2)
    for (const [index, theirs] of verifiers.entries()) upstream.set(`a verifier ${index}`, theirs)
    upstream.set('the client secret', own.idp.clientSecret)
    upstream.set('the client secret as it is sent', encodeURIComponent(own.idp.clientSecret))
    expect([...upstream.keys()].filter((name) => name.startsWith('refresh_token')).length).toBeGreaterThan(0)
    const found = (text: string): string[] =>
      [...upstream].filter(([, secret]) => text.includes(secret)).map(([name]) => name)
    expect(browser.answers.length).toBeGreaterThan(8)
    expect(found(browser.answers.join('\n'))).toEqual([])
    expect(found(JSON.stringify(answers))).toEqual([])
    expect(found(JSON.stringify(own.events))).toEqual([])
    expect(found(store.written.join('\n'))).toEqual([])
    expect(printed).toEqual([expect.stringContaining('idp|ada'), expect.stringContaining('idp|ada')])
    expect(found(printed.join('\n'))).toEqual([])
    const payload = Buffer.from(second.access_token.split('.')[1] ?? '', 'base64url').toString()
    expect(found(payload)).toEqual([])
    // The nonce stands in the URL that the browser is sent to, and nowhere else.
    const nonces = own.idp.requests.flatMap(({ query }) => query['nonce'] ?? [])
    expect(nonces.length).toBeGreaterThan(0)
    const kept = [
      JSON.stringify(answers),
      JSON.stringify(own.events),
      store.written.join('\n'),
      printed.join('\n'),
    ]
    expect(nonces.filter((nonce) => kept.some((text) => text.includes(nonce)))).toEqual([])
  })

  test('P6 PX-08 our tokens are for us alone: our issuer, our resource, nothing of the identity provider’s', async () => {
    const { access_token: token } = await site.signIn(client, { scope: 'openid' })
    const payload = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Json
    expect(payload).toMatchObject({
      iss: site.baseUrl,
      aud: `${site.baseUrl}/mcp`,
      client_id: client.client_id,
      sub: 'idp|ada',
      scope: 'openid',
    })
    expect(Object.keys(payload).toSorted()).toEqual(
      ['aud', 'client_id', 'exp', 'iat', 'iss', 'jti', 'scope', 'sub'].toSorted(),
    )
  })

  test('PX-08 no token of a client is ever sent to the identity provider', async () => {
    const { site: own, client: known } = await start()
    const { access_token: access, refresh_token: refresh } = await own.signIn(known, {
      scope: 'openid offline_access',
    })
    const renewal = { grant_type: 'refresh_token', client_id: known.client_id, refresh_token: refresh }
    const renewed = (await own.post('/token', renewal)).body as Tokens
    await own.call(renewed.access_token)
    await own.post('/revoke', { token: renewed.refresh_token, client_id: known.client_id })
    expect(asked(own, '/revoke')).toBeGreaterThan(0)
    const there = JSON.stringify(own.idp.requests)
    for (const ours of [access, refresh, renewed.access_token, renewed.refresh_token])
      expect(there.includes(ours)).toBe(false)
    expect(there).not.toContain(known.client_id)
  })

  test('P8 PX-09 state, verifier and nonce are randoms of their own, and neither verifier nor a client’s challenge goes by URL', async () => {
    const { site: own, client: known } = await start()
    const { verifier, challenge } = pkce()
    const browser = own.browser()
    const departure = await depart(browser, own, known, { code_challenge: challenge })
    const { searchParams } = departure
    const callback = await signInThere(browser, own, departure)
    const code = await expectLetIn(browser, callback)
    expect(await redeem(own, known, code, verifier)).toMatchObject({ status: 200 })
    const theirs = own.idp.requests.find(({ path }) => path === '/token')?.form?.['code_verifier'] ?? ''
    expect(theirs).toMatch(/^[\w.~-]{43,128}$/)
    expect(searchParams.get('code_challenge_method')).toBe('S256')
    expect(searchParams.get('code_challenge')).toBe(createHash('sha256').update(theirs).digest('base64url'))
    expect(searchParams.get('code_challenge')).not.toBe(challenge)
    const randoms = [theirs, searchParams.get('state') ?? '', searchParams.get('nonce') ?? '', verifier]
    for (const one of randoms)
      for (const other of randoms) if (one !== other) expect(one.includes(other)).toBe(false)
    expect(new Set(randoms).size).toBe(4)
    const urls = [
      departure.href,
      callback.href,
      ...own.idp.requests.map(({ query }) => JSON.stringify(query)),
    ]
    expect(urls.filter((url) => url.includes(theirs) || url.includes(verifier))).toEqual([])
  })
})

describe('P7 what was granted counts, and not what was asked', () => {
  test('P7 fewer scopes at the identity provider are fewer here, in the answer, the token and at the handler', async () => {
    const { site: own, client: known } = await start({
      proxy: { scopesSupported: ['profile', 'email'], forwardResource: false },
    })
    own.idp.grantedScopes = ['openid', 'email']
    const answer = await tokensFor(own.browser(), own, known, { scope: 'openid profile email' })
    expect(answer.body).toMatchObject({ scope: 'openid email' })
    const { access_token: token } = answer.body as Tokens
    expect(await (await own.call(token)).json()).toMatchObject({ scopes: ['openid', 'email'] })
  })

  test('P7 more than was agreed to here is not taken', async () => {
    const { site: own, client: known } = await start({
      idp: { scopes: ['admin'] },
      proxy: {
        scopesSupported: ['profile'],
        deps: {
          fetch: changing((_url, json) =>
            'scope' in json ? { ...json, scope: 'openid profile admin' } : json,
          ),
        },
      },
    })
    const browser = own.browser()
    const turn = await begin(browser, own, known, { scope: 'openid profile' })
    const { 'scope-1': _left, ...less } = turn.form.fields
    const departure = departureIn(await browser.request(turn.form.action, { ...less, ...allow }), own)
    expect(departure.searchParams.get('scope')).toBe('openid')
    const response = await browser.request(await signInThere(browser, own, departure))
    expect(response.status).toBe(302)
    expect(own.events.findLast(({ type }) => type === 'authorization.granted')).toMatchObject({
      scopes: ['openid'],
    })
  })
})

describe('P9 people are told apart by issuer and subject', () => {
  test('P9 two people with one address are two people, and a changed address changes nobody', async () => {
    const { site: own, client: known } = await start({
      idp: {
        accounts: {
          ada: { sub: 'one', email: 'shared@example.com', email_verified: true },
          grace: { sub: 'two', email: 'shared@example.com', email_verified: true },
        },
      },
      proxy: { scopesSupported: ['email'] },
    })
    const subjectOf = async (login: string): Promise<unknown> => {
      const { access_token: token } = await own.signIn(known, { scope: 'openid email' }, login)
      return ((await (await own.call(token)).json()) as Json)['subject']
    }
    expect([await subjectOf('ada'), await subjectOf('grace')]).toEqual(['one', 'two'])
    own.idp.accounts.set('ada', { sub: 'one', email: 'ada@new.example.com' })
    own.idp.endSessions()
    expect(await subjectOf('ada')).toBe('one')
    const grace = await connectionsOf(own.browser(), own, 'grace')
    expect(grace.html.match(/name="client"/g)).toHaveLength(1)
  })
})

describe('PX-05 our own callback is nobody’s redirect URI', () => {
  async function register(uris: readonly string[]): Promise<ReturnType<typeof answerOf>> {
    return answerOf(
      await fetch(`${site.url}/register`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ redirect_uris: uris, token_endpoint_auth_method: 'none' }),
      }),
    )
  }

  test.each([
    ['as it is', (callback: string) => callback],
    ['with a query', (callback: string) => `${callback}?a=b`],
    ['by a detour', (callback: string) => callback.replace('/auth/', '/auth/x/../')],
    ['by an encoded detour', (callback: string) => callback.replace('/auth/', '/auth/x/%2e%2e/')],
  ])('PX-05 %s it cannot be registered', async (_, spell) => {
    const { status, headers, body } = await register([spell(site.callbackUrl)])
    expect([status, body, headers.get('cache-control')]).toEqual([
      400,
      { error: 'invalid_redirect_uri', error_description: expect.any(String) },
      'no-store',
    ])
  })

  test('PX-05 nor can it be with a slash at its end, where it is served as well', async () => {
    expect((await register([`${site.callbackUrl}/`])).status).toBe(400)
  })

  test('PX-05 what would come in there is no answer to us: no trip has that state', async () => {
    const browser = site.browser()
    const { code, params } = await site.authorize(client)
    const calls = asked(site)
    const state = params.get('state') ?? ''
    const query = new URLSearchParams({ code, state, iss: site.baseUrl }).toString()
    for (const path of ['', '/'])
      await expectMessage(await browser.request(`${site.callbackUrl}${path}?${query}`), 400, 'expired')
    expect(asked(site)).toBe(calls)
  })

  test('PX-05 beside a good one it is left out', async () => {
    const { status, body } = await register([WEB, site.callbackUrl])
    expect(status).toBe(201)
    expect(body).toMatchObject({ redirect_uris: [WEB] })
  })

  test('PX-05 the rule that lets ports differ on loopback does not lead there', async () => {
    const elsewhere = site.callbackUrl.replace(/:\d+\//, ':1/')
    const { status, body } = await register([elsewhere])
    expect(status).toBe(201)
    const browser = site.browser()
    const url = beginning(site, body as Registered, { redirect_uri: site.callbackUrl })
    const response = await browser.request(url)
    expect(response.headers.getSetCookie()).toEqual([])
    await expectMessage(response, 400, 'redirect_uri_mismatch')
  })

  test('PX-05 nor may the document of a client name it', async () => {
    const web = closing(await startStrangeHost())
    const { site: own } = await start({ proxy: { deps: { network: web.network } } })
    web.answer = documentAnswer({
      client_id: DOCUMENT_ID,
      client_name: 'Document client',
      redirect_uris: [own.callbackUrl, WEB],
      token_endpoint_auth_method: 'none',
    })
    const asking = { client_id: DOCUMENT_ID }
    const refused = await own.browser().request(beginning(own, asking, { redirect_uri: own.callbackUrl }))
    await expectMessage(refused, 400, 'redirect_uri_mismatch')
    const other = await own.browser().request(beginning(own, asking, { redirect_uri: WEB }))
    expect(other.headers.get('location')).toMatch(/\/consent\?transaction=/)
  })

  test('PX-05 an address that a client no longer has when somebody comes back gets nothing', async () => {
    const clock = testClock()
    const web = closing(await startStrangeHost())
    const describe_ = (uri: string): Json => ({
      client_id: DOCUMENT_ID,
      client_name: 'Document client',
      redirect_uris: [uri],
      token_endpoint_auth_method: 'none',
    })
    web.answer = documentAnswer(describe_(WEB), { 'cache-control': 'no-store' })
    const store = new MemoryStore({ deps: clock })
    const { site: own } = await start({ proxy: { store, deps: { ...clock, network: web.network } } })
    const browser = own.browser()
    const asking = { client_id: DOCUMENT_ID }
    const callback = await comeBack(browser, own, asking, { redirect_uri: WEB })
    web.answer = documentAnswer(describe_('https://moved.example/cb'), { 'cache-control': 'no-store' })
    clock.advance(61)
    await expectMessage(await browser.request(callback), 400, 'redirect_uri_mismatch')
    expect([asked(own), granted(own)]).toEqual([0, 0])
  })

  test('PX-05 A2 a URI is compared letter by letter before anybody is asked anything', async () => {
    const registered = await site.register({ redirect_uris: [WEB] })
    const spellings = [
      `${WEB}/`, `${WEB}?`, `${WEB}#`, `${WEB}?a=b`, `${WEB}%20`, ` ${WEB}`, `${WEB}\t`, WEB.toUpperCase(), WEB.replace('https', 'HTTPS'), WEB.replace('https', 'http'),
      WEB.replace('app.example.com', 'APP.example.com'), WEB.replace('app.example.com', 'app.example.com:443'), WEB.replace('app.example.com', 'app.example.com.'),
      WEB.replace('https://', 'https://user@'), WEB.replace('app.example.com', 'app.example.com@evil.example'), WEB.replace('app.example.com', 'app.example.com.evil.example'),
      WEB.replace('/cb', '/./cb'), WEB.replace('/cb', '/x/../cb'), WEB.replace('/cb', '/%63b'), WEB.replace('/cb', '//cb'), WEB.replace('/cb', '\\cb'), WEB.replace('://', ':/'), WEB.replace('https:', ''),
      WEB.replace('.com', '.com%00'), WEB.replace('app', 'аpp'), WEB.replace('/cb', '/cb;a=b'), `${WEB}\n`, 'https:a', '', 'javascript:alert(1)', REDIRECT_URI,
    ] // prettier-ignore
    const there = site.idp.requests.length
    for (const spelling of spellings) {
      const response = await site.browser().request(beginning(site, registered, { redirect_uri: spelling }))
      expect([spelling, response.status, response.headers.get('location')]).toEqual([spelling, 400, null])
      expect(await response.text()).toMatch(/<code>400 (?:redirect_uri_mismatch|malformed_request)<\/code>/)
    }
    expect(site.idp.requests.length).toBe(there)
  })

  test('PX-05 A5 what operators allow is matched by parts, and not as text', async () => {
    const { site: own } = await start({
      proxy: { allowedClientRedirectUris: ['https://*.example.com/cb', 'http://127.0.0.1:*/callback'] },
    })
    for (const uri of [
      'https://a.example.com.evil/cb', 'https://evil.example/a.example.com/cb', 'https://evil.example/?.example.com/cb', 'https://a.example.com@evil.example/cb', 'https://example.com/cb',
      'https://evil.example%2f.example.com/cb', 'https://a.example.com/cb/x', 'https://a.example.com/cb?x', 'https://a.example.com/cb/../x', 'https://a.example.com/cb/%2e%2e/x', 'http://a.example.com/cb', 'http://127.0.0.1:80@evil.example/callback',
      'http://127.0.0.1.evil.example:80/callback',
    ]) {
      const body = JSON.stringify({ redirect_uris: [uri], token_endpoint_auth_method: 'none' })
      const headers = { 'content-type': 'application/json' }
      const answer = await answerOf(await fetch(`${own.url}/register`, { method: 'POST', headers, body }))
      expect([uri, answer.status, answer.body]).toEqual([
        uri,
        400,
        { error: 'invalid_redirect_uri', error_description: expect.any(String) },
      ])
    } // prettier-ignore
    const fine = await own.register({ redirect_uris: ['https://a.example.com/cb'] })
    await begin(own.browser(), own, fine, { redirect_uri: 'https://a.example.com/cb' })
  })
})

describe('PX-09 the identity provider is who it was configured to be', () => {
  test('PX-09 a document of another issuer lets nobody leave, and tells no secret', async () => {
    const { site: own, client: known } = await start({
      proxy: {
        deps: {
          fetch: changing((url, json) =>
            url.endsWith('/.well-known/openid-configuration')
              ? { ...json, issuer: 'https://evil.example' }
              : json,
          ),
        },
      },
    })
    const browser = own.browser()
    const response = await post(browser, await begin(browser, own, known), allow)
    expect(response.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
    expect(response.headers.getSetCookie()).toEqual([])
    await expectMessage(response, 503, 'unavailable')
    expect([asked(own, '/authorize'), asked(own)]).toEqual([0, 0])
  })

  test('PX-09 a redirect of the token endpoint is not followed, and the code goes nowhere else', async () => {
    const { site: own, client: known } = await start()
    const browser = own.browser()
    const callback = await comeBack(browser, own, known)
    own.idp.failWith('token', 307)
    await expectMessage(await browser.request(callback), 503, 'unavailable')
    expect(asked(own, '/elsewhere')).toBe(0)
    own.idp.failWith('token', undefined)
    await expectLetIn(browser, callback)
  })

  test('PX-09 plain http is for this machine', () => {
    const options = { clientId: 'a', clientSecret: 'b', baseUrl: 'https://api.example.com', secret: SECRET }
    const configUrl = 'http://idp.example.com/.well-known/openid-configuration'
    expect(() => new OIDCProxy({ ...options, configUrl, store: new MemoryStore() })).toThrow(ConfigError)
  })
})

// Requests made by chance, FUZZ_PROXY_RUNS of them, the same for a seed.
const RUNS = Number(process.env['FUZZ_PROXY_RUNS'] ?? 5000)
const BATCH = 500

test(
  'X9 U2 P1 P2 requests of any kind on the way through are answered, and lead nowhere but here, there and to the client',
  async () => {
    const { site: own, client: known } = await start()
    const live = async (): Promise<ReadonlyMap<string, string>> => {
      const browser = own.browser()
      const asking = await begin(browser, own, known)
      const callback = await comeBack(browser, own, known)
      return new Map([
        ['STATE', callback.searchParams.get('state') ?? ''],
        ['CODE', callback.searchParams.get('code') ?? ''],
        ['ISS', own.idp.issuer],
        ['TRANSACTION', asking.form.fields['transaction'] ?? ''],
        ['CSRF', asking.form.fields['csrf'] ?? ''],
        ['COOKIES', cookieHeader(browser, own.url)],
      ])
    }
    const value = fc.oneof(
      fc.constantFrom(
        'STATE', 'STATE', 'CODE', 'CODE', 'ISS', 'ISS', 'TRANSACTION', 'CSRF', 'allow', 'deny', 'on', '', ' ', '\0', '\r\nX-A: b', '__proto__', 'constructor', '[object Object]',
        '<script>alert(1)</script>', '../../etc/passwd', '%', 'access_denied', 'server_error', 'invalid_target', 'login_required', 'https://evil.example', 'a'.repeat(3000), '\uFFFD', '\u{1F4A5}', 'ey.ey.a',
      ),
      fc.string({ unit: 'binary', maxLength: 20 }),
    ) // prettier-ignore
    const name = fc.oneof(
      { arbitrary: fc.constantFrom('state', 'code', 'iss', 'error', 'error_description', 'transaction', 'csrf', 'decision', 'scope-0'), weight: 8 },
      fc.constantFrom('state[]', 'code[0]', 'iss[__proto__]', '__proto__', 'constructor', 'id_token', 'access_token', 'response', 'error_uri', 'user', '', 'ü'),
    ) // prettier-ignore
    const ordinary = fc.constantFrom<[string, string][]>(
      [['state', 'STATE'], ['code', 'CODE'], ['iss', 'ISS']],
      [['state', 'STATE'], ['error', 'access_denied'], ['iss', 'ISS']],
      [['transaction', 'TRANSACTION'], ['csrf', 'CSRF'], ['decision', 'allow']],
      [],
    ) // prettier-ignore
    const request = fc.record({
      method: fc.constantFrom('GET', 'GET', 'GET', 'POST', 'POST', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'),
      path: fc.constantFrom('/auth/callback', '/auth/callback', '/auth/callback/', '/consent', '/consent', '/sign-in', '/AUTH/callback', '/auth//callback'),
      pairs: fc.tuple(ordinary, fc.array(fc.tuple(name, value), { maxLength: 4 }), fc.nat(3)),
      cookies: fc.constantFrom('COOKIES', 'COOKIES', 'COOKIES; COOKIES', '', 'a=b', 'mcp-trip-=; ;;=', '__proto__=x'),
      site: fc.constantFrom('', 'same-origin', 'cross-site', 'none', 'x'),
      raw: fc.constantFrom('', '', '', '&%', '&a=%ff%fe', '&&==', `&${'a=b&'.repeat(60)}`),
    }) // prettier-ignore
    const requests = fc.sample(request, { seed: 20_261_121, numRuns: RUNS })
    const statuses = new Map<string, number>()
    for (let from = 0; from < requests.length; from += BATCH) {
      const pieces = await live()
      const fill = (text: string): string =>
        text.replaceAll(/STATE|CODE|ISS|TRANSACTION|CSRF|COOKIES/g, (piece) => pieces.get(piece) ?? '')
      const batch = requests
        .slice(from, from + BATCH)
        .map(({ method, path, pairs, cookies, site: sent, raw }) => {
          const [usual, more, dropped] = pairs
          const kept = usual.filter((_, index) => index !== dropped)
          const all = [...kept, ...more].map(([key, text]): [string, string] => [key, fill(text)])
          const text = (new URLSearchParams(all).toString() + raw).slice(0, 9000)
          const hasBody = method === 'POST' || method === 'PUT'
          const lines = [
            `${method} ${path}${hasBody ? '' : `?${text}`} HTTP/1.1`,
            'Host: a',
            ...(cookies === '' ? [] : [`Cookie: ${fill(cookies)}`]),
            ...(sent === '' ? [] : [`Sec-Fetch-Site: ${sent}`]),
            ...(hasBody
              ? ['Content-Type: application/x-www-form-urlencoded', `Content-Length: ${text.length}`]
              : []),
          ]
          return [...lines, '', hasBody ? text : ''].join('\r\n')
        })
      const answers = await pipeline(own.url, batch)
      expect(answers).toHaveLength(batch.length)
      const wrong = answers.flatMap(({ status, headers }, index) => {
        const line = batch[index]?.split('\r\n', 1)[0] ?? ''
        const key = `${/^\w+ [^? ]+/.exec(line)?.[0]} ${status}`
        statuses.set(key, (statuses.get(key) ?? 0) + 1)
        const location = headers.get('location')
        const known_ = [own.url, own.idp.authorizationEndpoint, REDIRECT_URI]
        const isKnown = location === null || known_.some((place) => location.startsWith(place))
        return status < 500 && isKnown ? [] : [{ status, location, request: batch[index] }]
      })
      expect(wrong).toEqual([])
    }
    expect(own.events.filter(({ type }) => type === 'request.failed')).toEqual([])
    // Requests made by chance get nowhere unless they are nearly right: these were.
    const reached = ['GET /auth/callback 302', 'GET /auth/callback 400', 'GET /auth/callback 403', 'POST /auth/callback 405', 'POST /consent 303', 'POST /consent 403', 'GET /sign-in 302', 'POST /sign-in 405'] // prettier-ignore
    if (RUNS >= 5000) expect(reached.filter((key) => !statuses.has(key))).toEqual([])
    expect(await tokensFor(own.browser(), own, known)).toMatchObject({ status: 200 })
  },
  60_000 + RUNS * 10,
)

// Attacks on the pages where people sign in and decide: threat rows U2 to U9.
import { beforeAll, describe, expect, test } from '@jest/globals'
import type { Store } from 'express-mcp-auth'
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import {
  type AuthorizationSite,
  REDIRECT_URI,
  type Registered,
  pkce,
} from '../support/authorization-server.js'
import { type Browser, formOf } from '../support/browser-session.js'
import {
  allow,
  begin,
  beginning,
  codeIn,
  deny,
  expectMessage,
  onwardFrom,
  post,
  toConsent,
  WEB,
  visits,
} from '../support/visit.js'

const start = visits()

let site: AuthorizationSite
let client: Registered
beforeAll(async () => {
  ;({ site, client } = await start())
})

function granted(): number {
  return site.events.filter(({ type }) => type === 'authorization.granted').length
}

describe('U2 what began in one browser does not go on in another', () => {
  test('U2 the link to the consent page is of no use to somebody else', async () => {
    const attacker = site.browser()
    const theirs = await toConsent(attacker, site, client)
    const victim = site.browser()
    await toConsent(victim, site, client, {}, 'bob')
    await expectMessage(await victim.request(theirs.url), 403, 'other_browser')
    await expectMessage(await post(victim, theirs, allow), 403, 'other_browser')
  })

  test('U2 nor is it without any cookie', async () => {
    const theirs = await toConsent(site.browser(), site, client)
    const stranger = site.browser()
    const from = granted()
    await expectMessage(await stranger.request(theirs.url), 403, 'other_browser')
    await expectMessage(await post(stranger, theirs, allow), 403, 'other_browser')
    expect(granted()).toBe(from)
    expect(stranger.cookies(site.url).size).toBe(0)
  })

  test('U2 nor is the link to the sign-in page', async () => {
    const theirs = await begin(site.browser(), site, client)
    const victim = site.browser()
    await expectMessage(await victim.request(theirs.url), 403, 'other_browser')
    expect(victim.cookies(site.url).size).toBe(0)
  })

  test('U2 a transaction that nobody began is over', async () => {
    const browser = site.browser()
    await toConsent(browser, site, client)
    for (const query of ['', '?transaction=', '?transaction=..%2f..', `?transaction=${'A'.repeat(24)}`]) {
      await expectMessage(await browser.request(`${site.url}/consent${query}`), 400, 'expired')
    }
    await expectMessage(
      await browser.request(`${site.url}/consent?transaction=a&transaction=b`),
      400,
      'expired',
    )
  })
})

describe('U3 a decision comes from our own page', () => {
  test.each([
    ['no code', { csrf: '' }, {}],
    ['a made-up code', { csrf: 'A'.repeat(68) }, {}],
    ['a code with another nonce', { csrf: `${'A'.repeat(24)}.${'B'.repeat(43)}` }, {}],
    ['another origin', {}, { origin: 'https://evil.example' }],
    ['another port of this host', {}, { origin: 'http://127.0.0.1:1' }],
    ['another site, as the browser says', {}, { 'sec-fetch-site': 'cross-site' }],
    ['a neighbour, as the browser says', {}, { 'sec-fetch-site': 'same-site' }],
    ['nowhere, as the browser says', {}, { 'sec-fetch-site': 'none' }],
  ])('U3 with %s it is 403, and still open', async (_, fields, headers) => {
    const browser = site.browser()
    const turn = await toConsent(browser, site, client)
    const from = granted()
    await expectMessage(await post(browser, turn, { ...allow, ...fields }, headers), 403, 'forged')
    expect(granted()).toBe(from)
    expect((await post(browser, turn, allow)).status).toBe(303)
  })

  test.each([
    ['our own origin', () => ({ origin: site.url, 'sec-fetch-site': 'same-origin' })],
    [
      'an origin that the browser keeps back, as our pages ask it to',
      () => ({ origin: 'null', 'sec-fetch-site': 'same-origin' }),
    ],
  ])('U3 from %s it is taken', async (_, headers) => {
    const browser = site.browser()
    expect((await post(browser, await toConsent(browser, site, client), allow, headers())).status).toBe(303)
  })

  test('U3 the code of one page is of no use on another', async () => {
    const browser = site.browser()
    const one = await toConsent(browser, site, client)
    const other = await toConsent(browser, site, client)
    const swapped = { ...allow, csrf: one.form.fields['csrf'] ?? '' }
    await expectMessage(await post(browser, other, swapped), 403, 'forged')
    const connections = await browser.go(`${site.url}/connections`, REDIRECT_URI)
    expect(connections.status).toBe(200)
    const { csrf = '' } = formOf(connections).fields
    await expectMessage(await post(browser, other, { ...allow, csrf }), 403, 'forged')
  })

  test('U3 the code of one browser is of no use in another', async () => {
    const browser = site.browser()
    const turn = await toConsent(browser, site, client)
    const other = await toConsent(site.browser(), site, client)
    const { csrf = '' } = other.form.fields
    await expectMessage(await post(browser, turn, { ...allow, csrf }), 403, 'forged')
  })

  test('U3 nobody is signed in by somebody else', async () => {
    const attacker = await begin(site.browser(), site, client)
    const victim = site.browser()
    const own = await begin(victim, site, client)
    const typed = { username: 'ada', password: 'ada!' }
    const { csrf = '' } = attacker.form.fields
    await expectMessage(await post(victim, own, { ...typed, csrf }), 403, 'forged')
    await expectMessage(await post(victim, own, typed, { origin: 'https://evil.example' }), 403, 'forged')
    await expectMessage(await post(victim, own, typed, { 'sec-fetch-site': 'cross-site' }), 403, 'forged')
    expect([...victim.cookies(site.url).keys()]).toEqual([expect.stringMatching(/^mcp-browser-/)])
  })

  test('U3 a form from a browser without cookies checks no password, and shows the page again', async () => {
    const turn = await begin(site.browser(), site, client)
    const from = site.events.length
    const response = await post(site.browser(), turn, { username: 'ada', password: 'ada!' })
    expect(response.status).toBe(400)
    expect(await response.text()).toContain('This page was open for too long')
    expect(response.headers.getSetCookie().join()).not.toContain('session')
    expect(site.events.slice(from)).toEqual([])
  })

  test('U3 nobody is signed out by somebody else', async () => {
    const browser = site.browser()
    await toConsent(browser, site, client)
    await expectMessage(await browser.request(`${site.url}/sign-out`, {}), 403, 'forged')
    await expectMessage(await browser.request(`${site.url}/sign-out`, { csrf: 'a.b' }), 403, 'forged')
    expect((await browser.request(`${site.url}/sign-out`)).status).toBe(405)
    expect((await browser.request(`${site.url}/connections`)).status).toBe(200)
  })

  test('U3 nothing is disconnected by somebody else', async () => {
    const browser = site.browser()
    await toConsent(browser, site, client)
    const form = { client: client.client_id }
    await expectMessage(await browser.request(`${site.url}/connections`, form), 403, 'forged')
    await expectMessage(
      await browser.request(`${site.url}/connections`, { ...form, csrf: 'a.b' }),
      403,
      'forged',
    )
    const { fields } = formOf(await browser.go(`${site.url}/connections`, REDIRECT_URI))
    const foreign = { origin: 'https://evil.example' }
    await expectMessage(
      await browser.request(`${site.url}/connections`, { ...form, csrf: fields['csrf'] ?? '' }, foreign),
      403,
      'forged',
    )
  })

  test('U3 two tabs both work, in any order', async () => {
    const browser = site.browser()
    const first = await begin(browser, site, client, { state: 'one' })
    const second = await begin(browser, site, client, { state: 'two' })
    const typed = { username: 'ada', password: 'ada!' }
    const secondConsent = await browser.go(second.form.action, REDIRECT_URI, {
      ...second.form.fields,
      ...typed,
    })
    const firstConsent = await browser.go(first.form.action, REDIRECT_URI, { ...first.form.fields, ...typed })
    const answers = [
      await post(browser, { form: formOf(firstConsent) }, allow),
      await post(browser, { form: formOf(secondConsent) }, allow),
    ]
    expect(answers.map(({ status }) => status)).toEqual([303, 303])
    expect(
      answers.map((answer) => new URL(answer.headers.get('location') ?? '').searchParams.get('state')),
    ).toEqual(['one', 'two'])
  })
})

describe('U4, U7 every page is in nobody’s frame, runs nothing, and is kept by nobody', () => {
  /** One of each kind, and each refusal. */
  async function everyPage(): Promise<[string, Response][]> {
    const browser = site.browser()
    const turn = await toConsent(browser, site, client)
    const spent = await toConsent(browser, site, client)
    await post(browser, spent, allow)
    const get = (path: string): Promise<Response> => browser.request(site.url + path)
    return [
      ['sign-in', await get('/sign-in')],
      ['consent', await browser.request(turn.url)],
      ['connections', await get('/connections')],
      ['unknown client', await get('/authorize?client_id=a')],
      ['malformed', await get('/authorize?client_id=%')],
      ['expired', await get('/consent')],
      ['other browser', await site.browser().request(turn.url)],
      ['forged', await browser.request(`${site.url}/sign-out`, {})],
      ['already decided', await browser.request(spent.url)],
      ['no decision', await post(browser, turn)],
    ]
  }

  test('U4, U7', async () => {
    for (const [name, response] of await everyPage()) {
      const header = (of: string): string | null => response.headers.get(of)
      expect([name, header('x-frame-options')]).toEqual([name, 'DENY'])
      expect([name, header('cache-control')]).toEqual([name, 'no-store'])
      expect([name, header('referrer-policy')]).toEqual([name, 'no-referrer'])
      expect([name, header('x-content-type-options')]).toEqual([name, 'nosniff'])
      expect([name, header('content-type')]).toEqual([name, 'text/html; charset=utf-8'])
      const policy = header('content-security-policy') ?? ''
      expect([name, policy.replace(/'sha256-[^']+'/, 'HASH')]).toEqual([
        name,
        "default-src 'none'; style-src HASH; frame-ancestors 'none'; base-uri 'none'",
      ])
      expect(policy).not.toContain('form-action')
      expect(await response.text()).not.toMatch(/<script|\son\w+=/i)
    }
  })

  test('U7 what a stranger writes is text', async () => {
    const name = '<script>alert(1)</script>'
    const odd = await site.register({ client_name: name })
    const browser = site.browser()
    const turn = await toConsent(browser, site, odd, { state: name, scope: name })
    expect(turn.html).toContain('&#60;script&#62;alert(1)')
    const failed = await begin(site.browser(), site, odd)
    const again = await post(browser, failed, {})
    expect(await again.text()).not.toContain('<script')
    const revoked = await browser.go(
      `${site.url}/connections?revoked=${encodeURIComponent(name)}`,
      REDIRECT_URI,
    )
    expect(revoked.html).not.toContain('script')
  })

  test('U7 a typed user name comes back as text, a password never', async () => {
    const browser = site.browser()
    const turn = await begin(browser, site, client)
    const response = await post(browser, turn, { username: '"><script>', password: 'a secret of mine' })
    const html = await response.text()
    expect(response.status).toBe(400)
    expect(html).toContain('value="&#34;&#62;&#60;script&#62;"')
    expect(html).not.toContain('a secret of mine')
  })
})

describe('U5 cookies', () => {
  test('U5 are only for us, and only for this site', async () => {
    const browser = site.browser()
    const first = await browser.request(beginning(site, client))
    const turn = await toConsent(browser, site, client)
    const again = await begin(site.browser(), site, client)
    expect(first.headers.getSetCookie()).toEqual([
      expect.stringMatching(
        /^mcp-browser-[0-9a-f]{8}=[\w-]{24}\.[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax$/,
      ),
    ])
    expect(turn.headers.getSetCookie()).toEqual([])
    expect(again.headers.getSetCookie()).toEqual([])
  })

  test('U5 on https they are of this very host, and never sent in the clear', async () => {
    const { site: secure } = await start({ baseUrl: 'https://auth.example.com' })
    const registered = await secure.register()
    const browser = secure.browser()
    /** What a proxy would do that takes https away. */
    const go = async (url: string, form?: Record<string, string>, headers?: Record<string, string>) => {
      const response = await browser.request(
        url.replace('https://auth.example.com', secure.url),
        form,
        headers,
      )
      return { response, location: response.headers.get('location') ?? '', html: await response.text() }
    }
    const begun = await go(`/authorize${beginning(secure, registered).search}`.replace(/^/, secure.url))
    expect(begun.location).toMatch(/^https:\/\/auth\.example\.com\/sign-in\?transaction=/)
    expect(begun.response.headers.getSetCookie()).toEqual([
      expect.stringMatching(
        /^__Host-mcp-browser-[0-9a-f]{8}=[\w-]{24}\.[\w-]{43}; Path=\/; HttpOnly; SameSite=Lax; Secure$/,
      ),
    ])
    const signInPage = await go(begun.location)
    const own = { origin: 'https://auth.example.com', 'sec-fetch-site': 'same-origin' }
    const fields = { ...formOf({ html: signInPage.html, url: new URL(begun.location) }).fields }
    const typed = { ...fields, username: 'ada', password: 'ada!' }
    expect(
      (await go('https://auth.example.com/sign-in', typed, { origin: secure.url })).response.status,
    ).toBe(403)
    const signedIn = await go('https://auth.example.com/sign-in', typed, own)
    expect(signedIn.response.headers.getSetCookie()).toEqual([
      expect.stringMatching(
        /^__Host-mcp-session-[0-9a-f]{8}=[\w-]{24}; Path=\/; HttpOnly; SameSite=Lax; Secure; Max-Age=43200$/,
      ),
    ])
    const consent = await go(signedIn.location)
    const form = formOf({ html: consent.html, url: new URL(signedIn.location) })
    const decided = await go(form.action.href, { ...form.fields, ...allow }, own)
    expect(decided.location).toMatch(
      /^http:\/\/127\.0\.0\.1:33418\/callback\?code=.*iss=https%3A%2F%2Fauth\.example\.com$/,
    )
  })

  test.each([
    ['changed', (value: string) => `${value.slice(0, -1)}${value.endsWith('A') ? 'B' : 'A'}`],
    ['of another ID', (value: string) => `${'A'.repeat(24)}.${value.slice(25)}`],
    ['without its code', (value: string) => value.slice(0, 24)],
    ['empty', () => ''],
    ['long', (value: string) => value + 'A'.repeat(3000)],
  ])('U5 one that is %s is as good as none', async (_, change) => {
    const browser = site.browser()
    const turn = await toConsent(browser, site, client)
    const [name, value] = [...browser.cookies(site.url)].find(([known]) =>
      known.startsWith('mcp-browser'),
    ) ?? ['', '']
    browser.plant(site.url, name, change(value))
    await expectMessage(await post(browser, turn, allow), 403, 'other_browser')
    const renewed = await browser.request(beginning(site, client))
    expect(renewed.headers.getSetCookie()).toHaveLength(1)
  })

  test('U5 one that comes twice was planted, and neither is taken', async () => {
    const browser = site.browser()
    const turn = await toConsent(browser, site, client)
    const attacker = site.browser()
    await begin(attacker, site, client)
    const [[name, planted] = ['', '']] = attacker.cookies(site.url)
    const own = [...browser.cookies(site.url)].map(([known, value]) => `${known}=${value}`).join('; ')
    const cookie = `${name}=${planted}; ${own}`
    const response = await fetch(turn.url, { headers: { cookie }, redirect: 'manual' })
    await expectMessage(response, 403, 'other_browser')
  })

  test('U5 a session that somebody made up is none', async () => {
    const browser = site.browser()
    const turn = await toConsent(browser, site, client)
    const name = [...browser.cookies(site.url).keys()].find((known) => known.startsWith('mcp-session')) ?? ''
    browser.plant(site.url, name, 'A'.repeat(24))
    const response = await browser.request(turn.url)
    expect(response.status).toBe(302)
    expect(response.headers.get('location')).toMatch(/\/sign-in\?transaction=/)
  })

  test('U5 a session that was there before is not the one after signing in, and is over', async () => {
    const attacker = site.browser()
    await toConsent(attacker, site, client, {}, 'mallory')
    const planted = [...attacker.cookies(site.url)].find(([known]) => known.startsWith('mcp-session')) ?? [
      '',
      '',
    ]
    const victim = site.browser()
    victim.plant(site.url, ...planted)
    const turn = await begin(victim, site, client, { prompt: 'login' })
    await post(victim, turn, { username: 'bob', password: 'bob!' })
    expect(victim.cookies(site.url).get(planted[0])).toMatch(/^[\w-]{24}$/)
    expect(victim.cookies(site.url).get(planted[0])).not.toBe(planted[1])
    const reused = await attacker.request(`${site.url}/connections`)
    expect(reused.headers.get('location')).toBe(`${site.url}/sign-in`)
  })

  test('U5 a hundred sign-ins leave less than 4 KB of them', async () => {
    const browser = site.browser()
    for (let round = 0; round < 100; round++) await begin(browser, site, client)
    await toConsent(browser, site, client)
    const text = [...browser.cookies(site.url)].map(([name, value]) => `${name}=${value}`).join('; ')
    expect(text.length).toBeLessThan(4096)
    expect(browser.cookies(site.url).size).toBe(2)
  })

  test('U5 servers on other paths of a host do not overwrite each other’s', async () => {
    const { site: other } = await start({ path: '/other' })
    const names = async (of: AuthorizationSite): Promise<string[]> => {
      const browser = of.browser()
      await browser.request(beginning(of, { client_id: 'a' }))
      await browser.request(`${of.issuer}/sign-in`)
      return [...browser.cookies(of.url).keys()]
    }
    const [one, two] = [await names(site), await names(other)]
    expect([one.length, two.length]).toEqual([1, 1])
    expect(one).not.toEqual(two)
  })
})

describe('U6 a decision is remembered only where it is the same one, and somebody came by themselves', () => {
  const byThemselves = { 'sec-fetch-site': 'none' }
  let remembering: AuthorizationSite
  let known: Registered
  beforeAll(async () => {
    ;({ site: remembering, client: known } = await start({ consent: 'remember' }))
  })

  /** A browser in which somebody allowed notes:read. */
  async function experienced(username: string): Promise<Browser> {
    const browser = remembering.browser()
    const turn = await toConsent(browser, remembering, known, { scope: 'notes:read' }, username)
    expect((await post(browser, turn, allow)).status).toBe(303)
    return browser
  }

  const ask = (
    browser: Browser,
    more: Record<string, string>,
    headers: Record<string, string>,
  ): Promise<Response> => browser.request(beginning(remembering, known, more), undefined, headers)

  test('U6 the same again is answered at once', async () => {
    const browser = await experienced('ada')
    for (const site of ['none', 'same-origin']) {
      const response = await ask(browser, { scope: 'notes:read' }, { 'sec-fetch-site': site })
      expect(response.status).toBe(302)
      expect(codeIn(response)).toMatch(/^[\w-]{24}\./)
    }
  })

  test('U6 after signing in again too', async () => {
    await experienced('grace')
    const browser = remembering.browser()
    browser.headers = { 'sec-fetch-site': 'same-origin' }
    const turn = await begin(browser, remembering, known, { scope: 'notes:read' })
    const back = await browser.go(turn.form.action, REDIRECT_URI, {
      ...turn.form.fields,
      username: 'grace',
      password: 'grace!',
    })
    expect(back.url.searchParams.get('code')).toMatch(/^[\w-]{24}\./)
  })

  test.each([
    ['another site sent the browser', {}, { 'sec-fetch-site': 'cross-site' }],
    ['a neighbour sent the browser', {}, { 'sec-fetch-site': 'same-site' }],
    ['the browser does not say', {}, {}],
    ['there are more scopes', { scope: 'notes:read notes:write' }, byThemselves],
    ['the address is another', { redirect_uri: WEB }, byThemselves],
    ['the port is another', { redirect_uri: 'http://127.0.0.1:1/callback' }, byThemselves],
    ['the client wants it', { prompt: 'consent' }, byThemselves],
  ])('U6 where %s, somebody is asked', async (_, more, headers) => {
    const browser = await experienced('bob')
    const response = await ask(browser, { scope: 'notes:read', ...more }, headers)
    expect(response.headers.get('location')).toMatch(/\/consent\?transaction=/)
    const page = await browser.request(response.headers.get('location') ?? '', undefined, byThemselves)
    expect(page.status).toBe(200)
    expect(await page.text()).toContain('value="allow"')
  })

  test('U6 another client is asked for, and so is another user', async () => {
    const browser = await experienced('carol')
    const other = await remembering.register({ client_name: 'Another client' })
    const response = await browser.request(beginning(remembering, other), undefined, byThemselves)
    expect(response.headers.get('location')).toMatch(/\/consent\?/)
    const turn = await toConsent(remembering.browser(), remembering, known, { scope: 'notes:read' }, 'dave')
    expect(turn.html).toContain('value="allow"')
  })

  test('U6 a scope that was left out is asked for again', async () => {
    const browser = remembering.browser()
    const turn = await toConsent(browser, remembering, known, { scope: 'notes:read notes:write' }, 'erin')
    const { 'scope-1': _left, ...kept } = turn.form.fields
    await browser.request(turn.form.action, { ...kept, ...allow })
    const less = await ask(browser, { scope: 'notes:read' }, byThemselves)
    const same = await ask(browser, { scope: 'notes:read notes:write' }, byThemselves)
    expect(less.headers.get('location')).toMatch(/\?code=/)
    expect(same.headers.get('location')).toMatch(/\/consent\?/)
  })

  test('U6 a refusal is not remembered', async () => {
    const browser = remembering.browser()
    await post(browser, await toConsent(browser, remembering, known, {}, 'frank'), deny)
    const response = await ask(browser, {}, byThemselves)
    expect(response.headers.get('location')).toMatch(/\/consent\?/)
  })

  test('U6 whoever was disconnected has to ask again', async () => {
    const browser = await experienced('heidi')
    const page = await browser.go(`${remembering.url}/connections`, REDIRECT_URI)
    const { csrf = '' } = formOf(page).fields
    const response = await browser.request(`${remembering.url}/connections`, {
      csrf,
      client: known.client_id,
    })
    expect(response.status).toBe(303)
    const asked = await ask(browser, { scope: 'notes:read' }, byThemselves)
    expect(asked.headers.get('location')).toMatch(/\/consent\?/)
  })

  test('U6 where decisions are not remembered, everybody is asked every time', async () => {
    const browser = site.browser()
    await post(browser, await toConsent(browser, site, client), allow)
    const response = await browser.request(beginning(site, client), undefined, byThemselves)
    expect(response.headers.get('location')).toMatch(/\/consent\?/)
  })
})

describe('U8 the page names where the browser is sent', () => {
  test.each([
    [WEB, 'app.example.com'],
    ['https://xn--pple-43d.com:8443/cb', 'xn--pple-43d.com:8443'],
    [REDIRECT_URI, '127.0.0.1:33418'],
    ['com.example.app:/cb', 'com.example.app:'],
  ])('U8 %s', async (redirectUri, host) => {
    const own = await site.register({ redirect_uris: [redirectUri] })
    const turn = await toConsent(site.browser(), site, own, { redirect_uri: redirectUri })
    expect(turn.html).toContain(`<p class="host" dir="ltr">${host}</p>`)
    expect(turn.html.includes('Any program on this device can ask like this.')).toBe(
      redirectUri === REDIRECT_URI,
    )
  })

  test('U8 nobody vouches for the name of a client that registered itself', async () => {
    const turn = await toConsent(site.browser(), site, await site.register({ client_name: 'Claude' }))
    expect(turn.html).toContain('Unverified app')
  })
})

describe('U9 a question is answered once, by whom it was put to', () => {
  test('U9 an answer that was given is not given again', async () => {
    const browser = site.browser()
    const turn = await toConsent(browser, site, client)
    const from = granted()
    const first = await post(browser, turn, allow)
    const second = await post(browser, turn, allow)
    expect(first.status).toBe(303)
    const html = await expectMessage(second, 400, 'already_decided')
    expect(onwardFrom(html)).toBe(first.headers.get('location'))
    expect(granted()).toBe(from + 1)
  })

  test('U9 once the code was used, the same answer leads nowhere', async () => {
    const browser = site.browser()
    const { verifier, challenge } = pkce()
    const turn = await toConsent(browser, site, client, { code_challenge: challenge })
    const code = codeIn(await post(browser, turn, allow)) ?? ''
    const form = {
      grant_type: 'authorization_code',
      client_id: client.client_id,
      code,
      code_verifier: verifier,
    }
    const tokens = await site.post('/token', form)
    expect(tokens.status).toBe(200)
    const html = await expectMessage(await post(browser, turn, allow), 400, 'already_decided')
    expect(onwardFrom(html)).toBeUndefined()
    const { access_token: token } = tokens.body as { access_token: string }
    expect((await site.call(token)).status).toBe(200)
  })

  test('U9 once the code has expired, the same answer leads nowhere', async () => {
    const { site: own, client: asking } = await start()
    const browser = own.browser()
    const turn = await toConsent(browser, own, asking)
    await post(browser, turn, allow)
    own.clock.advance(61)
    const html = await expectMessage(await post(browser, turn, allow), 400, 'already_decided')
    expect(onwardFrom(html)).toBeUndefined()
  })

  test('U9 a refusal cannot be turned into a permission, nor back', async () => {
    for (const [first, second, named] of [
      [deny, allow, 'error=access_denied'],
      [allow, deny, 'code='],
    ] as const) {
      const browser = site.browser()
      const turn = await toConsent(browser, site, client)
      const from = granted()
      const answer = await post(browser, turn, first)
      expect(answer.headers.get('location')).toContain(named)
      const html = await expectMessage(await post(browser, turn, second), 400, 'already_decided')
      expect(onwardFrom(html)).toBeUndefined()
      expect(granted()).toBe(first === allow ? from + 1 : from)
    }
  })

  test('U9 a refusal that is sent twice still tells the client', async () => {
    const browser = site.browser()
    const turn = await toConsent(browser, site, client)
    const first = await post(browser, turn, deny)
    const html = await expectMessage(await post(browser, turn, deny), 400, 'already_decided')
    expect(onwardFrom(html)).toBe(first.headers.get('location'))
    const said = new URL(first.headers.get('location') ?? '').searchParams
    expect([said.getAll('error'), said.getAll('state'), said.getAll('iss')]).toEqual([
      ['access_denied'],
      ['a state'],
      [site.issuer],
    ])
  })

  test('U9 more than what was allowed cannot be had by answering again', async () => {
    const browser = site.browser()
    const turn = await toConsent(browser, site, client, { scope: 'notes:read notes:write' })
    const { 'scope-1': _left, ...less } = turn.form.fields
    await browser.request(turn.form.action, { ...less, ...allow })
    const html = await expectMessage(await post(browser, turn, allow), 400, 'already_decided')
    expect(onwardFrom(html)).toBeUndefined()
  })

  test('U9 the page is not shown again once it was answered', async () => {
    const browser = site.browser()
    const turn = await toConsent(browser, site, client)
    await post(browser, turn, allow)
    await expectMessage(await browser.request(turn.url), 400, 'already_decided')
  })

  test('U9 somebody who signed in beside the page does not answer for the first', async () => {
    const browser = site.browser()
    const turn = await toConsent(browser, site, client, {}, 'ada')
    site.clock.advance(1)
    await toConsent(browser, site, client, { prompt: 'login' }, 'bob')
    const from = granted()
    await expectMessage(await post(browser, turn, allow), 400, 'other_user')
    expect(granted()).toBe(from)
  })

  test('U9 an answer that is neither yes nor no is none', async () => {
    const browser = site.browser()
    const turn = await toConsent(browser, site, client)
    for (const decision of ['', 'yes', 'ALLOW']) {
      await expectMessage(await post(browser, turn, { decision }), 400, 'malformed_request')
    }
    const twice = new URLSearchParams([
      ...Object.entries({ ...turn.form.fields, ...deny }),
      ['decision', 'allow'],
    ])
    const cookie = [...browser.cookies(site.url)].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(turn.form.action, {
      method: 'POST',
      body: twice,
      headers: { cookie },
      redirect: 'manual',
    })
    await expectMessage(response, 400, 'malformed_request')
    expect((await post(browser, turn, allow)).status).toBe(303)
  })

  test('U9 a client that is not known any more gets no answer', async () => {
    const { site: own } = await start({ clientRegistration: { unusedSeconds: 60 } })
    const asking = await own.register({ client_name: 'Short-lived' })
    const browser = own.browser()
    const turn = await toConsent(browser, own, asking)
    own.clock.advance(61)
    await expectMessage(await post(browser, turn, allow), 400, 'unknown_client')
  })
})

describe('U9 a button that is pressed twice', () => {
  /** A store that counts what lives, and fails when it is told to. */
  interface Watched extends Store {
    /** Keys that live, by collection. */
    living(collection: string): number
    /** Calls before one that fails; undefined for none. */
    failAfter: number | undefined
  }

  function watch(inner: Store): Watched {
    const living = new Map<string, Set<string>>()
    const of = (name: string): Set<string> => {
      // Servers keep their records apart by a prefix.
      const collection = name.slice(name.lastIndexOf('.') + 1)
      const keys = living.get(collection) ?? new Set()
      living.set(collection, keys)
      return keys
    }
    const step = async (): Promise<void> => {
      // As over a network, other requests come in between.
      await new Promise(setImmediate)
      if (watched.failAfter === undefined) return
      if (watched.failAfter-- === 0) throw new Error('the store is gone')
    }
    const watched: Watched = {
      failAfter: undefined,
      living: (collection) => of(collection).size,
      async get(...call) {
        await step()
        return inner.get(...call)
      },
      async put(collection, key, entry) {
        await step()
        of(collection).add(key)
        return inner.put(collection, key, entry)
      },
      async putIfAbsent(...call) {
        await step()
        return inner.putIfAbsent(...call)
      },
      async compareAndSwap(...call) {
        await step()
        return inner.compareAndSwap(...call)
      },
      async delete(collection, key, version) {
        await step()
        of(collection).delete(key)
        return inner.delete(collection, key, version)
      },
    }
    return watched
  }

  test.each([
    ['Allow', allow, 1],
    ['Deny', deny, 0],
  ])(
    'U9 twenty times %s at once: one answer, every page leads to it, and one grant lives',
    async (_, decision, grants) => {
      const store = watch(new MemoryStore())
      const { site: own, client: asking } = await start({ store })
      const browser = own.browser()
      const turn = await toConsent(browser, own, asking)

      const answers = await Promise.all(Array.from({ length: 20 }, () => post(browser, turn, decision)))

      const [first, ...more] = answers.filter(({ status }) => status === 303)
      expect(more).toEqual([])
      const others = answers.filter((answer) => answer !== first)
      const pages = await Promise.all(others.map((answer) => expectMessage(answer, 400, 'already_decided')))
      expect(new Set(pages.map(onwardFrom))).toEqual(new Set([first?.headers.get('location')]))
      expect(store.living('grants')).toBe(grants)
    },
  )

  test('U9 Allow and Deny at once: one of them is the answer', async () => {
    const store = watch(new MemoryStore())
    const { site: own, client: asking } = await start({ store })
    const browser = own.browser()
    const turn = await toConsent(browser, own, asking)

    const answers = await Promise.all(
      [allow, deny, allow, deny].map((decision) => post(browser, turn, decision)),
    )

    const [first, ...more] = answers.filter(({ status }) => status === 303)
    expect(more).toEqual([])
    expect(store.living('grants')).toBe(first?.headers.get('location')?.includes('code=') === true ? 1 : 0)
  })

  test.each(['always', 'remember'] as const)(
    'U9 whatever step of a decision fails, pressing again reaches the client with a code that works (%s)',
    async (consent) => {
      const store = watch(new MemoryStore())
      const { site: own, client: asking } = await start({ store, consent })
      let failures = 0
      for (let step = 0; step < 20; step++) {
        const browser = own.browser()
        const { verifier, challenge } = pkce()
        const turn = await toConsent(browser, own, asking, { code_challenge: challenge, state: String(step) })
        store.failAfter = step
        const first = await post(browser, turn, allow)
        store.failAfter = undefined
        const again = await post(browser, turn, allow)
        const html = await again.text()
        if (first.status === 503) failures++
        else expect(first.status).toBe(303)
        const location = again.headers.get('location') ?? onwardFrom(html) ?? ''
        const code = new URL(location).searchParams.get('code') ?? ''
        const form = {
          grant_type: 'authorization_code',
          client_id: asking.client_id,
          code,
          code_verifier: verifier,
        }
        expect((await own.post('/token', form)).status).toBe(200)
      }
      expect(failures).toBeGreaterThan(5)
    },
  )
})

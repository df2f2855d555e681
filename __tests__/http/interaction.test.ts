// The pages where people sign in and decide: prompts, sessions, the app's own session, and what they say when something fails.
import { beforeAll, describe, expect, test } from '@jest/globals'
import type { OAuthProviderOptions, Page, Store } from 'express-mcp-auth'
import { testClock } from 'express-mcp-auth/testing'
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import {
  type AuthorizationSite,
  REDIRECT_URI,
  type Registered,
  signIn,
} from '../support/authorization-server.js'
import { formOf } from '../support/browser-session.js'
import {
  allow,
  begin,
  beginning,
  codeIn,
  expectMessage,
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

describe('a prompt that the client wants', () => {
  test('login: whoever is signed in signs in again, and the session of before does not do', async () => {
    const browser = site.browser()
    await toConsent(browser, site, client)
    site.clock.advance(1)
    const turn = await begin(browser, site, client, { prompt: 'login' })
    expect(turn.html).toContain('name="password"')
    const shortcut = await browser.request(`${site.url}/consent${turn.url.search}`)
    expect(shortcut.headers.get('location')).toBe(turn.url.href)
    const typed = { ...turn.form.fields, username: 'ada', password: 'ada!' }
    const consent = await browser.go(turn.form.action, REDIRECT_URI, typed)
    expect(consent.html).toContain('value="allow"')
  })

  test.each(['select_account', 'consent login'])('%s: somebody signs in', async (prompt) => {
    const browser = site.browser()
    await toConsent(browser, site, client)
    expect((await begin(browser, site, client, { prompt })).html).toContain('name="password"')
  })

  test.each([
    ['nobody is signed in', false, 'login_required'],
    ['nobody decided', true, 'consent_required'],
  ])('none, where %s: an error and no page', async (_, isSignedIn, error) => {
    const browser = site.browser()
    if (isSignedIn) await toConsent(browser, site, client)
    const response = await browser.request(beginning(site, client, { prompt: 'none' }))
    const said = new URL(response.headers.get('location') ?? '')
    expect(said.href.startsWith(`${REDIRECT_URI}?error=${error}&`)).toBe(true)
    expect([said.searchParams.getAll('state'), said.searchParams.getAll('iss')]).toEqual([
      ['a state'],
      [site.issuer],
    ])
  })

  test('none with anything else is an invalid request', async () => {
    const response = await site.browser().request(beginning(site, client, { prompt: 'none login' }))
    expect(response.headers.get('location')).toContain(`${REDIRECT_URI}?error=invalid_request&`)
  })

  test('none, where the decision is remembered: a code', async () => {
    const { site: own, client: asking } = await start({ consent: 'remember' })
    const browser = own.browser()
    await post(browser, await toConsent(browser, own, asking), allow)
    const headers = { 'sec-fetch-site': 'none' }
    expect(
      codeIn(await browser.request(beginning(own, asking, { prompt: 'none' }), undefined, headers)),
    ).toMatch(/\./)
    const elsewhere = await browser.request(beginning(own, asking, { prompt: 'none' }))
    expect(elsewhere.headers.get('location')).toContain('error=consent_required')
  })

  test('words that mean nothing here are passed over', async () => {
    expect((await begin(site.browser(), site, client, { prompt: 'create x' })).status).toBe(200)
  })
})

describe('consent: false', () => {
  test('answers configured clients at once, and asks for every other', async () => {
    const { site: own, client: asking } = await start({
      baseUrl: 'https://auth.example.com',
      consent: false,
      clients: [{ clientId: 'ours', redirectUris: [WEB] }],
    })
    const browser = own.browser()
    const page = formOf({
      html: await (await browser.request(`${own.url}/sign-in`)).text(),
      url: new URL(own.url),
    })
    const typed = { ...page.fields, username: 'ada', password: 'ada!' }
    await browser.request(`${own.url}/sign-in`, typed)
    const configured = await browser.request(beginning(own, { client_id: 'ours' }, { redirect_uri: WEB }))
    const registered = await browser.request(beginning(own, asking))
    const careful = await browser.request(
      beginning(own, { client_id: 'ours' }, { redirect_uri: WEB, prompt: 'consent' }),
    )
    expect(codeIn(configured)).toMatch(/^[\w-]{24}\./)
    expect(registered.headers.get('location')).toMatch(/\/consent\?/)
    expect(careful.headers.get('location')).toMatch(/\/consent\?/)
    expect(own.events).toContainEqual(expect.objectContaining({ type: 'danger', option: 'consent' }))
    expect(own.events).toContainEqual(
      expect.objectContaining({ type: 'authorization.granted', asked: false }),
    )
  })
})

describe('signing in and out', () => {
  const wrong: [string, Record<string, string>, string][] = [
    ['a wrong password', { username: 'ada', password: 'x' }, 'do not belong together'],
    ['an unknown user', { username: 'nobody', password: 'x' }, 'do not belong together'],
    ['no password', { username: 'ada' }, 'enter both'],
    ['nothing', {}, 'enter both'],
    [
      'a password that is too long',
      { username: 'ada', password: 'x'.repeat(1025) },
      'do not belong together',
    ],
    ['a user name that is too long', { username: 'x'.repeat(1025), password: 'x' }, 'do not belong together'],
  ]
  test.each(wrong)('%s is 400 and the page again, which still works', async (_, typed, words) => {
    const browser = site.browser()
    const turn = await begin(browser, site, client)
    const response = await post(browser, turn, typed)
    const html = await response.text()
    expect(response.status).toBe(400)
    expect(html).toContain(words)
    expect([...browser.cookies(site.url).keys()]).toEqual([expect.stringMatching(/^mcp-browser-/)])
    const again = formOf({ html, url: turn.url })
    const next = await browser.request(again.action, { ...again.fields, username: 'ada', password: 'ada!' })
    expect(next.headers.get('location')).toBe(`${site.url}/consent${turn.url.search}`)
  })

  test('an unknown user and a wrong password are answered alike', async () => {
    const answers: string[] = []
    for (const username of ['ada', 'nobody']) {
      const browser = site.browser()
      const response = await post(browser, await begin(browser, site, client), { username, password: 'x' })
      answers.push((await response.text()).replace(username, 'NAME').replaceAll(/value="[^"]*"/g, ''))
    }
    expect(answers[0]).toBe(answers[1])
  })

  test('signing in without a client leads to the connections', async () => {
    const browser = site.browser()
    const shown = await browser.go(`${site.url}/connections`, REDIRECT_URI)
    expect(shown.url.href).toBe(`${site.url}/sign-in`)
    const form = formOf(shown)
    const next = await browser.go(form.action, REDIRECT_URI, {
      ...form.fields,
      username: 'ada',
      password: 'ada!',
    })
    expect(next.url.href).toBe(`${site.url}/connections`)
    expect(next.html).toContain('Connected apps')
  })

  test('signing out ends the session, and what waits goes on with whoever signs in next', async () => {
    const browser = site.browser()
    const turn = await toConsent(browser, site, client, {}, 'ada')
    const session = new Map(browser.cookies(site.url))
    const { csrf = '', transaction = '' } = turn.form.fields
    const out = await browser.request(`${site.url}/sign-out`, { csrf, transaction })
    expect(out.status).toBe(303)
    expect(out.headers.get('location')).toBe(`${site.url}/sign-in${turn.url.search}`)
    expect(out.headers.getSetCookie()).toEqual([
      expect.stringMatching(/^mcp-session-[0-9a-f]{8}=; Path=\/; HttpOnly; SameSite=Lax; Max-Age=0$/),
    ])
    for (const [name, value] of session) browser.plant(site.url, name, value)
    expect((await browser.request(`${site.url}/connections`)).headers.get('location')).toBe(
      `${site.url}/sign-in`,
    )
    const next = await browser.go(turn.url, REDIRECT_URI)
    const form = formOf(next)
    const consent = await browser.go(form.action, REDIRECT_URI, {
      ...form.fields,
      username: 'bob',
      password: 'bob!',
    })
    expect(consent.html).toContain('<bdi>bob</bdi>')
  })

  test('a session ends by itself', async () => {
    const { site: own, client: asking } = await start({ sessionSeconds: 3600 })
    const browser = own.browser()
    await toConsent(browser, own, asking)
    own.clock.advance(3599)
    expect((await browser.request(`${own.url}/connections`)).status).toBe(200)
    own.clock.advance(1)
    expect((await browser.request(`${own.url}/connections`)).status).toBe(302)
  })

  test('what waits for ten minutes is over', async () => {
    const { site: own, client: asking } = await start()
    const browser = own.browser()
    const first = await begin(browser, own, asking)
    const turn = await toConsent(browser, own, asking)
    own.clock.advance(600)
    await expectMessage(await browser.request(turn.url), 400, 'expired')
    await expectMessage(await post(browser, turn, allow), 400, 'expired')
    await expectMessage(await browser.request(first.url), 400, 'expired')
    await expectMessage(await post(browser, first, { username: 'ada', password: 'ada!' }), 400, 'expired')
  })

  test('nobody connected is told so, and a link cannot claim that a client was disconnected', async () => {
    const tokens = await site.signIn(client, {}, 'judy')
    const browser = site.browser()
    await toConsent(browser, site, client, {}, 'judy')
    const link = `${site.url}/connections?revoked=${client.client_id}`
    const page = await browser.go(link, REDIRECT_URI)
    expect(page.html).toContain('<bdi>Test client</bdi>')
    expect(page.html).not.toContain('is disconnected')
    const { csrf = '' } = formOf(page).fields
    const done = await browser.go(`${site.url}/connections`, REDIRECT_URI, { csrf, client: client.client_id })
    expect(done.html).toContain('is disconnected')
    expect(done.html).toContain('No app is connected')
    expect((await site.call(tokens.access_token)).status).toBe(401)
    const missing = await browser.request(`${site.url}/connections`, { csrf })
    await expectMessage(missing, 400, 'malformed_request')
  })

  test('a client that was signed in to twice is one connection, with all that it may do, and ends as one', async () => {
    const first = await site.signIn(client, { scope: 'notes:read' }, 'mia')
    site.clock.advance(86_400)
    const second = await site.signIn(client, { scope: 'notes:write' }, 'mia')
    const browser = site.browser()
    await toConsent(browser, site, client, {}, 'mia')
    const page = await browser.go(`${site.url}/connections`, REDIRECT_URI)
    expect(page.html.match(/<li class="app">/g)).toHaveLength(1)
    expect(page.html).toMatch(/notes:write[^]*notes:read|notes:read[^]*notes:write/)
    const { csrf = '' } = formOf(page).fields
    await browser.request(`${site.url}/connections`, { csrf, client: client.client_id })
    const refresh = { grant_type: 'refresh_token', client_id: client.client_id }
    for (const { refresh_token: token } of [first, second]) {
      expect((await site.post('/token', { ...refresh, refresh_token: token })).status).toBe(400)
    }
  })

  test('somebody sees and disconnects only what is theirs', async () => {
    const tokens = await site.signIn(client, {}, 'kim')
    const browser = site.browser()
    await toConsent(browser, site, client, {}, 'lee')
    const page = await browser.go(`${site.url}/connections`, REDIRECT_URI)
    expect(page.html).toContain('No app is connected')
    const { csrf = '' } = formOf(page).fields
    await browser.request(`${site.url}/connections`, { csrf, client: client.client_id })
    expect((await site.call(tokens.access_token)).status).toBe(200)
  })
})

describe("the app's own session", () => {
  const own: OAuthProviderOptions['signIn'] = {
    currentUser: ({ headers: { cookie } }) => {
      const [, subject] = /app=(\w+)/.exec(String(cookie)) ?? []
      return subject === undefined ? null : { subject, name: subject, claims: { team: 'a', sub: 'evil' } }
    },
    loginUrl: (returnTo) => `/login?next=${encodeURIComponent(returnTo)}`,
  }

  test('people are sent to sign in there, and come back', async () => {
    const { site: app, client: asking } = await start({ signIn: own })
    const browser = app.browser()
    const begun = await browser.request(beginning(app, asking))
    const location = new URL(begun.headers.get('location') ?? '', app.url)
    const next = location.searchParams.get('next') ?? ''
    expect(location.pathname).toBe('/login')
    expect(next).toMatch(new RegExp(`^${app.url}/consent\\?transaction=[\\w-]{24}$`))
    browser.plant(app.url, 'app', 'ada')
    const shown = await browser.go(next, REDIRECT_URI)
    expect(shown.html).toContain('<bdi>ada</bdi>')
    expect(shown.html).not.toContain('Not you?')
    const back = await post(browser, { form: formOf(shown) }, allow)
    expect(codeIn(back)).toMatch(/^[\w-]{24}\./)
  })

  test('somebody who left meanwhile signs in first, and another one is not taken for them', async () => {
    const { site: app, client: asking } = await start({ signIn: own })
    const browser = app.browser()
    browser.plant(app.url, 'app', 'ada')
    const turn = await toConsent(browser, app, asking)
    browser.plant(app.url, 'app', '')
    const left = await post(browser, turn, allow)
    expect([left.status, left.headers.get('location')?.startsWith('/login?next=')]).toEqual([303, true])
    browser.plant(app.url, 'app', 'bob')
    await expectMessage(await post(browser, turn, allow), 400, 'other_user')
  })

  test('there is no sign-in page of ours, and the connections ask there too', async () => {
    const { site: app } = await start({ signIn: own })
    const browser = app.browser()
    const asked = await browser.request(`${app.url}/connections`)
    expect(asked.headers.get('location')).toBe(`/login?next=${encodeURIComponent(`${app.url}/connections`)}`)
    browser.plant(app.url, 'app', 'ada')
    const shown = await browser.request(`${app.url}/connections`)
    expect(shown.status).toBe(200)
    expect(await shown.text()).not.toContain('Sign out')
    for (const path of ['/sign-in', '/sign-out']) {
      expect((await browser.request(app.url + path)).status).toBe(401)
    }
  })

  test.each([
    ['currentUser rejects', { ...own, currentUser: () => Promise.reject(new Error('no database')) }],
    ['currentUser gives no user', { ...own, currentUser: () => ({ id: 1 }) as never }],
    [
      'loginUrl throws',
      {
        ...own,
        loginUrl: () => {
          throw new Error('no route')
        },
      },
    ],
    ['loginUrl gives a promise', { ...own, loginUrl: () => Promise.resolve('/login') as never }],
    ['loginUrl gives a header', { ...own, loginUrl: () => '/login\r\nX: y' }],
    ['loginUrl gives nothing', { ...own, loginUrl: () => undefined as never }],
  ])('where %s, the page says to come back', async (_, broken) => {
    const { site: app, client: asking } = await start({ signIn: broken })
    const response = await app.browser().request(beginning(app, asking))
    await expectMessage(response, 503, 'unavailable')
    expect(response.headers.get('retry-after')).toBe('5')
    expect(app.events).toContainEqual(expect.objectContaining({ type: 'request.failed', path: '/authorize' }))
  })
})

describe('where something of the server fails, a page says to come back', () => {
  const out = new Error('ECONNREFUSED 10.0.0.7:6379')
  let failing: AuthorizationSite
  let asking: Registered
  let isDown = false
  let broken: string | undefined
  const clock = testClock()

  beforeAll(async () => {
    const inner = new MemoryStore({ deps: clock })
    const guard =
      <Arguments extends unknown[], Result>(work: (...given: Arguments) => Promise<Result>) =>
      (...given: Arguments): Promise<Result> =>
        isDown ? Promise.reject(out) : work(...given)
    const store: Store = {
      get: guard((...given) => inner.get(...given)),
      put: guard((...given) => inner.put(...given)),
      putIfAbsent: guard((...given) => inner.putIfAbsent(...given)),
      compareAndSwap: guard((...given) => inner.compareAndSwap(...given)),
      delete: guard((...given) => inner.delete(...given)),
    }
    ;({ site: failing, client: asking } = await start({
      store,
      signIn: {
        verifyCredentials: (username, password) => {
          if (username === 'boom') throw new Error('the user database is gone')
          if (username === 'odd') return { id: 7 } as never
          return signIn.verifyCredentials(username, password)
        },
      },
      renderPage: (page: Page, render) => {
        if (page.kind === broken || broken === 'everything') throw new Error('a template is broken')
        return render(page)
      },
    }))
  })

  async function expectUnavailable(response: Response): Promise<void> {
    const html = await expectMessage(response, 503, 'unavailable')
    expect(response.headers.get('retry-after')).toBe('5')
    expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8')
    expect(response.headers.get('cache-control')).toBe('no-store')
    expect(response.headers.get('x-frame-options')).toBe('DENY')
    expect(html).not.toMatch(/ECONNREFUSED|10\.0\.0\.7|database is gone|is broken/)
  }

  test('the store, at every page', async () => {
    const browser = failing.browser()
    const first = await begin(browser, failing, asking)
    const turn = await toConsent(browser, failing, asking)
    const connections = await browser.go(`${failing.url}/connections`, REDIRECT_URI)
    const { csrf = '' } = formOf(connections).fields
    isDown = true
    try {
      const answers = [
        await browser.request(beginning(failing, asking)),
        await browser.request(first.url),
        await post(browser, first, { username: 'ada', password: 'ada!' }),
        await browser.request(turn.url),
        await post(browser, turn, allow),
        await browser.request(`${failing.url}/connections`),
        await browser.request(`${failing.url}/connections`, { csrf, client: asking.client_id }),
        await browser.request(`${failing.url}/sign-out`, { csrf }),
      ]
      for (const answer of answers) {
        await expectUnavailable(answer)
        expect(answer.headers.getSetCookie()).toEqual([])
      }
    } finally {
      isDown = false
    }
    expect(failing.events).toContainEqual(
      expect.objectContaining({
        type: 'request.failed',
        method: 'POST',
        path: '/consent',
        message: expect.stringContaining(out.message),
      }),
    )
    expect((await post(browser, turn, allow)).status).toBe(303)
  })

  test.each(['boom', 'odd'])('verifyCredentials, for %s', async (username) => {
    const browser = failing.browser()
    const turn = await begin(browser, failing, asking)
    await expectUnavailable(await post(browser, turn, { username, password: 'x' }))
    const next = await post(browser, turn, { username: 'ada', password: 'ada!' })
    expect(next.status).toBe(303)
  })

  test.each(['sign-in', 'everything'])('renderPage, for %s', async (kind) => {
    broken = kind
    try {
      await expectUnavailable(await failing.browser().request(`${failing.url}/sign-in`))
    } finally {
      broken = undefined
    }
  })
})

describe('X2 forms are small and of one type', () => {
  const bad: [string, number, { readonly body: string; readonly type?: string }][] = [
    ['too large', 413, { body: `a=${'x'.repeat(21_000)}` }],
    ['JSON', 400, { body: '{}', type: 'application/json' }],
    ['of no type', 400, { body: 'a=b', type: 'text/plain' }],
    ['of too many fields', 400, { body: 'a=b&'.repeat(60) }],
    ['not in UTF-8', 400, { body: '%ff%fe' }],
  ]
  test.each(bad)(
    'X2 one that is %s is %d, as a page',
    async (_, status, { body, type = 'application/x-www-form-urlencoded' }) => {
      for (const path of ['/authorize', '/sign-in', '/sign-out']) {
        const headers = { 'content-type': type }
        const response = await fetch(site.url + path, { method: 'POST', body, headers, redirect: 'manual' })
        await expectMessage(response, status, 'malformed_request')
      }
    },
  )

  test('X4 too many requests are a page too', async () => {
    const { site: own } = await start({}, { rateLimit: { endpoints: { 'sign-in': { limit: 2 } } } })
    const statuses: number[] = []
    let last: Response | undefined
    for (let round = 0; round < 3; round++) {
      last = await own.browser().request(`${own.url}/sign-in`)
      statuses.push(last.status)
    }
    expect(statuses).toEqual([200, 200, 429])
    expect(await last?.text()).toContain('<code>429 too_many_requests</code>')
    expect(last?.headers.get('retry-after')).toMatch(/^\d+$/)
  })
})

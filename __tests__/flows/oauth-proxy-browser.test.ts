// A person in a real browser at a proxy: asked here, signed in at an identity provider that is another site, and back at the client; with everything
// that people do on the way.
import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import type { Browser, BrowserContext, BrowserContextOptions, Page as Tab } from 'playwright-core'
import { type Registered, authorizationUrl, pkce } from '../support/authorization-server.js'
import { openBrowser } from '../support/browser.js'
import { type ProxySite, startProxySite } from '../support/proxy-site.js'
import { startServer } from '../support/site.js'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

let browser: Browser | undefined
let site: ProxySite
let client: Registered
/** What the client was told, in order. */
let callbacks: URLSearchParams[]
let callback: { url: string; close: () => Promise<void> }
let context: BrowserContext
let tab: Tab
/** What the console of the browser said: a policy that blocks something says so there. */
let said: string[]

beforeAll(async () => {
  browser = await openBrowser()
  callback = await startServer((request, response) => {
    const url = new URL(request.url ?? '', 'http://localhost')
    if (url.pathname === '/callback') callbacks.push(url.searchParams)
    response
      .setHeader('content-type', 'text/html')
      .end('<title>The client</title><p>You can close this page.')
  })
})
afterAll(async () => {
  await browser?.close()
  await callback.close()
})

beforeEach(async () => {
  callbacks = []
  said = []
  site = await startProxySite({
    proxy: { resourceName: 'Notes', requiredScopes: ['openid'], scopesSupported: ['profile'] },
    idp: { hostname: 'localhost' },
  })
  client = await site.register({ client_name: 'Editor', redirect_uris: [`${callback.url}/callback`] })
  if (browser !== undefined) await openContext(browser)
})
afterEach(async () => {
  await context?.close()
  await site.close()
})

async function openContext(opened: Browser, options: BrowserContextOptions = {}): Promise<void> {
  await context?.close()
  context = await opened.newContext(options)
  context.setDefaultTimeout(5000)
  tab = await openTab()
}

async function openTab(): Promise<Tab> {
  const opened = await context.newPage()
  opened.on('console', (message) => {
    // The identity provider's pages are its own affair.
    if (!message.location().url.startsWith(site.idp.issuer)) said.push(message.text())
  })
  opened.on('pageerror', (error) => said.push(String(error)))
  return opened
}

/** What is done in a browser, where there is one, and makes it say nothing. */
function inBrowser(act: (opened: Browser) => Promise<void>): () => Promise<void> {
  return async () => {
    if (browser === undefined) return
    await act(browser)
    // A refusal is a page with its status, and Chromium notes those.
    expect(said.filter((line) => !/the server responded with a status of (?:40|503)/.test(line))).toEqual([])
  }
}

const { verifier, challenge } = pkce()

function beginning(more: Record<string, string> = {}): string {
  const ours = { redirect_uri: `${callback.url}/callback`, scope: 'openid profile' }
  return authorizationUrl(site.url, client.client_id, challenge, { ...ours, ...more }).href
}

const press = (name: string, on = tab): Promise<void> => on.getByRole('button', { name, exact: true }).click()
const heading = (name: string, on = tab): Promise<void> => on.getByRole('heading', { name }).waitFor()

/** Begins, and agrees. */
async function leave(on = tab, more: Record<string, string> = {}): Promise<void> {
  await on.goto(beginning(more))
  await heading('Editor asks for access', on)
  await press('Allow', on)
}

/** At the identity provider, whose pages these are. */
async function signIn(login = 'ada', on = tab): Promise<void> {
  await heading('Sign in to Example Company', on)
  expect(new URL(on.url()).origin).toBe(site.idp.issuer)
  await on.getByLabel('Login').fill(login)
  await on.getByLabel('Password').fill(`${login}!`)
  await press('Sign in', on)
}

async function agree(on = tab): Promise<void> {
  await heading('Example Company asks you', on)
  await press('Allow', on)
}

async function atClient(on = tab): Promise<URLSearchParams> {
  await on.waitForURL(`${callback.url}/callback?*`)
  return new URL(on.url()).searchParams
}

async function redeem(code: string | null): Promise<string> {
  const form = { grant_type: 'authorization_code', client_id: client.client_id, code_verifier: verifier }
  const { status, body } = await site.post('/token', { ...form, code: code ?? '' })
  expect(status).toBe(200)
  return (body as { access_token: string }).access_token
}

/** What axe finds, and what does not fit. */
async function faults(on = tab): Promise<unknown[]> {
  // The debugger's own world: the policy of the page holds for the page only.
  await on.evaluate(AXE)
  return on.evaluate(`axe.run().then(({ violations }) => [
    ...violations.map(({ id, nodes }) => [id, ...nodes.map((node) => node.html)]),
    ...(document.documentElement.scrollWidth > innerWidth ? ['wider than the window'] : []),
  ])`)
}

describe('signing in for a client', () => {
  test(
    'somebody is asked, told where they sign in, signs in there, and is back at the client',
    inBrowser(async () => {
      await tab.goto(beginning())
      await heading('Editor asks for access')
      expect(await tab.locator('main').innerText()).toContain(new URL(site.idp.issuer).host)
      // Nobody knows yet who it is, and nobody can be somebody else.
      expect(await tab.locator('main').innerText()).not.toContain('Signed in as')
      expect(await tab.getByRole('button', { name: 'Not you?' }).count()).toBe(0)
      await press('Allow')
      await signIn()
      await agree()
      const answer = await atClient()
      expect([...answer.keys()]).toEqual(['code', 'state', 'iss'])
      expect((await site.call(await redeem(answer.get('code')))).status).toBe(200)
      expect(callbacks).toHaveLength(1)
      // No cookie of the trip stays behind.
      const names = (await context.cookies(site.url)).map(({ name }) => name)
      expect(names.filter((name) => name.includes('mcp-trip'))).toEqual([])
    }),
  )

  test(
    'a scope that is unticked here is not asked for there, and not granted',
    inBrowser(async () => {
      await tab.goto(beginning())
      await tab.getByLabel('See your name and profile').uncheck()
      await press('Allow')
      await signIn()
      expect(await tab.locator('ul').innerText()).toBe('openid')
      await agree()
      const form = { grant_type: 'authorization_code', client_id: client.client_id, code_verifier: verifier }
      const code = (await atClient()).get('code') ?? ''
      expect((await site.post('/token', { ...form, code })).body).toMatchObject({ scope: 'openid' })
    }),
  )

  test(
    'who denies here does not leave',
    inBrowser(async () => {
      await tab.goto(beginning())
      await press('Deny')
      expect((await atClient()).get('error')).toBe('access_denied')
      expect(site.idp.requests.map(({ path }) => path)).not.toContain('/authorize')
    }),
  )

  test.each(['Cancel', 'Deny'])(
    'who presses %s there is back at the client, which hears access_denied',
    async (button) => {
      await inBrowser(async () => {
        await leave()
        if (button === 'Deny') await signIn()
        await press(button)
        expect((await atClient()).get('error')).toBe('access_denied')
        expect(callbacks).toHaveLength(1)
      })()
    },
  )
})

describe('what people do on the way', () => {
  test(
    'a double click on Allow leaves once more, and reaches the client',
    inBrowser(async () => {
      await tab.goto(beginning())
      await tab.getByRole('button', { name: 'Allow', exact: true }).dblclick()
      await signIn()
      await agree()
      await redeem((await atClient()).get('code'))
      expect(callbacks).toHaveLength(1)
      expect(site.events.filter(({ type }) => type === 'authorization.granted')).toHaveLength(1)
    }),
  )

  test(
    'going back from the identity provider shows the question again, and the answer counts',
    inBrowser(async () => {
      await leave()
      await heading('Sign in to Example Company')
      await tab.goBack()
      await heading('Editor asks for access')
      await press('Allow')
      await signIn()
      await agree()
      await redeem((await atClient()).get('code'))
    }),
  )

  test(
    'going back and saying no counts too: who then comes from the identity provider brings the client nothing',
    inBrowser(async () => {
      const second = await openTab()
      await leave()
      await heading('Sign in to Example Company')
      const there = tab.url()
      await tab.goBack()
      await press('Deny')
      expect((await atClient()).get('error')).toBe('access_denied')
      await second.goto(there)
      await signIn('ada', second)
      await agree(second)
      // The page says that it was decided, and goes on by itself.
      expect((await atClient(second)).get('error')).toBe('access_denied')
      expect(callbacks.map((params) => params.has('code'))).toEqual([false, false])
      expect(site.idp.requests.map(({ path }) => path)).not.toContain('/token')
    }),
  )

  test(
    'the question that is opened again afterwards says that it was answered',
    inBrowser(async () => {
      await tab.goto(beginning())
      const question = tab.url()
      await press('Allow')
      await signIn()
      await agree()
      await atClient()
      await tab.goto(question)
      await heading('You have already decided')
      expect(callbacks).toHaveLength(1)
    }),
  )

  test(
    'two tabs that are on their way at once both reach the client, in any order',
    inBrowser(async () => {
      const second = await openTab()
      await leave(tab, { state: 'one' })
      await leave(second, { state: 'two' })
      await signIn('ada', second)
      await agree(second)
      expect((await atClient(second)).get('state')).toBe('two')
      // What was agreed to there is not asked again.
      await signIn('ada', tab)
      expect((await atClient(tab)).get('state')).toBe('one')
      for (const params of callbacks) await redeem(params.get('code'))
    }),
  )

  test(
    'a way back that is taken a second time leads nowhere',
    inBrowser(async () => {
      let back = ''
      context.on('request', (request) => {
        if (request.url().startsWith(site.callbackUrl)) back = request.url()
      })
      await leave()
      await signIn()
      await agree()
      await atClient()
      await tab.goto(back)
      await heading('This took too long')
      expect(callbacks).toHaveLength(1)
      expect(await faults()).toEqual([])
    }),
  )

  test(
    'a way back that is taken while the identity provider fails is taken again by loading the page again',
    inBrowser(async () => {
      await leave()
      await signIn()
      site.idp.failWith('token', 500)
      await agree()
      await heading('We cannot do this right now')
      expect(new URL(tab.url()).pathname).toBe('/auth/callback')
      expect(await faults()).toEqual([])
      await tab.reload()
      await heading('We cannot do this right now')
      site.idp.failWith('token', undefined)
      await tab.reload()
      await redeem((await atClient()).get('code'))
    }),
  )

  test(
    'P1 a way back that another browser takes leads nowhere, and is still good for the one that left',
    inBrowser(async (opened) => {
      // The way back is seen by somebody else before it is taken.
      site.idp.failWith('token', 500)
      await leave()
      await signIn()
      await agree()
      await heading('We cannot do this right now')
      const back = tab.url()
      site.idp.failWith('token', undefined)
      const stranger = await opened.newContext()
      const other = await stranger.newPage()
      await other.goto(back)
      await heading('This was begun in another browser', other)
      expect(await faults(other)).toEqual([])
      await stranger.close()
      expect(callbacks).toEqual([])
      await tab.reload()
      await redeem((await atClient()).get('code'))
    }),
  )
})

describe('the page of connections', () => {
  test(
    'signs people in there by itself, lists what acts for them, and ends it at once',
    inBrowser(async () => {
      await leave()
      await signIn()
      await agree()
      const token = await redeem((await atClient()).get('code'))
      await tab.goto(`${site.url}/connections`)
      // The identity provider remembers them, and what they agreed to.
      await heading('Connected apps')
      expect(await faults()).toEqual([])
      await press('Disconnect Editor')
      expect(await tab.getByRole('status').innerText()).toContain('Editor is disconnected.')
      expect((await site.call(token)).status).toBe(401)
      await press('Sign out')
      await heading('You are signed out')
      expect(await faults()).toEqual([])
    }),
  )

  test(
    'who says no there is told, and may try again',
    inBrowser(async () => {
      await tab.goto(`${site.url}/connections`)
      await press('Cancel')
      await heading('Signing in did not work')
      expect(await faults()).toEqual([])
      await tab.goto(`${site.url}/connections`)
      await signIn()
      await agree()
      await heading('Connected apps')
    }),
  )
})

describe('the page that asks', () => {
  const cases = (['light', 'dark'] as const).flatMap((colorScheme) =>
    [320, 1280].map((width) => ({ colorScheme, width })),
  )

  test.each(cases)('U7 is accessible and fits: $colorScheme, $width px', async ({ colorScheme, width }) => {
    await inBrowser(async (opened) => {
      await openContext(opened, {
        colorScheme,
        viewport: { width, height: 800 },
        reducedMotion: 'reduce',
      })
      await tab.goto(beginning())
      await heading('Editor asks for access')
      expect(await faults()).toEqual([])
    })()
  })
})

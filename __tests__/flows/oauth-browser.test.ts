// A person in a real browser, from the client and back to it: signing in, deciding, changing one's mind, pressing twice.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import type { Store } from 'express-mcp-auth'
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import type { Browser, BrowserContext, Page as Tab } from 'playwright-core'
import {
  type AuthorizationSite,
  type Registered,
  authorizationUrl,
  pkce,
  startAuthorizationSite,
} from '../support/authorization-server.js'
import { openBrowser } from '../support/browser.js'
import { startServer } from '../support/site.js'

/** Lets writes to one collection wait, as a slow database does. */
class SlowStore extends MemoryStore {
  isSlow = false
  readonly #held: (() => void)[] = []
  #noticed: (() => void) | undefined

  override async compareAndSwap(...call: Parameters<Store['compareAndSwap']>): Promise<boolean> {
    if (this.isSlow && call[0].endsWith('transactions')) {
      await new Promise<void>((resolve) => {
        this.#held.push(resolve)
        this.#noticed?.()
      })
    }
    return super.compareAndSwap(...call)
  }

  /** Settles when so many writes wait. */
  waiting(count: number): Promise<void> {
    return new Promise((resolve) => {
      this.#noticed = () => {
        if (this.#held.length === count) resolve()
      }
      this.#noticed()
    })
  }

  /** Lets all go on, in order. */
  release(): void {
    this.isSlow = false
    for (const go of this.#held.splice(0)) go()
  }
}

let browser: Browser | undefined
let site: AuthorizationSite
let store: SlowStore
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
  store = new SlowStore()
  site = await startAuthorizationSite({ store, resourceName: 'Notes' })
  client = await site.register({ client_name: 'Editor', redirect_uris: [`${callback.url}/callback`] })
  if (browser !== undefined) await openContext(browser)
})
afterEach(async () => {
  await context?.close()
  await site.close()
})

async function openContext(opened: Browser): Promise<void> {
  context = await opened.newContext()
  tab = await openTab()
}

async function openTab(): Promise<Tab> {
  const opened = await context.newPage()
  opened.on('console', (message) => said.push(message.text()))
  opened.on('pageerror', (error) => said.push(String(error)))
  return opened
}

/** What is done in a browser, where there is one, and makes it say nothing. */
function inBrowser(act: () => Promise<void>): () => Promise<void> {
  return async () => {
    if (browser === undefined) return
    await act()
    // A refusal is a page with its status, and Chromium notes those.
    expect(said.filter((line) => !line.includes('the server responded with a status of 40'))).toEqual([])
  }
}

const { verifier, challenge } = pkce()

function beginning(more: Record<string, string> = {}): string {
  const redirect = { redirect_uri: `${callback.url}/callback` }
  return authorizationUrl(site.url, client.client_id, challenge, { ...redirect, ...more }).href
}

async function signIn(username = 'ada', on = tab): Promise<void> {
  await on.getByLabel('Username').fill(username)
  await on.getByLabel('Password').fill(`${username}!`)
  await on.getByRole('button', { name: 'Sign in' }).click()
  await on.getByRole('heading', { name: 'Editor asks for access' }).waitFor()
}

const press = (name: string, on = tab): Promise<void> => on.getByRole('button', { name, exact: true }).click()

/** Presses twice, the second time while the server is still at work on the first. */
async function pressTwice(name: string): Promise<void> {
  const button = tab.getByRole('button', { name, exact: true })
  await button.scrollIntoViewIfNeeded()
  const box = await button.boundingBox()
  const { x = 0, y = 0, width = 0, height = 0 } = box ?? {}
  store.isSlow = true
  for (const count of [1, 2]) {
    await tab.mouse.click(x + width / 2, y + height / 2)
    await store.waiting(count)
  }
  store.release()
}

async function atClient(on = tab): Promise<URLSearchParams> {
  await on.waitForURL(`${callback.url}/callback?*`)
  return new URL(on.url()).searchParams
}

async function redeem(code: string | null): Promise<number> {
  const form = { grant_type: 'authorization_code', client_id: client.client_id, code_verifier: verifier }
  return (await site.post('/token', { ...form, code: code ?? '' })).status
}

describe('signing in for a client', () => {
  test(
    'somebody signs in, allows, and is back at the client',
    inBrowser(async () => {
      await tab.goto(beginning())
      expect(await tab.title()).toContain('Sign in')
      expect(await tab.locator('main').innerText()).toContain('to continue to Editor')
      await signIn()
      await press('Allow')
      const answer = await atClient()
      expect([...answer.keys()]).toEqual(['code', 'state', 'iss'])
      expect(await redeem(answer.get('code'))).toBe(200)
      expect(callbacks).toHaveLength(1)
    }),
  )

  test(
    'a wrong password is said, the name stays, and the next try works',
    inBrowser(async () => {
      await tab.goto(beginning())
      await tab.getByLabel('Username').fill('ada')
      await tab.getByLabel('Password').fill('wrong')
      await press('Sign in')
      expect(await tab.getByRole('alert').innerText()).toContain('do not belong together')
      expect(await tab.getByLabel('Username').inputValue()).toBe('ada')
      await signIn()
      await press('Allow')
      expect((await atClient()).has('code')).toBe(true)
    }),
  )

  test(
    'a refusal reaches the client as access_denied',
    inBrowser(async () => {
      await tab.goto(beginning())
      await signIn()
      await press('Deny')
      expect((await atClient()).get('error')).toBe('access_denied')
    }),
  )

  test(
    'a scope that is unticked is not granted',
    inBrowser(async () => {
      await tab.goto(beginning())
      await signIn()
      await tab.getByLabel('Use notes:write').uncheck()
      await press('Allow')
      const code = (await atClient()).get('code') ?? ''
      const form = {
        grant_type: 'authorization_code',
        client_id: client.client_id,
        code_verifier: verifier,
        code,
      }
      expect((await site.post('/token', form)).body).toMatchObject({ scope: 'notes:read' })
    }),
  )

  test(
    'who is signed in is asked at once the next time, and may be somebody else',
    inBrowser(async () => {
      await tab.goto(beginning())
      await signIn()
      await tab.goto(beginning())
      expect(await tab.locator('main').innerText()).toMatch(/Signed in as\s+ada/)
      await press('Not you?')
      await signIn('bob')
      expect(await tab.locator('main').innerText()).toMatch(/Signed in as\s+bob/)
      await press('Allow')
      expect(await redeem((await atClient()).get('code'))).toBe(200)
    }),
  )
})

describe('what people do to pages', () => {
  test(
    'the page may be loaded again before the answer',
    inBrowser(async () => {
      await tab.goto(beginning())
      await signIn()
      await tab.reload()
      await press('Allow')
      expect((await atClient()).has('code')).toBe(true)
    }),
  )

  test(
    'going back after the answer says that it was given',
    inBrowser(async () => {
      await tab.goto(beginning())
      await signIn()
      await press('Allow')
      await atClient()
      await tab.goBack()
      await tab.getByRole('heading', { name: 'You have already decided' }).waitFor()
      expect(callbacks).toHaveLength(1)
    }),
  )

  test(
    'going back to the form of signing in, and signing in again, still works',
    inBrowser(async () => {
      await tab.goto(beginning())
      await signIn()
      await tab.goBack()
      await signIn()
      await press('Allow')
      expect((await atClient()).has('code')).toBe(true)
    }),
  )

  test(
    'two tabs both reach the client, in any order',
    inBrowser(async () => {
      const second = await openTab()
      await tab.goto(beginning({ state: 'one' }))
      await second.goto(beginning({ state: 'two' }))
      await signIn('ada', second)
      await signIn('ada', tab)
      await press('Allow', tab)
      await press('Allow', second)
      expect([(await atClient(tab)).get('state'), (await atClient(second)).get('state')]).toEqual([
        'one',
        'two',
      ])
    }),
  )

  test(
    'a page that was open for too long says so',
    inBrowser(async () => {
      await tab.goto(beginning())
      await signIn()
      site.clock.advance(601)
      await press('Allow')
      await tab.getByRole('heading', { name: 'This took too long' }).waitFor()
      expect(callbacks).toEqual([])
    }),
  )

  test(
    'an unknown client is a page, and the browser stays',
    inBrowser(async () => {
      await tab.goto(beginning({ client_id: 'nobody' }))
      await tab.getByRole('heading', { name: 'This app is not known here' }).waitFor()
      expect(new URL(tab.url()).origin).toBe(site.url)
    }),
  )
})

describe('a button that is pressed twice while the server is slow', () => {
  test(
    'Allow: the browser gives up the first answer, and still reaches the client with a code that works',
    inBrowser(async () => {
      await tab.goto(beginning())
      await signIn()
      await pressTwice('Allow')
      const answer = await atClient()
      expect(await redeem(answer.get('code'))).toBe(200)
      expect(callbacks).toHaveLength(1)
      expect(site.events.filter(({ type }) => type === 'authorization.granted')).toHaveLength(1)
      await tab.goto(`${site.url}/connections`)
      expect(await tab.getByRole('button', { name: 'Disconnect Editor' }).count()).toBe(1)
    }),
  )

  test(
    'Deny: the client is told once',
    inBrowser(async () => {
      await tab.goto(beginning())
      await signIn()
      await pressTwice('Deny')
      expect((await atClient()).get('error')).toBe('access_denied')
      expect(callbacks).toHaveLength(1)
    }),
  )

  test(
    'a double click reaches the client too',
    inBrowser(async () => {
      await tab.goto(beginning())
      await signIn()
      await tab.getByRole('button', { name: 'Allow', exact: true }).dblclick()
      expect(await redeem((await atClient()).get('code'))).toBe(200)
    }),
  )
})

describe('the page of connections', () => {
  test(
    'lists what acts for somebody, and ends it at once',
    inBrowser(async () => {
      const tokens = await site.signIn(client, { redirect_uri: `${callback.url}/callback` })
      await tab.goto(`${site.url}/connections`)
      await tab.getByLabel('Username').fill('ada')
      await tab.getByLabel('Password').fill('ada!')
      await press('Sign in')
      await press('Disconnect Editor')
      expect(await tab.getByRole('status').innerText()).toContain('Editor is disconnected.')
      expect(await tab.locator('main').innerText()).toContain('No app is connected to your account.')
      expect((await site.call(tokens.access_token)).status).toBe(401)
      await press('Sign out')
      await tab.getByLabel('Password').waitFor()
      await tab.goto(`${site.url}/connections`)
      expect(new URL(tab.url()).pathname).toBe('/sign-in')
    }),
  )
})

// Every page in a real browser: nothing is blocked, nothing runs, nothing runs over, and a screen reader gets all of it.
import { readFileSync } from 'node:fs'
import { type IncomingMessage, type Server, createServer } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import type { Browser, Page as Tab } from 'playwright-core'
import type { Page } from '../../lib/pages/page.js'
import { type Pages, createPages } from '../../lib/pages/pages.js'
import { openBrowser } from '../support/browser.js'
import { HIDDEN, SAMPLES, VERIFIED } from '../support/sample-pages.js'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const LOGO =
  'data:image/svg+xml,%3Csvg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"%3E%3Crect width="9" height="9"/%3E%3C/svg%3E'

const PLAIN = createPages({})
const BRANDED = createPages({
  branding: {
    name: 'Example & Sons',
    logoUrl: LOGO,
    accentColor: '#ffd500',
    darkAccentColor: '#3a0ca3',
    termsUrl: 'https://example.com/terms',
    privacyUrl: 'https://example.com/privacy',
    language: 'ar',
  },
})

/** A form as it arrived. */
interface Post {
  readonly path: string
  readonly headers: IncomingMessage['headers']
  readonly fields: URLSearchParams
}

const posts: Post[] = []
let redirectTo = '/plain/expired'

const ONWARD: Page = {
  kind: 'message',
  message: 'already_decided',
  status: 400,
  continueTo: '/plain/expired?code=a&state=b%22',
}
let server: Server
let origin: string
let browser: Browser | undefined

async function handle(
  request: IncomingMessage,
  pages: Pages,
): Promise<ReturnType<Pages['render']> | undefined> {
  const path = String(request.url).replace(/^\/(?:plain|branded)?\/?/, '')
  if (request.method === 'POST') {
    let body = ''
    for await (const chunk of request) body += String(chunk)
    posts.push({ path, headers: request.headers, fields: new URLSearchParams(body) })
  }
  const page = path === 'onward' ? ONWARD : SAMPLES.get(path.replace(/\?.*/, ''))
  return page && pages.render(page)
}

beforeAll(async () => {
  server = createServer((request, response) => {
    void handle(request, request.url?.startsWith('/branded') ? BRANDED : PLAIN).then((rendered) => {
      // A browser stays where it is when there is nothing to show.
      if (request.method === 'POST') return response.writeHead(303, { location: redirectTo }).end()
      if (rendered === undefined) return response.writeHead(204).end()
      return response.writeHead(200, rendered.headers).end(rendered.html)
    })
  })
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  browser = await openBrowser()
})

afterAll(async () => {
  await browser?.close()
  server.closeAllConnections()
  await new Promise((done) => server.close(done))
})

/** Does something in a browser, where there is one, and returns what the console said. */
async function inBrowser(
  options: Parameters<Browser['newContext']>[0],
  act: (tab: Tab) => Promise<void>,
): Promise<string[] | undefined> {
  if (browser === undefined) return undefined
  const context = await browser.newContext(options)
  const said: string[] = []
  try {
    const tab = await context.newPage()
    tab.on('console', (message) => said.push(`${message.type()}: ${message.text()}`))
    tab.on('pageerror', (error) => said.push(String(error)))
    tab.on('dialog', (dialog) => {
      said.push(`dialog: ${dialog.message()}`)
      void dialog.dismiss()
    })
    await act(tab)
  } finally {
    await context.close()
  }
  return said
}

/** Elements that reach beyond the window, and targets too small for a finger (WCAG 2.2, 2.5.5). */
const MISFITS = `(() => {
  const name = (element) => element.tagName + '.' + element.className
  const over = [...document.querySelectorAll('body *')].filter((element) => {
    const box = element.getBoundingClientRect()
    return box.width > 0 && (box.right > innerWidth + 1 || box.left < -1)
  })
  const small = [...document.querySelectorAll('button:not([hidden]), input:not([type=hidden], [type=checkbox]), label, footer a')]
    .filter((element) => element.getBoundingClientRect().height < 44)
  const wide = document.documentElement.scrollWidth > innerWidth ? ['the page'] : []
  return [...over.map(name), ...small.map(name), ...wide]
})()`

describe('every page, in a browser', () => {
  const cases = (['light', 'dark'] as const).flatMap((colorScheme) =>
    [320, 768, 1280].map((width) => ({ colorScheme, width })),
  )

  it.each(cases)(
    'U7 D2 is accessible, fits and runs nothing: $colorScheme, $width px',
    async ({ colorScheme, width }) => {
      const found: unknown[] = []
      const said = await inBrowser(
        { colorScheme, viewport: { width, height: 800 }, reducedMotion: 'reduce' },
        async (tab) => {
          for (const brand of ['plain', 'branded']) {
            for (const [name, page] of SAMPLES) {
              // Messages differ by their words alone.
              if (brand === 'branded' && page.kind === 'message' && name !== 'message-nasty') continue
              const response = await tab.goto(`${origin}/${brand}/${name}`)
              expect(response?.headers()['content-security-policy']).toContain("default-src 'none'")
              const misfits = await tab.evaluate(MISFITS)
              // The debugger's own world: the policy of the page holds for the page only.
              await tab.evaluate(AXE)
              const violations = await tab.evaluate(
                'axe.run().then(({ violations }) => violations.map(({ id, nodes }) => [id, ...nodes.map((node) => node.html)]))',
              )
              found.push(
                ...[misfits, violations].flatMap((list) =>
                  (list as unknown[]).map((what) => [brand, name, what]),
                ),
              )
            }
          }
        },
      )
      expect(found).toEqual([])
      expect(said ?? []).toEqual([])
    },
    120_000,
  )

  it('D2 U7 what strangers wrote is text', async () => {
    await inBrowser({}, async (tab) => {
      await tab.goto(`${origin}/plain/consent-nasty`)
      expect(await tab.locator('img, script').count()).toBe(0)
      expect(await tab.locator('h1').textContent()).toContain('<img src=x onerror=alert(1)>')
      expect(await tab.locator('form input[name=csrf]').first().inputValue()).toBe(HIDDEN.csrf)
    })
  })

  it('U7 a script that came in all the same would not run', async () => {
    const said = await inBrowser({}, async (tab) => {
      await tab.route('**/consent', async (route) => {
        const response = await route.fetch()
        const body = (await response.text()).replace(
          '<main',
          '<script>alert(1)</script><img src=x onerror=alert(1)><main',
        )
        await route.fulfill({ response, body })
      })
      await tab.goto(`${origin}/plain/consent`)
      expect(await tab.locator('script').count()).toBe(1)
    })
    expect(said?.filter((line) => line.startsWith('dialog')) ?? []).toEqual([])
    expect(said?.join('\n') ?? "default-src 'none'").toContain("default-src 'none'")
  })

  it('U4 no page can be framed', async () => {
    await inBrowser({}, async (tab) => {
      await tab.route('**/outer', (route) =>
        route.fulfill({ contentType: 'text/html', body: `<iframe src="${origin}/plain/consent"></iframe>` }),
      )
      await tab.goto(`${origin}/outer`)
      expect(tab.frames()).toHaveLength(2)
      expect(await tab.frames()[1]?.locator('button').count()).toBe(0)
    })
  })
})

describe('the forms, in a browser', () => {
  /** Does something on a page and returns the forms that were sent by it. */
  async function send(page: string, act: (tab: Tab) => Promise<void>): Promise<readonly Post[] | undefined> {
    posts.length = 0
    const said = await inBrowser({}, async (tab) => {
      await tab.goto(`${origin}/plain/${page}`)
      await act(tab)
    })
    return said && [...posts]
  }

  async function press(tab: Tab, name: string): Promise<void> {
    await tab.getByRole('button', { name, exact: true }).click()
    await tab.waitForURL('**/expired')
  }

  it('send the decision, the hidden fields and what is still ticked', async () => {
    const sent = await send('consent', async (tab) => {
      await tab.getByLabel('Stay connected while you are away').uncheck()
      await press(tab, 'Allow')
    })
    if (sent === undefined) return
    expect(sent.map(({ path }) => path)).toEqual(['consent'])
    expect(Object.fromEntries(sent[0]!.fields)).toEqual({
      ...HIDDEN,
      scope_1: 'on',
      scope_2: 'on',
      decision: 'allow',
    })
  })

  it('U3 say where they come from, without an address: Sec-Fetch-Site, but neither Origin nor Referer', async () => {
    const sent = await send('consent', (tab) => press(tab, 'Deny'))
    if (sent === undefined) return
    expect(sent[0]!.fields.get('decision')).toBe('deny')
    expect(sent[0]!.headers).toMatchObject({ origin: 'null', 'sec-fetch-site': 'same-origin' })
    expect(sent[0]!.headers).not.toHaveProperty('referer')
  })

  it('decide nothing when Enter is pressed on a check box', async () => {
    const sent = await send('consent', async (tab) => {
      await tab.getByLabel('Stay connected while you are away').focus()
      await tab.keyboard.press('Enter')
      // Whatever was to be sent is sent before this is answered.
      await tab.goto(`${origin}/plain/expired`)
    })
    expect(sent ?? []).toEqual([])
  })

  it('are worked by the keyboard alone, in the order in which they are read', async () => {
    const order: unknown[] = []
    const sent = await send('consent', async (tab) => {
      for (let stop = 0; stop < 6; stop++) {
        await tab.keyboard.press('Tab')
        order.push(await tab.evaluate('document.activeElement.name || document.activeElement.textContent'))
      }
      await tab.keyboard.press('Enter')
      await tab.waitForURL('**/expired')
    })
    if (sent === undefined) return
    expect(order).toEqual(['Not you?', 'scope_1', 'scope_2', 'scope_3', 'decision', 'decision'])
    expect(sent[0]!.fields.get('decision')).toBe('allow')
  })

  it('send who signs in', async () => {
    const sent = await send('sign-in', async (tab) => {
      await tab.locator('input[name=username]:focus').waitFor()
      await tab.keyboard.type('alice')
      await tab.getByLabel('Password').fill('correct horse')
      await press(tab, 'Sign in')
    })
    if (sent === undefined) return
    expect(Object.fromEntries(sent[0]!.fields)).toEqual({
      ...HIDDEN,
      username: 'alice',
      password: 'correct horse',
    })
  })

  it('are named for the client that each disconnects', async () => {
    const sent = await send('connections', (tab) => press(tab, `Disconnect ${VERIFIED.name}`))
    if (sent === undefined) return
    expect([sent[0]!.path, sent[0]!.fields.get('id')]).toEqual(['connections', '1'])
  })

  it('may lead on to the client: the policy does not name the targets of forms', async () => {
    const said = await inBrowser({}, async (tab) => {
      await tab.goto(`${origin}/plain/consent`)
      await tab.route('**/callback', (route) => route.fulfill({ contentType: 'text/html', body: 'arrived' }))
      redirectTo = 'https://app.example.com/callback'
      await tab.getByRole('button', { name: 'Allow' }).click()
      await tab.waitForURL('https://app.example.com/callback')
      redirectTo = '/plain/expired'
    })
    expect(said ?? []).toEqual([])
  })
})

describe('a message page, in a browser', () => {
  it('goes on by itself', async () => {
    await inBrowser({}, async (tab) => {
      await tab.goto(`${origin}/plain/onward`)
      await tab.waitForURL(`${origin}/plain/expired?code=a&state=b%22`)
    })
  })
})

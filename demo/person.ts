// Somebody at a browser, without a screen: keeps cookies, follows redirects, reads pages and fills in their forms.

/** Where a browser stands. */
interface Page {
  readonly url: URL
  readonly html: string
}

/** A person who signs in by name and password, and allows what they are asked for. */
export class Person {
  readonly #username: string
  readonly #password: string
  readonly #tell: (what: string) => void
  readonly #cookies = new Map<string, string>()

  /** @param tell hears of what they see and do */
  constructor(username: string, password: string, tell: (what: string) => void) {
    this.#username = username
    this.#password = password
    this.#tell = tell
  }

  /** Opens an address, and does what the pages ask for until the browser is sent to `destination`. */
  async follow(address: URL, destination: string): Promise<URL> {
    let page = await this.#open(address, destination)
    for (let step = 0; step < 5 && !page.url.href.startsWith(destination); step++) {
      page = await this.#answer(page, destination)
    }
    if (!page.url.href.startsWith(destination)) throw new Error(`stuck at ${page.url.href}: ${page.html}`)
    return page.url
  }

  /** Ends every connection that the page of a server lists. */
  async disconnectAll(baseUrl: string): Promise<void> {
    const page = await this.#open(new URL('/connections', baseUrl))
    const forms = formsOf(page).filter(({ fields }) => fields.has('client'))
    for (const { action, fields } of forms) await this.#open(action, undefined, fields)
    this.#tell(`${headingOf(page)}: ${this.#username} disconnects ${forms.length}`)
  }

  #answer(page: Page, destination: string): Promise<Page> {
    const heading = headingOf(page)
    const form = formsOf(page).find(({ html }) => /name="(?:password|decision)"/.test(html))
    if (form === undefined) throw new Error(`nothing to fill in at ${page.url.href}: ${heading}`)
    if (form.html.includes('name="password"')) {
      this.#tell(`${page.url.pathname} "${heading}": ${this.#username} types name and password`)
      form.fields.set('username', this.#username)
      form.fields.set('password', this.#password)
    } else {
      const asked = [...form.html.matchAll(/class="scope">(.*?)<\/(?:li|label)>/gs)].map(([, row = '']) =>
        textOf(row),
      )
      this.#tell(`${page.url.pathname} "${heading}", to ${asked.join('; ')}: ${this.#username} allows it`)
      form.fields.set('decision', 'allow')
    }
    return this.#open(form.action, destination, form.fields)
  }

  async #open(address: URL, destination?: string, form?: URLSearchParams): Promise<Page> {
    let url = address
    let response = await this.#request(url, form)
    for (let location = response.headers.get('location'); location !== null;) {
      url = new URL(location, url)
      // Nobody listens there: the client looks at the address alone.
      if (destination !== undefined && url.href.startsWith(destination)) break
      response = await this.#request(url)
      location = response.headers.get('location')
    }
    return { url, html: await response.text() }
  }

  async #request(url: URL, form?: URLSearchParams): Promise<Response> {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(url, {
      redirect: 'manual',
      headers: { cookie },
      ...(form !== undefined && { method: 'POST', body: form }),
    })
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      if (name !== undefined && value !== undefined) this.#cookies.set(name, value)
    }
    return response
  }
}

/** A form with what it would send if nothing were changed. */
interface Form {
  readonly action: URL
  readonly html: string
  readonly fields: URLSearchParams
}

function formsOf({ url, html }: Page): Form[] {
  return [...html.matchAll(/<form(?:[^>]*action="([^"]*)")?[^>]*>(.*?)<\/form>/gs)].map(
    ([, action = '', inner = '']) => ({
      action: new URL(unescape(action), url),
      html: inner,
      fields: fieldsOf(inner),
    }),
  )
}

function fieldsOf(html: string): URLSearchParams {
  const fields = new URLSearchParams()
  for (const [input] of html.matchAll(/<input[^>]*>/g)) {
    const [name, value] = ['name', 'value'].map(
      (attribute) => new RegExp(`\\b${attribute}="([^"]*)"`).exec(input)?.[1],
    )
    if (name !== undefined) fields.set(unescape(name), unescape(value ?? ''))
  }
  return fields
}

function headingOf({ html }: Page): string {
  return textOf(/<h1[^>]*>(.*?)<\/h1>/s.exec(html)?.[1] ?? '')
}

function textOf(html: string): string {
  return unescape(html.replace(/<[^>]*>/g, '').replace(/\s+/g, ' ')).trim()
}

const LETTERS = new Map([
  ['&quot;', '"'],
  ['&#39;', "'"],
  ['&lt;', '<'],
  ['&gt;', '>'],
  ['&amp;', '&'],
])

function unescape(text: string): string {
  return text.replace(/&(?:quot|#39|lt|gt|amp);/g, (entity) => LETTERS.get(entity) ?? entity)
}

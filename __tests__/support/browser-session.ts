// A browser without a screen: it keeps cookies, follows redirects, and fills in forms as a person would.

/** Where a browser stands. */
export interface Shown {
  readonly url: URL
  readonly status: number
  readonly headers: Headers
  readonly html: string
}

/** A form of a page. */
export interface HtmlForm {
  readonly action: URL
  readonly fields: Readonly<Record<string, string>>
}

/** Keeps the cookies of each origin. */
export class Browser {
  readonly #cookies = new Map<string, Map<string, string>>()
  /** Sent with every request, e.g. `sec-fetch-site`. */
  headers: Record<string, string> = {}
  readonly #send: typeof fetch

  /** @param send how it reaches servers */
  constructor(send: typeof fetch = fetch) {
    this.#send = send
  }

  /** One request, no redirect followed. */
  async request(
    url: URL | string,
    form?: Readonly<Record<string, string>>,
    more: Record<string, string> = {},
  ): Promise<Response> {
    const target = new URL(url)
    const jar = this.#jar(target)
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await this.#send(target, {
      redirect: 'manual',
      headers: { ...(cookie !== '' && { cookie }), ...this.headers, ...more },
      ...(form !== undefined && { method: 'POST', body: new URLSearchParams(form) }),
    })
    for (const line of response.headers.getSetCookie()) keep(jar, line)
    return response
  }

  /** Goes somewhere and follows redirects, until there is a page or the next step leads to `destination`. */
  async go(url: URL | string, destination: string, form?: Readonly<Record<string, string>>): Promise<Shown> {
    let target = new URL(url)
    let response = await this.request(target, form)
    for (let step = 0; step < 10; step++) {
      const location = response.headers.get('location')
      if (location === null) break
      target = new URL(location, target)
      if (target.href.startsWith(destination)) break
      response = await this.request(target)
    }
    return { url: target, status: response.status, headers: response.headers, html: await response.text() }
  }

  /** Signs in where that is asked, allows, and returns where the client is called. */
  async grant(url: URL | string, destination: string, username: string): Promise<URL> {
    let shown = await this.go(url, destination)
    for (let step = 0; step < 5 && !shown.url.href.startsWith(destination); step++) {
      const form = formOf(shown)
      const typed = shown.html.includes('name="password"')
        ? { username, password: `${username}!` }
        : { decision: 'allow' }
      shown = await this.go(form.action, destination, { ...form.fields, ...typed })
    }
    if (!shown.url.href.startsWith(destination)) {
      throw new Error(`stuck at ${shown.url.href}: ${shown.status} ${shown.html.slice(0, 2000)}`)
    }
    return shown.url
  }

  /** Cookies that the browser holds for a URL, by name. */
  cookies(url: URL | string): ReadonlyMap<string, string> {
    return this.#jar(new URL(url))
  }

  /** Gives the browser a cookie, as somebody else would. */
  plant(url: URL | string, name: string, value: string): void {
    this.#jar(new URL(url)).set(name, value)
  }

  #jar({ host }: URL): Map<string, string> {
    const jar = this.#cookies.get(host) ?? new Map<string, string>()
    this.#cookies.set(host, jar)
    return jar
  }
}

function keep(jar: Map<string, string>, line: string): void {
  const [, name, value] = /^([^=]+)=([^;]*)/.exec(line) ?? []
  if (name === undefined || value === undefined) return
  if (value === '' || /max-age=0/i.test(line)) jar.delete(name)
  else jar.set(name, value)
}

/** The first form of a page, which is what the page is about. */
export function formOf({ html, url }: Pick<Shown, 'html' | 'url'>): HtmlForm {
  const [, action, body] = /<form[^>]*action="([^"]*)"[^>]*>(.*?)<\/form>/s.exec(html) ?? []
  if (action === undefined || body === undefined)
    throw new Error(`no form at ${url.href}: ${html.slice(0, 500)}`)
  return { action: new URL(decode(action), url), fields: fieldsOf(body) }
}

/** What it sends when nothing is changed. */
function fieldsOf(body: string): Record<string, string> {
  const fields: Record<string, string> = {}
  for (const [input] of body.matchAll(/<input[^>]*>/g)) {
    const name = /\bname="([^"]*)"/.exec(input)?.[1]
    const value = /\bvalue="([^"]*)"/.exec(input)?.[1] ?? ''
    const isBox = input.includes('type="checkbox"')
    if (name !== undefined && (!isBox || /\bchecked\b/.test(input))) fields[decode(name)] = decode(value)
  }
  return fields
}

function decode(text: string): string {
  return text
    .replaceAll('&quot;', '"')
    .replaceAll('&#39;', "'")
    .replaceAll('&lt;', '<')
    .replaceAll('&gt;', '>')
    .replaceAll('&amp;', '&')
}

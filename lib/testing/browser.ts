// A browser without a screen: it keeps cookies, follows redirects, and finds the forms of pages.
import type { Wire } from './wire.js'

/** Where the browser stands: a page, or an address that it was to be sent to next. */
export interface Shown {
  readonly url: URL
  readonly status: number
  readonly html: string
}

/** A form, with what it sends when nothing is changed. */
export interface PageForm {
  readonly action: URL
  readonly method: 'GET' | 'POST'
  readonly fields: Readonly<Record<string, string>>
  /** Names of everything in it that can be filled in or pressed. */
  readonly names: readonly string[]
}

const MOST_REDIRECTS = 20

export class Browser {
  readonly #wire: Wire
  /** By host: cookies know no ports, and tests run many servers on one. */
  readonly #cookies = new Map<string, Map<string, string>>()

  constructor(wire: Wire) {
    this.#wire = wire
  }

  /** Goes somewhere, until there is a page or the next step leads to `destination`, which is not asked for. */
  async go(url: URL, destination: string, form?: PageForm): Promise<Shown> {
    let target = url
    let response = await this.#request(target, form)
    for (let step = 0; step < MOST_REDIRECTS; step++) {
      const location = response.headers.get('location')
      if (location === null || !URL.canParse(location, target.href)) break
      // Bodies that nobody reads hold their connections.
      await response.arrayBuffer()
      target = new URL(location, target)
      if (isAt(target, destination)) return { url: target, status: response.status, html: '' }
      response = await this.#request(target)
    }
    return { url: target, status: response.status, html: await response.text() }
  }

  /** Sends a form. */
  submit(form: PageForm, destination: string): Promise<Shown> {
    if (form.method === 'POST') return this.go(form.action, destination, form)
    const url = new URL(form.action)
    url.search = new URLSearchParams(form.fields).toString()
    return this.go(url, destination)
  }

  async #request(url: URL, form?: PageForm): Promise<Response> {
    const jar = this.#cookies.get(url.hostname) ?? new Map<string, string>()
    this.#cookies.set(url.hostname, jar)
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await this.#wire.ask(url, {
      headers: { accept: 'text/html', ...(cookie !== '' && { cookie }) },
      ...(form !== undefined && { method: 'POST', body: new URLSearchParams(form.fields) }),
    })
    for (const line of response.headers.getSetCookie()) keep(jar, line)
    return response
  }
}

/** Whether a URL is the destination, whatever its query is. */
export function isAt(url: URL, destination: string): boolean {
  return url.href.split(/[?#]/, 1)[0] === new URL(destination).href.split(/[?#]/, 1)[0]
}

function keep(jar: Map<string, string>, line: string): void {
  const [, name, value = ''] = /^([^=;]+)=([^;]*)/.exec(line) ?? []
  if (name === undefined) return
  if (/;\s*max-age=(?:0|-\d+)\s*(?:;|$)|;\s*expires=[^;]*\b1970\b/i.test(line)) jar.delete(name.trim())
  else jar.set(name.trim(), value)
}

/** The forms of a page, in order. */
export function formsOf({ html, url }: Shown): PageForm[] {
  return [...html.matchAll(/<form\b([^>]*)>(.*?)<\/form>/gis)].map(([, tag = '', body = '']) => {
    const inputs = [...body.matchAll(/<(?:input|button|select|textarea)\b[^>]*>/gi)].map(([input]) => input)
    const isPost = attributeOf(tag, 'method')?.toLowerCase() === 'post'
    return {
      action: new URL(attributeOf(tag, 'action') ?? '', url),
      method: isPost ? 'POST' : 'GET',
      fields: Object.fromEntries(inputs.flatMap(fieldOf)),
      names: inputs.map((input) => attributeOf(input, 'name')).filter((name) => name !== undefined),
    }
  })
}

/** What one input sends when it is left alone: a button nothing, a box only where it is checked. */
function fieldOf(input: string): [string, string][] {
  const name = attributeOf(input, 'name')
  const type = attributeOf(input, 'type')?.toLowerCase()
  if (name === undefined || !/^<(?:input|textarea)/i.test(input) || type === 'submit') return []
  const isBox = type === 'checkbox' || type === 'radio'
  if (isBox && !/\schecked\b/i.test(input)) return []
  return [[name, attributeOf(input, 'value') ?? (isBox ? 'on' : '')]]
}

function attributeOf(tag: string, name: string): string | undefined {
  const [, double, single, bare] =
    new RegExp(`(?:^|\\s)${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)'|([^\\s"'>]+))`, 'i').exec(tag) ?? []
  const value = double ?? single ?? bare
  return value === undefined ? undefined : unescape(value)
}

/** What a person reads on a page, for an error. */
export function textOf(html: string): string {
  const text = html.replace(/<(style|script|head)\b.*?<\/\1>/gis, ' ').replace(/<[^>]*>/g, ' ')
  return unescape(text).replace(/\s+/g, ' ').trim()
}

const LETTERS = new Map([
  ['&quot;', '"'],
  ['&lt;', '<'],
  ['&gt;', '>'],
  ['&amp;', '&'],
])

function unescape(text: string): string {
  return text.replace(/&(?:quot|lt|gt|amp|#\d+|#x[0-9a-f]+);/gi, (entity) => {
    const [, hex, decimal] = /^&#(?:x([0-9a-f]+)|(\d+));$/i.exec(entity) ?? []
    const code = hex === undefined ? Number(decimal) : Number.parseInt(hex, 16)
    return LETTERS.get(entity.toLowerCase()) ?? (code <= 0x10_ff_ff ? String.fromCodePoint(code) : entity)
  })
}

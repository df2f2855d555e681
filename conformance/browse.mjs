// A browser for those who have none: keeps cookies, follows redirects, fills in the forms of sign-in and consent pages.
import { request } from 'node:http'

const MOST_STEPS = 20
const REDIRECTS = new Set([301, 302, 303, 307, 308])

/**
 * What people type and press, by the names of the fields. A button is pressed where its name and value stand here, and a form
 * is sent where it asks for any of this.
 */
export const ANSWERS = { username: 'alice', password: 'wonderland', decision: 'allow' }

export class Browser {
  #cookies = []
  #answers
  /** Every page that was shown and every redirect, e.g. `GET /authorize 302`. */
  history = []

  constructor(answers = ANSWERS) {
    this.#answers = answers
  }

  /**
   * Visits a URL and goes wherever it is led. Ends at an address for which `isDestination` is true, without asking for it,
   * or at the first page without a form for these answers.
   * @returns {Promise<{ url: URL, status?: number, headers?: object, text?: string }>}
   */
  async visit(start, isDestination = () => false) {
    let next = { url: new URL(start), method: 'GET' }
    for (let step = 0; step < MOST_STEPS; step++) {
      if (isDestination(next.url)) return { url: next.url }
      const answer = await this.#send(next)
      this.history.push(`${next.method} ${next.url.pathname} ${answer.status}`)
      const onward = REDIRECTS.has(answer.status) ? follow(next, answer) : this.#submit(next.url, answer)
      if (!onward) return { url: next.url, ...answer }
      next = onward
    }
    throw new Error(`led around in a circle: ${this.history.join(', ')}`)
  }

  async #send({ url, method, body, from }) {
    const headers = { accept: 'text/html,*/*;q=0.8', 'upgrade-insecure-requests': '1' }
    const cookies = this.#cookiesFor(url)
    if (cookies) headers.cookie = cookies
    headers['sec-fetch-mode'] = 'navigate'
    headers['sec-fetch-dest'] = 'document'
    headers['sec-fetch-site'] =
      from === undefined ? 'none' : from.origin === url.origin ? 'same-origin' : 'cross-site'
    if (body !== undefined) {
      headers['content-type'] = 'application/x-www-form-urlencoded'
      headers['content-length'] = Buffer.byteLength(body)
      headers.origin = from.origin
      headers.referer = from.href
    }
    // Not fetch, which would not let us say what browsers say of themselves.
    const { status, fields, text } = await new Promise((resolve, reject) => {
      const outgoing = request(url, { method, headers, agent: false }, (incoming) => {
        let all = ''
        incoming.setEncoding('utf8').on('data', (chunk) => (all += chunk))
        incoming.on('end', () =>
          resolve({ status: incoming.statusCode, fields: incoming.headers, text: all }),
        )
        incoming.on('error', reject)
      })
      outgoing.on('error', reject)
      outgoing.end(body)
    })
    for (const line of fields['set-cookie'] ?? []) this.#keep(line, url)
    return { status, headers: fields, text }
  }

  /** The form of a page that is ours to send, filled in; undefined where there is none. */
  #submit(url, { headers, text }) {
    if (!/^text\/html/i.test(headers['content-type'] ?? '')) return undefined
    const forms = [...text.matchAll(/<form\b([^>]*)>([\s\S]*?)<\/form>/gi)].map(([, attributes, inside]) =>
      this.#fillIn(readAttributes(attributes), inside),
    )
    // A page may have others, e.g. to sign out.
    const form = forms.filter(({ answered }) => answered > 0).sort((a, b) => b.answered - a.answered)[0]
    if (form === undefined) return undefined
    const action = new URL(form.action || url.href, url)
    const body = form.fields.toString()
    if (form.method.toLowerCase() === 'post') return { url: action, method: 'POST', body, from: url }
    action.search = body
    return { url: action, method: 'GET', from: url }
  }

  #fillIn({ action, method = 'get' }, inside) {
    const fields = new URLSearchParams()
    let answered = 0
    let pressed = false
    for (const [, tag, raw] of inside.matchAll(/<(input|button)\b((?:[^>"']|"[^"]*"|'[^']*')*)>/gi)) {
      const { name, type = tag === 'input' ? 'text' : 'submit', value = '', ...rest } = readAttributes(raw)
      const answer = this.#answers[name]
      if (name === undefined || 'disabled' in rest) continue
      if (type === 'submit') {
        if (pressed || answer !== value) continue
        pressed = true
        answered += 1
        fields.append(name, value)
      } else if (type === 'checkbox' || type === 'radio') {
        if ('checked' in rest) fields.append(name, value || 'on')
      } else if (type === 'hidden' || answer === undefined) {
        if (answer !== undefined && answer === value) answered += 1
        fields.append(name, value)
      } else {
        answered += 1
        fields.append(name, answer)
      }
    }
    return { action, method, fields, answered }
  }

  #keep(line, url) {
    const [pair, ...rest] = line.split(';').map((part) => part.trim())
    const name = pair.slice(0, pair.indexOf('='))
    const attributes = new Map(
      rest.map((part) => [part.split('=')[0].toLowerCase(), part.split('=')[1] ?? '']),
    )
    const path = attributes.get('path') || url.pathname.replace(/\/[^/]*$/, '') || '/'
    const gone = attributes.has('max-age')
      ? Number(attributes.get('max-age')) <= 0
      : Date.parse(attributes.get('expires')) <= Date.now()
    this.#cookies = this.#cookies.filter(
      (held) => held.host !== url.hostname || held.path !== path || held.name !== name,
    )
    if (!gone) this.#cookies.push({ host: url.hostname, path, name, pair })
  }

  // Longer paths first (RFC 6265 5.4). Ports share their cookies, as in browsers.
  #cookiesFor({ hostname, pathname }) {
    return this.#cookies
      .filter(({ host }) => host === hostname)
      .filter(({ path }) => pathname === path || pathname.startsWith(path.endsWith('/') ? path : `${path}/`))
      .sort((a, b) => b.path.length - a.path.length)
      .map(({ pair }) => pair)
      .join('; ')
  }
}

function follow({ url, method, body, from }, { status, headers }) {
  if (!headers.location) throw new Error(`${url.href} answered ${status} without Location`)
  const target = new URL(headers.location, url)
  // What was posted is posted again by these two alone (RFC 9110 15.4).
  if (status === 307 || status === 308) return { url: target, method, body, from: from && url }
  return { url: target, method: 'GET', from }
}

function readAttributes(text) {
  const found = text.matchAll(/([^\s"'=<>/]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+)))?/g)
  const pairs = [...found].map(([, name, a, b, c]) => [name.toLowerCase(), decode(a ?? b ?? c ?? '')])
  return Object.fromEntries(pairs)
}

const ENTITIES = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }

function decode(text) {
  return text.replace(/&(?:#x([\da-f]+)|#(\d+)|(\w+));/gi, (whole, hex, decimal, name) => {
    if (name !== undefined) return ENTITIES[name] ?? whole
    return String.fromCodePoint(hex !== undefined ? Number.parseInt(hex, 16) : Number(decimal))
  })
}

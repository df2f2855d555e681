// A person and a client on their way from the first request to the last, whatever becomes of the server between.
import { randomUUID } from 'node:crypto'
import {
  type Answer,
  REDIRECT_URI,
  type Registered,
  type Tokens,
  authorizationUrl,
  clientsOf,
  pkce,
} from './authorization-server.js'
import { Browser, type Shown, formOf } from './browser-session.js'

/** What a person and a client do, who try again where nobody answers, and begin anew where the code is worth nothing. */
export class Journey {
  readonly base: string
  readonly client: Registered
  readonly requests: ReturnType<typeof clientsOf>
  readonly browser = new Browser()
  readonly username = `user-${randomUUID()}`
  /** How often it was sent back to the beginning. */
  beginnings = 0

  constructor(base: string, client: Registered) {
    this.base = base
    this.client = client
    this.requests = clientsOf(base)
  }

  async signIn(): Promise<Tokens> {
    for (;;) {
      this.beginnings++
      const { verifier, challenge } = pkce()
      const code = await this.#codeFor(challenge)
      const answer = await this.redeem(code, verifier)
      if (answer.status === 200) return answer.body as Tokens
      const { error } = answer.body as { error?: string }
      if (error !== 'invalid_grant') throw new Error(`token: ${answer.status} ${JSON.stringify(answer.body)}`)
    }
  }

  async #codeFor(challenge: string): Promise<string> {
    const page = await this.consentPage(challenge)
    return this.codeIn(await this.allow(page))
  }

  /** As far as the question. */
  async consentPage(challenge: string): Promise<Shown> {
    const shown = await this.signInPage(challenge)
    if (!shown.html.includes('name="password"')) return shown
    const { action, fields } = formOf(shown)
    const typed = { username: this.username, password: `${this.username}!` }
    return this.browser.go(action, REDIRECT_URI, { ...fields, ...typed })
  }

  /** The first page, which asks who it is that came. */
  signInPage(challenge: string): Promise<Shown> {
    const start = authorizationUrl(this.base, this.client.client_id, challenge, { scope: 'notes:read' })
    return this.browser.go(start, REDIRECT_URI)
  }

  allow(page: Shown): Promise<Shown> {
    const { action, fields } = formOf(page)
    return this.browser.go(action, REDIRECT_URI, { ...fields, decision: 'allow' })
  }

  /** Where the browser was sent; where a page says that it was decided before, the link on it. */
  codeIn({ url, html, status }: Shown): string {
    const link = /href="(http:\/\/127\.0\.0\.1:33418\/callback[^"]*)"/
      .exec(html)?.[1]
      ?.replaceAll('&amp;', '&')
    const code = new URL(link ?? url).searchParams.get('code')
    if (code === null)
      throw new Error(`no code: ${status} ${url.href} ${html.replace(/^.*<main/s, '').slice(0, 600)}`)
    return code
  }

  redeem(code: string, verifier: string): Promise<Answer> {
    const { client_id } = this.client
    const form = { grant_type: 'authorization_code', client_id, code, code_verifier: verifier }
    return this.requests.post('/token', form)
  }

  refresh({ refresh_token }: Tokens): Promise<Answer> {
    const { client_id } = this.client
    return this.requests.post('/token', { grant_type: 'refresh_token', client_id, refresh_token })
  }

  revoke({ refresh_token }: Tokens): Promise<Answer> {
    return this.requests.post('/revoke', { client_id: this.client.client_id, token: refresh_token })
  }

  async call({ access_token }: Tokens): Promise<number> {
    const response = await this.requests.call(access_token)
    await response.arrayBuffer()
    return response.status
  }
}

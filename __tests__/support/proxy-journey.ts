// A person and a client on their way through a proxy: to our question, to the pages of the identity provider, back to us, and on.
import {
  type Answer,
  REDIRECT_URI,
  type Registered,
  type Tokens,
  answerOf,
  authorizationUrl,
  pkce,
} from './authorization-server.js'
import { type Shown, formOf } from './browser-session.js'
import { type TestIdentityProvider, signInAt } from './identity-provider.js'
import { Journey } from './journey.js'

/** What a person and a client do who stop at every answer that they must not get. */
export class ProxyJourney {
  /** The client, and the person at our pages. */
  readonly ours: Journey
  readonly idp: TestIdentityProvider
  readonly subject: string
  /** How often it was sent back to the beginning. */
  beginnings = 0

  constructor(base: string, client: Registered, idp: TestIdentityProvider) {
    this.ours = new Journey(base, client)
    this.idp = idp
    this.subject = `idp|${this.ours.username}`
    idp.accounts.set(this.ours.username, { sub: this.subject })
  }

  /** The whole way to tokens, from the beginning where a page says so or the code is worth nothing. */
  async signIn(): Promise<Tokens> {
    for (;;) {
      this.beginnings++
      const { verifier, challenge } = pkce()
      const code = codeIn(await this.comeBack(await this.callback(challenge)))
      if (code === undefined) continue
      const answer = await this.ours.redeem(code, verifier)
      if (answer.status === 200) return answer.body as Tokens
      const { error } = answer.body as { error?: string }
      if (error !== 'invalid_grant') throw new Error(`token: ${answer.status} ${JSON.stringify(answer.body)}`)
    }
  }

  /** As far as the URL with which the identity provider sends the browser back. */
  async callback(challenge: string): Promise<URL> {
    return this.signInThere(await this.leave(await this.ours.consentPage(challenge)))
  }

  /** Allows; where the browser is sent then, at the identity provider. */
  async leave(page: Shown): Promise<URL> {
    const { action, fields } = formOf(page)
    const form = { ...fields, decision: 'allow' }
    return this.#sentFrom(action, form)
  }

  /** Asks for its own pages; where the browser is sent then, at the identity provider. */
  leaveForConnections(): Promise<URL> {
    return this.#sentFrom(`${this.ours.base}/sign-in`)
  }

  /** Signs in at the identity provider; where it sends the browser then, without going there. */
  signInThere(departure: URL): Promise<URL> {
    const destination = this.idp.redirectUri
    return signInAt(this.ours.browser, departure, this.ours.username, { destination })
  }

  /** Where we send the browser on, or a page. */
  async comeBack(callback: URL): Promise<Shown> {
    const shown = await this.ours.browser.go(callback, REDIRECT_URI)
    if (shown.status >= 500) throw new Error(`callback: ${shown.status} ${shown.html}`)
    return shown
  }

  /** Calls the guarded endpoint; what the identity provider gave, for a tool. */
  async call({ access_token }: Tokens): Promise<Answer & { readonly upstream: string | undefined }> {
    const answer = await answerOf(await this.ours.requests.call(access_token))
    return { ...answer, upstream: (answer.body as { upstream?: string }).upstream }
  }

  /** Every request to us that there is, named before it is made. Each has to be answered as if there was one process. */
  async *walk(): AsyncGenerator<string, void, void> {
    const { ours } = this
    const { base, client } = ours
    const { verifier, challenge } = pkce()

    yield 'authorize'
    const question = await this.#sentFrom(authorizationUrl(base, client.client_id, challenge))
    yield 'question'
    const page = await this.#shownAt(question)
    yield 'answer'
    const callback = await this.signInThere(await this.leave(page))
    yield 'callback'
    const back = await this.#sentFrom(callback)
    yield 'token'
    const tokens = tokensIn(await ours.redeem(back.searchParams.get('code') ?? '', verifier))
    yield 'call'
    const { upstream: first } = await this.#called(tokens)
    yield 'refresh'
    const renewed = tokensIn(await ours.refresh(tokens))
    yield 'call again'
    const { upstream: second } = await this.#called(renewed)
    if (first === second) throw new Error('the upstream token was not renewed')

    yield 'sign-in'
    const arrival = await this.signInThere(await this.leaveForConnections())
    yield 'arrival'
    const connections = await this.#sentFrom(arrival)
    yield 'connections'
    const { action, fields } = formOf(await this.#shownAt(connections))
    yield 'disconnect'
    await this.#sentFrom(action, fields)
    yield 'refused call'
    const { status } = await this.call(renewed)
    if (status !== 401) throw new Error(`after the end: ${status}`)
    yield 'revoke'
    const revoked = await ours.revoke(renewed)
    if (revoked.status !== 200) throw new Error(`revoke: ${revoked.status}`)
  }

  async #sentFrom(url: URL | string, form?: Readonly<Record<string, string>>): Promise<URL> {
    const response = await this.ours.browser.request(url, form)
    const location = response.headers.get('location')
    const text = await response.text()
    if (location === null) throw new Error(`${new URL(url).pathname}: ${response.status} ${text}`)
    return new URL(location, url)
  }

  async #shownAt(url: URL): Promise<Shown> {
    const shown = await this.ours.browser.go(url, REDIRECT_URI)
    if (shown.status === 200) return shown
    throw new Error(`${url.pathname}: ${shown.status} ${shown.html}`)
  }

  async #called(tokens: Tokens): Promise<{ readonly upstream: string | undefined }> {
    const answer = await this.call(tokens)
    if (answer.status === 200) return answer
    throw new Error(`call: ${answer.status} ${JSON.stringify(answer.body)}`)
  }
}

function tokensIn({ status, body }: Answer): Tokens {
  if (status === 200) return body as Tokens
  throw new Error(`token: ${status} ${JSON.stringify(body)}`)
}

/** The code that a browser is sent on with, at once or by the link of a page. */
export function codeIn({ url, html }: Pick<Shown, 'url' | 'html'>): string | undefined {
  const link = /href="(http:\/\/127\.0\.0\.1:33418\/callback[^"]*)"/.exec(html)?.[1]?.replaceAll('&amp;', '&')
  const sentTo = link ?? (url.href.startsWith(REDIRECT_URI) ? url : undefined)
  return sentTo && (new URL(sentTo).searchParams.get('code') ?? undefined)
}

// What a person does at the pages of an authorization server, step by step, and what they are shown.
import { afterAll, expect } from '@jest/globals'
import {
  type AuthorizationSite,
  REDIRECT_URI,
  type Registered,
  authorizationUrl,
  pkce,
  startAuthorizationSite,
} from './authorization-server.js'
import { type Browser, type HtmlForm, type Shown, formOf } from './browser-session.js'
import type { Site } from './site.js'

/** A redirect URI on the web, beside the one on this machine. */
export const WEB = 'https://app.example.com/cb'

type Start = (
  ...how: Parameters<typeof startAuthorizationSite>
) => Promise<{ site: AuthorizationSite; client: Registered }>

/** Starts sites with a client that registered both URIs, and closes them after the tests of the file. */
export function visits(): Start {
  const opened: AuthorizationSite[] = []
  afterAll(() => Promise.all(opened.map((site) => site.close())))
  return async (...how) => {
    const site = await startAuthorizationSite(...how)
    opened.push(site)
    return { site, client: await site.register({ redirect_uris: [REDIRECT_URI, WEB] }) }
  }
}

/** The way to begin, as a client writes it. */
export function beginning(
  site: Pick<Site, 'url'>,
  client: Registered,
  more: Record<string, string> = {},
): URL {
  return authorizationUrl(site.url, client.client_id, pkce().challenge, more)
}

/** A page with a form, and the form. */
export interface Turn extends Shown {
  readonly form: HtmlForm
}

/** Begins in a browser and goes on to the page that is shown. */
export async function begin(
  browser: Browser,
  site: Pick<Site, 'url'>,
  client: Registered,
  more: Record<string, string> = {},
): Promise<Turn> {
  const shown = await browser.go(beginning(site, client, more), more['redirect_uri'] ?? REDIRECT_URI)
  return { ...shown, form: formOf(shown) }
}

/** Begins and signs in; the page where somebody decides. */
export async function toConsent(
  browser: Browser,
  site: Pick<Site, 'url'>,
  client: Registered,
  more: Record<string, string> = {},
  username = 'ada',
): Promise<Turn> {
  const first = await begin(browser, site, client, more)
  if (!first.html.includes('name="password"')) return first
  const typed = { ...first.form.fields, username, password: `${username}!` }
  const shown = await browser.go(first.form.action, REDIRECT_URI, typed)
  return { ...shown, form: formOf(shown) }
}

export function post(
  browser: Browser,
  { form }: Pick<Turn, 'form'>,
  more: Record<string, string> = {},
  headers: Record<string, string> = {},
): Promise<Response> {
  return browser.request(form.action, { ...form.fields, ...more }, headers)
}

export const allow = { decision: 'allow' }
export const deny = { decision: 'deny' }

/** A page of ours that says what is wrong, and leads nowhere. */
export async function expectMessage(response: Response, status: number, message: string): Promise<string> {
  const html = await response.text()
  expect({ status: response.status, location: response.headers.get('location') }).toEqual({
    status,
    location: null,
  })
  expect(html).toContain(`<code>${status} ${message}</code>`)
  return html
}

/** Where a page leads on by itself. */
export function onwardFrom(html: string): string | undefined {
  const [, href] = /<a class="button main" href="([^"]*)"/.exec(html) ?? []
  return href?.replaceAll('&#38;', '&').replaceAll('&amp;', '&')
}

export function codeIn(response: Response): string | null {
  return new URL(response.headers.get('location') ?? '').searchParams.get('code')
}

// What every page has around it, and the parts that several of them show.
import { type HtmlValue, type SafeHtml, html, isLinkable } from '../protocol/html.js'
import type { Branding } from './branding.js'
import { QUESTION, SEAL } from './icons.js'
import type { HiddenFields, PageClient, PageUser } from './page.js'
import { type Words, initialOf, shown } from './words.js'

/** What a page is drawn with. */
export interface Stage {
  readonly words: Words
  readonly branding: Branding
  readonly language: string
  readonly style: SafeHtml
}

/** What one page puts into the frame. */
export interface Sheet {
  readonly title: string
  readonly body: HtmlValue
  /** Where the browser goes on by itself. */
  readonly refresh?: string | undefined
}

const RIGHT_TO_LEFT = new Set(['Adlm', 'Arab', 'Hebr', 'Nkoo', 'Rohg', 'Syrc', 'Thaa'])

/** A whole document. */
export function drawDocument(stage: Stage, { title, body, refresh }: Sheet): string {
  const { branding, language, style, words } = stage
  const full = branding.name === undefined ? title : `${title} – ${branding.name}`
  const script = new Intl.Locale(language).maximize().script ?? ''
  const direction = RIGHT_TO_LEFT.has(script) ? 'rtl' : 'ltr'
  const document = html`<!doctype html>
    <html lang="${language}" dir="${direction}">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${full}</title>
        ${refresh !== undefined && html`<meta http-equiv="refresh" content="0; url=${refresh}" />`}${style}
      </head>
      <body>
        ${drawBrand(branding)}
        <main class="card">${body}</main>
        ${drawFooter(branding, words)}
      </body>
    </html> `
  return document.toString()
}

function drawBrand({ name, logoUrl }: Branding): SafeHtml | undefined {
  if (name === undefined && logoUrl === undefined) return undefined
  // The name stands beside the logo, so that it is not read twice.
  return html`<header class="brand">
    ${logoUrl !== undefined && html`<img src="${logoUrl}" alt="" />`}${name !== undefined && html`<span>${name}</span>`}
  </header>`
}

function drawFooter({ termsUrl, privacyUrl }: Branding, words: Words): SafeHtml | undefined {
  if (termsUrl === undefined && privacyUrl === undefined) return undefined
  return html`<footer>
    ${termsUrl !== undefined && html`<a href="${termsUrl}">${words.say('page.terms')}</a>`}
    ${privacyUrl !== undefined && html`<a href="${privacyUrl}">${words.say('page.privacy')}</a>`}
  </footer>`
}

export function drawHidden(fields: HiddenFields): readonly SafeHtml[] {
  return Object.entries(fields).map(
    ([name, value]) => html`<input type="hidden" name="${name}" value="${value}" />`,
  )
}

/** A tile with the first letter of a name. */
export function drawTile(name: string): SafeHtml {
  return html`<span class="tile" aria-hidden="true">${initialOf(name)}</span>`
}

/** How much of what a client says about itself is known to be true. */
export function drawTrust({ configured, domain }: PageClient, words: Words): SafeHtml {
  if (domain !== undefined) {
    const host = html`<bdi dir="ltr">${domain}</bdi>`
    return html`<p class="badge good">
      ${SEAL}<span>${words.say('client.verified', { domain: host })}</span>
    </p>`
  }
  return configured
    ? html`<p class="badge good">${SEAL}<span>${words.say('client.configured')}</span></p>`
    : html`<p class="badge warn">${QUESTION}<span>${words.say('client.unverified')}</span></p>`
}

/** What is to be thought of the name of a client. */
export function drawNameNote(client: PageClient, words: Words): SafeHtml | undefined {
  if (client.configured || client.name === undefined) return undefined
  const key = client.domain === undefined ? 'client.unverifiedNote' : 'client.verifiedNote'
  return html`<p class="note">${words.say(key)}</p>`
}

/** Home page of a client that the operator configured. What a stranger says about itself would only make it look trusted. */
export function drawWebsite({ configured, uri }: PageClient, words: Words): SafeHtml | undefined {
  if (!configured || uri === undefined || !/^https:\/\//i.test(uri)) return undefined
  // In a tab of its own, so that the question is not lost.
  const link = html`<a href="${uri}" target="_blank" rel="noopener noreferrer"
    ><bdi dir="ltr">${shown(uri.replace(/^https:\/\/|\/$/gi, ''))}</bdi></a
  >`
  return html`<p class="note">${words.say('client.website', { url: link })}</p>`
}

/** Who is signed in, with the button to be somebody else. */
export function drawAccount(
  user: PageUser,
  leave: { readonly text: SafeHtml } | false,
  words: Words,
): SafeHtml {
  const name = html`<strong><bdi>${shown(user.name ?? user.subject)}</bdi></strong>`
  return html`<div class="account">
    <p>${words.say('page.account', { user: name })}</p>
    ${leave && html`<button class="link" form="leave">${leave.text}</button>`}
  </div>`
}

/** What that button sends. It stands behind the form that the page is about, which is the first on it. */
export function drawLeaving(
  leave: { readonly action: string; readonly hidden: HiddenFields } | false,
): SafeHtml | false {
  return (
    leave &&
    html`<form id="leave" method="post" action="${leave.action}" hidden>${drawHidden(leave.hidden)}</form>`
  )
}

/** Whether a browser may be sent somewhere by itself: to an absolute URL that runs no code, or within this site. */
export function isDestination(url: string): boolean {
  return isLinkable(url) && !/[\p{Cc}\s]/u.test(url) && /^(?:[a-z][a-z0-9+.-]*:|\/(?![/\\]))/i.test(url)
}

// The page where a user decides. MCP authorization, confused deputy: it names who asks, for what, and where the browser is sent.
import { type SafeHtml, attributes, html } from '../protocol/html.js'
import { CHECK, DEVICE, GLOBE, WARNING } from './icons.js'
import {
  type Stage,
  type Sheet,
  drawAccount,
  drawHidden,
  drawLeaving,
  drawNameNote,
  drawTile,
  drawTrust,
  drawWebsite,
} from './layout.js'
import type { ConsentPage, PageScope } from './page.js'
import { type Words, nameOf, shown } from './words.js'

// Enter on a check box presses the first button that is not disabled. This one closes a dialog that is not there: nothing is
// decided by accident.
const NO_DEFAULT = html`<button formmethod="dialog" hidden></button>`

export function drawConsent(page: ConsentPage, stage: Stage): Sheet {
  const { words } = stage
  const name = nameOf(page.client)
  const size = attributes({ class: name.length > 32 ? 'ask long' : 'ask' })
  const leave = page.signOutAction !== undefined && {
    action: page.signOutAction,
    hidden: page.hidden,
    text: words.say('consent.switch'),
  }
  const resource = shown(page.resourceName ?? stage.branding.name ?? hostOf(page.resource))
  return {
    title: words.plain('consent.title', { client: name }),
    body: html`<div class="head">
        <div class="pair">${drawTile(name)}${drawService(resource, stage)}</div>
        <h1 ${size}>${words.say('consent.title', { client: name })}</h1>
        <p class="lead">${words.say('consent.lead', { resource })}</p>
        ${drawTrust(page.client, words)} ${drawNameNote(page.client, words)}
        ${drawWebsite(page.client, words)}
      </div>
      ${page.user !== undefined && drawAccount(page.user, leave, words)}
      <form method="post" action="${page.action}">
        ${drawHidden(page.hidden)} ${NO_DEFAULT} ${drawScopes(page.scopes, words)}
        ${drawRedirect(page, words)} ${drawNext(page.identityProvider, words)}
        <div class="buttons">
          <button class="button" name="decision" value="deny">${words.say('consent.deny')}</button>
          <button class="button main" name="decision" value="allow">${words.say('consent.allow')}</button>
        </div>
      </form>
      <dl class="facts">
        <dt>${words.say('consent.resource')}</dt>
        <dd><bdi dir="ltr">${page.resource}</bdi></dd>
      </dl>
      ${drawLeaving(leave)}`,
  }
}

/** Where the browser goes before that. */
function drawNext(identityProvider: string | undefined, words: Words): SafeHtml | undefined {
  return identityProvider === undefined
    ? undefined
    : html`<p class="note">${words.say('consent.signInNext', { provider: shown(identityProvider) })}</p>`
}

function drawService(name: string, { branding }: Stage): SafeHtml {
  return branding.logoUrl === undefined
    ? drawTile(name)
    : html`<span class="tile logo" aria-hidden="true"><img src="${branding.logoUrl}" alt="" /></span>`
}

function drawScopes(scopes: readonly PageScope[], words: Words): SafeHtml {
  const optional = scopes.some(({ field }) => field !== undefined)
  const rows =
    scopes.length === 0
      ? html`<li class="scope">${CHECK}<span>${words.say('consent.noScopes')}</span></li>`
      : scopes.map((scope) => html`<li>${drawScope(scope, words)}</li>`)
  return html`<section aria-labelledby="scopes">
    <h2 id="scopes">${words.say('consent.scopes')}</h2>
    ${optional && html`<p class="note">${words.say('consent.scopesNote')}</p>`}
    <ul class="scopes" role="list">
      ${rows}
    </ul>
  </section>`
}

function drawScope(scope: PageScope, words: Words): SafeHtml {
  const text = html`<span>${words.scope(scope)}</span>`
  if (scope.field === undefined) return html`<div class="scope">${CHECK}${text}</div>`
  const box = attributes({ name: scope.field })
  return html`<label class="scope"><input type="checkbox" value="on" checked ${box} />${text}</label>`
}

function drawRedirect({ redirect: { host, kind } }: ConsentPage, words: Words): SafeHtml {
  const address = html`<p class="host" dir="ltr">${host}</p>`
  const international = kind === 'web' && /(?:^|\.)xn--/i.test(host)
  return html`<section aria-labelledby="redirect">
    <h2 id="redirect">${words.say('consent.redirect')}</h2>
    <div class="target">
      ${kind === 'web' ? GLOBE : DEVICE}
      <div>
        ${kind === 'loopback' && html`<strong>${words.say('consent.redirectLoopback')}</strong>`}
        ${kind === 'app' && html`<strong>${words.say('consent.redirectApp')}</strong>`} ${address}
        ${kind === 'web' && html`<p class="note">${words.say('consent.webNote')}</p>`}
      </div>
    </div>
    ${kind === 'loopback' && drawWarning(words.say('consent.loopbackNote'))}
    ${kind === 'app' && drawWarning(words.say('consent.appNote'))}
    ${international && drawWarning(words.say('consent.internationalNote'))}
  </section>`
}

function drawWarning(text: SafeHtml): SafeHtml {
  return html`<p class="box warn">${WARNING}<span>${text}</span></p>`
}

/** Host of a resource, which is shown in full further down. */
function hostOf(resource: string): string {
  return resource.replace(/^https?:\/\/|[/?#].*$/gi, '')
}

// Pages that say what happened and what to do now. They never lead where a stranger's request would.
import { type SafeHtml, html } from '../protocol/html.js'
import { CHECK, CLOCK, WARNING } from './icons.js'
import { type Sheet, type Stage, isDestination } from './layout.js'
import type { MessagePage } from './page.js'

type Message = MessagePage['message']

const CALM = new Map<Message, SafeHtml>([
  ['already_decided', html`<p class="tile sign good">${CHECK}</p>`],
  ['signed_out', html`<p class="tile sign good">${CHECK}</p>`],
  ['expired', html`<p class="tile sign warn">${CLOCK}</p>`],
  ['too_many_requests', html`<p class="tile sign warn">${CLOCK}</p>`],
  ['unavailable', html`<p class="tile sign warn">${CLOCK}</p>`],
])
const ALARMED = html`<p class="tile sign bad">${WARNING}</p>`

export function drawMessage(page: MessagePage, { words }: Stage): Sheet {
  const { continueTo, detail, message, status } = page
  const onward = continueTo !== undefined && isDestination(continueTo) ? continueTo : undefined
  const facts =
    status >= 400 &&
    html`<dl class="facts">
      <dt>${words.say('message.detail')}</dt>
      <dd><code>${status} ${message}</code>${detail !== undefined && html`<br /><bdi>${detail}</bdi>`}</dd>
    </dl>`
  return {
    title: words.plain(`${message}.title`),
    refresh: onward,
    body: html`<div class="head">
        ${CALM.get(message) ?? ALARMED}
        <h1>${words.say(`${message}.title`)}</h1>
      </div>
      <div class="told">
        <p>${words.say(`${message}.body`)}</p>
        <p><strong>${words.say(`${message}.advice`)}</strong></p>
      </div>
      ${
        onward !== undefined &&
        html`<p>
          <a class="button main" href="${onward}" rel="noreferrer">${words.say('message.continue')}</a>
        </p>`
      }
      ${facts}`,
  }
}

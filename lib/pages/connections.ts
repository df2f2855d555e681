// The page that lists a user's connected clients, each with a button that ends it.
import { type SafeHtml, attributes, html } from '../protocol/html.js'
import { CHECK } from './icons.js'
import {
  type Sheet,
  type Stage,
  drawAccount,
  drawHidden,
  drawLeaving,
  drawTile,
  drawTrust,
} from './layout.js'
import type { ConnectionsPage, PageConnection } from './page.js'
import { type Words, nameOf, shown } from './words.js'

export function drawConnections(page: ConnectionsPage, { words }: Stage): Sheet {
  const { action, connections, revoked, signOut, user } = page
  const done =
    revoked !== undefined &&
    html`<p class="box good" role="status">
      ${CHECK}<span>${words.say('connections.revoked', { client: shown(revoked) })}</span>
    </p>`
  const list =
    connections.length === 0
      ? html`<p class="empty">${words.say('connections.none')}</p>`
      : html`<ul class="apps" role="list">
          ${connections.map((connection) => drawConnection(connection, action, words))}
        </ul>`
  const leave = signOut !== undefined && { ...signOut, text: words.say('connections.signOut') }
  return {
    title: words.plain('connections.title'),
    body: html`<div class="head">
        <h1>${words.say('connections.title')}</h1>
        <p class="lead">${words.say('connections.lead')}</p>
      </div>
      ${done} ${drawAccount(user, leave, words)} ${list} ${drawLeaving(leave)}`,
  }
}

function drawConnection(
  { client, hidden, scopes, since }: PageConnection,
  action: string,
  words: Words,
): SafeHtml {
  const name = nameOf(client)
  const label = attributes({ 'aria-label': words.plain('connections.revokeLabel', { client: name }) })
  return html`<li class="app">
    ${drawTile(name)}
    <div>
      <h2><bdi>${name}</bdi></h2>
      ${drawTrust(client, words)}
      <ul role="list">
        ${scopes.map((scope) => html`<li>${CHECK}<span>${words.scope(scope)}</span></li>`)}
      </ul>
      <p class="note">${words.say('connections.since', { date: words.date(since) })}</p>
      <form method="post" action="${action}">
        ${drawHidden(hidden)}<button class="button" ${label}>${words.say('connections.revoke')}</button>
      </form>
    </div>
  </li>`
}

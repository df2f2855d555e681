// The page where a user says who they are.
import { attributes, html } from '../protocol/html.js'
import { WARNING } from './icons.js'
import { type Sheet, type Stage, drawHidden } from './layout.js'
import type { SignInPage } from './page.js'
import { nameOf } from './words.js'

export function drawSignIn(page: SignInPage, { words }: Stage): Sheet {
  const { action, client, failure, hidden, username } = page
  const invalid = failure === 'wrong' || failure === 'missing'
  const common = {
    required: true,
    'aria-invalid': invalid && 'true',
    'aria-describedby': failure !== undefined && 'failure',
  }
  const known = username !== undefined && username !== ''
  const lead =
    client !== undefined &&
    html`<p class="lead">${words.say('signIn.continueTo', { client: nameOf(client) })}</p>`
  const problem =
    failure !== undefined &&
    html`<p class="box bad" id="failure" role="alert">
      ${WARNING}<span>${words.say(`signIn.${failure}`)}</span>
    </p>`
  return {
    title: words.plain('signIn.title'),
    body: html`<div class="head">
        <h1>${words.say('signIn.title')}</h1>
        ${lead}
      </div>
      ${problem}
      <form method="post" action="${action}">
        ${drawHidden(hidden)}
        <label class="field">
          <span>${words.say('signIn.username')}</span>
          <input
            name="username"
            autocomplete="username"
            autocapitalize="none"
            spellcheck="false"
            dir="auto"
            ${attributes({ ...common, value: username, autofocus: !known })}
          />
        </label>
        <label class="field">
          <span>${words.say('signIn.password')}</span>
          <input
            type="password"
            name="password"
            autocomplete="current-password"
            ${attributes({ ...common, autofocus: known })}
          />
        </label>
        <div class="buttons"><button class="button main">${words.say('signIn.submit')}</button></div>
      </form>`,
  }
}

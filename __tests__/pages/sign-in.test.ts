import { describe, expect, it } from '@jest/globals'
import type { SignInPage } from '../../lib/pages/page.js'
import { createPages } from '../../lib/pages/pages.js'
import { ENGLISH } from '../../lib/pages/texts.js'
import { VERIFIED } from '../support/sample-pages.js'

function render(changes: Partial<SignInPage> = {}): { html: string; username: string; password: string } {
  const { html } = createPages({}).render({
    kind: 'sign-in',
    action: '/sign-in',
    hidden: { csrf: 'c' },
    ...changes,
  })
  const [username, password] = html.match(/<input(?! type="hidden")[^>]*>/g) ?? []
  return { html, username: String(username), password: String(password) }
}

describe('the sign-in page', () => {
  it('asks for what password managers know', () => {
    const { html, username, password } = render()
    expect(html).toContain('<form method="post" action="/sign-in">')
    expect(html).toContain('<input type="hidden" name="csrf" value="c" />')
    expect(username).toMatch(/name="username"\s+autocomplete="username"/)
    expect(password).toMatch(/type="password"\s+name="password"\s+autocomplete="current-password"/)
    for (const input of [username, password]) expect(input).toContain(' required')
  })

  it('names the client that waits', () => {
    expect(render({ client: VERIFIED }).html).toContain('to continue to <bdi>Example App</bdi>')
    expect(render().html).not.toContain('to continue to')
  })

  it.each(['wrong', 'missing', 'expired'] as const)('says what went wrong: %s', (failure) => {
    const { html, username, password } = render({ failure })
    expect(html).toMatch(/<p class="box bad" id="failure" role="alert">/)
    expect(html).toContain(ENGLISH[`signIn.${failure}`])
    for (const input of [username, password]) {
      expect(input).toContain('aria-describedby="failure"')
      expect(input.includes('aria-invalid="true"')).toBe(failure !== 'expired')
    }
  })

  it('says nothing of failures before there is one', () => {
    expect(render().html).not.toMatch(/role="alert"|aria-invalid=|aria-describedby=/)
  })

  it('keeps the username, never a password, and begins where something is to be typed', () => {
    const again = render({ username: 'ali"ce', failure: 'wrong' })
    expect(again.username).toContain('value="ali&#34;ce"')
    expect(again.password).not.toContain('value=')
    expect([again.username, again.password].map((input) => input.includes('autofocus'))).toEqual([
      false,
      true,
    ])
    for (const { username, password } of [render(), render({ username: '' })])
      expect([username, password].map((input) => input.includes('autofocus'))).toEqual([true, false])
  })
})

import { describe, expect, it } from '@jest/globals'
import type { MessagePage } from '../../lib/pages/page.js'
import { createPages } from '../../lib/pages/pages.js'
import { ENGLISH } from '../../lib/pages/texts.js'
import { MESSAGES } from '../support/sample-pages.js'

const render = (changes: Partial<MessagePage>): string =>
  createPages({}).render({ kind: 'message', status: 400, message: 'expired', ...changes }).html

describe('a message page', () => {
  it.each(MESSAGES)('says what happened and what to do: %s', (message) => {
    const html = render({ message })
    for (const part of ['title', 'body', 'advice'] as const)
      expect(html).toContain(ENGLISH[`${message}.${part}`])
    expect(html).toContain(`<code>400 ${message}</code>`)
  })

  it('says something else in every case', () => {
    expect(new Set(MESSAGES.map((message) => render({ message }).replaceAll(message, ''))).size).toBe(
      MESSAGES.length,
    )
    expect(MESSAGES).toHaveLength(12)
  })

  it('tells people with an unknown client what helps', () => {
    expect(render({ message: 'unknown_client' })).toContain('remove the server and add it again')
  })

  it('U7 shows details to developers as text', () => {
    expect(render({ detail: 'scope: <script>' })).toContain('<bdi>scope: &#60;script&#62;</bdi>')
  })

  it('has nothing for developers where nothing went wrong', () => {
    expect(render({ message: 'signed_out', status: 200 })).not.toContain(ENGLISH['message.detail'])
  })

  it.each(['https://app.example.com/cb?code=a&iss=b', 'editor://cb', 'http://localhost:1/', '/connections'])(
    'goes on to %s, by itself and by a link',
    (continueTo) => {
      const written = continueTo.replaceAll('&', '&#38;')
      const html = render({ continueTo })
      expect(html).toContain(`<meta http-equiv="refresh" content="0; url=${written}" />`)
      expect(html).toContain(`href="${written}" rel="noreferrer"`)
    },
  )

  it.each([
    undefined,
    'javascript:alert(1)',
    'JavaScript:alert(1)',
    'data:text/html,a',
    'java\nscript:alert(1)',
    '//evil.example',
    '/\\evil.example',
    '/\t/evil.example',
    'relative',
    ' https://a.example',
    '',
  ])('AS-14 goes nowhere by %j', (continueTo) => {
    const html = render({ continueTo })
    expect(html).not.toContain('http-equiv="refresh"')
    expect(html).not.toContain('<a ')
  })
})

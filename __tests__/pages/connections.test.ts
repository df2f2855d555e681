import { describe, expect, it } from '@jest/globals'
import type { ConnectionsPage } from '../../lib/pages/page.js'
import { type PageOptions, createPages } from '../../lib/pages/pages.js'
import { ENGLISH } from '../../lib/pages/texts.js'
import { CONSENT, STRANGER, VERIFIED } from '../support/sample-pages.js'

const CONNECTIONS: ConnectionsPage = {
  kind: 'connections',
  action: '/connections',
  user: { subject: 'u1' },
  connections: [
    { client: VERIFIED, scopes: CONSENT.scopes, since: Date.UTC(2026, 1, 3, 23, 59), hidden: { id: '1' } },
    { client: STRANGER, scopes: [], since: 0, hidden: { id: '2' } },
  ],
}

const render = (changes: Partial<ConnectionsPage> = {}, options: PageOptions = {}): string =>
  createPages(options).render({ ...CONNECTIONS, ...changes }).html

describe('the page of connections', () => {
  it('lists every client with what it may do, since when, and a button of its own', () => {
    const html = render()
    const items = html.split('<li class="app">').slice(1)
    expect(items).toHaveLength(2)
    for (const part of [
      '<bdi>Example App</bdi>',
      'app.example.com',
      'Read your notes',
      'Connected on <bdi>February 3, 2026</bdi>',
      '<input type="hidden" name="id" value="1" />',
      'aria-label="Disconnect Example App"',
    ])
      expect(items[0]).toContain(part)
    expect(items[1]).toContain(ENGLISH['client.unverified'])
    expect(html.match(/<form method="post" action="\/connections">/g)).toHaveLength(2)
  })

  it('writes days in the language of the page', () => {
    expect(render({}, { branding: { language: 'de' } })).toContain('3. Februar 2026')
  })

  it('says so where nothing is connected', () => {
    expect(render({ connections: [] })).toContain(ENGLISH['connections.none'])
    expect(render()).not.toContain(ENGLISH['connections.none'])
  })

  it('says what was disconnected, so that a screen reader says it too', () => {
    expect(render({ revoked: '<b>' })).toMatch(/role="status">.*<bdi>&#60;b&#62;<\/bdi> is disconnected/s)
    expect(render()).not.toContain('role="status"')
  })

  it('lets the user sign out where that is ours', () => {
    const html = render({ signOut: { action: '/sign-out', hidden: { csrf: 'c' } } })
    expect(html).toContain('<form id="leave" method="post" action="/sign-out" hidden>')
    expect(html).toContain('form="leave"')
    expect(html).toContain('<input type="hidden" name="csrf" value="c" />')
    expect(render()).not.toContain(ENGLISH['connections.signOut'])
  })
})

import { describe, expect, it } from '@jest/globals'
import type { ConsentPage } from '../../lib/pages/page.js'
import { type PageOptions, createPages } from '../../lib/pages/pages.js'
import { ENGLISH } from '../../lib/pages/texts.js'
import { CONFIGURED, CONSENT, STRANGER, VERIFIED } from '../support/sample-pages.js'

const render = (changes: Partial<ConsentPage> = {}, options: PageOptions = {}): string =>
  createPages(options).render({ ...CONSENT, ...changes }).html

/** Words of a page as they are read, without what only looks. */
function read(html: string): string {
  return html
    .replace(/^.*<main/s, '<main')
    .replace(/<span class="tile.*?<\/span>|<[^>]*>/gs, ' ')
    .replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)))
    .replace(/\s+/g, ' ')
}

describe('the consent page', () => {
  it('PX-03 says who asks, who is asked, for what, and where the browser goes', () => {
    const words = read(render())
    for (const part of [
      'Example App asks for access',
      'to Notes',
      'Signed in as alice@example.com',
      'Read your notes',
      'Create, change and delete your notes',
      'app.example.com',
      'https://api.example.com/mcp',
    ])
      expect(words).toContain(part)
  })

  it('AS-29 shows the verified domain, and that the name is not', () => {
    const words = read(render({ client: VERIFIED }))
    expect(words).toContain('Verified domain: app.example.com')
    expect(words).toContain(ENGLISH['client.verifiedNote'])
    expect(words).not.toContain(ENGLISH['client.unverified'])
  })

  it('U8 says that nobody checked a stranger, and shows no website that it claims', () => {
    const html = render({ client: STRANGER })
    expect(read(html)).toContain(ENGLISH['client.unverified'])
    expect(read(html)).toContain(ENGLISH['client.unverifiedNote'])
    expect(html).not.toContain('example.org')
  })

  it('tells nothing of names for a client that the operator configured, and shows its website', () => {
    const html = render({ client: CONFIGURED })
    expect(read(html)).toContain(ENGLISH['client.configured'])
    expect(html).not.toContain(ENGLISH['client.unverifiedNote'])
    expect(html).toContain(
      'href="https://inspector.example.com/about" target="_blank" rel="noopener noreferrer"',
    )
  })

  it.each([undefined, 'http://a.example', 'javascript:alert(1)//https://'])('shows no website %s', (uri) => {
    expect(render({ client: { ...CONFIGURED, uri } })).not.toContain('target="_blank"')
  })

  it('calls a client without a name by its domain or its ID', () => {
    expect(read(render({ client: { ...VERIFIED, name: undefined } }))).toContain(
      'app.example.com asks for access',
    )
    const words = read(render({ client: { clientId: 'c_1', name: ' \u202e ', configured: false } }))
    expect(words).toContain('c_1 asks for access')
  })

  it('U8 shows a host letter by letter, and warns where it stands for another alphabet', () => {
    const html = render({ redirect: { host: 'xn--pple-43d.com:8443', kind: 'web' } })
    expect(html).toContain('<p class="host" dir="ltr">xn--pple-43d.com:8443</p>')
    expect(read(html)).toContain(ENGLISH['consent.internationalNote'])
    expect(read(html)).toContain(ENGLISH['consent.webNote'])
    expect(read(render())).not.toContain(ENGLISH['consent.internationalNote'])
  })

  it.each([
    ['loopback', 'localhost:3000', ENGLISH['consent.redirectLoopback'], ENGLISH['consent.loopbackNote']],
    ['app', 'editor:', ENGLISH['consent.redirectApp'], ENGLISH['consent.appNote']],
  ] as const)('U8 AS-29 warns of a redirect to this device: %s', (kind, host, place, warning) => {
    const words = read(render({ redirect: { host, kind } }))
    expect(words).toContain(`${place} ${host}`)
    expect(words).toContain(warning)
    expect(words).not.toContain(ENGLISH['consent.webNote'])
    expect(read(render())).not.toContain(warning)
  })

  it('lets out what can be left out, ticked, by the name of its field', () => {
    const html = render()
    expect(html.match(/<input type="checkbox" value="on" checked +name="scope_\d" \/>/g)).toHaveLength(3)
    expect(read(html)).toContain(ENGLISH['consent.scopesNote'])
    const fixed = render({ scopes: [{ scope: 'a' }] })
    expect(fixed).not.toContain('checkbox')
    expect(read(fixed)).not.toContain(ENGLISH['consent.scopesNote'])
  })

  it('says what is asked for where no scope is', () => {
    expect(read(render({ scopes: [] }))).toContain(ENGLISH['consent.noScopes'])
  })

  it('U3 sends the hidden fields with every form', () => {
    const html = render({ hidden: { csrf: 'c' } })
    expect(html.match(/<form [^>]*method="post"/g)).toHaveLength(2)
    expect(html.match(/<input type="hidden" name="csrf" value="c" \/>/g)).toHaveLength(2)
    // Whoever takes the first form of the page takes the decision.
    expect([...html.matchAll(/<form [^>]*action="([^"]*)"/g)].map(([, action]) => action)).toEqual([
      '/consent',
      '/sign-out',
    ])
  })

  it('has no button to be somebody else where the app signs users in', () => {
    const html = render({ signOutAction: undefined })
    expect(html.match(/<form/g)).toHaveLength(1)
    expect(html).not.toContain(ENGLISH['consent.switch'])
  })

  it('asks for a decision, Deny first, after a button that decides nothing', () => {
    const [, form] = /action="\/consent">(.*?)<\/form>/s.exec(render()) ?? []
    expect(form?.match(/<button[^>]*>/g)).toEqual([
      '<button formmethod="dialog" hidden>',
      '<button class="button" name="decision" value="deny">',
      '<button class="button main" name="decision" value="allow">',
    ])
  })

  it('calls the service by what is known of it', () => {
    const lead = (changes: Partial<ConsentPage>, options: PageOptions = {}): unknown =>
      /<p class="lead">(.*?)<\/p>/.exec(render(changes, options))?.[1]
    const unnamed = { resourceName: undefined }
    expect(lead(unnamed)).toBe('to <bdi>api.example.com</bdi>')
    expect(lead(unnamed, { branding: { name: 'Notes Inc' } })).toBe('to <bdi>Notes Inc</bdi>')
    expect(lead({}, { branding: { name: 'Notes Inc' } })).toBe('to <bdi>Notes</bdi>')
  })

  it('shows the logo in place of a letter', () => {
    expect(
      render({}, { branding: { logoUrl: '/logo.svg' } }).match(/<img src="\/logo.svg" alt="" \/>/g),
    ).toHaveLength(2)
  })

  it('draws long names smaller', () => {
    expect(render({ client: { ...STRANGER, name: 'a'.repeat(33) } })).toContain('class="ask long"')
    expect(render({ client: { ...STRANGER, name: 'a'.repeat(32) } })).toContain('class="ask"')
  })
})

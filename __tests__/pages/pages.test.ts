import { createHash } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import type { Page } from '../../lib/pages/page.js'
import { type PageOptions, createPages } from '../../lib/pages/pages.js'
import { CONSENT, SAMPLES } from '../support/sample-pages.js'

function policyOf(options: PageOptions, page: Page = CONSENT): Map<string, string> {
  const { headers } = createPages(options).render(page)
  return new Map(
    String(headers['Content-Security-Policy'])
      .split('; ')
      .map((directive) => directive.split(/ (.*)/) as [string, string]),
  )
}

describe('every page', () => {
  const pages = createPages({ branding: { name: 'Notes & Co', accentColor: '#abc' } })

  it.each([...SAMPLES])('U4 U7 comes with all of its headers: %s', (_name, page) => {
    const { headers, html } = pages.render(page)
    const [, style] = /<style>([^<]*)<\/style>/.exec(html) ?? []
    const hash = createHash('sha256').update(String(style)).digest('base64')
    expect(headers).toEqual({
      'Content-Type': 'text/html; charset=utf-8',
      'Content-Security-Policy': `default-src 'none'; style-src 'sha256-${hash}'; frame-ancestors 'none'; base-uri 'none'`,
      'X-Frame-Options': 'DENY',
      'X-Content-Type-Options': 'nosniff',
      'Cache-Control': 'no-store',
      'Referrer-Policy': 'no-referrer',
      'Permissions-Policy': 'camera=(), geolocation=(), microphone=()',
    })
  })

  it.each([...SAMPLES])('is one whole document without scripts: %s', (_name, page) => {
    const { html } = pages.render(page)
    expect(html).toMatch(/^<!doctype html>\s*<html lang="en" dir="ltr">/)
    expect(html.match(/<(?:title|main|h1)\b/g)?.toSorted()).toEqual(['<h1', '<main', '<title'])
    expect(html).toContain(' – Notes &#38; Co</title>')
    const names = html.replace(/="[^"]*"/g, '=')
    expect(names).not.toMatch(/<(?:script|iframe|link)|<[^<>]*\s(?:on[a-z]+|style)=/i)
  })

  it.each([...SAMPLES])('has an ID once, and names nothing that is not there: %s', (_name, page) => {
    const { html } = pages.render(page)
    const ids = Array.from(html.matchAll(/\sid="([^"]+)"/g), ([, id]) => id)
    const named = Array.from(html.matchAll(/\saria-(?:labelledby|describedby)="([^"]+)"/g), ([, id]) => id)
    expect(new Set(ids).size).toBe(ids.length)
    expect(ids).toEqual(expect.arrayContaining(named))
  })

  it('D2 U7 keeps whatever strangers wrote from becoming markup', () => {
    const tags = (html: string): string[] =>
      html.match(/<[^<>]*/g)?.map((tag) => tag.split(/[\s>]/, 1)[0]!) ?? []
    const render = (text: string): string =>
      createPages({}).render({
        ...CONSENT,
        client: { clientId: text, name: `a${text}`, configured: false },
        scopes: [{ scope: text }, { scope: text, field: text }, { scope: 'a', description: text }],
        hidden: { [text]: text },
        user: { subject: text },
        resource: text,
        resourceName: text,
        redirect: { host: text, kind: 'loopback' },
      }).html
    const markup = tags(render(''))
    const parts = fc.constantFrom(
      '<img src=x onerror=',
      '</title>',
      '"',
      "'",
      '>',
      '<!--',
      '\0',
      '{client}',
      '&lt;',
      'é',
    )
    fc.assert(
      fc.property(fc.array(parts), (text) => {
        expect(tags(render(text.join('')))).toEqual(markup)
      }),
    )
  })
})

describe('the policy', () => {
  it.each([
    ['data:image/png;base64,AA==', 'data:'],
    ['/logo.svg', "'self'"],
    ['https://cdn.example.com:8443/a;b/logo.png?c', 'https://cdn.example.com:8443'],
  ])('lets in the logo %s, and nothing else', (logoUrl, source) => {
    expect(policyOf({ branding: { logoUrl } }).get('img-src')).toBe(source)
    expect(policyOf({}).has('img-src')).toBe(false)
  })

  it('AS-15 has no form-action, which would block the redirect to the client', () => {
    expect(policyOf({}).has('form-action')).toBe(false)
  })

  it('holds the one style sheet, whatever its colours are', () => {
    const sources = [{}, { accentColor: '#123456' }, { darkAccentColor: '#fff' }].map((branding) =>
      policyOf({ branding }).get('style-src'),
    )
    expect(new Set(sources).size).toBe(3)
  })
})

describe('renderPage', () => {
  it('draws a page as it likes, still without scripts and frames', () => {
    const renderPage = (page: Page): string => `<!doctype html><h1 style="color:red">${page.kind}</h1>`
    const { html } = createPages({ renderPage }).render(CONSENT)
    expect(html).toBe('<!doctype html><h1 style="color:red">consent</h1>')
    expect(
      Object.fromEntries(policyOf({ renderPage, branding: { logoUrl: 'https://cdn.example.com/a' } })),
    ).toEqual({
      'default-src': "'none'",
      'style-src': "'self' 'unsafe-inline'",
      'img-src': "'self' data: https://cdn.example.com",
      'font-src': "'self'",
      'frame-ancestors': "'none'",
      'base-uri': "'none'",
    })
    expect(policyOf({ renderPage }).get('img-src')).toBe("'self' data:")
  })

  it('leaves a page as it is, under the strict policy', () => {
    const plain = createPages({}).render(CONSENT)
    expect(createPages({ renderPage: (page, render) => render(page) }).render(CONSENT)).toEqual(plain)
  })

  it('gets a page that it changed under its own policy', () => {
    const renderPage: PageOptions['renderPage'] = (page, render) => render(page).replace('<h1', '<hr><h1')
    expect(policyOf({ renderPage }).get('style-src')).toBe("'self' 'unsafe-inline'")
  })

  it.each([undefined, 7, Promise.resolve('<p>')])('must return text, not %p', (value) => {
    const pages = createPages({ renderPage: () => value as unknown as string })
    expect(() => pages.render(CONSENT)).toThrow('renderPage must return a string')
  })
})

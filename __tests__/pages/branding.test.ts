import { describe, expect, it } from '@jest/globals'
import { PAGE_OPTIONS, type PageOptions, createPages, parsePageOptions } from '../../lib/pages/pages.js'
import { OptionReader } from '../../lib/protocol/options.js'
import { configErrorOf } from '../support/config-error.js'
import { CONSENT } from '../support/sample-pages.js'

const parse = (options: unknown): PageOptions =>
  parsePageOptions(new OptionReader('Provider', options, PAGE_OPTIONS))

describe('the options of pages', () => {
  it('are all optional', () => {
    expect(parse({})).toEqual({ branding: {}, texts: {}, scopeDescriptions: {}, renderPage: undefined })
    expect(createPages(parse({})).render(CONSENT).html).toContain('lang="en"')
  })

  it('are copied', () => {
    const branding = {
      name: 'Notes',
      logoUrl: '/logo.svg',
      accentColor: '#AbC',
      darkAccentColor: '#01eF99',
      termsUrl: 'https://example.com/terms',
      privacyUrl: 'https://example.com/privacy',
      language: 'PT-br',
    }
    const texts = { 'consent.allow': 'Permitir' }
    const scopeDescriptions = { 'notes:read': 'Ler', none: undefined }
    const renderPage = (): string => ''
    const parsed = parse({ branding, texts, scopeDescriptions, renderPage })
    expect(parsed).toEqual({
      branding: { ...branding, language: 'pt-BR' },
      texts,
      scopeDescriptions: { 'notes:read': 'Ler' },
      renderPage,
    })
    expect(parsed.branding).not.toBe(branding)
    expect(parsed.texts).not.toBe(texts)
  })

  it.each([
    ['branding', { branding: 'Notes' }, 'Provider: "branding" must be an object'],
    ['branding', { branding: null }, 'Provider: "branding" must be an object'],
    ['texts', { texts: [] }, 'Provider: "texts" must be an object'],
    ['scopeDescriptions', { scopeDescriptions: 'a' }, 'Provider: "scopeDescriptions" must be an object'],
    ['scope', { scopeDescriptions: { a: ' ' } }, '"a" must be a string that is not blank'],
    ['renderPage', { renderPage: 'a' }, 'Provider: "renderPage" must be a function'],
    ['name', { branding: { name: 7 } }, '"name" must be a string'],
    ['language', { branding: { language: 'e"n' } }, '"language" must be the tag of a language'],
    ['termsUrl', { branding: { termsUrl: 'javascript:alert(1)' } }, '"termsUrl" must be an absolute URL'],
    ['text', { texts: { 'consent.allow': '' } }, '"consent.allow" must be a string that is not blank'],
    ['place', { texts: { 'consent.title': '{user} asks' } }, 'without {user}; it may hold {client}'],
    ['place', { texts: { 'consent.allow': '{client}' } }, 'without {client}; it may hold no places'],
  ])('are refused where %s is wrong', (_what, options, message) => {
    const error = configErrorOf(() => parse(options))
    expect(error.code).toBe('ERR_MCP_AUTH_INVALID_OPTION')
    expect(error.message).toContain(message)
  })

  it.each([
    [{ branding: { logoURI: '/a.svg' } }, 'Did you mean "logoUrl"?'],
    [{ branding: { accentColour: '#fff' } }, 'Did you mean "accentColor"?'],
    [{ texts: { 'consent.alow': 'a' } }, 'Did you mean "consent.allow"?'],
  ])('%j: say what was meant', (options, advice) => {
    const error = configErrorOf(() => parse(options))
    expect(error.code).toBe('ERR_MCP_AUTH_UNKNOWN_OPTION')
    expect(error.message).toContain(advice)
  })

  it('refuse plain http for terms', () => {
    expect(configErrorOf(() => parse({ branding: { termsUrl: 'http://example.com/' } })).code).toBe(
      'ERR_MCP_AUTH_INSECURE_URL',
    )
  })

  it.each([
    'red',
    '#12',
    '#12345',
    '#fff;}*{display:none',
    '#fff\n',
    'url(https://a.example)',
    '</style>',
    '#ggg',
  ])('U7 let no colour into the style sheet that is more than digits: %j', (colour) => {
    for (const name of ['accentColor', 'darkAccentColor'])
      expect(configErrorOf(() => parse({ branding: { [name]: colour } })).message).toContain(
        `"${name}" must be a colour`,
      )
  })

  it.each([
    '/',
    '/a/logo.svg?v=1',
    'data:image/png;base64,AA==',
    'data:image/svg+xml,%3Csvg%3E',
    'https://a.example/b.png',
  ])('take the logo %s', (logoUrl) => {
    expect(parse({ branding: { logoUrl } }).branding?.logoUrl).toBe(logoUrl)
  })

  it.each([
    'logo.svg',
    '//a.example/logo.svg',
    '/\\a.example',
    '/\t/a.example',
    'data:text/html,<script>',
    'data:image/svg',
    'javascript:alert(1)',
    'http://a.example/logo.png',
    "https://a.example; script-src 'unsafe-inline'",
  ])('U7 refuse the logo %j', (logoUrl) => {
    expect(() => parse({ branding: { logoUrl } })).toThrow('logoUrl')
  })
})

import { describe, expect, it } from '@jest/globals'
import { type Branding, createPages } from '../../lib/pages/pages.js'

const render = (branding: Branding): string =>
  createPages({ branding }).render({ kind: 'message', message: 'expired', status: 400 }).html

describe('what every page has around it', () => {
  it('is nothing where there is no branding', () => {
    expect(render({})).not.toMatch(/<header|<footer/)
    expect(render({})).toContain('<title>This took too long</title>')
  })

  it('is the name, the logo, the terms', () => {
    const html = render({
      name: 'A <b>',
      logoUrl: '/"logo.svg',
      termsUrl: 'https://example.com/t?a&b',
      privacyUrl: 'https://example.com/p',
    })
    expect(html).toContain('<span>A &#60;b&#62;</span>')
    expect(html).toContain('<img src="/&#34;logo.svg" alt="" />')
    expect(html).toContain('<a href="https://example.com/t?a&#38;b">Terms</a>')
    expect(html).toContain('<a href="https://example.com/p">Privacy</a>')
    expect(html).toContain('<title>This took too long – A &#60;b&#62;</title>')
  })

  it.each<[Branding, string, string]>([
    [{ name: 'A' }, '<header', '<img'],
    [{ logoUrl: '/a' }, '<img', '<span>A'],
    [{ termsUrl: 'https://a.example/' }, 'Terms', 'Privacy'],
    [{ privacyUrl: 'https://a.example/' }, 'Privacy', 'Terms'],
  ])('%j: only what there is', (branding, there, absent) => {
    const html = render(branding)
    expect(html).toContain(there)
    expect(html).not.toContain(absent)
  })

  it.each([
    ['en', 'ltr'],
    ['de-CH', 'ltr'],
    ['ar', 'rtl'],
    ['he-IL', 'rtl'],
    ['fa', 'rtl'],
    ['az-Arab', 'rtl'],
    ['ar-Latn', 'ltr'],
    ['qqq', 'ltr'],
  ])('is written in the direction of its language: %s %s', (language, direction) => {
    expect(render({ language })).toContain(`<html lang="${language}" dir="${direction}">`)
  })
})

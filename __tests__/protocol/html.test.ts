import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import {
  Attributes,
  type HtmlValue,
  SafeHtml,
  attributes,
  html,
  isLinkable,
  styleSheet,
} from '../../lib/protocol/html.js'

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({
    unit: fc.constantFrom('<', '>', '"', "'", '&', '`', '\0', '\ud800', '/', '=', 'a', ' ', '\n'),
  }),
)

describe('html', () => {
  it('D2 makes text of whatever is put between tags', () => {
    expect(html`<p>${'<img src=x onerror="alert(1)">&\'`'}</p>`.toString()).toBe(
      '<p>&#60;img src=x onerror=&#34;alert(1)&#34;&#62;&#38;&#39;&#96;</p>',
    )
  })

  it('D2 lets no value leave its attribute', () => {
    expect(html`<a title="${'"><script>'}" class="b">c</a>`.toString()).toBe(
      '<a title="&#34;&#62;&#60;script&#62;" class="b">c</a>',
    )
  })

  it('does not escape twice what a template made, nor lists of it', () => {
    const items = ['a&b', 'c'].map((item) => html`<li>${item}</li>`)
    const list = html`<ul>${[items, [html`<li>d</li>`]]}</ul>` // prettier-ignore
    expect(html`<div>${list}</div>`.toString()).toBe(
      '<div><ul><li>a&#38;b</li><li>c</li><li>d</li></ul></div>',
    )
  })

  it('writes numbers, and nothing for undefined and false', () => {
    expect(html`<p>${0}${undefined}${false}</p>`.toString()).toBe('<p>0</p>')
  })

  it('D2 escapes whatever the value is, and keeps every letter that can be sent', () => {
    fc.assert(
      fc.property(text, text, (inner, value) => {
        const made = html`<p title="${value}">${inner}</p>`.toString()
        const parts = /^<p title="([^<>"'`]*)">([^<>"'`]*)<\/p>$/.exec(made)
        const read = (part: unknown): string =>
          String(part).replace(/&#(\d+);/g, (_, code: string) => String.fromCharCode(Number(code)))
        const sent = (what: string): string => what.replace(/\0|\p{Surrogate}/gu, '\ufffd')
        expect(parts?.slice(1).map(read)).toEqual([sent(value), sent(inner)])
      }),
    )
  })

  it.each<[place: string, make: (value: HtmlValue) => SafeHtml]>([
    ['a style sheet', (value) => html`<style>p{color:${value}}</style>`], // prettier-ignore
    ['a script', (value) => html`<script>f(${value})</script>`], // prettier-ignore
    ['what follows a script', (value) => html`<script></script>${value}`], // prettier-ignore
    ['a comment', (value) => html`<!-- ${value} -->`],
    ['single quotes', (value) => html`<a title='${value}'></a>`], // prettier-ignore
    ['no quotes', (value) => html`<a title=${value}></a>`], // prettier-ignore
    ['the name of an element', (value) => html`<${value}></a>`], // prettier-ignore
    ['a handler', (value) => html`<a onclick="${value}"></a>`],
    ['a style', (value) => html`<a class="b" style="${value}"></a>`],
    ['the document of a frame', (value) => html`<a srcdoc="${value}"></a>`],
    ['the inside of a tag', (value) => html`<a ${value}></a>`],
  ])('refuses a value in %s', (_place, make) => {
    expect(() => make('a')).toThrow(TypeError)
  })

  it('takes values after comments, document types and attributes with values', () => {
    const made = html`<!doctype html><!-- a > "b" --><p class="c>${'d'}" title="e">${'f'}</p>` // prettier-ignore
    expect(made.toString()).toBe('<!doctype html><!-- a > "b" --><p class="c>d" title="e">f</p>')
  })

  it.each(['href', 'action', 'formaction', 'HREF'])('runs no code by %s', (name) => {
    const made = attributes({ [name]: ' java\nscript:alert(1)' })
    expect(html`<a ${made}></a>`.toString()).toBe(`<a  ${name}="about:invalid"></a>`)
    expect(html`<a href="${'JAVASCRIPT:alert(1)'}"></a>`.toString()).toBe('<a href="about:invalid"></a>')
    expect(html`<a href="${'/b?c=d&e'}"></a>`.toString()).toBe('<a href="/b?c=d&#38;e"></a>')
  })

  it('refuses markup in an attribute', () => {
    expect(() => html`<a title="${html`<b></b>`}"></a>`).toThrow('"title" takes text')
    expect(() => html`<a title="${['b']}"></a>`).toThrow('"title" takes text')
  })

  it('says the same for one template, time after time', () => {
    const make = (value: string): string => html`<a title="${value}"></a>`.toString()
    expect([make('b'), make('"')]).toEqual(['<a title="b"></a>', '<a title="&#34;"></a>'])
  })
})

describe('attributes', () => {
  it('leaves out what is absent and escapes the rest', () => {
    const made = attributes({ checked: true, disabled: false, id: undefined, 'aria-label': 'a"b' })
    expect(html`<input ${made} class="c" />`.toString()).toBe(
      '<input  checked aria-label="a&#34;b" class="c" />',
    )
  })

  it('stand inside of a tag, also after others, and nowhere else', () => {
    const made = attributes({ id: 'a' })
    expect(html`<p class="b" ${made}${made} hidden>${'c'}</p>`.toString()).toBe(
      '<p class="b"  id="a" id="a" hidden>c</p>',
    )
    expect(() => html`<p>${made}</p>`).toThrow(TypeError)
    expect(() => html`<p id="${made}"></p>`).toThrow(TypeError)
  })

  it.each(['onclick', 'ONLOAD', 'style', 'srcdoc', 'a b', '', '"', '1', 'xmlns'])(
    'refuse the name %j',
    (name) => {
      expect(() => attributes({ [name]: 'a' })).toThrow('safely')
    },
  )
})

describe('safe markup', () => {
  it('is made by the tag alone', () => {
    const markup: unknown = SafeHtml
    const made: unknown = Attributes
    expect(() => new (markup as new (text: string) => SafeHtml)('<script>')).toThrow(TypeError)
    expect(() => new (made as new (text: string) => Attributes)(' onload="a"')).toThrow(TypeError)
  })

  it('is not what looks like it', () => {
    const forged = { toString: () => '<script>' } as unknown as SafeHtml
    expect(() => html`<p>${forged}</p>`).toThrow(TypeError)
  })

  it('holds a style sheet that cannot end its element', () => {
    expect(html`${styleSheet('p>a{color:red}')}`.toString()).toBe('<style>p>a{color:red}</style>')
    expect(() => styleSheet('</style><script>')).toThrow(TypeError)
  })
})

describe('isLinkable', () => {
  it.each([
    ['https://a.example/?b#c', true],
    ['http://localhost:3000/', true],
    ['cursor://callback', true],
    ['/javascript:', true],
    ['javascript:alert(1)', false],
    ['\u0001 JaVa\tScript\n:alert(1)', false],
    ['\u00a0data:text/html,a', false],
    ['vbscript:a', false],
    ['blob:https://a.example/b', false],
    ['filesystem:a', false],
  ])('%j: %s', (url, linkable) => {
    expect(isLinkable(url)).toBe(linkable)
  })
})

import { readFileSync, readdirSync } from 'node:fs'
import { describe, expect, it } from '@jest/globals'
import { createPages } from '../../lib/pages/pages.js'
import { ENGLISH, type Texts } from '../../lib/pages/texts.js'
import { SAMPLES } from '../support/sample-pages.js'

const room = new URL('../../lib/pages/', import.meta.url)

describe('the texts', () => {
  const names = Object.keys(ENGLISH) as (keyof Texts)[]

  it('leave no word of a page that cannot be translated', () => {
    const texts = Object.fromEntries(names.map((name) => [name, '·']))
    const pages = createPages({
      texts,
      branding: { termsUrl: 'https://a.example/', privacyUrl: 'https://a.example/' },
    })
    for (const [name, page] of SAMPLES) {
      if (name.includes('nasty')) continue
      const { html } = pages.render(page)
      const own = JSON.stringify(page)
      const words = html
        .replace(/<style>.*?<\/style>|<code>.*?<\/code>|<span class="tile.*?<\/span>/gs, '')
        .replace(/<[^>]*?(?:aria-label="([^"]*)")?[^>]*>/g, '\n$1\n')
        .split(/\s+/)
      expect([name, words.filter((word) => /\p{L}/u.test(word) && !own.includes(word))]).toEqual([name, []])
    }
  })

  it('are all used', () => {
    const source = readdirSync(room)
      .filter((file) => file !== 'texts.ts')
      .map((file) => readFileSync(new URL(file, room), 'utf8'))
      .join('')
    const computed = /^(?:scope\.|signIn\.(?:wrong|missing|expired)$|\w+\.(?:title|body|advice)$)/
    expect(names.filter((name) => !source.includes(`'${name}'`) && !computed.test(name))).toEqual([])
  })

  it('are all in the documentation', () => {
    const lines = readFileSync(new URL('../../docs/pages.md', room), 'utf8').split('\n')
    expect(lines).toEqual(expect.arrayContaining(names.map((name) => `| \`${name}\` | ${ENGLISH[name]} |`)))
  })

  it('are not blank', () => {
    expect(Object.values<string>(ENGLISH).filter((text) => text.trim() !== text || text === '')).toEqual([])
  })
})

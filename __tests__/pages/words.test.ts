import { describe, expect, it } from '@jest/globals'
import { ENGLISH } from '../../lib/pages/texts.js'
import { Words, initialOf, nameOf, shown } from '../../lib/pages/words.js'
import { html } from '../../lib/protocol/html.js'

const words = new Words(
  {
    'consent.allow': 'Erlauben <b>',
    'consent.title': '{client} möchte Zugriff, {client}',
    'scope.email': 'Mail',
  },
  { 'notes:read': 'Notizen lesen', openid: 'Wissen, wer du bist', constructor: 'Bauen' },
  'de',
)

describe('texts', () => {
  it('are those of the app, else English', () => {
    expect(words.plain('consent.allow')).toBe('Erlauben <b>')
    expect(words.plain('consent.deny')).toBe(ENGLISH['consent.deny'])
  })

  it('D2 are text themselves, and keep what is filled in to itself', () => {
    expect(words.say('consent.allow').toString()).toBe('Erlauben &#60;b&#62;')
    expect(words.say('consent.title', { client: '<i>{client}' }).toString()).toBe(
      '<bdi>&#60;i&#62;{client}</bdi> möchte Zugriff, <bdi>&#60;i&#62;{client}</bdi>',
    )
    expect(words.say('consent.title', { client: html`<b>a</b>` }).toString()).toContain('<b>a</b> möchte')
    expect(words.plain('consent.title', { client: '$&' })).toBe('$& möchte Zugriff, $&')
  })

  it('keep a place that nothing is known for', () => {
    expect(words.say('consent.title').toString()).toContain('<bdi>{client}</bdi> möchte')
    expect(words.plain('consent.title')).toContain('{client} möchte')
  })
})

describe('scopes in words', () => {
  it.each([
    [{ scope: 'notes:read', description: 'Lies' }, 'Lies'],
    [{ scope: 'notes:read' }, 'Notizen lesen'],
    [{ scope: 'openid' }, 'Wissen, wer du bist'],
    [{ scope: 'email' }, 'Mail'],
    [{ scope: 'offline_access' }, ENGLISH['scope.offline_access']],
    [{ scope: 'constructor' }, 'Bauen'],
    [{ scope: 'other' }, 'Use <code>other</code>'],
    [{ scope: 'toString' }, 'Use <code>toString</code>'],
    [{ scope: 'a<b' }, 'Use <code>a&#60;b</code>'],
  ])('%j', (scope, text) => {
    expect(words.scope(scope).toString()).toBe(text)
  })
})

describe('what strangers wrote', () => {
  it('D2 turns no line and breaks none', () => {
    expect(shown(' a\u202e\u2066b\u200f\r\n\tc\0d ')).toBe('ab c d')
  })

  it('ends, between letters', () => {
    expect(shown('a'.repeat(80))).toBe('a'.repeat(80))
    expect(shown('😀'.repeat(81))).toBe(`${'😀'.repeat(79)}…`)
  })

  it('begins with one letter as people see it', () => {
    expect(initialOf('élan')).toBe('É')
    expect(initialOf('👩‍👩‍👧‍👦 family')).toBe('👩‍👩‍👧‍👦')
    expect(initialOf(`z${'\u0301'.repeat(99)}`)).toHaveLength(8)
    expect(initialOf('')).toBe('?')
  })

  it.each([
    [{ name: 'A', domain: 'b.example' }, 'A'],
    [{ name: ' \u202e', domain: 'b.example' }, 'b.example'],
    [{ domain: 'b.example' }, 'b.example'],
    [{}, 'c_1'],
  ])('%j: called %s', (client, name) => {
    expect(nameOf({ clientId: 'c_1', configured: false, ...client })).toBe(name)
  })
})

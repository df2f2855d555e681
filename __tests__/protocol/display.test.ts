import { describe, expect, it } from '@jest/globals'
import { cleanText } from '../../lib/protocol/display.js'

describe('cleanText', () => {
  it.each([
    ['Claude', 'Claude'],
    ['  My \t\r\n App ', 'My App'],
    ['Bücher für 日本', 'Bücher für 日本'],
    ['<img src=x onerror=alert(1)>', '<img src=x onerror=alert(1)>'],
    ['e\u0301', 'e\u0301'],
    ['😀', '😀'],
  ])('keeps what can be read: %j', (text, shown) => {
    expect(cleanText(text, 200)).toBe(shown)
  })

  it.each([
    ['Claude\u202Eexe.moc', 'Claudeexe.moc'],
    ['\u2066Claude\u2069\u200F', 'Claude'],
    ['Cla\u200Bu\u200Dde\uFEFF', 'Clau' + 'de'],
    ['Cla\u00ADude', 'Claude'],
    ['Cla\u0000\u0007ude\u009F', 'Claude'],
    ['Claude\u{E0041}\u{E007F}', 'Claude'],
    ['Claude\uFE0F\u3164\u115F\u2800', 'Claude'],
    ['Claude\uD800', 'Claude'],
    ['Claude\uE000', 'Claude'],
    ['Claude\u2028evil\u2029\u0085', 'Claude evil'],
    [`Cl\u0301\u0302\u0303${'\u0304'.repeat(50)}aude`, 'Cl\u0301\u0302\u0303aude'],
  ])('D2 U8 drops what hides or reorders: %j', (text, shown) => {
    expect(cleanText(text, 200)?.normalize('NFC').replace(' ', '\u00A0')).toBe(
      shown.normalize('NFC').replace(' ', '\u00A0'),
    )
  })

  it.each([undefined, null, 7, {}, ['Claude'], '', '  ', '\u200B', '\u202E \u2800'])(
    'has nothing to show of %j',
    (text) => {
      expect(cleanText(text, 200)).toBeUndefined()
    },
  )

  it('shows so many letters, and cuts none in two', () => {
    expect(cleanText('a'.repeat(300), 200)).toHaveLength(200)
    expect(cleanText('😀😀😀', 2)).toBe('😀😀')
    expect(cleanText('😀😀', 2)).toBe('😀😀')
    expect(cleanText('ab cd', 3)).toBe('ab')
  })
})

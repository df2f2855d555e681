import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { buildStyle, inkOn } from '../../lib/pages/style.js'

describe('the style sheet', () => {
  it('holds the colours of the app, for light and for dark', () => {
    const style = buildStyle({ light: '#ffd500', dark: '#123' })
    expect(style).toContain(':root{--accent:#ffd500;--on-accent:#000}')
    expect(style).toContain('@media (prefers-color-scheme:dark){:root{--accent:#123;--on-accent:#fff}}')
  })

  it('loads nothing and keeps still for who asked for that', () => {
    const style = buildStyle({ light: '#000', dark: '#fff' })
    expect(style).not.toMatch(/url\(|@import|</)
    expect(style).toContain('@media (prefers-reduced-motion:reduce)')
  })

  it('has braces that match', () => {
    const style = buildStyle({ light: '#000', dark: '#fff' })
    expect(style.split('{')).toHaveLength(style.split('}').length)
  })
})

describe('words on a colour', () => {
  it.each([
    ['#000', '#fff'],
    ['#fff', '#000'],
    ['#FFD500', '#000'],
    ['#2b50c8', '#fff'],
    ['#8fb0ff', '#000'],
    ['#f00', '#000'],
  ])('on %s are %s', (colour, ink) => {
    expect(inkOn(colour)).toBe(ink)
  })

  it('can be read on any colour (WCAG 2.2, 1.4.3)', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 0xffffff }), (number) => {
        const colour = `#${number.toString(16).padStart(6, '0')}`
        const [red, green, blue] = [16, 8, 0].map((shift) => {
          const value = ((number >> shift) & 255) / 255
          return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4
        }) as [number, number, number]
        const light = 0.2126 * red + 0.7152 * green + 0.0722 * blue
        const contrast = inkOn(colour) === '#fff' ? 1.05 / (light + 0.05) : (light + 0.05) / 0.05
        expect(contrast).toBeGreaterThanOrEqual(4.5)
      }),
    )
  })
})

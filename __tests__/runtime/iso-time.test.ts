import { describe, expect, it } from '@jest/globals'
import { secondsOfIsoTime } from '../../lib/runtime/iso-time.js'

describe('secondsOfIsoTime', () => {
  it.each<[text: unknown, seconds: number | undefined]>([
    ['2026-03-14T12:00:00.000Z', 1_773_489_600],
    ['2026-03-14T12:00:00.999+00:00', 1_773_489_600],
    ['2026-03-14T14:00:00.000000+02:00', 1_773_489_600],
    ['2026-03-14', undefined],
    ['2026-13-14T12:00:00Z', undefined],
    ['tomorrow', undefined],
    ['1773489600', undefined],
    [1_773_489_600, undefined],
    [null, undefined],
  ])('reads %j as %j', (text, seconds) => {
    expect(secondsOfIsoTime(text)).toBe(seconds)
  })
})

import { describe, expect, it } from '@jest/globals'
import { maxAgeOf } from '../../lib/runtime/max-age.js'

describe('the lifetime of an answer', () => {
  it.each<[header: string | undefined, seconds: number | undefined]>([
    [undefined, undefined],
    ['public', undefined],
    ['max-age=60', 60],
    ['public,MAX-AGE=60, must-revalidate', 60],
    ['s-maxage=60', undefined],
    ['x-max-age=60', undefined],
    ['max-age=-1', undefined],
    ['max-age=9999999999', undefined],
    ['no-cache', 0],
    ['max-age=60, No-Store', 0],
  ])('with Cache-Control %j is %j', (header, seconds) => {
    expect(maxAgeOf(new Headers(header === undefined ? {} : { 'cache-control': header }))).toBe(seconds)
  })
})

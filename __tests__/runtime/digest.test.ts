import { describe, expect, it } from '@jest/globals'
import { digest } from '../../lib/runtime/digest.js'

describe('digest', () => {
  it.each([
    ['abc', 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'],
    ['', 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
    ['ü', '607474ca475a9724d7360aba71a56d5df77e61350e3f724cfa1f46e857e2d85f'],
  ])('of %j is its SHA-256 in hex (FIPS 180-4)', (text, hex) => {
    expect(digest(text)).toBe(hex)
  })
})

import { describe, expect, it } from '@jest/globals'
import { deriveKeys } from '../../lib/runtime/keys.js'
import { Sealer } from '../../lib/runtime/sealing.js'

const ONE = Buffer.from('the first secret, of thirty-two bytes or more')
const TWO = Buffer.from('the second secret, of thirty-two bytes or more')

describe('Sealer', () => {
  const sealer = new Sealer([ONE], 'tests')

  it('opens what it sealed, whatever was written', () => {
    for (const text of ['{"a":1}', '', 'ü€🔑', 'x'.repeat(100_000)])
      expect(sealer.open('a place', sealer.seal('a place', text))).toBe(text)
  })

  it('G1 shows nothing of the text, and never the same twice', () => {
    const sealed = Array.from({ length: 50 }, () => sealer.seal('a place', 'the text'))
    expect(new Set(sealed).size).toBe(50)
    for (const one of sealed) {
      expect(one).toMatch(/^[\w-]{8}\.[\w-]+$/)
      expect(Buffer.from(one.slice(9), 'base64url').toString('latin1')).not.toContain('the text')
    }
  })

  it('G2 opens nothing in another place', () => {
    const sealed = sealer.seal('grant one', 'the text')
    for (const place of ['grant two', 'grant on', 'grant one ', '', 'trip one'])
      expect(sealer.open(place, sealed)).toBeUndefined()
  })

  it('G2 opens nothing that was sealed for another purpose, or by another secret', () => {
    expect(new Sealer([ONE], 'other').open('a place', sealer.seal('a place', 'x'))).toBeUndefined()
    expect(sealer.open('a place', new Sealer([TWO], 'tests').seal('a place', 'x'))).toBeUndefined()
    const [id] = sealer.seal('a place', 'x').split('.')
    const [, foreign] = new Sealer([TWO], 'tests').seal('a place', 'x').split('.')
    expect(sealer.open('a place', `${id}.${foreign}`)).toBeUndefined()
  })

  it('G3 seals with the newest secret, and opens with each that is listed', () => {
    const rotated = new Sealer([TWO, ONE], 'tests')
    const newest = new Sealer([TWO], 'tests')
    expect(rotated.open('a place', sealer.seal('a place', 'old'))).toBe('old')
    expect(newest.open('a place', rotated.seal('a place', 'new'))).toBe('new')
    expect(newest.open('a place', sealer.seal('a place', 'old'))).toBeUndefined()
    expect(sealer.open('a place', rotated.seal('a place', 'new'))).toBeUndefined()
  })

  it('opens nothing of which a bit was changed', () => {
    const [id, body = ''] = sealer.seal('a place', 'the text').split('.')
    const bytes = Buffer.from(body, 'base64url')
    for (let index = 0; index < bytes.length; index++) {
      const changed = Buffer.from(bytes)
      changed[index]! ^= 1
      expect(sealer.open('a place', `${id}.${changed.toString('base64url')}`)).toBeUndefined()
    }
  })

  it('opens nothing that was cut, lengthened, or is something else', () => {
    const sealed = sealer.seal('a place', 'the text')
    const [id, body = ''] = sealed.split('.')
    const bytes = Buffer.from(body, 'base64url')
    const cut = Array.from({ length: bytes.length }, (_, length) =>
      sealer.open('a place', `${id}.${bytes.subarray(0, length).toString('base64url')}`),
    )
    expect(cut.filter((text) => text !== undefined)).toEqual([])
    for (const other of [
      '',
      '.',
      id!,
      `${id}.`,
      body,
      `x${sealed}`,
      `${sealed}AAAA`,
      '{"a":1}',
      '__proto__.x',
    ])
      expect(sealer.open('a place', other)).toBeUndefined()
  })

  it('F18 opens what was sealed before', () => {
    const secret = Buffer.from('a secret of thirty-two bytes or more, for golden files')
    const sealed = 'Gafqtqyh.GSlQhngJDa0J3ZtGPeHFmNib6Qs41Bu0E9Usn3LU_xg'
    expect(deriveKeys([secret]).sealer.open('place', sealed)).toBe('text')
  })
})

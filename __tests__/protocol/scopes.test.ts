import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import {
  formatScopes,
  holdsScope,
  isScope,
  missingScopes,
  parseScopes,
  publicScopes,
} from '../../lib/protocol/scopes.js'

describe('isScope', () => {
  it.each(['mcp:use', 'https://graph.example.com/Files.Read', "!#$%&'()*+,-./", '[]^_`{|}~', 'a'])(
    'takes %j for a scope token',
    (scope) => {
      expect(isScope(scope)).toBe(true)
    },
  )

  it.each(['', 'a b', 'a"', 'a\\b', 'a\tb', 'a\n', 'é', '\u007f'])('takes %j for none', (scope) => {
    expect(isScope(scope)).toBe(false)
  })
})

describe('parseScopes', () => {
  it.each([
    ['splits at spaces, as RFC 6749 3.3 has it', 'openid profile email', ['openid', 'profile', 'email']],
    ['drops empty parts', '  a   b ', ['a', 'b']],
    ['drops repeats', 'a b a', ['a', 'b']],
    ['reads empty text as none', '', []],
    ['does not split at other white space or commas', 'a,b\tc', ['a,b\tc']],
    ['is case-sensitive', 'Read read', ['Read', 'read']],
  ])('%s', (_rule, text, scopes) => {
    expect(parseScopes(text)).toEqual(scopes)
  })

  it('reads back what formatScopes wrote', () => {
    const scope = fc.stringMatching(/^[\x21\x23-\x5b\x5d-\x7e]+$/)
    fc.assert(
      fc.property(fc.uniqueArray(scope), (scopes) => {
        expect(parseScopes(formatScopes(scopes))).toEqual(scopes)
      }),
    )
  })

  it('writes nothing but scope tokens and single spaces, whatever it is given', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' })), (scopes) => {
        const text = formatScopes(scopes)
        expect(parseScopes(text).every(isScope)).toBe(true)
        expect(text).toMatch(/^(?:\S+(?: \S+)*)?$/)
      }),
    )
  })
})

describe('missingScopes', () => {
  it.each([
    ['none where all are held', ['a', 'b'], ['b', 'a'], []],
    ['those that are not held, in their order', ['a'], ['c', 'a', 'b'], ['c', 'b']],
    ['none where none is needed', [], [], []],
    ['whole tokens: readwrite is not read', ['readwrite', 'rea'], ['read'], ['read']],
    ['tokens as they are spelled', ['READ'], ['read'], ['read']],
  ])('names %s', (_rule, held, needed, missing) => {
    expect(missingScopes(held, needed)).toEqual(missing)
  })

  it('takes a broader scope for a narrower one where scopeImplies says so', () => {
    const implies = (held: string, needed: string): boolean => needed.startsWith(`${held}:`)
    expect(missingScopes(['notes'], ['notes:read', 'notes:write', 'mail:read'], implies)).toEqual([
      'mail:read',
    ])
  })
})

describe('holdsScope', () => {
  it('does not ask scopeImplies about an equal scope', () => {
    const implies = (): boolean => {
      throw new Error('asked')
    }
    expect(holdsScope(['a'], 'a', implies)).toBe(true)
  })

  it('lets nothing imply a scope where nothing is held', () => {
    expect(holdsScope([], 'a', () => true)).toBe(false)
  })
})

describe('publicScopes', () => {
  it('drops offline_access, which MCP does not want to be named, and repeats', () => {
    expect(publicScopes(['a', 'offline_access', 'b', 'a'])).toEqual(['a', 'b'])
  })
})

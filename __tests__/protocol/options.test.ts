import { describe, expect, it } from '@jest/globals'
import { OptionReader, unknownName } from '../../lib/protocol/options.js'
import { configErrorOf } from '../support/config-error.js'

const read = (options: unknown, known: readonly string[] = ['option', 'other']): OptionReader =>
  new OptionReader('Thing', options, known)
const invalid = (message: string): object => ({ code: 'ERR_MCP_AUTH_INVALID_OPTION', message })

describe('OptionReader', () => {
  it.each([[undefined], [null], ['text'], [7], [[]], [() => undefined]])(
    'takes an object, not %p',
    (options) => {
      expect(configErrorOf(() => read(options))).toEqual(
        invalid('Thing takes an options object: new Thing({ … })'),
      )
    },
  )

  it('does not tell people to construct what is a function', () => {
    const { message } = configErrorOf(() => new OptionReader('mcpAuth', 7, []))
    expect(message).toMatch(/^mcpAuth takes an options object/)
    expect(message).not.toContain('new mcpAuth')
  })

  it('refuses an option that there is not, and names the nearest', () => {
    expect(configErrorOf(() => read({ optoin: 1 }))).toEqual({
      code: 'ERR_MCP_AUTH_UNKNOWN_OPTION',
      message: 'Thing has no option "optoin". Did you mean "option"?',
    })
  })

  it('refuses an unknown option also where it is undefined: the name is wrong all the same', () => {
    expect(configErrorOf(() => read({ optoin: undefined })).code).toBe('ERR_MCP_AUTH_UNKNOWN_OPTION')
  })

  it('lets a known option be undefined, as if it were absent', () => {
    expect(read({ option: undefined }).has('option')).toBe(false)
    expect(read({ option: undefined }).raw('option')).toBeUndefined()
  })

  it('does not take what an object inherits for an option', () => {
    const inherited = Object.create({ option: 'a', unknown: 'b' }) as object
    expect(read(inherited).has('option')).toBe(false)
    expect(read({}).raw('constructor')).toBeUndefined()
  })

  it('keeps nothing of the caller, who may change the object later', () => {
    const list = ['a']
    const options = { option: list }
    const reader = read(options)
    const texts = reader.texts('option')
    const scopes = reader.scopes('option')
    list.push('b')
    options.option = []
    expect([texts, scopes, reader.has('option')]).toEqual([['a'], ['a'], true])
  })

  describe('text', () => {
    it.each([['a'], [' a ']])('takes %j as it is', (value) => {
      expect(read({ option: value }).text('option')).toBe(value)
    })

    it.each([[''], [' \t'], [7], [null], [['a']]])('refuses %j', (value) => {
      expect(configErrorOf(() => read({ option: value }).text('option'))).toEqual(
        invalid('Thing: "option" must be a string that is not blank'),
      )
    })

    it('is undefined where there is none', () => {
      expect(read({}).text('option')).toBeUndefined()
    })
  })

  describe('texts', () => {
    it.each([
      ['one', ['one']],
      [
        ['one', 'two'],
        ['one', 'two'],
      ],
    ])('takes %j', (value, list) => {
      expect(read({ option: value }).texts('option')).toEqual(list)
    })

    it.each([[''], [[]], [['a', ' ']], [['a', 1]], [/a/], [{ 0: 'a' }], [null]])('refuses %p', (value) => {
      expect(configErrorOf(() => read({ option: value }).texts('option'))).toEqual(
        invalid('Thing: "option" must be a string or a list of strings, none of them blank'),
      )
    })

    it('is undefined where there is none', () => {
      expect(read({}).texts('option')).toBeUndefined()
    })
  })

  describe('scopes', () => {
    it.each([
      [
        ['a', 'b:c'],
        ['a', 'b:c'],
      ],
      ['a  b:c', ['a', 'b:c']],
      [[], []],
      ['', []],
    ])('takes %j', (value, list) => {
      expect(read({ option: value }).scopes('option')).toEqual(list)
    })

    it.each([[['a b']], [['a"']], [['']], [[1]], [{}], [7], [null]])('refuses %j', (value) => {
      expect(configErrorOf(() => read({ option: value }).scopes('option'))).toEqual(
        invalid('Thing: "option" must be a list of scopes such as ["mcp:use"]'),
      )
    })

    it('is undefined where there is none', () => {
      expect(read({}).scopes('option')).toBeUndefined()
    })
  })

  describe('seconds', () => {
    it.each([
      [{ option: 0 }, 0],
      [{ option: 1.5 }, 1.5],
      [{}, 30],
    ])('of %j is %d', (options, seconds) => {
      expect(read(options).seconds('option', 30)).toBe(seconds)
    })

    it.each([[-1], [Number.NaN], [Infinity], ['30'], [true]])('refuses %p', (value) => {
      expect(configErrorOf(() => read({ option: value }).seconds('option', 30))).toEqual(
        invalid('Thing: "option" must be a number of seconds, 0 or more'),
      )
    })
  })

  describe('flag', () => {
    it('is false unless stated, or what the caller of the reader says', () => {
      expect([
        read({}).flag('option'),
        read({}).flag('option', true),
        read({ option: false }).flag('option', true),
      ]).toEqual([false, true, false])
    })

    it.each([['true'], [1], [{}]])('refuses %j', (value) => {
      expect(configErrorOf(() => read({ option: value }).flag('option'))).toEqual(
        invalid('Thing: "option" must be true or false'),
      )
    })
  })

  describe('callback', () => {
    it('gives a function, or undefined', () => {
      const callback = (): void => undefined
      expect(read({ option: callback }).callback('option')).toBe(callback)
      expect(read({}).callback('option')).toBeUndefined()
    })

    it.each([['f'], [null], [{}]])('refuses %j', (value) => {
      expect(configErrorOf(() => read({ option: value }).callback('option'))).toEqual(
        invalid('Thing: "option" must be a function'),
      )
    })
  })

  describe('url', () => {
    const known = ['option', 'dangerouslyAllowInsecureHttp']

    it('is a URL byte for byte, or undefined', () => {
      expect(read({ option: 'https://A.example' }).url('option')).toBe('https://A.example')
      expect(read({}).url('option')).toBeUndefined()
    })

    it('is named in the words of a refusal', () => {
      expect(configErrorOf(() => read({ option: 'a.example' }).url('option'))).toEqual(
        invalid('Thing: "option" must be an absolute URL such as "https://api.example.com", not "a.example"'),
      )
    })

    it('may have a query, unless it is an identifier', () => {
      const reader = read({ option: 'https://a.example?b' })
      expect(reader.url('option')).toBe('https://a.example?b')
      expect(configErrorOf(() => reader.url('option', true))).toEqual(
        invalid('Thing: "option" must not have a query'),
      )
    })

    it('may be http with dangerouslyAllowInsecureHttp, and only with the flag itself', () => {
      const option = 'http://a.example'
      expect(read({ option, dangerouslyAllowInsecureHttp: true }, known).url('option')).toBe(option)
      for (const flag of [undefined, false, 'true', 1]) {
        const reader = read({ option, dangerouslyAllowInsecureHttp: flag }, known)
        expect(configErrorOf(() => reader.url('option')).code).toBe('ERR_MCP_AUTH_INSECURE_URL')
      }
    })
  })

  it('makes errors that name owner and option', () => {
    const reader = read({})
    expect(reader.name('option')).toBe('Thing: "option"')
    expect(reader.missing('option', 'write it')).toMatchObject({
      code: 'ERR_MCP_AUTH_MISSING_OPTION',
      message: 'Thing: "option" is missing: write it',
    })
    expect(reader.invalid('option', 'this')).toMatchObject(invalid('Thing: "option" must be this'))
  })
})

describe('unknownName', () => {
  it.each([
    ['jwks_uri', 'jwksUri'],
    ['jwksURI', 'jwksUri'],
    ['jwkUrl', 'jwksUri'],
    ['audiance', 'audience'],
    ['Issuer', 'issuer'],
    ['requiredScope', 'requiredScopes'],
    ['requireScopes', 'requiredScopes'],
    ['jku', 'iss'],
  ])('for %j suggests %j', (name, nearest) => {
    const known = ['requiredScopes', 'jwksUri', 'issuer', 'audience', 'iss']
    const error = unknownName('No', name, known)
    expect(error.message).toBe(
      nearest === 'iss' ? `No. Known: ${known.join(', ')}` : `No. Did you mean "${nearest}"?`,
    )
    expect(error.code).toBe('ERR_MCP_AUTH_UNKNOWN_OPTION')
  })

  it.each([
    ['abcdefgh', 'abcdef', true],
    ['abcd', 'abcdef', true],
    ['abcdxy', 'abcdef', true],
    ['abcxyz', 'abcdef', false],
    ['abcdefghi', 'abcdef', false],
    ['isabc', 'iss', false],
    ['isab', 'iss', true],
    ['abcdefxyz', 'abcdefghi', true],
    ['abcdewxyz', 'abcdefghi', false],
  ])('takes %j for a slip of %j: %j', (name, known, near) => {
    expect(unknownName('No', name, [known]).message).toBe(
      near ? `No. Did you mean "${known}"?` : `No. Known: ${known}`,
    )
  })

  it('lists all where none is near', () => {
    expect(unknownName('No', 'somethingElse', ['a', 'b']).message).toBe('No. Known: a, b')
  })

  it('prefers the nearest of several that are near', () => {
    expect(unknownName('No', 'issuers', ['issue', 'issuer', 'issued']).message).toBe(
      'No. Did you mean "issuer"?',
    )
  })
})

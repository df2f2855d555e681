import { describe, expect, it } from '@jest/globals'
import { OAuthError } from '../../lib/protocol/errors.js'
import { type Parameters, parseParameters, readParsed, refuseRepeats } from '../../lib/protocol/parameters.js'

const refusal = (act: () => unknown): object => {
  try {
    act()
  } catch (error) {
    if (error instanceof OAuthError) {
      return { code: error.code, status: error.status, description: error.description }
    }
    throw error
  }
  throw new Error('nothing was refused')
}
const invalid = (description: string): object => ({ code: 'invalid_request', status: 400, description })

describe('parseParameters', () => {
  it('reads the request of RFC 6749 4.1.1', () => {
    const parameters = parseParameters(
      'response_type=code&client_id=s6BhdRkqt3&state=xyz&redirect_uri=https%3A%2F%2Fclient%2Eexample%2Ecom%2Fcb',
    )
    expect(parameters.get('response_type')).toBe('code')
    expect(parameters.get('client_id')).toBe('s6BhdRkqt3')
    expect(parameters.get('state')).toBe('xyz')
    expect(parameters.get('redirect_uri')).toBe('https://client.example.com/cb')
    expect(parameters.repeated).toEqual([])
  })

  it('reads the letters of RFC 6749 appendix B', () => {
    expect(parseParameters('value=+%25%26%2B%C2%A3%E2%82%AC').get('value')).toBe(' %&+£€')
  })

  it.each([
    ['a=b=c', 'a', 'b=c'],
    ['a+b=c', 'a b', 'c'],
    ['%61=b', 'a', 'b'],
    ['&&a=b&', 'a', 'b'],
    ['a=b&c', 'a', 'b'],
    ['c&a=b', 'a', 'b'],
    ['a=ü', 'a', 'ü'],
    ['a=%EF%BF%BD', 'a', '\uFFFD'],
    ['client_id[]=x', 'client_id[]', 'x'],
    ['__proto__=x', '__proto__', 'x'],
    ['constructor=x', 'constructor', 'x'],
  ])('reads %j', (text, name, value) => {
    const parameters = parseParameters(text)
    expect(parameters.get(name)).toBe(value)
    expect(parameters.has(name)).toBe(true)
    expect(parameters.all(name)).toEqual([value])
  })

  it.each(['', '&', 'a', 'a=', 'a=&a', '=', 'b=c'])(
    'A6 takes a parameter without a value for omitted: %j',
    (text) => {
      const parameters = parseParameters(text)
      expect(parameters.get('a')).toBeUndefined()
      expect(parameters.has('a')).toBe(false)
      expect(parameters.all('a')).toEqual([])
    },
  )

  it.each(['a', '__proto__', 'constructor', 'toString', 'hasOwnProperty'])('has no %s of its own', (name) => {
    const parameters = parseParameters('x=y')
    expect(parameters.get(name)).toBeUndefined()
    expect(parameters.has(name)).toBe(false)
  })

  it.each<[text: string, all: readonly string[], repeated: readonly string[]]>([
    ['a=1&a=2&b=3', ['1', '2'], ['a']],
    ['a=1&b=3&a=2&a=1', ['1', '2', '1'], ['a']],
    ['a=1&a=', ['1'], ['a']],
    ['a=&a=1', ['1'], ['a']],
    ['a=1&%61=1', ['1', '1'], ['a']],
    ['a=1&b=1&b=2&a=2', ['1', '2'], ['b', 'a']],
  ])('A6 tells what came more than once: %j', (text, all, repeated) => {
    const parameters = parseParameters(text)
    expect(parameters.all('a')).toEqual(all)
    expect(parameters.get('a')).toBe(all[0])
    expect(parameters.repeated).toEqual(repeated)
  })

  it.each(['a=%', 'a=%4', 'a=%zz', '%=a', 'a=%FF', 'a=%C3%28', 'a=%ED%A0%80', 'b=1&a=%E2%82'])(
    'refuses the encoding of %j',
    (text) => {
      expect(refusal(() => parseParameters(text))).toEqual(
        invalid('The request has invalid percent-encoding'),
      )
    },
  )

  it('refuses a body whose bytes were not UTF-8', () => {
    const text = Buffer.from([0x61, 0x3d, 0xff]).toString()
    expect(refusal(() => parseParameters(text))).toEqual(invalid('The request is not encoded in UTF-8'))
  })

  it('takes as many parameters as there may be, and refuses one more', () => {
    const text = (count: number): string => Array.from({ length: count }, (_, at) => `p${at}=${at}`).join('&')
    expect(parseParameters(text(50)).get('p49')).toBe('49')
    expect(refusal(() => parseParameters(text(51)))).toEqual(invalid('The request has too many parameters'))
    expect(parseParameters(text(2), 2).get('p1')).toBe('1')
    expect(refusal(() => parseParameters('a=&a=&a=', 2))).toEqual(
      invalid('The request has too many parameters'),
    )
  })

  it('agrees with the URL standard on what it takes', () => {
    const text = 'a=1+2%2B&b=%C3%BC%F0%9F%98%80&c=&d&e=a%3Db=c&f=%00'
    const parameters = parseParameters(text)
    for (const [name, value] of new URLSearchParams(text)) expect(parameters.get(name) ?? '').toBe(value)
  })
})

describe('readParsed', () => {
  const json = (text: string): Parameters => readParsed(JSON.parse(text))

  it('reads what a parser made of a form', () => {
    const parameters = readParsed({ grant_type: 'authorization_code', code: 'x', scope: '' })
    expect(parameters.get('grant_type')).toBe('authorization_code')
    expect(parameters.get('code')).toBe('x')
    expect(parameters.has('scope')).toBe(false)
    expect(parameters.repeated).toEqual([])
  })

  it('reads a body that was parsed into an object without a prototype', () => {
    expect(readParsed(Object.assign(Object.create(null), { a: 'b' })).get('a')).toBe('b')
  })

  it('reads text that was not parsed', () => {
    expect(readParsed('a=1&a=2').all('a')).toEqual(['1', '2'])
    expect(() => readParsed('a=1&b=1', 1)).toThrow('The request has too many parameters')
  })

  it.each([undefined, null, {}, ''])('takes %j for no parameters', (value) => {
    const parameters = readParsed(value)
    expect(parameters.has('a')).toBe(false)
    expect(parameters.repeated).toEqual([])
  })

  it.each([7, true, [], [['a', 'b']], ['a=b']])('refuses %j, which holds no parameters', (value) => {
    expect(refusal(() => readParsed(value))).toEqual(invalid('The request has no parameters'))
  })

  it('refuses more members than there may be parameters', () => {
    const many = Object.fromEntries(Array.from({ length: 51 }, (_, at) => [`p${at}`, 'x']))
    expect(refusal(() => readParsed(many))).toEqual(invalid('The request has too many parameters'))
  })

  it('A6 takes a list for a parameter that came more than once', () => {
    const parameters = readParsed({ a: ['1', '2'], b: ['3'], c: [], d: [''], resource: 'r' })
    expect(parameters.all('a')).toEqual(['1', '2'])
    expect(parameters.get('a')).toBe('1')
    expect(parameters.get('b')).toBe('3')
    expect(parameters.get('c')).toBeUndefined()
    expect(parameters.has('d')).toBe(false)
    expect(parameters.repeated).toEqual(['a', 'b', 'c', 'd'])
  })

  it.each(['7', 'true', 'null', '{"x":"y"}', '[7]', '["x",{}]', '[["x"]]', '"\\ud800"', '["\\udc00x"]'])(
    'A7 refuses %s under a name that is asked for, and under no other',
    (member) => {
      const parameters = json(`{"client_id":${member},"code":"x"}`)
      expect(parameters.get('code')).toBe('x')
      expect(parameters.has('client_id')).toBe(true)
      expect(refusal(() => parameters.get('client_id'))).toEqual(
        invalid("The parameter 'client_id' is not text"),
      )
      expect(refusal(() => parameters.all('client_id'))).toEqual(
        invalid("The parameter 'client_id' is not text"),
      )
    },
  )

  it.each(['__proto__', 'constructor', 'prototype', 'toString'])(
    'A7 takes %s for a name like any other',
    (name) => {
      const parameters = json(`{"${name}":{"client_id":"evil"},"a":"b"}`)
      expect(parameters.get('client_id')).toBeUndefined()
      expect(() => parameters.get(name)).toThrow(OAuthError)
      expect(({} as Record<string, unknown>)['client_id']).toBeUndefined()
    },
  )

  it('reads nothing that is inherited', () => {
    expect(readParsed(Object.create({ client_id: 'evil' })).has('client_id')).toBe(false)
  })
})

describe('refuseRepeats', () => {
  it('A6 lets a request pass where all came once, or what may be repeated', () => {
    expect(() => refuseRepeats(parseParameters('a=1&b=2'))).not.toThrow()
    expect(() => refuseRepeats(parseParameters('resource=1&resource=2&b=2'), ['resource'])).not.toThrow()
  })

  it.each([
    ['scope=a&scope=b', [], "'scope'"],
    ['resource=a&resource=b', [], "'resource'"],
    ['resource=a&resource=b&scope=&scope=a&x[]=1&x[]=2', ['resource'], "'scope', 'x[]'"],
    ['a"%0D%0A=1&a"%0D%0A=1', [], 'one with an odd name'],
  ])('A6 names what was repeated: %j', (text, except, names) => {
    expect(refusal(() => refuseRepeats(parseParameters(text), except))).toEqual(
      invalid(`Parameters must not be repeated: ${names}`),
    )
  })
})

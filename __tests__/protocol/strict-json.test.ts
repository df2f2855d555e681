import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { parseStrictObject } from '../../lib/protocol/strict-json.js'

describe('parseStrictObject', () => {
  it.each([
    ['an empty object', '{}', {}],
    ['colons, quotes and escapes within text', '{"a:\\"b\\\\":"c:\\"d:"}', { 'a:"b\\': 'c:"d:' }],
    [
      'the same name at different places',
      '{"a":{"a":[{"a":1},{"a":2}]},"b":null}',
      { a: { a: [{ a: 1 }, { a: 2 }] }, b: null },
    ],
    ['white space', ' {\n"a" : [ ] }\r\n', { a: [] }],
    ['nesting to the thirty-third level', `{"a":${'['.repeat(32)}${']'.repeat(32)}}`, expect.anything()],
  ])('takes %s', (_rule, text, value) => {
    expect(parseStrictObject(text)).toEqual(value)
  })

  it.each([
    ['text that is not JSON', '{a:1}'],
    ['nothing', ''],
    ['a list', '[]'],
    ['text', '"a"'],
    ['a number', '1'],
    ['null', 'null'],
    ['a repeated member', '{"a":1,"a":1}'],
    ['a repeated member of an object within', '{"a":[{"b":{"c":1,"c":2}}]}'],
    ['a member repeated in another spelling', '{"sub":1,"\\u0073ub":2}'],
    ['a repeated __proto__', '{"__proto__":1,"__proto__":2}'],
    ['nesting that only an attack would use', `{"a":${'['.repeat(33)}${']'.repeat(33)}}`],
    ['very deep nesting', `{"a":${'['.repeat(5000)}${']'.repeat(5000)}}`],
  ])('refuses %s', (_rule, text) => {
    expect(parseStrictObject(text)).toBeUndefined()
  })

  it('keeps __proto__ as a member like any other', () => {
    const value = parseStrictObject('{"__proto__":{"admin":true}}')
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect(Object.keys(value ?? {})).toEqual(['__proto__'])
  })

  it('takes every object that JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 4 })), (object) => {
        const text = JSON.stringify(object)
        expect(JSON.stringify(parseStrictObject(text))).toBe(text)
      }),
    )
  })

  it('refuses every object in which a member was repeated', () => {
    fc.assert(
      fc.property(
        fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 2 }), { minKeys: 1 }),
        fc.nat(),
        (object, pick) => {
          const names = Object.keys(object)
          const name = JSON.stringify(names[pick % names.length])
          expect(parseStrictObject(`{${name}:0,${JSON.stringify(object).slice(1)}`)).toBeUndefined()
        },
      ),
    )
  })
})

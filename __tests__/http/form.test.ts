import { describe, expect, it } from '@jest/globals'
import type { AuthRequest, RouteBody } from 'express-mcp-auth'
import fc from 'fast-check'
import { readForm, readJson } from '../../lib/http/form.js'
import { OAuthError } from '../../lib/protocol/errors.js'

const FORM = 'application/x-www-form-urlencoded'
const JSON_TYPE = 'application/json'

const request = (...types: string[]): AuthRequest => ({
  method: 'POST',
  url: '/token',
  headers: types[0] === undefined ? {} : { 'content-type': types[0] },
  rawHeaders: ['Host', 'a', ...types.flatMap((type) => ['Content-Type', type])],
})
const raw = (text: string | Uint8Array): RouteBody => ({ kind: 'raw', bytes: Buffer.from(text) })
const parsed = (value: unknown): RouteBody => ({ kind: 'parsed', value })

const refusalOf = (read: () => unknown): { code: string; status: number; description: string } => {
  try {
    read()
  } catch (error) {
    if (error instanceof OAuthError) {
      const { code, status, description } = error
      return { code, status, description }
    }
    throw error
  }
  throw new Error('was read')
}
const refused = (description: string, status = 400): object => ({
  code: 'invalid_request',
  status,
  description,
})

const TOO_LARGE: RouteBody = { kind: 'too_large' }
const UNREADABLE: RouteBody = { kind: 'unreadable', reason: 'it was cut off' }
const SEND_FORM = `Send the body with "Content-Type: ${FORM}"`
const SEND_JSON = `Send the body with "Content-Type: ${JSON_TYPE}"`
const NOT_UTF8 = Uint8Array.of(0x61, 0x3d, 0xff)

/** What is not one media type, or not one of ours. */
const WRONG_TYPES: readonly (readonly string[])[] = [
  [],
  [''],
  ['text/plain'],
  ['multipart/form-data; boundary=a'],
  [`a/json, ${FORM}`],
  [`${FORM}, ${JSON_TYPE}`],
  [`${JSON_TYPE}, ${JSON_TYPE}`],
  [`${FORM}-x`],
  [`x-${JSON_TYPE}`],
  [`${FORM}; charset=iso-8859-1`],
  [`${JSON_TYPE}; charset=utf-16`],
  [`${FORM}; boundary=a`],
  [`${FORM} ${JSON_TYPE}`],
  [`${FORM}\n`],
]

describe('readForm', () => {
  it.each([
    FORM,
    'Application/X-WWW-Form-URLEncoded',
    `${FORM};charset=UTF-8`,
    `${FORM} ; charset="utf8" `,
    `${FORM};`,
  ])('reads a form of the type %j', (type) => {
    const parameters = readForm(request(type), raw('grant_type=a&scope=b+c&empty='))
    expect([parameters.get('grant_type'), parameters.get('scope'), parameters.has('empty')]).toEqual([
      'a',
      'b c',
      false,
    ])
  })

  it('is of no parameters where there is no body, whatever type is named', () => {
    expect(readForm(request(), { kind: 'none' }).has('a')).toBe(false)
    expect(readForm(request('text/plain'), { kind: 'none' }).has('a')).toBe(false)
  })

  it.each([...WRONG_TYPES, [JSON_TYPE]])('T12 refuses the type %j', (...types) => {
    expect(refusalOf(() => readForm(request(...types), raw('a=b')))).toEqual(refused(SEND_FORM))
  })

  it.each([
    [FORM, FORM],
    [JSON_TYPE, FORM],
    [FORM, JSON_TYPE],
  ])('T12 refuses two headers that name a type: %s and %s', (...types) => {
    expect(refusalOf(() => readForm(request(...types), raw('a=b')))).toEqual(refused(SEND_FORM))
  })

  it('needs no raw headers to read a type', () => {
    const plain: AuthRequest = { headers: { 'content-type': FORM } }
    expect(readForm(plain, raw('a=b')).get('a')).toBe('b')
  })

  it.each([FORM, JSON_TYPE])('takes what a parser of the app made of %s', (type) => {
    const parameters = readForm(request(type), parsed({ a: 'b', c: ['d', 'e'] }))
    expect([parameters.get('a'), parameters.all('c'), parameters.repeated]).toEqual(['b', ['d', 'e'], ['c']])
  })

  it.each(WRONG_TYPES)('T12 takes nothing that a parser of the app made of %j', (...types) => {
    expect(refusalOf(() => readForm(request(...types), parsed({ a: 'b' })))).toEqual(refused(SEND_FORM))
  })

  it.each<[rule: string, body: RouteBody, refusal: object]>([
    ['X2 a body above the bound', TOO_LARGE, refused('The body is too large', 413)],
    ['X1 a body that was cut off', UNREADABLE, refused('The body cannot be read: it was cut off')],
    ['X2 what is not UTF-8', raw(NOT_UTF8), refused('The body must be in UTF-8')],
    ['X2 more than 50 parameters', raw('a=b&'.repeat(51)), refused('The request has too many parameters')],
    [
      'X2 more than 50 parameters that the app has parsed',
      parsed(Object.fromEntries(Array.from({ length: 51 }, (_, index) => [`p${index}`, '']))),
      refused('The request has too many parameters'),
    ],
    ['X9 a list that the app has parsed', parsed([1]), refused('The request has no parameters')],
  ])('refuses %s', (_rule, body, refusal) => {
    expect(refusalOf(() => readForm(request(FORM), body))).toEqual(refusal)
  })

  it('A7 gives no list nor object where text is asked for', () => {
    for (const value of [{ client_id: { x: '1' } }, { client_id: [{}] }, { client_id: 7 }]) {
      expect(refusalOf(() => readForm(request(FORM), parsed(value)).get('client_id')).code).toBe(
        'invalid_request',
      )
    }
    expect(readForm(request(FORM), raw('client_id[]=a&client_id[x]=b')).get('client_id')).toBeUndefined()
  })

  it('X6 pollutes no prototype', () => {
    const polluting = ['__proto__[x]=1&constructor[prototype][x]=1&__proto__.x=1', '__proto__=x']
    for (const text of polluting) readForm(request(FORM), raw(text))
    readForm(request(FORM), parsed(JSON.parse('{"__proto__":{"x":"1"}}')))
    expect(({} as { x?: string }).x).toBeUndefined()
    expect(readForm(request(FORM), raw('a=b')).get('constructor')).toBeUndefined()
  })
})

describe('readJson', () => {
  it.each([JSON_TYPE, 'APPLICATION/JSON', `${JSON_TYPE}; charset=utf-8`])(
    'reads an object of the type %j',
    (type) => {
      expect(readJson(request(type), raw('{"redirect_uris":["a"],"n":{"ü":1}}'))).toEqual({
        redirect_uris: ['a'],
        n: { ü: 1 },
      })
    },
  )

  it('takes what a parser of the app made', () => {
    expect(readJson(request(JSON_TYPE), parsed({ a: ['b'] }))).toEqual({ a: ['b'] })
  })

  it.each([...WRONG_TYPES, [FORM], [JSON_TYPE, JSON_TYPE]])('T12 refuses the type %j', (...types) => {
    for (const body of [raw('{}'), parsed({})]) {
      expect(refusalOf(() => readJson(request(...types), body))).toEqual(refused(SEND_JSON))
    }
  })

  const deep = (depth: number): string => `{"a":${'['.repeat(depth)}${']'.repeat(depth)}}`
  const cyclic: Record<string, unknown> = {}
  cyclic['self'] = cyclic
  const NO_OBJECT = refused(
    'The body must be one JSON object, without repeated members and without deep nesting',
  )

  it.each<[rule: string, body: RouteBody, refusal: object]>([
    ['no body', { kind: 'none' }, refused(`Send a JSON object, as ${JSON_TYPE}`)],
    ['X2 a body above the bound', TOO_LARGE, refused('The body is too large', 413)],
    ['X1 a body that was cut off', UNREADABLE, refused('The body cannot be read: it was cut off')],
    ['X2 what is not UTF-8', raw(Uint8Array.of(0x22, 0xff, 0x22)), refused('The body must be in UTF-8')],
    ['a mark of the byte order', raw('\uFEFF{}'), NO_OBJECT],
    ['what is no JSON', raw('{'), NO_OBJECT],
    ['a list', raw('[]'), NO_OBJECT],
    ['null', raw('null'), NO_OBJECT],
    ['a member that comes twice', raw('{"a":1,"\\u0061":2}'), NO_OBJECT],
    ['X2 deep nesting', raw(deep(40)), NO_OBJECT],
    ['X2 nesting beyond any stack', raw(deep(9_000)), NO_OBJECT],
    ['X2 deep nesting that the app has parsed', parsed(JSON.parse(deep(40))), NO_OBJECT],
    ['X9 what the app made of a list', parsed(['a']), NO_OBJECT],
    ['X9 what the app made of nothing', parsed(undefined), NO_OBJECT],
    ['X9 what no JSON can be', parsed(cyclic), NO_OBJECT],
  ])('refuses %s', (_rule, body, refusal) => {
    expect(refusalOf(() => readJson(request(JSON_TYPE), body))).toEqual(refusal)
  })

  it('X6 pollutes no prototype', () => {
    const read = readJson(
      request(JSON_TYPE),
      raw('{"__proto__":{"x":1},"constructor":{"prototype":{"x":1}}}'),
    )
    expect(({} as { x?: number }).x).toBeUndefined()
    expect(Object.keys(read)).toEqual(['__proto__', 'constructor'])
  })
})

describe('X9 whatever bytes come', () => {
  it('are read, or refused with an OAuth error', () => {
    const types = [FORM, JSON_TYPE, `${FORM};charset=utf-8`, `a/json, ${FORM}`]
    fc.assert(
      fc.property(fc.constantFrom(...types), fc.uint8Array({ maxLength: 200 }), (type, bytes) => {
        for (const read of [readForm, readJson]) {
          try {
            read(request(type), { kind: 'raw', bytes })
          } catch (error) {
            expect(error).toBeInstanceOf(OAuthError)
            expect((error as OAuthError).status).toBe(400)
          }
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('X3 the longest type is refused by one pass over it: a second look at each letter would never end', () => {
    const million = 1_000_000
    for (const type of [
      `${FORM}${' ;'.repeat(million)}x`,
      `${FORM}${' '.repeat(million)}x`,
      'a'.repeat(million),
    ]) {
      expect(refusalOf(() => readForm(request(type), raw('a=b')))).toEqual(refused(SEND_FORM))
    }
  })
})

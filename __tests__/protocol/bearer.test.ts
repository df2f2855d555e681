import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { MAX_TOKEN_LENGTH, hasRepeats, isToken68, readBearer } from '../../lib/protocol/bearer.js'

const read = (
  authorization: string | undefined,
  url?: string,
  rawHeaders?: string[],
): ReturnType<typeof readBearer> =>
  readBearer({ headers: { authorization }, url, ...(rawHeaders !== undefined && { rawHeaders }) })

describe('readBearer', () => {
  it.each([
    ['the example of RFC 6750 2.1', 'Bearer mF_9.B5f-4.1JqM', 'mF_9.B5f-4.1JqM'],
    ['a scheme in any case', 'bEaReR token', 'token'],
    ['several spaces, as RFC 9110 11.4 has it', 'Bearer   token', 'token'],
    ['a token of the greatest length', `Bearer ${'a'.repeat(MAX_TOKEN_LENGTH)}`, 'a'.repeat(8192)],
    ['letters that a token cannot have, for isToken68 to judge', 'Bearer a, b', 'a, b'],
    ['a tab instead of a space, for isToken68 to judge', 'Bearer\ttoken', '\ttoken'],
  ])('reads %s', (_rule, header, token) => {
    expect(read(header)).toBe(token)
  })

  it.each([
    ['no header', undefined],
    ['an empty header', ''],
    ['another scheme', 'Basic dXNlcjpwYXNz'],
    ['a scheme that only begins alike', 'Bearers token'],
    ['a token without a scheme', 'mF_9.B5f-4.1JqM'],
    ['DPoP', 'DPoP token'],
  ])('finds no credentials of ours in %s', (_rule, header) => {
    expect(read(header)).toMatchObject({ kind: 'none' })
  })

  it('finds no credentials in a header that is a list', () => {
    expect(readBearer({ headers: { authorization: ['Bearer a'] } })).toMatchObject({ kind: 'none' })
  })

  it.each([
    ['the scheme alone', 'Bearer', 'Bearer without a token'],
    ['the scheme and spaces', 'Bearer   ', 'Bearer without a token'],
    ['a token over the greatest length', `Bearer ${'a'.repeat(8193)}`, 'more than 8192 characters'],
  ])('finds %s malformed', (_rule, header, got) => {
    expect(read(header)).toEqual({ kind: 'malformed', got })
  })

  it.each([
    '/mcp?access_token=b',
    '/mcp?x=1&access_token=',
    '/mcp?%61ccess_token=b',
    '/mcp?a=b&access%5Ftoken',
  ])('finds a header and a token in the query %s ambiguous', (url) => {
    expect(read('Bearer a', url)).toMatchObject({ kind: 'ambiguous' })
  })

  it.each(['/mcp', '/mcp?x=access_token', '/mcp?access_tokens=b', '/access_token=b', '/mcp?'])(
    'takes the header where the query of %s has none',
    (url) => {
      expect(read('Bearer a', url)).toBe('a')
    },
  )

  it('never takes a token from the query', () => {
    expect(read(undefined, '/mcp?access_token=b')).toMatchObject({ kind: 'none' })
  })

  it('finds two Authorization headers ambiguous, whichever of them node kept', () => {
    const rawHeaders = ['Authorization', 'Bearer a', 'Host', 'h', 'authorization', 'Bearer b']
    expect(read('Bearer a', '/', rawHeaders)).toMatchObject({ kind: 'ambiguous' })
  })

  it('finds them ambiguous also where the first is of another scheme', () => {
    const rawHeaders = ['Authorization', 'Basic a', 'AUTHORIZATION', 'Bearer b']
    expect(read('Basic a', '/', rawHeaders)).toMatchObject({ kind: 'ambiguous' })
  })
})

describe('hasRepeats', () => {
  it.each([
    ['no headers', undefined, false],
    ['one of each', ['Host', 'a', 'Authorization', 'b', 'Accept', 'c', 'Accept', 'd'], false],
    ['two Host headers', ['Host', 'a', 'host', 'a'], true],
    ['two Authorization headers', ['authorization', 'a', 'AuthorizatioN', 'a'], true],
    ['a value that is called like the header', ['X-A', 'Host', 'X-B', 'Host'], false],
    [
      'other names of the same length',
      ['Date', 'a', 'Date', 'b', 'X-Forwarded-A', 'c', 'X-Forwarded-A', 'd'],
      false,
    ],
  ])('of %s', (_rule, rawHeaders, repeats) => {
    expect(hasRepeats(rawHeaders)).toBe(repeats)
  })
})

describe('isToken68', () => {
  it.each(['mF_9.B5f-4.1JqM', 'a', 'AZaz09-._~+/', 'YWJj==', 'a='])('takes %j', (token) => {
    expect(isToken68(token)).toBe(true)
  })

  it.each(['', '=', 'a b', 'a=b', 'a,b', 'a"', 'é', 'a\n', '\ta', 'a;', '%41'])(
    'does not take %j',
    (token) => {
      expect(isToken68(token)).toBe(false)
    },
  )

  it('takes exactly what the ABNF of RFC 6750 2.1 can make', () => {
    const letters = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/'
    fc.assert(
      fc.property(fc.string({ unit: 'binary-ascii', minLength: 1 }), (token) => {
        const body = token.replace(/=+$/, '')
        expect(isToken68(token)).toBe(
          body !== '' && body.split('').every((letter) => letters.includes(letter)),
        )
      }),
    )
  })
})

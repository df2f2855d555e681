import { describe, expect, it } from '@jest/globals'
import { OptionReader } from '../../lib/protocol/options.js'
import { type OwnOption, readOwnOptions, textFormOf } from '../../lib/providers/own-options.js'
import { configErrorOf } from '../support/config-error.js'

const TABLE = {
  name: { kind: 'text', required: 'write a name' },
  page: 'url',
  realm: 'base',
  strict: 'flag',
  audience: 'texts',
  scopes: 'scopes',
  timeoutSeconds: 'seconds',
  bounds: { kind: 'object', holds: ['most', 'least'] },
} as const satisfies Record<string, OwnOption>

const read = (options: object): unknown =>
  readOwnOptions(
    new OptionReader('A', options, [...Object.keys(TABLE), 'dangerouslyAllowInsecureHttp']),
    TABLE,
  )

describe('the own options of an identity provider', () => {
  it('are read as their table says', () => {
    const options = {
      name: 'n',
      page: 'https://a.example/page?b',
      realm: 'https://a.example/realm//',
      strict: true,
      audience: 'a',
      scopes: 'a b',
      timeoutSeconds: 5,
      bounds: { most: 1 },
    }
    expect(read(options)).toEqual({
      ...options,
      realm: 'https://a.example/realm',
      audience: ['a'],
      scopes: ['a', 'b'],
    })
  })

  it('are absent where they were left out', () => {
    expect(read({ name: 'n', page: undefined })).toEqual({ name: 'n' })
  })

  it.each([
    ['notes.example', 'https://notes.example'],
    ['http://localhost:8080/', 'http://localhost:8080'],
  ])('begin other URLs with %s as %s', (realm, url) => {
    expect(read({ name: 'n', realm })).toEqual({ name: 'n', realm: url })
  })

  it('may be http where that is allowed', () => {
    expect(read({ name: 'n', realm: 'http://sso/', dangerouslyAllowInsecureHttp: true })).toMatchObject({
      realm: 'http://sso',
    })
  })

  it.each<[options: object, message: string]>([
    [{}, 'A: "name" is missing: write a name'],
    [{ name: 1 }, 'A: "name" must be a string that is not blank'],
    [{ name: 'n', strict: 'yes' }, 'A: "strict" must be true or false'],
    [{ name: 'n', bounds: 1 }, 'A: "bounds" takes an options object'],
    [{ name: 'n', bounds: { mst: 1 } }, 'A: "bounds" has no option "mst". Did you mean "most"?'],
    [{ name: 'n', realm: 'https://a.example?b' }, 'A: "realm" must not have a query'],
  ])('refuse %j', (options, message) => {
    const { message: said } = configErrorOf(() => read(options))
    expect(said.slice(0, message.length)).toBe(message)
  })

  it('are each written in one way as text', () => {
    const forms = Object.entries(TABLE).map(([name, option]) => [name, textFormOf(option)])
    expect(Object.fromEntries(forms)).toEqual({
      name: 'text',
      page: 'text',
      realm: 'text',
      strict: 'flag',
      audience: 'list',
      scopes: 'list',
      timeoutSeconds: 'seconds',
      bounds: 'json',
    })
  })
})

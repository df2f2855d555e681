import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import { type Challenge, buildChallenge, plainText } from '../../lib/protocol/challenge.js'
import { isScope } from '../../lib/protocol/scopes.js'
import { readChallenge } from '../support/challenge.js'

const METADATA = 'https://resource.example.com/.well-known/oauth-protected-resource'

describe('buildChallenge', () => {
  it.each<[rule: string, challenge: Challenge, header: string]>([
    [
      'writes the example of RFC 9728 5.1',
      { resourceMetadataUrl: METADATA },
      `Bearer resource_metadata="${METADATA}"`,
    ],
    [
      'writes the example of RFC 6750 3 (which has a realm besides)',
      { error: 'invalid_token', description: 'The access token expired' },
      'Bearer error="invalid_token", error_description="The access token expired"',
    ],
    ['writes the bare scheme where there is nothing to say', {}, 'Bearer'],
    ['leaves out a scope that is empty', { scopes: [], resourceMetadataUrl: undefined }, 'Bearer'],
    ['names scopes without an error', { scopes: ['a', 'b:c'] }, 'Bearer scope="a b:c"'],
    [
      'keeps one order: error, error_description, scope, resource_metadata',
      { resourceMetadataUrl: METADATA, scopes: ['mcp:use'], description: 'No', error: 'insufficient_scope' },
      `Bearer error="insufficient_scope", error_description="No", scope="mcp:use", resource_metadata="${METADATA}"`,
    ],
    ['leaves out what is no scope token', { scopes: ['a', 'b c', 'd"', 'e\\', 'é', ''] }, 'Bearer scope="a"'],
    ['writes no empty scope where none of them is a scope token', { scopes: ['b c', 'd"'] }, 'Bearer'],
    [
      'lets no description end its parameter or start a header',
      { error: 'invalid_token', description: 'a", evil="b"\r\nSet-Cookie: c=d\\' },
      `Bearer error="invalid_token", error_description="a', evil='b' Set-Cookie: c=d/"`,
    ],
  ])('%s', (_rule, challenge, header) => {
    expect(buildChallenge(challenge)).toBe(header)
  })

  it('is a valid header whatever the description and the scopes are', () => {
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.string({ unit: 'grapheme', maxLength: 700 }))
    fc.assert(
      fc.property(text, fc.array(text), fc.boolean(), (description, scopes, withError) => {
        const header = buildChallenge({
          ...(withError && { error: 'invalid_token' }),
          description,
          scopes,
          resourceMetadataUrl: METADATA,
        })
        expect(() => new Headers({ 'www-authenticate': header })).not.toThrow()
        const { scheme, params } = readChallenge(header)
        expect(scheme).toBe('Bearer')
        expect(params.get('error')).toBe(withError ? 'invalid_token' : undefined)
        expect(params.get('resource_metadata')).toBe(METADATA)
        const sound = scopes.filter(isScope)
        expect(params.get('scope')).toBe(sound.length > 0 ? sound.join(' ') : undefined)
      }),
    )
  })
})

describe('plainText', () => {
  it.each([
    [
      'keeps the letters that RFC 6750 3 allows',
      'The access token expired!~#[]',
      'The access token expired!~#[]',
    ],
    ['writes a quote as an apostrophe', 'say "no"', "say 'no'"],
    ['writes a backslash as a slash', 'a\\b', 'a/b'],
    ['writes any run of white space as one space', 'a\r\n\t b', 'a b'],
    ['writes everything else as a question mark', 'ünïcode\u0000\u007f', '?n?code??'],
  ])('%s', (_rule, text, plain) => {
    expect(plainText(text)).toBe(plain)
  })

  it('is at most 500 letters long', () => {
    expect(plainText('x'.repeat(501))).toBe('x'.repeat(500))
  })
})

import { describe, expect, it } from '@jest/globals'
import fc from 'fast-check'
import {
  TokenResponseError,
  readError,
  readTokenResponse,
} from '../../../lib/providers/proxy/token-response.js'

const JSON_TYPE = 'application/json'

function read(
  text: string,
  type: string | undefined = JSON_TYPE,
  status = 200,
): ReturnType<typeof readTokenResponse> {
  return readTokenResponse({
    status,
    headers: new Headers(type === undefined ? {} : { 'content-type': type }),
    text,
  })
}

const readJson = (value: unknown, status = 200): ReturnType<typeof readTokenResponse> =>
  read(JSON.stringify(value), JSON_TYPE, status)

const PLAIN = {
  kind: 'tokens',
  accessToken: 'at',
  refreshToken: undefined,
  idToken: undefined,
  expiresIn: undefined,
  scopes: undefined,
}

describe('an answer of a token endpoint', () => {
  it('is read as RFC 6749 5.1 has it', () => {
    const answer = {
      access_token: 'at',
      token_type: 'Bearer',
      expires_in: 3600,
      refresh_token: 'rt',
      id_token: 'it',
      scope: 'a b',
    }
    const tokens = {
      accessToken: 'at',
      refreshToken: 'rt',
      idToken: 'it',
      expiresIn: 3600,
      scopes: ['a', 'b'],
    }
    expect(readJson(answer)).toEqual({ kind: 'tokens', ...tokens })
  })

  it.each<[rule: string, members: object, read: object]>([
    ['FM 8.1.5 a lifetime of null', { expires_in: null }, {}],
    ['a lifetime as text', { expires_in: '3599' }, { expiresIn: 3599 }],
    ['a lifetime of nothing', { expires_in: 0 }, {}],
    ['a lifetime of nothing as text', { expires_in: '0' }, {}],
    ['a negative lifetime', { expires_in: -1 }, {}],
    ['a negative lifetime as text', { expires_in: '-1' }, {}],
    ['a lifetime that is no number', { expires_in: 'soon' }, {}],
    ['a lifetime in an object', { expires_in: {} }, {}],
    ['a lifetime beyond all bounds', { expires_in: 1e300 }, {}],
    ['a refresh token of null', { refresh_token: null }, {}],
    ['an empty refresh token', { refresh_token: '' }, {}],
    ['an ID token that is no text', { id_token: 7 }, {}],
    ['no error: null', { error: null }, {}],
    ['no error: an empty one', { error: '' }, {}],
    ['no error: false', { error: false }, {}],
    ['a type in odd case', { token_type: 'bEaReR' }, {}],
    ['a type of null', { token_type: null }, {}],
    ['an empty type', { token_type: '' }, {}],
    ['scopes with commas', { scope: 'repo,read:org, user' }, { scopes: ['repo', 'read:org', 'user'] }],
    ['scopes in a list', { scope: ['a', 'b c', 7, 'a'] }, { scopes: ['a', 'b', 'c'] }],
    ['scopes of null', { scope: null }, {}],
    ['scopes in an object', { scope: {} }, {}],
    ['no scopes at all', { scope: '' }, { scopes: [] }],
    ['a member called __proto__', JSON.parse('{"__proto__":{"error":"x"}}') as object, {}],
  ])('may have %s', (_rule, members, expected) => {
    expect(readJson({ access_token: 'at', ...members })).toEqual({ ...PLAIN, ...expected })
  })

  it.each<[rule: string, text: string, type: string | undefined]>([
    ['JSON with a charset', '{"access_token":"at"}', 'application/json; charset=utf-8'],
    ['JSON that is said to be text', '{"access_token":"at"}', 'text/plain'],
    ['JSON that is said to be a page', '{"access_token":"at"}', 'text/html'],
    ['JSON of no type', '{"access_token":"at"}', undefined],
    ['JSON after a byte order mark', '\uFEFF {"access_token":"at"}\n', JSON_TYPE],
    ['a form', 'access_token=at&token_type=bearer', 'application/x-www-form-urlencoded'],
    ['a form that is said to be text', 'access_token=at', 'text/plain; charset=utf-8'],
    ['a form of no type', 'access_token=at&token_type=', undefined],
  ])('may be %s', (_rule, text, type) => {
    expect(read(text, type)).toEqual(PLAIN)
  })

  it('may be a form with all of it', () => {
    const text =
      'access_token=a%2Bt&expires_in=28800&refresh_token=rt&scope=repo%2Cuser+gist&token_type=bearer'
    const tokens = {
      accessToken: 'a+t',
      refreshToken: 'rt',
      expiresIn: 28800,
      scopes: ['repo', 'user', 'gist'],
    }
    expect(read(text, undefined)).toEqual({ ...PLAIN, ...tokens })
  })

  it('may be a success of another number', () => {
    expect(readJson({ access_token: 'at' }, 201)).toEqual(PLAIN)
  })

  it.each<[rule: string, members: object, error: string, description: string]>([
    [
      'by RFC 6749 5.2',
      { error: 'invalid_grant', error_description: 'It is old' },
      'invalid_grant',
      'It is old',
    ],
    ['without a description', { error: 'invalid_grant', error_description: 7 }, 'invalid_grant', ''],
    ['in GitHub words for the code', { error: 'bad_verification_code' }, 'invalid_grant', ''],
    ['in GitHub words for the refresh token', { error: 'bad_refresh_token' }, 'invalid_grant', ''],
    ['in GitHub words for the client', { error: 'incorrect_client_credentials' }, 'invalid_client', ''],
    [
      'by an object with a type',
      { error: { type: 'OAuthException', message: 'No' } },
      'OAuthException',
      'No',
    ],
    ['by an object with a status', { error: { status: 'DENIED', code: 403 } }, 'DENIED', ''],
    ['by an object of nothing', { error: {} }, 'unknown_error', ''],
    ['by a number', { error: 7, message: 'No' }, 'unknown_error', 'No'],
    ['in letters that no code has', { error: 'a"b' }, 'unknown_error', ''],
    ['in far too many letters', { error: 'x'.repeat(101) }, 'unknown_error', ''],
    ['beside a token', { error: 'invalid_grant', access_token: 'at' }, 'invalid_grant', ''],
  ])('FM 8.1.5 may say no by any status: %s', (_rule, members, error, description) => {
    for (const status of [200, 400, 401, 500])
      expect(readJson(members, status)).toEqual({ kind: 'error', status, error, description })
  })

  it('may say no in a form', () => {
    const text = 'error=bad_verification_code&error_description=It+is+old'
    const expected = { kind: 'error', status: 200, error: 'invalid_grant', description: 'It is old' }
    expect(read(text, 'application/x-www-form-urlencoded')).toEqual(expected)
  })

  it.each<[rule: string, text: string, status: number, message: string]>([
    ['FM 8.1.5 success without an access token', '{}', 200, 'no access token in the answer'],
    ['an empty access token', '{"access_token":""}', 200, 'no access token in the answer'],
    [
      'an access token that is no text',
      '{"access_token":{}}',
      200,
      '"access_token" in the answer is not text',
    ],
    [
      'a refresh token that is no text',
      '{"access_token":"at","refresh_token":1}',
      200,
      '"refresh_token" in the answer is not text',
    ],
    [
      'a token bound to a key',
      '{"access_token":"at","token_type":"DPoP"}',
      200,
      'the token is not a bearer token',
    ],
    ['a status without an error', '{}', 503, 'status 503'],
    ['a status with tokens', '{"access_token":"at"}', 404, 'status 404'],
    ['nothing', '', 204, 'status 204, and the answer is neither a JSON object nor a form'],
    ['a page', '<html>a=b</html>', 502, 'status 502, and the answer is neither a JSON object nor a form'],
    ['a list', '[]', 200, 'status 200, and the answer is neither a JSON object nor a form'],
    ['null', 'null', 200, 'status 200, and the answer is neither a JSON object nor a form'],
    [
      'broken JSON',
      '{"access_token":"secret=',
      200,
      'status 200, and the answer is neither a JSON object nor a form',
    ],
    ['text', 'Gateway = down', 200, 'status 200, and the answer is neither a JSON object nor a form'],
  ])('is refused with a reason that quotes none of it: %s', (_rule, text, status, message) => {
    expect(() => read(text, JSON_TYPE, status)).toThrow(new TokenResponseError(message))
  })

  it('is refused as a page, whatever it looks like', () => {
    expect(() => read('access_token=at', 'text/html')).toThrow(TokenResponseError)
  })

  it('of any bytes is tokens, an error, or refused for a reason', () => {
    const json = fc.json().map((text) => Buffer.from(text))
    const members = fc.constantFrom(
      'access_token',
      'error',
      'scope',
      'expires_in',
      'token_type',
      'refresh_token',
    )
    const answer = fc.dictionary(members, fc.jsonValue()).map((value) => Buffer.from(JSON.stringify(value)))
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array)),
      json,
      answer,
      fc.webQueryParameters().map((text) => Buffer.from(text)),
    )
    const type = fc.constantFrom(undefined, JSON_TYPE, 'text/html', 'application/x-www-form-urlencoded')
    fc.assert(
      fc.property(bytes, type, fc.integer({ min: 200, max: 599 }), (body, contentType, status) => {
        const text = new TextDecoder().decode(body)
        try {
          const answered = read(text, contentType, status)
          if (answered.kind === 'tokens') expect(answered.accessToken).not.toBe('')
          else expect(answered.error).toMatch(/^[\x20-\x7e]{1,100}$/)
        } catch (error) {
          expect(error).toBeInstanceOf(TokenResponseError)
        }
      }),
    )
  })
})

describe('an answer that gives nothing back', () => {
  it.each<[text: string, error: object]>([
    ['{"error":"invalid_token","error_description":"No"}', { error: 'invalid_token', description: 'No' }],
    ['{}', { error: '', description: '' }],
    ['<html>', { error: '', description: '' }],
  ])('says why, where it does: %s', (text, error) => {
    expect(readError({ status: 400, headers: new Headers(), text })).toEqual(error)
  })
})

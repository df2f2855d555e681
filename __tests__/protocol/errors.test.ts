import { describe, expect, it } from '@jest/globals'
import * as v1 from '@modelcontextprotocol/sdk/server/auth/errors.js'
import * as v2 from '@modelcontextprotocol/server'
import { errors as jose } from 'jose'
import {
  ConfigError,
  INVALID_TOKEN,
  OAuthError,
  type OAuthErrorCode,
  UNAVAILABLE,
  recognizeError,
} from '../../lib/protocol/errors.js'

describe('OAuthError', () => {
  it.each<[code: OAuthErrorCode, status: number]>([
    ['invalid_request', 400],
    ['invalid_token', 401],
    ['insufficient_scope', 403],
    ['server_error', 500],
    ['temporarily_unavailable', 503],
  ])('%s is answered %i', (code, status) => {
    expect(new OAuthError(code, 'No').status).toBe(status)
  })

  it('carries what is sent, and apart from it what is not', () => {
    const cause = new Error('socket')
    const error = new OAuthError('temporarily_unavailable', 'Later', {
      detail: 'the database is down',
      retryAfterSeconds: 7,
      scopes: ['a'],
      cause,
    })
    expect(error).toMatchObject({
      name: 'OAuthError',
      message: 'Later',
      code: 'temporarily_unavailable',
      description: 'Later',
      detail: 'the database is down',
      retryAfterSeconds: 7,
      scopes: ['a'],
      cause,
    })
  })

  it('needs neither detail nor cause', () => {
    const error = new OAuthError('invalid_token', 'No')
    expect(error).toMatchObject({ detail: undefined, scopes: [], retryAfterSeconds: undefined })
    expect(error).not.toHaveProperty('cause')
  })

  it.each<[code: OAuthErrorCode, words: string]>([
    ['invalid_request', 'The request is malformed'],
    ['invalid_token', INVALID_TOKEN],
    ['insufficient_scope', 'The access token lacks a scope'],
    ['server_error', UNAVAILABLE],
    ['temporarily_unavailable', UNAVAILABLE],
  ])('has words of its own for %s where none are given', (code, words) => {
    expect(new OAuthError(code)).toMatchObject({ message: words, description: words })
  })

  it.each(['not_a_code', 'constructor', '__proto__', ''])(
    'has no code %j: there would be no status to answer with',
    (code) => {
      expect(() => new OAuthError(code as never, 'No')).toThrow(
        expect.objectContaining({
          name: 'TypeError',
          message: expect.stringContaining(
            `OAuthError has no code "${code}": invalid_request, invalid_token, `,
          ),
        }),
      )
    },
  )
})

describe('ConfigError', () => {
  it('has a stable code beside its message', () => {
    const error = new ConfigError('ERR_MCP_AUTH_MOUNT', 'Mount it at the root')
    expect(error).toBeInstanceOf(Error)
    expect(error).toMatchObject({
      name: 'ConfigError',
      code: 'ERR_MCP_AUTH_MOUNT',
      message: 'Mount it at the root',
    })
  })
})

describe('recognizeError', () => {
  it('gives our own errors back as they are', () => {
    const error = new OAuthError('invalid_token', 'Revoked')
    expect(recognizeError(error)).toBe(error)
  })

  // What a second copy of this package would throw.
  class OAuthErrorOfAnotherCopy extends Error {
    readonly code = 'insufficient_scope'
    readonly scopes = ['a', 7, 'b']
  }

  it.each<[rule: string, thrown: unknown, expected: object]>([
    [
      'InvalidTokenError of SDK v1',
      new v1.InvalidTokenError('Expired'),
      { code: 'invalid_token', description: 'Expired' },
    ],
    [
      'InsufficientScopeError of SDK v1',
      new v1.InsufficientScopeError('More'),
      { code: 'insufficient_scope', description: 'More', scopes: [] },
    ],
    [
      'InvalidRequestError of SDK v1',
      new v1.InvalidRequestError('Twice'),
      { code: 'invalid_request', description: 'Twice' },
    ],
    [
      'ServerError of SDK v1',
      new v1.ServerError('Boom'),
      { code: 'temporarily_unavailable', description: UNAVAILABLE, detail: 'Boom' },
    ],
    [
      'TemporarilyUnavailableError of SDK v1',
      new v1.TemporarilyUnavailableError('Down'),
      { code: 'temporarily_unavailable', detail: 'Down' },
    ],
    [
      'TooManyRequestsError of SDK v1',
      new v1.TooManyRequestsError('Slow'),
      { code: 'temporarily_unavailable', detail: 'Slow' },
    ],
    [
      'invalid_token of SDK v2',
      new v2.OAuthError(v2.OAuthErrorCode.InvalidToken, 'Expired'),
      { code: 'invalid_token', description: 'Expired' },
    ],
    [
      'insufficient_scope of SDK v2',
      new v2.OAuthError(v2.OAuthErrorCode.InsufficientScope, 'More'),
      { code: 'insufficient_scope', description: 'More' },
    ],
    [
      'invalid_request of SDK v2',
      new v2.OAuthError(v2.OAuthErrorCode.InvalidRequest, 'Twice'),
      { code: 'invalid_request' },
    ],
    [
      'server_error of SDK v2',
      new v2.OAuthError(v2.OAuthErrorCode.ServerError, 'Boom'),
      { code: 'temporarily_unavailable', detail: 'Boom' },
    ],
    [
      'the error of another copy of this package',
      new OAuthErrorOfAnotherCopy('More'),
      { code: 'insufficient_scope', scopes: ['a', 'b'] },
    ],
    [
      'scopes under the name of requiredScopes',
      { code: 'insufficient_scope', requiredScopes: ['a'] },
      { scopes: ['a'] },
    ],
    [
      'a bare code, for which we have words',
      { code: 'invalid_token' },
      { code: 'invalid_token', description: INVALID_TOKEN },
    ],
    ['slow_down', { code: 'slow_down', message: 7 }, { code: 'temporarily_unavailable', detail: '' }],
    [
      'JWTExpired of jose',
      new jose.JWTExpired('"exp" claim timestamp check failed', {}, 'exp'),
      { code: 'invalid_token', description: INVALID_TOKEN, detail: '"exp" claim timestamp check failed' },
    ],
    [
      'JWTClaimValidationFailed of jose',
      new jose.JWTClaimValidationFailed('aud', {}),
      { code: 'invalid_token' },
    ],
    ['JWTInvalid of jose', new jose.JWTInvalid(), { code: 'invalid_token' }],
    ['JWSInvalid of jose', new jose.JWSInvalid(), { code: 'invalid_token' }],
    [
      'JWSSignatureVerificationFailed of jose',
      new jose.JWSSignatureVerificationFailed(),
      { code: 'invalid_token' },
    ],
    ['JWEInvalid of jose', new jose.JWEInvalid(), { code: 'invalid_token' }],
    ['JWEDecryptionFailed of jose', new jose.JWEDecryptionFailed(), { code: 'invalid_token' }],
    ['JOSEAlgNotAllowed of jose', new jose.JOSEAlgNotAllowed(), { code: 'invalid_token' }],
    ['JOSENotSupported of jose', new jose.JOSENotSupported(), { code: 'invalid_token' }],
    ['JWKSNoMatchingKey of jose', new jose.JWKSNoMatchingKey(), { code: 'invalid_token' }],
    ['JWKSMultipleMatchingKeys of jose', new jose.JWKSMultipleMatchingKeys(), { code: 'invalid_token' }],
    [
      'TokenExpiredError of jsonwebtoken',
      Object.assign(new Error('jwt expired'), { name: 'TokenExpiredError' }),
      { code: 'invalid_token', description: INVALID_TOKEN, detail: 'jwt expired' },
    ],
    [
      'JsonWebTokenError of jsonwebtoken',
      { name: 'JsonWebTokenError', message: 'invalid signature' },
      { code: 'invalid_token' },
    ],
    [
      'jsonwebtoken with a key ID that jwks-rsa does not find',
      {
        name: 'JsonWebTokenError',
        message: "error in secret or public key callback: Unable to find a signing key that matches 'x'",
      },
      { code: 'invalid_token' },
    ],
    ['NotBeforeError of jsonwebtoken', { name: 'NotBeforeError' }, { code: 'invalid_token', detail: '' }],
  ])('recognises %s', (_rule, thrown, expected) => {
    const error = recognizeError(thrown)
    expect(error).toBeInstanceOf(OAuthError)
    expect(error).toMatchObject({ ...expected, cause: thrown })
  })

  it.each<[rule: string, thrown: unknown]>([
    ['JWKSTimeout of jose, which speaks of our side', new jose.JWKSTimeout()],
    ['JWKSInvalid of jose, which speaks of our side', new jose.JWKSInvalid()],
    ['the JOSEError of a key-set request that failed', new jose.JOSEError('Expected 200 OK')],
    [
      'jsonwebtoken without a key',
      { name: 'JsonWebTokenError', message: 'secret or public key must be provided' },
    ],
    [
      'jsonwebtoken whose key could not be fetched',
      { name: 'JsonWebTokenError', message: 'error in secret or public key callback: connect ECONNREFUSED' },
    ],
    [
      'jsonwebtoken with a key of the wrong kind',
      { name: 'JsonWebTokenError', message: 'secretOrPublicKey is not valid key material' },
    ],
    ['an error of the network', Object.assign(new Error('connect'), { code: 'ECONNREFUSED' })],
    ['a numeric code', { code: 401 }],
    ['a code that OAuth has for clients', new v1.InvalidClientError('No')],
    ['a plain error', new Error('invalid_token')],
    ['a name that is no text', { name: 7 }],
    ['text', 'invalid_token'],
    ['nothing', undefined],
    ['null', null],
  ])('knows nothing of %s: nothing could be decided', (_rule, thrown) => {
    expect(recognizeError(thrown)).toBeUndefined()
  })
})

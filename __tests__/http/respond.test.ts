import { describe, expect, it } from '@jest/globals'
import { OAuthError } from 'express-mcp-auth'
import {
  bareChallenge,
  errorResponse,
  json,
  methodNotAllowed,
  notFound,
  oauthError,
  plainRefusal,
  sessionNotFound,
} from '../../lib/http/respond.js'

const METADATA = 'https://api.example.com/.well-known/oauth-protected-resource/mcp'
const context = { scopes: ['mcp:use'], resourceMetadataUrl: METADATA }
const JSON_TYPE = { 'Content-Type': 'application/json' }
const NOT_STORED = { ...JSON_TYPE, 'Cache-Control': 'no-store', Vary: 'Authorization' }

describe('the answers', () => {
  it('to a request without credentials: 401 without an error code (RFC 6750 3.1)', () => {
    expect(bareChallenge(context)).toEqual({
      status: 401,
      headers: {
        ...NOT_STORED,
        'WWW-Authenticate': `Bearer scope="mcp:use", resource_metadata="${METADATA}"`,
      },
      body: '{"error_description":"Authentication is required: send \\"Authorization: Bearer <access token>\\""}',
    })
  })

  it.each([
    ['invalid_request', 400],
    ['invalid_token', 401],
    ['insufficient_scope', 403],
  ] as const)('to %s: %i with a challenge', (code, status) => {
    expect(errorResponse(new OAuthError(code, 'No "such" thing'), context)).toEqual({
      status,
      headers: {
        ...NOT_STORED,
        'WWW-Authenticate': `Bearer error="${code}", error_description="No 'such' thing", scope="mcp:use", resource_metadata="${METADATA}"`,
      },
      body: `{"error":"${code}","error_description":"No 'such' thing"}`,
    })
  })

  it.each([
    ['what it says', 30, '30'],
    ['five seconds where it says nothing', undefined, '5'],
    ['five seconds where it says zero', 0, '5'],
    ['five seconds where it says a time in the past', -1, '5'],
    ['five seconds where it says no whole number', 1.5, '5'],
    ['five seconds where it says what is no number', '1\r\nX: y' as never, '5'],
    ['five seconds where it says forever', Infinity, '5'],
  ])(
    'to an outage: 503 without a challenge, to be tried again after %s',
    (_rule, retryAfterSeconds, retry) => {
      const error = new OAuthError('temporarily_unavailable', 'Later', {
        detail: 'secret',
        retryAfterSeconds,
      })
      expect(errorResponse(error, context)).toEqual({
        status: 503,
        headers: { ...NOT_STORED, 'Retry-After': retry },
        body: '{"error":"temporarily_unavailable","error_description":"Later"}',
      })
    },
  )

  it('to server_error: an outage too', () => {
    const { status, headers } = errorResponse(new OAuthError('server_error'), context)
    expect([status, headers]).toEqual([500, { ...NOT_STORED, 'Retry-After': '5' }])
  })

  it('to what is refused for another reason: no challenge', () => {
    expect(plainRefusal(400, 'a\nb')).toEqual({
      status: 400,
      headers: NOT_STORED,
      body: '{"error":"invalid_request","error_description":"a b"}',
    })
  })

  it('to what is too large: the connection is closed', () => {
    expect(plainRefusal(413, 'Too large').headers).toEqual({ ...NOT_STORED, Connection: 'close' })
  })

  it('to a session that there is not: as MCP servers say it', () => {
    expect(sessionNotFound()).toEqual({
      status: 404,
      headers: NOT_STORED,
      body: '{"jsonrpc":"2.0","error":{"code":-32001,"message":"Session not found"},"id":null}',
    })
  })

  it('to metadata that there is not: 404 and no challenge', () => {
    expect(notFound()).toEqual({
      status: 404,
      headers: JSON_TYPE,
      body: '{"error":"not_found","error_description":"There is no such metadata here"}',
    })
  })

  it('to another method: 405 with those that there are', () => {
    expect(methodNotAllowed(['GET', 'HEAD'])).toEqual({
      status: 405,
      headers: { ...JSON_TYPE, Allow: 'GET, HEAD', 'Cache-Control': 'no-store' },
      body: '{"error":"invalid_request","error_description":"This method is not answered here"}',
    })
  })

  it('are JSON', () => {
    expect(json(200, { a: [1] }, { 'X-A': 'b' })).toEqual({
      status: 200,
      headers: { ...JSON_TYPE, 'X-A': 'b' },
      body: '{"a":[1]}',
    })
  })
})

describe('oauthError', () => {
  const HEADERS = { ...JSON_TYPE, 'Cache-Control': 'no-store', Pragma: 'no-cache' }

  it.each([
    ['invalid_request', 400],
    ['invalid_client', 401],
    ['access_denied', 403],
  ] as const)('M6 is, for %s, %i with the words alone, and nobody stores it', (code, status) => {
    const error = new OAuthError(code, 'No "such" thing', { detail: 'secret', cause: new Error('secret') })
    expect(oauthError(error)).toEqual({
      status,
      headers: HEADERS,
      body: `{"error":"${code}","error_description":"No 'such' thing"}`,
    })
  })

  it.each([
    ['temporarily_unavailable', {}, 503, '5'],
    ['temporarily_unavailable', { retryAfterSeconds: 7 }, 503, '7'],
    ['temporarily_unavailable', { retryAfterSeconds: '1\r\nX: y' as never }, 503, '5'],
    ['temporarily_unavailable', { status: 502 }, 502, '5'],
    ['temporarily_unavailable', { status: 429, retryAfterSeconds: 9 }, 429, '9'],
    ['server_error', {}, 503, '5'],
  ] as const)('says of %s %j when to come back, and never 500', (code, options, status, retry) => {
    const answer = oauthError(new OAuthError(code, 'Later', options))
    expect([answer.status, answer.headers]).toEqual([status, { ...HEADERS, 'Retry-After': retry }])
  })

  it('X2 ends the connection of what is too large', () => {
    const answer = oauthError(new OAuthError('invalid_request', 'Too large', { status: 413 }))
    expect([answer.status, answer.headers]).toEqual([413, { ...HEADERS, Connection: 'close' }])
  })
})

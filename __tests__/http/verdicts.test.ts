import { beforeEach, describe, expect, it } from '@jest/globals'
import { AccessToken, type AuthEvent, type AuthRequest, OAuthError } from 'express-mcp-auth'
import { type Verdict, Verdicts, eventPath } from '../../lib/http/verdicts.js'
import { createReporter } from '../../lib/runtime/events.js'

const request: AuthRequest = {
  method: 'POST',
  url: '/mcp?secret=1',
  headers: { origin: 'https://evil.example' },
}
const token = new AccessToken({
  token: 't',
  clientId: 'c',
  subject: 'user-1',
  issuer: 'https://login.example.com',
})

// What check, checkScopes and checkOperations say is tested with Guard; these are the verdicts that others ask for.
describe('Verdicts', () => {
  let events: AuthEvent[]
  let verdicts: Verdicts

  beforeEach(() => {
    events = []
    const challenge = { scopes: [], resourceMetadataUrl: undefined }
    verdicts = new Verdicts(
      challenge,
      createReporter((event) => events.push(event)),
    )
  })

  const answerOf = (verdict: Verdict): object => {
    if (!('response' in verdict)) throw new Error('allowed')
    const { status, headers, body = '' } = verdict.response
    return { status, headers, body: JSON.parse(body) as object }
  }
  const NOT_STORED = {
    'Content-Type': 'application/json',
    'Cache-Control': 'no-store',
    Vary: 'Authorization',
  }

  it("answers another one's session as if it did not exist, and tells the operator who asked", () => {
    expect(answerOf(verdicts.foreignSession(request, token))).toEqual({
      status: 404,
      headers: NOT_STORED,
      body: { jsonrpc: '2.0', error: { code: -32001, message: 'Session not found' }, id: null },
    })
    expect(events).toEqual([
      {
        type: 'request.refused',
        method: 'POST',
        path: '/mcp',
        status: 404,
        reason: { stage: 'session', expected: 'the principal that opened it', got: 'another one' },
        clientId: 'c',
        subject: 'user-1',
        issuer: 'https://login.example.com',
      },
    ])
  })

  it('answers a page of another origin 403 without a challenge, since a token would not help', () => {
    expect(answerOf(verdicts.foreignOrigin(request))).toEqual({
      status: 403,
      headers: NOT_STORED,
      body: { error: 'invalid_request', error_description: 'This origin may not call this server' },
    })
    expect(events).toMatchObject([
      {
        error: 'invalid_request',
        reason: { stage: 'origin', expected: 'an allowed origin', got: '"https://evil.example"' },
      },
    ])
  })

  it.each([400, 413, 415])('answers a request that cannot be judged %i without a challenge', (status) => {
    const answer = answerOf(verdicts.badRequest(request, status, 'No'))
    expect(answer).toMatchObject({
      status,
      headers: NOT_STORED,
      body: { error: 'invalid_request', error_description: 'No' },
    })
    expect(events).toMatchObject([{ status, reason: { stage: 'body', got: 'No' } }])
  })

  it('quotes no token to the operator, neither what a verifier noted nor what it threw', () => {
    const secret = 'opaque+credential/1=='
    const quoting = { stage: 's', expected: `a ${secret} b`, got: `${encodeURIComponent(secret)}, ${secret}` }
    const redacted = { stage: 's', expected: 'a [token] b', got: '[token], [token]' }
    verdicts.badToken(request, quoting, secret)
    verdicts.thrown(request, new Error('x'), secret, quoting)
    verdicts.thrown(request, new OAuthError('invalid_token'), secret, quoting)
    verdicts.thrown(request, new Error(`no ${secret}`), secret)
    expect(events).toMatchObject([
      { status: 401, reason: redacted },
      { status: 503, reason: redacted },
      { status: 401, reason: redacted },
      { status: 503, reason: { stage: 'unavailable', got: 'Error: no [token]' } },
    ])
  })

  it('takes eight letters for a token', () => {
    const said = verdicts.thrown(request, new OAuthError('invalid_token', 'An 12345678 key'), '12345678')
    expect(answerOf(said)).toMatchObject({ body: { error_description: 'An [token] key' } })
  })

  it('leaves words as they are where there is no token, or one that is a word', () => {
    for (const secret of [undefined, '', 'a', 'invalid', 'An inva']) {
      expect(
        answerOf(verdicts.thrown(request, new OAuthError('invalid_token', 'An invalid key'), secret)),
      ).toMatchObject({
        body: { error_description: 'An invalid key' },
      })
    }
  })

  it('names of a caller only what is known', () => {
    verdicts.allow(request, new AccessToken({ token: 't', clientId: 'c' }), true)
    verdicts.allow(request, undefined, false)
    expect(events).toEqual([
      { type: 'request.allowed', method: 'POST', path: '/mcp', clientId: 'c', cached: true },
      { type: 'request.allowed', method: 'POST', path: '/mcp', cached: false },
    ])
  })
})

describe('eventPath', () => {
  it.each([
    ['/mcp', '/mcp'],
    ['/mcp?access_token=secret', '/mcp'],
    ['/mcp?', '/mcp'],
    ['//mcp', '//mcp'],
    ['http://api.example.com/mcp?a=b', '/mcp'],
    ['HTTP://api.example.com:80/mcp', '/mcp'],
    ['http://api.example.com', ''],
    ['/mcp#secret', '/mcp'],
    ['*', '*'],
    [undefined, '/'],
  ])('of %j is %j: no query, no host', (url, path) => {
    expect(eventPath({ url, headers: {} })).toBe(path)
  })
})

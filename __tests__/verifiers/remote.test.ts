import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { OAuthError, RemoteTokenVerifier, type RemoteTokenVerifierOptions } from 'express-mcp-auth'
import { testClock } from 'express-mcp-auth/testing'
import { configErrorOf } from '../support/config-error.js'
import { type Stub, jsonAnswer, startStub } from '../support/issuer.js'
import { type Recorder, createRecorder } from '../support/recorder.js'

const START = 1_700_000_000_000
const NOW = START / 1000
const CLAIMS = { sub: 'user-1', client_id: 'c', scope: 'a b', exp: NOW + 60 }

describe('RemoteTokenVerifier', () => {
  let service: Stub
  let recorder: Recorder

  beforeEach(async () => {
    service = await startStub(jsonAnswer(CLAIMS))
    recorder = createRecorder()
  })

  afterEach(() => service.close())

  const create = (options: Partial<RemoteTokenVerifierOptions> = {}): RemoteTokenVerifier =>
    new RemoteTokenVerifier({ verifyUrl: `${service.url}/verify`, deps: testClock(START), ...options })
  const verify = (
    options: Partial<RemoteTokenVerifierOptions> = {},
  ): ReturnType<RemoteTokenVerifier['verifyToken']> => create(options).verifyToken('token', recorder.context)

  it('posts the token as JSON', async () => {
    await create().verifyToken('a"b')
    expect(service.requests).toMatchObject([
      {
        method: 'POST',
        url: '/verify',
        headers: { accept: 'application/json', 'content-type': 'application/json' },
        body: '{"token":"a\\"b"}',
      },
    ])
  })

  it('sends headers along, and keeps the content type its own', async () => {
    await verify({ headers: { 'X-Api-Key': 'k', 'Content-Type': 'text/plain' } })
    expect(service.requests[0]?.headers).toMatchObject({
      'x-api-key': 'k',
      'content-type': 'application/json',
    })
  })

  it.each([200, 201, 299])('takes status %i with claims for yes', async (status) => {
    service.answer = jsonAnswer(CLAIMS, {}, status)
    expect(await verify()).toEqual({
      token: 'token',
      tokenType: 'Bearer',
      clientId: 'c',
      scopes: ['a', 'b'],
      expiresAt: NOW + 60,
      subject: 'user-1',
      issuer: undefined,
      claims: CLAIMS,
    })
  })

  it.each([
    ['active', { active: true }],
    ['valid', { valid: true }],
    ['both', { active: true, valid: true }],
    ['neither', {}],
  ])('takes claims that say %s for yes', async (_rule, claims) => {
    service.answer = jsonAnswer(claims)
    expect(await verify()).toMatchObject({ clientId: 'unknown', claims })
  })

  it.each([400, 401, 403, 404, 410, 422, 499])('takes status %i for no', async (status) => {
    service.answer = jsonAnswer({ error: 'no' }, {}, status)
    expect(await verify()).toBeNull()
    expect(recorder.reasons).toEqual([{ stage: 'service', expected: '2xx', got: `status ${status}` }])
  })

  it.each<[rule: string, claims: object, reason: object]>([
    [
      'active: false',
      { ...CLAIMS, active: false },
      { stage: 'service', expected: '"active": true', got: 'otherwise' },
    ],
    ['active in text', { ...CLAIMS, active: 'true' }, { stage: 'service', expected: '"active": true' }],
    ['valid: false', { ...CLAIMS, valid: false }, { stage: 'service', expected: '"valid": true' }],
    ['valid: null', { ...CLAIMS, valid: null }, { stage: 'service', expected: '"valid": true' }],
    [
      'active, but not valid',
      { active: true, valid: false },
      { stage: 'service', expected: '"valid": true' },
    ],
    ['an expiry that is past', { ...CLAIMS, exp: NOW }, { stage: 'expiry' }],
    ['a beginning that is to come', { ...CLAIMS, nbf: NOW + 31 }, { stage: 'not_before' }],
    ['a scope that is no text', { ...CLAIMS, scope: { a: true } }, { stage: 'claims' }],
  ])('takes claims that say %s for no', async (_rule, claims, reason) => {
    service.answer = jsonAnswer(claims)
    expect(await verify()).toBeNull()
    expect(recorder.reasons).toMatchObject([reason])
  })

  it.each<[rule: string, answer: Parameters<typeof startStub>[0], message: string]>([
    ...[405, 408, 415, 421, 425, 429, 500, 502, 503].map(
      (status) =>
        [`status ${status}`, jsonAnswer(CLAIMS, {}, status), `status ${status}`] as [
          string,
          ReturnType<typeof jsonAnswer>,
          string,
        ],
    ),
    [
      'a redirect',
      jsonAnswer(CLAIMS, { location: '/login' }, 303),
      'redirected (303), which is not followed',
    ],
    ['no content', (_request, response) => response.writeHead(204).end(), 'the answer is not a JSON object'],
    ['a page', (_request, response) => response.end('<html>'), 'the answer is not a JSON object'],
    ['a list', jsonAnswer([]), 'the answer is not a JSON object'],
    ['true', jsonAnswer(true), 'the answer is not a JSON object'],
    ['null', jsonAnswer(null), 'the answer is not a JSON object'],
  ])('takes %s for an outage', async (_rule, answer, message) => {
    service.answer = answer
    const error = await verify().then(String, (thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(OAuthError)
    expect(error).toMatchObject({ code: 'temporarily_unavailable', detail: message, retryAfterSeconds: 1 })
    expect(recorder.events).toEqual([{ type: 'service.failed', url: `${service.url}/verify`, message }])
  })

  it('gives up after ten seconds, or the time that it is given', async () => {
    for (const timeoutSeconds of [undefined, 3]) {
      const clock = testClock(START)
      const arrived = new Promise<void>((resolve) => {
        service.answer = () => {
          resolve()
        }
      })
      const verifying = verify({ deps: clock, ...(timeoutSeconds !== undefined && { timeoutSeconds }) })
      const outcome = verifying.then(String, (thrown: unknown) => thrown)
      await arrived
      clock.advance(timeoutSeconds ?? 10)
      expect(await outcome).toMatchObject({ detail: `no complete answer within ${timeoutSeconds ?? 10} s` })
    }
  })

  it('asks about a good token each time, unless told otherwise', async () => {
    const verifier = create()
    await verifier.verifyToken('token')
    expect(verifier.recall('token')).toBeUndefined()
    await verifier.verifyToken('token')
    expect(service.requests).toHaveLength(2)
  })

  it('does not ask again for as long as it is told, and never past the expiry', async () => {
    const clock = testClock(START)
    const verifier = create({ deps: clock, cacheTtlSeconds: 120, cache: { maxEntries: 1 } })
    const verified = await verifier.verifyToken('token')
    clock.advance(59)
    expect(verifier.recall('token')).toBe(verified)
    clock.advance(1)
    expect(verifier.recall('token')).toBeUndefined()
  })

  it('leaves scopes to the guard', async () => {
    const verifier = create({ requiredScopes: ['admin'] })
    expect(verifier.requiredScopes).toEqual(['admin'])
    expect(await verifier.verifyToken('token')).toMatchObject({ scopes: ['a', 'b'] })
  })

  it.each<[token: string, tokenPrefix: string | undefined, said: string]>([
    ['anything', undefined, 'perhaps'],
    ['key_a', 'key_', 'mine'],
    ['other', 'key_', 'not mine'],
  ])('claims %s where the prefix is %s: %s', (token, tokenPrefix, said) => {
    expect(create(tokenPrefix === undefined ? {} : { tokenPrefix }).claimsToken(token)).toBe(said)
  })
})

describe('the options of RemoteTokenVerifier', () => {
  const verifyUrl = 'https://keys.example.com/verify'

  it.each<[rule: string, options: object, code: string, message: string]>([
    [
      'an unknown option',
      { verifyUrl, url: 'a' },
      'ERR_MCP_AUTH_UNKNOWN_OPTION',
      'RemoteTokenVerifier has no option "url". Known: verifyUrl, headers, requiredScopes, timeoutSeconds, cacheTtlSeconds, cache, tokenPrefix, dangerouslyAllowInsecureHttp, deps',
    ],
    [
      'a misspelled one',
      { verifyURL: 'a' },
      'ERR_MCP_AUTH_UNKNOWN_OPTION',
      'RemoteTokenVerifier has no option "verifyURL". Did you mean "verifyUrl"?',
    ],
    [
      'no URL',
      {},
      'ERR_MCP_AUTH_MISSING_OPTION',
      'RemoteTokenVerifier: "verifyUrl" is missing: write the URL that tokens are posted to',
    ],
    [
      'http',
      { verifyUrl: 'http://keys.example.com' },
      'ERR_MCP_AUTH_INSECURE_URL',
      'RemoteTokenVerifier: "verifyUrl" must be an https URL, not "http://keys.example.com". http is for loopback addresses; on a network that you trust, set "dangerouslyAllowInsecureHttp: true"',
    ],
    [
      'headers as text',
      { verifyUrl, headers: 'X-Key: k' },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'RemoteTokenVerifier: "headers" must be an object of header names and values',
    ],
    [
      'headers as a list',
      { verifyUrl, headers: [['x-key', 'k']] },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'RemoteTokenVerifier: "headers" must be an object of header names and values',
    ],
    [
      'a header that would start another',
      { verifyUrl, headers: { 'x-key': 'k\r\nx-evil: 1' } },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'RemoteTokenVerifier: "headers" must be valid header names and values',
    ],
    [
      'a header name that is none',
      { verifyUrl, headers: { 'x key': 'k' } },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'RemoteTokenVerifier: "headers" must be valid header names and values',
    ],
    [
      'a time below zero',
      { verifyUrl, timeoutSeconds: -1 },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'RemoteTokenVerifier: "timeoutSeconds" must be a number of seconds, 0 or more',
    ],
    [
      'an endless lifetime',
      { verifyUrl, cacheTtlSeconds: Infinity },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'RemoteTokenVerifier: "cacheTtlSeconds" must be a number of seconds, 0 or more',
    ],
    [
      'a cache that is text',
      { verifyUrl, cache: 'on' },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'RemoteTokenVerifier: "cache" must be { maxEntries?, maxBytes? } with whole numbers above 0, or false',
    ],
    [
      'a blank prefix',
      { verifyUrl, tokenPrefix: '' },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'RemoteTokenVerifier: "tokenPrefix" must be a string that is not blank',
    ],
    [
      'scopes that are none',
      { verifyUrl, requiredScopes: 7 },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'RemoteTokenVerifier: "requiredScopes" must be a list of scopes such as ["mcp:use"]',
    ],
  ])('refuse %s', (_rule, options, code, message) => {
    expect(configErrorOf(() => new RemoteTokenVerifier(options as never))).toEqual({ code, message })
  })

  it('take http elsewhere with dangerouslyAllowInsecureHttp', () => {
    const verifier = new RemoteTokenVerifier({
      verifyUrl: 'http://keys:80/',
      dangerouslyAllowInsecureHttp: true,
    })
    expect(verifier.requiredScopes).toEqual([])
  })
})

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import {
  IntrospectionTokenVerifier,
  type IntrospectionTokenVerifierOptions,
  OAuthError,
} from 'express-mcp-auth'
import { testClock } from 'express-mcp-auth/testing'
import { tokenForm } from '../../lib/protocol/jws-guard.js'
import { configErrorOf } from '../support/config-error.js'
import {
  ISSUER,
  RESOURCE,
  type Stub,
  createKey,
  createToken,
  jsonAnswer,
  startStub,
} from '../support/issuer.js'
import { type Recorder, createRecorder } from '../support/recorder.js'

const START = 1_700_000_000_000
const NOW = START / 1000
const ACTIVE = {
  active: true,
  client_id: 'c',
  sub: 'user-1',
  scope: 'a b',
  iss: ISSUER,
  aud: RESOURCE,
  exp: NOW + 60,
}

// RFC 7662 2.2
const RFC7662 = {
  active: true,
  client_id: 'l238j323ds-23ij4',
  username: 'jdoe',
  scope: 'read write dolphin',
  sub: 'Z5O3upPC88QrAjx00dis',
  aud: 'https://protected.example.net/resource',
  iss: 'https://server.example.com/',
  exp: 1419356238,
  iat: 1419350238,
  extension_field: 'twenty-seven',
}

describe('IntrospectionTokenVerifier', () => {
  let service: Stub
  let recorder: Recorder

  beforeEach(async () => {
    service = await startStub(jsonAnswer(ACTIVE))
    recorder = createRecorder()
  })

  afterEach(() => service.close())

  const create = (options: Partial<IntrospectionTokenVerifierOptions> = {}): IntrospectionTokenVerifier =>
    new IntrospectionTokenVerifier({
      introspectionUrl: `${service.url}/introspect`,
      clientId: 'server',
      clientSecret: 'secret',
      deps: testClock(START),
      ...options,
    })
  const verify = (
    options: Partial<IntrospectionTokenVerifierOptions> = {},
  ): ReturnType<IntrospectionTokenVerifier['verifyToken']> =>
    create(options).verifyToken('token', recorder.context)

  it('reads the example of RFC 7662 2.2', async () => {
    service.answer = jsonAnswer(RFC7662)
    const deps = testClock((RFC7662.exp - 1) * 1000)
    expect(await verify({ deps, issuer: RFC7662.iss, audience: RFC7662.aud })).toEqual({
      token: 'token',
      tokenType: 'Bearer',
      clientId: 'l238j323ds-23ij4',
      scopes: ['read', 'write', 'dolphin'],
      expiresAt: 1419356238,
      subject: 'Z5O3upPC88QrAjx00dis',
      issuer: 'https://server.example.com/',
      claims: RFC7662,
    })
  })

  it('asks as RFC 7662 2.1 has it, with client_secret_basic', async () => {
    await verify()
    expect(service.requests).toMatchObject([
      {
        method: 'POST',
        url: '/introspect',
        headers: {
          accept: 'application/json',
          'content-type': 'application/x-www-form-urlencoded',
          authorization: 'Basic c2VydmVyOnNlY3JldA==',
        },
        body: 'token=token&token_type_hint=access_token',
      },
    ])
  })

  it('form-encodes both parts before it joins them (RFC 6749 2.3.1)', async () => {
    await verify({ clientId: 'a:b c', clientSecret: 'ü%+&' })
    const [, encoded = ''] = String(service.requests[0]?.headers.authorization).split(' ')
    expect(Buffer.from(encoded, 'base64').toString()).toBe('a%3Ab+c:%C3%BC%25%2B%26')
  })

  it('sends them in the body with client_secret_post', async () => {
    await verify({ clientAuthMethod: 'client_secret_post', clientId: 'a:b', clientSecret: 'c&d' })
    expect(service.requests[0]?.headers.authorization).toBeUndefined()
    expect([...new URLSearchParams(service.requests[0]?.body)]).toEqual([
      ['token', 'token'],
      ['token_type_hint', 'access_token'],
      ['client_id', 'a:b'],
      ['client_secret', 'c&d'],
    ])
  })

  it('encodes the token, so that it cannot add to the question', async () => {
    await create().verifyToken('a&client_id=b')
    expect([...new URLSearchParams(service.requests[0]?.body).keys()]).toEqual(['token', 'token_type_hint'])
  })

  it.each<
    [rule: string, changes: object, options: Partial<IntrospectionTokenVerifierOptions>, reason: object]
  >([
    [
      'is not active',
      { active: false },
      {},
      { stage: 'introspection', expected: 'an active token', got: 'false' },
    ],
    ['is "true" in text', { active: 'true' }, {}, { stage: 'introspection', got: '"true"' }],
    ['is active by number', { active: 1 }, {}, { stage: 'introspection', got: '1' }],
    ['is not said to be active', { active: undefined }, {}, { stage: 'introspection', got: 'nothing' }],
    ['has expired', { exp: NOW }, {}, { stage: 'expiry' }],
    ['has an expiry that is text', { exp: String(NOW + 60) }, {}, { stage: 'expiry' }],
    ['is not valid yet', { nbf: NOW + 31 }, {}, { stage: 'not_before' }],
    ['has a scope that is no text', { scope: 7 }, {}, { stage: 'claims' }],
    ['has a subject that is no text', { sub: {} }, {}, { stage: 'claims' }],
    [
      'is of another issuer',
      { iss: 'https://other.example' },
      { issuer: ISSUER },
      { stage: 'issuer', expected: ISSUER },
    ],
    [
      'has no issuer where one is stated',
      { iss: undefined },
      { issuer: ISSUER },
      { stage: 'issuer', got: 'nothing' },
    ],
    [
      'is for another audience',
      { aud: ['https://other.example'] },
      { audience: [RESOURCE, 'api'] },
      { stage: 'audience', expected: `${RESOURCE} or api` },
    ],
    [
      'has no audience where one is stated',
      { aud: undefined },
      { audience: RESOURCE },
      { stage: 'audience', got: 'nothing' },
    ],
    [
      'is bound to a key (RFC 9449)',
      { cnf: { jkt: 'a' } },
      {},
      { stage: 'type', expected: 'a bearer token', got: 'a token that is bound to a key (cnf)' },
    ],
    ['is a refresh token of Keycloak', { typ: 'Refresh' }, {}, { stage: 'type', got: 'typ "Refresh"' }],
    [
      'is a refresh token by its use',
      { token_use: 'refresh_token' },
      {},
      { stage: 'type', got: 'token_use "refresh_token"' },
    ],
  ])('refuses a token that %s', async (_rule, changes, options, reason) => {
    service.answer = jsonAnswer({ ...ACTIVE, ...changes })
    expect(await verify(options)).toBeNull()
    expect(recorder.reasons).toMatchObject([reason])
  })

  it.each<[rule: string, claims: object, options: Partial<IntrospectionTokenVerifierOptions>, token: object]>(
    [
      [
        'without anything but active',
        { active: true },
        {},
        { clientId: 'unknown', scopes: [], expiresAt: undefined },
      ],
      ['with scopes as a list', { active: true, scope: ['a', 'b c'] }, {}, { scopes: ['a', 'b c'] }],
      ['of one of several issuers', ACTIVE, { issuer: ['https://b.example', ISSUER] }, { issuer: ISSUER }],
      [
        'for one of several audiences',
        { ...ACTIVE, aud: ['x', RESOURCE] },
        { audience: [RESOURCE] },
        { subject: 'user-1' },
      ],
    ],
  )('takes a token %s', async (_rule, claims, options, token) => {
    service.answer = jsonAnswer(claims)
    expect(await verify(options)).toMatchObject(token)
  })

  it.each<[rule: string, answer: Parameters<typeof startStub>[0], message: string]>([
    [
      'our own credentials are refused',
      jsonAnswer({ error: 'invalid_client' }, {}, 401),
      'status 401: clientId or clientSecret was refused',
    ],
    ['the endpoint is not there', jsonAnswer({}, {}, 404), 'status 404'],
    ['it fails', jsonAnswer({ active: true }, {}, 500), 'status 500'],
    ['it redirects', jsonAnswer({}, { location: '/login' }, 302), 'redirected (302), which is not followed'],
    ['it answers with another success', jsonAnswer(ACTIVE, {}, 202), 'status 202'],
    [
      'it answers with a page',
      (_request, response) => response.end('<html>'),
      'the answer is not a JSON object',
    ],
    ['it answers with a list', jsonAnswer([ACTIVE]), 'the answer is not a JSON object'],
    ['it answers with null', jsonAnswer(null), 'the answer is not a JSON object'],
    ['it breaks off', (request) => request.socket.destroy(), 'fetch failed'],
  ])('cannot decide where %s', async (_rule, answer, message) => {
    service.answer = answer
    const error = await verify().then(String, (thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(OAuthError)
    expect(error).toMatchObject({ code: 'temporarily_unavailable', status: 503 })
    expect(recorder.events).toEqual([
      { type: 'service.failed', url: `${service.url}/introspect`, message: expect.stringContaining(message) },
    ])
    expect(recorder.reasons).toEqual([])
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

  it('does not ask again within a minute, or the time that it is given', async () => {
    service.answer = jsonAnswer({ ...ACTIVE, exp: undefined })
    for (const cacheTtlSeconds of [undefined, 5]) {
      const clock = testClock(START)
      const verifier = create({ deps: clock, ...(cacheTtlSeconds !== undefined && { cacheTtlSeconds }) })
      const verified = await verifier.verifyToken('token')
      const before = service.requests.length
      clock.advance((cacheTtlSeconds ?? 60) - 1)
      expect(verifier.recall('token')).toBe(verified)
      expect(await verifier.verifyToken('token')).toBe(verified)
      expect(service.requests).toHaveLength(before)
      clock.advance(1)
      expect(verifier.recall('token')).toBeUndefined()
      await verifier.verifyToken('token')
      expect(service.requests).toHaveLength(before + 1)
    }
  })

  it('asks each time where the cache is switched off', async () => {
    for (const options of [{ cache: false }, { cacheTtlSeconds: 0 }]) {
      const verifier = create(options)
      await verifier.verifyToken('token')
      expect(verifier.recall('token')).toBeUndefined()
    }
  })

  it('hints at an audience that is not checked', () => {
    expect(create().notices).toMatchObject([
      { type: 'hint', code: 'audience_unchecked', message: expect.stringContaining('"audience"') },
    ])
    expect(create({ audience: RESOURCE }).notices).toEqual([])
  })

  it('leaves scopes to the guard', async () => {
    const verifier = create({ requiredScopes: ['admin'] })
    expect(verifier.requiredScopes).toEqual(['admin'])
    expect(await verifier.verifyToken('token')).toMatchObject({ scopes: ['a', 'b'] })
  })

  describe('claims', () => {
    const key = createKey('ES256')
    const claim = (token: string, options: Partial<IntrospectionTokenVerifierOptions> = {}): string =>
      create(options).claimsToken(token, tokenForm(token))

    it.each<[rule: string, token: string, options: Partial<IntrospectionTokenVerifierOptions>, said: string]>(
      [
        ['an opaque token', 'opaque', {}, 'perhaps'],
        ['a JWT where no issuer is stated', createToken(key), {}, 'perhaps'],
        ['a JWT without an issuer', createToken(key, { iss: undefined }), { issuer: ISSUER }, 'perhaps'],
        ['a JWT of its issuer', createToken(key), { issuer: ISSUER }, 'mine'],
        [
          'a JWT of another issuer',
          createToken(key, { iss: 'https://b.example' }),
          { issuer: ISSUER },
          'not mine',
        ],
        ['a token with its prefix', 'gho_a', { tokenPrefix: 'gho_' }, 'mine'],
        ['a token with another prefix', 'sk_a', { tokenPrefix: 'gho_' }, 'not mine'],
      ],
    )('%s', (_rule, token, options, said) => {
      expect(claim(token, options)).toBe(said)
    })
  })
})

describe('the options of IntrospectionTokenVerifier', () => {
  const introspectionUrl = 'https://login.example.com/introspect'
  const complete = { introspectionUrl, clientId: 'c', clientSecret: 's' }

  it.each<[rule: string, options: object, code: string, message: string]>([
    [
      'an unknown option',
      { ...complete, client_id: 'c' },
      'ERR_MCP_AUTH_UNKNOWN_OPTION',
      'IntrospectionTokenVerifier has no option "client_id". Did you mean "clientId"?',
    ],
    [
      'no URL',
      { clientId: 'c', clientSecret: 's' },
      'ERR_MCP_AUTH_MISSING_OPTION',
      'IntrospectionTokenVerifier: "introspectionUrl" is missing: write the "introspection_endpoint" of your authorization server',
    ],
    [
      'http',
      { ...complete, introspectionUrl: 'http://login.example.com' },
      'ERR_MCP_AUTH_INSECURE_URL',
      'IntrospectionTokenVerifier: "introspectionUrl" must be an https URL, not "http://login.example.com". http is for loopback addresses; on a network that you trust, set "dangerouslyAllowInsecureHttp: true"',
    ],
    [
      'a URL object',
      { ...complete, introspectionUrl: new URL(introspectionUrl) },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'IntrospectionTokenVerifier: "introspectionUrl" must be a string. A URL object has already added or dropped a slash: write the identifier as text',
    ],
    [
      'no client',
      { introspectionUrl, clientSecret: 's' },
      'ERR_MCP_AUTH_MISSING_OPTION',
      'IntrospectionTokenVerifier: "clientId" is missing: register this server at your authorization server',
    ],
    [
      'no secret',
      { introspectionUrl, clientId: 'c' },
      'ERR_MCP_AUTH_MISSING_OPTION',
      'IntrospectionTokenVerifier: "clientSecret" is missing: an introspection endpoint answers only those it knows',
    ],
    [
      'an empty secret',
      { ...complete, clientSecret: '' },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'IntrospectionTokenVerifier: "clientSecret" must be a string that is not blank',
    ],
    [
      'another way to send them',
      { ...complete, clientAuthMethod: 'private_key_jwt' },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'IntrospectionTokenVerifier: "clientAuthMethod" must be client_secret_basic or client_secret_post',
    ],
    [
      'an issuer that is no text',
      { ...complete, issuer: 7 },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'IntrospectionTokenVerifier: "issuer" must be a string or a list of strings, none of them blank',
    ],
    [
      'an audience that is a pattern',
      { ...complete, audience: /a/ },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'IntrospectionTokenVerifier: "audience" must be a string or a list of strings, none of them blank',
    ],
    [
      'scopes that are none',
      { ...complete, requiredScopes: [''] },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'IntrospectionTokenVerifier: "requiredScopes" must be a list of scopes such as ["mcp:use"]',
    ],
    [
      'a time that is text',
      { ...complete, timeoutSeconds: '10' },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'IntrospectionTokenVerifier: "timeoutSeconds" must be a number of seconds, 0 or more',
    ],
    [
      'a lifetime below zero',
      { ...complete, cacheTtlSeconds: -1 },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'IntrospectionTokenVerifier: "cacheTtlSeconds" must be a number of seconds, 0 or more',
    ],
    [
      'a cache without room',
      { ...complete, cache: { maxBytes: 0 } },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'IntrospectionTokenVerifier: "cache" must be { maxEntries?, maxBytes? } with whole numbers above 0, or false',
    ],
    [
      'a blank prefix',
      { ...complete, tokenPrefix: ' ' },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'IntrospectionTokenVerifier: "tokenPrefix" must be a string that is not blank',
    ],
  ])('refuse %s', (_rule, options, code, message) => {
    expect(configErrorOf(() => new IntrospectionTokenVerifier(options as never))).toEqual({ code, message })
  })

  it('take http elsewhere with dangerouslyAllowInsecureHttp', () => {
    const options = {
      ...complete,
      introspectionUrl: 'http://keycloak:8080/i',
      dangerouslyAllowInsecureHttp: true,
    }
    expect(new IntrospectionTokenVerifier(options).requiredScopes).toEqual([])
  })
})

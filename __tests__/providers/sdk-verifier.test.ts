import type { RequestHandler } from 'express'
import express from 'express'
import * as errors from '@modelcontextprotocol/sdk/server/auth/errors.js'
import { requireBearerAuth as requireBearerAuthV1 } from '@modelcontextprotocol/sdk/server/auth/middleware/bearerAuth.js'
import { requireBearerAuth as requireBearerAuthV2 } from '@modelcontextprotocol/server'
import { afterEach, beforeEach, describe, expect, it, jest, test } from '@jest/globals'
import {
  AccessToken,
  type AuthProvider,
  type GateTokenVerifier,
  JWTVerifier,
  MultiAuth,
  OAuthError,
  type ProviderLike,
  RemoteAuthProvider,
  type SdkTokenVerifierOptions,
  StaticTokenVerifier,
  getAccessToken,
  mcpAuth,
  sdkTokenVerifier,
} from 'express-mcp-auth'
import { RSAKeyPair, testClock } from 'express-mcp-auth/testing'
import { configErrorOf } from '../support/config-error.js'
import { ISSUER, RESOURCE, createKey, createToken, startKeySet } from '../support/issuer.js'
import { tossLater } from '../support/odd.js'
import { startServer } from '../support/site.js'

const METADATA = 'https://api.example.com/.well-known/oauth-protected-resource/mcp'
const INVALID = 'The access token is malformed, expired, revoked or not meant for this resource'

interface GateOptions {
  readonly requiredScopes?: string[]
  readonly resourceMetadataUrl?: string
  readonly expectedResource?: URL
}

interface Gate {
  readonly sdk: string
  readonly options: SdkTokenVerifierOptions
  /** The SDK's own gate as an Express handler that sets `req.auth`. */
  guard(verifier: GateTokenVerifier, more?: GateOptions): RequestHandler
}

const GATES: readonly Gate[] = [
  {
    sdk: 'v1',
    options: { errors },
    guard: (verifier, more) => requireBearerAuthV1({ verifier, ...more }),
  },
  {
    sdk: 'v2',
    options: {},
    // What `@modelcontextprotocol/express` wraps: here by hand.
    guard(verifier, more) {
      const gate = requireBearerAuthV2({ verifier, ...more })
      return async (req, res, next) => {
        const auth = await gate(
          new Request('http://localhost/', { headers: { authorization: req.headers.authorization ?? '' } }),
        )
        if (auth instanceof Response) {
          for (const [name, value] of auth.headers) res.setHeader(name, value)
          res.status(auth.status).end(await auth.text())
          return
        }
        Object.assign(req, { auth })
        next()
      }
    },
  },
]

const opened: (() => Promise<void>)[] = []
beforeEach(() => {
  // What is said once to operators, and meant so here.
  jest.spyOn(process, 'emitWarning').mockReturnValue()
})
afterEach(async () => {
  for (const close of opened.splice(0)) await close()
  jest.restoreAllMocks()
})

/** A provider that answers each token by what is in a table. */
function provider(
  answers: Readonly<Record<string, unknown>>,
  more: Partial<AuthProvider> = {},
): AuthProvider & { readonly asked: string[] } {
  const asked: string[] = []
  return {
    asked,
    async verifyToken(token) {
      asked.push(token)
      const answer = answers[token]
      if (answer instanceof Error) throw answer
      return answer as null
    },
    ...more,
  }
}

/** What a request with a token gets behind a gate, and what the handler saw. */
async function ask(
  { guard, options }: Gate,
  trusted: ProviderLike,
  token: string,
  more?: GateOptions,
): Promise<{ status: number; challenge: string | null; body: unknown; seen: unknown }> {
  const app = express()
  let seen: unknown
  app.get('/mcp', guard(sdkTokenVerifier(trusted, options), more), (req, res) => {
    seen = (req as { auth?: unknown }).auth
    res.json({ subject: getAccessToken(req)?.subject })
  })
  const server = await startServer(app)
  opened.push(server.close)
  const response = await fetch(`${server.url}/mcp`, { headers: { authorization: `Bearer ${token}` } })
  const challenge = response.headers.get('www-authenticate')
  return { status: response.status, challenge, body: await response.json(), seen }
}

const ALICE = { clientId: 'desktop', subject: 'alice', scopes: ['mcp:use'] }

describe.each(GATES)('sdkTokenVerifier behind the gate of SDK $sdk', (gate) => {
  it('lets a good token pass, and the handler sees our token', async () => {
    const key = createKey()
    const keys = await startKeySet(key)
    opened.push(keys.close)
    const remote = new RemoteAuthProvider({
      baseUrl: 'https://api.example.com',
      authorizationServers: [ISSUER],
      jwksUri: `${keys.url}/jwks`,
    })
    const token = createToken(key, { sub: 'alice', scope: 'mcp:use notes:read', roles: ['admin'] })

    const { status, body, seen } = await ask(gate, remote, token, {
      requiredScopes: ['mcp:use'],
      resourceMetadataUrl: METADATA,
      expectedResource: new URL(RESOURCE),
    })

    expect([status, body]).toEqual([200, { subject: 'alice' }])
    expect(seen).toBeInstanceOf(AccessToken)
    expect(seen).toMatchObject({
      token,
      tokenType: 'Bearer',
      clientId: 'client-1',
      scopes: ['mcp:use', 'notes:read'],
      expiresAt: expect.any(Number),
      resource: new URL(RESOURCE),
      resourceMetadataUrl: METADATA,
      subject: 'alice',
      issuer: ISSUER,
      extra: { roles: ['admin'] },
    })
    expect((seen as AccessToken).hasScope('notes:read')).toBe(true)
  })

  it('answers 401 to a token that is not valid, with a challenge', async () => {
    const trusted = provider({ known: ALICE })
    const { status, challenge, body, seen } = await ask(gate, trusted, 'unknown', {
      requiredScopes: ['mcp:use'],
      resourceMetadataUrl: METADATA,
    })
    expect(status).toBe(401)
    expect(challenge).toBe(
      `Bearer error="invalid_token", error_description="${INVALID}", scope="mcp:use", resource_metadata="${METADATA}"`,
    )
    expect(body).toEqual({ error: 'invalid_token', error_description: INVALID })
    expect(seen).toBeUndefined()
  })

  it.each([
    ['undefined', undefined],
    ['false', false],
    ['an OAuthError of ours', new OAuthError('invalid_token')],
    ['an error of SDK v1', new errors.InvalidTokenError(INVALID)],
    ['an error of jose', Object.assign(new Error('late'), { code: 'ERR_JWT_EXPIRED' })],
    ['a token that is expired', { ...ALICE, expiresAt: 1 }],
  ])('answers 401 where the verifier says %s', async (_name, answer) => {
    const { status, body } = await ask(gate, provider({ token: answer }), 'token')
    expect([status, body]).toEqual([401, { error: 'invalid_token', error_description: INVALID }])
  })

  it('answers 401 to an expired token although it lacks scopes too', async () => {
    const trusted = provider({ token: { ...ALICE, expiresAt: 1 } }, { requiredScopes: ['admin'] })
    expect((await ask(gate, trusted, 'token', { requiredScopes: ['admin'] })).status).toBe(401)
  })

  it('asks nobody about what cannot be a token', async () => {
    const trusted = provider({})
    expect((await ask(gate, trusted, 'a"b')).status).toBe(401)
    expect((await ask(gate, trusted, 'a'.repeat(8193))).status).toBe(401)
    expect(trusted.asked).toEqual([])
  })

  it('lets a token without an end pass, as one that is good for an hour', async () => {
    const before = Math.floor(Date.now() / 1000)
    const { status, seen } = await ask(gate, provider({ token: ALICE }), 'token')
    expect(status).toBe(200)
    const { expiresAt } = seen as AccessToken
    expect(expiresAt).toBeGreaterThanOrEqual(before + 3600)
    expect(expiresAt).toBeLessThan(before + 3660)
  })

  it('answers 403 where the token lacks what the provider requires, whatever the gate requires', async () => {
    const trusted = provider({ token: ALICE }, { requiredScopes: ['mcp:use', 'admin'] })
    const { status, challenge, body } = await ask(gate, trusted, 'token')
    expect(status).toBe(403)
    expect(challenge).toBe(
      'Bearer error="insufficient_scope", error_description="This needs the scope mcp:use admin"',
    )
    expect(body).toEqual({
      error: 'insufficient_scope',
      error_description: 'This needs the scope mcp:use admin',
    })
  })

  it('answers 403 where a source of MultiAuth requires more', async () => {
    const source = new StaticTokenVerifier({ tokens: ['token'], requiredScopes: ['admin'] })
    expect((await ask(gate, new MultiAuth({ verifiers: [source] }), 'token')).status).toBe(403)
  })

  it('answers 400 where a verifier says that the request is malformed', async () => {
    const trusted = provider({ token: new OAuthError('invalid_request', 'No') })
    const { status, challenge, body } = await ask(gate, trusted, 'token')
    expect([status, challenge]).toEqual([400, null])
    expect(body).toEqual({ error: 'invalid_request', error_description: 'No' })
  })

  it.each([
    ['fails', new Error('the database is away')],
    ['says that it is unavailable', new OAuthError('temporarily_unavailable')],
    ['speaks of its own affairs', new OAuthError('invalid_client')],
    [
      'throws what SDK v2 would answer 400 to',
      Object.assign(new Error('busy'), { code: 'too_many_requests' }),
    ],
    ['returns nonsense', { clientId: 7 }],
  ])('answers 500 without a challenge where the verifier %s', async (_name, answer) => {
    const { status, challenge, body } = await ask(gate, provider({ token: answer }), 'token')
    expect([status, challenge]).toEqual([500, null])
    expect(body).toMatchObject({ error: 'server_error' })
  })

  it('passes the words of a verifier on, but no line breaks, quotes or tokens', async () => {
    const trusted = provider({
      'old-key': new OAuthError('invalid_token', 'The "key"\r\nwas revoked: ключ'),
      'secret-token': new OAuthError('invalid_token', 'no such key: secret-token'),
    })
    const { challenge } = await ask(gate, trusted, 'old-key')
    expect(challenge).toBe(`Bearer error="invalid_token", error_description="The 'key' was revoked: ????"`)
    expect((await ask(gate, trusted, 'secret-token')).body).toEqual({
      error: 'invalid_token',
      error_description: INVALID,
    })
  })
})

describe('sdkTokenVerifier', () => {
  test('an error without classes is one to SDK v2 and to whoever goes by shape', async () => {
    const verifier = sdkTokenVerifier(provider({}))
    const error = await verifier.verifyAccessToken('token').catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({
      name: 'InvalidTokenError',
      code: 'invalid_token',
      errorCode: 'invalid_token',
      message: INVALID,
    })
    expect((error as errors.OAuthError).toResponseObject()).toEqual({
      error: 'invalid_token',
      error_description: INVALID,
    })
  })

  test('without its classes the gate of SDK v1 is met by those of the installed one', async () => {
    const { status, body } = await ask({ ...GATES[0]!, options: {} }, provider({}), 'token')
    expect([status, body]).toEqual([401, { error: 'invalid_token', error_description: INVALID }])
  })

  test('with the classes of another copy, the gate of SDK v1 takes a bad token for a fault, and never lets it pass', async () => {
    class InvalidTokenError extends Error {}
    const options = { errors: { InvalidTokenError } }
    expect((await ask({ ...GATES[0]!, options }, provider({}), 'token')).status).toBe(500)
  })

  test('an empty token is refused in ordinary words', async () => {
    await expect(sdkTokenVerifier(provider({})).verifyAccessToken('')).rejects.toThrow(INVALID)
  })

  test('goes by the clock and the hierarchy of scopes that it is given', async () => {
    const clock = testClock(1_700_000_000_000)
    const trusted = provider(
      { endless: { clientId: 'ci', scopes: ['admin'] }, ending: { ...ALICE, expiresAt: 1_700_000_010 } },
      { requiredScopes: ['mcp:use'] },
    )
    const verifier = sdkTokenVerifier(trusted, { deps: clock, scopeImplies: (held) => held === 'admin' })

    const endless = await verifier.verifyAccessToken('endless')
    expect(endless.expiresAt).toBe(1_700_003_600)
    expect(endless.hasScope('notes:write')).toBe(true)
    expect((await verifier.verifyAccessToken('ending')).expiresAt).toBe(1_700_000_010)
    clock.advance(10)
    await expect(verifier.verifyAccessToken('ending')).rejects.toMatchObject({ code: 'invalid_token' })
  })

  test('a token that was verified before is not verified again', async () => {
    const keys = await RSAKeyPair.generate()
    const jwt = new JWTVerifier({ publicKey: keys.publicKey, issuer: ISSUER, audience: RESOURCE })
    const verifyToken = jest.spyOn(jwt, 'verifyToken')
    const verifier = sdkTokenVerifier(jwt)
    const token = keys.createToken({ issuer: ISSUER, audience: RESOURCE })
    await verifier.verifyAccessToken(token)
    await verifier.verifyAccessToken(token)
    expect(verifyToken).toHaveBeenCalledTimes(1)
  })

  test('the resource is what the provider states, and the metadata only where it is served', async () => {
    const stated = provider({ token: ALICE }, { baseUrl: 'https://api.example.com' })
    const { resource, resourceMetadataUrl } = await sdkTokenVerifier(stated).verifyAccessToken('token')
    expect([resource?.href, resourceMetadataUrl]).toEqual([RESOURCE, undefined])
    expect(await sdkTokenVerifier(provider({ token: ALICE })).verifyAccessToken('token')).not.toHaveProperty(
      'resource',
    )
  })

  test('what it makes is a provider again', async () => {
    const app = express()
    app.use(mcpAuth(sdkTokenVerifier(provider({ token: ALICE }))), (req, res) => {
      res.json(getAccessToken(req)?.subject)
    })
    const server = await startServer(app)
    opened.push(server.close)
    const answers = await Promise.all(
      ['token', 'other'].map((token) => fetch(server.url, { headers: { authorization: `Bearer ${token}` } })),
    )
    expect(answers.map(({ status }) => status)).toEqual([200, 401])
  })

  test('tells what the provider has to say when it is built', async () => {
    const { subscribe, unsubscribe } = await import('node:diagnostics_channel')
    const heard: unknown[] = []
    const listen = (event: unknown): void => void heard.push(event)
    subscribe('express-mcp-auth', listen)
    const notice = { type: 'hint', code: 'dangerous_option', message: 'Mind' } as never
    sdkTokenVerifier(provider({}, { notices: [notice] }))
    unsubscribe('express-mcp-auth', listen)
    expect(heard).toEqual([expect.objectContaining({ type: 'hint', message: 'Mind' })])
  })

  test.each([
    ['no provider', () => sdkTokenVerifier(undefined as never), /sdkTokenVerifier needs a provider/],
    [
      'no classes',
      () => sdkTokenVerifier(provider({}), { errors: {} as never }),
      /"errors" must be the error/,
    ],
    ['null', () => sdkTokenVerifier(provider({}), { errors: null as never }), /"errors" must be the error/],
    [
      'no function',
      () => sdkTokenVerifier(provider({}), { scopeImplies: 'all' as never }),
      /"scopeImplies" must be a function/,
    ],
    ['a slip', () => sdkTokenVerifier(provider({}), { error: errors } as never), /did you mean "errors"/i],
  ])('refuses %s', (_name, build, message) => {
    expect(configErrorOf(build).message).toMatch(message)
  })

  test('a verifier that throws what is no error is an outage', async () => {
    const trusted: AuthProvider = { verifyToken: () => tossLater(undefined) }
    await expect(sdkTokenVerifier(trusted).verifyAccessToken('token')).rejects.toMatchObject({
      code: 'temporarily_unavailable',
    })
  })
})

import { describe, expect, it } from '@jest/globals'
import { InvalidTokenError, ServerError } from '@modelcontextprotocol/sdk/server/auth/errors.js'
import { OAuthError as SdkError, OAuthErrorCode } from '@modelcontextprotocol/server'
import {
  type AccessTokenFields,
  type AuthEvent,
  type AuthProvider,
  type AuthRequest,
  OAuthError,
  RemoteAuthProvider,
  StaticTokenVerifier,
  type VerifiedToken,
} from 'express-mcp-auth'
import { type TestClock, testClock } from 'express-mcp-auth/testing'
import { errors as jose } from 'jose'
import { Guard, type GuardSettings } from '../../lib/http/guard.js'
import type { Verdict } from '../../lib/http/verdicts.js'
import { parseAccessToken } from '../../lib/protocol/access-token.js'
import { parseToolScopes } from '../../lib/protocol/tool-scopes.js'
import { AccessToken } from '../../lib/runtime/access-token.js'
import { createDeps } from '../../lib/runtime/deps.js'
import { createReporter } from '../../lib/runtime/events.js'
import { hostile, thenable, toss, tossLater } from '../support/odd.js'

const START = 1_700_000_000_000
const TOKEN = 'opaque-credential/1'
const NOW = START / 1000
const METADATA = 'https://api.example.com/.well-known/oauth-protected-resource/mcp'
const POINTER = `resource_metadata="${METADATA}"`
const INVALID = 'The access token is malformed, expired, revoked or not meant for this resource'
const UNAVAILABLE = 'The access token could not be checked right now, try again shortly'

interface Stand {
  readonly guard: Guard
  readonly clock: TestClock
  readonly events: AuthEvent[]
}

const stand = (provider: AuthProvider, settings: Partial<GuardSettings> = {}): Stand => {
  const clock = testClock(START)
  const events: AuthEvent[] = []
  const reporter = createReporter((event) => events.push(event))
  const guard = new Guard(provider, {
    optional: false,
    scopeImplies: undefined,
    deadlineSeconds: 10,
    reporter,
    deps: createDeps(clock),
    ...settings,
  })
  return { guard, clock, events }
}

/** A provider with discovery whose verifier does what it is told. */
const provider = (
  verifyToken: AuthProvider['verifyToken'],
  more: Partial<AuthProvider> = {},
): AuthProvider => ({
  verifyToken,
  baseUrl: 'https://api.example.com',
  authorizationServers: ['https://login.example.com'],
  ...more,
})
const accepts = (fields: Partial<AccessTokenFields> = {}, more: Partial<AuthProvider> = {}): AuthProvider =>
  provider(() => ({ clientId: 'c', ...fields }), more)

const request = (authorization?: string, more: Partial<AuthRequest> = {}): AuthRequest => ({
  method: 'POST',
  url: '/mcp',
  headers: { ...(authorization !== undefined && { authorization }) },
  ...more,
})
const bearer = request(`Bearer ${TOKEN}`)

/** A refusal as the caller sees it. */
const answerOf = (
  verdict: Verdict,
): {
  status: number
  challenge?: string | readonly string[]
  retry?: string | readonly string[]
  body: object
} => {
  if (!('response' in verdict)) throw new Error('allowed')
  const { status, headers, body = '' } = verdict.response
  expect(headers).toMatchObject({
    'Content-Type': 'application/json',
    'Cache-Control': 'no-store',
    Vary: 'Authorization',
  })
  const { 'WWW-Authenticate': challenge, 'Retry-After': retry } = headers
  return {
    status,
    ...(challenge !== undefined && { challenge }),
    ...(retry !== undefined && { retry }),
    body: JSON.parse(body) as object,
  }
}
const tokenOf = (verdict: Verdict): AccessToken | undefined => {
  if ('response' in verdict) throw new Error(`refused: ${verdict.response.body}`)
  return verdict.token
}
const refused = async (of: AuthProvider, from: AuthRequest = bearer): Promise<ReturnType<typeof answerOf>> =>
  answerOf(await stand(of).guard.check(from))
const reasonOf = ({ events }: Stand): unknown => {
  const [event] = events.filter(({ type }) => type === 'request.refused')
  return event?.type === 'request.refused' ? event.reason : undefined
}

const BARE = {
  status: 401,
  challenge: `Bearer ${POINTER}`,
  body: { error_description: 'Authentication is required: send "Authorization: Bearer <access token>"' },
}
const BAD_TOKEN = {
  status: 401,
  challenge: `Bearer error="invalid_token", error_description="${INVALID}", ${POINTER}`,
  body: { error: 'invalid_token', error_description: INVALID },
}
const OUTAGE = {
  status: 503,
  retry: '5',
  body: { error: 'temporarily_unavailable', error_description: UNAVAILABLE },
}

describe('Guard.check', () => {
  describe('without credentials', () => {
    it.each([
      ['none', request()],
      ['an empty header', request('')],
      ['another scheme', request('Basic dXNlcjpwYXNz')],
      ['a token in the query', request(undefined, { url: '/mcp?access_token=token' })],
    ])('answers a bare challenge, at once and without asking anybody: %s', (_rule, from) => {
      const asked: string[] = []
      const { guard } = stand(
        provider((token) => {
          asked.push(token)
          return null
        }),
      )
      const verdict = guard.check(from)
      expect(verdict).not.toBeInstanceOf(Promise)
      expect(answerOf(verdict as Verdict)).toEqual(BARE)
      expect(asked).toEqual([])
    })

    it('names the scopes that every request needs, and not offline_access', async () => {
      const scopes = ['mcp:use', 'offline_access', 'notes']
      expect(await refused(accepts({}, { requiredScopes: scopes }), request())).toMatchObject({
        challenge: `Bearer scope="mcp:use notes", ${POINTER}`,
      })
    })

    it('names them as a client has to ask for them', async () => {
      const more = { requiredScopes: ['use'], challengeScopes: ['api://notes/use'] }
      expect(await refused(accepts({}, more), request())).toMatchObject({
        challenge: `Bearer scope="api://notes/use", ${POINTER}`,
      })
    })

    it('points to no document where none is served', async () => {
      const { challenge } = await refused(
        { verifyToken: () => null, baseUrl: 'https://api.example.com' },
        request(),
      )
      expect(challenge).toBe('Bearer')
    })

    it('tells the operator, and no token', () => {
      const { guard, events } = stand(accepts())
      void guard.check(request('Basic dXNlcjpwYXNz', { url: '/mcp?a=b' }))
      expect(events).toEqual([
        {
          type: 'request.refused',
          method: 'POST',
          path: '/mcp',
          status: 401,
          reason: { stage: 'credentials', expected: 'a Bearer token', got: 'another scheme than Bearer' },
        },
      ])
    })

    it('lets the request pass as anonymous where that is optional', () => {
      const { guard, events } = stand(accepts({}, { requiredScopes: ['a'] }), { optional: true })
      expect(tokenOf(guard.check(request()) as Verdict)).toBeUndefined()
      expect(events).toEqual([{ type: 'request.allowed', method: 'POST', path: '/mcp', cached: false }])
    })
  })

  describe('with credentials that are not one token', () => {
    it.each([
      [
        'two Authorization headers',
        request('Bearer token', { rawHeaders: ['Authorization', 'Bearer a', 'Authorization', 'Bearer b'] }),
        'more than one Authorization or Host header',
      ],
      [
        'two Host headers',
        request('Bearer token', { rawHeaders: ['Host', 'a', 'Host', 'b'] }),
        'more than one Authorization or Host header',
      ],
      [
        'two Host headers and no credentials',
        request(undefined, { rawHeaders: ['Host', 'a', 'Host', 'b'] }),
        'more than one Authorization or Host header',
      ],
      [
        'one in the header and one in the query',
        request('Bearer token', { url: '/mcp?access_token=b' }),
        'a token in the header and another in the query',
      ],
    ])('answers 400: %s', (_rule, from, got) => {
      const at = stand(accepts(), { optional: true })
      const description = 'The request must carry its credentials exactly once'
      expect(answerOf(at.guard.check(from) as Verdict)).toEqual({
        status: 400,
        challenge: `Bearer error="invalid_request", error_description="${description}", ${POINTER}`,
        body: { error: 'invalid_request', error_description: description },
      })
      expect(reasonOf(at)).toEqual({ stage: 'credentials', expected: 'one', got })
    })

    it.each([
      ['a scheme without a token', 'Bearer', 'Bearer without a token'],
      ['too long a token', `Bearer ${'a'.repeat(8193)}`, 'more than 8192 characters'],
      ['letters that a token cannot have', 'Bearer a"b', 'letters that a token cannot have'],
      ['two tokens', 'Bearer a, Bearer b', 'letters that a token cannot have'],
    ])('answers 401, also where credentials are optional: %s', (_rule, authorization, got) => {
      const at = stand(accepts(), { optional: true })
      expect(answerOf(at.guard.check(request(authorization)) as Verdict)).toEqual(BAD_TOKEN)
      expect(reasonOf(at)).toEqual({ stage: 'format', got })
    })
  })

  describe('with a token', () => {
    it('lets it pass where the verifier knows it', async () => {
      const { guard, events } = stand(
        accepts({ subject: 'user-1', issuer: 'https://login.example.com', scopes: ['a'] }),
      )
      const token = tokenOf(await guard.check(bearer))
      expect(token).toBeInstanceOf(AccessToken)
      expect(token).toMatchObject({
        token: TOKEN,
        clientId: 'c',
        subject: 'user-1',
        scopes: ['a'],
        resource: new URL('https://api.example.com/mcp'),
        resourceMetadataUrl: METADATA,
      })
      expect(events).toEqual([
        {
          type: 'request.allowed',
          method: 'POST',
          path: '/mcp',
          clientId: 'c',
          subject: 'user-1',
          issuer: 'https://login.example.com',
          cached: false,
        },
      ])
    })

    it('states the resource also without discovery, and nothing where none is stated', async () => {
      const stated = stand({
        verifyToken: () => ({ clientId: 'c' }),
        resourceUrl: 'https://api.example.com/x',
      })
      const token = tokenOf(await stated.guard.check(request('Bearer t', { url: '/x' })))
      expect(token?.resource).toEqual(new URL('https://api.example.com/x'))
      expect(token?.resourceMetadataUrl).toBeUndefined()
      const based = stand({ verifyToken: () => ({ clientId: 'c' }), baseUrl: 'https://api.example.com' })
      expect(tokenOf(await based.guard.check(bearer))?.resource).toEqual(
        new URL('https://api.example.com/mcp'),
      )
      const bare = stand({ verifyToken: () => ({ clientId: 'c' }) })
      expect(tokenOf(await bare.guard.check(bearer))?.resource).toBeUndefined()
    })

    it.each([[null], [undefined], [false]])('answers 401 where the verifier says %j', async (said) => {
      const at = stand(provider(() => said as never))
      expect(answerOf(await at.guard.check(bearer))).toEqual(BAD_TOKEN)
      expect(reasonOf(at)).toEqual({ stage: 'verifier', got: 'a token that it does not accept' })
    })

    it('names scopes beside that error', async () => {
      expect(await refused(provider(() => null, { requiredScopes: ['a'] }))).toMatchObject({
        challenge: `Bearer error="invalid_token", error_description="${INVALID}", scope="a", ${POINTER}`,
      })
    })

    it('tells the operator the reason that the verifier noted, and never the token', async () => {
      const at = stand(
        provider(
          (token, context) =>
            context?.refuse({ stage: 'audience', expected: 'us', got: `x ${token} y` }) ?? null,
        ),
      )
      expect(answerOf(await at.guard.check(bearer))).toEqual(BAD_TOKEN)
      expect(reasonOf(at)).toEqual({ stage: 'audience', expected: 'us', got: 'x [token] y' })
    })

    it('tells a reason that has nothing but its stage', async () => {
      const at = stand(provider((_token, context) => context?.refuse({ stage: 'mine' }) ?? null))
      await at.guard.check(bearer)
      expect(reasonOf(at)).toEqual({ stage: 'mine' })
    })

    it('hands the verifier what it may tell, and how scopes include one another', async () => {
      const scopeImplies = (): boolean => true
      const told: AuthEvent = { type: 'service.failed', url: 'https://a.example', message: 'm' }
      const at = stand(
        provider((_token, context) => {
          context?.report(told)
          expect(context?.scopeImplies).toBe(scopeImplies)
          return { clientId: 'c' }
        }),
        { scopeImplies },
      )
      expect(tokenOf(await at.guard.check(bearer))?.hasScope('x')).toBe(false)
      expect(at.events[0]).toEqual(told)
    })

    it('calls the verifier as a method of its object', async () => {
      class Mine {
        readonly #clientId = 'private'
        verifyToken(): AccessTokenFields {
          return { clientId: this.#clientId }
        }
      }
      expect(tokenOf(await stand(new Mine()).guard.check(bearer))?.clientId).toBe('private')
    })
  })

  describe('checks expiry before scopes', () => {
    it.each([
      ['expired and lacking scopes', NOW, [], 401],
      ['expired with scopes', NOW - 1, ['a'], 401],
      ['lacking scopes only', NOW + 1, [], 403],
      ['neither', NOW + 1, ['a'], 200],
    ])('%s', async (_rule, expiresAt, scopes, status) => {
      const at = stand(accepts({ expiresAt, scopes }, { requiredScopes: ['a'] }))
      const verdict = await at.guard.check(bearer)
      expect('response' in verdict ? verdict.response.status : 200).toBe(status)
      if (status === 401) {
        expect(answerOf(verdict).body).toEqual(BAD_TOKEN.body)
        expect(reasonOf(at)).toEqual({ stage: 'expiry', got: `expired at ${expiresAt}` })
      }
    })
  })

  describe('with too few scopes', () => {
    const more = { requiredScopes: ['a', 'b'], challengeScopes: ['a', 'b', 'offline_access'] }

    it('answers 403 and names all that the request needs', async () => {
      const at = stand(accepts({ scopes: ['b', 'other'], subject: 'user-1' }, more))
      expect(answerOf(await at.guard.check(bearer))).toEqual({
        status: 403,
        challenge: `Bearer error="insufficient_scope", error_description="This needs the scope a b", scope="a b", ${POINTER}`,
        body: { error: 'insufficient_scope', error_description: 'This needs the scope a b' },
      })
      expect(at.events).toEqual([
        {
          type: 'request.refused',
          method: 'POST',
          path: '/mcp',
          status: 403,
          error: 'insufficient_scope',
          reason: { stage: 'scope', expected: 'a b', got: 'b other' },
          clientId: 'c',
          subject: 'user-1',
        },
      ])
    })

    it('lets a broader scope stand for a narrower one', async () => {
      const scopeImplies = (held: string, needed: string): boolean => held === 'all' && needed !== 'x'
      const at = stand(accepts({ scopes: ['all'] }, more), { scopeImplies })
      expect(tokenOf(await at.guard.check(bearer))?.hasScope('a')).toBe(true)
    })

    it('answers 503 where the comparison throws: nothing could be decided', async () => {
      const scopeImplies = (): boolean => {
        throw new Error('no network')
      }
      const at = stand(accepts({ scopes: ['x'] }, more), { scopeImplies })
      expect(answerOf(await at.guard.check(bearer))).toEqual(OUTAGE)
      expect(reasonOf(at)).toEqual({ stage: 'unavailable', got: 'Error: no network' })
    })
  })

  describe('where the verifier throws', () => {
    const endless: () => Promise<never> = () => new Promise(() => undefined)

    it.each<[rule: string, thrown: unknown, got: string]>([
      ['an error', new Error('connect ECONNREFUSED'), 'Error: connect ECONNREFUSED'],
      [
        'an error that quotes the token',
        new TypeError(`cannot read ${TOKEN}`),
        'TypeError: cannot read [token]',
      ],
      ['an error of jose about key sets', new jose.JWKSTimeout(), 'JWKSTimeout: request timed out'],
      ['text', 'no', 'a thrown string'],
      ['nothing', undefined, 'a thrown undefined'],
      ['null', null, 'a thrown object'],
      ['a symbol', Symbol('no'), 'a thrown symbol'],
      [
        'an error whose name is a symbol',
        Object.assign(new Error('no'), { name: Symbol('no') }),
        'something thrown that cannot be described',
      ],
      ['an object that throws when it is looked at', hostile('code'), 'a thrown object'],
    ])('answers 503 without a challenge: %s', async (_rule, thrown, got) => {
      for (const verifyToken of [() => toss(thrown), () => tossLater(thrown)]) {
        const at = stand(provider(verifyToken))
        expect(answerOf(await at.guard.check(bearer))).toEqual(OUTAGE)
        expect(reasonOf(at)).toEqual({ stage: 'unavailable', got })
      }
    })

    it.each<[rule: string, thrown: unknown, retry: string, got: string]>([
      [
        'our own outage',
        new OAuthError('temporarily_unavailable', 'Secret words', {
          detail: 'the database',
          retryAfterSeconds: 30,
        }),
        '30',
        'the database',
      ],
      [
        'our own server_error',
        new OAuthError('server_error', 'Secret words', { detail: 'the database' }),
        '5',
        'the database',
      ],
      ['server_error of SDK v1', new ServerError('the database'), '5', 'the database'],
      [
        'temporarily_unavailable of SDK v2',
        new SdkError(OAuthErrorCode.TemporarilyUnavailable, 'the database'),
        '5',
        'the database',
      ],
    ])('answers 503 with our words: %s', async (_rule, thrown, retry, got) => {
      const at = stand(provider(() => tossLater(thrown)))
      expect(answerOf(await at.guard.check(bearer))).toEqual({ ...OUTAGE, retry })
      expect(reasonOf(at)).toEqual({ stage: 'unavailable', got })
    })

    it.each<[rule: string, thrown: unknown, description: string, got: string]>([
      [
        'invalid_token of our own',
        new OAuthError('invalid_token', 'The API key was revoked', { detail: 'row 7' }),
        'The API key was revoked',
        'row 7',
      ],
      ['invalid_token without words', new OAuthError('invalid_token'), INVALID, INVALID],
      [
        'InvalidTokenError of SDK v1',
        new InvalidTokenError('Token has expired'),
        'Token has expired',
        'Token has expired',
      ],
      [
        'invalid_token of SDK v2',
        new SdkError(OAuthErrorCode.InvalidToken, `Unknown ${TOKEN}`),
        'Unknown [token]',
        'Unknown [token]',
      ],
      [
        'JWTExpired of jose',
        new jose.JWTExpired('"exp" claim timestamp check failed', {}),
        INVALID,
        '"exp" claim timestamp check failed',
      ],
      [
        'TokenExpiredError of jsonwebtoken',
        Object.assign(new Error('jwt expired'), { name: 'TokenExpiredError' }),
        INVALID,
        'jwt expired',
      ],
    ])('answers 401 where that speaks of the token: %s', async (_rule, thrown, description, got) => {
      const at = stand(provider(() => tossLater(thrown)))
      expect(answerOf(await at.guard.check(bearer))).toEqual({
        status: 401,
        challenge: `Bearer error="invalid_token", error_description="${description}", ${POINTER}`,
        body: { error: 'invalid_token', error_description: description },
      })
      expect(reasonOf(at)).toEqual({ stage: 'verifier', got })
    })

    it('answers 400 where it says that the request is malformed', async () => {
      expect(
        await refused(provider(() => Promise.reject(new OAuthError('invalid_request', 'Twice')))),
      ).toMatchObject({
        status: 400,
        challenge: `Bearer error="invalid_request", error_description="Twice", ${POINTER}`,
      })
    })

    it('answers 403 with the scopes that it names and those that every request needs', async () => {
      const error = new OAuthError('insufficient_scope', 'More', { scopes: ['x', 'offline_access'] })
      expect(await refused(provider(() => Promise.reject(error), { requiredScopes: ['a'] }))).toEqual({
        status: 403,
        challenge: `Bearer error="insufficient_scope", error_description="This needs the scope a x", scope="a x", ${POINTER}`,
        body: { error: 'insufficient_scope', error_description: 'This needs the scope a x' },
      })
    })

    it('answers 403 in whole sentences where it names no scopes', async () => {
      const { challenge, body } = await refused(
        provider(() => Promise.reject(new OAuthError('insufficient_scope'))),
      )
      expect(challenge).not.toContain('scope=""')
      expect(body).toEqual({
        error: 'insufficient_scope',
        error_description: 'The access token lacks a scope',
      })
    })

    it('keeps the reason that it noted before', async () => {
      const at = stand(
        provider((_token, context) => {
          context?.refuse({ stage: 'mine', got: 'noted' })
          throw new InvalidTokenError('thrown')
        }),
      )
      await at.guard.check(bearer)
      expect(reasonOf(at)).toEqual({ stage: 'mine', got: 'noted' })
    })

    it.each([
      ['as it is', `https://a.example/${TOKEN}?`, 'https://a.example/[token]?'],
      [
        'as a part of a URL',
        `https://a.example/?t=${encodeURIComponent(TOKEN)}`,
        'https://a.example/?t=[token]',
      ],
      ['more than once', `${TOKEN}, ${TOKEN}`, '[token], [token]'],
    ])('quotes no token, neither to the caller nor to the operator: %s', async (_rule, words, redacted) => {
      const at = stand(
        provider(() => Promise.reject(new OAuthError('invalid_token', words, { detail: words }))),
      )
      expect(answerOf(await at.guard.check(bearer)).body).toMatchObject({ error_description: redacted })
      expect(reasonOf(at)).toEqual({ stage: 'verifier', got: redacted })
    })

    it.each(['a', 'token', 'revoked'])(
      'leaves the words as they are where %j is all of the token',
      async (token) => {
        const words = 'The access token was revoked'
        const error = new OAuthError('invalid_token', words)
        expect(
          await refused(
            provider(() => Promise.reject(error)),
            request(`Bearer ${token}`),
          ),
        ).toMatchObject({
          body: { error_description: words },
        })
      },
    )

    it('lets no words break the header', async () => {
      const { challenge } = await refused(
        provider(() => Promise.reject(new OAuthError('invalid_token', 'a"\r\nX: y'))),
      )
      expect(challenge).toBe(`Bearer error="invalid_token", error_description="a' X: y", ${POINTER}`)
    })

    it.each<[rule: string, said: unknown]>([
      ['true', true],
      ['text', 'yes'],
      ['a number', 1],
      ['an object without a client', { scopes: ['a'] }],
      ['scopes that are no list', { clientId: 'c', scopes: 'a' }],
    ])('answers 503 where it returns what is no token: %s', async (_rule, said) => {
      const at = stand(provider(() => said as never))
      expect(answerOf(await at.guard.check(bearer))).toEqual(OUTAGE)
      expect(reasonOf(at)).toMatchObject({
        stage: 'unavailable',
        got: expect.stringContaining('malformed access token'),
      })
    })

    it.each<[rule: string, hang: () => unknown]>([
      ['never settles', endless],
      ['returns a thenable that never settles', () => thenable(() => () => undefined)],
    ])('answers 503 at the deadline where it %s', async (_rule, hang) => {
      const at = stand(
        provider(() => hang() as never),
        { deadlineSeconds: 3 },
      )
      const verdict = at.guard.check(bearer) as Promise<Verdict>
      let settled = false
      void verdict.then(() => {
        settled = true
      })
      at.clock.advance(2.999)
      await Promise.resolve()
      expect(settled).toBe(false)
      at.clock.advance(0.001)
      expect(answerOf(await verdict)).toEqual(OUTAGE)
      expect(reasonOf(at)).toEqual({ stage: 'unavailable', got: 'no verdict within 3 s' })
    })

    it('does not care for what it says after the deadline', async () => {
      let answer = (_token: AccessTokenFields): void => undefined
      const late = new Promise<AccessTokenFields>((resolve) => {
        answer = resolve
      })
      const at = stand(provider(() => late))
      const verdict = at.guard.check(bearer)
      at.clock.advance(10)
      answer({ clientId: 'c' })
      expect(answerOf(await verdict)).toEqual(OUTAGE)
      expect(at.events).toHaveLength(1)
    })

    it('leaves no timer behind', async () => {
      let timers = 0
      const after = (): (() => void) => {
        timers++
        return () => {
          timers--
        }
      }
      for (const verifyToken of [
        () => ({ clientId: 'c' }),
        () => null,
        () => Promise.reject(new Error('no')),
      ]) {
        await stand(provider(verifyToken), { deps: createDeps({ after }) }).guard.check(bearer)
      }
      expect(timers).toBe(0)
    })
  })

  describe('with a token that was verified before', () => {
    const known = (fields: Partial<AccessTokenFields> = {}): VerifiedToken =>
      parseAccessToken({ clientId: 'c', ...fields }, TOKEN)
    const recalls = (recall: AuthProvider['recall'], more: Partial<AuthProvider> = {}): AuthProvider =>
      provider(
        () => {
          throw new Error('asked')
        },
        { ...(recall !== undefined && { recall }), ...more },
      )

    it('decides at once', () => {
      const { guard, events } = stand(recalls(() => known()))
      const verdict = guard.check(bearer)
      expect(verdict).not.toBeInstanceOf(Promise)
      expect(tokenOf(verdict as Verdict)).toMatchObject({ clientId: 'c' })
      expect(events).toMatchObject([{ type: 'request.allowed', cached: true }])
    })

    it('checks expiry and scopes each time', () => {
      const { guard, clock } = stand(
        recalls(() => known({ expiresAt: NOW + 1, scopes: ['a'] }), { requiredScopes: ['a'] }),
      )
      expect(tokenOf(guard.check(bearer) as Verdict)?.scopes).toEqual(['a'])
      clock.advance(1)
      expect(answerOf(guard.check(bearer) as Verdict)).toMatchObject({ status: 401 })
      const lacking = stand(recalls(() => known(), { requiredScopes: ['a'] }))
      expect(answerOf(lacking.guard.check(bearer) as Verdict)).toMatchObject({ status: 403 })
    })

    it('gives each request a token of its own', () => {
      const { guard } = stand(recalls(() => known({ scopes: ['a'] })))
      const first = tokenOf(guard.check(bearer) as Verdict)
      first?.scopes.push('admin')
      expect(tokenOf(guard.check(bearer) as Verdict)?.scopes).toEqual(['a'])
    })

    const resourceOf = (guard: Guard): URL | undefined => tokenOf(guard.check(bearer) as Verdict)?.resource

    it('shows no request what an earlier one did to its resource', () => {
      const { guard } = stand(recalls(() => known()))
      const first = resourceOf(guard)
      Object.assign(first ?? {}, { pathname: '/changed' })
      expect(first?.href).toBe('https://api.example.com/changed')
      expect(resourceOf(guard)?.href).toBe('https://api.example.com/mcp')
    })

    it('shows none what another does to its resource at the same time', () => {
      const { guard } = stand(recalls(() => known()))
      const [first, second] = [resourceOf(guard), resourceOf(guard)]
      Object.assign(first ?? {}, { pathname: '/changed' })
      expect(second?.href).toBe('https://api.example.com/mcp')
    })

    it('hands the provider what verifyToken gets, where there is nothing to refuse', () => {
      const scopeImplies = (): boolean => false
      const { guard } = stand(
        recalls((_token, context) => {
          expect(context?.scopeImplies).toBe(scopeImplies)
          expect(context?.refuse({ stage: 'any' })).toBeNull()
          return known()
        }),
        { scopeImplies },
      )
      expect(tokenOf(guard.check(bearer) as Verdict)).toBeDefined()
    })

    it('answers 503 where recalling throws', () => {
      const { guard } = stand(
        recalls(() => {
          throw new Error('no')
        }),
      )
      expect(answerOf(guard.check(bearer) as Verdict)).toEqual(OUTAGE)
    })

    it('is not mistaken in a recall that returns something else', () => {
      const { guard } = stand(recalls(() => ({ scopes: [] }) as never))
      expect(answerOf(guard.check(bearer) as Verdict)).toEqual(OUTAGE)
    })
  })

  describe('with credentials of another kind', () => {
    const keys = (
      authenticate: NonNullable<AuthProvider['authenticate']>,
      more: Partial<AuthProvider> = {},
    ): AuthProvider => provider(() => null, { authenticate, ...more })
    const key = request(undefined, { headers: { 'x-api-key': 'k' } })

    it('asks authenticate where there is no Bearer token', async () => {
      const at = stand(
        keys(({ headers }) => ({ clientId: String(headers['x-api-key']), token: 'k', tokenType: 'ApiKey' })),
      )
      expect(tokenOf(await at.guard.check(key))).toMatchObject({
        clientId: 'k',
        token: 'k',
        tokenType: 'ApiKey',
      })
    })

    it('asks it also beside another scheme', async () => {
      const at = stand(keys(({ headers }) => ({ clientId: String(headers['authorization']) })))
      expect(tokenOf(await at.guard.check(request('Basic abc')))).toMatchObject({
        clientId: 'Basic abc',
        token: '',
      })
    })

    it('does not ask it beside a Bearer token', async () => {
      const at = stand(keys(() => ({ clientId: 'c' })))
      expect(answerOf(await at.guard.check(bearer))).toEqual(BAD_TOKEN)
    })

    it.each([[null], [undefined], [false]])('takes %j for no credentials', async (said) => {
      expect(
        await refused(
          keys(() => said as never),
          key,
        ),
      ).toEqual(BARE)
      const optional = stand(
        keys(() => said as never),
        { optional: true },
      )
      expect(tokenOf(await optional.guard.check(key))).toBeUndefined()
    })

    it('answers 401 where it throws that they are wrong', async () => {
      const authenticate = (): never => {
        throw new OAuthError('invalid_token', 'Unknown API key')
      }
      expect(await refused(keys(authenticate), key)).toMatchObject({
        status: 401,
        challenge: `Bearer error="invalid_token", error_description="Unknown API key", ${POINTER}`,
      })
    })

    it('holds them to expiry and scopes', async () => {
      expect(
        await refused(
          keys(() => ({ clientId: 'c', expiresAt: NOW })),
          key,
        ),
      ).toMatchObject({ status: 401 })
      expect(
        await refused(
          keys(() => ({ clientId: 'c' }), { requiredScopes: ['a'] }),
          key,
        ),
      ).toMatchObject({ status: 403 })
    })

    it('hands authenticate what verifyToken gets', async () => {
      const at = stand(
        keys((_request, context) => {
          context?.refuse({ stage: 'mine', got: 'noted' })
          throw new OAuthError('invalid_token')
        }),
      )
      await at.guard.check(key)
      expect(reasonOf(at)).toEqual({ stage: 'mine', got: 'noted' })
    })
  })

  describe('hints, once, at tokens that are used elsewhere than at the resource', () => {
    it.each([
      ['another path', '/other', 1],
      ['a path that only begins alike', '/mcpx', 1],
      ['the resource', '/mcp', 0],
      ['below the resource', '/mcp/sse?a=b', 0],
      ['the resource in absolute form', 'http://api.example.com/mcp', 0],
    ])('%s', async (_rule, url, hints) => {
      const { guard, events } = stand(accepts())
      for (const _time of [1, 2]) tokenOf(await guard.check(request('Bearer token', { url })))
      const told = events.filter(({ type }) => type === 'hint')
      expect(told).toHaveLength(hints)
      if (hints > 0) {
        expect(told).toEqual([
          {
            type: 'hint',
            code: 'not_the_resource',
            message: `a token for the resource /mcp was used at ${JSON.stringify(url)}: state the endpoint as "resourceUrl", or give that path a guard of its own`,
          },
        ])
      }
    })

    it.each([['https://api.example.com'], ['https://api.example.com/']])(
      'never where the resource is all of %s',
      async (resourceUrl) => {
        const { guard, events } = stand(accepts({}, { resourceUrl }))
        tokenOf(await guard.check(request('Bearer token', { url: '/anything' })))
        expect(events).toMatchObject([{ type: 'request.allowed' }])
      },
    )

    it('never without a resource', async () => {
      const { guard, events } = stand({ verifyToken: () => ({ clientId: 'c' }) })
      tokenOf(await guard.check(bearer))
      expect(events).toMatchObject([{ type: 'request.allowed' }])
    })
  })

  it('takes a request without a method and a URL, as a test or a gateway may hand one over', async () => {
    const { guard, events } = stand({ verifyToken: () => ({ clientId: 'c' }) })
    tokenOf(await guard.check({ headers: { authorization: 'Bearer token' } }))
    expect(events).toMatchObject([{ type: 'request.allowed', method: 'GET', path: '/' }])
  })

  it('builds no events where nobody listens', async () => {
    const provider_ = new StaticTokenVerifier({ tokens: [TOKEN] })
    const reporter = { listening: false, report: () => expect(0).toBe(1), hint: () => undefined }
    const { guard } = stand(provider_, { reporter })
    expect(tokenOf(await guard.check(bearer))).toBeDefined()
    expect(answerOf(await guard.check(request()))).toMatchObject({ status: 401 })
  })
})

describe('Guard.checkScopes', () => {
  const token = new AccessToken({ token: 't', clientId: 'c', scopes: ['a', 'b'] })
  const { guard, events } = stand(accepts({}, { requiredScopes: ['mcp:use'] }))

  it.each([
    ['all that are held', ['a', 'b'], 'all'],
    ['none', [], 'all'],
    ['one of several', ['x', 'b'], 'any'],
  ] as const)('allows %s', (_rule, needed, mode) => {
    expect(guard.checkScopes(bearer, token, needed, mode)).toEqual({ token })
  })

  it.each([
    ['one that is not held', ['a', 'x'], 'all', 'mcp:use a x'],
    ['none of several', ['x', 'y'], 'any', 'mcp:use x y'],
  ] as const)('answers 403 for %s and names all scopes of the operation', (_rule, needed, mode, scope) => {
    expect(answerOf(guard.checkScopes(bearer, token, needed, mode))).toEqual({
      status: 403,
      challenge: `Bearer error="insufficient_scope", error_description="This needs the scope ${scope}", scope="${scope}", ${POINTER}`,
      body: { error: 'insufficient_scope', error_description: `This needs the scope ${scope}` },
    })
    expect(events.at(-1)).toMatchObject({ reason: { stage: 'scope', expected: scope, got: 'a b' } })
  })

  it('answers 503 where the comparison throws: nothing could be decided', () => {
    const scopeImplies = (): boolean => toss(new Error('no network'))
    const at = stand(accepts(), { scopeImplies })
    expect(answerOf(at.guard.checkScopes(bearer, token, ['x'], 'all'))).toEqual(OUTAGE)
    expect(reasonOf(at)).toEqual({ stage: 'unavailable', got: 'Error: no network' })
  })

  it('challenges a caller who is not known, without an error, naming the same scopes', () => {
    expect(answerOf(guard.checkScopes(request(), undefined, ['x'], 'all'))).toEqual({
      ...BARE,
      challenge: `Bearer scope="mcp:use x", ${POINTER}`,
    })
    expect(guard.checkScopes(request(), undefined, [], 'all')).toEqual({ token: undefined })
  })
})

describe('Guard.checkOperations', () => {
  const token = new AccessToken({ token: 't', clientId: 'c', scopes: ['a'] })
  const rules = parseToolScopes('toolScopes', { tools: { free: [], a: ['a'], x: ['a', 'x'] } })
  const call = (name: unknown): object => ({ method: 'tools/call', params: { name } })
  const { guard, events } = stand(accepts())

  it('allows what needs nothing, or what is held', () => {
    for (const body of [call('free'), call('a'), [call('a'), call('free')], { result: {} }]) {
      expect(guard.checkOperations(bearer, token, body, rules)).toEqual({ token })
    }
  })

  it('answers 403 with one challenge for all that a batch needs', () => {
    expect(answerOf(guard.checkOperations(bearer, token, [call('free'), call('x')], rules))).toMatchObject({
      status: 403,
      challenge: `Bearer error="insufficient_scope", error_description="This needs the scope a x", scope="a x", ${POINTER}`,
    })
  })

  it('challenges a caller who is not known', () => {
    expect(answerOf(guard.checkOperations(request(), undefined, call('x'), rules))).toMatchObject({
      status: 401,
      challenge: `Bearer scope="a x", ${POINTER}`,
    })
  })

  it.each<[rule: string, body: unknown, headers: Record<string, string>, description: string]>([
    ['what is no message', 'text', {}, 'The body is not a JSON-RPC message'],
    ['a target that is no text', call(7), {}, 'tools/call does not say what it is for'],
    [
      'another method in the header',
      call('a'),
      { 'mcp-method': 'tools/list' },
      'The Mcp-Method header does not agree with the body',
    ],
    [
      'another name in the header',
      call('a'),
      { 'mcp-name': 'free' },
      'The Mcp-Name header does not agree with the body',
    ],
  ])('answers 400 without a challenge for %s', (_rule, body, headers, description) => {
    const from = request(undefined, { headers })
    expect(answerOf(guard.checkOperations(from, token, body, rules))).toEqual({
      status: 400,
      body: { error: 'invalid_request', error_description: description },
    })
    expect(events.at(-1)).toMatchObject({
      status: 400,
      error: 'invalid_request',
      reason: { stage: 'body', got: description },
    })
  })
})

describe('a guard over RemoteAuthProvider', () => {
  it('points at its document, wherever the app stands', async () => {
    const remote = new RemoteAuthProvider({
      baseUrl: 'https://api.example.com/v1/',
      authorizationServers: ['https://login.example.com'],
      tokenVerifier: { verifyToken: () => null },
    })
    expect(await refused(remote, request(undefined, { headers: { host: 'evil.example' } }))).toMatchObject({
      challenge:
        'Bearer resource_metadata="https://api.example.com/.well-known/oauth-protected-resource/v1/mcp"',
    })
  })
})

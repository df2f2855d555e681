// The same on Express 5 and 4, connect and bare node:http: whatever a verifier does, a request is answered and none gets through.
import { describe, expect, it } from '@jest/globals'
import { InvalidTokenError } from '@modelcontextprotocol/sdk/server/auth/errors.js'
import { OAuthErrorCode, OAuthError as SdkError } from '@modelcontextprotocol/server'
import { type AuthHandler, OAuthError, getAccessToken, mcpAuth } from 'express-mcp-auth'
import { testClock } from 'express-mcp-auth/testing'
import { HOSTS } from '../support/hosts.js'
import { RESOURCE } from '../support/issuer.js'
import { hostile, thenable, toss, tossLater } from '../support/odd.js'
import { BEARER, host, remote, silent } from './stand.js'

describe('on every host', () => {
  it.each(HOSTS)('%s: a good token passes, a bad one does not, and the metadata is served', async (name) => {
    const { url, handled } = await host(name, [mcpAuth(remote(), silent)], (request, response) => {
      response.end(getAccessToken(request)?.subject)
    })
    expect((await fetch(`${url}/mcp`)).status).toBe(401)
    expect((await fetch(`${url}/mcp`, { headers: { authorization: 'Bearer bad' } })).status).toBe(401)
    expect(handled()).toBe(0)
    expect(await (await fetch(`${url}/mcp`, { headers: BEARER })).text()).toBe('user-1')
    const metadata = await fetch(`${url}/.well-known/oauth-protected-resource/mcp`)
    expect(await metadata.json()).toMatchObject({ resource: RESOURCE })
    expect(handled()).toBe(1)
  })

  const never: () => Promise<never> = () => new Promise(() => undefined)
  const no = new Error('no')
  const symbolic = Object.assign(new Error('no'), { name: Symbol('no') })
  const coded = Object.assign(new Error('no'), { code: 'invalid_token', message: Symbol('no') })
  const outcomes: readonly [rule: string, verify: () => unknown, status: number, hangs?: 'hangs'][] = [
    ['returns null', () => null, 401],
    ['returns undefined', () => undefined, 401],
    ['returns false', () => false, 401],
    ['returns true', () => true, 503],
    ['returns text', () => 'user-1', 503],
    ['returns an empty object', () => ({}), 503],
    ['returns an object that throws when it is looked at', () => hostile('clientId'), 503],
    ['throws', () => toss(no), 503],
    ['rejects', () => tossLater(no), 503],
    ['throws nothing', () => toss(undefined), 503],
    ['rejects with nothing', () => tossLater(undefined), 503],
    [
      'throws an object that throws when it is looked at',
      () => toss(hostile('code', 'name', 'message')),
      503,
    ],
    ['throws an error with a symbol for a name', () => toss(symbolic), 503],
    ['throws an error with a symbol for a message', () => toss(coded), 401],
    ['throws our error without words', () => toss(new OAuthError('invalid_token')), 401],
    [
      'throws our error with an error instead of words',
      () => toss(new OAuthError('invalid_token', no as never)),
      401,
    ],
    [
      'throws our error with an error instead of a detail',
      () => toss(new OAuthError('invalid_token', 'No', { detail: no as never })),
      401,
    ],
    ['throws our error with a code of other endpoints', () => toss(new OAuthError('invalid_client')), 503],
    ['throws our error with a code of pages', () => toss(new OAuthError('access_denied', 'No')), 503],
    [
      'throws our error with a code that there is not',
      () => toss(new OAuthError('no_such_code' as never, 'No')),
      503,
    ],
    [
      'throws our error with scopes that are none',
      () => toss(new OAuthError('insufficient_scope', 'More', { scopes: ['a b', 'c"'] })),
      403,
    ],
    [
      'throws our error with scopes that are no list',
      () => toss(new OAuthError('insufficient_scope', 'More', { scopes: 7 as never })),
      403,
    ],
    [
      'throws our error with a time that is none',
      () =>
        toss(new OAuthError('temporarily_unavailable', 'Later', { retryAfterSeconds: 'x\r\ny' as never })),
      503,
    ],
    ['throws an error of SDK v1', () => toss(new InvalidTokenError('No')), 401],
    ['throws an error of SDK v2', () => toss(new SdkError(OAuthErrorCode.InvalidToken, 'No')), 401],
    ['returns a thenable that throws', () => thenable(() => toss(no)), 503],
    ['never settles', never, 503, 'hangs'],
    ['returns a thenable that never settles', () => thenable(() => () => undefined), 503, 'hangs'],
  ]

  describe.each(HOSTS)('%s: no request hangs and none gets through where a verifier', (name) => {
    it.each(outcomes.map(([rule, verify, status, hangs]) => ({ rule, verify, status, hangs })))(
      '$rule',
      async ({ verify, status, hangs }) => {
        const clock = testClock()
        let ask = (): void => undefined
        const asked = new Promise<void>((resolve) => {
          ask = resolve
        })
        const verifyToken = (): never => {
          ask()
          return verify() as never
        }
        const { url, handled, errors } = await host(name, [
          mcpAuth({ verifyToken }, { deps: clock, ...silent }),
        ])
        const answered = fetch(`${url}/mcp`, { headers: BEARER, signal: AbortSignal.timeout(5000) })
        if (hangs !== undefined) {
          await asked
          clock.advance(10)
        }
        const response = await answered
        expect(response.status).toBe(status)
        expect(response.headers.has('www-authenticate')).toBe(status !== 503)
        expect(response.headers.has('retry-after')).toBe(status === 503)
        expect(await response.json()).toMatchObject({
          error: expect.any(String),
          error_description: expect.any(String),
        })
        expect([handled(), errors]).toEqual([0, []])
      },
    )
  })

  it.each(HOSTS)('%s: what the app makes of a request cannot let it through', async (name) => {
    const odd: AuthHandler = (request, _response, next) => {
      Object.defineProperty(request, 'app', { value: { get: () => toss(new Error('odd app')) } })
      next()
    }
    const { url, errors, handled } = await host(name, [odd, mcpAuth(remote(), silent)])
    const response = await fetch(url, { headers: { 'x-forwarded-for': '192.0.2.1' } })
    expect([response.status, handled()]).toEqual([500, 0])
    expect(errors).toMatchObject([{ message: 'odd app' }])
  })

  it.each(HOSTS)(
    '%s: an error of the app behind a token that was just verified reaches the host',
    async (name) => {
      const guard = mcpAuth({ verifyToken: () => Promise.resolve({ clientId: 'c' }) }, silent)
      const broken: AuthHandler = (_request, _response, next) => next(new Error('app'))
      const { url, errors } = await host(name, [guard, broken])
      expect((await fetch(url, { headers: BEARER })).status).toBe(500)
      expect(errors).toMatchObject([{ message: 'app' }])
    },
  )
})

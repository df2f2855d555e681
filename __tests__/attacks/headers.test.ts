// Attacks on how a token travels: threat rows H1 to H9.
import { createServer, request as httpRequest } from 'node:http'
import type { AddressInfo } from 'node:net'
import { beforeAll, beforeEach, describe, expect, test } from '@jest/globals'
import connect from 'connect'
import express from 'express'
import { ConfigError, OAuthError, StaticTokenVerifier, mcpAuth } from 'express-mcp-auth'
import { testClock } from 'express-mcp-auth/testing'
import express4 from 'express4'
import { type Site, startServer } from '../support/site.js'
import {
  type Outcome,
  allowed,
  attempt,
  attemptRaw,
  closing,
  insufficientScope,
  invalidRequest,
  invalidToken,
  noCredentials,
  pipeline,
  resourceServer,
  startTarget,
  unavailable,
} from './attempt.js'

const CALLER = allowed({ clientId: 'client-1' })
const seen: string[] = []
let site: Site

beforeAll(async () => {
  const verifyToken = (token: string): { clientId: string } | null => {
    seen.push(token)
    return token === 'good' ? { clientId: 'client-1' } : null
  }
  site = await startTarget(resourceServer({ verifyToken }))
})

beforeEach(() => {
  seen.length = 0
})

describe('H1 refuses more than one Authorization header before any token is looked at', () => {
  test.each([
    ['good, then bad', ['Authorization: Bearer good', 'Authorization: Bearer bad']],
    ['bad, then good', ['Authorization: Bearer bad', 'Authorization: Bearer good']],
    ['the same twice', ['Authorization: Bearer good', 'Authorization: Bearer good']],
    ['in different letters', ['AUTHORIZATION: Bearer bad', 'authorization: Bearer good']],
    ['another scheme first', ['Authorization: Basic eDp5', 'Authorization: Bearer good']],
    ['an empty one first', ['Authorization:', 'Authorization: Bearer good']],
    ['far apart', ['Authorization: Bearer good', 'X-A: 1', 'X-B: 2', 'Authorization: Bearer bad']],
    ['three', ['Authorization: Bearer good', 'Authorization: Bearer good', 'Authorization: Bearer bad']],
  ])('H1 %s', async (_case, lines) => {
    expect(await attemptRaw(site, lines)).toEqual(invalidRequest())
    expect(seen).toEqual([])
  })

  test('H1 also where node joins repeated headers', async () => {
    let handled = 0
    const guard = mcpAuth(new StaticTokenVerifier({ tokens: ['good'] }), { onEvent: () => undefined })
    const server = createServer({ joinDuplicateHeaders: true }, (request, response) => {
      guard(request, response, () => {
        handled++
        response.end()
      })
    })
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve)
    })
    const { port } = server.address() as AddressInfo
    const status = await new Promise((resolve, reject) => {
      const headers = { authorization: ['Bearer good', 'Bearer good'] }
      httpRequest({ port, host: '127.0.0.1', headers: headers as never }, (response) => {
        resolve(response.statusCode)
      })
        .on('error', reject)
        .end()
    })
    server.close()
    server.closeAllConnections()
    expect({ status, handled }).toEqual({ status: 400, handled: 0 })
  })
})

describe('H2 takes no token from the query or the body', () => {
  test.each([
    ['?access_token=good'],
    ['?x=1&access_token=good'],
    ['?access%5Ftoken=good'],
    ['?token=good&bearer=good&authorization=Bearer%20good'],
  ])('H2 query %s', async (query) => {
    expect(await attempt(site, undefined, { path: `/mcp${query}` })).toEqual(noCredentials())
    expect(seen).toEqual([])
  })

  test.each([
    ['form', 'application/x-www-form-urlencoded', 'access_token=good'],
    ['JSON', 'application/json', '{"access_token":"good"}'],
  ])('H2 %s body', async (_form, type, body) => {
    const outcome = await attempt(site, undefined, {
      method: 'POST',
      body,
      headers: { 'content-type': type },
    })
    expect(outcome).toEqual(noCredentials())
    expect(seen).toEqual([])
  })

  test.each([
    ['?access_token=good'],
    ['?access_token=other'],
    ['?access_token='],
    ['?access_token'],
    ['?x=1&access_token=good'],
    ['?access%5Ftoken=good'],
    ['?%61ccess_token=good'],
    ['?access_token=1&access_token=2'],
  ])('H2 refuses header and query together: %s', async (query) => {
    expect(await attempt(site, 'good', { path: `/mcp${query}` })).toEqual(invalidRequest())
    expect(seen).toEqual([])
  })

  test('H2 lets other parameters be', async () => {
    expect(await attempt(site, 'good', { path: '/mcp?access_tokens=1&my_access_token=2' })).toEqual(CALLER)
  })
})

describe('H3 answers a bare challenge where no Bearer token is presented', () => {
  test.each([
    ['none', []],
    ['an empty header', ['Authorization:']],
    ['Basic', ['Authorization: Basic eDp5']],
    ['DPoP', ['Authorization: DPoP good']],
    ['a bare token', ['Authorization: good']],
    ['no space', ['Authorization: Bearergood']],
    ['a longer scheme', ['Authorization: BearerX good']],
    ['a colon', ['Authorization: Bearer: good']],
    ['Basic before Bearer', ['Authorization: Basic eDp5, Bearer good']],
    ['a header that proxies read', ['X-Forwarded-Authorization: Bearer good']],
    ['Proxy-Authorization', ['Proxy-Authorization: Bearer good']],
    ['a cookie', ['Cookie: access_token=good; Authorization=Bearer good']],
  ])('H3 %s', async (_case, lines) => {
    expect(await attemptRaw(site, lines)).toEqual(noCredentials())
    expect(seen).toEqual([])
  })

  test.each([['bEaReR good'], ['BEARER good'], ['Bearer   good']])('H3 accepts %p', async (value) => {
    expect(await attemptRaw(site, [`aUtHoRiZaTiOn: ${value}`])).toEqual(CALLER)
  })
})

describe('H3 lets anonymous callers through under `optional`, and nobody with bad credentials', () => {
  test.each<[string, string[], Outcome]>([
    ['nothing', [], { ...CALLER, body: {} }],
    ['another scheme', ['Authorization: Basic eDp5'], { ...CALLER, body: {} }],
    ['a good token', ['Authorization: Bearer good'], CALLER],
    ['a bad token', ['Authorization: Bearer bad'], invalidToken('verifier')],
    ['no token', ['Authorization: Bearer'], invalidToken('format')],
    ['a malformed token', ['Authorization: Bearer good,bad'], invalidToken('format')],
    ['two tokens', ['Authorization: Bearer good', 'Authorization: Bearer good'], invalidRequest()],
    [
      'an empty header before a good token',
      ['Authorization:', 'Authorization: Bearer good'],
      invalidRequest(),
    ],
  ])('H3 %s', async (_case, lines, expected) => {
    const verifyToken = (token: string): object | null => (token === 'good' ? { clientId: 'client-1' } : null)
    const target = await startTarget(resourceServer({ verifyToken } as never), { optional: true })
    expect(await attemptRaw(target, lines)).toEqual(expected)
  })

  test('H3 what was in req.auth before does not stand for a caller', async () => {
    const verifyToken = (): null => null
    const guard = mcpAuth(resourceServer({ verifyToken }), { optional: true, onEvent: () => undefined })
    const seen: unknown[] = []
    const server = closing(
      await startServer((request, response) => {
        Object.assign(request, { auth: { clientId: 'planted', scopes: ['admin'] } })
        guard(request, response, () => {
          seen.push((request as { auth?: unknown }).auth)
          response.end()
        })
      }),
    )
    await fetch(`${server.url}/mcp`)
    expect(seen).toEqual([undefined])
  })
})

describe('H4 refuses what is no token68, before any verifier', () => {
  test.each([
    ['nothing', 'Bearer'],
    ['a tab before', 'Bearer \tgood'],
    ['a tab for the space', 'Bearer\tgood'],
    ['a tab inside', 'Bearer go\tod'],
    ['a comma list', 'Bearer good, Bearer good'],
    ['a list without space', 'Bearer good,good'],
    ['latin-1', 'Bearer good\xe9'],
    ['latin-1 before', 'Bearer \xa0good'],
    ['trailing text', 'Bearer good extra'],
    ['a parameter', 'Bearer good;x=1'],
    ['quotes', 'Bearer "good"'],
    ['a name', 'Bearer token=good'],
    ['padding first', 'Bearer =good'],
    ['only padding', 'Bearer ==='],
    ['a percent escape', 'Bearer %67ood'],
    ['markup', 'Bearer <good>'],
  ])('H4 %s', async (_case, value) => {
    expect(await attemptRaw(site, [`Authorization: ${value}`])).toEqual(invalidToken('format'))
    expect(seen).toEqual([])
  })

  test.each([
    ['a folded line', 'Authorization: Bearer\r\n good'],
    ['NUL', 'Authorization: Bearer good\0'],
    ['a bare CR', 'Authorization: Bearer good\rX: y'],
    ['DEL', 'Authorization: Bearer good\x7f'],
    ['a space before the colon', 'Authorization : Bearer good'],
  ])('H4 %s does not get past node', async (_case, line) => {
    expect(await attemptRaw(site, [line])).toMatchObject({ status: 400, body: null, handled: 0 })
    expect(seen).toEqual([])
  })
})

describe('H5 bounds the size of a token', () => {
  test('H5 hands on 8192 characters', async () => {
    const token = 'a'.repeat(8192)
    expect(await attempt(site, token)).toEqual(invalidToken('verifier'))
    expect(seen).toEqual([token])
  })

  test.each([
    ['one more', 'a'.repeat(8193)],
    ['with padding', `${'a'.repeat(8192)}=`],
    ['after spaces', `${' '.repeat(100)}${'a'.repeat(8193)}`],
  ])('H5 refuses %s unseen', async (_case, token) => {
    expect(await attempt(site, token)).toEqual(invalidToken('format'))
    expect(seen).toEqual([])
  })

  test('H5 leaves 17 KB to node, which answers 431', async () => {
    const outcome = await attemptRaw(site, [`Authorization: Bearer ${'a'.repeat(17_000)}`])
    expect(outcome).toMatchObject({ status: 431, body: null, handled: 0 })
    expect(seen).toEqual([])
  })
})

describe('H6 survives headers named like members of Object', () => {
  test.each([['__proto__'], ['constructor'], ['prototype'], ['toString'], ['hasOwnProperty']])(
    'H6 %s',
    async (name) => {
      expect(await attemptRaw(site, [`${name}: x`, `${name}: Bearer good`])).toEqual(noCredentials())
      expect(await attemptRaw(site, [`${name}: x`, 'Authorization: Bearer good'])).toEqual(CALLER)
    },
  )
})

describe('H7 lets no text of a verifier become a header or end a parameter', () => {
  const ugly = 'a"\r\nX-Injected: y\n\tb\\c, error="none" \0\u001b[31m\u2028é🙂'
  const plain = "a' X-Injected: y b/c, error='none' ??[31m ???"

  test.each([
    ['our error', new OAuthError('invalid_token', ugly)],
    ['an SDK error', Object.assign(new Error(ugly), { errorCode: 'invalid_token' })],
    ['an SDK error of the second generation', Object.assign(new Error(ugly), { code: 'invalid_token' })],
  ])('H7 description of %s', async (_case, thrown) => {
    const target = await startTarget(
      resourceServer({
        verifyToken: () => {
          throw thrown
        },
      }),
    )
    const outcome = await attempt(target, 'x-token')
    expect(outcome).toEqual({
      ...invalidToken('verifier'),
      challenge: `Bearer error="invalid_token", error_description="${plain}", resource_metadata="https://api.example.com/.well-known/oauth-protected-resource/mcp"`,
      body: { error: 'invalid_token', error_description: plain },
    })
    const raw = await target.raw(
      'GET /mcp HTTP/1.1\r\nHost: a\r\nConnection: close\r\nAuthorization: Bearer x\r\n\r\n',
    )
    expect(raw.match(/^www-authenticate:/gim)).toHaveLength(1)
    expect(raw).not.toMatch(/^x-injected:/im)
  })

  test('H7 scopes of a verifier that asks for more', async () => {
    const scopes = ['a"\r\nX-Injected: y', 'fine', 'two words', 'back\\slash', 'é', '']
    const verifyToken = (): never => {
      throw new OAuthError('insufficient_scope', 'more', { scopes })
    }
    const outcome = await attempt(await startTarget(resourceServer({ verifyToken })), 'x')
    expect(outcome).toMatchObject({ status: 403, cache: 'no-store', vary: 'Authorization', handled: 0 })
    expect(outcome.challenge).toMatch(
      /^Bearer error="insufficient_scope", error_description="[^"\r\n\\]*", scope="fine", resource_metadata="[^"]*"$/,
    )
  })

  test('H7 description of a refused request, and its length', async () => {
    const verifyToken = (): never => {
      throw new OAuthError('invalid_request', `"${'x'.repeat(5000)}`)
    }
    const outcome = await attempt(await startTarget(resourceServer({ verifyToken })), 'token')
    const description = `'${'x'.repeat(499)}`
    expect(outcome).toMatchObject({
      status: 400,
      body: { error: 'invalid_request', error_description: description },
    })
    expect(outcome.challenge).toContain(`error_description="${description}"`)
  })
})

describe('H8 lets no spelling of a path or method past the guard', () => {
  type Start = (guarded: boolean, handled: () => void) => Promise<{ url: string; close: () => Promise<void> }>
  const provider = resourceServer(new StaticTokenVerifier({ tokens: ['good'] }))
  const guardOf = (whole: boolean): ReturnType<typeof mcpAuth> =>
    mcpAuth(provider, { onEvent: () => undefined, ...(!whole && { protect: '/mcp' }) })

  const underExpress =
    (framework: typeof express): Start =>
    (whole, handled) => {
      const app = framework()
      app.use(guardOf(whole))
      app.use('/mcp', (_request, response) => {
        handled()
        response.end()
      })
      return startServer(app)
    }
  const underConnect: Start = (whole, handled) => {
    const app = connect()
    app.use(guardOf(whole) as never)
    app.use('/mcp', (_request, response) => {
      handled()
      response.end()
    })
    return startServer(app)
  }
  // How servers without a framework find their path, in the words of node's own documentation.
  const underNode: Start = (whole, handled) => {
    const guard = guardOf(whole)
    return startServer((request, response) => {
      guard(request, response, () => {
        const { pathname } = new URL(request.url as string, 'http://localhost')
        if (/^\/mcp(?:\/|$)/.test(pathname)) handled()
        else response.statusCode = 404
        response.end()
      })
    })
  }

  const TARGETS = [
    '/mcp', '/MCP', '/mcp/', '/mcp//', '//mcp', '///mcp', '/./mcp', '/mcp/.', '/mcp/x', '/x/../mcp', '/x/%2e%2e/mcp', '/%6dcp', '/%6D%63%70',
    '/mcp%2f', '/mcp%2fx', '/mcp%5c', '/mcp;x=1', '/mcp;', '/mcp.', '/mcp.json', '/mcp%00', '/mcp%20', '/mcp?', '/mcp?x', '/mcp#x',
    '/mcp?/../x', '/mcp/../x', '/mcp/..', '/mcp/%2e%2e/x', '/\\mcp', '/\\/mcp', '/mcp\\', '//evil/mcp', '/\\evil/mcp', '///evil/mcp',
    'http://evil/mcp', 'HTTP://evil/MCP', 'http://evil//mcp', 'http://u:p@evil/mcp', 'https://evil:1/mcp?x', '/%252e/mcp', '/%zz/../mcp',
  ] // prettier-ignore
  const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE', 'PROPFIND', 'QUERY']

  describe.each([
    ['Express 5', underExpress(express)],
    ['Express 4', underExpress(express4)],
    ['connect', underConnect],
    ['node:http', underNode],
  ])('H8 %s', (_framework, start) => {
    test.each([
      ['everything', true],
      ['only /mcp', false],
    ])('H8 the guard is on %s', async (_extent, whole) => {
      let handled = 0
      const { url } = closing(
        await start(whole, () => {
          handled++
        }),
      )
      const answered: string[] = []
      const passed: string[] = []
      for (const method of METHODS) {
        for (const target of TARGETS) {
          const before = handled
          const [answer] = await pipeline(url, [
            `${method} ${target} HTTP/1.1\r\nHost: api.example.com\r\nContent-Length: 0\r\n\r\n`,
          ])
          if (handled > before) passed.push(`${method} ${target}`)
          // 400: node's parser would not have it, or it is no URL. 204: a preflight, which no handler sees.
          const right = method === 'OPTIONS' ? [204, 400, 404] : [400, 401, 404]
          if (!right.includes(answer?.status as number))
            answered.push(`${method} ${target}: ${answer?.status}`)
        }
      }
      expect({ passed, answered }).toEqual({ passed: [], answered: [] })
      const [control] = await pipeline(url, [
        'GET /mcp HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer good\r\n\r\n',
      ])
      expect({ status: control?.status, handled }).toEqual({ status: 200, handled: 1 })
    })
  })

  test('H8 an OPTIONS request with credentials is no preflight', async () => {
    const outcome = await attemptRaw(site, ['Authorization: Bearer bad'], 'OPTIONS /mcp HTTP/1.1')
    expect(outcome).toEqual(invalidToken('verifier'))
  })

  test('H8 a preflight in the name of a method that is guarded reaches no handler', async () => {
    const outcome = await attemptRaw(
      site,
      ['Origin: https://evil.example', 'Access-Control-Request-Method: POST', 'X-HTTP-Method-Override: POST'],
      'OPTIONS /mcp HTTP/1.1',
    )
    expect(outcome).toMatchObject({ status: 204, handled: 0, body: null })
  })
})

describe('H9 never lets a request through because a verifier failed', () => {
  test.each([
    ['undefined', undefined],
    ['null', null],
    ['false', false],
  ])('H9 %s is a no', async (_case, result) => {
    const target = await startTarget(resourceServer({ verifyToken: () => result as never }))
    expect(await attempt(target, 'x')).toEqual(invalidToken('verifier'))
  })

  test.each([
    ['true', true],
    ['a string', 'client-1'],
    ['an empty string', ''],
    ['zero', 0],
    ['one', 1],
    ['an empty object', {}],
    ['an array', []],
    ['a function', () => ({ clientId: 'client-1' })],
    ['claims instead of a token', { sub: 'user-1', scope: 'admin' }],
    ['scopes as text', { clientId: 'client-1', scopes: 'admin' }],
    ['an expiry as text', { clientId: 'client-1', expiresAt: '9999999999' }],
    ['an expiry that is no number', { clientId: 'client-1', expiresAt: Number.NaN }],
    ['a subject that is no text', { clientId: 'client-1', subject: {} }],
  ])('H9 %s is no answer', async (_case, result) => {
    const target = await startTarget(resourceServer({ verifyToken: () => result as never }))
    expect(await attempt(target, 'x')).toEqual(unavailable())
  })

  test.each([
    ['an error', new Error('database is down')],
    ['a type error', new TypeError('x is not a function')],
    ['a string', 'no'],
    ['null', null],
    ['undefined', undefined],
    ['a symbol', Symbol('no')],
    ['an error with a number as its code', Object.assign(new Error('x'), { code: 401 })],
    ['an error of the token endpoint', Object.assign(new Error('x'), { code: 'invalid_client' })],
  ])('H9 %s, thrown at once or later, is an outage', async (_case, thrown) => {
    const throws = await startTarget(
      resourceServer({
        verifyToken: () => {
          // oxlint-disable-next-line typescript/only-throw-error -- that is what is tested
          throw thrown
        },
      }),
    )
    // oxlint-disable-next-line typescript/prefer-promise-reject-errors -- that is what is tested
    const rejects = await startTarget(resourceServer({ verifyToken: () => Promise.reject(thrown) }))
    expect(await attempt(throws, 'x')).toEqual(unavailable())
    expect(await attempt(rejects, 'x')).toEqual(unavailable())
  })

  const Untyped = OAuthError as unknown as new (...values: unknown[]) => OAuthError
  test.each<[string, () => Error, Outcome]>([
    ['an OAuthError without a description', () => new Untyped('invalid_token'), invalidToken('verifier')],
    ['an OAuthError of an unknown code', () => new Untyped('access_denied', 'no'), unavailable()],
    [
      'a Retry-After of text',
      () => new Untyped('temporarily_unavailable', 'no', { retryAfterSeconds: 'a\r\nb' }),
      unavailable(),
    ],
    [
      'an error that throws when it is read',
      () =>
        Object.defineProperty(new Error('x'), 'code', {
          get: () => {
            throw new Error('trap')
          },
        }),
      unavailable(),
    ],
    [
      'an error that throws when it is printed',
      () =>
        Object.defineProperty(new Error('x'), 'message', {
          get: () => {
            throw new Error('trap')
          },
        }),
      unavailable(),
    ],
  ])('H9 %s, as only JavaScript can make it, is refused like any other', async (_case, make, expected) => {
    const verifyToken = (): never => {
      throw make()
    }
    const target = await startTarget(resourceServer({ verifyToken }))
    expect(await attemptRaw(target, ['Authorization: Bearer some-token'])).toEqual(expected)
  })

  test('H9 a verifier that hangs is given up at the deadline, and its late yes is worth nothing', async () => {
    const clock = testClock()
    let decide: (verified: { clientId: string }) => void = () => undefined
    let begun: () => void = () => undefined
    const asked = new Promise<void>((resolve) => {
      begun = resolve
    })
    const verifyToken = (): Promise<{ clientId: string }> => {
      begun()
      return new Promise((resolve) => {
        decide = resolve
      })
    }
    const target = await startTarget(resourceServer({ verifyToken }), { deps: clock })
    const outcome = attempt(target, 'x')
    await asked
    clock.advance(10)
    decide({ clientId: 'client-1' })
    expect(await outcome).toEqual(unavailable())
    expect(target.handled()).toBe(0)
  })

  test('H9 what was recalled is held to expiry and scope like everything else', async () => {
    const facts = {
      token: 'x',
      tokenType: 'Bearer',
      clientId: 'c',
      subject: undefined,
      issuer: undefined,
      claims: {},
    }
    const verifier = (expiresAt: number | undefined, scopes: string[]): object => ({
      verifyToken: () => null,
      recall: () => ({ ...facts, expiresAt, scopes }),
    })
    const expired = await startTarget(resourceServer(verifier(1, ['admin']) as never))
    const poor = await startTarget(
      resourceServer(verifier(undefined, []) as never, { requiredScopes: ['admin'] }),
    )
    expect(await attempt(expired, 'x')).toEqual(invalidToken('expiry'))
    expect(await attempt(poor, 'x')).toEqual(insufficientScope('admin'))
  })

  test('H9 a recall that throws is an outage', async () => {
    const recall = (): never => {
      throw new Error('cache is down')
    }
    const target = await startTarget(resourceServer({ verifyToken: () => ({ clientId: 'c' }), recall }))
    expect(await attempt(target, 'x')).toEqual(unavailable())
  })

  test('H9 a scope hierarchy that throws is an outage', async () => {
    const scopeImplies = (): never => {
      throw new Error('no')
    }
    const verifier = { verifyToken: () => ({ clientId: 'c', scopes: ['a'] }) }
    const target = await startTarget(resourceServer(verifier, { requiredScopes: ['b'] }), { scopeImplies })
    expect(await attempt(target, 'x')).toEqual(unavailable())
  })

  test.each([
    ['nothing', undefined],
    ['a class', StaticTokenVerifier],
    ['an empty object', {}],
    ['a promise', Promise.resolve({})],
  ])('H9 %s instead of a provider throws when the guard is built', (_case, provider) => {
    expect(() => mcpAuth(provider as never)).toThrow(ConfigError)
  })
})

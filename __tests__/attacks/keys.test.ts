// Attacks on where keys come from: threat rows K1 to K8.
import { createHmac, randomBytes } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { beforeEach, describe, expect, test } from '@jest/globals'
import {
  ConfigError,
  IntrospectionTokenVerifier,
  JWTVerifier,
  type JWTVerifierOptions,
  MultiAuth,
  RemoteAuthProvider,
  RemoteTokenVerifier,
} from 'express-mcp-auth'
import { type TestClock, testClock } from 'express-mcp-auth/testing'
import {
  type Answer,
  ISSUER,
  RESOURCE,
  type Stub,
  createKey,
  createToken,
  encode,
  jsonAnswer,
  startKeySet,
  startStub,
} from '../support/issuer.js'
import type { Site } from '../support/site.js'
import {
  USER,
  attempt,
  closing,
  invalidToken,
  pipeline,
  resourceServer,
  startTarget,
  unavailable,
} from './attempt.js'

const DAY = 24 * 3600
const KEY = invalidToken('key')
const SIGNATURE = invalidToken('signature')

const old = createKey('ES256', 'old')
const next = createKey('ES256', 'next')

let clock: TestClock
let keys: Stub
let site: Site

/** A site that trusts the keys at a URL, both on one clock. */
function siteOver(jwksUri: string, options: Partial<JWTVerifierOptions> = {}): Promise<Site> {
  const verifier = new JWTVerifier({ jwksUri, issuer: ISSUER, audience: RESOURCE, deps: clock, ...options })
  return startTarget(resourceServer(verifier), { deps: clock, deadlineSeconds: 60 })
}

/** A token that outlives whatever the clock is moved by. */
function longLived(key: typeof old): string {
  return createToken(key, { exp: Math.floor(Date.now() / 1000) + 30 * DAY })
}

/** Whether the last fetch of keys worked, as the operator is told. */
function lastFetch(target: Site): unknown {
  return target.events.findLast(({ type }) => type === 'keys.fetched' || type === 'keys.failed')
}

/** Settles when a site has told of one more fetch than now. */
async function refreshed(target: Site, act: () => Promise<unknown>): Promise<void> {
  const fetches = (): number => target.events.filter(({ type }) => type.startsWith('keys.')).length
  const before = fetches()
  while (fetches() === before) await act()
}

beforeEach(async () => {
  clock = testClock()
  keys = closing(await startKeySet(old))
  site = await siteOver(keys.url)
})

describe('K1 fetches keys at most once, whoever asks for what', () => {
  test('K1 ten thousand unknown key IDs', async () => {
    expect(await attempt(site, createToken(old))).toEqual(USER)
    clock.advance(31)
    const [, payload] = createToken(old).split('.')
    const tokens = Array.from({ length: 10_000 }, () => {
      const kid = randomBytes(9).toString('hex')
      return `${encode({ alg: 'ES256', kid })}.${payload}.${randomBytes(64).toString('base64url')}`
    })
    for (let start = 0; start < tokens.length; start += 1000) {
      const answers = await pipeline(
        site.url,
        tokens
          .slice(start, start + 1000)
          .map((token) => `GET /mcp HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${token}\r\n\r\n`),
      )
      expect(answers.map(({ status }) => status)).toEqual(Array.from({ length: 1000 }, () => 401))
    }
    expect(keys.requests).toHaveLength(2)
    expect(site.handled()).toBe(1)
  })

  test('K1 two hundred callers of a cold set', async () => {
    const tokens = Array.from({ length: 200 }, (_, index) => createToken(old, { jti: String(index) }))
    const statuses = await Promise.all(
      tokens.map((token) =>
        fetch(`${site.url}/mcp`, { headers: { authorization: `Bearer ${token}` } }).then((r) => r.status),
      ),
    )
    expect(statuses).toEqual(tokens.map(() => 200))
    expect(keys.requests).toHaveLength(1)
  })

  test('K1 unknown key IDs while the set cannot be fetched', async () => {
    keys.answer = jsonAnswer({}, {}, 500)
    for (let index = 0; index < 50; index++) {
      const outcome = await attempt(site, createToken(old, {}, { kid: `kid-${index}` }))
      expect(outcome).toEqual(unavailable('1'))
    }
    expect(keys.requests).toHaveLength(1)
    clock.advance(1)
    await attempt(site, createToken(old))
    await attempt(site, createToken(old))
    expect(keys.requests).toHaveLength(2)
  })

  test('K1 a minute of unknown key IDs costs two requests', async () => {
    await attempt(site, createToken(old))
    for (let second = 0; second < 60; second++) {
      clock.advance(1)
      expect(await attempt(site, createToken(old, {}, { kid: `kid-${second}` }))).toEqual(KEY)
    }
    expect(keys.requests).toHaveLength(3)
  })
})

describe('K2 follows a rotation', () => {
  test('K2 a new key is good half a minute later at most', async () => {
    await attempt(site, createToken(old))
    keys.answer = jsonAnswer({ keys: [old.jwk, next.jwk] })
    expect(await attempt(site, createToken(next))).toEqual(KEY)
    clock.advance(30)
    expect(await attempt(site, createToken(next))).toEqual(USER)
    expect(await attempt(site, createToken(old))).toEqual(USER)
  })

  test('K2 a withdrawn key is refused after the refresh, also for tokens that it verified before', async () => {
    const token = longLived(old)
    expect(await attempt(site, token)).toEqual(USER)
    keys.answer = jsonAnswer({ keys: [next.jwk] })
    clock.advance(600)
    await refreshed(site, () => attempt(site, token))
    expect(await attempt(site, token)).toEqual(KEY)
    expect(await attempt(site, createToken(old, { jti: 'another' }))).toEqual(KEY)
    expect(await attempt(site, longLived(next))).toEqual(USER)
  })

  test('K2 a key whose material changed under its ID is the new one alone', async () => {
    const token = longLived(old)
    const swapped = createKey('ES256', 'old')
    await attempt(site, token)
    keys.answer = jsonAnswer({ keys: [swapped.jwk] })
    clock.advance(600)
    await refreshed(site, () => attempt(site, token))
    expect(await attempt(site, token)).toEqual(SIGNATURE)
    expect(await attempt(site, longLived(swapped))).toEqual(USER)
  })

  test('K2 a set that says it lives for a year is asked for again within a day', async () => {
    const token = longLived(old)
    keys.answer = jsonAnswer({ keys: [old.jwk] }, { 'cache-control': `public, max-age=${365 * DAY}` })
    await attempt(site, token)
    keys.answer = jsonAnswer({ keys: [next.jwk] })
    clock.advance(DAY)
    await refreshed(site, () => attempt(site, token))
    expect(await attempt(site, token)).toEqual(KEY)
  })
})

describe('K3 outlives an outage of the issuer, and never takes it for a bad token', () => {
  const broken: readonly (readonly [string, Answer])[] = [
    ['500', jsonAnswer({}, {}, 500)],
    ['404', jsonAnswer({}, {}, 404)],
    ['204', (_request, response) => response.writeHead(204).end()],
    ['a page', (_request, response) => response.setHeader('content-type', 'text/html').end('<html>')],
    ['nothing', (_request, response) => response.end()],
    ['half of JSON', (_request, response) => response.end('{"keys":[')],
    ['JSON that is no set', jsonAnswer([old.jwk])],
    ['null', jsonAnswer(null)],
    ['keys that are no list', jsonAnswer({ keys: { 0: old.jwk, length: 1 } })],
    ['a connection that breaks', (request) => request.socket.destroy()],
    [
      'a body that breaks off',
      (request, response) => {
        response.writeHead(200, { 'content-length': '1000' }).write('{"keys":')
        request.socket.destroySoon()
      },
    ],
  ]

  test.each(broken)('K3 %s with keys at hand', async (_case, answer) => {
    const token = longLived(old)
    await attempt(site, token)
    keys.answer = answer
    clock.advance(601)
    await refreshed(site, () => attempt(site, token))
    expect(await attempt(site, token)).toEqual(USER)
    expect(await attempt(site, createToken(old, { exp: Math.floor(Date.now() / 1000) + DAY }))).toEqual(USER)
    expect(lastFetch(site)).toMatchObject({ type: 'keys.failed', serving: 'stale' })
    // Whether an unknown key was published meanwhile, nobody can say.
    expect(await attempt(site, longLived(next))).toMatchObject({ status: 503, handled: 0, challenge: null })
  })

  test.each(broken)('K3 %s without any, and the recovery', async (_case, answer) => {
    keys.answer = answer
    expect(await attempt(site, createToken(old))).toEqual(unavailable('1'))
    expect(lastFetch(site)).toMatchObject({ type: 'keys.failed', serving: 'nothing' })
    keys.answer = jsonAnswer({ keys: [old.jwk] })
    clock.advance(1)
    expect(await attempt(site, createToken(old))).toEqual(USER)
  })

  test('K3 stale keys are trusted for a day, and no longer', async () => {
    const token = longLived(old)
    await attempt(site, token)
    keys.answer = jsonAnswer({}, {}, 500)
    clock.advance(600 + DAY - 1)
    expect(await attempt(site, token)).toEqual(USER)
    clock.advance(1)
    expect(await attempt(site, token)).toMatchObject({ status: 503, handled: 0, challenge: null })
  })

  test('K3 an issuer that hangs costs five seconds at most', async () => {
    const arrived = hang(keys)
    const outcome = attempt(site, createToken(old))
    await arrived
    clock.advance(5)
    expect(await outcome).toEqual(unavailable('1'))
    expect(lastFetch(site)).toMatchObject({ message: 'no complete answer within 5 s' })
  })

  test('K3 nobody with a known key waits for an issuer that hangs', async () => {
    const token = longLived(old)
    await attempt(site, token)
    const arrived = hang(keys)
    clock.advance(601)
    expect(await attempt(site, token)).toEqual(USER)
    await arrived
    expect(await attempt(site, longLived(old))).toEqual(USER)
  })
})

/** Makes a stub keep its callers waiting; settles when the first is there. */
function hang(stub: Stub): Promise<void> {
  return new Promise((resolve) => {
    stub.answer = () => {
      resolve()
    }
  })
}

describe('K4 keeps the last good set when a poisoned one is published', () => {
  const rsa = createKey('RS256', 'old')
  const x = old.jwk['x'] as string

  test.each<[string, unknown]>([
    ['no keys', { keys: [] }],
    ['a symmetric key', { keys: [{ kty: 'oct', kid: 'old', k: encode(randomBytes(32)), alg: 'ES256' }] }],
    ['a private key', { keys: [{ ...old.privateKey.export({ format: 'jwk' }), kid: 'old' }] }],
    ['a weak key', { keys: [{ ...rsa.jwk, e: 'AQ' }] }],
    ['keys for encryption', { keys: [{ ...old.jwk, use: 'enc' }] }],
    ['keys that are no objects', { keys: [null, 'x', 1, []] }],
    ['a key of an unknown type', { keys: [{ kty: 'AKP', kid: 'old' }] }],
    ['a key off its curve', { keys: [{ ...old.jwk, x: `${x.startsWith('A') ? 'B' : 'A'}${x.slice(1)}` }] }],
    ['a key with a point cut short', { keys: [{ ...old.jwk, x: x.slice(0, 8) }] }],
    ['a key with a point that is no text', { keys: [{ ...old.jwk, x: 5 }] }],
    ['a key of 31 bytes', { keys: [{ kty: 'OKP', crv: 'Ed25519', kid: 'old', x: encode(randomBytes(31)) }] }],
  ])('K4 %s', async (_case, document) => {
    const token = longLived(old)
    await attempt(site, token)
    keys.answer = jsonAnswer(document)
    clock.advance(601)
    await refreshed(site, () => attempt(site, token))
    expect(await attempt(site, token)).toEqual(USER)
    expect(lastFetch(site)).toMatchObject({ type: 'keys.failed', serving: 'stale' })
  })

  test.each<[string, unknown[]]>([
    ['a symmetric key', [{ kty: 'oct', kid: 'old', k: 'AA' }]],
    ['another key of the same ID', [createKey('ES256', 'old').jwk]],
    ['two others of the same ID', [createKey('ES256', 'old').jwk, createKey('ES256', 'old').jwk]],
    ['one of another type and the same ID', [rsa.jwk]],
    ['one that cannot be read', [{ ...old.jwk, x: 'AA' }]],
    ['rubbish', [null, 'x', { kid: 'old' }, { kty: 'EC', kid: { a: 1 } }]],
  ])('K4 %s beside the good key, before and behind it', async (_case, others) => {
    for (const set of [
      [...others, old.jwk],
      [old.jwk, ...others],
    ]) {
      const stub = closing(await startStub(jsonAnswer({ keys: set })))
      expect(await attempt(await siteOver(stub.url), createToken(old))).toEqual(USER)
    }
  })

  test('K4 a symmetric key in the set verifies nothing', async () => {
    const secret = randomBytes(32)
    const stub = closing(
      await startStub(
        jsonAnswer({ keys: [old.jwk, { kty: 'oct', kid: 'mac', alg: 'HS256', k: encode(secret) }] }),
      ),
    )
    const target = await siteOver(stub.url)
    const [, payload] = createToken(old).split('.')
    const input = `${encode({ alg: 'HS256', kid: 'mac' })}.${payload}`
    const token = `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`
    expect(await attempt(target, token)).toEqual(invalidToken('algorithm'))
  })

  test('K4 a private key in the set is published to the world, so it verifies nothing', async () => {
    const leaked = { ...next.privateKey.export({ format: 'jwk' }), kid: 'next' }
    const stub = closing(await startStub(jsonAnswer({ keys: [old.jwk, leaked] })))
    expect(await attempt(await siteOver(stub.url), createToken(next))).toEqual(KEY)
  })

  test('K4 a set beyond all measure is read up to its hundredth key', async () => {
    const many = Array.from({ length: 100 }, (_, index) => ({ ...old.jwk, kid: `kid-${index}` }))
    const stub = closing(await startStub(jsonAnswer({ keys: [...many, next.jwk] })))
    const target = await siteOver(stub.url)
    expect(await attempt(target, createToken(next))).toEqual(KEY)
    expect(await attempt(target, createToken(old, {}, { kid: 'kid-99' }))).toEqual(USER)
  })
})

describe('K5 follows no redirect', () => {
  test.each([[301], [302], [303], [307], [308]])('K5 %i of the key set', async (status) => {
    const evil = closing(await startKeySet(next))
    keys.answer = jsonAnswer({ keys: [next.jwk] }, { location: evil.url }, status)
    expect(await attempt(site, createToken(next))).toEqual(unavailable('1'))
    expect(lastFetch(site)).toMatchObject({ message: `redirected (${status}), which is not followed` })
    expect(evil.requests).toEqual([])
  })

  test.each([[302], [307]])('K5 %i of a service that is asked about tokens', async (status) => {
    const evil = closing(await startStub(jsonAnswer({ active: true })))
    const service = closing(await startStub(jsonAnswer({ active: true }, { location: evil.url }, status)))
    const introspection = await startTarget(
      resourceServer(
        new IntrospectionTokenVerifier({
          introspectionUrl: service.url,
          clientId: 'a',
          clientSecret: 'b',
          audience: RESOURCE,
        }),
      ),
    )
    const remote = await startTarget(resourceServer(new RemoteTokenVerifier({ verifyUrl: service.url })))
    expect(await attempt(introspection, 'x')).toEqual(unavailable('1'))
    expect(await attempt(remote, 'x')).toEqual(unavailable('1'))
    expect(evil.requests).toEqual([])
  })
})

describe('K6 asks no URL but a safe one', () => {
  const identity = { issuer: ISSUER, audience: RESOURCE }

  test.each([
    ['file:///etc/passwd'],
    ['data:application/json,{"keys":[]}'],
    ['ftp://login.example.com/jwks'],
    ['javascript://login.example.com/%0a1'],
    ['http://login.example.com/jwks'],
    ['http://169.254.169.254/latest/meta-data'],
    ['http://10.0.0.1/jwks'],
    ['http://[::ffff:127.0.0.1]/jwks'],
    ['http://[fe80::1]/jwks'],
    ['http://0.0.0.0/jwks'],
    ['http://127.0.0.1.evil.example/jwks'],
    ['http://localhost.evil.example/jwks'],
    ['http://localhost@evil.example/jwks'],
    ['https://user:secret@login.example.com/jwks'],
    ['https://login.example.com/jwks#x'],
    ['https://login.example.com\\@evil.example/jwks"'],
    ['https://login.example.com/jwks\r\nX: y'],
    ['https:login.example.com/jwks'],
    ['//login.example.com/jwks'],
    ['/jwks'],
    ['login.example.com/jwks'],
    [' https://login.example.com/jwks'],
    [''],
    ['https://'],
  ])('K6 %j', async (url) => {
    const asked: unknown[] = []
    const deps = {
      fetch: (input: unknown) => {
        asked.push(input)
        return Promise.reject(new Error('not reached'))
      },
    }
    const builders = [
      () => new JWTVerifier({ jwksUri: url, ...identity, deps }),
      () =>
        new RemoteAuthProvider({
          baseUrl: 'https://a.example',
          authorizationServers: [ISSUER],
          jwksUri: url,
          deps,
        }),
      () => new IntrospectionTokenVerifier({ introspectionUrl: url, clientId: 'a', clientSecret: 'b', deps }),
      () => new RemoteTokenVerifier({ verifyUrl: url, deps }),
    ]
    for (const build of builders) expect(build).toThrow(ConfigError)
    expect(asked).toEqual([])
  })

  test('K6 http elsewhere only by its dangerous name', () => {
    const jwksUri = 'http://keys.internal/jwks'
    expect(() => new JWTVerifier({ jwksUri, ...identity })).toThrow(
      expect.objectContaining({ code: 'ERR_MCP_AUTH_INSECURE_URL' }),
    )
    expect(() => new JWTVerifier({ jwksUri, ...identity, dangerouslyAllowInsecureHttp: true })).not.toThrow()
  })
})

describe('K7 reads no more than a key set can have', () => {
  const LIMIT = { type: 'keys.failed', message: 'more than 524288 bytes' }
  const space = Buffer.alloc(64 * 1024, ' ')

  /** Sends as much as is taken, without an end; settles when the connection is closed. */
  function pour(stub: Stub, headers: Record<string, string> = {}): Promise<void> {
    return new Promise((resolve) => {
      stub.answer = (_request: IncomingMessage, response: ServerResponse) => {
        const more = (): void => {
          while (!response.destroyed && response.write(space));
        }
        response.writeHead(200, headers).on('drain', more).on('close', resolve)
        more()
      }
    })
  }

  test('K7 a body without an end', async () => {
    const closed = pour(keys)
    expect(await attempt(site, createToken(old))).toEqual(unavailable('1'))
    expect(lastFetch(site)).toMatchObject(LIMIT)
    await closed
  })

  test('K7 a body that announces 20 MB', async () => {
    const closed = pour(keys, { 'content-length': String(20 * 1024 * 1024) })
    expect(await attempt(site, createToken(old))).toEqual(unavailable('1'))
    expect(lastFetch(site)).toMatchObject(LIMIT)
    await closed
  })

  const document = JSON.stringify({ keys: [old.jwk], x: ' '.repeat(20 * 1024 * 1024) })
  test.each([
    ['gzip', gzipSync(document)],
    ['br', brotliCompressSync(document)],
  ])('K7 20 MB in a little %s', async (encoding, bytes) => {
    keys.answer = (_request, response) => {
      response.writeHead(200, { 'content-encoding': encoding }).end(bytes)
    }
    expect(bytes.length).toBeLessThan(64 * 1024)
    expect(await attempt(site, createToken(old))).toEqual(unavailable('1'))
    expect(lastFetch(site)).toMatchObject(LIMIT)
  })

  test('K7 a body that drips', async () => {
    let closed: Promise<void> = Promise.resolve()
    const begun = new Promise<void>((resolve) => {
      keys.answer = (_request, response) => {
        closed = new Promise((settle) => {
          response.on('close', settle)
        })
        response.writeHead(200)
        response.write('{"keys":[', () => {
          resolve()
        })
      }
    })
    const outcome = attempt(site, createToken(old))
    await begun
    clock.advance(5)
    expect(await outcome).toEqual(unavailable('1'))
    expect(lastFetch(site)).toMatchObject({ message: 'no complete answer within 5 s' })
    await closed
  })

  test('K7 the most that is allowed, in nests', async () => {
    const depth = 250_000
    keys.answer = (_request, response) => {
      response.end(`{"keys":[${'['.repeat(depth)}${']'.repeat(depth)}]}`)
    }
    expect(await attempt(site, createToken(old))).toEqual(unavailable('1'))
    keys.answer = (_request, response) => {
      response.end(
        `{"keys":[{"kty":"EC","crv":"P-256","kid":"old","x":${'['.repeat(depth)}${']'.repeat(depth)}}]}`,
      )
    }
    clock.advance(1)
    expect(await attempt(site, createToken(old))).toMatchObject({ status: 503, handled: 0 })
  })

  test('K7 a set of just that size is read', async () => {
    const rest = 512 * 1024 - JSON.stringify({ keys: [old.jwk], x: '' }).length
    keys.answer = jsonAnswer({ keys: [old.jwk], x: ' '.repeat(rest) })
    expect(await attempt(site, createToken(old))).toEqual(USER)
  })
})

describe('K8 keeps the keys of one issuer apart from those of another', () => {
  test.each([
    ['a vertical bar', 'https://a.example|https://b.example'],
    ['a comma', 'https://a.example,https://b.example'],
    ['a space', 'https://a.example https://b.example'],
    ['a NUL', 'https://a.example\0https://b.example'],
    ['JSON', '["https://a.example","https://b.example"]'],
    ['a slash', 'https://a.example/'],
    ['nothing', ''],
  ])('K8 an issuer joined by %s', async (_case, iss) => {
    const [a, b] = [createKey('ES256', 'shared'), createKey('ES256', 'shared')]
    const verifiers = await Promise.all(
      [a, b].map(async (key, index) => {
        const { url } = closing(await startKeySet(key))
        return new JWTVerifier({
          jwksUri: url,
          issuer: ['https://a.example', 'https://b.example'][index] as string,
          audience: RESOURCE,
        })
      }),
    )
    const target = await startTarget(resourceServer(new MultiAuth({ verifiers })))
    expect(await attempt(target, createToken(a, { iss: 'https://a.example' }))).toEqual(USER)
    expect(await attempt(target, createToken(b, { iss: 'https://b.example' }))).toEqual(USER)
    expect(await attempt(target, createToken(a, { iss: 'https://b.example' }))).toEqual(SIGNATURE)
    expect(await attempt(target, createToken(a, { iss }))).toEqual(invalidToken('verifier'))
  })

  test('K8 two verifiers of one issuer and two key sets', async () => {
    const other = closing(await startKeySet(next))
    const token = createToken(next)
    expect(await attempt(await siteOver(other.url), token)).toEqual(USER)
    expect(await attempt(site, token)).toEqual(KEY)
  })
})

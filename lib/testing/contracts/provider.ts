// What every provider has to be for mcpAuth and for the clients behind it, as cases for any test runner. Each case is real HTTP.
import assert from 'node:assert/strict'
import type { RequestListener } from 'node:http'
import { getAccessToken } from '../../express/context.js'
import { mcpAuth } from '../../express/mcp-auth.js'
import { INVALID_TOKEN } from '../../protocol/errors.js'
import { buildChallenge } from '../../protocol/challenge.js'
import { publicScopes } from '../../protocol/scopes.js'
import {
  authorizationServerPaths,
  originOf,
  pathOf,
  protectedResourcePaths,
  protectedResourceUrl,
} from '../../protocol/well-known.js'
import { type AuthProvider, type ProviderLike, resourceOf, toProvider } from '../../providers/provider.js'
import { createDeps } from '../../runtime/deps.js'
import { listenOnLoopback } from '../loopback.js'
import { Wire } from '../wire.js'

/** A provider under test, and who may call. */
export interface ProviderUnderTest {
  readonly provider: ProviderLike
  /** A token that may call. */
  readonly goodToken: string
  /** A token that looks right and may not. */
  readonly badToken: string
  /** A good token without the required scopes, or `no scopes` where none are required. */
  readonly tokenWithoutScopes: string
  /** Takes away whom the provider asks, or `asks nobody`. The case that does this has a provider of its own. */
  readonly outage: (() => unknown) | 'asks nobody'
  /** Stops what was started for it. */
  readonly close?: () => unknown
}

/** Makes the provider under test, anew for each case. */
export type CreateProvider = () => ProviderUnderTest | Promise<ProviderUnderTest>

export interface ProviderCase {
  /** The rule. */
  readonly title: string
  /** Rejects where the provider breaks it. */
  run(createProvider: CreateProvider): Promise<void>
}

interface Stand extends ProviderUnderTest {
  readonly asked: AuthProvider
  /** Path of the MCP endpoint. */
  readonly path: string
  /** What its challenges say beside the error. */
  readonly challenge: { readonly scopes: readonly string[]; readonly resourceMetadataUrl: string | undefined }
  /** Everything that was told to operators. */
  readonly told: string[]
  /** How often the handler behind the guard ran. */
  readonly handled: () => number
  /** Calls the MCP endpoint. */
  readonly call: (token?: string) => Promise<Answer>
  /** Gets what is at a path. */
  readonly get: (path: string) => Promise<Answer>
}

interface Answer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** Undefined where it is none. */
  readonly json: Readonly<Record<string, unknown>> | undefined
}

const CASES: readonly (readonly [title: string, prove: (stand: Stand) => Promise<void>])[] = [
  [
    'whoever has no token gets 401 and the bare challenge: where to ask, and for which scopes',
    async ({ call, challenge, handled }) => {
      const answer = await call()
      expectRefusal(answer, 401, buildChallenge(challenge))
      assert.equal(
        answer.json?.['error'],
        undefined,
        'an error is named where nothing was tried (RFC 6750 3.1)',
      )
      assert.equal(handled(), 0)
    },
  ],
  [
    'a bad token gets 401 invalid_token, in words that say nothing of the reason',
    async ({ call, challenge, badToken, handled }) => {
      const description = INVALID_TOKEN
      const answer = await call(badToken)
      expectRefusal(answer, 401, buildChallenge({ ...challenge, error: 'invalid_token', description }))
      assert.deepEqual(answer.json, { error: 'invalid_token', error_description: description })
      assert.equal(handled(), 0)
    },
  ],
  [
    'a good token gets through, again and again, and the handler is told whose it is',
    async ({ call, goodToken, handled }) => {
      for (let times = 1; times <= 3; times++) {
        const answer = await call(goodToken)
        assert.equal(answer.status, 200, `it was answered ${answer.status} ${answer.text}`)
        assert.equal(typeof answer.json?.['clientId'], 'string')
        assert.equal(handled(), times)
      }
    },
  ],
  [
    'a token with too few scopes gets 403 and a challenge that names all that are needed',
    async ({ call, challenge, asked: { requiredScopes = [] }, tokenWithoutScopes, handled }) => {
      if (tokenWithoutScopes === 'no scopes') {
        assert.deepEqual(requiredScopes, [], 'there are required scopes: pass "tokenWithoutScopes"')
        return
      }
      const description = `This needs the scope ${challenge.scopes.join(' ')}`
      const answer = await call(tokenWithoutScopes)
      expectRefusal(answer, 403, buildChallenge({ ...challenge, error: 'insufficient_scope', description }))
      assert.equal(handled(), 0)
    },
  ],
  [
    'an outage gets 503 and a time to come back, and no challenge: clients keep their tokens',
    async ({ outage, call, goodToken, handled }) => {
      if (outage === 'asks nobody') return
      await outage()
      const answer = await call(goodToken)
      expectRefusal(answer, 503, null)
      assert.match(answer.headers.get('retry-after') ?? '', /^[1-9]\d*$/)
      assert.equal(handled(), 0)
    },
  ],
  [
    'its metadata is where the challenge says, and describes the resource that is guarded',
    async ({ asked, get, path, challenge: { resourceMetadataUrl } }) => {
      const { authorizationServers } = asked
      if (authorizationServers === undefined) {
        const answer = await get('/.well-known/oauth-protected-resource')
        assert.equal(
          answer.status,
          404,
          'metadata is served by a provider that names no authorization server',
        )
        return
      }
      const resource = resourceOf(asked)
      assert.equal(originOf(String(resourceMetadataUrl)), originOf(resource))
      assert.equal(pathOf(resource) || '/', path)
      const paths = protectedResourcePaths(resource)
      assert.ok(paths.includes(pathOf(String(resourceMetadataUrl))))
      for (const place of paths) {
        const document = documentOf(await get(place), place)
        assert.equal(document['resource'], resource, '"resource" is another one than the guarded one')
        assert.deepEqual(document['authorization_servers'], authorizationServers)
        assert.deepEqual(document['bearer_methods_supported'], ['header'])
      }
    },
  ],
  [
    'an authorization server of its own is described where clients look, with endpoints that are there',
    async ({ asked, get }) => {
      const { authorizationServer, authorizationServers = [] } = asked
      if (authorizationServer === undefined) return
      const { issuer } = authorizationServer.settings
      assert.ok(authorizationServers.includes(issuer), `the metadata does not name the issuer ${issuer}`)
      const { oauth, openid } = authorizationServerPaths(issuer)
      for (const place of [...oauth, ...openid]) {
        const document = documentOf(await get(place), place)
        assert.equal(document['issuer'], issuer)
        assert.deepEqual(document['code_challenge_methods_supported'], ['S256'])
        for (const name of ['authorization_endpoint', 'token_endpoint', 'jwks_uri']) {
          const url: string = String(document[name])
          assert.equal(originOf(url), originOf(issuer), `"${name}" is at another origin`)
          const { status } = await get(pathOf(url))
          // The token endpoint is not for GET; a page may say what is missing.
          assert.ok([200, 400, 405].includes(status), `"${name}" is answered ${status}`)
        }
      }
    },
  ],
  [
    'no route of its own takes the place of the endpoint that is guarded',
    async ({ call, asked: { routes = [] }, path, goodToken }) => {
      const taken = routes.filter(
        (route) => route.path === path || (route.below === true && path.startsWith(route.path)),
      )
      assert.deepEqual(
        taken.map((route) => route.path),
        [],
      )
      assert.equal((await call(goodToken)).status, 200)
    },
  ],
  [
    'neither answers nor events hold a token',
    async ({ call, goodToken, badToken, told }) => {
      for (const token of [goodToken, badToken]) {
        const { headers, text } = await call(token)
        const all = [text, JSON.stringify([...headers]), ...told]
        assert.ok(!all.some((one) => token.length >= 8 && one.includes(token)), 'a token was told')
      }
    },
  ],
]

function expectRefusal(
  { status, headers, text, json }: Answer,
  expected: number,
  challenge: string | null,
): void {
  assert.equal(status, expected, `it was answered ${status} ${text}`)
  assert.equal(headers.get('www-authenticate'), challenge)
  assert.ok(json, 'the body is no JSON object')
  assert.equal(headers.get('cache-control'), 'no-store')
  assert.equal(headers.get('vary'), 'Authorization')
}

function documentOf({ status, headers, json }: Answer, place: string): Readonly<Record<string, unknown>> {
  assert.equal(status, 200, `${place} is answered ${status}`)
  assert.equal(headers.get('access-control-allow-origin'), '*', `${place} cannot be read by pages`)
  assert.ok(json, `${place} is no JSON object`)
  return json
}

/**
 * What `mcpAuth` and clients need of a provider: one case for each rule.
 *
 * @example
 * for (const { title, run } of providerContract) {
 *   it(title, () => run(() => ({ provider: new MyProvider(), goodToken, badToken: 'revoked', … })))
 * }
 */
export const providerContract: readonly ProviderCase[] = CASES.map(([title, prove]) => ({
  title,
  async run(createProvider) {
    const subject = await createProvider()
    const closing: (() => unknown)[] = [() => subject.close?.()]
    try {
      const asked = toProvider(subject.provider, 'providerContract')
      const told: string[] = []
      let handled = 0
      const guard = mcpAuth(subject.provider, {
        rateLimit: false,
        onEvent: (event) => void told.push(JSON.stringify(event)),
      })
      const app: RequestListener = (request, response) => {
        guard(request, response, () => {
          handled++
          response.setHeader('Content-Type', 'application/json')
          response.end(JSON.stringify({ clientId: getAccessToken(request)?.clientId }))
        })
      }
      const server = await listenOnLoopback(app)
      closing.unshift(server.close)
      const path = pathOfEndpoint(asked)
      const wire = new Wire(createDeps())
      const send = async (place: string, init: RequestInit): Promise<Answer> =>
        read(await wire.ask(server.url + place, init))
      await prove({
        ...subject,
        asked,
        path,
        told,
        challenge: challengeOf(asked),
        handled: () => handled,
        call: (token) =>
          send(path, {
            method: 'POST',
            headers: {
              'content-type': 'application/json',
              ...(token !== undefined && { authorization: `Bearer ${token}` }),
            },
            body: '{"jsonrpc":"2.0","id":1,"method":"ping"}',
          }),
        get: (place) => send(place, {}),
      })
    } finally {
      for (const close of closing) await close()
    }
  },
}))

function pathOfEndpoint(asked: AuthProvider): string {
  const { baseUrl, resourceUrl } = asked
  return baseUrl === undefined && resourceUrl === undefined ? '/mcp' : pathOf(resourceOf(asked)) || '/'
}

function challengeOf(asked: AuthProvider): Stand['challenge'] {
  const { authorizationServers, challengeScopes, requiredScopes = [] } = asked
  return {
    scopes: publicScopes(challengeScopes ?? requiredScopes),
    resourceMetadataUrl:
      authorizationServers === undefined ? undefined : protectedResourceUrl(resourceOf(asked)),
  }
}

async function read(response: Response): Promise<Answer> {
  const text = await response.text()
  const isJson = response.headers.get('content-type')?.startsWith('application/json') === true
  const value: unknown = isJson ? JSON.parse(text) : undefined
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  return {
    status: response.status,
    headers: response.headers,
    text,
    json: isObject ? (value as Readonly<Record<string, unknown>>) : undefined,
  }
}

// Each option of OIDCProxy does what is said of it, in front of an identity provider that describes itself; what is wrong is said before anything starts.
import { inspect } from 'node:util'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { OIDCProxy, type OIDCProxyOptions, StaticTokenVerifier } from 'express-mcp-auth'
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import type { Upstream, UpstreamTokens, UpstreamUser } from '../../lib/authorization-server/upstream.js'
import type { Reason } from '../../lib/protocol/claims.js'
import { STANDALONE } from '../../lib/verifiers/verifier.js'
import { SECRET } from '../support/authorization-server.js'
import { configErrorOf } from '../support/config-error.js'
import { type Json, createKey, createToken, jsonAnswer } from '../support/issuer.js'
import {
  CLIENT_ID,
  CLIENT_SECRET,
  REDIRECT_URI,
  TRIP,
  type TokenEndpoint,
  startTokenEndpoint,
} from '../support/token-endpoint.js'

const BASE = 'https://api.example.com'
const WELL_KNOWN = '/.well-known/openid-configuration'

let idp: TokenEndpoint
/** What it says of itself. */
let document: Json
beforeAll(async () => {
  idp = await startTokenEndpoint()
})
afterAll(() => idp.close())
beforeEach(() => {
  idp.answers.set('/keys', jsonAnswer({ keys: [idp.key.jwk] }))
  document = {
    issuer: idp.url,
    authorization_endpoint: `${idp.url}/authorize`,
    token_endpoint: `${idp.url}/token`,
    revocation_endpoint: `${idp.url}/revoke`,
    jwks_uri: `${idp.url}/keys`,
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['ES256'],
  }
  idp.answers.set(WELL_KNOWN, (request, response, body) => jsonAnswer(document)(request, response, body))
})

function create(options: Record<string, unknown> = {}): OIDCProxy {
  const good: OIDCProxyOptions = {
    configUrl: idp.url + WELL_KNOWN,
    clientId: CLIENT_ID,
    clientSecret: CLIENT_SECRET,
    baseUrl: BASE,
    secret: SECRET,
    store: new MemoryStore(),
    deps: idp.deps,
  }
  const given = { ...good, ...options }
  return new OIDCProxy(
    Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as never,
  )
}

function upstream(options?: Record<string, unknown>): Upstream {
  const made = create(options).authorizationServer.upstream
  if (made === undefined) throw new Error('nobody signs in elsewhere')
  return made
}

const sentTo = async (made: Upstream): Promise<URL> =>
  new URL(await made.authorizationUrl(TRIP, REDIRECT_URI))

/** An access token as the identity provider signs it. */
const accessToken = (claims: Json = {}, key = idp.key): string =>
  createToken(key, { iss: idp.url, sub: 'ada', aud: 'https://graph.example.com', ...claims })

/** Whose a token is, or why it is nobody's. */
async function whose(made: Upstream, tokens: UpstreamTokens): Promise<unknown> {
  const reasons: Reason[] = []
  const refuse = (reason: Reason): null => {
    reasons.push(reason)
    return null
  }
  const user = await made.identify(tokens, { scopes: [] }, undefined, { ...STANDALONE, refuse })
  return user?.subject ?? reasons.map(({ stage }) => stage)
}

describe('OIDCProxy', () => {
  it('is complete when it is made, and asks nobody until somebody comes', async () => {
    const asked = { count: 0 }
    idp.answers.set(WELL_KNOWN, (request, response, body) => {
      asked.count++
      jsonAnswer(document)(request, response, body)
    })
    const made = upstream()
    expect(made).toMatchObject({ name: new URL(idp.url).host, callbackPath: '/auth/callback' })
    expect(asked.count).toBe(0)
    await Promise.all([sentTo(made), sentTo(made)])
    await sentTo(made)
    expect(asked.count).toBe(1)
  })

  it('needs openid, without which there is no ID token, unless it is told what it needs', () => {
    expect(create().requiredScopes).toEqual(['openid'])
    expect(create({ requiredScopes: ['openid', 'use'] }).requiredScopes).toEqual(['openid', 'use'])
    expect(create({ requiredScopes: [] }).requiredScopes).toEqual([])
    const tokenVerifier = new StaticTokenVerifier({ tokens: ['a-token'], requiredScopes: ['use'] })
    expect(create({ tokenVerifier }).requiredScopes).toEqual(['use', 'openid'])
  })
})

it('X7 OIDCProxy prints nothing that is secret', () => {
  const clients = [
    { clientId: 'known', clientSecret: 'secret-of-the-client', redirectUris: ['https://a.example/cb'] },
  ]
  const made = create({ clients })
  const { keys } = made.authorizationServer
  const stored = keys.storageKeys().map((key) => [...key.subarray(0, 6)])
  const shown = { depth: 30, showHidden: true, maxArrayLength: null, maxStringLength: null }
  for (const text of [
    inspect(made, shown),
    inspect(made, { ...shown, customInspect: false }),
    JSON.stringify(made),
  ]) {
    for (const secret of [CLIENT_SECRET, SECRET, 'secret-of-the-client']) expect(text).not.toContain(secret)
    for (const key of stored) {
      expect(text).not.toContain(key.join(', '))
      expect(text).not.toContain(key.map((byte, index) => `"${index}":${byte}`).join(','))
    }
  }
})

describe('an option of OIDCProxy', () => {
  it('configUrl, clientId: where the document says that people sign in, and for whom', async () => {
    const url = await sentTo(upstream())
    expect(url.origin + url.pathname).toBe(`${idp.url}/authorize`)
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      client_id: CLIENT_ID,
      nonce: TRIP.nonce,
      scope: 'openid read',
    })
  })

  it('configUrl: its revocation endpoint takes tokens back', async () => {
    const before = idp.asked().length
    await upstream().revoke({ accessToken: 'a', refreshToken: 'b' })
    expect(
      idp
        .asked()
        .slice(before)
        .map(({ url }) => url),
    ).toEqual(['/revoke', '/revoke'])
  })

  it.each([
    [
      'lacks what the specification demands',
      { subject_types_supported: undefined },
      'lacks "subject_types_supported"',
    ],
    ['names another issuer', { issuer: 'https://elsewhere.example.com' }, 'names the issuer'],
  ])('strict: a document that %s is refused, and with false it is taken', async (_, change, words) => {
    document = { ...document, ...change }
    await expect(sentTo(upstream())).rejects.toThrow(words)
    await expect(sentTo(upstream())).rejects.toThrow('"strict: false"')
    expect((await sentTo(upstream({ strict: false }))).pathname).toBe('/authorize')
  })

  it('audience: asked for at both endpoints, and expected', async () => {
    const audience = 'https://api.example.com'
    const made = upstream({ audience })
    expect((await sentTo(made)).searchParams.get('audience')).toBe(audience)
    idp.answers.set('/token', jsonAnswer({ access_token: accessToken(), token_type: 'Bearer' }))
    await made.exchange(idp.callback(), TRIP, REDIRECT_URI, STANDALONE)
    expect(idp.form()).toMatchObject({ audience })
    expect(await whose(made, { accessToken: accessToken({ aud: audience }) })).toBe('ada')
    expect(await whose(made, { accessToken: accessToken({ aud: 'https://other.example.com' }) })).toEqual([
      'audience',
    ])
  })

  it('audience: without it any is taken, from the endpoint that gives tokens for our code alone', async () => {
    const made = upstream()
    expect((await sentTo(made)).searchParams.has('audience')).toBe(false)
    expect(await whose(made, { accessToken: accessToken() })).toBe('ada')
  })

  it('tokens of another issuer, of another key, or that ended are nobody’s', async () => {
    const made = upstream()
    const stranger = createKey('ES256', idp.key.kid)
    expect(await whose(made, { accessToken: accessToken({ iss: `${idp.url}/` }) })).toEqual(['issuer'])
    expect(await whose(made, { accessToken: accessToken({}, stranger) })).toEqual(['signature'])
    expect(await whose(made, { accessToken: accessToken({ exp: 1 }) })).toEqual(['expiry'])
  })

  it('K2 a token may be signed by a key that was published a moment after the keys were fetched', async () => {
    const made = upstream()
    expect(await whose(made, { accessToken: accessToken() })).toBe('ada')
    const next = createKey('ES256', 'next')
    idp.answers.set('/keys', jsonAnswer({ keys: [idp.key.jwk, next.jwk] }))
    expect(await whose(made, { accessToken: accessToken({}, next) })).toBe('ada')
  })

  it('K2 whose a token is cannot be said while its key is not published', async () => {
    const made = upstream()
    for (let time = 0; time < 2; time++)
      await expect(
        whose(made, { accessToken: accessToken({}, createKey('ES256', 'unborn')) }),
      ).rejects.toThrow('the key that the access token is signed with is not published: "unborn"')
    expect(await whose(made, { accessToken: accessToken() })).toBe('ada')
  })

  it.each<[claims: Json, granted: readonly string[]]>([
    [{ scope: 'read' }, ['read']],
    [{ scp: ['read', 'openid'] }, ['read']],
    [{ permissions: ['admin'] }, ['admin']],
    [{ scope: '' }, []],
    [{ scp: [] }, []],
    [{ permissions: [] }, []],
    [{}, ['read', 'admin']],
    [{ scope: null }, ['read', 'admin']],
  ])('P7 a token that says %j allows %j', async (claims, granted) => {
    const made = upstream()
    // Once more from what is remembered of it.
    const tokens = { accessToken: accessToken({ scope: undefined, ...claims }) }
    for (let time = 0; time < 3; time++) {
      const user = await made.identify(tokens, { scopes: [] }, undefined, STANDALONE)
      expect(made.granted(['read', 'admin'], tokens, user as UpstreamUser)).toEqual(granted)
    }
  })

  it('algorithm: no other is taken', async () => {
    expect(await whose(upstream({ algorithm: 'ES256' }), { accessToken: accessToken() })).toBe('ada')
    expect(await whose(upstream({ algorithm: 'RS256' }), { accessToken: accessToken() })).toEqual([
      'algorithm',
    ])
  })

  it('verifyIdToken: who signed in stands in the ID token, and access tokens may be anything', async () => {
    idp.answers.set(
      '/token',
      jsonAnswer({ access_token: 'opaque', token_type: 'Bearer', id_token: idp.idToken({ name: 'Ada' }) }),
    )
    const made = upstream({ verifyIdToken: true })
    const tokens = await made.exchange(idp.callback(), TRIP, REDIRECT_URI, STANDALONE)
    expect(await whose(made, tokens)).toBe('user-1')
    const unread = upstream()
    expect(await whose(unread, tokens)).toEqual(['format'])
  })

  it('tokenVerifier: decides by itself', async () => {
    const tokens = { opaque: { clientId: CLIENT_ID, subject: 'ada' } }
    const made = upstream({ tokenVerifier: new StaticTokenVerifier({ tokens }) })
    expect(await whose(made, { accessToken: 'opaque' })).toBe('ada')
    expect(await whose(made, { accessToken: accessToken() })).not.toBe('ada')
  })

  it('clientSecret: without it this app is a public client', async () => {
    idp.answers.set('/token', jsonAnswer({ access_token: accessToken(), token_type: 'Bearer' }))
    await upstream({ clientSecret: undefined }).exchange(idp.callback(), TRIP, REDIRECT_URI, STANDALONE)
    expect(idp.form()).toMatchObject({ client_id: CLIENT_ID })
    expect(idp.asked().at(-1)?.headers.authorization).toBeUndefined()
  })

  it('extraAuthorizeParams, extraTokenParams: an audience there is the one that is asked for', async () => {
    const more = { audience: 'two' }
    const made = upstream({ audience: 'one', extraAuthorizeParams: more, extraTokenParams: more })
    expect((await sentTo(made)).searchParams.get('audience')).toBe('two')
  })

  it.each(['validScopes', 'scopesSupported'])('%s: what clients may ask for', (name) => {
    const { scopesSupported } = create({ [name]: ['profile'] }).authorizationServer.settings
    expect(scopesSupported).toEqual(['openid', 'profile', 'offline_access'])
  })
})

describe('a document that is taken as it is', () => {
  it('and has no keys lets nobody in by a JWT, and says so to operators', async () => {
    document = { ...document, jwks_uri: undefined }
    const made = upstream({ strict: false })
    await expect(whose(made, { accessToken: accessToken() })).rejects.toThrow('jwks_uri')
  })

  it('and names no issuer lets nobody in by a JWT, and says so to operators', async () => {
    document = { ...document, issuer: undefined }
    const made = upstream({ strict: false })
    await expect(whose(made, { accessToken: accessToken() })).rejects.toThrow('issuer')
  })
})

describe('OIDCProxy refuses', () => {
  const aside = '"tokenVerifier", which decides by itself'
  const tokenVerifier = new StaticTokenVerifier({ tokens: ['a-token'] })
  const wrong: [string, Record<string, unknown>, string, string][] = [
    ['no document', { configUrl: undefined }, 'MISSING_OPTION', '"configUrl" is missing: write the URL that ends in'],
    ['M5 a document over http', { configUrl: 'http://idp.example.com/x' }, 'INSECURE_URL', '"configUrl" must be an https URL'],
    ['no client ID', { clientId: undefined }, 'MISSING_OPTION', '"clientId" is missing: register this app'],
    ['a blank audience', { audience: '' }, 'INVALID_OPTION', '"audience" must be a string that is not blank'],
    ['a list of audiences', { audience: ['a'] }, 'INVALID_OPTION', '"audience" must be a string'],
    ['an algorithm with a shared secret', { algorithm: 'HS256' }, 'UNKNOWN_OPTION', '"algorithm" has no "HS256"'],
    ['a slip of an algorithm', { algorithm: 'RS265' }, 'UNKNOWN_OPTION', 'Did you mean "'],
    ['strict by a text', { strict: 'no' }, 'INVALID_OPTION', '"strict" must be true or false'],
    ['verifyIdToken by a text', { verifyIdToken: 'yes' }, 'INVALID_OPTION', '"verifyIdToken" must be true or false'],
    ['an ID token beside a verifier', { tokenVerifier, verifyIdToken: true }, 'INVALID_OPTION', `"verifyIdToken" must be left out beside ${aside}`],
    ['an algorithm beside a verifier', { tokenVerifier, algorithm: 'ES256' }, 'INVALID_OPTION', `"algorithm" must be left out beside ${aside}`],
    ['an algorithm of access tokens where the ID token counts', { verifyIdToken: true, algorithm: 'ES256' }, 'INVALID_OPTION', '"algorithm" must be left out beside "verifyIdToken", which decides by itself'],
    ['a verifier that is none', { tokenVerifier: 'jwt' }, 'INVALID_PROVIDER', '"tokenVerifier" needs a provider'],
    ['an option of OAuthProxy', { upstreamClientId: 'a' }, 'UNKNOWN_OPTION', 'has no option "upstreamClientId"'],
    ['a slip', { verifyIDToken: true }, 'UNKNOWN_OPTION', 'Did you mean "verifyIdToken"?'],
    ['a word of Python', { config_url: 'https://a.example' }, 'UNKNOWN_OPTION', 'Did you mean "configUrl"?'],
  ] // prettier-ignore

  it.each(wrong)('%s', (_, options, code, words) => {
    expect(configErrorOf(() => create(options))).toEqual({
      code: `ERR_MCP_AUTH_${code}`,
      message: expect.stringContaining(words),
    })
  })

  it('nothing that is said by being false', () => {
    expect(create({ tokenVerifier, verifyIdToken: false }).baseUrl).toBe(BASE)
  })
})

// Each option of OAuthProxy does what is said of it, by our name and by FastMCP's; what is wrong is said before anything starts.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { OAuthProxy, type OAuthProxyOptions, StaticTokenVerifier } from 'express-mcp-auth'
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import type { Upstream, UpstreamTokens, UpstreamTrip } from '../../lib/authorization-server/upstream.js'
import { STANDALONE } from '../../lib/verifiers/verifier.js'
import { SECRET } from '../support/authorization-server.js'
import { configErrorOf } from '../support/config-error.js'
import { createKey, createToken, jsonAnswer } from '../support/issuer.js'
import {
  CLIENT_ID,
  CLIENT_SECRET,
  REDIRECT_URI,
  TRIP,
  type TokenEndpoint,
  startTokenEndpoint,
} from '../support/token-endpoint.js'

const BASE = 'https://api.example.com'
const ADA = 'token-of-ada'

let idp: TokenEndpoint
beforeAll(async () => {
  idp = await startTokenEndpoint()
})
afterAll(() => idp.close())
beforeEach(() => {
  idp.answers.set('/token', jsonAnswer({ access_token: ADA, token_type: 'Bearer', refresh_token: 'again' }))
})

const tokenVerifier = new StaticTokenVerifier({
  tokens: { [ADA]: { clientId: CLIENT_ID, subject: 'ada', claims: { name: 'Ada' } } },
})

/** Options that nothing is wrong with, but for what is given. */
function create(options: Record<string, unknown> = {}): OAuthProxy {
  const good: OAuthProxyOptions = {
    upstreamAuthorizationEndpoint: idp.endpoints.authorizationEndpoint,
    upstreamTokenEndpoint: idp.endpoints.tokenEndpoint,
    upstreamClientId: CLIENT_ID,
    upstreamClientSecret: CLIENT_SECRET,
    tokenVerifier,
    baseUrl: BASE,
    secret: SECRET,
    store: new MemoryStore(),
    deps: idp.deps,
  }
  const given = { ...good, ...options }
  return new OAuthProxy(
    Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as never,
  )
}

function upstreamOf(provider: OAuthProxy): Upstream {
  const { upstream } = provider.authorizationServer
  if (upstream === undefined) throw new Error('nobody signs in elsewhere')
  return upstream
}

const upstream = (options?: Record<string, unknown>): Upstream => upstreamOf(create(options))

/** Where a browser is sent. */
async function sentTo(options?: Record<string, unknown>, trip: Partial<UpstreamTrip> = {}): Promise<URL> {
  return new URL(await upstream(options).authorizationUrl({ ...TRIP, ...trip }, REDIRECT_URI))
}

const exchange = (
  options?: Record<string, unknown>,
  trip: Partial<UpstreamTrip> = {},
): Promise<UpstreamTokens> =>
  upstream(options).exchange(idp.callback(), { ...TRIP, ...trip }, REDIRECT_URI, STANDALONE)

const lastHeader = (name: string): unknown => idp.asked().at(-1)?.headers[name]

describe('OAuthProxy', () => {
  it('is complete when it is made, and names the host where people sign in', () => {
    const provider = create({ requiredScopes: ['read'], resourceName: 'Notes' })
    expect(provider).toMatchObject({
      baseUrl: BASE,
      resourceUrl: `${BASE}/mcp`,
      authorizationServers: [BASE],
      requiredScopes: ['read'],
      resourceDescription: { scopesSupported: ['read'], resourceName: 'Notes' },
      dangerouslyAllowInsecureHttp: false,
      notices: [],
    })
    expect(upstreamOf(provider)).toMatchObject({
      name: new URL(idp.url).host,
      callbackPath: '/auth/callback',
      forwardsResource: true,
      expiryThresholdSeconds: 30,
    })
  })

  it('claims tokens of its issuer, and none of the identity provider', () => {
    const token = createToken(createKey(), { iss: BASE })
    expect(create().claimsToken(token, { kind: 'jwt', issuer: BASE } as never)).toBe('mine')
    expect(create().claimsToken(token, { kind: 'jwt', issuer: idp.url } as never)).toBe('not mine')
    expect(create().claimsToken(ADA, { kind: 'opaque' } as never)).toBe('not mine')
  })

  it('tells one app at one identity provider from every other', () => {
    const realms = [
      upstream(),
      upstream({ upstreamClientId: 'another' }),
      upstream({ upstreamTokenEndpoint: 'https://other.example.com/token' }),
      upstream({ upstreamIssuer: 'https://login.example.com' }),
    ].map(({ realm }) => realm)
    expect(new Set(realms).size).toBe(4)
    expect(upstream({ secret: `another ${SECRET}`, upstreamClientSecret: 'another' }).realm).toBe(realms[0])
  })
})

describe('an option of OAuthProxy', () => {
  it('upstreamAuthorizationEndpoint, upstreamClientId: where a browser is sent, and for whom', async () => {
    const url = await sentTo({ upstreamAuthorizationEndpoint: `${idp.url}/authorize?policy=b2c` })
    expect(url.origin + url.pathname).toBe(`${idp.url}/authorize`)
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      policy: 'b2c',
      client_id: CLIENT_ID,
      redirect_uri: REDIRECT_URI,
      response_type: 'code',
      state: TRIP.state,
      code_challenge_method: 'S256',
    })
  })

  it('upstreamTokenEndpoint, upstreamClientSecret: where the code is exchanged, and by whom', async () => {
    expect(await exchange()).toMatchObject({ accessToken: ADA, refreshToken: 'again' })
    expect(idp.asked().at(-1)).toMatchObject({ method: 'POST', url: '/token' })
    expect(idp.form()).toEqual({
      grant_type: 'authorization_code',
      code: 'code-of-the-trip',
      redirect_uri: REDIRECT_URI,
      code_verifier: TRIP.verifier,
    })
    expect(lastHeader('authorization')).toMatch(/^Basic /)
  })

  it.each([
    ['client_secret_basic', CLIENT_SECRET, 'Basic', {}],
    ['client_secret_post', CLIENT_SECRET, undefined, { client_id: CLIENT_ID, client_secret: CLIENT_SECRET }],
    ['none', CLIENT_SECRET, undefined, { client_id: CLIENT_ID }],
    [undefined, undefined, undefined, { client_id: CLIENT_ID }],
  ])('tokenEndpointAuthMethod: %s with the secret %s', async (method, secret, scheme, form) => {
    await exchange({ tokenEndpointAuthMethod: method, upstreamClientSecret: secret })
    expect((lastHeader('authorization') as string | undefined)?.split(' ')[0]).toBe(scheme)
    const { client_id, client_secret } = idp.form()
    expect({ client_id, client_secret }).toEqual({ client_id: undefined, client_secret: undefined, ...form })
  })

  it('upstreamRevocationEndpoint: where tokens are given back, or nowhere', async () => {
    const tokens = { accessToken: ADA, refreshToken: 'again' }
    const before = idp.asked().length
    await upstream().revoke(tokens)
    expect(idp.asked().length).toBe(before)
    await upstream({ upstreamRevocationEndpoint: `${idp.url}/revoke` }).revoke(tokens)
    expect(
      idp
        .asked()
        .slice(before)
        .map(({ url }) => url),
    ).toEqual(['/revoke', '/revoke'])
    expect(idp.form()).toMatchObject({ token: ADA, token_type_hint: 'access_token' })
  })

  it('P3 upstreamIssuer: a response that names another is of somebody else; without it none is compared', async () => {
    const iss = 'https://elsewhere.example.com'
    const ask = (options: Record<string, unknown>): Promise<UpstreamTokens> =>
      upstream(options).exchange(idp.callback({ iss }), TRIP, REDIRECT_URI, STANDALONE)
    await expect(ask({ upstreamIssuer: idp.url })).rejects.toMatchObject({ code: 'invalid_response' })
    expect(await ask({})).toMatchObject({ accessToken: ADA })
    expect(await ask({ upstreamIssuer: iss })).toMatchObject({ accessToken: ADA })
  })

  it('tokenVerifier: says whose a token is, and what every request needs', async () => {
    const needs = new StaticTokenVerifier({
      tokens: { [ADA]: { clientId: CLIENT_ID, subject: 'ada', claims: { name: 'Ada' } } },
      requiredScopes: ['use'],
    })
    const provider = create({ tokenVerifier: needs, requiredScopes: ['read'] })
    expect(provider.requiredScopes).toEqual(['use', 'read'])
    const origin = { scopes: [] }
    const who = await upstreamOf(provider).identify({ accessToken: ADA }, origin, undefined, STANDALONE)
    expect(who).toMatchObject({ subject: 'ada', name: 'Ada' })
    expect(
      await upstreamOf(provider).identify({ accessToken: 'x' }, origin, undefined, STANDALONE),
    ).toBeNull()
  })

  it('tokenVerifier: one of an SDK is taken', async () => {
    const sdk = {
      verifyAccessToken: (token: string) =>
        Promise.resolve({ token, clientId: CLIENT_ID, scopes: [], extra: { sub: 'ada' }, expiresAt: 4e9 }),
    }
    expect(create({ tokenVerifier: sdk }).requiredScopes).toEqual([])
  })

  it.each([
    ['/oauth/back', '/oauth/back'],
    ['oauth/back', '/oauth/back'],
    [undefined, '/auth/callback'],
  ])('redirectPath: %s is %s', (redirectPath, path) => {
    expect(upstream({ redirectPath }).callbackPath).toBe(path)
  })

  it('forwardPkce: false sends neither challenge nor verifier', async () => {
    const url = await sentTo({ forwardPkce: false })
    expect([...url.searchParams.keys()]).not.toContain('code_challenge')
    await exchange({ forwardPkce: false })
    expect(idp.form()).not.toHaveProperty('code_verifier')
  })

  it('forwardResource: false tells nobody which resource it is', async () => {
    const resource = `${BASE}/mcp`
    expect((await sentTo({}, { resource })).searchParams.get('resource')).toBe(resource)
    await exchange({}, { resource })
    expect(idp.form()).toMatchObject({ resource })
    expect((await sentTo({ forwardResource: false }, { resource })).searchParams.has('resource')).toBe(false)
    await exchange({ forwardResource: false }, { resource })
    expect(idp.form()).not.toHaveProperty('resource')
  })

  it('extraAuthorizeParams, extraTokenParams: sent along, and nothing of the protocol gives way', async () => {
    const extraAuthorizeParams = {
      access_type: 'offline',
      prompt: 'consent',
    }
    const extraTokenParams = { tenant: 'one', grant_type: 'password', code: 'x' }
    const options = { extraAuthorizeParams, extraTokenParams }
    expect(Object.fromEntries((await sentTo(options)).searchParams)).toMatchObject({
      access_type: 'offline',
      prompt: 'consent',
      state: TRIP.state,
      redirect_uri: REDIRECT_URI,
    })
    const tokens = await exchange(options)
    expect(idp.form()).toMatchObject({
      tenant: 'one',
      grant_type: 'authorization_code',
      code: 'code-of-the-trip',
    })
    await upstream(options).refresh(tokens, { scopes: [] }, STANDALONE)
    expect(idp.form()).toMatchObject({ tenant: 'one', grant_type: 'refresh_token', refresh_token: 'again' })
  })

  it('fallbackAccessTokenExpirySeconds: the life of a token whose answer says none', async () => {
    expect((await exchange()).expiresAt).toBeUndefined()
    const fallback = { fallbackAccessTokenExpirySeconds: 90 }
    expect((await exchange(fallback)).expiresAt).toBe(idp.clock.now() + 90_000)
    idp.answers.set('/token', jsonAnswer({ access_token: ADA, token_type: 'Bearer', expires_in: 7 }))
    expect((await exchange(fallback)).expiresAt).toBe(idp.clock.now() + 7000)
  })

  it('tokenExpiryThresholdSeconds: so long before its end a token is renewed', () => {
    expect(upstream({ tokenExpiryThresholdSeconds: 5 }).expiryThresholdSeconds).toBe(5)
  })

  it('timeoutSeconds: one call takes no longer', async () => {
    const asked = new Promise<void>((resolve) => {
      idp.answers.set('/token', () => resolve())
    })
    const lost = exchange({ timeoutSeconds: 3 })
    await asked
    idp.clock.advance(4)
    await expect(lost).rejects.toThrow('no complete answer within 3 s')
  })

  it.each(['scope', 'state', 'redirect_uri', 'request'])(
    'extraAuthorizeParams: %s is decided by the protocol',
    (name) => {
      expect(configErrorOf(() => upstream({ extraAuthorizeParams: { [name]: 'x' } }))).toEqual({
        code: 'ERR_MCP_AUTH_INVALID_OPTION',
        message: `OAuthProxy: "extraAuthorizeParams" must be without "${name}", which the protocol decides`,
      })
    },
  )

  it('extraAuthorizeParams: what is changed afterwards changes nothing', async () => {
    const extraAuthorizeParams: Record<string, string> = { audience: 'one' }
    const made = upstream({ extraAuthorizeParams })
    extraAuthorizeParams['audience'] = 'two'
    expect(new URL(await made.authorizationUrl(TRIP, REDIRECT_URI)).searchParams.get('audience')).toBe('one')
  })
})

describe('consent', () => {
  it.each([
    ['consent', undefined, 'always'],
    ['consent', 'always', 'always'],
    ['consent', 'remember', 'remember'],
    ['consent', 'external', 'external'],
    ['consent', false, 'never'],
    ['requireAuthorizationConsent', true, 'always'],
    ['requireAuthorizationConsent', 'remember', 'remember'],
    ['requireAuthorizationConsent', 'external', 'external'],
    ['requireAuthorizationConsent', false, 'never'],
  ])('%s: %s is %s', (name, value, consent) => {
    expect(create({ [name]: value }).authorizationServer.settings.consent).toBe(consent)
  })

  it('that is not asked for is told as a danger', () => {
    const [danger, ...others] = create({ requireAuthorizationConsent: false }).notices
    expect(others).toEqual([])
    expect(danger).toMatchObject({ type: 'danger', option: 'consent' })
  })
})

describe('FastMCP’s name of an option', () => {
  const settingsOf = (options: Record<string, unknown>): Record<string, unknown> => ({
    ...create(options).authorizationServer.settings,
  })

  it.each<[string, unknown, string, unknown]>([
    ['validScopes', ['read', 'write'], 'scopesSupported', ['read', 'write', 'offline_access']],
    ['issuerUrl', `${BASE}/`, 'issuer', `${BASE}/`],
    [
      'serviceDocumentationUrl',
      'https://docs.example.com/a',
      'serviceDocumentation',
      'https://docs.example.com/a',
    ],
    ['enableCimd', false, 'documents', undefined],
    ['fastmcpAccessTokenExpirySeconds', 60, 'accessTokenSeconds', 60],
    ['fallbackRefreshTokenExpirySeconds', 6000, 'refreshTokenSeconds', 6000],
  ])('%s is taken', (name, value, setting, expected) => {
    expect(settingsOf({ [name]: value })[setting]).toEqual(expected)
  })

  it('enableCimd: true is what is so without it', () => {
    expect(settingsOf({ enableCimd: true })['documents']).toBeDefined()
  })

  it('clientStorage is the store', async () => {
    const clientStorage = new MemoryStore()
    const provider = create({ store: undefined, clientStorage })
    await provider.authorizationServer.sessions.put('key', { user: { subject: 'ada' }, signedInAt: 0 }, 4e12)
    expect(clientStorage.size).toBe(1)
  })

  it('jwtSigningKey is the secret', () => {
    const { keys } = create({ secret: undefined, jwtSigningKey: SECRET }).authorizationServer
    expect(keys.published).toEqual(create().authorizationServer.keys.published)
  })

  it.each([
    ['validScopes', ['a'], 'scopesSupported', ['a']],
    ['issuerUrl', BASE, 'issuer', BASE],
    ['serviceDocumentationUrl', BASE, 'serviceDocumentation', BASE],
    ['jwtSigningKey', SECRET, 'secret', SECRET],
    ['requireAuthorizationConsent', true, 'consent', 'always'],
    ['enableCimd', true, 'clientIdMetadataDocuments', true],
    ['fastmcpAccessTokenExpirySeconds', 60, 'accessTokenSeconds', 60],
    ['fallbackRefreshTokenExpirySeconds', 60, 'refreshTokenSeconds', 60],
  ])('%s beside ours is one too many, whichever comes first', (theirs, value, ours, same) => {
    const words = `OAuthProxy: "${theirs}" is FastMCP's name of "${ours}": write one of them`
    for (const options of [
      { [theirs]: value, [ours]: same },
      { [ours]: same, [theirs]: value },
    ]) {
      const both = { ...(ours === 'secret' ? {} : { secret: SECRET }), baseUrl: BASE, ...options }
      const error = configErrorOf(() => new OAuthProxy(both as never))
      expect(error).toEqual({ code: 'ERR_MCP_AUTH_INVALID_OPTION', message: words })
    }
  })

  it('that is undefined is not there', () => {
    expect(create({ jwtSigningKey: undefined, validScopes: undefined }).baseUrl).toBe(BASE)
  })
})

describe('OAuthProxy refuses', () => {
  const wrong: [string, Record<string, unknown>, string, string][] = [
    ['no authorization endpoint', { upstreamAuthorizationEndpoint: undefined }, 'MISSING_OPTION', '"upstreamAuthorizationEndpoint" is missing: write the URL'],
    ['no token endpoint', { upstreamTokenEndpoint: undefined }, 'MISSING_OPTION', '"upstreamTokenEndpoint" is missing: write the URL'],
    ['no client ID', { upstreamClientId: undefined }, 'MISSING_OPTION', '"upstreamClientId" is missing: register this app'],
    ['a blank client ID', { upstreamClientId: ' ' }, 'INVALID_OPTION', '"upstreamClientId" must be a string that is not blank'],
    ['a blank secret', { upstreamClientSecret: '' }, 'INVALID_OPTION', '"upstreamClientSecret" must be a string that is not blank'],
    ['no verifier', { tokenVerifier: undefined }, 'MISSING_OPTION', 'pass what checks upstream access tokens'],
    ['a verifier that verifies nothing', { tokenVerifier: {} }, 'INVALID_PROVIDER', '"tokenVerifier" needs a provider'],
    ['the class of a verifier', { tokenVerifier: StaticTokenVerifier }, 'INVALID_PROVIDER', 'call it, e.g. new StaticTokenVerifier('],
    ['no base URL', { baseUrl: undefined }, 'MISSING_OPTION', 'write the public URL of this app'],
    ['M5 http to the identity provider', { upstreamTokenEndpoint: 'http://idp.example.com/token' }, 'INSECURE_URL', '"upstreamTokenEndpoint" must be an https URL'],
    ['M5 a browser sent over http', { upstreamAuthorizationEndpoint: 'http://idp.example.com/a' }, 'INSECURE_URL', '"upstreamAuthorizationEndpoint" must be an https URL'],
    ['M5 tokens given back over http', { upstreamRevocationEndpoint: 'http://idp.example.com/r' }, 'INSECURE_URL', '"upstreamRevocationEndpoint" must be an https URL'],
    ['an issuer with a query', { upstreamIssuer: 'https://idp.example.com?a' }, 'INVALID_OPTION', '"upstreamIssuer" must not have a query'],
    ['a way to authenticate that is none', { tokenEndpointAuthMethod: 'private_key_jwt' }, 'INVALID_OPTION', 'client_secret_basic, client_secret_post or none'],
    ['a way to authenticate without a secret', { upstreamClientSecret: undefined, tokenEndpointAuthMethod: 'client_secret_post' }, 'INVALID_OPTION', 'none where there is no client secret'],
    ...['/token', '/Token', 'consent', '/connections', '/.well-known/jwks.json', '/.WELL-KNOWN/x', '/', '//a', '/a/../b', '/a b', '/a?b', '/a/', '/%61', 'https://a.example/b'].map(
      (redirectPath): [string, Record<string, unknown>, string, string] => [
        `the redirect path ${redirectPath}`, { redirectPath }, 'INVALID_OPTION', 'a path under "baseUrl" that nothing else is at',
      ],
    ),
    ['a redirect path that is the MCP endpoint', { redirectPath: '/MCP' }, 'INVALID_OPTION', `another path than that of the MCP endpoint, ${BASE}/mcp`],
    ['parameters that are no texts', { extraTokenParams: { a: 1 } }, 'INVALID_OPTION', '"extraTokenParams" must be an object of parameter names and texts'],
    ['parameters as a list', { extraAuthorizeParams: ['a'] }, 'INVALID_OPTION', '"extraAuthorizeParams" must be an object'],
    ['parameters as a text', { extraAuthorizeParams: 'a=b' }, 'INVALID_OPTION', '"extraAuthorizeParams" must be an object'],
    ['a flag that is a text', { forwardPkce: 'no' }, 'INVALID_OPTION', '"forwardPkce" must be true or false'],
    ['a flag that is a number', { forwardResource: 0 }, 'INVALID_OPTION', '"forwardResource" must be true or false'],
    ['seconds as text', { timeoutSeconds: '10' }, 'INVALID_OPTION', '"timeoutSeconds" must be a number of seconds'],
    ['seconds before now', { tokenExpiryThresholdSeconds: -1 }, 'INVALID_OPTION', '"tokenExpiryThresholdSeconds" must be a number of seconds'],
    ['a life that is no number', { fallbackAccessTokenExpirySeconds: Number.NaN }, 'INVALID_OPTION', '"fallbackAccessTokenExpirySeconds" must be a number of seconds'],
    ['consent by another word', { consent: 'never' }, 'INVALID_OPTION', '"always", "remember", "external" or false'],
    ['consent by another word of theirs', { requireAuthorizationConsent: 'no' }, 'INVALID_OPTION', '"always", "remember", "external" or false'],
    ['a short secret by their name', { secret: undefined, jwtSigningKey: 'short' }, 'WEAK_KEY', 'at least 32 bytes, not 5'],
    ['signIn, since people sign in elsewhere', { signIn: {} }, 'UNKNOWN_OPTION', 'has no option "signIn"'],
    ['an option of OIDCProxy', { configUrl: 'https://a.example' }, 'UNKNOWN_OPTION', 'has no option "configUrl"'],
    ['a word of Python', { upstream_client_id: 'a' }, 'UNKNOWN_OPTION', 'Did you mean "upstreamClientId"?'],
    ['a slip', { upstreamTokenEndPoint: 'https://a.example' }, 'UNKNOWN_OPTION', 'Did you mean "upstreamTokenEndpoint"?'],
    ['a slip in their name', { validScope: ['a'] }, 'UNKNOWN_OPTION', 'Did you mean "validScopes"?'],
    ['another slip in their name', { requireAuthorisationConsent: true }, 'UNKNOWN_OPTION', 'Did you mean "requireAuthorizationConsent"?'],
  ] // prettier-ignore

  it.each(wrong)('%s', (_, options, code, words) => {
    expect(configErrorOf(() => create(options))).toEqual({
      code: `ERR_MCP_AUTH_${code}`,
      message: expect.stringContaining(words),
    })
  })

  it.each([undefined, null, 'https://idp.example.com', []])('%j for options', (options) => {
    expect(configErrorOf(() => new OAuthProxy(options as never))).toEqual({
      code: 'ERR_MCP_AUTH_INVALID_OPTION',
      message: 'OAuthProxy takes an options object: new OAuthProxy({ … })',
    })
  })

  it('nothing that is http on a network that is said to be trusted', () => {
    const upstreamTokenEndpoint = 'http://idp.internal/token'
    const provider = create({ upstreamTokenEndpoint, dangerouslyAllowInsecureHttp: true })
    expect(provider.dangerouslyAllowInsecureHttp).toBe(true)
  })
})

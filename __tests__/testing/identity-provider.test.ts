// The identity provider of tests: what clients, apps and tests get of it, over real HTTP.
import { createServer } from 'node:http'
import { Client, StreamableHTTPClientTransport, UnauthorizedError } from '@modelcontextprotocol/client'
import { afterEach, describe, expect, it } from '@jest/globals'
import {
  IntrospectionTokenVerifier,
  JWTVerifier,
  type McpAuthOptions,
  type ProviderLike,
  RemoteAuthProvider,
  mcpAuth,
} from 'express-mcp-auth'
import {
  type TestIdentityProvider,
  type TestIdentityProviderOptions,
  signIn,
  startIdentityProvider,
  testClock,
} from 'express-mcp-auth/testing'
import { createLocalJWKSet, decodeJwt, decodeProtectedHeader, jwtVerify } from 'jose'
import { pkce, reservePort } from '../support/authorization-server.js'
import { startStub } from '../support/issuer.js'
import { type McpListener, statelessV2 } from '../support/mcp-servers.js'
import { HeadlessOAuthClient } from '../support/oauth-client.js'
import { startServer } from '../support/site.js'

const opened: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
})

async function start(options?: TestIdentityProviderOptions): Promise<TestIdentityProvider> {
  const idp = await startIdentityProvider(options)
  opened.push(idp.close)
  return idp
}

function guarded(
  provider: ProviderLike,
  handler?: McpListener,
  options: McpAuthOptions = {},
): Parameters<typeof startServer>[0] {
  const guard = mcpAuth(provider, { rateLimit: false, onEvent: () => undefined, ...options })
  return (request, response) => {
    guard(request, response, () => {
      if (handler === undefined) response.end('called')
      else void handler(request, response)
    })
  }
}

const basic = ({ clientId, clientSecret }: TestIdentityProvider): string =>
  `Basic ${Buffer.from(`${encodeURIComponent(clientId)}:${encodeURIComponent(clientSecret)}`).toString('base64')}`

interface Answered {
  readonly status: number
  readonly body: Record<string, unknown>
}

async function post(url: string, form: Record<string, string>, authorization?: string): Promise<Answered> {
  const response = await fetch(url, {
    method: 'POST',
    body: new URLSearchParams(form),
    ...(authorization !== undefined && { headers: { authorization } }),
  })
  const text = await response.text()
  return { status: response.status, body: (text === '' ? {} : JSON.parse(text)) as Record<string, unknown> }
}

const REDIRECT_URI = 'http://127.0.0.1:4000/auth/callback'

async function authorize(
  idp: TestIdentityProvider,
  more: Record<string, string> = {},
): Promise<{ back: URL; verifier: string }> {
  const { verifier, challenge } = pkce()
  const url = new URL(idp.authorizationEndpoint)
  url.search = new URLSearchParams({
    response_type: 'code',
    client_id: idp.clientId,
    redirect_uri: REDIRECT_URI,
    code_challenge: challenge,
    code_challenge_method: 'S256',
    state: 'a state',
    scope: 'openid notes:read',
    nonce: 'a nonce',
    ...more,
  }).toString()
  const response = await fetch(url, { redirect: 'manual' })
  expect(response.status).toBe(302)
  return { back: new URL(response.headers.get('location')!), verifier }
}

async function exchange(
  idp: TestIdentityProvider,
  more: Record<string, string> = {},
): Promise<Record<string, string>> {
  const { back, verifier } = await authorize(idp, more)
  const code = back.searchParams.get('code')!
  const form = { grant_type: 'authorization_code', code, code_verifier: verifier, redirect_uri: REDIRECT_URI }
  const { status, body } = await post(idp.tokenEndpoint, form, basic(idp))
  expect(status).toBe(200)
  return body as Record<string, string>
}

describe('startIdentityProvider', () => {
  it('serves an SDK client: it registers, signs in, calls tools, refreshes, all without a person', async () => {
    const idp = await start({ user: { subject: 'ada', claims: { roles: ['admin'] } } })
    const baseUrl = `http://127.0.0.1:${await reservePort()}`
    const provider = new RemoteAuthProvider({
      baseUrl,
      authorizationServers: [idp.issuer],
      tokenVerifier: new JWTVerifier({
        jwksUri: idp.jwksUri,
        issuer: idp.issuer,
        audience: `${baseUrl}/mcp`,
      }),
      requiredScopes: ['mcp:use'],
    })
    const server = await startServer(guarded(provider, statelessV2()), Number(new URL(baseUrl).port))
    opened.push(server.close)
    const authProvider = new HeadlessOAuthClient()
    const connect = async (): Promise<Client> => {
      const client = new Client({ name: 'client', version: '1.0.0' })
      const transport = new StreamableHTTPClientTransport(new URL(`${baseUrl}/mcp`), { authProvider })
      try {
        await client.connect(transport)
      } catch (error) {
        if (!(error instanceof UnauthorizedError)) throw error
        await transport.finishAuth(authProvider.callback)
        return connect()
      }
      opened.push(() => client.close())
      return client
    }

    const client = await connect()
    const { content } = await client.callTool({ name: 'whoami', arguments: {} })
    const { authInfo } = JSON.parse((content as { text: string }[])[0]!.text) as {
      authInfo: Record<string, unknown>
    }
    expect(authInfo).toMatchObject({
      scopes: ['mcp:use', 'offline_access'],
      subject: 'ada',
      issuer: idp.issuer,
      claims: { aud: `${baseUrl}/mcp`, roles: ['admin'] },
    })

    authProvider.saveTokens({ ...authProvider.tokens()!, access_token: 'expired' })
    await client.callTool({ name: 'whoami', arguments: {} })
    const forms = idp.requests.filter(({ path }) => path === '/token').map(({ form }) => form['grant_type'])
    expect(forms).toEqual(['authorization_code', 'refresh_token'])
  })

  it('describes itself at both well-known URLs, in the same words', async () => {
    const idp = await start({ scopes: ['notes:read'] })
    const [oauth, openid] = await Promise.all(
      [`${idp.url}/.well-known/oauth-authorization-server`, idp.configUrl].map(
        async (url) => (await (await fetch(url)).json()) as Record<string, unknown>,
      ),
    )
    expect(oauth).toEqual(openid)
    expect(oauth).toMatchObject({
      issuer: idp.issuer,
      authorization_endpoint: idp.authorizationEndpoint,
      token_endpoint: idp.tokenEndpoint,
      userinfo_endpoint: idp.userinfoEndpoint,
      revocation_endpoint: idp.revocationEndpoint,
      introspection_endpoint: idp.introspectionEndpoint,
      jwks_uri: idp.jwksUri,
      scopes_supported: ['openid', 'profile', 'email', 'offline_access', 'notes:read'],
      code_challenge_methods_supported: ['S256'],
      client_id_metadata_document_supported: true,
    })
  })

  it('gives the app that is registered access token, ID token with its nonce, and userinfo', async () => {
    const idp = await start()
    const { back } = await authorize(idp)
    expect(Object.fromEntries(back.searchParams)).toEqual({
      code: expect.any(String),
      state: 'a state',
      iss: idp.issuer,
    })
    const tokens = await exchange(idp, { resource: 'https://api.example.com/mcp' })
    expect(tokens).toMatchObject({ token_type: 'Bearer', expires_in: 3600, scope: 'openid notes:read' })
    expect(decodeProtectedHeader(tokens['access_token']!)).toMatchObject({ alg: 'RS256', typ: 'at+jwt' })
    expect(decodeJwt(tokens['access_token']!)).toMatchObject({
      iss: idp.issuer,
      aud: 'https://api.example.com/mcp',
      sub: 'test-user',
      client_id: 'test-client',
      scope: 'openid notes:read',
    })
    const keys = createLocalJWKSet((await (await fetch(idp.jwksUri)).json()) as never)
    const { payload } = await jwtVerify(tokens['id_token']!, keys, {
      issuer: idp.issuer,
      audience: 'test-client',
    })
    expect(payload).toMatchObject({ sub: 'test-user', nonce: 'a nonce', name: 'Test user' })
    const authorization = `Bearer ${tokens['access_token']}`
    const userinfo = await fetch(idp.userinfoEndpoint, { headers: { authorization } })
    expect(await userinfo.json()).toEqual({
      sub: 'test-user',
      name: 'Test user',
      email: 'test-user@example.com',
      email_verified: true,
    })
    expect((await fetch(idp.userinfoEndpoint)).status).toBe(401)
    expect((await fetch(`${idp.url}/elsewhere`)).status).toBe(404)
  })

  it('rotates refresh tokens, and ends the grant where one comes twice', async () => {
    const idp = await start()
    const { refresh_token: first } = await exchange(idp)
    const refresh = (token: string | undefined, more = {}): Promise<Answered> =>
      post(
        idp.tokenEndpoint,
        { grant_type: 'refresh_token', refresh_token: String(token), ...more },
        basic(idp),
      )
    const second = await refresh(first, { scope: 'openid' })
    expect([second.status, second.body['scope']]).toEqual([200, 'openid'])
    expect((await refresh(first)).body).toMatchObject({ error: 'invalid_grant' })
    expect((await refresh(second.body['refresh_token'] as string)).body).toMatchObject({
      error: 'invalid_grant',
    })
    const third = await exchange(idp)
    expect((await refresh(third['refresh_token'], { scope: 'more' })).body).toMatchObject({
      error: 'invalid_scope',
    })
  })

  it.each([
    ['without its secret', 401, 'invalid_client', {}, undefined],
    ['with another code', 400, 'invalid_grant', { code: 'another' }, 'basic'],
    ['with another verifier', 400, 'invalid_grant', { code_verifier: 'v'.repeat(43) }, 'basic'],
    ['with another redirect URI', 400, 'invalid_grant', { redirect_uri: 'http://127.0.0.1/else' }, 'basic'],
    ['for another kind of grant', 400, 'unsupported_grant_type', { grant_type: 'password' }, 'basic'],
    ['for none', 400, 'invalid_request', { grant_type: '' }, 'basic'],
  ])('refuses who asks for tokens %s', async (_how, status, error, more, auth) => {
    const idp = await start()
    const { back, verifier } = await authorize(idp)
    const form = {
      grant_type: 'authorization_code',
      code: back.searchParams.get('code')!,
      code_verifier: verifier,
      ...(auth === undefined && { client_id: idp.clientId }),
      ...more,
    }
    const answer = await post(idp.tokenEndpoint, form, auth && basic(idp))
    expect(answer).toMatchObject({ status, body: { error } })
  })

  it('takes a code once, and one that comes again ends what came of it', async () => {
    const idp = await start()
    const { back, verifier } = await authorize(idp)
    const form = {
      grant_type: 'authorization_code',
      code: back.searchParams.get('code')!,
      code_verifier: verifier,
    }
    const { body } = await post(idp.tokenEndpoint, form, basic(idp))
    expect(await post(idp.tokenEndpoint, form, basic(idp))).toMatchObject({
      status: 400,
      body: { error: 'invalid_grant' },
    })
    const token = String(body['access_token'])
    expect(await post(idp.introspectionEndpoint, { token }, basic(idp))).toMatchObject({
      body: { active: false },
    })
  })

  it('refuses a redirect URI that is not registered, and says what to do', async () => {
    const idp = await start()
    const url = new URL(idp.authorizationEndpoint)
    url.search = new URLSearchParams({
      client_id: idp.clientId,
      redirect_uri: 'https://api.example.com/auth/callback',
    }).toString()
    const response = await fetch(url, { redirect: 'manual' })
    expect(response.status).toBe(400)
    expect(await response.json()).toEqual({
      error: 'redirect_uri_mismatch',
      error_description:
        'This client did not register https://api.example.com/auth/callback: see the option redirectUris of startIdentityProvider',
    })
    const none = await fetch(`${idp.authorizationEndpoint}?client_id=nobody`, { redirect: 'manual' })
    expect(await none.json()).toMatchObject({ error: 'unknown_client' })
  })

  it('tells a client that asks without PKCE, and one whose user says no', async () => {
    const idp = await start()
    const { back } = await authorize(idp, { code_challenge: '' })
    expect(Object.fromEntries(back.searchParams)).toMatchObject({
      error: 'invalid_request',
      state: 'a state',
      iss: idp.issuer,
    })
    idp.user = undefined
    const { back: no } = await authorize(idp)
    expect(Object.fromEntries(no.searchParams)).toMatchObject({
      error: 'access_denied',
      state: 'a state',
      iss: idp.issuer,
    })
  })

  it('knows clients by the documents that describe them (CIMD)', async () => {
    const idp = await start()
    const documents = await startStub((_request, response) => {
      response.setHeader('content-type', 'application/json')
      response.end(
        JSON.stringify({ client_id: clientId, client_name: 'Described', redirect_uris: [REDIRECT_URI] }),
      )
    })
    opened.push(documents.close)
    const clientId = `${documents.url}/client.json`
    const { back } = await authorize(idp, { client_id: clientId })
    expect(back.searchParams.get('code')).toEqual(expect.any(String))
  })

  it('leaves out scopes that it does not know, where it was told which there are', async () => {
    const idp = await start({ scopes: ['notes:read'], audience: 'api' })
    const tokens = await exchange(idp, { scope: 'notes:read notes:write' })
    expect(tokens).toMatchObject({ scope: 'notes:read' })
    expect(tokens).not.toHaveProperty('id_token')
    expect(decodeJwt(tokens['access_token']!)).toMatchObject({ aud: 'api' })
  })

  it('issues tokens for the resource that a client names, at either endpoint, and for no other', async () => {
    const idp = await start()
    const [one, other] = ['https://one.example.com/mcp', 'https://other.example.com/mcp']
    const tokenFor = async (
      asked: Record<string, string>,
      named: Record<string, string>,
    ): Promise<unknown> => {
      const { back, verifier } = await authorize(idp, asked)
      const code = back.searchParams.get('code')!
      const form = { grant_type: 'authorization_code', code, code_verifier: verifier, ...named }
      const { body } = await post(idp.tokenEndpoint, form, basic(idp))
      return body['error'] ?? decodeJwt(String(body['access_token'])).aud
    }
    expect(await tokenFor({}, {})).toBe(idp.issuer)
    expect(await tokenFor({ resource: one }, {})).toBe(one)
    expect(await tokenFor({}, { resource: one })).toBe(one)
    expect(await tokenFor({ resource: one }, { resource: one })).toBe(one)
    expect(await tokenFor({ resource: one }, { resource: other })).toBe('invalid_target')
  })

  it('signs in whoever it is told to', async () => {
    const idp = await start()
    idp.user = { subject: 'grace', claims: { tenant: 7 } }
    const tokens = await exchange(idp)
    expect(decodeJwt(tokens['access_token']!)).toMatchObject({ sub: 'grace', tenant: 7 })
    expect(decodeJwt(tokens['id_token']!)).toMatchObject({ sub: 'grace', tenant: 7 })
  })

  it('gives apps tokens of their own (client credentials)', async () => {
    const idp = await start()
    const form = {
      grant_type: 'client_credentials',
      scope: 'openid notes:read',
      resource: 'https://api.example.com/mcp',
    }
    const { status, body } = await post(idp.tokenEndpoint, form, basic(idp))
    expect([status, body['refresh_token']]).toEqual([200, undefined])
    expect(decodeJwt(String(body['access_token']))).toMatchObject({
      sub: 'test-client',
      scope: 'notes:read',
      aud: 'https://api.example.com/mcp',
    })
  })

  it('makes tokens without any sign-in, and takes them back', async () => {
    const idp = await start()
    const audience = 'https://api.example.com/mcp'
    const token = idp.issueToken({
      subject: 'ada',
      audience,
      scopes: ['a'],
      clientId: 'desktop',
      expiresInSeconds: 60,
    })
    const verifier = new JWTVerifier({ jwksUri: idp.jwksUri, issuer: idp.issuer, audience })
    expect(await verifier.verifyToken(token)).toMatchObject({
      subject: 'ada',
      clientId: 'desktop',
      scopes: ['a'],
    })
    expect(decodeJwt(idp.issueToken())).toMatchObject({
      sub: 'test-user',
      aud: idp.issuer,
      client_id: 'test-client',
    })
    const asking = new IntrospectionTokenVerifier({
      introspectionUrl: idp.introspectionEndpoint,
      clientId: idp.clientId,
      clientSecret: idp.clientSecret,
      cacheTtlSeconds: 0,
    })
    expect(await asking.verifyToken(token)).toMatchObject({ subject: 'ada' })
    idp.revoke(token)
    expect(await asking.verifyToken(token)).toBeNull()
  })

  it('takes back a grant with its refresh token, at its endpoint', async () => {
    const idp = await start()
    const tokens = await exchange(idp)
    expect(await post(idp.revocationEndpoint, { token: tokens['refresh_token']! }, basic(idp))).toMatchObject(
      { status: 200 },
    )
    const form = { grant_type: 'refresh_token', refresh_token: tokens['refresh_token']! }
    expect((await post(idp.tokenEndpoint, form, basic(idp))).body).toMatchObject({ error: 'invalid_grant' })
    const headers = { authorization: `Bearer ${tokens['access_token']}` }
    expect((await fetch(idp.userinfoEndpoint, { headers })).status).toBe(401)
  })

  it('changes its key, and keeps the one before published unless it is withdrawn', async () => {
    const idp = await start()
    const published = async (): Promise<unknown[]> => {
      const { keys } = (await (await fetch(idp.jwksUri)).json()) as { keys: { kid: string }[] }
      return keys.map(({ kid }) => kid)
    }
    const [first] = await published()
    await idp.rotateKeys()
    const [second, ...before] = await published()
    expect(before).toEqual([first])
    expect(decodeProtectedHeader(idp.issueToken()).kid).toBe(second)
    await idp.rotateKeys({ withdraw: true })
    expect(await published()).toEqual([expect.not.stringMatching(`${String(first)}|${String(second)}`)])
  })

  it('breaks as it is told: an outage of its keys is 503 for callers, and passes', async () => {
    const idp = await start()
    const audience = 'https://api.example.com/mcp'
    const clock = testClock()
    const verifier = new JWTVerifier({ jwksUri: idp.jwksUri, issuer: idp.issuer, audience, deps: clock })
    const app = await startServer(guarded(verifier))
    opened.push(app.close)
    const call = async (): Promise<number> => {
      const headers = { authorization: `Bearer ${idp.issueToken({ audience })}` }
      return (await fetch(`${app.url}/mcp`, { headers })).status
    }
    idp.failWith('jwks', 500)
    expect(await call()).toBe(503)
    idp.failWith('jwks', 'reset')
    clock.advance(60)
    expect(await call()).toBe(503)
    idp.failWith('jwks')
    clock.advance(60)
    expect(await call()).toBe(200)

    idp.failWith('token', 'hang')
    const hanging = fetch(idp.tokenEndpoint, { method: 'POST', signal: AbortSignal.timeout(50) })
    await expect(hanging).rejects.toThrow(/timeout/)
  })

  it('has its time from a clock that the test moves', async () => {
    const clock = testClock(1_700_000_000_000)
    const idp = await start({ deps: clock, accessTokenSeconds: 60 })
    const token = idp.issueToken({ scopes: ['openid'] })
    expect(decodeJwt(token)).toMatchObject({ iat: 1_700_000_000, exp: 1_700_000_060 })
    const headers = { authorization: `Bearer ${token}` }
    expect((await fetch(idp.userinfoEndpoint, { headers })).status).toBe(200)
    clock.advance(60)
    expect((await fetch(idp.userinfoEndpoint, { headers })).status).toBe(401)
    idp.accessTokenSeconds = 30
    expect(decodeJwt(idp.issueToken())).toMatchObject({ exp: 1_700_000_090 })
  })

  it('notes what it was asked', async () => {
    const idp = await start()
    await exchange(idp)
    expect(idp.requests).toEqual([
      {
        method: 'GET',
        path: '/authorize',
        query: expect.objectContaining({ client_id: 'test-client', nonce: 'a nonce' }),
        authorization: undefined,
        form: {},
      },
      {
        method: 'POST',
        path: '/token',
        query: {},
        authorization: basic(idp),
        form: expect.objectContaining({ grant_type: 'authorization_code' }),
      },
    ])
  })

  it('listens where it is told, and fails where that is taken', async () => {
    const taken = createServer()
    await new Promise<void>((resolve) => {
      taken.listen(0, '127.0.0.1', resolve)
    })
    opened.push(() => new Promise((resolve) => taken.close(resolve)))
    const { port } = taken.address() as { port: number }
    await expect(startIdentityProvider({ port })).rejects.toThrow('EADDRINUSE')
    const free = await reservePort()
    expect((await start({ port: free })).url).toBe(`http://127.0.0.1:${free}`)
  })

  it('leaves nothing that answers once it is closed', async () => {
    const idp = await startIdentityProvider()
    await idp.close()
    await expect(fetch(idp.configUrl)).rejects.toThrow('fetch failed')
    await expect(signIn(idp.url)).rejects.toThrow(/^signIn stopped at the challenge: .*ECONNREFUSED/)
  })
})

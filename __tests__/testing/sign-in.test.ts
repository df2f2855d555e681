// signIn(): the whole way of a client against apps of every kind, and what it says where it stops.
import { createServer } from 'node:http'
import express from 'express'
import connect from 'connect'
import { afterEach, describe, expect, it } from '@jest/globals'
import {
  InMemoryOAuthProvider,
  IntrospectionTokenVerifier,
  OAuthProvider,
  type OAuthProviderOptions,
  OAuthProxy,
  OIDCProxy,
  type ProviderLike,
  RemoteAuthProvider,
  StaticTokenVerifier,
  getAccessToken,
  mcpAuth,
} from 'express-mcp-auth'
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import { type SignInOptions, signIn, startIdentityProvider } from 'express-mcp-auth/testing'
import { SECRET, reservePort } from '../support/authorization-server.js'
import { startServer } from '../support/site.js'

const opened: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
})

const BASE_URL = 'https://api.example.com'

function createApp(provider: ProviderLike): express.Express {
  const app = express()
  app.use(mcpAuth(provider, { rateLimit: false, onEvent: () => undefined }))
  app.all('/mcp', (_request, response) => {
    const { subject, scopes, upstream } = getAccessToken() ?? {}
    response.json({ subject, scopes, bridged: upstream !== undefined })
  })
  return app
}

type Idp = Awaited<ReturnType<typeof startIdentityProvider>>

async function startIdp(options?: Parameters<typeof startIdentityProvider>[0]): Promise<Idp> {
  const idp = await startIdentityProvider(options)
  opened.push(idp.close)
  return idp
}

const behind = (idp: Idp): RemoteAuthProvider =>
  new RemoteAuthProvider({
    baseUrl: BASE_URL,
    authorizationServers: [idp.issuer],
    jwksUri: idp.jwksUri,
    requiredScopes: ['mcp:use'],
  })

const accounts = (more: Partial<OAuthProviderOptions> = {}): OAuthProvider =>
  new OAuthProvider({
    baseUrl: BASE_URL,
    secret: SECRET,
    store: new MemoryStore(),
    scopesSupported: ['mcp:use', 'notes:write'],
    requiredScopes: ['mcp:use'],
    signIn: {
      verifyCredentials: (username, password) => (password === 'analytical' ? { subject: username } : null),
    },
    ...more,
  })

async function signedInTo(...how: Parameters<typeof signIn>): ReturnType<typeof signIn> {
  const signedIn = await signIn(...how)
  opened.push(signedIn.close)
  return signedIn
}

const ADA: SignInOptions = { username: 'ada', password: 'analytical' }

describe('signIn', () => {
  it('signs in at an authorization server elsewhere, at the public URL of an app that listens on this machine', async () => {
    const idp = await startIdp()
    const ada = await signedInTo(createApp(behind(idp)))
    expect(ada).toMatchObject({ scopes: ['mcp:use'], idToken: undefined, clientId: expect.any(String) })
    const response = await ada.request('/mcp')
    expect(await response.json()).toEqual({
      subject: 'test-user',
      scopes: ['mcp:use'],
      bridged: false,
    })
  })

  it('signs in through an OIDCProxy in front of an identity provider: our consent, its approval, and back', async () => {
    const idp = await startIdp({ redirectUris: [`${BASE_URL}/auth/callback`] })
    for (const verifyIdToken of [true, false]) {
      const proxy = new OIDCProxy({
        configUrl: idp.configUrl,
        clientId: idp.clientId,
        clientSecret: idp.clientSecret,
        baseUrl: BASE_URL,
        secret: SECRET,
        store: new MemoryStore(),
        verifyIdToken,
      })
      const ada = await signedInTo(createApp(proxy))
      const response = await ada.request('/mcp', { method: 'POST' })
      expect(await response.json()).toMatchObject({ subject: 'test-user', scopes: ['openid'], bridged: true })
      const next = await ada.refresh()
      expect(next.refreshToken).not.toBe(ada.refreshToken)
      expect((await next.request()).status).toBe(200)
    }
  })

  it('signs in through an OAuthProxy that is told every endpoint, with a client that describes itself', async () => {
    const idp = await startIdp()
    const documents = await startServer((_request, response) => {
      const document = { client_id: clientId, client_name: 'Described', redirect_uris: [redirectUri] }
      response.setHeader('content-type', 'application/json').end(JSON.stringify(document))
    })
    opened.push(documents.close)
    const clientId = `${documents.url}/client.json`
    const redirectUri = 'http://127.0.0.1/described'
    const baseUrl = `http://127.0.0.1:${await reservePort()}`
    const proxy = new OAuthProxy({
      upstreamAuthorizationEndpoint: idp.authorizationEndpoint,
      upstreamTokenEndpoint: idp.tokenEndpoint,
      upstreamRevocationEndpoint: idp.revocationEndpoint,
      upstreamClientId: idp.clientId,
      upstreamClientSecret: idp.clientSecret,
      tokenVerifier: new IntrospectionTokenVerifier({
        introspectionUrl: idp.introspectionEndpoint,
        clientId: idp.clientId,
        clientSecret: idp.clientSecret,
      }),
      baseUrl,
      secret: SECRET,
      store: new MemoryStore(),
    })
    const ada = await signedInTo(createApp(proxy), { clientId, redirectUri })
    expect(ada.clientId).toBe(clientId)
    expect(await (await ada.request()).json()).toMatchObject({ subject: 'test-user', bridged: true })
  })

  it('fills in the pages of OAuthProvider, with cookies', async () => {
    const ada = await signedInTo(createApp(accounts()), { ...ADA, scopes: ['mcp:use', 'notes:write'] })
    expect(ada.scopes).toEqual(['mcp:use', 'notes:write'])
    expect(await (await ada.request()).json()).toMatchObject({ subject: 'ada' })
    const next = await ada.refresh()
    expect(next.accessToken).not.toBe(ada.accessToken)
    expect((await next.request('/mcp', { headers: { authorization: 'Bearer other' } })).status).toBe(401)
  })

  it('fills in pages of the app, as the test says', async () => {
    const app = express()
    const sessions = new Set<string>()
    const provider = accounts({
      signIn: {
        currentUser: ({ headers }) =>
          sessions.has(/\bsid=1\b/.exec(String(headers['cookie']))?.[0] ?? '') ? { subject: 'ada' } : null,
        loginUrl: (returnTo) => `/login?returnTo=${encodeURIComponent(returnTo)}`,
      },
      consent: false,
    })
    app.get('/login', (request, response) => {
      const { returnTo = '' } = request.query as Record<string, string>
      const to = returnTo.replaceAll('&', '&amp;')
      response.send(
        `<form action='/enter'><input type=hidden name=to value="${to}"><select name="who"></select><input type="checkbox" name="a">` +
          '<input type="checkbox" name="b" checked><input type=submit name=go value=Go></form>',
      )
    })
    app.get('/enter', (request, response) => {
      const { to = '', who, a, b, go } = request.query as Record<string, string>
      if (JSON.stringify({ who, a, b, go }) !== '{"who":"ada","b":"on"}') throw new Error('other fields')
      sessions.add('sid=1')
      response.cookie('gone', 'x').clearCookie('gone').cookie('sid', '1')
      response.redirect(to)
    })
    app.use(createApp(provider))
    const fill: SignInOptions['fill'] = (form) => (form.names.includes('who') ? { who: 'ada' } : undefined)
    const ada = await signedInTo(app, { fill, redirectUri: 'http://127.0.0.1:1/back' })
    expect(await (await ada.request()).json()).toMatchObject({ subject: 'ada' })
  })

  it('takes apps of connect and node, servers that listen or not, and URLs', async () => {
    const idp = await startIdp()
    const port = await reservePort()
    const local = new InMemoryOAuthProvider({ baseUrl: `http://127.0.0.1:${port}` })
    const remote = behind(idp)
    const listening = await startServer(createApp(local), port)
    opened.push(listening.close)
    const anyAddress = createServer(createApp(remote))
    await new Promise<void>((resolve) => {
      anyAddress.listen(0, resolve)
    })
    opened.push(() => new Promise((resolve) => anyAddress.close(resolve).closeAllConnections()))
    const guard = mcpAuth(remote, { rateLimit: false, onEvent: () => undefined })
    const apps = [
      connect()
        .use(guard)
        .use((_request, response) => response.end('called')),
      createServer(createApp(remote)),
      anyAddress,
      listening.url,
      new URL(listening.url),
    ]
    for (const app of apps) {
      const ada = await signedInTo(app)
      expect((await ada.request('/mcp')).status).toBe(200)
    }
    expect((await fetch(`${listening.url}/mcp`)).status).toBe(401)
  })

  it('stops what it started, and nothing else', async () => {
    const server = createServer(createApp(behind(await startIdp())))
    const ada = await signIn(server)
    expect(server.listening).toBe(true)
    await ada.close()
    expect(server.listening).toBe(false)
    const bare = createServer((_request, response) => void response.end())
    await expect(signIn(bare)).rejects.toThrow('signIn stopped at the challenge')
    expect(bare.listening).toBe(false)
  })

  it('uses the client that it is given, by whatever method the server knows', async () => {
    const clients = [{ clientId: 'app', clientSecret: 's e/c', redirectUris: ['http://127.0.0.1/callback'] }]
    for (const clientMetadata of [
      undefined,
      { token_endpoint_auth_method: 'client_secret_post' },
      { token_endpoint_auth_method: 'client_secret_basic' },
    ]) {
      const client =
        clientMetadata === undefined ? { clientId: 'app', clientSecret: 's e/c' } : { clientMetadata }
      const ada = await signedInTo(createApp(accounts({ clients })), { ...ADA, ...client })
      expect(ada.clientId === 'app').toBe(clientMetadata === undefined)
      expect((await ada.request()).status).toBe(200)
    }
  })
})

/** A server of which a test changes the answers. */
interface Odd {
  readonly challenge?: string
  readonly metadata?: unknown
  readonly server?: Record<string, unknown>
  readonly registration?: readonly [number, string]
  readonly back?: Record<string, string>
  readonly page?: string
  readonly token?: readonly [number, string]
}

async function startOdd(odd: Odd): Promise<string> {
  const app = express()
  const { url, close } = await startServer(app)
  opened.push(close)
  app.post('/mcp', (_request, response) => {
    const header =
      odd.challenge ?? `Bearer resource_metadata="${url}/.well-known/oauth-protected-resource/mcp"`
    response.status(401).set('WWW-Authenticate', header).end()
  })
  app.get('/.well-known/oauth-protected-resource/mcp', (_request, response) => {
    response.json(
      odd.metadata ?? { resource: `${url}/mcp`, authorization_servers: [url], scopes_supported: ['a'] },
    )
  })
  app.get('/.well-known/openid-configuration', (_request, response) => {
    const endpoints = { authorization_endpoint: `${url}/authorize`, token_endpoint: `${url}/token` }
    response.json({ issuer: url, ...endpoints, registration_endpoint: `${url}/register`, ...odd.server })
  })
  app.post('/register', (_request, response) => {
    const [status, text] = odd.registration ?? [201, '{"client_id":"app","client_secret":"secret"}']
    response.status(status).type('json').send(text)
  })
  app.all('/authorize', (request, response) => {
    if (odd.page !== undefined) {
      response.send(odd.page)
      return
    }
    const { redirect_uri: to, state = '' } = request.query as Record<string, string>
    const query = new URLSearchParams(odd.back ?? { state, code: 'a code' })
    response.redirect(`${to}?${query}`)
  })
  app.post('/token', (_request, response) => {
    const [status, text] = odd.token ?? [200, '{"access_token":"a token"}']
    response.status(status).type('json').send(text)
  })
  return url
}

describe('signIn says at which step it stopped, and what came', () => {
  const rejection = async (app: Parameters<typeof signIn>[0], options?: SignInOptions): Promise<unknown> =>
    signIn(app, options).then(
      async ({ close }) => close().then(() => 'signed in'),
      (error: unknown) => [(error as { step: string }).step, (error as Error).message],
    )

  it('an app without a guard, without discovery, without an authorization server', async () => {
    expect(await rejection((_request, response) => response.end('hello'))).toEqual([
      'challenge',
      'signIn stopped at the challenge: 401 was expected without a token, and 200 hello came',
    ])
    expect(await rejection(createApp(new StaticTokenVerifier({ tokens: ['a'] })))).toEqual([
      'challenge',
      'signIn stopped at the challenge: it names no "resource_metadata", so that clients cannot find out where to sign in: Bearer',
    ])
    const idp = await startIdp()
    const app = createApp(behind(idp))
    idp.failWith('discovery', 500)
    expect(await rejection(app)).toEqual([
      'server metadata',
      expect.stringContaining(
        `${idp.issuer}/.well-known/oauth-authorization-server: 500 {"error":"server_error"`,
      ),
    ])
    await idp.close()
    expect(await rejection(app)).toEqual([
      'server metadata',
      expect.stringMatching(/^signIn stopped at the server metadata: .* cannot be reached: .*ECONNREFUSED/),
    ])
  })

  it('people who say no, wrong passwords, and none', async () => {
    const idp = await startIdp({ user: undefined } as never)
    expect(await rejection(createApp(behind(idp)))).toEqual([
      'callback',
      'signIn stopped at the callback: the answer is access_denied (The user said no)',
    ])
    expect(await rejection(createApp(accounts()))).toEqual([
      'authorization',
      expect.stringMatching(
        /\/sign-in \(200\) asks for a name and a password: pass "username" and "password"/,
      ),
    ])
    expect(await rejection(createApp(accounts()), { ...ADA, password: 'wrong' })).toEqual([
      'authorization',
      expect.stringMatching(/\/sign-in \(\d+\) asks again, so it did not take the answer: Sign in/),
    ])
  })

  it('redirect URIs that an identity provider does not know', async () => {
    const idp = await startIdp()
    const proxy = new OIDCProxy({
      configUrl: idp.configUrl,
      clientId: idp.clientId,
      clientSecret: idp.clientSecret,
      baseUrl: BASE_URL,
      secret: SECRET,
      store: new MemoryStore(),
    })
    expect(await rejection(createApp(proxy))).toEqual([
      'authorization',
      expect.stringContaining('see the option redirectUris of startIdentityProvider'),
    ])
  })

  it.each<readonly [string, string, Odd]>([
    ['challenge', 'no WWW-Authenticate', { challenge: '' }],
    [
      'resource metadata',
      '"resource" of .* is "https://other.example.com/x"',
      { metadata: { resource: 'https://other.example.com/x' } },
    ],
    ['resource metadata', '.* answers 200 \\[\\]', { metadata: [] }],
    [
      'resource metadata',
      'names no "authorization_servers"',
      { metadata: { resource: 'https://api.example.com/mcp' } },
    ],
    [
      'server metadata',
      'is of the issuer "https://other.example.com"',
      { server: { issuer: 'https://other.example.com' } },
    ],
    [
      'registration',
      'has no "registration_endpoint": pass "clientId"',
      { server: { registration_endpoint: null } },
    ],
    ['registration', '429 slow down', { registration: [429, 'slow down'] }],
    ['authorization', 'has no "authorization_endpoint"', { server: { authorization_endpoint: 1 } }],
    [
      'authorization',
      'http://127.0.0.1:1/a cannot be reached',
      { server: { authorization_endpoint: 'http://127.0.0.1:1/a' } },
    ],
    [
      'authorization',
      'leads nowhere: Hello & welcome A A',
      { page: '<h1>Hello &amp; welcome &#65; &#x41;</h1><script>1</script>' },
    ],
    ['authorization', 'no answer to: pass "fill"', { page: '<form><input name="otp"></form>' }],
    ['callback', 'is server_error$', { back: { error: 'server_error' } }],
    ['callback', 'another "state"', { back: { state: 'x', code: 'y' } }],
    ['token', 'has no "token_endpoint"', { server: { token_endpoint: undefined } }],
    ['token', '400 \\{"error":"invalid_grant"\\}', { token: [400, '{"error":"invalid_grant"}'] }],
    ['token', '200 \\[\\]', { token: [200, '[]'] }],
    ['callback', '"iss" is null', { server: { authorization_response_iss_parameter_supported: true } }],
  ])('%s: %s', async (step, words, odd) => {
    const url = await startOdd(odd)
    expect(await rejection(url)).toEqual([step, expect.stringMatching(new RegExp(words))])
  })

  it('an answer without a code, and what is not said in an answer is as it was asked', async () => {
    const url = await startOdd({})
    const ada = await signedInTo(url)
    expect(ada).toMatchObject({ accessToken: 'a token', refreshToken: undefined, scopes: ['a'] })
    await expect(ada.refresh()).rejects.toThrow('signIn stopped at the token: there is no refresh token')
    const post = await startOdd({ server: { token_endpoint_auth_methods_supported: ['client_secret_post'] } })
    expect(await signedInTo(post, { clientId: 'app', clientSecret: 'secret' })).toMatchObject({
      clientId: 'app',
    })
    expect(await signedInTo(post, { clientId: 'app' })).toMatchObject({ clientId: 'app' })
  })
})

// The double of a company's identity provider, proved by itself: what tests of the proxy rely on is true without the proxy.
import { afterAll, afterEach, describe, expect, it } from '@jest/globals'
import { createRemoteJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import type { Browser as Chromium } from 'playwright-core'
import { pkce } from '../support/authorization-server.js'
import { Browser } from '../support/browser-session.js'
import { openBrowser } from '../support/browser.js'
import {
  type IdentityProviderOptions,
  type TestIdentityProvider,
  signInAt,
  startIdentityProvider,
} from '../support/identity-provider.js'

const REDIRECT_URI = 'https://app.example.com/auth/callback'

const opened: TestIdentityProvider[] = []
afterEach(async () => {
  for (const each of opened.splice(0)) await each.close()
})

async function open(options: Partial<IdentityProviderOptions> = {}): Promise<TestIdentityProvider> {
  const idp = await startIdentityProvider({ redirectUri: REDIRECT_URI, scopes: ['mcp:use'], ...options })
  opened.push(idp)
  return idp
}

type Params = Readonly<Record<string, string>>

function beginning(idp: TestIdentityProvider, more: Params = {}): URL {
  const url = new URL(idp.authorizationEndpoint)
  const params = {
    response_type: 'code',
    client_id: idp.clientId,
    redirect_uri: idp.redirectUri,
    scope: 'openid profile email mcp:use',
    state: 'the-state',
    ...more,
  }
  url.search = new URLSearchParams(params).toString()
  return url
}

/** Through the pages, in a new browser. */
async function codeFor(
  idp: TestIdentityProvider,
  more: Params = {},
  browser = new Browser(),
): Promise<string> {
  const back = await signInAt(browser, beginning(idp, more), 'ada', { destination: idp.redirectUri })
  return back.searchParams.get('code') ?? `no code: ${back.href}`
}

interface Answer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

async function post(idp: TestIdentityProvider, url: string, form: Params): Promise<Answer> {
  const basic = [idp.clientId, idp.clientSecret].map((each) => encodeURIComponent(each)).join(':')
  const headers = { authorization: `Basic ${Buffer.from(basic).toString('base64')}` }
  const response = await fetch(url, { method: 'POST', headers, body: new URLSearchParams(form) })
  const text = await response.text()
  return { status: response.status, body: text === '' ? {} : (JSON.parse(text) as Answer['body']) }
}

function redeem(idp: TestIdentityProvider, code: string, more: Params = {}): Promise<Answer> {
  const form = { grant_type: 'authorization_code', code, redirect_uri: idp.redirectUri, ...more }
  return post(idp, idp.tokenEndpoint, form)
}

function refresh(idp: TestIdentityProvider, token: unknown): Promise<Answer> {
  return post(idp, idp.tokenEndpoint, { grant_type: 'refresh_token', refresh_token: String(token) })
}

async function tokensOf(
  idp: TestIdentityProvider,
  more: Params = {},
  browser = new Browser(),
): Promise<Answer> {
  return redeem(idp, await codeFor(idp, more, browser))
}

async function userinfo(idp: TestIdentityProvider, token: unknown): Promise<Answer> {
  const response = await fetch(idp.userinfoEndpoint, {
    headers: { authorization: `Bearer ${String(token)}` },
  })
  return { status: response.status, body: (await response.json()) as Answer['body'] }
}

/** The claims of a JWT of the identity provider, whose keys are asked for anew. */
async function claimsOf(
  idp: TestIdentityProvider,
  token: unknown,
): Promise<Readonly<Record<string, unknown>>> {
  const keys = createRemoteJWKSet(new URL(idp.jwksUri))
  const { payload } = await jwtVerify(String(token), keys, { issuer: idp.issuer, algorithms: ['RS256'] })
  return payload
}

async function refusalOf(idp: TestIdentityProvider, more: Params): Promise<string | null> {
  const response = await new Browser().request(beginning(idp, more))
  const location = response.headers.get('location')
  return location === null ? null : new URL(location).searchParams.get('error')
}

const invalidGrant = { status: 400, body: expect.objectContaining({ error: 'invalid_grant' }) }

describe('sign-in', () => {
  it('is a code flow with PKCE and nonce through the pages', async () => {
    const idp = await open()
    const { verifier, challenge } = pkce()
    const url = beginning(idp, { code_challenge: challenge, code_challenge_method: 'S256', nonce: 'a-nonce' })
    const back = await signInAt(new Browser(), url, 'ada', { destination: REDIRECT_URI })
    expect(back.searchParams.get('state')).toBe('the-state')
    expect(back.searchParams.get('iss')).toBe(idp.issuer)
    const code = back.searchParams.get('code') ?? ''
    const answer = await redeem(idp, code, { code_verifier: verifier })
    expect(answer).toEqual({
      status: 200,
      body: {
        access_token: expect.any(String),
        refresh_token: expect.any(String),
        id_token: expect.any(String),
        token_type: 'Bearer',
        expires_in: 3600,
        scope: 'openid profile email mcp:use',
      },
    })
    expect(await claimsOf(idp, answer.body['id_token'])).toMatchObject({
      sub: 'idp|ada',
      aud: idp.clientId,
      nonce: 'a-nonce',
      name: 'Ada Lovelace',
      email: 'ada@example.com',
    })
    expect(await redeem(idp, code, { code_verifier: verifier })).toEqual(invalidGrant)
  })

  it('refuses a code without the verifier of its challenge', async () => {
    const idp = await open()
    const more = { code_challenge: pkce().challenge, code_challenge_method: 'S256' }
    expect(await redeem(idp, await codeFor(idp, more), { code_verifier: pkce().verifier })).toEqual(
      invalidGrant,
    )
    expect(await redeem(idp, await codeFor(idp, more))).toEqual(invalidGrant)
  })

  it('asks for PKCE where that is wanted', async () => {
    const idp = await open({ requirePkce: true })
    expect(await refusalOf(idp, {})).toBe('invalid_request')
  })

  it('sends people back with access_denied who say no', async () => {
    const idp = await open()
    const how = { destination: REDIRECT_URI, consent: false }
    const back = await signInAt(new Browser(), beginning(idp), 'ada', how)
    expect(Object.fromEntries(back.searchParams)).toEqual({
      error: 'access_denied',
      error_description: 'the person said no',
      state: 'the-state',
      iss: idp.issuer,
    })
  })

  it('shows the page again after a wrong password', async () => {
    const idp = await open()
    const browser = new Browser()
    const page = await browser.go(beginning(idp), REDIRECT_URI)
    const again = await browser.go(page.url, REDIRECT_URI, { login: 'ada', password: 'wrong' })
    expect(again.status).toBe(401)
    expect(again.html).toContain('<p role="alert">Wrong login or password.</p>')
    expect((await signInAt(browser, again.url, 'ada', { destination: REDIRECT_URI })).href).toContain('code=')
  })

  it('remembers who is signed in and what they allowed, until sessions are ended', async () => {
    const idp = await open()
    const browser = new Browser()
    const first = await tokensOf(idp, {}, browser)
    const silent = await browser.go(beginning(idp), REDIRECT_URI)
    expect(silent.url.href).toContain(`${REDIRECT_URI}?code=`)
    idp.endSessions()
    expect((await browser.go(beginning(idp), REDIRECT_URI)).html).toContain('name="password"')
    expect(await refresh(idp, first.body['refresh_token'])).toEqual(invalidGrant)
  })

  it('says what went wrong where a page does not lead to the destination', async () => {
    const idp = await open()
    const url = beginning(idp, { redirect_uri: 'https://elsewhere.example/cb' })
    await expect(signInAt(new Browser(), url, 'ada', { destination: REDIRECT_URI })).rejects.toThrow(
      'invalid_redirect_uri',
    )
  })

  it('knows a redirect URI from the moment it is told', async () => {
    const idp = await open()
    idp.redirectUri = 'http://127.0.0.1:4711/auth/callback'
    expect((await tokensOf(idp)).status).toBe(200)
  })

  it('is for whoever types, under the name that other pages have for it', async () => {
    const idp = await open()
    const back = await new Browser().grant(beginning(idp), REDIRECT_URI, 'grace')
    const { body } = await redeem(idp, back.searchParams.get('code') ?? '')
    expect(await claimsOf(idp, body['id_token'])).toMatchObject({ sub: 'idp|grace' })
  })

  it('is another site at localhost', async () => {
    const idp = await open({ hostname: 'localhost' })
    expect(idp.issuer).toMatch(/^http:\/\/localhost:\d+$/)
    expect((await tokensOf(idp)).status).toBe(200)
  })
})

describe('clients', () => {
  const SECRET = 'a secret of a client'

  it('is known by its configuration', async () => {
    const idp = await open({ clientAuth: 'client_secret_post' })
    const found = (await (await fetch(idp.configUrl)).json()) as Record<string, unknown>
    expect(found).toMatchObject({
      issuer: idp.issuer,
      authorization_endpoint: idp.authorizationEndpoint,
      token_endpoint: idp.tokenEndpoint,
      revocation_endpoint: idp.revocationEndpoint,
      introspection_endpoint: idp.introspectionEndpoint,
      userinfo_endpoint: idp.userinfoEndpoint,
      jwks_uri: idp.jwksUri,
      token_endpoint_auth_methods_supported: ['client_secret_post'],
    })
    expect(found).not.toHaveProperty('registration_endpoint')
  })

  it.each([
    ['client_secret_basic', ''],
    ['client_secret_post', ''],
    ['none', 'client_secret_post'],
  ] as const)('authenticates by %s and by nothing else', async (clientAuth, ignored) => {
    const idp = await open({ clientAuth, clientSecret: SECRET })
    const { verifier, challenge } = pkce()
    const code = await codeFor(idp, { code_challenge: challenge, code_challenge_method: 'S256' })
    const ways = {
      client_secret_basic: {
        authorization: `Basic ${btoa(`${idp.clientId}:${SECRET.replaceAll(' ', '+')}`)}`,
      },
      client_secret_post: { client_id: idp.clientId, client_secret: SECRET },
      none: { client_id: idp.clientId },
    }
    const send = async (way: keyof typeof ways): Promise<number> => {
      const { authorization, ...more } = ways[way] as Record<string, string>
      const form = {
        grant_type: 'authorization_code',
        code,
        redirect_uri: REDIRECT_URI,
        code_verifier: verifier,
      }
      const response = await fetch(idp.tokenEndpoint, {
        method: 'POST',
        headers: { ...(authorization !== undefined && { authorization }) },
        body: new URLSearchParams({ ...form, ...more }),
      })
      return response.status
    }
    const others = Object.keys(ways).filter((way) => way !== clientAuth && way !== ignored)
    for (const way of others) expect([400, 401]).toContain(await send(way as keyof typeof ways))
    expect(await send(clientAuth)).toBe(200)
  })

  it('shows tests what it was asked, with secrets', async () => {
    const idp = await open({ clientAuth: 'client_secret_post', clientSecret: SECRET })
    const form = {
      grant_type: 'refresh_token',
      refresh_token: 'x',
      client_id: idp.clientId,
      client_secret: SECRET,
    }
    await fetch(`${idp.tokenEndpoint}?a=b`, { method: 'POST', body: new URLSearchParams(form) })
    idp.failWith('revocation', 503)
    await post(idp, idp.revocationEndpoint, { token: 'y' })
    expect(idp.requests).toEqual([
      { method: 'POST', path: '/token', query: { a: 'b' }, authorization: undefined, form },
      {
        method: 'POST',
        path: '/revoke',
        query: {},
        authorization: expect.stringMatching(/^Basic /),
        form: { token: 'y' },
      },
    ])
  })
})

describe('access tokens', () => {
  it('are opaque without a resource, and can be asked about', async () => {
    const idp = await open()
    const { body } = await tokensOf(idp)
    expect(body['access_token']).not.toContain('.')
    const about = await post(idp, idp.introspectionEndpoint, { token: String(body['access_token']) })
    expect(about.body).toMatchObject({ active: true, sub: 'idp|ada', scope: 'openid profile email mcp:use' })
    expect(await userinfo(idp, body['access_token'])).toEqual({
      status: 200,
      body: { sub: 'idp|ada', name: 'Ada Lovelace', email: 'ada@example.com', email_verified: true },
    })
    expect((await userinfo(idp, 'unknown')).status).toBe(401)
  })

  it.each([
    [{ defaultAudience: 'api://default' }, {}, 'api://default'],
    [{ accessTokens: 'jwt' }, {}, undefined],
    [{ resources: 'accept' }, { resource: 'https://api.example.com/mcp' }, 'https://api.example.com/mcp'],
    [
      { resources: 'accept', defaultAudience: 'api' },
      { resource: 'https://api.example.com/mcp' },
      'https://api.example.com/mcp',
    ],
    [
      { defaultAudience: 'https://api.example.com' },
      { resource: 'https://api.example.com' },
      'https://api.example.com',
    ],
  ] as const)('are JWTs with an audience: %j %j', async (options, more, audience) => {
    const idp = await open(options)
    idp.accessTokenSeconds = 120
    const first = await tokensOf(idp, more)
    const second = await refresh(idp, first.body['refresh_token'])
    for (const { body } of [first, second]) {
      const claims = await claimsOf(idp, body['access_token'])
      expect(body['expires_in']).toBe(120)
      expect(Number(claims['exp']) - Number(claims['iat'])).toBe(120)
      expect(claims).toMatchObject({
        sub: 'idp|ada',
        aud: audience ?? idp.issuer,
        client_id: idp.clientId,
        scope: 'openid profile email mcp:use',
      })
      expect((await userinfo(idp, body['access_token'])).body).toMatchObject({ email: 'ada@example.com' })
    }
  })

  it('are opaque for a resource as well where that is wanted', async () => {
    const idp = await open({ accessTokens: 'opaque', resources: 'accept' })
    const { body } = await tokensOf(idp, { resource: 'https://api.example.com/mcp' })
    expect(body['access_token']).not.toContain('.')
    expect((await userinfo(idp, body['access_token'])).body).toMatchObject({ sub: 'idp|ada' })
  })

  it('are refused for a resource that nobody registered', async () => {
    const idp = await open({ resources: 'refuse' })
    expect(await refusalOf(idp, { resource: 'https://api.example.com/mcp' })).toBe('invalid_target')
  })

  it('hold fewer scopes than asked for where a person allows fewer', async () => {
    const idp = await open({ defaultAudience: 'api' })
    const browser = new Browser()
    expect((await tokensOf(idp, {}, browser)).body['scope']).toBe('openid profile email mcp:use')
    idp.grantedScopes = ['openid', 'email']
    const { body } = await tokensOf(idp, { prompt: 'consent' }, browser)
    expect(body['scope']).toBe('openid email')
    expect((await userinfo(idp, body['access_token'])).body).not.toHaveProperty('name')
  })
})

describe('refresh', () => {
  it('keeps the refresh token without rotation', async () => {
    const idp = await open()
    const { body } = await tokensOf(idp)
    for (let time = 0; time < 2; time++) {
      const again = await refresh(idp, body['refresh_token'])
      expect(again.status).toBe(200)
      expect(again.body['refresh_token']).toBe(body['refresh_token'])
      expect(again.body['access_token']).not.toBe(body['access_token'])
    }
  })

  it('brings another with rotation, and a used one kills the grant', async () => {
    const idp = await open()
    idp.rotateRefreshTokens = true
    const first = await tokensOf(idp)
    const second = await refresh(idp, first.body['refresh_token'])
    expect(second.status).toBe(200)
    expect(second.body['refresh_token']).not.toBe(first.body['refresh_token'])
    const third = await refresh(idp, second.body['refresh_token'])
    expect(third.status).toBe(200)
    expect(await refresh(idp, first.body['refresh_token'])).toEqual(invalidGrant)
    expect(await refresh(idp, third.body['refresh_token'])).toEqual(invalidGrant)
    expect((await userinfo(idp, third.body['access_token'])).status).toBe(401)
  })

  it('is not offered where refresh tokens are not issued', async () => {
    const idp = await open()
    idp.issueRefreshTokens = false
    expect((await tokensOf(idp)).body).not.toHaveProperty('refresh_token')
  })
})

describe('an administrator', () => {
  it('takes back what one person granted', async () => {
    const idp = await open()
    const ada = await tokensOf(idp)
    const back = await signInAt(new Browser(), beginning(idp), 'grace', { destination: REDIRECT_URI })
    const grace = await redeem(idp, back.searchParams.get('code') ?? '')
    idp.revokeGrantsOf('ada')
    expect(await refresh(idp, ada.body['refresh_token'])).toEqual(invalidGrant)
    expect((await userinfo(idp, ada.body['access_token'])).status).toBe(401)
    expect((await refresh(idp, grace.body['refresh_token'])).status).toBe(200)
  })

  it('takes an account away', async () => {
    const idp = await open()
    const { body } = await tokensOf(idp)
    idp.accounts.delete('ada')
    expect(await refresh(idp, body['refresh_token'])).toEqual(invalidGrant)
  })

  it('rotates keys: new tokens have the new one, and old ones are still good', async () => {
    const idp = await open({ defaultAudience: 'api' })
    const before = await tokensOf(idp)
    idp.rotateKeys()
    const after = await refresh(idp, before.body['refresh_token'])
    const kids = [before, after].map(({ body }) => decodeProtectedHeader(String(body['access_token'])).kid)
    expect(kids).toEqual(['idp-key-1', 'idp-key-2'])
    for (const { body } of [before, after])
      expect(await claimsOf(idp, body['access_token'])).toMatchObject({ sub: 'idp|ada' })
    const { keys } = (await (await fetch(idp.jwksUri)).json()) as { keys: Record<string, unknown>[] }
    expect(keys.map(({ kid }) => kid)).toEqual(['idp-key-2', 'idp-key-1'])
    for (const key of keys) expect(key).not.toHaveProperty('d')
  })
})

describe('revocation', () => {
  it('ends a refresh token, its grant and its access tokens', async () => {
    const idp = await open()
    const { body } = await tokensOf(idp)
    const form = { token: String(body['refresh_token']), token_type_hint: 'refresh_token' }
    expect(await post(idp, idp.revocationEndpoint, form)).toEqual({ status: 200, body: {} })
    expect(idp.requests.at(-1)).toMatchObject({ path: '/revoke', form })
    expect(await refresh(idp, body['refresh_token'])).toEqual(invalidGrant)
    expect((await userinfo(idp, body['access_token'])).status).toBe(401)
  })
})

describe('failures', () => {
  it('come at one endpoint, until they are undone', async () => {
    const idp = await open()
    const { body } = await tokensOf(idp)
    const ask = (signal?: AbortSignal): Promise<Response> =>
      fetch(idp.configUrl, { redirect: 'manual', ...(signal !== undefined && { signal }) })

    idp.failWith('discovery', 503)
    expect((await ask()).status).toBe(503)
    idp.failWith('discovery', 302)
    expect((await ask()).headers.get('location')).toBe(`${idp.issuer}/elsewhere`)
    idp.failWith('discovery', 'html')
    const page = await ask()
    expect(page.status).toBe(200)
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8')
    idp.failWith('discovery', 'reset')
    await expect(ask()).rejects.toThrow('fetch failed')
    idp.failWith('discovery', 'hang')
    const abort = new AbortController()
    const hanging = ask(abort.signal)
    expect((await refresh(idp, body['refresh_token'])).status).toBe(200)
    abort.abort()
    await expect(hanging).rejects.toThrow('aborted')
    idp.failWith('discovery', undefined)
    expect((await ask()).status).toBe(200)
  })

  it.each(['token', 'revocation', 'introspection', 'userinfo', 'jwks', 'discovery'] as const)(
    'can come at %s',
    async (endpoint) => {
      const idp = await open()
      const url = {
        token: idp.tokenEndpoint,
        revocation: idp.revocationEndpoint,
        introspection: idp.introspectionEndpoint,
        userinfo: idp.userinfoEndpoint,
        jwks: idp.jwksUri,
        discovery: idp.configUrl,
      }[endpoint]
      const method = ['jwks', 'discovery', 'userinfo'].includes(endpoint) ? 'GET' : 'POST'
      idp.failWith(endpoint, 500)
      expect((await fetch(url, { method })).status).toBe(500)
      idp.failWith(endpoint, undefined)
      expect((await fetch(url, { method })).status).not.toBe(500)
    },
  )

  it('lose the answer to what was done', async () => {
    const idp = await open()
    idp.rotateRefreshTokens = true
    const { body } = await tokensOf(idp)
    idp.failWith('token', 'lost')
    await expect(refresh(idp, body['refresh_token'])).rejects.toThrow('fetch failed')
    idp.failWith('token', undefined)
    expect(await refresh(idp, body['refresh_token'])).toEqual(invalidGrant)
  })

  it('are a server that is gone, and comes back on its port with what it knew', async () => {
    const idp = await open()
    const { body } = await tokensOf(idp)
    idp.failWith('userinfo', 'hang')
    const hanging = userinfo(idp, body['access_token'])
    await Promise.all([idp.stop(), expect(hanging).rejects.toThrow('fetch failed')])
    await expect(fetch(idp.configUrl)).rejects.toThrow('fetch failed')
    await idp.start()
    await idp.start()
    expect((await refresh(idp, body['refresh_token'])).status).toBe(200)
  })
})

describe('in Chromium', () => {
  let chromium: Chromium | undefined
  afterAll(async () => chromium?.close())

  it('a person signs in and allows, and another signs in and denies', async () => {
    chromium = await openBrowser()
    if (chromium === undefined) return
    const idp = await open()
    for (const [button, expected] of [
      ['Allow', 'code'],
      ['Deny', 'error'],
    ] as const) {
      const context = await chromium.newContext()
      const page = await context.newPage()
      await page.route(`${REDIRECT_URI}**`, (route) => route.fulfill({ body: 'back' }))
      await page.goto(beginning(idp).href)
      await page.getByLabel('Login').fill('ada')
      await page.getByLabel('Password').fill('ada!')
      await page.getByRole('button', { name: 'Sign in' }).click()
      await page.getByRole('button', { name: button }).click()
      await page.waitForURL(`${REDIRECT_URI}**`)
      expect([...new URL(page.url()).searchParams.keys()]).toContain(expected)
      await context.close()
    }
  })
})

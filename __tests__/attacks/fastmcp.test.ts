// What went wrong in FastMCP's proxies, tried here: its advisories by their IDs, its other security fixes as FM#, and the defects that were shown
// in its code as FM 8.1. One thing despite its length: one list. Where something cannot happen here, the test shows by behaviour why.
import { createHmac } from 'node:crypto'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from '@jest/globals'
import { ConfigError, JWTVerifier, OIDCProxy, RemoteAuthProvider, mcpAuth } from 'express-mcp-auth'
import { AuthKitProvider, WorkOSProvider } from 'express-mcp-auth/providers/workos'
import { AzureProvider } from 'express-mcp-auth/providers/azure'
import { GoogleProvider, GoogleTokenVerifier } from 'express-mcp-auth/providers/google'
import { EncryptedStore } from 'express-mcp-auth/stores/encrypted'
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import { testClock } from 'express-mcp-auth/testing'
import {
  REDIRECT_URI,
  type Registered,
  SECRET,
  type Tokens,
  answerOf,
  pkce,
} from '../support/authorization-server.js'
import type { Browser } from '../support/browser-session.js'
import { configErrorOf } from '../support/config-error.js'
import { HookedStore } from '../support/hooked-store.js'
import {
  type Json,
  createKey,
  createToken,
  encode,
  jsonAnswer,
  signParts,
  startStub,
} from '../support/issuer.js'
import { type ProxySite, startProxySite } from '../support/proxy-site.js'
import {
  asked,
  changing,
  comeBack,
  cookieHeader,
  depart,
  departureIn,
  expectError,
  expectLetIn,
  proxies,
  redeem,
  signInThere,
  tokensFor,
  tripCookies,
} from '../support/proxy-visit.js'
import { startServer } from '../support/site.js'
import { documentAnswer, startStrangeHost } from '../support/strange-host.js'
import { WEB, allow, begin, beginning, expectMessage, post } from '../support/visit.js'
import { WrittenStore } from '../support/written-store.js'
import { closing, startTarget } from './attempt.js'
import { INVALID_GRANT, seen } from './endpoint-answers.js'

const start = proxies()
const DOCUMENT_ID = 'https://client.example/id.json'
const OFFLINE = { scope: 'openid offline_access' }

function documentOf(more: Json = {}): Json {
  return {
    client_id: DOCUMENT_ID,
    client_name: 'Document client',
    redirect_uris: [WEB],
    token_endpoint_auth_method: 'none',
    ...more,
  }
}

function renewal(
  client: Registered,
  refreshToken: string,
  more: Record<string, string> = {},
): Record<string, string> {
  return {
    grant_type: 'refresh_token',
    client_id: client.client_id,
    refresh_token: refreshToken,
    ...more,
  }
}

async function expectInvalidToken(response: Response): Promise<void> {
  expect([
    response.status,
    response.headers.get('www-authenticate'),
    response.headers.get('cache-control'),
  ]).toEqual([401, expect.stringMatching(/^Bearer error="invalid_token", .*resource_metadata="/), 'no-store'])
  expect(await response.json()).toMatchObject({ error: 'invalid_token' })
}

/** Agrees at a proxy whose identity provider is not on this machine, and is sent back as that would do. */
async function throughVendor(
  browser: Browser,
  site: ProxySite,
  client: Registered,
  more: Record<string, string> = {},
): Promise<{ readonly departure: URL; readonly callback: URL }> {
  const left = await post(browser, await begin(browser, site, client, more), allow)
  const departure = new URL(left.headers.get('location') ?? '')
  const callback = new URL(site.callbackUrl)
  callback.search = new URLSearchParams({
    code: 'a-code',
    state: departure.searchParams.get('state') ?? '',
  }).toString()
  return { departure, callback }
}

/** A fetch by which vendors answer: by the URL without its query. */
function vendor(answers: Readonly<Record<string, unknown>>): { fetch: typeof fetch; calls: string[] } {
  const known = new Map(Object.entries(answers))
  const calls: string[] = []
  const pretend: typeof fetch = (input) => {
    const url = (input instanceof Request ? input.url : String(input)).replace(/\?.*/, '')
    calls.push(url)
    const answer = known.get(url)
    return Promise.resolve(
      answer === undefined
        ? new Response('{}', { status: 404, headers: { 'content-type': 'application/json' } })
        : Response.json(answer),
    )
  }
  return { fetch: pretend, calls }
}

describe('advisories', () => {
  test('GHSA-c2jp-c369-7pvx a stranger’s client does not ride on what somebody agreed to for another one', async () => {
    const { site, client } = await start()
    const victim = site.browser()
    expect(await tokensFor(victim, site, client)).toMatchObject({ status: 200 })
    // They are signed in there, and have agreed to this app: it would let anybody through.
    const evil = await site.register({ client_name: 'Evil', redirect_uris: ['https://evil.example/cb'] })
    const there = site.idp.requests.length
    const begun = await victim.go(
      beginning(site, evil, { redirect_uri: 'https://evil.example/cb' }),
      'https://evil.example/',
    )
    expect([begun.status, begun.url.pathname]).toEqual([200, '/consent'])
    expect(begun.html).toContain('evil.example')
    expect(site.idp.requests.length).toBe(there)
    expect(tripCookies(victim, site.url)).toEqual([])
  })

  test('FM#2109 no token of the identity provider is handed out, and none is taken', async () => {
    const upstream: string[] = []
    const { site, client } = await start({
      proxy: {
        deps: {
          fetch: changing((_url, json) => {
            if (typeof json['access_token'] === 'string') upstream.push(json['access_token'])
            return json
          }),
        },
      },
    })
    const answer = await tokensFor(site.browser(), site, client, OFFLINE)
    expect(answer.status).toBe(200)
    expect(upstream).toHaveLength(1)
    expect(JSON.stringify(answer.body)).not.toContain(upstream[0])
    await expectInvalidToken(await site.call(upstream[0] ?? ''))
    const { access_token: ours } = answer.body as Tokens
    const asBearer = { headers: { authorization: `Bearer ${ours}` } }
    expect((await fetch(site.idp.userinfoEndpoint, asBearer)).status).toBe(401)
    expect(JSON.stringify(site.idp.requests.filter(({ path }) => path !== '/userinfo'))).not.toContain(ours)
  })

  test('CVE-2025-62800 the page at the callback reflects nothing', async () => {
    const { site, client } = await start()
    const browser = site.browser()
    const departure = await depart(browser, site, client)
    const script = '"><script>alert(document.domain)</script>'
    for (const name of ['error', 'error_description', 'error_uri', 'state', 'code', 'iss', 'server_url']) {
      const query = new URLSearchParams({ [name]: script })
      const response = await browser.request(`${site.callbackUrl}?${query.toString()}`)
      expect(response.headers.get('content-security-policy')).toMatch(/^default-src 'none'/)
      expect(await expectMessage(response, 400, 'expired')).not.toMatch(/alert\(|<script/)
    }
    const query = { state: departure.searchParams.get('state') ?? '', iss: site.idp.issuer }
    const odd = new URLSearchParams({ ...query, error: script, error_description: script })
    const told = await browser.request(`${site.callbackUrl}?${odd.toString()}`)
    expect(expectError(told, site, 'server_error')).not.toMatch(/alert|script>/)
  })

  test('CVE-2025-62801 CVE-2025-64340 nothing here installs anything, and the one thing that starts a program starts no shell', () => {
    const manifest = JSON.parse(readFileSync('package.json', 'utf8')) as Json
    expect(manifest).not.toHaveProperty('bin')
    expect(Object.keys(manifest['scripts'] as Json).filter((name) => /install/.test(name))).toEqual([])
    const files = readdirSync('lib', { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.ts'),
    )
    expect(files.length).toBeGreaterThan(100)
    const starts = files.filter((name) =>
      /from '(?:node:)?(?:child_process|vm|worker_threads)'|new Function\(/.test(
        readFileSync(join('lib', name), 'utf8'),
      ),
    )
    // It opens a browser, with the URL as one argument: __tests__/client/open-browser.test.ts.
    expect(starts).toEqual(['client/open-browser.ts'])
    expect(readFileSync('lib/client/open-browser.ts', 'utf8')).toContain('shell: false')
  })

  test('GHSA-5h2m-4q8j-pqpj CVE-2025-69196 tokens are for one resource, which is heeded at every step', async () => {
    const { site, client } = await start({ idp: { resources: 'accept' } })
    const { site: neighbour } = await start()
    const browser = site.browser()
    const foreign = `${neighbour.baseUrl}/mcp`
    const refusedAtOnce = await browser.request(beginning(site, client, { resource: foreign }))
    expectError(refusedAtOnce, site, 'invalid_target')

    const { verifier, challenge } = pkce()
    const code = await expectLetIn(
      browser,
      await comeBack(browser, site, client, {
        ...OFFLINE,
        code_challenge: challenge,
        resource: `${site.baseUrl}/mcp`,
      }),
    )
    const form = {
      grant_type: 'authorization_code',
      client_id: client.client_id,
      code,
      code_verifier: verifier,
    }
    const elsewhere = await site.post('/token', { ...form, resource: foreign })
    expect(elsewhere).toMatchObject({ status: 400, body: { error: 'invalid_target' } })
    const tokens = (await site.post('/token', form)).body as Tokens
    const claims = JSON.parse(
      Buffer.from(tokens.access_token.split('.')[1] ?? '', 'base64url').toString(),
    ) as Json
    expect(claims['aud']).toBe(`${site.baseUrl}/mcp`)
    // The neighbour has the same secret, and with it the same keys.
    await expectInvalidToken(await neighbour.call(tokens.access_token))
    const grown = await site.post('/token', renewal(client, tokens.refresh_token, { resource: foreign }))
    expect(grown).toMatchObject({ status: 400, body: { error: 'invalid_target' } })
    expect(await site.post('/token', renewal(client, tokens.refresh_token))).toMatchObject({ status: 200 })

    const { site: beside } = await start({
      provider: (common) =>
        new OIDCProxy({
          ...common,
          baseUrl: site.baseUrl,
          resourceUrl: `${site.baseUrl}/other`,
          store: site.store,
        }),
    })
    await expectInvalidToken(await beside.call(tokens.access_token))
  })

  test('CVE-2025-69872 the store holds JSON and nothing that is executed, and what is no JSON is as good as nothing', async () => {
    const store = new WrittenStore()
    const { site, client } = await start({ proxy: { store } })
    const browser = site.browser()
    expect(await tokensFor(browser, site, client, OFFLINE)).toMatchObject({ status: 200 })
    expect(store.written.length).toBeGreaterThan(5)
    for (const step of store.written) {
      const entry = (JSON.parse(step) as unknown[]).at(-1) as { value: string }
      expect(() => JSON.parse(entry.value) as unknown).not.toThrow()
    }
    const pickles = ['\u0080\u0004\u0095cos\nsystem\n(S"touch /tmp/x"\ntR.', 'gASVIQAAAAAAAACMBXBvc2l4lIwGc3lzdGVtlJOUjAJpZJSFlFKULg==', '{"__proto__":{"x":1}', ''] // prettier-ignore
    for (const value of pickles) {
      const callback = await comeBack(browser, site, client)
      const [collection, key] = JSON.parse(store.of('trips').at(-1) ?? '[]') as [string, string]
      await store.put(collection, key, { value, version: 'a', expiresAt: Date.now() + 60_000 })
      const calls = asked(site)
      await expectMessage(await browser.request(callback), 400, 'expired')
      expect(asked(site)).toBe(calls)
      expect(({} as Json)['x']).toBeUndefined()
    }
    expect(await tokensFor(browser, site, client)).toMatchObject({ status: 200 })
  })

  test('GHSA-rww4-4w9c-7733 CVE-2026-27124 who agreed is who comes back, and nobody agrees for somebody else', async () => {
    const { site, client } = await start()
    const attacker = site.browser()
    const turn = await begin(attacker, site, client)
    const departure = departureIn(await post(attacker, turn, allow), site)
    const victim = site.browser()
    const callback = await signInThere(victim, site, departure, 'grace')
    await expectMessage(await victim.request(callback), 403, 'other_browser')
    // The bypass: to make the victim's browser send the attacker's form, so that it gets the cookie.
    const other = await begin(attacker, site, client)
    for (const headers of [{}, { origin: 'https://evil.example', 'sec-fetch-site': 'cross-site' }]) {
      const response = await post(victim, other, allow, headers)
      expect(response.headers.getSetCookie()).toEqual([])
      await expectMessage(response, 403, 'other_browser')
    }
    const own = await begin(victim, site, client)
    const forged = {
      form: { ...own.form, fields: { ...own.form.fields, csrf: other.form.fields['csrf'] ?? '' } },
    }
    await expectMessage(await post(victim, forged, allow), 403, 'forged')
    expect(tripCookies(victim, site.url)).toEqual([])
    expect([asked(site), site.events.filter(({ type }) => type === 'authorization.granted')]).toEqual([0, []])
  })

  test('GHSA-6x8h-498w-gv8c another authorization server does not ride on what was remembered for a client that both know', async () => {
    const web = closing(await startStrangeHost())
    web.answer = documentAnswer(documentOf())
    const { site } = await start({ proxy: { consent: 'remember', deps: { network: web.network } } })
    const known = { client_id: DOCUMENT_ID }
    const victim = site.browser()
    const own = { redirect_uri: WEB, scope: 'openid' }
    expect(await tokensFor(victim, site, known, own)).toMatchObject({ status: 200 })
    departureIn(
      await victim.request(beginning(site, known, own), undefined, { 'sec-fetch-site': 'none' }),
      site,
    )
    const trips = tripCookies(victim, site.url)
    // It sends the browser here, in the middle of the client's way to it.
    for (const from of ['cross-site', 'same-site', undefined]) {
      const headers: Record<string, string> = from === undefined ? {} : { 'sec-fetch-site': from }
      const begun = await victim.request(beginning(site, known, own), undefined, headers)
      expect(begun.headers.get('location')).toMatch(/\/consent\?transaction=/)
    }
    expect(tripCookies(victim, site.url)).toEqual(trips)
    const { site: usual, client } = await start()
    const browser = usual.browser()
    await tokensFor(browser, usual, client)
    const again = await browser.request(beginning(usual, client), undefined, { 'sec-fetch-site': 'none' })
    expect(again.headers.get('location')).toMatch(/\/consent\?transaction=/)
  })

  test('CVE-2026-32871 GHSA-vv7q-7jx5-f767 nothing that a client says becomes a part of a URL that is asked', async () => {
    const urls = new Set<string>()
    const { site } = await start({
      proxy: {
        deps: {
          fetch: (input, init) => {
            urls.add(input instanceof Request ? input.url : String(input))
            return fetch(input, init)
          },
        },
      },
    })
    const odd = '../../admin?x=#@127.0.0.1:1/'
    const client = await site.register({
      client_name: odd,
      client_uri: 'https://127.0.0.1:1/a',
      logo_uri: 'https://127.0.0.1:1/b',
      redirect_uris: [REDIRECT_URI],
    })
    const browser = site.browser()
    expect(await tokensFor(browser, site, client, { state: odd, scope: `openid ${odd}` })).toMatchObject({
      status: 200,
    })
    const callback = await comeBack(browser, site, client)
    callback.searchParams.set('code', odd)
    expectError(await browser.request(callback), site, 'server_error')
    const { configUrl, jwksUri, tokenEndpoint } = site.idp
    expect([...urls].toSorted()).toEqual([configUrl, jwksUri, tokenEndpoint].toSorted())
  })
})

describe('fixes without an advisory', () => {
  test('FM#3066 the list of allowed redirect URIs holds for clients that registered before there was one', async () => {
    const { site, client } = await start()
    const { site: strict } = await start({
      provider: (common) =>
        new OIDCProxy({
          ...common,
          baseUrl: site.baseUrl,
          store: site.store,
          allowedClientRedirectUris: ['https://*.example.com/cb'],
        }),
    })
    const refused = await strict.browser().request(beginning(strict, client))
    await expectMessage(refused, 400, 'redirect_uri_mismatch')
    const allowed = await strict.browser().request(beginning(strict, client, { redirect_uri: WEB }))
    expect(allowed.headers.get('location')).toMatch(/\/consent\?transaction=/)
    const { status, body } = await answerOf(
      await fetch(`${strict.url}/register`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ redirect_uris: ['https://evil.example/cb'] }),
      }),
    )
    expect([status, (body as Json)['error']]).toEqual([400, 'invalid_redirect_uri'])
  })

  test('FM#3098 it holds for documents too, the first time and from memory, and so does the list of documents', async () => {
    const web = closing(await startStrangeHost())
    web.answer = documentAnswer(documentOf({ redirect_uris: [WEB, 'https://evil.example/cb'] }))
    const { site } = await start({
      proxy: {
        allowedClientRedirectUris: ['https://app.example.com/cb'],
        clientIdMetadataDocuments: { allowed: [DOCUMENT_ID] },
        deps: { network: web.network },
      },
    })
    const known = { client_id: DOCUMENT_ID }
    for (let time = 0; time < 2; time++) {
      const refused = await site
        .browser()
        .request(beginning(site, known, { redirect_uri: 'https://evil.example/cb' }))
      await expectMessage(refused, 400, 'redirect_uri_mismatch')
      const fine = await site.browser().request(beginning(site, known, { redirect_uri: WEB }))
      expect(fine.headers.get('location')).toMatch(/\/consent\?transaction=/)
    }
    expect(web.requests).toHaveLength(1)
    for (const id of [
      'https://client.example/id.json/',
      'https://client.example/other.json',
      'https://CLIENT.example/id.json',
    ]) {
      await expectMessage(
        await site.browser().request(beginning(site, { client_id: id })),
        400,
        'unknown_client',
      )
    }
    expect(web.requests).toHaveLength(1)
  })

  test('FM#3407 WorkOS: a user without a required scope reaches no handler', async () => {
    const authkitDomain = 'https://notes.authkit.app'
    const { fetch: pretend } = vendor({
      [`${authkitDomain}/oauth2/token`]: {
        access_token: 'workos-token',
        token_type: 'Bearer',
        expires_in: 300,
      },
      [`${authkitDomain}/oauth2/userinfo`]: { sub: 'user_1', scope: 'openid' },
    })
    const { site, client } = await start({
      provider: ({ baseUrl, store, secret }) =>
        new WorkOSProvider({
          authkitDomain,
          clientId: 'client_1',
          clientSecret: 'the secret',
          requiredScopes: ['openid', 'admin'],
          baseUrl,
          secret,
          ...(store !== undefined && { store }),
          deps: { fetch: pretend },
        }),
    })
    const browser = site.browser()
    const { verifier, challenge } = pkce()
    const { callback } = await throughVendor(browser, site, client, { code_challenge: challenge })
    const response = await browser.request(callback)
    const code = new URL(response.headers.get('location') ?? '').searchParams.get('code')
    const { access_token: token, scope } = (await redeem(site, client, code ?? '', verifier)).body as Tokens
    expect(scope).toBe('openid')
    const called = await site.call(token)
    expect([called.status, called.headers.get('www-authenticate')]).toEqual([
      403,
      expect.stringMatching(/^Bearer error="insufficient_scope",.* scope="openid admin"/),
    ])
    expect(site.handled()).toBe(0)
  })

  test('FM#3418 a client ID is text on every page', async () => {
    const { site } = await start()
    for (const id of [
      '<script>alert(1)</script>',
      '"><img src=x onerror=alert(1)>',
      'https://a.example/<svg onload=alert(1)>',
    ]) {
      const response = await site.browser().request(beginning(site, { client_id: id }))
      const html = await expectMessage(response, 400, 'unknown_client')
      expect(html).not.toMatch(/<script|<img|<svg onload|alert\(1\)>/)
    }
    const { site: own } = await start({
      proxy: { clients: [{ clientId: '<script>alert(1)</script>', redirectUris: [WEB] }] },
    })
    const odd = { client_id: '<script>alert(1)</script>' }
    const turn = await begin(own.browser(), own, odd, { redirect_uri: WEB })
    expect(turn.html).not.toContain('<script')
    expect(turn.html).toContain('&#60;script&#62;')
  })

  test('FM#3419 a public key is never the secret of a MAC', async () => {
    const key = createKey('RS256')
    const stub = closing(await startStub(jsonAnswer({ keys: [key.jwk] })))
    const options = {
      jwksUri: `${stub.url}/keys`,
      issuer: 'https://login.example.com',
      audience: 'https://api.example.com/mcp',
    }
    expect(() => new JWTVerifier({ ...options, algorithms: ['HS256'] })).toThrow(ConfigError)
    const proxied = {
      configUrl: 'https://idp.example.com/.well-known/openid-configuration',
      clientId: 'a',
      clientSecret: 'b',
    }
    const common = { baseUrl: 'https://api.example.com', secret: SECRET, store: new MemoryStore() }
    expect(() => new OIDCProxy({ ...common, ...proxied, algorithm: 'HS256' })).toThrow(ConfigError)

    const provider = new RemoteAuthProvider({
      baseUrl: 'https://api.example.com',
      authorizationServers: ['https://login.example.com'],
      tokenVerifier: new JWTVerifier(options),
    })
    const site = await startTarget(provider)
    const call = (token: string): Promise<Response> =>
      fetch(`${site.url}/mcp`, { headers: { authorization: `Bearer ${token}` } })
    expect((await call(createToken(key))).status).toBe(200)
    const [, payload] = createToken(key).split('.')
    const input = `${encode({ alg: 'HS256', typ: 'at+jwt', kid: key.kid })}.${payload}`
    const pem = key.publicKey.export({ format: 'pem', type: 'spki' })
    for (const secret of [
      pem,
      String(pem).trim(),
      key.publicKey.export({ format: 'der', type: 'spki' }),
      JSON.stringify(key.jwk),
    ]) {
      const mac = createHmac('sha256', secret).update(input).digest('base64url')
      await expectInvalidToken(await call(`${input}.${mac}`))
    }
    expect(site.handled()).toBe(1)
  })

  test('FM#3492 scopes are those that were granted there, at once and after each renewal', async () => {
    let scope = 'openid profile email'
    const { site, client } = await start({
      proxy: {
        scopesSupported: ['profile', 'email'],
        deps: { fetch: changing((_url, json) => ('access_token' in json ? { ...json, scope } : json)) },
      },
    })
    const asking = { scope: 'openid profile email offline_access' }
    const first = await tokensFor(site.browser(), site, client, asking)
    expect((first.body as Tokens).scope).toBe('openid profile email offline_access')
    scope = 'openid email'
    const { refresh_token: refresh } = first.body as Tokens
    const second = await site.post('/token', renewal(client, refresh))
    expect(second).toMatchObject({ status: 200 })
    const { access_token: token, scope: told } = second.body as Tokens
    expect(told.split(' ')).not.toContain('profile')
    const called = (await (await site.call(token)).json()) as { scopes: string[] }
    expect(called.scopes).toEqual(told.split(' '))
  })

  test('FM#3503 Entra: without a scope of an API, tokens would be for Microsoft Graph, so that such a proxy does not start', () => {
    const options = {
      clientId: '11111111-2222-3333-4444-555555555555',
      clientSecret: 'a',
      tenantId: 'organizations',
      baseUrl: 'https://api.example.com',
      secret: SECRET,
      store: new MemoryStore(),
    }
    for (const requiredScopes of [[], ['openid'], ['openid', 'profile', 'email', 'offline_access']]) {
      const { message } = configErrorOf(() => new AzureProvider({ ...options, requiredScopes }))
      expect(message).toContain('requiredScopes')
    }
    expect(() => new AzureProvider({ ...options, requiredScopes: ['openid', 'mcp.use'] })).not.toThrow()
  })

  test('FM#3524 a refresh token, a code and a registration are no access tokens', async () => {
    const { site, client } = await start()
    const browser = site.browser()
    const { verifier, challenge } = pkce()
    const code = await expectLetIn(
      browser,
      await comeBack(browser, site, client, { ...OFFLINE, code_challenge: challenge }),
    )
    await expectInvalidToken(await site.call(code))
    const { refresh_token: refresh } = (await redeem(site, client, code, verifier)).body as Tokens
    for (const token of [refresh, code, client.client_id]) await expectInvalidToken(await site.call(token))
    expect(site.handled()).toBe(0)
    expect(await site.post('/token', renewal(client, refresh))).toMatchObject({ status: 200 })
  })

  test('FM#3784 cookies do not pile up, however often somebody begins, leaves and comes back', async () => {
    const { site, client } = await start()
    const browser = site.browser()
    for (let time = 0; time < 30; time++) {
      await begin(browser, site, client)
      if (time % 3 === 0) await depart(browser, site, client)
      if (time % 3 === 1) await expectLetIn(browser, await comeBack(browser, site, client))
      expect(cookieHeader(browser, site.url).length).toBeLessThan(4096)
    }
    const names = [...browser.cookies(site.url).keys()]
    expect(names.filter((name) => name.includes('browser'))).toHaveLength(1)
    expect(names.length).toBeLessThanOrEqual(9)
  })

  test('FM#3905 AuthKit: a token for another resource of the same domain is refused', async () => {
    const authkitDomain = 'https://notes.authkit.app'
    const key = createKey('RS256')
    const { fetch: pretend } = vendor({ [`${authkitDomain}/oauth2/jwks`]: { keys: [key.jwk] } })
    const provider = new AuthKitProvider({
      authkitDomain,
      baseUrl: 'https://api.example.com',
      deps: { fetch: pretend },
    })
    const site = await startTarget(provider)
    const call = (aud: unknown): Promise<Response> => {
      const token = createToken(key, { iss: authkitDomain, aud })
      return fetch(`${site.url}/mcp`, { headers: { authorization: `Bearer ${token}` } })
    }
    for (const aud of [
      'https://other.example.com/mcp',
      'https://api.example.com',
      ['https://other.example.com/mcp'],
      'client_1',
      undefined,
      '',
    ])
      await expectInvalidToken(await call(aud))
    expect(site.handled()).toBe(0)
    expect((await call('https://api.example.com/mcp')).status).toBe(200)
  })

  test('FM#3963 dot segments lead around no rule for redirect URIs', async () => {
    const { site } = await start({
      proxy: { allowedClientRedirectUris: ['https://app.example.com/cb', 'http://localhost:*/cb'] },
    })
    const client = await site.register({ redirect_uris: [WEB, 'http://localhost:1/cb'] })
    const spellings = [
      `${WEB}/../evil`, `${WEB}/..%2fevil`, `${WEB}/%2e%2e/evil`, `${WEB}/%2E./evil`, `${WEB}/.%2e/evil`, `${WEB}/..;/evil`, `${WEB}\\..\\evil`, 'https://app.example.com/x/../cb', 'https://app.example.com/./cb',
      'http://localhost:5555/cb/../evil', 'http://localhost:5555/x/../cb', 'http://localhost:5555/%2e%2e/cb',
    ] // prettier-ignore
    for (const uri of spellings) {
      const response = await site.browser().request(beginning(site, client, { redirect_uri: uri }))
      expect([uri, response.status, response.headers.get('location')]).toEqual([uri, 400, null])
    }
    const fine = await site
      .browser()
      .request(beginning(site, client, { redirect_uri: 'http://localhost:5555/cb' }))
    expect(fine.headers.get('location')).toMatch(/\/consent\?transaction=/)
  })

  /** What comes of clients whose documents are at a host with these addresses, one by one. */
  async function expectUnreached(addresses: readonly string[]): Promise<void> {
    const web = closing(await startStrangeHost())
    web.answer = (request, response) => {
      documentAnswer(documentOf({ client_id: `https://${request.headers.host}/id.json` }))(request, response)
    }
    const { site } = await start({ proxy: { deps: { network: web.network } } })
    for (const [index, address] of addresses.entries()) {
      web.resolve = () => [address]
      const id = `https://client-${index}.example/id.json`
      const response = await site.browser().request(beginning(site, { client_id: id }, { redirect_uri: WEB }))
      expect([address, response.status, web.connections]).toEqual([address, 400, 0])
      expect(await response.text()).toContain('<code>400 unknown_client</code>')
    }
    web.resolve = () => ['93.184.216.34', '64:ff9b::7f00:1']
    const mixed = await site
      .browser()
      .request(beginning(site, { client_id: 'https://mixed.example/id.json' }))
    await expectMessage(mixed, 400, 'unknown_client')
    expect(web.connections).toBe(0)
    web.resolve = () => ['93.184.216.34']
    const fine = beginning(site, { client_id: 'https://public.example/id.json' }, { redirect_uri: WEB })
    expect((await site.browser().request(fine)).headers.get('location')).toMatch(/\/consent\?transaction=/)
  }

  test('FM#4400 FM#4426 no document is fetched from an address that stands for an inner one', async () => {
    await expectUnreached([
      '64:ff9b::7f00:1', '64:ff9b::a9fe:a9fe', '64:ff9b:1::a00:1', '2002:7f00:1::', '2002:a00:1::1', '2001:0:4136:e378:8000:63bf:3fff:fdd2', '2001::', '::ffff:127.0.0.1', '::ffff:0:127.0.0.1', '::127.0.0.1', 'fe80::5efe:7f00:1',
      '169.254.169.254', '100.64.0.1', '0.0.0.0', '10.0.0.1', '168.63.129.16', 'fd00::1', '::1',
    ]) // prettier-ignore
  })

  // RFC 5214 6.1: whoever has such an interface is led to the address of IPv4 in it, whatever the network before it.
  test('FM#4426 nor from an address of ISATAP', async () => {
    await expectUnreached([
      '2a00::5efe:127.0.0.1',
      '2a00:1:2:3:0:5efe:10.0.0.1',
      '2a00:1:2:3:200:5efe:a9fe:a9fe',
    ])
  })

  test('FM#4408 a URI that a client did not register gets no code and no error', async () => {
    const { site } = await start()
    const client = await site.register({ redirect_uris: [WEB] })
    for (const more of [{}, { response_type: 'token' }, { scope: '"' }, { prompt: 'none' }]) {
      for (const uri of [REDIRECT_URI, 'http://localhost/cb', 'https://evil.example/cb']) {
        const response = await site.browser().request(beginning(site, client, { ...more, redirect_uri: uri }))
        await expectMessage(response, 400, 'redirect_uri_mismatch')
      }
    }
    const none = beginning(site, client)
    none.searchParams.delete('redirect_uri')
    await expectMessage(await site.browser().request(none), 400, 'malformed_request')
    expect(site.idp.requests).toEqual([])
  })

  test('FM#4419 a URI that runs or reads something cannot be registered, nor named by a document', async () => {
    const unsafe = ['javascript:alert(1)', 'JavaScript:alert(1)', 'data:text/html,a', 'vbscript:a', 'file:///etc/passwd', 'blob:https://a.example/1', 'about:blank', 'ftp://a.example/', 'http://app.example.com/cb', 'intent://a#Intent;end'] // prettier-ignore
    const web = closing(await startStrangeHost())
    const { site } = await start({ proxy: { deps: { network: web.network } } })
    for (const [index, uri] of unsafe.entries()) {
      const response = await fetch(`${site.url}/register`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ redirect_uris: [uri] }),
      })
      const { status, body } = await answerOf(response)
      expect([uri, status, (body as Json)['error']]).toEqual([uri, 400, 'invalid_redirect_uri'])
      const id = `https://client.example/${index}.json`
      web.answer = documentAnswer(documentOf({ client_id: id, redirect_uris: [uri] }))
      const begun = await site.browser().request(beginning(site, { client_id: id }, { redirect_uri: uri }))
      expect([uri, begun.status, begun.headers.get('location')]).toEqual([uri, 400, null])
    }
  })

  test('FM#4438 every answer to a client names its issuer once, good or bad', async () => {
    const { site, client } = await start()
    const metadata = (await (
      await fetch(`${site.url}/.well-known/oauth-authorization-server`)
    ).json()) as Json
    expect(metadata['authorization_response_iss_parameter_supported']).toBe(true)
    const browser = site.browser()
    const locations = [
      await browser.request(await comeBack(browser, site, client)),
      await browser.request(beginning(site, client, { response_type: 'token' })),
      await browser.request(beginning(site, client, { prompt: 'none' })),
      await post(browser, await begin(browser, site, client), { decision: 'deny' }),
    ].map((response) => new URL(response.headers.get('location') ?? ''))
    for (const { searchParams } of locations) expect(searchParams.getAll('iss')).toEqual([metadata['issuer']])
    expect(locations.map(({ searchParams }) => searchParams.get('error'))).toEqual([
      null,
      'unsupported_response_type',
      'login_required',
      'access_denied',
    ])
  })

  test('FM#4608 each way to authenticate that is advertised works, and others do not', async () => {
    const { site } = await start()
    const metadata = (await (
      await fetch(`${site.url}/.well-known/oauth-authorization-server`)
    ).json()) as Json
    const methods = metadata['token_endpoint_auth_methods_supported'] as string[]
    expect(methods.toSorted()).toEqual([
      'client_secret_basic',
      'client_secret_post',
      'none',
      'private_key_jwt',
    ])
    for (const method of methods) {
      const key = createKey('ES256')
      const own = method === 'private_key_jwt' ? { jwks: { keys: [key.jwk] } } : {}
      const client = await site.register({ token_endpoint_auth_method: method, ...own })
      if (method !== 'private_key_jwt') {
        expect((await site.signIn(client)).access_token).toMatch(/^ey/)
        continue
      }
      const { code, verifier } = await site.authorize(client)
      const answer = await site.post('/token', {
        grant_type: 'authorization_code',
        code,
        code_verifier: verifier,
        ...assertionOf(client.client_id, site.baseUrl, key),
      })
      expect(answer).toMatchObject({ status: 200 })
    }
    for (const method of ['client_secret_jwt', 'tls_client_auth', 'None', 'anything']) {
      const response = await fetch(`${site.url}/register`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ redirect_uris: [WEB], token_endpoint_auth_method: method }),
      })
      expect([method, response.status]).toEqual([method, 400])
    }
    const documents = closing(await startProxySite({ proxy: { clientRegistration: false } }))
    const fewer = (await (
      await fetch(`${documents.url}/.well-known/oauth-authorization-server`)
    ).json()) as Json
    expect(fewer['token_endpoint_auth_methods_supported']).toEqual(['none', 'private_key_jwt'])
  })

  test('FM#4621 what a client says of its kind decides nothing that it may not have anyway', async () => {
    const { site } = await start()
    const native = await site.register({ application_type: 'native', token_endpoint_auth_method: undefined })
    expect(native['token_endpoint_auth_method']).toBe('none')
    expect(native).not.toHaveProperty('client_secret')
    // Cursor says web, and listens on this machine.
    const web = await site.register({
      application_type: 'web',
      redirect_uris: [REDIRECT_URI, 'cursor://anysphere.cursor-mcp/oauth/callback'],
    })
    expect(web['redirect_uris']).toEqual([REDIRECT_URI, 'cursor://anysphere.cursor-mcp/oauth/callback'])
    for (const type of ['native', 'web', 'anything', 7]) {
      const response = await fetch(`${site.url}/register`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({
          application_type: type,
          redirect_uris: ['http://app.example.com/cb', 'javascript:a'],
        }),
      })
      expect([type, response.status]).toEqual([type, 400])
    }
  })

  test.each(['', '/', '/tenant'])(
    'FM#4652 the issuer with %j at its end is the same everywhere, letter by letter',
    async (end) => {
      const { site, client } = await start({
        provider: (common) => new OIDCProxy({ ...common, issuer: `${common.baseUrl}${end}` }),
      })
      const issuer = `${site.baseUrl}${end}`
      const path = end === '/tenant' ? end : ''
      const metadata = (await (
        await fetch(`${site.url}/.well-known/oauth-authorization-server${path}`)
      ).json()) as Json
      const resource = (await (
        await fetch(`${site.url}/.well-known/oauth-protected-resource/mcp`)
      ).json()) as Json
      const browser = site.browser()
      const { verifier, challenge } = pkce()
      const back = await browser.request(await comeBack(browser, site, client, { code_challenge: challenge }))
      const answer = new URL(back.headers.get('location') ?? '').searchParams
      const { access_token: token } = (await redeem(site, client, answer.get('code') ?? '', verifier))
        .body as Tokens
      const claims = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as Json
      expect([
        metadata['issuer'],
        resource['authorization_servers'],
        answer.get('iss'),
        claims['iss'],
      ]).toEqual([issuer, [issuer], issuer, issuer])
      expect((await site.call(token)).status).toBe(200)
    },
  )

  test('FM#4659 the audience of an assertion is the issuer as it is written, and no endpoint has two slashes', async () => {
    const key = createKey('ES256')
    const web = closing(await startStrangeHost())
    web.answer = documentAnswer(
      documentOf({ token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [key.jwk] } }),
    )
    const { site } = await start({
      proxy: { deps: { network: web.network } },
      provider: (common) => new OIDCProxy({ ...common, baseUrl: `${common.baseUrl}/` }),
    })
    const issuer = `${site.baseUrl}/`
    const metadata = (await (
      await fetch(`${site.url}/.well-known/oauth-authorization-server`)
    ).json()) as Json
    expect(metadata['issuer']).toBe(issuer)
    for (const [name, url] of Object.entries(metadata))
      if (/_endpoint$|_uri$/.test(name)) expect(String(url).slice('http://'.length)).not.toContain('//')
    const browser = site.browser()
    const { verifier, challenge } = pkce()
    const known = { client_id: DOCUMENT_ID }
    const code = await expectLetIn(
      browser,
      await comeBack(browser, site, known, { redirect_uri: WEB, code_challenge: challenge }),
    )
    const form = { grant_type: 'authorization_code', code, code_verifier: verifier }
    for (const aud of [site.baseUrl, `${issuer}/`, `${issuer}/token`, [issuer, 'https://other.example']]) {
      const answer = await site.post('/token', { ...form, ...assertionOf(DOCUMENT_ID, aud, key) })
      expect([aud, answer.status, (answer.body as Json)['error']]).toEqual([aud, 401, 'invalid_client'])
    }
    expect(await site.post('/token', { ...form, ...assertionOf(DOCUMENT_ID, issuer, key) })).toMatchObject({
      status: 200,
    })
  })

  test('FM#4827 Google: a token that was issued to another app lets nobody in, here or by itself', async () => {
    let aud = 'another-app.apps.googleusercontent.com'
    const info = { sub: '1', scope: 'openid', exp: String(Math.floor(Date.now() / 1000) + 3600) }
    let issued = 0
    const answers = (): Json => ({
      'https://oauth2.googleapis.com/token': {
        access_token: `ya29.${++issued}`,
        token_type: 'Bearer',
        expires_in: 3600,
        scope: 'openid',
      },
      'https://oauth2.googleapis.com/tokeninfo': { ...info, aud },
      'https://openidconnect.googleapis.com/v1/userinfo': { sub: '1' },
    })
    const pretend: typeof fetch = (input, init) => vendor(answers()).fetch(input, init)
    const clientId = 'this-app.apps.googleusercontent.com'
    const { site, client } = await start({
      provider: ({ baseUrl, store, secret }) =>
        new GoogleProvider({
          clientId,
          clientSecret: 'the secret',
          baseUrl,
          secret,
          ...(store !== undefined && { store }),
          deps: { fetch: pretend },
        }),
    })
    const browser = site.browser()
    const other = await throughVendor(browser, site, client)
    expectError(await browser.request(other.callback), site, 'access_denied')
    expect(site.events.filter(({ type }) => type === 'authorization.granted')).toEqual([])
    const direct = await startTarget(
      new RemoteAuthProvider({
        baseUrl: 'https://api.example.com',
        authorizationServers: ['https://accounts.google.com'],
        tokenVerifier: new GoogleTokenVerifier({
          clientId,
          requiredScopes: ['openid'],
          deps: { fetch: pretend },
        }),
      }),
    )
    const call = (token: string): Promise<Response> =>
      fetch(`${direct.url}/mcp`, { headers: { authorization: `Bearer ${token}` } })
    await expectInvalidToken(await call('ya29.other'))
    aud = clientId
    expect((await call('ya29.ours')).status).toBe(200)
    const own = await throughVendor(browser, site, client)
    await expectLetIn(browser, own.callback)
  })
})

function assertionOf(
  clientId: string,
  aud: unknown,
  key: ReturnType<typeof createKey>,
): Record<string, string> {
  const now = Math.floor(Date.now() / 1000)
  const claims = {
    iss: clientId,
    sub: clientId,
    aud,
    jti: `${now} ${Math.random()}`,
    iat: now,
    exp: now + 60,
  }
  return {
    client_id: clientId,
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: signParts({ alg: key.alg, kid: key.kid }, claims, key),
  }
}

describe('defects that were shown', () => {
  /** As over a network, other requests come in between. */
  function distant(): HookedStore {
    const store = new HookedStore(new MemoryStore())
    store.before = () => new Promise(setImmediate)
    return store
  }

  test('FM 8.1.1 of three exchanges at once over a slow store one brings tokens, and the replay ends them', async () => {
    const { site, client } = await start({ proxy: { store: distant() } })
    const browser = site.browser()
    const { verifier, challenge } = pkce()
    const code = await expectLetIn(
      browser,
      await comeBack(browser, site, client, { ...OFFLINE, code_challenge: challenge }),
    )
    const answers = await Promise.all([1, 2, 3].map(() => redeem(site, client, code, verifier)))
    const good = answers.filter(({ status }) => status === 200)
    expect(good).toHaveLength(1)
    for (const answer of answers) if (answer !== good[0]) expect(seen(answer)).toEqual(INVALID_GRANT)
    const tokens = good[0]?.body as Tokens
    await expectInvalidToken(await site.call(tokens.access_token))
    expect(seen(await site.post('/token', renewal(client, tokens.refresh_token)))).toEqual(INVALID_GRANT)
    expect(asked(site)).toBe(1)
  })

  test('FM 8.1.2 of renewals at once one goes upstream and all bring the same pair; a later one ends the family', async () => {
    const clock = testClock()
    const store = new HookedStore(new MemoryStore({ deps: clock }))
    store.before = () => new Promise(setImmediate)
    const { site, client } = await start({ proxy: { store, deps: clock } })
    const first = (await tokensFor(site.browser(), site, client, OFFLINE)).body as Tokens
    const calls = asked(site)
    const answers = await Promise.all(
      [1, 2, 3, 4, 5].map(() => site.post('/token', renewal(client, first.refresh_token))),
    )
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200, 200])
    const successors = new Set(answers.map(({ body }) => (body as Tokens).refresh_token))
    expect(successors.size).toBe(1)
    expect(successors.has(first.refresh_token)).toBe(false)
    expect(asked(site)).toBe(calls + 1)
    const second = answers[0]?.body as Tokens
    expect((await site.call(second.access_token)).status).toBe(200)
    clock.advance(31)
    expect(seen(await site.post('/token', renewal(client, first.refresh_token)))).toEqual(INVALID_GRANT)
    expect(seen(await site.post('/token', renewal(client, second.refresh_token)))).toEqual(INVALID_GRANT)
    await expectInvalidToken(await site.call(second.access_token))
    // Nothing is left there that somebody could go on with.
    expect(asked(site, '/revoke')).toBeGreaterThan(0)
  })

  test('FM 8.1.3 a public client gives tokens back without a secret: one access token by itself, or all there is, here and there', async () => {
    const upstream: string[] = []
    const { site, client } = await start({
      proxy: {
        deps: {
          fetch: changing((_url, json) => {
            for (const name of ['access_token', 'refresh_token'])
              if (typeof json[name] === 'string') upstream.push(json[name])
            return json
          }),
        },
      },
    })
    const metadata = (await (
      await fetch(`${site.url}/.well-known/oauth-authorization-server`)
    ).json()) as Json
    expect(metadata['revocation_endpoint_auth_methods_supported']).toContain('none')
    const first = (await tokensFor(site.browser(), site, client, OFFLINE)).body as Tokens
    const other = (await tokensFor(site.browser(), site, client, OFFLINE)).body as Tokens
    const giveBack = async (token: string): Promise<unknown> => {
      const { status, body } = await site.post('/revoke', { token, client_id: client.client_id })
      return { status, body }
    }
    expect(await giveBack(first.access_token)).toEqual({ status: 200, body: '' })
    await expectInvalidToken(await site.call(first.access_token))
    const renewed = await site.post('/token', renewal(client, first.refresh_token))
    expect(renewed.status).toBe(200)
    const second = renewed.body as Tokens
    expect((await site.call(second.access_token)).status).toBe(200)

    expect(await giveBack(second.refresh_token)).toEqual({ status: 200, body: '' })
    await expectInvalidToken(await site.call(second.access_token))
    for (const { refresh_token: refresh } of [first, second])
      expect(seen(await site.post('/token', renewal(client, refresh)))).toEqual(INVALID_GRANT)
    const given = site.idp.requests
      .filter(({ path }) => path === '/revoke')
      .map(({ form }) => form?.['token'])
    expect(given.length).toBeGreaterThan(0)
    // Tokens of theirs, and none of ours.
    expect(given.every((token) => upstream.includes(token ?? ''))).toBe(true)
    expect((await site.call(other.access_token)).status).toBe(200)
  })

  test('FM 8.1.4 a body of many megabytes is refused before it is read', async () => {
    const store = new WrittenStore()
    const { site } = await start({ proxy: { store } })
    const writes = store.written.length
    const head = (path: string, type: string, size: string): string =>
      `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Type: ${type}\r\n${size}\r\n\r\n`
    const json = 'application/json'
    const form = 'application/x-www-form-urlencoded'
    for (const [path, type] of [
      ['/register', json],
      ['/token', form],
      ['/authorize', form],
      ['/consent', form],
      ['/revoke', form],
    ] as const) {
      const told = await site.raw(`${head(path, type, 'Content-Length: 20000000')}{"client_name":"`)
      expect([path, told.slice(0, 12)]).toEqual([path, 'HTTP/1.1 413'])
      const chunk = `8000\r\n${'a'.repeat(0x8000)}\r\n`
      const untold = await site.raw(head(path, type, 'Transfer-Encoding: chunked') + chunk + chunk)
      expect([path, untold.slice(0, 12)]).toEqual([path, 'HTTP/1.1 413'])
    }
    expect(store.written.length).toBe(writes)
  })

  test.each<[string, (json: Json) => Json, 'in' | 'not now']>([
    ['expires_in null', (json) => ({ ...json, expires_in: null }), 'in'],
    ['expires_in as text', (json) => ({ ...json, expires_in: '3600' }), 'in'],
    ['expires_in of 0', (json) => ({ ...json, expires_in: 0 }), 'in'],
    ['a negative expires_in', (json) => ({ ...json, expires_in: -1 }), 'in'],
    ['an expires_in without end', (json) => ({ ...json, expires_in: 1e308 }), 'in'],
    ['expires_in as an object', (json) => ({ ...json, expires_in: { a: 1 } }), 'in'],
    ['a scope that is a list', (json) => ({ ...json, scope: ['openid'] }), 'in'],
    ['no refresh token but null', (json) => ({ ...json, refresh_token: null }), 'in'],
    ['no access token', ({ access_token: _, ...json }) => json, 'not now'],
    ['an access token of null', (json) => ({ ...json, access_token: null }), 'not now'],
    ['an access token that is a number', (json) => ({ ...json, access_token: 7 }), 'not now'],
    ['nothing', () => ({}), 'not now'],
  ])('FM 8.1.5 an answer of the token endpoint with %s is no failure of ours', async (_, change, outcome) => {
    let odd: ((json: Json) => Json) | undefined
    const { site, client } = await start({
      proxy: {
        deps: {
          fetch: changing((url, json) => (url.endsWith('/token') && odd !== undefined ? odd(json) : json)),
        },
      },
    })
    const browser = site.browser()
    odd = change
    const { verifier, challenge } = pkce()
    const callback = await comeBack(browser, site, client, { ...OFFLINE, code_challenge: challenge })
    const response = await browser.request(callback)
    if (outcome === 'in') {
      const code = new URL(response.headers.get('location') ?? '').searchParams.get('code') ?? ''
      const { status, body } = await redeem(site, client, code, verifier)
      expect(status).toBe(200)
      expect((await site.call((body as Tokens).access_token)).status).toBe(200)
    } else {
      expect(response.headers.get('retry-after')).toMatch(/^[1-9]\d*$/)
      await expectMessage(response, 503, 'unavailable')
    }
    odd = undefined
    expect(await tokensFor(browser, site, client)).toMatchObject({ status: 200 })
  })

  test('FM 8.1.6 a public client of the identity provider says who it is, and sends no secret', async () => {
    const { site, client } = await start({
      idp: { clientAuth: 'none' },
      provider: ({ clientSecret: _, ...rest }) => new OIDCProxy(rest),
    })
    const first = (await tokensFor(site.browser(), site, client, OFFLINE)).body as Tokens
    expect(await site.post('/token', renewal(client, first.refresh_token))).toMatchObject({ status: 200 })
    const calls = site.idp.requests.filter(({ path }) => path === '/token')
    expect(calls).toHaveLength(2)
    for (const { authorization, form } of calls) {
      expect([authorization, form?.['client_id']]).toEqual([undefined, site.idp.clientId])
      expect(form).not.toHaveProperty('client_secret')
    }
    const { fetch: pretend, calls: asked_ } = vendor({})
    const sent: (string | null)[] = []
    const { site: google, client: known } = await start({
      provider: ({ baseUrl, store, secret }) =>
        new GoogleProvider({
          clientId: 'this-app',
          baseUrl,
          secret,
          ...(store !== undefined && { store }),
          deps: {
            fetch: (input, init) => {
              sent.push(
                new Headers(init?.headers).get('authorization'),
                typeof init?.body === 'string' ? init.body : null,
              )
              return pretend(input, init)
            },
          },
        }),
    })
    const browser = google.browser()
    await browser.request((await throughVendor(browser, google, known)).callback)
    expect(asked_).toEqual(['https://oauth2.googleapis.com/token'])
    expect(sent[0]).toBeNull()
    expect(new URLSearchParams(sent[1] ?? '').get('client_id')).toBe('this-app')
    expect(sent[1]).not.toMatch(/client_secret|None|undefined/)
  })

  test('FM 8.1.7 Entra: the prompt arrives there, a foreign resource is refused, and of any tenant each token is of its own', async () => {
    const key = createKey('RS256')
    const authority = 'https://login.microsoftonline.com'
    const tenant = 'aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee'
    const clientId = '11111111-2222-3333-4444-555555555555'
    let claims: Json = {}
    const answers = (): Json => ({
      [`${authority}/organizations/discovery/v2.0/keys`]: { keys: [key.jwk] },
      [`${authority}/organizations/oauth2/v2.0/token`]: {
        access_token: createToken(
          key,
          { aud: clientId, sub: 'person', scp: 'mcp.use', azp: clientId, ...claims },
          { typ: 'JWT' },
        ),
        token_type: 'Bearer',
        expires_in: 3600,
        scope: `api://${clientId}/mcp.use`,
      },
    })
    const { site, client } = await start({
      provider: ({ baseUrl, store, secret }) =>
        new AzureProvider({
          clientId,
          clientSecret: 'the secret',
          tenantId: 'organizations',
          requiredScopes: ['mcp.use'],
          baseUrl,
          secret,
          ...(store !== undefined && { store }),
          deps: { fetch: (input, init) => vendor(answers()).fetch(input, init) },
        }),
    })
    const browser = site.browser()
    const { departure } = await throughVendor(browser, site, client, { prompt: 'select_account' })
    expect(departure.href).toMatch(
      /^https:\/\/login\.microsoftonline\.com\/organizations\/oauth2\/v2\.0\/authorize\?/,
    )
    expect(departure.searchParams.get('prompt')).toBe('select_account')
    expect(departure.searchParams.has('resource')).toBe(false)
    const foreign = beginning(site, client, { resource: 'https://evil.example/mcp' })
    expectError(await browser.request(foreign), site, 'invalid_target')

    claims = { iss: `${authority}/${tenant}/v2.0`, tid: tenant }
    await expectLetIn(browser, (await throughVendor(browser, site, client)).callback)
    for (const wrong of [
      { iss: `${authority}/organizations/v2.0`, tid: tenant },
      { iss: `${authority}/${tenant}/v2.0`, tid: 'ffffffff-bbbb-cccc-dddd-eeeeeeeeeeee' },
      { iss: `${authority}/{tid}/v2.0`, tid: '{tid}' },
      { iss: `${authority}/${tenant}/v2.0` },
      { iss: `https://evil.example/${tenant}/v2.0`, tid: tenant },
    ]) {
      claims = wrong
      expectError(
        await browser.request((await throughVendor(browser, site, client)).callback),
        site,
        'access_denied',
      )
    }
  })

  test('FM 8.1.8 to be mounted again, to be asked for metadata, or to be looked at changes nothing about tokens', async () => {
    const { site, client } = await start()
    const { access_token: token } = await site.signIn(client)
    const paths = ['/.well-known/oauth-protected-resource/mcp', '/.well-known/oauth-protected-resource', '/.well-known/oauth-authorization-server', '/.well-known/jwks.json'] // prettier-ignore
    const read = (): Promise<string[]> =>
      Promise.all(paths.map(async (path) => (await fetch(site.url + path)).text()))
    const before = await read()
    const { provider } = site
    const again = [
      mcpAuth(provider, { rateLimit: false }),
      mcpAuth(provider, { rateLimit: false, protect: '/mcp' }),
    ]
    const seen_ = [
      provider.resourceUrl,
      provider.authorizationServers,
      provider.requiredScopes,
      Object.keys(provider),
    ]
    const second = closing(
      await startServer((request, response) => {
        again[1]?.(request, response, () => response.end('let in'))
      }),
    )
    await fetch(`${second.url}/.well-known/oauth-protected-resource`)
    const beside = await fetch(`${second.url}/mcp`, { headers: { authorization: `Bearer ${token}` } })
    expect([beside.status, await beside.text()]).toEqual([200, 'let in'])
    expect((await site.call(token)).status).toBe(200)
    expect(await read()).toEqual(before)
    expect([
      provider.resourceUrl,
      provider.authorizationServers,
      provider.requiredScopes,
      Object.keys(provider),
    ]).toEqual(seen_)
    const { access_token: later } = await site.signIn(client)
    const audienceOf = (jwt: string): unknown =>
      (JSON.parse(Buffer.from(jwt.split('.')[1] ?? '', 'base64url').toString()) as Json)['aud']
    expect([audienceOf(token), audienceOf(later)]).toEqual([`${site.baseUrl}/mcp`, `${site.baseUrl}/mcp`])
  })

  test('FM 8.1.9 a secret of raw bytes is refused in words where it is written, and one of odd letters works', async () => {
    const common = {
      configUrl: 'https://idp.example.com/.well-known/openid-configuration',
      clientId: 'a',
      clientSecret: 'b',
      baseUrl: 'https://api.example.com',
      store: new MemoryStore(),
    }
    for (const secret of [Buffer.alloc(32, 0xff), new Uint8Array(32), 7, 'short', [Buffer.alloc(32)], ['']]) {
      const { code, message } = configErrorOf(() => new OIDCProxy({ ...common, secret: secret as string }))
      expect(code).toMatch(/^ERR_MCP_AUTH_/)
      expect(message).toContain('secret')
    }
    const { site, client } = await start({ proxy: { secret: '\0ü\uFFFD💥'.repeat(8) } })
    const { access_token: token } = await site.signIn(client)
    expect((await site.call(token)).status).toBe(200)
  })

  test('FM 8.1.10 what somebody writes into the store in the clear, or moves there, is not believed', async () => {
    const inner = new WrittenStore()
    const refused: string[] = []
    const store = new EncryptedStore({
      store: inner,
      keys: ['a key of thirty-two bytes or more, for tests'],
      onRefused: (collection) => refused.push(collection),
    })
    const { site, client } = await start({ proxy: { store } })
    const ada = (await tokensFor(site.browser(), site, client, OFFLINE)).body as Tokens
    const grace = (await tokensFor(site.browser(), site, client, OFFLINE, 'grace')).body as Tokens
    const grants = inner.of('grants').map((step) => JSON.parse(step) as [string, string, ...unknown[]])
    const [collection] = grants[0] as [string, string]
    const [first, second] = [...new Set(grants.map(([, key]) => key))] as [string, string]
    const [one, two] = [await inner.get(collection, first), await inner.get(collection, second)]
    if (one === undefined || two === undefined) throw new Error('two grants are there')
    expect(one.value).not.toContain('idp|')
    // Grace's grant where Ada's was: her token would then speak for Grace.
    await inner.put(collection, first, two)
    await expectInvalidToken(await site.call(ada.access_token))
    expect(seen(await site.post('/token', renewal(client, ada.refresh_token)))).toEqual(INVALID_GRANT)
    const clear = {
      ...(JSON.parse((await store.get(collection, second))?.value ?? '{}') as Json),
      subject: 'idp|ada',
      scopes: ['admin'],
    }
    await inner.put(collection, second, { ...two, value: JSON.stringify(clear) })
    await expectInvalidToken(await site.call(grace.access_token))
    expect(new Set(refused)).toEqual(new Set([collection]))
    await inner.put(collection, first, one)
    await inner.put(collection, second, two)
    expect((await site.call(ada.access_token)).status).toBe(200)
  })

  test('FM 8.1.10 also in a store without encryption, what is behind one grant is of no use in another', async () => {
    const store = new WrittenStore()
    const { site, client } = await start({ proxy: { store } })
    const ada = (await tokensFor(site.browser(), site, client, OFFLINE)).body as Tokens
    const grace = (await tokensFor(site.browser(), site, client, OFFLINE, 'grace')).body as Tokens
    const grants = store.of('grants').map((step) => JSON.parse(step) as [string, string, ...unknown[]])
    const [collection] = grants[0] as [string, string]
    const [first, second] = [...new Set(grants.map(([, key]) => key))] as [string, string]
    const [one, two] = [await store.get(collection, first), await store.get(collection, second)]
    if (one === undefined || two === undefined) throw new Error('two grants are there')
    const { upstream } = JSON.parse(two.value) as Json
    const moved = { ...(JSON.parse(one.value) as Json), upstream }
    await store.put(collection, first, { ...one, value: JSON.stringify(moved) })
    await expectInvalidToken(await site.call(ada.access_token))
    const calls = asked(site)
    const renewed = await site.post('/token', renewal(client, ada.refresh_token))
    expect(renewed).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
    expect(asked(site)).toBe(calls)
    expect((await site.call(grace.access_token)).status).toBe(200)
  })

  test('FM 8.1.11 what one cookie or code was signed for is of no use as another, and the client secret signs none', async () => {
    const { site, client } = await start()
    const browser = site.browser()
    const turn = await begin(browser, site, client)
    const departure = departureIn(await post(browser, turn, allow), site)
    const state = departure.searchParams.get('state') ?? ''
    const cookies = new Map(browser.cookies(site.url))
    const nameOf = (what: string): string => [...cookies.keys()].find((name) => name.includes(what)) ?? ''
    const [browserName, tripName] = [nameOf('mcp-browser-'), nameOf('mcp-trip-')]
    const browserValue = cookies.get(browserName) ?? ''
    const tripValue = cookies.get(tripName) ?? ''
    const csrf = turn.form.fields['csrf'] ?? ''
    const callback = await signInThere(browser, site, departure)
    const calls = asked(site)
    const macs = [browserValue.split('.')[1] ?? '', csrf.split('.')[1] ?? '', createHmac('sha256', site.idp.clientSecret).update(state).digest('base64url'), createHmac('sha256', SECRET).update(state).digest('base64url')] // prettier-ignore
    for (const mac of macs) {
      browser.plant(site.url, tripName, mac)
      await expectMessage(await browser.request(callback), 403, 'other_browser')
    }
    // A trip's cookie names no browser, and neither cookie makes a form ours.
    for (const value of [`${state}.${tripValue}`, `${browserValue.split('.')[0]}.${tripValue}`, csrf]) {
      browser.plant(site.url, browserName, value)
      await expectMessage(await browser.request(turn.url), 403, 'other_browser')
    }
    browser.plant(site.url, browserName, browserValue)
    for (const code of [browserValue, `${state}.${tripValue}`, `${csrf.split('.')[0]}.${tripValue}`])
      await expectMessage(await post(browser, turn, { ...allow, csrf: code }), 403, 'forged')
    expect(asked(site)).toBe(calls)
    browser.plant(site.url, tripName, tripValue)
    await expectLetIn(browser, callback)
  })
})

// A proxy and every kind of token and client that an identity provider has: who is behind them is known each time, and a refresh token that is
// good for one use is used once, however many ask at once.
import { afterEach, describe, expect, it } from '@jest/globals'
import {
  IntrospectionTokenVerifier,
  JWTVerifier,
  OAuthProxy,
  type OAuthProxyOptions,
  type OIDCProxyOptions,
  RemoteTokenVerifier,
  getAccessToken,
} from 'express-mcp-auth'
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import { type TestClock, testClock } from 'express-mcp-auth/testing'
import type { Registered, Tokens } from '../support/authorization-server.js'
import type { TestIdentityProvider } from '../support/identity-provider.js'
import { type ProxySite, type ProxySiteOptions, startProxySite } from '../support/proxy-site.js'
import { startServer } from '../support/site.js'

interface Running extends ProxySite {
  readonly clock: TestClock
  /** Forms that were posted to an endpoint of the identity provider. */
  asked(path: string): readonly Readonly<Record<string, string>>[]
}

const opened: { close(): Promise<void> }[] = []
afterEach(async () => {
  for (const each of opened.splice(0).reverse()) await each.close()
})

async function start({ proxy, ...options }: ProxySiteOptions = {}): Promise<Running> {
  const clock = testClock()
  const site = await startProxySite({
    proxy: {
      store: new MemoryStore({ deps: clock }),
      accessTokenSeconds: 600,
      requiredScopes: ['openid'],
      scopesSupported: ['profile', 'mcp:use'],
      deps: clock,
      ...proxy,
    },
    guard: { deps: clock },
    extend: (app) => {
      app.get('/who', (request, response, next) => {
        const { subject, claims, upstream, scopes } = getAccessToken(request) ?? {}
        void Promise.resolve(upstream?.getToken())
          .then((token) => response.json({ subject, scopes, name: claims?.['name'], token }))
          .catch(next)
      })
    },
    ...options,
    idp: { scopes: ['mcp:use'], ...options.idp },
  })
  opened.push(site)
  const asked: Running['asked'] = (path) =>
    site.idp.requests.filter((each) => each.path === path).map(({ form = {} }) => form)
  return { ...site, clock, asked }
}

/** An OAuthProxy in front of it, with whatever says whose its tokens are. */
const oauthProxy =
  (
    verifierOf: (idp: TestIdentityProvider, common: OIDCProxyOptions) => OAuthProxyOptions['tokenVerifier'],
    more: Partial<OAuthProxyOptions> = {},
  ): NonNullable<ProxySiteOptions['provider']> =>
  (common, idp) => {
    const { configUrl: _, clientId, clientSecret, verifyIdToken: __, requiredScopes: ___, ...shared } = common
    return new OAuthProxy({
      ...shared,
      upstreamAuthorizationEndpoint: idp.authorizationEndpoint,
      upstreamTokenEndpoint: idp.tokenEndpoint,
      upstreamRevocationEndpoint: idp.revocationEndpoint,
      upstreamIssuer: idp.issuer,
      upstreamClientId: clientId,
      ...(clientSecret !== undefined && { upstreamClientSecret: clientSecret }),
      tokenVerifier: verifierOf(idp, common),
      ...more,
    })
  }

const depsOf = ({ deps }: OIDCProxyOptions): { deps?: NonNullable<OIDCProxyOptions['deps']> } =>
  deps === undefined ? {} : { deps }

interface Who {
  readonly subject: string
  readonly name?: string
  readonly scopes: readonly string[]
  readonly token: string
}

async function who(site: Running, { access_token: token }: Tokens): Promise<Who> {
  const answer = await fetch(`${site.url}/who`, { headers: { authorization: `Bearer ${token}` } })
  expect(answer.status).toBe(200)
  return (await answer.json()) as Who
}

const renewal = (client: Registered, tokens: Tokens): Readonly<Record<string, string>> => ({
  grant_type: 'refresh_token',
  refresh_token: tokens.refresh_token,
  client_id: client.client_id,
})

/** Signed in, used, renewed there, renewed here, revoked. */
async function live(site: Running, more: Record<string, string> = {}): Promise<Who> {
  site.idp.accessTokenSeconds = 60
  const client = await site.register()
  const tokens = await site.signIn(client, { scope: 'openid profile', ...more })
  const first = await who(site, tokens)
  expect(first).toMatchObject({ subject: 'idp|ada', scopes: ['openid', 'profile'] })
  site.idp.accessTokenSeconds = 3600
  site.clock.advance(61)
  const second = await who(site, tokens)
  expect(second).toMatchObject({ subject: 'idp|ada', scopes: ['openid', 'profile'] })
  expect(second.token).not.toBe(first.token)
  const renewed = await site.post('/token', renewal(client, tokens))
  expect(renewed).toMatchObject({ status: 200, body: { scope: 'openid profile' } })
  const third = await who(site, renewed.body as Tokens)
  expect(third).toMatchObject({ subject: 'idp|ada' })
  const { refresh_token: ours } = renewed.body as Tokens
  expect(await site.post('/revoke', { token: ours, client_id: client.client_id })).toMatchObject({
    status: 200,
  })
  expect(site.asked('/revoke').at(-1)).toMatchObject({ token: third.token, token_type_hint: 'access_token' })
  expect((await site.call((renewed.body as Tokens).access_token)).status).toBe(401)
  return first
}

const claimsOf = (token: string): unknown =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString())

describe('tokens of the identity provider', () => {
  it('that are JWTs for our resource are judged by its keys, with any audience unless one is set', async () => {
    const site = await start({
      proxy: { verifyIdToken: false },
      idp: { accessTokens: 'jwt', resources: 'accept' },
    })
    const resource = `${site.baseUrl}/mcp`
    const { token } = await live(site, { resource })
    expect(claimsOf(token)).toMatchObject({ aud: resource, iss: site.idp.issuer })
  })

  it('that are JWTs for an audience are judged by it, and it is asked for', async () => {
    const audience = 'https://api.example.com'
    const site = await start({
      proxy: { verifyIdToken: false, audience, forwardResource: false },
      idp: { accessTokens: 'jwt', defaultAudience: audience },
    })
    const { token } = await live(site)
    expect(claimsOf(token)).toMatchObject({ aud: audience, iss: site.idp.issuer })
    const authorize = site.idp.requests.find(({ path }) => path === '/authorize')
    expect(authorize?.query).toMatchObject({ audience })
    expect(authorize?.query).not.toHaveProperty('resource')
    for (const form of site.asked('/token')) expect(form).toMatchObject({ audience })
  })

  it('J17 that are JWTs for another audience let nobody in', async () => {
    const site = await start({
      proxy: { verifyIdToken: false, audience: 'https://api.example.com', forwardResource: false },
      idp: { accessTokens: 'jwt', defaultAudience: 'https://other.example.com' },
    })
    const client = await site.register()
    await expect(site.authorize(client, { scope: 'openid' })).rejects.toThrow('error=access_denied')
    expect(site.events).toContainEqual(
      expect.objectContaining({
        type: 'authorization.refused',
        error: 'access_denied',
        detail: expect.stringContaining('https://api.example.com'),
      }),
    )
  })

  it('that are opaque go by the ID token, where that is said', async () => {
    const site = await start({ idp: { accessTokens: 'opaque' } })
    const first = await live(site)
    expect(first).toMatchObject({ name: 'Ada Lovelace' })
    expect(first.token).not.toContain('.')
  })

  it('that are opaque, where nobody said so, let nobody in, and the operator is told what to write', async () => {
    const site = await start({ proxy: { verifyIdToken: false }, idp: { accessTokens: 'opaque' } })
    const client = await site.register()
    await expect(site.authorize(client, { scope: 'openid' })).rejects.toThrow('error=access_denied')
    expect(site.events).toContainEqual(
      expect.objectContaining({
        type: 'authorization.refused',
        detail: expect.stringContaining('verifyIdToken: true'),
      }),
    )
  })

  it('that are opaque are asked about at the introspection endpoint', async () => {
    const site = await start({
      idp: { accessTokens: 'opaque' },
      provider: oauthProxy(
        (idp, common) =>
          new IntrospectionTokenVerifier({
            introspectionUrl: idp.introspectionEndpoint,
            clientId: idp.clientId,
            clientSecret: idp.clientSecret,
            requiredScopes: ['openid'],
            ...depsOf(common),
          }),
      ),
    })
    await live(site)
    expect(site.asked('/introspect').length).toBeGreaterThan(1)
  })

  it('that only a service can tell are asked about there', async () => {
    const service = { asked: 0, idp: undefined as TestIdentityProvider | undefined }
    const verification = await startServer((request, response) => {
      void (async () => {
        service.asked++
        let body = ''
        for await (const chunk of request) body += String(chunk)
        const { token } = JSON.parse(body) as { token: string }
        const answer = await fetch(service.idp?.userinfoEndpoint ?? '', {
          headers: { authorization: `Bearer ${token}` },
        })
        response.writeHead(answer.status, { 'content-type': 'application/json' }).end(await answer.text())
      })()
    })
    opened.push(verification)
    const site = await start({
      idp: { accessTokens: 'opaque' },
      provider: oauthProxy((idp, common) => {
        service.idp = idp
        return new RemoteTokenVerifier({
          verifyUrl: verification.url,
          requiredScopes: ['openid'],
          ...depsOf(common),
        })
      }),
    })
    expect(await live(site)).toMatchObject({ name: 'Ada Lovelace' })
    expect(service.asked).toBeGreaterThan(2)
  })

  it('are no tokens here, and ours are none there', async () => {
    const site = await start({
      proxy: { verifyIdToken: false },
      idp: { accessTokens: 'jwt', resources: 'accept' },
    })
    const tokens = await site.signIn(await site.register(), { scope: 'openid' })
    const { token } = await who(site, tokens)
    const refused = await site.call(token)
    expect({ status: refused.status, challenge: refused.headers.get('www-authenticate') }).toEqual({
      status: 401,
      challenge: expect.stringContaining('error="invalid_token"'),
    })
    const there = await fetch(site.idp.userinfoEndpoint, {
      headers: { authorization: `Bearer ${tokens.access_token}` },
    })
    expect(there.status).toBe(401)
  })
})

describe('this app shows who it is', () => {
  it.each(['client_secret_basic', 'client_secret_post', 'none'] as const)('by %s', async (clientAuth) => {
    const site = await start({
      idp: { clientAuth },
      proxy: { tokenEndpointAuthMethod: clientAuth },
    })
    await live(site)
    const requests = site.idp.requests.filter(({ path, method }) => path === '/token' && method === 'POST')
    expect(requests.map(({ form }) => form?.['grant_type'])).toEqual(['authorization_code', 'refresh_token'])
    for (const { authorization, form } of requests) {
      expect(authorization === undefined).toBe(clientAuth !== 'client_secret_basic')
      expect(form?.['client_secret']).toBe(
        clientAuth === 'client_secret_post' ? site.idp.clientSecret : undefined,
      )
    }
  })

  it('by none where there is no secret', async () => {
    const site = await start({
      idp: { clientAuth: 'none', accessTokens: 'jwt', resources: 'accept' },
      provider: ({ clientSecret: _, ...common }, idp) =>
        oauthProxy(
          ({ jwksUri, issuer }, { baseUrl }) =>
            new JWTVerifier({
              jwksUri,
              issuer,
              audience: `${baseUrl}/mcp`,
              requiredScopes: ['openid'],
              ...depsOf(common),
            }),
        )(common, idp),
    })
    expect(site.provider.requiredScopes).toEqual(['openid'])
    const resource = `${site.baseUrl}/mcp`
    await live(site, { resource })
    const [{ client_id: named, client_secret: secret } = {}] = site.asked('/token')
    expect([named, secret]).toEqual([site.idp.clientId, undefined])
    // A client that names no resource gets tokens for none, which the verifier does not take.
    const client = await site.register()
    await expect(site.authorize(client, { scope: 'openid' })).rejects.toThrow('error=access_denied')
  })

  it('with a wrong secret lets nobody in: the client hears nothing of it, and the operator all', async () => {
    const site = await start({ proxy: { clientSecret: 'another secret' } })
    const client = await site.register()
    await expect(site.authorize(client, { scope: 'openid' })).rejects.toThrow('error=server_error')
    expect(site.events).toContainEqual(
      expect.objectContaining({ type: 'upstream.refused', operation: 'sign_in', error: 'invalid_client' }),
    )
    expect(JSON.stringify(site.events)).not.toContain('another secret')
  })
})

describe('the resource', () => {
  const resourcesOf = (site: Running): readonly (string | undefined)[] =>
    site.idp.requests
      .filter(({ path, query }) => path === '/authorize' && 'client_id' in query)
      .map(({ query }) => query['resource'])

  it('is told the identity provider, where the client names it', async () => {
    const site = await start({ idp: { resources: 'accept' } })
    const resource = `${site.baseUrl}/mcp`
    await site.signIn(await site.register(), { scope: 'openid', resource })
    expect(resourcesOf(site)).toEqual([resource])
    expect(site.asked('/token')).toMatchObject([{ resource }])
  })

  it('that the identity provider refuses is left out at once, and the person notices nothing', async () => {
    const site = await start({ idp: { resources: 'refuse' } })
    const resource = `${site.baseUrl}/mcp`
    const client = await site.register()
    const tokens = await site.signIn(client, { scope: 'openid', resource })
    expect(resourcesOf(site)).toEqual([resource, undefined])
    expect(await who(site, tokens)).toMatchObject({ subject: 'idp|ada' })
    const renewed = await site.post('/token', renewal(client, tokens))
    expect(renewed.status).toBe(200)
    for (const form of site.asked('/token')) expect(form).not.toHaveProperty('resource')
  })

  it('is not told where the option says so', async () => {
    const site = await start({ proxy: { forwardResource: false } })
    await site.signIn(await site.register(), { scope: 'openid', resource: `${site.baseUrl}/mcp` })
    expect(resourcesOf(site)).toEqual([undefined])
  })
})

describe('scopes', () => {
  it('that the person did not grant there are not granted here', async () => {
    const site = await start()
    site.idp.grantedScopes = ['openid']
    const client = await site.register()
    const tokens = await site.signIn(client, { scope: 'openid profile mcp:use' })
    expect(tokens.scope).toBe('openid')
    expect(await who(site, tokens)).toMatchObject({ scopes: ['openid'] })
    expect((await site.post('/token', renewal(client, tokens))).body).toMatchObject({ scope: 'openid' })
  })
})

describe('a refresh token of the identity provider that is good for one use', () => {
  async function rotating(): Promise<Running & { client: Registered; tokens: Tokens }> {
    const site = await start()
    site.idp.rotateRefreshTokens = true
    site.idp.accessTokenSeconds = 60
    const client = await site.register()
    const tokens = await site.signIn(client, { scope: 'openid' })
    return { ...site, client, tokens }
  }
  const renewals = (site: Running): number =>
    site.asked('/token').filter(({ grant_type: type }) => type === 'refresh_token').length

  it('F4 is used once by 50 requests at once whose upstream token has ended', async () => {
    const site = await rotating()
    site.clock.advance(61)
    const callers = await Promise.all(Array.from({ length: 50 }, () => who(site, site.tokens)))
    expect(new Set(callers.map(({ token }) => token)).size).toBe(1)
    expect(renewals(site)).toBe(1)
  })

  it('F4 is used once by 100 clients at once that renew with one refresh token of ours, and all get one successor', async () => {
    const site = await rotating()
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => site.post('/token', renewal(site.client, site.tokens))),
    )
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
    const successors = new Set(answers.map(({ body }) => (body as Tokens).refresh_token))
    expect(successors.size).toBe(1)
    expect(renewals(site)).toBe(1)
    const [successor = ''] = successors
    const next = await site.post('/token', {
      ...renewal(site.client, site.tokens),
      refresh_token: successor,
    })
    expect(next.status).toBe(200)
    expect(renewals(site)).toBe(2)
  })

  it('F4 is used once by requests and renewals that come together', async () => {
    const site = await rotating()
    site.clock.advance(61)
    const both = await Promise.all([
      ...Array.from({ length: 25 }, async () => (await site.call(site.tokens.access_token)).status),
      ...Array.from(
        { length: 25 },
        async () => (await site.post('/token', renewal(site.client, site.tokens))).status,
      ),
    ])
    expect(new Set(both)).toEqual(new Set([200]))
    // Who asks first renews for the requests; a renewal that began after it may ask once more.
    expect(renewals(site)).toBeLessThanOrEqual(2)
    expect(site.events.filter(({ type }) => type === 'grant.revoked')).toEqual([])
  })
})

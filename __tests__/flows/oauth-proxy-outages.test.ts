// An identity provider that fails at every step, says no, rotates its keys, or takes back what it granted: what people and clients are told, that nothing
// is lost by it, and that all goes on when it is back, without a restart.
import { afterEach, describe, expect, it, test } from '@jest/globals'
import { IntrospectionTokenVerifier, OIDCProxy } from 'express-mcp-auth'
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import { type TestClock, testClock } from 'express-mcp-auth/testing'
import {
  REDIRECT_URI,
  type Registered,
  type Tokens,
  authorizationUrl,
  pkce,
} from '../support/authorization-server.js'
import { type Browser, formOf } from '../support/browser-session.js'
import { type IdentityProviderFailure, signInAt } from '../support/identity-provider.js'
import { type ProxySite, type ProxySiteOptions, startProxySite } from '../support/proxy-site.js'

interface Running extends ProxySite {
  readonly clock: TestClock
  readonly client: Registered
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
      scopesSupported: ['profile'],
      deps: clock,
      ...proxy,
    },
    guard: { deps: clock },
    ...options,
  })
  opened.push(site)
  return { ...site, clock, client: await site.register() }
}

/** With upstream access tokens that are JWTs for our resource. */
const startJwt = (): Promise<Running> =>
  start({ proxy: { verifyIdToken: false }, idp: { accessTokens: 'jwt', resources: 'accept' } })

/** A person with a browser, one step after the other. */
interface Person {
  readonly browser: Browser
  readonly verifier: string
  /** The first and any later press on Allow. */
  allow(): Promise<Response>
  /** Through the pages of the identity provider, from where the browser was sent. Returns the URL of our callback. */
  signIn(sent: Response, consent?: boolean): Promise<URL>
}

async function person(site: Running, more: Record<string, string> = {}): Promise<Person> {
  const browser = site.browser()
  const { verifier, challenge } = pkce()
  const beginning = authorizationUrl(site.url, site.client.client_id, challenge, {
    scope: 'openid profile',
    ...more,
  })
  const form = formOf(await browser.go(beginning, REDIRECT_URI))
  return {
    browser,
    verifier,
    allow: () => browser.request(form.action, { ...form.fields, decision: 'allow' }),
    signIn: (sent, consent = true) =>
      signInAt(browser, sent.headers.get('location') ?? '', 'ada', {
        destination: site.callbackUrl,
        consent,
      }),
  }
}

/** What the client is sent. */
function clientGets(answer: Response): URLSearchParams {
  const location = answer.headers.get('location') ?? ''
  expect([302, answer.status, location]).toEqual([302, 302, expect.stringContaining(REDIRECT_URI)])
  const params = new URL(location).searchParams
  expect(params.get('state')).toBe('a state')
  return params
}

async function redeem(site: Running, { verifier }: Person, code: string | null): Promise<Tokens> {
  const form = { grant_type: 'authorization_code', client_id: site.client.client_id, code_verifier: verifier }
  const { status, body } = await site.post('/token', { ...form, code: code ?? '' })
  expect(status).toBe(200)
  return body as Tokens
}

const renew = (site: Running, tokens: Tokens): ReturnType<Running['post']> =>
  site.post('/token', {
    grant_type: 'refresh_token',
    refresh_token: tokens.refresh_token,
    client_id: site.client.client_id,
  })

/** A page that says to come back, and when. */
async function expectComeBack(answer: Response): Promise<number> {
  expect({ status: answer.status, type: answer.headers.get('content-type') }).toEqual({
    status: 503,
    type: 'text/html; charset=utf-8',
  })
  expect(answer.headers.get('cache-control')).toContain('no-store')
  expect(await answer.text()).toContain('We cannot do this right now')
  return Number(answer.headers.get('retry-after'))
}

/** Lets others work until something is so. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve))
}

const PATHS = {
  discovery: '/.well-known/openid-configuration',
  jwks: '/jwks',
  token: '/token',
  revocation: '/revoke',
  introspection: '/introspect',
} as const

/** Does something while an endpoint fails; one that hangs is waited for as long as we do. */
async function whileFailing<Result>(
  { idp, clock }: Running,
  endpoint: keyof typeof PATHS,
  failure: IdentityProviderFailure | 'stopped',
  act: () => Promise<Result>,
): Promise<Result> {
  if (failure === 'stopped') await idp.stop()
  else idp.failWith(endpoint, failure)
  const hanging = (): number => idp.requests.filter(({ path }) => path === PATHS[endpoint]).length
  const before = hanging()
  const result = act()
  if (failure === 'hang') {
    await until(() => hanging() > before)
    clock.advance(11)
  }
  await result.catch(() => undefined)
  if (failure === 'stopped') await idp.start()
  else idp.failWith(endpoint, undefined)
  return result
}

const FAILURES: readonly (IdentityProviderFailure | 'stopped')[] = [
  500,
  'hang',
  'reset',
  'html',
  302,
  'stopped',
]

describe('while the identity provider fails', () => {
  it.each(FAILURES)(
    'its document by %s: pressing Allow says to come back, and does later',
    async (failure) => {
      const site = await start()
      const ada = await person(site)
      const answer = await whileFailing(site, 'discovery', failure, ada.allow)
      const seconds = await expectComeBack(answer)
      expect(site.events).toContainEqual(
        expect.objectContaining({ type: 'upstream.failed', operation: 'sign_in' }),
      )
      // The page that is loaded again sends its form again.
      site.clock.advance(seconds)
      const callback = await ada.signIn(await ada.allow())
      const code = clientGets(await ada.browser.request(callback)).get('code')
      expect((await site.call((await redeem(site, ada, code)).access_token)).status).toBe(200)
    },
  )

  it('its pages: whoever goes back is still asked here, and gets on', async () => {
    const site = await start()
    const ada = await person(site)
    const sent = await ada.allow()
    site.idp.failWith('authorization', 500)
    expect((await ada.browser.request(sent.headers.get('location') ?? '')).status).toBe(500)
    site.idp.failWith('authorization', undefined)
    const again = await ada.allow()
    expect(again.headers.get('location')).not.toBe(sent.headers.get('location'))
    const code = clientGets(await ada.browser.request(await ada.signIn(again))).get('code')
    await redeem(site, ada, code)
  })

  it.each(FAILURES)('its token endpoint by %s: the page loaded again lets the person in', async (failure) => {
    const site = await start()
    const ada = await person(site)
    const callback = await ada.signIn(await ada.allow())
    const answer = await whileFailing(site, 'token', failure, () => ada.browser.request(callback))
    site.clock.advance(await expectComeBack(answer))
    const code = clientGets(await ada.browser.request(callback)).get('code')
    expect((await site.call((await redeem(site, ada, code)).access_token)).status).toBe(200)
  })

  it('its token endpoint by a lost answer: the code is used up there, and the client is told to begin again', async () => {
    const site = await start()
    const ada = await person(site)
    const callback = await ada.signIn(await ada.allow())
    await expectComeBack(await whileFailing(site, 'token', 'lost', () => ada.browser.request(callback)))
    const told = clientGets(await ada.browser.request(callback))
    expect(Object.fromEntries(told)).toMatchObject({ error: 'server_error', iss: site.baseUrl })
    expect(await site.signIn(site.client, { scope: 'openid' })).toMatchObject({ scope: 'openid' })
  })

  it.each(FAILURES.filter((failure) => failure !== 'stopped'))(
    'its keys by %s: the code is used up there, and the client is told to come back',
    async (failure) => {
      const site = await start()
      const ada = await person(site)
      const callback = await ada.signIn(await ada.allow())
      const answer = await whileFailing(site, 'jwks', failure, () => ada.browser.request(callback))
      expect(Object.fromEntries(clientGets(answer))).toMatchObject({
        error: 'temporarily_unavailable',
        iss: site.baseUrl,
      })
      site.clock.advance(31)
      expect(await site.signIn(site.client, { scope: 'openid' })).toMatchObject({ scope: 'openid' })
    },
  )

  it.each(FAILURES)(
    'its document by %s: nobody can look at their connections, and can later',
    async (failure) => {
      const site = await start()
      const browser = site.browser()
      const answer = await whileFailing(site, 'discovery', failure, () =>
        browser.request(`${site.baseUrl}/sign-in`),
      )
      site.clock.advance(await expectComeBack(answer))
      const connections = `${site.baseUrl}/connections`
      const back = await signInAt(browser, connections, 'ada', { destination: connections })
      expect((await browser.request(back)).status).toBe(200)
    },
  )

  it.each(FAILURES)('F4 its token endpoint by %s: our refresh token is not used up', async (failure) => {
    const site = await start()
    const tokens = await site.signIn(site.client, { scope: 'openid profile' })
    const refused = await whileFailing(site, 'token', failure, () => renew(site, tokens))
    expect(refused).toMatchObject({
      status: 503,
      body: {
        error: 'temporarily_unavailable',
        error_description: expect.stringContaining('identity provider'),
      },
    })
    expect(refused.headers.get('cache-control')).toBe('no-store')
    expect(refused.headers.get('www-authenticate')).toBeNull()
    site.clock.advance(Number(refused.headers.get('retry-after')))
    // What is good here is good for its time.
    expect((await site.call(tokens.access_token)).status).toBe(200)
    const renewed = await renew(site, tokens)
    expect(renewed).toMatchObject({ status: 200, body: { scope: 'openid profile' } })
    expect((await site.call((renewed.body as Tokens).access_token)).status).toBe(200)
  })

  it.each(FAILURES)(
    'its token endpoint by %s: an upstream token that ended makes requests wait',
    async (failure) => {
      const site = await start()
      site.idp.accessTokenSeconds = 60
      const tokens = await site.signIn(site.client, { scope: 'openid' })
      site.clock.advance(61)
      const answer = await whileFailing(site, 'token', failure, () => site.call(tokens.access_token))
      expect({ status: answer.status, challenge: answer.headers.get('www-authenticate') }).toEqual({
        status: 503,
        challenge: null,
      })
      expect(await answer.json()).toMatchObject({ error: 'temporarily_unavailable' })
      site.clock.advance(Number(answer.headers.get('retry-after')))
      expect((await site.call(tokens.access_token)).status).toBe(200)
    },
  )

  it('all of it: requests with good tokens go on, also where those are JWTs', async () => {
    for (const begin of [start, startJwt]) {
      const site = await begin()
      const tokens = await site.signIn(site.client, { scope: 'openid', resource: `${site.baseUrl}/mcp` })
      expect((await site.call(tokens.access_token)).status).toBe(200)
      await site.idp.stop()
      expect((await site.call(tokens.access_token)).status).toBe(200)
      site.clock.advance(300)
      expect((await site.call(tokens.access_token)).status).toBe(200)
    }
  })

  it.each(FAILURES)(
    'its revocation by %s: what is revoked here ends here, and operators know',
    async (failure) => {
      const site = await start()
      const tokens = await site.signIn(site.client, { scope: 'openid' })
      const form = { token: tokens.refresh_token, client_id: site.client.client_id }
      if (failure === 'hang') {
        site.idp.failWith('revocation', failure)
        const revoked = site.post('/revoke', form)
        for (const count of [1, 2]) {
          await until(() => site.idp.requests.filter(({ path }) => path === '/revoke').length === count)
          site.clock.advance(11)
        }
        expect((await revoked).status).toBe(200)
      } else {
        const revoked = await whileFailing(site, 'revocation', failure, () => site.post('/revoke', form))
        expect(revoked.status).toBe(200)
      }
      expect((await site.call(tokens.access_token)).status).toBe(401)
      // A page with status 200 is a yes, whatever it says (RFC 7009 2.2).
      const told = site.events.filter(({ type }) => type === 'upstream.failed')
      expect(told.length).toBe(failure === 'html' ? 0 : 1)
    },
  )
})

describe('while what tells whose tokens are fails', () => {
  const startOpaque = (): Promise<Running> =>
    start({
      proxy: { verifyIdToken: false },
      idp: { accessTokens: 'opaque' },
      provider: ({ verifyIdToken: _, ...common }, idp) =>
        new OIDCProxy({
          ...common,
          tokenVerifier: new IntrospectionTokenVerifier({
            introspectionUrl: idp.introspectionEndpoint,
            clientId: idp.clientId,
            clientSecret: idp.clientSecret,
            ...(common.deps !== undefined && { deps: common.deps }),
          }),
        }),
    })

  it.each(FAILURES.filter((failure) => failure !== 'stopped'))(
    'by %s: the code is used up there, and the client is told to come back',
    async (failure) => {
      const site = await startOpaque()
      const ada = await person(site)
      const callback = await ada.signIn(await ada.allow())
      const answer = await whileFailing(site, 'introspection', failure, () => ada.browser.request(callback))
      expect(Object.fromEntries(clientGets(answer))).toMatchObject({
        error: 'temporarily_unavailable',
        iss: site.baseUrl,
      })
      expect(await site.signIn(site.client, { scope: 'openid' })).toMatchObject({ scope: 'openid' })
    },
  )

  it.each(FAILURES)('by %s: what was known a moment ago is good, and then requests wait', async (failure) => {
    const site = await startOpaque()
    const tokens = await site.signIn(site.client, { scope: 'openid' })
    const call = (): Promise<Response> => site.call(tokens.access_token)
    site.idp.failWith('introspection', 500)
    expect((await call()).status).toBe(200)
    site.idp.failWith('introspection', undefined)
    site.clock.advance(61)
    const answer = await whileFailing(site, 'introspection', failure, call)
    expect({ status: answer.status, challenge: answer.headers.get('www-authenticate') }).toEqual({
      status: 503,
      challenge: null,
    })
    expect(await answer.json()).toMatchObject({ error: 'temporarily_unavailable' })
    site.clock.advance(Number(answer.headers.get('retry-after')))
    expect((await call()).status).toBe(200)
    expect(await renew(site, tokens)).toMatchObject({ status: 200 })
  })
})

describe('an access token of ours', () => {
  it('can be given up while the identity provider is away', async () => {
    const site = await start()
    site.idp.accessTokenSeconds = 60
    const tokens = await site.signIn(site.client, { scope: 'openid' })
    site.clock.advance(61)
    await site.idp.stop()
    const form = { token: tokens.access_token, client_id: site.client.client_id }
    expect((await site.post('/revoke', form)).status).toBe(200)
    await site.idp.start()
    expect((await site.call(tokens.access_token)).status).toBe(401)
  })
})

describe('an identity provider that takes back what it granted', () => {
  it('F4 ends the grant at the next refresh', async () => {
    const site = await start()
    const tokens = await site.signIn(site.client, { scope: 'openid' })
    site.idp.revokeGrantsOf('ada')
    const refused = await renew(site, tokens)
    expect(refused).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
    expect(refused.headers.get('cache-control')).toBe('no-store')
    const answer = await site.call(tokens.access_token)
    expect({ status: answer.status, challenge: answer.headers.get('www-authenticate') }).toEqual({
      status: 401,
      challenge: expect.stringContaining('error="invalid_token"'),
    })
    expect(site.events).toContainEqual(expect.objectContaining({ type: 'grant.revoked', why: 'upstream' }))
    expect(await site.signIn(site.client, { scope: 'openid' })).toMatchObject({ scope: 'openid' })
  })

  it('ends it at the first request after the upstream token has ended', async () => {
    const site = await start()
    site.idp.accessTokenSeconds = 60
    const tokens = await site.signIn(site.client, { scope: 'openid' })
    site.idp.revokeGrantsOf('ada')
    expect((await site.call(tokens.access_token)).status).toBe(200)
    site.clock.advance(61)
    expect((await site.call(tokens.access_token)).status).toBe(401)
    expect(await renew(site, tokens)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
  })

  it('and has no refresh tokens ends grants with its access token', async () => {
    const site = await start()
    site.idp.issueRefreshTokens = false
    site.idp.accessTokenSeconds = 60
    const tokens = await site.signIn(site.client, { scope: 'openid' })
    expect(tokens.expires_in).toBeLessThanOrEqual(60)
    expect((await site.call(tokens.access_token)).status).toBe(200)
    site.clock.advance(61)
    expect((await site.call(tokens.access_token)).status).toBe(401)
    expect(await renew(site, tokens)).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
  })
})

describe('an identity provider that signs with another key', () => {
  it('is believed with the next sign-in, and those before it go on', async () => {
    const site = await startJwt()
    const more = { scope: 'openid', resource: `${site.baseUrl}/mcp` }
    const before = await site.signIn(site.client, more)
    site.clock.advance(31)
    site.idp.rotateKeys()
    const after = await site.signIn(site.client, more)
    for (const { access_token: token } of [before, after]) expect((await site.call(token)).status).toBe(200)
    expect(await renew(site, before)).toMatchObject({ status: 200 })
  })

  it('a moment after its keys were fetched ends nobody’s grant', async () => {
    const site = await start()
    const tokens = await site.signIn(site.client, { scope: 'openid' })
    site.idp.rotateKeys()
    expect(await renew(site, tokens)).toMatchObject({ status: 200 })
    expect((await site.call(tokens.access_token)).status).toBe(200)
  })

  it('a moment after its keys were fetched keeps nobody out for longer than a moment', async () => {
    const site = await start()
    await site.signIn(site.client, { scope: 'openid' })
    site.idp.rotateKeys()
    const ada = await person(site)
    const told = clientGets(await ada.browser.request(await ada.signIn(await ada.allow())))
    expect(told.get('code') ?? told.get('error')).not.toBe('access_denied')
    site.clock.advance(31)
    expect(await site.signIn(site.client, { scope: 'openid' })).toMatchObject({ scope: 'openid' })
  })
})

describe('K2 access tokens that are signed with a key of a moment ago', () => {
  const more = (site: { readonly baseUrl: string }): { scope: string; resource: string } => ({
    scope: 'openid',
    resource: `${site.baseUrl}/mcp`,
  })

  it('let people sign in', async () => {
    const site = await startJwt()
    await site.signIn(site.client, more(site))
    site.idp.rotateKeys()
    expect(await site.signIn(site.client, more(site))).toMatchObject({ scope: 'openid' })
  })

  it('end no grant where a client renews its access', async () => {
    const site = await startJwt()
    const tokens = await site.signIn(site.client, more(site))
    expect((await site.call(tokens.access_token)).status).toBe(200)
    site.clock.advance(5)
    site.idp.rotateKeys()
    expect(await renew(site, tokens)).toMatchObject({ status: 200 })
    expect((await site.call(tokens.access_token)).status).toBe(200)
  })

  it('are let through where a request needed them', async () => {
    const site = await startJwt()
    site.idp.accessTokenSeconds = 20
    const tokens = await site.signIn(site.client, more(site))
    site.clock.advance(15)
    site.idp.rotateKeys()
    expect((await site.call(tokens.access_token)).status).toBe(200)
  })
})

describe('a person who says no', () => {
  test.each([
    ['on our page: nobody leaves', 'here'],
    ['on the page of the identity provider', 'there'],
  ])('%s, and the client hears access_denied', async (_, where) => {
    const site = await start()
    const browser = site.browser()
    const url = authorizationUrl(site.url, site.client.client_id, pkce().challenge, { scope: 'openid' })
    const form = formOf(await browser.go(url, REDIRECT_URI))
    const decision = where === 'here' ? 'deny' : 'allow'
    let answer = await browser.request(form.action, { ...form.fields, decision })
    if (where === 'there') {
      const sent = answer.headers.get('location') ?? ''
      const back = await signInAt(browser, sent, 'ada', { destination: site.callbackUrl, consent: false })
      expect(back.searchParams.get('error')).toBe('access_denied')
      answer = await browser.request(back)
    } else expect(site.idp.requests.map(({ path }) => path)).not.toContain('/authorize')
    const told = new URL(answer.headers.get('location') ?? '').searchParams
    expect(Object.fromEntries(told)).toMatchObject({
      error: 'access_denied',
      state: 'a state',
      iss: site.baseUrl,
    })
    expect(told.has('code')).toBe(false)
    expect(site.idp.requests.map(({ path }) => path)).not.toContain('/token')
  })
})

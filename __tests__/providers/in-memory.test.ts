import { afterEach, describe, expect, it } from '@jest/globals'
import { InMemoryOAuthProvider, type InMemoryOAuthProviderOptions, OAuthProvider } from 'express-mcp-auth'
import { testClock } from 'express-mcp-auth/testing'
import { REDIRECT_URI, authorizationUrl, clientsOf, pkce } from '../support/authorization-server.js'
import { configErrorOf } from '../support/config-error.js'
import { type Site, startServer, startSite } from '../support/site.js'

const opened: Site[] = []
afterEach(() => Promise.all(opened.splice(0).map((site) => site.close())))

async function start(options: InMemoryOAuthProviderOptions = {}) {
  const reserved = await startServer(() => undefined)
  await reserved.close()
  const provider = new InMemoryOAuthProvider({ baseUrl: reserved.url, ...options })
  const site = await startSite(provider, { rateLimit: false }, undefined, Number(new URL(reserved.url).port))
  opened.push(site)
  return { ...site, ...clientsOf(site.url) }
}

/** What the client is answered, without any page between. */
async function answer(site: Awaited<ReturnType<typeof start>>, more: Record<string, string> = {}) {
  const client = await site.register()
  const { verifier, challenge } = pkce()
  const response = await site.browser().request(authorizationUrl(site.url, client.client_id, challenge, more))
  const said = new URL(response.headers.get('location') ?? '')
  return { client, verifier, status: response.status, said }
}

describe('InMemoryOAuthProvider', () => {
  it('needs no options, and is an OAuthProvider', () => {
    const provider = new InMemoryOAuthProvider()
    expect(provider).toBeInstanceOf(OAuthProvider)
    expect(provider).toMatchObject({
      baseUrl: 'http://localhost:3000',
      resourceUrl: 'http://localhost:3000/mcp',
      notices: [],
    })
  })

  it('lets everybody in without a page, with tokens that work', async () => {
    const site = await start({ scopesSupported: ['a'] })
    const { client, verifier, status, said } = await answer(site)
    expect([status, said.href.startsWith(`${REDIRECT_URI}?code=`)]).toEqual([302, true])
    const form = {
      grant_type: 'authorization_code',
      client_id: client.client_id,
      code: said.searchParams.get('code') ?? '',
      code_verifier: verifier,
    }
    const { body } = await site.post('/token', form)
    const called = await site.call((body as { access_token: string }).access_token)
    expect(await called.json()).toEqual({ subject: 'user', clientId: client.client_id, scopes: ['a'] })
  })

  it('lets them in as who is said, and even under prompt=login without a page', async () => {
    const site = await start({ user: { subject: 'u-7', name: 'Ada' } })
    const tokens = await site.signIn(await site.register(), { prompt: 'login' })
    expect(await (await site.call(tokens.access_token)).json()).toMatchObject({ subject: 'u-7' })
  })

  it('asks where that is wanted', async () => {
    const { said } = await answer(await start({ consent: 'always' }))
    expect(said.pathname).toBe('/consent')
  })

  it('goes by the clock that it is given', async () => {
    const clock = testClock()
    const site = await start({ deps: clock, accessTokenSeconds: 60 })
    const tokens = await site.signIn(await site.register())
    expect((await site.call(tokens.access_token)).status).toBe(200)
    clock.advance(100)
    expect((await site.call(tokens.access_token)).status).toBe(401)
  })

  it.each(['http://127.0.0.1:3000', 'http://[::1]:3000', 'http://app.localhost', 'https://localhost'])(
    'stands on %s',
    (baseUrl) => {
      expect(new InMemoryOAuthProvider({ baseUrl }).baseUrl).toBe(baseUrl)
    },
  )

  it.each([
    'https://api.example.com',
    'http://0.0.0.0:3000',
    'http://127.0.0.1.example.com',
    'http://192.168.0.1',
  ])('does not stand on %s, where others come', (baseUrl) => {
    const { code, message } = configErrorOf(() => new InMemoryOAuthProvider({ baseUrl }))
    expect(code).toBe('ERR_MCP_AUTH_INVALID_OPTION')
    expect(message).toContain(`must be a loopback address, not ${baseUrl}: use OAuthProvider`)
  })

  it('does not stand there under an issuer or a resource either', () => {
    for (const name of ['issuer', 'resourceUrl']) {
      const { message } = configErrorOf(
        () => new InMemoryOAuthProvider({ [name]: 'https://api.example.com' }),
      )
      expect(message).toContain(`"${name}" must be`)
    }
  })

  it('takes no way to sign in, which would never be asked', () => {
    const options = { signIn: { verifyCredentials: () => null } } as InMemoryOAuthProviderOptions
    expect(configErrorOf(() => new InMemoryOAuthProvider(options)).code).toBe('ERR_MCP_AUTH_UNKNOWN_OPTION')
  })

  it.each([
    ['something that is no URL', { baseUrl: 'localhost' }, 'must be an absolute URL'],
    ['an unknown option', { userr: {} }, 'no option "userr"'],
  ])('refuses %s', (_, options, words) => {
    const { message } = configErrorOf(
      () => new InMemoryOAuthProvider(options as InMemoryOAuthProviderOptions),
    )
    expect(message).toContain(words)
  })
})

import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import {
  UpstreamRefusal,
  type UpstreamTokens,
  type UpstreamUser,
} from '../../../lib/authorization-server/upstream.js'
import type { AccessTokenFields } from '../../../lib/protocol/access-token.js'
import type { UpstreamDescription } from '../../../lib/providers/proxy/description.js'
import { jsonAnswer } from '../../support/issuer.js'
import { createRecorder } from '../../support/recorder.js'
import {
  NOBODY,
  NO_TOKENS,
  REDIRECT_URI,
  TRIP,
  type TokenEndpoint,
  bytesAnswer,
  startTokenEndpoint,
} from '../../support/token-endpoint.js'

let idp: TokenEndpoint

beforeEach(async () => {
  idp = await startTokenEndpoint()
})

afterEach(() => idp.close())

const PLAIN: Partial<UpstreamDescription> = {
  identification: { by: 'access_token', verifier: { verifyToken: () => null } },
}
const PATH = '/.well-known/openid-configuration'

describe('an identity provider', () => {
  it('is known by what it was described as', () => {
    const { name, callbackPath, forwardsResource, expiryThresholdSeconds } = idp.client({
      expiryThresholdSeconds: 7,
    })
    expect({ name, callbackPath, forwardsResource, expiryThresholdSeconds }).toEqual({
      name: 'Example',
      callbackPath: '/auth/callback',
      forwardsResource: true,
      expiryThresholdSeconds: 7,
    })
  })

  it('P3 is another realm for another app, and at another identity provider', () => {
    const realm = (changes: Partial<UpstreamDescription> = {}): string => idp.client(changes).realm
    const endpoints = { ...idp.endpoints, issuer: undefined }
    const different = [
      realm(),
      realm({ clientId: 'other' }),
      realm({ endpoints: { ...idp.endpoints, issuer: 'https://other.example.com' } }),
      realm({ endpoints }),
      realm({ endpoints: { ...endpoints, tokenEndpoint: 'https://other.example.com/token' } }),
    ]
    expect(new Set(different).size).toBe(different.length)
    for (const one of different) expect(one).toMatch(/^[0-9a-f]{64}$/)
    expect(realm({ clientSecret: 'rotated', name: 'Renamed' })).toBe(realm())
  })

  it('P3 is the same realm however it was found', () => {
    const realm = (endpoints: UpstreamDescription['endpoints']): string => idp.client({ endpoints }).realm
    const found = realm({ configUrl: idp.url + PATH, strict: true })
    expect(found).toBe(realm(idp.endpoints))
    expect(realm({ configUrl: idp.url + PATH, strict: true, replaced: { issuer: 'https://x' } })).not.toBe(
      found,
    )
    expect(realm({ configUrl: `${idp.url}/.well-known/oauth-authorization-server`, strict: true })).not.toBe(
      found,
    )
  })

  it('F18 is the realm that collections were named by from the start: another name would sign everybody out', () => {
    const configUrl = 'https://idp.example.com/.well-known/openid-configuration'
    const description = { clientId: 'app-of-ours', endpoints: { configUrl, strict: true } }
    expect(idp.client(description).realm).toBe(
      '941e2a1ff585f8d064205d570c719d3cd03832bd572458cc790bb0a6a9739df8',
    )
  })

  it('asks nobody before it has to', () => {
    idp.client({ endpoints: { configUrl: idp.url + PATH, strict: true } })
    expect(idp.asked()).toEqual([])
  })

  it('sends browsers to its endpoint', async () => {
    const url = new URL(await idp.client().authorizationUrl(TRIP, REDIRECT_URI))
    expect(url.origin + url.pathname).toBe(`${idp.url}/authorize`)
    expect(url.searchParams.get('redirect_uri')).toBe(REDIRECT_URI)
  })

  it('may say itself where that is', async () => {
    const client = idp.client({ ...PLAIN, endpoints: { configUrl: idp.url + PATH, strict: false } })
    await expect(client.authorizationUrl(TRIP, REDIRECT_URI)).rejects.toThrow(
      `the endpoints of the identity provider are not known: ${idp.url}${PATH}: status 404`,
    )
    idp.answers.set(
      PATH,
      jsonAnswer({
        issuer: idp.url,
        authorization_endpoint: `${idp.url}/a`,
        token_endpoint: `${idp.url}/token`,
      }),
    )
    idp.clock.advance(30)
    expect(await client.authorizationUrl(TRIP, REDIRECT_URI)).toMatch(`${idp.url}/a?`)
    const { context } = createRecorder()
    expect(await client.exchange(idp.callback(), TRIP, REDIRECT_URI, context)).toHaveProperty('accessToken')
    await client.revoke(NO_TOKENS)
  })

  it('F5 cannot be asked where it does not say', async () => {
    const client = idp.client({ ...PLAIN, endpoints: { configUrl: idp.url + PATH, strict: true } })
    const { context, events } = createRecorder()
    const failed = client.exchange(idp.callback(), TRIP, REDIRECT_URI, context)
    await expect(failed).rejects.toThrow('the endpoints of the identity provider are not known')
    await expect(failed).rejects.not.toBeInstanceOf(UpstreamRefusal)
    expect(events).toMatchObject([{ type: 'service.failed', url: idp.url + PATH }])
  })
})

describe('tokens', () => {
  const exchange = (changes: Partial<UpstreamDescription> = {}): Promise<UpstreamTokens> =>
    idp
      .client({ ...PLAIN, ...changes })
      .exchange(idp.callback(), TRIP, REDIRECT_URI, createRecorder().context)

  it('are what the identity provider gave', async () => {
    const started = idp.clock.now()
    idp.answers.set('/token', (request, response, body) => {
      idp.clock.advance(2)
      const members = { access_token: 'a', expires_in: '3600', refresh_token: 'r', scope: 'read,write' }
      jsonAnswer(members)(request, response, body)
    })
    expect(await exchange()).toEqual({
      accessToken: 'a',
      refreshToken: 'r',
      idToken: undefined,
      expiresAt: started + 3_600_000,
      scopes: ['read', 'write'],
    })
  })

  it('may be given in a form', async () => {
    idp.answers.set(
      '/token',
      bytesAnswer('access_token=a&scope=&token_type=bearer', 'application/x-www-form-urlencoded'),
    )
    expect(await exchange()).toMatchObject({ accessToken: 'a', scopes: [], expiresAt: undefined })
  })

  it('live as long as options say, where the answer does not', async () => {
    const changes = { fallbackAccessTokenSeconds: 60 }
    expect(await exchange(changes)).toMatchObject({ expiresAt: idp.clock.now() + 60_000 })
    idp.answers.set('/token', jsonAnswer({ access_token: 'a', expires_in: 10 }))
    expect(await exchange(changes)).toMatchObject({ expiresAt: idp.clock.now() + 10_000 })
    idp.answers.set('/token', jsonAnswer({ access_token: 'a', expires_in: null }))
    expect((await exchange()).expiresAt).toBeUndefined()
  })

  it('are renewed, and what the answer leaves out goes on', async () => {
    const before = { accessToken: 'a', refreshToken: 'r', idToken: 'i', scopes: ['read'], expiresAt: 1 }
    const refresh = (): Promise<UpstreamTokens> =>
      idp.client(PLAIN).refresh(before, { scopes: ['read'] }, createRecorder().context)
    idp.answers.set('/token', jsonAnswer({ access_token: 'b' }))
    expect(await refresh()).toEqual({ ...before, accessToken: 'b', expiresAt: undefined })
    idp.answers.set(
      '/token',
      jsonAnswer({ access_token: 'c', refresh_token: 's', scope: 'x', expires_in: 5 }),
    )
    expect(await refresh()).toEqual({
      accessToken: 'c',
      refreshToken: 's',
      idToken: 'i',
      scopes: ['x'],
      expiresAt: idp.clock.now() + 5000,
    })
  })
})

describe('what was granted', () => {
  const asked = ['read', 'write', 'offline_access']

  it.each<
    [
      rule: string,
      told: readonly string[] | undefined,
      known: readonly string[] | undefined,
      granted: string[],
    ]
  >([
    ['everything where nothing was told', undefined, undefined, asked],
    ['what was told', ['read', 'extra'], undefined, ['read', 'offline_access']],
    ['what the verifier knows, where nothing was told', undefined, ['write'], ['write', 'offline_access']],
    ['what was told, whatever the verifier knows', ['read'], ['write'], ['read', 'offline_access']],
    ['nothing', [], undefined, ['offline_access']],
  ])('P7 is %s', (_rule, told, known, granted) => {
    const client = idp.client()
    expect(client.granted(asked, { ...NO_TOKENS, scopes: told }, { ...NOBODY, scopes: known })).toEqual(
      granted,
    )
  })

  it.each<[rule: string, scopes: readonly string[] | undefined, granted: string[]]>([
    ['what the verifier says', ['read'], ['read']],
    ['nothing, where it says so', [], []],
    ['everything, where it does not know', undefined, ['read', 'admin']],
  ])('P7 is %s', async (_rule, scopes, granted) => {
    const verifyToken = (): AccessTokenFields => ({
      clientId: 'c',
      subject: 'user-1',
      ...(scopes !== undefined && { scopes }),
    })
    const client = idp.client({ identification: { by: 'access_token', verifier: { verifyToken } } })
    const user = await client.identify(NO_TOKENS, { scopes: [] }, undefined, createRecorder().context)
    expect(client.granted(['read', 'admin'], NO_TOKENS, user as UpstreamUser)).toEqual(granted)
  })

  it('P7 is said in our words', () => {
    const fromUpstream = (scopes: readonly string[]): string[] =>
      scopes.map((scope) => scope.replace('api://x/', ''))
    const client = idp.client({ scopeNames: { toUpstream: (scopes) => scopes, fromUpstream } })
    expect(client.granted(asked, { ...NO_TOKENS, scopes: ['api://x/read'] }, NOBODY)).toEqual([
      'read',
      'offline_access',
    ])
  })
})

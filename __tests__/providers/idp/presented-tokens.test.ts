// Tokens that callers got from a vendor themselves and present directly: whose app they are for is all that tells ours from any other's.
import { afterEach, describe, expect, it } from '@jest/globals'
import { MultiAuth, RemoteAuthProvider, StaticTokenVerifier, type Verifier } from 'express-mcp-auth'
import { DiscordTokenVerifier } from 'express-mcp-auth/providers/discord'
import { GitHubTokenVerifier } from 'express-mcp-auth/providers/github'
import { GoogleTokenVerifier } from 'express-mcp-auth/providers/google'
import { type TestClock, testClock } from 'express-mcp-auth/testing'
import type { Deps } from '../../../lib/runtime/deps.js'
import { configErrorOf } from '../../support/config-error.js'
import { type Site, refusalOf, startSite } from '../../support/site.js'
import { type Answer, type Answers, Vendor, answer, page } from '../../support/vendor.js'

const NOW = 1_700_000_000
const METADATA = 'https://api.example.com/.well-known/oauth-protected-resource/mcp'
const WORDS = 'The access token is malformed, expired, revoked or not meant for this resource'

interface Row {
  readonly name: string
  readonly issuer: string
  readonly create: (deps: Partial<Deps>, scopes: readonly string[]) => Verifier
  readonly scope: string
  /** Where it is asked about a token; the rest brings no more than claims. */
  readonly asks: string
  readonly says: object
  readonly refusal: Answer
  readonly others: readonly (readonly [rule: string, says: Answer])[]
  readonly profile: Answers
  readonly verified: object
}

const GITHUB_SAYS = {
  id: 1,
  token: '',
  app: { name: 'Notes', url: 'https://example.com', client_id: 'our-app' },
  scopes: ['user', 'repo'],
  expires_at: null,
  user: { login: 'octocat', id: 583231, avatar_url: 'https://a.example/1' },
}
const GOOGLE_SAYS = {
  azp: 'our-app',
  aud: 'our-app',
  sub: '107',
  scope: 'openid https://www.googleapis.com/auth/userinfo.email',
  exp: String(NOW + 3599),
  email: 'ada@example.com',
  email_verified: 'false',
}
const DISCORD_SAYS = {
  application: { id: 'our-app' },
  expires: '2023-11-21T22:13:20.000000+00:00',
  scopes: ['identify'],
  user: { id: '80', username: 'nelly' },
}

const ROWS: readonly Row[] = [
  {
    name: 'GitHub',
    issuer: 'https://github.com',
    create: (deps, requiredScopes) =>
      new GitHubTokenVerifier({ clientId: 'our-app', clientSecret: 'our-secret', requiredScopes, deps }),
    scope: 'read:user',
    asks: 'POST https://api.github.com/applications/our-app/token',
    says: GITHUB_SAYS,
    refusal: answer(404, { message: 'Not Found' }),
    others: [
      ['a token of another app', answer(200, { ...GITHUB_SAYS, app: { client_id: 'other-app' } })],
      ['a token that somebody made for themselves', answer(404, { message: 'Not Found' })],
      ['what cannot be a token', answer(422, { message: 'Validation Failed' })],
      ['a token of nobody', answer(200, { ...GITHUB_SAYS, user: null })],
      ['an expired token', answer(200, { ...GITHUB_SAYS, expires_at: '2023-11-14T22:13:20Z' })],
    ],
    profile: {
      'GET https://api.github.com/user': { id: 583231, login: 'octocat', name: 'Mona', email: null },
    },
    verified: {
      subject: '583231',
      clientId: 'our-app',
      scopes: expect.arrayContaining(['user', 'read:user', 'repo', 'public_repo']),
      expiresAt: undefined,
      claims: { sub: '583231', login: 'octocat', name: 'Mona', avatar_url: 'https://a.example/1' },
    },
  },
  {
    name: 'Google',
    issuer: 'https://accounts.google.com',
    create: (deps, requiredScopes) => new GoogleTokenVerifier({ clientId: 'our-app', requiredScopes, deps }),
    scope: 'email',
    asks: 'POST https://oauth2.googleapis.com/tokeninfo',
    says: GOOGLE_SAYS,
    refusal: answer(400, { error: 'invalid_token', error_description: 'Invalid Value' }),
    others: [
      ['FM#4827 a token of another app', answer(200, { ...GOOGLE_SAYS, aud: 'other-app' })],
      [
        'a token of another app that this one presents',
        answer(200, { ...GOOGLE_SAYS, aud: 'other-app', azp: 'our-app' }),
      ],
      ['a token that does not say for whom', answer(200, { ...GOOGLE_SAYS, aud: undefined })],
      ['a token without "openid"', answer(200, { ...GOOGLE_SAYS, sub: undefined })],
      [
        'J19 an ID token',
        answer(200, { ...GOOGLE_SAYS, scope: undefined, iss: 'https://accounts.google.com', typ: 'JWT' }),
      ],
      ['an expired token', answer(200, { ...GOOGLE_SAYS, exp: String(NOW) })],
    ],
    profile: { 'GET https://openidconnect.googleapis.com/v1/userinfo': answer(403) },
    verified: {
      subject: '107',
      clientId: 'our-app',
      scopes: ['openid', 'https://www.googleapis.com/auth/userinfo.email', 'email'],
      expiresAt: NOW + 3599,
      claims: { sub: '107', email: 'ada@example.com', email_verified: false },
    },
  },
  {
    name: 'Discord',
    issuer: 'https://discord.com',
    create: (deps, requiredScopes) => new DiscordTokenVerifier({ clientId: 'our-app', requiredScopes, deps }),
    scope: 'identify',
    asks: 'GET https://discord.com/api/oauth2/@me',
    says: DISCORD_SAYS,
    refusal: answer(401, { message: '401: Unauthorized', code: 0 }),
    others: [
      ['a token of another app', answer(200, { ...DISCORD_SAYS, application: { id: 'other-app' } })],
      ['a token that does not say for whom', answer(200, { ...DISCORD_SAYS, application: undefined })],
      ['a token without "identify"', answer(200, { ...DISCORD_SAYS, user: undefined })],
      ['an expired token', answer(200, { ...DISCORD_SAYS, expires: '2023-11-14T22:13:20+00:00' })],
    ],
    profile: { 'GET https://discord.com/api/users/@me': { id: '80', locale: 'en' } },
    verified: {
      subject: '80',
      clientId: 'our-app',
      scopes: ['identify'],
      expiresAt: NOW + 604_800,
      claims: { sub: '80', username: 'nelly', locale: 'en' },
    },
  },
]

const opened: Site[] = []
afterEach(async () => {
  for (const site of opened.splice(0)) await site.close()
})

describe.each(ROWS)('$name', (row) => {
  let clock: TestClock
  const start = async (
    says: Answer = row.says,
    scopes: readonly string[] = [row.scope],
  ): Promise<[Site, Vendor]> => {
    clock = testClock(NOW * 1000)
    const vendor = new Vendor({ ...row.profile, [row.asks]: says })
    const deps = { ...clock, fetch: vendor.fetch }
    const provider = new RemoteAuthProvider({
      baseUrl: 'https://api.example.com',
      authorizationServers: [row.issuer],
      tokenVerifier: row.create(deps, scopes),
    })
    const site = await startSite(provider, { deps })
    opened.push(site)
    return [site, vendor]
  }
  const call = (site: Site): Promise<Response> =>
    fetch(`${site.url}/mcp`, { headers: { authorization: 'Bearer their-token' } })

  it('tells whose a token is, and what it allows', async () => {
    const vendor = new Vendor({ ...row.profile, [row.asks]: row.says })
    const verifier = row.create({ ...testClock(NOW * 1000), fetch: vendor.fetch }, [])
    expect(await verifier.verifyToken('their-token')).toEqual({
      token: 'their-token',
      tokenType: 'Bearer',
      issuer: row.issuer,
      ...row.verified,
    })
    expect(vendor.take()).toEqual([row.asks, ...Object.keys(row.profile)])
  })

  it('lets callers in with a token of this app', async () => {
    const [site] = await start()
    const answered = await call(site)
    expect([answered.status, await answered.json()]).toEqual([
      200,
      expect.objectContaining({ clientId: 'our-app', scopes: expect.arrayContaining([row.scope]) }),
    ])
  })

  it.each([['a token that is none', row.refusal] as const, ...row.others])(
    'P5 refuses %s',
    async (_rule, says) => {
      const [site, vendor] = await start(says)
      expect(await refusalOf(await call(site))).toEqual({
        status: 401,
        challenge: `Bearer error="invalid_token", error_description="${WORDS}", scope="${row.scope}", resource_metadata="${METADATA}"`,
        body: { error: 'invalid_token', error_description: WORDS },
        cache: 'no-store',
        vary: expect.stringContaining('Authorization'),
      })
      expect(site.handled()).toBe(0)
      expect(vendor.take()).toEqual([row.asks])
    },
  )

  it('refuses a token that allows too little', async () => {
    const [site] = await start(row.says, [row.scope, 'admin'])
    const refused = await refusalOf(await call(site))
    expect(refused.status).toBe(403)
    expect(refused.challenge).toContain('error="insufficient_scope"')
  })

  it.each([500, 503, 429, 418])('N1 cannot say where it answers %i', async (status) => {
    const [site] = await start(answer(status))
    const refused = await refusalOf(await call(site))
    expect(refused).toMatchObject({
      status: 503,
      challenge: null,
      body: { error: 'temporarily_unavailable' },
    })
    expect(site.handled()).toBe(0)
  })

  it('N5 is asked about other tokens as before where a firewall forbids some', async () => {
    const [site, vendor] = await start(page(403))
    const callWith = (token: string): Promise<Response> =>
      fetch(`${site.url}/mcp`, { headers: { authorization: `Bearer ${token}` } })
    for (let time = 0; time < 6; time++) expect((await callWith(`odd-${time}`)).status).toBe(503)
    vendor.answers.set(row.asks, row.says)
    expect((await callWith('good')).status).toBe(200)
  })

  it('N5 is asked once for many requests, and once a minute', async () => {
    const [site, vendor] = await start()
    await Promise.all(Array.from({ length: 20 }, () => call(site)))
    clock.advance(59)
    expect((await call(site)).status).toBe(200)
    expect(vendor.take()).toEqual([row.asks, ...Object.keys(row.profile)])
    clock.advance(1)
    expect((await call(site)).status).toBe(200)
    expect(vendor.take()).toEqual([row.asks, ...Object.keys(row.profile)])
  })
})

describe('GitHubTokenVerifier', () => {
  it('N3 cannot say where GitHub refuses this app', async () => {
    const vendor = new Vendor({ 'POST https://api.github.com/applications/our-app/token': answer(401) })
    const verifier = new GitHubTokenVerifier({
      clientId: 'our-app',
      clientSecret: 'old',
      deps: { fetch: vendor.fetch },
    })
    await expect(verifier.verifyToken('their-token')).rejects.toMatchObject({
      status: 503,
      detail: 'status 401',
    })
  })

  it('asks as the app, at a host of its own', async () => {
    const to = 'POST https://github.example.com/api/v3/applications/our-app/token'
    const vendor = new Vendor({ [to]: GITHUB_SAYS })
    const verifier = new GitHubTokenVerifier({
      clientId: 'our-app',
      clientSecret: 'our-secret',
      githubUrl: 'github.example.com',
      deps: { fetch: vendor.fetch },
    })
    // Its profile is not to be had, which decides nothing.
    expect(await verifier.verifyToken('their-token')).toMatchObject({
      subject: '583231',
      issuer: 'https://github.example.com',
    })
    expect(vendor.asked[0]).toMatchObject({
      to,
      headers: { authorization: `Basic ${Buffer.from('our-app:our-secret').toString('base64')}` },
      body: { access_token: 'their-token' },
    })
  })

  it('needs the secret of the app', () => {
    expect(configErrorOf(() => new GitHubTokenVerifier({ clientId: 'our-app' } as never))).toEqual({
      code: 'ERR_MCP_AUTH_MISSING_OPTION',
      message:
        'GitHubTokenVerifier: "clientSecret" is missing: GitHub tells of tokens only to the app that they were issued to',
    })
  })
})

it('B20 inside MultiAuth no vendor sees a token of another kind', async () => {
  const vendor = new Vendor({ 'POST https://api.github.com/applications/our-app/token': GITHUB_SAYS })
  const github = new GitHubTokenVerifier({
    clientId: 'our-app',
    clientSecret: 'our-secret',
    tokenPrefix: 'gho_',
    deps: { fetch: vendor.fetch },
  })
  const keys = new StaticTokenVerifier({ tokens: { 'key-1': { clientId: 'ci' } } })
  const provider = new MultiAuth({ verifiers: [github, keys] })
  expect(await provider.verifyToken('key-1')).toMatchObject({ clientId: 'ci' })
  expect(vendor.asked).toEqual([])
  expect(await provider.verifyToken('gho_1')).toMatchObject({ clientId: 'our-app', subject: '583231' })
})

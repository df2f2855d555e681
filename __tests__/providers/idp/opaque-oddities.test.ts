// What each vendor does that others do not, and what the table of opaque.test.ts cannot say.
import { afterEach, describe, expect, it } from '@jest/globals'
import { ClerkProvider } from 'express-mcp-auth/providers/clerk'
import { DiscordProvider } from 'express-mcp-auth/providers/discord'
import { GitHubProvider } from 'express-mcp-auth/providers/github'
import { GitLabProvider } from 'express-mcp-auth/providers/gitlab'
import { GoogleProvider } from 'express-mcp-auth/providers/google'
import { HuggingFaceProvider } from 'express-mcp-auth/providers/hugging-face'
import { AuthKitProvider, WorkOSProvider } from 'express-mcp-auth/providers/workos'
import type { ServerProvider } from '../../../lib/providers/server-provider.js'
import { configErrorOf } from '../../support/config-error.js'
import {
  type Answer,
  type Answers,
  type Common,
  type VendorSite,
  answer,
  page,
  startVendorSite,
} from '../../support/vendor.js'

const NOW = 1_700_000_000
const TOKENS = {
  access_token: 'their-token',
  refresh_token: 'their-refresh',
  token_type: 'bearer',
  expires_in: 3600,
}

const GITHUB_USER = 'GET https://api.github.com/user'
const github: Answers = {
  'POST https://github.com/login/oauth/access_token': { access_token: 'their-token', scope: 'user' },
  [GITHUB_USER]: { id: 1, login: 'ada' },
}
const TOKEN_INFO = 'POST https://oauth2.googleapis.com/tokeninfo'
const GOOGLE_SAYS = { aud: 'our-app', sub: '107', scope: 'openid', exp: String(NOW + 3599) }
const google: Answers = {
  'POST https://oauth2.googleapis.com/token': { ...TOKENS, scope: 'openid' },
  [TOKEN_INFO]: GOOGLE_SAYS,
}
const DISCORD_ME = 'GET https://discord.com/api/oauth2/@me'
const DISCORD_SAYS = {
  application: { id: 'our-app' },
  scopes: ['identify'],
  user: { id: '80', username: 'ada' },
}
const discord: Answers = {
  'POST https://discord.com/api/oauth2/token': { ...TOKENS, scope: 'identify' },
  [DISCORD_ME]: DISCORD_SAYS,
}
const huggingFace: Answers = {
  'POST https://huggingface.co/oauth/token': { ...TOKENS, scope: 'openid profile' },
  'GET https://huggingface.co/oauth/userinfo': { sub: '62', preferred_username: 'ada' },
}
const workos: Answers = {
  'POST https://notes.authkit.app/oauth2/token': TOKENS,
  'GET https://notes.authkit.app/oauth2/userinfo': { sub: 'user_1', email: 'ada@example.com' },
}
const CLERK_INFO = 'POST https://clerk.example.com/oauth/token_info'
const CLERK_SAYS = { active: true, client_id: 'our-app', sub: 'user_2', scope: 'openid email profile' }
const clerk: Answers = {
  'POST https://clerk.example.com/oauth/token': TOKENS,
  [CLERK_INFO]: CLERK_SAYS,
}
const GITLAB_INFO = 'GET https://gitlab.com/oauth/token/info'
const GITLAB_SAYS = { resource_owner_id: 42, scope: ['openid', 'profile'], application: { uid: 'our-app' } }
const gitlab: Answers = {
  'POST https://gitlab.com/oauth/token': TOKENS,
  [GITLAB_INFO]: GITLAB_SAYS,
}

const workosOf = (common: Common): ServerProvider =>
  new WorkOSProvider({ ...common, authkitDomain: 'notes.authkit.app', requiredScopes: ['email'] })
const clerkOf = (common: Common): ServerProvider =>
  new ClerkProvider({ ...common, domain: 'https://clerk.example.com' })

type Create = (common: Common) => ServerProvider
const without = ({ clientSecret: _, ...rest }: Common): Common => rest

const opened: VendorSite[] = []
afterEach(async () => {
  for (const site of opened.splice(0)) await site.close()
})
async function open(create: Create, answers: Answers, changed: Answers = {}): Promise<VendorSite> {
  const site = await startVendorSite(create, { ...answers, ...changed })
  opened.push(site)
  return site
}
/** What the client is told at the end of the way. */
async function enter(create: Create, answers: Answers, changed: Answers = {}, scope?: string) {
  const site = await open(create, answers, changed)
  const told = await site.enter(await site.register(), scope)
  return { site, told }
}
async function subjectOf(create: Create, answers: Answers, changed: Answers = {}): Promise<unknown> {
  const { site, told } = await enter(create, answers, changed)
  return (await site.provider.verifyToken(String(told['access_token'])))?.subject
}

describe('P5 nobody comes in with a token of another app, even where our own code brought it:', () => {
  it.each<[name: string, create: Create, answers: Answers, changed: Answers]>([
    [
      'FM#4827 Google says for whom by "aud"',
      (common) => new GoogleProvider(common),
      google,
      { [TOKEN_INFO]: { ...GOOGLE_SAYS, aud: 'other-app', azp: 'our-app' } },
    ],
    [
      'Discord by "application"',
      (common) => new DiscordProvider(common),
      discord,
      { [DISCORD_ME]: { ...DISCORD_SAYS, application: { id: 'other-app' } } },
    ],
    ['Clerk by "client_id"', clerkOf, clerk, { [CLERK_INFO]: { ...CLERK_SAYS, client_id: 'other-app' } }],
    [
      'Clerk by "aud", where that is all',
      clerkOf,
      clerk,
      { [CLERK_INFO]: { ...CLERK_SAYS, client_id: undefined, aud: 'other-app' } },
    ],
    [
      'GitLab by "application"',
      (common) => new GitLabProvider(common),
      gitlab,
      { [GITLAB_INFO]: { ...GITLAB_SAYS, application: { uid: 'other-app' } } },
    ],
  ])('%s', async (_name, create, answers, changed) => {
    const { site, told } = await enter(create, answers, changed)
    expect(told).toMatchObject({ error: 'access_denied' })
    expect(site.events).toContainEqual(
      expect.objectContaining({
        type: 'upstream.refused',
        detail: 'the access token was refused: audience: expected our-app, got "other-app"',
      }),
    )
  })
})

describe('P9 a user is who the vendor says for good, and never a mail address:', () => {
  it.each<[name: string, create: Create, answers: Answers, changed: (id: string) => Answers]>([
    [
      'GitHub',
      (common) => new GitHubProvider(common),
      github,
      (id) => ({ [GITHUB_USER]: { id: Number(id), login: 'ada', email: 'ada@example.com' } }),
    ],
    [
      'Google',
      (common) => new GoogleProvider(common),
      google,
      (id) => ({
        [TOKEN_INFO]: { ...GOOGLE_SAYS, sub: id, email: 'ada@example.com', email_verified: 'true' },
      }),
    ],
    [
      'Discord',
      (common) => new DiscordProvider(common),
      discord,
      (id) => ({
        [DISCORD_ME]: { ...DISCORD_SAYS, user: { id, username: 'ada' } },
        'GET https://discord.com/api/users/@me': { id, email: 'ada@example.com' },
      }),
    ],
    [
      'Hugging Face',
      (common) => new HuggingFaceProvider(common),
      huggingFace,
      (id) => ({ 'GET https://huggingface.co/oauth/userinfo': { sub: id, email: 'ada@example.com' } }),
    ],
    [
      'WorkOS',
      workosOf,
      workos,
      (id) => ({ 'GET https://notes.authkit.app/oauth2/userinfo': { sub: id, email: 'ada@example.com' } }),
    ],
    [
      'Clerk',
      clerkOf,
      clerk,
      (id) => ({
        [CLERK_INFO]: { ...CLERK_SAYS, sub: id },
        'GET https://clerk.example.com/oauth/userinfo': { email: 'ada@example.com' },
      }),
    ],
    [
      'GitLab',
      (common) => new GitLabProvider(common),
      gitlab,
      (id) => ({
        [GITLAB_INFO]: { ...GITLAB_SAYS, resource_owner_id: Number(id) },
        'GET https://gitlab.com/oauth/userinfo': { sub: id, email: 'ada@example.com' },
      }),
    ],
  ])('%s', async (_name, create, answers, changed) => {
    expect(await subjectOf(create, answers, changed('7'))).toBe('7')
    expect(await subjectOf(create, answers, changed('8'))).toBe('8')
  })
})

describe('without a secret', () => {
  it.each<[name: string, create: Create, answers: Answers]>([
    ['Google', (common) => new GoogleProvider(without(common)), google],
    ['Hugging Face', (common) => new HuggingFaceProvider(without(common)), huggingFace],
    ['Clerk', (common) => new ClerkProvider({ ...without(common), domain: 'clerk.example.com' }), clerk],
    ['GitLab', (common) => new GitLabProvider(without(common)), gitlab],
  ])('FM 8.1.6 %s is shown the bare ID of this app', async (_name, create, answers) => {
    const { site, told } = await enter(create, answers)
    expect(told).toHaveProperty('access_token')
    const [exchange] = site.vendor.asked
    expect(exchange?.headers).not.toHaveProperty('authorization')
    expect(exchange?.body).toMatchObject({ client_id: 'our-app' })
    expect(exchange?.body).not.toHaveProperty('client_secret')
  })

  it.each<[name: string, build: (options: never) => unknown]>([
    ['GitHub', (options) => new GitHubProvider(options)],
    ['Discord', (options) => new DiscordProvider(options)],
    ['WorkOS', (options) => new WorkOSProvider(options)],
  ])('%s is not to be had', (name, build) => {
    const options = {
      clientId: 'our-app',
      baseUrl: 'https://api.example.com',
      authkitDomain: 'notes.authkit.app',
    }
    const known = name === 'WorkOS' ? options : { ...options, authkitDomain: undefined }
    expect(configErrorOf(() => build(known as never))).toEqual({
      code: 'ERR_MCP_AUTH_MISSING_OPTION',
      message: `${name}Provider: "clientSecret" is missing: write the secret that ${name} gave this app`,
    })
  })
})

it.each<[name: string, create: Create, told: boolean]>([
  ['GitHub', (common) => new GitHubProvider(common), false],
  ['Google', (common) => new GoogleProvider(common), false],
  ['Discord', (common) => new DiscordProvider(common), false],
  ['Hugging Face', (common) => new HuggingFaceProvider(common), false],
  ['GitLab', (common) => new GitLabProvider(common), false],
  ['WorkOS', workosOf, true],
  ['Clerk', clerkOf, true],
])('%s is told the resource: %3$s', async (_name, create, told) => {
  const { signIn } = (await open(create, {})).provider.authorizationServer
  const { upstream } = signIn as Extract<typeof signIn, { upstream: unknown }>
  const trip = {
    state: 's',
    verifier: 'v'.repeat(43),
    nonce: 'n',
    scopes: [],
    resource: 'https://api.example.com/mcp',
  }
  const url = new URL(await upstream.authorizationUrl(trip, 'https://api.example.com/auth/callback'))
  expect(url.searchParams.get('resource')).toBe(told ? 'https://api.example.com/mcp' : null)
})

describe('GitHub', () => {
  const create: Create = (common) => new GitHubProvider(common)

  it.each([
    ['https://github.example.com/', 'https://github.example.com', 'https://github.example.com/api/v3'],
    ['https://octocorp.ghe.com', 'https://octocorp.ghe.com', 'https://api.octocorp.ghe.com'],
    ['https://example.com/github', 'https://example.com/github', 'https://example.com/github/api/v3'],
  ])('is at %s too', async (githubUrl, host, api) => {
    const { site, told } = await enter((common) => new GitHubProvider({ ...common, githubUrl }), {
      [`POST ${host}/login/oauth/access_token`]: { access_token: 'their-token', scope: 'user' },
      [`GET ${api}/user`]: { id: 1, login: 'ada' },
    })
    expect(told).toMatchObject({ scope: 'user' })
    expect(site.vendor.take()).toEqual([`POST ${host}/login/oauth/access_token`, `GET ${api}/user`])
  })

  it('is shown a user agent, without which it answers nobody', async () => {
    const { site } = await enter(create, github)
    expect(site.vendor.asked.at(-1)?.headers).toEqual({
      accept: 'application/vnd.github+json',
      authorization: 'Bearer their-token',
      'user-agent': 'express-mcp-auth',
    })
  })

  it('is given its access token back by the app that it belongs to, and can take no other', async () => {
    const { site, told } = await enter(create, github, {
      'POST https://github.com/login/oauth/access_token': { ...TOKENS, scope: 'user' },
      'DELETE https://api.github.com/applications/our-app/token': answer(204),
    })
    // Whoever registers again with the same is the same.
    const client = await site.register()
    site.vendor.take()
    await site.post('/revoke', { token: String(told['refresh_token']), client_id: client.client_id })
    expect(site.vendor.asked).toEqual([
      {
        to: 'DELETE https://api.github.com/applications/our-app/token',
        headers: {
          accept: 'application/vnd.github+json',
          'user-agent': 'express-mcp-auth',
          'content-type': 'application/json',
          authorization: `Basic ${Buffer.from('our-app:our-secret').toString('base64')}`,
        },
        body: { access_token: 'their-token' },
      },
    ])
  })

  it('tells of an error by 200, which lets nobody in', async () => {
    const { told } = await enter(create, github, {
      'POST https://github.com/login/oauth/access_token': {
        error: 'bad_verification_code',
        error_description: 'The code passed is incorrect or expired.',
      },
    })
    expect(told).toMatchObject({ error: 'server_error' })
  })

  it.each([
    ['the answer of the token names scopes', { access_token: 'their-token', scope: 'repo' }, {}],
    ['the header alone does', { access_token: 'their-token' }, { 'x-oauth-scopes': 'repo, gist' }],
  ])('P7 grants nothing that it does not name, where %s', async (_rule, tokens, headers) => {
    const { told } = await enter(
      (common) => new GitHubProvider({ ...common, requiredScopes: [], scopesSupported: ['repo', 'user'] }),
      github,
      {
        'POST https://github.com/login/oauth/access_token': tokens,
        [GITHUB_USER]: answer(200, { id: 1, login: 'ada' }, headers),
      },
      'repo user',
    )
    expect(told).toMatchObject({ scope: 'repo' })
  })

  it('lets people in by an app that knows no scopes', async () => {
    const { told } = await enter((common) => new GitHubProvider({ ...common, requiredScopes: [] }), github, {
      'POST https://github.com/login/oauth/access_token': { ...TOKENS, access_token: 'ghu_1', scope: '' },
      [GITHUB_USER]: answer(200, { id: 1, login: 'ada' }, { 'x-oauth-scopes': '' }),
    })
    expect(told).toHaveProperty('access_token')
  })
})

describe('Google', () => {
  it('is asked for what the app wants, whatever is usual', async () => {
    const site = await open(
      (common) =>
        new GoogleProvider({
          ...common,
          extraAuthorizeParams: { prompt: 'select_account', hd: 'example.com' },
        }),
      google,
    )
    const { url } = await site.leave(await site.register())
    expect(Object.fromEntries(url.searchParams)).toMatchObject({
      access_type: 'offline',
      prompt: 'select_account',
      hd: 'example.com',
    })
  })

  it.each(['email', 'https://www.googleapis.com/auth/userinfo.email'])(
    'grants the scope %s by its long name',
    async (scope) => {
      const { told } = await enter(
        (common) => new GoogleProvider({ ...common, requiredScopes: ['openid', scope] }),
        google,
        {
          'POST https://oauth2.googleapis.com/token': {
            ...TOKENS,
            scope: 'https://www.googleapis.com/auth/userinfo.email openid',
          },
        },
      )
      expect(told).toMatchObject({ scope: `openid ${scope}` })
    },
  )

  it('is always asked who it is, also where the app needs no more than a mailbox', async () => {
    const site = await open((common) => new GoogleProvider({ ...common, requiredScopes: ['email'] }), google)
    const { url } = await site.leave(await site.register())
    expect(url.searchParams.get('scope')).toBe('email openid')
  })

  it.each([
    ['true', true],
    ['false', false],
    [undefined, undefined],
  ])('writes flags as text: %j', async (text, flag) => {
    const { site, told } = await enter((common) => new GoogleProvider(common), google, {
      [TOKEN_INFO]: { ...GOOGLE_SAYS, email: 'ada@example.com', email_verified: text },
    })
    const verified = await site.provider.verifyToken(String(told['access_token']))
    expect(verified?.claims['email_verified']).toBe(flag)
  })

  it('gets the token in a header, not in a URL that is logged', async () => {
    const { site } = await enter((common) => new GoogleProvider(common), google)
    const asked = site.vendor.asked.find(({ to }) => to === TOKEN_INFO)
    expect(asked?.headers['authorization']).toBe('Bearer their-token')
    expect(site.vendor.asked.filter(({ to }) => to.includes('their-token'))).toEqual([])
  })
})

describe('WorkOS', () => {
  it.each([
    ['the answer of the token', { ...TOKENS, scope: 'openid' }, {}],
    ['the profile', TOKENS, { scope: 'openid' }],
    ['the profile, in the plural', TOKENS, { scopes: ['openid'] }],
  ])(
    'FM#3407 lets nobody call without a scope that is needed, where %s says so',
    async (_rule, tokens, profile) => {
      const { site, told } = await enter(workosOf, workos, {
        'POST https://notes.authkit.app/oauth2/token': tokens,
        'GET https://notes.authkit.app/oauth2/userinfo': { sub: 'user_1', ...profile },
      })
      expect(told).not.toHaveProperty('scope')
      const refused = await site.call(String(told['access_token']))
      expect(refused.status).toBe(403)
      expect(refused.headers.get('www-authenticate')).toMatch(
        /^Bearer error="insufficient_scope".* scope="email"/,
      )
      expect(await refused.json()).toMatchObject({ error: 'insufficient_scope' })
    },
  )

  it('is asked for a refresh token, since access tokens end after five minutes', async () => {
    const site = await open(workosOf, workos)
    const { url } = await site.leave(await site.register())
    expect(url.searchParams.get('scope')).toBe('email openid offline_access')
  })

  it('has another provider for clients that register themselves', () => {
    expect(AuthKitProvider.name).toBe('AuthKitProvider')
  })
})

describe('where the instance is', () => {
  const required = { clientId: 'our-app', clientSecret: 's', baseUrl: 'https://api.example.com' }

  it.each([
    ['WorkOSProvider: "authkitDomain"', () => new WorkOSProvider(required as never)],
    ['ClerkProvider: "domain"', () => new ClerkProvider(required as never)],
  ])('has to be written in %s', (name, build) => {
    expect(configErrorOf(build)).toEqual({
      code: 'ERR_MCP_AUTH_MISSING_OPTION',
      message: expect.stringContaining(`${name} is missing: write `),
    })
  })
})

describe('Clerk', () => {
  it.each([false, 'true', 1, undefined])('N2 takes no token that is active: %j', async (active) => {
    const { told } = await enter(clerkOf, clerk, { [CLERK_INFO]: { ...CLERK_SAYS, active } })
    expect(told).toMatchObject({ error: 'access_denied' })
  })

  it('N3 cannot say who somebody is where it refuses this app', async () => {
    const { told } = await enter(clerkOf, clerk, { [CLERK_INFO]: answer(401, { error: 'invalid_client' }) })
    expect(told).toMatchObject({ error: 'temporarily_unavailable' })
  })
})

describe('what went wrong is said in words that help:', () => {
  it.each<[name: string, create: Create, error: string, advice: string | undefined]>([
    [
      'GitHub',
      (common) => new GitHubProvider(common),
      'redirect_uri_mismatch',
      'authorization callback URL of the app',
    ],
    ['GitHub', (common) => new GitHubProvider(common), 'application_suspended', undefined],
    ['GitLab', (common) => new GitLabProvider(common), 'invalid_scope', 'tick every scope'],
    ['GitLab', (common) => new GitLabProvider(common), 'unauthorized_client', undefined],
  ])('%s, %s', async (_name, create, error, advice) => {
    const site = await open(create, {})
    const { url, browser } = await site.leave(await site.register())
    const back = new URL(site.callbackUrl)
    back.searchParams.set('error', error)
    back.searchParams.set('state', String(url.searchParams.get('state')))
    const { url: told } = await browser.go(back, 'http://127.0.0.1:33418/')
    expect(Object.fromEntries(told.searchParams)).toMatchObject({ error: 'server_error' })
    const { detail } = site.events.find(({ type }) => type === 'upstream.refused') as { detail: string }
    expect(detail).toMatch(advice ?? new RegExp(`: ${error}$`))
  })
})

describe('GitLab', () => {
  it.each([
    ['expires_in_seconds', { expires_in_seconds: 7200 }, 200],
    ['expires_in', { expires_in: 7200 }, 200],
    ['neither, for a token without end', { expires_in: null, expires_in_seconds: null }, 200],
    ['a token that ended', { expires_in: 0 }, undefined],
  ])('tells of the end by %s', async (_rule, end, status) => {
    const { site, told } = await enter((common) => new GitLabProvider(common), gitlab, {
      [GITLAB_INFO]: { ...GITLAB_SAYS, ...end },
    })
    if (status === undefined) expect(told).toMatchObject({ error: 'access_denied' })
    else expect((await site.call(String(told['access_token']))).status).toBe(status)
  })

  it('gives no user for a token of an application alone', async () => {
    const { told } = await enter((common) => new GitLabProvider(common), gitlab, {
      [GITLAB_INFO]: { ...GITLAB_SAYS, resource_owner_id: null },
    })
    expect(told).toMatchObject({ error: 'access_denied' })
  })
})

describe('B22 while somebody is signed in,', () => {
  const start = async (): Promise<{ site: VendorSite; call: () => Promise<Response> }> => {
    const { site, told } = await enter((common) => new GitHubProvider(common), github)
    site.vendor.take()
    return { site, call: () => site.call(String(told['access_token'])) }
  }

  it('the vendor is asked once a minute, however many requests come at once', async () => {
    const { site, call } = await start()
    site.clock.advance(61)
    const statuses = await Promise.all(Array.from({ length: 20 }, async () => (await call()).status))
    expect(new Set(statuses)).toEqual(new Set([200]))
    expect(site.vendor.take()).toEqual([GITHUB_USER])
    site.clock.advance(59)
    expect((await call()).status).toBe(200)
    expect(site.vendor.take()).toEqual([])
  })

  it('or as often as it is told', async () => {
    const { site, told } = await enter(
      (common) => new GitHubProvider({ ...common, cacheTtlSeconds: 300 }),
      github,
    )
    site.vendor.take()
    site.clock.advance(299)
    expect((await site.call(String(told['access_token']))).status).toBe(200)
    expect(site.vendor.take()).toEqual([])
  })

  it.each<[rule: string, outage: Answer]>([
    ['fails', answer(502)],
    ['answers with a page', page(200)],
    ['is behind a gateway that refuses', page(403)],
    [
      'says that we ask too much',
      answer(403, { message: 'API rate limit exceeded' }, { 'x-ratelimit-remaining': '0' }),
    ],
    ['says so by 429', answer(429)],
    ['cannot be reached', () => Promise.reject(new TypeError('fetch failed'))],
  ])('N1 nobody loses a token because the vendor %s', async (_rule, outage) => {
    const { site, call } = await start()
    site.clock.advance(61)
    site.vendor.answers.set(GITHUB_USER, outage)
    const refused = await call()
    expect(refused.status).toBe(503)
    expect(refused.headers.get('www-authenticate')).toBeNull()
    expect(refused.headers.get('retry-after')).toMatch(/^\d+$/)
    expect(await refused.json()).toMatchObject({ error: 'temporarily_unavailable' })
    site.vendor.answers.set(GITHUB_USER, { id: 1, login: 'ada' })
    site.clock.advance(1)
    expect((await call()).status).toBe(200)
  })

  it.each<[rule: string, gone: Answer]>([
    ['took the token back', answer(401, { message: 'Bad credentials' })],
    ['shut the user out', answer(403, { message: 'Sorry. Your account was suspended.' })],
    ['means somebody else by it now', { id: 2, login: 'eve' }],
  ])('nobody stays whom the vendor does not vouch for: it %s', async (_rule, gone) => {
    const { site, call } = await start()
    site.clock.advance(61)
    site.vendor.answers.set(GITHUB_USER, gone)
    const refused = await call()
    expect(refused.status).toBe(401)
    expect(refused.headers.get('www-authenticate')).toMatch(/^Bearer error="invalid_token"/)
    expect(await refused.json()).toMatchObject({ error: 'invalid_token' })
  })
})

// Vendors whose access tokens are opaque, each against its documented endpoints as they are in the wild.
import { afterEach, describe, expect, it } from '@jest/globals'
import { ClerkProvider } from 'express-mcp-auth/providers/clerk'
import { DiscordProvider } from 'express-mcp-auth/providers/discord'
import { GitHubProvider } from 'express-mcp-auth/providers/github'
import { GitLabProvider } from 'express-mcp-auth/providers/gitlab'
import { GoogleProvider } from 'express-mcp-auth/providers/google'
import { HuggingFaceProvider } from 'express-mcp-auth/providers/hugging-face'
import { WorkOSProvider } from 'express-mcp-auth/providers/workos'
import type { ServerProvider } from '../../../lib/providers/server-provider.js'
import { type Answers, type Common, type VendorSite, answer, startVendorSite } from '../../support/vendor.js'

const NOW = 1_700_000_000
const BASIC = `Basic ${Buffer.from('our-app:our-secret').toString('base64')}`

interface Row {
  readonly name: string
  readonly create: (common: Common) => ServerProvider
  /** Scopes that the client asks for, beside those that it has to. */
  readonly asks: string
  /** Where the browser is sent, and with what beside the protocol. */
  readonly authorize: {
    readonly at: string
    readonly scope: string
    readonly params?: Readonly<Record<string, string>>
  }
  /** As they come at the token endpoint. */
  readonly tokenCall: { readonly to: string; readonly basic: boolean }
  readonly answers: Answers
  /** Where it is asked who that is. */
  readonly identified: readonly string[]
  readonly user: {
    readonly subject: string
    readonly claims: Readonly<Record<string, unknown>>
  }
  /** What the client is granted. */
  readonly granted: string
  /** Where tokens are given back. */
  readonly revoked: readonly string[]
}

const TOKENS = {
  access_token: 'their-token',
  refresh_token: 'their-refresh',
  token_type: 'bearer',
  expires_in: 3600,
}

const ROWS: readonly Row[] = [
  {
    name: 'GitHub',
    create: (common) => new GitHubProvider({ ...common, scopesSupported: ['read:user', 'repo'] }),
    asks: 'user read:user repo',
    authorize: { at: 'https://github.com/login/oauth/authorize', scope: 'user read:user repo' },
    tokenCall: { to: 'POST https://github.com/login/oauth/access_token', basic: false },
    answers: {
      // Commas, no end, no refresh token, and without what another scope includes.
      'POST https://github.com/login/oauth/access_token': {
        access_token: 'their-token',
        token_type: 'bearer',
        scope: 'repo,user',
      },
      'GET https://api.github.com/user': answer(
        200,
        {
          id: 583231,
          login: 'octocat',
          name: null,
          email: null,
          avatar_url: 'https://a.example/1',
          node_id: 'x',
        },
        { 'x-oauth-scopes': 'repo, user' },
      ),
      'DELETE https://api.github.com/applications/our-app/token': answer(204),
    },
    identified: ['GET https://api.github.com/user'],
    user: {
      subject: '583231',
      claims: { sub: '583231', login: 'octocat', avatar_url: 'https://a.example/1' },
    },
    granted: 'user read:user repo',
    revoked: ['DELETE https://api.github.com/applications/our-app/token'],
  },
  {
    name: 'Google',
    create: (common) => new GoogleProvider({ ...common, scopesSupported: ['email', 'profile'] }),
    asks: 'openid email profile',
    authorize: {
      at: 'https://accounts.google.com/o/oauth2/v2/auth',
      scope: 'openid email profile',
      params: { access_type: 'offline', prompt: 'consent' },
    },
    tokenCall: { to: 'POST https://oauth2.googleapis.com/token', basic: true },
    answers: {
      // The long names of what was asked for by the short ones.
      'POST https://oauth2.googleapis.com/token': {
        ...TOKENS,
        scope:
          'openid https://www.googleapis.com/auth/userinfo.email https://www.googleapis.com/auth/userinfo.profile',
      },
      // Everything is text.
      'POST https://oauth2.googleapis.com/tokeninfo': {
        azp: 'our-app',
        aud: 'our-app',
        sub: '10769150350006150715113082367',
        scope: 'openid https://www.googleapis.com/auth/userinfo.email',
        exp: String(NOW + 3599),
        expires_in: '3599',
        email: 'ada@example.com',
        email_verified: 'true',
        access_type: 'offline',
      },
      'GET https://openidconnect.googleapis.com/v1/userinfo': {
        sub: '10769150350006150715113082367',
        name: 'Ada Lovelace',
        picture: 'https://a.example/2',
        email_verified: true,
      },
    },
    identified: [
      'POST https://oauth2.googleapis.com/tokeninfo',
      'GET https://openidconnect.googleapis.com/v1/userinfo',
    ],
    user: {
      subject: '10769150350006150715113082367',
      claims: {
        sub: '10769150350006150715113082367',
        name: 'Ada Lovelace',
        picture: 'https://a.example/2',
        email: 'ada@example.com',
        email_verified: true,
      },
    },
    granted: 'openid email profile',
    // It would take back everything that the user granted.
    revoked: [],
  },
  {
    name: 'Discord',
    create: (common) => new DiscordProvider({ ...common, scopesSupported: ['email'] }),
    asks: 'identify email',
    authorize: { at: 'https://discord.com/oauth2/authorize', scope: 'identify email' },
    tokenCall: { to: 'POST https://discord.com/api/oauth2/token', basic: true },
    answers: {
      'POST https://discord.com/api/oauth2/token': {
        ...TOKENS,
        token_type: 'Bearer',
        scope: 'email identify',
      },
      'GET https://discord.com/api/oauth2/@me': {
        application: { id: 'our-app', name: 'Notes' },
        expires: new Date((NOW + 604_800) * 1000).toISOString().replace('Z', '000+00:00'),
        scopes: ['identify', 'email'],
        user: {
          id: '80351110224678912',
          username: 'nelly',
          discriminator: '0',
          avatar: null,
          global_name: 'Nelly',
        },
      },
      'GET https://discord.com/api/users/@me': {
        id: '80351110224678912',
        username: 'nelly',
        email: 'nelly@example.com',
        verified: true,
      },
    },
    identified: ['GET https://discord.com/api/oauth2/@me', 'GET https://discord.com/api/users/@me'],
    user: {
      subject: '80351110224678912',
      claims: {
        sub: '80351110224678912',
        username: 'nelly',
        global_name: 'Nelly',
        discriminator: '0',
        email: 'nelly@example.com',
        verified: true,
      },
    },
    granted: 'identify email',
    // As with Google.
    revoked: [],
  },
  {
    name: 'Hugging Face',
    create: (common) => new HuggingFaceProvider({ ...common, scopesSupported: ['read-repos'] }),
    asks: 'openid profile read-repos',
    authorize: { at: 'https://huggingface.co/oauth/authorize', scope: 'openid profile read-repos' },
    tokenCall: { to: 'POST https://huggingface.co/oauth/token', basic: true },
    answers: {
      'POST https://huggingface.co/oauth/token': { ...TOKENS, scope: 'openid profile' },
      'GET https://huggingface.co/oauth/userinfo': {
        sub: '62cd1b4d8f6e0a2b3c4d5e6f',
        name: 'Ada',
        preferred_username: 'ada',
        isPro: false,
        orgs: [{ sub: '1', name: 'Engines' }],
      },
    },
    identified: ['GET https://huggingface.co/oauth/userinfo'],
    user: {
      subject: '62cd1b4d8f6e0a2b3c4d5e6f',
      claims: {
        sub: '62cd1b4d8f6e0a2b3c4d5e6f',
        name: 'Ada',
        preferred_username: 'ada',
        isPro: false,
        orgs: [{ sub: '1', name: 'Engines' }],
      },
    },
    granted: 'openid profile',
    revoked: [],
  },
  {
    name: 'WorkOS',
    create: (common) =>
      new WorkOSProvider({
        ...common,
        authkitDomain: 'https://notes.authkit.app/',
        scopesSupported: ['email'],
      }),
    asks: 'email',
    authorize: { at: 'https://notes.authkit.app/oauth2/authorize', scope: 'email openid offline_access' },
    tokenCall: { to: 'POST https://notes.authkit.app/oauth2/token', basic: false },
    answers: {
      'POST https://notes.authkit.app/oauth2/token': { ...TOKENS, expires_in: 300 },
      'GET https://notes.authkit.app/oauth2/userinfo': {
        sub: 'user_01JQ0E27VT3MH79RY0FVA4QBP9',
        email: 'ada@example.com',
        email_verified: true,
        name: 'Ada',
      },
    },
    identified: ['GET https://notes.authkit.app/oauth2/userinfo'],
    user: {
      subject: 'user_01JQ0E27VT3MH79RY0FVA4QBP9',
      claims: {
        sub: 'user_01JQ0E27VT3MH79RY0FVA4QBP9',
        email: 'ada@example.com',
        email_verified: true,
        name: 'Ada',
      },
    },
    granted: 'email',
    revoked: [],
  },
  {
    name: 'Clerk',
    create: (common) => new ClerkProvider({ ...common, domain: 'primate-16.clerk.accounts.dev' }),
    asks: 'openid email profile',
    authorize: { at: 'https://primate-16.clerk.accounts.dev/oauth/authorize', scope: 'openid email profile' },
    tokenCall: { to: 'POST https://primate-16.clerk.accounts.dev/oauth/token', basic: true },
    answers: {
      'POST https://primate-16.clerk.accounts.dev/oauth/token': { ...TOKENS, scope: 'openid email profile' },
      'POST https://primate-16.clerk.accounts.dev/oauth/token_info': ({ body }) =>
        Response.json(
          body['token'] === 'their-token' && body['client_secret'] === 'our-secret'
            ? {
                active: true,
                client_id: 'our-app',
                sub: 'user_2x',
                scope: 'openid email profile',
                exp: NOW + 86_400,
              }
            : { active: false },
        ),
      'GET https://primate-16.clerk.accounts.dev/oauth/userinfo': {
        sub: 'user_2x',
        user_id: 'user_2x',
        email: 'ada@example.com',
        email_verified: true,
        name: 'Ada',
        preferred_username: 'ada',
      },
      'POST https://primate-16.clerk.accounts.dev/oauth/token/revoke': {},
    },
    identified: [
      'POST https://primate-16.clerk.accounts.dev/oauth/token_info',
      'GET https://primate-16.clerk.accounts.dev/oauth/userinfo',
    ],
    user: {
      subject: 'user_2x',
      claims: {
        sub: 'user_2x',
        name: 'Ada',
        preferred_username: 'ada',
        email: 'ada@example.com',
        email_verified: true,
      },
    },
    granted: 'openid email profile',
    revoked: [
      'POST https://primate-16.clerk.accounts.dev/oauth/token/revoke',
      'POST https://primate-16.clerk.accounts.dev/oauth/token/revoke',
    ],
  },
  {
    name: 'GitLab',
    create: (common) =>
      new GitLabProvider({
        ...common,
        gitlabUrl: 'https://gitlab.example.com/',
        scopesSupported: ['read_api'],
      }),
    asks: 'openid profile read_api',
    authorize: { at: 'https://gitlab.example.com/oauth/authorize', scope: 'openid profile read_api' },
    tokenCall: { to: 'POST https://gitlab.example.com/oauth/token', basic: false },
    answers: {
      'POST https://gitlab.example.com/oauth/token': {
        ...TOKENS,
        expires_in: 7200,
        scope: 'openid profile read_api',
        created_at: NOW,
      },
      'GET https://gitlab.example.com/oauth/token/info': {
        resource_owner_id: 42,
        scope: ['openid', 'profile', 'read_api'],
        expires_in: 7200,
        application: { uid: 'our-app' },
        created_at: NOW,
      },
      'GET https://gitlab.example.com/oauth/userinfo': {
        sub: '42',
        name: 'Ada',
        nickname: 'ada',
        preferred_username: 'ada',
        picture: 'https://a.example/3',
      },
      'POST https://gitlab.example.com/oauth/revoke': {},
    },
    identified: [
      'GET https://gitlab.example.com/oauth/token/info',
      'GET https://gitlab.example.com/oauth/userinfo',
    ],
    user: {
      subject: '42',
      claims: {
        sub: '42',
        name: 'Ada',
        nickname: 'ada',
        preferred_username: 'ada',
        picture: 'https://a.example/3',
      },
    },
    granted: 'openid profile read_api',
    revoked: ['POST https://gitlab.example.com/oauth/revoke', 'POST https://gitlab.example.com/oauth/revoke'],
  },
]

const opened: VendorSite[] = []
afterEach(async () => {
  for (const site of opened.splice(0)) await site.close()
})
async function open(create: Row['create'], answers: Answers): Promise<VendorSite> {
  const site = await startVendorSite(create, answers)
  opened.push(site)
  return site
}

describe.each(ROWS)('$name', (row) => {
  it('lets people sign in there, and clients get tokens of ours', async () => {
    const site = await open(row.create, row.answers)
    const { vendor } = site
    const client = await site.register()

    const { url } = await site.leave(client, row.asks)
    const sent = Object.fromEntries(url.searchParams)
    expect(url.origin + url.pathname).toBe(row.authorize.at)
    expect(sent).toEqual({
      response_type: 'code',
      client_id: 'our-app',
      redirect_uri: site.callbackUrl,
      scope: row.authorize.scope,
      state: expect.stringMatching(/^[\w-]{24}$/),
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge_method: 'S256',
      ...(row.authorize.scope.includes('openid') && { nonce: expect.stringMatching(/^[\w-]{24}$/) }),
      ...row.authorize.params,
    })
    expect(vendor.take()).toEqual([])

    const tokens = await site.enter(client, row.asks)
    expect(tokens).toMatchObject({ token_type: 'Bearer', scope: row.granted })
    const [exchange] = vendor.asked
    expect(exchange?.headers['authorization']).toBe(row.tokenCall.basic ? BASIC : undefined)
    expect(exchange?.body).toEqual({
      grant_type: 'authorization_code',
      code: 'their-code',
      redirect_uri: site.callbackUrl,
      code_verifier: expect.stringMatching(/^[\w-]{48}$/),
      ...(!row.tokenCall.basic && { client_id: 'our-app', client_secret: 'our-secret' }),
    })
    expect(vendor.take()).toEqual([row.tokenCall.to, ...row.identified])

    const called = await site.call(String(tokens['access_token']))
    expect([called.status, await called.json()]).toEqual([
      200,
      { subject: row.user.subject, clientId: client.client_id, scopes: row.granted.split(' ') },
    ])
    expect(await site.provider.verifyToken(String(tokens['access_token']))).toMatchObject({
      subject: row.user.subject,
      claims: expect.objectContaining(row.user.claims),
    })
    // B22: who that is was asked a moment ago.
    expect(vendor.take()).toEqual([])

    const revoked = await site.post('/revoke', {
      token: String(tokens['refresh_token']),
      client_id: client.client_id,
    })
    expect(revoked.status).toBe(200)
    expect(vendor.take()).toEqual(row.revoked)
    expect((await site.call(String(tokens['access_token']))).status).toBe(401)
  })
})

// The published contract of verifiers: ours keep it, and verifiers that break a rule are found by the case of that rule.
import { afterAll, beforeAll, describe, expect, it, test } from '@jest/globals'
import {
  IntrospectionTokenVerifier,
  JWTVerifier,
  MultiAuth,
  OAuthError,
  RemoteTokenVerifier,
  type SdkTokenVerifier,
  StaticTokenVerifier,
} from 'express-mcp-auth'
import { GitHubTokenVerifier } from 'express-mcp-auth/providers/github'
import {
  type CreateVerifier,
  type TestIdentityProvider,
  type VerifierUnderTest,
  startIdentityProvider,
  verifierContract,
} from 'express-mcp-auth/testing'
import { RESOURCE, startStub } from '../support/issuer.js'
import { type Asked, Vendor, answer } from '../support/vendor.js'

let idp: TestIdentityProvider
beforeAll(async () => {
  idp = await startIdentityProvider()
})
afterAll(() => idp.close())

const SCOPES = ['mcp:use']

/** Tokens of the identity provider, and what is to be said of them. */
function tokens(): Omit<VerifierUnderTest, 'verifier' | 'outage'> {
  const issue: TestIdentityProvider['issueToken'] = (more) =>
    idp.issueToken({ subject: 'ada', clientId: 'desktop', audience: RESOURCE, scopes: SCOPES, ...more })
  const revoked = issue()
  idp.revoke(revoked)
  return {
    goodToken: issue(),
    expected: { subject: 'ada', clientId: 'desktop', issuer: idp.issuer, scopes: SCOPES },
    badTokens: [issue({ audience: 'https://other.example.com' }), issue({ kid: 'unknown' }), 'revoked'],
    expiredToken: issue({ expiresInSeconds: -60 }),
    tokenWithoutScopes: issue({ scopes: ['other'] }),
  }
}

const jwt = (): VerifierUnderTest => ({
  ...tokens(),
  verifier: new JWTVerifier({
    jwksUri: idp.jwksUri,
    issuer: idp.issuer,
    audience: RESOURCE,
    requiredScopes: SCOPES,
  }),
  outage() {
    idp.failWith('jwks', 500)
  },
  close() {
    idp.failWith('jwks')
  },
})

const introspected = (cacheTtlSeconds: number): VerifierUnderTest => {
  const all = tokens()
  const foreign = idp.issueToken({ audience: 'https://other.example.com' })
  return {
    ...all,
    badTokens: [foreign, 'revoked'],
    verifier: new IntrospectionTokenVerifier({
      introspectionUrl: idp.introspectionEndpoint,
      clientId: idp.clientId,
      clientSecret: idp.clientSecret,
      audience: RESOURCE,
      requiredScopes: SCOPES,
      cacheTtlSeconds,
    }),
    outage() {
      idp.failWith('introspect', 'reset')
    },
    close() {
      idp.failWith('introspect')
    },
  }
}

const STATIC = {
  goodToken: 'good-token-of-ada',
  badTokens: ['good-token-of-eve', 'GOOD-TOKEN'],
  tokenWithoutScopes: 'token-without-scopes',
}

const staticTokens = (): VerifierUnderTest => ({
  ...STATIC,
  expected: { clientId: 'desktop', subject: 'ada' },
  expiredToken: 'expired-token',
  outage: 'asks nobody',
  verifier: new StaticTokenVerifier({
    tokens: {
      [STATIC.goodToken]: { clientId: 'desktop', subject: 'ada', scopes: SCOPES },
      [STATIC.tokenWithoutScopes]: { clientId: 'desktop' },
      'expired-token': { clientId: 'desktop', scopes: SCOPES, expiresAt: 1 },
    },
    requiredScopes: SCOPES,
  }),
})

async function remote(): Promise<VerifierUnderTest> {
  const service = await startStub((_request, response, body) => {
    const { token } = JSON.parse(body) as { token: string }
    const scope = token === STATIC.goodToken ? 'mcp:use' : ''
    const known = token === STATIC.goodToken || token === STATIC.tokenWithoutScopes
    response.writeHead(known ? 200 : 401, { 'content-type': 'application/json' })
    response.end(JSON.stringify(known ? { sub: 'ada', client_id: 'desktop', scope } : {}))
  })
  return {
    ...STATIC,
    expected: { subject: 'ada' },
    expiredToken: 'never expires',
    verifier: new RemoteTokenVerifier({
      verifyUrl: service.url,
      requiredScopes: SCOPES,
      cacheTtlSeconds: 60,
    }),
    outage: service.close,
    close: service.close,
  }
}

/** Opaque tokens that their vendor is asked about. */
const github = (): VerifierUnderTest => {
  const scopesOf = new Map([
    [STATIC.goodToken, ['read:user']],
    [STATIC.tokenWithoutScopes, []],
  ])
  const vendor = new Vendor({
    'POST https://api.github.com/applications/app/token': ({ body }: Asked) => {
      const scopes = scopesOf.get(String(body['access_token']))
      if (scopes === undefined) return answer(404)()
      return answer(200, { id: 1, app: { client_id: 'app' }, scopes, user: { id: 7, login: 'ada' } })()
    },
    'GET https://api.github.com/user': { id: 7, login: 'ada' },
  })
  return {
    ...STATIC,
    expected: { subject: '7', clientId: 'app' },
    expiredToken: 'never expires',
    verifier: new GitHubTokenVerifier({
      clientId: 'app',
      clientSecret: 'secret',
      requiredScopes: ['read:user'],
      deps: { fetch: vendor.fetch },
    }),
    outage: () => vendor.answers.clear(),
  }
}

/** The verifier interface of the SDKs. */
const sdk = (): VerifierUnderTest => {
  const own = jwt()
  const inner = own.verifier as JWTVerifier
  const verifier: SdkTokenVerifier & { readonly requiredScopes: readonly string[] } = {
    requiredScopes: SCOPES,
    async verifyAccessToken(token) {
      const verified = await inner.verifyToken(token)
      if (verified === null) throw new OAuthError('invalid_token', 'no')
      return verified
    },
  }
  return { ...own, verifier }
}

const several = (): VerifierUnderTest => {
  const own = jwt()
  const machines = new StaticTokenVerifier({ tokens: { sk_1: { clientId: 'ci' } }, tokenPrefix: 'sk_' })
  return { ...own, verifier: new MultiAuth({ verifiers: [own.verifier, machines], requiredScopes: SCOPES }) }
}

describe.each<readonly [string, CreateVerifier]>([
  ['JWTVerifier', jwt],
  ['IntrospectionTokenVerifier', () => introspected(60)],
  ['IntrospectionTokenVerifier without a cache', () => introspected(0)],
  ['StaticTokenVerifier', staticTokens],
  ['RemoteTokenVerifier', remote],
  ['GitHubTokenVerifier', github],
  ['a verifier of an SDK', sdk],
  ['MultiAuth', several],
])('%s', (_name, create) => {
  test.each(verifierContract.map(({ title, run }) => [title, run] as const))('%s', (_title, run) =>
    run(create),
  )
})

/** A verifier with one mistake, and the rule that it breaks. */
const mistakes: readonly (readonly [
  rule: RegExp,
  how: string,
  words: string,
  change: (good: VerifierUnderTest) => Partial<VerifierUnderTest>,
])[] = [
  [
    /^a good token is accepted/,
    'refuses everybody',
    'the good token was refused',
    () => ({ verifier: { verifyToken: () => null } }),
  ],
  [
    /^a good token is accepted/,
    'calls the user by another name',
    '"subject" is not what was expected',
    () => ({ expected: { subject: 'grace' } }),
  ],
  [
    /^a bad token is refused/,
    'accepts everybody',
    'bad token 0 was accepted',
    () => ({ verifier: { verifyToken: () => ({ clientId: 'x', scopes: SCOPES }) } }),
  ],
  [/^a bad token is refused/, 'is not asked about any', '"badTokens" are missing', () => ({ badTokens: [] })],
  [
    /^garbage/,
    'fails on what is no token',
    'an error that does not speak of the token',
    ({ goodToken }) => ({
      verifier: {
        verifyToken: (token) =>
          token === goodToken ? { clientId: 'x' } : Promise.reject(new Error('not a token')),
      },
    }),
  ],
  [
    /^an expired token/,
    'forgets that tokens expire',
    'as good as the good one',
    ({ goodToken, expiredToken }) => ({
      verifier: {
        verifyToken: (token) => ([goodToken, expiredToken].includes(token) ? { clientId: 'x' } : null),
      },
    }),
  ],
  [
    /^required scopes/,
    'refuses who lacks scopes as nobody',
    'was refused as a bad one',
    ({ goodToken }) => ({
      verifier: {
        requiredScopes: SCOPES,
        verifyToken: (token) => (token === goodToken ? { clientId: 'x', scopes: SCOPES } : null),
      },
    }),
  ],
  [
    /^required scopes/,
    'requires scopes in secret',
    'pass "tokenWithoutScopes"',
    () => ({ tokenWithoutScopes: 'no scopes' }),
  ],
  [
    /^an outage/,
    'calls an outage a bad token',
    'callers would lose good tokens',
    () => ({
      outage: () => undefined,
      verifier: { verifyToken: () => null },
    }),
  ],
  [
    /^an outage/,
    'throws at the token',
    'it was called invalid_token (401)',
    () => ({
      outage: () => undefined,
      verifier: { verifyToken: () => Promise.reject(new OAuthError('invalid_token', 'no answer')) },
    }),
  ],
  [
    /^recall/,
    'recalls anybody',
    'never verified',
    ({ goodToken }) => ({
      verifier: {
        verifyToken: (token) => (token === goodToken ? { clientId: 'x' } : null),
        recall: () => ({ clientId: 'x' }) as never,
      },
    }),
  ],
  [
    /^what one request does/,
    'hands out what it keeps',
    'deep',
    ({ goodToken }) => {
      const kept = { clientId: 'x', scopes: ['a'] }
      return { verifier: { verifyToken: (token) => (token === goodToken ? kept : null) } }
    },
  ],
  [
    /^many callers/,
    'mixes callers up',
    'Expected values',
    ({ goodToken }) => {
      let last = ''
      return {
        verifier: {
          async verifyToken(token) {
            last = token
            await Promise.resolve()
            return last === goodToken ? { clientId: 'x' } : null
          },
        },
      }
    },
  ],
  [
    /^it works without a context/,
    'needs a context',
    "reading 'refuse'",
    ({ goodToken }) => ({
      verifier: {
        verifyToken: (token, context) =>
          token === goodToken ? { clientId: 'x' } : context!.refuse({ stage: 'x' }),
      },
    }),
  ],
  [
    /^it does not disown/,
    'disowns its token',
    'not mine',
    ({ verifier }) => ({
      verifier: {
        verifyToken: (token) => (verifier as JWTVerifier).verifyToken(token),
        claimsToken: () => 'not mine',
      },
    }),
  ],
  [
    /^neither reasons/,
    'tells the token',
    'a token was told to operators',
    () => ({ verifier: { verifyToken: (token, context) => context!.refuse({ stage: 'x', got: token }) } }),
  ],
]

describe('the contract finds a verifier that', () => {
  it.each(mistakes)('%s: %s', async (rule, _how, words, change) => {
    const [found] = verifierContract.filter(({ title }) => rule.test(title))
    const create = (): VerifierUnderTest => {
      const good = jwt()
      return { ...good, ...change(good) }
    }
    await expect(found!.run(create)).rejects.toThrow(words)
  })

  it('has a mistake for every rule', () => {
    const covered = verifierContract.filter(({ title }) => mistakes.some(([rule]) => rule.test(title)))
    expect(covered).toHaveLength(verifierContract.length)
  })
})

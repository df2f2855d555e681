import { beforeEach, describe, expect, it } from '@jest/globals'
import {
  type AuthProvider,
  DebugTokenVerifier,
  JWTVerifier,
  MultiAuth,
  type MultiAuthOptions,
  OAuthError,
  RemoteAuthProvider,
  StaticTokenVerifier,
  type Verification,
  type Verifier,
} from 'express-mcp-auth'
import { tokenForm } from '../../lib/protocol/jws-guard.js'
import { configErrorOf } from '../support/config-error.js'
import { ISSUER, RESOURCE, createKey, createToken } from '../support/issuer.js'
import { tossLater } from '../support/odd.js'
import { createRecorder } from '../support/recorder.js'

const { context } = createRecorder()

describe('MultiAuth', () => {
  let asked: string[]

  beforeEach(() => {
    asked = []
  })

  /** A verifier that notes that it was asked and then does as it is told. */
  const source = (
    name: string,
    verify: () => Verification | Promise<Verification>,
    more: Partial<AuthProvider> = {},
  ): AuthProvider => ({
    verifyToken: () => {
      asked.push(name)
      return verify()
    },
    ...more,
  })
  const yes = (name: string, more: Partial<AuthProvider> = {}): AuthProvider =>
    source(name, () => ({ clientId: name, scopes: ['s'] }), more)
  const no = (name: string, more: Partial<AuthProvider> = {}): AuthProvider => source(name, () => null, more)
  const fails = (name: string, error: unknown, more: Partial<AuthProvider> = {}): AuthProvider =>
    source(name, () => tossLater(error), more)
  const multi = (...verifiers: readonly Verifier[]): MultiAuth => new MultiAuth({ verifiers })
  const outcome = (provider: MultiAuth, token = 'token'): Promise<unknown> =>
    provider.verifyToken(token, context).catch((error: unknown) => error)

  describe('asks', () => {
    it('one after the other whoever may know the token, until one does', async () => {
      expect(
        await outcome(
          multi(
            no('a'),
            source('b', () => undefined),
            yes('c'),
            yes('d'),
          ),
        ),
      ).toMatchObject({ clientId: 'c' })
      expect(asked).toEqual(['a', 'b', 'c'])
    })

    it('the server first', async () => {
      expect(await outcome(new MultiAuth({ server: yes('server'), verifiers: [yes('a')] }))).toMatchObject({
        clientId: 'server',
      })
    })

    it('nobody but whoever claims the token', async () => {
      const mine = no('a', { claimsToken: () => 'mine' })
      expect(await outcome(multi(yes('b'), mine, yes('c')))).toBeNull()
      expect(asked).toEqual(['a'])
    })

    it('all who claim it', async () => {
      const claimsToken = (): 'mine' => 'mine'
      expect(await outcome(multi(no('a', { claimsToken }), yes('b', { claimsToken })))).toMatchObject({
        clientId: 'b',
      })
    })

    it('nobody who says that it is not theirs', async () => {
      expect(await outcome(multi(yes('a', { claimsToken: () => 'not mine' }), no('b')))).toBeNull()
      expect(asked).toEqual(['b'])
    })

    it('the verifier of its issuer about a JWT, and nobody about that of a stranger', async () => {
      const key = createKey('ES256')
      const jwt = (issuer: string): JWTVerifier =>
        new JWTVerifier({ publicKey: key.jwk, issuer, audience: RESOURCE })
      const provider = multi(
        jwt(ISSUER),
        jwt('https://b.example'),
        new StaticTokenVerifier({ tokens: ['a'] }),
      )
      expect(await outcome(provider, createToken(key))).toMatchObject({ issuer: ISSUER })
      expect(await outcome(provider, createToken(key, { iss: 'https://b.example' }))).toMatchObject({
        issuer: 'https://b.example',
      })
      expect(await outcome(provider, createToken(key, { iss: 'https://c.example' }))).toBeNull()
      expect(await outcome(provider, 'a')).toMatchObject({ clientId: 'static-1' })
    })

    it('nobody else about a token with a known prefix', async () => {
      const keys = new StaticTokenVerifier({ tokens: ['sk_a'], tokenPrefix: 'sk_' })
      expect(await outcome(multi(yes('other'), keys), 'sk_b')).toBeNull()
      expect(asked).toEqual([])
    })
  })

  describe('where one cannot decide', () => {
    const down = new Error('no route')

    it('asks the others, and takes a yes', async () => {
      expect(await outcome(multi(fails('a', down), yes('b')))).toMatchObject({ clientId: 'b' })
    })

    it('never takes it for no', async () => {
      expect(await outcome(multi(fails('a', down), no('b')))).toBe(down)
      expect(await outcome(multi(no('a'), fails('b', down)))).toBe(down)
    })

    it('tells the first outage of several', async () => {
      expect(await outcome(multi(fails('a', down), fails('b', new Error('later'))))).toBe(down)
    })

    it('makes an error of whatever was thrown', async () => {
      expect(await outcome(multi(fails('a', 'text')))).toMatchObject({ message: 'text' })
    })

    it('keeps an outage that says so', async () => {
      const outage = new OAuthError('temporarily_unavailable', 'Later', { retryAfterSeconds: 9 })
      expect(await outcome(multi(fails('a', outage), no('b')))).toBe(outage)
    })
  })

  it.each<[rule: string, error: unknown]>([
    ['our own error', new OAuthError('invalid_token', 'No')],
    ['an error by shape', Object.assign(new Error('expired'), { name: 'TokenExpiredError' })],
  ])('takes a refusal that is thrown for no, and asks the others: %s', async (_rule, error) => {
    expect(await outcome(multi(fails('a', error), yes('b')))).toMatchObject({ clientId: 'b' })
    expect(await outcome(multi(fails('a', error), no('b')))).toBeNull()
  })

  it('asks nobody else once one knows the token and finds that it lacks a scope', async () => {
    const error = new OAuthError('insufficient_scope', 'More', { scopes: ['x'] })
    expect(await outcome(multi(fails('a', error), yes('b')))).toBe(error)
    expect(asked).toEqual(['a'])
  })

  it('takes false for no, as a guard does', async () => {
    const said = source('a', () => false as never, { requiredScopes: ['s'] })
    expect(await outcome(multi(said, yes('b')))).toMatchObject({ clientId: 'b' })
  })

  describe('scopes', () => {
    it('are those of each source for its own tokens', async () => {
      const provider = multi(yes('a', { requiredScopes: ['s'] }))
      expect(provider.requiredScopes).toEqual([])
      expect(await outcome(provider)).toMatchObject({ clientId: 'a' })
      expect(await outcome(multi(yes('a', { requiredScopes: ['s', 'x'] }), yes('b')))).toMatchObject({
        code: 'insufficient_scope',
        scopes: ['s', 'x'],
      })
      expect(asked).toEqual(['a', 'a'])
    })

    it('are none where a verifier reports none and its source needs some', async () => {
      const bare = source('a', () => ({ clientId: 'a' }), { requiredScopes: ['s'] })
      expect(await outcome(multi(bare))).toMatchObject({ code: 'insufficient_scope' })
    })

    it('of a source are no matter for the tokens of another', async () => {
      expect(await outcome(multi(no('a', { requiredScopes: ['x'] }), yes('b')))).toMatchObject({
        clientId: 'b',
      })
    })

    it('are those of the whole where these are stated', async () => {
      const provider = new MultiAuth({
        verifiers: [yes('a', { requiredScopes: ['x'] })],
        requiredScopes: ['y'],
      })
      expect(provider).toMatchObject({ requiredScopes: ['y'], challengeScopes: ['y'] })
      expect(await outcome(provider)).toMatchObject({ clientId: 'a' })
    })

    it('may be none for the whole', async () => {
      const provider = new MultiAuth({ verifiers: [yes('a', { requiredScopes: ['x'] })], requiredScopes: [] })
      expect(await outcome(provider)).toMatchObject({ clientId: 'a' })
    })

    it('include one another as the guard says', async () => {
      const provider = multi(yes('a', { requiredScopes: ['s:read'] }))
      const scopeImplies = (held: string, needed: string): boolean => needed.startsWith(`${held}:`)
      expect(await provider.verifyToken('t', { ...context, scopeImplies })).toMatchObject({ clientId: 'a' })
    })

    it('that are lacking are named as a client has to ask for them', async () => {
      const provider = multi(yes('a', { requiredScopes: ['use'], challengeScopes: ['api://notes/use'] }))
      expect(await outcome(provider)).toMatchObject({
        code: 'insufficient_scope',
        scopes: ['api://notes/use'],
      })
    })
  })

  describe('recalls', () => {
    const key = createKey('ES256')
    const jwt = (requiredScopes: string[] = []): JWTVerifier =>
      new JWTVerifier({ publicKey: key.jwk, issuer: ISSUER, audience: RESOURCE, requiredScopes })

    it('what one of its sources recalls', async () => {
      const provider = multi(no('a'), jwt())
      const token = createToken(key)
      expect(provider.recall(token, context)).toBeUndefined()
      const verified = await provider.verifyToken(token, context)
      expect(provider.recall(token, context)).toEqual(verified)
    })

    it('no token that lacks the scopes of its source: that is for verifyToken to say', async () => {
      const source = jwt(['x'])
      const provider = multi(source)
      const token = createToken(key, { scope: 'a' })
      await source.verifyToken(token)
      expect(provider.recall(token, context)).toBeUndefined()
      expect(await outcome(provider, token)).toMatchObject({ code: 'insufficient_scope' })
    })

    it('under the scopes of the whole', async () => {
      const provider = new MultiAuth({ verifiers: [jwt(['x'])], requiredScopes: [] })
      const token = createToken(key)
      const verified = await provider.verifyToken(token, context)
      expect(provider.recall(token, context)).toEqual(verified)
    })
  })

  describe('takes other credentials', () => {
    const keys = (known: string, more: Partial<AuthProvider> = {}): AuthProvider => ({
      verifyToken: () => null,
      authenticate: ({ headers }) => (headers['x-key'] === known ? { clientId: known, scopes: ['s'] } : null),
      ...more,
    })

    it('where one of its sources does', async () => {
      const provider = multi(no('a'), keys('one'), keys('two'))
      expect(await provider.authenticate?.({ headers: { 'x-key': 'two' } })).toMatchObject({
        clientId: 'two',
      })
      expect(await provider.authenticate?.({ headers: {} })).toBeNull()
      expect(asked).toEqual([])
    })

    it('and not where none does', () => {
      expect(multi(no('a')).authenticate).toBeUndefined()
    })

    it('and holds them to the scopes of that source', async () => {
      const provider = multi(keys('one', { requiredScopes: ['x'] }))
      await expect(provider.authenticate?.({ headers: { 'x-key': 'one' } })).rejects.toMatchObject({
        code: 'insufficient_scope',
        scopes: ['x'],
      })
    })
  })

  it.each([
    ['mine where one source does', ['not mine', 'perhaps', 'mine'], 'mine'],
    ['perhaps where one source may', ['not mine', 'perhaps'], 'perhaps'],
    ['not mine where none does', ['not mine', 'not mine'], 'not mine'],
  ] as const)('claims a token as %s', (_rule, claims, said) => {
    const provider = multi(...claims.map((claim) => no('a', { claimsToken: () => claim })))
    expect(provider.claimsToken('t', tokenForm('t'))).toBe(said)
  })

  it('claims perhaps for a source that does not say', () => {
    expect(multi(no('a')).claimsToken('t', tokenForm('t'))).toBe('perhaps')
  })

  it('can be a source itself', async () => {
    const inner = multi(new StaticTokenVerifier({ tokens: ['in'] }))
    expect(await outcome(multi(no('a'), inner), 'in')).toMatchObject({ clientId: 'static-1' })
    expect(asked).toEqual([])
  })

  it('takes the verifier of an SDK', async () => {
    const sdk = {
      verifyAccessToken: (token: string) => Promise.resolve({ token, clientId: 'sdk', scopes: [] }),
    }
    expect(await new MultiAuth({ verifiers: [sdk] }).verifyToken('t')).toMatchObject({ clientId: 'sdk' })
  })

  it('is discovered as its server is', () => {
    const server = new RemoteAuthProvider({
      baseUrl: 'https://api.example.com',
      resourceUrl: 'https://api.example.com/v1',
      authorizationServers: [ISSUER],
      jwksUri: `${ISSUER}/jwks`,
      requiredScopes: ['use'],
      challengeScopes: ['api://use'],
      resourceName: 'Notes',
    })
    const provider = new MultiAuth({ server, verifiers: [new DebugTokenVerifier()] })
    expect(provider).toMatchObject({
      baseUrl: server.baseUrl,
      resourceUrl: server.resourceUrl,
      authorizationServers: server.authorizationServers,
      resourceDescription: server.resourceDescription,
      challengeScopes: ['api://use'],
      notices: [{ type: 'danger', option: 'DebugTokenVerifier' }],
    })
  })

  it('names the scopes of its server to clients', () => {
    const server = no('server', { requiredScopes: ['a'], routes: [], dangerouslyAllowInsecureHttp: true })
    expect(new MultiAuth({ server })).toMatchObject({
      challengeScopes: ['a'],
      routes: [],
      dangerouslyAllowInsecureHttp: true,
      authorizationServers: undefined,
    })
  })

  it.each<[rule: string, options: unknown, code: string, message: string]>([
    [
      'nothing',
      {},
      'ERR_MCP_AUTH_MISSING_OPTION',
      'MultiAuth: "verifiers" is missing: pass a "server", "verifiers", or both',
    ],
    [
      'an empty list',
      { verifiers: [] },
      'ERR_MCP_AUTH_MISSING_OPTION',
      'MultiAuth: "verifiers" is missing: pass a "server", "verifiers", or both',
    ],
    [
      'one verifier instead of a list',
      { verifiers: new DebugTokenVerifier() },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'MultiAuth: "verifiers" must be a list of verifiers',
    ],
    [
      'an unknown option',
      { verifier: [] },
      'ERR_MCP_AUTH_UNKNOWN_OPTION',
      'MultiAuth has no option "verifier". Did you mean "verifiers"?',
    ],
    [
      'scopes that are none',
      { verifiers: [new DebugTokenVerifier()], requiredScopes: ['"'] },
      'ERR_MCP_AUTH_INVALID_OPTION',
      'MultiAuth: "requiredScopes" must be a list of scopes such as ["mcp:use"]',
    ],
    [
      'a list instead of options',
      [new DebugTokenVerifier()],
      'ERR_MCP_AUTH_INVALID_OPTION',
      'MultiAuth takes an options object: new MultiAuth({ … })',
    ],
  ])('refuses %s', (_rule, options, code, message) => {
    expect(configErrorOf(() => new MultiAuth(options as MultiAuthOptions))).toEqual({ code, message })
  })

  it.each<[rule: string, verifier: unknown, words: RegExp]>([
    ['a class', JWTVerifier, /JWTVerifier itself/],
    ['a promise', Promise.resolve({}), /await/],
    ['null', null, /not null/],
    ['nothing that verifies', {}, /verifyToken/],
  ])('refuses %s among its verifiers', (_rule, verifier, words) => {
    const { code, message } = configErrorOf(() => new MultiAuth({ verifiers: [verifier as Verifier] }))
    expect(code).toBe('ERR_MCP_AUTH_INVALID_PROVIDER')
    expect(message).toMatch(words)
  })
})

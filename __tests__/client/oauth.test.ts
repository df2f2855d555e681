// What OAuth says to an SDK, line by line: a double of the SDK speaks with it, and a double of a token endpoint answers.
import { afterEach, describe, expect, it } from '@jest/globals'
import { OAuth, type OAuthOptions } from 'express-mcp-auth/client'
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import { type TestClock, testClock } from 'express-mcp-auth/testing'
import { challengeOf } from '../../lib/protocol/pkce.js'
import { temporaryDirectory } from '../support/client-stand.js'
import { configErrorOf } from '../support/config-error.js'
import { startServer } from '../support/site.js'

const serverUrl = 'https://api.example.com/mcp'
const ISSUER = 'https://login.example.com'
const VERIFIER = 'v'.repeat(43)

const opened: (() => unknown)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
})

/** One conversation with OAuth. */
interface Stand {
  readonly auth: OAuth
  readonly store: MemoryStore
  readonly clock: TestClock
  readonly opened: URL[]
  readonly forms: URLSearchParams[]
  /** What the token endpoint says next. */
  answer: () => Response
  /** Another client on the same store. */
  another(options?: Partial<OAuthOptions>): OAuth
  discover(auth?: OAuth, issuer?: string, more?: Record<string, unknown>): void
  /** For an authorization server that has no metadata. */
  discoverNothing(auth?: OAuth): void
  /** As far as the browser. */
  begin(auth?: OAuth, scope?: string): Promise<URL>
  /** The whole way to tokens. */
  signIn(auth?: OAuth, tokens?: Record<string, unknown>): Promise<void>
  /** What is sent when the SDK renews by itself. */
  renewBySdk(refreshToken: string, auth?: OAuth): Promise<URLSearchParams>
}

const CLIENT = { client_id: 'registered', issuer: ISSUER }
const TOKENS = {
  access_token: 'a1',
  token_type: 'Bearer',
  expires_in: 3600,
  refresh_token: 'r1',
  issuer: ISSUER,
}
const json = (body: unknown, status = 200): Response => Response.json(body, { status })

function stand(options: Partial<OAuthOptions> = {}): Stand {
  const clock = testClock(1_700_000_000_000)
  const store = new MemoryStore({ deps: clock })
  const forms: URLSearchParams[] = []
  const openedUrls: URL[] = []
  const test: Stand = {
    store,
    clock,
    opened: openedUrls,
    forms,
    answer: () => json({ access_token: 'a2', token_type: 'Bearer', expires_in: 3600, refresh_token: 'r2' }),
    another(more = {}) {
      const auth = new OAuth({
        serverUrl,
        store,
        openBrowser: (url) => void openedUrls.push(url),
        deps: {
          ...clock,
          fetch: (_url, init) => {
            forms.push(new URLSearchParams(init?.body as string))
            return Promise.resolve().then(() => test.answer())
          },
        },
        ...options,
        ...more,
      })
      opened.push(() => auth.close())
      return auth
    },
    get auth() {
      return first
    },
    discover(auth = first, issuer = ISSUER, more = {}) {
      auth.saveDiscoveryState({
        authorizationServerUrl: issuer,
        authorizationServerMetadata: {
          issuer,
          authorization_endpoint: `${issuer}/authorize`,
          token_endpoint: `${issuer}/token`,
          response_types_supported: ['code'],
          code_challenge_methods_supported: ['S256'],
          ...more,
        },
        resourceMetadata: { resource: serverUrl, scopes_supported: ['read', 'write'] },
      })
    },
    discoverNothing(auth = first) {
      auth.saveDiscoveryState({ authorizationServerUrl: `${ISSUER}/` })
    },
    async begin(auth = first, scope = 'read write') {
      await auth.tokens()
      test.discover(auth)
      if ((await auth.clientInformation()) === undefined) await auth.saveClientInformation(CLIENT)
      const state = await auth.state()
      auth.saveCodeVerifier(VERIFIER)
      const url = new URL(`${ISSUER}/authorize`)
      const { client_id } = (await auth.clientInformation())!
      const asked = { client_id, state, code_challenge: challengeOf(VERIFIER), scope }
      for (const [name, value] of Object.entries(asked)) if (value !== '') url.searchParams.set(name, value)
      await auth.redirectToAuthorization(url)
      return openedUrls.at(-1)!
    },
    async signIn(auth = first, tokens = TOKENS) {
      const url = await test.begin(auth)
      const state = url.searchParams.get('state')
      await fetch(
        `${auth.redirectUrl}?code=${String(state)}&state=${String(state)}&iss=${encodeURIComponent(ISSUER)}`,
      )
      const code = (await auth.waitForCallback()).get('code')!
      expect(auth.codeVerifier()).toBe(VERIFIER)
      await auth.addClientAuthentication(new Headers(), new URLSearchParams({ code }), `${ISSUER}/token`)
      await auth.saveTokens(tokens as typeof TOKENS)
    },
    async renewBySdk(refreshToken, auth = first) {
      test.discover(auth)
      await auth.clientInformation()
      const form = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refreshToken })
      await auth.addClientAuthentication(new Headers(), form, `${ISSUER}/token`)
      return form
    },
  }
  const first = test.another()
  return test
}

describe('OAuth', () => {
  it('tells what there is to a new program on the same store, with what is left of a lifetime', async () => {
    const test = stand()
    await test.signIn()
    test.clock.advance(600)
    expect(await test.another().tokens()).toEqual({ ...TOKENS, expires_in: 3000, scope: 'read write' })
    expect(await test.another({ clientName: 'Another' }).tokens()).toBeUndefined()
  })

  it('shows a token that has ended and cannot be renewed, since the clock may be wrong', async () => {
    const test = stand()
    const { refresh_token, ...tokens } = TOKENS
    await test.signIn(test.auth, { ...tokens, id_token: 'i', scope: 'read' })
    test.clock.advance(4000)
    expect(refresh_token).toBe('r1')
    expect(await test.auth.tokens()).toEqual({ ...tokens, expires_in: 0, id_token: 'i', scope: 'read' })
    expect(test.forms).toEqual([])
  })

  it('knows no end of a token that has none', async () => {
    const test = stand()
    await test.signIn(test.auth, { access_token: 'a1', token_type: 'Bearer', refresh_token: 'r1' })
    test.clock.advance(80_000)
    expect(await test.auth.tokens()).toMatchObject({
      access_token: 'a1',
      refresh_token: 'r1',
      issuer: ISSUER,
    })
    expect(test.forms).toEqual([])
  })

  it('renews with resource and client, and keeps what does not come anew', async () => {
    const test = stand()
    await test.signIn(test.auth, { ...TOKENS, id_token: 'i' })
    test.clock.advance(3580)
    test.answer = () => json({ access_token: 'a2', token_type: 'Bearer' })
    expect(await test.auth.tokens()).toEqual({
      access_token: 'a2', token_type: 'Bearer', refresh_token: 'r1', id_token: 'i', issuer: ISSUER, scope: 'read write',
    }) // prettier-ignore
    expect(test.forms.map((form) => Object.fromEntries(form))).toEqual([
      { grant_type: 'refresh_token', refresh_token: 'r1', resource: serverUrl, client_id: 'registered' },
    ])
  })

  it.each([
    [
      'is away',
      () => {
        throw new Error('away')
      },
    ],
    ['says 503', () => json({ error: 'temporarily_unavailable' }, 503)],
    ['says what nobody understands', () => json({ error: 'slow_down' }, 400)],
  ])('keeps its tokens where the authorization server %s', async (_what, answer) => {
    const test = stand()
    await test.signIn()
    test.clock.advance(3580)
    test.answer = answer
    expect(await test.auth.tokens()).toMatchObject({ access_token: 'a1', refresh_token: 'r1' })
    test.answer = () => json({ access_token: 'a2', refresh_token: 'r2' })
    // It is still good, and nobody is asked on every call.
    for (let n = 0; n < 3; n++) expect(await test.auth.getToken()).toBe('a1')
    expect(test.forms).toHaveLength(1)
    test.clock.advance(5)
    expect(await test.auth.getToken()).toBe('a2')
  })

  it('renews a token that has ended at every call, however soon after renewing failed', async () => {
    const test = stand()
    await test.signIn()
    test.clock.advance(3598)
    const { answer } = test
    test.answer = () => json({}, 503)
    expect(await test.auth.getToken()).toBe('a1')
    test.clock.advance(2)
    test.answer = answer
    expect(await test.auth.getToken()).toBe('a2')
  })

  it.each([
    ['invalid_grant', CLIENT],
    ['invalid_client', undefined],
    ['unauthorized_client', undefined],
  ])('forgets what the authorization server does not know any more: %s', async (error, client) => {
    const test = stand()
    await test.signIn()
    test.clock.advance(3580)
    test.answer = () => json({ error }, 400)
    await expect(test.auth.getToken()).rejects.toMatchObject({ code: 'not_signed_in' })
    expect(await test.auth.clientInformation()).toEqual(client)
  })

  it('A6 neither forgets nor overwrites what somebody else got meanwhile', async () => {
    const test = stand()
    await test.signIn()
    test.clock.advance(3580)
    test.answer = () => json({ error: 'invalid_grant' }, 400)
    const meanwhile = test.another()
    const { answer } = test
    test.answer = () => {
      throw new Error('not yet')
    }
    // Signed in anew by another program, while this one renews.
    let done: (response: Response) => void = () => undefined
    const late = new OAuth({
      serverUrl,
      store: test.store,
      deps: { ...test.clock, fetch: () => new Promise((resolve) => (done = resolve)) },
    })
    const renewing = late.getToken()
    for (let n = 0; n < 20; n++) await new Promise((resolve) => setImmediate(resolve))
    test.discover(meanwhile)
    await meanwhile.clientInformation()
    await meanwhile.saveTokens({ ...TOKENS, access_token: 'new', refresh_token: 'newer' })
    done(answer())
    expect(await renewing).toBe('new')
    expect(await test.auth.getToken()).toBe('new')
  })

  it('A6 invalidates the tokens that it gave, and no newer ones', async () => {
    const test = stand()
    await test.signIn()
    const other = test.another()
    await other.tokens()
    await test.auth.tokens()
    await test.renewBySdk('r1')
    await test.auth.saveTokens({ ...TOKENS, access_token: 'a2', refresh_token: 'r2' })

    await other.invalidateCredentials('tokens')
    expect(await other.getToken()).toBe('a2')
    await other.tokens()
    await other.invalidateCredentials('tokens')
    await expect(other.getToken()).rejects.toMatchObject({ code: 'not_signed_in' })
    await other.invalidateCredentials('tokens')
  })

  it('A6 forgets an access token without a refresh token where it is the one that it gave', async () => {
    const test = stand()
    const { refresh_token: _, ...tokens } = TOKENS
    await test.signIn(test.auth, tokens)
    await test.auth.invalidateCredentials('tokens')
    expect(await test.auth.getToken()).toBe('a1')
    await test.auth.tokens()
    await test.auth.invalidateCredentials('tokens')
    await expect(test.auth.getToken()).rejects.toMatchObject({ code: 'not_signed_in' })
  })

  it('A6 has the SDK renew with the newest token, and fills in none that is older', async () => {
    const test = stand()
    await test.signIn()
    const other = test.another()
    await other.tokens()
    test.discover(other)
    await test.renewBySdk('r1')
    await test.auth.saveTokens({ ...TOKENS, access_token: 'a2', refresh_token: 'r2' })

    expect((await test.renewBySdk('r1', other)).get('refresh_token')).toBe('r2')
    await other.clientInformation()
    // No new one came, so the SDK fills in what it thinks it sent.
    await other.saveTokens({ ...TOKENS, access_token: 'a3', refresh_token: 'r1' })
    expect(await test.auth.tokens()).toMatchObject({ access_token: 'a3', refresh_token: 'r2' })
  })

  it('A6 waits for the renewal of another program, and takes what came of it', async () => {
    const test = stand()
    await test.signIn()
    const other = test.another()
    await test.renewBySdk('r1')
    test.clock.advance(3580)
    const first = test.auth.getToken()
    void first.catch(() => undefined)
    const waiting = other.getToken()
    // Nobody came back from it within half a minute: it counts as dead.
    for (let n = 0; n < 40; n++) {
      test.clock.advance(1)
      for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
    }
    expect(await waiting).toBe('a2')
    expect(await first).toBe('a2')
    expect(test.forms).toHaveLength(1)
  })

  it('A6 waits for no renewal that a wrong clock has end in a day', async () => {
    const test = stand()
    await test.signIn()
    const dead = test.another({
      deps: {
        ...test.clock,
        now: () => test.clock.now() + 86_400_000,
        fetch: () => new Promise(() => undefined),
      },
    })
    void dead.getToken().catch(() => undefined)
    for (let n = 0; n < 20; n++) await new Promise((resolve) => setImmediate(resolve))
    await test.auth.renew('a1')
    expect(await test.auth.getToken()).toBe('a2')
  })

  it('A6 keeps what a sign-in brought where the SDK had renewed in vain before it', async () => {
    const test = stand()
    await test.signIn(test.auth, { ...TOKENS, scope: 'read' })
    await test.auth.tokens()
    await test.renewBySdk('r1')
    // Status 500: the SDK says nothing, and sends somebody to the browser.
    const url = await test.begin(test.auth, 'read write')
    // Whoever comes meanwhile is not kept waiting.
    test.answer = () => json({ access_token: 'other', refresh_token: 'others', expires_in: 3600 })
    const other = test.another()
    await other.renew('a1')
    expect(await other.getToken()).toBe('other')

    const state = String(url.searchParams.get('state'))
    await fetch(`${test.auth.redirectUrl}?code=${state}&state=${state}`)
    const code = (await test.auth.waitForCallback()).get('code')!
    await test.auth.addClientAuthentication(new Headers(), new URLSearchParams({ code }), `${ISSUER}/token`)
    await test.auth.saveTokens({ ...TOKENS, access_token: 'signed-in', refresh_token: 'fresh' })

    expect(await test.auth.tokens()).toMatchObject({
      access_token: 'signed-in', refresh_token: 'fresh', scope: 'read write',
    }) // prettier-ignore
    expect(test.auth.discoveryState()).toBeUndefined()
  })

  it('A6 keeps what a renewal brings while somebody is away in a browser, and does not take it for the sign-in', async () => {
    const test = stand()
    await test.signIn(test.auth, { ...TOKENS, scope: 'read' })
    await test.renewBySdk('r1')
    await test.begin(test.auth, 'admin')
    await test.auth.saveTokens({ ...TOKENS, access_token: 'a2', refresh_token: 'r2' })
    expect(await test.another().tokens()).toMatchObject({ access_token: 'a2', scope: 'read' })
    expect(test.auth.discoveryState()).toMatchObject({ authorizationServerUrl: ISSUER })
  })

  it('lets go of a renewal that the authorization server refused, where another token is there', async () => {
    const test = stand()
    await test.signIn()
    await test.auth.tokens()
    await test.renewBySdk('r1')
    await test.signIn(test.another(), { ...TOKENS, access_token: 'b1', refresh_token: 'b2' })
    await test.auth.invalidateCredentials('tokens')
    expect(await test.auth.getToken()).toBe('b1')
  })

  it('sends a code once', async () => {
    const test = stand()
    await test.signIn()
    const form = new URLSearchParams({ code: 'once' })
    await test.auth.addClientAuthentication(new Headers(), form, `${ISSUER}/token`)
    await expect(
      test.auth.addClientAuthentication(new Headers(), form, `${ISSUER}/token`),
    ).rejects.toMatchObject({ code: 'code_used' })
    // That it was not taken says nothing about tokens.
    await test.auth.invalidateCredentials('tokens')
    expect(await test.auth.getToken()).toBe('a1')
  })

  it('sends a code once for each sign-in that it came back for', async () => {
    const test = stand()
    const form = new URLSearchParams({ code: 'always-the-same' })
    const send = (): Promise<void> =>
      test.auth.addClientAuthentication(new Headers(), form, `${ISSUER}/token`)
    for (let signIns = 0; signIns < 2; signIns++) {
      const state = String((await test.begin()).searchParams.get('state'))
      await fetch(`${test.auth.redirectUrl}?code=always-the-same&state=${state}`)
      await test.auth.waitForCallback()
      await send()
      await expect(send()).rejects.toMatchObject({ code: 'code_used' })
      await test.auth.saveTokens(TOKENS)
    }
  })

  it('L2 C-15 gives an authorization server nothing that is of another', async () => {
    const test = stand()
    await test.signIn()
    const elsewhere = { issuer: 'https://other.example.com' }
    expect(await test.auth.tokens(elsewhere)).toBeUndefined()
    expect(await test.auth.clientInformation(elsewhere)).toBeUndefined()
    expect(await test.auth.tokens({ issuer: `${ISSUER}/` })).toMatchObject({ access_token: 'a1' })
    const metadata = { issuer: elsewhere.issuer }
    await expect(
      test.auth.addClientAuthentication(
        new Headers(),
        new URLSearchParams(),
        `${elsewhere.issuer}/token`,
        metadata,
      ),
    ).rejects.toMatchObject({ code: 'not_signed_in' })
    const configured = test.another({ clientId: 'c', clientSecret: 's', issuer: ISSUER })
    test.discover(configured, elsewhere.issuer)
    await expect(configured.clientInformation()).rejects.toMatchObject({ code: 'issuer_mismatch' })
  })

  it('L2 C-02 C-09 believes no server that says that it is another, in nothing', async () => {
    const test = stand()
    await test.signIn()
    const evil = test.another({ serverUrl: 'https://evil.example.com/mcp' })
    expect(() => test.discover(evil)).toThrow(
      expect.objectContaining({
        code: 'discovery_failed',
        message: `The metadata of https://evil.example.com/mcp is that of "${serverUrl}"`,
      }),
    )
    expect(await evil.tokens()).toBeUndefined()
    expect(await evil.clientInformation()).toBeUndefined()
    await expect(evil.getToken()).rejects.toMatchObject({ code: 'not_signed_in' })
  })

  it('L2 gives a part of a server no token of the whole', async () => {
    const test = stand()
    await test.signIn()
    const part = test.another({ serverUrl: `${serverUrl}/tenant` })
    test.discover(part)
    expect(await part.tokens()).toBeUndefined()
    expect(await test.auth.tokens()).toMatchObject({ access_token: 'a1' })
  })

  it('L4 C-07 judges what comes back by where the browser was sent, whatever was found out meanwhile', async () => {
    const test = stand()
    const evil = 'https://evil.example.com'
    await test.auth.tokens()
    test.discover()
    await test.auth.saveClientInformation(CLIENT)
    const state = await test.auth.state()
    test.auth.saveCodeVerifier(VERIFIER)
    // Another request of the SDK, at the same time.
    test.discover(test.auth, evil)
    const url = new URL(`${ISSUER}/authorize?client_id=registered&state=${state}`)
    url.searchParams.set('code_challenge', challengeOf(VERIFIER))
    await test.auth.redirectToAuthorization(url)
    expect(test.auth.discoveryState()).toMatchObject({ authorizationServerUrl: ISSUER })
    expect(await test.auth.clientInformation()).toEqual(CLIENT)

    await fetch(`${test.auth.redirectUrl}?code=x&state=${state}&iss=${encodeURIComponent(ISSUER)}`)
    const form = new URLSearchParams({ code: (await test.auth.waitForCallback()).get('code')! })
    const send = (issuer: string): Promise<void> =>
      test.auth.addClientAuthentication(new Headers(), form, `${issuer}/token`, { issuer })
    await expect(send(evil)).rejects.toMatchObject({ code: 'issuer_mismatch' })
    await send(ISSUER)
    await test.auth.saveTokens({ ...TOKENS, issuer: undefined })
    expect(await test.another().tokens({ issuer: ISSUER })).toMatchObject({
      access_token: 'a1',
      issuer: ISSUER,
    })
  })

  it.each(['https://evil.example.com/authorize', `${ISSUER}/elsewhere`])(
    'L4 C-07 sends nobody to what is not the authorization endpoint that was found out: %s',
    async (address) => {
      const test = stand()
      test.discover()
      await test.auth.saveClientInformation(CLIENT)
      const state = await test.auth.state()
      test.auth.saveCodeVerifier(VERIFIER)
      const url = new URL(`${address}?client_id=registered&state=${state}`)
      url.searchParams.set('code_challenge', challengeOf(VERIFIER))
      await expect(test.auth.redirectToAuthorization(url)).rejects.toMatchObject({ code: 'issuer_mismatch' })
      expect(test.opened).toEqual([])
    },
  )

  it.each([{ code: 'x' }, { refresh_token: 'r1' }])(
    'L4 C-17 sends neither a secret nor %j over http to another machine',
    async (sent) => {
      const test = stand({ clientId: 'desk', clientSecret: 's' })
      test.discover()
      const [headers, form] = [new Headers(), new URLSearchParams(sent)]
      await expect(
        test.auth.addClientAuthentication(headers, form, new URL('http://login.example.com/token')),
      ).rejects.toMatchObject({ code: 'unsafe_url' })
      expect([[...headers], Object.fromEntries(form)]).toEqual([[], sent])
    },
  )

  it('L4 C-05 goes nowhere where the authorization server has no metadata', async () => {
    const test = stand()
    test.discover = test.discoverNothing
    await expect(test.begin()).rejects.toMatchObject({
      code: 'no_pkce',
      message: expect.stringContaining(`"${ISSUER}/" does not list S256`),
    })
    expect(test.opened).toEqual([])
  })

  it.each([
    [`&iss=${encodeURIComponent(ISSUER)}`, 'x'],
    ['', 'x'],
    ['&iss=https%3A%2F%2Fevil.example.com', undefined],
  ])('L4 A12 goes by the address of an authorization server without metadata: %j', async (iss, code) => {
    const test = stand({ dangerouslyAllowUnadvertisedPkce: true })
    test.discover = test.discoverNothing
    const state = String((await test.begin()).searchParams.get('state'))
    const page = await fetch(`${test.auth.redirectUrl}?code=x&state=${state}${iss}`)
    expect(page.status).toBe(code === undefined ? 400 : 200)
    const answer = test.auth.waitForCallback()
    if (code === undefined) await expect(answer).rejects.toMatchObject({ code: 'issuer_mismatch' })
    else expect((await answer).get('code')).toBe(code)
  })

  it('knows nothing before anything was found out', async () => {
    const { auth, discover } = stand()
    expect(await auth.clientInformation()).toBeUndefined()
    await auth.saveClientInformation(CLIENT)
    await auth.invalidateCredentials('all')
    await auth.renew('x')
    await auth.signOut()
    expect(auth.discoveryState()).toBeUndefined()
    expect(() => auth.codeVerifier()).toThrow('Nobody is signing in')
    await expect(auth.waitForCallback()).rejects.toMatchObject({ code: 'not_signed_in' })
    await expect(auth.redirectToAuthorization(new URL(ISSUER))).rejects.toMatchObject({
      code: 'discovery_failed',
    })
    await expect(auth.saveTokens(TOKENS)).rejects.toMatchObject({ code: 'discovery_failed' })
    discover()
    await expect(auth.saveTokens(TOKENS)).rejects.toMatchObject({ code: 'discovery_failed' })
  })

  it('keeps what a sign-in was begun with until it is over, and opens one browser for it', async () => {
    const test = stand()
    await test.begin()
    const { redirectUrl } = test.auth
    await test.begin()
    expect(test.opened).toHaveLength(1)
    expect(test.auth.discoveryState()).toMatchObject({ authorizationServerUrl: ISSUER })
    await test.auth.invalidateCredentials('verifier')
    expect(test.auth.redirectUrl).toBe(redirectUrl)
    test.auth.close()
    await expect(test.auth.waitForCallback()).rejects.toThrow('The sign-in was given up')
    expect(test.auth.discoveryState()).toBeUndefined()
  })

  it('waits as long as it may', async () => {
    const test = stand({ callbackTimeoutSeconds: 60 })
    await test.begin()
    const { redirectUrl } = test.auth
    test.clock.advance(60)
    await expect(test.auth.waitForCallback()).rejects.toMatchObject({
      code: 'sign_in_timeout',
      message: 'Nobody came back from the browser within 60 s',
    })
    await expect(fetch(redirectUrl)).rejects.toThrow('fetch failed')
  })

  it('says that the browser could not be opened, and waits for nobody', async () => {
    const test = stand({ openBrowser: () => Promise.reject(new Error('no screen')) })
    await expect(test.begin()).rejects.toThrow('no screen')
    await expect(test.auth.waitForCallback()).rejects.toMatchObject({ code: 'no_browser' })
  })

  it('picks a port where somebody has to sign in, holds it for a while, and has the same again', async () => {
    const test = stand()
    expect(test.auth.redirectUrl).toBe('http://127.0.0.1/callback')
    // SDK v2 looks at this first, before it knows whether anybody has to sign in.
    const metadata = { ...test.auth.clientMetadata }
    expect(await test.auth.tokens()).toBeUndefined()
    expect(test.auth.redirectUrl).toBe('http://127.0.0.1/callback')
    test.discover()
    expect(await test.auth.clientInformation()).toBeUndefined()
    const { redirectUrl } = test.auth
    expect(metadata.redirect_uris).toEqual([redirectUrl])
    expect(redirectUrl).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/callback$/)
    expect(await test.auth.clientInformation()).toBeUndefined()
    expect((await fetch(redirectUrl)).status).toBe(400)
    test.clock.advance(30)
    await expect(fetch(redirectUrl)).rejects.toThrow('fetch failed')
    await test.signIn()
    expect(test.auth.redirectUrl).toBe(redirectUrl)
  })

  it('registers anew where its port is taken by somebody else', async () => {
    const test = stand()
    await test.signIn()
    const { port } = new URL(test.auth.redirectUrl)
    await test.auth.signOut()
    const squatter = await startServer(() => undefined, Number(port))
    opened.push(squatter.close)
    const again = test.another()
    expect(await again.tokens()).toBeUndefined()
    expect(new URL(again.redirectUrl).port).not.toBe(port)
    test.discover(again)
    expect(await again.clientInformation()).toBeUndefined()
  })

  it('takes the port that was chosen, or says that it cannot', async () => {
    const squatter = await startServer(() => undefined)
    opened.push(squatter.close)
    const callbackPort = Number(new URL(squatter.url).port)
    const test = stand({ callbackPort, callbackHost: 'localhost' })
    expect(await test.auth.tokens()).toBeUndefined()
    expect(test.auth.redirectUrl).toBe(`http://localhost:${callbackPort}/callback`)
    await expect(test.begin()).rejects.toMatchObject({ code: 'port_in_use' })
  })

  it('C-13 is its document where it has one, at whatever port it waits', async () => {
    const clientMetadataUrl = 'https://app.example.com/client.json'
    const test = stand({ clientMetadataUrl })
    expect(test.auth.clientMetadataUrl).toBe(clientMetadataUrl)
    test.discover()
    await test.auth.saveClientInformation({ client_id: clientMetadataUrl, issuer: ISSUER })
    await test.auth.tokens()
    expect(await test.auth.clientInformation()).toEqual({ client_id: clientMetadataUrl, issuer: ISSUER })
  })

  it('forgets a registration when its secret ends', async () => {
    const test = stand()
    test.discover()
    const client_secret_expires_at = test.clock.now() / 1000 + 60
    await test.auth.saveClientInformation({ ...CLIENT, client_secret: 's', client_secret_expires_at })
    expect(await test.auth.clientInformation()).toMatchObject({ client_secret: 's' })
    test.clock.advance(60)
    expect(await test.auth.clientInformation()).toBeUndefined()
  })

  it('keeps a configured client out of what it registers, and sends its secret as the server takes it', async () => {
    const test = stand({ clientId: 'desk', clientSecret: 's' })
    test.discover()
    await test.auth.saveClientInformation(CLIENT)
    expect(await test.auth.clientInformation()).toEqual({
      client_id: 'desk',
      client_secret: 's',
      issuer: ISSUER,
    })
    const form = new URLSearchParams({ code: 'x' })
    const metadata = { issuer: ISSUER, token_endpoint_auth_methods_supported: ['client_secret_post'] }
    await test.auth.addClientAuthentication(new Headers(), form, `${ISSUER}/token`, metadata)
    expect([form.get('client_id'), form.get('client_secret')]).toEqual(['desk', 's'])
  })

  it.each([
    ['what the developer wants, and not the whole list', { scopes: ['read'] }, 'read write', 'read'],
    ['what a challenge names beside that', { scopes: 'read' }, 'admin', 'read admin'],
    ['the list where the developer says nothing', {}, 'read write', 'read write'],
    ['nothing where nobody says anything', {}, '', null],
  ])('C-10 asks for %s', async (_what, options, scope, asked) => {
    const test = stand(options)
    expect((await test.begin(test.auth, scope)).searchParams.get('scope')).toBe(asked)
  })

  it('C-16 asks for offline access only where that is known', async () => {
    const test = stand({ scopes: ['read'] })
    const discover = test.discover
    test.discover = (auth) => discover(auth, ISSUER, { scopes_supported: ['read', 'offline_access'] })
    const { searchParams } = await test.begin()
    expect([searchParams.get('scope'), searchParams.get('prompt')]).toEqual([
      'read offline_access',
      'consent',
    ])
    expect(test.auth.clientMetadata).toMatchObject({ scope: 'read' })
  })

  it('C-11 goes round no circle, and begins anew after a minute', async () => {
    const test = stand()
    for (let n = 0; n < 3; n++) await test.signIn()
    await expect(test.begin()).rejects.toMatchObject({ code: 'too_many_sign_ins' })
    expect(test.opened).toHaveLength(3)
    test.clock.advance(60)
    await test.signIn()
  })

  it('C-11 gives up a call after three sign-ins that changed nothing', async () => {
    const test = stand()
    let calls = 0
    const transport = { finishAuth: () => test.auth.saveTokens(TOKENS) }
    const work = async (): Promise<void> => {
      test.clock.advance(100)
      calls++
      const { searchParams } = await test.begin()
      const state = String(searchParams.get('state'))
      await fetch(`${test.auth.redirectUrl}?code=${state}&state=${state}`)
      throw new Error('Unauthorized')
    }
    await expect(test.auth.authorize(transport, work)).rejects.toMatchObject({ code: 'too_many_sign_ins' })
    expect(calls).toBe(4)
  })

  it('lets errors through that are about something else', async () => {
    const { auth } = stand()
    const client = { connect: () => Promise.reject(new Error('refused')) }
    await expect(auth.connect(client, () => ({ finishAuth: () => Promise.resolve() }))).rejects.toThrow(
      'refused',
    )
  })

  it('keeps its tokens in files unless told otherwise', async () => {
    const directory = temporaryDirectory()
    opened.push(directory.remove)
    const before = process.env['XDG_CONFIG_HOME']
    process.env['XDG_CONFIG_HOME'] = directory.path
    const auth = new OAuth({ serverUrl })
    process.env['XDG_CONFIG_HOME'] = before ?? ''
    await expect(auth.getToken()).rejects.toThrow('Nobody is signed in at https://api.example.com/mcp')
  })

  it.each<[string, unknown, string]>([
    ['no server', {}, '"serverUrl" is missing'],
    ['http', { serverUrl: 'http://api.example.com' }, 'must be an https URL'],
    ['a secret of nobody', { serverUrl, clientSecret: 's' }, '"clientId" is missing'],
    [
      'two identities',
      { serverUrl, clientId: 'c', clientMetadataUrl: 'https://a.example/c.json' },
      'absent where "clientId"',
    ],
    ['a document at a root', { serverUrl, clientMetadataUrl: 'https://a.example/' }, 'it is without a path'],
    ['two stores', { serverUrl, store: new MemoryStore(), storageDirectory: '/tmp' }, 'absent where "store"'],
    ['no store', { serverUrl, store: {} }, 'must be a Store'],
    ['null for a store', { serverUrl, store: null }, 'must be a Store'],
    ['a port that is none', { serverUrl, callbackPort: 70_000 }, 'a port from 1 to 65535'],
    ['half a port', { serverUrl, callbackPort: 1.5 }, 'a port from 1 to 65535'],
    ['no port', { serverUrl, callbackPort: 0 }, 'a port from 1 to 65535'],
    ['another host', { serverUrl, callbackHost: '0.0.0.0' }, '"127.0.0.1" or "localhost"'],
    ['a slip', { serverUrl, clientname: 'x' }, 'Did you mean "clientName"?'],
  ])('refuses %s', (_what, options, message) => {
    expect(configErrorOf(() => new OAuth(options as OAuthOptions)).message).toContain(message)
  })
})

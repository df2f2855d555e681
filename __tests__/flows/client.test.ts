// Our client over the clients of both SDKs, against real servers: from the first refusal to the last call.
import { afterEach, describe, expect, it, test } from '@jest/globals'
import type { RequestHandler } from 'express'
import type { OAuthProviderOptions } from 'express-mcp-auth'
import { type OAuth, type OAuthOptions, authFetch } from 'express-mcp-auth/client'
import {
  type ClientStand,
  type Connected,
  type Generation,
  Visitor,
  createOAuth,
  startClientStand,
  temporaryDirectory,
  v1,
  v2,
} from '../support/client-stand.js'
import type { Caller } from '../support/mcp-servers.js'
import { type Program, bundled, startProgram } from '../support/process.js'
import { startServer } from '../support/site.js'

const opened: (() => unknown)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
})

async function stand(...options: Parameters<typeof startClientStand>): Promise<ClientStand> {
  const started = await startClientStand(...options)
  opened.push(started.close)
  return started
}

function clientOf(at: ClientStand, visitor = new Visitor(), options: Partial<OAuthOptions> = {}): OAuth {
  const auth = createOAuth(at, visitor, options)
  opened.push(() => auth.close())
  return auth
}

async function connect(generation: Generation, auth: OAuth): Promise<Connected> {
  const connected = await generation.connect(auth)
  opened.push(connected.close)
  return connected
}

const whoIn = (text: string): unknown => (JSON.parse(text) as Caller).authInfo?.['subject']

describe.each([v1, v2])('$name', (generation) => {
  it('signs in by the browser, and calls', async () => {
    const at = await stand()
    const visitor = new Visitor()
    const auth = clientOf(at, visitor)

    const connected = await connect(generation, auth)

    expect(whoIn(await connected.call('whoami'))).toBe('id-ada')
    expect(visitor.opened).toHaveLength(1)
    const [{ searchParams }] = visitor.opened as [URL]
    expect(searchParams.get('resource')).toBe(at.serverUrl)
    expect(searchParams.get('code_challenge_method')).toBe('S256')
    expect(visitor.shown.map(({ status }) => status)).toEqual([200])
    const registration = at.asked.find(({ path }) => path === '/register')?.json
    expect(registration).toMatchObject({
      application_type: 'native',
      token_endpoint_auth_method: 'none',
      grant_types: ['authorization_code', 'refresh_token'],
      redirect_uris: [searchParams.get('redirect_uri')],
    })
    expect(at.tokenRequests().map((form) => form.get('grant_type'))).toEqual(['authorization_code'])
  })

  it('remembers it in files, and neither registers nor opens a browser again', async () => {
    const at = await stand()
    const directory = temporaryDirectory()
    opened.push(directory.remove)
    const visitor = new Visitor()
    await connect(generation, clientOf(at, visitor, { storageDirectory: directory.path }))

    const again = await connect(generation, clientOf(at, visitor, { storageDirectory: directory.path }))

    expect(whoIn(await again.call('whoami'))).toBe('id-ada')
    expect(visitor.opened).toHaveLength(1)
    expect(at.asked.filter(({ path }) => path === '/register')).toHaveLength(1)
  })

  it('renews a token before it ends, once however many calls there are', async () => {
    const at = await stand({ accessTokenSeconds: 600 })
    const visitor = new Visitor()
    const connected = await connect(generation, clientOf(at, visitor))
    at.clock.advance(580)

    const calls = await Promise.all(Array.from({ length: 5 }, () => connected.call('whoami')))

    expect(calls.map(whoIn)).toEqual(Array.from({ length: 5 }, () => 'id-ada'))
    expect(at.tokenRequests('refresh_token')).toHaveLength(1)
    expect(visitor.opened).toHaveLength(1)
  })

  it('renews a token that the server does not take any more', async () => {
    let bad = ''
    const at = await stand({}, {}, (request, response, next) => {
      if (bad === '' || request.headers.authorization !== bad) return next()
      const challenge = `Bearer error="invalid_token", resource_metadata="${at.url}/.well-known/oauth-protected-resource/mcp"`
      response.status(401).set('www-authenticate', challenge).json({ error: 'invalid_token' })
    })
    const visitor = new Visitor()
    const connected = await connect(generation, clientOf(at, visitor))
    bad = String(at.asked.at(-1)?.authorization)

    expect(whoIn(await connected.call('whoami'))).toBe('id-ada')

    // SDK v1 asks for its stream at the same time; each renewal starts from what the one before it gave.
    const used = at.tokenRequests('refresh_token').map((form) => form.get('refresh_token'))
    expect(used.length).toBeGreaterThan(0)
    expect(new Set(used).size).toBe(used.length)
    expect(at.events).not.toContainEqual(expect.objectContaining({ type: 'grant.revoked' }))
    expect(visitor.opened).toHaveLength(1)
  })

  it('C-11 asks for more scopes, and keeps those that it has', async () => {
    const at = await stand(
      { requiredScopes: ['notes:read'] },
      { toolScopes: { tools: { delete_note: ['notes:write'] } } },
    )
    const visitor = new Visitor()
    const connected = await connect(generation, clientOf(at, visitor))

    expect(await connected.callAuthorized('delete_note')).toBe('done')

    const scopes = visitor.opened.map((url) => url.searchParams.get('scope')?.split(' ').toSorted())
    expect(scopes).toEqual([
      ['notes:read', 'offline_access'],
      ['notes:read', 'notes:write', 'offline_access'],
    ])
  })

  it('L1 opens nothing that is no web address, or might mean something to a shell', async () => {
    for (const endpoint of [
      'javascript:alert(1)//',
      'file:///etc/passwd',
      'a:$(touch x)?',
      'http://login.example.com/authorize',
      'https://login.example.com/$(touch%20x)',
      'https://user@login.example.com/',
    ]) {
      const at = await stand({}, {}, rewritingMetadata({ authorization_endpoint: endpoint }))
      const visitor = new Visitor()

      await expect(connect(generation, clientOf(at, visitor))).rejects.toThrow(/\w/)

      expect([endpoint, visitor.opened]).toEqual([endpoint, []])
      expect(at.tokenRequests()).toEqual([])
    }
  })

  it('L2 C-15 registers anew where the server moved to another authorization server, which learns nothing of before', async () => {
    const { at, old, next } = await movingServer()
    const auth = clientOf(at, new Visitor())
    await expect(connect(generation, auth)).rejects.toThrow(/\w/)
    const before = old.tokenRequests().length
    const known = await auth.tokens({ issuer: old.url })
    at.move()

    await expect(connect(generation, auth)).rejects.toThrow(/\w/)

    expect(before).toBeGreaterThan(0)
    expect(next.asked.some(({ path }) => path === '/register')).toBe(true)
    const told = JSON.stringify(
      next.asked.map(({ form, json, authorization }) => [String(form), json, authorization]),
    )
    const secrets = [known?.access_token, known?.refresh_token, ...clientIdsOf(old)]
    expect(secrets.length).toBeGreaterThan(2)
    for (const secret of secrets) expect(told).not.toContain(secret)
  })

  it('L2 C-15 sends a secret to no other authorization server than the one that it was for', async () => {
    const configured = { clientId: 'desk', clientSecret: 'a secret of the desk' }
    const clients = [{ ...configured, redirectUris: ['http://127.0.0.1/callback'] }]
    const { at, old, next } = await movingServer({ clients })
    const auth = clientOf(at, new Visitor(), configured)
    await expect(connect(generation, auth)).rejects.toThrow(/\w/)
    expect(old.tokenRequests().length).toBeGreaterThan(0)
    at.move()

    await expect(connect(generation, auth)).rejects.toMatchObject({ code: 'issuer_mismatch' })
    const bound = clientOf(at, new Visitor(), { ...configured, issuer: old.url })
    await expect(connect(generation, bound)).rejects.toMatchObject({ code: 'issuer_mismatch' })

    expect(next.asked.filter(({ method }) => method === 'POST')).toEqual([])
  })

  it('L3 sends no token on to another origin', async () => {
    const asked: (string | undefined)[] = []
    const elsewhere = await startServer((request, response) => {
      asked.push(request.headers.authorization)
      response.end()
    })
    opened.push(elsewhere.close)
    let isMoved = false
    const at = await stand({}, {}, (request, response, next) => {
      if (isMoved && request.path === '/mcp') response.redirect(307, `${elsewhere.url}/mcp`)
      else next()
    })
    const connected = await connect(generation, clientOf(at))
    isMoved = true

    await expect(connected.call('whoami')).rejects.toThrow(/\w/)

    expect(asked).toEqual([])
  })

  it.each([
    ['says nothing of S256', { code_challenge_methods_supported: undefined }, 'no_pkce'],
    ['knows plain alone', { code_challenge_methods_supported: ['plain'] }, undefined],
    ['speaks for another issuer', { issuer: 'https://login.example.com' }, undefined],
  ])('L4 goes nowhere where the metadata %s', async (_what, metadata, code) => {
    const at = await stand({}, {}, rewritingMetadata(metadata))
    const visitor = new Visitor()

    await expect(connect(generation, clientOf(at, visitor))).rejects.toMatchObject({ ...(code && { code }) })

    expect(visitor.opened).toEqual([])
    expect(at.tokenRequests()).toEqual([])
  })

  it('C-05 goes on where the developer knows that S256 is known', async () => {
    const at = await stand({}, {}, rewritingMetadata({ code_challenge_methods_supported: undefined }))
    const auth = clientOf(at, new Visitor(), { dangerouslyAllowUnadvertisedPkce: true })
    expect(whoIn(await (await connect(generation, auth)).call('whoami'))).toBe('id-ada')
  })

  it('L4 goes nowhere where the metadata of the server is that of another', async () => {
    const at = await stand({}, {}, (request, response, next) => {
      if (request.path.startsWith('/.well-known/oauth-protected-resource'))
        response.json({ resource: 'https://other.example.com/mcp', authorization_servers: [at.url] })
      else next()
    })
    const visitor = new Visitor()

    await expect(connect(generation, clientOf(at, visitor))).rejects.toThrow('other.example.com')

    expect(visitor.opened).toEqual([])
    expect(at.asked.filter(({ path }) => path !== '/mcp' && !path.startsWith('/.well-known'))).toEqual([])
  })

  it('L2 C-02 C-09 shows a token to no server that says that it is another', async () => {
    const at = await stand()
    const storageDirectory = temporaryDirectory()
    opened.push(storageDirectory.remove)
    const options = { storageDirectory: storageDirectory.path }
    await connect(generation, clientOf(at, new Visitor(), options))
    const seen: (string | undefined)[] = []
    const evil = await startServer((request, response) => {
      seen.push(request.headers.authorization)
      if (request.url?.startsWith('/.well-known/oauth-protected-resource') === true)
        response.end(JSON.stringify({ resource: at.serverUrl, authorization_servers: [at.url] }))
      else response.writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token"' }).end()
    })
    opened.push(evil.close)
    const visitor = new Visitor()
    const auth = clientOf({ ...at, serverUrl: `${evil.url}/mcp` }, visitor, options)

    for (let n = 0; n < 2; n++)
      await expect(connect(generation, auth)).rejects.toThrow(`is that of "${at.serverUrl}"`)

    expect(seen.filter((authorization) => authorization !== undefined)).toEqual([])
    await expect(auth.getToken()).rejects.toMatchObject({ code: 'not_signed_in' })
    expect(visitor.opened).toEqual([])
  })

  it.each([
    ['of another issuer', 'https://login.example.com'],
    ['with a slash more', undefined],
    ['that is missing, where it was promised', null],
  ])('L4 A12 sends no code that comes with an iss %s', async (_what, iss) => {
    const at = await stand()
    const visitor = new Visitor()
    const auth = clientOf(at, visitor, {
      openBrowser: async (url) => {
        const back = await visitor.browser.grant(url, String(url.searchParams.get('redirect_uri')), 'ada')
        if (iss === null) back.searchParams.delete('iss')
        else back.searchParams.set('iss', iss ?? `${at.url}/`)
        back.searchParams.set('error_description', 'shown to nobody')
        await visitor.arrive(back)
      },
    })

    await expect(connect(generation, auth)).rejects.toMatchObject({ code: 'issuer_mismatch' })

    expect(at.tokenRequests()).toEqual([])
    expect(visitor.shown).toEqual([
      expect.objectContaining({ status: 400, html: expect.not.stringContaining('shown to nobody') }),
    ])
  })

  it('L4 C-08 overlooks whoever comes with another state, and waits on', async () => {
    const at = await stand()
    const visitor = new Visitor()
    const auth = clientOf(at, visitor, {
      openBrowser: async (url) => {
        const forged = new URL(String(url.searchParams.get('redirect_uri')))
        forged.search = '?code=stolen&state=guessed'
        await visitor.arrive(forged)
        await visitor.open(url)
      },
    })

    expect(whoIn(await (await connect(generation, auth)).call('whoami'))).toBe('id-ada')

    expect(visitor.shown.map(({ status }) => status)).toEqual([400, 200])
    expect(at.tokenRequests().map((form) => form.get('code'))).not.toContain('stolen')
  })

  it('tells that somebody said no', async () => {
    const at = await stand()
    const visitor = new Visitor()
    const auth = clientOf(at, visitor, {
      openBrowser: async (url) => {
        const back = new URL(String(url.searchParams.get('redirect_uri')))
        back.searchParams.set('error', 'access_denied')
        back.searchParams.set('error_description', '<b>not today</b>')
        back.searchParams.set('state', String(url.searchParams.get('state')))
        back.searchParams.set('iss', at.url)
        await visitor.arrive(back)
      },
    })

    await expect(connect(generation, auth)).rejects.toMatchObject({
      code: 'sign_in_refused',
      error: 'access_denied',
    })

    const [page] = visitor.shown
    expect(page?.status).toBe(400)
    expect(page?.html).toContain('access_denied: &#60;b&#62;not today')
    expect(at.tokenRequests()).toEqual([])
  })

  it('signs in with a client that was registered by hand', async () => {
    const clientSecret = 'a+secret/of%a desk=='
    const clients = [{ clientId: 'the desk', clientSecret, redirectUris: ['http://127.0.0.1/callback'] }]
    const at = await stand({ clients })
    const auth = clientOf(at, new Visitor(), { clientId: 'the desk', clientSecret })

    expect(whoIn(await (await connect(generation, auth)).call('whoami'))).toBe('id-ada')

    expect(at.asked.filter(({ path }) => path === '/register')).toEqual([])
  })

  it('C-11 gives up where signing in changes nothing', async () => {
    const at = await stand({}, {}, (request, response, next) => {
      if (request.path === '/mcp' && request.headers.authorization !== undefined)
        response
          .status(403)
          .set('www-authenticate', 'Bearer error="insufficient_scope", scope="notes:read"')
          .end()
      else next()
    })
    const visitor = new Visitor()

    await expect(connect(generation, clientOf(at, visitor))).rejects.toThrow(/\w/)

    expect(visitor.opened.length).toBeLessThanOrEqual(3)
  })

  it('opens one browser where several transports need somebody to sign in, and sends the code once', async () => {
    const at = await stand()
    const visitor = new Visitor()
    const auth = clientOf(at, visitor)

    const connected = await Promise.all([connect(generation, auth), connect(generation, auth)])

    for (const each of connected) expect(whoIn(await each.call('whoami'))).toBe('id-ada')
    expect(visitor.opened).toHaveLength(1)
    expect(at.tokenRequests('authorization_code')).toHaveLength(1)
  })

  it('A6 keeps what a sign-in brought where renewing failed before it', async () => {
    let bad = ''
    const at = await stand({}, {}, (request, response, next) => {
      const form = request.body as Record<string, string> | undefined
      if (request.path === '/token' && form?.['grant_type'] === 'refresh_token')
        response.status(500).json({ error: 'server_error' })
      else if (bad !== '' && request.headers.authorization === bad)
        response.status(401).set('www-authenticate', 'Bearer error="invalid_token"').end()
      else next()
    })
    const directory = temporaryDirectory()
    opened.push(directory.remove)
    const options = { storageDirectory: directory.path }
    const first = clientOf(at, new Visitor(), options)
    const connection = await connect(generation, first)
    await connection.call('whoami')
    await connection.close()
    const before = await first.getToken()
    bad = `Bearer ${before}`
    const visitor = new Visitor()

    const connected = await connect(generation, clientOf(at, visitor, options))

    expect(whoIn(await connected.call('whoami'))).toBe('id-ada')
    expect(visitor.opened).toHaveLength(1)
    expect(await clientOf(at, visitor, options).getToken()).not.toBe(before)
  })

  it('A6 signs in anew where a grant was revoked', async () => {
    const at = await stand({ accessTokenSeconds: 600 })
    const visitor = new Visitor()
    const auth = clientOf(at, visitor)
    const connected = await connect(generation, auth)
    await at.provider.revokeUser('id-ada')
    at.clock.advance(1)

    expect(whoIn(await connected.callAuthorized('whoami'))).toBe('id-ada')

    expect(visitor.opened).toHaveLength(2)
  })
})

test('A6 two processes that share tokens renew them once between them', async () => {
  const waiting: (() => void)[] = []
  const at = await stand({}, {}, (request, response, next) => {
    if (request.path !== '/go') return next()
    waiting.push(() => response.end())
    if (waiting.length === 2) for (const go of waiting) go()
  })
  const directory = temporaryDirectory()
  opened.push(directory.remove)
  await connect(v2, clientOf(at, new Visitor(), { storageDirectory: directory.path }))
  const file = await bundled('__tests__/support/client-contender.ts')
  const programs: Program[] = [1, 2].map(() => startProgram(file, [at.serverUrl, directory.path, '3590'], {}))
  opened.push(...programs.map((program) => () => program.stop()))

  const lines = await Promise.all(programs.map((program) => program.printed(/^called .*|.*Error.*/m)))

  expect(lines.map(([line]) => line)).toEqual(Array.from({ length: 2 }, () => 'called as id-ada, opened 0'))
  expect(at.tokenRequests('refresh_token')).toHaveLength(1)
  expect(at.events).not.toContainEqual(expect.objectContaining({ type: 'grant.revoked' }))
})

test('authFetch goes by what somebody signed in for', async () => {
  const at = await stand({ accessTokenSeconds: 600 })
  const auth = clientOf(at)
  await connect(v2, auth)
  const before = await auth.getToken()
  at.clock.advance(400)
  const response = await authFetch(auth)(`${at.url}/mcp`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
    body: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"whoami"}}',
  })
  expect(response.status).toBe(200)
  await auth.renew('another')
  expect(await auth.getToken()).toBe(before)
  await auth.renew(before)
  expect(await auth.getToken()).not.toBe(before)
  await auth.signOut()
  await expect(auth.getToken()).rejects.toMatchObject({ code: 'not_signed_in' })
})

/** Ours issue tokens for their own app alone; these take another one's for theirs. */
const forAnyResource: RequestHandler = (request, _response, next) => {
  const own = `http://${request.headers.host}/mcp`
  request.url = request.url.replace(/\bresource=[^&]*/, `resource=${encodeURIComponent(own)}`)
  const form = request.body as Record<string, string> | undefined
  if (form?.['resource'] !== undefined) form['resource'] = own
  next()
}

/** A server that lets nobody in, and names one authorization server and then another. */
async function movingServer(options: Partial<OAuthProviderOptions> = {}): Promise<{
  at: ClientStand & { move(): void }
  old: ClientStand
  next: ClientStand
}> {
  let issuer = ''
  const server = await startServer((request, response) => {
    if (request.url?.startsWith('/.well-known/oauth-protected-resource') === true)
      response.end(JSON.stringify({ resource: `${server.url}/mcp`, authorization_servers: [issuer] }))
    else response.writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token"' }).end()
  })
  opened.push(server.close)
  const resourceUrl = `${server.url}/mcp`
  const old = await stand(options, {}, forAnyResource)
  const next = await stand(options, {}, forAnyResource)
  issuer = old.url
  const move = (): void => void (issuer = next.url)
  return { at: { ...old, serverUrl: resourceUrl, move }, old, next }
}

/** Answers metadata of the authorization server with some of it replaced. */
function rewritingMetadata(replaced: Readonly<Record<string, unknown>>): RequestHandler {
  return (request, response, next) => {
    if (!/^\/\.well-known\/(?:oauth-authorization-server|openid-configuration)/.test(request.path))
      return next()
    const url = `http://${request.headers.host}`
    response.json({
      issuer: url,
      authorization_endpoint: `${url}/authorize`,
      token_endpoint: `${url}/token`,
      registration_endpoint: `${url}/register`,
      response_types_supported: ['code'],
      code_challenge_methods_supported: ['S256'],
      jwks_uri: `${url}/.well-known/jwks.json`,
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256'],
      ...replaced,
    })
  }
}

/** IDs that clients were given, or came with. */
function clientIdsOf(at: ClientStand): string[] {
  return at.tokenRequests().map((form) => String(form.get('client_id')))
}

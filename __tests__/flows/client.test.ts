// Our client over the clients of both SDKs, against real servers: from the first refusal to the last call.
import { afterEach, describe, expect, it } from '@jest/globals'
import type { OAuth, OAuthOptions } from 'express-mcp-auth/client'
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
})

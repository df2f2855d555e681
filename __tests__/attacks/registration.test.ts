// Attacks on dynamic client registration: threat rows D1 and D3 to D6, and what RFC 7591 promises to everybody else.
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import express from 'express'
import { OAuthProvider, mcpAuth } from 'express-mcp-auth'
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import { beforeAll, describe, expect, it, test } from '@jest/globals'
import { digest } from '../../lib/runtime/digest.js'
import {
  type AuthorizationSite,
  REDIRECT_URI,
  type Registered,
  SECRET,
  answerOf,
  signIn,
} from '../support/authorization-server.js'
import { createKey } from '../support/issuer.js'
import { startServer } from '../support/site.js'
import { closing } from './attempt.js'
import {
  answered,
  eventsOf,
  isActive,
  refused,
  renewal,
  seen,
  startClosing,
  startReplica,
} from './endpoint-answers.js'

const DAY = 86_400

let site: AuthorizationSite

beforeAll(async () => {
  site = await startClosing()
})

/** Sends any body. */
const send = async (
  body: unknown,
  at: AuthorizationSite = site,
  headers: Record<string, string> = {},
): Promise<ReturnType<typeof seen>> => {
  const response = await fetch(`${at.url}/register`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: typeof body === 'string' ? body : JSON.stringify(body),
  })
  return seen(await answerOf(response))
}

const metadata = (more: object = {}): object => ({
  redirect_uris: [REDIRECT_URI],
  token_endpoint_auth_method: 'none',
  ...more,
})

/** Whether a client still exists: /authorize tells it by its page. */
const isKnown = async (at: AuthorizationSite, { client_id: id }: Registered): Promise<boolean> => {
  const form = { grant_type: 'authorization_code', client_id: id, code: 'x', code_verifier: 'x' }
  const { body } = await at.post('/token', form)
  return (body as { error: string }).error === 'invalid_grant'
}

describe('registration', () => {
  it('answers 201 with everything that was registered, and what was decided', async () => {
    const own = await startClosing()
    const asked = {
      client_name: 'Notes',
      client_uri: 'https://notes.example',
      logo_uri: 'https://notes.example/logo.png',
      tos_uri: 'https://notes.example/terms',
      policy_uri: 'https://notes.example/privacy',
      contacts: ['ops@notes.example'],
      redirect_uris: ['https://notes.example/callback', REDIRECT_URI],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
      scope: 'notes:read unknown',
      application_type: 'web',
      software_id: 'notes',
      software_version: '1.0',
    }
    expect(await send(asked, own)).toEqual(
      answered(
        {
          ...asked,
          client_id: expect.stringMatching(/^[\w-]{24}$/),
          client_id_issued_at: Math.floor(own.clock.now() / 1000),
        },
        201,
      ),
    )
  })

  it('gives a confidential client a secret that does not expire, and keeps none', async () => {
    const store = new MemoryStore()
    const own = await startClosing({ store })
    const { body } = await send({ redirect_uris: [REDIRECT_URI] }, own)
    expect(body).toEqual({
      client_id: expect.stringMatching(/^[\w-]{24}$/),
      client_id_issued_at: Math.floor(own.clock.now() / 1000),
      client_secret: expect.stringMatching(/^[\w-]{48}$/),
      client_secret_expires_at: 0,
      redirect_uris: [REDIRECT_URI],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'client_secret_basic',
    })
    const { client_id: id, client_secret: secret } = body as Registered
    const kept = await store.get(`${digest(own.issuer).slice(0, 12)}.clients`, id)
    expect(kept?.value).toContain(REDIRECT_URI)
    expect(kept?.value).not.toContain(secret)
  })

  it('is the same client for the same public metadata, in every process, and another one for other metadata', async () => {
    const replica = await startReplica(site)
    const first = (await send(metadata({ client_name: 'Same' }))).body as Registered
    const second = (await send(metadata({ client_name: 'Same' }), replica)).body as Registered
    const reordered = (
      await send({ client_name: 'Same', token_endpoint_auth_method: 'none', redirect_uris: [REDIRECT_URI] })
    ).body
    const other = (await send(metadata({ client_name: 'Other' }))).body as Registered
    expect(second).toEqual(first)
    expect(reordered).toEqual(first)
    expect(other.client_id).not.toBe(first.client_id)
    expect(eventsOf(site, 'client.registered').filter(({ name }) => name === 'Same')).toHaveLength(1)
    expect(eventsOf(replica, 'client.registered')).toEqual([])
  })

  it('is one client where two processes are asked at once', async () => {
    const replica = await startReplica(site)
    const answers = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        send(metadata({ client_name: 'At once' }), n % 2 ? site : replica),
      ),
    )
    expect(new Set(answers.map(({ status, body }) => `${status} ${(body as Registered).client_id}`)).size).toBe(1) // prettier-ignore
  })

  it('is a client of its own each time where there is a secret', async () => {
    const asked = metadata({ token_endpoint_auth_method: 'client_secret_post' })
    const [one, two] = [(await send(asked)).body as Registered, (await send(asked)).body as Registered]
    expect(one.client_id).not.toBe(two.client_id)
    expect(one.client_secret).not.toBe(two.client_secret)
  })

  it('drops redirect URIs that cannot be used: the answer holds those that were kept, an event names the others', async () => {
    const own = await startClosing()
    const { status, body } = await send(
      metadata({
        client_name: 'Many',
        redirect_uris: ['unknown-app://callback', REDIRECT_URI, 'http://web.example/callback'],
      }),
      own,
    )
    expect([status, (body as Registered)['redirect_uris']]).toEqual([201, [REDIRECT_URI]])
    expect(eventsOf(own, 'client.registered')).toEqual([
      {
        type: 'client.registered',
        clientId: (body as Registered).client_id,
        name: 'Many',
        redirectUris: [REDIRECT_URI],
        dropped: [
          'unknown-app://callback: of a scheme that is neither https nor the reverse of a domain name',
          'http://web.example/callback: http, which only localhost, 127.0.0.1 and [::1] may use',
        ],
      },
    ])
  })

  it('keeps to the patterns of allowedClientRedirectUris', async () => {
    const own = await startClosing({ allowedClientRedirectUris: ['http://127.0.0.1:*'] })
    const { body } = await send(
      metadata({ redirect_uris: [REDIRECT_URI, 'https://web.example/callback'] }),
      own,
    )
    expect((body as Registered)['redirect_uris']).toEqual([REDIRECT_URI])
    expect(await send(metadata({ redirect_uris: ['https://web.example/callback'] }), own)).toEqual(
      refused('invalid_redirect_uri', 'No redirect URI can be registered: not among those that this server allows'),
    ) // prettier-ignore
  })

  it('never restricts scopes by what was registered', async () => {
    const client = await site.register({ scope: 'notes:read' })
    expect((await site.signIn(client, { scope: 'notes:write' })).scope).toBe('notes:write')
  })

  it('can be switched off: then there is nothing', async () => {
    const own = await startClosing({ clientRegistration: false }, { protect: '/mcp' })
    expect(eventsOf(own, 'client.registered')).toEqual([])
    const before = own.handled()
    await send(metadata(), own)
    expect(own.handled()).toBe(before + 1)
  })
})

describe('registered clients are forgotten', () => {
  it('D1 after 24 h where nobody signed in with them', async () => {
    const own = await startClosing()
    const client = await own.register()
    own.clock.advance(DAY - 1)
    expect(await isKnown(own, client)).toBe(true)
    own.clock.advance(1)
    expect(await isKnown(own, client)).toBe(false)
  })

  it('D1 counted anew by each registration', async () => {
    const own = await startClosing()
    const client = await own.register()
    own.clock.advance(DAY - 1)
    expect((await own.register()).client_id).toBe(client.client_id)
    own.clock.advance(DAY - 1)
    expect(await isKnown(own, client)).toBe(true)
    expect(eventsOf(own, 'client.registered')).toHaveLength(1)
    own.clock.advance(1)
    expect(await isKnown(own, client)).toBe(false)
    expect((await own.register()).client_id).toBe(client.client_id)
    expect(eventsOf(own, 'client.registered')).toHaveLength(2)
  })

  it('D1 after clientRegistration.unusedSeconds, where that is set', async () => {
    const own = await startClosing({ clientRegistration: { unusedSeconds: 60 } })
    const client = await own.register()
    own.clock.advance(60)
    expect(await isKnown(own, client)).toBe(false)
  })

  it('D1 never while somebody is signed in', async () => {
    const own = await startClosing()
    const client = await own.register()
    await own.signIn(client)
    own.clock.advance(45 * DAY)
    expect(await isKnown(own, client)).toBe(true)
    own.clock.advance(15 * DAY)
    expect(await isKnown(own, client)).toBe(false)
  })

  it('D1 another process knows at once that somebody signed in', async () => {
    const own = await startClosing()
    const replica = await startReplica(own)
    const client = await own.register()
    own.clock.advance(DAY - 30)
    expect(await isKnown(replica, client)).toBe(true)
    await own.signIn(client)
    own.clock.advance(30)
    expect(await isKnown(replica, client)).toBe(true)
  })
})

describe('D1 floods', () => {
  const spent = (retryAfter: string): ReturnType<typeof seen> => ({
    ...refused('temporarily_unavailable', 'Too many clients registered lately, try again later', 429),
    retryAfter,
  })

  it('D1 beyond maxPerHour there is 429, old clients work and come again, and the next hour is new', async () => {
    const own = await startClosing({ clientRegistration: { maxPerHour: 3 } })
    const client = await own.register()
    const tokens = await own.signIn(client)
    const minute = Math.floor(own.clock.now() / 60_000) % 60
    // Half past, so that what is left of the hour is known.
    own.clock.advance(((90 - minute) % 60) * 60 - Math.floor((own.clock.now() % 60_000) / 1000))
    const left = String(Math.ceil((3_600_000 - (own.clock.now() % 3_600_000)) / 1000))
    const floods = await Promise.all(
      Array.from({ length: 100 }, (_, n) => send(metadata({ client_name: `Flood ${n}` }), own)),
    )
    const refusals = floods.filter(({ status }) => status !== 201)
    expect(refusals.length).toBeGreaterThanOrEqual(97)
    expect(refusals).toEqual(Array(refusals.length).fill(spent(left)))
    expect((await own.register()).client_id).toBe(client.client_id)
    expect(await isActive(own, tokens)).toBe(true)
    expect((await own.post('/token', renewal(client, tokens))).status).toBe(200)
    own.clock.advance(Number(left))
    expect((await send(metadata({ client_name: 'Next hour' }), own)).status).toBe(201)
  })

  it('D1 one address has a limit too', async () => {
    const own = await startClosing({}, { rateLimit: { endpoints: { register: { limit: 5 } } } })
    const statuses = await Promise.all(Array.from({ length: 20 }, async () => (await send(metadata(), own)).status))
    expect(statuses.filter((status) => status === 429)).toHaveLength(15)
    expect((await own.post('/token', {})).status).toBe(401)
  }) // prettier-ignore
})

describe('an initial access token', () => {
  const TOKEN = 'initial-access-token/1'
  let guarded: AuthorizationSite
  const missing: ReturnType<typeof seen> = {
    ...answered(undefined, 401),
    challenge: 'Bearer realm="register"',
    body: {
      error: 'invalid_token',
      error_description: 'Registration needs the initial access token, as "Authorization: Bearer <token>"',
    },
  }

  beforeAll(async () => {
    guarded = await startClosing({ clientRegistration: { initialAccessToken: TOKEN } })
  })

  test.each([
    ['nothing', {}],
    ['another token', { authorization: 'Bearer another' }],
    ['the start of it', { authorization: `Bearer ${TOKEN.slice(0, -1)}` }],
    ['Basic', { authorization: `Basic ${TOKEN}` }],
    ['an empty one', { authorization: 'Bearer ' }],
  ])('D1 with %s nobody registers', async (_name, headers) => {
    expect(await send(metadata(), guarded, headers)).toEqual(missing)
    expect(await send('{', guarded, headers)).toEqual(missing)
    expect(eventsOf(guarded, 'client.registered')).toEqual([])
  })

  it('D1 with it everybody registers, and it is good for nothing else', async () => {
    const header = { authorization: `Bearer ${TOKEN}` }
    const { status, body } = await send(metadata(), guarded, header)
    expect([status, eventsOf(guarded, 'client.registered')]).toEqual([201, [expect.any(Object)]])
    expect((await guarded.call(TOKEN)).status).toBe(401)
    const form = { grant_type: 'client_credentials', client_id: (body as Registered).client_id }
    expect((await guarded.post('/token', form, header)).status).toBe(401)
  })
})

describe('D3 a client names URIs', () => {
  const fields = ['client_uri', 'logo_uri', 'tos_uri', 'policy_uri', 'jwks_uri']
  const uris = [
    'http://127.0.0.1/x',
    'http://169.254.169.254/latest/meta-data',
    'javascript:alert(1)',
    'data:text/html,x',
    'file:///etc/passwd',
    'https://user:pass@web.example/',
    'https://',
    ' https://web.example',
    'https://web.example/"onerror="',
    '//web.example',
    `https://web.example/${'x'.repeat(2000)}`,
    7,
    ['https://web.example'],
    {},
  ]

  test.each(fields)('D3 %s has to be https', async (field) => {
    for (const uri of uris) {
      expect([uri, await send(metadata({ [field]: uri }))]).toEqual([
        uri,
        refused('invalid_client_metadata', `"${field}" must be an https URL`),
      ])
    }
  })

  it('D3 and nothing is fetched from it, neither now nor at sign-in', async () => {
    let connections = 0
    const listener = createServer((socket) => {
      connections++
      socket.destroy()
    })
    await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
    const url = `https://127.0.0.1:${(listener.address() as AddressInfo).port}/x`
    const client = await site.register(Object.fromEntries(fields.map((field) => [field, url])))
    await site.signIn(client)
    await new Promise((resolve) => listener.close(resolve))
    expect(connections).toBe(0)
  })
})

describe('D4 a client says too much, or nothing that could be read', () => {
  it('D4 a megabyte is not read', async () => {
    const answer = await send(metadata({ client_name: 'x'.repeat(1_000_000) }))
    expect(answer).toEqual(refused('invalid_request', 'The body is too large', 413))
  })

  const key = createKey('ES256').jwk
  test.each<[string, unknown, string, string]>([
    ['1000 redirect URIs', metadata({ redirect_uris: Array.from({ length: 1000 }, (_, n) => `https://a.b/${n}`) }), 'invalid_redirect_uri', '"redirect_uris" must be at most 10'],
    ['11 redirect URIs', metadata({ redirect_uris: Array.from({ length: 11 }, (_, n) => `https://a.example/${n}`) }), 'invalid_redirect_uri', '"redirect_uris" must be at most 10'],
    ['no redirect URI', metadata({ redirect_uris: [] }), 'invalid_redirect_uri', '"redirect_uris" must be a list of URIs, at least one'],
    ['a redirect URI that is no list', metadata({ redirect_uris: REDIRECT_URI }), 'invalid_redirect_uri', '"redirect_uris" must be a list of URIs, at least one'],
    ['redirect URIs that are no text', metadata({ redirect_uris: [{ toString: 'x' }] }), 'invalid_redirect_uri', '"redirect_uris" must be a list of URIs, at least one'],
    ['a name that is no text', metadata({ client_name: ['x'] }), 'invalid_client_metadata', '"client_name" must be a string'],
    ['an unknown way to authenticate', metadata({ token_endpoint_auth_method: 'client_secret_jwt' }), 'invalid_client_metadata', '"token_endpoint_auth_method" must be one of none, client_secret_basic, client_secret_post, private_key_jwt'],
    ['assertions without keys', metadata({ token_endpoint_auth_method: 'private_key_jwt' }), 'invalid_client_metadata', 'private_key_jwt needs "jwks" or "jwks_uri"'],
    ['a private key', metadata({ jwks: { keys: [{ ...key, d: 'x' }] } }), 'invalid_client_metadata', '"jwks" must hold public keys only'],
    ['21 keys', metadata({ jwks: { keys: Array(21).fill(key) } }), 'invalid_client_metadata', '"jwks" must be a JWK set of at most 20 keys'],
    ['a list', [metadata()], 'invalid_client_metadata', 'The body must be one JSON object, without repeated members and without deep nesting'],
    ['text', '"x"', 'invalid_client_metadata', 'The body must be one JSON object, without repeated members and without deep nesting'],
    ['half an object', '{"redirect_uris":[', 'invalid_client_metadata', 'The body must be one JSON object, without repeated members and without deep nesting'],
    ['a member twice', `{"redirect_uris":["${REDIRECT_URI}"],"redirect_uris":["https://evil.example/"]}`, 'invalid_client_metadata', 'The body must be one JSON object, without repeated members and without deep nesting'],
    ['nesting', `{"a":${'['.repeat(1000)}${']'.repeat(1000)}}`, 'invalid_client_metadata', 'The body must be one JSON object, without repeated members and without deep nesting'],
    ['nothing', '', 'invalid_client_metadata', 'Send a JSON object, as application/json'],
  ])('D4 %s is refused', async (_name, body, error, description) => {
    expect(await send(body)).toEqual(refused(error, description))
  }) // prettier-ignore

  it('D4 a form is no JSON', async () => {
    const form = { 'content-type': 'application/x-www-form-urlencoded' }
    expect(await send(new URLSearchParams({ client_name: 'x' }).toString(), site, form)).toEqual(
      refused('invalid_client_metadata', 'Send the body with "Content-Type: application/json"'),
    )
  })

  it('D4 X6 members called as those of every object change nothing', async () => {
    const odd = `{"redirect_uris":["${REDIRECT_URI}"],"token_endpoint_auth_method":"none","__proto__":{"x":1},"constructor":{"prototype":{"x":1}},"hasOwnProperty":1,"toString":"x"}`
    const { status, body } = await send(odd)
    expect([status, Object.keys(body as object).toSorted()]).toEqual([
      201,
      ['client_id', 'client_id_issued_at', 'grant_types', 'redirect_uris', 'response_types', 'token_endpoint_auth_method'],
    ]) // prettier-ignore
    const names = ['__proto__', '__proto__[x]', 'constructor[prototype][x]', 'constructor.prototype.x']
    for (const path of ['/token', '/revoke', '/introspect'])
      for (const name of names) expect((await site.post(path, { [name]: '1' })).status).toBe(401)
    expect(({} as { x?: unknown }).x).toBeUndefined()
  })
})

describe('D5 a client gives itself power', () => {
  it('D5 an ID, a secret, times and grants of its own are not taken', async () => {
    const body = (
      await send({
        redirect_uris: [REDIRECT_URI],
        token_endpoint_auth_method: 'client_secret_post',
        client_id: 'admin',
        client_secret: 'mine',
        client_secret_expires_at: 1,
        client_id_issued_at: 1,
        grant_types: ['authorization_code', 'client_credentials', 'password', 'urn:ietf:params:oauth:grant-type:jwt-bearer'],
        response_types: ['code', 'token', 'id_token'],
        sub: 'id-ada',
        origin: 'configured',
        scopes: ['admin'],
        registration_client_uri: 'https://evil.example',
        software_statement: 'a.b.c',
        require_pushed_authorization_requests: true,
      })
    ).body as Registered // prettier-ignore
    expect(body).toEqual({
      client_id: expect.stringMatching(/^[\w-]{24}$/),
      client_id_issued_at: Math.floor(site.clock.now() / 1000),
      client_secret: expect.stringMatching(/^[\w-]{48}$/),
      client_secret_expires_at: 0,
      redirect_uris: [REDIRECT_URI],
      grant_types: ['authorization_code'],
      response_types: ['code'],
      token_endpoint_auth_method: 'client_secret_post',
    })
    const form = { client_id: 'admin', client_secret: 'mine', grant_type: 'client_credentials' }
    expect((await site.post('/token', form)).status).toBe(401)
  })

  it('D5 scopes that the server does not have are nobody’s, whatever was registered', async () => {
    const client = await site.register({ scope: 'admin notes:read' })
    expect(client['scope']).toBe('admin notes:read')
    expect((await site.signIn(client, { scope: 'admin notes:read' })).scope).toBe('notes:read')
  })
})

describe('D6 what was registered is not managed', () => {
  test.each(['GET', 'PUT', 'DELETE', 'PATCH', 'HEAD'])('D6 %s /register is not answered', async (method) => {
    const response = await fetch(`${site.url}/register`, { method })
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST, OPTIONS'])
    expect(response.headers.get('cache-control')).toBe('no-store')
  })

  it('D6 there is nothing below /register', async () => {
    const app = express()
    const provider = new OAuthProvider({
      baseUrl: 'http://127.0.0.1:3000',
      secret: SECRET,
      signIn,
      store: new MemoryStore(),
    })
    app.use(mcpAuth(provider, { protect: '/mcp', rateLimit: false }))
    const { url } = closing(await startServer(app))
    const registered = await fetch(`${url}/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(metadata()),
    })
    const { client_id: id } = (await registered.json()) as Registered
    for (const method of ['GET', 'PUT', 'DELETE', 'POST'])
      for (const path of [`/register/${id}`, `/register/${id}/`, '/register/*'])
        expect([method, path, (await fetch(url + path, { method })).status]).toEqual([method, path, 404])
  })
})

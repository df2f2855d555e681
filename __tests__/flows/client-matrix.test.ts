// Every client of the field connects: finds the endpoints from a 401, becomes known in each of its ways, is sent through the pages, gets
// tokens, calls, renews them, and calls again. What it must not do is refused where a person or it can read why.
import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals'
import { testClock } from 'express-mcp-auth/testing'
import {
  type Answer,
  type AuthorizationSite,
  type Form,
  type Registered,
  type Tokens,
  answerOf,
  authorizationUrl,
  pkce,
  startAuthorizationSite,
} from '../support/authorization-server.js'
import { CHATGPT_KEYS, MCP_CLIENTS, type McpClient, type Way, mcpClient } from '../support/clients.js'
import { type Json, createKey, signParts } from '../support/issuer.js'
import { type StrangeHost, documentAnswer, startStrangeHost } from '../support/strange-host.js'

const SECRET = 'a secret that the operator wrote into the settings'
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'
const clock = testClock()
const chatgptKey = createKey('ES256', 'chatgpt-1')

/** All hosts of the clients' vendors, at once. */
let web: StrangeHost
let site: AuthorizationSite

beforeAll(async () => {
  web = await startStrangeHost()
  web.answer = (request, response) => {
    const url = `https://${request.headers.host}${request.url}`
    const { document } = MCP_CLIENTS.find((client) => client.document?.client_id === url) ?? {}
    if (url === CHATGPT_KEYS) documentAnswer({ keys: [chatgptKey.jwk] })(request, response)
    else if (document === undefined) response.writeHead(404).end()
    else documentAnswer(document)(request, response)
  }
  const configured = MCP_CLIENTS.flatMap(({ name, ways, redirectUris }) => [
    ...(ways.includes('configured public') ? [{ clientId: `${name} public`, redirectUris }] : []),
    ...(ways.includes('configured secret')
      ? [{ clientId: `${name} secret`, clientSecret: SECRET, redirectUris }]
      : []),
  ])
  site = await startAuthorizationSite({ clients: configured, deps: { ...clock, network: web.network } })
})
afterAll(() => Promise.all([site.close(), web.close()]))

/** Where a client that knew nothing but the URL of the endpoint finds everything. */
interface Discovered {
  readonly resource: string
  readonly issuer: string
  readonly authorize: string
  readonly token: string
  readonly register: string
  readonly scopes: readonly string[]
}

/** RFC 9728 5.1 and RFC 8414 3.1, as the clients do it. */
async function discover({ origin }: McpClient): Promise<Discovered> {
  const headers = origin === undefined ? {} : { origin }
  const refused = await fetch(`${site.url}/mcp`, { method: 'POST', headers })
  expect(refused.status).toBe(401)
  const challenge = refused.headers.get('www-authenticate') ?? ''
  const pointer = /resource_metadata="([^"]+)"/.exec(challenge)?.[1] ?? ''
  const published = await answerOf(await fetch(pointer, { headers }))
  const { resource, authorization_servers: servers } = published.body as Json
  const issuer = String((servers as unknown[])[0])
  const found = await answerOf(
    await fetch(`${new URL(issuer).origin}/.well-known/oauth-authorization-server`, { headers }),
  )
  const metadata = found.body as Record<string, string>
  expect(resource).toBe(`${site.url}/mcp`)
  expect(metadata).toMatchObject({
    issuer,
    client_id_metadata_document_supported: true,
    authorization_response_iss_parameter_supported: true,
    code_challenge_methods_supported: ['S256'],
    token_endpoint_auth_methods_supported: expect.arrayContaining([
      'none',
      'client_secret_post',
      'private_key_jwt',
    ]),
    scopes_supported: expect.arrayContaining(['notes:read', 'notes:write', 'offline_access']),
  })
  if (origin !== undefined) {
    expect(refused.headers.get('access-control-expose-headers')).toMatch(/WWW-Authenticate/)
    for (const each of [refused.headers, published.headers, found.headers])
      expect(each.get('access-control-allow-origin')).toBe('*')
  }
  return {
    resource: String(resource),
    issuer,
    authorize: String(metadata['authorization_endpoint']),
    token: String(metadata['token_endpoint']),
    register: String(metadata['registration_endpoint']),
    scopes: metadata['scopes_supported'] as unknown as string[],
  }
}

/** What a client knows of itself afterwards, and how it shows it at the token endpoint. */
interface Identity {
  readonly clientId: string
  readonly prove: () => { readonly form: Record<string, string>; readonly headers: Record<string, string> }
}

async function becomeKnown(client: McpClient, way: Way, endpoints: Discovered): Promise<Identity> {
  if (way === 'configured public') return showing('none', `${client.name} public`)
  if (way === 'configured secret') return showing('client_secret_post', `${client.name} secret`, SECRET)
  if (way === 'document') {
    const { client_id: clientId, token_endpoint_auth_method: method } = client.document as Json
    return showing(String(method), String(clientId))
  }
  const { status, body, headers } = await send(endpoints.register, JSON.stringify(client.registration), {
    'content-type': 'application/json',
    ...(client.origin !== undefined && { origin: client.origin }),
  })
  expect({ status, cache: headers.get('cache-control') }).toEqual({ status: 201, cache: 'no-store' })
  const { client_id: clientId, client_secret: secret, ...registered } = body as Registered
  // Whatever the client relies on is there: the addresses it will use, the refresh token it wants.
  const { token_endpoint_auth_method: method = 'client_secret_basic' } = client.registration as Record<
    string,
    string
  >
  expect(registered).toMatchObject({
    client_name: client.registration['client_name'],
    token_endpoint_auth_method: method,
    grant_types: ['authorization_code', 'refresh_token'],
    client_id_issued_at: expect.any(Number),
  })
  return showing(method, clientId, secret)
}

function showing(method: string, clientId: string, secret = ''): Identity {
  return {
    clientId,
    prove: () => {
      if (method === 'client_secret_basic') {
        const pair = `${encodeURIComponent(clientId)}:${encodeURIComponent(secret)}`
        return { form: {}, headers: { authorization: `Basic ${Buffer.from(pair).toString('base64')}` } }
      }
      const form = { client_id: clientId }
      if (method === 'client_secret_post') return { form: { ...form, client_secret: secret }, headers: {} }
      if (method === 'private_key_jwt') return { form: { ...form, ...assertion(clientId) }, headers: {} }
      return { form, headers: {} }
    },
  }
}

function assertion(clientId: string, changes: Json = {}): Record<string, string> {
  const now = Math.floor(clock.now() / 1000)
  const claims = {
    iss: clientId,
    sub: clientId,
    aud: site.issuer,
    jti: randomUUID(),
    iat: now,
    exp: now + 60,
  }
  const header = { alg: 'ES256', kid: chatgptKey.kid, typ: 'JWT' }
  return {
    client_assertion_type: ASSERTION_TYPE,
    client_assertion: signParts(header, { ...claims, ...changes }, chatgptKey),
  }
}

async function send(
  url: string,
  body: string | URLSearchParams,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return answerOf(await fetch(url, { method: 'POST', body, headers, redirect: 'manual' }))
}

/** `resource`, as a client writes it. */
function resourceOf({ resource = (text) => text }: McpClient, endpoints: Discovered): Record<string, string> {
  const written = resource(endpoints.resource)
  return written === undefined ? {} : { resource: written }
}

interface Asked {
  readonly start: URL
  readonly verifier: string
  readonly state: string | undefined
}

function ask(client: McpClient, clientId: string, redirectUri: string, endpoints: Discovered): Asked {
  const { verifier, challenge } = pkce()
  const { scope = 'all', sendsState = true } = client
  const state = sendsState ? `${randomUUID()}+/=` : undefined
  const start = new URL(endpoints.authorize)
  const parameters = {
    response_type: 'code',
    client_id: clientId,
    redirect_uri: redirectUri,
    code_challenge: challenge,
    code_challenge_method: 'S256',
    ...resourceOf(client, endpoints),
    ...(scope !== 'none' && { scope: scope === 'all' ? endpoints.scopes.join(' ') : scope }),
    ...(state !== undefined && { state }),
  }
  for (const [name, value] of Object.entries(parameters)) start.searchParams.set(name, value)
  return { start, verifier, state }
}

/** The whole way to tokens. */
async function connect(
  client: McpClient,
  way: Way,
  redirectUri: string,
): Promise<{ tokens: Tokens; identity: Identity; endpoints: Discovered }> {
  const endpoints = await discover(client)
  const identity = await becomeKnown(client, way, endpoints)
  const { start, verifier, state } = ask(client, identity.clientId, redirectUri, endpoints)
  const back = await site.browser().grant(start, redirectUri, 'ada')
  // RFC 9207 2: exactly once, and byte for byte what the metadata says.
  expect(back.searchParams.getAll('iss')).toEqual([endpoints.issuer])
  expect(back.searchParams.getAll('state')).toEqual(state === undefined ? [] : [state])
  expect(back.href.startsWith(`${redirectUri}?`)).toBe(true)
  const { form, headers } = identity.prove()
  const answer = await send(
    endpoints.token,
    new URLSearchParams({
      grant_type: 'authorization_code',
      code: String(back.searchParams.get('code')),
      code_verifier: verifier,
      ...(client.repeatsRedirectUri !== false && { redirect_uri: redirectUri }),
      ...resourceOf(client, endpoints),
      ...form,
    }),
    { ...headers, ...(client.origin !== undefined && { origin: client.origin }) },
  )
  return { tokens: tokensOf(answer, client), identity, endpoints }
}

function tokensOf({ status, body, headers }: Answer, { origin }: McpClient): Tokens {
  expect({ status, body }).toMatchObject({ status: 200, body: { token_type: 'Bearer', expires_in: 3600 } })
  expect(headers.get('cache-control')).toBe('no-store')
  if (origin !== undefined) expect(headers.get('access-control-allow-origin')).toBe('*')
  return body as Tokens
}

function renew(
  client: McpClient,
  { tokens, identity, endpoints }: Awaited<ReturnType<typeof connect>>,
): Promise<Answer> {
  const { form, headers } = identity.prove()
  return send(
    endpoints.token,
    new URLSearchParams({
      grant_type: 'refresh_token',
      refresh_token: tokens.refresh_token,
      ...(client.refreshScope !== undefined && { scope: client.refreshScope }),
      ...resourceOf(client, endpoints),
      ...form,
    }),
    headers,
  )
}

async function call({ access_token: token }: Tokens): Promise<unknown> {
  const response = await site.call(token)
  return { status: response.status, ...((await response.json()) as object) }
}

/** What this server grants of what a client asks for: unknown words are no reason to refuse. */
function grantedTo({ scope = 'all' }: McpClient): string[] {
  if (scope === 'all') return ['notes:read', 'notes:write', 'offline_access']
  return scope === 'notes:read' ? ['notes:read'] : ['notes:read', 'notes:write']
}

describe.each(
  MCP_CLIENTS.flatMap((client) => client.ways.map((way) => ({ client, name: client.name, way }))),
)('$name by $way', ({ client, name, way }) => {
  test.each(client.redirectUris)(
    `${name} by ${way} connects, calls and stays connected, at %s`,
    async (uri) => {
      const connected = await connect(client, way, uri)
      const { tokens, identity } = connected
      const scopes = grantedTo(client)
      expect(tokens.scope.split(' ').toSorted()).toEqual(scopes)
      const caller = { status: 200, subject: 'id-ada', clientId: identity.clientId }
      expect(await call(tokens)).toEqual({ ...caller, scopes: tokens.scope.split(' ') })

      const renewed = tokensOf(await renew(client, connected), client)
      expect(renewed.refresh_token).not.toBe(tokens.refresh_token)
      expect(renewed.scope).toBe(client.refreshScope ?? tokens.scope)
      expect(await call(renewed)).toEqual({ ...caller, scopes: renewed.scope.split(' ') })
    },
  )
})

/** What is shown where nobody is sent anywhere. */
async function pageOf(start: URL): Promise<{ status: number; location: string | null; html: string }> {
  const response = await site.browser().request(start)
  expect(response.headers.get('content-type')).toBe('text/html; charset=utf-8')
  expect(response.headers.get('content-security-policy')).toMatch(/default-src 'none'/)
  return { status: response.status, location: response.headers.get('location'), html: await response.text() }
}

describe('an address that a client did not register is a page, and nobody is sent there', () => {
  test.each<[client: string, way: Way, uri: string, rule: string]>([
    ['opencode', 'document', 'http://127.0.0.1:19876/mcp/oauth/callback', 'its document names another path'],
    ['ChatGPT', 'registration', 'https://chatgpt.com/connector/oauth/zzzz', 'of another connector'],
    ['ChatGPT', 'document', 'https://chatgpt.com/connector/oauth/zzzz', 'of another connector'],
    ['claude.ai', 'configured secret', 'https://claude.ai/api/mcp/auth_callback/', 'with a slash more'],
    ['Grok', 'registration', 'https://grok.com/connectors-oauth-exchange-code', 'with a slash less'],
    ['Claude Code', 'registration', 'http://127.0.0.1:54212/callback', 'by another name of this machine'],
    ['Claude Code', 'document', 'http://localhost:54212/callback/x', 'below its path'],
    ['VS Code', 'document', 'https://vscode.dev:8443/redirect', 'the port of the web is no free choice'],
    ['Cursor', 'registration', 'cursor://anysphere.cursor-mcp/oauth/callback/x', 'below its path'],
    ['Codex', 'registration', 'http://127.0.0.1:1455/callback', 'without its suffix'],
    ['Zed', 'document', 'http://localhost:43117/callback', 'by another name of this machine'],
  ])('%s by %s at %s: %s', async (name, way, uri) => {
    const client = mcpClient(name)
    const endpoints = await discover(client)
    const { clientId } = await becomeKnown(client, way, endpoints)
    const { status, location, html } = await pageOf(ask(client, clientId, uri, endpoints).start)
    expect({ status, location }).toEqual({ status: 400, location: null })
    expect(html).toContain(`This client did not register ${uri}`)
  })

  test('a client that is no longer known is a page that says so', async () => {
    const endpoints = await discover(mcpClient('Cursor'))
    const { start } = ask(mcpClient('Cursor'), 'A'.repeat(24), 'http://localhost:8787/callback', endpoints)
    const { status, location, html } = await pageOf(start)
    expect({ status, location }).toEqual({ status: 400, location: null })
    expect(html).toContain(`There is no client ${'A'.repeat(24)}`)
  })
})

describe('registrations', () => {
  test('of Cursor keep what can be used of several addresses, and drop the rest', async () => {
    const { registration } = mcpClient('Cursor')
    const unusable = ['cursor://somebody.else/x', 'javascript:alert(1)', 'http://evil.example/cb']
    const uris = [...(registration['redirect_uris'] as string[]), ...unusable]
    const client = await site.register({ ...registration, redirect_uris: uris })
    expect(client['redirect_uris']).toEqual(registration['redirect_uris'])
  })

  test('with no address that can be used name the first of them', async () => {
    const body = JSON.stringify({
      ...mcpClient('Cursor').registration,
      redirect_uris: ['http://evil.example/cb'],
    })
    const { status, body: answer } = await send(`${site.url}/register`, body, {
      'content-type': 'application/json',
    })
    expect({ status, answer }).toEqual({
      status: 400,
      answer: {
        error: 'invalid_redirect_uri',
        error_description: expect.stringContaining('http, which only localhost'),
      },
    })
  })

  test('of opencode at every start are one client', async () => {
    const { registration } = mcpClient('opencode')
    const ids = [await site.register(registration), await site.register(registration)].map(
      (each) => each.client_id,
    )
    expect(new Set(ids).size).toBe(1)
  })

  test.each(['application/json; charset=utf-8', 'Application/JSON', 'application/json;charset="utf-8"'])(
    'are read from a body that says %s',
    async (type) => {
      const body = JSON.stringify(mcpClient('Zed').registration)
      expect((await send(`${site.url}/register`, body, { 'content-type': type })).status).toBe(201)
    },
  )

  test('T12 that say two content types are told which one to send', async () => {
    const body = JSON.stringify(mcpClient('MCP Inspector').registration)
    const answer = await send(`${site.url}/register`, body, {
      'content-type': 'application/json, application/json',
    })
    expect({ status: answer.status, body: answer.body }).toEqual({
      status: 400,
      body: {
        error: 'invalid_client_metadata',
        error_description: expect.stringMatching(/^Send the body with .Content-Type: application\/json/),
      },
    })
  })
})

describe('client authentication', () => {
  const invalid = { status: 401, body: { error: 'invalid_client', error_description: expect.any(String) } }

  test.each<[rule: string, more: Record<string, string>]>([
    ['without its secret', {}],
    ['with a wrong secret', { client_secret: 'wrong' }],
  ])('claude.ai %s is refused', async (_rule, more) => {
    const answer = await site.post('/token', {
      grant_type: 'refresh_token',
      refresh_token: 'x',
      client_id: 'claude.ai secret',
      ...more,
    })
    expect({ status: answer.status, body: answer.body }).toEqual(invalid)
    expect(answer.headers.get('cache-control')).toBe('no-store')
  })

  test.each<[rule: string, changes: Json | undefined]>([
    ['without an assertion', undefined],
    ['for another server', { aud: 'https://elsewhere.example' }],
    ['that expired', { exp: 1 }],
    ['of another client', { iss: 'https://chatgpt.com/other.json' }],
  ])('ChatGPT with private_key_jwt %s is refused', async (_rule, changes) => {
    const clientId = 'https://chatgpt.com/oauth/client.json'
    const proof = changes === undefined ? {} : assertion(clientId, changes)
    const form: Form = { grant_type: 'refresh_token', refresh_token: 'x', client_id: clientId, ...proof }
    const answer = await site.post('/token', form)
    expect({ status: answer.status, body: answer.body }).toEqual(invalid)
  })

  test('T9 an assertion of ChatGPT is taken once', async () => {
    const clientId = 'https://chatgpt.com/oauth/client.json'
    const form = {
      grant_type: 'refresh_token',
      refresh_token: 'x',
      client_id: clientId,
      ...assertion(clientId),
    }
    const answers = [await site.post('/token', form), await site.post('/token', form)]
    expect(answers.map(({ body }) => (body as Json)['error'])).toEqual(['invalid_grant', 'invalid_client'])
  })
})

test('two processes of Claude Code that renew one token at once both stay connected', async () => {
  const client = mcpClient('Claude Code')
  const connected = await connect(client, 'document', 'http://localhost:54212/callback')
  const answers = await Promise.all([
    renew(client, connected),
    renew(client, connected),
    renew(client, connected),
  ])
  const renewed = answers.map((answer) => tokensOf(answer, client))
  expect(new Set(renewed.map(({ refresh_token: token }) => token)).size).toBe(1)
  expect(
    await Promise.all(renewed.map(async (tokens) => (await site.call(tokens.access_token)).status)),
  ).toEqual([200, 200, 200])
})

test('a client that still asks at the root of the site, without a resource, finds the same server', async () => {
  const [root, alias] = await Promise.all(
    ['oauth-protected-resource', 'openid-configuration'].map(async (name) =>
      answerOf(await fetch(`${site.url}/.well-known/${name}`)),
    ),
  )
  expect(root).toMatchObject({ status: 200, body: { authorization_servers: [site.issuer] } })
  expect(alias).toMatchObject({
    status: 200,
    body: { issuer: site.issuer, token_endpoint: `${site.url}/token` },
  })
  const start = authorizationUrl(site.url, 'Codex public', pkce().challenge, {
    redirect_uri: 'http://127.0.0.1:1455/callback/7Q2m',
  })
  expect((await site.browser().request(start)).status).toBe(302)
})

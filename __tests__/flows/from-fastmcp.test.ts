// Every example of docs/from-fastmcp.md runs, with real tokens over real HTTP, and does what the one that it stands for does.
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import {
  Client,
  InsufficientScopeError,
  StreamableHTTPClientTransport,
  UnauthorizedError,
} from '@modelcontextprotocol/client'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as HttpV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import type { McpServer } from '@modelcontextprotocol/server'
import { afterEach, beforeEach, describe, expect, it, jest, test } from '@jest/globals'
import type { Express } from 'express'
import { JWTVerifier } from 'express-mcp-auth'
import type { OAuthOptions } from 'express-mcp-auth/client'
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import { SignJWT } from 'jose'
import { createApp } from '../../examples/fastmcp/server.js'
import { reservePort, startAuthorizationSite } from '../support/authorization-server.js'
import { Browser } from '../support/browser-session.js'
import { startIdentityProvider } from '../support/identity-provider.js'
import {
  ISSUER,
  RESOURCE,
  type Stub,
  createKey,
  createToken,
  jsonAnswer,
  startKeySet,
  startStub,
} from '../support/issuer.js'
import { type McpClient, connectV1, connectV2Auto } from '../support/mcp-clients.js'
import { HeadlessOAuthClient } from '../support/oauth-client.js'
import { startServer } from '../support/site.js'

const METADATA = 'https://api.example.com/.well-known/oauth-protected-resource/mcp'

const environment = { ...process.env }
const opened: (() => Promise<unknown>)[] = []

beforeEach(() => {
  // Some examples have no discovery, and say so once.
  jest.spyOn(process, 'emitWarning').mockReturnValue()
  // The SDK says aloud that tokens are refused, which is meant here.
  jest.spyOn(console, 'warn').mockReturnValue()
})

afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
  jest.restoreAllMocks()
  process.env = { ...environment }
})

interface Example {
  readonly app: Express
  readonly token?: string
}

function load<Exports = Example>(name: string, env: Record<string, string> = {}): Promise<Exports> {
  Object.assign(process.env, env)
  return import(`../../examples/fastmcp/${name}.js`) as Promise<Exports>
}

/** Starts the server of an example; the URL of its MCP endpoint. */
async function serve(name: string, env: Record<string, string> = {}, port = 0): Promise<string> {
  const { app } = await load(name, env)
  const server = await startServer(app, port)
  opened.push(server.close)
  return `${server.url}/mcp`
}

/** Connects with a token, as either SDK does. */
async function connect(url: string, token: string, by = connectV2Auto): Promise<McpClient> {
  const client = await by(url, token)
  opened.push(client.close)
  return client
}

/** A call of a tool without an SDK. */
async function post(
  url: string,
  headers: Record<string, string>,
  name = 'whoami',
  args: Record<string, unknown> = {},
): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...headers,
    },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name, arguments: args },
    }),
  })
}

/** What a tool answered to such a call, as JSON. */
async function answerOf(response: Response): Promise<unknown> {
  const text = await response.text()
  const line = /^(?:data: )?(\{"(?:result|jsonrpc).*)$/m.exec(text)?.[1] ?? ''
  const message = JSON.parse(line) as { result: { content: { text: string }[] } }
  return JSON.parse(message.result.content[0]!.text)
}

async function challengeOf(response: Response): Promise<[status: number, challenge: string | null]> {
  await response.arrayBuffer()
  return [response.status, response.headers.get('www-authenticate')]
}

/** A JWT by shared secret. */
function sign(secret: string, claims: Record<string, unknown> = {}): Promise<string> {
  return new SignJWT({ iss: 'your-auth-service', aud: 'fastmcp-server', sub: 'alice', ...claims })
    .setProtectedHeader({ alg: 'HS256', typ: 'at+jwt' })
    .setIssuedAt()
    .setExpirationTime((claims['exp'] as number | undefined) ?? '1h')
    .sign(Buffer.from(secret))
}

const UNSECRET = 'jwt-secret that is no secret any more'

test('jwt-secret: JWTs by shared secret, for this audience by this issuer', async () => {
  const secret = 'another secret, of 32 bytes or more'
  const url = await serve('jwt-secret', { JWT_SECRET: secret })
  for (const by of [connectV1, connectV2Auto]) {
    const client = await connect(url, await sign(secret), by)
    expect(await client.call('protected_operation', { data: 'test' })).toBe('Processed: test')
  }
  expect(await challengeOf(await post(url, {}))).toEqual([401, 'Bearer'])
  for (const claims of [{ aud: 'other' }, { iss: 'other' }, { exp: 1 }]) {
    const refused = await post(url, { authorization: `Bearer ${await sign(secret, claims)}` })
    expect(await challengeOf(refused)).toEqual([401, expect.stringContaining('error="invalid_token"')])
  }
})

test('static-tokens: each token is who it says, and may do what it says', async () => {
  const url = await serve('static-tokens')
  const admin = await connect(url, 'admin-token-123')
  const reader = await connect(url, 'readonly-token-789')
  expect(await admin.call('write_data', { content: 'x' })).toBe('Wrote: x')
  expect(await reader.call('read_data')).toBe('{"data":"public information"}')
  await expect(reader.call('write_data', { content: 'x' })).rejects.toBeInstanceOf(InsufficientScopeError)
  const refused = await post(url, { authorization: 'Bearer readonly-token-789' }, 'write_data', {
    content: 'x',
  })
  expect(await challengeOf(refused)).toEqual([403, expect.stringContaining('scope="read write"')])
  expect((await post(url, { authorization: 'Bearer guessed' })).status).toBe(401)
})

test('oauth-tokens: opaque to us, known to the authorization server, and found by discovery', async () => {
  const site = await startAuthorizationSite({
    scopesSupported: ['mcp:access'],
    clients: [
      {
        clientId: 'your-oauth-client-id',
        clientSecret: 'your-oauth-client-secret',
        grantTypes: ['client_credentials'],
      },
    ],
  })
  opened.push(site.close)
  const url = await serve('oauth-tokens', { ISSUER: site.issuer, BASE_URL: site.issuer })
  const { body } = await site.post('/token', {
    grant_type: 'client_credentials',
    client_id: 'your-oauth-client-id',
    client_secret: 'your-oauth-client-secret',
    scope: 'mcp:access',
  })
  const { access_token: token } = body as { access_token: string }
  const client = await connect(url, token)
  expect(await client.call('oauth_protected_tool', { query: 'hello' })).toBe('Query result: hello')
  expect(await challengeOf(await post(url, {}))).toEqual([
    401,
    `Bearer scope="mcp:access", resource_metadata="${site.issuer}/.well-known/oauth-protected-resource/mcp"`,
  ])
  const metadata = await fetch(new URL('/.well-known/oauth-protected-resource/mcp', url))
  expect(await metadata.json()).toMatchObject({ authorization_servers: [site.issuer] })
  expect((await post(url, { authorization: `Bearer ${token}x` })).status).toBe(401)
})

test('remote-service: it is asked with the key of this server, and its outage is no refusal', async () => {
  const service = await startStub(jsonAnswer({ sub: 'alice', client_id: 'desktop', scope: 'read' }))
  opened.push(service.close)
  const url = await serve('remote-service', { VERIFY_URL: `${service.url}/verify` })
  const client = await connect(url, 'opaque')
  expect(await client.call('external_auth_tool', { input_data: 'x' })).toBe('Processed with external auth: x')
  expect(service.requests[0]).toMatchObject({
    method: 'POST',
    url: '/verify',
    headers: { 'x-service-key': 'your-service-key', 'content-type': 'application/json' },
    body: '{"token":"opaque"}',
  })
  service.answer = jsonAnswer({}, {}, 403)
  expect((await post(url, { authorization: 'Bearer unknown' })).status).toBe(401)
  service.answer = jsonAnswer({}, {}, 500)
  expect(await challengeOf(await post(url, { authorization: 'Bearer other' }))).toEqual([503, null])
})

test('scopes: each tool needs its own, and the caller is known', async () => {
  const url = await serve('scopes')
  const writer = await connect(url, await sign(UNSECRET, { scope: 'read write' }))
  expect(await writer.call('read_users')).toBe('[{"id":1,"name":"Alice"},{"id":2,"name":"Bob"}]')
  expect(JSON.parse(await writer.call('create_user', { name: 'Eve', email: 'eve@example.com' }))).toEqual({
    id: 123,
    name: 'Eve',
    email: 'eve@example.com',
    created: '2024-01-01T00:00:00Z',
  })
  await expect(writer.call('delete_user', { user_id: 7 })).rejects.toBeInstanceOf(InsufficientScopeError)
  const admin = await connect(url, await sign(UNSECRET, { scope: 'admin' }))
  expect(await admin.call('delete_user', { user_id: 7 })).toBe('User 7 deleted')
  const exp = Math.floor(Date.now() / 1000) + 60
  const other = await connect(url, await sign(UNSECRET, { scope: 'read', exp }))
  expect(JSON.parse(await other.call('get_user_info'))).toEqual({
    user_id: 'alice',
    token_type: 'Bearer',
    scopes: ['read'],
    expires_at: new Date(exp * 1000).toISOString(),
  })
})

test('custom-provider: an API key or a JWT, and the headers of the request', async () => {
  const url = await serve('custom-provider')
  const byKey = await post(
    url,
    { 'x-api-key': 'key-123', 'user-agent': 'curl', 'x-forwarded-for': '192.0.2.1' },
    'auth_demo',
  )
  expect(await answerOf(byKey)).toEqual({
    authentication: {
      user_id: 'service_account',
      token_type: 'api_key',
      scopes: ['read', 'write'],
      is_expired: false,
      metadata: { name: 'Service Account' },
    },
    request_info: { user_agent: 'curl', ip_address: '192.0.2.1', timestamp: expect.any(String) },
  })
  const byToken = await connect(url, await sign(UNSECRET, { scope: 'read' }))
  expect(JSON.parse(await byToken.call('auth_demo'))).toMatchObject({
    authentication: { user_id: 'alice', token_type: 'Bearer', scopes: ['read'], metadata: { sub: 'alice' } },
  })
  const wrong = await post(url, { 'x-api-key': 'guessed' }, 'auth_demo')
  expect([wrong.status, await wrong.json()]).toEqual([
    401,
    { error: 'invalid_token', error_description: 'This API key is not known' },
  ])
  expect(await challengeOf(await post(url, {}, 'auth_demo'))).toEqual([401, 'Bearer'])
})

test('scope-validation: what a tool finds missing is told to the model', async () => {
  const url = await serve('scope-validation')
  const client = await connect(url, 'user-token-456')
  expect(await client.call('open_room', { room: 'blue' })).toBe('The blue room is open')
  expect(await client.call('open_room', { room: 'red' })).toBe('Missing scopes: rooms:red')
})

describe('tokens of an issuer that publishes its keys', () => {
  const key = createKey()
  const token = createToken(key, { sub: 'alice', scope: 'read mcp:use' })

  async function publish(): Promise<Record<string, string>> {
    const keys = await startKeySet(key)
    opened.push(keys.close)
    return { ISSUER, JWKS_URI: `${keys.url}/jwks` }
  }

  it('jwks: are verified', async () => {
    const url = await serve('jwks', await publish())
    expect(await (await connect(url, token)).call('whoami')).toBe('alice')
    const refused = await post(url, { authorization: `Bearer ${createToken(key, { aud: 'other' })}` })
    expect(refused.status).toBe(401)
    const scopeless = await post(url, { authorization: `Bearer ${createToken(key)}` })
    expect(await challengeOf(scopeless)).toEqual([403, expect.stringContaining('scope="read"')])
  })

  it('remote-auth: and clients learn whose they are', async () => {
    const url = await serve('remote-auth', await publish())
    expect(await (await connect(url, token)).call('whoami')).toBe('alice')
    expect(await challengeOf(await post(url, {}))).toEqual([401, `Bearer resource_metadata="${METADATA}"`])
    const metadata = await fetch(new URL('/.well-known/oauth-protected-resource/mcp', url))
    expect(await metadata.json()).toEqual({
      resource: RESOURCE,
      authorization_servers: [ISSUER],
      scopes_supported: ['read', 'write'],
      bearer_methods_supported: ['header'],
      resource_name: 'Company API',
    })
  })

  it('authkit: by its domain alone', async () => {
    const domain = await startKeySet(key)
    opened.push(domain.close)
    const url = await serve('authkit', { AUTHKIT_DOMAIN: domain.url })
    const mine = createToken(key, { iss: domain.url, sub: 'alice' })
    expect(await (await connect(url, mine)).call('whoami')).toBe('alice')
    expect(domain.requests.map(({ url: path }) => path)).toContain('/oauth2/jwks')
    expect((await post(url, { authorization: `Bearer ${token}` })).status).toBe(401)
  })

  it('multi-auth: beside keys, which nobody else gets to see', async () => {
    const published = await publish()
    const url = await serve('multi-auth', published)
    expect(await (await connect(url, token)).call('whoami')).toBe('client-1')
    expect(await (await connect(url, 'sk_backup')).call('whoami')).toBe('backup')
    expect((await post(url, { authorization: 'Bearer sk_guessed' })).status).toBe(401)
  })

  it('environment: as its variables say', async () => {
    const { JWKS_URI } = await publish()
    const url = await serve('environment', {
      MCP_AUTH_PROVIDER: 'jwt',
      MCP_AUTH_JWKS_URI: JWKS_URI!,
      MCP_AUTH_ISSUER: ISSUER,
      MCP_AUTH_AUDIENCE: RESOURCE,
    })
    expect(await (await connect(url, token)).call('whoami')).toBe('alice')
  })
})

/** The whole way of a client that signs somebody in, by the SDK's own means. */
async function signIn(url: string): Promise<McpClient['call']> {
  const oauth = new HeadlessOAuthClient()
  const client = new Client({ name: 'client', version: '1.0.0' })
  const first = new StreamableHTTPClientTransport(new URL(url), { authProvider: oauth })
  await expect(client.connect(first)).rejects.toThrow('Unauthorized')
  await first.finishAuth(oauth.callback)
  await client.connect(new StreamableHTTPClientTransport(new URL(url), { authProvider: oauth }))
  opened.push(() => client.close())
  return async (name, args = {}) => {
    const { content } = await client.callTool({ name, arguments: args })
    return content.map((block) => (block.type === 'text' ? block.text : '')).join('')
  }
}

test('oauth-server: a client registers, a person signs in, and a tool knows who it is', async () => {
  const port = await reservePort()
  const url = await serve('oauth-server', { BASE_URL: `http://127.0.0.1:${port}` }, port)
  const call = await signIn(url)
  expect(await call('whoami')).toBe('id-ada')
})

test('oauth-proxy: people sign in upstream, and clients get tokens of ours', async () => {
  const port = await reservePort()
  const baseUrl = `http://127.0.0.1:${port}`
  const idp = await startIdentityProvider({
    redirectUri: `${baseUrl}/auth/callback`,
    clientId: 'app',
    clientSecret: 'a secret of the app',
    accessTokens: 'jwt',
    defaultAudience: 'notes',
    resources: 'refuse',
  })
  opened.push(idp.close)
  const url = await serve('oauth-proxy', { UPSTREAM: idp.issuer, BASE_URL: baseUrl }, port)
  const call = await signIn(url)
  expect(JSON.parse(await call('whoami'))).toEqual({ user: 'idp|ada', upstream: 'string' })
})

test('key-pair: tokens for tests', async () => {
  const { token } = await load('key-pair')
  const url = await serve('key-pair')
  const client = await connect(url, token!)
  expect(JSON.parse(await client.call('whoami'))).toMatchObject({
    sub: 'fastmcp-user',
    scope: 'read write',
    role: 'tester',
  })
  const { kid } = JSON.parse(Buffer.from(token!.split('.')[0]!, 'base64url').toString()) as { kid: string }
  expect(kid).toBe('test-key')
})

describe('clients', () => {
  const PUBLIC = '{"data":"public information"}'
  type Client<More extends unknown[] = []> = (url: string, ...more: More) => Promise<string>

  /** Something that hands out tokens for refresh tokens. */
  async function startRefresher(token: string): Promise<Stub> {
    const refresher = await startStub(jsonAnswer({ access_token: token }))
    opened.push(refresher.close)
    return refresher
  }

  it('bearer-client: calls with a token that is known', async () => {
    const { bearerAuthClient } = await load<{ bearerAuthClient: Client }>('bearer-client')
    expect(await bearerAuthClient(await serve('static-tokens'))).toBe(PUBLIC)
  })

  it('manual-client: calls with a token of a system of yours', async () => {
    const { manualTokenClient } = await load<{ manualTokenClient: Client<[() => Promise<string>]> }>(
      'manual-client',
    )
    const url = await serve('static-tokens')
    expect(await manualTokenClient(url, () => Promise.resolve('admin-token-123'))).toBe(PUBLIC)
    await expect(manualTokenClient(url, () => Promise.resolve('guessed'))).rejects.toBeInstanceOf(
      UnauthorizedError,
    )
  })

  it('oauth-client: gets a token at the token URL once, and calls with it', async () => {
    const key = createKey()
    const keys = await startKeySet(key)
    const token = createToken(key, { aud: RESOURCE, scope: 'mcp:access read' })
    const tokens = await startStub(jsonAnswer({ access_token: token, token_type: 'Bearer', expires_in: 600 }))
    opened.push(keys.close, tokens.close)
    const TOKEN_URL = `${tokens.url}/token`
    const { oauthClient, accessToken } = await load<{
      oauthClient: Client
      accessToken: () => Promise<string>
    }>('oauth-client', { TOKEN_URL })
    const tool = (mcp: McpServer): void => {
      mcp.registerTool('oauth_protected_tool', {}, () => ({ content: [{ type: 'text', text: 'done' }] }))
    }
    const jwt = new JWTVerifier({ jwksUri: `${keys.url}/jwks`, issuer: ISSUER, audience: RESOURCE })
    const server = await startServer(createApp('Guarded', jwt, tool))
    opened.push(server.close)

    expect(await oauthClient(`${server.url}/mcp`)).toBe('done')
    expect(await accessToken()).toBe(token)
    expect(tokens.requests).toHaveLength(1)
    const [{ headers, body }] = tokens.requests as [(typeof tokens.requests)[0]]
    expect(headers.authorization).toBe(`Basic ${Buffer.from('client-id:client-secret').toString('base64')}`)
    expect(Object.fromEntries(new URLSearchParams(body))).toEqual({
      grant_type: 'client_credentials',
      scope: 'mcp:access',
      audience: RESOURCE,
    })
  })

  it('sign-in-client: somebody signs in once, and is not asked again', async () => {
    const { signInClient } = await load<{ signInClient: Client<[Partial<OAuthOptions>]> }>('sign-in-client')
    const port = await reservePort()
    jest.resetModules()
    const url = await serve('oauth-server', { BASE_URL: `http://127.0.0.1:${port}` }, port)
    let opens = 0
    const openBrowser = async (address: URL): Promise<void> => {
      opens++
      const destination = address.searchParams.get('redirect_uri')!
      await fetch(await new Browser().grant(address, destination, 'ada'))
    }
    const store = new MemoryStore()
    expect(await signInClient(url, { openBrowser, store })).toBe('id-ada')
    expect(await signInClient(url, { openBrowser, store })).toBe('id-ada')
    expect(opens).toBe(1)
  })

  it('error-handling: gets another token where the first is refused, and not where there is an outage', async () => {
    const refresher = await startRefresher('user-token-456')
    const { robustAuthClient } = await load<{ robustAuthClient: Client }>('error-handling', {
      REFRESH_URL: `${refresher.url}/refresh`,
    })
    expect(await robustAuthClient(await serve('static-tokens'))).toBe(PUBLIC)
    expect(refresher.requests).toEqual([
      expect.objectContaining({ url: '/refresh', body: '{"refresh_token":"stored-refresh-token"}' }),
    ])
    const away = await startStub(jsonAnswer({ error: 'temporarily_unavailable' }, {}, 503))
    opened.push(away.close)
    await expect(robustAuthClient(`${away.url}/mcp`)).rejects.toThrow('temporarily_unavailable')
    expect(refresher.requests).toHaveLength(1)
  })

  it('token-source: does so by itself, for a client of SDK v1 as well', async () => {
    const refresher = await startRefresher('user-token-456')
    const { withToken } = await load<{ withToken: typeof fetch }>('token-source', {
      REFRESH_URL: `${refresher.url}/refresh`,
    })
    const client = new ClientV1({ name: 'v1', version: '1.0.0' })
    await client.connect(new HttpV1(new URL(await serve('static-tokens')), { fetch: withToken }))
    opened.push(() => client.close())
    expect(await client.callTool({ name: 'read_data' })).toMatchObject({ content: [{ text: PUBLIC }] })
    expect(refresher.requests).toHaveLength(1)
  })

  it('token-management: the environment, else a file, else an error', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'from-fastmcp-'))
    opened.push(async () => rmSync(directory, { recursive: true }))
    const TOKEN_FILE = join(directory, 'token')
    const { secureTokenClient } = await load<{ secureTokenClient: Client }>('token-management', {
      TOKEN_FILE,
    })
    const url = await serve('static-tokens')
    expect(() => secureTokenClient(url)).toThrow('There is no access token: set MCP_AUTH_TOKEN')
    writeFileSync(TOKEN_FILE, 'user-token-456\n', { mode: 0o600 })
    expect(await secureTokenClient(url)).toBe(PUBLIC)
    process.env['MCP_AUTH_TOKEN'] = 'guessed'
    await expect(secureTokenClient(url)).rejects.toBeInstanceOf(UnauthorizedError)
  })
})

test('each of the examples is run here', () => {
  const source = readFileSync(new URL(import.meta.url), 'utf8')
  const names = readdirSync(new URL('../../examples/fastmcp/', import.meta.url)).map((file) =>
    file.slice(0, -3),
  )
  expect(
    names.filter(
      (name) => !['server', 'client'].includes(name) && !new RegExp(`\\(\\s*'${name}'`).test(source),
    ),
  ).toEqual([])
})

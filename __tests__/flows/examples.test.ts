// Every file in examples/ runs and does what it says: one call that is refused, one that is answered, and what it is about.
import { once } from 'node:events'
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { InsufficientScopeError, auth } from '@modelcontextprotocol/client'
import { StreamableHTTPError } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { afterEach, beforeEach, expect, jest, test } from '@jest/globals'
import { Credentials, REDIRECT_URI } from '../../demo/credentials.js'
import { Person } from '../../demo/person.js'
import { ISSUER, RESOURCE, type Stub, createKey, createToken, startKeySet } from '../support/issuer.js'
import { Browser, formOf } from '../support/browser-session.js'
import { startIdentityProvider } from '../support/identity-provider.js'
import { type McpClient, connectV1, connectV2, connectV2Auto } from '../support/mcp-clients.js'
import { freePort, startProgram } from '../support/process.js'
import {
  type Service,
  describeWithPostgres,
  describeWithRedis,
  startPostgres,
  startRedis,
} from '../support/services.js'
import { refusalOf } from '../support/site.js'

const folder = new URL('../../examples/', import.meta.url)
const METADATA = 'https://api.example.com/.well-known/oauth-protected-resource/mcp'
const DESCRIPTION = 'Authentication is required: send "Authorization: Bearer <access token>"'

const key = createKey()
const jwt = createToken(key, { sub: 'alice', client_id: 'desktop', scope: 'mcp:use' })
let keys: Stub

const environment = { ...process.env }
const opened: (() => Promise<unknown>)[] = []

beforeEach(async () => {
  keys = await startKeySet(key)
  opened.push(keys.close)
  // A guard over a bare verifier says once that clients are not told where to get a token: known, and meant so here.
  const { emitWarning } = process
  jest.spyOn(process, 'emitWarning').mockImplementation((...args: unknown[]) => {
    const [, options] = args as [unknown, { code?: string } | undefined]
    if (options?.code !== 'MCP_AUTH_NO_DISCOVERY') Reflect.apply(emitWarning, process, args)
  })
})

afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
  jest.restoreAllMocks()
  process.env = { ...environment }
})

/** Names of all examples but those that `testing/recipes` and `flows/client-examples` run. */
function listExamples(): string[] {
  return readdirSync(folder)
    .filter((file) => file.endsWith('.ts') && !/^(?:testing|client)-/.test(file))
    .map((file) => file.slice(0, -'.ts'.length))
}

/** An example that runs in this process. */
interface Running {
  /** Of its MCP endpoint. */
  readonly url: string
  readonly server: Server
}

async function run(name: string, path = '/mcp', env: Record<string, string> = {}): Promise<Running> {
  Object.assign(process.env, {
    PORT: '0',
    BASE_URL: 'https://api.example.com',
    ISSUER,
    JWKS_URI: `${keys.url}/jwks`,
    ...env,
  })
  const printed = new Promise((resolve) => {
    jest.spyOn(console, 'log').mockImplementation(resolve)
  })
  const { server } = (await import(`../../examples/${name}.js`)) as { server: Server }
  opened.push(() => stop(server))
  expect(await printed).toMatch(new RegExp(`${path} takes .*`))
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`, server }
}

async function stop(server: Server): Promise<void> {
  if (!server.listening) return
  const closed = once(server, 'close')
  server.close()
  server.closeAllConnections()
  await closed
}

async function connect(connectClient: typeof connectV1, url: string, token: string): Promise<McpClient> {
  const client = await connectClient(url, token)
  opened.push(client.close)
  return client
}

function post(url: string, headers: Record<string, string> = {}): Promise<Response> {
  return fetch(url, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      ...headers,
    },
    body: '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"whoami"}}',
  })
}

/** The refusal of a call without credentials. */
async function expectRefusal(url: string, challenge: string): Promise<void> {
  expect(await refusalOf(await post(url))).toEqual({
    status: 401,
    challenge,
    body: { error_description: DESCRIPTION },
    cache: 'no-store',
    vary: 'Authorization',
  })
}

const checks: Record<string, () => Promise<void>> = {
  async 'quick-start'() {
    const { url } = await run('quick-start')
    await expectRefusal(url, `Bearer scope="mcp:use", resource_metadata="${METADATA}"`)
    expect(await (await connect(connectV1, url, jwt)).call('whoami')).toBe('alice')
    expect(await (await connect(connectV2Auto, url, jwt)).call('whoami')).toBe('alice')
    expect((await fetch(url, { headers: { authorization: `Bearer ${jwt}` } })).status).toBe(405)
  },

  async 'sdk-v1-stateful'() {
    const { url } = await run('sdk-v1-stateful')
    await expectRefusal(url, 'Bearer')
    const alice = await connect(connectV1, url, 'dev-token-alice')
    const bob = await connect(connectV2, url, 'dev-token-bob')
    await alice.call('remember', { word: 'tea' })
    await bob.call('remember', { word: 'cup' })

    const stolen = await post(url, {
      authorization: 'Bearer dev-token-bob',
      'mcp-session-id': alice.sessionId!,
    })
    const unknown = await post(url, {
      authorization: 'Bearer dev-token-bob',
      'mcp-session-id': 'of nobody',
    })

    expect([stolen.status, unknown.status]).toEqual([404, 404])
    expect(await alice.call('remember', { word: 'pot' })).toBe('dev: tea, pot')
  },

  async 'sdk-v1-sse'() {
    const { url } = await run('sdk-v1-sse', '/sse')
    const refused = await fetch(url)
    expect([refused.status, refused.headers.get('www-authenticate')]).toEqual([401, 'Bearer'])
    const alice = await connect(connectV1, url, 'dev-token-alice')
    expect(await alice.call('whoami')).toBe('dev')
    const messages = alice.postedTo()

    const answers = [
      await post(messages, { authorization: 'Bearer dev-token-bob' }),
      await post(new URL('/messages', url).href, { authorization: 'Bearer dev-token-alice' }),
      await post(messages, { authorization: 'Bearer dev-token-alice' }),
    ]

    expect(answers.map(({ status }) => status)).toEqual([404, 404, 202])
    expect((await post(messages)).status).toBe(401)
  },

  async 'sdk-v2'() {
    const { url } = await run('sdk-v2')
    await expectRefusal(url, 'Bearer scope="notes:read"')
    const reader = await connect(connectV1, url, 'dev-token-reader')
    const modernReader = await connect(connectV2Auto, url, 'dev-token-reader')
    const writer = await connect(connectV2Auto, url, 'dev-token-writer')

    expect([reader.protocolVersion, writer.protocolVersion]).toEqual(['2025-11-25', '2026-07-28'])
    await expect(reader.call('add_note', { text: 'No' })).rejects.toBeInstanceOf(StreamableHTTPError)
    await expect(modernReader.call('add_note', { text: 'No' })).rejects.toBeInstanceOf(InsufficientScopeError)
    expect(await writer.call('add_note', { text: 'Sell eggs' })).toBe('Added for writer')
    expect(await reader.call('list_notes')).toBe('Buy milk\nSell eggs')
  },

  async 'sdk-v2-stateful'() {
    const { url } = await run('sdk-v2-stateful')
    await expectRefusal(url, 'Bearer')
    const alice = await connect(connectV2, url, 'dev-token-alice')
    expect((await alice.stream).status).toBe(200)
    const told = alice.notified('notifications/resources/list_changed')
    expect(await alice.call('add_note', { name: 'milk', text: 'Buy milk' })).toBe('Added for dev')
    await told
    expect(await alice.listResources()).toEqual(['note:milk'])

    const stolen = await post(url, {
      authorization: 'Bearer dev-token-bob',
      'mcp-session-id': alice.sessionId!,
    })

    expect(stolen.status).toBe(404)
    expect(await (await connect(connectV1, url, 'dev-token-bob')).listResources()).toEqual([])
  },

  async 'api-key-beside-jwt'() {
    const { url } = await run('api-key-beside-jwt')
    await expectRefusal(url, `Bearer scope="mcp:use", resource_metadata="${METADATA}"`)
    const wrong = await refusalOf(await post(url, { 'x-api-key': 'guessed' }))
    expect(wrong).toMatchObject({
      status: 401,
      body: { error: 'invalid_token', error_description: 'This API key is not known' },
    })
    const byKey = await post(url, { 'x-api-key': 'dev-key-of-reports' })
    expect([byKey.status, await byKey.text()]).toEqual([200, expect.stringContaining('"text":"reports"')])
    expect(await (await connect(connectV2Auto, url, jwt)).call('whoami')).toBe('desktop')
  },

  async 'multi-auth'() {
    const { url } = await run('multi-auth')
    await expectRefusal(url, `Bearer scope="mcp:use", resource_metadata="${METADATA}"`)
    expect((await post(url, { authorization: 'Bearer sk_guessed' })).status).toBe(401)
    expect(keys.requests).toEqual([])
    expect(await (await connect(connectV2Auto, url, 'sk_dev-token-of-backup')).call('whoami')).toBe('backup')
    expect(await (await connect(connectV2Auto, url, jwt)).call('whoami')).toBe('desktop')
  },

  async 'oauth-provider'() {
    const { seen } = await checkSignIn('oauth-provider', {}, 'mcp:use')
    expect(seen).toEqual([
      '/sign-in "Sign in": ada types name and password',
      '/consent "Tour asks for access", to Use your account: ada allows it',
    ])
  },

  async 'oauth-app-session'() {
    const { seen, url } = await checkSignIn('oauth-app-session', {})
    expect(seen).toEqual([
      '/login "My app": ada types name and password',
      expect.stringMatching(/^\/consent "Tour asks for access"/),
    ])
    const body = new URLSearchParams({ username: 'ada', password: 'analytical' })
    const login = new URL('/login?returnTo=https://evil.example/', url)
    const sent = await fetch(login, { method: 'POST', body, redirect: 'manual' })
    expect([sent.status, sent.headers.get('location')]).toEqual([303, '/'])
  },

  async 'in-memory'() {
    const { seen } = await checkSignIn('in-memory', {}, 'mcp:use')
    expect(seen).toEqual([])
  },

  async oidc() {
    const { seen } = await checkBridge('oidc', {
      env: ({ configUrl }) => ({ CONFIG_URL: configUrl }),
      who: 'idp|ada, Ada Lovelace',
    })
    expect(seen).toEqual([
      '/consent "Tour asks for access", to Know who you are; See your name and profile: ada allows it',
      expect.stringMatching(
        /^\/interaction\/[\w-]+ "Sign in to Example Company": ada types name and password$/,
      ),
      expect.stringMatching(/^\/interaction\/[\w-]+ "Example Company asks you", to .*: ada allows it$/),
    ])
  },

  async 'identity-provider'() {
    await checkBridge('identity-provider', { env: ({ issuer }) => ({ EXAMPLE_URL: issuer }), who: 'idp|ada' })
  },

  github: () =>
    checkDeparture('github', {
      env: { GITHUB_CLIENT_ID: 'app', GITHUB_CLIENT_SECRET: 'secret' },
      scope: 'read:user',
      leavesFor: 'https://github.com/login/oauth/authorize',
      asks: { scope: 'read:user' },
    }),

  google: () =>
    checkDeparture('google', {
      env: { GOOGLE_CLIENT_ID: 'app', GOOGLE_CLIENT_SECRET: 'secret' },
      scope: 'openid email',
      leavesFor: 'https://accounts.google.com/o/oauth2/v2/auth',
      asks: {
        scope: 'openid email',
        access_type: 'offline',
        prompt: 'consent',
        hd: 'example.com',
        nonce: RANDOM,
      },
    }),

  azure: () =>
    checkDeparture('azure', {
      env: AZURE,
      scope: 'mcp.use',
      leavesFor: `https://login.microsoftonline.com/${AZURE.AZURE_TENANT_ID}/oauth2/v2.0/authorize`,
      asks: { scope: 'api://app/mcp.use offline_access' },
    }),

  'on-behalf-of': () =>
    checkDeparture('on-behalf-of', {
      env: AZURE,
      scope: 'mcp.use',
      leavesFor: `https://login.microsoftonline.com/${AZURE.AZURE_TENANT_ID}/oauth2/v2.0/authorize`,
      asks: { scope: 'api://app/mcp.use offline_access https://graph.microsoft.com/User.Read' },
    }),

  'bare-http': () => checkPlain('bare-http'),
  connect: () => checkPlain('connect'),
  'express-4': () => checkPlain('express-4'),

  async opentelemetry() {
    const { url, server } = await run('opentelemetry')
    await expectRefusal(url, 'Bearer')
    const answered = await post(url, { authorization: 'Bearer dev-token' })
    expect(await answered.text()).toContain('"text":"dev"')

    const exported = new Promise((resolve) => {
      jest.spyOn(console, 'dir').mockImplementation(resolve)
    })
    await stop(server)

    const { descriptor, dataPoints } = (await exported) as {
      descriptor: { name: string }
      dataPoints: { attributes: Record<string, unknown>; value: number }[]
    }
    expect(descriptor.name).toBe('mcp.auth.requests')
    expect(dataPoints.map(({ attributes, value }) => ({ ...attributes, value }))).toEqual([
      { decision: 'refused', status: 401, stage: 'credentials', value: 1 },
      { decision: 'allowed', cached: true, value: 1 },
    ])
  },

  async 'from-env'() {
    const url = await runAlone('from-env', {
      MCP_AUTH_PROVIDER: 'jwt',
      MCP_AUTH_BASE_URL: 'https://api.example.com',
      MCP_AUTH_JWKS_URI: `${keys.url}/jwks`,
      MCP_AUTH_ISSUER: ISSUER,
      MCP_AUTH_AUDIENCE: RESOURCE,
      MCP_AUTH_REQUIRED_SCOPES: 'mcp:use',
    })
    await expectRefusal(url, `Bearer scope="mcp:use", resource_metadata="${METADATA}"`)
    expect(await (await connect(connectV2Auto, url, jwt)).call('whoami')).toBe('desktop')
  },
}

/** Examples with a service that is not on every machine. */
const served: Record<string, () => Promise<void>> = {
  async 'oauth-redis'() {
    const { url } = await startBeside(startRedis)
    const STORE_KEY = 'another secret of thirty-two bytes or more'
    await checkSignIn('oauth-redis', { REDIS_URL: url, STORE_KEY })
  },

  async 'oauth-postgres'() {
    const { url } = await startBeside(startPostgres)
    await checkSignIn('oauth-postgres', { DATABASE_URL: url })
  },
}

async function startBeside(start: () => Promise<Service>): Promise<Service> {
  const service = await start()
  opened.push(service.stop)
  return service
}

/** For the examples that are their own authorization server. */
async function checkSignIn(name: string, env: Record<string, string>, scope?: string): Promise<Signed> {
  const own = await reserve()
  const { url } = await run(name, '/mcp', { ...own, ...env })
  return signIn(url, own.BASE_URL, new Visitor('analytical'), { scope, who: 'user-1' })
}

/** What an example that listens at a known place is started with. */
interface Reserved extends Record<string, string> {
  readonly PORT: string
  readonly BASE_URL: string
}

async function reserve(): Promise<Reserved> {
  const port = await freePort()
  const directory = mkdtempSync(join(tmpdir(), 'mcp-auth-example-'))
  opened.push(async () => rmSync(directory, { recursive: true }))
  return {
    PORT: String(port),
    BASE_URL: `http://127.0.0.1:${port}`,
    SECRET: 'a secret of thirty-two bytes or more',
    STORE: join(directory, 'store.sqlite'),
  }
}

/** Ada, and what she saw. */
class Visitor extends Person {
  readonly seen: string[]

  constructor(password: string) {
    const seen: string[] = []
    super('ada', password, (what) => seen.push(what))
    this.seen = seen
  }
}

/** The whole way of a client: refused, signed in by somebody, and answered. */
async function signIn(
  url: string,
  baseUrl: string,
  ada: Visitor,
  { scope, who }: { readonly scope: string | undefined; readonly who: string },
): Promise<Signed> {
  const scopes = scope === undefined ? '' : `scope="${scope}", `
  await expectRefusal(
    url,
    `Bearer ${scopes}resource_metadata="${baseUrl}/.well-known/oauth-protected-resource/mcp"`,
  )
  const credentials = new Credentials((address) => ada.follow(address, REDIRECT_URI))
  expect(await auth(credentials, { serverUrl: url })).toBe('REDIRECT')
  const back = await credentials.back()
  const [authorizationCode, iss] = [back.get('code')!, back.get('iss')!]
  expect(await auth(credentials, { serverUrl: url, authorizationCode, iss })).toBe('AUTHORIZED')
  const { access_token: token, refresh_token: refreshToken } = credentials.tokens()!
  expect(await (await connect(connectV2Auto, url, token)).call('whoami')).toBe(who)
  expect(refreshToken).toMatch(/./)
  return { seen: ada.seen, url }
}

type Double = Awaited<ReturnType<typeof startIdentityProvider>>

/** For the examples in front of an identity provider that may be any: one on this machine will do. */
async function checkBridge(
  name: string,
  { env, who }: { readonly env: (idp: Double) => Record<string, string>; readonly who: string },
): Promise<Signed> {
  const idp = await startIdentityProvider({ redirectUri: 'https://moved.example.com/' })
  opened.push(idp.close)
  // After it has taken a port: it could take this one.
  const own = await reserve()
  idp.redirectUri = `${own.BASE_URL}/auth/callback`
  const { clientId: CLIENT_ID, clientSecret: CLIENT_SECRET } = idp
  const { url } = await run(name, '/mcp', { ...own, CLIENT_ID, CLIENT_SECRET, ...env(idp) })
  return signIn(url, own.BASE_URL, new Visitor('ada!'), { scope: 'openid profile', who })
}

const AZURE = {
  AZURE_TENANT_ID: '5f0c1e5a-6f0e-4f7e-9d39-0d5f4a1f7b60',
  AZURE_CLIENT_ID: 'app',
  AZURE_CLIENT_SECRET: 'secret',
}
const RANDOM: unknown = expect.stringMatching(/^[\w-]{20,}$/)

interface Departure {
  readonly env: Record<string, string>
  /** Of the challenge. */
  readonly scope: string
  readonly leavesFor: string
  /** Beside what is in every request to an identity provider. */
  readonly asks: Readonly<Record<string, unknown>>
}

/** For the examples in front of an identity provider on the internet: everything until the browser leaves for it. */
async function checkDeparture(name: string, { env, scope, leavesFor, asks }: Departure): Promise<void> {
  const own = await reserve()
  const { BASE_URL: baseUrl } = own
  const { url } = await run(name, '/mcp', { ...own, ...env })
  const metadata = `${baseUrl}/.well-known/oauth-protected-resource/mcp`
  await expectRefusal(url, `Bearer scope="${scope}", resource_metadata="${metadata}"`)
  expect(await (await fetch(metadata)).json()).toMatchObject({
    resource: `${baseUrl}/mcp`,
    authorization_servers: [baseUrl],
  })
  const departures: URL[] = []
  const credentials = new Credentials(async (address) => {
    departures.push(await leave(address, leavesFor))
    return address
  })
  expect(await auth(credentials, { serverUrl: url })).toBe('REDIRECT')
  await credentials.back()
  const left = departures[0]!
  expect(left.origin + left.pathname).toBe(leavesFor)
  expect(Object.fromEntries(left.searchParams)).toEqual({
    response_type: 'code',
    client_id: 'app',
    redirect_uri: `${baseUrl}/auth/callback`,
    state: RANDOM,
    code_challenge: RANDOM,
    code_challenge_method: 'S256',
    ...asks,
  })
}

/** Opens an address and allows what is asked here. Returns where that leads; nobody goes there. */
async function leave(address: URL, destination: string): Promise<URL> {
  const browser = new Browser()
  const page = await browser.go(address, destination)
  expect([page.status, page.url.pathname]).toEqual([200, '/consent'])
  expect(page.html).toContain('Tour asks for access')
  const { action, fields } = formOf(page)
  const left = await browser.request(action, { ...fields, decision: 'allow' })
  expect(left.status).toBe(303)
  return new URL(left.headers.get('location')!)
}

/** What somebody saw who signed in. */
interface Signed {
  readonly seen: readonly string[]
  readonly url: string
}

/** For the examples that differ in what the guard is mounted on. */
async function checkPlain(name: string): Promise<void> {
  const { url } = await run(name)
  await expectRefusal(url, 'Bearer')
  expect((await post(url, { authorization: 'Bearer guessed' })).status).toBe(401)
  expect(await (await connect(connectV1, url, 'dev-token')).call('whoami')).toBe('dev')
  expect(await (await connect(connectV2Auto, url, 'dev-token')).call('whoami')).toBe('dev')
}

/** Runs an example as its readers do, in a process of its own. */
async function runAlone(name: string, env: Record<string, string>): Promise<string> {
  const port = await freePort()
  const program = startProgram(`examples/${name}.ts`, [], { PORT: String(port), ...env })
  opened.push(program.stop)
  await program.printed(new RegExp(`:${port}/mcp takes `))
  return `http://127.0.0.1:${port}/mcp`
}

test('each example is known here', () => {
  expect(listExamples().toSorted()).toEqual(Object.keys({ ...checks, ...served }).toSorted())
})

test.each(listExamples())('%s fits on a screen: less than 60 lines', (name) => {
  const lines = readFileSync(new URL(`${name}.ts`, folder), 'utf8')
    .trimEnd()
    .split('\n')

  expect(lines.length).toBeLessThan(60)
  expect(lines[0]).toMatch(/^\/\/ \S/)
})

test.each(Object.entries(checks))('%s refuses strangers and answers its users', async (_name, check) => {
  await check()
})

describeWithRedis('with Redis', () => {
  test.each(['oauth-redis'])('%s refuses strangers and answers its users', (name) => served[name]!())
})
describeWithPostgres('with PostgreSQL', () => {
  test.each(['oauth-postgres'])('%s refuses strangers and answers its users', (name) => served[name]!())
})

test('examples run from the command line, as they are, with tsx', async () => {
  const url = await runAlone('quick-start', { ISSUER, JWKS_URI: `${keys.url}/jwks` })
  const resource = url.replace('127.0.0.1', 'localhost')
  const token = createToken(key, { aud: resource, scope: 'mcp:use' })

  const metadata = resource.replace('/mcp', '/.well-known/oauth-protected-resource/mcp')
  await expectRefusal(url, `Bearer scope="mcp:use", resource_metadata="${metadata}"`)
  expect(await (await connect(connectV2, url, token)).call('whoami')).toBe('user-1')
})

test('an example without its environment says what is missing, and does not run', async () => {
  const program = startProgram('examples/from-env.ts', [], { PORT: '0' })
  opened.push(program.stop)

  expect(await program.ended).toBe(1)
  expect(program.output.stderr).toContain('MCP_AUTH_PROVIDER is missing: set it to one of jwt')
})

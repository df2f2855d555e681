// One replica of an app that is its own authorization server, or stands before an identity provider: a process of its own on a store that
// others share, with faults to order. It prints what happens to it, one line each.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import express from 'express'
import {
  type ConfiguredClient,
  type McpAuthOptions,
  OAuthProvider,
  OIDCProxy,
  type OIDCProxyOptions,
  type Store,
  getAccessToken,
  mcpAuth,
} from 'express-mcp-auth'
import type { RedisReply } from 'rate-limit-redis'
import { signIn } from './authorization-server.js'
import type { McpListener } from './mcp-servers.js'

/** How one replica is started, as JSON. */
export interface ReplicaSettings {
  readonly baseUrl: string
  readonly secret: string | readonly string[]
  /** `default` is the store in the project that it runs in. */
  readonly kind: 'sqlite' | 'redis' | 'postgres' | 'default'
  /** Path or URL of the store. */
  readonly address?: string
  /** 0 for any. */
  readonly port?: number
  /** SIGKILL before or after its n-th write, from 1. */
  readonly killed?: { readonly when: 'before' | 'after'; readonly nth: number }
  /** Writes to a collection wait until the process was told to end; `answers` are those of the identity provider. */
  readonly held?: string
  /** How far its clock is ahead, in milliseconds. */
  readonly ahead?: number
  /** How many times faster its clock and its timers run. */
  readonly pace?: number
  /** The identity provider that people sign in at. Absent: it knows them itself. */
  readonly upstream?: Pick<OIDCProxyOptions, 'configUrl' | 'clientId' | 'clientSecret' | 'timeoutSeconds'>
  readonly clients?: readonly ConfiguredClient[]
  /** Most requests in a minute to an endpoint, counted in a Redis. */
  readonly limit?: { readonly url: string; readonly requests: number }
}

const settings = JSON.parse(process.argv[2] as string) as ReplicaSettings
const {
  baseUrl,
  secret,
  kind,
  address = '',
  port = 0,
  killed,
  held,
  ahead = 0,
  pace = 1,
  clients = [],
  limit,
  upstream,
} = settings

const say = (line: string): void => void process.stdout.write(`${line}\n`)
const started = Date.now()
const deps = {
  now: () => started + (Date.now() - started) * pace + ahead,
  ...(pace !== 1 && { after }),
  ...(held === 'answers' && { fetch: fetchHeld }),
}
const closing: (() => Promise<unknown>)[] = []
let end: () => void = () => undefined
const told = new Promise<void>((resolve) => (end = resolve))

const store = await openStore()
const common = {
  baseUrl,
  secret,
  clients,
  scopesSupported: ['notes:read'],
  clientRegistration: { maxPerHour: 100_000 },
  deps,
  ...(store !== undefined && { store: withFaults(store) }),
}
const provider =
  upstream === undefined
    ? new OAuthProvider({ ...common, signIn })
    : new OIDCProxy({ ...common, ...upstream, verifyIdToken: true })
const app = express()
app.use(
  mcpAuth(provider, {
    deps,
    rateLimit: await openCounts(),
    onEvent: (event) => say(`event ${JSON.stringify(event)}`),
  }),
)
// What is not of MCP asks whether it may call.
app.get('/mcp', (request, response, next) => {
  if (request.headers.accept?.includes('text/event-stream')) next()
  else
    Promise.resolve(getAccessToken(request)?.upstream?.getToken()).then(
      (token) => response.json({ upstream: token }),
      next,
    )
})
let mcp: Promise<McpListener> | undefined
app.use((request, response, next) => {
  mcp ??= import('./mcp-servers.js').then(({ statelessV2 }) => statelessV2())
  mcp.then((listener) => listener(request, response)).catch(next)
})
const server = createServer(app).listen(port, '127.0.0.1', () => {
  say(`listening http://127.0.0.1:${(server.address() as AddressInfo).port}`)
})

// As docs/deploying.md has it; the process then ends by itself, if nothing holds it.
process.once('SIGTERM', () => {
  say('told to end')
  server.close(() => void Promise.all([provider.close(), ...closing.map((close) => close())]))
  end()
})

function after(milliseconds: number, callback: () => void): () => void {
  const timer = setTimeout(callback, milliseconds / pace).unref()
  return () => clearTimeout(timer)
}

/** The identity provider has done what it was asked to. */
async function fetchHeld(...request: Parameters<typeof fetch>): Promise<Response> {
  const answer = await fetch(...request)
  if (request[1]?.method === 'POST') {
    say('holding an answer')
    await told
  }
  return answer
}

async function openStore(): Promise<Store | undefined> {
  if (kind === 'default') return undefined
  // A process that is killed soon loads no more than it needs.
  if (kind === 'sqlite') {
    const { SqliteStore } = await import('express-mcp-auth/stores/sqlite')
    const sqlite = new SqliteStore({ path: address, deps })
    closing.push(() => sqlite.close())
    return sqlite
  }
  if (kind === 'redis') {
    const { RedisStore } = await import('express-mcp-auth/stores/redis')
    return new RedisStore({ client: await openRedis(address), deps })
  }
  const { PostgresStore } = await import('express-mcp-auth/stores/postgres')
  const { Pool } = await import('pg')
  const pool = new Pool({ connectionString: address, max: 5 })
  pool.on('error', () => say('postgres is away'))
  const postgres = new PostgresStore({ pool, deps })
  closing.push(async () => {
    await postgres.close()
    await pool.end()
  })
  return postgres
}

// oxlint-disable-next-line typescript/explicit-function-return-type -- the client's own type, with its modules
async function openRedis(url: string) {
  const { createClient } = await import('redis')
  const client = createClient({ url })
  client.on('error', () => say('redis is away'))
  closing.push(() => client.close())
  return client.connect()
}

async function openCounts(): Promise<Exclude<McpAuthOptions['rateLimit'], undefined>> {
  if (limit === undefined) return false
  const { RedisStore } = await import('rate-limit-redis')
  const client = await openRedis(limit.url)
  const sendCommand = (...command: string[]): Promise<RedisReply> => client.sendCommand(command)
  return {
    limit: limit.requests,
    store: (name) => new RedisStore({ prefix: `rl:${name}:`, sendCommand }),
  }
}

/** Counts and prints writes, and does what was ordered. */
function withFaults(real: Store): Store {
  let writes = 0
  const write = async <Result>(
    operation: string,
    whole: string,
    work: () => Promise<Result>,
  ): Promise<Result> => {
    // What stands before it names the server, what stands behind it the identity provider.
    const [, collection = ''] = whole.split('.')
    const nth = ++writes
    const strike = async (when: 'before' | 'after'): Promise<void> => {
      if (killed?.when !== when || killed.nth !== nth) return
      process.kill(process.pid, 'SIGKILL')
      await new Promise(() => undefined)
    }
    await strike('before')
    if (held === collection) {
      say(`holding ${operation}`)
      await told
    }
    const result = await work()
    await strike('after')
    say(`write ${operation} ${collection}`)
    return result
  }
  return {
    get: (collection, key) => real.get(collection, key),
    put: (collection, key, entry) => write('put', collection, () => real.put(collection, key, entry)),
    putIfAbsent: (collection, key, entry) =>
      write('create', collection, () => real.putIfAbsent(collection, key, entry)),
    compareAndSwap: (collection, key, version, entry) =>
      write('replace', collection, () => real.compareAndSwap(collection, key, version, entry)),
    delete: (collection, key, version) =>
      write('delete', collection, () => real.delete(collection, key, version)),
  }
}

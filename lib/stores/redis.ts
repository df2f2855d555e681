// Entries in Redis: shared by any number of processes and machines, as durable as the server is set up to be.
import { OptionReader } from '../protocol/options.js'
import { type Deps, createDeps } from '../runtime/deps.js'
import { checkNames, checkWrite } from './checks.js'
import { Deadline } from './deadline.js'
import {
  type IoredisClient,
  type NodeRedisClient,
  type RedisCommands,
  createScript,
  redisCommands,
} from './redis-client.js'
import type { Store, StoreEntry } from './store.js'
import { StoreError } from './store-error.js'

export type { IoredisClient, NodeRedisClient } from './redis-client.js'

export interface RedisStoreOptions {
  /** A connected client of `redis` (4 or later) or `ioredis`. It stays yours to close. */
  readonly client: NodeRedisClient | IoredisClient
  /** Begins every key. Default: `mcp-auth`. */
  readonly prefix?: string
  readonly deps?: Partial<Deps>
}

// An entry is one string: expiry, version and value, a line feed between them. The expiry is compared with our clock, of
// which Redis knows nothing; its own expiry only clears away.
const LIVING = `
local held = redis.call('GET', KEYS[1])
local expires, version
if held then
  expires, version = string.match(held, '^(%d+)\\n([^\\n]*)\\n')
  if tonumber(expires) <= tonumber(ARGV[1]) then held = false end
end`

const PUT_IF_ABSENT = createScript(`${LIVING}
if held then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`)

const COMPARE_AND_SWAP = createScript(`${LIVING}
if not held or version ~= ARGV[4] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1`)

const DELETE = createScript(`${LIVING}
if not held or (ARGV[2] and version ~= ARGV[2]) then return 0 end
return redis.call('DEL', KEYS[1])`)

const PREFIX = /^[\w.:{}-]{1,64}$/

/**
 * For servers of several machines. Each step is one round trip, and is refused after two seconds without an answer.
 *
 * @example
 * const client = await createClient({ url: 'redis://127.0.0.1:6379' }).on('error', console.error).connect()
 * new OAuthProvider({ …, store: new RedisStore({ client }) })
 */
export class RedisStore implements Store {
  readonly #redis: RedisCommands
  readonly #prefix: string
  readonly #now: () => number
  readonly #deadline: Deadline

  constructor(options: RedisStoreOptions) {
    const read = new OptionReader('RedisStore', options, ['client', 'prefix', 'deps'])
    if (!read.has('client')) throw read.missing('client', 'a client of "redis" or "ioredis"')
    const redis = redisCommands(read.raw('client'))
    if (redis === undefined) throw read.invalid('client', 'a client of "redis" (4 or later) or "ioredis"')
    this.#redis = redis
    this.#prefix = read.text('prefix') ?? 'mcp-auth'
    if (!PREFIX.test(this.#prefix)) throw read.invalid('prefix', '1 to 64 of A-Z a-z 0-9 _ - . : { }')
    const deps = createDeps(options.deps)
    this.#now = deps.now
    this.#deadline = new Deadline('RedisStore', deps)
  }

  async get(collection: string, key: string): Promise<StoreEntry | undefined> {
    checkNames(collection, key)
    const held = await this.#deadline.run(() => this.#redis.get(this.#key(collection, key)))
    if (held === null) return undefined
    const entry = parse(held)
    return entry.expiresAt > this.#now() ? entry : undefined
  }

  async put(collection: string, key: string, entry: StoreEntry): Promise<void> {
    checkWrite(collection, key, entry)
    await this.#deadline.run(() =>
      this.#redis.set(this.#key(collection, key), this.#lifetime(entry), format(entry)),
    )
  }

  async putIfAbsent(collection: string, key: string, entry: StoreEntry): Promise<boolean> {
    checkWrite(collection, key, entry)
    return this.#run(PUT_IF_ABSENT, collection, key, [format(entry), String(this.#lifetime(entry))])
  }

  async compareAndSwap(
    collection: string,
    key: string,
    version: string,
    entry: StoreEntry,
  ): Promise<boolean> {
    checkWrite(collection, key, entry)
    return this.#run(COMPARE_AND_SWAP, collection, key, [
      format(entry),
      String(this.#lifetime(entry)),
      version,
    ])
  }

  async delete(collection: string, key: string, version?: string): Promise<boolean> {
    checkNames(collection, key)
    return this.#run(DELETE, collection, key, version === undefined ? [] : [version])
  }

  async #run(
    script: ReturnType<typeof createScript>,
    collection: string,
    key: string,
    values: string[],
  ): Promise<boolean> {
    const done = await this.#deadline.run(() =>
      this.#redis.run(script, this.#key(collection, key), [String(this.#now()), ...values]),
    )
    return Number(done) === 1
  }

  #key(collection: string, key: string): string {
    return `${this.#prefix}:${collection}:${key}`
  }

  /** By our clock, since that of Redis may be another. */
  #lifetime({ expiresAt }: StoreEntry): number {
    return Math.max(1, Math.ceil(expiresAt - this.#now()))
  }
}

function format({ expiresAt, version, value }: StoreEntry): string {
  return `${Math.max(0, expiresAt)}\n${version}\n${value}`
}

function parse(held: unknown): StoreEntry {
  const text = String(held)
  const afterExpiry = text.indexOf('\n')
  const afterVersion = text.indexOf('\n', afterExpiry + 1)
  const expiresAt = Number(text.slice(0, afterExpiry))
  if (afterExpiry < 1 || afterVersion < 0 || !Number.isSafeInteger(expiresAt)) {
    throw new StoreError('RedisStore: a key of ours holds something else')
  }
  return {
    value: text.slice(afterVersion + 1),
    version: text.slice(afterExpiry + 1, afterVersion),
    expiresAt,
  }
}

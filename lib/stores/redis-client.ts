// The few commands we need, of either Redis client.
import { hash } from 'node:crypto'

/** A connected client of the package `redis`, version 4 or later. */
export interface NodeRedisClient {
  get(key: string): Promise<unknown>
  pSetEx(key: string, milliseconds: number, value: string): Promise<unknown>
  evalSha(sha: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>
  eval(script: string, options: { keys: string[]; arguments: string[] }): Promise<unknown>
}

/** A client of the package `ioredis`. */
export interface IoredisClient {
  get(key: string): Promise<unknown>
  psetex(key: string, milliseconds: number, value: string): Promise<unknown>
  evalsha(sha: string, keys: number, ...rest: string[]): Promise<unknown>
  eval(script: string, keys: number, ...rest: string[]): Promise<unknown>
}

/** One spelling for both. */
export interface RedisCommands {
  readonly get: (key: string) => Promise<unknown>
  readonly set: (key: string, milliseconds: number, value: string) => Promise<unknown>
  readonly run: (script: Script, key: string, values: string[]) => Promise<unknown>
}

/** Lua, known to the server by its digest once it has run. */
export interface Script {
  readonly source: string
  readonly sha: string
}

export function createScript(source: string): Script {
  return { source, sha: hash('sha1', source) }
}

/** Undefined for what is neither client. */
export function redisCommands(client: unknown): RedisCommands | undefined {
  if (typeof client !== 'object' || client === null) return undefined
  if (has<NodeRedisClient>(client, ['get', 'pSetEx', 'evalSha', 'eval'])) {
    return {
      get: (key) => client.get(key),
      set: (key, milliseconds, value) => client.pSetEx(key, milliseconds, value),
      run: (script, key, values) =>
        orByText(client.evalSha(script.sha, { keys: [key], arguments: values }), () =>
          client.eval(script.source, { keys: [key], arguments: values }),
        ),
    }
  }
  if (has<IoredisClient>(client, ['get', 'psetex', 'evalsha', 'eval'])) {
    return {
      get: (key) => client.get(key),
      set: (key, milliseconds, value) => client.psetex(key, milliseconds, value),
      run: (script, key, values) =>
        orByText(client.evalsha(script.sha, 1, key, ...values), () =>
          client.eval(script.source, 1, key, ...values),
        ),
    }
  }
  return undefined
}

/** A server that was restarted has forgotten the script, and has done nothing. */
async function orByText(byDigest: Promise<unknown>, byText: () => Promise<unknown>): Promise<unknown> {
  try {
    return await byDigest
  } catch (error) {
    if (error instanceof Error && error.message.startsWith('NOSCRIPT')) return byText()
    throw error
  }
}

function has<Shape>(client: object, methods: readonly (keyof Shape & string)[]): client is object & Shape {
  return methods.every((name) => typeof (client as Record<string, unknown>)[name] === 'function')
}

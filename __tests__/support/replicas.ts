// Replicas of one app behind a load balancer, what is done to them, and a look into the store that they share.
import { type IncomingHttpHeaders, type IncomingMessage, createServer, request as send } from 'node:http'
import { buffer } from 'node:stream/consumers'
import type { AddressInfo } from 'node:net'
import { createClient } from 'redis'
import { Pool } from 'pg'
import type { AuthEvent } from 'express-mcp-auth'
import { openSqlite } from '../../lib/stores/sqlite-database.js'
import type { GrantRecord } from '../../lib/authorization-server/records.js'
import { type Answer, answerOf, clientsOf } from './authorization-server.js'
import { type Program, bundled, startProgram } from './process.js'
import type { ReplicaSettings } from './replica.js'
import type { Service } from './services.js'

/** Where a store is. */
export type Place = Pick<ReplicaSettings, 'kind' | 'address'>

/** A replica under way. */
export interface Replica extends Program {
  readonly url: string
  /** What its `onEvent` was told. */
  events(): AuthEvent[]
  /** Operation and collection of each write so far. */
  writes(): string[]
}

/** @param directory where it runs, for the default store */
export async function startReplica(settings: ReplicaSettings, directory?: string): Promise<Replica> {
  const file = await bundled('__tests__/support/replica.ts')
  const program = startProgram(file, [JSON.stringify(settings)], {}, directory)
  const [, url = ''] = await program.printed(/^listening (\S+)$/m)
  const lines = (word: string): string[] =>
    program.output.stdout
      .split('\n')
      .filter((line) => line.startsWith(`${word} `))
      .map((line) => line.slice(word.length + 1))
  return {
    ...program,
    url,
    events: () => lines('event').map((line) => JSON.parse(line) as AuthEvent),
    writes: () => lines('write'),
  }
}

/** Stands before the replicas, at the URL that everybody knows. */
export interface Balancer {
  readonly url: string
  /** Whom it asks from now on: the first that answers. */
  use(...urls: string[]): void
  close(): Promise<void>
}

/**
 * A request that is not answered is sent again to the next one, as a client or a person would do.
 *
 * @param patient whether 503 is no answer either
 */
export async function startBalancer(patient = false): Promise<Balancer> {
  let targets: readonly string[] = []
  const server = createServer((request, response) => {
    void (async () => {
      const body = await buffer(request)
      for (const target of targets) {
        const answer = await forward(target, request, body).catch(() => undefined)
        if (answer === undefined || (patient && answer.status === 503)) continue
        response.writeHead(answer.status, answer.headers).end(answer.body)
        return
      }
      response.writeHead(502).end('no replica answers')
    })()
  }).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    use: (...urls) => (targets = urls),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  }
}

interface Forwarded {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

function forward(
  target: string,
  { method, url, headers }: IncomingMessage,
  body: Buffer,
): Promise<Forwarded> {
  return new Promise((resolve, reject) => {
    const outgoing = send(`${target}${url}`, { method, headers, agent: false }, (answer) => {
      buffer(answer).then((read) => {
        const { 'transfer-encoding': _chunked, connection: _own, ...rest } = answer.headers
        resolve({ status: answer.statusCode ?? 0, headers: rest, body: read })
      }, reject)
    })
    outgoing.on('error', reject)
    outgoing.end(body)
  })
}

/** One after another, each started while those before are under way, few at a time. */
export async function eachOf<Item, Started>(
  items: readonly Item[],
  start: (item: Item) => Promise<Started>,
  use: (item: Item, started: Started) => Promise<void>,
): Promise<void> {
  const AHEAD = 3
  const under = items.slice(0, AHEAD).map(start)
  for (const [n, item] of items.entries()) {
    const started = await (under[n] as Promise<Started>)
    const next = items[n + AHEAD]
    if (next !== undefined) under.push(start(next))
    await use(item, started)
  }
}

/** Sends the same request so often to each of several processes, all at once. */
export function race(
  urls: readonly string[],
  times: number,
  send: (url: string) => Promise<Response>,
): Promise<Answer[]> {
  const all = urls.flatMap((url) => Array.from({ length: times }, () => url))
  return Promise.all(all.map(async (url) => answerOf(await send(url))))
}

export const countOf = (answers: readonly Answer[], status: number): number =>
  answers.filter((answer) => answer.status === status).length

/** What was killed may need a moment until its remains are gone. */
export async function restarted(service: Service): Promise<void> {
  for (;;) {
    try {
      await service.restart()
      return
    } catch (error) {
      if (!(error instanceof Error && /shared memory|lock file/.test(error.message))) throw error
    }
  }
}

/** Asks until there is an answer; each request waits for the store as long as it may. */
export async function isBack(url: string, accessToken: string): Promise<void> {
  for (;;) {
    const { status, body } = await answerOf(await clientsOf(url).call(accessToken))
    if (status === 200) return
    if (status !== 503) throw new Error(`${status}: ${JSON.stringify(body)}`)
  }
}

/** The grants of one user: those that a client lives on, and codes that wait. */
export async function familiesOf(
  subject: string,
  { kind, address = '' }: Place,
): Promise<{ living: number; waiting: number[] }> {
  const own = (await grantsIn(kind, address)).filter((grant) => grant.subject === subject)
  return {
    living: own.filter(({ waits }) => waits !== true).length,
    waiting: own.flatMap(({ waits, expiresAt }) => (waits === true ? [expiresAt] : [])),
  }
}

/** Every grant in a store that has not expired, with what is encrypted left out. */
export async function grantsIn(
  kind: ReplicaSettings['kind'],
  address: string,
): Promise<(GrantRecord & { readonly expiresAt: number })[]> {
  const rows = await dump(kind, address)
  return rows.map(([value, expiresAt]) => ({ ...(JSON.parse(value) as GrantRecord), expiresAt }))
}

async function dump(kind: ReplicaSettings['kind'], address: string): Promise<[string, number][]> {
  const where = `FROM mcp_auth_entries WHERE collection LIKE '%.grants%'`
  if (kind === 'sqlite') {
    const database = await openSqlite(address)
    const rows = `SELECT json_group_array(json_array(value, expires_at)) AS held ${where} AND expires_at > ?`
    const { held } = database.prepare(rows).get(Date.now()) as { held: string }
    database.close()
    return JSON.parse(held) as [string, number][]
  }
  if (kind === 'postgres') {
    const pool = new Pool({ connectionString: address, max: 1 })
    const { rows } = await pool.query(`SELECT value, expires_at ${where} AND expires_at > $1`, [Date.now()])
    await pool.end()
    return (rows as { value: string; expires_at: string }[]).map((row) => [row.value, Number(row.expires_at)])
  }
  const client = await createClient({ url: address }).connect()
  const keys = await client.keys('mcp-auth:*.grants*')
  const held = keys.length === 0 ? [] : await client.mGet(keys)
  await client.close()
  return held.flatMap((text) => {
    const [expiresAt = '', , ...value] = (text ?? '').split('\n')
    return Number(expiresAt) > Date.now() ? [[value.join('\n'), Number(expiresAt)] as [string, number]] : []
  })
}

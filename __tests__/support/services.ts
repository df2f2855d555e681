// Real servers for tests, on loopback and in directories of their own, as Debian ships them: Redis, PostgreSQL, and any that others start by it.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { describe } from '@jest/globals'
import { freePort } from './process.js'

/** A server under way. */
export interface Service {
  readonly url: string
  readonly port: number
  /** Ends it, and removes what it wrote. */
  stop(): Promise<void>
  /** Ends it as a power cut would (SIGKILL). */
  kill(): Promise<void>
  /** Starts it again, with what it wrote. */
  restart(): Promise<void>
}

/** How a server is started and ended. */
export interface Command {
  readonly program: string
  readonly args: readonly string[]
  /** What it prints when it is ready. */
  readonly ready: RegExp
  /** Asks it to end now, without waiting for clients. */
  readonly end: NodeJS.Signals
}

const redis = find('redis-server', (process.env['PATH'] ?? '').split(delimiter))
const postgres = find('postgres', postgresDirectories())

/** Tests that need Redis. */
export const describeWithRedis = describeWith('redis-server', redis)
/** Tests that need PostgreSQL. */
export const describeWithPostgres = describeWith('postgres', postgres)

/** @param settings e.g. `['--maxmemory', '2mb']` */
export async function startRedis(settings: readonly string[] = []): Promise<Service> {
  const directory = mkdtempSync(join(tmpdir(), 'mcp-auth-redis-'))
  const port = await freePort()
  const args = [
    '--bind',
    '127.0.0.1',
    '--port',
    `${port}`,
    '--dir',
    directory,
    '--save',
    '',
    '--appendonly',
    'yes',
  ]
  return startService(directory, port, `redis://127.0.0.1:${port}`, {
    program: String(redis),
    args: [...args, ...settings],
    ready: /Ready to accept connections/,
    end: 'SIGTERM',
  })
}

export async function startPostgres(): Promise<Service> {
  const directory = mkdtempSync(join(tmpdir(), 'mcp-auth-postgres-'))
  const port = await freePort()
  const data = join(directory, 'data')
  // It refuses to run as root.
  const asPostgres =
    process.getuid?.() === 0 ? ['setpriv', '--reuid=postgres', '--regid=postgres', '--init-groups'] : []
  if (asPostgres.length > 0) execFileSync('chown', ['postgres:postgres', directory])
  const run = (program: string, args: readonly string[]): [string, string[]] => {
    const [first, ...rest] = [...asPostgres, program, ...args]
    return [String(first), rest]
  }
  execFileSync(
    ...run(join(String(postgres), '..', 'initdb'), [
      '-D',
      data,
      '-A',
      'trust',
      '-U',
      'postgres',
      '--no-sync',
    ]),
    { stdio: 'ignore', cwd: directory },
  )
  const settings = ['-D', data, '-k', directory, '-p', `${port}`, '-F', '-c', 'listen_addresses=127.0.0.1']
  const [program, args] = run(String(postgres), settings)
  return startService(directory, port, `postgres://postgres@127.0.0.1:${port}/postgres`, {
    program,
    args,
    ready: /ready to accept connections/,
    end: 'SIGINT',
  })
}

/** Starts a server that keeps what it writes in a directory of its own. */
export async function startService(
  directory: string,
  port: number,
  url: string,
  { program, args, ready, end }: Command,
): Promise<Service> {
  let child: ChildProcess | undefined
  const start = async (): Promise<void> => {
    child = spawn(program, args, { cwd: directory, stdio: ['ignore', 'pipe', 'pipe'] })
    await printed(child, ready)
  }
  const send = async (signal: NodeJS.Signals): Promise<void> => {
    const running = child
    child = undefined
    if (running === undefined) return
    const ended = once(running, 'close')
    running.kill(signal)
    await ended
  }
  await start()
  return {
    url,
    port,
    restart: start,
    kill: () => send('SIGKILL'),
    async stop() {
      await send(end)
      rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

async function printed(child: ChildProcess, pattern: RegExp): Promise<void> {
  let output = ''
  await new Promise<void>((resolve, reject) => {
    const look = (text: string): void => {
      output += text
      if (pattern.test(output)) resolve()
    }
    child.stdout?.setEncoding('utf8').on('data', look)
    child.stderr?.setEncoding('utf8').on('data', look)
    child.once('error', reject)
    child.once('close', () => reject(new Error(`it ended before it was ready: ${output}`)))
  })
}

/** Where a program is installed. */
export function find(program: string, directories: readonly string[]): string | undefined {
  return directories.map((directory) => join(directory, program)).find((path) => existsSync(path))
}

function postgresDirectories(): string[] {
  const all = '/usr/lib/postgresql'
  const debian = existsSync(all) ? readdirSync(all).map((version) => join(all, version, 'bin')) : []
  return [...debian, ...(process.env['PATH'] ?? '').split(delimiter)]
}

/** Tests that need a program. Skipped where it is not installed, except on CI. */
export function describeWith(
  program: string,
  found: string | undefined,
): typeof describe | typeof describe.skip {
  if (found !== undefined) return describe
  if (process.env['CI'] !== undefined) throw new Error(`${program} is not installed`)
  return describe.skip
}

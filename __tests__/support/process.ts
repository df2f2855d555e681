// Programs of this project, run as users run them: with tsx, in a process of their own. Those that are started often are bundled before.
import { type ChildProcess, spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { build } from 'esbuild'

/** A program under way. */
export interface Program {
  /** All that it has printed so far. */
  readonly output: { stdout: string; stderr: string }
  /** Settles when a line of its output matches; rejects when it ends before. */
  printed(pattern: RegExp): Promise<RegExpExecArray>
  /** Settles when it has ended. */
  readonly ended: Promise<number | null>
  /** Ends it, if it has not yet. */
  stop(signal?: NodeJS.Signals): Promise<void>
}

const root = new URL('../../', import.meta.url)

/** Starts a program of this checkout. */
export function startProgram(
  file: string,
  args: readonly string[],
  env: Record<string, string>,
  directory: URL | string = root,
): Program {
  // One process, not tsx and a child of it: signals and ends are those of the program.
  const tsx = new URL('node_modules/tsx/dist/loader.mjs', root).href
  const loader = file.endsWith('.mjs') ? [] : ['--import', tsx]
  const program = [...loader, new URL(file, root).pathname, ...args]
  const child = spawn(process.execPath, program, {
    cwd: directory,
    env: {
      ...process.env,
      NODE_NO_WARNINGS: '1',
      TSX_TSCONFIG_PATH: new URL('tsconfig.json', root).pathname,
      ...env,
    },
  })
  const output = { stdout: '', stderr: '' }
  const watchers = new Set<() => void>()
  collect(child, 'stdout', output, watchers)
  collect(child, 'stderr', output, watchers)
  const ended = once(child, 'close').then(([code]) => code as number | null)
  return {
    output,
    printed: (pattern) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const found = pattern.exec(output.stdout)
          if (found === null) return
          watchers.delete(look)
          resolve(found)
        }
        watchers.add(look)
        look()
        void ended.then(() => reject(new Error(`it ended without printing ${pattern}: ${output.stderr}`)))
      }),
    ended,
    async stop(signal) {
      child.kill(signal)
      await ended
    },
  }
}

const bundles = new Map<string, Promise<string>>()

/** The same program as one file of JavaScript, which starts in a third of the time. Made once by each who asks. */
export function bundled(file: string): Promise<string> {
  const made = bundles.get(file) ?? bundle(file)
  bundles.set(file, made)
  return made
}

async function bundle(file: string): Promise<string> {
  const { outputFiles } = await build({
    absWorkingDir: root.pathname,
    entryPoints: [file],
    write: false,
    bundle: true,
    format: 'esm',
    platform: 'node',
    packages: 'external',
    logLevel: 'error',
  })
  const [{ contents }] = outputFiles as [(typeof outputFiles)[number]]
  const directory = new URL('node_modules/.cache/mcp-auth-tests/', root)
  // Named by what is in it: others may make theirs of other sources at the same time.
  const name = createHash('sha256').update(contents).digest('hex').slice(0, 16)
  const { pathname } = new URL(`${name}.mjs`, directory)
  mkdirSync(directory, { recursive: true })
  writeFileSync(`${pathname}.${process.pid}`, contents)
  renameSync(`${pathname}.${process.pid}`, pathname)
  return pathname
}

function collect(
  child: ChildProcess,
  name: 'stdout' | 'stderr',
  output: Program['output'],
  watchers: ReadonlySet<() => void>,
): void {
  child[name]?.setEncoding('utf8').on('data', (text: string) => {
    output[name] += text
    for (const look of watchers) look()
  })
}

/** A port that nobody uses right now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

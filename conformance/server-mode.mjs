// The official suite's server mode, twice: against a bare MCP server and against the same server behind mcpAuth.
// It knows nothing of authorization, so a small proxy adds the token. Passes when every single check has the same outcome
// both times: the guard changes nothing for those who may pass.
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { StaticTokenVerifier, mcpAuth } from '../dist/index.js'
import { everythingApp } from './everything-server.mjs'
import { close, listen, runSuite } from './suite.mjs'

const REQUIREMENTS = ['2025-11-25', '2026-07-28']
const TOKEN = 'conformance-token'

const servers = []
const results = await mkdtemp(join(tmpdir(), 'conformance-'))
try {
  const verifier = new StaticTokenVerifier({ tokens: { [TOKEN]: { clientId: 'conformance', scopes: [] } } })
  // Its hint that clients cannot discover where to get a token is right, and of no concern here.
  const guard = mcpAuth(verifier, { onEvent: () => {} })
  const bare = await start(createServer(everythingApp()))
  const guarded = await start(createServer(everythingApp(guard)))
  const withToken = await start(tokenProxy(guarded))

  // Otherwise a guard that lets everybody through would pass as a transparent one.
  const refused = await fetch(`http://127.0.0.1:${guarded}/mcp`, { method: 'POST' })
  if (refused.status !== 401) throw new Error(`Without a token the guard answered ${refused.status}, not 401`)

  const rows = []
  const differences = []
  for (const requirements of REQUIREMENTS) {
    const without = await runRequirements(requirements, bare, 'bare')
    const behind = await runRequirements(requirements, withToken, 'guarded')
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
  for (const server of servers) close(server)
  await rm(results, { recursive: true, force: true })
}

function start(server) {
  servers.push(server)
  return listen(server)
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

/** Runs one requirement set. "scenario check#n" -> outcome; a scenario may make the same check several times. */
async function runRequirements(requirements, port, name) {
  const args = ['server', '--url', `http://127.0.0.1:${port}/mcp`, '--requirements', requirements]
  const { exitCode, checks: made } = await runSuite(args, join(results, `${requirements}-${name}`))
  const checks = new Map()
  for (const { scenario, id, status } of made) {
    let n = 1
    while (checks.has(`${scenario} ${id}#${n}`)) n += 1
    checks.set(`${scenario} ${id}#${n}`, status)
  }
  return { exitCode, checks }
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

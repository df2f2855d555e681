// The official suite's server mode, twice: against a bare MCP server and against the same server behind mcpAuth.
// It knows nothing of authorization, so a small proxy adds the token. Passes when every single check has the same outcome
// both times: the guard changes nothing for those who may pass.
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { StaticTokenVerifier, mcpAuth } from '../dist/index.js'
import { everythingApp } from './everything-server.mjs'
import { judge, report } from './report.mjs'
import { close, listen, runSuite } from './suite.mjs'

const SCHEMAS = {
  scenarios: /^json-schema-2020-12$/,
  why: 'Pending in the suite, not required: the server under test has no such tool.',
}

/** What each requires, and what the server under test does not do of it, guarded or not. */
const REQUIREMENTS = {
  '2025-11-25': [
    SCHEMAS,
    {
      scenarios: /^server-sse-polling$/,
      why: 'Pending in the suite, not required: the server under test keeps no events to send again.',
    },
  ],
  '2026-07-28': [
    SCHEMAS,
    {
      scenarios: /^http-custom-header-server-validation$/,
      why: 'Pending in the suite, not required: the server under test has no tool with headers of its own.',
    },
    {
      scenarios: /^tasks-/,
      why: 'An extension: the server under test offers no tasks.',
    },
  ],
}
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
  for (const [requirement, expected] of Object.entries(REQUIREMENTS)) {
    const without = await runRequirements(requirement, bare, 'bare')
    const behind = await runRequirements(requirement, withToken, 'guarded')
    const result = judge(behind.checks, expected)
    if (without.exitCode !== 0)
      result.wrong.push('the bare server does not meet it, so the comparison says little')
    result.wrong.push(...compare(outcomes(without), outcomes(behind)))
    const passedBare = judge(without.checks, expected).passed
    rows.push({ requirement, with: `\`mcpAuth\`; ${passedBare} pass without it`, ...result })
  }
  report('`server`', rows)
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

function runRequirements(requirement, port, name) {
  const args = ['server', '--url', `http://127.0.0.1:${port}/mcp`, '--requirements', requirement]
  return runSuite(args, join(results, `${requirement}-${name}`))
}

/** "scenario check#n" -> outcome; a scenario may make the same check several times. */
function outcomes({ checks: made }) {
  const checks = new Map()
  for (const { scenario, id, status } of made) {
    let n = 1
    while (checks.has(`${scenario} ${id}#${n}`)) n += 1
    checks.set(`${scenario} ${id}#${n}`, status)
  }
  return checks
}

function compare(without, behind) {
  const keys = new Set([...without.keys(), ...behind.keys()])
  return [...keys]
    .filter((key) => without.get(key) !== behind.get(key))
    .map((key) => `${key}: ${without.get(key) ?? '-'} bare, ${behind.get(key) ?? '-'} behind mcpAuth`)
}

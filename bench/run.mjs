// Runs the workloads one after the other, each in a process of its own, and prints their tables.
//   node bench/run.mjs                    everything; rewrites docs/performance.md
//   node bench/run.mjs --quick            a short version; prints only
//   node bench/run.mjs import-time …      only these; prints only
import { fork } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { fileURLToPath } from 'node:url'

if (!existsSync(new URL('node_modules', import.meta.url))) {
  console.error('The peers are not installed: npm ci --prefix bench')
  process.exit(1)
}
const { oursIsBuilt } = await import('./contenders.mjs')
const { judge } = await import('./goals.mjs')
const { table } = await import('./table.mjs')

const WORKLOADS = {
  'repeated-token-in-process': [],
  'repeated-token-http': [],
  'distinct-tokens-http': [],
  'bad-token-floods': [],
  'bad-token-memory': ['--expose-gc'],
  'full-flows': [],
  stores: [],
  'import-time': [],
}
const PAGE = new URL('../docs/performance.md', import.meta.url)

const quick = process.argv.includes('--quick')
const named = process.argv.slice(2).filter((argument) => argument !== '--quick')
const unknown = named.filter((name) => !(name in WORKLOADS))
if (unknown.length > 0) {
  console.error(
    `No workload is called ${unknown.join(', ')}. There are: ${Object.keys(WORKLOADS).join(', ')}`,
  )
  process.exit(1)
}

const results = {}
const sections = []
for (const name of named.length > 0 ? named : Object.keys(WORKLOADS)) {
  const started = performance.now()
  results[name] = await runInProcess(name)
  const { tables } = await import(`./${name}.mjs`)
  sections.push(tables(results[name]))
  console.log(`\n${sections.at(-1)}\n\n(${name}: ${((performance.now() - started) / 1000).toFixed(0)} s)`)
}

if (oursIsBuilt) {
  const goals = table(['Goal', 'Measured', 'Met'], judge(results))
  console.log(`\n### Goals\n\n${goals}`)
  if (!quick && named.length === 0) {
    await mkdir(new URL('.', PAGE), { recursive: true })
    await writeFile(PAGE, page(goals, sections))
    console.log('\ndocs/performance.md is written.')
  }
} else {
  console.error('\nGoals cannot be judged without dist/index.js: build first (npm run build).')
}

// A process for each, so that no workload inherits another's heap or optimized code.
function runInProcess(name) {
  return new Promise((resolve, reject) => {
    const file = fileURLToPath(new URL(`${name}.mjs`, import.meta.url))
    const child = fork(file, quick ? ['--quick'] : [], { execArgv: WORKLOADS[name] })
    let result
    child.on('message', (message) => (result = message))
    child.on('error', reject)
    child.on('exit', (code) =>
      result ? resolve(result) : reject(new Error(`${name} ended with exit code ${code}`)),
    )
  }).catch((error) => {
    console.error(error.message)
    process.exit(1)
  })
}

function page(goals, sections) {
  return `# Performance

Written by \`npm run bench\` (after \`npm run build\` and \`npm ci --prefix bench\`); do not edit, run it again.
Measured on ${availableParallelism()} cores, Node ${process.versions.node.split('.')[0]}. Absolute numbers belong to that machine; ratios travel better.

## Goals

${goals}

## Method

- Every guard stands in the same small Express 5 application; only the guard differs. Every guard checks signature, issuer,
  audience and expiry with keys from the same key set on loopback. The SDKs ship no verifier, so theirs is \`jose\` with a
  remote key set, as their users write it. express-mcp-auth is
  \`mcpAuth(new RemoteAuthProvider({ …, tokenVerifier: new JWTVerifier({ jwksUri, issuer, audience }) }))\` without any tuning.
- Before anything is measured, every guard must let good tokens in and refuse tokens that are malformed, expired, of an
  unknown key, or wrong in issuer, audience or signature. Status codes are checked on every request; a wrong one ends the run.
- A request is what a client sends to a server without sessions once the version is agreed on: \`POST /mcp\` with
  \`MCP-Protocol-Version\`. There is no body, since reading it is not the guard's work.
- RS256 tokens are about 1 KB and are signed ahead of time. In "every request another token" no guard sees a token twice,
  so no cache can help it.
- *In process*: the application is called with light request and response objects, one call after the other. Contenders
  take turns in shuffled order, and each round is compared with the round of bare Express in the same turn.
- *Over HTTP*: servers are pinned to one core and the load generator to the other; 16 keep-alive connections, one request
  in flight on each. Blocks run A B B A (A is the yardstick) after a warm-up, contenders shuffled. Quoted are medians of
  the paired ratios with quartiles, CPU time that the server itself reports (all its threads), and the 99th percentile of
  how late a 1 ms timer fires, its own millisecond included.
- *Key-set fetches*: a minute of tokens of unknown keys, forged and malformed ones, on a clock moved by hand; the first
  fetch is not counted.
- *Memory*: heap and external bytes after two collections, before and after the flood.
- *Full flows*: \`POST /register\` (other metadata each time), \`GET /authorize\` of a user who is signed in and asked nothing,
  \`POST /token\` with code and PKCE, \`POST /token\` with the refresh token, \`POST /revoke\`; 16 flows at once, each answer
  checked. Bare Express reads the same bodies with its own parsers, answers random strings in the same shapes, and remembers nothing. The
  SDK v1 router and @node-oauth/oauth2-server keep their records in Maps as their users would write it and issue random
  strings; oidc-provider (in Maps) and express-mcp-auth issue ES256 JWTs. Nobody limits rates, and all have to refuse wrong
  redirect URIs and verifiers, used codes, codes of others and revoked tokens before they are measured.
- *Stores*: both sides stand on the same driver (\`libsql\`) with the same settings (WAL, synchronous NORMAL) and the same index.
  A turn of the event loop lies between put and take, as between two requests.
- *Import*: fresh processes; what comes on top of \`import 'express'\` in the process before it.

## Results

${sections.join('\n\n')}
`
}

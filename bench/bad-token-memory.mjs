// What stays in memory after a flood of distinct bad tokens. Needs --expose-gc, so that what we count is really held.
import { contenders, createApp, pick, refusalsOf } from './contenders.mjs'
import { call } from './in-process.mjs'
import { BAD_KINDS, startIssuer } from './issuer.mjs'
import { number, table } from './table.mjs'
import { runWorkload } from './workload.mjs'

const WARM_UP = 5_000

export async function measure({ quick }) {
  if (!globalThis.gc) throw new Error('start with node --expose-gc bench/bad-token-memory.mjs')
  const counts = quick ? { 'sdk-v1': 20_000, ours: 100_000 } : { 'sdk-v1': 30_000, ours: 1_000_000 }
  const issuer = await startIssuer()
  const growth = {}
  for (const id of pick(Object.keys(counts))) {
    const app = await createApp(id, issuer.settings)
    const good = await issuer.token()
    await flood(id, app, issuer, WARM_UP)
    const before = await heldBytes()
    await flood(id, app, issuer, counts[id])
    growth[id] = { tokens: counts[id], megabytes: ((await heldBytes()) - before) / 2 ** 20 }
    // After the flood the guard must still be of use.
    const { statusCode } = await call(app, good)
    if (statusCode !== 200)
      throw new Error(`${contenders[id].label} answered ${statusCode} to a valid token after the flood`)
  }
  await issuer.close()
  return { growth }
}

async function flood(id, app, issuer, count) {
  const source = issuer.endlessBadTokens()
  for (let n = 0; n < count; n++) {
    const { statusCode } = await call(app, source.next().value)
    const expected = refusalsOf(id, BAD_KINDS[n % BAD_KINDS.length])
    if (!expected.includes(statusCode))
      throw new Error(`${contenders[id].label} answered ${statusCode} to a bad token`)
  }
}

// Twice, with a turn of the event loop between: finalizers and weak references need it.
async function heldBytes() {
  for (let i = 0; i < 2; i++) {
    globalThis.gc()
    await new Promise((resolve) => setImmediate(resolve))
  }
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

export function tables({ growth }) {
  const rows = Object.entries(growth).map(([id, { tokens, megabytes }]) => [
    contenders[id].label,
    tokens.toLocaleString('en'),
    number(megabytes),
  ])
  return [
    '### Memory after distinct bad tokens of all kinds',
    table(['', 'tokens', 'heap growth, MB'], rows),
  ].join('\n\n')
}

await runWorkload(import.meta, measure, tables)

// The same valid token again and again, without a network: what a guard costs a request, to a tenth of a microsecond.
import { checkContender } from './check.mjs'
import { contenders, createApp, pick } from './contenders.mjs'
import { call, round } from './in-process.mjs'
import { startIssuer } from './issuer.mjs'
import { median, shuffle, summary } from './stats.mjs'
import { number, range, table } from './table.mjs'
import { runWorkload } from './workload.mjs'

export async function measure({ quick }) {
  const calls = quick ? 2000 : 4000
  const rounds = 9
  const warmUps = 3
  const issuer = await startIssuer()
  const tokens = new Array(calls).fill(await issuer.token())
  const ids = pick()
  const apps = {}
  for (const id of ids) {
    apps[id] = await createApp(id, issuer.settings)
    await checkContender(id, issuer, async (token) => (await call(apps[id], token)).statusCode)
  }

  const times = Object.fromEntries(ids.map((id) => [id, []]))
  for (let n = -warmUps; n < rounds; n++) {
    for (const id of shuffle(ids)) {
      const microseconds = await round(apps[id], tokens, [200], contenders[id].label)
      if (n >= 0) times[id].push(microseconds)
    }
  }
  await issuer.close()

  // The round against bare of the same turn, so that a slow moment of the machine cancels out.
  const over = (id) => summary(times[id].map((time, n) => time - times.bare[n]))
  const guards = Object.fromEntries(ids.map((id) => [id, { total: median(times[id]), over: over(id) }]))
  return { calls, rounds, guards, ...comparison(guards) }
}

/** How many times less than the better SDK guard we cost. */
function comparison(guards) {
  if (!guards.ours) return {}
  const bestSdk = Math.min(guards['sdk-v1'].over.median, guards['sdk-v2'].over.median)
  return { bestSdk, timesLess: bestSdk / guards.ours.over.median }
}

export function tables({ calls, rounds, guards, timesLess }) {
  const rows = Object.entries(guards).map(([id, { total, over }]) => [
    contenders[id].label,
    number(total),
    id === 'bare' ? '-' : range(over),
  ])
  const text = [
    `### Same token, in process (${rounds} rounds of ${calls} calls)`,
    table(['', 'µs a call', 'µs over bare (quartiles)'], rows),
  ]
  if (timesLess) text.push(`Overhead of the better SDK guard against ours: ${number(timesLess)} to 1.`)
  return text.join('\n\n')
}

await runWorkload(import.meta, measure, tables)

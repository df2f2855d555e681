// Every request brings another valid token over real HTTP: no cache can help, so this is the price of verifying.
import { contenders, pick } from './contenders.mjs'
import { withServers } from './http.mjs'
import { startIssuer } from './issuer.mjs'
import { compare } from './pinned.mjs'
import { number, range, table } from './table.mjs'
import { runWorkload } from './workload.mjs'

const EVERYONE = ['sdk-v1', 'sdk-v2', 'oauth2-jwt-bearer', 'mcp-auth', 'express-jwt', 'ours']
const THE_CLOSEST = ['sdk-v1', 'sdk-v2', 'ours']

export async function measure({ quick }) {
  const plan = quick ? { blockMs: 200, quads: 3, warmUpMs: 500 } : { blockMs: 300, quads: 5, warmUpMs: 1500 }
  const contests = quick
    ? { RS256: ['sdk-v1', 'sdk-v2', 'ours'] }
    : { RS256: EVERYONE, ES256: THE_CLOSEST, EdDSA: THE_CLOSEST }
  const ids = pick(contests.RS256)
  const issuer = await startIssuer()
  const algorithms = await withServers(['bare', ...ids], issuer, async (servers) => {
    const results = {}
    for (const [alg, wanted] of Object.entries(contests)) {
      // On one core the compiler competes with the requests: the first contest waits until it is done.
      const warmUpMs = alg === 'RS256' ? plan.warmUpMs * 2 : plan.warmUpMs
      const seconds = (warmUpMs + plan.quads * 2 * plan.blockMs) / 1000
      const tokens = await issuer.tokens(await enough(servers.bare, issuer, seconds), { alg })
      const competitors = ids.filter((id) => wanted.includes(id))
      const sourceFor = (id) => (id === 'bare' ? cycle(tokens) : once(tokens, contenders[id].label))
      results[alg] = await compare(servers, { base: 'bare', ids: competitors, sourceFor, ...plan, warmUpMs })
    }
    return results
  })
  await issuer.close()
  return { ...plan, algorithms }
}

/** What a guard does in a second on the machines this was written on: bare Express, measured in a busy moment, would mislead. */
const LEAST_PER_SECOND = 7000

/** How many tokens last for so long: a guard that verifies does not reach 0.8 of bare Express. */
async function enough(bare, issuer, seconds) {
  const token = await issuer.token()
  const rates = []
  for (let n = 0; n < 4; n++) rates.push((await bare.block(250, () => token)).perSecond)
  return Math.ceil(Math.max(LEAST_PER_SECOND, ...rates.map((rate) => rate * 0.8)) * seconds)
}

// Contenders share the tokens but no cache; within one contender no token comes twice.
function once(tokens, label) {
  let n = 0
  return () => {
    if (n === tokens.length) throw new Error(`${label} ran out of tokens that it has not seen`)
    return tokens[n++]
  }
}

function cycle(tokens) {
  let n = 0
  return () => tokens[n++ % tokens.length]
}

export function tables({ blockMs, quads, algorithms }) {
  const text = [
    `### Every request another valid token, over HTTP (${quads * 2} pairs of ${blockMs} ms blocks)`,
  ]
  for (const [alg, results] of Object.entries(algorithms)) {
    const rows = Object.entries(results).map(([id, { ratio, perSecond, cpuOver, delayP99 }]) => [
      contenders[id].label,
      range(ratio),
      number(perSecond),
      range(cpuOver),
      number(delayP99),
    ])
    text.push(
      table([alg, 'x bare (quartiles)', 'requests/s', 'CPU µs/request over bare', 'event loop p99 ms'], rows),
    )
  }
  return text.join('\n\n')
}

await runWorkload(import.meta, measure, tables)

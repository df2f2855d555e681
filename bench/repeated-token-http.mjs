// The same valid token again and again over real HTTP: what is left of the difference when node's server does its part.
import { contenders, pick } from './contenders.mjs'
import { withServers } from './http.mjs'
import { startIssuer } from './issuer.mjs'
import { compare } from './pinned.mjs'
import { number, range, table } from './table.mjs'
import { runWorkload } from './workload.mjs'

export async function measure({ quick }) {
  const plan = quick ? { blockMs: 200, quads: 3, warmUpMs: 500 } : { blockMs: 300, quads: 5, warmUpMs: 1500 }
  const everyone = quick
    ? ['noop', 'sdk-v1', 'sdk-v2', 'ours']
    : Object.keys(contenders).filter((id) => id !== 'bare')
  const ids = pick(everyone)
  const issuer = await startIssuer()
  const token = await issuer.token()
  const sourceFor = () => () => token
  const result = await withServers(['bare', ...ids], issuer, async (servers) => {
    const overBare = await compare(servers, { base: 'bare', ids, sourceFor, ...plan })
    if (!ids.includes('ours')) return { overBare }
    // Directly, because the quotient of two noisy ratios would be noisier than what we want to see.
    const direct = { base: 'noop', ids: ['ours'], sourceFor, ...plan, quads: plan.quads * 2, warmUpMs: 100 }
    return { overBare, overNoop: (await compare(servers, direct)).ours }
  })
  await issuer.close()
  return { ...plan, ...result }
}

export function tables({ blockMs, quads, overBare, overNoop }) {
  const rows = Object.entries(overBare).map(([id, { ratio, perSecond, cpuOver, delayP99 }]) => [
    contenders[id].label,
    range(ratio),
    number(perSecond),
    range(cpuOver),
    number(delayP99),
  ])
  const text = [
    `### Same token, over HTTP (${quads * 2} pairs of ${blockMs} ms blocks)`,
    table(['', 'x bare (quartiles)', 'requests/s', 'CPU µs/request over bare', 'event loop p99 ms'], rows),
  ]
  if (overNoop)
    text.push(`express-mcp-auth against the no-op middleware, measured directly: ${range(overNoop.ratio)}.`)
  return text.join('\n\n')
}

await runWorkload(import.meta, measure, tables)

// Whole authorizations over real HTTP, five round trips each: register, authorize, redeem the code, refresh, revoke.
import { flowContenders, flowIds } from './flow-contenders.mjs'
import { FlowLoad } from './flow-load.mjs'
import { compare, pinLoad, startPinned } from './pinned.mjs'
import { number, range, table } from './table.mjs'
import { runWorkload } from './workload.mjs'

const FLOWS_AT_ONCE = 16

export async function measure({ quick }) {
  const plan = quick ? { blockMs: 300, quads: 2, warmUpMs: 700 } : { blockMs: 400, quads: 5, warmUpMs: 2000 }
  const ids = flowIds()
  const others = ids.filter((id) => id !== 'bare')
  const sourceFor = () => undefined
  const pinned = pinLoad()
  const servers = {}
  try {
    for (const id of ids) {
      servers[id] = await startServer(id, pinned)
      if (id !== 'bare') await checkRefusals(servers[id].client)
    }
    const overBare = await compare(servers, { base: 'bare', ids: others, sourceFor, ...plan })
    if (!ids.includes('ours-memory')) return { ...plan, overBare }
    // Directly, because the quotient of two noisy ratios would be noisier than what we want to see.
    const direct = { base: 'oidc-provider', ids: ['ours-memory'], sourceFor, ...plan, warmUpMs: 100 }
    return { ...plan, overBare, overOidcProvider: (await compare(servers, direct))['ours-memory'] }
  } finally {
    for (const server of Object.values(servers)) server.close()
  }
}

async function startServer(id, pinned) {
  const { label } = flowContenders[id]
  const server = await startPinned('flow-server.mjs', [id], label, pinned)
  const load = await FlowLoad.open(server.port, FLOWS_AT_ONCE)
  return {
    client: () => load.client(label),
    async block(milliseconds) {
      await server.start()
      const { flows, perSecond, latencies } = await load.block(milliseconds, label)
      return { perSecond, cpu: (await server.stop()) / flows, latencies }
    },
    delayP99: server.delayP99,
    close() {
      load.close()
      server.close()
    },
  }
}

/** Before anything is measured: whoever does not check, is fast for the wrong reason. */
async function checkRefusals(newClient) {
  const refused = { allowed: [400, 401] }
  const client = newClient()
  await client.register()
  await client.authorize({ redirectUri: 'https://evil.example.net/callback', ...refused })
  await client.redeem(await client.authorize(), { verifier: 'w'.repeat(43), ...refused })

  const code = await client.authorize()
  const stranger = newClient()
  await stranger.register()
  await stranger.redeem(code, refused)

  const second = await client.authorize()
  await client.redeem(second)
  await client.refresh()
  await client.revoke()
  await client.refresh(refused)

  const third = await client.authorize()
  await client.redeem(third)
  await client.redeem(third, refused)
}

export function tables({ blockMs, quads, overBare, overOidcProvider }) {
  const rows = Object.entries(overBare).map(([id, result]) => [
    flowContenders[id].label,
    range(result.ratio),
    number(result.perSecond),
    number(result.cpu),
    range(result.cpuOver),
    number(result.latencyP99),
    number(result.delayP99),
  ])
  const head = [
    '',
    'x bare (quartiles)',
    'flows/s',
    'CPU µs/flow',
    'over bare',
    'flow p99 ms',
    'event loop p99 ms',
  ]
  const text = [
    `### Full flows over HTTP, ${FLOWS_AT_ONCE} at once (${quads * 2} pairs of ${blockMs} ms blocks)`,
    table(head, rows),
  ]
  if (overOidcProvider)
    text.push(
      `express-mcp-auth on MemoryStore against oidc-provider, measured directly: ${range(overOidcProvider.ratio)}.`,
    )
  return text.join('\n\n')
}

await runWorkload(import.meta, measure, tables)

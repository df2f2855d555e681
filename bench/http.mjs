// Blocks A B B A over real HTTP: the servers on one core, the load on the other, each contender against its yardstick.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { checkContender } from './check.mjs'
import { contenders } from './contenders.mjs'
import { Load } from './load.mjs'
import { median, shuffle, summary } from './stats.mjs'

const SERVER_CORE = '0'
const LOAD_CORE = '1'
const CONNECTIONS = 16

function hasTaskset() {
  try {
    execFileSync('taskset', ['-V'], { stdio: 'ignore' })
    return true
  } catch {
    console.error('taskset is missing: server and load share their cores, so expect noise')
    return false
  }
}

/** Keeps this process, the load generator, off the servers' core. */
function pinLoad() {
  if (!hasTaskset()) return false
  execFileSync('taskset', ['-acp', LOAD_CORE, String(process.pid)], { stdio: 'ignore' })
  return true
}

async function startServer(id, settings, pinned) {
  const command = [
    process.execPath,
    fileURLToPath(new URL('server.mjs', import.meta.url)),
    id,
    JSON.stringify(settings),
  ]
  if (pinned) command.unshift('taskset', '-c', SERVER_CORE)
  const child = spawn(command[0], command.slice(1), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const { label } = contenders[id]
  const gone = once(child, 'exit').then(([code]) => {
    throw new Error(`the server of ${label} ended (exit code ${code})`)
  })
  gone.catch(() => {}) // Whoever asks meanwhile hears of it; an end after the last question is none of our business.
  const answer = async () => (await Promise.race([once(child, 'message'), gone]))[0]
  const ask = (message) => {
    child.send(message)
    return answer()
  }
  const { port } = await answer()
  const load = await Load.open(port, CONNECTIONS)
  return {
    once: (token) => load.once(token),
    async block(milliseconds, nextToken) {
      await ask('start')
      const { requests, perSecond } = await load.block(milliseconds, nextToken, [200], label)
      const { cpuMicroseconds } = await ask('stop')
      return { perSecond, cpu: cpuMicroseconds / requests }
    },
    /** The 99th percentile of the event loop delay in all blocks since the last time it was asked, in milliseconds. */
    async delayP99() {
      return (await ask('delays')).delayP99
    },
    close() {
      load.close()
      child.disconnect()
    },
  }
}

/** Starts the servers of all contenders, hands them to `use`, and stops them whatever happens. */
export async function withServers(ids, issuer, use) {
  const pinned = pinLoad()
  const servers = {}
  try {
    for (const id of ids) {
      servers[id] = await startServer(id, issuer.settings, pinned)
      await checkContender(id, issuer, servers[id].once)
    }
    return await use(servers)
  } finally {
    for (const server of Object.values(servers)) server.close()
  }
}

/**
 * Each of `ids` against `base` (A), in blocks A B B A: whatever slows the machine for a while slows both.
 * `tokensFor(id)` gives each contender its own source of tokens.
 */
export async function compare(servers, { base, ids, tokensFor, blockMs, quads, warmUpMs }) {
  const pairs = Object.fromEntries(ids.map((id) => [id, []]))
  const next = Object.fromEntries([base, ...ids].map((id) => [id, tokensFor(id)]))
  const block = (id, milliseconds = blockMs) => servers[id].block(milliseconds, next[id])

  for (const id of [base, ...ids]) {
    await block(id, warmUpMs)
    await servers[id].delayP99()
  }
  for (let quad = 0; quad < quads; quad++) {
    for (const id of shuffle(ids)) {
      const [a1, b1, b2, a2] = [await block(base), await block(id), await block(id), await block(base)]
      pairs[id].push([a1, b1], [a2, b2])
    }
  }
  const results = {}
  for (const id of ids) {
    results[id] = {
      ratio: summary(pairs[id].map(([a, b]) => b.perSecond / a.perSecond)),
      perSecond: median(pairs[id].map(([, b]) => b.perSecond)),
      cpuOver: summary(pairs[id].map(([a, b]) => b.cpu - a.cpu)),
      delayP99: await servers[id].delayP99(),
    }
  }
  return results
}

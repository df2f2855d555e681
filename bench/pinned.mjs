// Servers on one core, the load on the other, and blocks A B B A of each contender against its yardstick.
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { median, quantile, shuffle, summary } from './stats.mjs'

const SERVER_CORE = '0'
const LOAD_CORE = '1'

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
export function pinLoad() {
  if (!hasTaskset()) return false
  execFileSync('taskset', ['-acp', LOAD_CORE, String(process.pid)], { stdio: 'ignore' })
  return true
}

/** Runs a file that calls `serve` (serve.mjs) in a process of its own. */
export async function startPinned(file, args, label, pinned) {
  const command = [process.execPath, fileURLToPath(new URL(file, import.meta.url)), ...args]
  if (pinned) command.unshift('taskset', '-c', SERVER_CORE)
  const child = spawn(command[0], command.slice(1), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
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
  return {
    port,
    start: () => ask('start'),
    /** The CPU time of all its threads since the start. */
    stop: async () => (await ask('stop')).cpuMicroseconds,
    /** The 99th percentile of the event loop delay in all blocks since the last time it was asked, in milliseconds. */
    delayP99: async () => (await ask('delays')).delayP99,
    close: () => child.disconnect(),
  }
}

/**
 * Each of `ids` against `base` (A), in blocks A B B A: whatever slows the machine for a while slows both.
 * `sourceFor(id)` gives each contender what its blocks send.
 */
export async function compare(servers, { base, ids, sourceFor, blockMs, quads, warmUpMs }) {
  const pairs = Object.fromEntries(ids.map((id) => [id, []]))
  const sources = Object.fromEntries([base, ...ids].map((id) => [id, sourceFor(id)]))
  const block = (id, milliseconds = blockMs) => servers[id].block(milliseconds, sources[id])

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
    const own = pairs[id].map(([, b]) => b)
    const latencies = own.flatMap((b) => b.latencies ?? [])
    results[id] = {
      ratio: summary(pairs[id].map(([a, b]) => b.perSecond / a.perSecond)),
      perSecond: median(own.map((b) => b.perSecond)),
      cpu: median(own.map((b) => b.cpu)),
      cpuOver: summary(pairs[id].map(([a, b]) => b.cpu - a.cpu)),
      delayP99: await servers[id].delayP99(),
      ...(latencies.length > 0 && { latencyP99: quantile(latencies, 0.99) }),
    }
  }
  return results
}

// Floods of bad tokens, in process: what a refusal costs, and how often a flood makes a guard fetch the key set.
import { advance, installClock } from './clock.mjs'
import { contenders, createApp, isGuard, pick, refusalsOf } from './contenders.mjs'
import { call, round } from './in-process.mjs'
import { checkContender } from './check.mjs'
import { BAD_KINDS, startIssuer } from './issuer.mjs'
import { median, shuffle } from './stats.mjs'
import { number, table } from './table.mjs'
import { runWorkload } from './workload.mjs'

export async function measure({ quick }) {
  installClock()
  const calls = quick ? 150 : 400
  const rounds = quick ? 5 : 9
  const warmUps = 2
  const issuer = await startIssuer()
  const ids = pick(['bare', ...Object.keys(contenders).filter(isGuard)])
  const apps = {}
  for (const id of ids) {
    apps[id] = await createApp(id, issuer.settings)
    await checkContender(id, issuer, async (token) => (await call(apps[id], token)).statusCode)
  }

  const refusals = Object.fromEntries(ids.map((id) => [id, {}]))
  for (const kind of BAD_KINDS) {
    const tokens = await issuer.badTokens(kind, calls * (rounds + warmUps))
    const times = Object.fromEntries(ids.map((id) => [id, []]))
    for (let n = 0; n < rounds + warmUps; n++) {
      const slice = tokens.slice(n * calls, (n + 1) * calls)
      for (const id of shuffle(ids)) {
        const expected = id === 'bare' ? [200] : refusalsOf(id, kind)
        const microseconds = await round(apps[id], slice, expected, `${contenders[id].label}, ${kind},`)
        if (n >= warmUps) times[id].push(microseconds)
      }
    }
    for (const id of ids) refusals[id][kind] = median(times[id])
  }

  const fetches = {}
  for (const id of ids.filter(isGuard)) fetches[id] = await fetchesInAMinute(id, issuer)
  await issuer.close()
  return { calls, rounds, refusals, fetches }
}

/** A minute of bad tokens, 20 each second on a clock that is moved by hand; the first fetch of the keys is not counted. */
async function fetchesInAMinute(id, issuer) {
  const app = await createApp(id, issuer.settings)
  const { statusCode } = await call(app, await issuer.token())
  if (statusCode !== 200) throw new Error(`${contenders[id].label} answered ${statusCode} to a valid token`)
  const before = issuer.fetches()
  for (let second = 0; second < 60; second++) {
    for (const kind of ['unknown kid', 'wrong signature', 'malformed']) {
      const tokens = await issuer.badTokens(kind, kind === 'unknown kid' ? 10 : 5)
      await round(app, tokens, refusalsOf(id, kind), `${contenders[id].label}, ${kind},`)
    }
    advance(1)
  }
  return issuer.fetches() - before
}

export function tables({ calls, rounds, refusals, fetches }) {
  const rows = Object.entries(refusals).map(([id, byKind]) => [
    contenders[id].label,
    ...BAD_KINDS.map((kind) => number(byKind[kind])),
    fetches[id] ?? '-',
  ])
  return [
    `### Bad tokens, in process, every one another (µs a refusal; ${rounds} rounds of ${calls} calls)`,
    table(['', ...BAD_KINDS, 'key-set fetches in a minute'], rows),
    'Bare Express refuses nothing; its row shows what the calls cost without a guard.',
  ].join('\n\n')
}

await runWorkload(import.meta, measure, tables)

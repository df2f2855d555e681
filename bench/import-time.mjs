// What a guard adds to the start of a process, in fresh processes, beyond the import of Express itself.
import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { contenders, isGuard, pick } from './contenders.mjs'
import { shuffle, summary } from './stats.mjs'
import { range, table } from './table.mjs'
import { runWorkload } from './workload.mjs'

export async function measure({ quick }) {
  const runs = quick ? 5 : 11
  const ids = pick(Object.keys(contenders).filter(isGuard))
  const times = Object.fromEntries(['express', ...ids].map((id) => [id, []]))
  const over = Object.fromEntries(ids.map((id) => [id, []]))
  for (let run = -1; run < runs; run++) {
    for (const id of shuffle(ids)) {
      const express = expressFor(id)
      const alone = importTime([express])
      const together = importTime([express, ...contenders[id].packages.map(resolve)])
      // The first turn only warms the file cache.
      if (run < 0) continue
      times.express.push(alone)
      times[id].push(together)
      over[id].push(together - alone)
    }
  }
  return {
    runs,
    express: summary(times.express),
    guards: Object.fromEntries(ids.map((id) => [id, { total: summary(times[id]), over: summary(over[id]) }])),
  }
}

const resolve = (specifier) => (specifier.startsWith('file:') ? specifier : import.meta.resolve(specifier))

// Our build finds Express in the checkout's own modules, if it imports it: two copies would be counted as our weight.
function expressFor(id) {
  if (id !== 'ours') return resolve('express')
  try {
    return pathToFileURL(createRequire(contenders.ours.packages[0]).resolve('express')).href
  } catch {
    return resolve('express')
  }
}

function importTime(specifiers) {
  const imports = specifiers.map((specifier) => `await import(${JSON.stringify(specifier)});`).join('')
  const script = `const start = performance.now();${imports}process.stdout.write(String(performance.now() - start))`
  return Number(
    execFileSync(process.execPath, ['--input-type=module', '--eval', script], { encoding: 'utf8' }),
  )
}

export function tables({ runs, express, guards }) {
  const rows = Object.entries(guards).map(([id, { total, over }]) => [
    contenders[id].label,
    range(total),
    range(over),
  ])
  return [
    `### Import time (${runs} fresh processes each)`,
    table(['', 'with Express, ms', 'beyond Express, ms'], [['Express alone', range(express), '-'], ...rows]),
  ].join('\n\n')
}

await runWorkload(import.meta, measure, tables)

// What a run found, sorted by what was to be expected, and the tables of docs/conformance.md that are made of it.
import { readFile, writeFile } from 'node:fs/promises'
import { table } from '../bench/table.mjs'

const PAGE = new URL('../docs/conformance.md', import.meta.url)
const START = '<!-- results: npm run conformance -- --write -->'
const END = '<!-- end of results -->'

const BAD = new Set(['FAILURE', 'WARNING'])

/**
 * Sorts checks. An expectation that is met by nothing is wrong as well: what it excuses passes now.
 * @param {{ scenario: string, id: string, status: string, errorMessage?: string }[]} checks
 * @param {{ scenarios: RegExp, checks?: RegExp, why: string }[]} expectations
 * @returns {{ scenarios: number, passed: number, expected: number, wrong: string[], reasons: { names: string[], why: string }[] }}
 */
export function judge(checks, expectations) {
  const excused = expectations.map(() => [])
  const wrong = []
  for (const { scenario, id, status, errorMessage = '' } of checks) {
    if (!BAD.has(status)) continue
    const found = expectations.findIndex(
      ({ scenarios, checks: ids = /^/ }) => scenarios.test(scenario) && ids.test(id),
    )
    if (found === -1) wrong.push(`${scenario} ${id}: ${status} ${errorMessage}`)
    else excused[found].push(scenario)
  }
  expectations.forEach(({ scenarios }, n) => {
    if (excused[n].length === 0) wrong.push(`${scenarios.source}: expected to fail, and passes`)
  })
  const passed = checks.filter(({ status }) => status === 'SUCCESS').length
  if (passed === 0) wrong.push('nothing passed')
  return {
    scenarios: new Set(checks.map(({ scenario }) => scenario)).size,
    passed,
    expected: excused.flat().length,
    wrong,
    reasons: expectations.map(({ why }, n) => ({ names: [...new Set(excused[n])], why })),
  }
}

/**
 * Prints the results of a part, hands them to whoever runs it, and sets the exit code.
 * @param {{ requirement: string, with: string, scenarios: number, passed: number, expected?: number, wrong: string[], reasons?: object[] }[]} results
 */
export function report(mode, results) {
  console.table(results.map(({ wrong, reasons: _reasons, ...row }) => ({ ...row, wrong: wrong.length })))
  for (const { requirement, with: subject, wrong } of results)
    for (const line of wrong) console.error(`${requirement}, ${subject}: ${line}`)
  process.exitCode = results.some(({ wrong }) => wrong.length > 0) ? 1 : 0
  process.send?.({ mode, results })
}

/** Replaces what stands between the markers of the document. */
export async function writeDocument(parts) {
  const text = await readFile(PAGE, 'utf8')
  const [from, to] = [text.indexOf(START), text.indexOf(END)]
  if (from === -1 || to < from) throw new Error(`docs/conformance.md has lost its markers: ${START} ${END}`)
  await writeFile(PAGE, `${text.slice(0, from)}${START}\n\n${tables(parts)}\n\n${text.slice(to)}`)
}

function tables(parts) {
  const rows = parts.flatMap(({ mode, results }) =>
    results.map(({ requirement, with: subject, scenarios, passed, expected = 0, wrong }) => [
      mode,
      requirement,
      subject,
      scenarios,
      passed,
      wrong.length,
      expected,
    ]),
  )
  const reasons = new Map()
  for (const { mode, results } of parts)
    for (const { names, why } of results.flatMap(({ reasons: given = [] }) => given)) {
      const known = reasons.get(why) ?? { mode, names: new Set() }
      for (const name of names) known.names.add(name)
      reasons.set(why, known)
    }
  const expected = [...reasons].map(([why, { mode, names }]) => [
    mode,
    [...names].map((name) => `\`${name}\``).join(', '),
    why,
  ])
  return [
    table(['Mode', 'Requirement', 'With', 'Scenarios', 'Passed', 'Failed', 'Expected to fail'], rows),
    'Passed, failed and expected are checks, of which a scenario makes many.',
    '## What is expected to fail',
    table(['Mode', 'Scenarios', 'Why'], expected),
  ].join('\n\n')
}

// Everything that others can say about us, one part after the other, each in a process of its own. Anything unexpected fails it.
//   node conformance/run.mjs                     all of it
//   node conformance/run.mjs --write             all of it; writes the tables of docs/conformance.md where nothing is wrong
//   node conformance/run.mjs clients …           only these
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { writeDocument } from './report.mjs'

const PARTS = ['client-mode', 'server-mode', 'authorization', 'clients']

const writes = process.argv.includes('--write')
const named = process.argv.slice(2).filter((argument) => argument !== '--write')
const unknown = named.filter((name) => !PARTS.includes(name))
if (unknown.length > 0 || (writes && named.length > 0)) {
  console.error(
    unknown.length > 0
      ? `No part is called ${unknown.join(', ')}. There are: ${PARTS.join(', ')}`
      : '--write needs all parts',
  )
  process.exit(1)
}

const reports = []
const begin = performance.now()
for (const part of named.length > 0 ? named : PARTS) {
  const started = performance.now()
  const child = fork(fileURLToPath(new URL(`${part}.mjs`, import.meta.url)))
  let said
  child.on('message', (message) => (said = message))
  const [exitCode] = await once(child, 'exit')
  // One that ended well without a word has run nothing.
  const isGood = exitCode === 0 && said !== undefined
  if (isGood) reports.push(said)
  else process.exitCode = 1
  console.log(`${isGood ? 'ok    ' : 'FAILED'}  ${part} (${seconds(started)} s)\n`)
}
console.log(`${process.exitCode === 1 ? 'FAILED' : 'ok    '}  ${seconds(begin)} s`)

if (writes && process.exitCode !== 1) {
  await writeDocument(reports)
  console.log('docs/conformance.md is written.')
}

function seconds(since) {
  return ((performance.now() - since) / 1000).toFixed(0)
}

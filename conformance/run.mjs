// Everything that others can say about us, one part after the other, each in a process of its own.
//   node conformance/run.mjs                     all of it
//   node conformance/run.mjs clients …           only these
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

const PARTS = ['server-mode', 'authorization', 'clients']

const named = process.argv.slice(2)
const unknown = named.filter((name) => !PARTS.includes(name))
if (unknown.length > 0) {
  console.error(`No part is called ${unknown.join(', ')}. There are: ${PARTS.join(', ')}`)
  process.exit(1)
}

for (const part of named.length > 0 ? named : PARTS) {
  const started = performance.now()
  const file = fileURLToPath(new URL(`${part}.mjs`, import.meta.url))
  const [exitCode] = await once(spawn(process.execPath, [file], { stdio: 'inherit' }), 'exit')
  const seconds = ((performance.now() - started) / 1000).toFixed(0)
  console.log(`${exitCode === 0 ? 'ok    ' : 'FAILED'}  ${part} (${seconds} s)\n`)
  if (exitCode !== 0) process.exitCode = 1
}

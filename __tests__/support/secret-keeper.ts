// One of several processes that ask for the kept secret at the same moment: it waits for the signal, and prints what it was given.
import { existsSync } from 'node:fs'
import { keptSecret } from '../../lib/runtime/project.js'

const [directory = '', signal = ''] = process.argv.slice(2)
console.log('ready')
while (!existsSync(signal));
console.log(`secret: ${String(keptSecret(directory))}.`)

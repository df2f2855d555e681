// How a workload file is run: alone it prints its tables, started by run.mjs it hands its numbers back.
import { pathToFileURL } from 'node:url'

// Express and its peers format errors and cache views by this.
process.env.NODE_ENV = 'production'

export async function runWorkload(meta, measure, tables) {
  if (!process.argv[1] || meta.url !== pathToFileURL(process.argv[1]).href) return
  const quick = process.argv.includes('--quick')
  try {
    const result = await measure({ quick })
    if (process.send) process.send(result)
    else console.log(tables(result))
  } catch (error) {
    console.error(`aborted: ${error.message}`)
    process.exitCode = 1
  }
  if (process.connected) process.disconnect()
}

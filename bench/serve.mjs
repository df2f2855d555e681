// Serves one contender's app in a child process that reports its own CPU time and event loop delay.
import { createServer } from 'node:http'
import { createHistogram } from 'node:perf_hooks'

/** Listens on loopback, tells the parent the port, and measures from each `start` to its `stop`. */
export function serve(app) {
  const server = createServer(app)
  // Connections stay open, and may be quiet, while another contender has its turn.
  server.keepAliveTimeout = 0
  server.headersTimeout = 0
  server.requestTimeout = 0

  // A timer due every millisecond shows how long the loop kept it waiting. node's monitorEventLoopDelay does the same but
  // forgets at each start, and a single block has too few samples for a 99th percentile.
  let delays = createHistogram()
  let timer
  let cpu

  process.on('message', (message) => {
    if (message === 'start') {
      let last = process.hrtime.bigint()
      timer = setInterval(() => {
        const now = process.hrtime.bigint()
        delays.record(now - last)
        last = now
      }, 1)
      cpu = process.cpuUsage()
      process.send({ started: true })
    } else if (message === 'stop') {
      const { user, system } = process.cpuUsage(cpu)
      clearInterval(timer)
      process.send({ cpuMicroseconds: user + system })
    } else if (message === 'delays') {
      process.send({ delayP99: delays.percentile(99) / 1e6 })
      delays = createHistogram()
    }
  })
  process.on('disconnect', () => process.exit())

  server.listen(0, '127.0.0.1', () => process.send({ port: server.address().port }))
}

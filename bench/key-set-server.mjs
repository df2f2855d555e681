// Thread: serves the key set on loopback and counts how often anyone asks.
import { createServer } from 'node:http'
import { parentPort, workerData } from 'node:worker_threads'

const body = JSON.stringify(workerData.jwks)

const server = createServer((req, res) => {
  Atomics.add(workerData.fetches, 0, 1)
  res.writeHead(200, { 'content-type': 'application/json' }).end(body)
})
server.listen(0, '127.0.0.1', () => parentPort.postMessage(`http://127.0.0.1:${server.address().port}/jwks`))

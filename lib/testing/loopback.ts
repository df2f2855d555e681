// Servers of tests: on this machine, on a port of their own, and never in the way of the end of the process.
import { type RequestListener, type Server, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** A server that listens. */
export interface LoopbackServer {
  /** Without a slash at its end. */
  readonly url: string
  readonly close: () => Promise<void>
}

/** @param port 0 for any that is free */
export async function listenOnLoopback(app: RequestListener | Server, port = 0): Promise<LoopbackServer> {
  const server = typeof app === 'function' ? createServer(app) : app
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => {
      server.off('error', reject)
      resolve()
    })
  })
  // A test that forgets to close it ends all the same, without waiting for connections that nobody uses any more.
  server.unref()
  server.on('connection', (socket) => {
    socket.unref()
  })
  return {
    url: addressOf(server),
    close: () =>
      new Promise((resolve) => {
        server.close(() => {
          resolve()
        })
        server.closeAllConnections()
      }),
  }
}

/** Where a server that listens is reached from this machine. */
export function addressOf(server: Server): string {
  const { address, port, family } = server.address() as AddressInfo
  const isAny = address === '::' || address === '0.0.0.0'
  const host = family === 'IPv6' ? `[${isAny ? '::1' : address}]` : isAny ? '127.0.0.1' : address
  return `http://${host}:${port}`
}

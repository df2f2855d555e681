// A network between a client and a server that can be made to stand still.
import { once } from 'node:events'
import { type AddressInfo, type Socket, connect, createServer } from 'node:net'

export interface SlowProxy {
  readonly port: number
  /** From now on nothing that the server answers arrives. */
  hold(): void
  /** What was held arrives, and everything else as usual. */
  release(): void
  close(): Promise<void>
}

/** Stands before a port on loopback. */
export async function startSlowProxy(port: number): Promise<SlowProxy> {
  const sockets = new Set<Socket>()
  const servers = new Set<Socket>()
  let held = false
  const proxy = createServer((client) => {
    const server = connect(port, '127.0.0.1')
    servers.add(server)
    for (const socket of [client, server]) {
      sockets.add(socket)
      socket.on('error', () => undefined)
    }
    client.pipe(server)
    server.pipe(client)
    if (held) server.unpipe(client)
    client.on('close', () => server.destroy())
    server.on('close', () => client.destroy())
    clients.set(server, client)
  }).listen(0, '127.0.0.1')
  const clients = new Map<Socket, Socket>()
  await once(proxy, 'listening')
  return {
    port: (proxy.address() as AddressInfo).port,
    hold() {
      held = true
      for (const server of servers) server.unpipe(clients.get(server))
    },
    release() {
      held = false
      for (const server of servers) server.pipe(clients.get(server) as Socket)
    },
    async close() {
      for (const socket of sockets) socket.destroy()
      proxy.close()
      await once(proxy, 'close')
    },
  }
}

// The guards over real HTTP, pinned, each with its own connections.
import { checkContender } from './check.mjs'
import { contenders } from './contenders.mjs'
import { Load } from './load.mjs'
import { pinLoad, startPinned } from './pinned.mjs'

const CONNECTIONS = 16

async function startServer(id, settings, pinned) {
  const { label } = contenders[id]
  const server = await startPinned('server.mjs', [id, JSON.stringify(settings)], label, pinned)
  const load = await Load.open(server.port, CONNECTIONS)
  return {
    once: (token) => load.once(token),
    async block(milliseconds, nextToken) {
      await server.start()
      const { requests, perSecond } = await load.block(milliseconds, nextToken, [200], label)
      return { perSecond, cpu: (await server.stop()) / requests }
    },
    delayP99: server.delayP99,
    close() {
      load.close()
      server.close()
    },
  }
}

/** Starts the servers of all contenders, hands them to `use`, and stops them whatever happens. */
export async function withServers(ids, issuer, use) {
  const pinned = pinLoad()
  const servers = {}
  try {
    for (const id of ids) {
      servers[id] = await startServer(id, issuer.settings, pinned)
      await checkContender(id, issuer, servers[id].once)
    }
    return await use(servers)
  } finally {
    for (const server of Object.values(servers)) server.close()
  }
}

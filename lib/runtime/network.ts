// Names and connections, where `fetch` would look a name up by itself and connect to whatever came out.
import { Resolver } from 'node:dns/promises'
import { type LookupFunction, connect as connectTcp, isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import { isLoopback } from '../protocol/urls.js'

/** Where to connect: addresses that were looked up, and the name that the other side has to prove. */
export interface Destination {
  readonly hostname: string
  readonly port: number
  readonly addresses: readonly string[]
  /** TLS, with a certificate for the host name. */
  readonly secure: boolean
}

export interface Network {
  /** All addresses of a host. */
  lookup(hostname: string): Promise<readonly string[]>
  /** Opens a connection to one of the addresses, and to nothing else. */
  connect(destination: Destination): Duplex
}

/** How long one question to a name server may take, and how often it is asked. */
const NAME_SERVER = { timeout: 1500, tries: 2 }

/** @param servers name servers, where they are not the system's */
export function createNetwork(servers?: readonly string[]): Network {
  return {
    lookup: (hostname) => lookup(hostname, servers),
    connect({ hostname, port, addresses, secure }) {
      const options = { host: hostname, port, lookup: pinned(addresses) }
      if (!secure) return connectTcp(options)
      // A server name is a name: with an address in its place, the certificate is checked for the address.
      return connectTls({ ...options, ...(isIP(hostname) === 0 && { servername: hostname }) })
    },
  }
}

export const systemNetwork: Network = createNetwork()

/**
 * Asks name servers, and not the system's own look-up: that one blocks a thread of the few that the whole process has for
 * it, so that names which are slow on purpose would keep every other name waiting.
 */
async function lookup(hostname: string, servers: readonly string[] | undefined): Promise<readonly string[]> {
  // RFC 6761 6.3: never asked of a name server.
  if (isLoopback(hostname)) return ['127.0.0.1', '::1']
  const resolver = new Resolver(NAME_SERVER)
  if (servers !== undefined) resolver.setServers(servers)
  const [four, six] = await Promise.allSettled([resolver.resolve4(hostname), resolver.resolve6(hostname)])
  // Most names have addresses of one kind only, and asking for the other fails.
  if (four.status === 'rejected' && six.status === 'rejected') throw four.reason
  return [four, six].flatMap((outcome) => (outcome.status === 'fulfilled' ? outcome.value : []))
}

/** Answers whatever is asked with what was looked up before. */
function pinned(addresses: readonly string[]): LookupFunction {
  const found = addresses.map((address) => ({ address, family: isIP(address) }))
  const [first] = found as [{ address: string; family: number }]
  return (_hostname, { all }, callback) => {
    if (all === true) callback(null, found)
    else callback(null, first.address, first.family)
  }
}

// Names and connections, where `fetch` would look a name up by itself and connect to whatever came out.
import { lookup as resolve } from 'node:dns/promises'
import { type LookupFunction, connect as connectTcp, isIP } from 'node:net'
import type { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'

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

export const systemNetwork: Network = {
  async lookup(hostname) {
    const found = await resolve(hostname, { all: true })
    return found.map(({ address }) => address)
  },
  connect({ hostname, port, addresses, secure }) {
    const options = { host: hostname, port, lookup: pinned(addresses) }
    if (!secure) return connectTcp(options)
    // A server name is a name: with an address in its place, the certificate is checked for the address.
    return connectTls({ ...options, ...(isIP(hostname) === 0 && { servername: hostname }) })
  },
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

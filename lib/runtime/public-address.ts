// RFC 6890 and its registries: addresses that lead into this machine, its network or nowhere, and never to a public host.
import { isIP } from 'node:net'
import ipaddr from 'ipaddr.js'

/** Public by its number, but answered by the host that a virtual machine of Azure runs on. */
const PLATFORM_ADDRESS = '168.63.129.16'

/** Whether an address, as a resolver gives it, belongs to the public internet. */
export function isPublicAddress(address: string): boolean {
  // The parser also reads 0x7f.1 and 0177.0.0.1, which no resolver answers with.
  if (isIP(address) === 0 || address === PLATFORM_ADDRESS) return false
  const parsed = ipaddr.parse(address)
  if (parsed.range() !== 'unicast') return false
  if (parsed instanceof ipaddr.IPv4) return true
  const [first, , , , , marker] = parsed.parts as [number, number, number, number, number, number]
  // RFC 4291 2.4: of IPv6, only 2000::/3 is handed out. RFC 5214 6.1: a tunnel to an IPv4 address, which may be any.
  return first >> 13 === 1 && marker !== ISATAP
}

const ISATAP = 0x5efe

/** Whether an address is this machine. */
export function isLoopbackAddress(address: string): boolean {
  return isIP(address) !== 0 && ipaddr.parse(address).range() === 'loopback'
}

// A web server as a stranger runs it, on loopback, and a network on which its name has any address.
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import type { Destination, Network } from '../../lib/runtime/network.js'

export const PUBLIC_ADDRESS = '93.184.216.34'

export interface StrangeHost {
  readonly port: number
  readonly requests: { readonly url: string; readonly headers: IncomingMessage['headers'] }[]
  /** How many connections it saw: none, where a refusal came before the network. */
  readonly connections: number
  /** What names were looked up. */
  readonly lookups: string[]
  /** Where connections were meant to go; all of them arrive here. */
  readonly destinations: Destination[]
  readonly network: Network
  /** Addresses of every name, asked anew at each look-up. */
  resolve: (hostname: string) => readonly string[] | Promise<readonly string[]>
  answer: (request: IncomingMessage, response: ServerResponse) => void
  close(): Promise<void>
}

export async function startStrangeHost(): Promise<StrangeHost> {
  const server = createServer((request, response) => {
    host.requests.push({ url: request.url ?? '', headers: request.headers })
    host.answer(request, response)
  })
  const host = {
    port: 0,
    requests: [],
    connections: 0,
    lookups: [],
    destinations: [],
    resolve: () => [PUBLIC_ADDRESS],
    answer: (_request, response) => response.writeHead(404).end(),
    network: {
      lookup: async (hostname) => {
        host.lookups.push(hostname)
        return host.resolve(hostname)
      },
      connect: (destination) => {
        host.destinations.push(destination)
        return connect(host.port, '127.0.0.1')
      },
    },
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve())
        server.closeAllConnections()
      }),
  } as { -readonly [Name in keyof StrangeHost]: StrangeHost[Name] }
  server.on('connection', () => {
    host.connections++
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  host.port = (server.address() as AddressInfo).port
  return host
}

/** Answers a JSON document. */
export function documentAnswer(value: unknown, headers: Record<string, string> = {}): StrangeHost['answer'] {
  return (_request, response) => {
    response.writeHead(200, { 'content-type': 'application/json', ...headers })
    response.end(JSON.stringify(value))
  }
}

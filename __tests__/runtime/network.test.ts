import {
  type AddressInfo,
  type Socket,
  createServer,
  getDefaultAutoSelectFamily,
  setDefaultAutoSelectFamily,
} from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { type Destination, systemNetwork } from '../../lib/runtime/network.js'

describe('systemNetwork', () => {
  const tries = getDefaultAutoSelectFamily()
  let port: number
  let close: () => void
  let first: Promise<Buffer>

  beforeEach(async () => {
    const sockets: Socket[] = []
    const server = createServer()
    first = new Promise((resolve) => {
      server.on('connection', (socket) => {
        sockets.push(socket)
        socket.on('error', () => undefined)
        socket.once('data', (bytes: Buffer) => {
          resolve(bytes)
          socket.destroy()
        })
      })
    })
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve)
    })
    port = (server.address() as AddressInfo).port
    close = () => {
      for (const socket of sockets) socket.destroy()
      server.close()
    }
  })

  afterEach(() => {
    setDefaultAutoSelectFamily(tries)
    close()
  })

  /** The first bytes that a listener on 127.0.0.1 gets. */
  const send = async (destination: Partial<Destination>): Promise<string> => {
    const connection = systemNetwork.connect({
      hostname: 'client.example',
      port,
      addresses: ['127.0.0.1'],
      secure: false,
      ...destination,
    })
    connection.on('error', () => undefined)
    connection.write('hello')
    const bytes = await first
    connection.destroy()
    return bytes.toString('latin1')
  }

  it('looks all addresses of a name up', async () => {
    const addresses = await systemNetwork.lookup('localhost')
    expect(addresses.length).toBeGreaterThan(0)
    for (const address of addresses) expect(['127.0.0.1', '::1']).toContain(address)
  })

  it.each([true, false])(
    'S2 connects to what was looked up, whatever the name means (several tried: %s)',
    async (several) => {
      setDefaultAutoSelectFamily(several)
      expect(await send({})).toBe('hello')
    },
  )

  it('S2 connects to an address as it is', async () => {
    expect(await send({ hostname: '127.0.0.1' })).toBe('hello')
  })

  it.each([
    ['client.example', true],
    ['127.0.0.1', false],
  ])('speaks TLS with %s, and names it where it is a name', async (hostname, named) => {
    const hello = await send({ hostname, secure: true })
    // A handshake record of TLS (RFC 8446 5.1), with a ClientHello.
    expect([hello.charCodeAt(0), hello.charCodeAt(5)]).toEqual([22, 1])
    expect(hello.includes(hostname)).toBe(named)
    expect(hello).not.toContain('hello')
  })
})

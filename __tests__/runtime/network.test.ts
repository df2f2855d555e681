import { createSocket } from 'node:dgram'
import {
  type AddressInfo,
  type Socket,
  createServer,
  getDefaultAutoSelectFamily,
  setDefaultAutoSelectFamily,
} from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { type Destination, createNetwork, systemNetwork } from '../../lib/runtime/network.js'

describe('connect', () => {
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

describe('lookup', () => {
  const A = 1
  const AAAA = 28
  const ONE = Buffer.from([93, 184, 216, 34])
  const TWO = Buffer.from([93, 184, 216, 35])
  const SIX = Buffer.from('26064700000000000000000068100001', 'hex')

  /** What a name server that knows these records says of client.example. */
  const ask = async (
    records: ReadonlyMap<number, readonly Buffer[]>,
    hostname = 'client.example',
  ): Promise<{ addresses: readonly string[] | Error; asked: number[] }> => {
    const asked: number[] = []
    const server = createSocket('udp4', (query, peer) => {
      // RFC 1035 4.1: a header of 12 bytes, labels up to an empty one, type and class.
      const end = query.indexOf(0, 12) + 5
      const type = query.readUInt16BE(end - 4)
      asked.push(type)
      const answers = (records.get(type) ?? []).map((data) => {
        const head = Buffer.from([0xc0, 12, 0, type, 0, 1, 0, 0, 0, 60, 0, data.length])
        return Buffer.concat([head, data])
      })
      const header = Buffer.from([
        0,
        0,
        0x81,
        records.size === 0 ? 0x83 : 0x80,
        0,
        1,
        0,
        answers.length,
        0,
        0,
        0,
        0,
      ])
      query.copy(header, 0, 0, 2)
      server.send(Buffer.concat([header, query.subarray(12, end), ...answers]), peer.port, peer.address)
    })
    await new Promise<void>((resolve) => {
      server.bind(0, '127.0.0.1', resolve)
    })
    try {
      const network = createNetwork([`127.0.0.1:${server.address().port}`])
      const addresses = await network.lookup(hostname).catch((error: unknown) => error as Error)
      return { addresses, asked: asked.toSorted((one, other) => one - other) }
    } finally {
      server.close()
    }
  }

  it.each<[records: [number, Buffer[]][], addresses: string[]]>([
    [
      [
        [A, [ONE, TWO]],
        [AAAA, [SIX]],
      ],
      ['93.184.216.34', '93.184.216.35', '2606:4700::6810:1'],
    ],
    [[[A, [ONE]]], ['93.184.216.34']],
    [[[AAAA, [SIX]]], ['2606:4700::6810:1']],
  ])('S2 has all addresses of a name, of both kinds', async (records, addresses) => {
    expect(await ask(new Map(records))).toEqual({ addresses, asked: [A, AAAA] })
  })

  it('tells why a name has no address', async () => {
    const { addresses } = await ask(new Map())
    expect(addresses).toMatchObject({ code: 'ENOTFOUND', message: 'queryA ENOTFOUND client.example' })
  })

  it.each(['localhost', 'app.localhost'])('asks nobody for %s', async (hostname) => {
    expect(await ask(new Map([[A, [ONE]]]), hostname)).toEqual({ addresses: ['127.0.0.1', '::1'], asked: [] })
  })
})

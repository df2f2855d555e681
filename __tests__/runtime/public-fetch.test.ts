import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { type TestClock, testClock } from 'express-mcp-auth/testing'
import { createDeps } from '../../lib/runtime/deps.js'
import { FetchError } from '../../lib/runtime/fetch-json.js'
import { type PublicRequest, StatusError, fetchPublicJson } from '../../lib/runtime/public-fetch.js'
import {
  PUBLIC_ADDRESS,
  type StrangeHost,
  documentAnswer,
  startStrangeHost,
} from '../support/strange-host.js'
import { tossLater } from '../support/odd.js'

const URL_ID = 'https://client.example/id.json'

describe('fetchPublicJson', () => {
  let host: StrangeHost
  let clock: TestClock

  beforeEach(async () => {
    host = await startStrangeHost()
    host.answer = documentAnswer({ ok: true })
    clock = testClock()
  })

  afterEach(() => host.close())

  const ask = (request: Partial<PublicRequest> = {}): ReturnType<typeof fetchPublicJson> =>
    fetchPublicJson({ url: URL_ID, ...request }, createDeps({ after: clock.after, network: host.network }))

  const refusal = async (request: Partial<PublicRequest> = {}): Promise<string> => {
    const error: unknown = await ask(request).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(FetchError)
    return (error as FetchError).message
  }

  it('gets a document, over TLS from the addresses of its host', async () => {
    host.answer = documentAnswer({ ok: true }, { 'cache-control': 'max-age=60' })
    const { status, headers, json } = await ask({
      url: 'https://client.example/a/id.json?b=c',
      headers: { 'x-a': 'b' },
    })
    expect({ status, json, control: headers.get('cache-control') }).toEqual({
      status: 200,
      json: { ok: true },
      control: 'max-age=60',
    })
    expect(host.destinations).toEqual([
      { hostname: 'client.example', port: 443, addresses: [PUBLIC_ADDRESS], secure: true },
    ])
    expect(host.requests).toEqual([
      {
        url: '/a/id.json?b=c',
        headers: {
          host: 'client.example',
          accept: 'application/json',
          'accept-encoding': 'identity',
          connection: 'close',
          'x-a': 'b',
        },
      },
    ])
  })

  it('keeps a port', async () => {
    await ask({ url: 'https://client.example:8443/id.json' })
    expect(host.destinations).toMatchObject([{ hostname: 'client.example', port: 8443, secure: true }])
    expect(host.requests[0]?.headers.host).toBe('client.example:8443')
  })

  it.each(['https://93.184.216.34/id', 'https://[2606:4700::6810:84e5]/id'])(
    'looks nothing up for %s',
    async (url) => {
      await ask({ url })
      expect(host.lookups).toEqual([])
      expect(host.destinations[0]?.addresses).toEqual([new URL(url).hostname.replace(/[[\]]/g, '')])
    },
  )

  it.each([
    'application/json',
    'application/json; charset=utf-8',
    'Application/JSON',
    'application/cimd+json',
  ])('S4 takes JSON of the type %s', async (type) => {
    host.answer = documentAnswer({ ok: true }, { 'content-type': type })
    expect(await ask()).toMatchObject({ json: { ok: true } })
  })

  describe('S1 asks nobody at', () => {
    it.each([
      'https://127.0.0.1/id',
      'https://127.1/id',
      'https://2130706433/id',
      'https://0x7f.1/id',
      'https://0177.0.0.1/id',
      'https://①②⑦.0.0.1/id',
      'https://0.0.0.0/id',
      'https://0/id',
      'https://10.1.2.3/id',
      'https://172.16.0.1/id',
      'https://192.168.0.1/id',
      'https://100.64.0.1/id',
      'https://100.100.100.200/latest/meta-data',
      'https://169.254.169.254/latest/meta-data',
      'https://168.63.129.16/metadata',
      'https://192.0.2.1/id',
      'https://198.18.0.1/id',
      'https://224.0.0.1/id',
      'https://255.255.255.255/id',
      'https://[::]/id',
      'https://[::1]/id',
      'https://[::ffff:127.0.0.1]/id',
      'https://[::ffff:7f00:1]/id',
      'https://[::127.0.0.1]/id',
      'https://[64:ff9b::7f00:1]/id',
      'https://[64:ff9b::a9fe:a9fe]/id',
      'https://[2002:7f00:1::]/id',
      'https://[2001:0:7f00:1::1]/id',
      'https://[fc00::1]/id',
      'https://[fd00:ec2::254]/id',
      'https://[fe80::1]/id',
      'https://[fec0::1]/id',
      'https://[ff02::1]/id',
      'https://[2001:db8::1]/id',
    ])('%s', async (url) => {
      expect(await refusal({ url })).toMatch(/^the address .* is not public$/)
      expect(host).toMatchObject({ connections: 0, lookups: [], destinations: [] })
    })

    it.each([
      ['localhost', '127.0.0.1'],
      ['localhost.', '127.0.0.1'],
      ['app.localhost', '::1'],
      ['metadata.google.internal', '169.254.169.254'],
      ['metadata.google.internal.', '169.254.169.254'],
      ['kubernetes.default.svc', '10.0.0.1'],
      ['127.0.0.1.nip.io', '127.0.0.1'],
      ['client.example', '::ffff:10.0.0.1'],
      ['client.example', '64:ff9b::a00:1'],
      ['client.example', 'fd00::1'],
      ['client.example', 'not an address'],
    ])('%s, which is %s', async (hostname, address) => {
      host.resolve = () => [address]
      expect(await refusal({ url: `https://${hostname}/id` })).toBe(`the address ${address} is not public`)
      expect(host).toMatchObject({ connections: 0, lookups: [hostname], destinations: [] })
    })

    it.each([
      ['http://client.example/id', 'not https'],
      ['http://127.0.0.1/id', 'not https'],
      ['file:///etc/passwd', 'not https'],
      ['ftp://client.example/id', 'not https'],
      ['data:application/json,{}', 'not https'],
      ['https://user@client.example/id', 'with a user name or password'],
      ['https://:pass@client.example/id', 'with a user name or password'],
      ['client.example/id', 'not a URL'],
      ['https://', 'not a URL'],
    ])('%s: %s', async (url, reason) => {
      expect(await refusal({ url })).toBe(reason)
      expect(host).toMatchObject({ connections: 0, lookups: [], destinations: [] })
    })
  })

  describe('S2', () => {
    it('refuses a host that is public only among other things', async () => {
      host.resolve = () => [PUBLIC_ADDRESS, '10.0.0.1']
      expect(await refusal()).toBe('the address 10.0.0.1 is not public')
      expect(host.connections).toBe(0)
    })

    it('looks a host up once, and connects to what was checked', async () => {
      let turn = 0
      host.resolve = () => [turn++ === 0 ? PUBLIC_ADDRESS : '127.0.0.1']
      await ask()
      expect(host.lookups).toEqual(['client.example'])
      expect(host.destinations.map(({ addresses }) => addresses)).toEqual([[PUBLIC_ADDRESS]])
    })

    it('checks again for each request, on a connection of its own', async () => {
      await ask()
      await ask()
      expect(host.connections).toBe(2)
      host.resolve = () => ['127.0.0.1']
      expect(await refusal()).toBe('the address 127.0.0.1 is not public')
      expect(host.connections).toBe(2)
    })

    it('cannot be changed by whoever answered the look-up', async () => {
      const addresses = [PUBLIC_ADDRESS]
      host.resolve = () => addresses
      await ask()
      addresses[0] = '127.0.0.1'
      expect(host.destinations[0]?.addresses).toEqual([PUBLIC_ADDRESS])
    })

    it('refuses a host without an address', async () => {
      host.resolve = () => []
      expect(await refusal()).toBe('the host has no address')
    })
  })

  it.each([301, 302, 303, 307, 308])('S3 a redirect is not followed (%i)', async (status) => {
    host.answer = (_request, response) =>
      response
        .writeHead(status, {
          location: `http://127.0.0.1:${host.port}/target`,
          'content-type': 'application/json',
        })
        .end('{}')
    const error: unknown = await ask().catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(StatusError)
    expect(error).toMatchObject({ status, message: `redirected (${status}), which is not followed` })
    expect(host.requests.map(({ url }) => url)).toEqual(['/id.json'])
    expect(host.connections).toBe(1)
  })

  it.each([201, 203, 204, 206, 400, 401, 404, 410, 429, 500, 503])(
    'takes no answer but 200 (%i)',
    async (status) => {
      host.answer = (_request, response) =>
        response.writeHead(status, { 'content-type': 'application/json' }).end()
      await expect(ask()).rejects.toMatchObject({ name: 'StatusError', status, message: `status ${status}` })
    },
  )

  describe('S4', () => {
    it.each<[rule: string, bytes: number, maxBytes: number | undefined, taken: boolean]>([
      ['takes a body of the greatest size', 16 * 1024, undefined, true],
      ['gives up one byte above it', 16 * 1024 + 1, undefined, false],
      ['takes the bound of the request', 10, 10, true],
      ['gives up above the bound of the request', 11, 10, false],
    ])('%s', async (_rule, bytes, maxBytes, taken) => {
      host.answer = documentAnswer('x'.repeat(bytes - 2))
      const request = maxBytes === undefined ? {} : { maxBytes }
      if (taken) expect((await ask(request)).json).toHaveLength(bytes - 2)
      else expect(await refusal(request)).toBe(`more than ${maxBytes ?? 16384} bytes`)
    })

    it('reads no further than the bound', async () => {
      const closed = new Promise<void>((resolve) => {
        host.answer = (_request, response) => {
          response.writeHead(200, { 'content-type': 'application/json' })
          const more = (): void => {
            while (!response.destroyed && response.write('x'.repeat(1024)));
          }
          response.on('drain', more).on('close', resolve)
          more()
        }
      })
      expect(await refusal()).toBe('more than 16384 bytes')
      await closed
    })

    it.each([
      'text/html',
      'text/plain',
      'application/javascript',
      'application/jsonp',
      '',
      'text/html; x=application/json',
    ])('refuses the type %j', async (type) => {
      host.answer = documentAnswer({ ok: true }, { 'content-type': type })
      expect(await refusal()).toBe('not JSON by its content type')
    })

    it('refuses a document without a type', async () => {
      host.answer = (_request, response) => response.end('{}')
      expect(await refusal()).toBe('not JSON by its content type')
    })

    it.each(['gzip', 'br', 'deflate', 'identity, gzip'])(
      'refuses what is compressed: %s',
      async (encoding) => {
        host.answer = (_request, response) => {
          response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': encoding })
          response.end(gzipSync(JSON.stringify('x'.repeat(1_000_000))))
        }
        expect(await refusal()).toBe('compressed')
      },
    )

    it('takes what says that it is not compressed', async () => {
      host.answer = documentAnswer({ ok: true }, { 'content-encoding': 'Identity' })
      expect(await ask()).toMatchObject({ json: { ok: true } })
    })

    it.each([
      ['nothing', ''],
      ['text', '<html>'],
      ['half a document', '{"a":'],
      ['bytes that are not UTF-8', Buffer.from([0x22, 0xff, 0x22])],
    ])('refuses %s', async (_rule, body) => {
      host.answer = (_request, response) =>
        response.writeHead(200, { 'content-type': 'application/json' }).end(body)
      expect(await refusal()).toBe('not JSON')
    })

    it.each<[what: string, answer: StrangeHost['answer']]>([
      ['never answers', () => undefined],
      [
        'stops after the head',
        (_request, response) =>
          response.writeHead(200, { 'content-type': 'application/json' }).flushHeaders(),
      ],
      [
        'stops within the body',
        (_request, response) =>
          void response.writeHead(200, { 'content-type': 'application/json' }).write('{"a"'),
      ],
    ])('gives up after 5 s where the host %s, and hangs up', async (_what, answer) => {
      const hungUp = new Promise<void>((resolve) => {
        host.answer = (request, response) => {
          request.socket.on('close', () => resolve())
          answer(request, response)
          setImmediate(() => clock.advance(4.999))
          setImmediate(() => clock.advance(0.001))
        }
      })
      expect(await refusal()).toBe('no complete answer within 5 s')
      await hungUp
    })

    it('gives up where the name is not found in time, and connects to nothing later', async () => {
      let found: (addresses: readonly string[]) => void = () => undefined
      host.resolve = () => new Promise((resolve) => (found = resolve))
      const asked = refusal({ timeoutSeconds: 2 })
      await Promise.resolve()
      clock.advance(2)
      expect(await asked).toBe('no complete answer within 2 s')
      found([PUBLIC_ADDRESS])
      await new Promise(setImmediate)
      expect(host).toMatchObject({ connections: 0, destinations: [] })
    })

    it('takes no other protocol', async () => {
      host.answer = (request) =>
        request.socket.end('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n')
      expect(await refusal()).toBe('another protocol was answered')
    })

    it('takes no answer that is cut off', async () => {
      host.answer = (request, response) => {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' })
        response.write('{}')
        setImmediate(() => request.socket.destroy())
      }
      expect(await refusal()).toBe('aborted')
    })
  })

  it.each([
    [{ message: '', code: 'ENOTFOUND' }, 'ENOTFOUND'],
    [new Error('queryA ESERVFAIL'), 'queryA ESERVFAIL'],
    [7, '7'],
  ])('tells why a name was not found: %j', async (thrown, message) => {
    host.resolve = () => tossLater(thrown)
    expect(await refusal()).toBe(message)
  })

  it('tells that nobody listens', async () => {
    await host.close()
    expect(await refusal()).toMatch(/ECONNREFUSED/)
  })

  describe('while developing', () => {
    const allowLoopback = true

    it.each(['localhost', 'app.localhost', '127.0.0.1'])(
      'asks this machine by http: %s',
      async (hostname) => {
        host.resolve = () => ['127.0.0.1', '::1']
        const url = `http://${hostname}:${host.port}/id`
        expect(await ask({ url, allowLoopback })).toMatchObject({ json: { ok: true } })
        expect(host.destinations).toMatchObject([{ hostname, port: host.port, secure: false }])
      },
    )

    it('knows the port of http', async () => {
      await ask({ url: 'http://[::1]/id', allowLoopback })
      expect(host.destinations).toEqual([{ hostname: '::1', port: 80, addresses: ['::1'], secure: false }])
    })

    it('asks this machine over the network of the system', async () => {
      const { json } = await fetchPublicJson(
        { url: `http://127.0.0.1:${host.port}/id`, allowLoopback },
        createDeps(),
      )
      expect(json).toEqual({ ok: true })
    })

    it.each([
      ['http://client.example/id', ['127.0.0.1'], 'not https'],
      ['http://10.0.0.1/id', [], 'not https'],
      ['https://client.example/id', ['127.0.0.1'], 'the address 127.0.0.1 is not public'],
      ['https://client.example/id', ['10.0.0.1'], 'the address 10.0.0.1 is not public'],
      ['http://localhost/id', ['10.0.0.1'], 'the address 10.0.0.1 is not public'],
      ['http://localhost/id', ['127.0.0.1', PUBLIC_ADDRESS], `the address ${PUBLIC_ADDRESS} is not public`],
      ['https://localhost/id', [PUBLIC_ADDRESS], `the address ${PUBLIC_ADDRESS} is not public`],
      ['https://10.0.0.1/id', [], 'the address 10.0.0.1 is not public'],
    ])('S1 asks nothing else: %s at %j', async (url, addresses, reason) => {
      host.resolve = () => addresses
      expect(await refusal({ url, allowLoopback })).toBe(reason)
      expect(host.connections).toBe(0)
    })
  })
})

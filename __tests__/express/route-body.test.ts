import { IncomingMessage } from 'node:http'
import { Socket, connect } from 'node:net'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from '@jest/globals'
import express from 'express'
import {
  type AuthEvent,
  type AuthHandler,
  type AuthProvider,
  type McpAuthOptions,
  type RouteBody,
  mcpAuth,
} from 'express-mcp-auth'
import { testClock } from 'express-mcp-auth/testing'
import express4 from 'express4'
import type { NodeRequest } from '../../lib/express/adapter.js'
import { readRouteBody } from '../../lib/express/route-body.js'
import { HOSTS, type Host, type HostName } from '../support/hosts.js'
import { host, silent } from './stand.js'

const MAX = 64
const FORM = 'application/x-www-form-urlencoded'

interface Echo {
  readonly host: Host
  readonly bodies: RouteBody[]
}

/** A route that keeps what it is handed, and says of which kind it was. */
const echo = async (
  name: HostName,
  before: readonly AuthHandler[] = [],
  options: McpAuthOptions = silent,
): Promise<Echo> => {
  const bodies: RouteBody[] = []
  const provider: AuthProvider = {
    verifyToken: () => null,
    routes: [
      {
        path: '/r',
        methods: ['GET', 'POST'],
        maxBodyBytes: MAX,
        handle: (_request, { body }) => {
          bodies.push(body)
          return { status: 200, headers: {}, body: body.kind }
        },
      },
    ],
  }
  return { host: await host(name, [...before, mcpAuth(provider, options)]), bodies }
}

const post = (
  url: string,
  body: RequestInit['body'],
  type = FORM,
  more: Record<string, string> = {},
): Promise<Response> =>
  fetch(`${url}/r`, {
    method: 'POST',
    body,
    headers: { 'content-type': type, ...more },
    duplex: 'half',
  } as RequestInit)

const textOf = (body: RouteBody | undefined): string | undefined =>
  body?.kind === 'raw' ? Buffer.from(body.bytes).toString() : undefined

const EXPRESS = { 5: express, 4: express4 }

describe('the body of a route', () => {
  it.each(HOSTS)('%s: is handed over as it came', async (name) => {
    const {
      host: { url, errors },
      bodies,
    } = await echo(name)
    expect(await (await post(url, 'a=b&c=%C3%BC')).text()).toBe('raw')
    expect(bodies.map(textOf)).toEqual(['a=b&c=%C3%BC'])
    expect(errors).toEqual([])
  })

  it.each(HOSTS)('%s: is none where there is none', async (name) => {
    const {
      host: { url },
    } = await echo(name)
    expect(await (await fetch(`${url}/r`)).text()).toBe('none')
    expect(await (await fetch(`${url}/r`, { method: 'POST' })).text()).toBe('none')
  })

  it.each(HOSTS)('%s: is put together of its pieces', async (name) => {
    const {
      host: { url },
      bodies,
    } = await echo(name)
    const pieces = new ReadableStream({
      async pull(controller) {
        for (const piece of ['a=', 'b', '&c=d']) {
          controller.enqueue(Buffer.from(piece))
          await new Promise((resolve) => setImmediate(resolve))
        }
        controller.close()
      },
    })
    expect(await (await post(url, pieces)).text()).toBe('raw')
    expect(bodies.map(textOf)).toEqual(['a=b&c=d'])
  })

  it.each(HOSTS)(
    '%s: X2 is too large by one byte more than the route takes, and the connection is closed',
    async (name) => {
      const {
        host: { url },
        bodies,
      } = await echo(name)
      expect(await (await post(url, 'a'.repeat(MAX))).text()).toBe('raw')
      const declared = await post(url, 'a'.repeat(MAX + 1))
      expect([await declared.text(), declared.headers.get('connection')]).toEqual(['too_large', 'close'])
      const sent = await post(url, new Blob(['a'.repeat(MAX + 1)]).stream())
      expect(await sent.text()).toBe('too_large')
      expect(bodies.map(({ kind }) => kind)).toEqual(['raw', 'too_large', 'too_large'])
    },
  )

  it('X2 of a declared length above the bound is refused before it is sent', async () => {
    const {
      host: { url },
    } = await echo('node:http')
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    socket.write(`POST /r HTTP/1.1\r\nHost: a\r\nContent-Type: ${FORM}\r\nContent-Length: 1000000000\r\n\r\n`)
    const answer = await text(socket)
    expect(answer).toMatch(/^HTTP\/1.1 200 .*too_large$/s)
    expect(answer).toContain('\r\nConnection: close\r\n')
  })

  it.each(['gzip', 'br', 'identity, gzip', 'x'])(
    'X2 in the encoding %s is not unpacked',
    async (encoding) => {
      const {
        host: { url },
        bodies,
      } = await echo('node:http')
      await post(url, gzipSync('a=b'), FORM, { 'content-encoding': encoding })
      expect(bodies).toEqual([{ kind: 'unreadable', reason: 'it must not have a Content-Encoding' }])
    },
  )

  it('may say that it is in no encoding', async () => {
    const {
      host: { url },
      bodies,
    } = await echo('node:http')
    await post(url, 'a=b', FORM, { 'content-encoding': 'Identity' })
    expect(bodies.map(textOf)).toEqual(['a=b'])
  })

  it('X1 that does not arrive within ten seconds is given up, while others are served', async () => {
    const clock = testClock()
    const {
      host: { url },
      bodies,
    } = await echo('node:http', [], { deps: clock, ...silent })
    const sockets = Array.from({ length: 50 }, () => {
      const socket = connect(Number(new URL(url).port), '127.0.0.1')
      socket.write(`POST /r HTTP/1.1\r\nHost: a\r\nContent-Type: ${FORM}\r\nContent-Length: 10\r\n\r\na`)
      return socket
    })
    const answers = sockets.map((socket) => text(socket))
    for (let index = 0; index < 5; index++) expect(await (await post(url, 'a=b')).text()).toBe('raw')
    expect(bodies).toHaveLength(5)
    clock.advance(9.9)
    expect(await (await post(url, 'a=b')).text()).toBe('raw')
    clock.advance(0.2)
    for (const answer of await Promise.all(answers)) {
      expect(answer).toMatch(/^HTTP\/1.1 200 .*unreadable$/s)
      expect(answer).toContain('\r\nConnection: close\r\n')
    }
    expect(bodies.at(-1)).toEqual({ kind: 'unreadable', reason: 'it was not complete within 10 s' })
  })

  it.each(HOSTS)(
    '%s: of a client that went away reaches no handler, and is told as nothing',
    async (name) => {
      const events: AuthEvent[] = []
      const gone: Promise<void>[] = []
      const watch: AuthHandler = (_request, response, next) => {
        gone.push(new Promise((resolve) => response.on('close', () => setImmediate(resolve))))
        next()
      }
      const {
        host: { url, errors, handled },
        bodies,
      } = await echo(name, [watch], {
        onEvent: (event) => events.push(event),
      })
      events.length = 0
      const socket = connect(Number(new URL(url).port), '127.0.0.1')
      socket.write(`POST /r HTTP/1.1\r\nHost: a\r\nContent-Type: ${FORM}\r\nContent-Length: 10\r\n\r\na`)
      while (gone.length === 0) await new Promise((resolve) => setImmediate(resolve))
      socket.destroy()
      await gone[0]
      expect([bodies, events, errors, handled()]).toEqual([[], [], [], 0])
      expect(await (await post(url, 'a=b')).text()).toBe('raw')
    },
  )
})

describe.each([5, 4] as const)('the body of a route behind a parser of Express %i', (version) => {
  const { json, urlencoded, text: plain, raw } = EXPRESS[version]
  const name = `Express ${version}` as const
  const parse = (parser: unknown): AuthHandler[] => [parser as AuthHandler]

  it('is what a parser of forms left', async () => {
    const {
      host: { url },
      bodies,
    } = await echo(name, parse(urlencoded({ extended: false })))
    await post(url, 'a=b&a=c')
    expect(bodies).toEqual([{ kind: 'parsed', value: expect.objectContaining({ a: ['b', 'c'] }) }])
  })

  it('is what a parser of JSON left', async () => {
    const {
      host: { url },
      bodies,
    } = await echo(name, parse(json()))
    await post(url, '{"a":"b"}', 'application/json')
    await post(url, '{}', 'application/json')
    expect(bodies).toEqual([
      { kind: 'parsed', value: { a: 'b' } },
      { kind: 'parsed', value: {} },
    ])
  })

  it('is read all the same where the parser was for another type', async () => {
    const {
      host: { url },
      bodies,
    } = await echo(name, parse(json()))
    await post(url, 'a=b')
    expect(bodies.map(textOf)).toEqual(['a=b'])
  })

  it.each([
    ['text', plain({ type: '*/*' })],
    ['bytes', raw({ type: '*/*' })],
  ])('is as it came where the parser made %s of it', async (_rule, parser) => {
    const {
      host: { url },
      bodies,
    } = await echo(name, parse(parser))
    await post(url, 'a=%C3%BC')
    expect(bodies.map(textOf)).toEqual(['a=%C3%BC'])
    await post(url, 'a'.repeat(MAX + 1))
    expect(bodies.at(-1)).toEqual({ kind: 'too_large' })
  })

  it('X2 is too large where the parser takes more than the route', async () => {
    const {
      host: { url },
      bodies,
    } = await echo(name, parse(urlencoded({ extended: false })))
    await post(url, `a=${'a'.repeat(MAX)}`)
    expect(bodies).toEqual([{ kind: 'too_large' }])
  })

  it('X2 is too large in chunks, or once it is unpacked, too', async () => {
    const {
      host: { url },
      bodies,
    } = await echo(name, parse(urlencoded({ extended: false })))
    const large = `a=${'a'.repeat(MAX)}`
    await post(url, new Blob([large]).stream())
    await post(url, gzipSync(large.repeat(5)), FORM, { 'content-encoding': 'gzip' })
    await post(url, new Blob(['a=b']).stream())
    expect(bodies).toEqual([
      { kind: 'too_large' },
      { kind: 'too_large' },
      { kind: 'parsed', value: expect.objectContaining({ a: 'b' }) },
    ])
  })

  it('is none where there is none', async () => {
    const {
      host: { url },
    } = await echo(name, parse(urlencoded({ extended: false })))
    expect(await (await fetch(`${url}/r`)).text()).toBe('none')
    expect(await (await fetch(`${url}/r`, { method: 'POST' })).text()).toBe('none')
  })

  it('is unreadable where somebody took it and left nothing', async () => {
    const take: AuthHandler = (request, _response, next) => {
      request.resume().on('end', () => {
        next()
      })
    }
    const {
      host: { url },
      bodies,
    } = await echo(name, [take])
    await post(url, 'a=b')
    expect(bodies).toEqual([
      { kind: 'unreadable', reason: 'it was read before and left nothing in req.body' },
    ])
  })
})

describe('readRouteBody', () => {
  const requestOf = (headers: Record<string, string>, more: object = {}): NodeRequest =>
    Object.assign(new IncomingMessage(new Socket()), { headers }, more)
  const never = { after: () => () => undefined }

  it('takes what a platform has put there without a stream', () => {
    const request = requestOf({}, { body: 'a=b' })
    expect(readRouteBody(request, MAX, never)).toEqual({ kind: 'raw', bytes: Buffer.from('a=b') })
    expect(readRouteBody(requestOf({}, { body: { a: 'b' } }), MAX, never)).toEqual({
      kind: 'parsed',
      value: { a: 'b' },
    })
    expect(readRouteBody(requestOf({}, { body: null }), MAX, never)).toEqual({ kind: 'parsed', value: null })
    expect(readRouteBody(requestOf({}, { body: 1n }), MAX, never)).toEqual({ kind: 'parsed', value: 1n })
  })

  it('takes text from a stream that was given an encoding, and counts its bytes', async () => {
    const stream = (content: string): NodeRequest => {
      const through = new PassThrough()
      through.setEncoding('utf8')
      through.end(content)
      return Object.assign(through, { headers: { 'transfer-encoding': 'chunked' } }) as unknown as NodeRequest
    }
    expect(textOf(await readRouteBody(stream('a=ü'), 4, never))).toBe('a=ü')
    expect(await readRouteBody(stream('a=ü'), 3, never)).toEqual({ kind: 'too_large' })
    expect(await readRouteBody(stream(''), 3, never)).toEqual({ kind: 'none' })
  })

  it('X9 says that a stream which fails was cut off, however often it fails', async () => {
    const stream = new PassThrough()
    const request = Object.assign(stream, { headers: { 'content-length': '5' } }) as unknown as NodeRequest
    const body = readRouteBody(request, MAX, never)
    stream.emit('error', new Error('reset'))
    expect(await body).toEqual({ kind: 'unreadable', reason: 'it was cut off' })
    expect(() => stream.emit('error', new Error('again'))).not.toThrow()
  })

  it('leaves nothing behind: no timer, no listener', async () => {
    let cancelled = 0
    const after = (): (() => void) => () => cancelled++
    const stream = new PassThrough()
    const before = stream.eventNames().length
    const request = Object.assign(stream, { headers: { 'content-length': '3' } }) as unknown as NodeRequest
    const body = readRouteBody(request, MAX, { after })
    stream.end('a=b')
    expect(textOf(await body)).toBe('a=b')
    expect(cancelled).toBe(1)
    expect(stream.listenerCount('data') + stream.listenerCount('close')).toBe(0)
    expect(stream.eventNames().length).toBeLessThanOrEqual(before + 1)
  })
})

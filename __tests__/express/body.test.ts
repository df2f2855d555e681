import { IncomingMessage } from 'node:http'
import { Socket, connect } from 'node:net'
import { buffer } from 'node:stream/consumers'
import { finished } from 'node:stream/promises'
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { ConfigError } from 'express-mcp-auth'
import fc from 'fast-check'
import type { NodeRequest } from '../../lib/express/adapter.js'
import { type BodyRead, hasBody, peekBody } from '../../lib/express/body.js'
import { startServer } from '../support/site.js'

const JSON_TYPE = { 'content-type': 'application/json' }
const MIB = 1024 * 1024
const NOT_JSON = { status: 400, problem: 'The body is not JSON in UTF-8' }
const NOT_UTF8 = { status: 415, problem: 'JSON is UTF-8 (RFC 8259 8.1)' }
const TOO_LARGE = { status: 413, problem: 'The body is larger than 4194304 bytes' }

describe('peekBody', () => {
  let server: { url: string; close: () => Promise<void> }
  /** Looks at the body, then reads it as the next in line would. */
  let look: (request: NodeRequest) => Promise<void>

  beforeAll(async () => {
    server = await startServer((request, response) => {
      void look(request).then(
        () => response.end(),
        () => response.destroy(),
      )
    })
  })

  afterAll(() => server.close())

  interface Seen {
    readonly body: BodyRead
    readonly next: Buffer
  }

  const peek = async (init: RequestInit): Promise<Seen> => {
    const seen = new Promise<Seen>((resolve, reject) => {
      const read = async (request: NodeRequest): Promise<Seen> => {
        const body = await peekBody(request)
        return { body, next: 'problem' in body ? Buffer.alloc(0) : await buffer(request) }
      }
      look = (request) => read(request).then(resolve, reject)
    })
    const answered = fetch(server.url, { method: 'POST', duplex: 'half', ...init })
    const [result] = await Promise.all([seen, answered])
    return result
  }

  it('reads JSON and leaves every byte to the next in line', async () => {
    const text = ' {"method":"tools/list"}\r\n'
    expect(await peek({ body: text, headers: JSON_TYPE })).toEqual({
      body: { value: { method: 'tools/list' } },
      next: Buffer.from(text),
    })
  })

  it.each([
    ['no body', {}],
    ['a body of no bytes', { body: '' }],
    [
      'a body of no bytes in chunks',
      { body: new ReadableStream({ start: (controller) => controller.close() }) },
    ],
  ])('finds %s empty', async (_rule, init) => {
    expect(await peek(init)).toEqual({ body: { empty: true }, next: Buffer.alloc(0) })
  })

  it.each<[rule: string, bytes: string, body: BodyRead]>([
    ['a body of no bytes in chunks', 'Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n', { empty: true }],
    ['a body of no bytes by a length in two digits', 'Content-Length: 00\r\n\r\n', { empty: true }],
    ['a body in chunks', 'Transfer-Encoding: chunked\r\n\r\n3\r\n[1]\r\n0\r\n\r\n', { value: [1] }],
    ['a body', 'Content-Length: 3\r\n\r\n[1]', { value: [1] }],
  ])(
    'reads %s that was complete before anybody looked, as behind a verifier that takes its time',
    async (_rule, bytes, body) => {
      const seen = new Promise<BodyRead>((resolve, reject) => {
        look = async (request) => {
          while (!request.complete) await new Promise(setImmediate)
          await new Promise(setImmediate)
          await peekBody(request).then(resolve, reject)
        }
      })
      const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
      await write(socket, `POST / HTTP/1.1\r\nHost: a\r\n${bytes}`)
      try {
        expect(await seen).toEqual(body)
      } finally {
        socket.destroy()
      }
    },
  )

  it('waits for the end of a body that may have no bytes', async () => {
    let begin = (): void => undefined
    const begun = new Promise<void>((resolve) => {
      begin = resolve
    })
    const seen = new Promise<unknown>((resolve, reject) => {
      const read = async (request: NodeRequest): Promise<object> => {
        const peeked = peekBody(request)
        begin()
        return { body: await peeked, next: await buffer(request) }
      }
      look = (request) => read(request).then(resolve, reject)
    })
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
    await write(socket, 'POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n')
    await begun
    await write(socket, '0\r\n\r\n')
    try {
      expect(await seen).toEqual({ body: { empty: true }, next: Buffer.alloc(0) })
    } finally {
      socket.destroy()
    }
  })

  it.each<[rule: string, body: string | Buffer, headers: Record<string, string>, value: unknown]>([
    ['whatever its type is said to be', '[1]', { 'content-type': 'text/plain' }, [1]],
    ['without a type', Buffer.from('[1]'), {}, [1]],
    ['with a byte order mark', '\ufeff[1]', JSON_TYPE, [1]],
    ['in UTF-8', '"ü€😀"', JSON_TYPE, 'ü€😀'],
    ['in UTF-8 that is named', '[1]', { 'content-type': 'application/json; charset=UTF-8' }, [1]],
    [
      'in UTF-8 that is named in another spelling',
      '[1]',
      { 'content-type': 'application/json;Charset="utf8" ; a=b' },
      [1],
    ],
    ['as it is', '[1]', { ...JSON_TYPE, 'content-encoding': 'Identity' }, [1]],
    ['in gzip', gzipSync('[1]'), { ...JSON_TYPE, 'content-encoding': 'gzip' }, [1]],
    ['in deflate', deflateSync('[1]'), { ...JSON_TYPE, 'content-encoding': 'Deflate' }, [1]],
  ])('reads JSON %s', async (_rule, body, headers, value) => {
    expect(await peek({ body, headers })).toEqual({ body: { value }, next: Buffer.from(body) })
  })

  it.each<[rule: string, body: string | Buffer, headers: Record<string, string>, problem: object]>([
    ['text that is not JSON', 'method=tools/list', JSON_TYPE, NOT_JSON],
    ['white space', '  ', JSON_TYPE, NOT_JSON],
    ['bytes that are not UTF-8', Buffer.from('"\xff"', 'latin1'), JSON_TYPE, NOT_JSON],
    ['UTF-16 that is not named', Buffer.from('[1]', 'utf16le'), JSON_TYPE, NOT_JSON],
    ['another charset', '[1]', { 'content-type': 'application/json; charset=utf-16' }, NOT_UTF8],
    [
      'a charset that a parser might honour',
      '[1]',
      { 'content-type': 'application/json; charset="utf-7"' },
      NOT_UTF8,
    ],
    ['two charsets', '[1]', { 'content-type': 'application/json; charset=utf-8; charset=utf-7' }, NOT_UTF8],
    [
      'a charset within another parameter',
      '[1]',
      { 'content-type': 'application/json; a="; charset=utf-8"; charset=utf-7' },
      NOT_UTF8,
    ],
    ['a charset by RFC 8187', '[1]', { 'content-type': "application/json; charset*=utf-7''" }, NOT_UTF8],
    ['a charset of nothing', '[1]', { 'content-type': 'application/json; charset=' }, NOT_UTF8],
    [
      'a charset behind two parameters',
      '[1]',
      { 'content-type': 'application/json;a=b;\tcharset\t=\tutf-7' },
      NOT_UTF8,
    ],
    [
      'an encoding that is none',
      '[1]',
      { ...JSON_TYPE, 'content-encoding': 'x-gzip' },
      { status: 415, problem: 'The content encoding is not supported' },
    ],
    [
      'two encodings',
      gzipSync(gzipSync('[1]')),
      { ...JSON_TYPE, 'content-encoding': 'gzip, gzip' },
      { status: 415, problem: 'The content encoding is not supported' },
    ],
    [
      'an encoding called like a member of every object',
      '[1]',
      { ...JSON_TYPE, 'content-encoding': 'constructor' },
      { status: 415, problem: 'The content encoding is not supported' },
    ],
    [
      'brotli, which may be one thing unpacked and another as it is',
      brotliCompressSync('[1]'),
      { ...JSON_TYPE, 'content-encoding': 'br' },
      { status: 415, problem: 'The content encoding is not supported' },
    ],
    ['what is not gzip', '[1]', { ...JSON_TYPE, 'content-encoding': 'gzip' }, NOT_JSON],
    [
      'gzip that breaks off',
      gzipSync('[1]').subarray(0, 20),
      { ...JSON_TYPE, 'content-encoding': 'gzip' },
      NOT_JSON,
    ],
    ['raw deflate', deflateRawSync('[1]'), { ...JSON_TYPE, 'content-encoding': 'deflate' }, NOT_JSON],
    ['gzip of what is not JSON', gzipSync('[1'), { ...JSON_TYPE, 'content-encoding': 'gzip' }, NOT_JSON],
    [
      'gzip of more than the bound',
      gzipSync(Buffer.alloc(4 * MIB + 1, ' ')),
      { ...JSON_TYPE, 'content-encoding': 'gzip' },
      TOO_LARGE,
    ],
    ['more than the bound', Buffer.alloc(4 * MIB + 1, ' '), JSON_TYPE, TOO_LARGE],
  ])('cannot judge %s', async (_rule, body, headers, problem) => {
    expect((await peek({ body, headers })).body).toEqual(problem)
  })

  it('takes a body of just the bound', async () => {
    const body = Buffer.alloc(4 * MIB, ' ').fill('[1]', 0, 3)
    const { body: read, next } = await peek({ body, headers: JSON_TYPE })
    expect(read).toEqual({ value: [1] })
    expect(next.equals(body)).toBe(true)
  })

  it('gives up a body in chunks at the bound, and throws away what still arrives', async () => {
    let chunks = 0
    const body = new ReadableStream({
      pull: (controller) => {
        if (chunks++ < 8) controller.enqueue(Buffer.alloc(MIB, ' '))
        else controller.close()
      },
    })
    let read: BodyRead | undefined
    look = async (request) => {
      read = await peekBody(request)
      await finished(request)
    }
    await fetch(server.url, { method: 'POST', body, duplex: 'half' })
    expect(read).toEqual(TOO_LARGE)
  })

  it('does not wait for a body whose length is over the bound', async () => {
    const seen = new Promise<BodyRead>((resolve, reject) => {
      look = (request) => peekBody(request).then(resolve, reject)
    })
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
    await write(socket, `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${4 * MIB + 1}\r\n\r\n`)
    try {
      expect(await seen).toEqual(TOO_LARGE)
    } finally {
      socket.destroy()
    }
  })

  it('gives the next in line the same bytes, whatever they are and however they arrive', async () => {
    const chunks = fc.array(fc.uint8Array({ minLength: 1, maxLength: 40 }), { minLength: 1, maxLength: 6 })
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          chunks,
          fc.json().map((text) => split(Buffer.from(text))),
        ),
        fc.boolean(),
        async (pieces, chunked) => {
          const whole = Buffer.concat(pieces)
          const seen = new Promise<Buffer>((resolve, reject) => {
            look = async (request) => {
              await peekBody(request)
              buffer(request).then(resolve, reject)
            }
          })
          const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
          socket.setNoDelay(true)
          const length = chunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${whole.length}`
          await write(socket, `POST / HTTP/1.1\r\nHost: a\r\n${length}\r\n\r\n`)
          for (const piece of pieces) {
            await write(
              socket,
              chunked
                ? Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')])
                : piece,
            )
          }
          if (chunked) await write(socket, '0\r\n\r\n')
          try {
            expect((await seen).equals(whole)).toBe(true)
          } finally {
            socket.destroy()
          }
        },
      ),
      { numRuns: 150 },
    )
  })

  it.each<[rule: string, read: (request: NodeRequest) => Promise<unknown>]>([
    [
      'by its events',
      (request) =>
        new Promise((resolve) => {
          const chunks: Buffer[] = []
          request
            .on('data', (chunk: Buffer) => chunks.push(chunk))
            .on('end', () => resolve(Buffer.concat(chunks)))
        }),
    ],
    [
      'piece by piece',
      (request) =>
        new Promise((resolve) => {
          const chunks: Buffer[] = []
          request
            .on('readable', () => {
              for (
                let chunk = request.read(3) as Buffer | null;
                chunk !== null;
                chunk = request.read(3) as Buffer | null
              )
                chunks.push(chunk)
            })
            .on('end', () => resolve(Buffer.concat(chunks)))
        }),
    ],
    ['by iteration', (request) => buffer(request)],
    [
      'after a while',
      async (request) => {
        await new Promise(setImmediate)
        return buffer(request)
      },
    ],
    [
      'after another look',
      async (request) => {
        await peekBody(request)
        return buffer(request)
      },
    ],
  ])('leaves the body to who reads it %s', async (_rule, read) => {
    const seen = new Promise((resolve, reject) => {
      look = async (request) => {
        await peekBody(request)
        read(request).then(resolve, reject)
      }
    })
    const text = JSON.stringify({ long: 'x'.repeat(200_000) })
    await fetch(server.url, { method: 'POST', body: text })
    expect(String(await seen)).toBe(text)
  })

  it('looks once: two who ask get the same', async () => {
    let same = false
    look = async (request) => {
      const first = await peekBody(request)
      same = first === (await peekBody(request))
    }
    await fetch(server.url, { method: 'POST', body: '[1]' })
    expect(same).toBe(true)
  })

  describe('where a parser read the body before', () => {
    const parsed = async (body: unknown): Promise<BodyRead> => {
      let read: Promise<BodyRead> = Promise.reject(new Error('not asked'))
      read.catch(() => undefined)
      look = async (request) => {
        await buffer(request)
        request.body = body
        read = peekBody(request)
        await read.catch(() => undefined)
      }
      await fetch(server.url, { method: 'POST', body: 'anything' })
      return read
    }

    it.each<[rule: string, body: unknown, read: object]>([
      ['what it made of it', { method: 'a' }, { value: { method: 'a' } }],
      ['a list', [1], { value: [1] }],
      ['null', null, { value: null }],
      ['text', '{"method":"a"}', { value: { method: 'a' } }],
      ['text that is not JSON', 'method=a', NOT_JSON],
      ['bytes', Buffer.from('{"method":"a"}'), { value: { method: 'a' } }],
      ['bytes of another kind', new Uint8Array(Buffer.from('{"method":"a"}')), { value: { method: 'a' } }],
      ['bytes that are not UTF-8', Buffer.from('"\xff"', 'latin1'), NOT_JSON],
    ])('judges %s', async (_rule, body, read) => {
      expect(await parsed(body)).toEqual(read)
    })

    it('says how to place the parser where it left nothing', async () => {
      const error: unknown = await parsed(undefined).catch((thrown: unknown) => thrown)
      expect(error).toBeInstanceOf(ConfigError)
      expect(error).toMatchObject({
        code: 'ERR_MCP_AUTH_BODY',
        message:
          'the request body was read before the guard looked at it, but is not in req.body: put express.json() before the guard, or whatever reads the body behind it',
      })
    })
  })

  it('gives up where the client goes away', async () => {
    const outcome = new Promise((resolve) => {
      look = (request) => peekBody(request).then(resolve, resolve)
    })
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
    await write(socket, 'POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n[1')
    socket.destroy()
    expect(await outcome).toHaveProperty('message')
  })

  it('gives up where the stream fails', async () => {
    const request = new IncomingMessage(new Socket()) as NodeRequest
    request.headers = { 'content-length': '10' }
    const outcome = peekBody(request).then(String, (error: unknown) => error)
    const broken = new Error('broken')
    request.destroy(broken)
    expect(await outcome).toMatchObject({ name: 'ClientGone', cause: broken })
  })

  it('leaves no listeners behind', async () => {
    const names = ['readable', 'error', 'close'] as const
    const counts: number[][] = []
    look = async (request) => {
      counts.push(names.map((name) => request.listenerCount(name)))
      await peekBody(request)
      counts.push(names.map((name) => request.listenerCount(name)))
    }
    await fetch(server.url, { method: 'POST', body: '[1]' })
    expect(counts[1]).toEqual(counts[0])
  })
})

describe('hasBody', () => {
  it.each([
    [{}, false],
    [{ 'content-length': '0' }, false],
    [{ 'content-length': '1' }, true],
    [{ 'transfer-encoding': 'chunked' }, true],
    [{ 'content-type': 'application/json' }, false],
  ])('of %j is %j (RFC 9112 6.3)', (headers, has) => {
    expect(hasBody({ headers } as IncomingMessage)).toBe(has)
  })
})

function split(bytes: Buffer): Buffer[] {
  const middle = Math.ceil(bytes.length / 2)
  return [bytes.subarray(0, middle), bytes.subarray(middle)].filter((piece) => piece.length > 0)
}

function write(socket: Socket, bytes: string | Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    socket.write(bytes, (error) => {
      if (error) reject(error)
      else resolve()
    })
  })
}

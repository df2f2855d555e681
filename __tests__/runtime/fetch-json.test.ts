import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { type TestClock, testClock } from 'express-mcp-auth/testing'
import { createDeps } from '../../lib/runtime/deps.js'
import { FetchError, type JsonRequest, fetchJson } from '../../lib/runtime/fetch-json.js'
import { type Stub, jsonAnswer, startStub } from '../support/issuer.js'

describe('fetchJson', () => {
  let stub: Stub
  let clock: TestClock

  beforeEach(async () => {
    stub = await startStub(jsonAnswer({ ok: true }))
    clock = testClock()
  })

  afterEach(() => stub.close())

  const ask = (request: Partial<JsonRequest> = {}, deps = {}): ReturnType<typeof fetchJson> =>
    fetchJson({ url: stub.url, timeoutSeconds: 5, ...request }, createDeps({ after: clock.after, ...deps }))

  it('gets a document, and asks for JSON', async () => {
    const { status, headers, json } = await ask()
    expect({ status, json, type: headers.get('content-type') }).toEqual({
      status: 200,
      json: { ok: true },
      type: 'application/json',
    })
    expect(stub.requests).toMatchObject([
      { method: 'GET', url: '/', headers: { accept: 'application/json' }, body: '' },
    ])
  })

  it('posts a body with headers', async () => {
    await ask({ method: 'POST', body: 'a=b', headers: { 'content-type': 'text/plain', 'x-key': 'k' } })
    expect(stub.requests).toMatchObject([
      {
        method: 'POST',
        headers: { 'content-type': 'text/plain', 'x-key': 'k', accept: 'application/json' },
        body: 'a=b',
      },
    ])
  })

  it.each([400, 401, 404, 429, 500, 503])('takes status %i for an answer', async (status) => {
    stub.answer = jsonAnswer({ error: 'no' }, {}, status)
    expect(await ask()).toMatchObject({ status, json: { error: 'no' } })
  })

  it.each([
    ['text that is not JSON', '<html>'],
    ['nothing', ''],
  ])('has no JSON where the body is %s', async (_rule, body) => {
    stub.answer = (_request, response) => response.end(body)
    expect(await ask()).toMatchObject({ status: 200, json: undefined })
  })

  it('has no JSON where there is no body at all', async () => {
    stub.answer = (_request, response) => response.writeHead(204).end()
    expect(await ask()).toMatchObject({ status: 204, json: undefined })
  })

  it('reads letters that arrive in two pieces', async () => {
    const bytes = Buffer.from('{"a":"ü"}')
    const body = new ReadableStream({
      start: (controller) => {
        for (const piece of [bytes.subarray(0, 7), bytes.subarray(7)]) controller.enqueue(piece)
        controller.close()
      },
    })
    expect(await ask({}, { fetch: () => Promise.resolve(new Response(body)) })).toMatchObject({
      json: { a: 'ü' },
    })
  })

  it.each([300, 301, 302, 303, 307, 308])('does not follow a redirect (%i)', async (status) => {
    stub.answer = (_request, response) =>
      response.writeHead(status, { location: `${stub.url}/elsewhere` }).end()
    await expect(ask()).rejects.toThrow(new FetchError(`redirected (${status}), which is not followed`))
    expect(stub.requests).toHaveLength(1)
  })

  it('does not follow one that a browser-like fetch hides', async () => {
    const opaque = Object.defineProperty(Response.error(), 'type', { value: 'opaqueredirect' })
    await expect(ask({}, { fetch: () => Promise.resolve(opaque) })).rejects.toThrow(
      'redirected (0), which is not followed',
    )
  })

  it.each([
    ['takes a body of the greatest size', 512 * 1024, undefined, true],
    ['gives up one byte above it', 512 * 1024 + 1, undefined, false],
    ['takes the bound of the request', 10, 10, true],
    ['gives up above the bound of the request', 11, 10, false],
  ])('%s', async (_rule, bytes, maxBytes, taken) => {
    stub.answer = (_request, response) => response.end(`"${'x'.repeat(bytes - 2)}"`)
    const asked = ask(maxBytes === undefined ? {} : { maxBytes })
    if (taken) expect((await asked).json).toHaveLength(bytes - 2)
    else await expect(asked).rejects.toThrow(`more than ${maxBytes ?? 524288} bytes`)
  })

  it('counts what a small body decompresses to', async () => {
    stub.answer = (_request, response) =>
      response.writeHead(200, { 'content-encoding': 'gzip' }).end(gzipSync(Buffer.alloc(2 ** 20, ' ')))
    await expect(ask()).rejects.toThrow('more than 524288 bytes')
  })

  it('gives up where no answer came in time', async () => {
    const arrived = new Promise<void>((resolve) => {
      stub.answer = () => {
        resolve()
      }
    })
    const asked = ask()
    await arrived
    clock.advance(5)
    await expect(asked).rejects.toThrow(new FetchError('no complete answer within 5 s'))
  })

  it('gives up where the body does not end in time', async () => {
    const begun = new Promise<void>((resolve) => {
      stub.answer = (_request, response) => {
        response.write('{', () => {
          resolve()
        })
      }
    })
    const asked = ask({ timeoutSeconds: 2 })
    await begun
    clock.advance(2)
    await expect(asked).rejects.toThrow('no complete answer within 2 s')
  })

  it('gives up on a fetch that does not heed its signal', async () => {
    const asked = ask({}, { fetch: () => new Promise(() => undefined) })
    clock.advance(5)
    await expect(asked).rejects.toThrow('no complete answer within 5 s')
  })

  it('aborts the request that it gives up', async () => {
    const signals: (AbortSignal | null | undefined)[] = []
    const fetch: typeof globalThis.fetch = (_url, init) => {
      signals.push(init?.signal)
      return new Promise(() => undefined)
    }
    const asked = ask({}, { fetch })
    expect(signals[0]?.aborted).toBe(false)
    clock.advance(5)
    await expect(asked).rejects.toThrow(FetchError)
    expect(signals[0]?.aborted).toBe(true)
  })

  it('leaves no timer behind', async () => {
    let timers = 0
    const after = (): (() => void) => {
      timers++
      return () => {
        timers--
      }
    }
    await ask({}, { after })
    await ask({}, { after, fetch: () => Promise.reject(new Error('no')) }).catch(() => undefined)
    expect(timers).toBe(0)
  })

  it('says what failed on the way, which fetch hides in its cause', async () => {
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    await new Promise((resolve) => server.close(resolve))
    const message = `fetch failed: connect ECONNREFUSED 127.0.0.1:${port}`
    await expect(ask({ url: `http://127.0.0.1:${port}` })).rejects.toMatchObject({
      name: 'FetchError',
      message,
    })
  })

  it('says it also where the connection breaks within the body', async () => {
    stub.answer = (_request, response) => {
      response.writeHead(200, { 'content-length': '100' })
      response.write('{', () => response.destroy())
    }
    await expect(ask()).rejects.toThrow(/^terminated/)
    await expect(ask()).rejects.toBeInstanceOf(FetchError)
  })

  it.each<[rule: string, thrown: unknown, message: string]>([
    ['an error', new Error('no route'), 'no route'],
    [
      'an error whose cause has no words',
      new TypeError('fetch failed', {
        cause: Object.assign(new AggregateError([], 'none'), { message: '' }),
      }),
      'fetch failed: AggregateError',
    ],
    ['an error whose cause is no error', new Error('no route', { cause: 'c' }), 'no route'],
    ['text', 'no route', 'no route'],
  ])('names what was thrown: %s', async (_rule, thrown, message) => {
    const error = await ask({}, { fetch: () => Promise.reject(thrown as Error) }).catch(
      (caught: unknown) => caught,
    )
    expect(error).toBeInstanceOf(FetchError)
    expect(error).toMatchObject({ name: 'FetchError', message, cause: thrown })
  })
})

// Where the browser comes back to: one answer, from the sign-in that was begun, and then nobody is there any more.
import { request } from 'node:http'
import { type Socket, connect } from 'node:net'
import { afterEach, describe, expect, it } from '@jest/globals'
import type { CallbackOutcome } from '../../lib/client/callback-page.js'
import { CallbackServer } from '../../lib/client/callback-server.js'

let server: CallbackServer
afterEach(() => server.close())

const PAGE_HEADERS = {
  'content-type': 'text/html; charset=utf-8',
  'content-security-policy': expect.stringMatching(
    /^default-src 'none'; style-src 'sha256-[^']+'; frame-ancestors 'none'/,
  ),
  'x-frame-options': 'DENY',
  'x-content-type-options': 'nosniff',
  'cache-control': 'no-store',
  'referrer-policy': 'no-referrer',
}

interface Answer {
  readonly status: number
  readonly headers: Record<string, string>
  readonly html: string
}

async function get(query: string, init?: RequestInit): Promise<Answer> {
  const response = await fetch(`${server.url}${query}`, init)
  return {
    status: response.status,
    headers: Object.fromEntries(response.headers),
    html: await response.text(),
  }
}

async function listen(judge?: (answer: URLSearchParams) => CallbackOutcome): Promise<void> {
  server = await CallbackServer.listen({ host: '127.0.0.1', port: 0 }, '<Notes> {app}')
  if (judge !== undefined) server.expect(judge)
}

/** A connection that has said something, or nothing. */
function connected(text = ''): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(server.port, '127.0.0.1', () => socket.write(text, () => resolve(socket)))
    socket.once('error', reject)
  })
}

/** What came until the other side hung up. */
function ended(socket: Socket): Promise<string> {
  let text = ''
  socket.on('data', (chunk: Buffer) => (text += chunk.toString()))
  return new Promise((resolve) => socket.once('close', () => resolve(text)))
}

describe('the callback server', () => {
  it('shows a page without scripts, and is gone', async () => {
    const answers: string[] = []
    await listen((answer) => {
      answers.push(String(answer))
      return { kind: 'done' }
    })

    const { status, headers, html } = await get('?code=x&state=y')

    expect(status).toBe(200)
    expect(headers).toMatchObject(PAGE_HEADERS)
    expect(html).toContain('You are signed in')
    expect(html).toContain('&#60;Notes&#62; app goes on by itself.')
    expect(html).not.toContain('<script')
    expect(answers).toEqual(['code=x&state=y'])
    await expect(fetch(server.url)).rejects.toThrow('fetch failed')
  })

  it('shows what was said, as text', async () => {
    await listen(() => ({ kind: 'refused', detail: 'access_denied: <img src=x onerror=alert(1)>' }))
    const { status, headers, html } = await get('?error=access_denied')
    expect([status, headers]).toEqual([400, expect.objectContaining(PAGE_HEADERS)])
    expect(html).toContain('access_denied: &#60;img src=x onerror=alert(1)&#62;')
    expect(html).not.toContain('<img')
  })

  it.each(['', '?code=x', '?code=x&code=y&state=s'])(
    'answers whoever is not awaited, and waits on: %j',
    async (query) => {
      await listen((answer) => ({ kind: answer.get('state') === 's' ? 'done' : 'ignored' }))
      const { status, headers, html } = await get(query)
      expect([status, headers]).toEqual([400, expect.objectContaining(PAGE_HEADERS)])
      expect(html).toContain('Nobody waits for this')
      expect((await get('?code=x&state=s')).status).toBe(200)
    },
  )

  it('expects nobody before it is told to', async () => {
    await listen()
    expect((await get('?code=x')).status).toBe(400)
  })

  it('knows one path, one method and one name', async () => {
    await listen(() => ({ kind: 'done' }))
    expect((await get('/../favicon.ico')).status).toBe(404)
    const head = await get('?code=x', { method: 'HEAD' })
    expect([head.status, head.headers['allow']]).toEqual([405, 'GET'])
    expect((await get('?code=x', { method: 'POST' })).status).toBe(405)
    const { port } = server
    const rebound = await new Promise<number | undefined>((resolve, reject) => {
      const options = {
        host: '127.0.0.1',
        port,
        path: '/callback?code=x',
        headers: { host: `evil.example:${port}` },
      }
      request(options, (response) => resolve(response.resume().statusCode))
        .on('error', reject)
        .end()
    })
    expect(rebound).toBe(404)
    expect((await get('?code=x')).status).toBe(200)
  })

  it('lets go of whoever is connected and says nothing, or half of it, once somebody came', async () => {
    await listen(() => ({ kind: 'done' }))
    const silent = await connected()
    const halting = await connected(`GET /callback?code=x HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n`)
    const ends = [silent, halting].map(ended)

    const { status, html } = await get('?code=x&state=y')

    expect([status, html]).toEqual([200, expect.stringMatching(/<\/html>\s*$/)])
    expect(await Promise.all(ends)).toEqual(['', ''])
  })

  it('sends the last page whole to somebody who reads it late', async () => {
    let judged: () => void = () => undefined
    const isJudged = new Promise<void>((resolve) => (judged = resolve))
    await listen(() => {
      judged()
      return { kind: 'done' }
    })
    const slow = await connected(`GET /callback?code=x HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n\r\n`)
    slow.pause()
    await isJudged
    server.close()
    expect(await ended(slow.resume())).toMatch(/^HTTP\/1\.1 200 OK\r\n[^]*<\/html>/)
  })

  it('says that its port is taken', async () => {
    await listen()
    const { port } = server
    await expect(CallbackServer.listen({ host: 'localhost', port }, 'Notes')).rejects.toMatchObject({
      code: 'port_in_use',
      message: `Nobody can come back from the browser: port ${port} of 127.0.0.1 is not free. Choose another "callbackPort"`,
    })
  })

  it('goes by the name that was chosen', async () => {
    server = await CallbackServer.listen({ host: 'localhost', port: 0 }, 'Notes')
    expect(server.url).toBe(`http://localhost:${server.port}/callback`)
  })
})

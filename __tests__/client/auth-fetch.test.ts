// Requests that people make themselves, with a token that goes along and no further.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals'
import { BearerAuth, type TokenSource, authFetch } from 'express-mcp-auth/client'
import { configErrorOf } from '../support/config-error.js'
import { startServer } from '../support/site.js'

interface Seen {
  readonly method: string | undefined
  readonly url: string | undefined
  readonly authorization: string | undefined
  readonly type: string | undefined
  readonly body: string
}

const seen: Seen[] = []
let home: { url: string; close: () => Promise<void> }
let elsewhere: { url: string; close: () => Promise<void> }
let good = 'one'

const start = () =>
  startServer((request, response) => {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.on('end', () => {
      const { method, url, headers } = request
      seen.push({ method, url, authorization: headers.authorization, type: headers['content-type'], body })
      const [, status, to] = /^\/to\/(\d+)\/(.*)$/.exec(url ?? '') ?? []
      if (status !== undefined)
        response.writeHead(Number(status), { location: decodeURIComponent(String(to)) })
      else response.writeHead(headers.authorization === `Bearer ${good}` ? 200 : 401)
      response.end(method === 'HEAD' ? undefined : 'answer')
    })
  })

beforeAll(async () => {
  home = await start()
  elsewhere = await start()
})
afterAll(async () => {
  await home.close()
  await elsewhere.close()
})
beforeEach(() => {
  seen.length = 0
  good = 'one'
})

/** One that has another token after each renewal. */
function renewing(tokens: string[]): TokenSource & { readonly rejected: string[] } {
  const rejected: string[] = []
  return {
    rejected,
    getToken: () => Promise.resolve(tokens[0]!),
    renew: async (token) => {
      rejected.push(token)
      if (tokens.length > 1) tokens.shift()
      return Promise.resolve()
    },
  }
}
async function* pieces(...texts: readonly string[]): AsyncGenerator<Buffer> {
  for (const text of texts) yield Promise.resolve(Buffer.from(text))
}
const to = (status: number, url: string): string => `${home.url}/to/${status}/${encodeURIComponent(url)}`

describe('authFetch', () => {
  it('adds the token, and leaves the rest as it is', async () => {
    const response = await authFetch(new BearerAuth('one'))(`${home.url}/mcp`, {
      method: 'POST',
      body: 'text',
      headers: { 'content-type': 'text/plain' },
    })
    expect([response.status, await response.text()]).toEqual([200, 'answer'])
    expect(seen).toEqual([
      { method: 'POST', url: '/mcp', authorization: 'Bearer one', type: 'text/plain', body: 'text' },
    ])
  })

  it('takes URL objects and Requests, and sends a body again after renewing', async () => {
    good = 'two'
    const ask = authFetch(renewing(['one', 'two']))
    await ask(new URL('/a', home.url), { method: 'POST', body: 'first' })
    const ask2 = authFetch(renewing(['one', 'two']))
    const response = await ask2(new Request(`${home.url}/b`, { method: 'POST', body: 'second' }))
    expect(response.status).toBe(200)
    expect(seen.map(({ url, authorization, body }) => [url, authorization, body])).toEqual([
      ['/a', 'Bearer one', 'first'],
      ['/a', 'Bearer two', 'first'],
      ['/b', 'Bearer one', 'second'],
      ['/b', 'Bearer two', 'second'],
    ])
  })

  it('renews once, and gives the refusal back where that did not help', async () => {
    good = 'none of them'
    const auth = renewing(['one', 'two', 'three'])
    expect((await authFetch(auth)(home.url)).status).toBe(401)
    expect(auth.rejected).toEqual(['one'])
    expect(seen).toHaveLength(2)
  })

  it('does not ask again with the same token, without a way to renew it, or with a stream that is gone', async () => {
    good = 'two'
    const stuck = renewing(['one'])
    expect((await authFetch(stuck)(home.url)).status).toBe(401)
    expect((await authFetch(new BearerAuth('one'))(home.url)).status).toBe(401)
    const streaming = renewing(['one', 'two'])
    const body = new Blob(['x']).stream()
    const init = { method: 'POST', body, duplex: 'half' } as RequestInit
    expect((await authFetch(streaming)(home.url, init)).status).toBe(401)
    expect((await authFetch(streaming)(home.url, { ...init, body: pieces('x') })).status).toBe(401)
    expect([stuck.rejected, streaming.rejected]).toEqual([['one'], []])
    expect(seen.map(({ body }) => body)).toEqual(['', '', 'x', 'x'])
  })

  it.each([
    ['the first request went to', {}, (): string => home.url],
    ['was named', { serverUrl: 'http://127.0.0.1:1/mcp' }, (): string => 'http://127.0.0.1:1'],
  ])('L3 sends the token to no other origin than that which %s', async (_what, options, origin) => {
    const ask = authFetch(new BearerAuth('one'), undefined, options)
    if (origin() === home.url) await ask(home.url)
    expect((await ask(elsewhere.url)).status).toBe(401)
    expect(seen.at(-1)?.authorization).toBeUndefined()
  })

  it('leaves credentials alone that somebody brings', async () => {
    await authFetch(new BearerAuth('one'))(home.url, { headers: { authorization: 'Basic eA==' } })
    await authFetch(new BearerAuth('one'))(
      new Request(home.url, { headers: { authorization: 'Basic eQ==' } }),
    )
    expect(seen.map(({ authorization }) => authorization)).toEqual(['Basic eA==', 'Basic eQ=='])
  })

  it.each([301, 302, 303, 307, 308])('L3 throws where a %s leads to another origin', async (status) => {
    const ask = authFetch(new BearerAuth('one'))
    await expect(ask(to(status, `${elsewhere.url}/mcp`))).rejects.toMatchObject({ code: 'redirected' })
    await expect(ask(to(status, '//other.example.com/'))).rejects.toThrow('http://other.example.com')
    expect(seen).toHaveLength(2)
  })

  it.each([
    [301, 'GET', ''],
    [302, 'GET', ''],
    [303, 'GET', ''],
    [307, 'POST', 'text'],
    [308, 'POST', 'text'],
  ])('follows a %s within the origin, as %s', async (status, method, body) => {
    const init = { method: 'POST', body: 'text', headers: { 'content-type': 'text/plain' } }
    expect((await authFetch(new BearerAuth('one'))(to(status, '/there'), init)).status).toBe(200)
    const type = body === '' ? undefined : 'text/plain'
    expect(seen[1]).toEqual({ method, url: '/there', authorization: 'Bearer one', type, body })
  })

  it('follows a Request that has no body, and leaves a HEAD what it is', async () => {
    const ask = authFetch(new BearerAuth('one'))
    expect((await ask(new Request(to(302, '/there')))).status).toBe(200)
    expect((await ask(to(303, '/there'), { method: 'HEAD' })).status).toBe(200)
    expect(seen.map(({ method }) => method)).toEqual(['GET', 'GET', 'HEAD', 'HEAD'])
  })

  it('says why it does not follow with a body that is gone', async () => {
    const ask = authFetch(new BearerAuth('one'))
    const request = new Request(to(307, '/there'), { method: 'POST', body: 'x' })
    await expect(ask(request)).rejects.toThrow('pass URL and body')
    const init = { method: 'POST', body: new Blob(['x']).stream(), duplex: 'half' } as RequestInit
    await expect(ask(to(307, '/there'), init)).rejects.toThrow('a stream cannot be sent twice')
    const iterable = { ...init, body: pieces('x') } as unknown as RequestInit
    await expect(ask(to(308, '/there'), iterable)).rejects.toThrow('a stream cannot be sent twice')
  })

  it('L3 follows to nothing that is no URL', async () => {
    const ask = authFetch(new BearerAuth('one'))
    await expect(ask(to(302, 'http://['))).rejects.toMatchObject({
      code: 'redirected',
      message: expect.stringContaining('to no URL: the token was not sent along'),
    })
    expect(seen).toHaveLength(1)
  })

  it('follows no circle', async () => {
    const answer = (): Response => new Response(null, { status: 302, headers: { location: '/mcp' } })
    const ask = authFetch(new BearerAuth('one'), () => Promise.resolve(answer()))
    await expect(ask('https://api.example.com/mcp')).rejects.toThrow('too often')
  })

  it('gives a redirect back to whoever wants to see it', async () => {
    const ask = authFetch(new BearerAuth('one'))
    expect((await ask(to(307, `${elsewhere.url}/mcp`), { redirect: 'manual' })).status).toBe(307)
    await expect(ask(to(307, '/there'), { redirect: 'error' })).rejects.toThrow('fetch failed')
    expect((await ask(new Request(to(302, '/there'), { redirect: 'manual' }))).status).toBe(302)
  })

  it('is told at once what it cannot work with', () => {
    expect(configErrorOf(() => authFetch({} as TokenSource)).message).toContain('getToken()')
    expect(
      configErrorOf(() => authFetch(new BearerAuth('x'), undefined, { serverUrl: 'http://a.example' })).code,
    ).toBe('ERR_MCP_AUTH_INSECURE_URL')
  })
})

describe('BearerAuth', () => {
  it('is a token, for everybody who asks', async () => {
    const auth = new BearerAuth('abc.def-_~+/==')
    expect([await auth.getToken(), await auth.token()]).toEqual(['abc.def-_~+/==', 'abc.def-_~+/=='])
  })

  it.each(['', 'Bearer x', 'x\n', 'ž', 7 as unknown as string])('refuses what is none: %j', (token) => {
    const { code, message } = configErrorOf(() => new BearerAuth(token))
    expect(code).toBe('ERR_MCP_AUTH_INVALID_OPTION')
    expect(message).toBe(
      'BearerAuth takes a token: letters, digits and -._~+/ without "Bearer" and without white space',
    )
  })
})

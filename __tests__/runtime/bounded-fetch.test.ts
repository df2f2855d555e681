import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import { testClock } from 'express-mcp-auth/testing'
import { boundedFetch } from '../../lib/runtime/bounded-fetch.js'
import { createDeps } from '../../lib/runtime/deps.js'
import { type Stub, startStub } from '../support/issuer.js'

// Bounds in time and size, redirects and broken connections: fetch-json.test.ts, which asks through this.
describe('boundedFetch', () => {
  let stub: Stub

  beforeEach(async () => {
    stub = await startStub((_request, response) => {
      response.writeHead(402, { 'content-type': 'text/plain', 'x-kind': 'odd' }).end('a=b')
    })
  })

  afterEach(() => stub.close())

  const deps = createDeps({ after: testClock().after })

  it('gives the text of an answer of any kind', async () => {
    const { status, headers, text } = await boundedFetch({ url: stub.url, timeoutSeconds: 5 }, deps)
    expect({ status, kind: headers.get('x-kind'), text }).toEqual({ status: 402, kind: 'odd', text: 'a=b' })
  })

  it('asks for nothing in particular', async () => {
    await boundedFetch({ url: stub.url, timeoutSeconds: 5, headers: { 'x-key': 'k' } }, deps)
    expect(stub.requests).toMatchObject([{ method: 'GET', headers: { accept: '*/*', 'x-key': 'k' } }])
  })

  it('deletes', async () => {
    await boundedFetch({ url: stub.url, timeoutSeconds: 5, method: 'DELETE', body: '{}' }, deps)
    expect(stub.requests).toMatchObject([{ method: 'DELETE', body: '{}' }])
  })

  it.each<[rule: string, bytes: Buffer, text: string]>([
    ['drops a byte order mark', Buffer.from('\uFEFFx'), 'x'],
    ['shows what is not UTF-8 as unknown letters', Buffer.from([0x78, 0xff]), 'x\uFFFD'],
  ])('%s', async (_rule, bytes, text) => {
    stub.answer = (_request, response) => response.end(bytes)
    expect(await boundedFetch({ url: stub.url, timeoutSeconds: 5 }, deps)).toMatchObject({ text })
  })
})

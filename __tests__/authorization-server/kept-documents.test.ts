// F2 and S7 together: where the host of a client's document is down, whoever is signed in stays so, on any replica and after a
// restart; what the host took back, and what nobody signed in with, is served to nobody.
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { Client } from '../../lib/authorization-server/records.js'
import { digest } from '../../lib/runtime/digest.js'
import { REDIRECT_URI } from '../support/authorization-server.js'
import { type TestServer, collectionOf, createServer } from '../support/server.js'
import { type StrangeHost, documentAnswer, startStrangeHost } from '../support/strange-host.js'

const ID = 'https://client.example/id.json'
const DOCUMENT = { client_id: ID, client_name: 'Client', redirect_uris: [REDIRECT_URI] }
const HOUR = 3600

let host: StrangeHost
let store: MemoryStore
let elapsed: number
let first: TestServer

const status =
  (code: number): StrangeHost['answer'] =>
  (_request, response) =>
    response.writeHead(code).end()

/** Another process on the same store, which has seen nothing yet. */
const start = (): TestServer => {
  const test = createServer({
    store,
    deps: { now: () => 1_700_000_000_000 + elapsed * 1000, network: host.network },
  })
  return test
}
const find = ({ server, report }: TestServer): Promise<Client | undefined> => server.clients.find(ID, report)
const known = async (test: TestServer): Promise<Client> => {
  const client = await find(test)
  if (client === undefined) throw new Error('the client was not found')
  return client
}
const kept = async (): Promise<unknown> => {
  const entry = await store.get(collectionOf('documents'), digest(ID))
  return entry && { ...(JSON.parse(entry.value) as object), expiresAt: entry.expiresAt }
}
const countWrites = (test: TestServer): (() => number) => {
  let writes = 0
  test.store.before = ({ method, collection }) => {
    if (method === 'put' && collection === collectionOf('documents')) writes++
  }
  return () => writes
}

beforeEach(async () => {
  host = await startStrangeHost()
  host.answer = documentAnswer(DOCUMENT)
  elapsed = 0
  store = new MemoryStore({ deps: { now: () => 1_700_000_000_000 + elapsed * 1000 } })
  first = start()
})

afterEach(() => host.close())

describe('the document of a client that somebody signed in with', () => {
  it.each<[what: string, fail: () => unknown]>([
    ['answers 500', () => (host.answer = status(500))],
    ['answers 503', () => (host.answer = status(503))],
    ['hangs up', () => (host.answer = (request) => request.socket.destroy())],
    ['cannot be found', () => (host.resolve = () => Promise.reject(new Error('ENOTFOUND')))],
  ])('F2 serves a process that starts while its host %s', async (_what, fail) => {
    const client = await known(first)
    const { refresh_token: token } = await first.tokens(client)
    fail()

    const second = start()
    const same = await known(second)
    expect(same).toEqual(client)
    expect(await second.refresh(token, {}, same)).toMatchObject({ token_type: 'Bearer' })
  })

  it('F2 serves for a day after it was fetched, and no longer', async () => {
    await first.tokens(await known(first))
    host.answer = status(502)
    elapsed = 24 * HOUR - 1
    expect(await find(start())).toBeDefined()
    const third = start()
    expect(await find(third)).toBeDefined()
    elapsed = 24 * HOUR
    expect(await find(third)).toBeUndefined()
    expect(await find(start())).toBeUndefined()
  })

  it.each<[what: string, answer: StrangeHost['answer']]>([
    ['says 404', status(404)],
    ['says 410', status(410)],
    ['describes another client', documentAnswer({ ...DOCUMENT, client_id: 'https://client.example/other' })],
    ['shows a page', documentAnswer(DOCUMENT, { 'content-type': 'text/html' })],
    ['shows too much', documentAnswer({ ...DOCUMENT, extra: 'x'.repeat(20_000) })],
  ])('S7 serves nobody once its host %s, also when that host is down later', async (_what, answer) => {
    await first.tokens(await known(first))
    host.answer = answer
    expect(await find(start())).toBeUndefined()
    expect(await kept()).toBeUndefined()
    host.answer = status(500)
    expect(await find(start())).toBeUndefined()
  })

  it.each([301, 400, 401, 403, 429])('S7 serves nobody while its host says %i', async (code) => {
    await first.tokens(await known(first))
    host.answer = status(code)
    expect(await find(start())).toBeUndefined()
    expect(await kept()).toBeDefined()
  })

  it('is asked for again after half a minute', async () => {
    await first.tokens(await known(first))
    host.answer = status(500)
    const second = start()
    await known(second)
    host.answer = documentAnswer({ ...DOCUMENT, client_name: 'Renamed' })
    elapsed = 29
    expect(await find(second)).toMatchObject({ name: 'Client' })
    elapsed = 30
    expect(await find(second)).toMatchObject({ name: 'Renamed' })
  })

  it('is kept with the time it was fetched at, which is when its day begins', async () => {
    const client = await known(first)
    elapsed = HOUR / 2
    await first.tokens(client)
    expect(await kept()).toEqual({
      fetchedAt: 1_700_000_000_000,
      expiresAt: 1_700_000_000_000 + 24 * HOUR * 1000,
      metadata: {
        redirectUris: [REDIRECT_URI],
        clientName: 'Client',
        grantTypes: ['authorization_code', 'refresh_token'],
        responseTypes: ['code'],
        authMethod: 'none',
      },
    })
  })

  it('is written again when it changed, and when half of its day is over', async () => {
    const writes = countWrites(first)
    await first.tokens(await known(first))
    await first.tokens(await known(first))
    expect(writes()).toBe(1)
    elapsed = HOUR
    host.answer = documentAnswer({ ...DOCUMENT, client_name: 'Renamed' })
    await first.tokens(await known(first))
    expect(writes()).toBe(2)
    elapsed = 13 * HOUR - 1
    await first.tokens(await known(first))
    expect(writes()).toBe(2)
    elapsed = 14 * HOUR
    await first.tokens(await known(first))
    expect(writes()).toBe(3)
    expect(await kept()).toMatchObject({ metadata: { clientName: 'Renamed' } })
  })

  it('is not written by who only read it', async () => {
    await first.tokens(await known(first))
    host.answer = status(500)
    const second = start()
    const writes = countWrites(second)
    await second.tokens(await known(second))
    expect(writes()).toBe(0)
  })

  it('is not written for a day that is over', async () => {
    const client = await known(first)
    host.answer = status(500)
    elapsed = 24 * HOUR
    // In memory a document serves for a day beyond the hour of its lifetime.
    expect(await find(first)).toEqual(client)
    const writes = countWrites(first)
    await first.tokens(client)
    expect(writes()).toBe(0)
  })

  it('is passed over where it was forgotten in between', async () => {
    // Found by whoever signs in, and then lost with the process.
    await start().tokens({ ...(await known(first)) })
    expect(await kept()).toBeUndefined()
  })
})

describe('the document of a client that nobody signed in with', () => {
  it('is not kept, whatever is asked for', async () => {
    await known(first)
    expect(await kept()).toBeUndefined()
    host.answer = status(500)
    expect(await find(start())).toBeUndefined()
  })

  it('S8 is no write, whatever its URL leads to', async () => {
    const methods = new Set<string>()
    first.store.before = ({ method }) => methods.add(method)
    for (const code of [200, 301, 404, 410, 500]) {
      host.answer = status(code)
      const at = `https://client.example/${code}`
      expect(await first.server.clients.find(at, first.report)).toBeUndefined()
    }
    expect([...methods]).toEqual(['get'])
  })
})

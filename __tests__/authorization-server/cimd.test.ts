import { afterEach, beforeEach, describe, expect, it } from '@jest/globals'
import type { AuthEvent } from 'express-mcp-auth'
import { type TestClock, testClock } from 'express-mcp-auth/testing'
import { ClientDocuments, type ClientDocumentsSettings } from '../../lib/authorization-server/cimd.js'
import { KeptDocuments } from '../../lib/authorization-server/kept-documents.js'
import type { DocumentRecord } from '../../lib/authorization-server/records.js'
import type { ClientMetadata } from '../../lib/protocol/client-metadata.js'
import { type Deps, createDeps } from '../../lib/runtime/deps.js'
import { Collection } from '../../lib/stores/collection.js'
import { MemoryStore } from '../../lib/stores/memory.js'
import { createKey } from '../support/issuer.js'
import {
  PUBLIC_ADDRESS,
  type StrangeHost,
  documentAnswer,
  startStrangeHost,
} from '../support/strange-host.js'

const URL_ID = 'https://client.example/id.json'
const KEYS_URL = 'https://client.example/keys'
const DOCUMENT = { client_id: URL_ID, client_name: 'Client', redirect_uris: ['https://client.example/cb'] }

let host: StrangeHost
let clock: TestClock
let events: AuthEvent[]
let store: MemoryStore
let documents: ClientDocuments

const createDocuments = (
  settings: Partial<ClientDocumentsSettings> = {},
  deps: Partial<Deps> = {},
): ClientDocuments => {
  const all = createDeps({ now: clock.now, after: clock.after, network: host.network, ...deps })
  const kept = new KeptDocuments(new Collection<DocumentRecord>(store, 'documents', all), all)
  return new ClientDocuments({ allowLoopback: false, ...settings }, kept, all)
}
const report = (event: AuthEvent): void => void events.push(event)
const reasons = (): string[] =>
  events.flatMap((event) => (event.type === 'client_document.refused' ? [event.reason] : []))
const find = (url = URL_ID): Promise<ClientMetadata | undefined> => documents.find(url, report)
const status =
  (code: number): StrangeHost['answer'] =>
  (_request, response) =>
    response.writeHead(code).end()

const codeOf = (outcome: PromiseSettledResult<unknown>): unknown =>
  outcome.status === 'rejected' ? (outcome.reason as { code: unknown }).code : outcome.value

beforeEach(async () => {
  host = await startStrangeHost()
  host.answer = documentAnswer(DOCUMENT)
  clock = testClock()
  events = []
  store = new MemoryStore({ deps: clock })
  documents = createDocuments()
})

afterEach(() => host.close())

describe('ClientDocuments', () => {
  it('finds a client by its document', async () => {
    expect(await find()).toEqual({
      redirectUris: ['https://client.example/cb'],
      clientName: 'Client',
      grantTypes: ['authorization_code', 'refresh_token'],
      responseTypes: ['code'],
      authMethod: 'none',
    })
    expect(host.requests).toHaveLength(1)
    expect(host.destinations).toMatchObject([{ addresses: [PUBLIC_ADDRESS], secure: true }])
    expect(events).toEqual([])
  })

  it('asks once, however many wait', async () => {
    const found = await Promise.all(Array.from({ length: 50 }, () => find()))
    expect(new Set(found.map((metadata) => metadata?.clientName))).toEqual(new Set(['Client']))
    expect(host.requests).toHaveLength(1)
  })

  it.each([
    ['https://127.0.0.1/id.json', 'the address 127.0.0.1 is not public'],
    ['https://169.254.169.254/latest/meta-data', 'the address 169.254.169.254 is not public'],
    ['https://[::1]/id.json', 'the address ::1 is not public'],
    ['https://[::ffff:7f00:1]/id.json', 'the address ::ffff:7f00:1 is not public'],
    ['https://10.0.0.1/id.json', 'the address 10.0.0.1 is not public'],
    ['https://0x7f.1/id.json', 'not in its canonical form'],
    ['https://①②⑦.0.0.1/id.json', 'not in its canonical form'],
    ['http://127.0.0.1/id.json', 'not https'],
    ['http://client.example/id.json', 'not https'],
  ])('S1 knows no client at %s, and asks nobody', async (url, reason) => {
    expect(await find(url)).toBeUndefined()
    expect(host).toMatchObject({ connections: 0, lookups: [] })
    expect(events).toEqual([{ type: 'client_document.refused', url, reason }])
  })

  it.each(['127.0.0.1', '10.0.0.1', '169.254.169.254', '100.64.0.1', '0.0.0.0', '::1', '64:ff9b::7f00:1'])(
    'S1 knows no client whose host is %s',
    async (address) => {
      host.resolve = () => [address]
      expect(await find()).toBeUndefined()
      expect(host.connections).toBe(0)
      expect(reasons()).toEqual([`the address ${address} is not public`])
    },
  )

  it('S2 knows no client whose host is in our network too', async () => {
    host.resolve = () => [PUBLIC_ADDRESS, '127.0.0.1']
    expect(await find()).toBeUndefined()
    expect(host.connections).toBe(0)
  })

  it('S2 connects to the address that was checked, though the name changes', async () => {
    let turn = 0
    host.resolve = () => [turn++ === 0 ? PUBLIC_ADDRESS : '127.0.0.1']
    expect(await find()).toBeDefined()
    expect(host.lookups).toEqual(['client.example'])
    clock.advance(3601)
    expect(await find()).toMatchObject({ clientName: 'Client' })
    expect(host.connections).toBe(1)
    expect(reasons()).toEqual(['the address 127.0.0.1 is not public'])
  })

  it('S3 knows no client behind a redirect', async () => {
    host.answer = (request, response) => {
      if (request.url !== '/id.json') documentAnswer(DOCUMENT)(request, response)
      else response.writeHead(301, { location: 'https://client.example/other.json' }).end()
    }
    expect(await find()).toBeUndefined()
    expect(host.requests.map(({ url }) => url)).toEqual(['/id.json'])
    expect(reasons()).toEqual(['redirected (301), which is not followed'])
  })

  it.each<[reason: string, answer: StrangeHost['answer']]>([
    ['more than 16384 bytes', documentAnswer({ ...DOCUMENT, extra: 'x'.repeat(20_000) })],
    ['not JSON by its content type', documentAnswer(DOCUMENT, { 'content-type': 'text/html' })],
    ['compressed', documentAnswer(DOCUMENT, { 'content-encoding': 'gzip' })],
    ['The metadata must be a JSON object', documentAnswer([DOCUMENT])],
    ['no complete answer within 5 s', () => void setImmediate(() => clock.advance(5))],
    ['status 500', status(500)],
  ])('S4 knows no client where the answer is: %s', async (reason, answer) => {
    host.answer = answer
    expect(await find()).toBeUndefined()
    expect(reasons()).toEqual([reason])
  })

  it.each([
    'https://client.example:443/id.json',
    'https://client.example/x/../id.json',
    'https://CLIENT.example/id.json',
  ])('S5 knows no client by another spelling of its URL: %s', async (url) => {
    expect(await find(url)).toBeUndefined()
    expect(host.connections).toBe(0)
  })

  it('S5 knows no client by the document of another', async () => {
    expect(await find('https://client.example/other.json')).toBeUndefined()
    expect(reasons()).toEqual(['"client_id" is not the URL of the document'])
  })

  it.each([
    { client_secret: 'x' },
    { token_endpoint_auth_method: 'client_secret_basic' },
    { token_endpoint_auth_method: 'private_key_jwt', jwks: { keys: [{ kty: 'EC', d: 'x' }] } },
  ])('S6 knows no client that publishes its secret: %j', async (members) => {
    host.answer = documentAnswer({ ...DOCUMENT, ...members })
    expect(await find()).toBeUndefined()
    expect(reasons()).toHaveLength(1)
  })

  it.each<[headers: Record<string, string>, seconds: number]>([
    [{}, 3600],
    [{ 'cache-control': 'max-age=600' }, 600],
    [{ 'cache-control': 'public, MAX-AGE=600, immutable' }, 600],
    [{ 'cache-control': 'max-age=0' }, 60],
    [{ 'cache-control': 'no-store, max-age=600' }, 60],
    [{ 'cache-control': 'no-cache' }, 60],
    [{ 'cache-control': 'max-age=999999999' }, 24 * 3600],
    [{ 'cache-control': 'max-age=never' }, 3600],
  ])('S7 keeps a document as long as its host says, within bounds: %j, %i s', async (headers, seconds) => {
    host.answer = documentAnswer(DOCUMENT, headers)
    await find()
    clock.advance(seconds - 1)
    await find()
    expect(host.requests).toHaveLength(1)
    clock.advance(1)
    await find()
    expect(host.requests).toHaveLength(2)
  })

  it('S7 takes a changed document for what it says, once the old one ran out', async () => {
    await find()
    host.answer = documentAnswer({ ...DOCUMENT, redirect_uris: ['https://client.example/new'] })
    expect((await find())?.redirectUris).toEqual(['https://client.example/cb'])
    clock.advance(3600)
    expect((await find())?.redirectUris).toEqual(['https://client.example/new'])
  })

  it('S7 keeps nothing of a failure, and leaves the URL alone for half a minute', async () => {
    const foreign = { ...DOCUMENT, client_id: 'https://other.example/id' }
    host.answer = documentAnswer(foreign, { 'cache-control': 'max-age=86400' })
    expect(await find()).toBeUndefined()
    host.answer = documentAnswer(DOCUMENT)
    clock.advance(29)
    expect(await find()).toBeUndefined()
    expect(host.requests).toHaveLength(1)
    expect(events).toHaveLength(1)
    clock.advance(1)
    expect(await find()).toMatchObject({ clientName: 'Client' })
    expect(host.requests).toHaveLength(2)
  })

  it('serves the last good document for a day while its host is down', async () => {
    await find()
    clock.advance(3600)
    host.answer = status(503)
    expect(await find()).toMatchObject({ clientName: 'Client' })
    expect(await find()).toMatchObject({ clientName: 'Client' })
    expect(host.requests).toHaveLength(2)
    expect(reasons()).toEqual(['status 503'])
    clock.advance(24 * 3600 - 1)
    expect(await find()).toMatchObject({ clientName: 'Client' })
    clock.advance(1)
    expect(await find()).toBeUndefined()
  })

  it.each<[what: string, answer: StrangeHost['answer']]>([
    ['is gone (404)', status(404)],
    ['is gone (410)', status(410)],
    ['is no client any more', documentAnswer({ ...DOCUMENT, redirect_uris: ['javascript:alert(1)'] })],
  ])('S7 forgets a client that %s', async (_what, answer) => {
    await find()
    clock.advance(3600)
    host.answer = answer
    expect(await find()).toBeUndefined()
    expect(await find()).toBeUndefined()
    expect(host.requests).toHaveLength(2)
  })

  it('S8 answers alike, whatever a URL leads to, and tells operators what it was', async () => {
    host.answer = (request, response) => {
      if (request.url === '/missing') status(404)(request, response)
      else documentAnswer(DOCUMENT)(request, response)
    }
    host.resolve = (name) => (name === 'private.example' ? ['10.0.0.1'] : [PUBLIC_ADDRESS])
    expect(await find('https://private.example/id')).toBeUndefined()
    expect(await find('https://client.example/missing')).toBeUndefined()
    expect(await find('https://client.example/other')).toBeUndefined()
    await host.close()
    expect(await find('https://client.example/closed')).toBeUndefined()
    expect(reasons()).toEqual([
      'the address 10.0.0.1 is not public',
      'status 404',
      '"client_id" is not the URL of the document',
      expect.stringContaining('ECONNREFUSED'),
    ])
  })

  it('S8 has ten requests under way, and asks more to come again', async () => {
    const waiting: (() => void)[] = []
    host.resolve = () => new Promise((resolve) => waiting.push(() => resolve([PUBLIC_ADDRESS])))
    host.answer = (request, response) =>
      documentAnswer({ ...DOCUMENT, client_id: `https://${request.headers.host}/id` })(request, response)
    const flood = Array.from({ length: 50 }, (_, at) => find(`https://client-${at}.example/id`))
    const late = await Promise.allSettled(flood.slice(10))
    expect(new Set(late.map(codeOf))).toEqual(new Set(['temporarily_unavailable']))
    expect(host.lookups).toHaveLength(10)
    expect(new Set(reasons())).toEqual(new Set(['too many requests for documents under way']))
    for (const go of waiting) go()
    const found = await Promise.all(flood.slice(0, 10))
    expect(found.map((metadata) => metadata?.clientName)).toEqual(Array.from({ length: 10 }, () => 'Client'))
    // Whoever came too late may come again at once.
    host.resolve = () => [PUBLIC_ADDRESS]
    expect(await find('https://client-49.example/id')).toMatchObject({ clientName: 'Client' })
  })

  it('S8 has two requests under way at one host, so that a slow one keeps no other client out', async () => {
    host.resolve = (name) => (name === 'slow.example' ? new Promise(() => undefined) : [PUBLIC_ADDRESS])
    const slow = Array.from({ length: 20 }, (_, at) => find(`https://slow.example/${at}`))
    const late = await Promise.allSettled(slow.slice(2))
    expect(new Set(late.map(codeOf))).toEqual(new Set(['temporarily_unavailable']))
    expect(host.lookups).toEqual(['slow.example', 'slow.example'])
    expect(await find()).toMatchObject({ clientName: 'Client' })
    clock.advance(5)
    expect(await Promise.all(slow.slice(0, 2))).toEqual([undefined, undefined])
    // They left: the next two are asked for again.
    const next = [find('https://slow.example/a'), find('https://slow.example/b')]
    expect(host.lookups).toHaveLength(5)
    clock.advance(5)
    expect(await Promise.all(next)).toEqual([undefined, undefined])
  })

  it('S8 serves the clients that it knows during a flood, also beyond their time', async () => {
    await find()
    clock.advance(3600)
    host.resolve = () => new Promise(() => undefined)
    const flood = Array.from({ length: 10 }, (_, at) => find(`https://slow-${at}.example/id`))
    expect(await find()).toMatchObject({ clientName: 'Client' })
    expect(reasons()).toEqual(['too many requests for documents under way'])
    clock.advance(5)
    expect(await Promise.all(flood)).toEqual(Array.from({ length: 10 }, () => undefined))
  })

  it('S8 asks a bad URL once in half a minute', async () => {
    host.answer = status(404)
    for (let round = 0; round < 100; round++) expect(await find()).toBeUndefined()
    expect(host.requests).toHaveLength(1)
  })

  it('knows only clients that are allowed', async () => {
    documents = createDocuments({ isAllowed: (url) => url.startsWith('https://client.example/') })
    expect(await find()).toBeDefined()
    expect(await find('https://other.example/id')).toBeUndefined()
    expect(host.lookups).toEqual(['client.example'])
    expect(reasons()).toEqual(['not among the allowed clients'])
  })

  it('knows clients on this machine while developing', async () => {
    documents = createDocuments({ allowLoopback: true })
    host.resolve = () => ['127.0.0.1']
    const url = `http://localhost:${host.port}/id.json`
    host.answer = documentAnswer({ ...DOCUMENT, client_id: url })
    expect(await find(url)).toMatchObject({ clientName: 'Client' })
  })

  it('tells no query and no endless URL', async () => {
    await find(`https://client.example/${'a'.repeat(5000)}`)
    await find('https://client.example/id?secret=x')
    expect(events).toEqual([
      {
        type: 'client_document.refused',
        url: `https://client.example/${'a'.repeat(177)}`,
        reason: 'longer than 2000 letters',
      },
      { type: 'client_document.refused', url: 'https://client.example/id', reason: 'with a query' },
    ])
  })

  it('does not take our own mistakes for a bad document', async () => {
    let turn = 0
    const now = (): number => {
      if (turn++ > 0) throw new RangeError('broken clock')
      return 0
    }
    documents = createDocuments({}, { now })
    await expect(find()).rejects.toThrow('broken clock')
    expect(events).toEqual([])
  })
})

describe('keys of clients', () => {
  const one = createKey('ES256', 'one')
  const two = createKey('ES256', 'two')
  const ids = async (kid?: string): Promise<unknown[]> =>
    (await documents.keys(KEYS_URL, kid, report)).keys.map((key) => key.kid)

  beforeEach(() => {
    host.answer = documentAnswer({ keys: [one.jwk] })
  })

  it('are fetched, and kept for ten minutes', async () => {
    expect(await ids('one')).toEqual(['one'])
    clock.advance(599)
    expect(await ids('one')).toEqual(['one'])
    expect(await ids()).toEqual(['one'])
    expect(host.requests).toHaveLength(1)
    clock.advance(1)
    expect(await ids('one')).toEqual(['one'])
    expect(host.requests).toHaveLength(2)
    const fetched = { type: 'keys.fetched', url: KEYS_URL, keys: 1, skipped: [] }
    expect(events).toEqual([fetched, fetched])
  })

  it('are fetched once, however many wait', async () => {
    await Promise.all(Array.from({ length: 20 }, () => ids('one')))
    expect(host.requests).toHaveLength(1)
  })

  it('K1 are fetched again for an unknown key ID, at most twice a minute', async () => {
    await ids('one')
    host.answer = documentAnswer({ keys: [one.jwk, two.jwk] })
    for (let round = 0; round < 100; round++) expect(await ids(`unknown-${round}`)).toEqual(['one'])
    expect(host.requests).toHaveLength(1)
    clock.advance(30)
    expect(await ids('two')).toEqual(['one', 'two'])
    clock.advance(30)
    for (let round = 0; round < 100; round++) await ids(`unknown-${round}`)
    expect(host.requests).toHaveLength(3)
  })

  it('K3 are served for their ten minutes while the host is down, and no longer', async () => {
    await ids('one')
    host.answer = status(500)
    clock.advance(30)
    expect(await ids('two')).toEqual(['one'])
    const failed = { type: 'keys.failed', url: KEYS_URL, message: 'status 500' }
    expect(events.at(-1)).toEqual({ ...failed, serving: 'stale' })
    clock.advance(570)
    expect(await ids('one')).toEqual([])
    expect(events.at(-1)).toEqual({ ...failed, serving: 'nothing' })
    host.answer = documentAnswer({ keys: [two.jwk] })
    expect(await ids('two')).toEqual([])
    clock.advance(30)
    expect(await ids('two')).toEqual(['two'])
  })

  it.each([
    [{ keys: [] }, 'no usable key (the set is empty)'],
    [{ keys: [{ kty: 'oct', k: 'AAAA' }] }, 'no usable key (key 0: a symmetric key)'],
    [{}, 'no usable key (the document has no "keys" array)'],
    [null, 'no usable key (the document has no "keys" array)'],
  ])('K4 are none where nothing usable is published: %j', async (document, message) => {
    host.answer = documentAnswer(document)
    expect(await ids('one')).toEqual([])
    expect(events).toEqual([{ type: 'keys.failed', url: KEYS_URL, message, serving: 'nothing' }])
  })

  it.each(['http://client.example/keys', 'https://169.254.169.254/keys', 'file:///etc/passwd'])(
    'K6 are none at %s, and nobody is asked',
    async (url) => {
      expect((await documents.keys(url, undefined, report)).keys).toEqual([])
      expect(host.connections).toBe(0)
      expect(events).toMatchObject([{ type: 'keys.failed', url, serving: 'nothing' }])
    },
  )

  it('S4 may be larger than a document, but not endless', async () => {
    host.answer = documentAnswer({ keys: [one.jwk], extra: 'x'.repeat(30_000) })
    expect(await ids('one')).toEqual(['one'])
    clock.advance(600)
    host.answer = documentAnswer({ keys: [one.jwk], extra: 'x'.repeat(70_000) })
    expect(await ids('one')).toEqual([])
  })

  it('S8 count with the documents that are under way, and may be asked for again at once', async () => {
    host.resolve = (name) => (name.startsWith('slow') ? new Promise(() => undefined) : [PUBLIC_ADDRESS])
    const slow = Array.from({ length: 10 }, (_, at) => find(`https://slow-${at}.example/id`))
    await expect(ids('one')).rejects.toMatchObject({ code: 'temporarily_unavailable' })
    expect(host.connections).toBe(0)
    expect(events).toEqual([
      {
        type: 'keys.failed',
        url: KEYS_URL,
        message: 'too many requests for documents under way',
        serving: 'nothing',
      },
    ])
    clock.advance(5)
    await Promise.all(slow)
    expect(await ids('one')).toEqual(['one'])
  })

  it('do not hide our own mistakes', async () => {
    const broken = (): void => {
      throw new RangeError('broken listener')
    }
    await expect(documents.keys(KEYS_URL, undefined, broken)).rejects.toThrow('broken listener')
  })
})

import { describe, expect, it } from '@jest/globals'
import type { AuthorizationRequest } from '../../lib/authorization-server/records.js'
import {
  type Transaction,
  beginTransaction,
  decideTransaction,
  findTransaction,
  readTransaction,
} from '../../lib/authorization-server/transaction.js'
import { digest } from '../../lib/runtime/digest.js'
import { REDIRECT_URI } from '../support/authorization-server.js'
import { createServer, collectionOf } from '../support/server.js'

const REQUEST: AuthorizationRequest = {
  clientId: 'app',
  redirectUri: REDIRECT_URI,
  scopes: ['read'],
  challenge: 'x'.repeat(43),
}
const DENIED = { subject: 'ada', allow: false, scopes: [] }

describe('a transaction', () => {
  it('is found by its handle in the browser that it began in, for ten minutes', async () => {
    const { server, clock } = createServer()
    const handle = await beginTransaction(REQUEST, 'browser', 'user', server)
    expect(await findTransaction(handle, 'browser', server)).toMatchObject({
      handle,
      stored: { data: { request: REQUEST, arrival: 'user', startedAt: clock.now() } },
    })
    clock.advance(599)
    expect(await findTransaction(handle, 'browser', server)).toMatchObject({ handle })
    clock.advance(1)
    expect(await findTransaction(handle, 'browser', server)).toBe('expired')
  })

  it('U2 is not found in another browser, nor without a cookie', async () => {
    const { server } = createServer()
    const handle = await beginTransaction(REQUEST, 'browser', 'user', server)
    expect(await findTransaction(handle, 'other', server)).toBe('other_browser')
    expect(await findTransaction(handle, undefined, server)).toBe('other_browser')
    expect(await findTransaction('unknown', 'browser', server)).toBe('expired')
    expect(await findTransaction(undefined, 'browser', server)).toBe('expired')
  })

  it('U9 is decided once, also by two processes at once', async () => {
    const test = createServer()
    const other = createServer({ store: test.store })
    const handle = await beginTransaction(REQUEST, 'browser', 'user', test.server)
    const read = (await findTransaction(handle, 'browser', test.server)) as Transaction
    const decided = await Promise.all(
      Array.from({ length: 20 }, (_, n) =>
        decideTransaction(read, DENIED, n % 2 ? test.server : other.server),
      ),
    )
    expect(decided.filter(Boolean)).toHaveLength(1)
    const after = (await findTransaction(handle, 'browser', test.server)) as Transaction
    expect(after.stored.data.decided).toEqual(DENIED)
  })

  it('is decided where it was given more time since it was read, and keeps that', async () => {
    const { server } = createServer()
    const handle = await beginTransaction(REQUEST, 'browser', 'user', server)
    const read = (await readTransaction(handle, server))!
    const until = read.stored.expiresAt + 60_000
    await server.transactions.replace(digest(handle), read.stored, read.stored.data, until)
    expect(await decideTransaction(read, DENIED, server)).toBe(true)
    expect((await readTransaction(handle, server))?.stored).toMatchObject({
      data: { decided: DENIED },
      expiresAt: until,
    })
    expect(await decideTransaction(read, DENIED, server)).toBe(false)
  })

  it('is not decided once it has ended', async () => {
    const { server } = createServer()
    const handle = await beginTransaction(REQUEST, 'browser', 'user', server)
    const read = (await readTransaction(handle, server))!
    await server.transactions.remove(digest(handle))
    expect(await decideTransaction(read, DENIED, server)).toBe(false)
    expect(await readTransaction(handle, server)).toBeUndefined()
  })

  it('G1 keeps neither its handle nor the cookie', async () => {
    const test = createServer()
    const written: string[] = []
    test.store.before = ({ key }) => written.push(key)
    const handle = await beginTransaction(REQUEST, 'the ID of a browser', 'unknown', test.server)
    const record = (await test.store.get(collectionOf('transactions'), String(written[0])))?.value
    expect(record).toContain(REDIRECT_URI)
    expect(`${written.join()} ${record}`).not.toMatch(new RegExp(`${handle}|the ID of a browser`))
  })
})

// An index, never the truth: whatever becomes of it, nobody is kept out and no grant is hidden.
import { describe, expect, it } from '@jest/globals'
import {
  disconnect,
  disconnectUser,
  isSignedOut,
  listConnections,
} from '../../lib/authorization-server/connections.js'
import { digest } from '../../lib/runtime/digest.js'
import { ADA, APP, collectionOf, createServer } from '../support/server.js'

describe('listConnections', () => {
  it('lists the living grants of a user, the newest first, and no code that waits', async () => {
    const test = createServer()
    expect(await listConnections('ada', test.server)).toEqual([])
    const first = await test.tokens()
    test.clock.advance(1)
    const second = await test.tokens()
    await test.begin()
    await test.begin({ user: { subject: 'somebody else' } })
    expect(await listConnections('ada', test.server)).toEqual([
      { grantId: second.grantId, clientId: 'app', since: test.clock.now(), scopes: ['read', 'write'] },
      { grantId: first.grantId, clientId: 'app', since: test.clock.now() - 1000, scopes: ['read', 'write'] },
    ])
    await test.server.grants.remove(second.grantId)
    expect(await listConnections('ada', test.server)).toHaveLength(1)
  })

  it('G5 is kept under the digest of the subject', async () => {
    const test = createServer()
    const user = { subject: '../../*:x' }
    await test.begin({ user })
    expect(await test.store.get(collectionOf('connections'), digest(user.subject))).toBeDefined()
  })

  it('loses none where two processes add to it at once', async () => {
    const test = createServer()
    await test.tokens()
    const other = createServer({ store: test.store })
    test.store.before = async ({ method, collection }) => {
      if (method !== 'compareAndSwap' || collection !== collectionOf('connections')) return
      test.store.before = undefined
      await other.tokens()
    }
    await test.tokens()
    expect(await listConnections('ada', test.server)).toHaveLength(3)
  })

  it('loses none where two processes make it at once', async () => {
    const test = createServer()
    const other = createServer({ store: test.store })
    test.store.before = async ({ method, collection }) => {
      if (method !== 'putIfAbsent' || collection !== collectionOf('connections')) return
      test.store.before = undefined
      await other.tokens()
    }
    await test.tokens()
    expect(await listConnections('ada', test.server)).toHaveLength(2)
  })

  it('writes over an index that cannot be read', async () => {
    const test = createServer()
    await test.store.put(collectionOf('connections'), digest('ada'), {
      value: '{',
      version: 'v',
      expiresAt: test.clock.now() + 1e9,
    })
    await test.tokens()
    expect(await listConnections('ada', test.server)).toHaveLength(1)
  })

  it('F15 is bounded: what ended is cleared, and of more than 200 the oldest grants end', async () => {
    const test = createServer()
    const entries = async (): Promise<number> =>
      (await test.server.connections.get(digest('ada')))?.data.connections.length ?? 0
    for (let n = 0; n < 20; n++) await test.begin()
    test.clock.advance(301)
    await test.begin()
    expect(await entries()).toBe(1)
    const first = await test.tokens()
    for (let n = 0; n < 200; n++) {
      test.clock.advance(1)
      await test.tokens()
    }
    expect(await entries()).toBe(200)
    expect(await listConnections('ada', test.server)).toHaveLength(200)
    expect(await test.server.grants.get(first.grantId)).toBeUndefined()
  })
})

describe('disconnect', () => {
  it('ends every grant of a user to a client, and no other', async () => {
    const test = createServer()
    const mine = [await test.tokens(), await test.tokens()]
    const other = await test.tokens({ ...APP, clientId: 'other' })
    const { grantId } = await test.begin({ user: { subject: 'somebody else' } })
    await disconnect('ada', 'app', test.server, test.report)
    for (const { access_token: token } of mine) expect(await test.server.tokens.verify(token)).toBeNull()
    expect(await test.server.tokens.verify(other.access_token)).not.toBeNull()
    expect(await test.server.grants.get(grantId)).toBeDefined()
    expect(test.events).toEqual(
      Array(2).fill({ type: 'grant.revoked', clientId: 'app', subject: 'ada', why: 'user' }),
    )
    await disconnect('ada', 'app', test.server, test.report)
    expect(test.events).toHaveLength(2)
    await disconnect('nobody', 'app', test.server, test.report)
    expect(test.events).toHaveLength(2)
  })
})

describe('disconnectUser', () => {
  it('ends every grant of a user, to whatever client, and every session that began before', async () => {
    const test = createServer()
    const mine = [await test.tokens(), await test.tokens({ ...APP, clientId: 'other' })]
    const others = await test.begin({ user: { subject: 'somebody else' } })
    const before = test.clock.now()
    await disconnectUser('ada', test.server, test.report)
    for (const { access_token: token } of mine) expect(await test.server.tokens.verify(token)).toBeNull()
    expect(await test.server.grants.get(others.grantId)).toBeDefined()
    expect(test.events.map((event) => event.type === 'grant.revoked' && event.why)).toEqual(['user', 'user'])
    expect(await isSignedOut('ada', before, test.server)).toBe(true)
    expect(await isSignedOut('ada', before + 1, test.server)).toBe(false)
    expect(await isSignedOut('somebody else', before, test.server)).toBe(false)
  })

  it('keeps a user signed out who had nothing, and forgets it with the next grant of none', async () => {
    const test = createServer()
    const before = test.clock.now()
    await disconnectUser('ada', test.server, test.report)
    test.clock.advance(1)
    await test.tokens()
    expect(await isSignedOut('ada', before, test.server)).toBe(true)
    expect(await listConnections('ada', test.server)).toHaveLength(1)
  })

  it.each([1, 2])('F9 ends what another process grants meanwhile (before write %i)', async (nth) => {
    const test = createServer()
    const other = createServer({ store: test.store })
    await test.tokens()
    let meanwhile: string | undefined
    let writes = 0
    test.store.before = async ({ method, collection }) => {
      if (method !== 'compareAndSwap' || collection !== collectionOf('connections')) return
      if ((writes += 1) < nth) return
      test.store.before = undefined
      meanwhile = (await other.tokens()).access_token
    }
    await disconnectUser('ada', test.server, test.report)
    expect(await test.server.tokens.verify(String(meanwhile))).toBeNull()
    expect(await listConnections('ada', test.server)).toEqual([])
  })

  it('is done with an index that cannot be read', async () => {
    const test = createServer()
    const expiresAt = test.clock.now() + 1e9
    await test.store.put(collectionOf('connections'), digest('ada'), { value: '{', version: 'v', expiresAt })
    await disconnectUser('ada', test.server, test.report)
    expect(await isSignedOut('ada', test.clock.now(), test.server)).toBe(true)
  })
})

describe('the index of connections', () => {
  it('F19 that cannot be read keeps nobody from ending everything, nor from coming back', async () => {
    const test = createServer()
    await test.tokens()
    const names = [collectionOf('connections'), digest(ADA.subject)] as const
    const expiresAt = test.clock.now() + 86_400_000
    await test.store.put(...names, { value: 'written with another secret', version: 'v', expiresAt })

    await disconnectUser(ADA.subject, test.server, test.report)
    test.clock.advance(1)
    await test.tokens()

    expect(await listConnections(ADA.subject, test.server)).toHaveLength(1)
  })

  it('F9 keeps the entry of a grant that another process is just about to begin', async () => {
    const test = createServer()
    for (let n = 0; n < 19; n++) await test.tokens()
    let others = 0
    test.store.before = async ({ method, collection }) => {
      // The twentieth is in the index, its grant is not yet there, and the twenty-first clears the index.
      if (method !== 'put' || collection !== collectionOf('grants') || others++ > 0) return
      await test.tokens()
    }
    await test.tokens()

    expect(await listConnections(ADA.subject, test.server)).toHaveLength(21)
  })
})

import { describe, expect, it } from '@jest/globals'
import { disconnect, listConnections } from '../../lib/authorization-server/connections.js'
import { findLiveGrant } from '../../lib/authorization-server/grants.js'
import { digest } from '../../lib/runtime/digest.js'
import { ADA, APP, createServer, collectionOf } from '../support/server.js'

const DAY = 86_400

describe('beginGrant', () => {
  it('is a grant whose code waits for 60 seconds, and can be refreshed if the client may', async () => {
    const test = createServer()
    const { grantId } = await test.begin()
    const stored = await test.server.grants.get(grantId)
    expect(stored?.expiresAt).toBe(test.clock.now() + 60_000)
    expect(stored?.data).toMatchObject({ refreshable: true, generation: 0 })
  })

  it.each([
    ['a client that registered refresh_token', ['refresh_token'], ['read'], ['read'], true],
    ['a client that did not', [], ['read'], ['read'], false],
    ['offline_access, asked for and granted', [], ['read', 'offline_access'], ['read', 'offline_access'], true],
    ['offline_access, asked for and left out by the user', ['refresh_token'], ['read', 'offline_access'], ['read'], false],
  ] as const)('gives refresh tokens by what was registered, or asked for and granted: %s', async (_name, grantTypes, asked, scopes, refreshable) => {
    const test = createServer()
    const client = { ...APP, grantTypes: ['authorization_code', ...grantTypes] }
    const { grantId } = await test.begin({ client, scopes, request: { scopes: asked } })
    expect((await test.server.grants.get(grantId))?.data.refreshable).toBe(refreshable)
  }) // prettier-ignore

  it('G6 fails before there is a grant where the index cannot be written', async () => {
    const test = createServer()
    test.store.before = ({ method, collection }) => {
      if (method === 'putIfAbsent' && collection === collectionOf('connections')) throw new Error('away')
      if (collection === collectionOf('grants')) throw new Error('a grant was written')
    }
    await expect(test.begin()).rejects.toThrow('away')
  })
})

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

describe('findLiveGrant', () => {
  it('finds the grant of an access token, unless it ended or was revoked', async () => {
    const test = createServer()
    const { grantId } = await test.tokens()
    const jti = (generation: number, id = grantId): string => `${id}.${generation}.${'x'.repeat(24)}`
    expect(await findLiveGrant(jti(1), test.server)).toMatchObject({ grantId, generation: 1 })
    expect(await findLiveGrant(jti(1, 'y'.repeat(24)), test.server)).toBeUndefined()
    expect(await findLiveGrant('x', test.server)).toBeUndefined()
    const stored = (await test.server.grants.get(grantId))!
    await test.server.grants.replace(grantId, stored, { ...stored.data, revokedGeneration: 1 })
    expect(await findLiveGrant(jti(1), test.server)).toBeUndefined()
    expect(await findLiveGrant(jti(2), test.server)).toBeDefined()
  })

  it('finds none whose code was not used', async () => {
    const test = createServer()
    const { grantId } = await test.begin({ user: ADA })
    expect(await findLiveGrant(`${grantId}.0.${'x'.repeat(24)}`, test.server)).toBeUndefined()
  })

  it('keeps a grant as long as it is refreshed', async () => {
    const test = createServer()
    let { refresh_token: token } = await test.tokens()
    for (let n = 0; n < 5; n++) {
      test.clock.advance(29 * DAY)
      const answer = await test.refresh(token)
      token = String(answer.refresh_token)
      expect(await test.server.tokens.verify(answer.access_token)).toMatchObject({ subject: 'ada' })
    }
    test.clock.advance(30 * DAY)
    expect(await listConnections('ada', test.server)).toEqual([])
  })
})

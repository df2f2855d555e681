import { MemoryStore } from 'express-mcp-auth/stores/memory'
import { describe, expect, it } from '@jest/globals'
import { disconnectUser, isSignedOut } from '../../lib/authorization-server/connections.js'
import { refreshTokenOf } from '../../lib/authorization-server/handles.js'
import { revokeToken } from '../../lib/authorization-server/revoke.js'
import { SECRET } from '../support/authorization-server.js'
import { createRecorder } from '../support/recorder.js'
import { type ProxyServer, createProxyServer } from '../support/proxy-server.js'
import { APP, refusal } from '../support/server.js'
import { away, gate } from '../support/upstream-double.js'

const CLOSED = ['invalid_grant', 'what is behind the grant is sealed with a secret that is not known here']

const alive = async ({ server }: ProxyServer, token: string): Promise<boolean> =>
  (await server.tokens.verify(token)) !== null

describe('what is sealed', () => {
  it('G1 no upstream token, code, state, verifier or nonce of a whole flow can be read out of the store', async () => {
    const records = new MemoryStore({ deps: { now: () => 1_700_000_000_000 } })
    const test = createProxyServer({ store: records })
    const places = new Map<string, readonly [string, string]>()
    const texts: string[] = []
    const look = async (place: readonly [string, string]): Promise<void> => {
      texts.push(JSON.stringify([place, await records.get(...place)]))
    }
    // Before each step, so that what a later one replaces or removes is seen too.
    test.store.before = ({ collection, key }) => {
      places.set(`${collection} ${key}`, [collection, key])
      return look([collection, key])
    }
    const first = await test.tokens({ namesResource: true })
    test.clock.advance(3590)
    const second = await test.refresh(first.refresh_token)
    await test.server.tokens.verify(second.access_token)
    for (const place of places.values()) await look(place)
    const { state, verifier, nonce } = test.upstream.last('authorizationUrl').trip!
    const dump = texts.join('\n')
    expect(dump).toContain('"sealed')
    const codes = [test.upstream.last('exchange').callback!.get('code')!, first.refresh_token]
    for (const secret of ['upstream-', 'grace@example.com', state, verifier, nonce, ...codes])
      expect(dump).not.toContain(secret)
  })

  const move = async (test: ProxyServer, from: string, to: string): Promise<void> => {
    const [source, target] = [await test.grantOf(from), await test.grantOf(to)]
    const upstream = { ...target.data.upstream!, sealed: source.data.upstream!.sealed }
    await test.server.grants.replace(to, target, { ...target.data, upstream })
  }

  it('G2 moved to another grant it is refused, and told to operators', async () => {
    const test = createProxyServer()
    const [one, two] = [await test.tokens(), await test.tokens()]
    await move(test, one.grantId, two.grantId)
    const { context, reasons } = createRecorder()
    expect(await test.server.tokens.verify(two.access_token, context)).toBeNull()
    expect(reasons).toEqual([{ stage: 'upstream', got: 'a session that ended' }])
    expect(await refusal(test.refresh(two.refresh_token))).toEqual(CLOSED)
    expect([test.upstream.count('refresh'), test.upstream.count('revoke')]).toEqual([0, 0])
    expect(await alive(test, one.access_token)).toBe(true)
  })

  it('G2 moved while it is about to be renewed, nothing is renewed with it', async () => {
    const test = createProxyServer()
    const [one, two] = [await test.tokens(), await test.tokens()]
    test.clock.advance(3590)
    let reads = 0
    test.store.before = async ({ collection }) => {
      if (!collection.includes('.grants') || (reads += 1) !== 2) return
      test.store.before = undefined
      await move(test, one.grantId, two.grantId)
    }
    expect(await alive(test, two.access_token)).toBe(false)
    expect(test.upstream.count('refresh')).toBe(0)
  })

  it('G3 is opened by the secret before, and sealed anew by the newest with the next renewal', async () => {
    const before = createProxyServer()
    const { refresh_token: refreshToken } = await before.tokens()
    const rotated = before.replica({ secret: [`another ${SECRET}`, SECRET] })
    const renewed = await rotated.refresh(refreshToken)
    const dropped = before.replica({ secret: `another ${SECRET}` })
    expect(await alive(dropped, renewed.access_token)).toBe(true)
    expect(await alive(before, renewed.access_token)).toBe(false)
  })

  it('G3 is sealed anew with every refresh, also where nothing can be renewed: whoever comes in time outlives a secret', async () => {
    const before = createProxyServer()
    before.upstream.givesRefreshTokens = false
    const { refresh_token: refreshToken } = await before.tokens()
    const rotated = before.replica({ secret: [`another ${SECRET}`, SECRET] })
    const renewed = await rotated.refresh(refreshToken)
    const dropped = before.replica({ secret: `another ${SECRET}` })
    expect(await alive(dropped, renewed.access_token)).toBe(true)
    expect(await dropped.refresh(String(renewed.refresh_token))).toMatchObject({ token_type: 'Bearer' })
  })

  it('G3 is of no use where its secret is not known, and is left to whoever knows it', async () => {
    const before = createProxyServer()
    const { grantId, access_token: token } = await before.tokens()
    const other = before.replica({ secret: `another ${SECRET}` })
    const stranger = before.replica({ secret: [SECRET, `another ${SECRET}`] })
    const { data } = await before.grantOf(grantId)
    const sealed = other.server.keys.sealer.seal(`grant ${grantId}`, '{}')
    const read = (await before.server.grants.get(grantId))!
    await before.server.grants.replace(grantId, read, { ...data, upstream: { ...data.upstream!, sealed } })
    expect(await alive(before, token)).toBe(false)
    const refreshToken = refreshTokenOf(before.server.keys, grantId, data.generation)
    expect(await refusal(before.refresh(refreshToken))).toEqual(CLOSED)
    expect((await stranger.grantOf(grantId)).data.generation).toBe(data.generation)
  })
})

describe('what is given back', () => {
  it('V1 everything of a user ends before the identity provider is told of any of it', async () => {
    const test = createProxyServer()
    const all = [await test.tokens(), await test.tokens(), await test.tokens()]
    const hanging = gate()
    test.upstream.next('revoke', hanging.step, hanging.step, hanging.step)
    const ended = disconnectUser('idp|grace', test.server, test.report)
    await hanging.reached
    for (const { access_token: token } of all) expect(await alive(test, token)).toBe(false)
    expect(await isSignedOut('idp|grace', test.clock.now(), test.server)).toBe(true)
    hanging.open()
    await ended
    expect(test.upstream.count('revoke')).toBe(3)
  })

  it('V1 is what was behind a grant when it ended, also where that was renewed a moment before', async () => {
    const test = createProxyServer()
    const { access_token: token, refresh_token: refreshToken } = await test.tokens()
    test.clock.advance(3590)
    test.store.before = async ({ method, collection }) => {
      if (method !== 'delete' || !collection.includes('.grants')) return
      test.store.before = undefined
      await test.server.tokens.verify(token)
    }
    await revokeToken(refreshToken, APP, test.server, test.report)
    expect(await alive(test, token)).toBe(false)
    expect(test.upstream.count('refresh')).toBe(1)
    expect(test.upstream.last('revoke').tokens).toMatchObject({ accessToken: 'upstream-access-2' })
  })

  it('V1 is what is behind every grant that ends, and a failure is told and changes nothing', async () => {
    const test = createProxyServer()
    const first = await test.tokens()
    await test.tokens()
    test.upstream.next('revoke', away)
    await disconnectUser('idp|grace', test.server, test.report)
    expect(await alive(test, first.access_token)).toBe(false)
    expect(test.upstream.count('revoke')).toBe(2)
    expect(test.upstream.living).toHaveLength(2)
    expect(test.events).toContainEqual({
      type: 'upstream.failed',
      name: 'Example ID',
      operation: 'revoke',
      message: 'connect ECONNREFUSED 203.0.113.7:443',
    })
  })
})

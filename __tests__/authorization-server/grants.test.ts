import { describe, expect, it } from '@jest/globals'
import { listConnections } from '../../lib/authorization-server/connections.js'
import { revokeGrant } from '../../lib/authorization-server/grants.js'
import { createProxyServer } from '../support/proxy-server.js'
import { createServer } from '../support/server.js'

const DAY = 86_400

describe('revokeGrant', () => {
  it('ends everything that came of a grant, in every process, and tells of it once', async () => {
    const test = createServer()
    const replica = createServer({ store: test.store })
    const { grantId, access_token: token, refresh_token: refreshToken } = await test.tokens()
    const grant = (await test.server.grants.get(grantId))!.data
    const revoke = (): Promise<void> => revokeGrant(grantId, grant, 'client', test.server, test.report)
    await Promise.all([revoke(), revoke(), revoke()])
    expect(await replica.server.tokens.verify(token)).toBeNull()
    await expect(replica.refresh(refreshToken)).rejects.toThrow('The grant is invalid')
    expect(test.events).toEqual([{ type: 'grant.revoked', clientId: 'app', subject: 'ada', why: 'client' }])
  })
})

describe('revokeGrant, where an identity provider is behind it,', () => {
  it('V1 gives its tokens back, once, and after the grant has ended', async () => {
    const test = createProxyServer()
    const { grantId, access_token: token } = await test.tokens()
    const grant = (await test.grantOf(grantId)).data
    let isAlive: unknown
    test.upstream.next('revoke', async () => {
      isAlive = await test.server.grants.get(grantId)
      return undefined
    })
    const revoke = (): Promise<void> => revokeGrant(grantId, grant, 'user', test.server, test.report)
    await Promise.all([revoke(), revoke(), revoke()])
    expect(isAlive).toBeUndefined()
    expect(test.upstream.count('revoke')).toBe(1)
    expect(test.upstream.last('revoke').tokens).toMatchObject({
      accessToken: 'upstream-access-1',
      refreshToken: 'upstream-refresh-1',
    })
    expect(await test.server.tokens.verify(token)).toBeNull()
  })
})

describe('a grant', () => {
  it('lives as long as it is refreshed', async () => {
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

import { describe, expect, it } from '@jest/globals'
import { listConnections } from '../../lib/authorization-server/connections.js'
import { findLiveGrant } from '../../lib/authorization-server/own-tokens.js'
import { ADA, createServer } from '../support/server.js'

const DAY = 86_400

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

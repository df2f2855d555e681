import { describe, expect, it } from '@jest/globals'
import { revokeToken } from '../../lib/authorization-server/revoke.js'
import { APP, createServer } from '../support/server.js'

describe('revokeToken', () => {
  it('ends the grant of a refresh token', async () => {
    const test = createServer()
    const { refresh_token: token, grantId } = await test.tokens()
    await revokeToken(token, APP, test.server, test.report)
    expect(await test.server.grants.get(grantId)).toBeUndefined()
    expect(test.events).toEqual([{ type: 'grant.revoked', clientId: 'app', subject: 'ada', why: 'client' }])
  })

  it('V1 touches nothing of another client', async () => {
    const test = createServer()
    const tokens = await test.tokens()
    const other = { ...APP, clientId: 'other' }
    await revokeToken(tokens.refresh_token, other, test.server, test.report)
    await revokeToken(tokens.access_token, other, test.server, test.report)
    expect(await test.server.tokens.verify(tokens.access_token)).not.toBeNull()
    expect(test.events).toEqual([])
  })

  it('ends access tokens up to the one that is given up, and never fewer', async () => {
    const test = createServer()
    const first = await test.tokens()
    const second = await test.refresh(first.refresh_token)
    const third = await test.refresh(String(second.refresh_token))
    const alive = async (): Promise<boolean[]> =>
      Promise.all([first, second, third].map(async ({ access_token: token }) => (await test.server.tokens.verify(token)) !== null)) // prettier-ignore
    await revokeToken(second.access_token, APP, test.server, test.report)
    expect(await alive()).toEqual([false, false, true])
    await revokeToken(third.access_token, APP, test.server, test.report)
    expect(await alive()).toEqual([false, false, false])
    expect((await test.server.grants.get(first.grantId))?.data.revokedGeneration).toBe(3)
    expect(test.events).toEqual([])
  })

  it('ends an access token while the grant is refreshed by another process', async () => {
    const test = createServer()
    const first = await test.tokens()
    test.store.before = async ({ method }) => {
      if (method !== 'compareAndSwap') return
      test.store.before = undefined
      await test.refresh(first.refresh_token)
    }
    await revokeToken(first.access_token, APP, test.server, test.report)
    expect(await test.server.tokens.verify(first.access_token)).toBeNull()
    expect((await test.server.grants.get(first.grantId))?.data).toMatchObject({ generation: 2, revokedGeneration: 1 }) // prettier-ignore
  })

  it('ends the grant of an access token that came without a refresh token', async () => {
    const test = createServer()
    const tokens = await test.tokens({ ...APP, grantTypes: ['authorization_code'] })
    await revokeToken(tokens.access_token, APP, test.server, test.report)
    expect(await test.server.grants.get(tokens.grantId)).toBeUndefined()
    expect(test.events).toEqual([{ type: 'grant.revoked', clientId: 'app', subject: 'ada', why: 'client' }])
  })

  it('has nothing to do where the grant ends meanwhile, or the token means nothing', async () => {
    const test = createServer()
    const tokens = await test.tokens()
    test.store.before = async ({ method }) => {
      if (method !== 'compareAndSwap') return
      test.store.before = undefined
      await test.server.grants.remove(tokens.grantId)
    }
    await revokeToken(tokens.access_token, APP, test.server, test.report)
    await revokeToken(tokens.refresh_token, APP, test.server, test.report)
    await revokeToken('x', APP, test.server, test.report)
    expect(test.events).toEqual([])
  })
})

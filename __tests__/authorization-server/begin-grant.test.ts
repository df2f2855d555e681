import { describe, expect, it } from '@jest/globals'
import { beginGrant } from '../../lib/authorization-server/begin-grant.js'
import { REDIRECT_URI, pkce } from '../support/authorization-server.js'
import { createProxyServer } from '../support/proxy-server.js'
import { ADA, APP, collectionOf, createServer } from '../support/server.js'
import { GRACE } from '../support/upstream-double.js'

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

  it('keeps what an identity provider gave, and ends with that where it cannot be renewed', async () => {
    const { server, clock, report } = createProxyServer()
    const request = {
      clientId: 'app',
      redirectUri: REDIRECT_URI,
      scopes: ['read'],
      challenge: pkce().challenge,
    }
    const expiresAt = clock.now() + 600_000
    const begun = async (refreshToken?: string): Promise<unknown> => {
      const upstream = { tokens: { accessToken: 'a', refreshToken, expiresAt }, user: GRACE, resource: 'r' }
      const grantId = server.deps.randomId()
      await beginGrant(
        { client: APP, request, user: ADA, scopes: ['read'], upstream },
        grantId,
        server,
        report,
      )
      return (await server.grants.get(grantId))?.data
    }
    const kept = { sealed: expect.any(String), expiresAt, round: 0, obtainedAt: clock.now(), resource: 'r' }
    expect(await begun()).toMatchObject({ upstream: { ...kept, renewable: false }, endsAt: expiresAt })
    const renewable = await begun('b')
    expect(renewable).toMatchObject({ upstream: { ...kept, renewable: true } })
    expect(renewable).not.toHaveProperty('endsAt')
  })
})

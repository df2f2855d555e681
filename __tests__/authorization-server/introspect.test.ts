import { describe, expect, it } from '@jest/globals'
import { introspectToken } from '../../lib/authorization-server/introspect.js'
import type { Client } from '../../lib/authorization-server/records.js'
import { createProxyServer } from '../support/proxy-server.js'
import { APP, BASE_URL, createServer } from '../support/server.js'

const RESOURCE_SERVER: Client = { ...APP, clientId: `${BASE_URL}/mcp` }
const INACTIVE = { active: false }

describe('introspectToken', () => {
  it('tells the client and the resource server everything that an access token says, with the user’s claims', async () => {
    const test = createServer()
    const { access_token: token } = await test.tokens()
    const expected = {
      active: true,
      token_type: 'Bearer',
      iss: BASE_URL,
      aud: `${BASE_URL}/mcp`,
      sub: 'ada',
      client_id: 'app',
      scope: 'read write',
      email: 'ada@example.com',
      iat: test.clock.now() / 1000,
      exp: test.clock.now() / 1000 + 3600,
      jti: expect.any(String),
    }
    expect(await introspectToken(token, APP, test.server)).toEqual(expected)
    expect(await introspectToken(token, RESOURCE_SERVER, test.server)).toEqual(expected)
  })

  it('P6 tells nothing of what an identity provider says, and is inactive where that no longer stands behind it', async () => {
    const test = createProxyServer()
    const { access_token: token } = await test.tokens()
    const told = await introspectToken(token, APP, test.server)
    expect(told).toMatchObject({ active: true, sub: 'idp|grace', client_id: 'app' })
    expect(JSON.stringify(told)).not.toContain('grace@example.com')
    expect(await introspectToken(token, { ...APP, clientId: 'other' }, test.server)).toEqual({
      active: false,
    })
    test.upstream.next('identify', () => null)
    expect(await introspectToken(token, APP, test.server)).toEqual({ active: false })
  })

  it('V3 tells nobody else that there is such a token', async () => {
    const test = createServer()
    const { access_token: token, refresh_token: refreshToken } = await test.tokens()
    const others: Client[] = [
      { ...APP, clientId: 'other' },
      { ...RESOURCE_SERVER, origin: 'registered' },
      { ...RESOURCE_SERVER, origin: 'document' },
      { ...RESOURCE_SERVER, clientId: `${BASE_URL}/mcp/` },
    ]
    for (const client of others) {
      expect(await introspectToken(token, client, test.server)).toEqual(INACTIVE)
      expect(await introspectToken(refreshToken, client, test.server)).toEqual(INACTIVE)
    }
    expect(await introspectToken(refreshToken, RESOURCE_SERVER, test.server)).toEqual(INACTIVE)
  })

  it('says of a refresh token whether it is the newest of a grant that lives', async () => {
    const test = createServer()
    const first = await test.tokens()
    const second = await test.refresh(first.refresh_token)
    expect(await introspectToken(first.refresh_token, APP, test.server)).toEqual(INACTIVE)
    expect(await introspectToken(String(second.refresh_token), APP, test.server)).toMatchObject({
      active: true,
      exp: Math.floor(test.clock.now() / 1000) + 30 * 86_400,
    })
    await test.server.grants.remove(first.grantId)
    expect(await introspectToken(String(second.refresh_token), APP, test.server)).toEqual(INACTIVE)
    expect(await introspectToken('x', APP, test.server)).toEqual(INACTIVE)
  })
})

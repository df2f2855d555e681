import { describe, expect, it } from '@jest/globals'
import { createLocalJWKSet, decodeProtectedHeader, jwtVerify } from 'jose'
import type { GrantRecord } from '../../lib/authorization-server/records.js'
import { BASE_URL, createServer } from '../support/server.js'

const GRANT: GrantRecord = {
  clientId: 'app',
  subject: 'ada',
  scopes: ['read'],
  startedAt: 0,
  refreshable: true,
  generation: 3,
  rotatedAt: 0,
}
const ID = 'AAAABBBBCCCCDDDDEEEEFFFF'

describe('AccessTokenIssuer', () => {
  const { server, clock } = createServer({ accessTokenSeconds: 600 })
  const keySet = createLocalJWKSet({ keys: server.keys.published.map((jwk) => ({ ...jwk })) })
  const now = Math.floor(clock.now() / 1000)

  it('makes RFC 9068 access tokens that anybody verifies by the published keys', async () => {
    const token = server.issuer.issue(ID, GRANT, ['read', 'write'])
    expect(decodeProtectedHeader(token)).toEqual({
      alg: 'ES256',
      typ: 'at+jwt',
      kid: server.keys.signing.kid,
    })
    const { payload } = await jwtVerify(token, keySet, {
      issuer: BASE_URL,
      audience: `${BASE_URL}/mcp`,
      typ: 'at+jwt',
      algorithms: ['ES256'],
      currentDate: new Date(clock.now()),
    })
    expect(payload).toEqual({
      iss: BASE_URL,
      aud: `${BASE_URL}/mcp`,
      sub: 'ada',
      client_id: 'app',
      scope: 'read write',
      iat: now,
      exp: now + 600,
      jti: expect.stringMatching(new RegExp(`^${ID}\\.3\\.[\\w-]{24}$`)),
    })
  })

  it('never lets a claim of the user stand for one of the server', async () => {
    const claims = { iss: 'x', aud: 'x', sub: 'x', client_id: 'x', scope: 'x', iat: 0, exp: 1e10, jti: 'x', role: 'editor' } // prettier-ignore
    const token = server.issuer.issue(ID, { ...GRANT, claims }, ['read'])
    const { payload } = await jwtVerify(token, keySet, { currentDate: new Date(clock.now()) })
    expect(payload).toMatchObject({ iss: BASE_URL, sub: 'ada', client_id: 'app', scope: 'read', iat: now, exp: now + 600, role: 'editor' }) // prettier-ignore
  })

  it('makes none that lives for longer than its grant can, and tells the same as it writes', async () => {
    const left = (milliseconds: number): number =>
      server.issuer.lifetimeOf({ ...GRANT, endsAt: clock.now() + milliseconds })
    expect([left(90_999), left(600_000), left(10_000_000), left(0), left(-5000)]).toEqual([
      90, 600, 600, 1, 1,
    ])
    expect(server.issuer.lifetimeOf(GRANT)).toBe(600)
    const token = server.issuer.issue(ID, { ...GRANT, endsAt: clock.now() + 90_999 }, ['read'])
    const { payload } = await jwtVerify(token, keySet, { currentDate: new Date(clock.now()) })
    expect(payload.exp).toBe(now + 90)
  })
})

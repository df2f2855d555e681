import { describe, expect, it } from '@jest/globals'
import { checkResource, expiryOf, tokensOf } from '../../lib/authorization-server/tokens.js'
import type { GrantRecord } from '../../lib/authorization-server/records.js'
import { parseParameters } from '../../lib/protocol/parameters.js'
import { createServer } from '../support/server.js'

const { server } = createServer({ accessTokenSeconds: 600, refreshTokenSeconds: 7200 })
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

describe('tokensOf', () => {
  it('gives an access token, and the refresh token of the generation', () => {
    expect(tokensOf(ID, GRANT, ['read'], server)).toEqual({
      access_token: expect.stringMatching(/^[\w-]+\.[\w-]+\.[\w-]+$/),
      token_type: 'Bearer',
      expires_in: 600,
      scope: 'read',
      refresh_token: expect.stringMatching(new RegExp(`^${ID}\\.3\\.`)),
    })
  })

  it('gives the same refresh token each time, and another access token', () => {
    const [one, two] = [tokensOf(ID, GRANT, ['read'], server), tokensOf(ID, GRANT, ['read'], server)]
    expect(one.refresh_token).toBe(two.refresh_token)
    expect(one.access_token).not.toBe(two.access_token)
  })

  it('names no scopes where there are none', () => {
    expect(tokensOf(ID, GRANT, [], server)).not.toHaveProperty('scope')
  })

  it('gives none where the grant cannot be refreshed', () => {
    expect(tokensOf(ID, { ...GRANT, refreshable: false }, [], server)).not.toHaveProperty('refresh_token')
  })
})

describe('expiryOf', () => {
  const now = server.deps.now()

  it('is that of what can be renewed, or of the access token', () => {
    expect(expiryOf(GRANT, server)).toBe(now + 7_200_000)
    expect(expiryOf({ ...GRANT, refreshable: false }, server)).toBe(now + 600_000)
  })

  it('is no later than what is behind the grant', () => {
    const grant = { ...GRANT, endsAt: now + 90_000 }
    expect(expiryOf(grant, server)).toBe(now + 90_000)
    expect(tokensOf(ID, grant, ['read'], server).expires_in).toBe(90)
  })
})

describe('checkResource', () => {
  const check = (query: string) => () => checkResource(parseParameters(query), server)

  it('takes the one resource, however a client spells it, and silence', () => {
    for (const resource of ['https://api.example.com/mcp', 'https://API.example.com:443/mcp/', 'https://api.example.com/mcp?x=1'])
      expect(check(`resource=${encodeURIComponent(resource)}`)).not.toThrow() // prettier-ignore
    expect(check('')).not.toThrow()
  })

  it('A13 refuses any other, also beside ours', () => {
    const ours = 'resource=https://api.example.com/mcp'
    for (const query of ['resource=https://other.example/mcp', `${ours}&resource=https://other.example`, 'resource=mcp'])
      expect(check(query)).toThrow('Tokens are issued for https://api.example.com/mcp only') // prettier-ignore
  })
})

import { describe, expect, it } from '@jest/globals'
import { grantToClient } from '../../lib/authorization-server/client-credentials.js'
import type { Client } from '../../lib/authorization-server/records.js'
import { revokeToken } from '../../lib/authorization-server/revoke.js'
import { createProxyServer } from '../support/proxy-server.js'
import { APP, BASE_URL, createServer, parametersOf, refusal } from '../support/server.js'

const SERVICE: Client = {
  clientId: 'service',
  origin: 'configured',
  redirectUris: [],
  grantTypes: ['client_credentials'],
  authMethods: ['client_secret_basic'],
}

describe('grantToClient', () => {
  const test = createServer({ accessTokenSeconds: 600 })
  const grant = (form: Record<string, string> = {}, client = SERVICE): ReturnType<typeof grantToClient> =>
    grantToClient(parametersOf(form), client, test.server)

  it('gives a token to the client itself, without a refresh token', async () => {
    const answer = await grant()
    expect(answer).toEqual({
      access_token: expect.any(String),
      token_type: 'Bearer',
      expires_in: 600,
      scope: 'read write',
    })
    expect(await test.server.tokens.verify(answer.access_token)).toMatchObject({
      clientId: 'service',
      subject: 'service',
      scopes: ['read', 'write'],
    })
  })

  it('gives the scopes that are asked for, and never offline_access', async () => {
    expect((await grant({ scope: 'read offline_access unknown' })).scope).toBe('read')
    expect((await grant({}, { ...SERVICE, scopes: ['write'] })).scope).toBe('write')
    expect(await refusal(grant({ scope: 'read' }, { ...SERVICE, scopes: ['write'] }))).toEqual(['invalid_scope', 'service asked for read']) // prettier-ignore
  })

  it('takes our resource and no other', async () => {
    await expect(grant({ resource: `${BASE_URL}/mcp` })).resolves.toBeDefined()
    expect(await refusal(grant({ resource: 'https://other.example/mcp' }))).toEqual(['invalid_target', 'the resource https://other.example/mcp was asked for']) // prettier-ignore
  })

  it('T8 refuses a public client, whatever it was configured for', async () => {
    const client = { ...APP, grantTypes: ['client_credentials'] }
    expect(await refusal(grant({}, client))).toEqual(['unauthorized_client', undefined])
  })

  it('keeps the grant as long as the token, so that it can be revoked', async () => {
    const own = createServer({ accessTokenSeconds: 600 })
    const { access_token: token } = await grantToClient(parametersOf({}), SERVICE, own.server)
    own.clock.advance(599)
    expect(await own.server.tokens.verify(token)).not.toBeNull()
    own.clock.advance(1)
    expect(await own.server.tokens.verify(token)).toBeNull()
  })

  it('has nobody behind it, where people sign in at an identity provider', async () => {
    const proxy = createProxyServer()
    const { access_token: token } = await grantToClient(parametersOf({}), SERVICE, proxy.server)
    const verified = await proxy.server.tokens.verify(token)
    expect(verified).toMatchObject({ clientId: 'service', subject: 'service', scopes: ['read', 'write'] })
    expect(verified).not.toHaveProperty('upstream')
    await revokeToken(token, SERVICE, proxy.server, proxy.report)
    expect(await proxy.server.tokens.verify(token)).toBeNull()
    expect(proxy.upstream.calls).toEqual([])
  })
})

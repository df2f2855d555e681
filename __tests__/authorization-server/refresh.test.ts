import { describe, expect, it } from '@jest/globals'
import { refreshTokenOf } from '../../lib/authorization-server/handles.js'
import { revokeToken } from '../../lib/authorization-server/revoke.js'
import { listConnections } from '../../lib/authorization-server/connections.js'
import { registerClient } from '../../lib/authorization-server/register.js'
import { createProxyServer } from '../support/proxy-server.js'
import { APP, createServer, refusal, collectionOf } from '../support/server.js'
import { REDIRECT_URI, SECRET } from '../support/authorization-server.js'

const DAY = 86_400

describe('refresh', () => {
  it('replaces the token, and lets the grant live on', async () => {
    const test = createServer()
    const first = await test.tokens()
    test.clock.advance(DAY)
    const second = await test.refresh(first.refresh_token)
    expect(second.refresh_token).toBe(refreshTokenOf(test.server.keys, first.grantId, 2))
    const stored = await test.server.grants.get(first.grantId)
    expect(stored?.expiresAt).toBe(test.clock.now() + 30 * DAY * 1000)
    expect(stored?.data).toMatchObject({ generation: 2, rotatedAt: test.clock.now() })
  })

  it('R1 whoever comes second between reading and writing gets the same successor', async () => {
    const test = createServer()
    const first = await test.tokens()
    let faster: string | undefined
    test.store.before = async ({ method }) => {
      if (method !== 'compareAndSwap') return
      test.store.before = undefined
      faster = (await test.refresh(first.refresh_token)).refresh_token
    }
    const slower = await test.refresh(first.refresh_token)
    expect(faster).toBeDefined()
    expect(slower.refresh_token).toBe(faster)
  })

  it('R3 gives tokens that are good, where the newest access token was given up meanwhile', async () => {
    const test = createServer()
    const first = await test.tokens()
    const second = await test.refresh(first.refresh_token)
    await revokeToken(second.access_token, APP, test.server, test.report)
    const again = await test.refresh(first.refresh_token)
    expect(await test.server.tokens.verify(again.access_token)).not.toBeNull()
    expect(again.refresh_token).toBe(refreshTokenOf(test.server.keys, first.grantId, 3))
  })

  it('G6 a process that dies before it answers leaves a token that can be used again', async () => {
    const test = createServer()
    const first = await test.tokens()
    await test.refresh(first.refresh_token)
    const again = await test.refresh(first.refresh_token)
    expect(again.refresh_token).toBe(refreshTokenOf(test.server.keys, first.grantId, 2))
    await expect(test.refresh(String(again.refresh_token))).resolves.toBeDefined()
  })

  it('G6 where the client cannot be kept the token is not used up', async () => {
    const test = createServer()
    const metadata = { redirect_uris: [REDIRECT_URI], token_endpoint_auth_method: 'none' }
    const { client_id: id } = await registerClient(metadata, test.server, test.report)
    const client = (await test.server.clients.find(String(id), test.report))!
    const first = await test.tokens(client)
    test.clock.advance(20 * DAY)
    const second = await test.refresh(first.refresh_token, {}, client)
    test.clock.advance(20 * DAY)
    test.store.before = ({ method, collection }) => {
      if (method === 'compareAndSwap' && collection === collectionOf('clients')) throw new Error('away')
    }
    await expect(test.refresh(String(second.refresh_token), {}, client)).rejects.toThrow('away')
    expect((await test.server.grants.get(first.grantId))?.data.generation).toBe(2)
    test.store.before = undefined
    await expect(test.refresh(String(second.refresh_token), {}, client)).resolves.toBeDefined()
    expect((await test.server.clients.find(client.clientId, test.report))?.clientId).toBe(client.clientId)
  })

  it('keeps a grant listed once, however long it is used', async () => {
    const test = createServer()
    let { refresh_token: token } = await test.tokens()
    const since = test.clock.now()
    for (let month = 0; month < 12; month++) {
      test.clock.advance(29 * DAY)
      token = String((await test.refresh(token)).refresh_token)
      expect(await listConnections('ada', test.server)).toEqual([
        expect.objectContaining({ clientId: 'app', since }),
      ])
    }
  })

  it('gives fewer scopes where fewer are asked for, and passes over what does not exist here', async () => {
    const test = createServer()
    const first = await test.tokens()
    const second = await test.refresh(first.refresh_token, { scope: 'write unknown' })
    expect(second.scope).toBe('write')
    expect((await test.refresh(String(second.refresh_token), { scope: 'unknown' })).scope).toBe('read write')
  })

  it('G3 takes tokens of the secret before, and none of one that was dropped', async () => {
    const before = createServer()
    const { refresh_token: token } = await before.tokens()
    const rotated = createServer({
      secret: ['another secret of thirty-two bytes or more', SECRET],
      store: before.store,
    })
    const renewed = String((await rotated.refresh(token)).refresh_token)
    const dropped = createServer({ secret: SECRET, store: before.store })
    expect(await refusal(dropped.refresh(renewed))).toEqual(['invalid_grant', 'this is no refresh token of this server']) // prettier-ignore
    await expect(rotated.refresh(renewed)).resolves.toBeDefined()
  })

  it('ends the grant of a user who may no longer come in', async () => {
    let active = true
    const test = createServer({
      signIn: { verifyCredentials: () => null, isActive: (subject) => active && subject === 'ada' },
    })
    const first = await test.tokens()
    const second = await test.refresh(first.refresh_token)
    active = false
    expect(await refusal(test.refresh(String(second.refresh_token)))).toEqual(['invalid_grant', 'the user may no longer come in; the grant is revoked']) // prettier-ignore
    expect(await test.server.tokens.verify(second.access_token)).toBeNull()
    expect(test.events.at(-1)).toEqual({
      type: 'grant.revoked',
      clientId: 'app',
      subject: 'ada',
      why: 'inactive',
    })
  })

  it('G7 keeps a grant where the app cannot say whether the user may come in', async () => {
    let away = true
    const test = createServer({
      signIn: {
        verifyCredentials: () => null,
        isActive: () => {
          if (away) throw new Error('away')
          return true
        },
      },
    })
    const { refresh_token: token } = await test.tokens()
    await expect(test.refresh(token)).rejects.toThrow('away')
    away = false
    await expect(test.refresh(token)).resolves.toBeDefined()
  })

  it('V1 a grant that is revoked while it is refreshed stays revoked', async () => {
    const test = createServer()
    const first = await test.tokens()
    test.store.before = async ({ method }) => {
      if (method !== 'compareAndSwap') return
      test.store.before = undefined
      await test.server.grants.remove(first.grantId)
    }
    expect(await refusal(test.refresh(first.refresh_token))).toEqual(['invalid_grant', 'the grant was revoked or has ended']) // prettier-ignore
  })

  it('tells operators why, in words of their own for each reason', async () => {
    const test = createServer()
    const { refresh_token: token } = await test.tokens()
    expect(await refusal(test.refresh(''))).toEqual(['invalid_request', undefined])
    expect(await refusal(test.refresh('x'))).toEqual(['invalid_grant', 'this is no refresh token of this server']) // prettier-ignore
    expect(await refusal(test.refresh(token, {}, { ...APP, clientId: 'other' }))).toEqual(['invalid_grant', 'the token was issued to another client']) // prettier-ignore
    const { grantId, code, verifier } = await test.begin({ scopes: ['read'] })
    await test.exchange(code, verifier)
    const narrow = refreshTokenOf(test.server.keys, grantId, 1)
    expect(await refusal(test.refresh(narrow, { scope: 'read write' }))).toEqual(['invalid_scope', 'write was not granted']) // prettier-ignore
    await test.refresh(token)
    test.clock.advance(30)
    expect(await refusal(test.refresh(token))).toEqual(['invalid_grant', 'the token was used before; its grant is revoked']) // prettier-ignore
    expect(await refusal(test.refresh(token))).toEqual(['invalid_grant', 'the grant was revoked or has ended']) // prettier-ignore
  })

  it('asks no identity provider for what is refused anyway', async () => {
    let isIn = true
    const test = createProxyServer({ isActive: () => isIn })
    const { refresh_token: token } = await test.tokens()
    const asked = test.upstream.calls.length
    expect((await refusal(test.refresh(token, { resource: 'https://other.example' })))[0]).toBe('invalid_target') // prettier-ignore
    expect((await refusal(test.refresh(`${token}x`)))[0]).toBe('invalid_grant')
    isIn = false
    expect(await refusal(test.refresh(token))).toEqual(['invalid_grant', 'the user may no longer come in; the grant is revoked']) // prettier-ignore
    expect(test.upstream.calls.slice(asked).map(({ operation }) => operation)).toEqual(['revoke'])
  })

  it('R2 ends the grant of a token that is used again late, and gives back what is behind it', async () => {
    const test = createProxyServer()
    const { refresh_token: token } = await test.tokens()
    await test.refresh(token)
    test.clock.advance(30)
    expect(await refusal(test.refresh(token))).toEqual(['invalid_grant', 'the token was used before; its grant is revoked']) // prettier-ignore
    expect(test.upstream.last('revoke').tokens?.refreshToken).toBe('upstream-refresh-2')
    expect(test.upstream.count('refresh')).toBe(1)
  })

  it('R1 keeps to its own successor where it was rotated while the identity provider answered', async () => {
    const test = createProxyServer()
    const { refresh_token: token, grantId } = await test.tokens()
    test.upstream.next('identify', async () => {
      const stored = await test.grantOf(grantId)
      const next = { ...stored.data, generation: 2, rotatedAt: test.clock.now() }
      await test.server.grants.replace(grantId, stored, next)
      return undefined
    })
    const answer = await test.refresh(token)
    expect(answer.refresh_token).toBe(refreshTokenOf(test.server.keys, grantId, 2))
    expect((await test.grantOf(grantId)).data).toMatchObject({ generation: 2, upstream: { round: 1 } })
  })
})

import { inspect } from 'node:util'
import { AccessToken } from 'express-mcp-auth'
import { describe, expect, it } from '@jest/globals'
import { introspectToken } from '../../lib/authorization-server/introspect.js'
import type { UpstreamAccess, VerifiedToken } from '../../lib/protocol/access-token.js'
import { createRecorder } from '../support/recorder.js'
import { type ProxyServer, createProxyServer } from '../support/proxy-server.js'
import { APP, BASE_URL, refusal } from '../support/server.js'
import { GRACE, away } from '../support/upstream-double.js'

const verified = async ({ server }: ProxyServer, token: string): Promise<VerifiedToken> => {
  const facts = await server.tokens.verify(token)
  if (facts === null) throw new Error('the token is refused')
  return facts
}

const accessOf = async (test: ProxyServer, token: string): Promise<UpstreamAccess> => {
  const { upstream } = await verified(test, token)
  if (upstream === undefined) throw new Error('there is nothing behind it')
  return upstream
}

describe('a token with an identity provider behind it', () => {
  it('says what that says of its user, and ours where both say something', async () => {
    const test = createProxyServer()
    const { access_token: token } = await test.tokens()
    test.upstream.user = {
      ...GRACE,
      claims: { ...GRACE.claims, role: 'editor', scope: 'admin', sub: 'x', aud: 'x', client_id: 'x', exp: 1 },
    }
    const facts = await verified(test, token)
    expect(facts).toMatchObject({
      clientId: 'app',
      subject: 'idp|grace',
      issuer: BASE_URL,
      scopes: ['read', 'write'],
      claims: {
        email: 'grace@example.com',
        role: 'editor',
        iss: BASE_URL,
        sub: 'idp|grace',
        aud: `${BASE_URL}/mcp`,
        client_id: 'app',
        scope: 'read write',
      },
    })
    expect(facts.claims['exp']).toBe(facts.expiresAt)
    expect(Object.isFrozen(facts.claims)).toBe(true)
  })

  it('P7 says nothing by the identity provider of what only this server may say', async () => {
    const test = createProxyServer()
    const claims = {
      permissions: ['admin'], scp: 'admin', azp: 'x', act: { sub: 'boss' }, may_act: {}, cnf: { jkt: 'x' }, nbf: 1, token_use: 'id', typ: 'ID', at_hash: 'x',
    } // prettier-ignore
    test.upstream.user = { ...GRACE, claims: { ...claims, groups: ['g'] } }
    const facts = await verified(test, (await test.tokens()).access_token)
    for (const name of Object.keys(claims)) expect(facts.claims).not.toHaveProperty(name)
    expect(facts).toMatchObject({ subject: 'idp|grace', claims: { sub: 'idp|grace', groups: ['g'] } })
  })

  it('is refused with the reason of whoever refused it, or where nobody said one, that it ended', async () => {
    const test = createProxyServer()
    const { access_token: token } = await test.tokens()
    const { context, reasons } = createRecorder()
    test.upstream.next('identify', ({ refuse }) => refuse({ stage: 'introspection', got: 'inactive' }))
    expect(await test.server.tokens.verify(token, context)).toBeNull()
    test.upstream.endAccess()
    expect(await test.server.tokens.verify(token, context)).toBeNull()
    expect(reasons).toEqual([
      { stage: 'introspection', got: 'inactive' },
      { stage: 'upstream', got: 'a session that ended' },
    ])
  })

  it('is refused as any other before its identity provider is asked', async () => {
    const test = createProxyServer()
    const { access_token: token, grantId } = await test.tokens()
    const asked = test.upstream.calls.length
    expect(await test.server.tokens.verify(`${token.slice(0, -4)}AAAA`)).toBeNull()
    await test.server.grants.remove(grantId)
    expect(await test.server.tokens.verify(token)).toBeNull()
    expect(test.upstream.calls).toHaveLength(asked)
  })
})

describe('tools', () => {
  it('get the token of the identity provider, and what it allows there', async () => {
    const test = createProxyServer()
    test.upstream.tells = ['read', 'write', 'repo']
    const { access_token: token } = await test.tokens()
    const upstream = await accessOf(test, token)
    expect(await upstream.getToken()).toBe('upstream-access-1')
    expect(upstream.scopes).toEqual(['read', 'write', 'repo'])
    test.upstream.tells = undefined
    expect((await accessOf(test, (await test.tokens()).access_token)).scopes).toBeUndefined()
  })

  it('that run for longer than it lives get the next one', async () => {
    const test = createProxyServer()
    const { access_token: token } = await test.tokens()
    const upstream = await accessOf(test, token)
    test.upstream.tells = ['read']
    test.clock.advance(3569)
    expect(await upstream.getToken()).toBe('upstream-access-1')
    test.clock.advance(1)
    const together = await Promise.all([upstream.getToken(), upstream.getToken()])
    expect(together).toEqual(['upstream-access-2', 'upstream-access-2'])
    expect(await upstream.getToken()).toBe('upstream-access-2')
    expect(upstream.scopes).toEqual(['read'])
    expect(test.upstream.count('refresh')).toBe(1)
  })

  it('are told where the user is no longer connected, and where that cannot be known', async () => {
    const test = createProxyServer()
    const { access_token: token, grantId } = await test.tokens()
    const upstream = await accessOf(test, token)
    test.clock.advance(3590)
    test.upstream.next('refresh', away)
    expect((await refusal(upstream.getToken()))[0]).toBe('temporarily_unavailable')
    await test.server.grants.remove(grantId)
    await expect(upstream.getToken()).rejects.toMatchObject({
      code: 'invalid_token',
      description: 'The user is no longer connected to the identity provider',
    })
  })

  it('are told where the identity provider ended it', async () => {
    const test = createProxyServer()
    const upstream = await accessOf(test, (await test.tokens()).access_token)
    test.clock.advance(3590)
    test.upstream.next('identify', () => null)
    await expect(upstream.getToken()).rejects.toMatchObject({ code: 'invalid_token' })
  })
})

describe('P6 no upstream token is seen', () => {
  const shown = async (): Promise<{ facts: VerifiedToken; auth: AccessToken }> => {
    const test = createProxyServer()
    const facts = await verified(test, (await test.tokens()).access_token)
    const auth = new AccessToken(facts)
    expect(await auth.upstream?.getToken()).toBe('upstream-access-1')
    return { facts, auth }
  }

  it('P6 in JSON, logs and copies of req.auth', async () => {
    const { facts, auth } = await shown()
    const all = { depth: Infinity, showHidden: true, getters: true } as const
    // oxlint-disable-next-line typescript/no-misused-spread -- this is what the SDKs do
    const spread = { ...auth }
    const copies: unknown[] = [
      auth,
      facts,
      auth.upstream,
      spread,
      structuredClone(spread),
      structuredClone(auth),
    ]
    for (const copy of copies) {
      expect(JSON.stringify(copy)).not.toContain('upstream-')
      expect(inspect(copy, all)).not.toContain('upstream-')
      expect(inspect(copy, { ...all, customInspect: false })).not.toContain('upstream-')
    }
    expect([spread, structuredClone(auth)].some((copy) => 'upstream' in copy)).toBe(false)
  })

  it('P6 in what one can reach from it without asking for it', async () => {
    const { auth } = await shown()
    expect(Reflect.ownKeys(auth.upstream!)).toEqual([])
    expect(Object.assign({}, auth)).not.toHaveProperty('upstream')
    expect(Object.create(auth) as AccessToken).toHaveProperty('upstream', undefined)
  })

  it('P6 in access tokens of ours, nor what the identity provider says of the user', async () => {
    const test = createProxyServer()
    const { access_token: token } = await test.tokens()
    const payload = Buffer.from(token.split('.')[1]!, 'base64url').toString()
    expect(payload).toContain('"sub":"idp|grace"')
    expect(payload).not.toMatch(/upstream|grace@example\.com|Grace/)
  })

  it('P6 in an answer of ours', async () => {
    const test = createProxyServer()
    const { access_token: token, ...answer } = await test.tokens()
    const introspected = await introspectToken(token, APP, test.server)
    expect(introspected).toMatchObject({ active: true, sub: 'idp|grace' })
    for (const told of [answer, introspected, test.events])
      expect(JSON.stringify(told)).not.toContain('upstream-')
  })
})

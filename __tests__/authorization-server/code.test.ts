import { describe, expect, it } from '@jest/globals'
import { challengeOf } from '../../lib/protocol/pkce.js'
import { grantToClient } from '../../lib/authorization-server/client-credentials.js'
import { codeOf } from '../../lib/authorization-server/handles.js'
import { exchangeCode } from '../../lib/authorization-server/code.js'
import { disconnectUser } from '../../lib/authorization-server/connections.js'
import {
  refusal,
  APP,
  ADA,
  type TestServer,
  createServer,
  parametersOf,
  collectionOf,
} from '../support/server.js'
import { REDIRECT_URI, pkce } from '../support/authorization-server.js'

const exchange = ({ server, report }: TestServer, form: Readonly<Record<string, string>>): Promise<unknown> =>
  exchangeCode(parametersOf(form), APP, server, report)

const SERVICE = { ...APP, clientId: 'service', authMethods: ['client_secret_basic'] } as const

describe('exchangeCode', () => {
  it('gives tokens for the code, and the grant lives as long as its refresh token', async () => {
    const test = createServer()
    const { grantId, code, verifier } = await test.begin()
    const answer = await test.exchange(code, verifier)
    expect(answer).toMatchObject({ token_type: 'Bearer', expires_in: 3600, scope: 'read write' })
    const stored = await test.server.grants.get(grantId)
    expect(stored?.expiresAt).toBe(test.clock.now() + 30 * 86_400_000)
    expect(stored?.data).toEqual({
      clientId: 'app',
      subject: 'ada',
      claims: ADA.claims,
      scopes: ['read', 'write'],
      startedAt: test.clock.now(),
      code: { redirectUri: REDIRECT_URI, challenge: challengeOf(verifier) },
      waits: false,
      refreshable: true,
      generation: 1,
      rotatedAt: test.clock.now(),
    })
  })

  it('lets a grant that is not refreshed live as long as its access token', async () => {
    const test = createServer({ accessTokenSeconds: 60 })
    const { grantId, code, verifier } = await test.begin({
      client: { ...APP, grantTypes: ['authorization_code'] },
    })
    expect(await test.exchange(code, verifier)).not.toHaveProperty('refresh_token')
    const stored = await test.server.grants.get(grantId)
    expect([stored?.data.generation, stored?.expiresAt]).toEqual([0, test.clock.now() + 60_000])
  })

  it('wants the redirect URI to be the same where it is there, and does without', async () => {
    const test = createServer()
    const { code, verifier } = await test.begin()
    const form = { code, code_verifier: verifier }
    const other = { ...form, redirect_uri: `${REDIRECT_URI}/` }
    expect(await refusal(exchange(test, other))).toEqual(['invalid_grant', '"redirect_uri" is another one'])
    await expect(exchange(test, { ...form, redirect_uri: REDIRECT_URI })).resolves.toBeDefined()
  })

  it('T1 whoever comes second between reading and writing ends the grant', async () => {
    const test = createServer()
    const { grantId, code, verifier } = await test.begin()
    let answer: Promise<unknown> | undefined
    test.store.before = async ({ method, collection }) => {
      if (method !== 'compareAndSwap' || collection !== collectionOf('grants')) return
      test.store.before = undefined
      answer = test.exchange(code, verifier)
      await answer
    }
    expect(await refusal(test.exchange(code, verifier))).toEqual([
      'invalid_grant',
      'the code was used at the same time; its grant is revoked',
    ])
    expect(answer).toBeDefined()
    expect(await test.server.grants.get(grantId)).toBeUndefined()
    expect(test.events).toEqual([
      { type: 'grant.revoked', clientId: 'app', subject: 'ada', why: 'code_replayed' },
    ])
  })

  it('T2 who shows a used code without its verifier only found it: that signs nobody out', async () => {
    const test = createServer()
    const { code, verifier } = await test.begin()
    const { access_token: token } = await test.exchange(code, verifier)
    expect(await refusal(test.exchange(code, pkce().verifier))).toEqual(['invalid_grant', 'the code was used before']) // prettier-ignore
    expect(await test.server.tokens.verify(token)).not.toBeNull()
    await refusal(test.exchange(code, verifier))
    expect(await test.server.tokens.verify(token)).toBeNull()
  })

  it('T1 whoever revokes meanwhile is not told of again', async () => {
    const test = createServer()
    const { grantId, code, verifier } = await test.begin()
    test.store.before = async ({ method }) => {
      if (method !== 'compareAndSwap') return
      test.store.before = undefined
      await test.server.grants.remove(grantId)
    }
    expect((await refusal(test.exchange(code, verifier)))[0]).toBe('invalid_grant')
    expect(test.events).toEqual([])
  })

  it('ends a grant that began while everything of its user was being ended: nobody else could find it', async () => {
    const test = createServer()
    const { grantId, code, verifier } = await test.begin()
    const grant = (await test.server.grants.get(grantId))!
    await disconnectUser('ada', test.server, test.report)
    await test.server.grants.put(grantId, grant.data, grant.expiresAt)
    expect(await refusal(test.exchange(code, verifier))).toEqual([
      'invalid_grant',
      'its user was signed out of everything',
    ])
    expect(await test.server.grants.get(grantId)).toBeUndefined()
  })

  it('tells operators why, in words of their own for each reason', async () => {
    const test = createServer()
    const [one, two] = [await test.begin(), await test.begin()]
    expect(await refusal(test.exchange('nonsense', one.verifier))).toEqual(['invalid_grant', 'no living grant has this code']) // prettier-ignore
    expect(await refusal(test.exchange(one.code, one.verifier, { ...APP, clientId: 'other' }))).toEqual(['invalid_grant', 'the code was issued to another client']) // prettier-ignore
    expect(await refusal(test.exchange(one.code, pkce().verifier))).toEqual(['invalid_grant', 'the verifier does not match the challenge']) // prettier-ignore
    expect(await refusal(test.exchange(one.code, one.verifier))).toEqual(['invalid_grant', 'no living grant has this code']) // prettier-ignore
    await test.exchange(two.code, two.verifier)
    expect(await refusal(test.exchange(two.code, two.verifier))).toEqual(['invalid_grant', 'the code was used before']) // prettier-ignore
    expect(await refusal(exchange(test, {}))).toEqual(['invalid_request', undefined])
    const own = createServer()
    const service = await grantToClient(parametersOf({}), SERVICE, own.server)
    const [id = ''] = String((await own.server.tokens.verify(service.access_token))?.claims['jti']).split('.')
    expect(await refusal(own.exchange(codeOf(own.server.keys, id), 'x', SERVICE))).toEqual(['invalid_grant', 'the grant never had a code']) // prettier-ignore
    const three = await test.begin()
    expect(await refusal(exchange(test, { code: three.code }))).toEqual([
      'invalid_grant',
      'there is no verifier',
    ])
    await expect(test.exchange(three.code, three.verifier)).resolves.toBeDefined()
  })
})

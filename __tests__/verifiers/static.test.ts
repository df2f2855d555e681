import { describe, expect, it } from '@jest/globals'
import { StaticTokenVerifier } from 'express-mcp-auth'
import { testClock } from 'express-mcp-auth/testing'
import { configErrorOf } from '../support/config-error.js'
import { createRecorder } from '../support/recorder.js'

const START = 1_700_000_000_000
const EXAMPLE = '{ "a-token": { clientId: "dev", scopes: [] } } or a list of tokens'

describe('StaticTokenVerifier', () => {
  it('says what a token stands for', async () => {
    const alice = {
      clientId: 'dev',
      scopes: ['a'],
      subject: 'alice',
      expiresAt: 253_402_300_799,
      claims: { team: 'x' },
    }
    const verifier = new StaticTokenVerifier({ tokens: { 'alice-token': alice, bob: { clientId: 'bob' } } })
    expect(await verifier.verifyToken('alice-token')).toMatchObject({ ...alice, token: 'alice-token' })
    expect(await verifier.verifyToken('bob')).toMatchObject({
      clientId: 'bob',
      scopes: [],
      subject: undefined,
    })
  })

  it('takes a list of tokens, each of which stands for a client of its own', async () => {
    const verifier = new StaticTokenVerifier({ tokens: ['one', 'two=='], requiredScopes: ['a'] })
    expect(await verifier.verifyToken('one')).toMatchObject({ clientId: 'static-1', scopes: [] })
    expect(await verifier.verifyToken('two==')).toMatchObject({ clientId: 'static-2', scopes: [] })
    expect(verifier.requiredScopes).toEqual(['a'])
  })

  it.each(['other', 'On', 'oneone', 'constructor', '__proto__', 'toString', ''])(
    'refuses %j',
    async (token) => {
      const verifier = new StaticTokenVerifier({ tokens: ['one'] })
      const { context, reasons } = createRecorder()
      expect(await verifier.verifyToken(token, context)).toBeNull()
      expect(verifier.recall(token)).toBeUndefined()
      expect(reasons).toEqual([{ stage: 'token', got: 'a token that is not in the list' }])
    },
  )

  it('recalls a token at once', () => {
    const verifier = new StaticTokenVerifier({ tokens: ['one'] })
    expect(verifier.recall('one')).toMatchObject({ clientId: 'static-1' })
  })

  it('refuses a token from the second of its expiry on', async () => {
    const clock = testClock(START)
    const expiresAt = START / 1000 + 10
    const verifier = new StaticTokenVerifier({ tokens: { t: { clientId: 'c', expiresAt } }, deps: clock })
    const { context, reasons } = createRecorder()
    clock.advance(9)
    expect(await verifier.verifyToken('t', context)).toMatchObject({ expiresAt })
    expect(verifier.recall('t')).toMatchObject({ expiresAt })
    clock.advance(1)
    expect(await verifier.verifyToken('t', context)).toBeNull()
    expect(verifier.recall('t')).toBeUndefined()
    expect(reasons).toEqual([{ stage: 'expiry', got: `expired at ${expiresAt}` }])
  })

  it.each([
    ['a token of the list', 'sk_one', undefined, 'mine'],
    ['another token', 'sk_two', undefined, 'not mine'],
    ['another token with its prefix', 'sk_two', 'sk_', 'mine'],
    ['a token of the list without the prefix', 'one', 'sk_', 'mine'],
    ['another token without the prefix', 'two', 'sk_', 'not mine'],
  ])('claims %s: %s', (_rule, token, tokenPrefix, claim) => {
    const tokens = ['sk_one', 'one']
    const verifier = new StaticTokenVerifier({ tokens, ...(tokenPrefix !== undefined && { tokenPrefix }) })
    expect(verifier.claimsToken(token)).toBe(claim)
  })

  it('copies: what the caller changes later changes nothing', async () => {
    const scopes = ['a']
    const tokens: Record<string, { clientId: string; scopes: string[] }> = { one: { clientId: 'c', scopes } }
    const verifier = new StaticTokenVerifier({ tokens })
    scopes.push('admin')
    tokens['two'] = { clientId: 'd', scopes }
    expect(await verifier.verifyToken('one')).toMatchObject({ scopes: ['a'] })
    expect(await verifier.verifyToken('two')).toBeNull()
  })

  it.each<[rule: string, options: unknown, message: string]>([
    ['no tokens', {}, `StaticTokenVerifier: "tokens" must be ${EXAMPLE}`],
    ['a bare token', { tokens: 'one' }, `StaticTokenVerifier: "tokens" must be ${EXAMPLE}`],
    ['null', { tokens: null }, `StaticTokenVerifier: "tokens" must be ${EXAMPLE}`],
    ['an empty list', { tokens: [] }, `StaticTokenVerifier: "tokens" must be at least one token: ${EXAMPLE}`],
    ['an empty map', { tokens: {} }, `StaticTokenVerifier: "tokens" must be at least one token: ${EXAMPLE}`],
    [
      'a token with a space',
      { tokens: ['a b'] },
      'StaticTokenVerifier: "tokens" must be made of tokens that fit into a header: letters, digits and - . _ ~ + / =',
    ],
    [
      'an empty token, as from an unset variable',
      { tokens: { '': { clientId: 'c' } } },
      'StaticTokenVerifier: "tokens" must be made of tokens that fit into a header: letters, digits and - . _ ~ + / =',
    ],
    [
      'an undefined token, as from an unset variable',
      { tokens: [undefined] },
      'StaticTokenVerifier: "tokens" must be made of tokens that fit into a header: letters, digits and - . _ ~ + / =',
    ],
    [
      'a token without a client, and without showing it',
      { tokens: { a: { clientId: 'c' }, 'top-secret': {} } },
      `StaticTokenVerifier: "tokens" must be ${EXAMPLE}. Entry 2: verifyToken returned a malformed access token: "clientId" must be a string`,
    ],
    [
      'a token that stands for nothing',
      { tokens: { a: null } },
      `StaticTokenVerifier: "tokens" must be ${EXAMPLE}. Entry 1: verifyToken returned a malformed access token: must be an object or null`,
    ],
    [
      'a blank prefix',
      { tokens: ['a'], tokenPrefix: '' },
      'StaticTokenVerifier: "tokenPrefix" must be a string that is not blank',
    ],
  ])('refuses %s', (_rule, options, message) => {
    expect(configErrorOf(() => new StaticTokenVerifier(options as never))).toEqual({
      code: 'ERR_MCP_AUTH_INVALID_OPTION',
      message,
    })
  })

  it('refuses an unknown option', () => {
    expect(configErrorOf(() => new StaticTokenVerifier({ token: 'a' } as never))).toEqual({
      code: 'ERR_MCP_AUTH_UNKNOWN_OPTION',
      message: 'StaticTokenVerifier has no option "token". Did you mean "tokens"?',
    })
  })
})

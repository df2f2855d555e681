import { inspect } from 'node:util'
import { describe, expect, it } from '@jest/globals'
import type { AuthInfo as AuthInfoV1 } from '@modelcontextprotocol/sdk/server/auth/types.js'
import type { AuthInfo as AuthInfoV2 } from '@modelcontextprotocol/server'
import { AccessToken } from 'express-mcp-auth'
import { testClock } from 'express-mcp-auth/testing'

const FIELDS = {
  token: 'opaque-secret',
  clientId: 'client-1',
  scopes: ['notes', 'mcp:use'],
  expiresAt: 1_700_000_000,
  subject: 'user-1',
  issuer: 'https://login.example.com',
  claims: { tenant: 't', roles: ['a'] },
}
const CONTEXT = {
  resource: 'https://api.example.com/mcp',
  resourceMetadataUrl: 'https://api.example.com/.well-known/oauth-protected-resource/mcp',
}

describe('AccessToken', () => {
  it('has everything as own enumerable properties, so that it survives a spread', () => {
    // oxlint-disable-next-line typescript/no-misused-spread -- this is what the SDKs do
    expect({ ...new AccessToken(FIELDS, CONTEXT) }).toEqual({
      ...FIELDS,
      tokenType: 'Bearer',
      resource: new URL('https://api.example.com/mcp'),
      resourceMetadataUrl: CONTEXT.resourceMetadataUrl,
      extra: FIELDS.claims,
    })
  })

  it('is an AuthInfo of both MCP SDKs', () => {
    const token = new AccessToken(FIELDS, CONTEXT)
    const v1: AuthInfoV1 = token
    const v2: AuthInfoV2 = token
    expect([v1.extra, v2.extra]).toEqual([FIELDS.claims, FIELDS.claims])
  })

  it('leaves out what is not known, rather than to have it undefined', () => {
    const token = new AccessToken({ token: 't', clientId: 'c' })
    expect(Object.keys(token)).toEqual(['token', 'tokenType', 'clientId', 'scopes', 'claims', 'extra'])
  })

  it('keeps the type of another scheme', () => {
    expect(new AccessToken({ ...FIELDS, tokenType: 'ApiKey' }).tokenType).toBe('ApiKey')
  })

  it('throws where a field has the wrong type', () => {
    expect(() => new AccessToken({ token: 't', clientId: 7 as never })).toThrow(TypeError)
  })

  it('shows in logs who it is, and never the credential nor the claims', () => {
    const token = new AccessToken(FIELDS, CONTEXT)
    for (const text of [inspect(token), inspect({ req: { auth: token } }, { depth: 9 })]) {
      expect(text).toContain("subject: 'user-1'")
      expect(text).toContain("clientId: 'client-1'")
      expect(text).not.toContain('opaque-secret')
      expect(text).not.toContain('tenant')
    }
  })

  it('P6 gives what is behind it when asked, and has it in no copy, JSON or log', () => {
    class Access {
      readonly scopes = ['repo']
      readonly #token = 'upstream-secret'
      getToken = async (): Promise<string> => this.#token
    }
    const upstream = new Access()
    const token = new AccessToken({ ...FIELDS, upstream })
    expect(token.upstream).toBe(upstream)
    expect(new AccessToken(FIELDS).upstream).toBeUndefined()
    // oxlint-disable-next-line typescript/no-misused-spread -- this is what the SDKs do
    const copies = [{ ...token }, structuredClone(token), JSON.parse(JSON.stringify(token)) as object]
    for (const copy of copies) expect(copy).not.toHaveProperty('upstream')
    for (const options of [{}, { customInspect: false }])
      expect(inspect(token, { depth: Infinity, showHidden: true, getters: true, ...options })).not.toContain('upstream-secret') // prettier-ignore
  })

  it('has nothing behind it for an heir or a proxy of it', () => {
    const upstream = { scopes: undefined, getToken: async () => 'upstream-secret' }
    const token = new AccessToken({ ...FIELDS, upstream })
    expect((Object.create(token) as AccessToken).upstream).toBeUndefined()
    expect(AccessToken.prototype.upstream).toBeUndefined()
  })

  it('shares no list that could be changed with the next request', () => {
    const first = new AccessToken(FIELDS)
    first.scopes.push('admin')
    expect(new AccessToken(FIELDS).scopes).toEqual(['notes', 'mcp:use'])
    expect(() => (first.claims['roles'] as string[]).push('admin')).toThrow('not extensible')
    expect(() => {
      first.extra['tenant'] = 'other'
    }).toThrow('read only')
  })

  describe('hasScope', () => {
    it('compares whole scopes', () => {
      const token = new AccessToken(FIELDS)
      expect([token.hasScope('notes'), token.hasScope('note'), token.hasScope('notes:read')]).toEqual([
        true,
        false,
        false,
      ])
    })

    it('takes a broader scope for a narrower one where scopeImplies says so', () => {
      const scopeImplies = (held: string, needed: string): boolean => needed.startsWith(`${held}:`)
      const token = new AccessToken(FIELDS, { scopeImplies })
      expect([token.hasScope('notes:read'), token.hasScope('mail:read')]).toEqual([true, false])
    })
  })

  describe('isExpired', () => {
    it('is true from the second of expiry on', () => {
      const clock = testClock((FIELDS.expiresAt - 1) * 1000)
      const token = new AccessToken(FIELDS, { now: clock.now })
      expect(token.isExpired()).toBe(false)
      clock.advance(1)
      expect(token.isExpired()).toBe(true)
    })

    it('is never true without an expiry', () => {
      expect(new AccessToken({ token: 't', clientId: 'c' }, { now: () => Infinity }).isExpired()).toBe(false)
    })

    it("goes by the system's clock unless told otherwise", () => {
      expect(new AccessToken(FIELDS).isExpired()).toBe(true)
      expect(new AccessToken({ ...FIELDS, expiresAt: 253_402_300_799 }).isExpired()).toBe(false)
    })
  })
})

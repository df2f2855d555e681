import { describe, expect, it } from '@jest/globals'
import { configErrorOf } from '../support/config-error.js'
import { defineAppTokenVerifier } from '../../lib/verifiers/app-tokens.js'
import type { TokenInfo } from '../../lib/verifiers/token-info.js'

const info: TokenInfo = {
  issuer: 'https://idp.example.com',
  ask: { url: 'https://idp.example.com/me' },
  read: ({ json }, app) => ({ subject: json['id'], issuedTo: app.clientId, claims: {} }),
  claims: [],
}
const shared = { title: 'Idp', options: ['host'], info: () => info }
const Open = defineAppTokenVerifier({ ...shared, className: 'OpenVerifier', needsSecret: false })
const Closed = defineAppTokenVerifier({ ...shared, className: 'ClosedVerifier', needsSecret: true })

const fetch = (): Promise<Response> => Promise.resolve(Response.json({ id: 7 }))

describe('a verifier of tokens that callers got themselves', () => {
  it('has the name of its own', () => {
    expect([Open.name, Closed.name]).toEqual(['OpenVerifier', 'ClosedVerifier'])
  })

  it('asks as the app that it is told of', async () => {
    const verifier = new Open({ clientId: 'app', requiredScopes: ['a'], deps: { fetch } })
    expect(verifier.requiredScopes).toEqual(['a'])
    expect(await verifier.verifyToken('token')).toMatchObject({ subject: '7', clientId: 'app' })
  })

  it.each<[rule: string, build: () => unknown, code: string, message: string]>([
    [
      'no app',
      () => new Open({} as never),
      'ERR_MCP_AUTH_MISSING_OPTION',
      'OpenVerifier: "clientId" is missing: write the client ID that Idp gave this app, or its tokens cannot be told from others',
    ],
    [
      'no secret where one is needed',
      () => new Closed({ clientId: 'app' }),
      'ERR_MCP_AUTH_MISSING_OPTION',
      'ClosedVerifier: "clientSecret" is missing: Idp tells of tokens only to the app that they were issued to',
    ],
    [
      'a secret where none is needed',
      () => new Open({ clientId: 'app', clientSecret: 's' } as never),
      'ERR_MCP_AUTH_UNKNOWN_OPTION',
      'OpenVerifier has no option "clientSecret". Known: clientId, requiredScopes, timeoutSeconds, cacheTtlSeconds, cache, tokenPrefix, dangerouslyAllowInsecureHttp, deps, host',
    ],
    [
      'an option that is none',
      () => new Closed({ clientId: 'app', clientSecret: 's', client_id: 'app' } as never),
      'ERR_MCP_AUTH_UNKNOWN_OPTION',
      'ClosedVerifier has no option "client_id". Did you mean "clientId"?',
    ],
  ])('refuses %s', (_rule, build, code, message) => {
    expect(configErrorOf(build)).toEqual({ code, message })
  })
})

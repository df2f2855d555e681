import { describe, expect, it } from '@jest/globals'
import {
  DebugTokenVerifier,
  JWTVerifier,
  RemoteAuthProvider,
  type RemoteAuthProviderOptions,
  StaticTokenVerifier,
  type Verifier,
} from 'express-mcp-auth'
import { tokenForm } from '../../lib/protocol/jws-guard.js'
import { configErrorOf } from '../support/config-error.js'
import { ISSUER, RESOURCE, createKey, createToken, startKeySet } from '../support/issuer.js'
import { createRecorder } from '../support/recorder.js'

const BASE = 'https://api.example.com'
const verifier: Verifier = { verifyToken: () => null }
const create = (options: Partial<RemoteAuthProviderOptions> = {}): RemoteAuthProvider =>
  new RemoteAuthProvider({
    baseUrl: BASE,
    authorizationServers: [ISSUER],
    tokenVerifier: verifier,
    ...options,
  })

describe('RemoteAuthProvider', () => {
  it('states everything byte for byte', () => {
    const provider = create({
      baseUrl: 'HTTPS://API.example.com:443/',
      resourceUrl: 'HTTPS://API.example.com:443/v1/mcp/',
      authorizationServers: ['https://login.example.com/', 'https://login.example.com'],
    })
    expect(provider).toMatchObject({
      baseUrl: 'HTTPS://API.example.com:443/',
      resourceUrl: 'HTTPS://API.example.com:443/v1/mcp/',
      authorizationServers: ['https://login.example.com/', 'https://login.example.com'],
    })
  })

  it.each([
    [BASE, RESOURCE],
    [`${BASE}/`, RESOURCE],
    [`${BASE}/v1`, `${BASE}/v1/mcp`],
    ['http://localhost:3000', 'http://localhost:3000/mcp'],
  ])('serves the resource /mcp under %s unless told otherwise', (baseUrl, resourceUrl) => {
    expect(create({ baseUrl }).resourceUrl).toBe(resourceUrl)
  })

  it.each([
    [BASE, `${BASE}/`],
    [BASE, BASE],
    [`${BASE}/v1`, `${BASE}/v1`],
    [`${BASE}/v1/`, `${BASE}/v1/tools/mcp`],
  ])('takes under %s the resource %s', (baseUrl, resourceUrl) => {
    expect(create({ baseUrl, resourceUrl }).resourceUrl).toBe(resourceUrl)
  })

  it('asks for no scopes where nobody does', () => {
    const provider = create()
    expect([
      provider.requiredScopes,
      provider.challengeScopes,
      provider.resourceDescription.scopesSupported,
    ]).toEqual([[], [], []])
  })

  it('asks for the scopes of its verifier and its own', () => {
    const tokenVerifier = new StaticTokenVerifier({ tokens: ['a'], requiredScopes: ['a', 'b'] })
    expect(create({ tokenVerifier }).requiredScopes).toEqual(['a', 'b'])
    expect(create({ tokenVerifier, requiredScopes: ['b', 'c'] }).requiredScopes).toEqual(['a', 'b', 'c'])
  })

  it('names to clients the scopes that they have to ask for, where these differ', () => {
    const provider = create({ requiredScopes: ['use'], challengeScopes: ['api://notes/use'] })
    expect(provider).toMatchObject({
      requiredScopes: ['use'],
      challengeScopes: ['api://notes/use'],
      resourceDescription: { scopesSupported: ['api://notes/use'] },
    })
    expect(
      create({ requiredScopes: ['use'], scopesSupported: ['x'] }).resourceDescription.scopesSupported,
    ).toEqual(['x'])
  })

  it('describes the resource', () => {
    const description = {
      resourceName: 'Notes',
      resourceDocumentation: `${BASE}/docs?lang=en`,
      resourcePolicyUri: `${BASE}/policy`,
      resourceTosUri: `${BASE}/terms`,
    }
    expect(create(description).resourceDescription).toEqual({ scopesSupported: [], ...description })
  })

  it('hands everything on to its verifier', async () => {
    const token = createToken(createKey('ES256'))
    const asked: unknown[] = []
    const tokenVerifier: Verifier = {
      verifyToken: (...all) => {
        asked.push(['verifyToken', ...all])
        return { clientId: 'c' }
      },
      recall: (...all) => {
        asked.push(['recall', ...all])
        return undefined
      },
      claimsToken: (...all) => {
        asked.push(['claimsToken', ...all])
        return 'mine'
      },
    }
    const provider = create({ tokenVerifier })
    const { context } = createRecorder()
    expect(await provider.verifyToken(token, context)).toEqual({ clientId: 'c' })
    expect(provider.recall(token, context)).toBeUndefined()
    expect(provider.claimsToken(token, tokenForm(token))).toBe('mine')
    expect(asked).toEqual([
      ['verifyToken', token, context],
      ['recall', token, context],
      ['claimsToken', token, tokenForm(token)],
    ])
  })

  it('makes do with a verifier that only verifies', () => {
    const provider = create()
    expect([provider.recall('t'), provider.claimsToken('t', { kind: 'opaque' })]).toEqual([
      undefined,
      'perhaps',
    ])
    expect(provider.authenticate).toBeUndefined()
  })

  it('takes the verifier of an SDK', async () => {
    const tokenVerifier = {
      verifyAccessToken: (token: string) => Promise.resolve({ token, clientId: 'c', scopes: [] }),
    }
    expect(await create({ tokenVerifier }).verifyToken('t')).toMatchObject({ token: 't', clientId: 'c' })
  })

  it('takes other credentials where its verifier does', async () => {
    const authenticate = (): { clientId: string } => ({ clientId: 'key' })
    const provider = create({ tokenVerifier: { ...verifier, authenticate } as Verifier })
    expect(await provider.authenticate?.({ headers: {} })).toEqual({ clientId: 'key' })
  })

  it('tells what its verifier has to tell', () => {
    expect(create({ tokenVerifier: new DebugTokenVerifier() }).notices).toMatchObject([
      { type: 'danger', option: 'DebugTokenVerifier' },
    ])
  })

  describe('with jwksUri', () => {
    it('verifies JWTs of its authorization servers for its resource', async () => {
      const key = createKey('ES256')
      const keySet = await startKeySet(key)
      try {
        const provider = new RemoteAuthProvider({
          baseUrl: BASE,
          authorizationServers: ['https://b.example', ISSUER],
          jwksUri: keySet.url,
          requiredScopes: ['a'],
        })
        expect(await provider.verifyToken(createToken(key))).toMatchObject({ subject: 'user-1' })
        expect(await provider.verifyToken(createToken(key, { iss: 'https://b.example' }))).toMatchObject({
          subject: 'user-1',
        })
        expect(await provider.verifyToken(createToken(key, { iss: 'https://c.example' }))).toBeNull()
        expect(await provider.verifyToken(createToken(key, { aud: BASE }))).toBeNull()
        expect(provider.notices).toEqual([])
        expect(provider.requiredScopes).toEqual(['a'])
      } finally {
        await keySet.close()
      }
    })

    it('hands deps on', async () => {
      const asked: unknown[] = []
      const fetch: typeof globalThis.fetch = (url) => {
        asked.push(url)
        return Promise.reject(new Error('no'))
      }
      const provider = new RemoteAuthProvider({
        baseUrl: BASE,
        authorizationServers: [ISSUER],
        jwksUri: `${ISSUER}/jwks`,
        deps: { fetch },
      })
      await expect(
        provider.verifyToken(createToken(createKey('ES256')), createRecorder().context),
      ).rejects.toThrow('could not be checked')
      expect(asked).toEqual([`${ISSUER}/jwks`])
    })
  })

  it.each<[rule: string, audience: string | string[], hints: object[]]>([
    ['nothing where the audience is the resource', RESOURCE, []],
    ['nothing where it is among the audiences', [BASE, RESOURCE], []],
    [
      'a hint where every token that clients obtain would be refused',
      [BASE, 'api'],
      [
        {
          type: 'hint',
          code: 'audience_differs_from_resource',
          message: `clients ask for tokens for ${RESOURCE}, but JWTVerifier expects the audience ${BASE} or api. Unless your authorization server maps one to the other, every token will be refused`,
        },
      ],
    ],
  ])('tells %s', (_rule, audience, hints) => {
    const tokenVerifier = new JWTVerifier({ jwksUri: `${ISSUER}/jwks`, issuer: ISSUER, audience })
    expect(create({ tokenVerifier }).notices).toEqual(hints)
  })

  it('tells only of the danger where any audience is accepted', () => {
    const tokenVerifier = new JWTVerifier({
      jwksUri: `${ISSUER}/jwks`,
      issuer: ISSUER,
      dangerouslyAllowAnyAudience: true,
    })
    expect(create({ tokenVerifier }).notices).toMatchObject([{ type: 'danger' }])
  })

  describe('the options', () => {
    const complete = { baseUrl: BASE, authorizationServers: [ISSUER], tokenVerifier: verifier }
    const MISSING_VERIFIER =
      'RemoteAuthProvider: "tokenVerifier" is missing: pass what checks the tokens, e.g. new JWTVerifier({ … }), or "jwksUri" for JWTs'
    const under = (resource: string): string =>
      `RemoteAuthProvider: "resourceUrl" must be under "baseUrl" (${BASE}/v1), where this app serves it, not ${resource}`

    it.each<[rule: string, options: object, code: string, message: string]>([
      [
        'an unknown option',
        { ...complete, resource: RESOURCE },
        'ERR_MCP_AUTH_UNKNOWN_OPTION',
        'RemoteAuthProvider has no option "resource". Did you mean "resourceUrl"?',
      ],
      [
        'a misspelled one',
        { ...complete, authorisationServers: [ISSUER] },
        'ERR_MCP_AUTH_UNKNOWN_OPTION',
        'RemoteAuthProvider has no option "authorisationServers". Did you mean "authorizationServers"?',
      ],
      [
        'no base URL',
        { ...complete, baseUrl: undefined },
        'ERR_MCP_AUTH_MISSING_OPTION',
        'RemoteAuthProvider: "baseUrl" is missing: write the public URL of this app, e.g. "https://api.example.com"',
      ],
      [
        'a base URL as an object',
        { ...complete, baseUrl: new URL(BASE) },
        'ERR_MCP_AUTH_INVALID_OPTION',
        'RemoteAuthProvider: "baseUrl" must be a string. A URL object has already added or dropped a slash: write the identifier as text',
      ],
      [
        'a base URL over http',
        { ...complete, baseUrl: 'http://api.example.com' },
        'ERR_MCP_AUTH_INSECURE_URL',
        'RemoteAuthProvider: "baseUrl" must be an https URL, not "http://api.example.com". http is for loopback addresses; on a network that you trust, set "dangerouslyAllowInsecureHttp: true"',
      ],
      [
        'a base URL with a query',
        { ...complete, baseUrl: `${BASE}?a` },
        'ERR_MCP_AUTH_INVALID_OPTION',
        'RemoteAuthProvider: "baseUrl" must not have a query',
      ],
      [
        'a resource of another host',
        { ...complete, baseUrl: `${BASE}/v1`, resourceUrl: 'https://other.example/v1/mcp' },
        'ERR_MCP_AUTH_INVALID_OPTION',
        under('https://other.example/v1/mcp'),
      ],
      [
        'a resource beside the base URL',
        { ...complete, baseUrl: `${BASE}/v1`, resourceUrl: RESOURCE },
        'ERR_MCP_AUTH_INVALID_OPTION',
        under(RESOURCE),
      ],
      [
        'a resource that only begins like it',
        { ...complete, baseUrl: `${BASE}/v1`, resourceUrl: `${BASE}/v12/mcp` },
        'ERR_MCP_AUTH_INVALID_OPTION',
        under(`${BASE}/v12/mcp`),
      ],
      [
        'a resource as a URL object',
        { ...complete, resourceUrl: new URL(RESOURCE) },
        'ERR_MCP_AUTH_INVALID_OPTION',
        'RemoteAuthProvider: "resourceUrl" must be a string. A URL object has already added or dropped a slash: write the identifier as text',
      ],
      [
        'no authorization servers',
        { ...complete, authorizationServers: undefined },
        'ERR_MCP_AUTH_MISSING_OPTION',
        'RemoteAuthProvider: "authorizationServers" is missing: name at least one issuer, e.g. ["https://login.example.com"]: clients get their tokens there',
      ],
      [
        'an empty list of them',
        { ...complete, authorizationServers: [] },
        'ERR_MCP_AUTH_MISSING_OPTION',
        'RemoteAuthProvider: "authorizationServers" is missing: name at least one issuer, e.g. ["https://login.example.com"]: clients get their tokens there',
      ],
      [
        'one instead of a list',
        { ...complete, authorizationServers: ISSUER },
        'ERR_MCP_AUTH_INVALID_OPTION',
        'RemoteAuthProvider: "authorizationServers" must be a list of issuer URLs',
      ],
      [
        'one as a URL object',
        { ...complete, authorizationServers: [new URL(ISSUER)] },
        'ERR_MCP_AUTH_INVALID_OPTION',
        'RemoteAuthProvider: "authorizationServers" must be a string. A URL object has already added or dropped a slash: write the identifier as text',
      ],
      [
        'one over http',
        { ...complete, authorizationServers: ['http://login.example.com'] },
        'ERR_MCP_AUTH_INSECURE_URL',
        'RemoteAuthProvider: "authorizationServers" must be an https URL, not "http://login.example.com". http is for loopback addresses; on a network that you trust, set "dangerouslyAllowInsecureHttp: true"',
      ],
      [
        'one with a query',
        { ...complete, authorizationServers: [`${ISSUER}?a`] },
        'ERR_MCP_AUTH_INVALID_OPTION',
        'RemoteAuthProvider: "authorizationServers" must not have a query',
      ],
      [
        'a resource with a query',
        { ...complete, resourceUrl: `${RESOURCE}?a` },
        'ERR_MCP_AUTH_INVALID_OPTION',
        'RemoteAuthProvider: "resourceUrl" must not have a query',
      ],
      [
        'no verifier',
        { ...complete, tokenVerifier: undefined },
        'ERR_MCP_AUTH_MISSING_OPTION',
        MISSING_VERIFIER,
      ],
      [
        'jwksUri together with tokenVerifier',
        { ...complete, jwksUri: `${ISSUER}/jwks` },
        'ERR_MCP_AUTH_INVALID_OPTION',
        'RemoteAuthProvider takes "tokenVerifier" or "jwksUri", not both',
      ],
      [
        'keys over http',
        { ...complete, tokenVerifier: undefined, jwksUri: 'http://login.example.com' },
        'ERR_MCP_AUTH_INSECURE_URL',
        'RemoteAuthProvider: "jwksUri" must be an https URL, not "http://login.example.com". http is for loopback addresses; on a network that you trust, set "dangerouslyAllowInsecureHttp: true"',
      ],
      [
        'scopes that are none',
        { ...complete, requiredScopes: ['a b'] },
        'ERR_MCP_AUTH_INVALID_OPTION',
        'RemoteAuthProvider: "requiredScopes" must be a list of scopes such as ["mcp:use"]',
      ],
      [
        'a blank name',
        { ...complete, resourceName: ' ' },
        'ERR_MCP_AUTH_INVALID_OPTION',
        'RemoteAuthProvider: "resourceName" must be a string that is not blank',
      ],
      [
        'documentation that is no URL',
        { ...complete, resourceDocumentation: 'see the wiki' },
        'ERR_MCP_AUTH_INVALID_OPTION',
        'RemoteAuthProvider: "resourceDocumentation" must be an absolute URL such as "https://api.example.com", not "see the wiki"',
      ],
      [
        'a flag that is text',
        { ...complete, dangerouslyAllowInsecureHttp: 'yes' },
        'ERR_MCP_AUTH_INVALID_OPTION',
        'RemoteAuthProvider: "dangerouslyAllowInsecureHttp" must be true or false',
      ],
    ])('refuse %s', (_rule, options, code, message) => {
      expect(configErrorOf(() => new RemoteAuthProvider(options as never))).toEqual({ code, message })
    })

    it.each<[rule: string, tokenVerifier: unknown]>([
      ['a class instead of an instance', JWTVerifier],
      ['a promise', Promise.resolve(verifier)],
      ['the options of a verifier', { jwksUri: `${ISSUER}/jwks` }],
      ['text', 'jwt'],
      ['null', null],
      ['a verifier whose scopes are no list', { ...verifier, requiredScopes: 'mcp:use' }],
    ])('refuse %s as tokenVerifier', (_rule, tokenVerifier) => {
      const { code, message } = configErrorOf(() => create({ tokenVerifier: tokenVerifier as never }))
      expect(code).toMatch(/^ERR_MCP_AUTH_(?:MISSING_OPTION|INVALID_OPTION|INVALID_PROVIDER)$/)
      expect(message).toMatch(/tokenVerifier|requiredScopes|JWTVerifier/)
    })

    it('take http beyond loopback with dangerouslyAllowInsecureHttp', () => {
      const provider = new RemoteAuthProvider({
        baseUrl: 'http://api:3000',
        authorizationServers: ['http://keycloak:8080/realms/a'],
        jwksUri: 'http://keycloak:8080/realms/a/certs',
        dangerouslyAllowInsecureHttp: true,
      })
      expect(provider).toMatchObject({
        resourceUrl: 'http://api:3000/mcp',
        dangerouslyAllowInsecureHttp: true,
      })
    })
  })
})

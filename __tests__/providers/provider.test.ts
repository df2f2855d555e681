import { describe, expect, it } from '@jest/globals'
import { type AuthProvider, type AuthRequest, JWTVerifier, StaticTokenVerifier } from 'express-mcp-auth'
import { resourceOf, toProvider, toVerifier } from '../../lib/providers/provider.js'
import { configErrorOf } from '../support/config-error.js'
import { thenable } from '../support/odd.js'

const verifyToken = (): null => null
const ISSUER = 'https://login.example.com'

describe('toProvider', () => {
  it('takes an object with verifyToken as it is', () => {
    const provider = { verifyToken }
    expect(toProvider(provider)).toBe(provider)
  })

  it('takes each of our own verifiers as it is', () => {
    const verifier = new StaticTokenVerifier({ tokens: ['a'] })
    expect(toProvider(verifier)).toBe(verifier)
  })

  it('takes the verifier of an SDK, with all that it states, its private fields and its getters', async () => {
    class Verifier {
      readonly #scopes = ['a']
      readonly #clientId = 'c'
      get requiredScopes(): string[] {
        return this.#scopes
      }
      verifyAccessToken(token: string): Promise<object> {
        return Promise.resolve({ token, clientId: this.#clientId, scopes: [] })
      }
    }
    const provider = toProvider(new Verifier())
    expect(provider.requiredScopes).toEqual(['a'])
    expect(await provider.verifyToken('t')).toEqual({ token: 't', clientId: 'c', scopes: [] })
  })

  it('takes what only looks at other credentials, and refuses every token then', async () => {
    class Keys {
      readonly #keys = new Map([['k', { clientId: 'c' }]])
      authenticate({ headers }: AuthRequest): { clientId: string } | null {
        return this.#keys.get(String(headers['x-api-key'])) ?? null
      }
    }
    const provider = toProvider(new Keys())
    expect(provider.authenticate?.({ headers: { 'x-api-key': 'k' } })).toEqual({ clientId: 'c' })
    expect(provider.authenticate?.({ headers: {} })).toBeNull()
    expect(await provider.verifyToken('k')).toBeNull()
  })

  it('keeps what a provider of another shape says for discovery', () => {
    const stated = {
      baseUrl: 'https://api.example.com',
      resourceUrl: 'https://api.example.com/v1/mcp',
      authorizationServers: [ISSUER],
      resourceDescription: { resourceName: 'Notes' },
      challengeScopes: ['b'],
      routes: [],
      notices: [],
    }
    expect(toProvider({ ...stated, authenticate: () => null })).toMatchObject(stated)
  })

  it('prefers verifyToken where an object has several', () => {
    const provider = { verifyToken, verifyAccessToken: verifyToken, authenticate: verifyToken }
    expect(toProvider(provider)).toBe(provider)
  })

  class GitHubProvider {
    verifyToken = verifyToken
  }

  it.each<[rule: string, value: unknown, message: string]>([
    [
      'a class',
      GitHubProvider,
      'mcpAuth was given the class or function GitHubProvider itself: call it, e.g. new GitHubProvider({ … })',
    ],
    [
      'one of our classes',
      JWTVerifier,
      'mcpAuth was given the class or function JWTVerifier itself: call it, e.g. new JWTVerifier({ … })',
    ],
    [
      'a function without a name',
      () => undefined,
      'mcpAuth was given the class or function without a name itself: call it, e.g. new Provider({ … })',
    ],
    ['a promise', Promise.resolve({ verifyToken }), 'mcpAuth was given a promise: await the provider first'],
    [
      'a thenable',
      Object.assign(
        thenable(() => () => undefined),
        { verifyToken },
      ),
      'mcpAuth was given a promise: await the provider first',
    ],
    ['nothing', undefined, 'mcpAuth needs a provider, not undefined'],
    ['null', null, 'mcpAuth needs a provider, not null'],
    ['text', 'token', 'mcpAuth needs a provider, not token'],
    [
      'the options of a verifier',
      { jwksUri: 'https://a.example' },
      'mcpAuth needs a provider: an object with verifyToken(token), e.g. new JWTVerifier({ … })',
    ],
    [
      'a verifyToken that is no function',
      { verifyToken: true },
      'mcpAuth needs a provider: an object with verifyToken(token), e.g. new JWTVerifier({ … })',
    ],
    [
      'scopes as text',
      { verifyToken, requiredScopes: 'a b' },
      '"requiredScopes" of the provider must be a list of scopes such as ["mcp:use"]',
    ],
    [
      'scopes that are none',
      { verifyToken, requiredScopes: ['a b'] },
      '"requiredScopes" of the provider must be a list of scopes such as ["mcp:use"]',
    ],
    [
      'scopes that are no text',
      { verifyToken, requiredScopes: [7] },
      '"requiredScopes" of the provider must be a list of scopes such as ["mcp:use"]',
    ],
    [
      'scopes for challenges that are none',
      { verifyToken, challengeScopes: ['"'] },
      '"challengeScopes" of the provider must be a list of scopes such as ["mcp:use"]',
    ],
    [
      'no authorization servers in the list',
      { verifyToken, authorizationServers: [] },
      '"authorizationServers" of the provider must name at least one issuer URL; leave it out to serve no discovery',
    ],
    [
      'an authorization server instead of a list',
      { verifyToken, authorizationServers: ISSUER },
      '"authorizationServers" of the provider must name at least one issuer URL; leave it out to serve no discovery',
    ],
    [
      'authorization servers as URL objects',
      { verifyToken, authorizationServers: [new URL(ISSUER)] },
      '"authorizationServers" of the provider must name at least one issuer URL; leave it out to serve no discovery',
    ],
    [
      'authorization servers without a base URL',
      { verifyToken, authorizationServers: [ISSUER] },
      'a provider with "authorizationServers" needs "baseUrl" too, the public URL of this app: discovery starts there',
    ],
  ])('refuses %s', (_rule, value, message) => {
    expect(configErrorOf(() => toProvider(value))).toEqual({ code: 'ERR_MCP_AUTH_INVALID_PROVIDER', message })
  })

  it.each<[rule: string, stated: object, code: string, message: string]>([
    [
      'a base URL without a scheme',
      { baseUrl: 'api.example.com' },
      'ERR_MCP_AUTH_INVALID_OPTION',
      '"baseUrl" of the provider must be an absolute URL such as "https://api.example.com", not "api.example.com"',
    ],
    [
      'a base URL as an object',
      { baseUrl: new URL('https://api.example.com') },
      'ERR_MCP_AUTH_INVALID_OPTION',
      '"baseUrl" of the provider must be a string. A URL object has already added or dropped a slash: write the identifier as text',
    ],
    [
      'a base URL that would break a header',
      { baseUrl: 'https://api.example.com"' },
      'ERR_MCP_AUTH_INVALID_OPTION',
      '"baseUrl" of the provider must be an absolute URL such as "https://api.example.com", not "https://api.example.com\\""',
    ],
    [
      'a resource with a query',
      { resourceUrl: 'https://api.example.com/mcp?a' },
      'ERR_MCP_AUTH_INVALID_OPTION',
      '"resourceUrl" of the provider must not have a query',
    ],
    [
      'a base URL over http',
      { baseUrl: 'http://api.example.com' },
      'ERR_MCP_AUTH_INSECURE_URL',
      '"baseUrl" of the provider must be an https URL, not "http://api.example.com". http is for loopback addresses; on a network that you trust, set "dangerouslyAllowInsecureHttp: true"',
    ],
    [
      'an authorization server over http',
      { baseUrl: 'https://api.example.com', authorizationServers: [ISSUER, 'http://b.example'] },
      'ERR_MCP_AUTH_INSECURE_URL',
      '"authorizationServers" of the provider must be an https URL, not "http://b.example". http is for loopback addresses; on a network that you trust, set "dangerouslyAllowInsecureHttp: true"',
    ],
    [
      'an authorization server with a query',
      { baseUrl: 'https://api.example.com', authorizationServers: [`${ISSUER}?a`] },
      'ERR_MCP_AUTH_INVALID_OPTION',
      '"authorizationServers" of the provider must not have a query',
    ],
    [
      'an authorization server without a scheme',
      { baseUrl: 'https://api.example.com', authorizationServers: ['login.example.com'] },
      'ERR_MCP_AUTH_INVALID_OPTION',
      '"authorizationServers" of the provider must be an absolute URL such as "https://api.example.com", not "login.example.com"',
    ],
  ])('refuses %s', (_rule, stated, code, message) => {
    expect(configErrorOf(() => toProvider({ verifyToken, ...stated }))).toEqual({ code, message })
  })

  it('takes http beyond loopback where the provider insists', () => {
    const provider: AuthProvider = {
      verifyToken,
      baseUrl: 'http://api:3000',
      authorizationServers: ['http://keycloak:8080'],
      dangerouslyAllowInsecureHttp: true,
    }
    expect(toProvider(provider)).toBe(provider)
  })
})

describe('toVerifier', () => {
  it('finds none in an object that verifies nothing', () => {
    expect(toVerifier({})).toBeUndefined()
  })
})

describe('resourceOf', () => {
  it.each([
    [
      'as it is stated',
      { baseUrl: 'https://a.example', resourceUrl: 'https://a.example/x/' },
      'https://a.example/x/',
    ],
    ['/mcp under the base URL', { baseUrl: 'https://a.example' }, 'https://a.example/mcp'],
    ['one slash between them', { baseUrl: 'https://a.example/v1/' }, 'https://a.example/v1/mcp'],
  ])('is %s', (_rule, stated, resource) => {
    expect(resourceOf({ verifyToken, ...stated })).toBe(resource)
  })
})

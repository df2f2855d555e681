import { describe, expect, it } from '@jest/globals'
import type { Client } from '../../lib/authorization-server/records.js'
import { OptionReader } from '../../lib/protocol/options.js'
import { parseClients } from '../../lib/providers/configured-clients.js'
import { configErrorOf } from '../support/config-error.js'
import { createKey } from '../support/issuer.js'

const URI = 'https://app.example.com/cb'
const parse = (...clients: unknown[]): Client[] =>
  parseClients(new OptionReader('OAuthProvider', { clients }, ['clients']))
const key = { ...createKey().jwk, kid: 'a' }

describe('a configured client', () => {
  it('is public without a secret and keys', () => {
    expect(parse({ clientId: 'a', redirectUris: [URI] })).toEqual([
      {
        clientId: 'a',
        origin: 'configured',
        name: 'a',
        redirectUris: [URI],
        grantTypes: ['authorization_code', 'refresh_token'],
        authMethods: ['none'],
        secretDigest: undefined,
        jwks: undefined,
        jwksUri: undefined,
        scopes: undefined,
      },
    ])
  })

  it('shows its secret either way, which is kept as a digest', () => {
    const [client] = parse({ clientId: 'a', clientSecret: 'hush', redirectUris: URI })
    expect(client).toMatchObject({
      authMethods: ['client_secret_basic', 'client_secret_post'],
      secretDigest: expect.stringMatching(/^[0-9a-f]{64}$/),
      redirectUris: [URI],
    })
    expect(JSON.stringify(client)).not.toContain('hush')
  })

  it.each([{ jwks: { keys: [key] } }, { jwksUri: 'https://app.example.com/keys' }])(
    'signs with keys: %#',
    (keys) => {
      expect(parse({ clientId: 'a', ...keys, grantTypes: ['client_credentials'] })).toMatchObject([
        { authMethods: ['private_key_jwt'], grantTypes: ['client_credentials'], redirectUris: [], ...keys },
      ])
    },
  )

  it('is called as it is named, and a URL only by its host', () => {
    const names = parse({ clientId: 'a', clientName: 'App' }, { clientId: 'https://a.example/client.json' })
    expect(names.map(({ name }) => name)).toEqual(['App', undefined])
  })

  it('may have a ceiling of scopes, and no addresses', () => {
    expect(parse({ clientId: 'a', scopes: 'x y', redirectUris: [] })).toMatchObject([
      { scopes: ['x', 'y'], redirectUris: [] },
    ])
  })

  it('keeps its keys when the option changes', () => {
    const jwks = { keys: [key] }
    const [client] = parse({ clientId: 'a', jwks })
    jwks.keys.pop()
    expect(client?.jwks).toEqual({ keys: [key] })
  })

  it('there may be none', () => {
    expect(parseClients(new OptionReader('OAuthProvider', {}, ['clients']))).toEqual([])
  })

  const wrong: [string, unknown, string, string][] = [
    ['that is no object', 'a', 'INVALID_OPTION', 'takes an options object'],
    ['without an ID', { redirectUris: [URI] }, 'MISSING_OPTION', 'every client has an ID'],
    ['with a blank ID', { clientId: ' ' }, 'INVALID_OPTION', 'not blank'],
    [
      'with an option on the wire’s name',
      { clientId: 'a', redirect_uris: [URI] },
      'UNKNOWN_OPTION',
      'Did you mean "redirectUris"?',
    ],
    [
      'with an address that runs',
      { clientId: 'a', redirectUris: ['javascript:a'] },
      'INVALID_OPTION',
      'made of safe URIs',
    ],
    [
      'with an address on http',
      { clientId: 'a', redirectUris: ['http://app.example.com/'] },
      'INVALID_OPTION',
      'http, which only localhost',
    ],
    [
      'with an address that is no text',
      { clientId: 'a', redirectUris: [7] },
      'INVALID_OPTION',
      '"redirectUris" must be',
    ],
    [
      'with an unknown grant',
      { clientId: 'a', grantTypes: ['password'] },
      'INVALID_OPTION',
      'not "password"',
    ],
    [
      'public, with client_credentials',
      { clientId: 'a', grantTypes: ['client_credentials'] },
      'INVALID_OPTION',
      'neither secret nor keys',
    ],
    [
      'with keys twice',
      { clientId: 'a', jwks: { keys: [key] }, jwksUri: `${URI}/keys` },
      'INVALID_OPTION',
      'left out where "jwks" is given',
    ],
    [
      'with keys that are none',
      { clientId: 'a', jwks: { keys: [{ kty: 'oct', k: 'AA' }] } },
      'INVALID_OPTION',
      'a usable public key',
    ],
    ['with keys on http', { clientId: 'a', jwksUri: 'http://app.example.com/keys' }, 'INSECURE_URL', 'https'],
    ['with a scope that is none', { clientId: 'a', scopes: ['a b'] }, 'INVALID_OPTION', '"scopes" must be'],
  ]
  it.each(wrong)('%s is refused', (_, client, code, words) => {
    const error = configErrorOf(() => parse(client))
    expect(error.code).toBe(`ERR_MCP_AUTH_${code}`)
    expect(error.message).toContain(words)
  })

  it('is there once', () => {
    const { message } = configErrorOf(() => parse({ clientId: 'a' }, { clientId: 'b' }, { clientId: 'a' }))
    expect(message).toBe('OAuthProvider: "clients" must be a list without repeats: "a" is there twice')
  })
})

import { generateKeyPairSync } from 'node:crypto'
import { describe, expect, it } from '@jest/globals'
import {
  type ClientMetadataOptions,
  metadataToWire,
  parseClientDocument,
  parseClientMetadata,
} from '../../lib/protocol/client-metadata.js'
import { OAuthError } from '../../lib/protocol/errors.js'

const CALLBACK = 'https://client.example.org/callback'
const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const publicKey = { ...pair.publicKey.export({ format: 'jwk' }), kid: 'a', use: 'sig', alg: 'ES256' }
const privateKey = { ...pair.privateKey.export({ format: 'jwk' }), kid: 'a' }

const register = (members: object, options?: ClientMetadataOptions): ReturnType<typeof parseClientMetadata> =>
  parseClientMetadata({ redirect_uris: [CALLBACK], ...members }, options)

const refusal = (act: () => unknown): object => {
  try {
    act()
  } catch (error) {
    if (error instanceof OAuthError) {
      return { code: error.code, status: error.status, description: error.description }
    }
    throw error
  }
  throw new Error('nothing was refused')
}
const invalid = (description: string): object => ({
  code: 'invalid_client_metadata',
  status: 400,
  description,
})
const badUri = (description: string): object => ({ code: 'invalid_redirect_uri', status: 400, description })

describe('parseClientMetadata', () => {
  it('reads the request of RFC 7591 3.1', () => {
    const { metadata, dropped } = parseClientMetadata({
      redirect_uris: ['https://client.example.org/callback', 'https://client.example.org/callback2'],
      client_name: 'My Example Client',
      'client_name#ja-Jpan-JP': '\u30AF\u30E9\u30A4\u30A2\u30F3\u30C8\u540D',
      token_endpoint_auth_method: 'client_secret_basic',
      logo_uri: 'https://client.example.org/logo.png',
      jwks_uri: 'https://client.example.org/my_public_keys.jwks',
      example_extension_parameter: 'example_value',
    })
    expect(dropped).toEqual([])
    expect(metadata).toStrictEqual({
      redirectUris: ['https://client.example.org/callback', 'https://client.example.org/callback2'],
      clientName: 'My Example Client',
      logoUri: 'https://client.example.org/logo.png',
      grantTypes: ['authorization_code', 'refresh_token'],
      responseTypes: ['code'],
      authMethod: 'client_secret_basic',
      jwksUri: 'https://client.example.org/my_public_keys.jwks',
    })
  })

  it('reads all that a client may say, and writes it back', () => {
    const wire = {
      redirect_uris: [CALLBACK],
      client_name: 'Client',
      client_uri: 'https://client.example.org',
      logo_uri: 'https://client.example.org/logo.png?size=1',
      tos_uri: 'https://client.example.org/tos',
      policy_uri: 'https://client.example.org/policy',
      contacts: ['me@client.example.org'],
      grant_types: ['authorization_code'],
      response_types: ['code'],
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'ES256',
      jwks: { keys: [publicKey] },
      scope: 'read write',
      application_type: 'web',
      software_id: '4NRB1-0XZABZI9E6-5SM3R',
      software_version: '2.2',
    }
    const { metadata } = parseClientMetadata(wire)
    expect(metadataToWire(metadata)).toStrictEqual(wire)
    expect(metadata).toMatchObject({
      clientUri: wire.client_uri,
      tosUri: wire.tos_uri,
      policyUri: wire.policy_uri,
      contacts: wire.contacts,
      grantTypes: ['authorization_code'],
      authSigningAlg: 'ES256',
      scope: 'read write',
      applicationType: 'web',
      softwareId: wire.software_id,
      softwareVersion: '2.2',
    })
  })

  it('writes nothing that a client did not say', () => {
    expect(metadataToWire(register({}).metadata)).toStrictEqual({
      redirect_uris: [CALLBACK],
      grant_types: ['authorization_code', 'refresh_token'],
      response_types: ['code'],
      token_endpoint_auth_method: 'client_secret_basic',
    })
  })

  it.each([
    [
      'Cursor',
      {
        client_name: 'Cursor',
        redirect_uris: [
          'cursor://anysphere.cursor-mcp/oauth/callback',
          'https://www.cursor.com/agents/mcp/oauth/callback',
          'http://localhost:8787/callback',
        ],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        token_endpoint_auth_method: 'none',
      },
    ],
    [
      'VS Code',
      {
        client_name: 'Visual Studio Code',
        client_uri: 'https://code.visualstudio.com',
        grant_types: ['authorization_code', 'refresh_token', 'urn:ietf:params:oauth:grant-type:device_code'],
        response_types: ['code'],
        redirect_uris: [
          'https://insiders.vscode.dev/redirect',
          'https://vscode.dev/redirect',
          'http://127.0.0.1/',
          'http://127.0.0.1:33418/',
        ],
        token_endpoint_auth_method: 'none',
        application_type: 'native',
      },
    ],
    [
      'MCP Inspector',
      {
        client_name: 'MCP Inspector',
        client_uri: 'https://github.com/modelcontextprotocol/inspector',
        redirect_uris: ['http://localhost:6274/oauth/callback', 'http://localhost:6274/oauth/callback/debug'],
        grant_types: ['authorization_code', 'refresh_token'],
        response_types: ['code'],
        token_endpoint_auth_method: 'none',
        scope: '',
      },
    ],
    [
      'a client in a web page of a vendor',
      {
        client_name: 'Claude',
        redirect_uris: [
          'https://claude.ai/api/mcp/auth_callback',
          'https://claude.com/api/mcp/auth_callback',
        ],
        grant_types: ['authorization_code', 'refresh_token'],
        token_endpoint_auth_method: 'client_secret_post',
        logo_uri: '',
        contacts: [],
      },
    ],
  ])('takes every redirect URI that %s registers', (_client, body) => {
    const { metadata, dropped } = parseClientMetadata(body)
    expect(dropped).toEqual([])
    expect(metadata.redirectUris).toEqual(body.redirect_uris)
    expect(metadata.clientName).toBe(body.client_name)
    expect(metadata.authMethod).toBe(body.token_endpoint_auth_method)
    expect(metadata.grantTypes).toEqual(['authorization_code', 'refresh_token'])
  })

  it('takes null and empty URIs for absent', () => {
    const { metadata } = register({
      client_name: null,
      client_uri: '',
      logo_uri: null,
      jwks: null,
      scope: '',
      contacts: null,
    })
    expect(Object.keys(metadata)).toEqual(['redirectUris', 'grantTypes', 'responseTypes', 'authMethod'])
  })

  it.each([undefined, null, 7, 'text', [], [{ redirect_uris: [CALLBACK] }]])(
    'D4 refuses %j, which is no object',
    (value) => {
      expect(refusal(() => parseClientMetadata(value))).toEqual(invalid('The metadata must be a JSON object'))
    },
  )

  describe('redirect URIs', () => {
    it('A4 drops and names those that cannot be used, while one is left', () => {
      const { metadata, dropped } = register({
        redirect_uris: ['javascript:alert(1)', CALLBACK, 'http://evil.example/', CALLBACK, 'myapp://cb'],
      })
      expect(metadata.redirectUris).toEqual([CALLBACK])
      expect(dropped).toEqual([
        { uri: 'javascript:alert(1)', why: expect.stringContaining('scheme') },
        { uri: 'http://evil.example/', why: expect.stringContaining('http') },
        { uri: 'myapp://cb', why: expect.stringContaining('scheme') },
      ])
    })

    it.each([
      'javascript:alert(1)',
      'data:text/html,x',
      'https://user@client.example.org/',
      'https://client.example.org/#',
    ])('A4 refuses a client that has only %s', (uri) => {
      expect(refusal(() => register({ redirect_uris: [uri] }))).toMatchObject({
        code: 'invalid_redirect_uri',
        status: 400,
        description: expect.stringContaining('No redirect URI can be registered: '),
      })
    })

    it('A5 keeps to what the server allows beside', () => {
      const allowRedirectUri = (uri: string): boolean => uri.startsWith('https://client.example.org/')
      const { metadata, dropped } = register(
        { redirect_uris: [CALLBACK, 'https://other.example/'] },
        { allowRedirectUri },
      )
      expect(metadata.redirectUris).toEqual([CALLBACK])
      expect(dropped).toEqual([
        { uri: 'https://other.example/', why: 'not among those that this server allows' },
      ])
      expect(
        refusal(() => register({ redirect_uris: ['https://other.example/'] }, { allowRedirectUri })),
      ).toEqual(badUri('No redirect URI can be registered: not among those that this server allows'))
    })

    it('A5 asks no rule of the server about what cannot be used anyway', () => {
      expect(() =>
        register({ redirect_uris: ['javascript:alert(1)'] }, { allowRedirectUri: () => true }),
      ).toThrow(OAuthError)
    })

    it.each([undefined, null, [], CALLBACK, [7], [CALLBACK, null], [[CALLBACK]], { 0: CALLBACK }])(
      'D4 refuses %j',
      (uris) => {
        expect(refusal(() => register({ redirect_uris: uris }))).toEqual(
          badUri('"redirect_uris" must be a list of URIs, at least one'),
        )
      },
    )

    it('D4 takes ten, and not one more', () => {
      const uris = (count: number): string[] => Array.from({ length: count }, (_, at) => `${CALLBACK}/${at}`)
      expect(register({ redirect_uris: uris(10) }).metadata.redirectUris).toHaveLength(10)
      for (const count of [11, 1000]) {
        expect(refusal(() => register({ redirect_uris: uris(count) }))).toEqual(
          badUri('"redirect_uris" must be at most 10'),
        )
      }
    })
  })

  describe('authentication', () => {
    it.each(['none', 'client_secret_basic', 'client_secret_post'])('takes %s', (method) => {
      expect(register({ token_endpoint_auth_method: method }).metadata.authMethod).toBe(method)
    })

    it.each([
      ['web', 'client_secret_basic'],
      ['native', 'none'],
      ['mobile', 'client_secret_basic'],
      [7, 'client_secret_basic'],
    ])('has a default for the application type %j: %s', (type, method) => {
      expect(register({ application_type: type }).metadata.authMethod).toBe(method)
    })

    it.each(['client_secret_jwt', 'tls_client_auth', 'NONE', '', 'constructor', 7, ['none']])(
      'refuses %j',
      (method) => {
        expect(refusal(() => register({ token_endpoint_auth_method: method }))).toEqual(
          invalid(
            '"token_endpoint_auth_method" must be one of none, client_secret_basic, client_secret_post, private_key_jwt',
          ),
        )
      },
    )

    const signed = (members: object): object => ({
      token_endpoint_auth_method: 'private_key_jwt',
      ...members,
    })

    it('takes private_key_jwt with keys, or with where they are', () => {
      expect(register(signed({ jwks: { keys: [publicKey] } })).metadata).toMatchObject({
        authMethod: 'private_key_jwt',
        jwks: { keys: [publicKey] },
      })
      expect(register(signed({ jwks_uri: 'https://client.example.org/keys' })).metadata).toMatchObject({
        authMethod: 'private_key_jwt',
        jwksUri: 'https://client.example.org/keys',
      })
    })

    it('refuses private_key_jwt without keys', () => {
      expect(refusal(() => register(signed({})))).toEqual(
        invalid('private_key_jwt needs "jwks" or "jwks_uri"'),
      )
    })

    it('refuses keys in two places', () => {
      expect(
        refusal(() => register({ jwks: { keys: [publicKey] }, jwks_uri: 'https://client.example.org/keys' })),
      ).toEqual(invalid('"jwks" and "jwks_uri" must not come together'))
    })

    it.each(['HS256', 'none', 'constructor', 7])('refuses the algorithm %j', (alg) => {
      expect(
        refusal(() =>
          register(signed({ jwks: { keys: [publicKey] }, token_endpoint_auth_signing_alg: alg })),
        ),
      ).toEqual(invalid('"token_endpoint_auth_signing_alg" is not supported'))
    })

    it('takes no notice of an algorithm where nothing is signed', () => {
      expect(register({ token_endpoint_auth_signing_alg: 'HS256' }).metadata).not.toHaveProperty(
        'authSigningAlg',
      )
    })

    it.each([
      ['a private key', privateKey],
      ['a symmetric key', { kty: 'oct', k: 'c2VjcmV0' }],
      ['a symmetric key without a value', { kty: 'oct' }],
      ['a private member', { ...publicKey, dp: 'x' }],
    ])('S6 refuses %s', (_rule, key) => {
      expect(refusal(() => register({ jwks: { keys: [publicKey, key] } }))).toEqual(
        invalid('"jwks" must hold public keys only'),
      )
    })

    it.each([7, 'text', [], {}, { keys: {} }, { keys: Array.from({ length: 21 }, () => publicKey) }])(
      'D4 refuses %j for keys',
      (jwks) => {
        expect(refusal(() => register({ jwks }))).toEqual(
          invalid('"jwks" must be a JWK set of at most 20 keys'),
        )
      },
    )

    it.each([[[]], [[null, 7]], [[{ ...publicKey, use: 'enc' }]]])(
      'refuses a set without a key that verifies: %j',
      (keys) => {
        expect(refusal(() => register({ jwks: { keys } }))).toEqual(
          invalid('"jwks" holds no key that can verify a signature'),
        )
      },
    )

    it('keeps of a key what makes it, and leaves out keys for something else', () => {
      const keys = [
        { ...publicKey, x5u: 'https://evil.example' },
        { ...publicKey, use: 'enc' },
      ]
      expect(register({ jwks: { keys, extra: 1 } }).metadata.jwks).toEqual({ keys: [publicKey] })
    })
  })

  describe('grants', () => {
    it.each([
      [undefined, ['authorization_code', 'refresh_token']],
      [[], ['authorization_code', 'refresh_token']],
      [['authorization_code'], ['authorization_code']],
      [
        ['refresh_token', 'authorization_code'],
        ['authorization_code', 'refresh_token'],
      ],
      [['authorization_code', 'urn:ietf:params:oauth:grant-type:device_code', 'x'], ['authorization_code']],
    ])('reads %j', (asked, grants) => {
      expect(register({ grant_types: asked }).metadata.grantTypes).toEqual(grants)
    })

    it('D5 lets nobody register for tokens that no person agreed to', () => {
      expect(
        register({ grant_types: ['authorization_code', 'client_credentials'] }).metadata.grantTypes,
      ).toEqual(['authorization_code'])
      expect(refusal(() => register({ grant_types: ['client_credentials'] }))).toEqual(
        invalid('"grant_types" must include authorization_code'),
      )
    })

    it.each(['authorization_code', 7, [7], {}])('D4 refuses %j', (asked) => {
      expect(refusal(() => register({ grant_types: asked }))).toEqual(
        invalid('"grant_types" must be a list of strings'),
      )
    })

    it.each([undefined, [], ['code'], ['code', 'token']])(
      'A8 leaves of the response types %j only code',
      (asked) => {
        expect(register({ response_types: asked }).metadata.responseTypes).toEqual(['code'])
      },
    )

    it.each([
      [['token'], '"response_types" must include code'],
      ['code', '"response_types" must be a list of strings'],
    ])('A8 refuses the response types %j', (asked, description) => {
      expect(refusal(() => register({ response_types: asked }))).toEqual(invalid(description))
    })
  })

  describe('words and links', () => {
    it('D2 cleans a name', () => {
      expect(register({ client_name: ' Cla\u202Eude\n' }).metadata.clientName).toBe('Claude')
      expect(register({ client_name: '<img src=x onerror=alert(1)>' }).metadata.clientName).toBe(
        '<img src=x onerror=alert(1)>',
      )
      expect(register({ client_name: 'x'.repeat(1000) }).metadata.clientName).toHaveLength(200)
    })

    it.each(['client_name', 'software_id', 'software_version'])('D4 refuses %s that is no text', (name) => {
      expect(refusal(() => register({ [name]: { toString: 'x' } }))).toEqual(
        invalid(`"${name}" must be a string`),
      )
    })

    it.each(
      ['client_uri', 'logo_uri', 'tos_uri', 'policy_uri', 'jwks_uri'].flatMap((name) => [
        [name, 'javascript:alert(1)'],
        [name, 'http://client.example.org/'],
        [name, 'data:image/png;base64,AA=='],
      ]),
    )('D3 refuses %s with %s', (name, uri) => {
      expect(refusal(() => register({ [name]: uri }))).toEqual(invalid(`"${name}" must be an https URL`))
    })

    it.each([
      'http://localhost/logo.png',
      '//client.example.org/',
      'https://',
      'https://client.example.org:99999/',
      'https://user@client.example.org/',
      'https://:pass@client.example.org/',
      'https://client.example.org/"onerror="',
      'https://client.example.org/<script>',
      'https://client.example.org/\\',
      'https://client.example.org/\n',
      `https://client.example.org/${'a'.repeat(2000)}`,
      7,
      ['https://client.example.org/'],
    ])('D3 refuses a logo at %j', (uri) => {
      expect(refusal(() => register({ logo_uri: uri }))).toEqual(invalid('"logo_uri" must be an https URL'))
    })

    it('cleans contacts', () => {
      expect(register({ contacts: ['a@client.example.org\n', '\u200B'] }).metadata.contacts).toEqual([
        'a@client.example.org',
      ])
    })

    it.each(['me', [7], Array.from({ length: 11 }, () => 'me')])('D4 refuses the contacts %j', (contacts) => {
      expect(refusal(() => register({ contacts }))).toEqual(
        invalid('"contacts" must be a list of at most 10 strings'),
      )
    })

    it.each([7, ['read'], 'x'.repeat(4001)])('D4 refuses the scope %j', (scope) => {
      expect(refusal(() => register({ scope }))).toEqual(
        invalid('"scope" must be a string of at most 4000 letters'),
      )
    })
  })

  it.each([
    ['read  write read', 'read write'],
    ['read "admin" wr\\ite', 'read'],
    ['"', undefined],
    ['', undefined],
  ])('keeps of the scope %j what are scopes', (scope, kept) => {
    expect(register({ scope }).metadata.scope).toBe(kept)
  })

  it('D5 reads no ID, secret or power that a client gives itself', () => {
    const { metadata } = register({
      client_id: 'admin',
      client_secret: 'chosen',
      client_secret_expires_at: 0,
      registration_access_token: 'x',
      software_statement: 'x.y.z',
      origin: 'configured',
      trusted: true,
      authMethods: ['none'],
      redirectUris: ['https://evil.example/'],
    })
    expect(metadata).toStrictEqual({
      redirectUris: [CALLBACK],
      grantTypes: ['authorization_code', 'refresh_token'],
      responseTypes: ['code'],
      authMethod: 'client_secret_basic',
    })
  })

  it.each(['__proto__', 'constructor', 'prototype'])(
    'D4 takes %s for a member that means nothing',
    (name) => {
      const { metadata } = parseClientMetadata(
        JSON.parse(
          `{"redirect_uris":["${CALLBACK}"],"${name}":{"client_name":"evil","jwks_uri":"https://evil.example/"}}`,
        ),
      )
      expect(metadata.clientName).toBeUndefined()
      expect(metadata.jwksUri).toBeUndefined()
      expect(({} as Record<string, unknown>)['client_name']).toBeUndefined()
    },
  )

  it('D4 reads nothing that is inherited', () => {
    expect(refusal(() => parseClientMetadata(Object.create({ redirect_uris: [CALLBACK] })))).toEqual(
      badUri('"redirect_uris" must be a list of URIs, at least one'),
    )
  })
})

describe('parseClientDocument', () => {
  const URL_ID = 'https://client.example.org/id.json'
  const document = { client_id: URL_ID, client_name: 'Client', redirect_uris: [CALLBACK] }
  const parse = (members: object = {}): ReturnType<typeof parseClientDocument> =>
    parseClientDocument({ ...document, ...members }, URL_ID)

  it('reads a document of a public client', () => {
    expect(parse()).toStrictEqual({
      redirectUris: [CALLBACK],
      clientName: 'Client',
      grantTypes: ['authorization_code', 'refresh_token'],
      responseTypes: ['code'],
      authMethod: 'none',
    })
  })

  it('reads a document of a client that signs', () => {
    expect(
      parse({ token_endpoint_auth_method: 'private_key_jwt', jwks_uri: 'https://client.example.org/keys' }),
    ).toMatchObject({
      authMethod: 'private_key_jwt',
      jwksUri: 'https://client.example.org/keys',
    })
  })

  it.each([
    undefined,
    'https://client.example.org/',
    'https://client.example.org:443/id.json',
    'https://client.example.org/x/../id.json',
    'https://CLIENT.example.org/id.json',
    `${URL_ID}/`,
    ` ${URL_ID}`,
    [URL_ID],
  ])('S5 refuses the document of another client: %j', (client_id) => {
    expect(refusal(() => parse({ client_id }))).toEqual(invalid('"client_id" is not the URL of the document'))
  })

  it.each(['client_secret', 'client_secret_expires_at'])('S6 refuses %s', (name) => {
    expect(refusal(() => parse({ [name]: 'x' }))).toEqual(
      invalid(`"${name}" has no place in a public document`),
    )
  })

  it.each(['client_secret_basic', 'client_secret_post'])('S6 refuses %s', (method) => {
    expect(refusal(() => parse({ token_endpoint_auth_method: method }))).toEqual(
      invalid('"token_endpoint_auth_method" needs a secret, which a public document cannot hold'),
    )
  })

  it.each(['client_secret_jwt', 'self_signed_tls_client_auth'])('S6 refuses %s', (method) => {
    expect(refusal(() => parse({ token_endpoint_auth_method: method }))).toMatchObject({
      code: 'invalid_client_metadata',
    })
  })

  it('S6 refuses a private key', () => {
    expect(refusal(() => parse({ jwks: { keys: [privateKey] } }))).toEqual(
      invalid('"jwks" must hold public keys only'),
    )
  })

  it.each([undefined, null, '', '\u200B'])('wants a name, not %j', (client_name) => {
    expect(refusal(() => parse({ client_name }))).toEqual(invalid('"client_name" is missing'))
  })

  it('wants redirect URIs that can be used, and drops the others', () => {
    expect(refusal(() => parse({ redirect_uris: undefined }))).toMatchObject({ code: 'invalid_redirect_uri' })
    expect(refusal(() => parse({ redirect_uris: ['javascript:alert(1)'] }))).toMatchObject({
      code: 'invalid_redirect_uri',
    })
    expect(parse({ redirect_uris: ['javascript:alert(1)', CALLBACK] }).redirectUris).toEqual([CALLBACK])
  })

  it('D4 takes fifty redirect URIs, and not one more', () => {
    const redirect_uris = Array.from({ length: 51 }, (_, at) => `${CALLBACK}/${at}`)
    expect(refusal(() => parse({ redirect_uris }))).toEqual(badUri('"redirect_uris" must be at most 50'))
    expect(parse({ redirect_uris: redirect_uris.slice(1) }).redirectUris).toHaveLength(50)
  })

  it.each([null, 'text', []])('refuses %j, which is no document', (value) => {
    expect(refusal(() => parseClientDocument(value, URL_ID))).toEqual(
      invalid('The metadata must be a JSON object'),
    )
  })
})

// Programs that act for nobody but themselves.
import { generateKeyPairSync } from 'node:crypto'
import { Client as ClientV2, StreamableHTTPClientTransport as HttpV2 } from '@modelcontextprotocol/client'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as HttpV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { afterEach, describe, expect, it } from '@jest/globals'
import type { RequestHandler } from 'express'
import { ClientCredentials, type ClientCredentialsOptions, authFetch } from 'express-mcp-auth/client'
import { testClock } from 'express-mcp-auth/testing'
import { type ClientStand, startClientStand } from '../support/client-stand.js'
import { configErrorOf } from '../support/config-error.js'
import { createKey } from '../support/issuer.js'
import { startServer } from '../support/site.js'

const clientSecret = 'a+secret/of%a service=='
const keys = { RS256: createKey('RS256'), ES256: createKey('ES256') }
const clients = [
  { clientId: 'with: a secret', clientSecret, grantTypes: ['client_credentials'] },
  ...Object.entries(keys).map(([alg, { jwk }]) => ({
    clientId: alg,
    jwks: { keys: [jwk] },
    grantTypes: ['client_credentials'],
  })),
]
const opened: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
})

async function stand(extend?: RequestHandler): Promise<ClientStand> {
  const at = await startClientStand({ clients, requiredScopes: ['notes:read'] }, {}, extend)
  opened.push(at.close)
  return at
}

const withSecret = (at: ClientStand, more: Partial<ClientCredentialsOptions> = {}): ClientCredentials =>
  new ClientCredentials({
    serverUrl: at.serverUrl,
    clientId: 'with: a secret',
    clientSecret,
    deps: at.clock,
    ...more,
  })
/** Whether the server takes a token. */
const takes = async (at: ClientStand, token: string): Promise<boolean> =>
  (await fetch(`${at.url}/other`, { headers: { authorization: `Bearer ${token}` } })).status !== 401

describe('ClientCredentials', () => {
  it('finds its way from the server to a token that the server takes', async () => {
    const at = await stand()
    const token = await withSecret(at).getToken()
    expect(await takes(at, token)).toBe(true)
    const [asked] = at.asked.filter(({ path }) => path === '/token')
    expect(Object.fromEntries(asked!.form)).toEqual({
      grant_type: 'client_credentials',
      scope: 'notes:read',
      resource: at.serverUrl,
    })
    expect(asked!.authorization).toMatch(/^Basic /)
  })

  it.each(['client_secret_basic', 'client_secret_post'] as const)(
    'sends a secret by %s',
    async (authMethod) => {
      const at = await stand()
      expect(await takes(at, await withSecret(at, { authMethod }).getToken())).toBe(true)
      const [asked] = at.asked.filter(({ path }) => path === '/token')
      expect([asked!.authorization !== undefined, asked!.form.has('client_secret')]).toEqual(
        authMethod === 'client_secret_basic' ? [true, false] : [false, true],
      )
    },
  )

  it.each(['RS256', 'ES256'] as const)(
    'proves itself by a key of %s, to one issuer and without its ID',
    async (alg) => {
      const at = await stand()
      const { privateKey } = keys[alg]
      const pem = String(privateKey.export({ type: 'pkcs8', format: 'pem' }))
      const common = { clientId: alg, deps: at.clock }
      const auths = [
        new ClientCredentials({ ...common, serverUrl: at.serverUrl, privateKey: pem }),
        new ClientCredentials({
          ...common,
          tokenUrl: `${at.url}/token`,
          issuer: at.url,
          privateKey: { ...privateKey.export({ format: 'jwk' }), kid: String(keys[alg].jwk['kid']) },
        }),
        new ClientCredentials({ ...common, serverUrl: at.serverUrl, privateKey, algorithm: alg }),
      ]
      for (const auth of auths) expect(await takes(at, await auth.getToken())).toBe(true)
      for (const form of at.tokenRequests()) {
        expect(form.get('client_id')).toBeNull()
        const payload = String(form.get('client_assertion')).split('.')[1]!
        const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>
        expect(claims).toMatchObject({ iss: alg, sub: alg, aud: at.url })
      }
    },
  )

  it('signs for the token endpoint where it knows no issuer', async () => {
    const at = await stand()
    const { privateKey } = keys.ES256
    const tokenUrl = `${at.url}/token`
    const auth = new ClientCredentials({ clientId: 'ES256', tokenUrl, privateKey, deps: at.clock })
    expect(await takes(at, await auth.getToken())).toBe(true)
    const payload = String(at.tokenRequests()[0]?.get('client_assertion')).split('.')[1]!
    expect(JSON.parse(Buffer.from(payload, 'base64url').toString())).toMatchObject({ aud: tokenUrl })
  })

  it('keeps the token, asks once however many want it, and again before it ends', async () => {
    const at = await stand()
    const auth = withSecret(at)
    const tokens = await Promise.all([auth.getToken(), auth.getToken(), auth.token()])
    expect(new Set(tokens).size).toBe(1)
    expect(at.tokenRequests()).toHaveLength(1)
    at.clock.advance(7 * 86_400)
    await auth.getToken()
    expect(at.tokenRequests()).toHaveLength(2)
  })

  it('asks again where the server does not take the token, by SDK v2, and by authFetch for v1', async () => {
    let bad = ''
    const at = await stand((request, response, next) => {
      if (bad === '' || request.headers.authorization !== `Bearer ${bad}`) return next()
      const metadata = `${at.url}/.well-known/oauth-protected-resource/mcp`
      response
        .status(401)
        .set('www-authenticate', `Bearer error="invalid_token", resource_metadata="${metadata}"`)
        .end()
    })
    const info = { name: 'service', version: '1' }
    const auth = withSecret(at)
    const second = new ClientV2(info)
    await second.connect(new HttpV2(new URL(at.serverUrl), { authProvider: auth }))
    bad = await auth.getToken()
    expect((await second.listTools()).tools.length).toBeGreaterThan(0)
    const first = new ClientV1(info)
    await first.connect(new HttpV1(new URL(at.serverUrl), { fetch: authFetch(auth) }))
    bad = await auth.getToken()
    expect((await first.listTools()).tools.length).toBeGreaterThan(0)
    expect(at.tokenRequests()).toHaveLength(3)
    await first.close()
    await second.close()
  })

  it('asks a token endpoint that is named, with audience, scopes and resource', async () => {
    const forms: URLSearchParams[] = []
    let answer: [number, unknown] = [200, { access_token: 'x', token_type: 'Bearer', expires_in: '20' }]
    const server = await startServer((request, response) => {
      let body = ''
      request.on('data', (chunk: Buffer) => (body += chunk.toString()))
      request.on('end', () => {
        forms.push(new URLSearchParams(body))
        response.writeHead(answer[0]).end(JSON.stringify(answer[1]))
      })
    })
    opened.push(server.close)
    const clock = testClock()
    const auth = new ClientCredentials({
      tokenUrl: server.url,
      clientId: 'c',
      clientSecret: 's',
      authMethod: 'client_secret_post',
      scopes: ['a', 'b'],
      audience: 'api',
      resource: 'https://api.example.com/mcp',
      deps: clock,
    })
    expect(await auth.getToken()).toBe('x')
    expect(Object.fromEntries(forms[0]!)).toEqual({
      grant_type: 'client_credentials',
      scope: 'a b',
      audience: 'api',
      resource: 'https://api.example.com/mcp',
      client_id: 'c',
      client_secret: 's',
    })
    // One of twenty seconds is used for ten.
    clock.advance(9)
    await auth.getToken()
    expect(forms).toHaveLength(1)
    clock.advance(1)
    answer = [200, { access_token: 'y' }]
    expect(await auth.getToken()).toBe('y')
    clock.advance(299)
    expect(await auth.getToken()).toBe('y')
    clock.advance(1)
    answer = [400, { error: 'invalid_scope', error_description: 'no such scope' }]
    await expect(auth.getToken()).rejects.toMatchObject({
      code: 'token_refused',
      error: 'invalid_scope',
      message: 'The token endpoint refused: invalid_scope: no such scope',
    })
    answer = [401, { error: 'invalid_client' }]
    await expect(auth.getToken()).rejects.toThrow('The token endpoint refused: invalid_client')
    answer = [503, { error: 'temporarily_unavailable' }]
    await expect(auth.getToken()).rejects.toMatchObject({
      code: 'token_failed',
      message: expect.stringContaining('status 503'),
    })
    answer = [200, null]
    await expect(auth.getToken()).rejects.toThrow('no "access_token"')
    await server.close()
    await expect(auth.getToken()).rejects.toMatchObject({ code: 'token_failed' })
  })

  it('L2 sends nothing to an authorization server that is not the one it is for', async () => {
    const other = await stand()
    let issuer = ''
    const at = await stand((request, response, next) => {
      if (issuer !== '' && request.path.startsWith('/.well-known/oauth-protected-resource'))
        response.json({ resource: at.serverUrl, authorization_servers: [issuer] })
      else next()
    })
    const auth = withSecret(at)
    const token = await auth.getToken()
    await auth.renew('another')
    expect(await auth.getToken()).toBe(token)
    issuer = other.url
    await auth.renew(token)

    await expect(auth.getToken()).rejects.toMatchObject({ code: 'issuer_mismatch' })
    await expect(withSecret(at, { issuer: at.url }).getToken()).rejects.toMatchObject({
      code: 'issuer_mismatch',
    })
    expect(other.asked.filter(({ method }) => method !== 'GET')).toEqual([])
  })

  it('asks for one token in place of one that was refused, however many requests went out with it', async () => {
    const at = await stand()
    const auth = withSecret(at)
    const asked = (): number => at.tokenRequests().length
    const response = new Response('', { status: 401 })
    const refused = await auth.token()
    const renewed: string[] = []
    for (let n = 0; n < 5; n++) {
      await auth.onUnauthorized({ response })
      renewed.push(await auth.token())
    }
    expect(new Set(renewed).size).toBe(1)
    expect(renewed).not.toContain(refused)
    expect(asked()).toBe(2)

    at.clock.advance(5)
    await auth.onUnauthorized({ response })
    await auth.token()
    expect(asked()).toBe(3)
  })

  it.each<[string, Record<string, unknown>, Record<string, unknown>, string]>([
    ['is about another resource', { resource: 'https://other.example.com/mcp' }, {}, 'discovery_failed'],
    ['is about what is no URL', { resource: 'mcp' }, {}, 'discovery_failed'],
    ['names no authorization server', { authorization_servers: [] }, {}, 'discovery_failed'],
    [
      'names one without TLS',
      { authorization_servers: ['http://login.example.com'] },
      {},
      'discovery_failed',
    ],
    ['leads to metadata of another issuer', {}, { issuer: 'https://login.example.com' }, 'issuer_mismatch'],
    [
      'leads to a token endpoint without TLS',
      {},
      { token_endpoint: 'http://login.example.com/token' },
      'discovery_failed',
    ],
  ])('L4 sends nothing where the metadata %s', async (_what, resource, metadata, code) => {
    const at = await stand((request, response, next) => {
      if (request.path.startsWith('/.well-known/oauth-protected-resource'))
        response.json({ resource: at.serverUrl, authorization_servers: [at.url], ...resource })
      else if (request.path === '/.well-known/oauth-authorization-server')
        response.json({ issuer: at.url, token_endpoint: `${at.url}/token`, ...metadata })
      else next()
    })
    await expect(withSecret(at).getToken()).rejects.toMatchObject({ code })
    expect(at.tokenRequests()).toEqual([])
  })

  it('C-03 looks for metadata of an issuer with a path in each place, in order', async () => {
    const at = await stand((request, response, next) => {
      if (request.path.startsWith('/.well-known/oauth-protected-resource'))
        response.json({ resource: at.url, authorization_servers: [`${at.url}/tenant/`] })
      else if (request.path === '/.well-known/openid-configuration/tenant') response.send('no JSON')
      else if (request.path === '/tenant/.well-known/openid-configuration')
        response.json({ issuer: `${at.url}/tenant`, token_endpoint: `${at.url}/tenant/token` })
      else if (request.path === '/tenant/token') response.json({ access_token: 'x' })
      else next()
    })
    expect(await withSecret(at).getToken()).toBe('x')
    expect(at.asked.map(({ path }) => path)).toEqual([
      '/.well-known/oauth-protected-resource/mcp',
      '/.well-known/oauth-authorization-server/tenant',
      '/.well-known/openid-configuration/tenant',
      '/tenant/.well-known/openid-configuration',
      '/tenant/token',
    ])
  })

  it('says where it looked, where there is nothing', async () => {
    const at = await stand((request, response, next) => {
      if (request.path.startsWith('/.well-known/')) response.status(404).end()
      else next()
    })
    await expect(withSecret(at).getToken()).rejects.toThrow(
      `/.well-known/oauth-protected-resource/mcp: status 404; ${at.url}/.well-known/oauth-protected-resource: status 404`,
    )
    await at.close()
    await expect(withSecret(at).getToken()).rejects.toThrow('ECONNREFUSED')
    opened.pop()
  })

  const url = 'https://api.example.com/mcp'
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const pss = generateKeyPairSync('x25519')
  it.each<[string, unknown, string]>([
    ['no ID', { serverUrl: url, clientSecret: 's' }, '"clientId" is missing'],
    ['no secret', { serverUrl: url, clientId: 'c' }, 'one of "clientSecret" and "privateKey", not none'],
    [
      'two proofs',
      { serverUrl: url, clientId: 'c', clientSecret: 's', privateKey: rsa.privateKey },
      'not both',
    ],
    ['no server', { clientId: 'c', clientSecret: 's' }, 'one of "serverUrl" and "tokenUrl", not none'],
    ['two servers', { serverUrl: url, tokenUrl: url, clientId: 'c', clientSecret: 's' }, 'not both'],
    [
      'a public key',
      { serverUrl: url, clientId: 'c', privateKey: rsa.publicKey },
      'a private key, as PEM or JWK',
    ],
    [
      'nonsense',
      { serverUrl: url, clientId: 'c', privateKey: 'secret nonsense' },
      'a private key, as PEM or JWK',
    ],
    [
      'a key that signs nothing',
      { serverUrl: url, clientId: 'c', privateKey: pss.privateKey },
      'an RSA key, or one of',
    ],
    [
      'another algorithm',
      { serverUrl: url, clientId: 'c', privateKey: rsa.privateKey, algorithm: 'ES256' },
      'has no "ES256" with this key',
    ],
    [
      'a method for a key',
      { serverUrl: url, clientId: 'c', privateKey: rsa.privateKey, authMethod: 'client_secret_post' },
      'absent where "privateKey"',
    ],
    [
      'an unknown method',
      { serverUrl: url, clientId: 'c', clientSecret: 's', authMethod: 'none' },
      '"client_secret_basic" or',
    ],
    [
      'http',
      { serverUrl: 'http://api.example.com', clientId: 'c', clientSecret: 's' },
      'must be an https URL',
    ],
  ])('refuses %s', (_what, options, message) => {
    expect(configErrorOf(() => new ClientCredentials(options as ClientCredentialsOptions)).message).toContain(
      message,
    )
  })

  it('signs by Ed25519 and the curves of NIST', () => {
    for (const { privateKey } of [
      generateKeyPairSync('ed25519'),
      generateKeyPairSync('ec', { namedCurve: 'P-384' }),
      generateKeyPairSync('ec', { namedCurve: 'P-521' }),
    ])
      expect(() => new ClientCredentials({ serverUrl: url, clientId: 'c', privateKey })).not.toThrow()
  })
})

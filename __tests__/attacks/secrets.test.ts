// What must not be seen: secrets in events, answers and the store (X7, G1), endpoints that promise what they do not do (M4, M6).
import { beforeAll, describe, expect, it } from '@jest/globals'
import {
  type AuthorizationSite,
  REDIRECT_URI,
  SECRET,
  type Tokens,
  answerOf,
} from '../support/authorization-server.js'
import { HookedStore, unreachable } from '../support/hooked-store.js'
import { createKey, signParts } from '../support/issuer.js'
import { WrittenStore } from '../support/written-store.js'
import { basic, redemption, renewal, startClosing } from './endpoint-answers.js'

const SERVICE_SECRET = 'the-secret-of-a-service'
const INITIAL = 'initial-access-token-of-an-operator'
const ASSERTION_TYPE = 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer'

describe('secrets of a whole flow', () => {
  const records = new WrittenStore()
  const store = new HookedStore(records)
  const secrets = new Map<string, string>([
    ['the server’s secret', SECRET],
    ['the secret of a service', SERVICE_SECRET],
    ['the initial access token', INITIAL],
    ['the password', 'ada!'],
  ])
  let site: AuthorizationSite
  const bodies: string[] = []

  beforeAll(async () => {
    const signer = createKey('ES256')
    site = await startClosing({
      store,
      clientRegistration: { initialAccessToken: INITIAL },
      clients: [
        { clientId: 'service', clientSecret: SERVICE_SECRET, grantTypes: ['client_credentials'] },
        { clientId: 'robot', jwks: { keys: [signer.jwk] }, grantTypes: ['client_credentials'] },
      ],
    })
    const post = async (path: string, form: Record<string, string>, headers = {}): Promise<unknown> => {
      const { body } = await site.post(path, form, headers)
      bodies.push(JSON.stringify(body))
      return body
    }
    const registered = await fetch(`${site.url}/register`, {
      method: 'POST',
      headers: { authorization: `Bearer ${INITIAL}`, 'content-type': 'application/json' },
      body: JSON.stringify({
        redirect_uris: [REDIRECT_URI],
        token_endpoint_auth_method: 'client_secret_post',
      }),
    })
    const client = (await answerOf(registered)).body as { client_id: string; client_secret: string }
    const proof = { client_secret: client.client_secret }
    const authorized = await site.authorize(client, { state: 'a state of the client' })
    const first = (await post('/token', redemption(client, authorized, proof))) as Tokens
    const second = (await post('/token', renewal(client, first, proof))) as Tokens
    await site.call(second.access_token)
    await site.call(`${second.access_token}x`)
    const replay = await site.authorize(client)
    await post('/token', redemption(client, { ...replay, verifier: authorized.verifier }, proof))
    await post('/token', redemption(client, replay, proof))
    await post('/introspect', { client_id: client.client_id, ...proof, token: second.refresh_token })
    await post('/token', { grant_type: 'client_credentials' }, basic('service', `${SERVICE_SECRET}x`))
    await post('/token', { grant_type: 'client_credentials' }, basic('service', SERVICE_SECRET))
    const now = Math.floor(site.clock.now() / 1000)
    const assertion = signParts(
      { alg: 'ES256', kid: 'ES256-key' },
      { iss: 'robot', sub: 'robot', aud: site.issuer, jti: 'the ID of an assertion', exp: now + 60 },
      signer,
    )
    const form = {
      grant_type: 'client_credentials',
      client_assertion_type: ASSERTION_TYPE,
      client_assertion: assertion,
    }
    await post('/token', form)
    await post('/token', form)
    store.before = unreachable
    await post('/token', renewal(client, second, proof))
    store.before = undefined
    await post('/revoke', { client_id: client.client_id, ...proof, token: second.refresh_token })
    await post('/token', renewal(client, second, proof))
    for (const [name, secret] of Object.entries({
      'the secret of a client': client.client_secret,
      'a code': authorized.code,
      'a verifier': authorized.verifier,
      'another code': replay.code,
      'an access token': first.access_token,
      'a refresh token': first.refresh_token,
      'another access token': second.access_token,
      'another refresh token': second.refresh_token,
      'the MAC of a code': String(authorized.code.split('.')[1]),
      'the MAC of a refresh token': String(second.refresh_token.split('.')[2]),
      'an assertion': assertion,
    }))
      secrets.set(name, secret)
  })

  it('X7 all of it happened', () => {
    const types = new Set(site.events.map(({ type }) => type))
    const expected = ['client.registered', 'sign_in.succeeded', 'authorization.granted', 'token.issued', 'token.refused', 'grant.revoked', 'request.allowed', 'request.refused', 'request.failed'] // prettier-ignore
    expect(expected.filter((type) => !types.has(type as never))).toEqual([])
    expect(bodies).toHaveLength(12)
    expect(records.written.length).toBeGreaterThan(10)
  })

  it('X7 no event holds a secret', () => {
    const told = JSON.stringify(site.events)
    expect([...secrets].filter(([, secret]) => told.includes(secret)).map(([name]) => name)).toEqual([])
  })

  it('G1 no record holds a secret', () => {
    const kept = records.written.join('\n')
    expect([...secrets].filter(([, secret]) => kept.includes(secret)).map(([name]) => name)).toEqual([])
    expect(kept).not.toContain('the ID of an assertion')
  })

  it('X7 no refusal holds what it was sent', () => {
    const refusals = bodies.filter((body) => body.includes('"error"'))
    expect(refusals).toHaveLength(6)
    const said = refusals.join('\n')
    expect([...secrets].filter(([, secret]) => said.includes(secret)).map(([name]) => name)).toEqual([])
    expect(said).not.toMatch(/ECONNREFUSED|10\.0\.0\.5|node_modules|\bat /)
  })
})

describe('M4 what is advertised', () => {
  interface Document {
    readonly issuer: string
    readonly grant_types_supported: string[]
    readonly token_endpoint_auth_methods_supported: string[]
    readonly token_endpoint_auth_signing_alg_values_supported?: string[]
    readonly [name: string]: unknown
  }
  const documentOf = async (site: AuthorizationSite): Promise<Document> =>
    (await fetch(`${site.url}/.well-known/oauth-authorization-server`)).json() as Promise<Document>

  it('M4 every endpoint that is named is there, and the keys verify', async () => {
    const site = await startClosing()
    const document = await documentOf(site)
    const named = Object.entries(document).filter(([name]) => /_endpoint$|^jwks_uri$/.test(name))
    expect(named.map(([name]) => name).toSorted()).toEqual([
      'authorization_endpoint',
      'introspection_endpoint',
      'jwks_uri',
      'registration_endpoint',
      'revocation_endpoint',
      'token_endpoint',
    ])
    for (const [name, url] of named) {
      const response = await fetch(String(url), { method: name === 'jwks_uri' ? 'GET' : 'POST' })
      expect([name, response.status]).not.toEqual([name, 404])
    }
    const keys = (await (await fetch(String(document['jwks_uri']))).json()) as object
    expect(keys).toEqual({ keys: site.provider.authorizationServer.keys.published })
    expect(JSON.stringify(keys)).not.toContain('"d"')
  })

  it('M4 a server of public clients names neither secrets nor algorithms', async () => {
    const site = await startClosing({
      clientRegistration: false,
      clientIdMetadataDocuments: false,
      clients: [{ clientId: 'app', redirectUris: [REDIRECT_URI] }],
    })
    const document = await documentOf(site)
    expect(document.token_endpoint_auth_methods_supported).toEqual(['none'])
    expect(Object.keys(document).filter((name) => name.includes('introspection'))).toEqual([])
    expect(document.grant_types_supported).toEqual(['authorization_code', 'refresh_token'])
    expect(document).not.toHaveProperty('token_endpoint_auth_signing_alg_values_supported')
    expect(document).not.toHaveProperty('registration_endpoint')
    const tokens = await site.signIn({ client_id: 'app' })
    expect((await site.call(tokens.access_token)).status).toBe(200)
  })

  it('M4 a server of services names what they use (io.modelcontextprotocol/oauth-client-credentials)', async () => {
    const site = await startClosing({
      clientRegistration: false,
      clientIdMetadataDocuments: false,
      clients: [
        { clientId: 'service', clientSecret: SERVICE_SECRET, grantTypes: ['client_credentials'] },
        { clientId: 'robot', jwks: { keys: [createKey('ES256').jwk] }, grantTypes: ['client_credentials'] },
      ],
    })
    const document = await documentOf(site)
    expect(document.grant_types_supported).toEqual(['client_credentials'])
    expect(document.token_endpoint_auth_methods_supported).toEqual([
      'client_secret_basic',
      'client_secret_post',
      'private_key_jwt',
    ])
    expect(document.token_endpoint_auth_signing_alg_values_supported).toContain('ES256')
    expect(document.token_endpoint_auth_signing_alg_values_supported).not.toContain('HS256')
    expect(document.token_endpoint_auth_signing_alg_values_supported).not.toContain('none')
  })

  it('M4 a client is held to the algorithm that it registered', async () => {
    const site = await startClosing()
    const [registered, other] = [createKey('ES256', 'one'), createKey('EdDSA', 'two')]
    const client = await site.register({
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'ES256',
      jwks: { keys: [registered.jwk, other.jwk] },
    })
    const form = (key: typeof registered): Record<string, string> => ({
      token: 'x',
      client_assertion_type: ASSERTION_TYPE,
      client_assertion: signParts(
        { alg: key.alg, kid: key.kid },
        {
          iss: client.client_id,
          sub: client.client_id,
          aud: site.issuer,
          jti: key.kid,
          exp: Math.floor(site.clock.now() / 1000) + 60,
        },
        key,
      ),
    })
    expect((await site.post('/revoke', form(other))).status).toBe(401)
    expect((await site.post('/revoke', form(registered))).status).toBe(200)
  })
})

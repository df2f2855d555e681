import { createHash } from 'node:crypto'
import { afterAll, describe, expect, it } from '@jest/globals'
import { authenticateClient } from '../../lib/authorization-server/client-auth.js'
import { ASSERTION_ALGORITHMS, ASSERTION_TYPE } from '../../lib/authorization-server/client-assertion.js'
import { registerClient } from '../../lib/authorization-server/register.js'
import { REDIRECT_URI } from '../support/authorization-server.js'
import {
  type Json,
  type SigningKey,
  type Stub,
  createKey,
  signParts,
  startKeySet,
} from '../support/issuer.js'
import {
  type TestServer,
  BASE_URL,
  createServer,
  parametersOf,
  refusal,
  collectionOf,
} from '../support/server.js'

const stubs: Stub[] = []
afterAll(() => Promise.all(stubs.map((stub) => stub.close())))

let ids = 0
const assertionOf = (test: TestServer, key: SigningKey, changes: Json = {}, header: Json = {}): string => {
  const now = Math.floor(test.clock.now() / 1000)
  const claims = { iss: 'robot', sub: 'robot', aud: BASE_URL, jti: `${ids++}`, exp: now + 60, ...changes }
  return signParts({ alg: key.alg, kid: key.kid, ...header }, claims, key)
}

const authenticate = (
  { server, report }: TestServer,
  assertion: string,
): ReturnType<typeof authenticateClient> =>
  authenticateClient(
    undefined,
    parametersOf({ client_assertion_type: ASSERTION_TYPE, client_assertion: assertion }),
    server,
    report,
  )

const NOT_SIGNED = ['invalid_client', 'client assertion: none of the keys of the client made its signature']

describe('private_key_jwt', () => {
  it.each(['RS256', 'PS256', 'ES256', 'ES384', 'EdDSA'] as const)('takes %s', async (alg) => {
    const key = createKey(alg)
    const test = createServer({ clients: [{ clientId: 'robot', jwks: { keys: [key.jwk] } }] })
    expect((await authenticate(test, assertionOf(test, key))).clientId).toBe('robot')
    expect(ASSERTION_ALGORITHMS).toContain(alg)
  })

  it('takes no algorithm of shared secrets', () => {
    expect(ASSERTION_ALGORITHMS.filter((alg) => /^HS|none/i.test(alg))).toEqual([])
  })

  it('finds the key by its ID, and does without where there is one', async () => {
    const [one, two] = [createKey('ES256', 'one'), createKey('ES256', 'two')]
    const test = createServer({
      clients: [
        { clientId: 'robot', jwks: { keys: [one.jwk, two.jwk] } },
        { clientId: 'single', jwks: { keys: [one.jwk] } },
      ],
    })
    await expect(authenticate(test, assertionOf(test, two))).resolves.toBeDefined()
    expect(await refusal(authenticate(test, assertionOf(test, two, {}, { kid: 'one' })))).toEqual(NOT_SIGNED)
    expect(await refusal(authenticate(test, assertionOf(test, two, {}, { kid: 'three' })))).toEqual(
      NOT_SIGNED,
    )
    expect(await refusal(authenticate(test, assertionOf(test, two, {}, { kid: undefined })))).toEqual(
      NOT_SIGNED,
    )
    const single = { iss: 'single', sub: 'single' }
    await expect(
      authenticate(test, assertionOf(test, one, single, { kid: undefined })),
    ).resolves.toBeDefined()
  })

  it('fetches the keys of a configured jwksUri, and new ones when they come', async () => {
    const [one, two] = [createKey('ES256', 'one'), createKey('EdDSA', 'two')]
    const stub = await startKeySet(one)
    stubs.push(stub)
    const test = createServer({
      baseUrl: 'http://localhost:3000',
      clients: [{ clientId: 'robot', jwksUri: `${stub.url}/keys` }],
    })
    const aud = 'http://localhost:3000'
    await expect(authenticate(test, assertionOf(test, one, { aud }))).resolves.toBeDefined()
    await expect(authenticate(test, assertionOf(test, one, { aud }))).resolves.toBeDefined()
    expect(stub.requests.map(({ url }) => url)).toEqual(['/keys'])
    expect(await refusal(authenticate(test, assertionOf(test, two, { aud })))).toEqual(NOT_SIGNED)
    stub.answer = (_request, response) => {
      response.setHeader('content-type', 'application/json')
      response.end(JSON.stringify({ keys: [one.jwk, two.jwk] }))
    }
    test.clock.advance(31)
    await expect(authenticate(test, assertionOf(test, two, { aud }))).resolves.toBeDefined()
    expect(test.events.map(({ type }) => type)).toEqual(['keys.fetched', 'keys.fetched'])
  })

  it('G7 keys that cannot be had are an outage, not a refusal', async () => {
    const key = createKey('ES256')
    const test = createServer({
      baseUrl: 'http://localhost:3000',
      clients: [{ clientId: 'robot', jwksUri: 'http://127.0.0.1:1/keys' }],
    })
    const aud = 'http://localhost:3000'
    expect((await refusal(authenticate(test, assertionOf(test, key, { aud }))))[0]).toBe('temporarily_unavailable') // prettier-ignore
  })

  it('takes the keys that a client registered, and keeps the public part of them', async () => {
    const key = createKey('ES256')
    const test = createServer()
    const metadata = {
      redirect_uris: [REDIRECT_URI],
      token_endpoint_auth_method: 'private_key_jwt',
      jwks: { keys: [{ ...key.jwk, x5u: 'https://evil.example' }] },
    }
    const answer = await registerClient(metadata, test.server, test.report)
    expect(answer).toMatchObject({ jwks: { keys: [key.jwk] } })
    expect(answer).not.toHaveProperty('client_secret')
    const id = String(answer['client_id'])
    const client = await authenticate(test, assertionOf(test, key, { iss: id, sub: id }))
    expect(client).toMatchObject({ clientId: id, origin: 'registered', authMethods: ['private_key_jwt'] })
    const again = await registerClient(metadata, test.server, test.report)
    expect(again['client_id']).toBe(id)
  })

  it('S1 asks no address of our own network for the keys that a client names', async () => {
    const key = createKey('ES256')
    const test = createServer()
    const answer = await registerClient(
      {
        redirect_uris: [REDIRECT_URI],
        token_endpoint_auth_method: 'private_key_jwt',
        jwks_uri: 'https://127.0.0.1:1/keys',
      },
      test.server,
      test.report,
    )
    const id = String(answer['client_id'])
    expect(await refusal(authenticate(test, assertionOf(test, key, { iss: id, sub: id })))).toEqual(
      NOT_SIGNED,
    )
    expect(test.events.at(-1)).toMatchObject({ type: 'keys.failed', serving: 'nothing' })
  })

  it('M4 holds a client to the algorithm that it registered', async () => {
    const [one, two] = [createKey('ES256', 'one'), createKey('EdDSA', 'two')]
    const test = createServer()
    const metadata = {
      redirect_uris: [REDIRECT_URI],
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'EdDSA',
      jwks: { keys: [one.jwk, two.jwk] },
    }
    const id = String((await registerClient(metadata, test.server, test.report))['client_id'])
    const claims = { iss: id, sub: id }
    expect(await refusal(authenticate(test, assertionOf(test, one, claims)))).toEqual(['invalid_client', 'client assertion: the client registered EdDSA']) // prettier-ignore
    await expect(authenticate(test, assertionOf(test, two, claims))).resolves.toBeDefined()
  })

  it('has no keys where a client has none', async () => {
    const { server, report } = createServer()
    const client = { clientId: 'x', origin: 'registered', redirectUris: [], grantTypes: [], authMethods: [] } as const // prettier-ignore
    expect(await server.clients.assertionKeys(client, { alg: 'ES256' }, report)).toEqual([])
  })

  it('tells operators why', async () => {
    const key = createKey('ES256')
    const test = createServer({ clients: [{ clientId: 'robot', jwks: { keys: [key.jwk] } }] })
    const now = Math.floor(test.clock.now() / 1000)
    const wrong: [Json, string][] = [
      [{ iss: 'x' }, 'issuer and subject are not the client'],
      [{ aud: [BASE_URL] }, 'it is meant for another server'],
      [{ jti: '' }, 'it has no ID that could be remembered'],
      [{ exp: 'x' }, 'it has no expiry'],
      [{ exp: now - 30 }, 'it expired'],
      [{ exp: now + 331 }, 'it lives longer than 300 s'],
      [{ nbf: now + 31 }, 'it is from the future'],
      [{ iat: -1 }, 'it is from the future'],
      [{ sub: 7 }, 'it names no subject'],
    ]
    for (const [changes, why] of wrong)
      expect(await refusal(authenticate(test, assertionOf(test, key, changes)))).toEqual(['invalid_client', `client assertion: ${why}`]) // prettier-ignore
    const hs = assertionOf(test, key, {}, { alg: 'HS256' })
    expect(await refusal(authenticate(test, hs))).toEqual(['invalid_client', 'client assertion: it is signed by HS256']) // prettier-ignore
    expect(await refusal(authenticate(test, 'x'.repeat(8193)))).toEqual(['invalid_client', 'client assertion: too long']) // prettier-ignore
  })

  it('T9 remembers the digest of an ID, for each client apart', async () => {
    const key = createKey('ES256')
    const jwks = { keys: [key.jwk] }
    const test = createServer({ clients: [{ clientId: 'robot', jwks }, { clientId: 'other', jwks }] }) // prettier-ignore
    const jti = '../../x:*'
    await authenticate(test, assertionOf(test, key, { jti }))
    expect(await refusal(authenticate(test, assertionOf(test, key, { jti })))).toEqual(['invalid_client', 'client assertion: it was used before']) // prettier-ignore
    await expect(authenticate(test, assertionOf(test, key, { jti, iss: 'other', sub: 'other' }))).resolves.toBeDefined() // prettier-ignore
    const digest = createHash('sha256')
      .update(JSON.stringify(['robot', jti]))
      .digest('hex')
    expect(await test.store.get(collectionOf('assertions'), digest)).toBeDefined()
  })
})

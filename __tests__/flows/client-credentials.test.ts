// Services without a person, as the SDKs' own clients do it (io.modelcontextprotocol/oauth-client-credentials).
import {
  Client as ClientV2,
  ClientCredentialsProvider as SecretV2,
  PrivateKeyJwtProvider as KeyV2,
  StreamableHTTPClientTransport as HttpV2,
} from '@modelcontextprotocol/client'
import {
  ClientCredentialsProvider as SecretV1,
  PrivateKeyJwtProvider as KeyV1,
} from '@modelcontextprotocol/sdk/client/auth-extensions.js'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as HttpV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import express from 'express'
import { type AuthEvent, OAuthProvider, mcpAuth } from 'express-mcp-auth'
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import { SECRET, signIn } from '../support/authorization-server.js'
import { type SigningKey, createKey } from '../support/issuer.js'
import { type McpRequest, statelessV1 } from '../support/mcp-servers.js'
import { startServer } from '../support/site.js'

const info = { name: 'service', version: '1.0.0' }
const clientSecret = 'a+secret/of%a service=='
const keys: Readonly<Record<string, SigningKey>> = {
  RS256: createKey('RS256'),
  ES256: createKey('ES256'),
}
const events: AuthEvent[] = []
let close: () => Promise<void>
let url: URL
let issuer: string

beforeAll(async () => {
  const empty = await startServer(() => undefined)
  await empty.close()
  const { port } = new URL(empty.url)
  const provider = new OAuthProvider({
    baseUrl: empty.url,
    secret: SECRET,
    signIn,
    store: new MemoryStore(),
    requiredScopes: ['tools'],
    clients: [
      { clientId: 'with secret', clientSecret, grantTypes: ['client_credentials'] },
      ...Object.entries(keys).map(([alg, { jwk }]) => ({
        clientId: `with ${alg}`,
        jwks: { keys: [jwk] },
        grantTypes: ['client_credentials'],
      })),
    ],
  })
  const app = express()
  const mcp = statelessV1()
  app.use(mcpAuth(provider, { rateLimit: false, onEvent: (event) => events.push(event) }))
  app.all('/mcp', express.json(), (request, response, next) => {
    mcp(request as unknown as McpRequest, response).catch(next)
  })
  const server = await startServer(app, Number(port))
  close = server.close
  url = new URL('/mcp', server.url)
  issuer = server.url
})

afterAll(() => close())

const pemOf = (alg: string): string => String(keys[alg]?.privateKey.export({ type: 'pkcs8', format: 'pem' }))

const expectService = async (client: ClientV1 | ClientV2, clientId: string): Promise<void> => {
  const { tools } = await client.listTools()
  expect(tools.length).toBeGreaterThan(0)
  expect(events).toContainEqual({
    type: 'token.issued',
    clientId,
    grantType: 'client_credentials',
    scope: 'tools',
  })
  expect(events).toContainEqual(
    expect.objectContaining({ type: 'request.allowed', clientId, subject: clientId }),
  )
  await client.close()
}

describe('a service', () => {
  it('of SDK v1 proves itself by its secret', async () => {
    const authProvider = new SecretV1({ clientId: 'with secret', clientSecret, expectedIssuer: issuer })
    const client = new ClientV1(info)
    await client.connect(new HttpV1(url, { authProvider }))
    await expectService(client, 'with secret')
  })

  it('of SDK v2 proves itself by its secret', async () => {
    const authProvider = new SecretV2({ clientId: 'with secret', clientSecret, expectedIssuer: issuer })
    const client = new ClientV2(info)
    await client.connect(new HttpV2(url, { authProvider }))
    await expectService(client, 'with secret')
  })

  it.each(Object.keys(keys))('of SDK v1 proves itself by a key of %s', async (algorithm) => {
    const clientId = `with ${algorithm}`
    const authProvider = new KeyV1({
      clientId,
      privateKey: pemOf(algorithm),
      algorithm,
      expectedIssuer: issuer,
    })
    const client = new ClientV1(info)
    await client.connect(new HttpV1(url, { authProvider }))
    await expectService(client, clientId)
  })

  it.each(Object.keys(keys))('of SDK v2 proves itself by a key of %s', async (algorithm) => {
    const clientId = `with ${algorithm}`
    const authProvider = new KeyV2({
      clientId,
      privateKey: pemOf(algorithm),
      algorithm,
      expectedIssuer: issuer,
    })
    const client = new ClientV2(info)
    await client.connect(new HttpV2(url, { authProvider }))
    await expectService(client, clientId)
  })

  it('is not let in with the key of another', async () => {
    const authProvider = new KeyV1({
      clientId: 'with ES256',
      privateKey: pemOf('RS256'),
      algorithm: 'RS256',
      expectedIssuer: issuer,
    })
    const client = new ClientV1(info)
    await expect(client.connect(new HttpV1(url, { authProvider }))).rejects.toThrow(
      'The client is unknown, or did not authenticate as it was registered to',
    )
  })
})

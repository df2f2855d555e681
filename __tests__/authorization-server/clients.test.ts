import { describe, expect, it } from '@jest/globals'
import type { OAuthProviderOptions } from 'express-mcp-auth'
import { keyOf, mayRedirectTo } from '../../lib/authorization-server/clients.js'
import type { Client } from '../../lib/authorization-server/records.js'
import { registerClient } from '../../lib/authorization-server/register.js'
import { REDIRECT_URI } from '../support/authorization-server.js'
import { createKey, jsonAnswer, startStub } from '../support/issuer.js'
import { APP, type TestServer, createServer, collectionOf } from '../support/server.js'

const DAY = 86_400
const PUBLIC = { redirect_uris: [REDIRECT_URI], token_endpoint_auth_method: 'none' }

const register = async (test: TestServer, metadata: object = PUBLIC): Promise<Client> => {
  const { client_id: id } = await registerClient(metadata, test.server, test.report)
  const client = await test.server.clients.find(String(id), test.report)
  if (client === undefined) throw new Error('the client was not kept')
  return client
}

const find = ({ server, report }: TestServer, id: string): Promise<Client | undefined> =>
  server.clients.find(id, report)

describe('Clients', () => {
  it('finds those that were configured, and asks no store for them', async () => {
    const test = createServer()
    test.store.before = () => {
      throw new Error('asked')
    }
    expect(await find(test, 'app')).toMatchObject({ clientId: 'app', origin: 'configured' })
  })

  it('G5 asks the store for nothing that cannot be the ID of a registration', async () => {
    const test = createServer({ clientIdMetadataDocuments: false })
    test.store.before = () => {
      throw new Error('asked')
    }
    for (const id of ['', 'nobody', '../clients/x', '*', 'a:b', '__proto__', 'x'.repeat(25), 'ü'.repeat(24), 'https://client.example/document'])
      expect(await find(test, id)).toBeUndefined() // prettier-ignore
    await expect(find(test, 'x'.repeat(24))).rejects.toThrow('asked')
  })

  it('reads a registration once a minute', async () => {
    const test = createServer()
    const { clientId } = await register(test)
    let reads = 0
    test.store.before = ({ method }) => {
      if (method === 'get') reads++
    }
    for (let second = 0; second < 120; second += 10) {
      test.clock.advance(10)
      expect(await find(test, clientId)).toBeDefined()
    }
    expect(reads).toBe(2)
  })

  it('writes a registration that is used again only when half of its time is over', async () => {
    const test = createServer()
    const client = await register(test)
    let writes = 0
    test.store.before = ({ method }) => {
      if (method === 'compareAndSwap') writes++
    }
    await test.server.clients.keep(client)
    expect(writes).toBe(1)
    test.clock.advance(29 * DAY)
    await test.server.clients.keep(client)
    expect(writes).toBe(1)
    test.clock.advance(2 * DAY)
    await test.server.clients.keep(client)
    expect(writes).toBe(2)
    test.clock.advance(59 * DAY)
    expect(await find(test, client.clientId)).toBeDefined()
  })

  it('keeps nothing of clients that are not registered, and of those that are gone', async () => {
    const test = createServer()
    const client = await register(test)
    test.clock.advance(DAY)
    test.store.before = ({ method }) => {
      if (method !== 'get') throw new Error('written')
    }
    await test.server.clients.keep(client)
    await test.server.clients.keep(APP)
    expect(await find(test, client.clientId)).toBeUndefined()
  })

  it('tries again where another process was faster to keep a client', async () => {
    const test = createServer()
    const client = await register(test)
    const other = createServer({ store: test.store })
    test.store.before = async ({ method }) => {
      if (method !== 'compareAndSwap') return
      test.store.before = undefined
      await other.server.clients.keep(client)
    }
    await test.server.clients.keep(client)
    test.clock.advance(59 * DAY)
    expect(await find(test, client.clientId)).toBeDefined()
  })

  it('F20 registers again what was forgotten between reading and writing', async () => {
    const test = createServer()
    const client = await register(test)
    test.clock.advance(DAY - 60)
    test.store.before = async ({ method }) => {
      if (method !== 'compareAndSwap') return
      test.store.before = undefined
      await test.store.delete(collectionOf('clients'), client.clientId)
    }
    expect((await register(test)).clientId).toBe(client.clientId)
    expect(test.events.map(({ type }) => type)).toEqual(['client.registered', 'client.registered'])
  })

  it('writes over a registration that cannot be read', async () => {
    const test = createServer()
    const { clientId } = await register(test)
    await test.store.put(collectionOf('clients'), clientId, {
      value: '{"client"',
      version: 'v',
      expiresAt: test.clock.now() + 1e9,
    })
    test.clock.advance(61)
    expect(await find(test, clientId)).toBeUndefined()
    expect((await register(test)).clientId).toBe(clientId)
  })

  it('finds a client by the document that its ID is the URL of', async () => {
    const stub = await startStub((_request, response) => response.writeHead(404).end())
    const id = `${stub.url}/client.json`
    stub.answer = jsonAnswer({ client_id: id, client_name: 'By document', redirect_uris: [REDIRECT_URI] })
    const test = createServer({ baseUrl: 'http://localhost:3000' })
    expect(await find(test, id)).toMatchObject({
      clientId: id,
      origin: 'document',
      name: 'By document',
      authMethods: ['none'],
      grantTypes: ['authorization_code', 'refresh_token'],
    })
    expect(await find(test, `${stub.url}/other.json`)).toBeUndefined()
    await stub.close()
  })

  it('names the ways to authenticate that some client may use', () => {
    const methodsOf = (options: Partial<OAuthProviderOptions>): string[] => {
      const closed = { clientRegistration: false, clientIdMetadataDocuments: false }
      return createServer({ ...closed, ...options }).server.clients.authMethods()
    }
    const jwks = { keys: [createKey('ES256').jwk] }
    expect(methodsOf({ clients: [{ clientId: 'a' }] })).toEqual(['none'])
    expect(methodsOf({ clients: [{ clientId: 'a', clientSecret: 'x' }] })).toEqual(['client_secret_basic', 'client_secret_post']) // prettier-ignore
    expect(methodsOf({ clients: [{ clientId: 'a', jwks }] })).toEqual(['private_key_jwt'])
    expect(methodsOf({ clients: [], clientIdMetadataDocuments: true })).toEqual(['none', 'private_key_jwt'])
    expect(methodsOf({ clients: [], clientRegistration: true })).toEqual(['none', 'client_secret_basic', 'client_secret_post', 'private_key_jwt']) // prettier-ignore
  })

  it('knows which grant types some client may use', () => {
    const mayUse = (options: Partial<OAuthProviderOptions>): boolean[] => {
      const closed = { clientRegistration: false, clientIdMetadataDocuments: false }
      const { clients } = createServer({ ...closed, ...options }).server
      return ['authorization_code', 'refresh_token', 'client_credentials'].map((type) => clients.mayUse(type))
    }
    const service = { clientId: 'a', clientSecret: 'x', grantTypes: ['client_credentials'] }
    expect(mayUse({ clients: [service] })).toEqual([false, false, true])
    expect(mayUse({ clients: [{ clientId: 'a', grantTypes: ['authorization_code'] }] })).toEqual([true, false, false]) // prettier-ignore
    expect(mayUse({ clients: [], clientRegistration: true })).toEqual([true, true, false])
    expect(mayUse({ clients: [], clientIdMetadataDocuments: true })).toEqual([true, true, false])
  })
})

describe('mayRedirectTo', () => {
  const anywhere = createServer().server.settings
  const mayGo = (client: Client, uri: string, settings = anywhere): boolean =>
    mayRedirectTo(client, uri, settings)

  it('takes what was registered, byte for byte, but for the port of a loopback URI', () => {
    expect(mayGo(APP, REDIRECT_URI)).toBe(true)
    expect(mayGo(APP, 'http://127.0.0.1:1/callback')).toBe(true)
    expect(mayGo(APP, 'http://127.0.0.1:33418/callback/')).toBe(false)
    expect(mayGo({ ...APP, redirectUris: [] }, REDIRECT_URI)).toBe(false)
  })

  it('A5 holds every client that nobody configured to what the operator allows now', () => {
    const narrow = { ...anywhere, isAllowedRedirect: (uri: string) => uri.startsWith('https://') }
    for (const origin of ['registered', 'document'] as const) {
      expect([origin, mayGo({ ...APP, origin }, REDIRECT_URI, narrow)]).toEqual([origin, false])
    }
    expect(mayGo({ ...APP, origin: 'configured' }, REDIRECT_URI, narrow)).toBe(true)
  })
})

describe('keyOf', () => {
  it('G5 gives a key that any store takes, another one for parts that are cut otherwise', () => {
    for (const text of ['a:b', '../x', '*', '', 'x'.repeat(10_000), '\0'])
      expect(keyOf(text)).toMatch(/^[0-9a-f]{64}$/)
    expect(new Set([keyOf('a', 'bc'), keyOf('ab', 'c'), keyOf('abc'), keyOf('a', 'b', 'c')]).size).toBe(4)
  })
})

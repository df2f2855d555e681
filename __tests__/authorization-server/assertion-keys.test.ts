// Keys that a client registered: whoever sends assertions that nobody signed must not have them imported for each.
import { describe, expect, it } from '@jest/globals'
import type { Client } from '../../lib/authorization-server/records.js'
import { createKey } from '../support/issuer.js'
import { APP, createServer } from '../support/server.js'

describe('assertionKeys', () => {
  it('X1 reads a registered set once, however often it is asked for', async () => {
    const { server, report } = createServer()
    const { jwk } = createKey('ES256', 'one')
    let reads = 0
    const jwks = {
      get keys() {
        reads++
        return [jwk]
      },
    }
    const client: Client = { ...APP, authMethods: ['private_key_jwt'], jwks }
    const header = { alg: 'ES256', kid: 'one' }
    const [first] = await server.clients.assertionKeys(client, header, report)
    for (let round = 0; round < 10; round++) {
      expect((await server.clients.assertionKeys({ ...client }, header, report))[0]).toBe(first)
    }
    expect({ kid: first?.kid, reads }).toEqual({ kid: 'one', reads: 1 })
    expect(await server.clients.assertionKeys(client, { alg: 'RS256', kid: 'one' }, report)).toEqual([])
  })

  it('reads another set of the same client by itself', async () => {
    const { server, report } = createServer()
    const [one, two] = [createKey('ES256', 'one'), createKey('ES256', 'two')]
    const idsOf = async (jwk: object, kid: string): Promise<unknown[]> => {
      const client: Client = { ...APP, jwks: { keys: [jwk] } }
      return (await server.clients.assertionKeys(client, { alg: 'ES256', kid }, report)).map((key) => key.kid)
    }
    expect(await idsOf(one.jwk, 'one')).toEqual(['one'])
    expect(await idsOf(two.jwk, 'one')).toEqual([])
    expect(await idsOf(two.jwk, 'two')).toEqual(['two'])
  })
})

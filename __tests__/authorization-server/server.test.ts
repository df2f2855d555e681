import { describe, expect, it } from '@jest/globals'
import { listConnections } from '../../lib/authorization-server/connections.js'
import { registerClient } from '../../lib/authorization-server/register.js'
import { digest } from '../../lib/runtime/digest.js'
import { REDIRECT_URI } from '../support/authorization-server.js'
import { createProxyServer } from '../support/proxy-server.js'
import { collectionOf, createServer, refusal } from '../support/server.js'
import { UpstreamDouble } from '../support/upstream-double.js'

describe('servers of one issuer on one store', () => {
  const elsewhere = (realm: string) => (clock: { readonly now: () => number }) =>
    Object.assign(new UpstreamDouble(clock), { realm })

  it('P3 share nothing that came of different identity providers', async () => {
    const here = createProxyServer()
    const there = here.replica({ upstream: elsewhere('https://other.example app')(here.clock) })
    const tokens = await here.tokens()
    expect(await there.server.tokens.verify(tokens.access_token)).toBeNull()
    expect(await refusal(there.refresh(tokens.refresh_token))).toEqual(['invalid_grant', 'the grant was revoked or has ended']) // prettier-ignore
    const { state } = await here.depart()
    expect(await there.arrive(state)).toBeUndefined()
    expect(await listConnections('idp|grace', there.server)).toEqual([])
    const own = createServer({ store: here.store })
    expect(await own.server.tokens.verify(tokens.access_token)).toBeNull()
    expect(await here.server.tokens.verify(tokens.access_token)).not.toBeNull()
  })

  it('share clients, who know nothing of identity providers', async () => {
    const here = createProxyServer()
    const there = here.replica({ upstream: elsewhere('https://other.example app')(here.clock) })
    const metadata = { redirect_uris: [REDIRECT_URI], token_endpoint_auth_method: 'none' }
    const { client_id: id } = await registerClient(metadata, here.server, here.report)
    expect(await there.server.clients.find(String(id), there.report)).toMatchObject({ clientId: id })
  })

  it('F18 are told apart by a digest in the names of their collections', async () => {
    const test = createProxyServer()
    const { grantId } = await test.tokens()
    const realm = digest('https://id.example.com app-of-ours').slice(0, 12)
    expect(await test.store.get(collectionOf(`grants.${realm}`), grantId)).toBeDefined()
    expect(await test.store.get(collectionOf('grants'), grantId)).toBeUndefined()
  })
})

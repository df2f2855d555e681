// Floods of registrations and authorization requests: memory stays bounded, and nobody who is signed in is pushed out.
import { setImmediate } from 'node:timers/promises'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals'
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import { authorizationServerRoutes } from '../../lib/http/authorization-server.js'
import type { AuthRequest, AuthResponse } from '../../lib/protocol/message.js'
import type { Route, RouteBody } from '../../lib/runtime/route.js'
import {
  type AuthorizationSite,
  REDIRECT_URI,
  type Registered,
  type Tokens,
  authorizationUrl,
  pkce,
  startAuthorizationSite,
} from '../support/authorization-server.js'

/** Bytes in use, garbage left out. */
function heapUsed(): number {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  return process.memoryUsage().heapUsed
}

const MOST = 64 * 1024 * 1024

describe('floods', () => {
  let site: AuthorizationSite
  let client: Registered
  let tokens: Tokens
  const store = new MemoryStore()
  const routes = new Map<string, Route>()
  let asked = 0
  // Each flood is larger than the store may become, so that a longer one would leave no more behind. Below HTTP, which would take minutes: the handlers, with everything that they keep.
  const ask = async (path: string, request: AuthRequest, body: RouteBody): Promise<AuthResponse> => {
    const context = { body, report: () => undefined, hint: () => undefined }
    site.clock.advance(0.001)
    if (++asked % 1000 === 0) await setImmediate()
    return (routes.get(path) as Route).handle(request, context)
  }
  beforeAll(async () => {
    const clientRegistration = { maxPerHour: 1_000_000 }
    site = await startAuthorizationSite({ store, clientRegistration })
    for (const route of authorizationServerRoutes(site.provider.authorizationServer))
      routes.set(route.path, route)
    client = await site.register()
    tokens = await site.signIn(client)
  })
  afterAll(() => site.close())

  const stillLives = async (): Promise<void> => {
    expect((await site.call(tokens.access_token)).status).toBe(200)
    const form = { grant_type: 'refresh_token', client_id: client.client_id }
    const refreshed = await site.post('/token', { ...form, refresh_token: tokens.refresh_token })
    expect(refreshed.status).toBe(200)
    tokens = refreshed.body as Tokens
    const anew = await site.signIn(client, {}, 'grace')
    expect((await site.call(anew.access_token)).status).toBe(200)
  }

  it('F15 50,000 registrations take less than 64 MB, and push nobody out', async () => {
    const before = heapUsed()
    const request = { method: 'POST', url: '/register', headers: { 'content-type': 'application/json' } }
    const metadata = { redirect_uris: [REDIRECT_URI], token_endpoint_auth_method: 'none' }
    let refused = 0
    for (let n = 0; n < 50_000; n++) {
      const bytes = Buffer.from(JSON.stringify({ ...metadata, client_name: `Client ${n} of a flood` }))
      if ((await ask('/register', request, { kind: 'raw', bytes })).status !== 201) refused++
    }

    expect(refused).toBe(0)
    expect(heapUsed() - before).toBeLessThan(MOST)
    await stillLives()
  }, 60_000)

  it('F15 100,000 authorization requests take less than 64 MB, and push nobody out', async () => {
    const before = heapUsed()
    const { challenge } = pkce()
    let refused = 0
    for (let n = 0; n < 100_000; n++) {
      const { pathname, search } = authorizationUrl(site.issuer, client.client_id, challenge, {
        state: `state ${n}`,
      })
      const url = pathname + search
      if ((await ask('/authorize', { method: 'GET', url, headers: {} }, { kind: 'none' })).status !== 302)
        refused++
    }

    expect(refused).toBe(0)
    expect(heapUsed() - before).toBeLessThan(MOST)
    await stillLives()
  }, 60_000)

  it('F15 the floods were larger than what the store keeps', () => {
    expect(store.size).toBeGreaterThan(10_000)
    expect(store.size).toBeLessThan(50_000)
  })
})

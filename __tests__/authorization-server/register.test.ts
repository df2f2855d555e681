import { describe, expect, it } from '@jest/globals'
import { mayRegister, registerClient } from '../../lib/authorization-server/register.js'
import { OAuthError } from '../../lib/protocol/errors.js'
import { digest } from '../../lib/runtime/digest.js'
import { REDIRECT_URI } from '../support/authorization-server.js'
import { createServer, refusal } from '../support/server.js'

const PUBLIC = { redirect_uris: [REDIRECT_URI], token_endpoint_auth_method: 'none' }

describe('mayRegister', () => {
  it('lets anybody, or whoever has the token', () => {
    const open = { unusedSeconds: 1, maxPerHour: 1 }
    const closed = { ...open, initialTokenDigest: digest('token') }
    expect(mayRegister(undefined, open)).toBe(true)
    expect(['token', 'toke', 'tokens', '', undefined].map((token) => mayRegister(token, closed))).toEqual([true, false, false, false, false]) // prettier-ignore
  })
})

describe('registerClient', () => {
  it('keeps the digest of the secret', async () => {
    const test = createServer()
    const answer = await registerClient({ redirect_uris: [REDIRECT_URI] }, test.server, test.report)
    const client = await test.server.clients.find(String(answer['client_id']), test.report)
    expect(client?.secretDigest).toBe(digest(String(answer['client_secret'])))
    expect(client?.authMethods).toEqual(['client_secret_basic'])
  })

  it('makes no secret for who needs none', async () => {
    const test = createServer()
    const answer = await registerClient(PUBLIC, test.server, test.report)
    expect(Object.keys(answer).filter((name) => name.startsWith('client_secret'))).toEqual([])
  })

  it('tells of redirect URIs that were left out, shortened', async () => {
    const test = createServer()
    const long = `http://web.example/${'x'.repeat(1000)}`
    await registerClient({ ...PUBLIC, redirect_uris: [REDIRECT_URI, long] }, test.server, test.report)
    expect(test.events).toEqual([
      expect.objectContaining({
        dropped: [`${long.slice(0, 200)}: http, which only localhost, 127.0.0.1 and [::1] may use`],
      }),
    ])
  })

  it('D1 ten thousand at once: a thousand an hour are kept, and who came before stays', async () => {
    const test = createServer()
    const before = await registerClient(PUBLIC, test.server, test.report)
    let [kept, refused] = [0, 0]
    for (let n = 0; n < 10_000; n++) {
      const flood = registerClient({ ...PUBLIC, client_name: `Flood ${n}` }, test.server, test.report)
      const outcome = await flood.catch((error: unknown) => error)
      if (outcome instanceof OAuthError) refused += Number(outcome.status === 429)
      else kept++
    }
    expect([kept, refused]).toEqual([999, 9001])
    expect((await registerClient(PUBLIC, test.server, test.report))['client_id']).toBe(before['client_id'])
  })

  it('A5 keeps to the patterns of the operator', async () => {
    const test = createServer({ allowedClientRedirectUris: ['https://*.example.com/callback'] })
    const uris = ['https://a.example.com/callback', REDIRECT_URI]
    const answer = await registerClient({ ...PUBLIC, redirect_uris: uris }, test.server, test.report)
    expect(answer['redirect_uris']).toEqual(uris.slice(0, 1))
    expect((await refusal(registerClient(PUBLIC, test.server, test.report)))[0]).toBe('invalid_redirect_uri')
  })

  it('refuses what cannot be registered, and spends nothing for it', async () => {
    const test = createServer({ clientRegistration: { maxPerHour: 1 } })
    expect((await refusal(registerClient({}, test.server, test.report)))[0]).toBe('invalid_redirect_uri')
    expect((await refusal(registerClient([], test.server, test.report)))[0]).toBe('invalid_client_metadata')
    await expect(registerClient(PUBLIC, test.server, test.report)).resolves.toBeDefined()
    expect(test.events).toHaveLength(1)
  })
})

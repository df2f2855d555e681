import type { OAuthProviderOptions } from 'express-mcp-auth'
import { describe, expect, it } from '@jest/globals'
import {
  type Answer,
  type Outcome,
  decide,
  grantUnasked,
  isConsentKnown,
  refusalTo,
} from '../../lib/authorization-server/consent.js'
import { listConnections } from '../../lib/authorization-server/connections.js'
import type { Arrival, AuthorizationRequest, Client } from '../../lib/authorization-server/records.js'
import {
  type Transaction,
  beginTransaction,
  findTransaction,
} from '../../lib/authorization-server/transaction.js'
import { OAuthError } from '../../lib/protocol/errors.js'
import { REDIRECT_URI, pkce } from '../support/authorization-server.js'
import { createProxyServer } from '../support/proxy-server.js'
import { digest } from '../../lib/runtime/digest.js'
import { ADA, APP, BASE_URL, type TestServer, createServer, collectionOf } from '../support/server.js'

const { verifier, challenge } = pkce()
const REQUEST: AuthorizationRequest = {
  clientId: 'app',
  redirectUri: REDIRECT_URI,
  state: 'a state',
  scopes: ['read', 'write'],
  challenge,
}
const ALLOW = { allow: true, scopes: ['read', 'write'], asked: true }
const DENY = { allow: false, scopes: [], asked: true }

const begin = async ({ server }: TestServer, request = REQUEST): Promise<() => Promise<Transaction>> => {
  const handle = await beginTransaction(request, 'browser', 'user', server)
  return async () => (await findTransaction(handle, 'browser', server)) as Transaction
}

const answer = async (
  { server, report }: TestServer,
  transaction: Transaction,
  said: Answer,
  user = ADA,
): Promise<Outcome> => decide(transaction, APP, user, said, server, report)

const parametersOf = ({ sendTo }: { readonly sendTo?: string | undefined }): Record<string, string> =>
  Object.fromEntries(new URL(String(sendTo)).searchParams)

describe('decide', () => {
  it('grants what was allowed: the code is good', async () => {
    const test = createServer()
    const outcome = await answer(test, await (await begin(test))(), {
      allow: true,
      scopes: ['read'],
      asked: true,
    })
    const { code, ...rest } = parametersOf(outcome)
    expect(rest).toEqual({ state: 'a state', iss: BASE_URL })
    expect((await test.exchange(String(code), verifier)).scope).toBe('read')
    expect(test.events).toEqual([
      { type: 'authorization.granted', clientId: 'app', subject: 'ada', scopes: ['read'], asked: true },
    ])
  })

  it('tells apart who was asked from who decided before', async () => {
    const test = createServer()
    await answer(test, await (await begin(test))(), { ...ALLOW, asked: false })
    expect(test.events).toEqual([expect.objectContaining({ type: 'authorization.granted', asked: false })])
  })

  it('tells the client of a refusal', async () => {
    const test = createServer()
    const outcome = await answer(test, await (await begin(test))(), DENY)
    expect(parametersOf(outcome)).toEqual({
      error: 'access_denied',
      error_description: 'The request was denied',
      state: 'a state',
      iss: BASE_URL,
    })
    expect(test.events).toEqual([{ type: 'authorization.denied', clientId: 'app', subject: 'ada' }])
    expect(await listConnections('ada', test.server)).toEqual([])
  })

  it('U9 a button that is pressed twice gives the same answer, as long as the code waits', async () => {
    const test = createServer()
    const read = await begin(test)
    const first = await answer(test, await read(), ALLOW)
    const second = await answer(test, await read(), ALLOW)
    expect(second).toEqual({ again: true, sendTo: first.sendTo })
    await test.exchange(String(parametersOf(first)['code']), verifier)
    expect(await answer(test, await read(), ALLOW)).toEqual({ again: true, sendTo: undefined })
    expect(test.events.filter(({ type }) => type === 'authorization.granted')).toHaveLength(1)
  })

  it('U9 a refusal that is sent twice is one', async () => {
    const test = createServer()
    const read = await begin(test)
    const first = await answer(test, await read(), DENY)
    expect(await answer(test, await read(), DENY)).toEqual({ again: true, sendTo: first.sendTo })
    expect(test.events).toHaveLength(1)
  })

  it('U9 nothing is decided twice: not the other way, not with other scopes, not by somebody else', async () => {
    const over = { again: true, sendTo: undefined }
    const denied = createServer()
    const read = await begin(denied)
    await answer(denied, await read(), DENY)
    expect(await answer(denied, await read(), ALLOW)).toEqual(over)
    const allowed = createServer()
    const readAllowed = await begin(allowed)
    await answer(allowed, await readAllowed(), ALLOW)
    expect(await answer(allowed, await readAllowed(), DENY)).toEqual(over)
    expect(
      await answer(allowed, await readAllowed(), { allow: true, scopes: ['read'], asked: true }),
    ).toEqual(over)
    expect(await answer(allowed, await readAllowed(), ALLOW, { subject: 'eve' })).toEqual(over)
  })

  it('U9 F9 of two at once one decides, and the other leaves no grant', async () => {
    const test = createServer()
    const read = await begin(test)
    const transaction = await read()
    const outcomes = await Promise.all(Array.from({ length: 20 }, () => answer(test, transaction, ALLOW)))
    expect(new Set(outcomes.map(({ sendTo }) => sendTo)).size).toBe(1)
    expect(outcomes.filter((outcome) => 'again' in outcome)).toHaveLength(19)
    await test.exchange(String(parametersOf(outcomes[0]!)['code']), verifier)
    expect(await listConnections('ada', test.server)).toHaveLength(1)
    const denied = await (await begin(test))()
    const refusals = await Promise.all([answer(test, denied, DENY), answer(test, denied, DENY)])
    expect(new Set(refusals.map(({ sendTo }) => sendTo)).size).toBe(1)
    expect(refusals.filter((outcome) => 'again' in outcome)).toHaveLength(1)
    const other = await begin(test)
    const pending = await other()
    const mixed = await Promise.all([answer(test, pending, DENY), answer(test, pending, ALLOW)])
    expect(mixed.filter((outcome) => 'again' in outcome)).toEqual([{ again: true, sendTo: undefined }])
  })

  it('U9 where the transaction ends meanwhile there is no answer and no grant', async () => {
    const test = createServer()
    const transaction = await (await begin(test))()
    test.store.before = async ({ method, collection }) => {
      if (method !== 'compareAndSwap' || collection !== collectionOf('transactions')) return
      test.store.before = undefined
      test.clock.advance(600)
    }
    expect(await answer(test, transaction, ALLOW)).toEqual({ again: true, sendTo: undefined })
    expect(test.events).toEqual([])
  })
})

describe('isConsentKnown', () => {
  const known = async (
    options: Partial<OAuthProviderOptions>,
    {
      client = APP,
      request = REQUEST,
      arrival = 'user',
      decided = true,
      user = ADA,
    }: {
      client?: Client
      request?: AuthorizationRequest
      arrival?: Arrival
      decided?: boolean
      user?: typeof ADA
    } = {},
  ): Promise<boolean> => {
    const test = createServer(options)
    if (decided) await answer(test, await (await begin(test))(), ALLOW)
    return isConsentKnown(client, request, user, arrival, test.server)
  }

  it('U1 is never, by default', async () => {
    expect(await known({})).toBe(false)
  })

  it('U6 with "remember" it is for the same user, client, address and no more scopes', async () => {
    const remember = { consent: 'remember' } as const
    expect(await known(remember)).toBe(true)
    expect(await known(remember, { request: { ...REQUEST, scopes: ['read'] } })).toBe(true)
    expect(await known(remember, { decided: false })).toBe(false)
    expect(await known(remember, { request: { ...REQUEST, scopes: ['read', 'admin'] } })).toBe(false)
    expect(await known(remember, { request: { ...REQUEST, redirectUri: 'https://x.example/' } })).toBe(false)
    expect(await known(remember, { request: { ...REQUEST, prompt: 'consent' } })).toBe(false)
    expect(await known(remember, { client: { ...APP, clientId: 'other' } })).toBe(false)
    expect(await known(remember, { user: { subject: 'eve' } })).toBe(false)
    expect(await known(remember, { arrival: 'other_site' })).toBe(false)
    expect(await known(remember, { arrival: 'unknown' })).toBe(false)
  })

  it('U1 with false it is for configured clients, and on this machine for any', async () => {
    const registered: Client = { ...APP, origin: 'registered' }
    expect(await known({ consent: false })).toBe(true)
    expect(await known({ consent: false }, { client: registered })).toBe(false)
    expect(await known({ consent: false }, { request: { ...REQUEST, prompt: 'consent' } })).toBe(false)
    const local = { consent: false, baseUrl: 'http://localhost:3000' } as const
    const web = { ...REQUEST, redirectUri: 'https://client.example/callback' }
    for (const arrival of ['user', 'unknown'] as const) {
      expect(await known(local, { client: registered, request: web, arrival })).toBe(true)
    }
    expect(await known(local, { client: registered, request: web, arrival: 'other_site' })).toBe(false)
    expect(await known(local, { client: registered, arrival: 'other_site' })).toBe(true)
  })
})

describe('isConsentKnown, where an identity provider signs people in,', () => {
  it('U1 is always with "external", where somebody else asks', async () => {
    const { server } = createProxyServer({ consent: 'external' })
    const client: Client = { ...APP, origin: 'registered' }
    const request = { ...REQUEST, prompt: 'consent' } as const
    expect(await isConsentKnown(client, request, { browser: 'x' }, 'other_site', server)).toBe(true)
  })

  it('U6 with "remember" it is for the same browser, for what was agreed to, as long as the grant lives', async () => {
    const test = createProxyServer({ consent: 'remember' })
    const known = (
      browser = 'a browser',
      arrival: Arrival = 'user',
      more: Partial<AuthorizationRequest> = {},
    ): Promise<boolean> =>
      isConsentKnown(APP, { ...REQUEST, ...more }, { browser: digest(browser) }, arrival, test.server)
    expect(await known()).toBe(false)
    // P7: that less was granted does not mean that they did not agree.
    test.upstream.tells = ['read']
    const { code, verifier: used, grantId } = await test.begin()
    expect(await known()).toBe(true)
    await test.exchange(code, used)
    expect(await known()).toBe(true)
    expect(await known('another browser')).toBe(false)
    expect(await known('a browser', 'other_site')).toBe(false)
    expect(await known('a browser', 'user', { scopes: ['read', 'write', 'admin'] })).toBe(false)
    expect(await known('a browser', 'user', { redirectUri: 'https://x.example/' })).toBe(false)
    for (const prompt of ['login', 'select_account'] as const)
      expect(await known('a browser', 'user', { prompt })).toBe(false)
    expect(await isConsentKnown(APP, REQUEST, { subject: 'idp|grace' }, 'user', test.server)).toBe(false)
    await test.server.grants.remove(grantId)
    expect(await known()).toBe(false)
  })

  it('U6 is never, without "remember"', async () => {
    const test = createProxyServer()
    await test.begin()
    const whose = { browser: digest('a browser') }
    expect(await isConsentKnown(APP, REQUEST, whose, 'user', test.server)).toBe(false)
  })
})

describe('grantUnasked', () => {
  it('gives a code, and says that nobody was asked', async () => {
    const test = createServer()
    const granted = { client: APP, request: REQUEST, user: ADA, scopes: ['read'] }
    const sendTo = await grantUnasked(granted, test.server, test.report)
    const { code, ...rest } = parametersOf({ sendTo })
    expect(rest).toEqual({ state: 'a state', iss: BASE_URL })
    expect((await test.exchange(String(code), verifier)).scope).toBe('read')
    expect(test.events[0]).toMatchObject({ type: 'authorization.granted', asked: false })
  })
})

describe('refusalTo', () => {
  it('A12 names the issuer once, and no state where there was none', () => {
    const { server } = createServer()
    const target = { redirectUri: 'https://client.example/callback?iss=x' }
    const url = new URL(refusalTo(target, new OAuthError('invalid_scope', 'say "what"'), server))
    expect(url.origin + url.pathname).toBe('https://client.example/callback')
    expect(url.searchParams.getAll('iss')).toEqual([BASE_URL])
    expect(url.searchParams.get('error_description')).toBe("say 'what'")
    expect(url.searchParams.has('state')).toBe(false)
  })
})

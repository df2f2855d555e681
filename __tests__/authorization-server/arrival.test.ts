import { describe, expect, it } from '@jest/globals'
import { type Arrived, arrive } from '../../lib/authorization-server/arrival.js'
import { listConnections } from '../../lib/authorization-server/connections.js'
import { decideTransaction, readTransaction } from '../../lib/authorization-server/transaction.js'
import { beginTrip, claimTrip, findTrip } from '../../lib/authorization-server/trip.js'
import { digest } from '../../lib/runtime/digest.js'
import { REDIRECT_URI, SECRET } from '../support/authorization-server.js'
import { unreachable } from '../support/hooked-store.js'
import { type ProxyServer, answerOf, createProxyServer } from '../support/proxy-server.js'
import { BASE_URL, refusal } from '../support/server.js'
import { GRACE, away, gate, refusing } from '../support/upstream-double.js'

const onlyTypes = ({ events }: ProxyServer): string[] => events.map(({ type }) => type)

describe('whoever comes back', () => {
  it('is let in: the code is good, and the grant keeps what the identity provider gave', async () => {
    const test = createProxyServer()
    const { state, verifier } = await test.depart({ state: 'of the client' })
    const { code, ...rest } = answerOf(await test.arrive(state))
    expect(rest).toEqual({ state: 'of the client', iss: BASE_URL })
    expect(await test.exchange(String(code), verifier)).toMatchObject({ scope: 'read write', expires_in: 3600 }) // prettier-ignore
    const { data } = await test.grantOf(String(code).slice(0, 24))
    expect(data).toMatchObject({
      subject: 'idp|grace',
      upstream: {
        renewable: true,
        round: 0,
        obtainedAt: test.clock.now(),
        expiresAt: test.clock.now() + 3_600_000,
      },
    })
    expect(data).not.toHaveProperty('claims')
    expect(await listConnections('idp|grace', test.server)).toHaveLength(1)
    expect(test.events).toEqual([
      {
        type: 'authorization.granted',
        clientId: 'app',
        subject: 'idp|grace',
        scopes: ['read', 'write'],
        asked: true,
      },
    ])
  })

  it('brings what the trip was bound to, for the registered URL', async () => {
    const test = createProxyServer()
    const { state } = await test.depart({ namesResource: true })
    const left = test.upstream.last('authorizationUrl').trip
    await test.arrive(state, { code: 'the code', iss: 'https://id.example.com' })
    const call = test.upstream.last('exchange')
    expect(call).toMatchObject({ trip: left, redirectUri: `${BASE_URL}/auth/callback` })
    expect(Object.fromEntries(call.callback!)).toEqual({
      state,
      code: 'the code',
      iss: 'https://id.example.com',
    })
    expect(test.upstream.last('identify')).toMatchObject({
      origin: { scopes: ['read', 'write'], resource: `${BASE_URL}/mcp`, nonce: left?.nonce },
      known: undefined,
    })
  })

  it('P7 gets what the identity provider granted, where that is less than was agreed to', async () => {
    const test = createProxyServer()
    test.upstream.tells = ['read', 'profile']
    const { code, verifier } = await test.begin()
    expect((await test.exchange(code, verifier)).scope).toBe('read')
    test.upstream.tells = undefined
    test.upstream.user = { ...GRACE, scopes: ['write'] }
    const known = await test.begin()
    expect((await test.exchange(known.code, known.verifier)).scope).toBe('write')
  })

  it('P1 has used the state up: a replay is known to nobody, and asks the identity provider nothing', async () => {
    const test = createProxyServer()
    const { state, verifier } = await test.depart()
    const trip = (await findTrip(state, test.server))!
    const { code } = answerOf(await test.arrive(state))
    expect(await test.arrive(state)).toBeUndefined()
    const again = (): Promise<Arrived> => arrive(trip, new URLSearchParams({ state, code: 'another' }), test.server, test.report) // prettier-ignore
    expect(await again()).toEqual({ page: 'already_decided', continueTo: expect.stringContaining(String(code)) }) // prettier-ignore
    await test.exchange(String(code), verifier)
    expect(await again()).toEqual({ page: 'already_decided', continueTo: undefined })
    expect(test.upstream.count('exchange')).toBe(1)
  })

  it('P1 twice at once is let in once, in whichever process', async () => {
    const test = createProxyServer()
    const other = test.replica()
    const { state } = await test.depart()
    const arrived = await Promise.all([test.arrive(state), other.arrive(state), test.arrive(state)])
    expect(arrived.filter((one) => one !== undefined && 'sendTo' in one)).toHaveLength(1)
    expect(arrived.filter((one) => one !== undefined && 'page' in one)).toEqual([
      { page: 'already_decided' },
      { page: 'already_decided' },
    ])
    expect(test.upstream.count('exchange')).toBe(1)
  })

  it('U6 PX-02 what somebody else agreed to in this browser is nobody else’s word: it is forgotten, and asked', async () => {
    const test = createProxyServer({ consent: 'remember' })
    const { state: first } = await test.depart()
    expect(answerOf(await test.arrive(first))).toHaveProperty('code')
    const unasked = (): ReturnType<typeof test.depart> => test.depart({}, false)
    expect(answerOf(await test.arrive((await unasked()).state))).toHaveProperty('code')
    test.upstream.user = { ...GRACE, subject: 'idp|alan' }
    const second = await unasked()
    expect(await test.arrive(second.state)).toEqual({ ask: second.transaction })
    expect(await listConnections('idp|alan', test.server)).toEqual([])
    test.upstream.user = GRACE
    const third = await unasked()
    expect(await test.arrive(third.state)).toEqual({ ask: third.transaction })
  })

  it('waits for whoever is being let in, and takes over from a process that ended', async () => {
    const test = createProxyServer()
    const { state } = await test.depart()
    await claimTrip((await findTrip(state, test.server))!, test.server)
    test.clock.advance(149)
    expect(await test.arrive(state)).toEqual({ page: 'already_decided' })
    expect(test.upstream.count('exchange')).toBe(0)
    test.clock.advance(1)
    expect(answerOf(await test.arrive(state))).toHaveProperty('code')
  })

  it('U9 of two ways of one request one is granted, and the other goes on to that', async () => {
    const test = createProxyServer()
    const { state, transaction } = await test.depart()
    const plan = (await findTrip(state, test.server))!.stored.data
    const second = await beginTrip(plan, test.server, test.report)
    const slow = gate()
    test.upstream.next('exchange', slow.step)
    const first = test.arrive(state)
    await slow.reached
    const { code } = answerOf(await test.arrive(second.state))
    slow.open()
    expect(await first).toEqual({ page: 'already_decided', continueTo: expect.stringContaining(String(code)) }) // prettier-ignore
    expect((await readTransaction(transaction, test.server))?.stored.data.decided?.grantId).toBe(code?.slice(0, 24)) // prettier-ignore
    expect(await listConnections('idp|grace', test.server)).toEqual([])
    expect(onlyTypes(test)).toEqual(['authorization.granted'])
  })

  it('U9 is granted nothing where the request was denied meanwhile', async () => {
    const test = createProxyServer()
    const { state, transaction } = await test.depart()
    test.upstream.next('exchange', async () => {
      const read = (await readTransaction(transaction, test.server))!
      await decideTransaction(read, { allow: false, scopes: [] }, test.server)
    })
    expect(await test.arrive(state)).toEqual({ page: 'already_decided', continueTo: undefined })
    expect(onlyTypes(test)).toEqual([])
  })
})

describe('nobody is let in, and nobody asked,', () => {
  const turned = async (test: ProxyServer, state: string, by = test): Promise<unknown> => {
    const arrived = await by.arrive(state)
    expect(test.upstream.count('exchange')).toBe(0)
    expect(test.events).toEqual([])
    return arrived
  }

  it('where the request has ended', async () => {
    const test = createProxyServer()
    const { state, transaction } = await test.depart()
    await test.server.transactions.remove(digest(transaction))
    expect(await turned(test, state)).toEqual({ page: 'expired' })
  })

  it('U9 where the request was denied, which the client is told of once more', async () => {
    const test = createProxyServer()
    const { state, transaction } = await test.depart()
    const read = (await readTransaction(transaction, test.server))!
    await decideTransaction(read, { allow: false, scopes: [] }, test.server)
    expect(await turned(test, state)).toEqual({
      page: 'already_decided',
      continueTo: expect.stringContaining('error=access_denied'),
    })
  })

  it('where the client is no longer known, or has another address', async () => {
    const test = createProxyServer()
    const { state } = await test.depart()
    const without = test.replica({ clients: [] })
    expect(await turned(test, state, without)).toEqual({ page: 'unknown_client' })
    const moved = test.replica({
      clients: [{ clientId: 'app', redirectUris: ['https://app.example.com/callback'] }],
    })
    expect(await turned(test, state, moved)).toEqual({ page: 'redirect_uri_mismatch' })
  })

  it('G3 where the secret that sealed the trip was dropped', async () => {
    const test = createProxyServer()
    const { state } = await test.depart()
    expect(await turned(test, state, test.replica({ secret: `another ${SECRET}` }))).toEqual({
      page: 'expired',
    })
    expect(answerOf(await test.arrive(state))).toHaveProperty('code')
  })
})

describe('where the identity provider cannot be asked', () => {
  it('F5 the same browser tries again with what it brought', async () => {
    const test = createProxyServer()
    const { state } = await test.depart()
    test.upstream.next('exchange', away)
    expect(await refusal(test.arrive(state))).toEqual(['temporarily_unavailable', 'Example ID: connect ECONNREFUSED 203.0.113.7:443']) // prettier-ignore
    expect(answerOf(await test.arrive(state))).toHaveProperty('code')
    expect(onlyTypes(test)).toEqual(['upstream.failed', 'authorization.granted'])
  })

  it('F5 once the code is used up, the client is told to try again', async () => {
    for (const said of [new Error('connect ECONNREFUSED'), 'connect ECONNREFUSED']) {
      const test = createProxyServer()
      const { state } = await test.depart()
      test.upstream.next('identify', () => {
        throw said as Error
      })
      expect(answerOf(await test.arrive(state))).toEqual({
        error: 'temporarily_unavailable',
        error_description: 'The identity provider cannot be reached right now',
        iss: BASE_URL,
      })
      expect(await test.arrive(state)).toBeUndefined()
      expect(test.events.at(-1)).toEqual({
        type: 'authorization.refused',
        clientId: 'app',
        error: 'temporarily_unavailable',
        detail: 'who signed in cannot be verified: connect ECONNREFUSED',
      })
    }
  })

  it('G6 where the store fails once the code is used up, there is no grant, and the client is told later', async () => {
    const test = createProxyServer()
    const { state } = await test.depart()
    const { grants } = test.server
    test.upstream.next('identify', () => {
      test.store.before = unreachable
    })
    await expect(test.arrive(state)).rejects.toThrow('ECONNREFUSED 10.0.0.5:6379')
    test.store.before = undefined
    expect(await test.arrive(state)).toEqual({ page: 'already_decided' })
    test.clock.advance(150)
    expect(answerOf(await test.arrive(state))).toMatchObject({ error: 'server_error' })
    expect(await listConnections('idp|grace', test.server)).toEqual([])
    expect(await grants.get('x')).toBeUndefined()
    expect(onlyTypes(test)).toEqual(['upstream.refused', 'authorization.refused'])
  })
})

describe('where the identity provider says no', () => {
  const DENIED = ['access_denied', 'The identity provider did not let the user in'] as const
  const FAILED = ['server_error', 'Signing in at the identity provider failed'] as const
  const BUSY = ['temporarily_unavailable', 'The identity provider cannot be reached right now'] as const

  it.each([
    ['access_denied', DENIED],
    ['login_required', DENIED],
    ['consent_required', DENIED],
    ['interaction_required', DENIED],
    ['account_selection_required', DENIED],
    ['invalid_id_token', DENIED],
    ['temporarily_unavailable', BUSY],
    ['invalid_grant', FAILED],
    ['invalid_client', FAILED],
    ['invalid_target', FAILED],
    ['<script>', FAILED],
    ['constructor', FAILED],
  ] as const)('%s, the client is told in words of ours', async (code, [error, description]) => {
    const test = createProxyServer()
    const { state, transaction } = await test.depart({ state: 'of the client' })
    expect(answerOf(await test.arrive(state, { error: code, error_description: 'of theirs' }))).toEqual({
      error,
      error_description: description,
      state: 'of the client',
      iss: BASE_URL,
    })
    expect(test.events).toEqual([
      {
        type: 'upstream.refused',
        name: 'Example ID',
        operation: 'sign_in',
        error: code,
        detail: `it says ${code}`,
      },
      { type: 'authorization.refused', clientId: 'app', error, detail: `it says ${code}` },
    ])
    expect(await test.arrive(state)).toBeUndefined()
    expect((await readTransaction(transaction, test.server))?.stored.data.decided).toEqual({
      allow: false,
      scopes: [],
    })
  })

  it('whose the tokens are, nobody is let in, and operators are told why', async () => {
    const test = createProxyServer()
    const { state } = await test.depart()
    test.upstream.next('identify', ({ refuse }) => {
      refuse({ stage: 'audience', expected: 'this app', got: 'another' })
      return refuse({ stage: 'tenant' })
    })
    expect(answerOf(await test.arrive(state))).toMatchObject({ error: 'access_denied' })
    expect(test.events.at(-1)).toMatchObject({
      type: 'authorization.refused',
      detail:
        'the access token was refused: audience: expected this app, got another; tenant: expected something else, got nothing',
    })
    expect(test.server.renewals.size).toBe(0)
    expect(await listConnections('idp|grace', test.server)).toEqual([])
  })

  it('P3 and it is another one, what ours says may still come', async () => {
    const test = createProxyServer()
    const { state } = await test.depart()
    test.upstream.next('exchange', refusing('invalid_response'))
    expect(await test.arrive(state, { code: 'x', iss: 'https://evil.example' })).toEqual({
      page: 'malformed_request',
      detail: 'The identity provider did not write this answer',
    })
    expect(answerOf(await test.arrive(state))).toHaveProperty('code')
  })

  it('of the resource, it is asked once more without it', async () => {
    const test = createProxyServer()
    const { state, transaction, verifier } = await test.depart({ namesResource: true, prompt: 'login' })
    const arrived = await test.arrive(state, { error: 'invalid_target' })
    if (arrived === undefined || !('leave' in arrived)) throw new Error('nobody leaves again')
    expect(await test.arrive(state)).toBeUndefined()
    const { trip } = test.upstream.last('authorizationUrl')
    expect(trip).toMatchObject({ scopes: ['read', 'write'], resource: undefined, prompt: 'login' })
    const { code } = answerOf(await test.arrive(arrived.leave.state))
    expect(await test.exchange(String(code), verifier)).toMatchObject({ scope: 'read write' })
    expect((await readTransaction(transaction, test.server))?.stored.data.decided?.allow).toBe(true)
  })

  it('U9 nothing is said to a client that had its answer meanwhile', async () => {
    const test = createProxyServer()
    const { state, transaction } = await test.depart()
    test.upstream.next('exchange', async () => {
      const read = (await readTransaction(transaction, test.server))!
      await decideTransaction(read, { allow: false, scopes: [] }, test.server)
      return refusing('access_denied')({ report: test.report, refuse: () => null })
    })
    expect(await test.arrive(state)).toEqual({ page: 'already_decided' })
    expect(onlyTypes(test)).toEqual(['upstream.refused'])
  })
})

describe('whoever comes for their own pages', () => {
  const departed = async (test: ProxyServer): Promise<string> => {
    const plan = { purpose: { kind: 'connections' }, scopes: [] } as const
    return (await beginTrip(plan, test.server, test.report)).state
  }

  it('is signed in, once, and their claims stay where they are', async () => {
    const test = createProxyServer()
    const state = await departed(test)
    expect(await test.arrive(state)).toEqual({ signedIn: { subject: 'idp|grace', name: 'Grace' } })
    expect(await test.arrive(state)).toBeUndefined()
    expect(test.upstream.count('exchange')).toBe(1)
    expect(await listConnections('idp|grace', test.server)).toEqual([])
  })

  it('is told where that failed, and tries again where nothing was decided', async () => {
    const test = createProxyServer()
    const refused = await departed(test)
    expect(await test.arrive(refused, { error: 'access_denied' })).toEqual({ page: 'sign_in_failed' })
    expect(await test.arrive(refused)).toBeUndefined()
    const state = await departed(test)
    test.upstream.next('exchange', away)
    expect((await refusal(test.arrive(state)))[0]).toBe('temporarily_unavailable')
    expect(await test.arrive(state)).toHaveProperty('signedIn')
  })

  it('is sent to no client', async () => {
    const test = createProxyServer()
    const arrived = await test.arrive(await departed(test), { error: 'invalid_target' })
    expect(arrived).toEqual({ page: 'sign_in_failed' })
    expect(JSON.stringify(test.events)).not.toContain(REDIRECT_URI)
  })
})

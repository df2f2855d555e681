import { describe, expect, it } from '@jest/globals'
import { findTransaction } from '../../lib/authorization-server/transaction.js'
import {
  type Trip,
  type TripPlan,
  beginTrip,
  callbackUrl,
  claimTrip,
  endTrip,
  findTrip,
  openTrip,
  planTrip,
  releaseTrip,
} from '../../lib/authorization-server/trip.js'
import type { AuthorizationRequest } from '../../lib/authorization-server/records.js'
import { digest } from '../../lib/runtime/digest.js'
import { REDIRECT_URI, SECRET } from '../support/authorization-server.js'
import { type ProxyServer, createProxyServer } from '../support/proxy-server.js'
import { BASE_URL, refusal } from '../support/server.js'
import { away } from '../support/upstream-double.js'

const REQUEST: AuthorizationRequest = {
  clientId: 'app',
  redirectUri: REDIRECT_URI,
  scopes: ['read', 'write'],
  challenge: 'x'.repeat(43),
}
const PLAN: TripPlan = { purpose: { kind: 'connections' }, scopes: ['read'] }

const found = async ({ server }: ProxyServer, state: string): Promise<Trip> => {
  const trip = await findTrip(state, server)
  if (trip === undefined) throw new Error('there is no such trip')
  return trip
}

describe('planTrip', () => {
  const { server, upstream } = createProxyServer()
  const plan = (more: Partial<AuthorizationRequest>): TripPlan =>
    planTrip('a handle', { ...REQUEST, ...more }, { scopes: ['read'], asked: true }, server)

  it('asks for what the person agreed to, and no more', () => {
    expect(plan({})).toEqual({
      purpose: { kind: 'grant', transaction: 'a handle' },
      asked: true,
      scopes: ['read'],
      resource: undefined,
      prompt: undefined,
    })
  })

  it('tells the resource where the client did, and the identity provider may be told', () => {
    expect(plan({ namesResource: true }).resource).toBe(`${BASE_URL}/mcp`)
    upstream.forwardsResource = false
    expect(plan({ namesResource: true }).resource).toBeUndefined()
  })

  it('hands on who wants to sign in anew; consent and silence are ours', () => {
    const prompts = ['login', 'select_account', 'consent', 'none'] as const
    expect(prompts.map((prompt) => plan({ prompt }).prompt)).toEqual([
      'login',
      'select_account',
      undefined,
      undefined,
    ])
  })
})

describe('beginTrip', () => {
  it('sends the browser to the identity provider, back to the URL that is registered there', async () => {
    const test = createProxyServer()
    const plan: TripPlan = { ...PLAN, resource: `${BASE_URL}/mcp`, prompt: 'login' }
    const { state, url } = await beginTrip(plan, test.server, test.report)
    expect(new URL(url).searchParams.get('state')).toBe(state)
    expect(callbackUrl(test.server)).toBe(`${BASE_URL}/auth/callback`)
    expect(test.upstream.last('authorizationUrl')).toMatchObject({
      trip: { state, scopes: ['read'], resource: `${BASE_URL}/mcp`, prompt: 'login' },
      redirectUri: `${BASE_URL}/auth/callback`,
    })
    const trip = await found(test, state)
    expect(openTrip(trip, test.server)).toEqual(test.upstream.last('authorizationUrl').trip)
  })

  it('P8 state, verifier and nonce are randoms of their own', async () => {
    const test = createProxyServer()
    const trips = await Promise.all(
      Array.from({ length: 5 }, () => beginTrip(PLAN, test.server, test.report)),
    )
    const sent = test.upstream.calls.map(({ trip }) => trip!)
    expect(new Set(sent.flatMap(({ state, verifier, nonce }) => [state, verifier, nonce])).size).toBe(15)
    for (const { verifier } of sent) expect(verifier).toMatch(/^[\w-]{43,128}$/)
    expect(trips.some(({ url }) => sent.some(({ verifier }) => url.includes(verifier)))).toBe(false)
  })

  it('G1 keeps neither state, nor verifier, nor nonce', async () => {
    const test = createProxyServer()
    const { state } = await beginTrip(PLAN, test.server, test.report)
    const { verifier, nonce } = test.upstream.last('authorizationUrl').trip!
    const kept = JSON.stringify((await test.server.trips.get(digest(state)))?.data)
    expect(kept).toContain('"sealed"')
    for (const secret of [state, verifier, nonce]) expect(kept).not.toContain(secret)
  })

  it('gives the request as long again, since people look for their passwords', async () => {
    const test = createProxyServer()
    const { transaction } = await test.depart()
    test.clock.advance(599)
    await beginTrip(
      planTrip(transaction, REQUEST, { scopes: ['read'], asked: true }, test.server),
      test.server,
      test.report,
    )
    test.clock.advance(599)
    expect(await findTransaction(transaction, 'a browser', test.server)).toMatchObject({
      handle: transaction,
    })
    test.clock.advance(1)
    expect(await findTransaction(transaction, 'a browser', test.server)).toBe('expired')
  })

  it('brings no request back that has ended', async () => {
    const test = createProxyServer()
    await beginTrip(
      planTrip('ended', REQUEST, { scopes: ['read'], asked: true }, test.server),
      test.server,
      test.report,
    )
    expect(await findTransaction('ended', 'a browser', test.server)).toBe('expired')
  })

  it('writes nothing where the identity provider cannot be reached, and says so to operators', async () => {
    const test = createProxyServer()
    test.upstream.next('authorizationUrl', away)
    test.store.before = ({ collection }) => {
      throw new Error(`${collection} was written`)
    }
    expect(await refusal(beginTrip(PLAN, test.server, test.report))).toEqual(['temporarily_unavailable', 'Example ID: connect ECONNREFUSED 203.0.113.7:443']) // prettier-ignore
    expect(test.events).toEqual([
      {
        type: 'upstream.failed',
        name: 'Example ID',
        operation: 'sign_in',
        message: 'connect ECONNREFUSED 203.0.113.7:443',
      },
    ])
  })
})

describe('a trip', () => {
  it('is found by its state, for ten minutes and until it ended', async () => {
    const test = createProxyServer()
    const one = await beginTrip(PLAN, test.server, test.report)
    const two = await beginTrip(PLAN, test.server, test.report)
    await endTrip(await found(test, one.state), test.server)
    expect(await findTrip(one.state, test.server)).toBeUndefined()
    expect(await findTrip(undefined, test.server)).toBeUndefined()
    expect(await findTrip('unknown', test.server)).toBeUndefined()
    test.clock.advance(599)
    expect(await findTrip(two.state, test.server)).toMatchObject({ state: two.state })
    test.clock.advance(1)
    expect(await findTrip(two.state, test.server)).toBeUndefined()
  })

  it('G3 is opened after the secret was rotated, and not once it was dropped', async () => {
    const test = createProxyServer()
    const { state } = await beginTrip(PLAN, test.server, test.report)
    const trip = await found(test, state)
    const rotated = test.replica({ secret: [`another ${SECRET}`, SECRET] })
    expect(openTrip(trip, rotated.server)).toMatchObject({ state })
    const dropped = test.replica({ secret: `another ${SECRET}` })
    expect(openTrip(trip, dropped.server)).toBeUndefined()
  })

  it('G2 is not opened with what was sealed for another', async () => {
    const test = createProxyServer()
    const one = await found(test, (await beginTrip(PLAN, test.server, test.report)).state)
    const two = await found(test, (await beginTrip(PLAN, test.server, test.report)).state)
    const moved = { ...one, stored: { ...one.stored, data: two.stored.data } }
    expect(openTrip(moved, test.server)).toBeUndefined()
    expect(openTrip(one, test.server)).toBeDefined()
  })
})

describe('a claim', () => {
  const begun = async (): Promise<{ test: ProxyServer; trip: Trip; read: () => Promise<Trip> }> => {
    const test = createProxyServer()
    const { state } = await beginTrip(PLAN, test.server, test.report)
    const read = (): Promise<Trip> => found(test, state)
    return { test, trip: await read(), read }
  }

  it('P1 is for one of many who come at once, in whichever process', async () => {
    const { test, trip } = await begun()
    const other = test.replica()
    const claims = await Promise.all(
      Array.from({ length: 20 }, (_, n) => claimTrip(trip, n % 2 ? test.server : other.server)),
    )
    expect(claims.filter((claim) => claim !== undefined)).toHaveLength(1)
  })

  it('holds longer than clocks may differ, and is then taken over from a process that ended', async () => {
    const { test, trip, read } = await begun()
    await claimTrip(trip, test.server)
    test.clock.advance(149)
    expect(await claimTrip(await read(), test.server)).toBeUndefined()
    test.clock.advance(1)
    expect(await claimTrip(await read(), test.server)).toBeDefined()
    expect(await claimTrip(await read(), test.server)).toBeUndefined()
  })

  it('is given back, so that the same browser can try again', async () => {
    const { test, trip, read } = await begun()
    await releaseTrip((await claimTrip(trip, test.server))!, test.server)
    expect(await claimTrip(await read(), test.server)).toBeDefined()
  })

  it('that was taken over is not given back by whoever had it', async () => {
    const { test, trip, read } = await begun()
    const first = (await claimTrip(trip, test.server))!
    test.clock.advance(150)
    await claimTrip(await read(), test.server)
    await releaseTrip(first, test.server)
    expect(await claimTrip(await read(), test.server)).toBeUndefined()
  })
})

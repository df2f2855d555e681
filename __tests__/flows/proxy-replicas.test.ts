// A proxy in several processes: whichever is asked, killed, raced, cut off from the store or given another secret, a person who signed in stays
// signed in or signs in anew, and the identity provider is asked to renew once. One thing despite its length: all that can happen between two
// processes, on every store. EXHAUSTIVE=1 tries more of it than CI has time for.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals'
import {
  type Answer,
  type Registered,
  SECRET,
  type Tokens,
  answerOf,
  clientsOf,
  pkce,
} from '../support/authorization-server.js'
import { formOf } from '../support/browser-session.js'
import { type TestIdentityProvider, startIdentityProvider } from '../support/identity-provider.js'
import { ProxyJourney, codeIn } from '../support/proxy-journey.js'
import type { ReplicaSettings } from '../support/replica.js'
import {
  type Place,
  type Replica,
  countOf,
  eachOf,
  familiesOf,
  isBack,
  race,
  restarted,
  startBalancer,
  startReplica,
} from '../support/replicas.js'
import {
  type Service,
  describeWithPostgres,
  describeWithRedis,
  startPostgres,
  startRedis,
} from '../support/services.js'

const isExhaustive = process.env['EXHAUSTIVE'] !== undefined
const CLIENTS = isExhaustive ? 50 : 20
/** In milliseconds. */
const LONG = isExhaustive ? 300_000 : 60_000

const opened: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
})

function sqlite(): Place {
  const path = mkdtempSync(join(tmpdir(), 'mcp-auth-proxies-'))
  opened.push(async () => rmSync(path, { recursive: true, force: true }))
  return { kind: 'sqlite', address: join(path, 'store.sqlite') }
}

/** A proxy at one URL, in as many processes as a test starts, and the identity provider behind it. */
interface Front {
  readonly place: Place
  readonly idp: TestIdentityProvider
  /** Who answers from now on. */
  use(...replicas: readonly Replica[]): void
  start(settings?: Partial<ReplicaSettings>): Promise<Replica>
  /** Somebody new whom the identity provider knows, with the one client. */
  visitor(): Promise<ProxyJourney>
  /** What it was asked to renew, so far. */
  renewals(): string[]
}

async function front(place: Place, upstream: Partial<ReplicaSettings['upstream']> = {}): Promise<Front> {
  const { url: baseUrl, use, close } = await startBalancer()
  const idp = await startIdentityProvider({ redirectUri: `${baseUrl}/auth/callback`, scopes: ['notes:read'] })
  opened.push(close, () => idp.close())
  idp.rotateRefreshTokens = true
  const { configUrl, clientId, clientSecret } = idp
  let client: Promise<Registered> | undefined
  return {
    place,
    idp,
    use: (...replicas) => use(...replicas.map(({ url }) => url)),
    async start(settings) {
      const app = { configUrl, clientId, clientSecret, ...upstream }
      const replica = await startReplica({ secret: SECRET, ...place, baseUrl, upstream: app, ...settings })
      opened.push(() => replica.stop('SIGKILL'))
      return replica
    },
    visitor: async () => new ProxyJourney(baseUrl, await (client ??= clientsOf(baseUrl).register()), idp),
    renewals: () =>
      idp.requests.flatMap(({ path, form }) =>
        path === '/token' && form?.['refresh_token'] !== undefined ? [form['refresh_token']] : [],
      ),
  }
}

const exchanges = ({ idp }: Front): number =>
  idp.requests.filter(({ path, form }) => path === '/token' && form?.['code'] !== undefined).length

/** So far behind is a process by whose clock tokens are obtained that have ended by every other. */
const PAST = { ahead: -25_000 }
/** So far ahead is one by whose clock every claim and every lease is over. */
const LATER = { ahead: 151_000 }

/** Somebody who signed in a while ago. */
async function signedIn(
  { idp, use, visitor }: Front,
  past: Replica,
): Promise<{ readonly journey: ProxyJourney; readonly tokens: Tokens }> {
  use(past)
  idp.accessTokenSeconds = 20
  const journey = await visitor()
  const tokens = await journey.signIn()
  idp.accessTokenSeconds = 3600
  return { journey, tokens }
}

/** An outage: nobody is signed out by it, and everybody is told to come again. */
function expectAway({ status, headers, body }: Answer): void {
  expect({ status, body }).toMatchObject({ status: 503, body: { error: 'temporarily_unavailable' } })
  expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
  expect(headers.get('www-authenticate')).toBeNull()
}

function expectPage({ status, headers }: Pick<Answer, 'status' | 'headers'>, expected: number): void {
  expect(status).toBe(expected)
  expect(headers.get('content-type')).toMatch(/^text\/html/)
  expect(headers.get('cache-control')).toContain('no-store')
}

function expectSignedOut({ status, headers }: Answer): void {
  expect(status).toBe(401)
  expect(headers.get('www-authenticate')).toContain('error="invalid_token"')
}

/** Whom each step of a walk is sent to, of two: so that each of all neighbours meet. */
const TURNS: readonly (readonly number[])[] = isExhaustive
  ? Array.from({ length: 128 }, (_, n) => Array.from({ length: 7 }, (__, bit) => (n >> bit) & 1))
  : [[0], [1], [0, 1], [1, 0]]

async function walkEverywhere(proxy: Front, both: readonly Replica[]): Promise<void> {
  const { use, visitor, renewals, place } = proxy
  for (const turns of TURNS) {
    use(...both)
    const journey = await visitor()
    const before = renewals().length
    let n = 0
    for await (const _ of journey.walk()) use(both[turns[n++ % turns.length] as number] as Replica)
    expect({ turns, renewed: renewals().length - before }).toEqual({ turns, renewed: 1 })
    expect(await familiesOf(journey.subject, place)).toEqual({ living: 0, waiting: [] })
  }
}

/** Everybody wants the same thing of two processes at once. */
async function raceForEverything(proxy: Front, both: readonly Replica[], past: Replica): Promise<void> {
  const { use, visitor, renewals, place } = proxy
  const urls = both.map(({ url }) => url)
  const all = 2 * CLIENTS

  // One callback.
  use(...both)
  const journey = await visitor()
  const { verifier, challenge } = pkce()
  const callback = await journey.callback(challenge)
  const cookie = [...journey.ours.browser.cookies(callback)]
    .map(([name, value]) => `${name}=${value}`)
    .join('; ')
  const before = exchanges(proxy)
  const arrived = await race(urls, CLIENTS, (url) =>
    fetch(url + callback.pathname + callback.search, { redirect: 'manual', headers: { cookie } }),
  )
  expect([countOf(arrived, 302), countOf(arrived, 400), exchanges(proxy) - before]).toEqual([1, all - 1, 1])
  const location = arrived.find(({ status }) => status === 302)?.headers.get('location')
  const code = new URL(location ?? '').searchParams.get('code') ?? ''
  for (const answer of arrived.filter(({ status }) => status === 400)) {
    expectPage(answer, 400)
    // Whoever is led on gets to the same place.
    const led = codeIn({ url: callback, html: String(answer.body) })
    expect([code, undefined]).toContain(led)
  }
  const waits = await familiesOf(journey.subject, place)
  expect([waits.living, waits.waiting.length]).toEqual([0, 1])
  expect((await journey.ours.redeem(code, verifier)).status).toBe(200)
  expect(await familiesOf(journey.subject, place)).toEqual({ living: 1, waiting: [] })

  // One token of the identity provider that has ended.
  const { journey: other, tokens } = await signedIn(proxy, past)
  const renewedBefore = renewals().length
  const called = await race(urls, CLIENTS, (url) => clientsOf(url).call(tokens.access_token))
  expect(countOf(called, 200)).toBe(all)
  expect(renewals().length - renewedBefore).toBe(1)
  expect(new Set(called.map(({ body }) => (body as { upstream: string }).upstream)).size).toBe(1)

  // One refresh token of ours.
  const { journey: third, tokens: held } = await signedIn(proxy, past)
  const renewedFirst = renewals().length
  const { client_id } = third.ours.client
  const form = { grant_type: 'refresh_token', client_id, refresh_token: held.refresh_token }
  const refreshed = await race(urls, CLIENTS, (url) =>
    fetch(`${url}/token`, { method: 'POST', body: new URLSearchParams(form) }),
  )
  expect(renewals().length - renewedFirst).toBe(1)
  expect(countOf(refreshed, 200)).toBe(all)
  const successors = new Set(refreshed.map(({ body }) => (body as Tokens).refresh_token))
  expect([successors.size, successors.has(held.refresh_token)]).toEqual([1, false])
  for (const { subject } of [other, third])
    expect(await familiesOf(subject, place)).toEqual({ living: 1, waiting: [] })

  // Whatever was asked for, a refresh token was used once.
  expect(new Set(renewals()).size).toBe(renewals().length)
  const events = [...both, past].flatMap((one) => one.events())
  const wrong = events.filter((event) =>
    event.type === 'grant.revoked' ? event.why !== 'user' : /failed|upstream\.refused/.test(event.type),
  )
  expect(wrong).toEqual([])
}

/** Everything between two processes that live. */
async function share(place: Place): Promise<void> {
  const proxy = await front(place)
  const [one, two, past] = (await Promise.all([{}, {}, PAST].map((settings) => proxy.start(settings)))) as [
    Replica,
    Replica,
    Replica,
  ]
  await walkEverywhere(proxy, [one, two])
  await raceForEverything(proxy, [one, two], past)
}

/** What leaving, a callback, one for our own pages, and a renewal write. */
const LEAVING = ['put trips', 'replace transactions']
const HOMECOMING = ['replace trips', 'delete trips', 'put sessions']
const CALLBACK = ['replace trips', 'create connections', 'put grants', 'replace transactions', 'delete trips']
const LEASED = ['replace grants', 'replace grants']
const REFRESHED = [...LEASED, 'replace grants']

type Kill = NonNullable<ReplicaSettings['killed']>
const before = (nth: number): Kill => ({ when: 'before', nth })
const after = (nth: number): Kill => ({ when: 'after', nth })
const around = (writes: readonly string[]): Kill[] => writes.flatMap((_, n) => [before(n + 1), after(n + 1)])

describe('SQLite, processes that die', () => {
  it(
    'F8 SIGKILL between any two steps: whoever comes next goes on',
    async () => {
      const proxy = await front(sqlite())
      const { use, start, visitor, renewals, place } = proxy
      const first = await start()
      use(first)
      const journey = await visitor()
      const steps: string[] = []
      let last = first
      const [STEPS, AHEAD] = [14, 3]
      const under = Array.from({ length: AHEAD }, () => start())
      for await (const step of journey.walk()) {
        const next = (await under.shift()) as Replica
        if (steps.length + AHEAD < STEPS) under.push(start())
        await last.stop('SIGKILL')
        use(next)
        last = next
        steps.push(step)
      }
      expect(steps).toHaveLength(STEPS)
      expect(renewals()).toHaveLength(1)
      expect(await familiesOf(journey.subject, place)).toEqual({ living: 0, waiting: [] })
    },
    LONG,
  )

  it(
    'F8 SIGKILL inside the callback: somebody else finishes it, or the person begins anew; one grant',
    async () => {
      const proxy = await front(sqlite())
      const { use, start, visitor, place } = proxy
      const [survivor, later] = await Promise.all([start(), start(LATER)])
      use(survivor)
      await (await visitor()).signIn()
      const known = survivor.writes().length
      await (await visitor()).signIn()
      const writes = survivor.writes().slice(known)
      const from = writes.indexOf('replace trips')
      expect(writes.slice(from, from + CALLBACK.length)).toEqual(CALLBACK)

      const kills = isExhaustive ? around(CALLBACK) : [after(1), before(2), after(3), after(4), after(5)]
      await eachOf(
        kills,
        (killed) => start({ killed }),
        async (killed, victim) => {
          const at = `${killed.when} ${CALLBACK[killed.nth - 1]}`
          use(survivor)
          const journey = await visitor()
          const { verifier, challenge } = pkce()
          const callback = await journey.callback(challenge)
          const exchanged = exchanges(proxy)
          use(victim, survivor)
          const shown = await journey.comeBack(callback)
          expect({ at, died: await victim.ended }).toEqual({ at, died: null })

          // Not begun: nothing is lost. Decided: the page leads on. Between: it is taken, and over with the trip.
          const isUntouched = killed.nth === 1 && killed.when === 'before'
          const isDecided =
            (killed.nth === 4 && killed.when === 'after') || (killed.nth === 5 && killed.when === 'before')
          const code = codeIn(shown)
          expect({ at, goesOn: code !== undefined }).toEqual({ at, goesOn: isUntouched || isDecided })
          if (!isUntouched) expectPage(shown, 400)
          let tokens: Tokens
          if (code !== undefined) {
            const redeemed = await journey.ours.redeem(code, verifier)
            expect({ at, status: redeemed.status }).toEqual({ at, status: 200 })
            tokens = redeemed.body as Tokens
          } else {
            // The claim ends, where there is still a trip: a code that is not used yet is worth as much as before.
            use(later)
            const again = await journey.comeBack(callback)
            const resumed = codeIn(again)
            const isUnused = killed.nth === 1
            expect({ at, resumed: resumed !== undefined }).toEqual({ at, resumed: isUnused })
            if (killed.nth === 5) expectPage(again, 400)
            else if (!isUnused) expect(again.url.searchParams.get('error')).toBe('server_error')
            use(survivor)
            if (resumed === undefined) tokens = await journey.signIn()
            else tokens = (await journey.ours.redeem(resumed, verifier)).body as Tokens
          }
          const { status, upstream } = await journey.call(tokens)
          expect({ at, status, upstream: typeof upstream }).toEqual({ at, status: 200, upstream: 'string' })
          const { living, waiting } = await familiesOf(journey.subject, place)
          expect({ at, living }).toEqual({ at, living: 1 })
          // What was promised to nobody is gone soon.
          for (const expiresAt of waiting) expect(expiresAt - Date.now()).toBeLessThanOrEqual(60_000)
          expect(exchanges(proxy) - exchanged).toBeLessThanOrEqual(3)
        },
      )
    },
    LONG,
  )

  it(
    'F8 SIGKILL while a browser leaves, or comes back for our own pages: it goes on, or leaves once more',
    async () => {
      const { use, start, visitor } = await front(sqlite())
      const survivor = await start()
      const kills = (writes: readonly string[]): Kill[] =>
        isExhaustive ? around(writes) : writes.map((_, n) => after(n + 1))
      await eachOf(
        kills(LEAVING),
        (killed) => start({ killed }),
        async (killed, victim) => {
          use(survivor)
          const journey = await visitor()
          const { verifier, challenge } = pkce()
          const page = await journey.ours.consentPage(challenge)
          use(victim, survivor)
          const departure = await journey.leave(page)
          expect({ killed, died: await victim.ended }).toEqual({ killed, died: null })
          const code = codeIn(await journey.comeBack(await journey.signInThere(departure)))
          expect((await journey.ours.redeem(code ?? '', verifier)).status).toBe(200)
        },
      )
      await eachOf(
        kills(HOMECOMING),
        (killed) => start({ killed }),
        async (killed, victim) => {
          use(survivor)
          const journey = await visitor()
          await journey.signIn()
          const arrival = await journey.signInThere(await journey.leaveForConnections())
          const known = survivor.writes().length
          use(victim, survivor)
          const shown = await journey.comeBack(arrival)
          expect({ killed, died: await victim.ended }).toEqual({ killed, died: null })
          if (killed.when === 'before' && killed.nth === 1) {
            expect(shown.status).toBe(200)
            expect(survivor.writes().slice(known)).toEqual(HOMECOMING)
          } else expectPage(shown, 400)
          const again = await journey.comeBack(await journey.signInThere(await journey.leaveForConnections()))
          expect({ killed, status: again.status }).toEqual({ killed, status: 200 })
          expect(again.html).toContain('Test client')
        },
      )
    },
    LONG,
  )

  it(
    'F8 SIGKILL inside a renewal: it is done once, and only where its answer is lost with the process the person signs in anew',
    async () => {
      const proxy = await front(sqlite())
      const { use, start, renewals, place } = proxy
      const all = [PAST, {}, LATER].map((settings) => start(settings))
      const [past, peer, later] = (await Promise.all(all)) as [Replica, Replica, Replica]
      const [one, two] = [await signedIn(proxy, past), await signedIn(proxy, past)]
      use(peer)
      await one.journey.call(one.tokens)
      const called = peer.writes()
      await two.journey.ours.refresh(two.tokens)
      expect([called, peer.writes()]).toEqual([LEASED, [...LEASED, ...REFRESHED]])

      const kinds = [
        { by: 'call', kills: isExhaustive ? around(LEASED) : [after(1), before(2), after(2)] },
        {
          by: 'refresh',
          kills: isExhaustive ? around(REFRESHED) : [before(2), after(2), after(3)],
        },
      ] as const
      const cases = kinds.flatMap(({ by, kills }) => kills.map((killed) => ({ by, killed })))
      await eachOf(
        cases,
        ({ killed }) => start({ killed }),
        async ({ by, killed }, victim) => {
          const at = `${by}: ${killed.when} write ${killed.nth}`
          const { journey, tokens } = await signedIn(proxy, past)
          const since = renewals().length
          const ask = (): Promise<Answer> =>
            by === 'call' ? journey.call(tokens) : journey.ours.refresh(tokens)
          use(victim)
          await ask()
          expect({ at, died: await victim.ended }).toEqual({ at, died: null })

          const isLeased =
            (killed.nth === 1 && killed.when === 'after') || (killed.nth === 2 && killed.when === 'before')
          if (isLeased && (isExhaustive || cases[0]?.killed === killed)) {
            // They wait as long as they may, and then say so.
            use(await start({ pace: 10 }))
            const waited = await Promise.all([
              ask(),
              ask(),
              journey.ours.refresh(tokens),
              journey.call(tokens),
            ])
            for (const answer of waited) expectAway(answer)
          }
          use(isLeased ? later : peer)
          const answers = await Promise.all(isExhaustive ? [ask(), ask(), ask()] : [ask(), ask()])
          const used = renewals().slice(since)
          const isLost = killed.nth === 2 && killed.when === 'before'
          if (isLost) {
            for (const answer of answers) {
              if (by === 'call') expectSignedOut(answer)
              else expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
            }
            expect(await familiesOf(journey.subject, place)).toEqual({ living: 0, waiting: [] })
            expect({ at, used: [used.length, new Set(used).size] }).toEqual({ at, used: [2, 1] })
            use(peer)
            expect((await journey.call(await journey.signIn())).status).toBe(200)
          } else {
            expect({ at, statuses: answers.map(({ status }) => status) }).toEqual({
              at,
              statuses: answers.map(() => 200),
            })
            expect({ at, used: used.length }).toEqual({ at, used: 1 })
          }
          expect((await familiesOf(journey.subject, place)).living).toBe(1)
        },
      )
    },
    LONG,
  )
})

describe('SQLite, two processes', () => {
  it(
    'F9 each step is answered by either, and a callback, a renewal and a refresh token have one winner each',
    () => share(sqlite()),
    LONG,
  )

  it(
    'F4 an identity provider that is away signs nobody out and is not besieged; one that says no ends the grant',
    async () => {
      const proxy = await front(sqlite(), { timeoutSeconds: 1 })
      const { idp, use, start, renewals, place } = proxy
      const [one, two, past] = (await Promise.all([{}, {}, PAST].map((each) => start(each)))) as [
        Replica,
        Replica,
        Replica,
      ]
      const urls = [one.url, two.url]
      const { journey, tokens } = await signedIn(proxy, past)
      const { client_id } = journey.ours.client
      const form = { grant_type: 'refresh_token', client_id, refresh_token: tokens.refresh_token }
      const refresh = (url: string): Promise<Response> =>
        fetch(`${url}/token`, { method: 'POST', body: new URLSearchParams(form) })
      const call = (url: string): Promise<Response> => clientsOf(url).call(tokens.access_token)
      const everybody = async (): Promise<{ refreshed: Answer[]; called: Answer[] }> => {
        const [refreshed, called] = await Promise.all([
          race(urls, CLIENTS, refresh),
          race(urls, CLIENTS, call),
        ])
        return { refreshed, called }
      }

      idp.failWith('token', 'hang')
      const away = await everybody()
      for (const answer of [...away.refreshed, ...away.called]) expectAway(answer)
      // One after the other, not beside each other.
      const tried = renewals()
      expect(tried.length).toBeLessThanOrEqual(2)
      expect(new Set(tried).size).toBe(1)

      idp.failWith('token', undefined)
      use(one, two)
      const refreshed = await journey.ours.refresh(tokens)
      expect(refreshed.status).toBe(200)
      expect((await journey.call(refreshed.body as Tokens)).status).toBe(200)
      expect(await familiesOf(journey.subject, place)).toEqual({ living: 1, waiting: [] })

      const { journey: other, tokens: theirs } = await signedIn(proxy, past)
      idp.revokeGrantsOf(other.ours.username)
      const since = renewals().length
      const refused = await race(urls, CLIENTS, (url) =>
        fetch(`${url}/token`, {
          method: 'POST',
          body: new URLSearchParams({
            ...form,
            client_id: other.ours.client.client_id,
            refresh_token: theirs.refresh_token,
          }),
        }),
      )
      for (const answer of refused)
        expect(answer).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
      for (const answer of await race(urls, 1, (url) => clientsOf(url).call(theirs.access_token)))
        expectSignedOut(answer)
      expect(renewals().length - since).toBe(1)
      expect(await familiesOf(other.subject, place)).toEqual({ living: 0, waiting: [] })
    },
    LONG,
  )

  it(
    'F16 SIGTERM while the identity provider is asked: what it gave is kept, and whoever waits is answered, exit 0',
    async () => {
      const proxy = await front(sqlite())
      const { use, start, visitor, renewals, place } = proxy
      const all = [PAST, {}, { held: 'answers' }].map((settings) => start(settings))
      const [past, stays, ends] = (await Promise.all(all)) as [Replica, Replica, Replica]
      const { journey: calls, tokens } = await signedIn(proxy, past)
      const { journey: refreshes, tokens: theirs } = await signedIn(proxy, past)
      use(stays)
      const arrives = await visitor()
      const { verifier, challenge } = pkce()
      const callback = await arrives.callback(challenge)

      use(ends)
      const under = Promise.all([
        calls.call(tokens),
        refreshes.ours.refresh(theirs),
        arrives.comeBack(callback),
      ])
      await ends.printed(/(?:holding an answer[^]*){3}/)
      const ended = ends.stop()
      await ends.printed(/told to end/)
      const [called, refreshed, arrived] = await under
      await ended
      expect([called.status, refreshed.status, await ends.ended]).toEqual([200, 200, 0])
      expect(ends.output.stderr).toBe('')

      use(stays)
      expect((await calls.call(tokens)).upstream).toBe(called.upstream)
      expect((await refreshes.call(refreshed.body as Tokens)).status).toBe(200)
      expect((await arrives.ours.redeem(codeIn(arrived) ?? '', verifier)).status).toBe(200)
      expect(renewals()).toHaveLength(2)
      for (const { subject } of [calls, refreshes, arrives])
        expect(await familiesOf(subject, place)).toEqual({ living: 1, waiting: [] })
    },
    LONG,
  )

  it(
    'F18 F19 a new secret: with the old one behind it everything opens; without, what rests on it begins anew',
    async () => {
      const NEW = 'another secret of thirty-two bytes or more, for tests'
      const proxy = await front(sqlite())
      const { idp, use, start, visitor, renewals } = proxy
      const secrets = [[SECRET, NEW], [NEW, SECRET], [NEW]]
      const all = secrets.map((secret) => start({ secret }))
      const [old, both, without] = (await Promise.all(all)) as [Replica, Replica, Replica]

      // While it is rolled out: each opens what the other sealed.
      await walkEverywhere(proxy, [old, both])

      // What the old one sealed, met by the new one alone.
      use(old)
      const journey = await visitor()
      const tokens = await journey.signIn()
      const question = await journey.ours.consentPage(pkce().challenge)
      const callback = await journey.callback(pkce().challenge)
      const lasting = await visitor()
      idp.issueRefreshTokens = false
      const theirs = await lasting.signIn()
      idp.issueRefreshTokens = true
      // Whoever came by in time is sealed anew, also what nothing renews.
      use(both)
      const renewed = await lasting.ours.refresh(theirs)
      expect(renewed.status).toBe(200)
      use(without)
      expectSignedOut(await journey.call(tokens))
      expect(await lasting.ours.refresh(renewed.body as Tokens)).toMatchObject({ status: 200 })
      const { status, body } = await journey.ours.refresh(tokens)
      expect({ status, body }).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
      expectPage(await journey.comeBack(callback), 403)
      const { action, fields } = formOf(question)
      const answered = await journey.ours.browser.go(action, callback.origin, {
        ...fields,
        decision: 'allow',
      })
      expect([400, 403]).toContain(answered.status)
      expect((await journey.call(await journey.signIn())).status).toBe(200)

      // What was brought over in time goes on.
      use(old)
      const other = await visitor()
      const first = await other.signIn()
      use(both)
      const second = (await other.ours.refresh(first)).body as Tokens
      use(without)
      expect((await other.call(second)).status).toBe(200)
      expect((await other.ours.refresh(second)).status).toBe(200)
      expect(new Set(renewals()).size).toBe(renewals().length)
      const events = [old, both, without].flatMap((one) => one.events())
      expect(events.filter(({ type }) => type === 'request.failed')).toEqual([])
    },
    LONG,
  )
})

/** Killed while somebody is at the identity provider, and while it has answered and nothing is written. */
async function killStore(service: Service, place: Place): Promise<void> {
  const proxy = await front(place)
  const { use, start, visitor, renewals } = proxy
  const all = [{}, {}, PAST, LATER, { held: 'answers' }].map((settings) => start(settings))
  const [one, two, past, later, holds] = (await Promise.all(all)) as [
    Replica,
    Replica,
    Replica,
    Replica,
    Replica,
  ]
  const { journey: other, tokens } = await signedIn(proxy, past)
  const { journey: unlucky, tokens: theirs } = await signedIn(proxy, past)
  use(one, two)
  const journey = await visitor()
  const arriving = await visitor()
  const [waiting, halfway] = [pkce(), pkce()]
  const question = await journey.ours.consentPage(pkce().challenge)
  const callback = await journey.callback(waiting.challenge)
  const late = await arriving.callback(halfway.challenge)
  use(holds)
  const under = Promise.all([unlucky.call(theirs), arriving.ours.browser.request(late).then(answerOf)])
  await holds.printed(/(?:holding an answer[^]*){2}/)

  await service.kill()
  const ended = holds.stop()
  const { action, fields } = formOf(question)
  const { browser } = journey.ours
  use(one)
  const at = clientsOf(two.url)
  const { client_id } = other.ours.client
  const { refresh_token } = tokens
  const [[lost, lostPage], pages, away] = await Promise.all([
    under,
    Promise.all([
      browser.request(callback),
      browser.request(question.url),
      browser.request(action, { ...fields, decision: 'allow' }),
      browser.request(`${callback.origin}/sign-in`),
    ]),
    Promise.all([
      other.call(tokens),
      other.ours.refresh(tokens),
      at.call(tokens.access_token).then(answerOf),
      at.post('/token', { grant_type: 'refresh_token', client_id, refresh_token }),
    ]),
  ])
  for (const answer of [lost, ...away]) expectAway(answer)
  for (const page of [lostPage, ...(await Promise.all(pages.map(answerOf)))]) {
    expectPage(page, 503)
    expect(Number(page.headers.get('retry-after'))).toBeGreaterThan(0)
  }
  await restarted(service)
  for (const { url } of [one, two]) await isBack(url, tokens.access_token)
  await ended

  // Where each was.
  use(one, two)
  const code = codeIn(await journey.comeBack(callback)) ?? ''
  expect((await journey.ours.redeem(code, waiting.verifier)).status).toBe(200)
  const refreshed = await other.ours.refresh(tokens)
  expect((await other.call(refreshed.body as Tokens)).status).toBe(200)
  // Whoever had been let in when it went away begins anew.
  expectPage(await arriving.comeBack(late), 400)
  expect((await arriving.call(await arriving.signIn())).status).toBe(200)
  use(later)
  expectSignedOut(await unlucky.call(theirs))
  use(one, two)
  expect((await unlucky.call(await unlucky.signIn())).status).toBe(200)
  expect((await familiesOf(unlucky.subject, place)).living).toBe(1)
  for (const { subject } of [journey, other, arriving])
    expect((await familiesOf(subject, place)).living).toBe(1)
  // The one whose answer was lost was used twice, and no other.
  expect(renewals().length - new Set(renewals()).size).toBe(1)
}

describeWithRedis('Redis, two processes', () => {
  let service: Service
  const place = (): Place => ({ kind: 'redis', address: service.url })
  beforeAll(async () => {
    service = await startRedis()
  })
  afterAll(() => service.stop())

  it(
    'F9 each step is answered by either, and a callback, a renewal and a refresh token have one winner each',
    () => share(place()),
    LONG,
  )

  it(
    'F6 killed between consent and callback: 503, and then the flow goes on; killed inside of one: it begins anew',
    async () => {
      await killStore(service, place())
    },
    LONG,
  )
})

describeWithPostgres('PostgreSQL, two processes', () => {
  let service: Service
  beforeAll(async () => {
    service = await startPostgres()
  }, LONG)
  afterAll(() => service.stop())

  it(
    'F9 each step is answered by either, and a callback, a renewal and a refresh token have one winner each',
    () => share({ kind: 'postgres', address: service.url }),
    LONG,
  )
})

// Processes that are killed, raced, cut off from their store and started again: what was promised to a client holds, or it begins anew.
import { generateKeyPairSync, randomUUID, sign } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client, StreamableHTTPClientTransport, UnauthorizedError, auth } from '@modelcontextprotocol/client'
import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals'
import { Credentials } from '../../demo/credentials.js'
import {
  type Answer,
  REDIRECT_URI,
  SECRET,
  type Tokens,
  answerOf,
  authorizationUrl,
  clientsOf,
  pkce,
} from '../support/authorization-server.js'
import { Browser, type Shown, formOf } from '../support/browser-session.js'
import { Journey } from '../support/journey.js'
import type { ReplicaSettings } from '../support/replica.js'
import { freePort } from '../support/process.js'
import {
  type Balancer,
  type Place,
  type Replica,
  countOf,
  eachOf,
  familiesOf as familiesOfSubject,
  grantsIn,
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

const opened: (() => Promise<unknown>)[] = []
async function closeAll(): Promise<void> {
  for (const close of opened.splice(0).reverse()) await close()
}
afterEach(closeAll)

/** A new directory that is gone after the test. */
function directory(): string {
  const path = mkdtempSync(join(tmpdir(), 'mcp-auth-replicas-'))
  opened.push(async () => rmSync(path, { recursive: true, force: true }))
  return path
}

const sqlite = (): Place => ({ kind: 'sqlite', address: join(directory(), 'store.sqlite') })

async function balancer(): Promise<Balancer> {
  const started = await startBalancer()
  opened.push(started.close)
  return started
}

async function replica(
  settings: Omit<ReplicaSettings, 'secret'> & Partial<ReplicaSettings>,
  inside?: string,
): Promise<Replica> {
  const started = await startReplica({ secret: SECRET, ...settings }, inside)
  opened.push(() => started.stop('SIGKILL'))
  return started
}

const familiesOf = ({ username }: Journey, place: Place): ReturnType<typeof familiesOfSubject> =>
  familiesOfSubject(`id-${username}`, place)

type Kill = NonNullable<ReplicaSettings['killed']>

/** A replica that is killed, and one that lives on, with the same store. */
async function killAtEach(
  place: Place,
  kills: (writes: readonly string[]) => readonly Kill[],
): Promise<void> {
  const { url: baseUrl, use } = await balancer()
  const survivor = await replica({ ...place, baseUrl })
  use(survivor.url)
  const client = await clientsOf(baseUrl).register()
  await new Journey(baseUrl, client).signIn()
  const before = survivor.writes().length
  const undisturbed = new Journey(baseUrl, client)
  await undisturbed.revoke((await undisturbed.refresh(await undisturbed.signIn())).body as Tokens)
  const writes = survivor.writes().slice(before)

  await eachOf(
    kills(writes),
    (killed) => replica({ ...place, baseUrl, killed }),
    async (killed, victim) => {
      const at = `${killed.when} write ${killed.nth}, ${writes[killed.nth - 1]}`
      use(victim.url, survivor.url)
      const journey = new Journey(baseUrl, client)
      const tokens = await journey.signIn()
      const signedIn = await familiesOf(journey, place)
      const refreshed = await journey.refresh(tokens)
      const again = await journey.refresh(tokens)
      const renewed = await familiesOf(journey, place)
      const called = await journey.call(refreshed.body as Tokens)
      const revoked = await journey.revoke(refreshed.body as Tokens)
      const left = await familiesOf(journey, place)
      const successors = [refreshed, again].map(({ body }) => (body as Tokens).refresh_token)

      expect({ at, died: await victim.ended }).toEqual({ at, died: null })
      expect({ at, living: [signedIn.living, renewed.living, left.living] }).toEqual({
        at,
        living: [1, 1, 0],
      })
      expect({ at, called, revoked: revoked.status }).toEqual({ at, called: 200, revoked: 200 })
      // The answer that was lost, or the same once more: one successor.
      expect({ at, refreshed: refreshed.status, again: again.status }).toEqual({
        at,
        refreshed: 200,
        again: 200,
      })
      expect(new Set(successors).size).toBe(1)
      // Only a code that was taken, and its tokens never sent, sends the client back to the beginning.
      const isTaken = killed.when === 'after' && writes.indexOf('replace grants') === killed.nth - 1
      expect({ at, beginnings: journey.beginnings }).toEqual({ at, beginnings: isTaken ? 2 : 1 })
      // What was promised to nobody is gone soon.
      for (const expiresAt of left.waiting) expect(expiresAt - Date.now()).toBeLessThanOrEqual(60_000)
    },
  )
}

/** Code issued, decision noted, code taken, token replaced. */
const mainKills = (writes: readonly string[]): Kill[] => {
  const nth = (write: string, from = 0): number => writes.indexOf(write, from) + 1
  const taken = nth('replace grants')
  return [
    { when: 'after', nth: nth('put grants') },
    { when: 'after', nth: nth('replace transactions') },
    { when: 'after', nth: taken },
    { when: 'after', nth: nth('replace grants', taken) },
  ]
}

const CLIENTS = 50

/** Two processes, and a hundred clients that want the same thing. */
async function raceForEverything(place: Place): Promise<void> {
  const { url: baseUrl, use } = await balancer()
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const jwks = { keys: [{ ...publicKey.export({ format: 'jwk' }), alg: 'ES256' }] }
  const service = { clientId: 'service', jwks, grantTypes: ['client_credentials'] }
  const both = await Promise.all([1, 2].map(() => replica({ ...place, baseUrl, clients: [service] })))
  const urls = both.map(({ url }) => url)
  use(...urls)
  const client = await clientsOf(baseUrl).register()
  const post = (path: string, form: Record<string, string>) => (url: string) =>
    fetch(url + path, { method: 'POST', body: new URLSearchParams(form) })

  // One consent.
  const journey = new Journey(baseUrl, client)
  const { verifier, challenge } = pkce()
  const { action, fields } = formOf(await journey.consentPage(challenge))
  const cookie = [...journey.browser.cookies(baseUrl)].map(([name, value]) => `${name}=${value}`).join('; ')
  const decided = await race(urls, CLIENTS, (url) =>
    fetch(url + action.pathname, {
      method: 'POST',
      redirect: 'manual',
      headers: { cookie },
      body: new URLSearchParams({ ...fields, decision: 'allow' }),
    }),
  )
  expect([countOf(decided, 303), countOf(decided, 400)]).toEqual([1, 2 * CLIENTS - 1])
  const winner = decided.find(({ status }) => status === 303)
  const callback = new URL(winner?.headers.get('location') ?? '')
  // Whoever pressed twice gets to the same place.
  const losers = decided.filter(({ status }) => status === 400)
  expect(
    losers.filter(({ body }) => !String(body).includes(String(callback.searchParams.get('code')))),
  ).toEqual([])
  const families = await familiesOf(journey, place)
  expect([families.living, families.waiting.length]).toEqual([0, 1])

  // Its code: a loser is a thief or a client gone wrong, so that nobody keeps what came of it.
  const code = callback.searchParams.get('code') ?? ''
  const { client_id } = client
  const form = { grant_type: 'authorization_code', client_id, code, code_verifier: verifier }
  const redeemed = await race(urls, CLIENTS, post('/token', form))
  expect([countOf(redeemed, 200), countOf(redeemed, 400)]).toEqual([1, 2 * CLIENTS - 1])
  expect(await familiesOf(journey, place)).toEqual({ living: 0, waiting: [] })

  // A refresh token.
  const { refresh_token } = await journey.signIn()
  const refreshed = await race(
    urls,
    CLIENTS,
    post('/token', { grant_type: 'refresh_token', client_id, refresh_token }),
  )
  expect(countOf(refreshed, 200)).toBe(2 * CLIENTS)
  const successors = new Set(refreshed.map(({ body }) => (body as Tokens).refresh_token))
  expect(successors.size).toBe(1)
  expect(successors.has(refresh_token)).toBe(false)
  expect((await familiesOf(journey, place)).living).toBe(1)

  // An assertion.
  const now = Math.floor(Date.now() / 1000)
  const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')
  const claims = { iss: 'service', sub: 'service', aud: baseUrl, jti: randomUUID(), iat: now, exp: now + 60 }
  const signed = `${encode({ alg: 'ES256' })}.${encode(claims)}`
  const signature = sign('sha256', Buffer.from(signed), { key: privateKey, dsaEncoding: 'ieee-p1363' })
  const asserted = await race(
    urls,
    CLIENTS,
    post('/token', {
      grant_type: 'client_credentials',
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      client_assertion: `${signed}.${signature.toString('base64url')}`,
    }),
  )
  expect([countOf(asserted, 200), countOf(asserted, 401)]).toEqual([1, 2 * CLIENTS - 1])
  const grants = await grantsIn(place.kind, place.address ?? '')
  expect(grants.filter(({ subject }) => subject === 'service')).toHaveLength(1)
}

describe('SQLite, two processes', () => {
  it.each(['before', 'after'] as const)(
    'F8 SIGKILL %s any write: another replica goes on, or the client begins anew; never two families',
    async (when) => {
      await killAtEach(sqlite(), (writes) => {
        expect(writes).toEqual([
          'put transactions',
          'put sessions',
          'create connections',
          'put grants',
          'replace transactions',
          'replace grants',
          'replace grants',
          'delete grants',
        ])
        return writes.map((_, n) => ({ when, nth: n + 1 }))
      })
    },
    60_000,
  )

  it(
    'F9 a hundred clients of two processes want one consent, one code, one refresh token, one assertion: one winner each',
    () => raceForEverything(sqlite()),
    60_000,
  )
})

/** A client that is called as the resource asks about every token. */
const monitorOf = (baseUrl: string) => ({ clientId: `${baseUrl}/mcp`, clientSecret: MONITOR_SECRET })
const MONITOR_SECRET = randomUUID()

/** Everything that reads or writes the store, while there is none. */
async function everythingIsAway(
  journey: Journey,
  page: Shown,
  tokens: Tokens,
  code: { readonly code: string; readonly verifier: string },
): Promise<void> {
  const { base, client, browser, requests } = journey
  const { client_id } = client
  const { access_token: token, refresh_token } = tokens
  const { action, fields } = formOf(page)
  const start = authorizationUrl(base, client_id, pkce().challenge)
  const form = { grant_type: 'authorization_code', client_id, code: code.code, code_verifier: code.verifier }
  const answers = await Promise.all([
    requests.post('/token', form),
    requests.post('/token', { grant_type: 'refresh_token', client_id, refresh_token }),
    requests.post('/revoke', { client_id, token: refresh_token }),
    requests.post('/introspect', { client_id: `${base}/mcp`, client_secret: MONITOR_SECRET, token }),
    fetch(`${base}/register`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ client_name: randomUUID(), redirect_uris: [REDIRECT_URI] }),
    }).then(answerOf),
    requests.call(token).then(answerOf),
  ])
  for (const { status, headers, body } of answers) {
    expect({ status, body }).toMatchObject({ status: 503, body: { error: 'temporarily_unavailable' } })
    expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
    expect(headers.get('www-authenticate')).toBeNull()
    expect(headers.get('cache-control')).toContain('no-store')
  }
  const pages = await Promise.all([
    browser.request(start),
    browser.request(page.url),
    browser.request(action, { ...fields, decision: 'allow' }),
    browser.request(`${base}/connections`),
    browser.request(`${base}/sign-in?transaction=${fields['transaction']}`),
  ])
  for (const response of pages) {
    expect({ url: response.url, status: response.status }).toEqual({ url: response.url, status: 503 })
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0)
    expect(response.headers.get('content-type')).toMatch(/^text\/html/)
    expect(await response.text()).toContain('Try again in a minute')
  }
}

/** Killed between the question and the answer, and between code and token. */
async function killStore(service: Service, place: Place): Promise<void> {
  const { url: baseUrl, use } = await balancer()
  const both = await Promise.all(
    [1, 2].map(() => replica({ ...place, baseUrl, clients: [monitorOf(baseUrl)] })),
  )
  use(...both.map(({ url }) => url))
  const client = await clientsOf(baseUrl).register()
  const [journey, other] = [new Journey(baseUrl, client), new Journey(baseUrl, client)]
  const tokens = await other.signIn()
  const waiting = pkce()
  const code = journey.codeIn(await journey.allow(await journey.consentPage(waiting.challenge)))
  const { verifier, challenge } = pkce()
  const page = await journey.consentPage(challenge)
  const told = both.map(({ events }) => events().length)

  await service.kill()
  await everythingIsAway(journey, page, tokens, { code, verifier: waiting.verifier })
  const during = both.flatMap(({ events }, n) => events().slice(told[n]))
  await restarted(service)
  for (const { url } of both) await isBack(url, tokens.access_token)

  // Where each was.
  const later = await journey.redeem(code, waiting.verifier)
  const decided = journey.codeIn(await journey.allow(page))
  const redeemed = await journey.redeem(decided, verifier)
  const refreshed = await other.refresh(tokens)
  expect([later.status, redeemed.status, refreshed.status]).toEqual([200, 200, 200])
  expect(await other.call(refreshed.body as Tokens)).toBe(200)
  expect((await familiesOf(other, place)).living).toBe(1)
  expect((await familiesOf(journey, place)).living).toBe(2)
  // An outage is told as one, and as nothing that a client or a person did.
  expect(new Set(during.map(({ type }) => type))).toEqual(new Set(['request.failed', 'request.refused']))
  const stages = during.flatMap((event) => (event.type === 'request.refused' ? [event.reason.stage] : []))
  expect(new Set(stages)).toEqual(new Set(['unavailable']))
}

describeWithRedis('Redis, two processes', () => {
  let service: Service
  const place = (): Place => ({ kind: 'redis', address: service.url })
  beforeAll(async () => {
    service = await startRedis()
  })
  afterAll(() => service.stop())

  it('F8 SIGKILL at the main steps: another replica goes on, or the client begins anew; never two families', async () => {
    await killAtEach(place(), mainKills)
  }, 60_000)

  it(
    'F9 a hundred clients of two processes want one consent, one code, one refresh token, one assertion: one winner each',
    () => raceForEverything(place()),
    60_000,
  )

  it(
    'F6 killed between question and answer, and between code and token: 503 everywhere, and then all goes on',
    () => killStore(service, place()),
    60_000,
  )
})

describeWithPostgres('PostgreSQL, two processes', () => {
  let service: Service
  const place = (): Place => ({ kind: 'postgres', address: service.url })
  beforeAll(async () => {
    service = await startPostgres()
  }, 60_000)
  afterAll(() => service.stop())

  it('F8 SIGKILL at the main steps: another replica goes on, or the client begins anew; never two families', async () => {
    await killAtEach(place(), mainKills)
  }, 60_000)

  it(
    'F9 a hundred clients of two processes want one consent, one code, one refresh token, one assertion: one winner each',
    () => raceForEverything(place()),
    60_000,
  )

  it(
    'F6 killed between question and answer, and between code and token: 503 everywhere, and then all goes on',
    () => killStore(service, place()),
    60_000,
  )
})

/** A project of its own, for the default store. */
function project(): string {
  const path = directory()
  writeFileSync(join(path, 'package.json'), '{}')
  return path
}

const OTHER_SECRET = 'another secret of thirty-two bytes or more, for tests'

describe('A new secret', () => {
  const app = { clientId: 'app', redirectUris: [REDIRECT_URI] }

  it.each([
    ['the default store, which is encrypted', true],
    ['a plain store', false],
  ])(
    'F18 F19 over %s: what is old is refused as it should be, people sign in anew, and the old secret behind the new one brings it back',
    async (_, isDefault) => {
      const inside = project()
      const place: Place = isDefault ? { kind: 'default' } : sqlite()
      const { url: baseUrl, use } = await balancer()
      const start = async (secret: string | string[]): Promise<Replica> => {
        const started = await replica({ ...place, baseUrl, secret, clients: [app] }, inside)
        use(started.url)
        return started
      }
      const first = await start(SECRET)
      const registered = new Journey(baseUrl, await clientsOf(baseUrl).register())
      const configured = new Journey(baseUrl, { client_id: 'app' })
      const [old, oldOfApp] = [await registered.signIn(), await configured.signIn()]
      const { verifier, challenge } = pkce()
      const code = configured.codeIn(await configured.allow(await configured.consentPage(challenge)))
      const page = await configured.consentPage(challenge)
      await first.stop()

      const wrong = await start(OTHER_SECRET)
      const refusals = [
        await configured.redeem(code, verifier),
        await configured.refresh(oldOfApp),
        await registered.refresh(old),
      ]
      expect(refusals.map(({ status, body }) => [status, (body as { error: string }).error])).toEqual([
        [400, 'invalid_grant'],
        [400, 'invalid_grant'],
        // Registrations are encrypted too: the client registers anew.
        isDefault ? [401, 'invalid_client'] : [400, 'invalid_grant'],
      ])
      const refused = await configured.requests.call(oldOfApp.access_token)
      expect(refused.status).toBe(401)
      expect(refused.headers.get('www-authenticate')).toContain('error="invalid_token"')
      expect((await configured.browser.request(page.url)).status).toBeLessThan(500)
      expect((await configured.allow(page)).status).toBeLessThan(500)
      const anew = new Journey(baseUrl, await clientsOf(baseUrl).register())
      const again = Object.assign(new Journey(baseUrl, { client_id: 'app' }), {
        username: configured.username,
      })
      const [fresh, freshOfApp] = [await anew.signIn(), await again.signIn()]
      expect([await anew.call(fresh), await again.call(freshOfApp)]).toEqual([200, 200])
      const failed = wrong.events().filter(({ type }) => type === 'request.failed')
      const hints = wrong.events().flatMap((event) => (event.type === 'hint' ? [event.code] : []))
      expect([failed, hints]).toEqual([[], isDefault ? ['unreadable_records'] : []])
      await wrong.stop()

      const both = await start([OTHER_SECRET, SECRET])
      expect((await registered.refresh(old)).status).toBe(200)
      const kept = [await configured.call(oldOfApp), await again.call(freshOfApp)]
      expect([...kept, (await again.refresh(freshOfApp)).status]).toEqual([200, 200, 200])
      expect(both.events().filter(({ type }) => type === 'hint')).toEqual([])
      await both.stop()
      if (isDefault) {
        const bytes = readFileSync(join(inside, '.mcp-auth', 'store.sqlite'), 'latin1')
        expect(bytes).toContain('grants')
        expect(bytes).not.toContain(configured.username)
      }
    },
    60_000,
  )
})

describe('Clocks that differ', () => {
  it('F10 by 90 seconds: expiry is that of whoever wrote, nothing is served late, and nothing breaks', async () => {
    const place = sqlite()
    const { url: baseUrl, use } = await balancer()
    const at = (seconds: number): Promise<Replica> => replica({ ...place, baseUrl, ahead: seconds * 1000 })
    const [slow, fast, later] = await Promise.all([at(0), at(90), at(155)])
    use(fast.url)
    const client = await clientsOf(baseUrl).register()
    const journey = new Journey(baseUrl, client)
    const codeBy = async (issuer: Replica, challenge: string): Promise<string> => {
      use(issuer.url)
      return journey.codeIn(await journey.allow(await journey.consentPage(challenge)))
    }
    const redeemBy = (redeemer: Replica, code: string, verifier: string): Promise<Answer> => {
      use(redeemer.url)
      return journey.redeem(code, verifier)
    }
    const { verifier, challenge } = pkce()

    // Tokens from the future, and from the past.
    const fromFast = (await redeemBy(slow, await codeBy(fast, challenge), verifier)).body as Tokens
    use(fast.url)
    const rotated = (await journey.refresh(fromFast)).body as Tokens
    use(slow.url)
    expect(await journey.call(rotated)).toBe(200)
    expect((await journey.refresh(fromFast)).body).toMatchObject({ refresh_token: rotated.refresh_token })
    const fromSlow = (await journey.refresh(rotated)).body as Tokens
    use(fast.url)
    expect(await journey.call(fromSlow)).toBe(200)
    expect((await journey.refresh(fromSlow)).status).toBe(200)
    expect((await familiesOf(journey, place)).living).toBe(1)

    // A code lives for a minute by the clock that wrote it: a question begun here may be answered there, a code may end early, none late.
    const { error } = (await redeemBy(later, await codeBy(fast, challenge), verifier)).body as {
      error?: string
    }
    expect(error).toBe('invalid_grant')
    const early = await redeemBy(fast, await codeBy(slow, challenge), verifier)
    expect(early).toMatchObject({ status: 400, body: { error: 'invalid_grant' } })
    use(slow.url)
    const page = await journey.consentPage(challenge)
    use(fast.url)
    const code = journey.codeIn(await journey.allow(page))
    expect((await redeemBy(slow, code, verifier)).status).toBe(200)
    const events = [slow, fast, later].flatMap((one) => one.events())
    expect(events.filter(({ type }) => type === 'request.failed' || type === 'grant.revoked')).toEqual([])
  }, 60_000)
})

describe('The end of a process', () => {
  it('F16 SIGTERM: what is under way is answered, nothing more is taken, no timer holds it, exit 0', async () => {
    const USERS = 10
    const place = sqlite()
    const { url: baseUrl, use } = await balancer()
    const stays = await replica({ ...place, baseUrl })
    const ends = await replica({ ...place, baseUrl, held: 'grants' })
    use(stays.url)
    const client = await clientsOf(baseUrl).register()
    const { verifier, challenge } = pkce()
    const journeys = Array.from({ length: USERS }, () => new Journey(baseUrl, client))
    const ready = await Promise.all(
      journeys.map(async (journey) => ({
        tokens: await journey.signIn(),
        code: journey.codeIn(await journey.allow(await journey.consentPage(challenge))),
      })),
    )

    const { client_id } = client
    const direct = clientsOf(ends.url)
    const answers = ready.flatMap(({ code, tokens: { refresh_token } }) => [
      direct.post('/token', { grant_type: 'authorization_code', client_id, code, code_verifier: verifier }),
      direct.post('/token', { grant_type: 'refresh_token', client_id, refresh_token }),
    ])
    await ends.printed(new RegExp(`(?:holding replace[^]*){${2 * USERS}}`))
    const ended = ends.stop()
    await ends.printed(/told to end/)
    const refused = fetch(`${ends.url}/.well-known/oauth-authorization-server`)

    await expect(refused).rejects.toThrow('fetch failed')
    const statuses = (await Promise.all(answers)).map(({ status }) => status)
    expect(statuses).toEqual(statuses.map(() => 200))
    await ended
    expect(await ends.ended).toBe(0)
    expect(ends.output.stderr).toBe('')
    for (const journey of journeys)
      expect(await familiesOf(journey, place)).toEqual({ living: 2, waiting: [] })
  }, 60_000)
})

describe('A restart', () => {
  it('an SDK client stays signed in, and a revocation by another process is seen at its next request', async () => {
    const inside = project()
    const port = await freePort()
    const baseUrl = `http://127.0.0.1:${port}`
    const start = (): Promise<Replica> => replica({ kind: 'default', baseUrl, port }, inside)
    const first = await start()
    let signIns = 0
    const credentials = new Credentials(async (address) => {
      signIns++
      return new Browser().grant(address, REDIRECT_URI, 'ada')
    })
    const url = new URL(`${baseUrl}/mcp`)
    await auth(credentials, { serverUrl: url })
    const back = await credentials.back()
    await auth(credentials, { serverUrl: url, authorizationCode: back.get('code')!, iss: back.get('iss')! })
    const client = new Client({ name: 'client', version: '1.0.0' })
    await client.connect(new StreamableHTTPClientTransport(url, { authProvider: credentials }))
    opened.push(() => client.close())
    const whoami = async (): Promise<string> =>
      JSON.stringify(await client.callTool({ name: 'whoami', arguments: {} }))
    expect(await whoami()).toContain('id-ada')

    await first.stop()
    expect(await first.ended).toBe(0)
    await start()
    expect(await whoami()).toContain('id-ada')
    expect(signIns).toBe(1)

    const other = await replica({ kind: 'default', baseUrl }, inside)
    const { refresh_token: token = '' } = credentials.tokens() ?? {}
    const revoked = await clientsOf(other.url).post('/revoke', {
      client_id: String(credentials.clientId),
      token,
    })
    expect(revoked.status).toBe(200)
    const warn = jest.spyOn(console, 'warn').mockReturnValue()
    opened.push(async () => warn.mockRestore())
    await expect(whoami()).rejects.toThrow(UnauthorizedError)
  }, 60_000)
})

describeWithRedis('A limit that replicas share', () => {
  it('counts what comes to any of them', async () => {
    const service = await startRedis()
    opened.push(() => service.stop())
    const limit = { url: service.url, requests: 10 }
    const baseUrl = 'http://127.0.0.1:1'
    const place: Place = { kind: 'redis', address: service.url }
    const both = await Promise.all([1, 2].map(() => replica({ ...place, baseUrl, limit })))
    const [one, two] = both.map(({ url }) => clientsOf(url)) as [Journey['requests'], Journey['requests']]
    const ask = async (requests: Journey['requests'], times: number): Promise<number[]> => {
      const statuses = []
      for (let n = 0; n < times; n++) statuses.push((await requests.post('/token', {})).status)
      return statuses
    }

    expect(new Set([...(await ask(one, 6)), ...(await ask(two, 4))])).toEqual(new Set([401]))
    for (const requests of [one, two]) {
      const { status, headers } = await requests.post('/token', {})
      expect(status).toBe(429)
      expect(Number(headers.get('retry-after'))).toBeGreaterThan(0)
    }
    // Each endpoint by itself.
    expect((await one.post('/revoke', {})).status).toBe(401)
  }, 60_000)
})

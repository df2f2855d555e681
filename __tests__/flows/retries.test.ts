// Whoever sends a request again, because the answer was lost, late, or 503, gets on: nothing is done twice.
import { connect } from 'node:net'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from '@jest/globals'
import type { Store } from 'express-mcp-auth'
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import {
  type AuthorizationSite,
  SECRET,
  type Tokens,
  answerOf,
  clientsOf,
  pkce,
  startAuthorizationSite,
} from '../support/authorization-server.js'
import { formOf } from '../support/browser-session.js'
import { Journey } from '../support/journey.js'
import { startBalancer, startReplica } from '../support/replicas.js'

const opened: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of opened.splice(0).reverse()) await close()
})

interface Step {
  readonly name: string
  readonly isWrite: boolean
}

/** What stands before the dot names the server. */
const kindOf = (collection: string): string => collection.slice(collection.indexOf('.') + 1)

/** A store that fails once: before its n-th step, or after it was done, so that nobody knows. */
class FailingStore implements Store {
  readonly #real = new MemoryStore()
  /** Names of each grant. */
  readonly #grants: [collection: string, key: string][] = []
  readonly steps: Step[] = []
  failure: { readonly when: 'before' | 'after'; readonly nth: number } | undefined

  get: Store['get'] = (...args) => this.#step('get', args[0], () => this.#real.get(...args))
  put: Store['put'] = (...args) => this.#step('put', args[0], () => this.#real.put(...this.#noted(args)))
  putIfAbsent: Store['putIfAbsent'] = (...args) =>
    this.#step('create', args[0], () => this.#real.putIfAbsent(...args))
  compareAndSwap: Store['compareAndSwap'] = (...args) =>
    this.#step('replace', args[0], () => this.#real.compareAndSwap(...args))
  delete: Store['delete'] = (...args) => this.#step('delete', args[0], () => this.#real.delete(...args))

  /** Begins to count anew. */
  reset(failure?: FailingStore['failure']): void {
    this.steps.length = 0
    this.failure = failure
  }

  /** Grants whose code was used. */
  async living(): Promise<number> {
    const grants = await Promise.all(this.#grants.map((names) => this.#real.get(...names)))
    return grants.filter((entry) => entry !== undefined && !entry.value.includes('"waits":true')).length
  }

  #noted<Rest extends unknown[]>(args: [string, string, ...Rest]): [string, string, ...Rest] {
    if (kindOf(args[0]) === 'grants') this.#grants.push([args[0], args[1]])
    return args
  }

  async #step<Result>(operation: string, collection: string, work: () => Promise<Result>): Promise<Result> {
    const nth = this.steps.push({ name: `${operation} ${kindOf(collection)}`, isWrite: operation !== 'get' })
    const strike = (when: 'before' | 'after'): void => {
      if (this.failure?.when === when && this.failure.nth === nth) throw new Error('the disk is gone')
    }
    strike('before')
    const result = await work()
    strike('after')
    return result
  }
}

describe('F20 a store that fails once', () => {
  it.each(['before', 'after'] as const)(
    '%s any step of the way: 503, and the same request sent again leads on to one grant',
    async (when) => {
      const store = new FailingStore()
      const balancer = await startBalancer(true)
      opened.push(balancer.close)
      const site = await startAuthorizationSite({ store, baseUrl: balancer.url, deps: {} })
      opened.push(site.close)
      balancer.use(site.url, site.url)
      const client = await clientsOf(balancer.url).register()
      const walk = async (): Promise<{
        journey: Journey
        statuses: number[]
        successors: number
        living: number[]
      }> => {
        const before = await store.living()
        const journey = new Journey(balancer.url, client)
        const tokens = await journey.signIn()
        const signedIn = await store.living()
        const refreshed = await journey.refresh(tokens)
        const again = await journey.refresh(tokens)
        const called = await journey.call(refreshed.body as Tokens)
        const revoked = await journey.revoke(refreshed.body as Tokens)
        const renewed = [refreshed, again].map(({ body }) => (body as Tokens).refresh_token)
        return {
          journey,
          statuses: [refreshed.status, again.status, called, revoked.status],
          successors: new Set(renewed).size,
          living: [signedIn - before, (await store.living()) - before],
        }
      }
      await walk()
      store.reset()
      await walk()
      const steps = [...store.steps]
      expect(steps.length).toBeGreaterThan(20)

      for (const [n, { name, isWrite }] of steps.entries()) {
        // A read that fails late is a read that fails.
        if (when === 'after' && !isWrite) continue
        const at = `${when} step ${n + 1}, ${name}`
        store.reset({ when, nth: n + 1 })
        const told = site.events.length
        const { journey, ...outcome } = await walk()
        const events = site.events.slice(told)

        expect({ at, ...outcome }).toEqual({
          at,
          statuses: [200, 200, 200, 200],
          successors: 1,
          living: [1, 0],
        })
        const isTaken = when === 'after' && steps.findIndex((step) => step.name === 'replace grants') === n
        expect({ at, beginnings: journey.beginnings }).toEqual({ at, beginnings: isTaken ? 2 : 1 })
        const outages = events.filter(
          (event) =>
            event.type === 'request.failed' ||
            (event.type === 'request.refused' && event.reason.stage === 'unavailable'),
        )
        const blamed = events.flatMap(({ type }) =>
          ['sign_in.failed', 'token.refused', 'authorization.refused'].includes(type) ? [type] : [],
        )
        expect({ at, outages: outages.length }).toEqual({ at, outages: 1 })
        // The code that was taken comes again: that is what a thief would do too.
        expect({ at, blamed }).toEqual({ at, blamed: isTaken ? ['token.refused'] : [] })
      }
    },
  )
})

describe('F20 a person who presses a button twice', () => {
  let site: AuthorizationSite
  const start = async (): Promise<Journey> => {
    site = await startAuthorizationSite({ deps: {} })
    opened.push(site.close)
    return new Journey(site.url, await site.register())
  }

  it('signs in once more, and goes on to the question', async () => {
    const journey = await start()
    const { challenge } = pkce()
    const page = await journey.consentPage(challenge)
    const { status } = await journey.browser.request(page.url)
    expect([page.status, status]).toEqual([200, 200])

    const other = new Journey(site.url, journey.client)
    const first = await other.signInPage(challenge)
    const { action, fields } = formOf(first)
    const typed = { ...fields, username: other.username, password: `${other.username}!` }
    const both = await Promise.all([1, 2].map(() => other.browser.request(action, typed)))

    expect(both.map((answer) => answer.status)).toEqual([303, 303])
    expect(new Set(both.map((answer) => answer.headers.get('location'))).size).toBe(1)
    expect(site.events.filter(({ type }) => type === 'sign_in.failed')).toEqual([])
  })

  it('allows once, and either answer leads to the client with the one code', async () => {
    const journey = await start()
    const { verifier, challenge } = pkce()
    const page = await journey.consentPage(challenge)

    const both = await Promise.all([journey.allow(page), journey.allow(page)])
    const codes = new Set(both.map((shown) => journey.codeIn(shown)))

    expect(codes.size).toBe(1)
    expect((await journey.redeem([...codes][0]!, verifier)).status).toBe(200)
    expect(site.events.filter(({ type }) => type === 'authorization.granted')).toHaveLength(1)
  })

  it('registers the same client by the same words', async () => {
    const journey = await start()
    const again = await site.register()
    expect(again.client_id).toBe(journey.client.client_id)
    expect(site.events.filter(({ type }) => type === 'client.registered')).toHaveLength(1)
  })
})

/** Sends bytes and goes away without waiting for an answer. */
function sendAndLeave(url: string, bytes: string): Promise<void> {
  const { hostname, port } = new URL(url)
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname)
    socket.on('error', reject)
    socket.on('close', () => resolve())
    socket.write(bytes, () => socket.destroy())
  })
}

function formRequest(path: string, form: Readonly<Record<string, string>>, length?: number): string {
  const body = new URLSearchParams(form).toString()
  const type = 'Content-Type: application/x-www-form-urlencoded'
  return `POST ${path} HTTP/1.1\r\nHost: x\r\n${type}\r\nContent-Length: ${length ?? body.length}\r\n\r\n${body}`
}

describe('F20 a client that goes away', () => {
  it('in the middle of a request or before its answer harms nobody, says nothing of itself, and may come again', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'mcp-auth-retries-'))
    opened.push(async () => rmSync(directory, { recursive: true }))
    const balancer = await startBalancer()
    opened.push(balancer.close)
    const address = join(directory, 'store.sqlite')
    const server = await startReplica({ kind: 'sqlite', address, baseUrl: balancer.url, secret: SECRET })
    opened.push(() => server.stop('SIGKILL'))
    balancer.use(server.url)
    const client = await clientsOf(balancer.url).register()
    const journey = new Journey(balancer.url, client)
    const { refresh_token, ...tokens } = await journey.signIn()
    const form = { grant_type: 'refresh_token', client_id: client.client_id, refresh_token }
    const told = server.events().length

    for (const path of ['/token', '/register', '/revoke', '/authorize', '/consent', '/sign-in', '/mcp']) {
      await sendAndLeave(server.url, formRequest(path, form, 5000))
    }
    const before = server.writes().length
    await sendAndLeave(server.url, formRequest('/token', form))
    await server.printed(new RegExp(`(?:^write .*\\n[^]*?){${before + 1}}`, 'm'))
    const answers = await Promise.all([1, 2, 3].map(() => journey.refresh({ refresh_token, ...tokens })))

    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
    expect(new Set(answers.map(({ body }) => (body as Tokens).refresh_token)).size).toBe(1)
    const { status } = await answerOf(await journey.requests.call((answers[0]!.body as Tokens).access_token))
    expect(status).toBe(200)
    const types = new Set(
      server
        .events()
        .slice(told)
        .map(({ type }) => type),
    )
    // Of what was cut off there is one thing to say: /mcp was asked for without a token.
    types.delete('request.refused')
    expect(types).toEqual(new Set(['token.issued', 'request.allowed']))
    await server.stop()
    expect(await server.ended).toBe(0)
    expect(server.output.stderr).toBe('')
  })
})

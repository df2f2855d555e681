import { AsyncResource } from 'node:async_hooks'
import { once } from 'node:events'
import { text } from 'node:stream/consumers'
import { afterEach, describe, expect, it } from '@jest/globals'
import express from 'express'
import { AccessToken, StaticTokenVerifier, getAccessToken, mcpAuth } from 'express-mcp-auth'
import { HOSTS, type Handler, startHost } from '../support/hosts.js'

const provider = new StaticTokenVerifier({
  tokens: { alice: { clientId: 'c', subject: 'alice' }, bob: { clientId: 'c', subject: 'bob' } },
})
const asynchronous = { verifyToken: (token: string) => Promise.resolve({ clientId: 'c', subject: token }) }
const silent = { onEvent: (): void => undefined }
const as = (name: string): { headers: { authorization: string } } => ({
  headers: { authorization: `Bearer ${name}` },
})

const cleanUp: (() => Promise<void>)[] = []
afterEach(async () => {
  for (const close of cleanUp.splice(0)) await close()
})

/** Answers with what a function below the guard finds out, without being handed the request. */
const answering =
  (find: (request: Parameters<Handler>[0]) => unknown): Handler =>
  (request, response) => {
    void Promise.resolve(find(request)).then((found) => response.end(String(found)))
  }
const start = async (...args: Parameters<typeof startHost>): Promise<string> => {
  const host = await startHost(...args)
  cleanUp.push(() => host.close())
  return host.url
}
const subject = (): string => getAccessToken()?.subject ?? 'nobody'

describe('getAccessToken(request)', () => {
  it.each(HOSTS)('%s: is the token of a request that passed the guard', async (name) => {
    const url = await start(
      name,
      [mcpAuth(provider, silent)],
      answering((request) => getAccessToken(request)?.subject),
    )
    expect(await (await fetch(url, as('alice'))).text()).toBe('alice')
  })

  it.each([[{}], [{ auth: undefined }], [{ auth: { subject: 'forged' } }], [{ auth: null }]])(
    'is undefined for %j',
    (request) => {
      expect(getAccessToken(request)).toBeUndefined()
    },
  )

  it('is the AccessToken itself', () => {
    const auth = new AccessToken({ token: 't', clientId: 'c' })
    expect(getAccessToken({ auth })).toBe(auth)
  })
})

describe('getAccessToken()', () => {
  const later: readonly [rule: string, find: (request: Parameters<Handler>[0]) => unknown][] = [
    ['at once', () => subject()],
    ['after a promise', () => Promise.resolve().then(subject)],
    ['after a timer', () => new Promise((resolve) => setTimeout(() => resolve(subject()), 1))],
    ['after a tick', () => new Promise((resolve) => process.nextTick(() => resolve(subject())))],
    ['in a callback that was bound', () => AsyncResource.bind(subject)()],
    ['after the body was read', (request) => text(request).then(subject)],
    ['after an event of the body', (request) => once(request.resume(), 'end').then(subject)],
    [
      'in parallel',
      async () => (await Promise.all([1, 2].map(() => Promise.resolve().then(subject)))).join(),
    ],
  ]

  describe.each(HOSTS)('%s: is the token of the request being handled', (name) => {
    it.each([
      ['known before', provider],
      ['verified just now', asynchronous],
    ])('where it was %s', async (_rule, verifier) => {
      for (const [rule, find] of later) {
        const url = await start(name, [mcpAuth(verifier, silent)], answering(find))
        const response = await fetch(url, { ...as('alice'), method: 'POST', body: 'x' })
        expect([rule, await response.text()]).toEqual([
          rule,
          rule === 'in parallel' ? 'alice,alice' : 'alice',
        ])
      }
    })
  })

  it('is that of each of many requests at the same time', async () => {
    const url = await start(
      'Express 5',
      [mcpAuth(asynchronous, silent)],
      answering(async () => {
        for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate)
        return subject()
      }),
    )
    const names = Array.from({ length: 50 }, (_, index) => `user-${index}`)
    const found = await Promise.all(names.map(async (name) => (await fetch(url, as(name))).text()))
    expect(found).toEqual(names)
  })

  it('is that of each request on a connection that is kept alive', async () => {
    const url = await start(
      'node:http',
      [mcpAuth(provider, { optional: true, ...silent })],
      answering(subject),
    )
    for (const name of ['alice', 'bob', 'alice']) expect(await (await fetch(url, as(name))).text()).toBe(name)
    expect(await (await fetch(url)).text()).toBe('nobody')
  })

  it('is there behind a body parser, and where toolScopes read the body', async () => {
    for (const options of [{}, { toolScopes: { tools: { a: [] } } }]) {
      const handlers = [mcpAuth(asynchronous, { ...options, ...silent }), express.json() as never]
      const url = await start('Express 5', handlers, answering(subject))
      const headers = { ...as('alice').headers, 'content-type': 'application/json' }
      const response = await fetch(url, { method: 'POST', headers, body: '{"method":"tools/list"}' })
      expect(await response.text()).toBe('alice')
    }
  })

  it('is undefined outside of any request', () => {
    expect(getAccessToken()).toBeUndefined()
  })

  it('is undefined on a path that is left open', async () => {
    const url = await start(
      'Express 5',
      [mcpAuth(provider, { protect: '/mcp', ...silent })],
      answering(subject),
    )
    expect(await (await fetch(url, as('alice'))).text()).toBe('nobody')
  })
})

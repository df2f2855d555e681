// Who is first is decided once, also among processes: the steps that one-time use of codes and tokens rests on.
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from '@jest/globals'
import { createStore } from '../support/race-stores.js'
import { describeWithPostgres, describeWithRedis, startPostgres, startRedis } from '../support/services.js'

const ROUNDS = 1000
const root = new URL('../../', import.meta.url)

async function startContender(kind: string, url: string): Promise<ChildProcess> {
  const child = fork(new URL('../support/contender.ts', import.meta.url).pathname, [kind, url], {
    cwd: root,
    execArgv: ['--import', 'tsx', '--no-warnings'],
  })
  await once(child, 'message')
  return child
}

/** Runs every round in two processes at once; the numbers of winners of each round, and who stands in the store. */
async function race(kind: string, url: string): Promise<void> {
  const { store, end } = await createStore(kind, url)
  const first = { value: 'first', version: 'first', expiresAt: Date.now() + 60_000 }
  const prepared = Array.from({ length: ROUNDS }, (_, round) => round).filter((round) => round % 3 !== 0)
  for (let n = 0; n < prepared.length; n += 100) {
    await Promise.all(prepared.slice(n, n + 100).map((round) => store.put('race', `k${round}`, first)))
  }
  const contenders = await Promise.all([startContender(kind, url), startContender(kind, url)])
  const wrong: unknown[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const answers = contenders.map((child) => once(child, 'message'))
    for (const child of contenders) child.send({ round })
    const winners = (await Promise.all(answers)).flatMap(
      ([answer]) => (answer as { winners: string[] }).winners,
    )
    const held = await store.get('race', `k${round}`)
    const stands = round % 3 === 2 ? held === undefined : held?.version === winners[0]
    if (winners.length !== 1 || !stands) wrong.push({ round, winners, held })
  }
  const ended = contenders.map((child) => once(child, 'exit'))
  for (const child of contenders) child.send({ end: true })
  await Promise.all(ended)
  await end()
  expect(wrong).toEqual([])
}

describe('of a hundred contenders in two processes one wins each of a thousand rounds', () => {
  it('in SQLite', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'mcp-auth-race-'))
    await race('sqlite', join(directory, 'store.sqlite'))
    rmSync(directory, { recursive: true })
  }, 120_000)

  describeWithRedis('with Redis', () => {
    it('in Redis', async () => {
      const service = await startRedis()
      await race('redis', service.url)
      await service.stop()
    }, 120_000)
  })

  describeWithPostgres('with PostgreSQL', () => {
    it('in PostgreSQL', async () => {
      const service = await startPostgres()
      await race('postgres', service.url)
      await service.stop()
    }, 120_000)
  })
})

import { describe, expect, it } from '@jest/globals'
import { SingleFlight } from '../../lib/runtime/single-flight.js'

interface Work {
  readonly work: () => Promise<string>
  readonly finish: (result: string) => void
  readonly fail: (error: Error) => void
  readonly times: () => number
}

function controlled(): Work {
  let times = 0
  const { promise, resolve, reject } = createDeferred()
  return {
    work: () => {
      times++
      return promise
    },
    finish: resolve,
    fail: reject,
    times: () => times,
  }
}

function createDeferred(): {
  promise: Promise<string>
  resolve: (value: string) => void
  reject: (error: Error) => void
} {
  let resolve!: (value: string) => void
  let reject!: (error: Error) => void
  const promise = new Promise<string>((settle, fail) => {
    resolve = settle
    reject = fail
  })
  return { promise, resolve, reject }
}

describe('SingleFlight', () => {
  it('does the work once for all who ask meanwhile', async () => {
    const flight = new SingleFlight<string>()
    const { work, finish, times } = controlled()
    const asked = [flight.run('a', work), flight.run('a', work), flight.run('a', work)]
    expect([times(), flight.size]).toEqual([1, 1])
    finish('done')
    expect(await Promise.all(asked)).toEqual(['done', 'done', 'done'])
  })

  it('does it again for who asks afterwards', async () => {
    const flight = new SingleFlight<string>()
    const { work, finish, times } = controlled()
    finish('done')
    await flight.run('a', work)
    expect(flight.size).toBe(0)
    await flight.run('a', work)
    expect(times()).toBe(2)
  })

  it('hands a failure to all who asked, and forgets it', async () => {
    const flight = new SingleFlight<string>()
    const { work, fail } = controlled()
    const asked = [flight.run('a', work), flight.run('a', work)]
    fail(new Error('no'))
    const settled = await Promise.allSettled(asked)
    expect(settled.map(({ status }) => status)).toEqual(['rejected', 'rejected'])
    expect(await flight.run('a', () => Promise.resolve('done'))).toBe('done')
  })

  it('keeps keys apart', async () => {
    const flight = new SingleFlight<string>()
    const one = controlled()
    const other = controlled()
    const asked = [flight.run('constructor', one.work), flight.run('__proto__', other.work)]
    expect(flight.size).toBe(2)
    one.finish('1')
    other.finish('2')
    expect(await Promise.all(asked)).toEqual(['1', '2'])
  })
})

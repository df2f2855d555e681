import { afterEach, describe, expect, it, jest } from '@jest/globals'
import { createDeps } from '../../lib/runtime/deps.js'

const LONGEST_TIMEOUT = 2 ** 31 - 1

describe('createDeps', () => {
  afterEach(() => {
    jest.restoreAllMocks()
    jest.useRealTimers()
  })

  it('is the real world', () => {
    const { now, random } = createDeps()
    const before = Date.now()
    expect(now()).toBeGreaterThanOrEqual(before)
    expect(now()).toBeLessThanOrEqual(Date.now())
    const number = random()
    expect(number >= 0 && number < 1).toBe(true)
  })

  it('replaces the parts that are given', () => {
    const { now, random } = createDeps({ now: () => 7 })
    expect(now()).toBe(7)
    expect(random).toBe(createDeps().random)
  })

  it('calls the global fetch of the moment, so that instrumentation is not bypassed', async () => {
    const { fetch } = createDeps()
    const instrumented = jest.spyOn(globalThis, 'fetch').mockResolvedValue(new Response('seen'))
    const response = await fetch('https://a.example', { method: 'POST' })
    expect(await response.text()).toBe('seen')
    expect(instrumented.mock.calls).toEqual([['https://a.example', { method: 'POST' }]])
  })

  it('calls back once after the time', () => {
    jest.useFakeTimers()
    const callback = jest.fn()
    createDeps().after(1000, callback)
    jest.advanceTimersByTime(999)
    expect(callback).toHaveBeenCalledTimes(0)
    jest.advanceTimersByTime(5000)
    expect(callback).toHaveBeenCalledTimes(1)
  })

  it('does not call back once it is cancelled', () => {
    jest.useFakeTimers()
    const callback = jest.fn()
    createDeps().after(1000, callback)()
    jest.advanceTimersByTime(5000)
    expect(callback).toHaveBeenCalledTimes(0)
  })

  it('does not keep the process alive', () => {
    const timers = jest.spyOn(globalThis, 'setTimeout')
    const cancel = createDeps().after(60_000, () => undefined)
    const [timer] = timers.mock.results.map(({ value }) => value as NodeJS.Timeout)
    expect(timer?.hasRef()).toBe(false)
    cancel()
  })

  it('does not call back at once where the time is beyond what a timer can count', () => {
    const timers = jest.spyOn(globalThis, 'setTimeout')
    createDeps().after(LONGEST_TIMEOUT + 1, () => undefined)()
    expect(timers.mock.calls[0]?.[1]).toBe(LONGEST_TIMEOUT)
  })
})

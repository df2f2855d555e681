import { describe, expect, it } from '@jest/globals'
import { testClock } from 'express-mcp-auth/testing'

describe('testClock', () => {
  it('stands at the present unless told otherwise', () => {
    const before = Date.now()
    const clock = testClock()
    expect(clock.now()).toBeGreaterThanOrEqual(before)
    expect(clock.now()).toBeLessThanOrEqual(Date.now())
    expect(testClock(5).now()).toBe(5)
  })

  it('moves only when it is told to', () => {
    const clock = testClock(1000)
    clock.advance(1.5)
    clock.advance(0)
    expect(clock.now()).toBe(2500)
  })

  it('calls what is due, in order, each at its time and once', () => {
    const clock = testClock(0)
    const called: string[] = []
    const note = (name: string) => () => called.push(`${name} at ${clock.now()}`)
    clock.after(2000, note('late'))
    clock.after(1000, note('early'))
    clock.after(1000, note('next'))
    clock.after(2001, note('never'))
    clock.advance(2)
    clock.advance(0)
    expect(called).toEqual(['early at 1000', 'next at 1000', 'late at 2000'])
  })

  it('calls what was added meanwhile, where that is due too', () => {
    const clock = testClock(0)
    const called: number[] = []
    const again = (): void => {
      called.push(clock.now())
      clock.after(400, again)
    }
    clock.after(400, again)
    clock.advance(1)
    expect(called).toEqual([400, 800])
    expect(clock.now()).toBe(1000)
  })

  it('calls nothing that was cancelled', () => {
    const clock = testClock(0)
    let called = false
    const cancel = clock.after(1000, () => {
      called = true
    })
    cancel()
    cancel()
    clock.advance(2)
    expect(called).toBe(false)
  })

  it('calls what is overdue at the time that it is', () => {
    const clock = testClock(5000)
    const called: number[] = []
    clock.after(-1000, () => called.push(clock.now()))
    clock.advance(0)
    expect(called).toEqual([5000])
  })
})

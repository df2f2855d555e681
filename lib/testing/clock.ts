// A clock that a test moves.
import { createDeps } from '../runtime/deps.js'

/** Time and timers for `deps`: nothing happens until the test says so. */
export interface TestClock {
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly after: (milliseconds: number, callback: () => void) => () => void
  /** Moves the time and calls what is due, in order. */
  advance(seconds: number): void
}

/**
 * @param start milliseconds since the epoch. Default: the present
 * @example
 * const clock = testClock()
 * const verifier = new JWTVerifier({ …, deps: clock })
 * clock.advance(3600)
 */
export function testClock(start: number = createDeps().now()): TestClock {
  let time = start
  const timers = new Set<{ readonly at: number; readonly callback: () => void }>()
  return {
    now: () => time,
    after(milliseconds, callback) {
      const timer = { at: time + milliseconds, callback }
      timers.add(timer)
      return () => {
        timers.delete(timer)
      }
    },
    advance(seconds) {
      const until = time + seconds * 1000
      for (;;) {
        const [next] = [...timers].filter(({ at }) => at <= until).toSorted((one, other) => one.at - other.at)
        if (next === undefined) break
        timers.delete(next)
        time = Math.max(time, next.at)
        next.callback()
      }
      time = until
    },
  }
}

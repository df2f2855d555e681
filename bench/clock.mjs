// A clock that can be moved, so that a minute's flood need not take a minute. Install it before loading a contender:
// some libraries keep a reference to the clock they first saw. Timers stay real.
const RealDate = Date
const realNow = performance.now.bind(performance)
const realHrtime = process.hrtime

let offsetMs = 0

class MovedDate extends RealDate {
  constructor(...args) {
    if (args.length === 0) super(RealDate.now() + offsetMs)
    else super(...args)
  }

  static now() {
    return RealDate.now() + offsetMs
  }
}

export function installClock() {
  globalThis.Date = MovedDate
  performance.now = () => realNow() + offsetMs
  // The tuple form moves; hrtime.bigint stays real, because the bench measures with it.
  process.hrtime = Object.assign(
    (previous) => {
      const [seconds, nanoseconds] = realHrtime(previous)
      return previous ? [seconds, nanoseconds] : [seconds + Math.floor(offsetMs / 1000), nanoseconds]
    },
    { bigint: realHrtime.bigint },
  )
}

export function advance(seconds) {
  offsetMs += seconds * 1000
}

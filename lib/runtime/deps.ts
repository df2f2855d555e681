// Everything that reaches outside the program or depends on when it runs, as one object that is passed down.
import { randomFillSync } from 'node:crypto'
import type { Network } from './network.js'

/** What the package needs of the world. Tests replace parts of it. */
export interface Deps {
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /** Between 0 and 1. */
  readonly random: () => number
  readonly fetch: typeof globalThis.fetch
  /** 144 random bits as 24 letters of base64url: for handles, versions and secrets. */
  readonly randomId: () => string
  /** Calls back once after some milliseconds, unless cancelled; does not keep the process alive. */
  readonly after: (milliseconds: number, callback: () => void) => () => void
  /** Names and connections, for URLs that strangers choose. Default: the system's. */
  readonly network?: Network
}

/** A timer takes no more, and fires at once when given more. About 25 days. */
const LONGEST_TIMEOUT = 2 ** 31 - 1

const system: Deps = {
  now: () => Date.now(),
  random: () => Math.random(),
  randomId,
  // Looked up at each call, so that instrumentation of the global fetch is not bypassed.
  fetch: (input, init) => fetch(input, init),
  after: (milliseconds, callback) => {
    const timer = setTimeout(callback, Math.min(milliseconds, LONGEST_TIMEOUT))
    timer.unref()
    return () => {
      clearTimeout(timer)
    }
  },
}

const ID_BYTES = 18

/** Asking the system for a few bytes at a time costs more than all else that an ID is made for. */
const pool = Buffer.alloc(256 * ID_BYTES)
let used = pool.length

function randomId(): string {
  if (used === pool.length) {
    randomFillSync(pool)
    used = 0
  }
  const id = pool.toString('base64url', used, used + ID_BYTES)
  // What was given out as a secret is not kept.
  pool.fill(0, used, used + ID_BYTES)
  used += ID_BYTES
  return id
}

/** The real world, with the parts replaced that are given. */
export function createDeps(replaced: Partial<Deps> = {}): Deps {
  return { ...system, ...replaced }
}

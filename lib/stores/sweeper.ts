// Clears expired rows away now and then, while something is written: nothing else removes them from a table.
import type { Deps } from '../runtime/deps.js'

/** Long enough to cost nothing, short enough that a day of sign-ins does not pile up. */
const PAUSE_MILLISECONDS = 5 * 60_000
/** Rows removed by one statement, so that no other waits long for it. */
export const SWEEP_BATCH = 500

/** One store's timer. It does not keep the process alive. */
export class Sweeper {
  readonly #deps: Pick<Deps, 'after' | 'random'>
  readonly #removeBatch: () => Promise<number>
  #cancel: (() => void) | undefined
  #stopped = false

  /** @param removeBatch removes up to {@link SWEEP_BATCH} expired rows and says how many */
  constructor(deps: Pick<Deps, 'after' | 'random'>, removeBatch: () => Promise<number>) {
    this.#deps = deps
    this.#removeBatch = removeBatch
  }

  /** Something was written, so something will expire. */
  wake(): void {
    if (this.#cancel !== undefined || this.#stopped) return
    // Processes that started together do not sweep together.
    const pause = PAUSE_MILLISECONDS * (0.75 + this.#deps.random() / 2)
    this.#cancel = this.#deps.after(pause, () => {
      this.#cancel = undefined
      // An outage is told to whoever needs the store; the next write wakes the sweeper again.
      this.sweep().catch(() => undefined)
    })
  }

  /** Removes all that has expired. */
  async sweep(): Promise<number> {
    let removed = 0
    for (;;) {
      const batch = await this.#removeBatch()
      removed += batch
      if (batch < SWEEP_BATCH) return removed
    }
  }

  stop(): void {
    this.#stopped = true
    this.#cancel?.()
    this.#cancel = undefined
  }
}

// Writes asked for in one turn of the event loop share one transaction: a commit costs more than a statement.
import type { Deps } from '../runtime/deps.js'
import { type SqliteDatabase, isBusy } from './sqlite-database.js'
import { StoreError } from './store-error.js'

interface Step {
  readonly work: () => unknown
  readonly resolve: (result: never) => void
  readonly reject: (error: Error) => void
}

/** A database that another process has locked is tried again, without blocking, for about two seconds. */
const RETRIES = 40
const RETRY_MILLISECONDS = 30
/** More would only wait for a database that is slow or locked already. */
const MAX_WAITING = 10_000

/** The writes of one connection. */
export class GroupCommit {
  readonly #database: Pick<SqliteDatabase, 'exec'>
  readonly #deps: Pick<Deps, 'after'>
  #waiting: Step[] = []
  #scheduled = false
  #retries = 0

  constructor(database: Pick<SqliteDatabase, 'exec'>, deps: Pick<Deps, 'after'>) {
    this.#database = database
    this.#deps = deps
  }

  /** Runs statements at the end of this turn; settles when they are committed, or have failed without a trace. */
  run<Result>(work: () => Result): Promise<Result> {
    if (this.#waiting.length >= MAX_WAITING) {
      return Promise.reject(new StoreError('SqliteStore: too many writes wait for the database'))
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ work, resolve, reject })
      if (this.#scheduled) return
      this.#scheduled = true
      setImmediate(() => this.#commit())
    })
  }

  #commit(): void {
    this.#scheduled = false
    const steps = this.#waiting
    this.#waiting = []
    if (steps.length === 1) this.#commitEach(steps)
    else this.#commitTogether(steps)
  }

  #commitTogether(steps: readonly Step[]): void {
    try {
      this.#database.exec('BEGIN IMMEDIATE')
    } catch (error) {
      this.#postpone(steps, error)
      return
    }
    let results: unknown[]
    try {
      results = steps.map(({ work }) => work())
      this.#database.exec('COMMIT')
    } catch {
      this.#rollBack()
      // Whose fault it was shows when each goes alone; nothing of the first attempt is left.
      this.#commitEach(steps)
      return
    }
    this.#retries = 0
    for (const [n, { resolve }] of steps.entries()) resolve(results[n] as never)
  }

  #commitEach(steps: readonly Step[]): void {
    for (const [n, { work, resolve, reject }] of steps.entries()) {
      try {
        const result = work()
        this.#retries = 0
        resolve(result as never)
      } catch (error) {
        if (isBusy(error)) {
          this.#postpone(steps.slice(n), error)
          return
        }
        reject(StoreError.of('SqliteStore', error))
      }
    }
  }

  #rollBack(): void {
    try {
      this.#database.exec('ROLLBACK')
    } catch {
      // A full disk has rolled back already.
    }
  }

  #postpone(steps: readonly Step[], error: unknown): void {
    if (!isBusy(error) || this.#retries === RETRIES) {
      this.#retries = 0
      for (const { reject } of steps) reject(StoreError.of('SqliteStore', error))
      return
    }
    this.#retries++
    this.#waiting.unshift(...steps)
    this.#scheduled = true
    this.#deps.after(RETRY_MILLISECONDS, () => this.#commit())
  }
}

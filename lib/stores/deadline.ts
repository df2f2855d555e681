// A store at the other end of a network answers soon or counts as down: nobody waits long, and no queue grows.
import type { Deps } from '../runtime/deps.js'
import { StoreError } from './store-error.js'

const DEADLINE_MILLISECONDS = 2000
/** Calls without an answer. Those that were given up count until the client has let go of them too. */
const MAX_IN_FLIGHT = 1000

/** The calls of one store. */
export class Deadline {
  readonly #store: string
  readonly #deps: Pick<Deps, 'after'>
  #inFlight = 0

  constructor(store: string, deps: Pick<Deps, 'after'>) {
    this.#store = store
    this.#deps = deps
  }

  async run<Result>(call: () => Promise<Result>): Promise<Result> {
    if (this.#inFlight >= MAX_IN_FLIGHT)
      throw new StoreError(`${this.#store}: too many calls wait for an answer`)
    this.#inFlight++
    return new Promise((resolve, reject) => {
      const cancel = this.#deps.after(DEADLINE_MILLISECONDS, () => {
        reject(new StoreError(`${this.#store}: no answer within ${DEADLINE_MILLISECONDS / 1000} seconds`))
      })
      const settled = (): void => {
        this.#inFlight--
        cancel()
      }
      call().then(
        (result) => {
          settled()
          resolve(result)
        },
        (error: unknown) => {
          settled()
          reject(StoreError.of(this.#store, error))
        },
      )
    })
  }
}

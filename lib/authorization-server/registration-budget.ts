// How many clients may register: a bound of its own beside the rate limits, which go by address.
import { OAuthError } from '../protocol/errors.js'

const HOUR = 3_600_000

/** Counts by the hour of the clock, in this process. */
export class RegistrationBudget {
  readonly #most: number
  readonly #now: () => number
  #hour = 0
  #spent = 0

  constructor(most: number, now: () => number) {
    this.#most = most
    this.#now = now
  }

  /** @throws OAuthError with status 429 where the hour's registrations are spent */
  spend(): void {
    const hour = Math.floor(this.#now() / HOUR)
    if (hour !== this.#hour) {
      this.#hour = hour
      this.#spent = 0
    }
    if (this.#spent >= this.#most) {
      throw new OAuthError('temporarily_unavailable', 'Too many clients registered lately, try again later', {
        status: 429,
        retryAfterSeconds: Math.ceil(((hour + 1) * HOUR - this.#now()) / 1000),
      })
    }
    this.#spent++
  }
}

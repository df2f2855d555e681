// RFC 6749 6 and RFC 9700 4.14.2: a refresh token may be used once, however many processes hold it. One renews, the others wait for what comes.
import type { Deps } from '../runtime/deps.js'
import { SingleFlight } from '../runtime/single-flight.js'
import { stayAwake } from '../runtime/stay-awake.js'
import type { Stored } from '../stores/collection.js'
import { ClientError } from './client-error.js'
import type { Credentials, TokenRecord } from './credentials.js'
import { authenticateClient, requestToken } from './token-request.js'

/** How long a process that renews may take, before others think that it died. */
const LEASE_MILLISECONDS = 30_000
const REQUEST_SECONDS = 20
const POLL_MILLISECONDS = 50
/** A lease that ends later than this was written by a clock that was wrong. Clocks of several machines differ by less. */
const LONGEST_LEASE_MILLISECONDS = LEASE_MILLISECONDS + 5000
/** Tokens that are still good are not tried again so soon, where renewing failed. */
const PAUSE_MILLISECONDS = 5000

/** A renewal that others wait for. */
export interface Lease {
  readonly read: Stored<TokenRecord>
  /** The refresh token that it is about. */
  readonly refreshToken: string
}

/** Renews the tokens of one store. */
export class Renewal {
  readonly #credentials: Credentials
  readonly #deps: Deps
  readonly #flight = new SingleFlight<Stored<TokenRecord> | undefined>()
  /** Renewals of this process, by key: each settles when it is over. */
  readonly #held = new Map<string, { readonly over: Promise<void>; readonly end: () => void }>()

  /** Access tokens that could not be renewed, by key, and until when that is left at that. */
  readonly #pauses = new Map<string, { readonly accessToken: string; readonly until: number }>()

  constructor(credentials: Credentials, deps: Deps) {
    this.#credentials = credentials
    this.#deps = deps
  }

  /** Whether tokens are at their end, or nearly. */
  isDue(key: string, { accessToken, expiresAt = 0, refreshToken, renewAt }: TokenRecord): boolean {
    const now = this.#deps.now()
    if (refreshToken === undefined || renewAt === undefined || renewAt > now) return false
    const pause = this.#pauses.get(key)
    return pause?.accessToken !== accessToken || pause.until <= now || expiresAt <= now
  }

  /**
   * Renews tokens unless somebody else has, and gives what is there then. Undefined where they cannot be renewed any more; what they were
   * where that could not be found out.
   *
   * @param read the tokens as they were seen by whoever thinks that they have to be renewed
   */
  renew(key: string, read: Stored<TokenRecord>): Promise<Stored<TokenRecord> | undefined> {
    return this.#flight.run(key, () => this.#renew(key, read))
  }

  async #renew(key: string, seen: Stored<TokenRecord>): Promise<Stored<TokenRecord> | undefined> {
    const lease = await this.lease(key)
    if (lease === undefined) return this.#credentials.tokens.get(key)
    const { read, refreshToken } = lease
    if (read.data.accessToken !== seen.data.accessToken) return this.#release(key, read)
    const { client, resource, tokenEndpoint, authMethods } = read.data
    const form = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: refreshToken })
    if (resource !== undefined) form.set('resource', resource)
    const headers = new Headers()
    const who = {
      clientId: client.client_id,
      clientSecret: client.client_secret,
      method: client.token_endpoint_auth_method,
    }
    authenticateClient(who, authMethods, headers, form)
    try {
      const request = { tokenEndpoint, form, headers, timeoutSeconds: REQUEST_SECONDS }
      const { refreshToken: next = refreshToken, ...issued } = await stayAwake(
        requestToken(request, this.#deps),
      )
      const { scope = read.data.scope, expiresAt, renewAt } = issued
      return await this.keep(key, read, {
        ...read.data,
        ...issued,
        expiresAt,
        renewAt,
        scope,
        refreshToken: next,
      })
    } catch (error) {
      return this.#giveUp(key, read, error)
    }
  }

  async #giveUp(
    key: string,
    read: Stored<TokenRecord>,
    error: unknown,
  ): Promise<Stored<TokenRecord> | undefined> {
    const { issuer, client } = read.data
    const why = error instanceof ClientError ? error.error : undefined
    if (why === 'invalid_client' || why === 'unauthorized_client')
      await this.#credentials.forgetRegistration(issuer, client.client_id)
    else if (why !== 'invalid_grant') {
      const { accessToken } = read.data
      this.#pauses.set(key, { accessToken, until: this.#deps.now() + PAUSE_MILLISECONDS })
      return this.#release(key, read)
    }
    await this.drop(key, read)
    return this.#credentials.tokens.get(key)
  }

  /** Waits until nobody else renews, and has it for itself then. Undefined where there is nothing to renew. */
  async lease(key: string): Promise<Lease | undefined> {
    for (;;) {
      await this.#held.get(key)?.over
      const known = await this.#credentials.tokens.get(key)
      const refreshToken = known?.data.refreshToken
      if (known === undefined || refreshToken === undefined) return undefined
      const now = this.#deps.now()
      if (this.#held.has(key)) continue
      const ahead = (known.data.leasedUntil ?? 0) - now
      if (ahead > 0 && ahead <= LONGEST_LEASE_MILLISECONDS) {
        await stayAwake(new Promise<void>((done) => this.#deps.after(POLL_MILLISECONDS, done)))
        continue
      }
      const end = this.#hold(key)
      const leasedUntil = now + LEASE_MILLISECONDS
      const read = await this.#credentials.tokens.replace(key, known, { ...known.data, leasedUntil })
      if (read !== undefined) return { read, refreshToken }
      end()
    }
  }

  /** Until it is over, or has taken too long. */
  #hold(key: string): () => void {
    let settle: () => void = () => undefined
    const over = new Promise<void>((resolve) => (settle = resolve))
    const cancel = this.#deps.after(LEASE_MILLISECONDS, () => {
      end()
    })
    const end = (): void => {
      cancel()
      if (this.#held.get(key)?.end === end) this.#held.delete(key)
      settle()
    }
    this.#held.set(key, { over, end })
    return end
  }

  /** Writes what came of a renewal, unless somebody has signed in meanwhile. What is there then. */
  async keep(
    key: string,
    read: Stored<TokenRecord>,
    data: TokenRecord,
  ): Promise<Stored<TokenRecord> | undefined> {
    const { expiresAt, tokens } = this.#credentials
    try {
      const kept = await tokens.replace(key, read, { ...data, leasedUntil: undefined }, expiresAt)
      return kept ?? (await tokens.get(key))
    } finally {
      this.#held.get(key)?.end()
    }
  }

  /** Forgets tokens that are worth nothing, only as they were read: what somebody else got meanwhile is good. */
  async drop(key: string, read: Stored<TokenRecord>): Promise<void> {
    try {
      await this.#credentials.tokens.remove(key, read)
    } finally {
      this.#held.get(key)?.end()
    }
  }

  #release(key: string, read: Stored<TokenRecord>): Promise<Stored<TokenRecord> | undefined> {
    return this.keep(key, read, read.data)
  }

  /** Lets others renew, where nothing came of it. */
  async giveBack(key: string, { read }: Lease): Promise<void> {
    await this.#release(key, read)
  }
}

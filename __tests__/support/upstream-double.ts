// An identity provider in memory, behind the port that the authorization server knows it by: it signs people in, rotates and counts, and a
// test says when it refuses, is away, or takes its time.
import type { VerifyContext } from 'express-mcp-auth'
import {
  type Upstream,
  type UpstreamOrigin,
  UpstreamRefusal,
  type UpstreamTokens,
  type UpstreamTrip,
  type UpstreamUser,
} from '../../lib/authorization-server/upstream.js'

/** One question to the identity provider. */
export interface UpstreamCall {
  readonly operation: 'authorizationUrl' | 'exchange' | 'refresh' | 'revoke' | 'identify'
  readonly trip?: UpstreamTrip
  readonly redirectUri?: string
  readonly callback?: URLSearchParams
  readonly tokens?: UpstreamTokens
  readonly origin?: UpstreamOrigin
  readonly known?: UpstreamUser | undefined
}

/** What comes of one call: whatever it throws, what it gives unless that is undefined, or else what always comes of it. */
export type UpstreamStep = (context: VerifyContext) => unknown

/** Whom it knows. */
export const GRACE: UpstreamUser = {
  subject: 'idp|grace',
  name: 'Grace',
  claims: { email: 'grace@example.com', iss: 'https://id.example.com' },
}

export class UpstreamDouble implements Upstream {
  readonly name: string = 'Example ID'
  realm: string = 'https://id.example.com app-of-ours'
  readonly callbackPath: string = '/auth/callback'
  forwardsResource: boolean = true
  readonly expiryThresholdSeconds: number = 30
  /** Whose every token is. */
  user: UpstreamUser = GRACE
  /** Life of access tokens; undefined where it does not tell. */
  lifeSeconds: number | undefined = 3600
  /** Whether access can be renewed. */
  givesRefreshTokens: boolean = true
  /** Scopes that it says it granted; undefined where it says nothing. */
  tells: readonly string[] | undefined
  readonly calls: UpstreamCall[] = []
  readonly #now: () => number
  readonly #steps = new Map<UpstreamCall['operation'], UpstreamStep[]>()
  readonly #trips = new Map<string, UpstreamTrip>()
  readonly #usedCodes = new Set<string>()
  /** Access tokens that are good, and until when. */
  readonly #access = new Map<string, number>()
  readonly #refresh = new Set<string>()
  #issued = 0

  constructor({ now }: { readonly now: () => number }) {
    this.#now = now
  }

  /** What comes of the next calls of an operation, one each. */
  next(operation: UpstreamCall['operation'], ...steps: readonly UpstreamStep[]): void {
    this.#steps.set(operation, [...(this.#steps.get(operation) ?? []), ...steps])
  }

  /** How often it was asked. */
  count(operation: UpstreamCall['operation']): number {
    return this.calls.filter((call) => call.operation === operation).length
  }

  last(operation: UpstreamCall['operation']): UpstreamCall {
    const call = this.calls.findLast((one) => one.operation === operation)
    if (call === undefined) throw new Error(`it was never asked to ${operation}`)
    return call
  }

  /** Every token that is good for something. */
  get living(): readonly string[] {
    return [...this.#access.keys(), ...this.#refresh]
  }

  /** Ends access tokens before their time; refresh tokens go on. */
  endAccess(): void {
    this.#access.clear()
  }

  async authorizationUrl(trip: UpstreamTrip, redirectUri: string): Promise<string> {
    return this.#answer({ operation: 'authorizationUrl', trip, redirectUri }, SILENT, () => {
      this.#trips.set(trip.state, trip)
      const { state, nonce, scopes } = trip
      const query = new URLSearchParams({ state, nonce, redirect_uri: redirectUri, scope: scopes.join(' ') })
      return `https://id.example.com/authorize?${query}`
    })
  }

  async exchange(
    callback: URLSearchParams,
    trip: UpstreamTrip,
    redirectUri: string,
    context: VerifyContext,
  ): Promise<UpstreamTokens> {
    return this.#answer({ operation: 'exchange', callback, trip, redirectUri }, context, () => {
      const error = callback.get('error')
      if (error !== null) throw new UpstreamRefusal(error, `it says ${error}`)
      const code = String(callback.get('code'))
      const left = this.#trips.get(trip.state)
      if (this.#usedCodes.has(code) || left?.verifier !== trip.verifier || left.nonce !== trip.nonce) {
        throw new UpstreamRefusal('invalid_grant', 'the code is none, or was used')
      }
      this.#usedCodes.add(code)
      return this.#issue()
    })
  }

  async refresh(
    tokens: UpstreamTokens,
    origin: UpstreamOrigin,
    context: VerifyContext,
  ): Promise<UpstreamTokens> {
    return this.#answer({ operation: 'refresh', tokens, origin }, context, () => {
      // Each is good once, as with identity providers that rotate them.
      if (!this.#refresh.delete(String(tokens.refreshToken))) {
        throw new UpstreamRefusal('invalid_grant', 'the refresh token is none, or was used')
      }
      return this.#issue()
    })
  }

  async revoke(tokens: UpstreamTokens): Promise<void> {
    await this.#answer({ operation: 'revoke', tokens }, SILENT, () => {
      this.#access.delete(tokens.accessToken)
      this.#refresh.delete(String(tokens.refreshToken))
    })
  }

  async identify(
    tokens: UpstreamTokens,
    origin: UpstreamOrigin,
    known: UpstreamUser | undefined,
    context: VerifyContext,
  ): Promise<UpstreamUser | null> {
    return this.#answer({ operation: 'identify', tokens, origin, known }, context, () =>
      (this.#access.get(tokens.accessToken) ?? 0) > this.#now() ? this.user : null,
    )
  }

  granted(asked: readonly string[], tokens: UpstreamTokens, user: UpstreamUser): readonly string[] {
    const told = tokens.scopes ?? user.scopes
    return told === undefined ? asked : asked.filter((scope) => told.includes(scope))
  }

  #issue(): UpstreamTokens {
    this.#issued += 1
    const accessToken = `upstream-access-${this.#issued}`
    const refreshToken = this.givesRefreshTokens ? `upstream-refresh-${this.#issued}` : undefined
    const expiresAt = this.lifeSeconds === undefined ? undefined : this.#now() + this.lifeSeconds * 1000
    this.#access.set(accessToken, expiresAt ?? Infinity)
    if (refreshToken !== undefined) this.#refresh.add(refreshToken)
    return {
      accessToken,
      refreshToken,
      expiresAt,
      idToken: `upstream-id-${this.#issued}`,
      scopes: this.tells,
    }
  }

  async #answer<Result>(call: UpstreamCall, context: VerifyContext, usual: () => Result): Promise<Result> {
    this.calls.push(call)
    const said = await this.#steps.get(call.operation)?.shift()?.(context)
    return said === undefined ? usual() : (said as Result)
  }
}

const SILENT: VerifyContext = { report: () => undefined, refuse: () => null }

/** A step that fails as an identity provider does that is away. */
export function away(): never {
  throw new Error('connect ECONNREFUSED 203.0.113.7:443')
}

/** A step that says no. */
export function refusing(code: string): UpstreamStep {
  return () => {
    throw new UpstreamRefusal(code, `it says ${code}`)
  }
}

/** A step that takes its time. */
export interface Gate {
  readonly step: UpstreamStep
  /** Resolves once somebody stands before it. */
  readonly reached: Promise<void>
  /** Lets them through. */
  open(): void
}

export function gate(): Gate {
  let open = (): void => undefined
  let arrive = (): void => undefined
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  const reached = new Promise<void>((resolve) => {
    arrive = resolve
  })
  return {
    step: () => {
      arrive()
      return opened
    },
    reached,
    open: () => {
      open()
    },
  }
}

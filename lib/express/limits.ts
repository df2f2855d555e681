// Rate limits by endpoint and address. Loaded only with a route that asks for one, since it costs as much start-up as all else here.
import type { ServerResponse } from 'node:http'
import type { Options, RateLimitRequestHandler, Store } from 'express-rate-limit'
import { ConfigError } from '../protocol/errors.js'
import { OptionReader, unknownName } from '../protocol/options.js'
import type { Deps } from '../runtime/deps.js'
import type { Reporter } from '../runtime/events.js'
import type { Route } from '../runtime/route.js'
import type { NodeRequest } from './adapter.js'

/** How often one address may call an endpoint. */
export interface RateLimitBounds {
  /** Length of the window. Default: 60. */
  readonly windowSeconds?: number
  /** Requests in it. The default depends on the endpoint. */
  readonly limit?: number
}

/** How often one address may call the endpoints, each counted by itself. */
export interface RateLimitOptions extends RateLimitBounds {
  /** Bounds of single endpoints, e.g. `{ token: { limit: 1000 } }`. */
  readonly endpoints?: Readonly<Record<string, RateLimitBounds>>
  /**
   * Where counts are kept, for replicas to share them: any store of express-rate-limit. Called once for each endpoint, whose name
   * belongs into the prefix of the keys. Default: the memory of the process.
   *
   * @example store: (name) => new RedisStore({ prefix: `rl:${name}:`, sendCommand })
   */
  readonly store?: (name: string) => Store
}

/** `rateLimit`, read. */
export interface RateLimits {
  boundsOf(name: string): Required<RateLimitBounds>
  /** Endpoints with bounds of their own. */
  readonly named: readonly string[]
  readonly store: ((name: string) => Store) | undefined
}

/** The name that routes share which have none. */
const COMMON = 'common'
const DEFAULT_LIMIT = 60
const DEFAULT_WINDOW_SECONDS = 60
const LONGEST_WINDOW_SECONDS = 24 * 24 * 60 * 60

/**
 * In a minute. Hosted MCP clients call from few addresses, so what they do for all their users has room: tokens, and registration
 * too. What lets somebody guess a password has little; a sign-in is two requests, since the page that is looked at counts as well.
 */
const LIMITS: ReadonlyMap<string, number> = new Map([
  ['authorize', 120],
  ['token', 300],
  ['register', 60],
  ['revoke', 300],
  ['introspect', 300],
  ['sign-in', 40],
])

/** Reads the `rateLimit` option. */
export function parseRateLimit(value: unknown): RateLimits | false {
  if (value === false) return false
  const read = new OptionReader('rateLimit', value ?? {}, ['windowSeconds', 'limit', 'endpoints', 'store'])
  const common = parseBounds(read)
  const endpoints = read.raw('endpoints') ?? {}
  if (typeof endpoints !== 'object' || Array.isArray(endpoints)) {
    throw read.invalid('endpoints', 'an object such as { token: { limit: 300 } }')
  }
  const own = new Map(
    Object.entries(endpoints).map(([name, bounds]) => {
      const reader = new OptionReader(`rateLimit: "${name}"`, bounds, ['windowSeconds', 'limit'])
      return [name, parseBounds(reader)]
    }),
  )
  return {
    boundsOf: (name) => ({
      windowSeconds: own.get(name)?.windowSeconds ?? common.windowSeconds ?? DEFAULT_WINDOW_SECONDS,
      limit: own.get(name)?.limit ?? common.limit ?? LIMITS.get(name) ?? DEFAULT_LIMIT,
    }),
    named: [...own.keys()],
    store: read.callback('store'),
  }
}

function parseBounds(read: OptionReader): RateLimitBounds {
  const limit = read.raw('limit')
  if (limit !== undefined && (!Number.isSafeInteger(limit) || (limit as number) < 1)) {
    throw read.invalid('limit', 'a whole number above 0')
  }
  const windowSeconds = read.has('windowSeconds') ? read.seconds('windowSeconds', 0) : undefined
  if (windowSeconds === 0) throw read.invalid('windowSeconds', 'more than 0')
  // A timer that is given more fires at once, and every count would be forgotten.
  if (windowSeconds !== undefined && windowSeconds > LONGEST_WINDOW_SECONDS) {
    throw read.invalid('windowSeconds', `at most ${LONGEST_WINDOW_SECONDS}, which are 24 days`)
  }
  return {
    ...(limit !== undefined && { limit: limit as number }),
    ...(windowSeconds !== undefined && { windowSeconds }),
  }
}

/** What a limiter says of a request: it may go on, there were too many, or an error. */
export type LimitOutcome = 'pass' | 'too_many' | { readonly error: unknown }

/** Counts a request. A header of the response tells the caller how many are left. */
export type Limiter = (
  request: NodeRequest,
  response: ServerResponse,
  done: (outcome: LimitOutcome) => void,
) => void

/** Finds the limiter of a route: none where the route asks for none. */
export type Limiters = (route: Route) => Limiter | undefined

/** Makes one limiter for each name that routes use. */
export function createLimiters(
  limits: RateLimits | false,
  routes: Iterable<Route>,
  reporter: Reporter,
  deps: Pick<Deps, 'after'>,
): Limiters {
  if (limits === false) return () => undefined
  const names = new Set([...routes].map(limitName).filter((name) => name !== undefined))
  checkNames(limits.named, names)
  const limiters = new Map([...names].map((name) => [name, createLimiter(name, limits, reporter, deps)]))
  return (route) => limiters.get(limitName(route) ?? '')
}

function limitName({ limited = false }: Route): string | undefined {
  return limited === true ? COMMON : limited === false ? undefined : limited
}

/** A limit on nothing would let its author think that there is one. */
function checkNames(named: readonly string[], names: ReadonlySet<string>): void {
  const known = [...new Set([...LIMITS.keys(), ...names])]
  const unknown = named.find((name) => !known.includes(name))
  if (unknown !== undefined) throw unknownName(`rateLimit has no endpoint "${unknown}"`, unknown, known)
}

const TOO_MANY = Symbol('too many')

/** Begins to load the limiter at once, so that it is there, and made outside any request, when the first one comes. */
function createLimiter(
  name: string,
  limits: RateLimits,
  reporter: Reporter,
  { after }: Pick<Deps, 'after'>,
): Limiter {
  const complain = complainTo(reporter, name)
  const { windowSeconds, limit } = limits.boundsOf(name)
  const store = limits.store?.(name)
  checkStore(name, store, limits.store !== undefined)
  const options: Partial<Options> = {
    windowMs: windowSeconds * 1000,
    limit,
    // Later drafts are written with what only Express's response has.
    standardHeaders: 'draft-7',
    legacyHeaders: false,
    // Its checks log or throw on deployments that work; trust proxy is hinted at by an event instead.
    validate: false,
    // Whoever counts for all replicas is one more thing to fail. Its outage must not log everybody out.
    passOnStoreError: true,
    // The one thing that it has to say here is that its store failed.
    logger: { error: complain, warn: complain },
    handler: (_request, _response, next) => {
      next(TOO_MANY)
    },
    ...(store !== undefined && { store }),
  }
  let limiter: RateLimitRequestHandler | undefined
  const loading = import('express-rate-limit').then(({ rateLimit, ipKeyGenerator }) => {
    limiter = rateLimit({
      ...options,
      keyGenerator: (request) => ipKeyGenerator(request.ip ?? request.socket.remoteAddress ?? '', 64),
    })
    return limiter
  })
  // Whoever waits for it hears of it.
  loading.catch(() => undefined)
  return (request, response, done) => {
    let cancel = (): void => undefined
    let decided = false
    const decide = (outcome?: unknown): void => {
      if (decided) return
      decided = true
      cancel()
      if (outcome === undefined) done('pass')
      else done(outcome === TOO_MANY ? 'too_many' : { error: outcome })
    }
    // A client that queues its commands until it is connected again fails by never answering.
    if (store !== undefined) {
      cancel = after(STORE_DEADLINE_SECONDS * 1000, () => {
        complain(`no answer within ${STORE_DEADLINE_SECONDS} s`)
        decide()
      })
    }
    const count = async (): Promise<void> => {
      await (limiter ?? (await loading))(request as never, response as never, decide)
    }
    count().catch(decide)
  }
}

const STORE_DEADLINE_SECONDS = 2

function checkStore(name: string, store: unknown, expected: boolean): void {
  if (!expected || typeof (store as Partial<Store> | null | undefined)?.increment === 'function') return
  throw new ConfigError(
    'ERR_MCP_AUTH_INVALID_OPTION',
    `rateLimit: "store" must make a store of express-rate-limit, which it did not for ${JSON.stringify(name)}`,
  )
}

function complainTo(reporter: Reporter, name: string): (error: unknown) => void {
  return (error) => {
    const why = error instanceof Error ? error.message : String(error)
    reporter.hint(
      'rate_limit_store',
      `the store of the rate limit failed (${name}: ${why}): requests are served unlimited until it is back`,
    )
  }
}

/** Tells, once, that a proxy is there which Express does not know of. */
export function hintAtProxy(reporter: Reporter, request: NodeRequest): void {
  if (request.headers['x-forwarded-for'] === undefined) return
  const { app } = request as { app?: { get?: (name: string) => unknown } }
  if (typeof app?.get !== 'function' || app.get('trust proxy') !== false) return
  reporter.hint(
    'trust_proxy_off',
    'requests come through a proxy (X-Forwarded-For), but Express does not trust it, so all callers share one address in logs and ' +
      "rate limits: app.set('trust proxy', 1), or as many proxies as there are",
  )
}

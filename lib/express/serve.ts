// Serves a route: its limit, its body, its answer. Whatever a handler throws becomes an answer, and none of it reaches the app.
import type { ServerResponse } from 'node:http'
import { oauthError, plainRefusal } from '../http/respond.js'
import { handleRoute, methodsOf, refuseMethod } from '../http/routes.js'
import { describeThrown, eventPath, recognize } from '../http/verdicts.js'
import { hasRepeats } from '../protocol/bearer.js'
import { OAuthError } from '../protocol/errors.js'
import type { AuthResponse } from '../protocol/message.js'
import type { Deps } from '../runtime/deps.js'
import type { Reporter } from '../runtime/events.js'
import type { Route, RouteBody } from '../runtime/route.js'
import { type NodeRequest, isOver, preflight } from './adapter.js'
import { sendSecured } from './headers.js'
import { type LimitOutcome, type Limiters, hintAtProxy } from './limits.js'
import { readRouteBody } from './route-body.js'

/** What routes are served with. */
export interface RouteSite {
  readonly cors: boolean
  readonly limiters: Limiters
  readonly reporter: Reporter
  readonly deps: Pick<Deps, 'after'>
}

/** One request to a route. */
interface Exchange {
  readonly site: RouteSite
  readonly route: Route
  readonly request: NodeRequest
  readonly response: ServerResponse
}

const NONE: RouteBody = { kind: 'none' }
const CLOSED: AuthResponse = { status: 204, headers: {} }

/** Answers a request to a route, sooner or later; never throws. */
export function serve(site: RouteSite, route: Route, request: NodeRequest, response: ServerResponse): void {
  const exchange = { site, route, request, response }
  attempt(exchange, () => {
    hintAtProxy(site.reporter, request)
    const refusal = refuse(exchange)
    if (refusal !== undefined) answer(exchange, refusal)
    else limit(exchange)
  })
}

function refuse({ site, route, request }: Exchange): AuthResponse | undefined {
  if (hasRepeats(request.rawHeaders)) {
    return plainRefusal(400, 'Host and Authorization must not be repeated')
  }
  if (request.method === 'OPTIONS') {
    return isReadable(site, route) ? preflight(request, methodsOf(route).join(', ')) : CLOSED
  }
  return refuseMethod(route, request)
}

function limit(exchange: Exchange): void {
  const { site, route, request, response } = exchange
  const limiter = site.limiters(route)
  if (limiter === undefined) takeBody(exchange)
  else {
    limiter(request, response, (outcome) => {
      attempt(exchange, () => {
        settleLimit(exchange, outcome)
      })
    })
  }
}

function settleLimit(exchange: Exchange, outcome: LimitOutcome): void {
  if (outcome === 'pass') takeBody(exchange)
  else if (outcome === 'too_many') answer(exchange, exchange.route.tooMany?.() ?? TOO_MANY)
  else fail(exchange, outcome.error)
}

const TOO_MANY = plainRefusal(429, 'Too many requests, try again later')

function takeBody(exchange: Exchange): void {
  const { site, route, request } = exchange
  const { maxBodyBytes } = route
  const body = maxBodyBytes === undefined ? NONE : readRouteBody(request, maxBodyBytes, site.deps)
  if (body instanceof Promise) {
    void body.then((read) => {
      // Whoever went away in the middle wants no answer, and what was cut off says nothing about the client.
      if (!isOver(exchange.response)) handle(exchange, read)
    })
  } else handle(exchange, body)
}

function handle(exchange: Exchange, body: RouteBody): void {
  const { site, route, request } = exchange
  const { report, hint } = site.reporter
  attempt(exchange, () => {
    if (body.kind === 'too_large' || body.kind === 'unreadable') abandonBody(exchange)
    const answered = handleRoute(route, request, { body, report, hint })
    if (isThenable(answered)) {
      answered.then(
        (later) => {
          attempt(exchange, () => {
            answer(exchange, later)
          })
        },
        (error: unknown) => {
          fail(exchange, error)
        },
      )
    } else answer(exchange, answered)
  })
}

/** What was not read to its end is thrown away, and leaves a connection that cannot be used again. */
function abandonBody({ request, response }: Exchange): void {
  if (request.complete) return
  request.resume()
  response.setHeader('Connection', 'close')
}

function isThenable(value: AuthResponse | PromiseLike<AuthResponse>): value is PromiseLike<AuthResponse> {
  return typeof (value as { then?: unknown }).then === 'function'
}

function attempt(exchange: Exchange, work: () => void): void {
  try {
    work()
  } catch (error) {
    fail(exchange, error)
  }
}

/** An error that OAuth has a word for is answered with it; of anything else the caller learns that he may try again. */
function fail(exchange: Exchange, thrown: unknown): void {
  const { site, request, response } = exchange
  const known = recognize(thrown)
  const path = eventPath(request)
  const { method = 'GET' } = request
  if (known === undefined || known.status >= 500) {
    const message = known?.detail ?? known?.description ?? describeThrown(thrown)
    site.reporter.report({ type: 'request.failed', method, path, message })
  } else if (site.reporter.listening) {
    const { code: error, status, detail, description } = known
    const reason = { stage: 'request', got: detail ?? description }
    site.reporter.report({ type: 'request.refused', method, path, status, error, reason })
  }
  try {
    answer(exchange, oauthError(known ?? OUTAGE))
  } catch {
    // Something of the app's stands in the way of any answer.
    response.destroy()
  }
}

const OUTAGE = new OAuthError(
  'temporarily_unavailable',
  'This could not be done right now, try again shortly',
)

function answer({ site, route, request, response }: Exchange, answered: AuthResponse): void {
  sendSecured(request, response, answered, isReadable(site, route))
}

function isReadable(site: RouteSite, route: Route): boolean {
  return site.cors && route.cors !== false
}

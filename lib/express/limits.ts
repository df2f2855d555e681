// Rate limits for routes that ask for them. Loaded only with such a route, since it costs as much start-up as all else here.
import type { ServerResponse } from 'node:http'
import type { RateLimitRequestHandler } from 'express-rate-limit'
import { plainRefusal } from '../http/respond.js'
import { OptionReader } from '../protocol/options.js'
import { type Next, type NodeRequest, send } from './adapter.js'

/** How often one address may call the limited routes. */
export interface RateLimitOptions {
  /** Length of the window. Default: 60. */
  readonly windowSeconds?: number
  /** Requests in it. Default: 60. */
  readonly limit?: number
}

/** A handler that lets a request pass or answers 429. */
export type Limiter = (request: NodeRequest, response: ServerResponse, next: Next) => void

/** Reads the `rateLimit` option. */
export function parseRateLimit(value: unknown): Required<RateLimitOptions> | false {
  if (value === false) return false
  const read = new OptionReader('rateLimit', value ?? {}, ['windowSeconds', 'limit'])
  const limit = read.raw('limit') ?? 60
  if (!Number.isSafeInteger(limit) || (limit as number) < 1)
    throw read.invalid('limit', 'a whole number above 0')
  const windowSeconds = read.seconds('windowSeconds', 60)
  if (windowSeconds === 0) throw read.invalid('windowSeconds', 'more than 0')
  return { windowSeconds, limit: limit as number }
}

/** Begins to load the limiter at once, so that it is there, and made outside any request, when the first one comes. */
export function createLimiter({ windowSeconds, limit }: Required<RateLimitOptions>): Limiter {
  const loading: Promise<RateLimitRequestHandler> = import('express-rate-limit').then(
    ({ rateLimit, ipKeyGenerator }) =>
      rateLimit({
        windowMs: windowSeconds * 1000,
        limit,
        // Later drafts are written with what only Express's response has.
        standardHeaders: 'draft-7',
        legacyHeaders: false,
        // Its checks log or throw on deployments that work; trust proxy is hinted at by an event instead.
        validate: false,
        keyGenerator: (request) => ipKeyGenerator(request.ip ?? request.socket.remoteAddress ?? '', 64),
        handler: (request, response) => {
          send(request, response, plainRefusal(429, 'Too many requests, try again later'))
        },
      }),
  )
  return (request, response, next) => {
    loading.then((limiter) => limiter(request as never, response as never, next)).catch(next)
  }
}

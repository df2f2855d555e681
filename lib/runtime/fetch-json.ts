// Outbound HTTP for small JSON documents, within the bounds of every request that this package makes.
import { type BoundedRequest, boundedFetch } from './bounded-fetch.js'
import type { Deps } from './deps.js'

export { FetchError } from './bounded-fetch.js'

/** One request and its bounds. */
export type JsonRequest = BoundedRequest

/** An answer. `json` is undefined where the body is not JSON. */
export interface JsonAnswer {
  readonly status: number
  readonly headers: Headers
  readonly json: unknown
}

/** Makes one request, and reads the answer as JSON. */
export async function fetchJson(
  request: JsonRequest,
  deps: Pick<Deps, 'fetch' | 'after'>,
): Promise<JsonAnswer> {
  const asking = { ...request, headers: { accept: 'application/json', ...request.headers } }
  const { status, headers, text } = await boundedFetch(asking, deps)
  return { status, headers, json: parse(text) }
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

/** A URL for an event: an endpoint may be configured with a key in its query. */
export function withoutQuery(url: string): string {
  return url.split('?', 1)[0] as string
}

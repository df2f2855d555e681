// Takes the body of a request to a route: small, at once, within a deadline; or as a parser of the app has left it.
import type { Deps } from '../runtime/deps.js'
import type { RouteBody } from '../runtime/route.js'
import type { NodeRequest } from './adapter.js'
import { hasBody } from './body.js'

/** Whoever has not sent some kilobytes by then holds a connection, not a conversation. */
const DEADLINE_SECONDS = 10

const NONE: RouteBody = { kind: 'none' }
const TOO_LARGE: RouteBody = { kind: 'too_large' }
const unreadable = (reason: string): RouteBody => ({ kind: 'unreadable', reason })

/** Known at once where nothing has to be waited for. Never rejects. */
export function readRouteBody(
  request: NodeRequest,
  maxBytes: number,
  deps: Pick<Deps, 'after'>,
): RouteBody | Promise<RouteBody> {
  const { body, headers } = request
  const declared = Number(headers['content-length'] ?? 0)
  // Express 4's parsers leave an empty object for what they did not read.
  if (body !== undefined && !isEmpty(body)) {
    // In chunks it declared no length, and packed not this one.
    const size = declared === 0 || headers['content-encoding'] !== undefined ? sizeOf(body) : declared
    return fromApp(body, size, maxBytes)
  }
  if (!hasBody(request)) return NONE
  if (request.readableDidRead) {
    return body === undefined
      ? unreadable('it was read before and left nothing in req.body')
      : { kind: 'parsed', value: body }
  }
  if (declared > maxBytes) return TOO_LARGE
  const encoding = headers['content-encoding']
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    return unreadable('it must not have a Content-Encoding')
  }
  return readStream(request, maxBytes, deps)
}

function isEmpty(body: unknown): boolean {
  if (typeof body !== 'object' || body === null || body instanceof Uint8Array) return false
  return Object.keys(body).length === 0
}

/** The app's bounds may be wider than the route's. */
function fromApp(body: unknown, size: number, maxBytes: number): RouteBody {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  if (bytes instanceof Uint8Array) {
    return bytes.byteLength > maxBytes ? TOO_LARGE : { kind: 'raw', bytes }
  }
  return size > maxBytes ? TOO_LARGE : { kind: 'parsed', value: body }
}

/** About. What cannot be written did not come from the wire, and is for the handler to judge. */
function sizeOf(body: unknown): number {
  try {
    return Buffer.byteLength(JSON.stringify(body))
  } catch {
    return 0
  }
}

/** Plain listeners: an iterator makes several promises for each piece. */
function readStream(
  request: NodeRequest,
  maxBytes: number,
  { after }: Pick<Deps, 'after'>,
): Promise<RouteBody> {
  return new Promise((resolve) => {
    const chunks: Uint8Array[] = []
    let size = 0
    const settle = (body: RouteBody): void => {
      cancel()
      request.off('data', onData).off('end', onEnd).off('error', onGone).off('close', onGone)
      // Late errors of a connection that nobody waits for any more are nobody's.
      request.on('error', ignore)
      resolve(body)
    }
    const onData = (chunk: Uint8Array | string): void => {
      // Text, where somebody before has set an encoding.
      const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk
      size += bytes.byteLength
      if (size > maxBytes) settle(TOO_LARGE)
      else chunks.push(bytes)
    }
    const onEnd = (): void => {
      const [first] = chunks
      if (first === undefined) settle(NONE)
      else settle({ kind: 'raw', bytes: chunks.length === 1 ? first : Buffer.concat(chunks) })
    }
    const onGone = (): void => {
      settle(unreadable('it was cut off'))
    }
    const cancel = after(DEADLINE_SECONDS * 1000, () => {
      settle(unreadable(`it was not complete within ${DEADLINE_SECONDS} s`))
    })
    request.on('data', onData).on('end', onEnd).on('error', onGone).on('close', onGone)
  })
}

function ignore(): void {
  // On purpose.
}

// Outbound HTTP to a URL that a stranger chose: to public addresses only, looked up once, bounded, and never redirected.
import { type IncomingMessage, request as startRequest } from 'node:http'
import { isIP } from 'node:net'
import { isLoopback } from '../protocol/urls.js'
import type { Deps } from './deps.js'
import { FetchError, type JsonAnswer } from './fetch-json.js'
import { type Destination, systemNetwork } from './network.js'
import { isLoopbackAddress, isPublicAddress } from './public-address.js'

/** One request and its bounds. */
export interface PublicRequest {
  readonly url: string
  /** For the whole exchange, from the look-up to the last byte. Default: 5. */
  readonly timeoutSeconds?: number
  /** Default: 16 KiB. */
  readonly maxBytes?: number
  /** Lets this machine be asked, by its own names and by http too: for developing. Default: false. */
  readonly allowLoopback?: boolean
  readonly headers?: Readonly<Record<string, string>>
}

/** Thrown where the host did answer, but not with 200. */
export class StatusError extends FetchError {
  override readonly name: string = 'StatusError'
  readonly status: number

  constructor(status: number) {
    super(
      status >= 300 && status < 400 ? `redirected (${status}), which is not followed` : `status ${status}`,
    )
    this.status = status
  }
}

/** Thrown where the host answered 200 with something that is no JSON document, or too large a one. */
export class BadDocumentError extends FetchError {
  override readonly name: string = 'BadDocumentError'
}

/**
 * Gets a JSON document.
 *
 * @throws FetchError for everything else. What was wrong is for operators: told to a stranger, it would scan our network.
 */
export async function fetchPublicJson(
  request: PublicRequest,
  deps: Pick<Deps, 'after' | 'network'>,
): Promise<JsonAnswer> {
  const { timeoutSeconds = 5 } = request
  const abort = new AbortController()
  let cancel: () => void = () => undefined
  const deadline = new Promise<never>((_, reject) => {
    cancel = deps.after(timeoutSeconds * 1000, () => {
      reject(new FetchError(`no complete answer within ${timeoutSeconds} s`))
    })
  })
  try {
    return await Promise.race([exchange(request, deps, abort.signal), deadline])
  } catch (error) {
    throw error instanceof FetchError ? error : new FetchError(describe(error), { cause: error })
  } finally {
    cancel()
    // A connection that is not done by now serves nobody any more.
    abort.abort()
  }
}

async function exchange(
  request: PublicRequest,
  deps: Pick<Deps, 'network'>,
  signal: AbortSignal,
): Promise<JsonAnswer> {
  const { url, allowLoopback = false, headers = {}, maxBytes = 16 * 1024 } = request
  const network = deps.network ?? systemNetwork
  const target = parseTarget(url, allowLoopback)
  const destination = await resolveTarget(target, allowLoopback, (hostname) => network.lookup(hostname))
  signal.throwIfAborted()
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const outgoing = startRequest({
      path: target.pathname + target.search,
      headers: {
        ...headers,
        host: target.host,
        accept: 'application/json',
        // Nothing is decompressed, so that a small answer cannot become a large one.
        'accept-encoding': 'identity',
      },
      signal,
      // A connection of its own for each request: one that is kept could outlive what the name stands for.
      createConnection: () => network.connect(destination),
    })
    outgoing.on('response', resolve)
    outgoing.on('error', reject)
    outgoing.on('upgrade', (_response, socket) => {
      socket.destroy()
      reject(new FetchError('another protocol was answered'))
    })
    outgoing.end()
  })
  return readAnswer(response, maxBytes)
}

function parseTarget(url: string, allowLoopback: boolean): URL {
  if (!URL.canParse(url)) throw new FetchError('not a URL')
  const target = new URL(url)
  const http = target.protocol === 'http:' && allowLoopback && isLoopback(target.hostname)
  if (target.protocol !== 'https:' && !http) throw new FetchError('not https')
  if (target.username !== '' || target.password !== '') throw new FetchError('with a user name or password')
  return target
}

/** Every address has to be good: with one that is not among them, somebody is trying something. */
async function resolveTarget(
  target: URL,
  allowLoopback: boolean,
  lookup: (hostname: string) => Promise<readonly string[]>,
): Promise<Destination> {
  const hostname = target.hostname.replace(/^\[(.*)\]$/, '$1')
  const addresses = isIP(hostname) === 0 ? [...(await lookup(hostname))] : [hostname]
  if (addresses.length === 0) throw new FetchError('the host has no address')
  // This machine is allowed under its own names alone: any other name for it is somebody else's.
  const isAllowed = allowLoopback && isLoopback(target.hostname) ? isLoopbackAddress : isPublicAddress
  const refused = addresses.find((address) => !isAllowed(address))
  if (refused !== undefined) throw new FetchError(`the address ${refused} is not public`)
  const secure = target.protocol === 'https:'
  const port = target.port === '' ? (secure ? 443 : 80) : Number(target.port)
  return { hostname, port, addresses, secure }
}

async function readAnswer(response: IncomingMessage, maxBytes: number): Promise<JsonAnswer> {
  const status = response.statusCode as number
  if (status !== 200) throw new StatusError(status)
  const { 'content-type': type = '', 'content-encoding': encoding = 'identity' } = response.headers
  if (!/^application\/(?:json|[\w.!#$&^-]+\+json)\s*(?:;|$)/i.test(type))
    throw new BadDocumentError('not JSON by its content type')
  if (encoding.toLowerCase() !== 'identity') throw new BadDocumentError('compressed')
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > maxBytes) throw new BadDocumentError(`more than ${maxBytes} bytes`)
    chunks.push(chunk)
  }
  const headers = new Headers()
  for (const [name, values] of Object.entries(response.headersDistinct)) {
    for (const value of values as string[]) headers.append(name, value)
  }
  return { status, headers, json: parse(Buffer.concat(chunks)) }
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as unknown
  } catch {
    throw new BadDocumentError('not JSON')
  }
}

function describe(error: unknown): string {
  const { message, code } = Object(error) as { message?: unknown; code?: unknown }
  const words = [message, code].find((word) => typeof word === 'string' && word !== '')
  return typeof words === 'string' ? words : String(error)
}

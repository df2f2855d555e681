// Looks at a JSON body without taking it away: the app's body parser or the SDK's transport reads it again afterwards.
import type { IncomingMessage } from 'node:http'
import { promisify } from 'node:util'
import { gunzip, inflate } from 'node:zlib'
import { ConfigError } from '../protocol/errors.js'
import type { NodeRequest } from './adapter.js'

/** A parsed body; `empty` where there is none; or why it cannot be judged, with the status that says so. */
export type BodyRead =
  | { readonly value: unknown }
  | { readonly empty: true }
  | { readonly status: number; readonly problem: string }

/** What the SDKs' transports take at most. */
const MAX_BYTES = 4 * 1024 * 1024

/** Nobody is there to be answered. */
export class ClientGone extends Error {
  override readonly name: string = 'ClientGone'
}

const EMPTY: BodyRead = { empty: true }
const TOO_LARGE: BodyRead = { status: 413, problem: `The body is larger than ${MAX_BYTES} bytes` }
const NOT_UTF8: BodyRead = { status: 415, problem: 'JSON is UTF-8 (RFC 8259 8.1)' }
const NOT_JSON: BodyRead = { status: 400, problem: 'The body is not JSON in UTF-8' }

const read = new WeakMap<IncomingMessage, BodyRead>()

/**
 * The body of a request, as whoever comes next will see it: already parsed, or peeked at in the stream.
 *
 * @throws ConfigError where the stream was consumed and left no `req.body`
 */
export async function peekBody(request: NodeRequest): Promise<BodyRead> {
  if (!hasBody(request)) return EMPTY
  const known = read.get(request)
  if (known !== undefined) return known
  const body = request.readableDidRead ? readParsed(request) : await readStream(request)
  read.set(request, body)
  return body
}

/** RFC 9112 6.3: a request has a body where one of these headers says so. */
export function hasBody({ headers }: IncomingMessage): boolean {
  if (headers['transfer-encoding'] !== undefined) return true
  return headers['content-length'] !== undefined && headers['content-length'] !== '0'
}

function readParsed({ body }: NodeRequest): BodyRead {
  if (body === undefined) {
    throw new ConfigError(
      'ERR_MCP_AUTH_BODY',
      'the request body was read before the guard looked at it, but is not in req.body: put express.json() before the guard, or ' +
        'whatever reads the body behind it',
    )
  }
  if (typeof body === 'string') return parseText(body)
  return body instanceof Uint8Array ? decode(body) : { value: body }
}

async function readStream(request: NodeRequest): Promise<BodyRead> {
  // A parser behind us may honour another charset, and the same bytes would mean another call. Which of several, or one inside
  // a quoted parameter, it would take is not for us to guess.
  const charsets = [...(request.headers['content-type'] ?? '').matchAll(/charset\*?\s*=\s*([^;]*)/gi)]
  if (!charsets.every(([, charset]) => /^"?utf-?8"?\s*$/i.test(charset as string))) return NOT_UTF8
  if (Number(request.headers['content-length'] ?? 0) > MAX_BYTES) return TOO_LARGE
  // Listening to a stream that is empty and complete is what makes it end.
  if (request.complete && request.readableLength === 0) return EMPTY
  const bytes = await peekStream(request)
  if (bytes === undefined) return TOO_LARGE
  return bytes.length === 0 ? EMPTY : decompress(bytes, request.headers['content-encoding'])
}

/**
 * Reads a stream to its end and puts everything back before the end is announced, so that the next reader finds it untouched.
 * Undefined where it is larger than {@link MAX_BYTES}.
 */
function peekStream(request: IncomingMessage): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    const settle = (finish: () => void): void => {
      request.off('readable', onReadable).off('error', onGone).off('close', onGone)
      finish()
    }
    const onReadable = (): void => {
      // Never read when there is nothing: reading an empty stream that is complete is what announces its end.
      while (request.readableLength > 0) {
        const chunk = request.read() as Buffer
        chunks.push(chunk)
        size += chunk.length
      }
      if (size > MAX_BYTES) {
        settle(() => {
          resolve(undefined)
        })
        // Thrown away, so that the answer can be sent while the rest still arrives.
        request.resume()
      } else if (request.complete) {
        const bytes = Buffer.concat(chunks)
        // In this same tick: on the next one the stream, being empty, would say that it has ended.
        if (bytes.length > 0) request.unshift(bytes)
        settle(() => {
          resolve(bytes)
        })
      }
    }
    const onGone = (cause?: unknown): void => {
      settle(() => {
        reject(new ClientGone('the client went away before its body was complete', { cause }))
      })
    }
    request.on('readable', onReadable).on('error', onGone).on('close', onGone)
  })
}

// Neither of these can begin like JSON, so a body cannot be one thing unpacked and another thing as it is. Brotli can.
const DECOMPRESSORS: ReadonlyMap<
  string,
  (bytes: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>
> = new Map([
  ['gzip', promisify(gunzip)],
  ['deflate', promisify(inflate)],
])

async function decompress(bytes: Buffer, encoding = 'identity'): Promise<BodyRead> {
  if (encoding.toLowerCase() === 'identity') return decode(bytes)
  const decompressor = DECOMPRESSORS.get(encoding.toLowerCase())
  if (decompressor === undefined) return { status: 415, problem: 'The content encoding is not supported' }
  try {
    return decode(await decompressor(bytes, { maxOutputLength: MAX_BYTES }))
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE' ? TOO_LARGE : NOT_JSON
  }
}

function decode(bytes: Uint8Array): BodyRead {
  try {
    return parseText(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
  } catch {
    return NOT_JSON
  }
}

function parseText(text: string): BodyRead {
  try {
    return { value: JSON.parse(text) as unknown }
  } catch {
    return NOT_JSON
  }
}

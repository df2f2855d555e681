// Outbound HTTP for small JSON documents: bounded in time and size, and never redirected.
import type { Deps } from './deps.js'

/** One request and its bounds. */
export interface JsonRequest {
  readonly url: string
  readonly method?: 'GET' | 'POST'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** For the whole exchange, from connecting to the last byte. */
  readonly timeoutSeconds: number
  /** Of the decoded body, in bytes. Default: 512 KiB. */
  readonly maxBytes?: number
}

/** An answer. `json` is undefined where the body is not JSON. */
export interface JsonAnswer {
  readonly status: number
  readonly headers: Headers
  readonly json: unknown
}

/** Thrown where no answer came: connection, time, size, redirect. The message is for operators. */
export class FetchError extends Error {
  override readonly name: string = 'FetchError'
}

const DEFAULT_MAX_BYTES = 512 * 1024

/** Makes one request. Any status is an answer; a redirect is not, since where it leads is not what was configured. */
export async function fetchJson(
  request: JsonRequest,
  deps: Pick<Deps, 'fetch' | 'after'>,
): Promise<JsonAnswer> {
  const { url, method = 'GET', headers = {}, body, timeoutSeconds, maxBytes = DEFAULT_MAX_BYTES } = request
  const abort = new AbortController()
  const late = new FetchError(`no complete answer within ${timeoutSeconds} s`)
  let cancel: () => void = () => undefined
  const deadline = new Promise<never>((_, reject) => {
    cancel = deps.after(timeoutSeconds * 1000, () => {
      reject(late)
      abort.abort(late)
    })
  })
  const exchange = async (): Promise<JsonAnswer> => {
    const response = await deps.fetch(url, {
      method,
      headers: { accept: 'application/json', ...headers },
      ...(body !== undefined && { body }),
      redirect: 'manual',
      signal: abort.signal,
    })
    if (response.type === 'opaqueredirect' || (response.status >= 300 && response.status < 400)) {
      throw new FetchError(`redirected (${response.status}), which is not followed`)
    }
    const text = await readText(response, maxBytes)
    return { status: response.status, headers: response.headers, json: parse(text) }
  }
  try {
    // The deadline stands beside the signal, for a fetch or a body that does not heed it.
    return await Promise.race([exchange(), deadline])
  } catch (error) {
    abort.abort(error)
    throw error instanceof FetchError ? error : new FetchError(describe(error), { cause: error })
  } finally {
    cancel()
  }
}

async function readText(response: Response, maxBytes: number): Promise<string> {
  if (response.body === null) return ''
  const decoder = new TextDecoder()
  let text = ''
  let bytes = 0
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    bytes += chunk.byteLength
    if (bytes > maxBytes) throw new FetchError(`more than ${maxBytes} bytes`)
    text += decoder.decode(chunk, { stream: true })
  }
  return text + decoder.decode()
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch {
    return undefined
  }
}

/** fetch says only "fetch failed"; the cause knows what failed. */
function describe(error: unknown): string {
  const { message, cause } = Object(error) as { message?: unknown; cause?: Readonly<Record<string, unknown>> }
  const detail = [cause?.['message'], cause?.['code'], cause?.['name']].find(
    (word) => word !== '' && word !== undefined,
  )
  const words = [message, detail].filter((word) => typeof word === 'string' && word !== '')
  return words.length === 0 ? String(error) : words.join(': ')
}

/** A URL for an event: an endpoint may be configured with a key in its query. */
export function withoutQuery(url: string): string {
  return url.split('?', 1)[0] as string
}

// Outbound HTTP for small documents of any kind: bounded in time and size, and never redirected.
import type { Deps } from './deps.js'

/** One request and its bounds. */
export interface BoundedRequest {
  readonly url: string
  readonly method?: 'GET' | 'POST' | 'DELETE'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string
  /** For the whole exchange, from connecting to the last byte. */
  readonly timeoutSeconds: number
  /** Of the decoded body, in bytes. Default: 512 KiB. */
  readonly maxBytes?: number
}

/** An answer. */
export interface TextAnswer {
  readonly status: number
  readonly headers: Headers
  /** Read as UTF-8; bytes that are none have become U+FFFD. */
  readonly text: string
}

/** Thrown where no answer came: connection, time, size, redirect. The message is for operators. */
export class FetchError extends Error {
  override readonly name: string = 'FetchError'
}

const DEFAULT_MAX_BYTES = 512 * 1024

/** Makes one request. Any status is an answer; a redirect is not, since where it leads is not what was configured. */
export async function boundedFetch(
  request: BoundedRequest,
  deps: Pick<Deps, 'fetch' | 'after'>,
): Promise<TextAnswer> {
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
  const exchange = async (): Promise<TextAnswer> => {
    const response = await deps.fetch(url, {
      method,
      headers,
      ...(body !== undefined && { body }),
      redirect: 'manual',
      signal: abort.signal,
    })
    if (response.type === 'opaqueredirect' || (response.status >= 300 && response.status < 400)) {
      throw new FetchError(`redirected (${response.status}), which is not followed`)
    }
    const text = await readText(response, maxBytes)
    return { status: response.status, headers: response.headers, text }
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

/** fetch says only "fetch failed"; the cause knows what failed. */
function describe(error: unknown): string {
  const { message, cause } = Object(error) as { message?: unknown; cause?: Readonly<Record<string, unknown>> }
  const detail = [cause?.['message'], cause?.['code'], cause?.['name']].find(
    (word) => word !== '' && word !== undefined,
  )
  const words = [message, detail].filter((word) => typeof word === 'string' && word !== '')
  return words.length === 0 ? String(error) : words.join(': ')
}

// Requests of a test: never redirected unasked, and to the app under test where it listens, whatever its public URL is.
import type { Deps } from '../runtime/deps.js'

const TIMEOUT_SECONDS = 10

/** Sends requests. */
export class Wire {
  readonly #deps: Pick<Deps, 'fetch'>
  /** Origin -> where it is served in this test. */
  readonly #served = new Map<string, string>()

  constructor(deps: Pick<Deps, 'fetch'>) {
    this.#deps = deps
  }

  /** What is at an origin is asked for there, from now on. */
  serve(origin: string, address: string): void {
    this.#served.set(origin, new URL(address).origin)
  }

  /** One request, of the way to tokens: nothing there takes longer, unless it hangs. */
  ask(url: URL | string, init: RequestInit = {}): Promise<Response> {
    return this.send(url, { signal: AbortSignal.timeout(TIMEOUT_SECONDS * 1000), ...init })
  }

  /** One request, as long as it takes: it may open a stream. A redirect is an answer, since where it leads is served elsewhere. */
  send(url: URL | string, init: RequestInit = {}): Promise<Response> {
    const { origin, pathname, search } = new URL(url)
    const address = new URL(pathname + search, this.#served.get(origin) ?? origin)
    return this.#deps.fetch(address, { redirect: 'manual', ...init })
  }
}

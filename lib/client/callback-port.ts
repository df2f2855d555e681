// Where the browser of one client comes back to: picked before the SDK writes it into a registration, and let go of as soon as nobody is awaited.
import type { Deps } from '../runtime/deps.js'
import { type CallbackAddress, CallbackServer } from './callback-server.js'
import { ClientError } from './client-error.js'
import type { SignIn } from './sign-in.js'

/** A port that was picked is held for so long, until it is known whether anybody has to sign in. */
const RESERVED_SECONDS = 30

export interface CallbackPortSettings {
  readonly clientName: string
  readonly callbackHost: CallbackAddress['host']
  /** One that was chosen by hand: no other will do. */
  readonly callbackPort: number | undefined
  readonly callbackTimeoutSeconds: number
}

/** One place to come back to. */
export class CallbackPort {
  readonly #settings: CallbackPortSettings
  readonly #deps: Pick<Deps, 'after'>
  #server: CallbackServer | undefined
  #last: number | undefined
  #awaited = false

  constructor(settings: CallbackPortSettings, deps: Pick<Deps, 'after'>) {
    this.#settings = settings
    this.#deps = deps
  }

  /** The redirect URI, as far as it is known. */
  get url(): string {
    const { callbackHost, callbackPort = this.#last } = this.#settings
    const port = callbackPort === undefined ? '' : `:${callbackPort}`
    return this.#server?.url ?? `http://${callbackHost}${port}/callback`
  }

  /** Of the server that listens now. */
  get listening(): number | undefined {
    return this.#server?.port
  }

  /** Picks a port, and holds it for a little while. */
  async reserve(known: number | undefined): Promise<void> {
    if (this.#settings.callbackPort !== undefined || this.#server !== undefined) return
    const server = await this.listen(known)
    this.#deps.after(RESERVED_SECONDS * 1000, () => {
      if (!this.#awaited && this.#server === server) this.close()
    })
  }

  /**
   * @param known where it was last time: registrations are compared by port in places
   * @throws ClientError `port_in_use`
   */
  async listen(known: number | undefined): Promise<CallbackServer> {
    if (this.#server !== undefined) return this.#server
    const { callbackHost: host, callbackPort, clientName } = this.#settings
    const port = callbackPort ?? known ?? this.#last ?? 0
    const server = await CallbackServer.listen({ host, port }, clientName).catch((error: unknown) => {
      if (callbackPort !== undefined) throw error
      return CallbackServer.listen({ host, port: 0 }, clientName)
    })
    return this.#adopt(server)
  }

  /** Somebody else may have begun meanwhile. */
  #adopt(server: CallbackServer): CallbackServer {
    if (this.#server !== undefined) server.close()
    this.#server ??= server
    this.#last = this.#server.port
    return this.#server
  }

  /** Waits for one browser, and no longer than it may take. */
  await(signIn: SignIn, server: CallbackServer): void {
    const seconds = this.#settings.callbackTimeoutSeconds
    this.#awaited = true
    const cancel = this.#deps.after(seconds * 1000, () => {
      signIn.fail(new ClientError('sign_in_timeout', `Nobody came back from the browser within ${seconds} s`))
      if (this.#server === server) this.close()
    })
    server.expect((answer) => {
      const outcome = signIn.judge(answer)
      if (outcome.kind !== 'ignored') {
        cancel()
        this.close()
      }
      return outcome
    })
  }

  close(): void {
    this.#server?.close()
    this.#server = undefined
    this.#awaited = false
  }
}

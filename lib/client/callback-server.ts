// RFC 8252 7.3: a server on this machine that waits for one browser to come back, and is gone then.
import { type IncomingMessage, type Server, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo, Socket } from 'node:net'
import type { RenderedPage } from '../pages/pages.js'
import { type CallbackOutcome, CallbackPages } from './callback-page.js'
import { ClientError } from './client-error.js'

/** Where the browser comes back to. */
export interface CallbackAddress {
  readonly host: '127.0.0.1' | 'localhost'
  /** 0 for any that is free. */
  readonly port: number
}

/** Looks at an answer: what becomes of it. Only one that is `ignored` lets the server wait on. */
export type Judge = (answer: URLSearchParams) => CallbackOutcome

const PATH = '/callback'
/** Listens here whatever the host is called, and so to nobody on the network. */
const INTERFACE = '127.0.0.1'

/** One that listens. */
export class CallbackServer {
  readonly url: string
  readonly port: number
  readonly #server: Server
  readonly #host: string
  readonly #pages: CallbackPages
  /** Everybody who is connected, and whether they are being answered. */
  readonly #sockets = new Map<Socket, boolean>()
  #judge: Judge = () => ({ kind: 'ignored' })

  /**
   * Starts one. It holds the process only while somebody waits for an answer.
   *
   * @throws ClientError `port_in_use`
   */
  static async listen({ host, port }: CallbackAddress, clientName: string): Promise<CallbackServer> {
    const server = createServer()
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) => {
        const message = `Nobody can come back from the browser: port ${port} of ${INTERFACE} is not free. Choose another "callbackPort"`
        reject(new ClientError('port_in_use', message, { cause }))
      })
      server.listen(port, INTERFACE, resolve)
    })
    server.unref()
    return new CallbackServer(server, host, new CallbackPages(clientName))
  }

  private constructor(server: Server, host: string, pages: CallbackPages) {
    this.#server = server
    this.#pages = pages
    this.port = (server.address() as AddressInfo).port
    this.#host = `${host}:${this.port}`
    this.url = `http://${this.#host}${PATH}`
    server.on('connection', (socket) => {
      // Whoever connects and says nothing must not keep a program alive.
      socket.unref()
      this.#sockets.set(socket, false)
      socket.once('close', () => this.#sockets.delete(socket))
    })
    server.on('request', (request, response) => {
      this.#sockets.set(request.socket.ref(), true)
      this.#answer(request, response)
    })
  }

  /** From now on whoever comes is asked about, and the process lives on until they came or the server is closed. */
  expect(judge: Judge): void {
    this.#judge = judge
    this.#server.ref()
  }

  /** Whoever is being answered gets the whole page; all others are let go of. */
  close(): void {
    this.#server.close()
    for (const [socket, isAnswered] of this.#sockets) if (!isAnswered) socket.destroy()
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const [path, query = ''] = splitOnce(request.url ?? '', '?')
    // A page of another origin that had its name point here would come with that name.
    const isHere = request.headers.host === this.#host && path === PATH
    if (!isHere) {
      send(response, { status: 404, html: '', headers: {} })
      return
    }
    // HEAD is what link checkers send: it is not the browser.
    if (request.method !== 'GET') {
      send(response, { status: 405, html: '', headers: { Allow: 'GET' } })
      return
    }
    const answer = new URLSearchParams(query)
    const outcome: CallbackOutcome = hasRepeats(answer) ? { kind: 'ignored' } : this.#judge(answer)
    send(response, this.#pages.render(outcome))
    if (outcome.kind !== 'ignored') this.close()
  }
}

function send(
  response: ServerResponse,
  { status, html, headers }: RenderedPage & { readonly status: number },
): void {
  response.writeHead(status, { ...headers, Connection: 'close' }).end(html)
}

function splitOnce(text: string, separator: string): readonly [string, string?] {
  const at = text.indexOf(separator)
  return at === -1 ? [text] : [text.slice(0, at), text.slice(at + 1)]
}

/** RFC 6749 3.1: no parameter comes twice. */
function hasRepeats(answer: URLSearchParams): boolean {
  const names = [...answer.keys()]
  return new Set(names).size < names.length
}

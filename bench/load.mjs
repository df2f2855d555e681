// A load generator that costs little: keep-alive sockets, one request in flight on each, no pipelining.
import { connect } from 'node:net'

const HEAD_END = '\r\n\r\n'

export class Load {
  #sockets = []

  static async open(port, connections) {
    const load = new Load()
    for (let i = 0; i < connections; i++) load.#sockets.push(await openSocket(port))
    return load
  }

  /** Sends `nextToken()` again and again for a while; resolves with the answers a second and how many there were. */
  async block(milliseconds, nextToken, expected, label) {
    const start = performance.now()
    const end = start + milliseconds
    let requests = 0
    await Promise.all(
      this.#sockets.map(async (socket) => {
        while (performance.now() < end) {
          const { status } = await exchange(socket, toolCall(nextToken()))
          if (!expected.includes(status))
            throw new Error(`${label} answered ${status} where ${expected.join(' or ')} was due`)
          requests += 1
        }
      }),
    )
    return { requests, perSecond: (requests * 1000) / (performance.now() - start) }
  }

  async once(token) {
    return (await exchange(this.#sockets[0], toolCall(token))).status
  }

  close() {
    for (const socket of this.#sockets) socket.destroy()
  }
}

/** A request as it goes over the wire. */
const toolCall = (token) =>
  `POST /mcp HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer ${token}\r\n` +
  'Accept: application/json, text/event-stream\r\nContent-Type: application/json\r\n' +
  'MCP-Protocol-Version: 2025-11-25\r\nContent-Length: 0\r\n\r\n'

export function openSocket(port) {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    socket.fail = reject
    socket.on('error', (error) => socket.fail(error))
    socket.once('connect', () => resolve(socket))
    let text = ''
    socket.on('data', (chunk) => {
      text += chunk.toString('latin1')
      const end = text.indexOf(HEAD_END)
      if (end === -1) return
      const length = /\r\ncontent-length: (\d+)/i.exec(text)
      if (!length) return socket.fail(new Error('the server answered without Content-Length'))
      if (text.length < end + HEAD_END.length + Number(length[1])) return
      const answer = { status: Number(text.slice(9, 12)), text }
      text = ''
      socket.answer(answer)
    })
    socket.on('close', () => socket.fail(new Error('the server closed a connection')))
  })
}

/** Sends one request; resolves with the status and the whole answer as text. */
export function exchange(socket, request) {
  return new Promise((resolve, reject) => {
    socket.answer = resolve
    socket.fail = reject
    socket.write(request, 'latin1')
  })
}

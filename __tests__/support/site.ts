// A guarded app on a real server, and raw requests to it.
import { type IncomingMessage, type RequestListener, type ServerResponse, createServer } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import express, { type Express } from 'express'
import {
  type AuthEvent,
  type McpAuthOptions,
  type ProviderLike,
  getAccessToken,
  mcpAuth,
} from 'express-mcp-auth'

/** A running guarded app. */
export interface Site {
  readonly url: string
  /** How often the handler behind the guard ran. */
  handled(): number
  readonly events: AuthEvent[]
  /** Sends bytes as they are and gives back all that comes, until the server closes or half a second passes without any. */
  raw(bytes: string): Promise<string>
  close(): Promise<void>
}

/** Starts any listener. */
export async function startServer(
  listener: RequestListener,
  port = 0,
): Promise<{ url: string; close: () => Promise<void> }> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => {
    server.listen(port, '127.0.0.1', resolve)
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => {
        resolve()
      })
      server.closeAllConnections()
    })
  return { url, close }
}

/** Starts Express 5 with the guard at its root and a handler at every path that answers who called. */
export async function startSite(
  provider: ProviderLike,
  options: McpAuthOptions = {},
  extend?: (app: Express) => void,
  port = 0,
): Promise<Site> {
  const events: AuthEvent[] = []
  let handled = 0
  const app = express()
  app.use(mcpAuth(provider, { onEvent: (event) => events.push(event), ...options }))
  extend?.(app)
  app.use((request: IncomingMessage, response: ServerResponse) => {
    handled++
    const { subject, clientId, scopes } = getAccessToken(request) ?? {}
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ subject, clientId, scopes }))
  })
  const server = await startServer(app, port)
  return { ...server, events, handled: () => handled, raw: (bytes) => sendRaw(new URL(server.url), bytes) }
}

function sendRaw({ hostname, port }: URL, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname)
    let answer = ''
    socket.setTimeout(500, () => socket.destroy())
    socket.on('data', (chunk: Buffer) => {
      answer += chunk.toString('latin1')
    })
    socket.on('error', reject)
    socket.on('close', () => {
      resolve(answer)
    })
    socket.write(bytes, 'latin1')
  })
}

/** What a refusal has to be: status, challenge, body, and the headers that every refusal carries. */
export async function refusalOf(response: Response): Promise<{
  status: number
  challenge: string | null
  body: unknown
  cache: string | null
  vary: string | null
}> {
  return {
    status: response.status,
    challenge: response.headers.get('www-authenticate'),
    body: await response.json(),
    cache: response.headers.get('cache-control'),
    vary: response.headers.get('vary'),
  }
}

// The same guarded app on everything that it may stand on: Express 5 and 4, connect, and bare node:http.
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http'
import connect from 'connect'
import express from 'express'
import type { AuthHandler } from 'express-mcp-auth'
import express4 from 'express4'
import { startServer } from './site.js'

export const HOSTS = ['Express 5', 'Express 4', 'connect', 'node:http'] as const
export type HostName = (typeof HOSTS)[number]

export type Handler = (
  request: IncomingMessage & { auth?: unknown; body?: unknown },
  response: ServerResponse,
) => void

export interface Host {
  readonly url: string
  /** How often the handler behind ran. */
  handled(): number
  /** What was handed to the host as an error. */
  readonly errors: unknown[]
  close(): Promise<void>
}

/** Starts handlers one after the other, with a last one that answers, on a host; `at` mounts them there. */
export async function startHost(
  name: HostName,
  handlers: readonly AuthHandler[],
  last: Handler = (_request, response) => response.end('handled'),
  at = '/',
): Promise<Host> {
  const errors: unknown[] = []
  let handled = 0
  const handle: Handler = (request, response) => {
    handled++
    last(request, response)
  }
  const fail = (error: unknown, response: ServerResponse): void => {
    errors.push(error)
    if (response.headersSent) response.destroy()
    else response.writeHead(500).end()
  }
  const server = await startServer(LISTENERS[name](handlers, handle, fail, at))
  return { ...server, handled: () => handled, errors }
}

type Compose = (
  handlers: readonly AuthHandler[],
  handle: Handler,
  fail: (error: unknown, response: ServerResponse) => void,
  at: string,
) => RequestListener

const onExpress =
  (create: typeof express): Compose =>
  (handlers, handle, fail, at) => {
    const app = create()
    for (const handler of handlers) app.use(at, handler)
    app.use((request, response) => {
      handle(request, response)
    })
    app.use((error: unknown, _request: unknown, response: ServerResponse, _next: unknown) => {
      fail(error, response)
    })
    return app
  }

const LISTENERS: Readonly<Record<HostName, Compose>> = {
  'Express 5': onExpress(express),
  'Express 4': onExpress(express4),
  connect: (handlers, handle, fail, at) => {
    const app = connect()
    for (const handler of handlers) app.use(at, handler)
    app.use((request, response) => {
      handle(request, response)
    })
    app.use((error: unknown, _request: IncomingMessage, response: ServerResponse, _next: unknown) => {
      fail(error, response)
    })
    return app
  },
  'node:http': (handlers, handle, fail) => (request, response) => {
    const run = (index: number): void => {
      const handler = handlers[index]
      if (handler === undefined) handle(request, response)
      else
        handler(request, response, (error) => {
          if (error === undefined) run(index + 1)
          else fail(error, response)
        })
    }
    run(0)
  },
}

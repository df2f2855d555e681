// The SDKs' own clients over real HTTP, behind one small face, so that a table of tests can run each of them.
/* oxlint-disable typescript/no-deprecated -- the old transport is what some servers still speak */
import {
  Client as ClientV2,
  type ClientOptions,
  StreamableHTTPClientTransport as HttpV2,
  SSEClientTransport as SseV2,
} from '@modelcontextprotocol/client'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { SSEClientTransport as SseV1 } from '@modelcontextprotocol/sdk/client/sse.js'
import { StreamableHTTPClientTransport as HttpV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'

/** A connected client. */
export interface McpClient {
  /** The text that a tool answers. */
  call(tool: string, args?: Record<string, unknown>): Promise<string>
  listResources(): Promise<string[]>
  /** Settles when the server sends a notification of this method. */
  notified(method: string): Promise<void>
  /** Asks to be told of tools that change, as 2026-07-28 has it. */
  subscribe(): Promise<void>
  /** The answer to the GET that opens the server's stream. */
  readonly stream: Promise<Response>
  /** Where it posted to last. */
  postedTo(): string
  readonly sessionId: string | undefined
  readonly protocolVersion: string | undefined
  close(): Promise<void>
}

/** Connects to a URL, with a token or without; a URL that ends in `/sse` is spoken to in the old way. */
export type Connect = (url: string, token?: string) => Promise<McpClient>

const info = { name: 'client', version: '1.0.0' }

export const connectV1: Connect = async (url, token) => {
  const client = new ClientV1(info)
  const wire = createWire(token)
  const http = new HttpV1(new URL(url), { fetch: wire.fetch })
  await client.connect(url.endsWith('/sse') ? new SseV1(new URL(url), { fetch: wire.fetch }) : http)
  return {
    ...faceOf(client, wire),
    subscribe: () => Promise.reject(new Error('this client knows no subscriptions')),
    sessionId: http.sessionId,
    protocolVersion: http.protocolVersion,
  }
}

const connectWith =
  (options: ClientOptions): Connect =>
  async (url, token) => {
    const client = new ClientV2(info, options)
    const wire = createWire(token)
    const http = new HttpV2(new URL(url), { fetch: wire.fetch })
    await client.connect(url.endsWith('/sse') ? new SseV2(new URL(url), { fetch: wire.fetch }) : http)
    return {
      ...faceOf(client, wire),
      subscribe: async () => void (await client.listen({ toolsListChanged: true })),
      sessionId: http.sessionId,
      protocolVersion: client.getNegotiatedProtocolVersion(),
    }
  }

export const connectV2: Connect = connectWith({})
export const connectV2Auto: Connect = connectWith({ versionNegotiation: { mode: 'auto' } })

/** A fetch that sends the token along and notes what goes over it. */
interface Wire {
  readonly fetch: typeof fetch
  readonly stream: Promise<Response>
  postedTo: () => string
}

function createWire(token: string | undefined): Wire {
  let posted = ''
  let opened: (response: Response) => void
  const stream = new Promise<Response>((resolve) => {
    opened = resolve
  })
  return {
    stream,
    postedTo: () => posted,
    async fetch(input, init) {
      const request = new Request(input, init)
      if (token !== undefined) request.headers.set('authorization', `Bearer ${token}`)
      if (request.method === 'POST') posted = request.url
      const response = await fetch(request)
      if (request.method === 'GET') opened(response)
      return response
    },
  }
}

/** What both generations have in common. */
interface EitherClient {
  callTool(call: { name: string; arguments: Record<string, unknown> }): Promise<unknown>
  listResources(): Promise<{ resources: { uri: string }[] }>
  fallbackNotificationHandler?: (notification: { method: string }) => Promise<void>
  close(): Promise<void>
}

function faceOf(
  client: EitherClient,
  { stream, postedTo }: Wire,
): Omit<McpClient, 'subscribe' | 'sessionId' | 'protocolVersion'> {
  return {
    async call(name, args = {}) {
      const { content } = (await client.callTool({ name, arguments: args })) as {
        content: { text?: string }[]
      }
      return content.map(({ text = '' }) => text).join('')
    },
    listResources: async () => (await client.listResources()).resources.map(({ uri }) => uri),
    notified: (method) =>
      new Promise((resolve) => {
        client.fallbackNotificationHandler = async (notification) => {
          if (notification.method === method) resolve()
        }
      }),
    stream,
    postedTo,
    close: () => client.close(),
  }
}

// An MCP server that is its own authorization server, for clients of ours: what they ask of it is written down, and somebody sits at a browser.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Client as ClientV2, StreamableHTTPClientTransport as HttpV2 } from '@modelcontextprotocol/client'
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js'
import { StreamableHTTPClientTransport as HttpV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js'
import express, { type RequestHandler } from 'express'
import {
  type AuthEvent,
  type McpAuthOptions,
  OAuthProvider,
  type OAuthProviderOptions,
  mcpAuth,
} from 'express-mcp-auth'
import { OAuth, type OAuthOptions } from 'express-mcp-auth/client'
import { MemoryStore } from 'express-mcp-auth/stores/memory'
import { type TestClock, testClock } from 'express-mcp-auth/testing'
import { SECRET, reservePort, signIn } from './authorization-server.js'
import { Browser } from './browser-session.js'
import { type McpRequest, statelessV2 } from './mcp-servers.js'
import { startServer } from './site.js'

/** A request that came, with its form where it was one. */
export interface Asked {
  readonly method: string
  readonly path: string
  readonly form: URLSearchParams
  readonly authorization: string | undefined
  readonly json: unknown
}

export interface ClientStand {
  readonly url: string
  /** Of the MCP endpoint. */
  readonly serverUrl: string
  readonly provider: OAuthProvider
  readonly clock: TestClock
  readonly events: AuthEvent[]
  readonly asked: Asked[]
  /** Forms that came to the token endpoint. */
  tokenRequests(grantType?: string): URLSearchParams[]
  close(): Promise<void>
}

/** @param extend stands before the guard, and may answer in its place */
export async function startClientStand(
  options: Partial<OAuthProviderOptions> = {},
  guard: McpAuthOptions = {},
  extend?: RequestHandler,
): Promise<ClientStand> {
  const clock = testClock()
  const port = await reservePort()
  const url = options.baseUrl ?? `http://127.0.0.1:${port}`
  const provider = new OAuthProvider({
    baseUrl: url,
    secret: SECRET,
    signIn,
    store: new MemoryStore({ deps: clock }),
    scopesSupported: ['notes:read', 'notes:write'],
    deps: clock,
    ...options,
  })
  const events: AuthEvent[] = []
  const asked: Asked[] = []
  const mcp = statelessV2()
  const app = express()
  app.use(express.text({ type: ['application/x-www-form-urlencoded', 'application/json'] }))
  app.use((request, _response, next) => {
    const { method, path, headers } = request
    const text = typeof request.body === 'string' ? request.body : ''
    const isJson = headers['content-type']?.startsWith('application/json') === true && text !== ''
    const json: unknown = isJson ? JSON.parse(text) : undefined
    asked.push({
      method,
      path,
      form: new URLSearchParams(isJson ? '' : text),
      authorization: headers.authorization,
      json,
    })
    request.body = isJson ? json : Object.fromEntries(new URLSearchParams(text))
    next()
  })
  if (extend !== undefined) app.use(extend)
  app.use(
    mcpAuth(provider, {
      deps: clock,
      rateLimit: false,
      onEvent: (event) => events.push(event),
      ...guard,
    }),
  )
  app.all('/mcp', (request, response, next) => {
    mcp(request as unknown as McpRequest, response).catch(next)
  })
  const server = await startServer(app, port)
  return {
    url,
    serverUrl: `${server.url}/mcp`,
    provider,
    clock,
    events,
    asked,
    tokenRequests: (grantType) =>
      asked
        .filter(
          ({ path, form }) => path === '/token' && [undefined, form.get('grant_type')].includes(grantType),
        )
        .map(({ form }) => form),
    close: server.close,
  }
}

/** Somebody at a browser, who signs in and allows whatever is asked. */
export class Visitor {
  readonly opened: URL[] = []
  /** Pages that the program itself showed. */
  readonly shown: { status: number; html: string; headers: Headers }[] = []
  readonly browser = new Browser()
  username = 'ada'

  readonly open = async (url: URL): Promise<void> => {
    this.opened.push(url)
    const destination = String(url.searchParams.get('redirect_uri'))
    await this.arrive(await this.browser.grant(url, destination, this.username))
  }

  /** Goes to where the program waits. */
  async arrive(back: URL | string): Promise<void> {
    const response = await fetch(back)
    this.shown.push({ status: response.status, html: await response.text(), headers: response.headers })
  }
}

/** A directory that is gone after the tests. */
export function temporaryDirectory(): { path: string; remove: () => void } {
  const path = mkdtempSync(join(tmpdir(), 'mcp-client-'))
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) }
}

export function createOAuth(
  { serverUrl, clock }: Pick<ClientStand, 'serverUrl' | 'clock'>,
  visitor: Visitor,
  options: Partial<OAuthOptions> = {},
): OAuth {
  const store = options.storageDirectory === undefined ? { store: new MemoryStore({ deps: clock }) } : {}
  return new OAuth({ serverUrl, deps: clock, openBrowser: visitor.open, ...store, ...options })
}

/** A client of one SDK generation. */
export interface Generation {
  readonly name: string
  connect(auth: OAuth): Promise<Connected>
}

export interface Connected {
  call(tool: string): Promise<string>
  /** The same, and signs in where that is needed. */
  callAuthorized(tool: string): Promise<string>
  close(): Promise<void>
}

const info = { name: 'client', version: '1.0.0' }
const textOf = (result: unknown): string => {
  const { content } = result as { content: { text: string }[] }
  return content.map(({ text }) => text).join('')
}

export const v1: Generation = {
  name: 'SDK v1',
  async connect(auth) {
    const client = new ClientV1(info)
    const create = (): HttpV1 => new HttpV1(new URL(auth.serverUrl), { authProvider: auth })
    const transport = await auth.connect(client, create)
    const call = async (name: string): Promise<string> => textOf(await client.callTool({ name }))
    return {
      call,
      callAuthorized: (name) => auth.authorize(transport, () => call(name)),
      close: () => client.close(),
    }
  },
}

export const v2: Generation = {
  name: 'SDK v2',
  async connect(auth) {
    const client = new ClientV2(info, { versionNegotiation: { mode: 'auto' } })
    const create = (): HttpV2 => new HttpV2(new URL(auth.serverUrl), { authProvider: auth })
    const transport = await auth.connect(client, create)
    const call = async (name: string): Promise<string> => textOf(await client.callTool({ name }))
    return {
      call,
      callAuthorized: (name) => auth.authorize(transport, () => call(name)),
      close: () => client.close(),
    }
  },
}

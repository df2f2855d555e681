// MCP servers of both SDKs in every manner of HTTP, as handlers of node's request and response: any framework can call them.
/* oxlint-disable typescript/no-deprecated -- the old transport is what some clients still speak */
import { randomUUID } from 'node:crypto'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { NodeStreamableHTTPServerTransport, toNodeHandler } from '@modelcontextprotocol/node'
import type { AuthInfo } from '@modelcontextprotocol/sdk/server/auth/types.js'
import { McpServer as ServerV1 } from '@modelcontextprotocol/sdk/server/mcp.js'
import { SSEServerTransport } from '@modelcontextprotocol/sdk/server/sse.js'
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js'
import {
  McpServer as ServerV2,
  createMcpHandler,
  requireScopes as requireScopesBySdk,
} from '@modelcontextprotocol/server'
import { type AccessToken, getAccessToken } from 'express-mcp-auth'

/** A request behind the guard, its body parsed or not. */
/** `auth` is typed as the SDK types it on Express's requests, everywhere, once its gate is imported anywhere. */
export type McpRequest = IncomingMessage & { auth?: AuthInfo; body?: unknown }

/** Answers the MCP endpoint. Nothing in it checks who calls: that is the guard's. */
export type McpListener = (request: McpRequest, response: ServerResponse) => Promise<void>

/** What the tool `whoami` answers, as JSON. */
export interface Caller {
  /** How the SDK handed the caller over. URLs are text here. */
  readonly authInfo: Readonly<Record<string, unknown>> | undefined
  /** Whether `resource` was a URL object, as the SDKs have it. */
  readonly resourceIsUrl: boolean
  /** Whether `getAccessToken()` gives the very same object. */
  readonly sameInContext: boolean
}

const describeCaller = (authInfo: AccessToken | undefined): { content: { type: 'text'; text: string }[] } => {
  const caller: Caller = {
    authInfo: authInfo && Object.fromEntries(Object.entries(authInfo)),
    resourceIsUrl: authInfo?.resource instanceof URL,
    sameInContext: authInfo === getAccessToken(),
  }
  return { content: [{ type: 'text', text: JSON.stringify(caller) }] }
}

const DONE = { content: [{ type: 'text' as const, text: 'done' }] }

function serverV1(): ServerV1 {
  const mcp = new ServerV1({ name: 'v1', version: '1.0.0' })
  mcp.registerTool('whoami', {}, (extra) => describeCaller(extra.authInfo as AccessToken | undefined))
  mcp.registerTool('delete_note', {}, () => DONE)
  mcp.registerTool('announce', {}, () => {
    mcp.sendToolListChanged()
    return DONE
  })
  return mcp
}

/** @param announce tells clients that the tools changed. Default: those of this server's own session */
function serverV2(announce?: () => void): ServerV2 {
  const mcp = new ServerV2({ name: 'v2', version: '1.0.0' })
  mcp.registerTool('whoami', {}, (ctx) => describeCaller(ctx.http?.authInfo as AccessToken | undefined))
  mcp.registerTool('delete_note', {}, () => DONE)
  mcp.registerTool('purge', { scopeChallenge: requireScopesBySdk('notes:purge') }, () => DONE)
  mcp.registerTool('announce', {}, () => {
    if (announce === undefined) mcp.sendToolListChanged()
    else announce()
    return DONE
  })
  return mcp
}

export function statelessV1(): McpListener {
  return async (request, response) => {
    if (request.method !== 'POST') {
      response.writeHead(405, { Allow: 'POST' }).end()
      return
    }
    const mcp = serverV1()
    const transport = new StreamableHTTPServerTransport()
    response.on('close', () => void mcp.close())
    await mcp.connect(transport)
    await transport.handleRequest(request, response, request.body)
  }
}

/** SDK v2's handler for both generations of clients. It announces to whoever subscribed, as 2026-07-28 has it. */
export function statelessV2(): McpListener {
  const handler = createMcpHandler(() => serverV2(() => handler.notify.toolsChanged()))
  const handle = toNodeHandler(handler) as McpListenerWithBody
  return (request, response) => handle(request, response, request.body)
}

type McpListenerWithBody = (request: McpRequest, response: ServerResponse, body: unknown) => Promise<void>

export function statefulV1(): McpListener {
  return withSessions(async (sessions) => {
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => void sessions.set(id, transport),
      onsessionclosed: (id) => void sessions.delete(id),
    })
    await serverV1().connect(transport)
    return transport
  })
}

export function statefulV2(): McpListener {
  return withSessions(async (sessions) => {
    const transport = new NodeStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => void sessions.set(id, transport),
      onsessionclosed: (id) => void sessions.delete(id),
    })
    await serverV2().connect(transport)
    return transport
  })
}

interface SessionTransport {
  handleRequest(request: McpRequest, response: ServerResponse, body?: unknown): Promise<void>
}

function withSessions(
  open: (sessions: Map<string, SessionTransport>) => Promise<SessionTransport>,
): McpListener {
  const sessions = new Map<string, SessionTransport>()
  return async (request, response) => {
    const id = request.headers['mcp-session-id']
    const transport = typeof id === 'string' ? sessions.get(id) : await open(sessions)
    if (transport === undefined) response.writeHead(404).end('the server does not know this session')
    else await transport.handleRequest(request, response, request.body)
  }
}

/** The old transport: a stream at any GET, messages to `/messages`. */
export function sseV1(): McpListener {
  const streams = new Map<string, SSEServerTransport>()
  return async (request, response) => {
    if (request.method === 'GET') {
      const stream = new SSEServerTransport('/messages', response)
      streams.set(stream.sessionId, stream)
      response.on('close', () => streams.delete(stream.sessionId))
      await serverV1().connect(stream)
      return
    }
    const session = new URL(request.url ?? '', 'http://localhost').searchParams.get('sessionId') ?? ''
    await streams.get(session)?.handlePostMessage(request, response, request.body)
  }
}

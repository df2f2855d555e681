// JSON-RPC 2.0 and MCP 2026-07-28 (streamable HTTP): which scopes the operations of one request body need.
import { ConfigError } from './errors.js'
import { OptionReader } from './options.js'

/** Scopes by what is called. A name that ends in `*` stands for every name with that beginning. */
export interface ToolScopes {
  /** By tool name, for `tools/call`. */
  readonly tools?: Readonly<Record<string, readonly string[]>>
  /** By URI, for `resources/read`, `resources/subscribe` and `resources/unsubscribe`. */
  readonly resources?: Readonly<Record<string, readonly string[]>>
  /** By prompt name, for `prompts/get`. */
  readonly prompts?: Readonly<Record<string, readonly string[]>>
  /** By JSON-RPC method. */
  readonly methods?: Readonly<Record<string, readonly string[]>>
}

const KINDS = ['tools', 'resources', 'prompts', 'methods'] as const
type Kind = (typeof KINDS)[number]

/** The map in the form that requests are held against. */
export type ToolScopeRules = Readonly<Record<Kind, ReadonlyMap<string, readonly string[]>>>

// Where each method says what it wants. Looked up by a name from outside, hence a Map.
const TARGETS: ReadonlyMap<string, { readonly kind: Kind; readonly member: string }> = new Map([
  ['tools/call', { kind: 'tools', member: 'name' }],
  ['prompts/get', { kind: 'prompts', member: 'name' }],
  ['resources/read', { kind: 'resources', member: 'uri' }],
  ['resources/subscribe', { kind: 'resources', member: 'uri' }],
  ['resources/unsubscribe', { kind: 'resources', member: 'uri' }],
])

/** Checks a {@link ToolScopes} from configuration. */
export function parseToolScopes(owner: string, scopes: unknown): ToolScopeRules {
  const read = new OptionReader(owner, scopes, KINDS)
  const rules = Object.fromEntries(KINDS.map((kind) => [kind, parseKind(owner, kind, read.raw(kind))]))
  return rules as Record<Kind, ReadonlyMap<string, readonly string[]>>
}

function parseKind(owner: string, kind: Kind, scopes: unknown): ReadonlyMap<string, readonly string[]> {
  if (scopes === undefined) return new Map()
  if (typeof scopes !== 'object' || scopes === null || Array.isArray(scopes)) {
    throw new ConfigError(
      'ERR_MCP_AUTH_INVALID_OPTION',
      `${owner}: "${kind}" must be an object such as { name: ["scope"] }`,
    )
  }
  const names = Object.keys(scopes)
  const read = new OptionReader(`${owner}.${kind}`, scopes, names)
  return new Map(names.map((name) => [name, read.scopes(name) ?? []]))
}

/** One message of a request body. */
interface Operation {
  readonly method: string
  /** Tool or prompt name, or resource URI. */
  readonly target: string | undefined
}

/** What a body asks for, or why that cannot be told. */
export type OperationsRead = { readonly operations: readonly Operation[] } | { readonly refused: string }

/** Reads the operations of a parsed body, a single message or a batch. Responses to the server ask for nothing. */
export function readOperations(body: unknown): OperationsRead {
  const operations: Operation[] = []
  for (const message of Array.isArray(body) ? (body as unknown[]) : [body]) {
    if (typeof message !== 'object' || message === null || Array.isArray(message)) {
      return { refused: 'The body is not a JSON-RPC message' }
    }
    const { method, params } = message as { method?: unknown; params?: unknown }
    if (method === undefined) continue
    if (typeof method !== 'string') return { refused: 'The JSON-RPC method is not a string' }
    const member = TARGETS.get(method)?.member
    const target =
      member === undefined ? undefined : (params as Record<string, unknown> | null | undefined)?.[member]
    if (member !== undefined && typeof target !== 'string')
      return { refused: `${method} needs a "${member}" that is a string` }
    operations.push({ method, target: target as string | undefined })
  }
  return { operations }
}

/** The scopes that all operations together need. */
export function scopesOfOperations(operations: readonly Operation[], rules: ToolScopeRules): string[] {
  const needed = operations.flatMap(({ method, target }) => {
    const kind = TARGETS.get(method)?.kind
    const ofTarget =
      kind === undefined ? [] : spellings(kind, target as string).flatMap((name) => lookUp(rules[kind], name))
    return [...lookUp(rules.methods, method), ...ofTarget]
  })
  return [...new Set(needed)]
}

/** A server may parse a resource URI before it looks it up, so `FILE:///x` must not slip past a rule for `file:///x`. */
function spellings(kind: Kind, target: string): string[] {
  if (kind !== 'resources') return [target]
  try {
    return [...new Set([target, new URL(target).href])]
  } catch {
    return [target]
  }
}

function lookUp(rules: ReadonlyMap<string, readonly string[]>, name: string): readonly string[] {
  const exact = rules.get(name)
  if (exact !== undefined) return exact
  const patterns = [...rules.keys()].filter((key) => key.endsWith('*') && name.startsWith(key.slice(0, -1)))
  const [longest] = patterns.toSorted((one, other) => other.length - one.length)
  return longest === undefined ? [] : (rules.get(longest) as readonly string[])
}

/**
 * MCP 2026-07-28: `Mcp-Method` and `Mcp-Name` repeat the body for what stands between client and server, and must agree
 * with it. Returns what is wrong.
 */
export function refuseRoutingHeaders(
  operations: readonly Operation[],
  method: string | undefined,
  name: string | undefined,
): string | undefined {
  if (method !== undefined && !operations.every((operation) => operation.method === method)) {
    return 'The Mcp-Method header does not agree with the body'
  }
  if (
    name !== undefined &&
    !operations.every(({ target }) => target === undefined || target === decodeHeader(name))
  ) {
    return 'The Mcp-Name header does not agree with the body'
  }
  return undefined
}

/** Names beyond ASCII travel as `=?base64?…?=`. */
function decodeHeader(value: string): string {
  const encoded = /^=\?base64\?([A-Za-z0-9+/=]*)\?=$/i.exec(value)?.[1]
  return encoded === undefined ? value : Buffer.from(encoded, 'base64').toString('utf8')
}

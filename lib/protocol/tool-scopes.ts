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

/** Something that a message asks for by name. */
interface Target {
  readonly kind: Kind
  readonly name: string
}

type Params = Readonly<Record<string, unknown>>

// Where each method says what it wants; undefined where it does not say it. Looked up by a name from outside, hence a Map.
const TARGETS: ReadonlyMap<string, (params: Params) => readonly Target[] | undefined> = new Map([
  ['tools/call', ({ name }: Params) => targets('tools', [name])],
  ['prompts/get', ({ name }: Params) => targets('prompts', [name])],
  ['resources/read', ({ uri }: Params) => targets('resources', [uri])],
  ['resources/subscribe', ({ uri }: Params) => targets('resources', [uri])],
  ['resources/unsubscribe', ({ uri }: Params) => targets('resources', [uri])],
  [
    'subscriptions/listen',
    ({ notifications }: Params) =>
      targets('resources', memberOf(notifications, 'resourceSubscriptions') ?? []),
  ],
  ['completion/complete', ({ ref }: Params) => referenceTargets(ref)],
])

function targets(kind: Kind, names: unknown): readonly Target[] | undefined {
  if (!Array.isArray(names) || !names.every((name) => typeof name === 'string')) return undefined
  return names.map((name) => ({ kind, name }))
}

/** A reference names a prompt or a resource; one that names both asks for both. */
function referenceTargets(ref: unknown): readonly Target[] | undefined {
  const [name, uri] = [memberOf(ref, 'name'), memberOf(ref, 'uri')]
  if (name === undefined) return targets('resources', [uri])
  const prompts = targets('prompts', [name])
  return uri === undefined ? prompts : prompts && targets('resources', [uri])?.concat(prompts)
}

function memberOf(value: unknown, name: string): unknown {
  return (value as Params | null | undefined)?.[name]
}

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
  const rules = new Map<string, readonly string[]>()
  for (const name of names) {
    const needed = read.scopes(name)
    // A constant that was misspelt must not mean "none".
    if (needed === undefined) throw read.invalid(name, 'a list of scopes, [] for none')
    for (const spelling of kind === 'resources' ? parsedSpellings(name) : [name]) {
      rules.set(spelling, [...(rules.get(spelling) ?? []), ...needed])
    }
  }
  return rules
}

/** One message of a request body. */
interface Operation {
  readonly method: string
  readonly targets: readonly Target[]
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
    const wanted = TARGETS.get(method)?.((params ?? {}) as Params)
    if (wanted === undefined && TARGETS.has(method))
      return { refused: `${method} does not say what it is for` }
    operations.push({ method, targets: wanted ?? [] })
  }
  return { operations }
}

/** The scopes that all operations together need. */
export function scopesOfOperations(operations: readonly Operation[], rules: ToolScopeRules): string[] {
  const needed = operations.flatMap(({ method, targets: wanted }) => [
    ...lookUp(rules.methods, method),
    ...wanted.flatMap(({ kind, name }) =>
      spellings(kind, name).flatMap((spelling) => lookUp(rules[kind], spelling)),
    ),
  ])
  return [...new Set(needed)]
}

/**
 * The forms in which a server may take a resource URI: as it came, parsed, without query and fragment, decoded. A rule for
 * `file:///x` holds for `FILE:///x`, `file:///%78` and `file:///x?y` too.
 */
function spellings(kind: Kind, name: string): string[] {
  if (kind !== 'resources') return [name]
  return [...new Set([...parsedSpellings(name), ...parsedSpellings(name.replace(/[?#].*$/s, ''))])]
}

function parsedSpellings(uri: string): string[] {
  const parsed = URL.canParse(uri) ? [uri, new URL(uri).href] : [uri]
  return [...new Set(parsed.flatMap((spelling) => [spelling, decode(spelling)]))]
}

function decode(uri: string): string {
  try {
    return decodeURIComponent(uri)
  } catch {
    return uri
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
  const names = operations.flatMap(({ targets: wanted }) => wanted.map((target) => target.name))
  if (name !== undefined && !names.every((wanted) => wanted === decodeHeader(name))) {
    return 'The Mcp-Name header does not agree with the body'
  }
  return undefined
}

/** Names beyond ASCII travel as `=?base64?…?=`. */
function decodeHeader(value: string): string {
  const encoded = /^=\?base64\?([A-Za-z0-9+/=]*)\?=$/i.exec(value)?.[1]
  return encoded === undefined ? value : Buffer.from(encoded, 'base64').toString('utf8')
}

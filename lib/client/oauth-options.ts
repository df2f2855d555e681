// What an OAuth client is made of: options, parsed once.
import { join } from 'node:path'
import { refuseClientIdUrl } from '../protocol/client-id-url.js'
import { OptionReader } from '../protocol/options.js'
import { type Deps, createDeps } from '../runtime/deps.js'
import { configDirectory } from '../runtime/user-environment.js'
import type { Store } from '../stores/store.js'
import { FileStore } from './file-store.js'
import { openInBrowser } from './open-browser.js'

export interface OAuthOptions {
  /** URL of the MCP server, as it is connected to. */
  readonly serverUrl: string
  /** What people read when they are asked for consent. Default: `MCP client`. */
  readonly clientName?: string
  /** Scopes to ask for. Default: those that the server names. What it asks for later is added. */
  readonly scopes?: readonly string[] | string
  /** Of a client that was registered by hand. */
  readonly clientId?: string
  readonly clientSecret?: string
  /** The authorization server that knows `clientId`. Default: the first that the server names, and no other after that. */
  readonly issuer?: string
  /** Where the client ID metadata document of this client is: its ID, where the authorization server takes such. */
  readonly clientMetadataUrl?: string
  /** Port that the browser comes back to. Default: any that is free, and the same again next time. */
  readonly callbackPort?: number
  /** How this machine is called in the redirect URI. Default: `127.0.0.1`. */
  readonly callbackHost?: '127.0.0.1' | 'localhost'
  /** How long a sign-in may take. Default: 300. */
  readonly callbackTimeoutSeconds?: number
  /** Where tokens are kept. Default: files of this user. */
  readonly store?: Store
  /** Directory of those files. Default: `express-mcp-auth` among the settings of this user. */
  readonly storageDirectory?: string
  /** Brings a person to an address. Default: starts their browser. */
  readonly openBrowser?: (url: URL) => unknown
  /** For authorization servers that know PKCE and do not say so. */
  readonly dangerouslyAllowUnadvertisedPkce?: boolean
  readonly deps?: Partial<Deps>
}

/** The same, checked and complete. */
export interface OAuthSettings {
  readonly serverUrl: string
  readonly clientName: string
  readonly scopes: readonly string[]
  readonly configured: { readonly clientId: string; readonly clientSecret?: string | undefined } | undefined
  readonly issuer: string | undefined
  readonly clientMetadataUrl: string | undefined
  readonly callbackPort: number | undefined
  readonly callbackHost: '127.0.0.1' | 'localhost'
  readonly callbackTimeoutSeconds: number
  readonly store: Store
  readonly openBrowser: (url: URL) => unknown
  readonly allowUnadvertisedPkce: boolean
  readonly deps: Deps
}

const KNOWN = [
  'serverUrl', 'clientName', 'scopes', 'clientId', 'clientSecret', 'issuer', 'clientMetadataUrl', 'callbackPort', 'callbackHost',
  'callbackTimeoutSeconds', 'store', 'storageDirectory', 'openBrowser', 'dangerouslyAllowUnadvertisedPkce', 'deps',
] as const // prettier-ignore

/** @throws ConfigError */
export function parseOAuthOptions(options: OAuthOptions): OAuthSettings {
  const read = new OptionReader('OAuth', options, KNOWN)
  const serverUrl = read.url('serverUrl')
  if (serverUrl === undefined)
    throw read.missing('serverUrl', 'the URL of the MCP server, such as "https://api.example.com/mcp"')
  const deps = createDeps(options.deps)
  return {
    serverUrl,
    clientName: read.text('clientName') ?? 'MCP client',
    scopes: read.scopes('scopes') ?? [],
    configured: parseConfigured(read),
    issuer: read.url('issuer', true),
    clientMetadataUrl: parseMetadataUrl(read),
    callbackPort: parsePort(read),
    callbackHost: parseHost(read),
    callbackTimeoutSeconds: read.seconds('callbackTimeoutSeconds', 300),
    store: parseStore(read, deps),
    openBrowser: read.callback<(url: URL) => unknown>('openBrowser') ?? ((url) => openInBrowser(url, deps)),
    allowUnadvertisedPkce: read.flag('dangerouslyAllowUnadvertisedPkce'),
    deps,
  }
}

function parseConfigured(read: OptionReader): OAuthSettings['configured'] {
  const clientId = read.text('clientId')
  const clientSecret = read.text('clientSecret')
  if (clientId !== undefined) return { clientId, clientSecret }
  if (clientSecret !== undefined) throw read.missing('clientId', 'a secret is that of a client')
  return undefined
}

function parseMetadataUrl(read: OptionReader): string | undefined {
  const url = read.text('clientMetadataUrl')
  if (url === undefined) return undefined
  if (read.has('clientId')) throw read.invalid('clientMetadataUrl', 'absent where "clientId" is given')
  const why = refuseClientIdUrl(url, false)
  if (why !== undefined) throw read.invalid('clientMetadataUrl', `an https URL with a path: it is ${why}`)
  return url
}

function parsePort(read: OptionReader): number | undefined {
  const port = read.raw('callbackPort')
  if (port === undefined) return undefined
  if (!Number.isInteger(port) || (port as number) < 1 || (port as number) > 65_535)
    throw read.invalid('callbackPort', 'a port from 1 to 65535')
  return port as number
}

function parseHost(read: OptionReader): '127.0.0.1' | 'localhost' {
  const host = read.text('callbackHost') ?? '127.0.0.1'
  if (host !== '127.0.0.1' && host !== 'localhost')
    throw read.invalid('callbackHost', '"127.0.0.1" or "localhost"')
  return host
}

function parseStore(read: OptionReader, deps: Deps): Store {
  const store = read.raw('store') as Partial<Store> | null | undefined
  const directory = read.text('storageDirectory')
  if (store === undefined)
    return new FileStore(directory ?? join(configDirectory(), 'express-mcp-auth'), deps)
  if (directory !== undefined) throw read.invalid('storageDirectory', 'absent where "store" is given')
  if (typeof store?.compareAndSwap !== 'function')
    throw read.invalid('store', 'a Store, such as new SqliteStore({ path })')
  return store as Store
}

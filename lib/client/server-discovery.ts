// RFC 9728 3 and RFC 8414 3: from the URL of a server to the token endpoint of its authorization server, for clients without an SDK transport.
import { checkUrl } from '../protocol/urls.js'
import { originOf, pathOf, protectedResourcePaths } from '../protocol/well-known.js'
import type { Deps } from '../runtime/deps.js'
import { fetchJson } from '../runtime/fetch-json.js'
import { ClientError } from './client-error.js'
import { sameIssuer, withoutSlash } from './credentials.js'

/** What is asked about. */
export interface DiscoveryQuestion {
  readonly serverUrl: string
  /** From a challenge, where there was one. */
  readonly resourceMetadataUrl?: string | undefined
  /** The one authorization server that may be meant, if it is known. */
  readonly issuer?: string | undefined
  readonly timeoutSeconds: number
}

/** Where tokens for a server come from. */
export interface TokenIssuer {
  readonly issuer: string
  readonly tokenEndpoint: string
  readonly authMethods: readonly string[] | undefined
  /** As the metadata writes it. */
  readonly resource: string
  readonly scopes: readonly string[] | undefined
}

type Document = ReadonlyMap<string, unknown>

/** @throws ClientError `discovery_failed`, `issuer_mismatch` */
export async function discoverIssuer(
  question: DiscoveryQuestion,
  deps: Pick<Deps, 'fetch' | 'after'>,
): Promise<TokenIssuer> {
  const { serverUrl, resourceMetadataUrl, timeoutSeconds } = question
  const load = (urls: readonly string[], what: string): Promise<Document> =>
    loadFirst(urls, what, timeoutSeconds, deps)
  const places = protectedResourcePaths(serverUrl.replace(/\?.*$/, '')).map(
    (path) => originOf(serverUrl) + path,
  )
  const about = await load(resourceMetadataUrl === undefined ? places : [resourceMetadataUrl], serverUrl)
  const resource = about.get('resource')
  if (typeof resource !== 'string' || !covers(resource, serverUrl))
    throw metadataOfAnother(serverUrl, resource)
  const issuer = chooseIssuer(about.get('authorization_servers'), question)
  const metadata = await load(metadataUrls(issuer), issuer)
  const named = metadata.get('issuer')
  if (typeof named !== 'string' || !sameIssuer(named, issuer))
    throw mismatch(`The metadata of ${JSON.stringify(issuer)} is that of ${JSON.stringify(named)}`)
  return {
    issuer: named,
    tokenEndpoint: checked(metadata.get('token_endpoint'), `"token_endpoint" of ${issuer}`),
    authMethods: textsIn(metadata.get('token_endpoint_auth_methods_supported')),
    resource,
    scopes: textsIn(about.get('scopes_supported')),
  }
}

/** Whether a resource is the server, or what the server is a part of (RFC 9728 3.3, as the SDKs read it). */
export function covers(resource: string, serverUrl: string): boolean {
  if (!URL.canParse(resource)) return false
  const [outer, inner] = [new URL(resource), new URL(serverUrl)]
  const path = outer.pathname.replace(/\/?$/, '/')
  return outer.origin === inner.origin && `${inner.pathname}/`.startsWith(path)
}

/** For a server that says that it is another. */
export function metadataOfAnother(serverUrl: string, resource: unknown): ClientError {
  return failed(`The metadata of ${serverUrl} is that of ${JSON.stringify(resource)}`)
}

function chooseIssuer(listed: unknown, { serverUrl, issuer: expected }: DiscoveryQuestion): string {
  const issuers = textsIn(listed) ?? []
  const [first] = expected === undefined ? issuers : issuers.filter((issuer) => sameIssuer(issuer, expected))
  if (first !== undefined) return checked(first, `An authorization server of ${serverUrl}`)
  const others = issuers.map((issuer) => JSON.stringify(issuer)).join(', ')
  if (expected === undefined) throw failed(`The metadata of ${serverUrl} names no authorization server`)
  throw mismatch(`The metadata of ${serverUrl} names ${others}, and not ${JSON.stringify(expected)}`)
}

/** MCP authorization server discovery: in this order. */
function metadataUrls(identifier: string): readonly string[] {
  const issuer = withoutSlash(identifier)
  const origin = originOf(issuer)
  const path = pathOf(issuer)
  return [
    `${origin}/.well-known/oauth-authorization-server${path}`,
    `${origin}/.well-known/openid-configuration${path}`,
    ...(path === '' ? [] : [`${issuer}/.well-known/openid-configuration`]),
  ]
}

async function loadFirst(
  urls: readonly string[],
  what: string,
  timeoutSeconds: number,
  deps: Pick<Deps, 'fetch' | 'after'>,
): Promise<Document> {
  const failures: string[] = []
  for (const url of urls) {
    try {
      const { status, json } = await fetchJson({ url: checked(url, 'It'), timeoutSeconds }, deps)
      if (status === 200 && typeof json === 'object' && json !== null) return new Map(Object.entries(json))
      failures.push(`${url}: ${status === 200 ? 'no JSON object' : `status ${status}`}`)
    } catch (error) {
      failures.push(`${url}: ${(error as Error).message}`)
    }
  }
  throw failed(`There is no metadata of ${what}: ${failures.join('; ')}`)
}

function checked(url: unknown, name: string): string {
  try {
    return checkUrl(url, { name })
  } catch (cause) {
    throw new ClientError('discovery_failed', (cause as Error).message, { cause })
  }
}

function textsIn(value: unknown): readonly string[] | undefined {
  return Array.isArray(value) ? value.filter((entry) => typeof entry === 'string') : undefined
}

function failed(message: string): ClientError {
  return new ClientError('discovery_failed', message)
}

function mismatch(message: string): ClientError {
  return new ClientError('issuer_mismatch', `${message}. Nothing was sent there`)
}

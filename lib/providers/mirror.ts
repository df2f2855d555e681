// The metadata of the authorization server, at our origin too: clients of MCP 2025-03-26 and some editors look for it there (RFC 8414 3).
import { OptionReader } from '../protocol/options.js'
import { checkUrl } from '../protocol/urls.js'
import { authorizationServerPaths, originOf, wellKnownPath } from '../protocol/well-known.js'
import { CachedDocument } from '../runtime/cached-document.js'
import { type Deps, createDeps } from '../runtime/deps.js'
import type { Route } from '../runtime/route.js'

/** Where the document of the authorization server lies, if not where its issuer says. */
export interface ForwardMetadataOptions {
  readonly url?: string
}

/** What is mirrored, and for which resource. */
export interface Mirror {
  /** As the document has to call it, byte for byte. */
  readonly issuer: string
  readonly baseUrl: string
  readonly resourceUrl: string
  /** Instead of the well-known forms of the issuer. */
  readonly url?: string | undefined
}

const NAME = 'forwardAuthorizationServerMetadata'

/** Reads the option: what to mirror, or undefined for nothing. */
export function parseMirror(read: OptionReader, facts: Omit<Mirror, 'url'>): Mirror | undefined {
  const value = read.raw(NAME) ?? false
  if (value === false) return undefined
  if (value === true) return facts
  if (typeof value !== 'object') throw read.invalid(NAME, 'true, false or { url }')
  const nested = new OptionReader(read.name(NAME), value, ['url'])
  const allowInsecureHttp = read.flag('dangerouslyAllowInsecureHttp')
  const url = nested.has('url')
    ? checkUrl(nested.raw('url'), { name: nested.name('url'), allowInsecureHttp })
    : undefined
  return { ...facts, url }
}

/** One document under every path at which a client may probe for it, as its authorization server wrote it. */
export function mirrorRoutes(mirror: Mirror, deps: Partial<Deps> | undefined): Route[] {
  const { issuer, baseUrl, resourceUrl, url } = mirror
  const document = new CachedDocument(
    {
      urls: url === undefined ? documentUrls(issuer) : [url],
      read: (json) => JSON.stringify(checkIssuer(json, issuer)),
      unavailable: 'The metadata of the authorization server cannot be had right now, try again shortly',
    },
    createDeps(deps),
  )
  const handle: Route['handle'] = async (_request, { report }) => {
    const { value: body, freshSeconds } = await document.get(report)
    const headers = {
      'Content-Type': 'application/json',
      'Cache-Control': `public, max-age=${Math.min(freshSeconds, LONGEST_SECONDS)}`,
    }
    return { status: 200, headers, body }
  }
  const forms = [baseUrl, resourceUrl].map(authorizationServerPaths)
  const paths = new Set(forms.flatMap(({ oauth, openid }) => [...oauth, ...openid]))
  return [...paths].map((path) => ({ path, methods: ['GET'], handle }))
}

/** Of what we say about somebody else's document. */
const LONGEST_SECONDS = 3600

/** RFC 8414 3.1 puts the suffix before the path of an issuer, OpenID Connect Discovery 4 behind it. */
function documentUrls(issuer: string): readonly string[] {
  return [
    originOf(issuer) + wellKnownPath('oauth-authorization-server', issuer),
    `${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`,
  ]
}

/** RFC 8414 3.3: a document of another issuer MUST NOT be used, and a client would not use it either. */
function checkIssuer(json: unknown, issuer: string): unknown {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) throw new Error('not a JSON object')
  const stated = (json as Readonly<Record<string, unknown>>)['issuer']
  if (stated !== issuer) throw new Error(`its issuer is ${JSON.stringify(stated)}, not ${issuer}`)
  return json
}

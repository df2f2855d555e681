// OpenID Connect Discovery 4 and RFC 8414 3: an identity provider's own word on where it is spoken to, fetched when it is needed first.
import { shown } from '../../protocol/claims.js'
import type { OAuthError } from '../../protocol/errors.js'
import { type UrlRules, checkUrl } from '../../protocol/urls.js'
import { originOf, wellKnownPath } from '../../protocol/well-known.js'
import { CachedDocument } from '../../runtime/cached-document.js'
import type { Deps } from '../../runtime/deps.js'
import { withoutQuery } from '../../runtime/fetch-json.js'
import type { VerifyContext } from '../../verifiers/verifier.js'
import type { UpstreamDiscovery, UpstreamEndpoints } from './description.js'

/** How one document is read. */
export interface DiscoverySettings extends UpstreamDiscovery {
  readonly allowInsecureHttp: boolean
}

/** Endpoints that a document tells of. */
export class DiscoveredEndpoints {
  readonly #document: CachedDocument<UpstreamEndpoints>

  constructor(settings: DiscoverySettings, deps: Deps) {
    const read = (json: unknown): UpstreamEndpoints => readDiscovery(json, settings)
    this.#document = new CachedDocument({ urls: [settings.configUrl], read, unavailable: UNKNOWN }, deps)
  }

  /** Rejects where they are not known and cannot be asked for now. */
  async get(report: VerifyContext['report']): Promise<UpstreamEndpoints> {
    try {
      return (await this.#document.get(report)).value
    } catch (error) {
      throw new Error(`${UNKNOWN}: ${(error as OAuthError).detail}`, { cause: error })
    }
  }
}

const UNKNOWN = 'the endpoints of the identity provider are not known'

/** The issuer whose document is at a URL, where the URL is one that an issuer has (OpenID Connect Discovery 4.1). */
export function issuerOfConfigUrl(configUrl: string): string | undefined {
  return /^(?<issuer>[^?]*)\/\.well-known\/openid-configuration(?:\?.*)?$/s.exec(configUrl)?.groups?.[
    'issuer'
  ]
}

/** What OpenID Connect Discovery 3 demands, and what RFC 8414 2 does. */
const DEMANDED_BY_OPENID = [
  'issuer', 'authorization_endpoint', 'token_endpoint', 'jwks_uri', 'response_types_supported',
  'subject_types_supported', 'id_token_signing_alg_values_supported',
] as const // prettier-ignore
const DEMANDED_BY_OAUTH = [
  'issuer',
  'authorization_endpoint',
  'token_endpoint',
  'response_types_supported',
] as const

/**
 * Reads a document, with what stands in for parts of it.
 *
 * @throws Error that says what is wrong with it
 */
export function readDiscovery(document: unknown, settings: DiscoverySettings): UpstreamEndpoints {
  const { configUrl, strict, replaced = {} } = settings
  if (typeof document !== 'object' || document === null || Array.isArray(document))
    throw new Error('the document is not a JSON object')
  const members = new Map<string, unknown>(Object.entries(document))
  const named = members.get('issuer')
  for (const [ours, theirs] of NAMES) {
    if (replaced[ours] !== undefined) members.set(theirs, replaced[ours])
  }
  if (strict) {
    refuseGaps(members, configUrl)
    refuseIssuer(named ?? members.get('issuer'), configUrl, replaced.issuer)
  }
  const url = (name: string): string | undefined => {
    const rules: UrlRules = { name: `"${name}"`, allowInsecureHttp: settings.allowInsecureHttp }
    const value = members.get(name) ?? undefined
    const checked = value === undefined ? undefined : checkUrl(value, rules)
    // Whoever writes such a document over https is mistaken, or no friend: codes and the secret of the app would go there in the clear.
    const isWord = !Object.values(replaced).includes(checked)
    if (checked !== undefined && isWord && isHttp(checked) && !isHttp(configUrl))
      throw new Error(`"${name}" must be an https URL, as that of the document is, not ${shown(checked)}`)
    return checked
  }
  const authorizationEndpoint = url('authorization_endpoint')
  const tokenEndpoint = url('token_endpoint')
  if (authorizationEndpoint === undefined || tokenEndpoint === undefined)
    throw new Error('the document has no "authorization_endpoint" or no "token_endpoint"')
  return {
    issuer: readIssuer(members.get('issuer')),
    authorizationEndpoint,
    tokenEndpoint,
    revocationEndpoint: url('revocation_endpoint'),
    jwksUri: url('jwks_uri'),
    sendsIssuer: members.get('authorization_response_iss_parameter_supported') === true,
  }
}

function isHttp(url: string): boolean {
  return /^http:/i.test(url)
}

const NAMES: readonly (readonly [ours: keyof UpstreamEndpoints, theirs: string])[] = [
  ['issuer', 'issuer'],
  ['authorizationEndpoint', 'authorization_endpoint'],
  ['tokenEndpoint', 'token_endpoint'],
  ['revocationEndpoint', 'revocation_endpoint'],
  ['jwksUri', 'jwks_uri'],
  ['sendsIssuer', 'authorization_response_iss_parameter_supported'],
]

function refuseGaps(members: ReadonlyMap<string, unknown>, configUrl: string): void {
  const isOAuth = configUrl.includes('/.well-known/oauth-authorization-server')
  const demanded: readonly string[] = isOAuth ? DEMANDED_BY_OAUTH : DEMANDED_BY_OPENID
  const gaps = demanded.filter((name) => (members.get(name) ?? undefined) === undefined)
  if (gaps.length > 0)
    throw new Error(`the document lacks ${gaps.map((name) => `"${name}"`).join(', ')}; ${LENIENT}`)
  const types = members.get('response_types_supported')
  if (!Array.isArray(types) || !types.includes('code'))
    throw new Error(`"response_types_supported" does not name "code"; ${LENIENT}`)
}

/** OpenID Connect Discovery 4.3, RFC 8414 3.3: else whoever can put a document anywhere could speak for another issuer. */
function refuseIssuer(named: unknown, configUrl: string, replaced: string | undefined): void {
  const ofDocument = typeof named === 'string' ? named : ''
  const fits =
    replaced === undefined ? configUrlsOf(ofDocument).includes(withoutQuery(configUrl)) : named === replaced
  if (fits) return
  const expected = replaced === undefined ? `the one whose document ${withoutQuery(configUrl)} is` : replaced
  throw new Error(`the document names the issuer ${shown(named)}, not ${expected}; ${LENIENT}`)
}

/** Where the document of an issuer may be. */
function configUrlsOf(issuer: string): readonly string[] {
  const base = issuer.replace(/\/$/, '')
  if (!/^https?:\/\/[^/?#]/.test(base)) return []
  const inserted = ['oauth-authorization-server', 'openid-configuration'].map(
    (suffix) => originOf(base) + wellKnownPath(suffix, base),
  )
  return [`${base}/.well-known/openid-configuration`, ...inserted]
}

/** Entra's document for tenants of any kind names a pattern, which claims are held against. Of any other pattern we know nothing. */
function readIssuer(issuer: unknown): string | undefined {
  if (typeof issuer !== 'string' || issuer === '') return undefined
  const pattern = issuer.replace('{tenantid}', '{tid}')
  return pattern.replace('{tid}', '').includes('{') ? undefined : pattern
}

const LENIENT = 'if that is how it has to be, set "strict: false"'

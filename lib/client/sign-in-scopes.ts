// MCP authorization, scope selection and step-up: what is asked for grows and never shrinks, and not for ever.
import { formatScopes, missingScopes, parseScopes } from '../protocol/scopes.js'
import type { Deps } from '../runtime/deps.js'
import { ClientError } from './client-error.js'
import type { DiscoveryState } from './sdk-types.js'

/** Sign-ins that one call, or one set of scopes, may take before it is taken for hopeless. */
export const MOST_SIGN_INS = 3
/** Signing in again so soon for the same scopes is going round in circles. */
const CIRCLE_MILLISECONDS = 60_000

/** What one client has asked for. */
export class SignInScopes {
  readonly #wanted: readonly string[]
  readonly #deps: Pick<Deps, 'now'>
  #last: { readonly scopes: readonly string[]; readonly at: number; readonly count: number } | undefined

  /** @param wanted what the developer wants */
  constructor(wanted: readonly string[], deps: Pick<Deps, 'now'>) {
    this.#wanted = wanted
    this.#deps = deps
  }

  /**
   * Writes into an authorization URL what to ask for: what the server's challenge names, and what the developer wants or else the server
   * lists, and whatever was granted or asked for before, or it would be lost.
   *
   * @throws ClientError `too_many_sign_ins`
   */
  choose(url: URL, granted: string | undefined, discovery: DiscoveryState): void {
    const held = parseScopes(granted ?? '')
    const before = this.#last?.scopes ?? []
    const asked = parseScopes(url.searchParams.get('scope') ?? '')
    const isFirst = held.length === 0 && before.length === 0
    // The SDKs fill in the whole list where nothing is challenged; whoever is asked again needs what is asked.
    const isList = isFirst && this.#wanted.length > 0 && isWholeList(asked, discovery)
    const all = new Set([...this.#wanted, ...held, ...before, ...(isList ? [] : asked)])
    const { scopes_supported: known } = discovery.authorizationServerMetadata ?? {}
    if (all.size > 0 && known?.includes('offline_access') === true) {
      all.add('offline_access')
      // OpenID Connect Core 11: without it the scope counts for nothing.
      url.searchParams.set('prompt', 'consent')
    }
    if (all.size > 0) url.searchParams.set('scope', formatScopes([...all]))
    this.#count([...all])
  }

  #count(scopes: readonly string[]): void {
    const now = this.#deps.now()
    const last = this.#last
    const isSame =
      last !== undefined &&
      now - last.at < CIRCLE_MILLISECONDS &&
      missingScopes(last.scopes, scopes).length === 0
    const count = isSame ? last.count + 1 : 1
    if (count > MOST_SIGN_INS) throw tooManySignIns()
    this.#last = { scopes, at: now, count }
  }
}

function isWholeList(asked: readonly string[], { resourceMetadata }: DiscoveryState): boolean {
  const listed = resourceMetadata?.scopes_supported ?? []
  return missingScopes([...listed, 'offline_access'], asked).length === 0 && asked.length >= listed.length
}

export function tooManySignIns(cause?: unknown): ClientError {
  return new ClientError(
    'too_many_sign_ins',
    `Signing in ${MOST_SIGN_INS} times changed nothing: the server does not take what its authorization server gives`,
    { cause },
  )
}

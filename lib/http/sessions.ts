// Who opened which MCP session: a session ID is a handle, not a credential, and must not work for anybody else.
import { LRUCache } from 'lru-cache'
import type { AccessToken } from '../runtime/access-token.js'
import { digest } from '../runtime/digest.js'

/** Bounds of the session bindings. */
export interface SessionBindingOptions {
  /** Most sessions remembered; the least recently used is forgotten first. Default: 100,000. */
  readonly maxSessions?: number
}

/** What is known of a session and a caller. */
export type SessionStanding = 'own' | 'foreign' | 'unknown'

/** Remembers the principal of each session: client, issuer and subject together. */
export class SessionBindings {
  readonly #owners: LRUCache<string, string>

  constructor({ maxSessions = 100_000 }: SessionBindingOptions = {}) {
    this.#owners = new LRUCache({ max: maxSessions })
  }

  standing(sessionId: string, token: AccessToken | undefined): SessionStanding {
    const owner = this.#owners.get(digest(sessionId))
    if (owner === undefined) return 'unknown'
    return owner === principalOf(token) ? 'own' : 'foreign'
  }

  bind(sessionId: string, token: AccessToken | undefined): void {
    this.#owners.set(digest(sessionId), principalOf(token))
  }
}

/** JSON, so that no two principals can be spelled alike. Anonymous callers are one. */
function principalOf(token: AccessToken | undefined): string {
  return JSON.stringify(
    token === undefined ? null : [token.clientId, token.issuer ?? null, token.subject ?? null],
  )
}

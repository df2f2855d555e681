// Who opened which MCP session: a session ID is a handle, not a credential, and must not work for anybody else.
import { LRUCache } from 'lru-cache'
import { UNKNOWN_CLIENT } from '../protocol/claims.js'
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

  /** Notes who opened a session. The first word counts. */
  open(sessionId: string, token: AccessToken | undefined): void {
    const key = digest(sessionId)
    if (!this.#owners.has(key)) this.#owners.set(key, principalOf(token))
  }
}

/** JSON, so that no two principals can be spelled alike. Anonymous callers are one; of unnamed ones each token is its own. */
function principalOf(token: AccessToken | undefined): string {
  if (token === undefined) return 'anonymous'
  const { clientId, issuer = null, subject = null } = token
  const nameless = subject === null && clientId === UNKNOWN_CLIENT
  return JSON.stringify([clientId, issuer, nameless ? digest(token.token) : subject])
}
